package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

const mysqlDatasource = `  - {name: regress, engine: mariadb, project: regress, address: "127.0.0.1:%d", user: %s, password: "${env:WEIR_REGRESS_PASSWORD}", tls: {mode: %s}}
`

// weirForMySQL starts weir in front of the side's server, for one person who may
// do everything.
func (s *side) weirForMySQL(ctx context.Context, o options, user string, port int, mode string) error {
	var err error
	s.weir, err = weirserver.Start(ctx, weirserver.Options{
		Binary: o.weir, Folder: s.folder, Protocol: "mysql", Listener: "self_signed: true, plaintext: true",
		Datasources: fmt.Sprintf(mysqlDatasource, port, user, mode), More: "limits: {drain: 5s, connections_per_user: 500}\nlog: {level: warn}\n",
		Policy: map[string]string{"policy.yaml": fmt.Sprintf(policy, "regress")},
		Groups: []string{"administrators"}, People: []weirserver.Person{{Name: user, Group: "administrators", Password: s.password}},
		Env: []string{"WEIR_REGRESS_PASSWORD=" + s.password},
	})
	if err != nil {
		return err
	}
	s.port, s.ca = s.weir.Port, s.weir.CAFile
	return nil
}

const (
	driverModule   = "github.com/go-sql-driver/mysql@v1.10.0"
	driverUser     = "gotest"
	driverDatabase = "gotest"
)

// A test that dials an address outside is left out.
var driverSubstitutions = []substitution{{"connector_test.go", "func TestConnectorReturnsTimeout(", "func leftOutConnectorReturnsTimeout("}}

// driverSuite is go-sql-driver's.
func driverSuite() *suite {
	s := &suite{name: "driver", repeat: true}
	s.start = func(ctx context.Context, o options, folder string, through bool) (*side, error) {
		d := &side{folder: folder, password: secret()}
		server, err := myserver.Start(ctx, myserver.Options{Accounts: []myserver.Account{{Name: driverUser, Password: d.password, Grants: "ALL ON *.*"}}})
		if err != nil {
			return nil, err
		}
		d.end, d.port, d.ca = server.Stop, server.Port, server.CAFile
		err = server.Exec(ctx, "", "CREATE DATABASE "+driverDatabase)
		if err == nil && through {
			err = d.weirForMySQL(ctx, o, driverUser, server.Port, "verify-full, ca: "+server.CAFile)
		}
		if err != nil {
			d.stop()
			return nil, err
		}
		return d, nil
	}
	s.prepare = func(ctx context.Context, w *work) (runner, error) {
		source := filepath.Join(w.folder, s.name, "source")
		if err := copyModule(ctx, driverModule, source); err != nil {
			return nil, err
		}
		if err := substitute(source, driverSubstitutions); err != nil {
			return nil, err
		}
		return func(ctx context.Context, d *side, pattern string, p *progress) (results, error) {
			env := []string{"MYSQL_TEST_USER=" + driverUser, "MYSQL_TEST_PASS=" + d.password, "MYSQL_TEST_PROT=tcp",
				"MYSQL_TEST_ADDR=127.0.0.1:" + strconv.Itoa(d.port), "MYSQL_TEST_DBNAME=" + driverDatabase}
			return goTest(ctx, source, pattern, d, env, p)
		}, nil
	}
	return s
}

// testRoot is where the distribution keeps MariaDB's suites.
const testRoot = "/usr/share/mysql/mysql-test"

// startMain starts the server as its own suite wants it, by that suite's own
// program. Root gets a password: weir lets nobody in without one.
func startMain(ctx context.Context, o options, folder string, through bool) (*side, error) {
	s := &side{folder: folder, password: secret()}
	if err := s.startMain(ctx); err != nil {
		s.stop()
		return nil, err
	}
	if through {
		if err := s.weirForMySQL(ctx, o, "root", s.port, "disable"); err != nil {
			s.stop()
			return nil, err
		}
	}
	return s, nil
}

// serverPort is where the suite's program says that the server listens.
var serverPort = regexp.MustCompile(`mysqld\.1 +(\d+) `)

// firstThread and threads are the numbers from which the suite's program makes
// its ports.
const (
	firstThread = 300
	threads     = 400
)

func (s *side) startMain(ctx context.Context) error {
	vars, err := os.MkdirTemp("", "weir-main-")
	if err != nil {
		return err
	}
	s.end = func() { _ = os.RemoveAll(vars) }
	account, err := unprivileged()
	if err != nil {
		return err
	}
	if account != nil {
		if err := os.Chown(vars, int(account.Uid), int(account.Gid)); err != nil {
			return err
		}
	}
	thread := firstThread + os.Getpid()%threads
	cmd := exec.CommandContext(ctx, "./mysql-test-run.pl", "--start-and-exit", "--vardir="+filepath.Join(vars, "var"), "--suite=main", "--mysqld=--innodb", "--mysqld=--max-connections=300")
	cmd.Dir = testRoot
	cmd.Env = append(os.Environ(), "HOME="+vars, "MTR_BUILD_THREAD="+strconv.Itoa(thread))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account, Setpgid: true}
	out, err := cmd.CombinedOutput()
	port := serverPort.FindSubmatch(out)
	if err != nil || port == nil {
		return fmt.Errorf("start MariaDB for its suite: %w: %s", err, out[max(0, len(out)-500):])
	}
	text, err := os.ReadFile(filepath.Join(vars, "var", "run", "mysqld.1.pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	s.end = func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		for range 100 { // it is not a child of this process
			if syscall.Kill(pid, 0) != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		_ = os.RemoveAll(vars)
	}
	if s.port, err = strconv.Atoi(string(port[1])); err != nil {
		return err
	}
	s.data = filepath.Join(vars, "var", "mysqld.1", "data")
	return s.setPasswords(ctx)
}

// setPasswords gives every root the side's password.
func (s *side) setPasswords(ctx context.Context) error {
	out, err := s.root(ctx, "", "SELECT CONCAT('SET PASSWORD FOR ', QUOTE(user), '@', QUOTE(host), ' = PASSWORD(''"+s.password+"'');') FROM mysql.user WHERE user = 'root' ORDER BY host = '127.0.0.1', host = 'localhost'")
	if err != nil {
		return err
	}
	_, err = s.root(ctx, "", out)
	return err
}

// root runs statements directly on the server as root with a password.
func (s *side) root(ctx context.Context, password, statements string) (string, error) {
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port="+strconv.Itoa(s.port), "--user=root", "-N", "--batch", "--raw")
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mariadb: %w: %s", err, out)
	}
	return string(out), nil
}

// unprivileged is the account for a server that refuses to run as root; nil for
// the own one.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	out, err := exec.Command("id", "-u", "mysql").Output()
	group, groupErr := exec.Command("id", "-g", "mysql").Output()
	if err := errors.Join(err, groupErr); err != nil {
		return nil, fmt.Errorf("account mysql: %w", err)
	}
	uid, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(strings.TrimSpace(string(group)), 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
