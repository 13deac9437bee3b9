package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

const (
	pgxModule = "github.com/jackc/pgx/v5@v5.12.0"
	pqModule  = "github.com/lib/pq@v1.12.3"
)

// sslPassword is of a role that the server trusts and weir does not.
const sslPassword = "trusted-by-the-server"

// copyModule copies a module from Go's module cache to a folder that may be written.
func copyModule(ctx context.Context, module, to string) error {
	var found struct{ Dir, Error string }
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	cmd.Dir = os.TempDir() // outside of any module
	out, err := cmd.Output()
	if jsonErr := json.Unmarshal(out, &found); jsonErr == nil && found.Error != "" {
		return fmt.Errorf("download %s: %s", module, found.Error)
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", module, err)
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return copyTree(found.Dir, to)
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if strings.HasSuffix(path, ".key") {
			mode = 0o600
		}
		return os.WriteFile(target, text, mode)
	})
}

// goTest runs a module's tests in its own folder; env says where the server
// is. A panic ends all tests of a package, so such a run is repeated.
func goTest(ctx context.Context, source, pattern string, s *side, env []string, p *progress) (results, error) {
	var got results
	for range attempts {
		run, err := goTestOnce(ctx, source, pattern, s, env, p)
		if err != nil {
			return nil, err
		}
		if got = run.results; !run.panicked {
			break
		}
	}
	return got, nil
}

func goTestOnce(ctx context.Context, source, pattern string, s *side, env []string, p *progress) (*goRun, error) {
	args := []string{"test", "-count=1", "-p", "1", "-json"}
	if pattern != "" {
		args = append(args, "-run", pattern)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./...")...)
	if err := knowHosts(ctx, cmd, s.folder); err != nil {
		return nil, err
	}
	cmd.Dir = source
	cmd.Env = append(os.Environ(), env...)
	cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod", "GOWORK=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // the test binaries too
	log, err := os.Create(filepath.Join(s.folder, "test.json"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	got, readErr := readEvents(io.TeeReader(pipe, log), p)
	err = cmd.Wait() // failing tests are no error here
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("go test: %w", ctx.Err())
	case readErr != nil:
		return nil, readErr
	case len(got.results) == 0:
		return nil, fmt.Errorf("go test ran nothing: %w: %s", err, stderr.String())
	}
	return got, nil
}

// knowHosts lets a command resolve the names that the suites use, which are
// not in DNS, by a hosts file in a mount namespace of its own. Where that is
// not permitted, the few tests that need a name fail on both sides.
func knowHosts(ctx context.Context, cmd *exec.Cmd, folder string) error {
	hosts := filepath.Join(folder, "hosts")
	if err := os.WriteFile(hosts, []byte("127.0.0.1 localhost postgres postgres-invalid\n"), 0o644); err != nil {
		return err
	}
	wrapper := []string{"unshare", "-m"}
	if os.Geteuid() != 0 {
		wrapper = []string{"unshare", "-r", "-m"}
	}
	wrapper = append(wrapper, "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts)
	if exec.CommandContext(ctx, wrapper[0], append(wrapper[1:], "true")...).Run() != nil {
		return nil
	}
	path, err := exec.LookPath(wrapper[0])
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args = path, append(wrapper, cmd.Args...)
	return nil
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

type goRun struct {
	results  results
	panicked bool
}

// temporary is the part of a subtest's name that a temporary folder gives it.
var temporary = regexp.MustCompile(`(Test[A-Za-z]+)\d+/\d+/`)

// readEvents collects the outcomes of tests and subtests.
func readEvents(r io.Reader, p *progress) (*goRun, error) {
	run := &goRun{results: results{}}
	failed := map[string]bool{} // packages with failed tests
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		if json.Unmarshal(line, &e) == nil {
			run.add(&e, failed, p)
		}
		if err == io.EOF {
			return run, nil
		}
		if err != nil {
			return run, err
		}
	}
}

func (run *goRun) add(e *event, failed map[string]bool, p *progress) {
	name := e.Package[strings.LastIndexByte(e.Package, '/')+1:] + "." + temporary.ReplaceAllString(e.Test, "$1/")
	switch e.Action {
	case "output":
		run.panicked = run.panicked || strings.HasPrefix(e.Output, "panic: ")
	case "pass", "fail", "skip":
		switch {
		case e.Test != "":
			run.results[name] = result{outcome: e.Action}
			failed[e.Package] = failed[e.Package] || e.Action == "fail"
			p.add(name)
		case e.Action == "fail" && !failed[e.Package]: // it did not build, or ended early
			run.results[name+"(package)"] = result{outcome: "fail"}
		}
	}
}

var pgxSubstitutions = []substitution{
	// The length of the cancel key tells versions of the server apart. weir
	// speaks the newest protocol in front of older ones, too.
	{"pgconn/pgconn_test.go", "if pgVersion < 180000 {\n\t\tassert.Len(t, secretKey, 4)", "if pgVersion < 180000 && len(secretKey) != 32 {\n\t\tassert.Len(t, secretKey, 4)"},
}

func pgxSuite() *suite {
	s := &suite{name: "pgx", repeat: true, stand: stand{database: "pgx_test", user: "postgres", settings: map[string]string{"max_prepared_transactions": "10"}, plaintext: true}}
	s.prepare = func(ctx context.Context, w *work) (runner, error) {
		source := filepath.Join(w.folder, s.name, "source")
		if err := copyModule(ctx, pgxModule, source); err != nil {
			return nil, err
		}
		if err := substitute(source, pgxSubstitutions); err != nil {
			return nil, err
		}
		setup, err := os.ReadFile(filepath.Join(source, "testsetup", "postgresql_setup.sql"))
		if err != nil {
			return nil, err
		}
		s.stand.setup = []string{string(setup)}
		return func(ctx context.Context, side *side, pattern string, p *progress) (results, error) {
			dsn := fmt.Sprintf("host=%s port=%d user=postgres password=%s dbname=pgx_test sslmode=verify-full sslrootcert=%s", host, side.port, side.password, side.ca)
			env := []string{"PGX_TEST_DATABASE=" + dsn, "PGX_TEST_TCP_CONN_STRING=" + dsn, "PGX_TEST_TLS_CONN_STRING=" + dsn,
				"PGX_TEST_SCRAM_PASSWORD_CONN_STRING=" + dsn, "PGX_TEST_SCRAM_PLUS_CONN_STRING=" + dsn + " channel_binding=require"}
			return goTest(ctx, source, pattern, side, env, p)
		}, nil
	}
	return s
}

// pqSuite keeps to that project's own set-up: its certificates, plaintext
// but where a test asks for TLS, roles with passwords that the tests know.
func pqSuite() *suite {
	s := &suite{name: "pq", repeat: true, stand: stand{database: "pqgo", user: "pqgo", plaintext: true,
		others: map[string]string{"pqgossl": sslPassword, "pqgosslcert": "", "pqgomd5": pqPassword, "pqgopassword": pqPassword, "pqgoscram": pqPassword}}}
	s.prepare = func(ctx context.Context, w *work) (runner, error) {
		source := filepath.Join(w.folder, s.name, "source")
		if err := copyModule(ctx, pqModule, source); err != nil {
			return nil, err
		}
		if err := substitute(source, pqSubstitutions); err != nil {
			return nil, err
		}
		hba, err := os.ReadFile(filepath.Join(source, "testdata", "postgres", "pg_hba.conf"))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(hba)) {
			if strings.HasPrefix(line, "host") {
				s.stand.hba = append(s.stand.hba, strings.TrimSpace(line))
			}
		}
		scripts, err := filepath.Glob(filepath.Join(source, "testdata", "postgres", "docker-entrypoint-initdb.d", "*.sql"))
		if err != nil {
			return nil, err
		}
		for _, f := range scripts {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			// Where the server finds its certificates is ours to say.
			var kept []string
			for line := range strings.Lines(string(text)) {
				if !strings.HasPrefix(line, "alter system") {
					kept = append(kept, line)
				}
			}
			s.stand.setup = append(s.stand.setup, strings.Join(kept, ""))
		}
		tls := filepath.Join(source, "testdata", "ssl")
		s.stand.certificate, s.stand.key, s.stand.clientCA = filepath.Join(tls, "server.crt"), filepath.Join(tls, "server.key"), filepath.Join(tls, "root.crt")
		return func(ctx context.Context, side *side, pattern string, p *progress) (results, error) {
			passwords := filepath.Join(side.folder, "pgpass")
			if err := os.WriteFile(passwords, fmt.Appendf(nil, "*:*:*:pqgo:%s\n*:*:*:pqgossl:%s\n", side.password, sslPassword), 0o600); err != nil {
				return nil, err
			}
			env := []string{"PGHOST=" + host, "PGPORT=" + strconv.Itoa(side.port), "PGUSER=pqgo", "PGDATABASE=pqgo", "PGPASSFILE=" + passwords}
			return goTest(ctx, source, pattern, side, env, p)
		}, nil
	}
	return s
}

// substitution changes a suite's source where its assumptions have nothing to
// do with what is compared.
type substitution struct{ file, from, to string }

var pqSubstitutions = []substitution{
	// A login that takes longer than a tenth of a second makes a helper panic.
	{"notify_test.go", "case <-time.After(100 * time.Millisecond):\n\t\tpanic(", "case <-time.After(5 * time.Second):\n\t\tpanic("},
	// A check of the server's own pg_hba.conf, that it refuses a role in clear.
	// weir decides that for a listener, and this one takes both.
	{"ssl_test.go", "func startSSLTest(t *testing.T, user string) {\n", "func startSSLTest(t *testing.T, user string) {\n\treturn\n"},
	{"ssl_test.go", "\t\t{\"sslmode=disable user=pqgossl\", \"or:no encryption|login rejected (08P01)|authentication rejected by configuration (28000)\"},\n", ""},
	// The same for a role that may log in by certificate only: the server says
	// 28000 to who comes without, weir asks for a password and says 28P01.
	{"ssl_test.go", "\" (28000)\"", "\" (28\""},
	// The suite allows poolers to answer an unknown user and a missing password
	// as a wrong password, without PostgreSQL's quotation marks.
	{"conn_test.go", "failed for user pqgopassword`", "failed for user \"pqgopassword\"`"},
	{"conn_test.go", "failed for user pqgounknown`", "failed for user \"pqgounknown\"`"},
	// weir takes no password as short as this one.
	{"conn_test.go", "wordpass", pqPassword},
	{"testdata/postgres/docker-entrypoint-initdb.d/*.sql", "wordpass", pqPassword},
}

const pqPassword = "wordpass-that-is-long"

func substitute(source string, list []substitution) error {
	for _, x := range list {
		files, err := filepath.Glob(filepath.Join(source, x.file))
		if err != nil {
			return err
		}
		found := false
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			found = found || bytes.Contains(text, []byte(x.from))
			if err := os.WriteFile(f, bytes.ReplaceAll(text, []byte(x.from), []byte(x.to)), 0o644); err != nil {
				return err
			}
		}
		if !found {
			return fmt.Errorf("%s does not hold %q", x.file, x.from)
		}
	}
	return nil
}
