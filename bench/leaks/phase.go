package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/weirdb/weir/bench/leaks/random"
)

// phase is one run of the corpus: a server version and a mode of the masks.
type phase struct {
	Major     int             `json:"postgresql,omitempty"`
	Server    string          `json:"server,omitempty"` // another server than PostgreSQL, with its version
	Elsewhere string          `json:"elsewhere"`
	Results   []result        `json:"results"`
	Seconds   float64         `json:"seconds"`
	ByChance  *random.Summary `json:"by_chance,omitempty"`
}

// directly holds the answers of a server without weir, by case and form.
type directly struct {
	cases map[string]directAnswers
}

type directAnswers struct {
	a       answer // of everyday cases
	verdict string // of evasion cases: closed if the sides differ, else void
}

func key(t *testCase, f form) string { return t.ID + "/" + string(f) }

// selection is what of a corpus runs.
type selection struct {
	corpus  *corpus
	pattern *regexp.Regexp // of ids and families; nil for all
	breadth breadth
	sample  uint32 // one in so many cases; 0 for all
	// unchecked takes it that evasion cases show something without weir.
	unchecked bool
}

func (s selection) takes(t *testCase) bool {
	if s.sample > 0 {
		h := fnv.New32a()
		_, _ = io.WriteString(h, t.ID) // never fails
		if h.Sum32()%s.sample != 0 {
			return false
		}
	}
	return s.pattern == nil || s.pattern.MatchString(t.ID) || s.pattern.MatchString(t.Family)
}

// any says whether anything is to run.
func (s selection) any(major int, elsewhere string) bool {
	for _, t := range slices.Concat(s.corpus.cases, s.corpus.everyday) {
		if s.takes(t) && t.runsIn(major, elsewhere) {
			return true
		}
	}
	return false
}

// askDirectly runs everything without weir.
func askDirectly(ctx context.Context, d *databases, sel selection, modes []string, cache *verdictCache, progress io.Writer) (*directly, error) {
	if err := d.reset(ctx); err != nil { // as before each phase, down to the order of catalog rows
		return nil, err
	}
	out := &directly{cases: map[string]directAnswers{}}
	p := newProgress(progress, fmt.Sprintf("PostgreSQL %d directly", d.major))
	defer p.end()
	for i, t := range slices.Concat(sel.corpus.everyday, sel.corpus.cases) { // everyday ones find the databases untouched
		everyday := i < len(sel.corpus.everyday)
		runs := false
		for _, mode := range modes {
			runs = runs || t.runsIn(d.major, mode)
		}
		if !runs || !sel.takes(t) {
			continue
		}
		for _, f := range t.forms(sel.breadth) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p.step(t.ID)
			id := cacheKey(d.digest, t)
			if sel.unchecked && !everyday {
				out.cases[key(t, f)] = directAnswers{verdict: outcomeClosed}
				continue
			}
			if v := cache.known[id]; !everyday && v != "" { // of any form: they ask the same
				out.cases[key(t, f)] = directAnswers{verdict: v}
				continue
			}
			steps, err := d.expand.steps(ctx, t.steps(f))
			if err != nil {
				return nil, fmt.Errorf("case %s: %w", t.ID, err)
			}
			way := func(side string) door { return d.direct(side, t.needs("superuser")) }
			var got directAnswers
			if everyday {
				if err := d.before(ctx, sideA, []string{dropTemporary}); err != nil {
					return nil, err
				}
				got.a = d.ask(ctx, sideA, way(sideA), t, steps)
			} else {
				got.verdict = d.verdict(ctx, t, steps, way)
				cache.known[id] = got.verdict
			}
			out.cases[key(t, f)] = got
		}
	}
	return out, nil
}

// verdict says what an evasion case shows without weir.
func (d *databases) verdict(ctx context.Context, t *testCase, steps []step, way func(side string) door) string {
	a, b := d.askBoth(ctx, t, steps, true, way)
	if a.equal(b) {
		return outcomeVoid
	}
	return outcomeClosed
}

// runPhase runs the corpus through weir in one mode of the masks.
func runPhase(ctx context.Context, binary, folder string, d *databases, sel selection, direct *directly, elsewhere string, progress io.Writer) (*phase, error) {
	began := time.Now()
	if err := d.reset(ctx); err != nil {
		return nil, err
	}
	if !sel.any(d.major, elsewhere) {
		return &phase{Major: d.major, Elsewhere: elsewhere}, nil
	}
	w, err := startWeir(ctx, binary, folder, d, elsewhere)
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	defer d.pool.close()
	r := &phaseRun{phase: &phase{Major: d.major, Elsewhere: elsewhere}, d: d, direct: direct,
		way: func(t *testCase) func(string) door {
			return func(side string) door { return through(w, d, side, t.needs("superuser")) }
		}}
	p := newProgress(progress, fmt.Sprintf("PostgreSQL %d, elsewhere %s", d.major, elsewhere))
	defer p.end()
	for _, kind := range []struct {
		list []*testCase
		run  func(context.Context, *testCase, form) error
	}{{sel.corpus.everyday, r.everyday}, {sel.corpus.cases, r.evasion}} {
		for _, t := range kind.list {
			if !sel.takes(t) || !t.runsIn(d.major, elsewhere) {
				continue
			}
			for _, f := range t.forms(sel.breadth) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				select {
				case <-w.Exited():
					return nil, fmt.Errorf("weir ended before case %s; its log is %s", t.ID, w.Log)
				default:
				}
				p.step(t.ID)
				if err := kind.run(ctx, t, f); err != nil {
					return nil, fmt.Errorf("case %s: %w", t.ID, err)
				}
			}
		}
	}
	r.phase.Seconds = time.Since(began).Seconds()
	return r.phase, nil
}

type phaseRun struct {
	phase  *phase
	d      *databases
	direct *directly
	way    func(*testCase) func(side string) door
}

func (r *phaseRun) add(t *testCase, f form, everyday bool) *result {
	r.phase.Results = append(r.phase.Results, result{Case: t.ID, Family: t.Family, Everyday: everyday, Form: f, Statements: t.statements()})
	return &r.phase.Results[len(r.phase.Results)-1]
}

// attempts is how often a case that differs runs in all: what depends on a
// protected value does so every time.
const attempts = 3

func (r *phaseRun) evasion(ctx context.Context, t *testCase, f form) error {
	steps, err := r.d.expand.steps(ctx, t.steps(f))
	if err != nil {
		return err
	}
	a, b := r.d.askBoth(ctx, t, steps, true, r.way(t))
	if f == formEvery && (a.ended() || b.ended()) { // then the forms after it have not run
		for _, one := range append([]form{formOwn}, t.others()...) {
			if err := r.evasion(ctx, t, one); err != nil {
				return err
			}
		}
		return nil
	}
	res := r.add(t, f, false)
	res.How = howAnswered(a)
	if r.phase.Elsewhere == "masked" && res.How == "answered" {
		if m := r.ofConstants(ctx, t, steps); !sameCells(m, a) {
			res.Unlike, res.Difference = true, difference("constants", "weir", m, a)
		}
	}
	switch {
	case !a.equal(b):
		res.Outcome, res.Difference = outcomeLeak, difference("a", "b", a, b)
		for range attempts - 1 {
			if a, b = r.d.askBoth(ctx, t, steps, false, r.way(t)); a.equal(b) {
				res.Outcome = outcomeUnsteady
			}
		}
		if r.noisy(ctx, t, steps) {
			res.Outcome = outcomeNoisy
		}
	default:
		if f != formEvery && f != formOwn && r.direct.cases[key(t, f)].verdict == "" {
			f = formEvery
		}
		res.Outcome = r.direct.cases[key(t, f)].verdict
	}
	return nil
}

// noisy says whether a side differs from itself without weir.
func (r *phaseRun) noisy(ctx context.Context, t *testCase, steps []step) bool {
	direct := r.d.direct(sideA, t.needs("superuser"))
	return !r.d.ask(ctx, sideA, direct, t, steps).equal(r.d.ask(ctx, sideA, direct, t, steps))
}

// ofConstants is what the database of constants answers without weir.
func (r *phaseRun) ofConstants(ctx context.Context, t *testCase, steps []step) answer {
	return r.d.ask(ctx, constants, r.d.direct(constants, t.needs("superuser")), t, steps)
}

func (r *phaseRun) everyday(ctx context.Context, t *testCase, f form) error {
	steps, err := r.d.expand.steps(ctx, t.steps(f))
	if err != nil {
		return err
	}
	res := r.add(t, f, true)
	direct := r.direct.cases[key(t, f)]
	if err := r.d.before(ctx, sideA, []string{dropTemporary}); err != nil {
		return err
	}
	got := r.d.ask(ctx, sideA, r.way(t)(sideA), t, steps)
	res.How = howAnswered(got)
	res.Outcome, res.Difference = judgeEveryday(t, direct.a, nil, got)
	if r.phase.Elsewhere == "masked" && res.Outcome != outcomeKept {
		res.Outcome, res.Difference = judgeEveryday(t, direct.a, r.ofConstants(ctx, t, steps), got)
	}
	return nil
}
