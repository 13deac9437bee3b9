package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// client is one that people use. It reports what it saw at an endpoint.
type client struct {
	name string
	// probe must succeed where the client is installed; package installs it.
	probe   []string
	install string
	// steps must occur, so that a program that does less is noticed.
	steps []string
	run   func(t *testing.T, e endpoint) []observation
}

var (
	values   = []string{"people", "types", "payments", "salaries", "salary_sum", "cursor"}
	recovery = []string{"denied", "alive", "read_only", "rolled_back", "wrong_password"}
	aborted  = []string{"aborted", "savepoint"}
	stopping = []string{"cancelled", "cancelled_soon", "alive_after_cancel"}
)

func steps(groups ...[]string) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func clients() []client {
	python := func(file string) func(*testing.T, endpoint) []observation {
		return program("/usr/bin/python3", "testdata/clients/"+file)
	}
	return []client{
		{name: "psql", probe: []string{"psql", "--version"}, install: "postgresql-client", run: runPsql,
			steps: steps(values[:1], values[2:4], values[5:], recovery, aborted, []string{"copy", "described", "listed"})},
		{name: "libpq18", probe: []string{"ls", libpq18 + "/libpq.so.5"}, install: "PostgreSQL 18 (`deploy/install.sh server18`) and postgresql-client", run: runLibpq18,
			steps: steps(values[:1], values[2:4], values[5:], []string{"copy"})},
		{name: "pgx", run: runPgx, steps: steps(values, recovery, aborted, stopping, []string{"copy", "pipeline", "written", "notified", "frozen", "people_unmasked"})},
		{name: "libpq-go", run: runLibPQ, steps: steps(values[:1], values[2:], recovery, aborted, stopping, []string{"written", "notified"})},
		{name: "psycopg2", probe: []string{"/usr/bin/python3", "-c", "import psycopg2"}, install: "python3-psycopg2", run: python("psycopg2_client.py"),
			steps: steps(values, recovery, aborted, stopping, []string{"copy", "written"})},
		{name: "psycopg3", probe: []string{"/usr/bin/python3", "-c", "import psycopg"}, install: "python3-psycopg", run: python("psycopg3_client.py"),
			steps: steps(values, recovery, aborted, stopping, []string{"copy", "written", "binary_types", "pipeline", "pipeline_denied", "notified"})},
		{name: "sqlalchemy", probe: []string{"/usr/bin/python3", "-c", "import sqlalchemy"}, install: "python3-sqlalchemy", run: python("sqlalchemy_client.py"),
			steps: steps(values, recovery, aborted, []string{"columns", "tables"})},
		{name: "pgjdbc", probe: []string{"javac", "-version"}, install: "libpostgresql-jdbc-java openjdk-17-jdk-headless", run: runJDBC,
			steps: steps(values, recovery, aborted, stopping, []string{"copy", "written", "columns", "several"})},
		{name: "node-postgres", probe: []string{"ls", nodeModules + "/pg/package.json"}, install: "pg of npm in .cache/node", run: program("node", "testdata/clients/pg.js"),
			steps: steps(values, recovery, aborted, stopping, []string{"written", "binary", "pipeline", "notified"})},
		{name: "psqlodbc", probe: []string{"/usr/bin/python3", "-c", "import pyodbc"}, install: "odbc-postgresql unixodbc python3-pyodbc", run: python("odbc_client.py"),
			steps: steps(values, recovery, stopping, []string{"columns", "written", "savepoint"})},
		{name: "dbd-pg", probe: []string{"perl", "-MDBD::Pg", "-e1"}, install: "libdbd-pg-perl", run: program("perl", "testdata/clients/dbdpg.pl"),
			steps: steps(values, recovery, aborted, stopping, []string{"copy", "written", "notified"})},
		{name: "pgcli", probe: []string{"sh", "-c", "pgcli --version && tmux -V"}, install: "pgcli tmux", run: runPgcli,
			steps: []string{"denied_message", "alive", "contact"}},
	}
}

const nodeModules = "../../.cache/node/node_modules"

func (c *client) available(t *testing.T) {
	t.Helper()
	if len(c.probe) == 0 {
		return
	}
	if out, err := exec.Command(c.probe[0], c.probe[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s is missing (%s): `deploy/install.sh clients` installs %s: %v\n%s", c.name, strings.Join(c.probe, " "), c.install, err, out)
	}
}

// program runs a program that prints observations.
func program(name string, args ...string) func(*testing.T, endpoint) []observation {
	return func(t *testing.T, e endpoint) []observation {
		t.Helper()
		return runProgram(t, e, "", name, args...)
	}
}

func runProgram(t *testing.T, e endpoint, stdin, name string, args ...string) []observation {
	t.Helper()
	out, err := output(t, e, stdin, name, args...)
	var seen []observation
	for line := range strings.Lines(out) {
		var o observation
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Errorf("%s printed %q: %v", name, line, err)
			continue
		}
		seen = append(seen, o)
	}
	if err != nil {
		t.Errorf("after %d observations: %v", len(seen), err)
	}
	return seen
}

// output runs a program to its end and returns its standard output.
func output(t *testing.T, e endpoint, stdin, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	modules, err := filepath.Abs(nodeModules)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(e.env(), "E2E_NODE_MODULES="+modules)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), &programError{name, err, stderr.String()}
	}
	return stdout.String(), nil
}

// programError is a program that failed, and what it said.
type programError struct {
	name   string
	err    error
	stderr string
}

func (e *programError) Error() string { return e.name + ": " + e.err.Error() + "\n" + e.stderr }

func (e *programError) Unwrap() error { return e.err }

const jdbcJar = "/usr/share/java/postgresql.jar"

// runJDBC compiles the program beside its source's copy and runs it.
func runJDBC(t *testing.T, e endpoint) []observation {
	t.Helper()
	if _, err := os.Stat(jdbcJar); err != nil {
		t.Fatalf("%v: `deploy/install.sh clients` installs libpostgresql-jdbc-java", err)
	}
	classes := t.TempDir()
	if out, err := exec.Command("javac", "-d", classes, "-cp", jdbcJar, "testdata/clients/Pgjdbc.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	return runProgram(t, e, "", "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classes+":"+jdbcJar, "Pgjdbc")
}
