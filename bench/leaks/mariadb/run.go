package mariadb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	pg "github.com/weirdb/weir/bench/leaks/random"
	"github.com/weirdb/weir/deploy/weirserver"
)

// Options say what runs.
type Options struct {
	Weir    string // the binary
	Folder  string // for weir's configuration and log
	Corpus  *Corpus
	Modes   []string       // of the masks: refuse, masked
	Pattern *regexp.Regexp // of ids and families; nil for all
	Narrow  bool           // each case in its own form only
	Sample  uint32         // one in so many cases; 0 for all
	// Unchecked takes it that evasion cases show something without weir.
	Unchecked bool
	Chance    Chance // sessions that are made up, after the corpus
	Progress  io.Writer
}

// Phase is one run of the corpus in a mode of the masks.
type Phase struct {
	Server    string
	Elsewhere string
	Results   []Result
	Seconds   float64
	ByChance  *pg.Summary // nil if nothing was made up
}

func (o *Options) takes(t *testCase) bool {
	if o.Sample > 0 {
		h := fnv.New32a()
		_, _ = io.WriteString(h, t.ID) // never fails
		if h.Sum32()%o.Sample != 0 {
			return false
		}
	}
	return o.Pattern == nil || o.Pattern.MatchString(t.ID) || o.Pattern.MatchString(t.Family)
}

// runner holds what a run knows.
type runner struct {
	Options
	s       *servers
	direct  map[string]answer // everyday cases of side a, by case and form
	verdict map[string]string // evasion cases, by case and form
	done    int
	last    time.Time
}

// Run runs the corpus directly and in each mode through weir.
func Run(ctx context.Context, o Options) ([]Phase, error) {
	if len(o.Corpus.unknown) > 0 {
		fmt.Fprintf(o.Progress, "keys of cases that are not known here: %q\n", o.Corpus.unknown)
	}
	s, err := startServers(ctx, o.Corpus)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	r := &runner{Options: o, s: s, direct: map[string]answer{}, verdict: map[string]string{}}
	if err := r.askDirectly(ctx); err != nil {
		return nil, err
	}
	var phases []Phase
	for _, mode := range o.Modes {
		p, err := r.phase(ctx, mode)
		if err != nil {
			return nil, fmt.Errorf("elsewhere %s: %w", mode, err)
		}
		phases = append(phases, *p)
	}
	fmt.Fprint(o.Progress, "\r\033[K")
	return phases, nil
}

func (r *runner) step(what, id string) {
	r.done++
	if time.Since(r.last) > time.Second {
		r.last = time.Now()
		fmt.Fprintf(r.Progress, "\r\033[KMariaDB %s: %d runs  %s", what, r.done, id)
	}
}

// each calls f for each form of each case that runs.
func (r *runner) each(ctx context.Context, modes []string, f func(t *testCase, everyday bool, form form) error) error {
	for i, t := range slices.Concat(r.Corpus.everyday, r.Corpus.cases) {
		if !r.takes(t) || !slices.ContainsFunc(modes, t.runsIn) {
			continue
		}
		for _, form := range t.forms(r.Narrow) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(t, i < len(r.Corpus.everyday), form); err != nil {
				return fmt.Errorf("case %s: %w", t.ID, err)
			}
		}
	}
	return nil
}

func key(t *testCase, f form) string { return t.ID + "/" + string(f) }

func (r *runner) askDirectly(ctx context.Context) error {
	return r.each(ctx, r.Modes, func(t *testCase, everyday bool, f form) error {
		r.step("directly", t.ID)
		switch {
		case everyday:
			got, err := r.ask(ctx, sideA, r.s.direct(sideA), t, f)
			r.direct[key(t, f)] = got
			if err != nil {
				return err
			}
		case r.Unchecked:
			r.verdict[key(t, f)] = outcomeClosed
			return nil
		default:
			a, b, err := r.askBoth(ctx, r.s.direct, t, f)
			if err != nil {
				return err
			}
			r.verdict[key(t, f)] = outcomeClosed
			if a.equal(b) {
				r.verdict[key(t, f)] = outcomeVoid
			}
		}
		return r.s.restore(ctx, t)
	})
}

// ask runs a case on a side.
func (r *runner) ask(ctx context.Context, name string, way door, t *testCase, f form) (answer, error) {
	steps, err := r.s.expandSteps(ctx, name, t.steps(f))
	if err != nil {
		return nil, err
	}
	var meanwhile []background
	for _, b := range t.Background {
		for i, text := range b.SQL {
			if i == 0 {
				b.SQL = slices.Clone(b.SQL)
			}
			if b.SQL[i], err = r.s.expand(ctx, name, text); err != nil {
				return nil, err
			}
		}
		meanwhile = append(meanwhile, b)
	}
	other := way
	other.address, other.tls, other.user, other.password = r.s.sides[name].address(), false, otherUser, analystWord
	other.database = database
	stop, err := others(ctx, other, meanwhile)
	if err != nil {
		return nil, err
	}
	defer stop()
	a, id := runSession(ctx, way, t, steps)
	var ids []uint32
	if numbers.MatchString(t.statements()) {
		ids = []uint32{id}
	}
	a.normalise(name, ids)
	return a.extract(t.Extract), nil
}

// numbers are what shows the number of a connection.
var numbers = regexp.MustCompile(`(?i)connection_id|processlist|kill|thread|innodb_trx|locks?\b`)

// askBoth runs a case on both sides at once.
func (r *runner) askBoth(ctx context.Context, way func(side string) door, t *testCase, f form) (a, b answer, err error) {
	r.s.unique++
	var errA, errB error
	var wg sync.WaitGroup
	wg.Go(func() { a, errA = r.ask(ctx, sideA, way(sideA), t, f) })
	wg.Go(func() { b, errB = r.ask(ctx, sideB, way(sideB), t, f) })
	wg.Wait()
	if errA != nil {
		return a, b, errA
	}
	return a, b, errB
}

// attempts is how often a case that differs runs in all: what depends on a
// protected value does so every time.
const attempts = 3

func (r *runner) phase(ctx context.Context, elsewhere string) (*Phase, error) {
	began := time.Now()
	p := &Phase{Server: "MariaDB " + r.s.version, Elsewhere: elsewhere}
	w, err := r.startWeir(ctx, filepath.Join(r.Folder, "mariadb-"+elsewhere), elsewhere)
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	way := func(side string) door {
		return door{address: fmt.Sprintf("127.0.0.1:%d", w.Port), user: analyst + "@" + datasourceOf(side), password: doorPassword, database: database, tls: true}
	}
	err = r.each(ctx, []string{elsewhere}, func(t *testCase, everyday bool, f form) error {
		select {
		case <-w.Exited():
			return fmt.Errorf("weir ended; its log is %s", w.Log)
		default:
		}
		r.step("elsewhere "+elsewhere, t.ID)
		res := Result{Case: t.ID, Family: t.Family, Everyday: everyday, Form: string(f), Statements: t.statements()}
		var err error
		if everyday {
			err = r.everyday(ctx, way, t, f, &res)
		} else {
			err = r.evasion(ctx, way, t, f, &res)
		}
		if err != nil {
			return err
		}
		p.Results = append(p.Results, res)
		return r.s.restore(ctx, t)
	})
	p.Seconds = time.Since(began).Seconds()
	if err == nil && r.Chance.wanted() {
		p.ByChance, err = r.byChance(ctx, way, elsewhere)
		err = errors.Join(err, r.s.reload(ctx)) // numbers that were given out are not taken back
	}
	return p, err
}

func (r *runner) everyday(ctx context.Context, way func(string) door, t *testCase, f form, res *Result) error {
	got, err := r.ask(ctx, sideA, way(sideA), t, f)
	res.How = howAnswered(got)
	res.Outcome, res.Difference = judgeEveryday(t, r.direct[key(t, f)], got)
	return err
}

func (r *runner) evasion(ctx context.Context, way func(string) door, t *testCase, f form, res *Result) error {
	a, b, err := r.askBoth(ctx, way, t, f)
	if err != nil {
		return err
	}
	res.How, res.Outcome = howAnswered(a), r.verdict[key(t, f)]
	if a.equal(b) {
		return nil
	}
	res.Outcome, res.Difference = outcomeLeak, difference("a", "b", a, b)
	for range attempts - 1 {
		if err := r.s.restore(ctx, t); err != nil {
			return err
		}
		if a, b, err = r.askBoth(ctx, way, t, f); err != nil {
			return err
		}
		if a.equal(b) {
			res.Outcome = outcomeUnsteady
			return nil
		}
	}
	direct := r.s.direct(sideA)
	x, err := r.ask(ctx, sideA, direct, t, f)
	if err == nil {
		err = r.s.restore(ctx, t)
	}
	if err != nil {
		return err
	}
	y, err := r.ask(ctx, sideA, direct, t, f)
	if !x.equal(y) {
		res.Outcome = outcomeNoisy
	}
	return err
}

// startWeir starts weir in front of both sides.
func (r *runner) startWeir(ctx context.Context, folder, elsewhere string) (*weirserver.Server, error) {
	sources := ""
	for _, name := range []string{sideA, sideB} {
		sources += fmt.Sprintf("  - {name: %s, engine: mysql, database: %s, project: leaks, address: \"%s\", user: %s, password: %s, tls: {mode: disable}}\n",
			datasourceOf(name), database, r.s.sides[name].address(), analyst, analystWord)
	}
	return weirserver.Start(ctx, weirserver.Options{Binary: r.Weir, Folder: folder, Protocol: "mysql", Listener: "self_signed: true",
		Datasources: sources, More: "limits: {drain: 5s, connections_per_user: 500}\nlog: {level: warn}\n",
		Policy: r.policy(elsewhere), Groups: []string{"analysts"},
		People: []weirserver.Person{{Name: analyst, Group: "analysts", Password: doorPassword}}})
}

// policy is weir's for the run: everything is allowed and nothing unmasked.
func (r *runner) policy(elsewhere string) map[string]string {
	columns := map[string]map[string]map[string]string{}
	for _, m := range r.s.masks {
		if columns[m.Schema] == nil {
			columns[m.Schema] = map[string]map[string]string{}
		}
		if columns[m.Schema][m.Table] == nil {
			columns[m.Schema][m.Table] = map[string]string{}
		}
		columns[m.Schema][m.Table][m.Column] = m.function
	}
	text, _ := json.Marshal(map[string]any{"columns": columns, "elsewhere": elsewhere}) // of strings alone
	return map[string]string{"policy.yaml": policyYAML, "protected.rego": policyRego, "leaks/data.json": string(text)}
}

const policyYAML = `version: 1
projects:
  leaks: {datasources: [side_a, side_b]}
grants:
  - name: the restricted analyst
    who: {groups: [analysts]}
    allow: ["*"]
`

const policyRego = `package weir

mask_candidates contains {
	"schema": t.schema, "table": t.name, "column": c.name,
	"function": f, "elsewhere": data.leaks.elsewhere,
} if {
	some t in input.statement.tables
	some c in t.columns
	f := data.leaks.columns[t.schema][t.name][c.name]
}
`
