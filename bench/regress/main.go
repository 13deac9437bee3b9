// Command regress runs other projects' test suites directly and through weir,
// as an unrestricted user, and compares.
//
// It runs the suites of pgx and lib/pq. With PG_REGRESS_DIR set to
// PostgreSQL's src/test/regress (of the server's major version) it also runs
// those scripts, and with a built isolation tester beside it the isolation
// specifications. Each run gets a fresh cluster. It prints the counts of both
// runs and every test whose result differs, and ends with status 1 if any does
// that is not explained.
//
// Of MariaDB it runs the suite of go-sql-driver/mysql, and the scripts of the
// server's own suite main, as text and with --ps-protocol.
//
// Environment: PG_REGRESS_DIR; PG_REGRESS_LIBDIR, the folder of regress.so
// (PG_REGRESS_DIR if not set); PG_ISOLATION_TESTER, the program (looked for
// beside the server's own and in PG_REGRESS_DIR/../isolation if not set).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	weir    string // the binary
	major   int
	only    string // suites to run, separated by commas; empty for all
	run     string // tests of Go suites, or names of scripts and specifications
	folder  string // what failed is kept here
	timeout time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.weir, "weir", "bin/weir", "the weir to test")
	flag.IntVar(&o.major, "major", 0, "major version of PostgreSQL; 0 is the distribution's")
	flag.StringVar(&o.only, "only", "", "suites to run, of pgx, pq, sql, isolation, and of MariaDB driver, main, main-ps, separated by commas (default all of PostgreSQL)")
	flag.StringVar(&o.run, "run", "", "run only these: a pattern for Go's tests, names with commas for scripts")
	flag.StringVar(&o.folder, "output", "", "folder that keeps outputs and weir's log (default: a temporary one, kept if results differ)")
	flag.DurationVar(&o.timeout, "timeout", 15*time.Minute, "bound for one run of one suite")
	flag.Parse()
	differ, err := run(ctx, o, os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "\nregress:", err)
		os.Exit(2)
	case differ:
		os.Exit(1)
	}
}

// suite is a set of tests that runs against one side.
type suite struct {
	name    string
	prepare func(context.Context, *work) (runner, error)
	stand   stand // what it needs of the server and of weir
	// start starts a side that is not PostgreSQL; nil for one that is.
	start func(ctx context.Context, o options, folder string, through bool) (*side, error)
	// explained are tests that differ for a reason, by name.
	explained map[string]string
	// repeat says that tests may run apart from the others: those that differ
	// run again, so that what depends on luck is told from what does not.
	repeat bool
}

// runner runs a suite's tests that the pattern matches, all for an empty one.
type runner func(ctx context.Context, s *side, pattern string, p *progress) (results, error)

// work is what a suite's preparation may use.
type work struct {
	options options
	folder  string
}

func run(ctx context.Context, o options, out io.Writer) (differ bool, err error) {
	if o.weir, err = filepath.Abs(o.weir); err != nil {
		return false, err
	}
	if _, err := os.Stat(o.weir); err != nil {
		return false, fmt.Errorf("%w (`make build` makes it)", err)
	}
	w := &work{options: o, folder: o.folder}
	if w.folder == "" {
		if w.folder, err = os.MkdirTemp("", "weir-regress-"); err != nil {
			return false, err
		}
		defer func() {
			if !differ && err == nil {
				_ = os.RemoveAll(w.folder)
			}
		}()
	}
	list, err := suites(o)
	if err != nil {
		return false, err
	}
	for _, s := range list {
		d, err := compareSides(ctx, w, s, out)
		if err != nil {
			return differ, fmt.Errorf("%s: %w", s.name, err)
		}
		differ = differ || d
	}
	if differ {
		fmt.Fprintf(out, "\nResults differ. Outputs and weir's logs are in %s\n", w.folder)
	}
	return differ, nil
}

func suites(o options) ([]*suite, error) {
	list := []*suite{pgxSuite(), pqSuite()}
	if dir := os.Getenv("PG_REGRESS_DIR"); dir != "" {
		more, err := serverSuites(dir)
		if err != nil {
			return nil, fmt.Errorf("PG_REGRESS_DIR: %w", err)
		}
		list = append(list, more...)
	}
	if o.only == "" {
		return list, nil
	}
	list = append(list, driverSuite(), mainSuite("main"), mainSuite("main-ps", "--ps-protocol"))
	var chosen []*suite
	for _, name := range strings.Split(o.only, ",") {
		found := false
		for _, s := range list {
			if s.name == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no suite %q here (sql and isolation need PG_REGRESS_DIR)", name)
		}
	}
	return chosen, nil
}

// attempts is how often tests that differ run at most.
const attempts = 3

// compareSides runs one suite on both sides and reports.
func compareSides(ctx context.Context, w *work, s *suite, out io.Writer) (bool, error) {
	runSuite, err := s.prepare(ctx, w)
	if err != nil {
		return false, err
	}
	var got [2]results
	var differences []difference
	pattern := w.options.run
	for attempt := range attempts {
		for i, through := range []bool{false, true} {
			fresh, err := oneSide(ctx, w, s, through, attempt, pattern, runSuite)
			if err != nil {
				return false, fmt.Errorf("%s: %w", sideName(through), err)
			}
			if attempt == 0 {
				got[i] = fresh
			}
			maps.Copy(got[i], fresh)
		}
		before := differences
		differences = compare(got[0], got[1])
		if attempt == 0 {
			fmt.Fprintf(out, "%-10s %-13s %s\n%-10s %-13s %s\n", s.name, sideName(false), got[0].summary(), "", sideName(true), got[1].summary())
		} else {
			for _, d := range before {
				if !slices.ContainsFunc(differences, func(x difference) bool { return x.test == d.test }) {
					fmt.Fprintf(out, "  differed once and was equal when repeated: %s\n", d.text)
				}
			}
		}
		if len(differences) == 0 || !s.repeat {
			break
		}
		pattern = topLevel(differences)
	}
	differ := false
	for _, d := range differences {
		why, known := s.explained[d.test]
		if known {
			fmt.Fprintf(out, "  differs, as it should: %s\n    because %s\n", d.text, why)
			continue
		}
		differ = true
		fmt.Fprintf(out, "  differs: %s\n", d.text)
	}
	return differ, nil
}

func sideName(through bool) string {
	if through {
		return "through weir"
	}
	return "direct"
}

// topLevel is a pattern for the tests that differ.
func topLevel(differences []difference) string {
	var names []string
	for _, d := range differences {
		_, name, _ := strings.Cut(d.test, ".")
		name, _, _ = strings.Cut(name, "/")
		names = append(names, regexp.QuoteMeta(name))
	}
	slices.Sort(names)
	return "^(" + strings.Join(slices.Compact(names), "|") + ")$"
}

func oneSide(ctx context.Context, w *work, s *suite, through bool, attempt int, pattern string, runSuite runner) (results, error) {
	ctx, cancel := context.WithTimeout(ctx, w.options.timeout)
	defer cancel()
	folder := filepath.Join(w.folder, s.name, strings.ReplaceAll(sideName(through), " ", "-"))
	what := s.name + " " + sideName(through)
	if attempt > 0 {
		folder += fmt.Sprintf("-%d", attempt+1)
		what += ", what differed again"
	}
	p := startProgress(os.Stderr, what)
	defer p.stop()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	start := s.start
	if start == nil {
		start = func(ctx context.Context, o options, folder string, through bool) (*side, error) {
			return startSide(ctx, o, s.stand, folder, through)
		}
	}
	side, err := start(ctx, w.options, folder, through)
	if err != nil {
		return nil, err
	}
	defer side.stop()
	return runSuite(ctx, side, pattern, p)
}
