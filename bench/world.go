package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/pgserver"
)

// password is everybody's; the world lives on loopback for minutes.
const password = "bench password of no worth"

// world is a server and the systems in front of it.
type world struct {
	options  options
	folder   string
	database *pgserver.Server
	mariadb  *myserver.Server
	ports    map[string]int // by system; MariaDB's end with "-mariadb"
	running  []*exec.Cmd
}

func startWorld(ctx context.Context, o options, progress io.Writer) (*world, error) {
	w := &world{options: o, ports: map[string]int{}}
	for _, step := range []struct {
		say string
		do  func(context.Context) error
	}{{"server and data", w.startDatabase}, {"MariaDB and data", w.startMariaDB}, {"HAProxy", w.startHAProxy}, {"PgBouncer", w.startPgBouncer}, {"weir", w.startWeir}} {
		fmt.Fprintf(progress, "starting %s …\n", step.say)
		if err := step.do(ctx); err != nil {
			w.stop()
			return nil, fmt.Errorf("start %s: %w", step.say, err)
		}
	}
	return w, nil
}

func (w *world) stop() {
	for _, c := range w.running {
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	for _, c := range w.running {
		_ = c.Wait()
	}
	if w.database != nil {
		w.database.Stop()
	}
	if w.mariadb != nil {
		w.mariadb.Stop()
	}
	if w.folder != "" {
		_ = os.RemoveAll(w.folder)
	}
}

func (w *world) startDatabase(ctx context.Context) error {
	var err error
	if w.folder, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return err
	}
	if err = os.Chmod(w.folder, 0o755); err != nil {
		return err
	}
	w.database, err = pgserver.Start(ctx, pgserver.Options{Settings: map[string]string{"shared_buffers": "512MB"}})
	if err != nil {
		return err
	}
	w.ports["direct"] = w.database.Port
	role := fmt.Sprintf("SET password_encryption = 'scram-sha-256'; CREATE ROLE bench LOGIN PASSWORD '%s'", password)
	for _, step := range []struct{ database, sql string }{
		{"postgres", role}, {"postgres", "CREATE DATABASE bench OWNER bench"}, {"bench", "ALTER SCHEMA public OWNER TO bench"},
		{"bench", fmt.Sprintf(`SET ROLE bench;
			CREATE TABLE wide AS SELECT i AS id, 'name ' || i AS label, md5(i::text) AS token_hash, 'user' || i || '@example.com' AS email,
			  '+43 660 ' || i AS phone, (i * 7 %% 100000)::numeric(10,2) AS salary, i %% 100 AS kind, now() AS made, i * 1.5::float8 AS weight, i %% 2 = 0 AS active
			FROM generate_series(1, %d) i; ANALYZE wide`, w.options.rows)},
	} {
		if err := w.database.Exec(ctx, step.database, step.sql); err != nil {
			return err
		}
	}
	init := w.client(ctx, "direct", "pgbench", "-i", "-q", "-s", strconv.Itoa(w.options.scale), "bench")
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench -i: %w: %s", err, out)
	}
	return nil
}

// client is a libpq program that connects to a system as bench over TLS.
func (w *world) client(ctx context.Context, system, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(w.ports[system]), "PGUSER=bench", "PGPASSWORD="+password, "PGSSLMODE=require", "PGDATABASE=bench")
	return cmd
}

func (w *world) write(name, text string) (string, error) {
	path := filepath.Join(w.folder, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// launch starts a program and waits until its port accepts connections.
func (w *world) launch(ctx context.Context, system string, cmd *exec.Cmd) error {
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	if err := cmd.Start(); err != nil {
		return err
	}
	w.running = append(w.running, cmd)
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", w.ports[system]), time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not listen: %s", system, log.String())
}

func (w *world) freePort(system string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.ports[system] = l.Addr().(*net.TCPAddr).Port
	return l.Close()
}

func (w *world) startHAProxy(ctx context.Context) error {
	if err := errors.Join(w.freePort("haproxy"), w.freePort("haproxy-mariadb")); err != nil {
		return err
	}
	config, err := w.write("haproxy.cfg", fmt.Sprintf(`global
  nbthread 2
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
listen postgres
  bind 127.0.0.1:%d
  server s 127.0.0.1:%d
listen mariadb
  bind 127.0.0.1:%d
  server s 127.0.0.1:%d
`, w.ports["haproxy"], w.database.Port, w.ports["haproxy-mariadb"], w.mariadb.Port))
	if err != nil {
		return err
	}
	cmd := exec.Command("/usr/sbin/haproxy", "-db", "-f", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return w.launch(ctx, "haproxy", cmd)
}

func (w *world) startPgBouncer(ctx context.Context) error {
	if err := w.freePort("pgbouncer"); err != nil {
		return err
	}
	users, err := w.write("users.txt", fmt.Sprintf("\"bench\" \"%s\"\n", password))
	if err != nil {
		return err
	}
	certificate, key, err := w.database.ServerCertificate(w.folder)
	if err != nil {
		return err
	}
	config, err := w.write("pgbouncer.ini", fmt.Sprintf(`[databases]
bench = host=127.0.0.1 port=%d dbname=bench
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = %s
pool_mode = session
max_client_conn = 200
default_pool_size = 100
client_tls_sslmode = require
client_tls_cert_file = %s
client_tls_key_file = %s
server_tls_sslmode = disable
ignore_startup_parameters = extra_float_digits
`, w.database.Port, w.ports["pgbouncer"], users, certificate, key))
	if err != nil {
		return err
	}
	cmd := exec.Command("/usr/sbin/pgbouncer", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // it refuses to run as root
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
		for _, f := range []string{certificate, key} {
			if err := os.Chown(f, 65534, 65534); err != nil {
				return err
			}
		}
	}
	return w.launch(ctx, "pgbouncer", cmd)
}

func (w *world) startWeir(ctx context.Context) error {
	if err := errors.Join(w.freePort("weir"), w.freePort("weir-mariadb")); err != nil {
		return err
	}
	config, err := w.write("weir.yaml", fmt.Sprintf(`profile: development
state: %s/state
listeners:
  - address: 127.0.0.1:%d
    tls: {self_signed: true}
  - address: 127.0.0.1:%d
    protocol: mysql
    tls: {self_signed: true, plaintext: true}
datasources:
  - name: bench
    project: demo
    address: 127.0.0.1:%d
    user: bench
    password: %s
    tls: {mode: disable}
  - name: sbtest
    engine: mariadb
    project: demo
    address: 127.0.0.1:%d
    user: bench
    password: %s
    tls: {mode: disable}
admin: {address: "off"}
log: {level: warn}
policy: {folder: %s/policy}
`, w.folder, w.ports["weir"], w.ports["weir-mariadb"], w.database.Port, password, w.mariadb.Port, password, w.folder))
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(w.folder, "policy"), 0o755); err != nil {
		return err
	}
	if _, err := w.write("policy/policy.yaml", benchPolicy); err != nil {
		return err
	}
	for _, args := range [][]string{{"group", "add", "administrators"}, {"group", "add", "analysts"},
		{"user", "add", "bench", "--group", "administrators", "--password-stdin"}, {"user", "add", "masked", "--group", "analysts", "--password-stdin"}} {
		cmd := exec.CommandContext(ctx, w.options.weir, append(args, "--config", config)...)
		cmd.Stdin = strings.NewReader(password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("weir %s: %w", strings.Join(args, " "), err), errors.New(string(out)))
		}
	}
	cmd := exec.Command(w.options.weir, "serve", "--config", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return w.launch(ctx, "weir", cmd)
}

const benchPolicy = `version: 1
shipped: [tags, masks]
projects:
  demo: {datasources: [bench, sbtest]}
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
