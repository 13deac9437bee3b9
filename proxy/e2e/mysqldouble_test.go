package e2e

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveMySQLDouble goes through weir to a server that greets as Oracle's
// MySQL does. It is about handshakes: the double runs the comments of every
// version, so that weir has no definitions from it, and people whom policy
// restricts are refused.
func TestLiveMySQLDouble(t *testing.T) {
	folder := t.TempDir()
	double := filepath.Join(folder, "mysqldouble")
	cmd := exec.Command("go", "build", "-o", double, ".")
	cmd.Dir, cmd.Env = "mysqldouble", append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the double: %v\n%s", err, out)
	}
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"server.crt": certificate, "server.key": key, "ca.crt": ca.PEM} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := build(t)
	for _, flavour := range []struct{ version, plugin string }{
		{"5.7.44-log", "mysql_native_password"}, {"8.0.36", "caching_sha2_password"}, {"9.1.0", "caching_sha2_password"},
	} {
		t.Run(flavour.version, func(t *testing.T) {
			address := startDouble(t, double, folder, flavour.version, flavour.plugin)
			throughDouble(t, binary, folder, address)
		})
	}
}

const doublePassword = "a password for the double"

func startDouble(t *testing.T, double, folder, version, plugin string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, double, "-listen", address, "-version", version, "-plugin", plugin, "-password", doublePassword,
		"-certificate", filepath.Join(folder, "server.crt"), "-key", filepath.Join(folder, "server.key"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait()
	})
	for range 100 {
		if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = c.Close()
			return address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the double does not listen")
	return ""
}

func throughDouble(t *testing.T, binary, folder, address string) {
	const password = "a passphrase of the double's guests"
	w, err := weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: t.TempDir(), Protocol: "mysql", Listener: "self_signed: true",
		Datasources: fmt.Sprintf("  - {name: shop, engine: mysql, project: demo, database: shop, address: %q, user: weir, password: %q, tls: {mode: verify-full, ca: %s}}\n",
			address, doublePassword, filepath.Join(folder, "ca.crt")),
		Policy: map[string]string{"policy.yaml": doublePolicy}, Unready: true, Groups: []string{"administrators", "analysts"}, More: "limits: {drain: 1s}\n",
		People: []weirserver.Person{{Name: "root", Group: "administrators", Password: password}, {Name: "ana", Group: "analysts", Password: password}}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	open := func(user string) *sql.DB {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = user, password, "tcp", fmt.Sprintf("127.0.0.1:%d", w.Port), "shop"
		c.TLS = &tls.Config{InsecureSkipVerify: true} // weir's certificate is its own
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := open("root")
	for _, args := range [][]any{nil, {2}} { // text, and prepared
		query, want := "SELECT email FROM users WHERE id = 2", "ben@example.com"
		if args != nil {
			query = "SELECT email FROM users WHERE id = ?"
		}
		var email string
		if err := db.QueryRowContext(t.Context(), query, args...).Scan(&email); err != nil || email != want {
			t.Errorf("%s: %q, %v", query, email, err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "mariadb", "--no-defaults", "--protocol=tcp", "-h", "127.0.0.1", "-P", fmt.Sprint(w.Port), "-u", "root", "--ssl", "-N", "shop", "-e", "SELECT name FROM users ORDER BY id")
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "Ana\nBen" {
		t.Errorf("the mariadb client: %q, %v", out, err)
	}
	var refusal *mysql.MySQLError
	if err := open("ana").QueryRowContext(t.Context(), "SELECT email FROM users").Scan(new(string)); !errors.As(err, &refusal) || refusal.Number != 1142 {
		t.Errorf("somebody restricted, without definitions: %v", err)
	}
}

const doublePolicy = `version: 1
shipped: [tags, masks]
projects:
  demo: {datasources: [shop]}
grants:
  - name: administrators
    who: {groups: [administrators]}
    allow: ["*"]
    unrestricted: true
  - name: analysts
    who: {groups: [analysts]}
    target: {projects: [demo]}
    allow: [read]
`
