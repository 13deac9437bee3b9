package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/weirdb/weir/deploy/pgserver"
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

	weir   *exec.Cmd
	exited chan struct{}
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

const configuration = `profile: development
state: %[1]s/state
listeners:
  - address: 127.0.0.1:%[2]d
    tls: {%[3]s, plaintext: %[4]t}
datasources:
  - name: %[5]s
    project: regress
    address: localhost:%[6]d
    user: %[7]s
    password: ${env:WEIR_REGRESS_PASSWORD}
    tls: {mode: %[8]s}
admin: {address: "127.0.0.1:%[9]d"}
limits: {drain: 5s}
policy: {folder: %[1]s/policy}
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
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	listener := "self_signed: true"
	mode := "verify-full, ca: " + s.server.CAFile
	if st.certificate != "" {
		listener = fmt.Sprintf("certificate: %s, key: \"${file:%s}\", client_ca: %s", st.certificate, st.key, st.clientCA)
		mode = "require"
	}
	config := filepath.Join(s.folder, "weir.yaml")
	text := fmt.Sprintf(configuration, s.folder, ports[0], listener, st.plaintext, st.database, s.server.Port, st.user, mode, ports[1])
	if err := errors.Join(os.RemoveAll(filepath.Join(s.folder, "state")), os.MkdirAll(filepath.Join(s.folder, "policy"), 0o755),
		os.WriteFile(filepath.Join(s.folder, "policy", "policy.yaml"), fmt.Appendf(nil, policy, st.database), 0o644),
		os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return err
	}
	if err := s.addPeople(ctx, o, st, config); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.folder, "weir.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.weir = exec.Command(o.weir, "serve", "--config", config)
	s.weir.Env = append(os.Environ(), "WEIR_REGRESS_PASSWORD="+s.password)
	s.weir.Stdout, s.weir.Stderr = log, log
	s.weir.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.weir.Start(); err != nil {
		s.weir = nil
		return err
	}
	s.exited = make(chan struct{})
	go func() { // ends with the process; stop waits for it
		defer close(s.exited)
		_ = s.weir.Wait()
	}()
	s.port, s.ca = ports[0], filepath.Join(s.folder, "state", "server.crt")
	return s.waitReady(ctx, ports[1], log.Name())
}

func (s *side) addPeople(ctx context.Context, o options, st stand, config string) error {
	commands := [][]string{{"", "group", "add", "administrators"},
		{s.password, "user", "add", st.user, "--group", "administrators", "--password-stdin"}}
	for name, password := range st.others {
		how := "--password-stdin"
		if password == "" {
			how = "--no-password"
		}
		commands = append(commands, []string{password, "user", "add", name, "--group", "administrators", how})
	}
	for _, c := range commands {
		cmd := exec.CommandContext(ctx, o.weir, append(c[1:], "--config", config)...)
		cmd.Env = append(os.Environ(), "WEIR_REGRESS_PASSWORD="+s.password)
		cmd.Stdin = strings.NewReader(c[0] + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("weir %s: %w: %s", strings.Join(c[1:], " "), err, out)
		}
	}
	return nil
}

func (s *side) waitReady(ctx context.Context, port int, log string) error {
	client := http.Client{Timeout: 5 * time.Second}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", port))
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			text, _ := os.ReadFile(log)
			return fmt.Errorf("weir ended: %s", text)
		case <-ctx.Done():
			return fmt.Errorf("weir is not ready after 30 s; its log is %s", log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// stop ends weir and the server and removes what they needed.
func (s *side) stop() {
	if s.weir != nil {
		_ = s.weir.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(15 * time.Second):
			_ = s.weir.Process.Kill()
			<-s.exited
		}
		s.weir = nil
	}
	if s.server != nil {
		s.server.Stop()
	}
	_ = os.RemoveAll(filepath.Join(s.folder, "state"))
}
