package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

// stand is what a suite needs of the server and of weir.
type stand struct {
	database string
	setup    []string // scripts that the cluster's administrator runs in the database
	settings map[string]string
	hba      []string
	locale   string
	// user is who runs the suite, with a password that the side makes up. The
	// others log in with the passwords that the suite knows; an empty one
	// is a login by certificate.
	user   string
	others map[string]string
	// certificate, key and clientCA replace the server's own on both sides.
	certificate, key, clientCA string
	plaintext                  bool
}

// side is a running server, and a weir in front of it on one of the sides.
type side struct {
	folder   string
	server   *pgserver.Server
	password string // of the stand's user
	port     int    // to connect to
	ca       string

	weir *weirserver.Server
	end  func() // what else there is to stop; nil if nothing
	data string // the folder of MariaDB's databases
}

const host = "localhost"

func startSide(ctx context.Context, o options, st stand, folder string, through bool) (*side, error) {
	s := &side{folder: folder, password: secret()}
	err := s.startServer(ctx, o, st)
	if err == nil && through {
		err = s.startWeir(ctx, o, st)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func secret() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (s *side) startServer(ctx context.Context, o options, st stand) error {
	options := pgserver.Options{Major: o.major, Settings: map[string]string{}, HBA: st.hba, Locale: st.locale}
	for k, v := range st.settings {
		options.Settings[k] = v
	}
	var err error
	if s.server, err = pgserver.Start(ctx, options); err != nil {
		return err
	}
	s.port, s.ca = s.server.Port, s.server.CAFile
	if st.user != pgserver.SuperUser {
		if err := s.psql(ctx, "postgres", fmt.Sprintf("CREATE ROLE %s SUPERUSER LOGIN PASSWORD '%s'", st.user, s.password)); err != nil {
			return err
		}
	} else {
		s.password = s.server.Password
	}
	if err := s.psql(ctx, "postgres", fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE template0", st.database, st.user)); err != nil {
		return err
	}
	for _, step := range st.setup {
		if err := s.psql(ctx, st.database, step); err != nil {
			return err
		}
	}
	if st.certificate == "" {
		return nil
	}
	return s.replaceCertificates(ctx, st)
}

// replaceCertificates gives the server a suite's own. Existing files keep
// their owner, who is the server's account.
func (s *side) replaceCertificates(ctx context.Context, st stand) error {
	conn, err := pgx.Connect(ctx, s.server.URL(pgserver.SuperUser, s.server.Password, "postgres")) // while it can be verified
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for to, from := range map[string]string{"data/server.crt": st.certificate, "data/server.key": st.key, "ca.crt": st.clientCA} {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.server.Dir, to), text, 0o600); err != nil {
			return err
		}
	}
	_, err = conn.Exec(ctx, "SELECT pg_reload_conf(), pg_sleep(0.5)")
	return err
}

// psql runs a script of the suite's preparation directly on the server.
func (s *side) psql(ctx context.Context, database, script string) error {
	cmd := exec.CommandContext(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", s.server.URL(pgserver.SuperUser, s.server.Password, database))
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}

const datasource = `  - name: %[1]s
    project: regress
    address: localhost:%[2]d
    user: %[3]s
    password: ${env:WEIR_REGRESS_PASSWORD}
    tls: {mode: %[4]s}
`

const policy = `version: 1
shipped: [tags, masks]
projects:
  regress: {datasources: [%s]}
grants:
  - name: administrators
    who: {groups: [administrators]}
    allow: ["*"]
    unrestricted: true
`

func (s *side) startWeir(ctx context.Context, o options, st stand) error {
	listener := fmt.Sprintf("self_signed: true, plaintext: %t", st.plaintext)
	mode := "verify-full, ca: " + s.server.CAFile
	if st.certificate != "" {
		listener = fmt.Sprintf("certificate: %s, key: \"${file:%s}\", client_ca: %s, plaintext: %t", st.certificate, st.key, st.clientCA, st.plaintext)
		mode = "require"
	}
	people := []weirserver.Person{{Name: st.user, Group: "administrators", Password: s.password}}
	for name, password := range st.others {
		people = append(people, weirserver.Person{Name: name, Group: "administrators", Password: password})
	}
	var err error
	s.weir, err = weirserver.Start(ctx, weirserver.Options{
		Binary: o.weir, Folder: s.folder, Listener: listener,
		Datasources: fmt.Sprintf(datasource, st.database, s.server.Port, st.user, mode), More: "limits: {drain: 5s}\n",
		Policy: map[string]string{"policy.yaml": fmt.Sprintf(policy, st.database)},
		Groups: []string{"administrators"}, People: people,
		Env: []string{"WEIR_REGRESS_PASSWORD=" + s.password},
	})
	if err != nil {
		return err
	}
	s.port, s.ca = s.weir.Port, s.weir.CAFile
	return nil
}

// stop ends weir and the server and removes what they needed.
func (s *side) stop() {
	if s.weir != nil {
		s.weir.Stop()
		s.weir = nil
	}
	if s.server != nil {
		s.server.Stop()
	}
	if s.end != nil {
		s.end()
	}
}
