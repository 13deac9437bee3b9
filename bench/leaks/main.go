// Command leaks measures weir's promise: two databases that differ only in
// protected values look the same to whoever sees those values masked, and
// everyday work goes on. docs/leaks.md says how to read what it prints.
//
// It starts PostgreSQL and weir, runs the cases of a corpus on both databases
// as a restricted analyst, and compares every byte that comes back. It ends with
// status 1 if a case leaks, an everyday case is changed, or too many are refused.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirdb/weir/bench/leaks/mariadb"
)

type options struct {
	servers []int // major versions of PostgreSQL
	mariadb bool
	modes   []string
	weir    string // the binary; built if empty
	corpus  string // folder; the embedded one if empty
	run     string
	breadth breadth
	verbose bool
	json    string // file for the results
	keep    string // folder for weir's logs
	output  string
	chance  chance
	cache   string // file of verdicts on cases without weir
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseFlags()
	if err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		os.Exit(2)
	}
	failed, err := run(ctx, o, os.Stdout, os.Stderr)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "\nleaks:", err)
		os.Exit(2)
	case failed:
		os.Exit(1)
	}
}

func parseFlags() (options, error) {
	var o options
	servers := flag.String("server", "15", "major versions of PostgreSQL, and mariadb, separated by commas; a corpus for MariaDB needs none")
	elsewhere := flag.String("elsewhere", "both", "mode of the masks: refuse, masked, or both")
	flag.StringVar(&o.weir, "weir", "", "the weir to test (built if not given)")
	flag.StringVar(&o.corpus, "corpus", "", "folder of a corpus (default: weir's own)")
	flag.StringVar(&o.run, "run", "", "only cases whose id or family matches this pattern")
	forms := flag.String("forms", "usual", "own: each case in its own form; usual: single statements in every form; all: scripts too")
	flag.BoolVar(&o.verbose, "v", false, "print every case")
	flag.StringVar(&o.output, "output", "text", "text, or json on standard output")
	flag.StringVar(&o.json, "json", "", "also write the results as JSON to this file")
	flag.StringVar(&o.keep, "keep", "", "folder that keeps weir's configuration and log")
	flag.IntVar(&o.chance.statements, "random", 0, "afterwards, as many statements made up by chance")
	flag.Uint64Var(&o.chance.seed, "seed", 0, "seed of what is made up (default: another one each time)")
	flag.IntVar(&o.chance.first, "first", 0, "number of the first session made up, to repeat one")
	minutes := flag.Float64("minutes", 0, "afterwards, statements made up by chance for so long")
	flag.StringVar(&o.cache, "cache", "", "file that remembers what evasion cases do without weir")
	flag.Parse()
	o.chance.time = time.Duration(*minutes * float64(time.Minute))
	if o.chance.seed == 0 {
		o.chance.seed = uint64(time.Now().UnixNano())
	}
	for _, s := range strings.Split(*servers, ",") {
		if s == "mariadb" {
			o.mariadb = true
			continue
		}
		major, err := strconv.Atoi(s)
		if err != nil {
			return o, fmt.Errorf("-server %q: %w", s, err)
		}
		o.servers = append(o.servers, major)
	}
	switch *elsewhere {
	case "both":
		o.modes = []string{"refuse", "masked"}
	case "refuse", "masked":
		o.modes = []string{*elsewhere}
	default:
		return o, fmt.Errorf("-elsewhere %q is none of refuse, masked, both", *elsewhere)
	}
	var known bool
	if o.breadth, known = map[string]breadth{"own": narrow, "usual": usual, "all": wide}[*forms]; !known {
		return o, fmt.Errorf("-forms %q is none of own, usual, all", *forms)
	}
	if o.output != "text" && o.output != "json" {
		return o, fmt.Errorf("-output %q is none of text, json", o.output)
	}
	return o, nil
}

func run(ctx context.Context, o options, out, progress io.Writer) (failed bool, err error) {
	sel := selection{breadth: o.breadth}
	if o.run != "" {
		if sel.pattern, err = regexp.Compile(o.run); err != nil {
			return false, err
		}
	}
	if mariadb.IsCorpus(o.corpus) {
		o.servers, o.mariadb = nil, true
	} else if sel.corpus, err = openCorpus(o.corpus); err != nil {
		return false, err
	}
	folder := o.keep
	if folder == "" {
		if folder, err = os.MkdirTemp("", "weir-leaks-"); err != nil {
			return false, err
		}
		defer os.RemoveAll(folder)
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return false, err
	}
	if o.weir == "" {
		if o.weir, err = build(ctx, folder); err != nil {
			return false, err
		}
	}
	var phases []*phase
	for _, major := range o.servers {
		list, err := runServer(ctx, o, major, sel, folder, progress)
		if err != nil {
			return false, fmt.Errorf("PostgreSQL %d: %w", major, err)
		}
		phases = append(phases, list...)
	}
	if o.mariadb {
		list, err := runMariaDB(ctx, o, sel, folder, progress)
		if err != nil {
			return false, fmt.Errorf("MariaDB: %w", err)
		}
		phases = append(phases, list...)
	}
	return report(phases, o, out)
}

// build builds the weir of this checkout.
func build(ctx context.Context, folder string) (string, error) {
	binary := filepath.Join(folder, "weir")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/weirdb/weir/cmd/weir").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build weir: %w\n%s", err, out)
	}
	return binary, nil
}

// runServer runs all modes on one version of the server.
func runServer(ctx context.Context, o options, major int, sel selection, folder string, progress io.Writer) ([]*phase, error) {
	fmt.Fprintf(progress, "PostgreSQL %d: loading …", major)
	d, err := startDatabases(ctx, major, sel.corpus)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	cache, err := openCache(o.cache)
	if err != nil {
		return nil, err
	}
	direct, err := askDirectly(ctx, d, sel, o.modes, cache, progress)
	if err := errors.Join(err, cache.save()); err != nil {
		return nil, err
	}
	var phases []*phase
	for _, mode := range o.modes {
		home := filepath.Join(folder, fmt.Sprintf("%d-%s", major, mode))
		p, err := runPhase(ctx, o.weir, home, d, sel, direct, mode, progress)
		if err != nil {
			return nil, err
		}
		if o.chance.wanted() {
			if p.ByChance, err = runByChance(ctx, o.weir, home, d, o.chance, mode, progress); err != nil {
				return nil, err
			}
		}
		phases = append(phases, p)
	}
	return phases, nil
}

func report(phases []*phase, o options, out io.Writer) (failed bool, err error) {
	for _, p := range phases {
		failed = failed || p.failed()
	}
	text, err := json.MarshalIndent(jsonReport(phases), "", " ")
	if err != nil {
		return failed, err
	}
	if o.json != "" {
		if err := os.WriteFile(o.json, append(text, '\n'), 0o644); err != nil {
			return failed, err
		}
	}
	if o.output == "json" {
		_, err := fmt.Fprintf(out, "%s\n", text)
		return failed, err
	}
	for _, p := range phases {
		p.write(out, o.verbose)
	}
	fmt.Fprintln(out)
	for _, p := range phases {
		fmt.Fprintln(out, p.summary())
	}
	return failed, nil
}

type reportedPhase struct {
	*phase
	Counts counts `json:"counts"`
	Failed bool   `json:"failed"`
}

func jsonReport(phases []*phase) []reportedPhase {
	list := make([]reportedPhase, len(phases))
	for i, p := range phases {
		list[i] = reportedPhase{p, p.counts(), p.failed()}
	}
	return list
}
