package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scriptTimeout bounds one script or specification.
const scriptTimeout = 5 * time.Minute

// serverSuites are PostgreSQL's own, from the folder of its regression tests.
func serverSuites(dir string) ([]*suite, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	list := []*suite{sqlSuite(dir)}
	if isolation := filepath.Join(dir, "..", "isolation"); exists(filepath.Join(isolation, "specs")) {
		list = append(list, isolationSuite(isolation))
	}
	return list, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// What pg_regress sets for a cluster and a database of its own (pg_regress.c,
// create_database and initialize_environment).
func serverStand(database string) stand {
	setup := "CREATE EXTENSION IF NOT EXISTS plpgsql;\n"
	for _, s := range []string{"lc_messages TO 'C'", "lc_monetary TO 'C'", "lc_numeric TO 'C'", "lc_time TO 'C'",
		"bytea_output TO 'hex'", "timezone_abbreviations TO 'Default'"} {
		setup += fmt.Sprintf("ALTER DATABASE %s SET %s;\n", database, s)
	}
	return stand{database: database, user: "postgres", locale: "C", setup: []string{setup},
		settings: map[string]string{"max_prepared_transactions": "2", "synchronous_commit": "on"}}
}

func serverEnvironment(s *side, database string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			env = append(env, v)
		}
	}
	return append(env, "PGHOST="+host, "PGPORT="+strconv.Itoa(s.port), "PGUSER=postgres", "PGPASSWORD="+s.password, "PGDATABASE="+database,
		"PGSSLMODE=verify-full", "PGSSLROOTCERT="+s.ca, "PGTZ=America/Los_Angeles", "PGDATESTYLE=Postgres, MDY",
		"PGOPTIONS=-c intervalstyle=postgres_verbose", "PGAPPNAME=pg_regress", "LC_MESSAGES=C", "LANG=C")
}

func sqlSuite(dir string) *suite {
	return &suite{name: "sql", stand: serverStand("regression"), prepare: func(_ context.Context, w *work) (runner, error) {
		scripts, err := schedule(filepath.Join(dir, "parallel_schedule"), filepath.Join(dir, "serial_schedule"))
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, s *side, pattern string, p *progress) (results, error) {
			build, err := buildFolder()
			if err != nil {
				return nil, err
			}
			defer os.RemoveAll(build)
			library := os.Getenv("PG_REGRESS_LIBDIR")
			if library == "" {
				library = dir
			}
			env := append(serverEnvironment(s, "regression"), "PG_ABS_SRCDIR="+dir, "PG_ABS_BUILDDIR="+build, "PG_LIBDIR="+library, "PG_DLSUFFIX=.so")
			got := results{}
			for _, name := range chosen(scripts, pattern) {
				cmd := exec.Command("psql", "-X", "-a", "-q", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on")
				cmd.Dir, cmd.Env = build, env
				if err := runScript(ctx, cmd, filepath.Join(dir, "sql", name+".sql"), dir, name, s, got); err != nil {
					return nil, err
				}
				p.add(name)
			}
			return got, nil
		}, nil
	}}
}

func isolationSuite(dir string) *suite {
	return &suite{name: "isolation", repeat: true, stand: serverStand("isolation_regression"), prepare: func(_ context.Context, w *work) (runner, error) {
		specs, err := schedule(filepath.Join(dir, "isolation_schedule"))
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, s *side, pattern string, p *progress) (results, error) {
			tester, err := isolationTester(dir, s.server.BinDir)
			if err != nil {
				return nil, err
			}
			got := results{}
			for _, name := range chosen(specs, pattern) {
				cmd := exec.Command(tester, "dbname=isolation_regression")
				cmd.Dir, cmd.Env = s.folder, serverEnvironment(s, "isolation_regression")
				if err := runScript(ctx, cmd, filepath.Join(dir, "specs", name+".spec"), dir, name, s, got); err != nil {
					return nil, err
				}
				p.add(name)
			}
			return got, nil
		}, nil
	}}
}

// isolationTester finds the program that runs specifications.
func isolationTester(dir, bin string) (string, error) {
	candidates := []string{os.Getenv("PG_ISOLATION_TESTER"), filepath.Join(dir, "isolationtester")}
	for _, lib := range []string{"lib/pgxs", "lib/postgresql/pgxs"} {
		candidates = append(candidates, filepath.Join(bin, "..", lib, "src/test/isolation/isolationtester"))
	}
	for _, c := range candidates {
		if c != "" && exists(c) {
			return c, nil
		}
	}
	return "", errors.New("no isolationtester beside the server's programs; PG_ISOLATION_TESTER names one, -only sql leaves the specifications out")
}

// buildFolder is one in which both psql and the server may write.
func buildFolder() (string, error) {
	dir, err := os.MkdirTemp("", "weir-regress-build-")
	if err != nil {
		return "", err
	}
	results := filepath.Join(dir, "results")
	err = errors.Join(os.Chmod(dir, 0o777), os.Mkdir(results, 0o777), os.Chmod(results, 0o777))
	return dir, err
}

// schedule reads the names of a schedule file in order, the first one that exists.
func schedule(files ...string) ([]string, error) {
	var text []byte
	var err error
	for _, f := range files {
		if text, err = os.ReadFile(f); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return parseSchedule(string(text)), nil
}

// parseSchedule takes the scripts one after the other: what a schedule lets run
// side by side may also run alone.
func parseSchedule(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "test:"); ok {
			names = append(names, strings.Fields(rest)...)
		}
	}
	return names
}

// chosen are the names that a list with commas, or a pattern of those that
// differed, asks for.
func chosen(names []string, pattern string) []string {
	if pattern == "" {
		return names
	}
	wanted := strings.FieldsFunc(strings.ReplaceAll(pattern, `\`, ""), func(r rune) bool { return strings.ContainsRune(",|^$()", r) })
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(wanted, n) })
}

// runScript runs a script to its end, keeps the output and compares it with
// the expected ones.
func runScript(ctx context.Context, cmd *exec.Cmd, input, dir, name string, s *side, got results) error {
	ctx, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	in, err := os.Open(input)
	if err != nil {
		return err
	}
	defer in.Close()
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer stop()
	_ = cmd.Wait() // what psql's status says is in its output
	if ctx.Err() != nil {
		fmt.Fprintf(&out, "\n(stopped: %v)\n", ctx.Err())
	}
	outputs := filepath.Join(s.folder, "results")
	if err := errors.Join(os.MkdirAll(outputs, 0o755), os.WriteFile(filepath.Join(outputs, name+".out"), out.Bytes(), 0o644)); err != nil {
		return err
	}
	pass, err := expected(filepath.Join(dir, "expected"), name, out.Bytes())
	if err != nil {
		return err
	}
	got["."+name] = result{outcome: "pass"}
	if !pass {
		got["."+name] = result{outcome: "fail", detail: out.String()}
	}
	return nil
}

// expected tells whether an output is one of those that a test may have:
// NAME.out and its alternatives NAME_0.out to NAME_9.out.
func expected(dir, name string, out []byte) (bool, error) {
	files := []string{name + ".out"}
	for i := range 10 {
		files = append(files, fmt.Sprintf("%s_%d.out", name, i))
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f))
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return false, err
		case bytes.Equal(text, out):
			return true, nil
		}
	}
	return false, nil
}
