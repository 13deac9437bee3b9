package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/weirserver"
	"github.com/weirdb/weir/secrets/vault/vaulttest"
)

const rotationPolicy = `version: 1
projects:
  default:
    datasources: [fixed, leased]
grants:
  - name: everybody
    who: {groups: [all]}
    allow: ["*"]
    unrestricted: true
`

// rotating is a database whose logins change while weir runs.
type rotating struct {
	engine, datasources string
	set                 func(password string) error // of the account weir
	create              func(user, password string) error
	drop                func(user string)
	// login connects through weir and returns who the database says it is.
	login func(w *weirserver.Server, datasource string) (string, error)
}

// TestLiveRotatedLogins changes passwords on PostgreSQL and MariaDB, and lets
// leased accounts come and go.
func TestLiveRotatedLogins(t *testing.T) {
	binary := build(t)
	for _, start := range []func(*testing.T) *rotating{rotatingPostgres, rotatingMariaDB} {
		d := start(t)
		t.Run(d.engine, func(t *testing.T) { d.run(t, binary) })
	}
}

func (d *rotating) run(t *testing.T, binary string) {
	vault := vaulttest.New(false)
	defer vault.Close()
	vault.Create, vault.Drop = d.create, d.drop
	passwords := []string{secret(), secret(), secret()}
	rotate := func(i int) {
		t.Helper()
		if err := d.set(passwords[i]); err != nil {
			t.Fatal(err)
		}
	}
	keep := func(i int) { vault.Put("secret/shop", map[string]any{"username": "weir", "password": passwords[i]}) }
	rotate(0)
	keep(0)
	protocol := d.engine
	if d.engine == "mariadb" {
		protocol = "mysql"
	}
	w, err := weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: t.TempDir(), Protocol: protocol, Listener: "self_signed: true",
		Datasources: d.datasources, Policy: map[string]string{"policy.yaml": rotationPolicy}, Groups: []string{"all"},
		More: "secrets:\n  cache: 1h\n  vault: {address: '" + vault.URL + "', auth: {method: approle, role_id: " + vaulttest.RoleID + ", secret_id: '${env:E2E_SECRET_ID}'}}\n",
		Env:  []string{"E2E_SECRET_ID=" + vaulttest.SecretID}, People: []weirserver.Person{{Name: "ana", Group: "all", Password: "a long enough password"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	expect := func(datasource, prefix string) {
		t.Helper()
		if who, err := d.login(w, datasource); err != nil || !strings.HasPrefix(who, prefix) {
			t.Errorf("login to %s as %q: %v", datasource, who, err)
		}
	}
	expect("fixed", "weir")
	expect("leased", "v_weir_")
	d.lost(t, w)
	rotate(1)
	keep(1)
	expect("fixed", "weir") // within the hour that the old one would be kept
	rotate(2)
	reads := vault.Count("secret/data/shop")
	for range 10 {
		if _, err := d.login(w, "fixed"); err == nil {
			t.Fatal("a login with a wrong password")
		}
	}
	if n := vault.Count("secret/data/shop") - reads; n > 3 {
		t.Errorf("the secret was read %d times for ten logins: weir does not back off", n)
	}
	keep(2)
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := d.login(w, "fixed")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new password is not found: %v", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	if vault.Leases() == 0 {
		t.Error("there is no lease")
	}
	w.Stop()
	if vault.Leases() != 0 || vault.Tokens() != 0 {
		t.Errorf("%d leases and %d tokens are left", vault.Leases(), vault.Tokens())
	}
}

// lost removes a leased account before its time: weir takes another.
func (d *rotating) lost(t *testing.T, w *weirserver.Server) {
	t.Helper()
	who, err := d.login(w, "leased")
	if err != nil {
		t.Fatal(err)
	}
	who, _, _ = strings.Cut(who, "@")
	d.drop(who)
	after, err := d.login(w, "leased")
	if err != nil || !strings.HasPrefix(after, "v_weir_") || strings.HasPrefix(after, who+"@") || after == who {
		t.Errorf("after %s is gone, weir logs in as %q: %v", who, after, err)
	}
}

const rotatingSources = `  - {name: fixed, engine: %[1]s, address: "localhost:%[2]d", %[4]s, user: weir, password: "${vault:secret/data/shop#password}", tls: {ca: %[3]s}}
  - {name: leased, engine: %[1]s, address: "localhost:%[2]d", %[4]s, user: "${vault:database/creds/shop#username}", password: "${vault:database/creds/shop#password}", tls: {ca: %[3]s}}
`

func rotatingPostgres(t *testing.T) *rotating {
	server, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	do := func(text string) error { return server.Exec(context.Background(), "postgres", text) }
	if err := do("CREATE ROLE weir LOGIN"); err != nil {
		t.Fatal(err)
	}
	return &rotating{engine: "postgresql", datasources: fmt.Sprintf(rotatingSources, "postgresql", server.Port, server.CAFile, "database: postgres"),
		set: func(password string) error { return do("ALTER ROLE weir PASSWORD '" + password + "'") },
		create: func(user, password string) error {
			return do("CREATE ROLE " + user + " LOGIN PASSWORD '" + password + "'")
		},
		drop: func(user string) { _ = do("DROP ROLE " + user) },
		login: func(w *weirserver.Server, datasource string) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, err := pgx.Connect(ctx, fmt.Sprintf("host=localhost port=%d user=ana password='a long enough password' dbname=%s sslmode=verify-full sslrootcert=%s", w.Port, datasource, w.CAFile))
			if err != nil {
				return "", err
			}
			defer c.Close(ctx)
			var who string
			return who, c.QueryRow(ctx, "SELECT session_user::text").Scan(&who)
		}}
}

func rotatingMariaDB(t *testing.T) *rotating {
	server, err := myserver.Start(t.Context(), myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	do := func(text string) error { return server.Exec(context.Background(), "", text) }
	if err := errors.Join(do("CREATE DATABASE shop"), do("CREATE USER weir@'%'"), do("GRANT ALL ON *.* TO weir@'%'")); err != nil {
		t.Fatal(err)
	}
	return &rotating{engine: "mariadb", datasources: fmt.Sprintf(rotatingSources, "mariadb", server.Port, server.CAFile, "database: shop"),
		set: func(password string) error { return do("SET PASSWORD FOR weir@'%' = PASSWORD('" + password + "')") },
		create: func(user, password string) error {
			return errors.Join(do("CREATE USER "+user+"@'%' IDENTIFIED BY '"+password+"'"), do("GRANT ALL ON *.* TO "+user+"@'%'"))
		},
		drop: func(user string) { _ = do("DROP USER " + user + "@'%'") },
		login: func(w *weirserver.Server, datasource string) (string, error) {
			c := mysql.NewConfig()
			c.User, c.Passwd, c.Net, c.Addr = "ana@"+datasource, "a long enough password", "tcp", fmt.Sprintf("127.0.0.1:%d", w.Port)
			c.TLSConfig, c.AllowNativePasswords, c.AllowCleartextPasswords, c.Timeout = "skip-verify", true, true, 20*time.Second
			connector, err := mysql.NewConnector(c)
			if err != nil {
				return "", err
			}
			db := sql.OpenDB(connector)
			defer db.Close()
			var who string
			return who, db.QueryRowContext(t.Context(), "SELECT user()").Scan(&who)
		}}
}
