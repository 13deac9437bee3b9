package myserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/deploy/ports"
)

// SuperUser is the server's administrator, from every address.
const SuperUser = "root"

// The plugins of Account.
const (
	Native  = "mysql_native_password"
	Ed25519 = "ed25519"
)

// Options say what to start. The zero value is MariaDB of the distribution in
// a temporary folder on a free port.
type Options struct {
	Port int // 0: a free one
	// Settings are additional options of the server, without dashes in front;
	// a value may be empty, as of skip-log-bin.
	Settings map[string]string
	Accounts []Account
}

// Account is a login from every address.
type Account struct {
	Name, Password string
	Plugin         string // default Native
	Grants         string // as between GRANT and TO: "SELECT ON shop.*"; empty: none
	TLS            bool   // refuse it without TLS
}

// Server is a running server.
type Server struct {
	Host     string // 127.0.0.1; its certificate also names localhost
	Port     int
	Socket   string
	Password string // of SuperUser
	Dir      string // holds data, log and certificates
	CAFile   string // certificate authority of the server's and clients' certificates

	options   Options
	programs  programs
	authority *authority.Authority
	command   *exec.Cmd
	exited    chan struct{}
	account   *syscall.Credential // nil: the own account
	watcher   *exec.Cmd           // removes what a killed process leaves
	lifeline  io.WriteCloser      // the watcher's standard input
}

// Start makes a data folder, starts a server and waits until it accepts
// connections. The caller stops it.
func Start(ctx context.Context, o Options) (*Server, error) {
	p, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", Port: o.Port, options: o, programs: p, exited: make(chan struct{})}
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start MariaDB from %s: %w", p.server, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	steps := []func(context.Context, Options) error{s.makeFolder, s.issueServerCertificate, s.initData, s.run, s.wait, s.createAccounts}
	for _, step := range steps {
		if err := step(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) makeFolder(context.Context, Options) error {
	dir, err := os.MkdirTemp("", "weir-mariadb-")
	if err != nil {
		return err
	}
	s.Dir, s.Socket = dir, filepath.Join(dir, "my.sock")
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if os.Geteuid() == 0 { // the server refuses to run as root
		if s.account, err = unprivileged(); err != nil {
			return err
		}
		if err := os.Chown(dir, int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	if s.Port == 0 {
		if s.Port, err = ports.One(); err != nil {
			return err
		}
	}
	secret := make([]byte, 16)
	_, _ = rand.Read(secret)
	s.Password = hex.EncodeToString(secret)
	return nil
}

func unprivileged() (*syscall.Credential, error) {
	var first error
	for _, name := range []string{"mysql", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			first = errors.Join(first, err)
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, first
}

func (s *Server) run(_ context.Context, o Options) error {
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.command = s.server(context.Background(), s.settings(o)...)
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		s.command = nil
		return err
	}
	command, exited := s.command, s.exited
	go func() { // ends when the server does; Stop waits for it
		defer close(exited)
		_ = command.Wait()
	}()
	return s.watch()
}

// settings are the arguments of the running server.
func (s *Server) settings(o Options) []string {
	settings := map[string]string{
		"port": strconv.Itoa(s.Port), "bind-address": s.Host, "socket": s.Socket, "pid-file": filepath.Join(s.Dir, "my.pid"),
		"ssl-ca": s.CAFile, "ssl-cert": filepath.Join(s.Dir, "server.crt"), "ssl-key": filepath.Join(s.Dir, "server.key"),
		"plugin-maturity": "gamma", "plugin-load-add": "auth_ed25519",
		"character-set-server": "utf8mb4", "max-allowed-packet": "64M", "local-infile": "1", "skip-name-resolve": "",
		"innodb-flush-log-at-trx-commit": "0", "innodb-buffer-pool-size": "64M", "innodb-doublewrite": "0", "debug-no-sync": "",
		"max-connections": "300", "default-time-zone": "+00:00", "log-warnings": "1", "tmpdir": s.Dir,
	}
	for k, v := range o.Settings {
		settings[strings.ReplaceAll(k, "_", "-")] = v
	}
	args := make([]string, 0, len(settings))
	for k, v := range settings {
		if v == "" {
			args = append(args, "--"+k)
		} else {
			args = append(args, "--"+k+"="+v)
		}
	}
	sort.Strings(args)
	return args
}

// watch starts a shell that outlives this process only to end the server and
// remove the folder. Its standard input ends when this process does, however
// that comes; Stop writes a line first, and the shell goes without a trace.
func (s *Server) watch() error {
	const script = `read line && exit; if grep -q "$1" "/proc/$2/cmdline"; then kill -9 "$2"; fi; sleep 0.2; rm -rf "$1"`
	s.watcher = exec.Command("/bin/sh", "-c", script, "sh", s.Dir, strconv.Itoa(s.command.Process.Pid))
	s.watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if s.lifeline, err = s.watcher.StdinPipe(); err != nil {
		return err
	}
	if err := s.watcher.Start(); err != nil {
		s.watcher = nil
		return err
	}
	return nil
}

func (s *Server) wait(ctx context.Context, _ Options) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	config, err := s.Config(SuperUser, s.Password, "")
	if err != nil {
		return err
	}
	config.Logger = &mysql.NopLogger{}
	for {
		db := open(config)
		err := db.PingContext(ctx)
		_ = db.Close()
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			log, _ := os.ReadFile(s.LogFile())
			return fmt.Errorf("the server ended: %s", log)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(30 * time.Millisecond):
		}
	}
}

func (s *Server) createAccounts(ctx context.Context, o Options) error {
	for _, a := range o.Accounts {
		if err := s.CreateAccount(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// CreateAccount adds a login.
func (s *Server) CreateAccount(ctx context.Context, a Account) error {
	plugin, require := a.Plugin, ""
	if plugin == "" {
		plugin = Native
	}
	if a.TLS {
		require = " REQUIRE SSL"
	}
	name := quote(a.Name) + "@'%'"
	text := fmt.Sprintf("CREATE USER %s IDENTIFIED VIA %s USING PASSWORD(%s)%s", name, plugin, quote(a.Password), require)
	if a.Grants != "" {
		text += fmt.Sprintf("; GRANT %s TO %s", a.Grants, name)
	}
	if err := s.Exec(ctx, "", text); err != nil {
		return fmt.Errorf("create account %s: %w", a.Name, err)
	}
	return nil
}

// quote writes a string literal of the default sql_mode.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// Stop ends the server at once and removes its folder. Later calls do nothing.
func (s *Server) Stop() {
	if s.command != nil {
		_ = s.command.Process.Kill()
		<-s.exited
		s.command = nil
	}
	if s.Dir != "" {
		_ = os.RemoveAll(s.Dir)
		s.Dir = ""
	}
	s.unwatch()
}

func (s *Server) unwatch() {
	if s.watcher == nil {
		return
	}
	_, _ = io.WriteString(s.lifeline, "stopped\n")
	_ = s.lifeline.Close()
	_ = s.watcher.Wait()
	s.watcher = nil
}

// Ended says whether the server has ended by itself, and waits for that.
func (s *Server) Ended(wait time.Duration) bool {
	select {
	case <-s.exited: // also where the time is over already: a select between both takes either
		return true
	default:
	}
	select {
	case <-s.exited:
		return true
	case <-time.After(wait):
		return false
	}
}

// Restart starts a server that has ended by itself, with its data and port, and
// waits until it accepts connections.
func (s *Server) Restart(ctx context.Context) error {
	if !s.Ended(0) {
		return errors.New("the server is running")
	}
	s.unwatch()
	s.exited = make(chan struct{})
	if err := s.run(ctx, s.options); err != nil {
		return fmt.Errorf("restart MariaDB: %w", err)
	}
	return s.wait(ctx, s.options)
}

// Config is how go-sql-driver/mysql connects over verified TLS. The caller may
// change it, say to allow several statements in one text.
func (s *Server) Config(username, password, database string) (*mysql.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.authority.PEM)) {
		return nil, errors.New("the authority's certificate cannot be read")
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = username, password, database
	c.Net, c.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	c.TLS = &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	c.Timeout = 10 * time.Second
	return c, nil
}

// open makes a pool of one connection at most.
func open(c *mysql.Config) *sql.DB {
	connector, err := mysql.NewConnector(c)
	if err != nil { // the configuration is this package's own
		panic(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db
}

// Exec runs SQL text of any number of statements as SuperUser. DELIMITER is the
// command line client's and not read here: the server finds the end of BEGIN …
// END by itself.
func (s *Server) Exec(ctx context.Context, database, text string) error {
	c, err := s.Config(SuperUser, s.Password, database)
	if err != nil {
		return err
	}
	c.MultiStatements = true
	db := open(c)
	defer db.Close()
	_, err = db.ExecContext(ctx, text)
	return err
}

// LogFile is the server's log.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "server.log") }

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// server runs the server program without the machine's option files.
func (s *Server) server(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"--no-defaults", "--datadir=" + s.data()}, args...)
	cmd := exec.CommandContext(ctx, s.programs.server, args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+s.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Setpgid: true}
	return cmd
}

func (s *Server) write(name, text string, mode os.FileMode) error {
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return s.own(path)
}

// own gives a file to the server's account.
func (s *Server) own(path string) error {
	if s.account == nil {
		return nil
	}
	return os.Chown(path, int(s.account.Uid), int(s.account.Gid))
}
