package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveRevokedCertificates logs in by certificates of which one is on a
// revocation list, with the clients of both databases.
func TestLiveRevokedCertificates(t *testing.T) {
	binary := build(t)
	issuer, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ca := write("ca.crt", issuer.PEM)
	var lost string
	for _, name := range []string{"kept", "lost"} {
		certificate, key, err := issuer.Client("ana")
		if err != nil {
			t.Fatal(err)
		}
		write(name+".crt", certificate)
		write(name+".key", key)
		lost = certificate
	}
	list, err := issuer.Revoke(lost)
	if err != nil {
		t.Fatal(err)
	}
	crl := write("list.crl", list)
	for _, protocol := range []string{"postgresql", "mysql"} {
		t.Run(protocol, func(t *testing.T) {
			w, err := weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: t.TempDir(), Protocol: protocol,
				Listener:    fmt.Sprintf("self_signed: true, client_ca: %s, client_crl: [%s]", ca, crl),
				Datasources: certificateSource(t, protocol), Policy: map[string]string{"policy.yaml": strings.ReplaceAll(rotationPolicy, "fixed, leased", "fixed")},
				Groups: []string{"all"}, People: []weirserver.Person{{Name: "ana", Group: "all"}}})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			for name, passes := range map[string]bool{"kept": true, "lost": false} {
				certificate, key := filepath.Join(folder, name+".crt"), filepath.Join(folder, name+".key")
				c := exec.CommandContext(t.Context(), "psql", "-X", "-w", "-At", "-c", "SELECT 1", fmt.Sprintf("host=localhost port=%d user=ana dbname=fixed sslmode=verify-full sslrootcert=%s sslcert=%s sslkey=%s", w.Port, w.CAFile, certificate, key))
				if protocol == "mysql" {
					c = exec.CommandContext(t.Context(), "mariadb", "--no-defaults", "--protocol=tcp", "--host=localhost", fmt.Sprintf("--port=%d", w.Port), "--user=ana@fixed",
						"--ssl", "--ssl-ca="+w.CAFile, "--ssl-cert="+certificate, "--ssl-key="+key, "-N", "-e", "SELECT 1")
				}
				out, err := c.CombinedOutput()
				if passes != (err == nil) || passes && strings.TrimSpace(string(out)) != "1" {
					t.Errorf("%s: %v\n%s", name, err, out)
				}
			}
			log, err := os.ReadFile(w.Log)
			if err != nil || !strings.Contains(string(log), "was revoked at") {
				t.Errorf("the log does not say why: %v\n%s", err, log)
			}
		})
	}
}

// certificateSource is a database that only has to let weir in.
func certificateSource(t *testing.T, protocol string) string {
	t.Helper()
	if protocol == "mysql" {
		s, err := myserver.Start(t.Context(), myserver.Options{Accounts: []myserver.Account{{Name: "weir", Password: "upstream", Grants: "ALL ON *.*"}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return fmt.Sprintf("  - {name: fixed, engine: mariadb, address: \"localhost:%d\", user: weir, password: upstream, tls: {ca: %s}}\n", s.Port, s.CAFile)
	}
	s, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := s.Exec(t.Context(), "postgres", "CREATE ROLE weir LOGIN PASSWORD 'upstream'"); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("  - {name: fixed, address: \"localhost:%d\", database: postgres, user: weir, password: upstream, tls: {ca: %s}}\n", s.Port, s.CAFile)
}
