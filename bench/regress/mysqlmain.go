package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// exclusion leaves scripts out of the suite main, for a reason.
type exclusion struct {
	why     string
	pattern *regexp.Regexp
}

// exclusions are what cannot run beside a server that somebody else started, or
// is not about what goes over the connection.
var exclusions = []exclusion{
	{"restart or stop the server", regexp.MustCompile(`(?i)restart_mysqld|shutdown|kill_mysqld|expect_crash|SIGKILL|force_restart|wait_until_(dis)?connected`)},
	{"run programs", regexp.MustCompile(`(?im)^\s*(--\s*)?exec\b|^\s*--\s*system|\$MYSQL\b|\$MYSQL_|\$MYSQLD|\$EXE|\$EXTERN|^\s*(--\s*)?perl;?$`)},
	{"work with the server's files", regexp.MustCompile(`(?i)let \$datadir|--\s*(remove|copy|write|cat|move)_file|secure_file|load_file|outfile|infile`)},
	{"need replication, a debug server or another set-up", regexp.MustCompile(`(?i)master-slave|have_debug|have_log_bin|big_test|have_partition_unless|mtr_warnings|system_db_struct`)},
	{"change accounts of the server past SQL", regexp.MustCompile(`(?i)FLUSH PRIVILEGES`)},
	{"log in as accounts that the script makes", regexp.MustCompile(`(?im)^\s*(--\s*)?(connect\s*\(?\s*[^,]+,\s*[^,]+,\s*"?(?:[^r\s"]|r[^o])|change_user\s+[^r;$])`)},
}

// rootLogin finds logins of root without a password; changeRoot those by
// change_user.
var (
	rootLogin  = regexp.MustCompile(`(?im)^(\s*(?:--\s*)?connect\s*\(?\s*[^,()]+,\s*"?(?:localhost|127\.0\.0\.1)"?\s*,\s*"?root"?\s*)(?:,\s*(,|\)|;|$)|(\)|;|$))`)
	changeRoot = regexp.MustCompile(`(?im)^(\s*(?:--\s*)?change_user\s+root\s*),\s*(,|;|$)`)
)

// withPassword lets the logins of a script have a password.
func withPassword(script, password string) string {
	script = rootLogin.ReplaceAllString(script, "${1},"+password+"${2}${3}")
	return changeRoot.ReplaceAllString(script, "${1},"+password+"${2}")
}

// mainScripts are the scripts of the suite that run, and how many do not, by reason.
func mainScripts() (names []string, left map[string]int, err error) {
	files, err := filepath.Glob(filepath.Join(testRoot, "main", "*.test"))
	if err != nil {
		return nil, nil, err
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("MariaDB's suite is not in %s: install it (deploy/install.sh mariadb-suite)", testRoot)
	}
	left = map[string]int{}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".test")
		why, err := leftOut(f, name)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			left[why]++
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, left, nil
}

func leftOut(file, name string) (string, error) {
	for _, end := range []string{".opt", ".cnf", "-master.opt", ".combinations", "-slave.opt", ".sh", "-master.sh"} {
		if exists(filepath.Join(testRoot, "main", name+end)) {
			return "have options of their own for the server", nil
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	for _, x := range exclusions {
		if x.pattern.Match(text) {
			return x.why, nil
		}
	}
	return "", nil
}

// explain gives the scripts that differ through weir as they should, and why.
func explain(suite string) map[string]string {
	out := map[string]string{}
	for why, names := range map[string][]string{
		"weir does not evaluate the expression of a KILL, whose number is one of weir's own": {"parser", "sp-bugs"},
		"the client's TLS ends at weir": {"ssl_cipher_tlsv13", "ssl_timeout"},
		"it counts statements, temporary tables, memory or sessions of the server, and weir reads definitions meanwhile":       {"status2", "tmp_table_count-7586", "memory_used", "lowercase_table5", "mdev375"},
		"a table says, counts or reads something when it is opened for the first time, and weir has opened it before":          {"check_constraint", "features", "bug12427262"},
		"it logs in as an account that the script makes":                                                                       {"concurrent_innodb_safelog", "concurrent_innodb_unsafelog", "grant_cache_no_prot", "grant_cache_ps_prot"},
		"weir opens a new table to read its definition, and InnoDB takes its statistics then, while the script still fills it": {"innodb_mrr_cpk", "join_outer_innodb"},
		"it counts the server's accounts, of which one is weir's":                                                              {"selectivity_no_engine"},
	} {
		for _, n := range names {
			out[suite+"."+n] = why
		}
	}
	return out
}

// mainSuite is MariaDB's suite main, through mysqltest with arguments.
func mainSuite(name string, args ...string) *suite {
	return &suite{name: name, repeat: true, start: startMain, explained: explain(name), prepare: func(_ context.Context, w *work) (runner, error) {
		names, left, err := mainScripts()
		if err != nil {
			return nil, err
		}
		for _, why := range slices.Sorted(mapsKeys(left)) {
			fmt.Fprintf(os.Stderr, "%s: %d scripts are left out that %s\n", name, left[why], why)
		}
		return func(ctx context.Context, s *side, pattern string, p *progress) (results, error) {
			only, err := regexp.Compile(pattern)
			if err != nil {
				return nil, err
			}
			m := &mainRun{side: s, args: args, scripts: filepath.Join(s.folder, "mysql-test")}
			if err := m.copyScripts(); err != nil {
				return nil, err
			}
			got := results{}
			for _, n := range names {
				if !only.MatchString(n) {
					continue
				}
				if got[name+"."+n], err = m.script(ctx, n); err != nil {
					return nil, err
				}
				p.add(n)
			}
			return got, nil
		}, nil
	}}
}

func mapsKeys(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// mainRun is one run of the suite.
type mainRun struct {
	*side
	args    []string
	scripts string            // a copy whose logins have passwords
	globals map[string]string // the server's variables before the first script
}

func (m *mainRun) copyScripts() error {
	entries, err := os.ReadDir(testRoot)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.scripts, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(testRoot, e.Name()), filepath.Join(m.scripts, e.Name())
		if e.Name() != "main" && e.Name() != "include" {
			err = os.Symlink(from, to)
		} else {
			err = m.copyFolder(from, to)
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(m.folder, "out", "tmp"), 0o777)
}

func (m *mainRun) copyFolder(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasSuffix(e.Name(), ".result") || strings.HasSuffix(e.Name(), ".rdiff") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return err
		}
		if strings.HasSuffix(e.Name(), ".test") || strings.HasSuffix(e.Name(), ".inc") {
			text = []byte(withPassword(string(text), m.password))
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// mainTimeout bounds one script.
const mainTimeout = 5 * time.Minute

// script runs one script and gives its output.
func (m *mainRun) script(ctx context.Context, name string) (result, error) {
	if err := m.reset(ctx); err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, mainTimeout)
	defer cancel()
	out := filepath.Join(m.folder, "out")
	record := filepath.Join(out, name+".out")
	args := append([]string{"--no-defaults", "--silent", "--host=127.0.0.1", "--port=" + strconv.Itoa(m.port), "--user=root", "--password=" + m.password, "--protocol=tcp",
		"--database=test", "--max-connect-retries=2", "--tail-lines=20", "--timer-file=" + filepath.Join(out, "timer"), "--logdir=" + out, "--tmpdir=" + filepath.Join(out, "tmp"),
		"--character-sets-dir=/usr/share/mysql/charsets", "--test-file=" + filepath.Join(m.scripts, "main", name+".test"), "--result-file=" + record, "--record"}, m.args...)
	cmd := exec.CommandContext(ctx, "mysqltest", args...)
	cmd.Dir = m.scripts
	port := strconv.Itoa(m.port)
	cmd.Env = append(os.Environ(), "MYSQL_TEST_DIR="+m.scripts, "MYSQLTEST_VARDIR="+out, "MYSQL_TMP_DIR="+filepath.Join(out, "tmp"), "MASTER_MYPORT="+port, "DEFAULT_MASTER_PORT="+port,
		"MASTER_MYSOCK=/nonexistent.sock", "MYSQL_CHARSETSDIR=/usr/share/mysql/charsets", "LC_ALL=C", "TZ=MET", "ENABLED_DEBUG=", "DEFAULT_ENGINE=")
	cmd.WaitDelay = time.Second
	said, err := cmd.CombinedOutput()
	text, readErr := os.ReadFile(record)
	_ = os.Remove(record)
	r := result{outcome: "pass", detail: m.alike(string(text))}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r = result{outcome: "fail", detail: "it ran out of time"}
	case errors.As(err, &exit) && exit.ExitCode() == 62:
		r = result{outcome: "skip"}
	case err != nil:
		r.outcome, r.detail = "fail", r.detail+m.alike(string(said))
	case readErr != nil:
		return r, readErr
	}
	return r, os.WriteFile(filepath.Join(m.folder, name+".txt"), []byte(r.detail), 0o644)
}

var (
	numbers = regexp.MustCompile(`(?i)(connection_id\(\)|thread|Id)(\s*[:=]?\s*)\d+`)
	folders = regexp.MustCompile(`/tmp/weir-main-\d+|\btmp\w{6}\b`)
	clocks  = regexp.MustCompile(`\b\d+\.\d{2,6}\b sec`)
)

// alike makes equal what no two runs share.
func (m *mainRun) alike(text string) string {
	text = strings.NewReplacer(m.password, "PASSWORD", m.folder, "FOLDER", ":"+strconv.Itoa(m.port), ":PORT").Replace(text)
	text = folders.ReplaceAllString(text, "FOLDER")
	return clocks.ReplaceAllString(numbers.ReplaceAllString(text, "${1}${2}N"), "N sec")
}

// keptDatabases stay between two scripts.
var keptDatabases = []string{"information_schema", "mysql", "performance_schema", "sys", "mtr", "test"}

// client has the command line client run statements.
func (m *mainRun) client(ctx context.Context, statements string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port="+strconv.Itoa(m.port), "--user=root", "-N", "--batch", "--force", "--raw")
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+m.password)
	cmd.Stdin = strings.NewReader(statements)
	return cmd
}

// restoreGlobals takes back what a script that broke off has left of the
// server's variables.
func (m *mainRun) restoreGlobals(ctx context.Context) error {
	out, err := m.client(ctx, "SHOW GLOBAL VARIABLES").Output()
	if err != nil {
		return fmt.Errorf("read the server's variables: %w", err)
	}
	now := map[string]string{}
	for _, line := range strings.Split(string(out), "\n") {
		name, value, _ := strings.Cut(line, "\t")
		now[name] = value
	}
	if m.globals == nil {
		m.globals = now
		return nil
	}
	var b strings.Builder
	for name, value := range m.globals {
		if now[name] == value || strings.HasPrefix(name, "gtid_") || strings.HasPrefix(name, "innodb_") && strings.HasSuffix(name, "_now") {
			continue
		}
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			value = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
		}
		fmt.Fprintf(&b, "SET GLOBAL %s = %s;\n", name, value)
	}
	_ = m.client(ctx, b.String()).Run() // some cannot be set, and were not
	return nil
}

// reset leaves an empty database for the next script.
func (m *mainRun) reset(ctx context.Context) error {
	if err := m.restoreGlobals(ctx); err != nil {
		return err
	}
	out, err := m.client(ctx, "SHOW DATABASES").Output()
	if err != nil {
		return fmt.Errorf("list databases: %w", err)
	}
	var b strings.Builder
	for _, d := range strings.Fields(string(out)) {
		if !slices.Contains(keptDatabases, d) {
			fmt.Fprintf(&b, "DROP DATABASE `%s`;", d)
		}
	}
	b.WriteString("DROP DATABASE IF EXISTS test; CREATE DATABASE test CHARACTER SET latin1;")
	for attempt := 0; ; attempt++ {
		out, err := m.client(ctx, b.String()).CombinedOutput()
		if err == nil {
			return nil
		}
		if attempt > 0 {
			return fmt.Errorf("reset: %w: %s", err, out)
		}
		if err := os.RemoveAll(filepath.Join(m.data, "test")); err != nil { // files that are no table's are in the way
			return err
		}
	}
}
