package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/weirdb/weir/deploy/myserver"
)

// TestLiveMySQLClients drives every client against MariaDB.
func TestLiveMySQLClients(t *testing.T) {
	s := newMySQLStack(t, build(t))
	t.Run("clients", func(t *testing.T) { // returns when all parallel ones have
		for _, c := range mysqlClients() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s.drive(t, c)
			})
		}
	})
	t.Run("afterwards", func(t *testing.T) {
		s.weir.stop(t)
		s.command(t, "", "audit", "verify")
		for _, kind := range []string{"login", "login_failed", "statement_intent", "statement_outcome", "denial"} {
			if found := s.command(t, "", "audit", "search", "--kind", kind, "--output", "json", "--limit", "1"); len(found) < 10 {
				t.Errorf("the journal has no %s", kind)
			}
		}
	})
}

// newMySQLStack is a MariaDB with the demo's data and a weir in front of it.
func newMySQLStack(t *testing.T, binary string) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := &stack{binary: binary, dir: t.TempDir(), upstream: secret(), refusals: mysqlRefusals}
	server, err := myserver.Start(ctx, myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	demo, err := os.ReadFile("../../cmd/weir/demo_mariadb.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Exec(ctx, "", string(demo)); err != nil {
		t.Fatalf("load the demo: %v", err)
	}
	if err := server.CreateAccount(ctx, myserver.Account{Name: "weir", Password: s.upstream, Grants: "ALL ON *.*"}); err != nil {
		t.Fatal(err)
	}
	s.direct = endpoint{port: server.Port, ca: server.CAFile, user: "weir", password: s.upstream, admin: "weir", adminPW: s.upstream}
	s.configureMySQL(t, server)
	s.addPeople(t)
	s.weir = start(t, filepath.Join(s.dir, "weir.log"), binary, "serve", "--config", s.config())
	s.waitReady(t)
	return s
}

const mysqlConfiguration = `profile: development
state: %[1]s/state
listeners:
  - protocol: mysql
    address: 127.0.0.1:%[2]d
    tls: {self_signed: true}
  - protocol: mysql
    address: 127.0.0.1:%[7]d
    datasource: frozen
    tls: {self_signed: true}
datasources:
  - name: shop
    engine: mariadb
    project: demo
    environment: development
    address: localhost:%[3]d
    user: weir
    password: ${env:E2E_SHOP_PASSWORD}
    tls: {mode: verify-full, ca: %[4]s}
  - name: frozen
    engine: mariadb
    project: demo
    environment: development
    address: localhost:%[3]d
    user: weir
    password: ${env:E2E_SHOP_PASSWORD}
    read_only: true
    tls: {mode: verify-full, ca: %[4]s}
policy: {folder: %[5]s}
limits: {drain: 5s}
admin: {address: "%[6]s"}
`

func (s *stack) configureMySQL(t *testing.T, server *myserver.Server) {
	t.Helper()
	policy, err := filepath.Abs("testdata/policy")
	if err != nil {
		t.Fatal(err)
	}
	port, frozen := freePort(t), freePort(t)
	s.adminAddress = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	text := fmt.Sprintf(mysqlConfiguration, s.dir, port, server.Port, server.CAFile, policy, s.adminAddress, frozen)
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("E2E_SHOP_PASSWORD", s.upstream)
	s.proxy = endpoint{port: port, ca: filepath.Join(s.dir, "state", "server.crt"), user: "ana", password: secret(), admin: "root", adminPW: secret(),
		application: "kiosk", applicationPW: secret(), weir: true, datasource: "shop", frozen: frozen}
}

var (
	mysqlValues   = []string{"people", "payments", "salaries", "salary_sum", "cursor"}
	mysqlRecovery = []string{"denied", "denied_message", "alive", "read_only", "in_transaction", "wrong_password"}
)

func mysqlClients() []client {
	python := func(file string) func(*testing.T, endpoint) []observation {
		return program("/usr/bin/python3", "testdata/clients/mysql/"+file)
	}
	recovered := slices.DeleteFunc(slices.Clone(mysqlRecovery), func(s string) bool { return s == "denied_message" })
	return []client{
		{name: "mariadb", probe: []string{"mariadb", "--version"}, install: "mariadb-client", run: runMariaDB,
			steps: steps(mysqlValues[:3], mysqlValues[4:], mysqlRecovery)},
		{name: "mycli", probe: []string{"mycli", "--version"}, install: "mycli", run: runMycli, steps: []string{"contact", "denied_message", "alive"}},
		{name: "go-sql-driver", run: runGoSQLDriver, steps: steps(mysqlValues, mysqlRecovery, stopping, []string{"types", "written", "frozen", "several"})},
		{name: "go-mysql", run: runGoMySQL, steps: steps(mysqlValues, mysqlRecovery, stopping, []string{"written", "several", "compressed"})},
		{name: "pymysql", probe: []string{"/usr/bin/python3", "-c", "import pymysql"}, install: "python3-pymysql", run: python("pymysql_client.py"),
			steps: steps(mysqlValues, mysqlRecovery, stopping, []string{"types", "written", "several"})},
		{name: "mysqlclient", probe: []string{"/usr/bin/python3", "-c", "import MySQLdb"}, install: "python3-mysqldb", run: python("mysqlclient_client.py"),
			steps: steps(mysqlValues, mysqlRecovery, stopping, []string{"types", "written", "changed"})},
		{name: "sqlalchemy", probe: []string{"/usr/bin/python3", "-c", "import sqlalchemy, pymysql"}, install: "python3-sqlalchemy", run: python("sqlalchemy_client.py"),
			steps: steps(mysqlValues, recovered, []string{"columns", "tables", "types"})},
		{name: "mysql2", probe: []string{"ls", nodeModules + "/mysql2/package.json"}, install: "mysql2 of npm in .cache/node",
			run:   program("node", "testdata/clients/mysql/mysql2.js"),
			steps: steps(mysqlValues, mysqlRecovery, stopping, []string{"types", "written", "several", "pipeline", "described"})},
		{name: "connector-j", probe: []string{"javac", "-version"}, install: "libmariadb-java openjdk-17-jdk-headless", run: runConnectorJ,
			steps: steps(mysqlValues, mysqlRecovery, stopping, []string{"types", "written", "several", "columns"})},
		{name: "dbd-mysql", probe: []string{"perl", "-MDBD::mysql", "-e1"}, install: "libdbd-mysql-perl", run: program("perl", "testdata/clients/mysql/dbi.pl", "mysql"),
			steps: steps(mysqlValues, mysqlRecovery, []string{"types", "written"})},
		{name: "dbd-mariadb", probe: []string{"perl", "-MDBD::MariaDB", "-e1"}, install: "libdbd-mariadb-perl", run: program("perl", "testdata/clients/mysql/dbi.pl", "MariaDB"),
			steps: steps(mysqlValues, mysqlRecovery, []string{"types", "written"})},
		{name: "odbc", probe: []string{"sh", "-c", "odbcinst -q -d | grep MariaDB && /usr/bin/python3 -c 'import pyodbc'"}, install: "odbc-mariadb python3-pyodbc", run: python("odbc_client.py"),
			steps: steps(mysqlValues, []string{"denied_message", "read_only_message", "alive", "in_transaction", "wrong_password", "types", "written"})},
		{name: "pdo", probe: []string{"sh", "-c", "php -m | grep pdo_mysql"}, install: "php-cli php-mysql", run: program("php", "testdata/clients/mysql/pdo.php"),
			steps: steps(mysqlValues, mysqlRecovery, []string{"types", "written"})},
	}
}

const connectorJ = "/usr/share/java/mariadb-java-client.jar"

func runConnectorJ(t *testing.T, e endpoint) []observation {
	t.Helper()
	classes := t.TempDir()
	if out, err := exec.Command("javac", "-d", classes, "-cp", connectorJ, "testdata/clients/mysql/Connectorj.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return runProgram(t, e, "", "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes+":"+connectorJ+":/usr/share/java/slf4j-api.jar", "Connectorj")
}

// mysqlRefusals are what a client sees only through weir.
var mysqlRefusals = map[string]func(any) string{
	"denied":             equal(1143.0),
	"denied_message":     contains("email is masked for ana"),
	"read_only":          equal(1142.0),
	"read_only_message":  contains("may only read"),
	"in_transaction":     equal(plain([][]string{{"1", "d***@example.org"}})),
	"alive":              equal(plain([][]string{{"1"}})),
	"cancelled":          equal(1317.0),
	"cancelled_soon":     equal(true),
	"alive_after_cancel": equal(plain([][]string{{"1"}})),
	"frozen":             equal(plain(slices.Repeat([]int{1290}, len(mysqlWrites)))),
	"wrong_password":     oneOf(equal(1045.0), contains("Access denied for user 'ana'")),
}

// mysqlWrites are refused on a read-only source, however they are spelled.
var mysqlWrites = []string{
	"UPDATE customers SET segment = 'x' WHERE id = 1",
	"DELETE FROM orders WHERE id = 1",
	"CREATE TABLE t (a int)",
	"SELECT * FROM products INTO OUTFILE '/tmp/weir-e2e'",
	"BEGIN NOT ATOMIC DELETE FROM products; END",
	"SET SESSION TRANSACTION READ WRITE",
	"START TRANSACTION READ WRITE",
	"/*! DELETE FROM products */",
	"SELECT 1 /*M! INTO OUTFILE '/tmp/weir-e2e' */",
	"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE products",
	"ANALYZE DELETE FROM products",
	"EXECUTE IMMEDIATE 'DELETE FROM products'",
	"SET GLOBAL read_only = 0",
	"FLUSH TABLES",
}
