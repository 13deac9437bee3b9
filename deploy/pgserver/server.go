package pgserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/deploy/ports"
)

// SuperUser is the cluster's administrator.
const SuperUser = "postgres"

// Options say what to start. The zero value is PostgreSQL of the
// distribution, newest version, in a temporary folder on a free port.
type Options struct {
	Major    int               // 0: the newest of the distribution
	Port     int               // 0: a free one
	Settings map[string]string // additional lines of postgresql.conf
	HBA      []string          // lines put before the default ones of pg_hba.conf
	Locale   string            // default C.UTF-8
}

// Server is a running cluster.
type Server struct {
	Host     string // 127.0.0.1; its certificate also names localhost
	Port     int
	Password string // of SuperUser
	Dir      string // holds data, log and certificates
	CAFile   string // certificate authority of the server's and Client's certificates
	BinDir   string

	authority *authority.Authority
	command   *exec.Cmd
	exited    chan struct{}
	account   *syscall.Credential // nil: the own account
}

// Start makes a cluster and waits until it accepts connections.
// The caller stops it.
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := Find(o.Major)
	if err != nil {
		return nil, err
	}
	s := &Server{Host: "127.0.0.1", Port: o.Port, BinDir: bin, exited: make(chan struct{})}
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start PostgreSQL from %s: %w", bin, err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	steps := []func(context.Context, Options) error{s.makeFolder, s.initCluster, s.configure, s.run, s.wait}
	for _, step := range steps {
		if err := step(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) makeFolder(context.Context, Options) error {
	dir, err := os.MkdirTemp("", "weir-postgres-")
	if err != nil {
		return err
	}
	s.Dir = dir
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
	return s.write("password", s.Password+"\n", 0o600)
}

func unprivileged() (*syscall.Credential, error) {
	var first error
	for _, name := range []string{"postgres", "nobody"} {
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

func (s *Server) initCluster(ctx context.Context, o Options) error {
	locale := o.Locale
	if locale == "" {
		locale = "C.UTF-8"
	}
	cmd := s.program(ctx, "initdb", "-D", s.data(), "-U", SuperUser, "--pwfile", filepath.Join(s.Dir, "password"),
		"-A", "scram-sha-256", "-E", "UTF8", "--locale", locale, "--no-sync", "--no-instructions")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *Server) configure(_ context.Context, o Options) error {
	var err error
	if s.authority, err = authority.New(); err != nil {
		return err
	}
	if err := s.issueServerCertificate(); err != nil {
		return err
	}
	settings := map[string]string{
		"listen_addresses": "127.0.0.1", "port": strconv.Itoa(s.Port), "unix_socket_directories": s.Dir,
		"ssl": "on", "ssl_ca_file": filepath.Join(s.Dir, "ca.crt"), "password_encryption": "scram-sha-256", "fsync": "off", "synchronous_commit": "off",
		"full_page_writes": "off", "max_connections": "300", "timezone": "UTC", "log_timezone": "UTC", "log_line_prefix": "%m [%p] %q%u@%d ",
	}
	for k, v := range o.Settings {
		settings[k] = v
	}
	lines := make([]string, 0, len(settings))
	for k, v := range settings {
		lines = append(lines, fmt.Sprintf("%s = '%s'\n", k, strings.ReplaceAll(v, "'", "''")))
	}
	sort.Strings(lines)
	if err := s.write("data/weir.conf", strings.Join(lines, ""), 0o600); err != nil {
		return err
	}
	if err := s.write("data/postgresql.auto.conf", "include 'weir.conf'\n", 0o600); err != nil {
		return err
	}
	hba := append(append([]string{}, o.HBA...), "local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256")
	return s.write("data/pg_hba.conf", strings.Join(hba, "\n")+"\n", 0o600)
}

func (s *Server) run(_ context.Context, _ Options) error {
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.command = s.program(context.Background(), "postgres", "-D", s.data())
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		s.command = nil
		return err
	}
	go func() { // ends when the server does; Stop waits for it
		defer close(s.exited)
		_ = s.command.Wait()
	}()
	return nil
}

func (s *Server) wait(ctx context.Context, _ Options) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.URL(SuperUser, s.Password, "postgres"))
		if err == nil {
			return conn.Close(ctx)
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

// Stop ends the server at once and removes its folder. Later calls do nothing.
func (s *Server) Stop() {
	if s.command != nil {
		_ = s.command.Process.Signal(syscall.SIGQUIT)
		select {
		case <-s.exited:
		case <-time.After(10 * time.Second):
			_ = s.command.Process.Kill()
			<-s.exited
		}
		s.command = nil
	}
	if s.Dir != "" {
		_ = os.RemoveAll(s.Dir)
		s.Dir = ""
	}
}

// URL is a connection string with verified TLS.
func (s *Server) URL(username, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(username, password), Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Path: "/" + database}
	u.RawQuery = url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}.Encode()
	return u.String()
}

// Exec runs SQL text of any number of statements as SuperUser.
func (s *Server) Exec(ctx context.Context, database, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL(SuperUser, s.Password, database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// LogFile is the server's log.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "server.log") }

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.BinDir, name), args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "LD_LIBRARY_PATH="+filepath.Join(filepath.Dir(s.BinDir), "lib"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

func (s *Server) write(name, text string, mode os.FileMode) error {
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	if s.account == nil {
		return nil
	}
	return os.Chown(path, int(s.account.Uid), int(s.account.Gid))
}
