package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/ports"
)

// endpoint is where a client connects, and as whom.
type endpoint struct {
	port                       int
	ca                         string
	user, password             string // an analyst
	admin, adminPW             string // an administrator
	application, applicationPW string // one that reads only
	weir                       bool
	datasource                 string   // behind @ in the login names of MySQL's clients
	frozen                     int      // MySQL: port of the read-only source
	extra                      []string // environment of the client program
}

const host = "localhost" // as in both certificates

// url is a connection string for Go's drivers.
func (e endpoint) url(user, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: net.JoinHostPort(host, strconv.Itoa(e.port)), Path: "/" + database}
	u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {e.ca}}.Encode()
	return u.String()
}

// login is the name that MySQL's clients log in with.
func (e endpoint) login(user string) string {
	if e.datasource == "" {
		return user
	}
	return user + "@" + e.datasource
}

// env is the environment of a client program.
func (e endpoint) env() []string {
	through := "0"
	if e.weir {
		through = "1"
	}
	env := append(os.Environ(), "E2E_HOST="+host, "E2E_PORT="+strconv.Itoa(e.port), "E2E_DATABASE=shop", "E2E_USER="+e.login(e.user),
		"E2E_PASSWORD="+e.password, "E2E_CA="+e.ca, "PGHOST="+host, "PGPORT="+strconv.Itoa(e.port), "PGDATABASE=shop", "PGUSER="+e.user, "PGPASSWORD="+e.password,
		"PGSSLMODE=verify-full", "PGSSLROOTCERT="+e.ca, "E2E_ADMIN="+e.login(e.admin), "E2E_ADMIN_PASSWORD="+e.adminPW, "E2E_WEIR="+through,
		"PGTZ=UTC", "TZ=UTC", "PGCONNECT_TIMEOUT=10", "PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8")
	return append(env, e.extra...)
}

// stack is a server with the demo's data and a weir in front of it.
type stack struct {
	major         int
	binary        string
	dir           string
	server        *pgserver.Server
	upstream      string // password of the role that weir logs in as
	adminAddress  string
	direct, proxy endpoint
	refusals      map[string]func(any) string // what clients see only through weir
	weir          *process
}

func newStack(t *testing.T, binary string, major int) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := pgserver.Start(ctx, pgserver.Options{Major: major})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	s := &stack{major: major, binary: binary, dir: t.TempDir(), server: server, upstream: secret(), refusals: refusals}
	s.loadDemo(t, ctx)
	s.configure(t)
	s.addPeople(t)
	s.weir = start(t, filepath.Join(s.dir, "weir.log"), binary, "serve", "--config", s.config())
	s.waitReady(t)
	return s
}

func secret() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := ports.One()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (s *stack) config() string { return filepath.Join(s.dir, "weir.yaml") }

// loadDemo makes the shop belong to a role that is no superuser.
func (s *stack) loadDemo(t *testing.T, ctx context.Context) {
	t.Helper()
	demo, err := os.ReadFile("../../cmd/weir/demo.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ database, sql string }{
		{"postgres", fmt.Sprintf("CREATE ROLE weir LOGIN PASSWORD '%s'", s.upstream)},
		{"postgres", "CREATE DATABASE shop OWNER weir"},
		{"shop", "SET SESSION AUTHORIZATION weir; SET search_path = public; " + string(demo)},
	} {
		if step.database == "shop" {
			if err := s.server.Exec(ctx, "shop", "ALTER SCHEMA public OWNER TO weir"); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.server.Exec(ctx, step.database, step.sql); err != nil {
			t.Fatalf("load the demo: %v", err)
		}
	}
	s.direct = endpoint{port: s.server.Port, ca: s.server.CAFile, user: "weir", password: s.upstream, admin: "weir", adminPW: s.upstream,
		application: "weir", applicationPW: s.upstream}
}

const configuration = `profile: development
state: %[1]s/state
listeners:
  - address: 127.0.0.1:%[2]d
    tls: {self_signed: true}
datasources:
  - name: shop
    project: demo
    environment: development
    address: localhost:%[3]d
    database: shop
    user: weir
    password: ${env:E2E_SHOP_PASSWORD}
    tls: {mode: verify-full, ca: %[4]s}
  - name: frozen
    project: demo
    environment: development
    address: localhost:%[3]d
    database: shop
    user: weir
    password: ${env:E2E_SHOP_PASSWORD}
    read_only: true
    tls: {mode: verify-full, ca: %[4]s}
policy: {folder: %[5]s}
limits: {drain: 5s}
admin: {address: "%[6]s"}
`

func (s *stack) configure(t *testing.T) {
	t.Helper()
	policy, err := filepath.Abs("testdata/policy")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s.adminAddress = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	text := fmt.Sprintf(configuration, s.dir, port, s.server.Port, s.server.CAFile, policy, s.adminAddress)
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("E2E_SHOP_PASSWORD", s.upstream)
	s.proxy = endpoint{port: port, ca: filepath.Join(s.dir, "state", "server.crt"), user: "ana", password: secret(), admin: "root", adminPW: secret(),
		application: "kiosk", applicationPW: secret(), weir: true}
}

func (s *stack) addPeople(t *testing.T) {
	t.Helper()
	for _, g := range []string{"administrators", "analysts", "applications-ro"} {
		s.command(t, "", "group", "add", g)
	}
	for _, p := range []struct{ name, password, group string }{
		{s.proxy.user, s.proxy.password, "analysts"}, {s.proxy.admin, s.proxy.adminPW, "administrators"}, {s.proxy.application, s.proxy.applicationPW, "applications-ro"},
	} {
		s.command(t, p.password+"\n", "user", "add", p.name, "--group", p.group, "--password-stdin")
	}
}

// command runs a command of weir that must succeed.
func (s *stack) command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--config", s.config())...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("weir %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *stack) waitReady(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, body, err := get("http://" + s.adminAddress + "/readyz")
		if err == nil && status == http.StatusOK {
			return
		}
		select {
		case <-s.weir.exited:
			t.Fatalf("weir ended:\n%s", s.weir.tail())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("weir is not ready: %d %s %v\n%s", status, body, err, s.weir.tail())
		}
	}
}

func get(address string) (int, string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	r, err := client.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	return r.StatusCode, string(body), err
}

// process is a program that runs beside the tests and ends with them.
type process struct {
	cmd    *exec.Cmd
	output string // file with what it writes
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

func start(t *testing.T, log string, name string, args ...string) *process {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := &process{cmd: exec.Command(name, args...), output: log, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process, which stop and Pdeathsig end
		defer close(p.exited)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("weir's log ends:\n%s", p.tail())
		}
		p.stop(t)
	})
	return p
}

// stop asks the process to end, and fails the test if it does not end well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
		t.Errorf("weir did not end within 20 s of SIGTERM\n%s", p.tail())
	}
	if p.err != nil {
		t.Errorf("weir ended badly: %v\n%s", p.err, p.tail())
	}
}

// tail is the end of the process's output.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.output)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n")))
}

func (p *process) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.output)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
