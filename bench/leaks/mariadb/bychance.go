package mariadb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	pg "github.com/weirdb/weir/bench/leaks/random"

	"github.com/weirdb/weir/bench/leaks/mariadb/random"
)

// Chance says how many sessions are made up, and from which seed.
type Chance struct {
	Statements int           // 0: no bound
	Time       time.Duration // 0: no bound
	Seed       uint64
	First      int // number of the first session
}

func (c Chance) wanted() bool { return c.Statements > 0 || c.Time > 0 }

const (
	alsoDirect = 4   // percent of the sessions that run without weir too
	findings   = 20  // differences after which a run ends
	maxTries   = 400 // runs that making one session small may take
)

// chanceRun runs sessions that are made up, in one mode of the masks.
type chanceRun struct {
	*runner
	way func(side string) door
	sum *pg.Summary
}

func (r *runner) byChance(ctx context.Context, way func(string) door, elsewhere string) (*pg.Summary, error) {
	catalog, err := random.Load(ctx, r.s.sides[sideA].db, r.s.sides[sideB].db)
	if err != nil {
		return nil, err
	}
	bias := random.DefaultBias
	if elsewhere == "masked" {
		bias = random.MaskedBias
	}
	g := random.NewGenerator(catalog, bias, r.Chance.Seed)
	c := &chanceRun{runner: r, way: way, sum: &pg.Summary{Seed: r.Chance.Seed, ByManner: map[string][2]int{}, States: map[string]int{}, Coverage: g.Coverage}}
	began := time.Now()
	for n := r.Chance.First; !c.done(began); n++ {
		if err := c.session(ctx, n, g.Session(n)); err != nil {
			return c.sum, fmt.Errorf("session %d: %w", n, err)
		}
		if n%20 == 19 {
			fmt.Fprintf(r.Progress, "\r\033[KMariaDB by chance: %d statements, %.0f/s, %d findings", c.sum.Statements, float64(c.sum.Statements)/time.Since(began).Seconds(), len(c.sum.Findings))
		}
	}
	c.sum.Seconds = time.Since(began).Seconds()
	return c.sum, nil
}

func (c *chanceRun) done(began time.Time) bool {
	o := c.Chance
	return o.Statements > 0 && c.sum.Statements >= o.Statements || o.Time > 0 && time.Since(began) >= o.Time || len(c.sum.Findings) >= findings
}

// exchanges are the steps of statements, and which of them each begins with.
func exchanges(list []random.Statement) (steps []step, first []int) {
	for i := range list {
		first = append(first, len(steps))
		text := []byte(list[i].Text())
		switch {
		case list[i].Cursor:
			steps = append(steps, step{kind: "prep", sql: text}, step{kind: "exec", cursor: true}, step{kind: "fetch", fetch: 3}, step{kind: "close_stmt"})
		case list[i].Prepared:
			steps = append(steps, step{kind: "prep", sql: text}, step{kind: "exec"}, step{kind: "close_stmt"})
		default:
			steps = append(steps, step{kind: "q", sql: text})
		}
	}
	return steps, first
}

// told is what came back to each statement.
type told []answer

func (t told) differs(u told) int {
	for i := range min(len(t), len(u)) {
		if !t[i].equal(u[i]) {
			return i
		}
	}
	if len(t) != len(u) {
		return min(len(t), len(u))
	}
	return -1
}

// late says that a statement ran out of time: where, is chance.
func (t told) late() bool {
	return slices.ContainsFunc(t, func(a answer) bool {
		code, _, _ := a.failure()
		return strings.HasPrefix(code, "1969 ") || slices.ContainsFunc(a, func(m message) bool { return m.kind == kindTimeout })
	})
}

func (c *chanceRun) ask(ctx context.Context, side string, way door, list []random.Statement) told {
	steps, first := exchanges(list)
	got, marks, id := runMarked(ctx, way, &testCase{}, steps)
	got.normalise(side, []uint32{id})
	if len(marks) == 0 {
		return told{got}
	}
	var out told
	for i, f := range first {
		if f >= len(marks) {
			break
		}
		end := len(got)
		if i+1 < len(first) && first[i+1] < len(marks) {
			end = marks[first[i+1]]
		}
		out = append(out, got[marks[f]:end])
	}
	return out
}

func (c *chanceRun) both(ctx context.Context, way func(string) door, list []random.Statement) (a, b told) {
	var wg sync.WaitGroup
	wg.Go(func() { a = c.ask(ctx, sideA, way(sideA), list) })
	wg.Go(func() { b = c.ask(ctx, sideB, way(sideB), list) })
	wg.Wait()
	return a, b
}

func (c *chanceRun) session(ctx context.Context, n int, s random.Session) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a, b := c.both(ctx, c.way, s.Statements)
	if crashed, err := c.crashed(ctx, n, s, a, b); crashed || err != nil {
		return err
	}
	for _, t := range []told{a, b} {
		if len(t) > 0 && len(t[0]) > 0 && t[0][0].kind == kindRefused {
			return errors.New(t[0][0].String())
		}
	}
	c.count(s, a)
	if n%100 < alsoDirect {
		c.sample(ctx, s, a)
	}
	switch at := a.differs(b); {
	case a.late() || b.late():
		c.sum.TimedOut++
		return nil
	case at < 0:
		return nil
	}
	return c.pursue(ctx, n, s)
}

// maxCrashes is how many sessions may end the database servers themselves.
const maxCrashes = 50

// crashed says that a session ended a database server itself, which is no word
// on weir, unless one side's server alone ends every time.
func (c *chanceRun) crashed(ctx context.Context, n int, s random.Session, a, b told) (bool, error) {
	dead, err := c.revive(ctx, a, b)
	if len(dead) == 0 || err != nil {
		return false, err
	}
	if c.sum.Crashed++; c.sum.Crashed > maxCrashes {
		return true, errors.New("the database servers end too often")
	}
	last := s.Statements[max(0, min(len(a), len(b), len(s.Statements))-1)]
	c.sum.Odd = append(c.sum.Odd[:min(len(c.sum.Odd), 19)], fmt.Sprintf("MariaDB of side %s ended: %s", strings.Join(dead, ", "), last.Text()))
	if len(dead) > 1 {
		return true, nil
	}
	a, b = c.both(ctx, c.way, s.Statements)
	again, err := c.revive(ctx, a, b)
	if err == nil && slices.Equal(again, dead) {
		f := pg.Finding{Session: n, Difference: "the server of side " + dead[0] + " ends and the other does not"}
		for i := range s.Statements {
			f.Steps = append(f.Steps, pg.Step{Q: s.Statements[i].Text()})
		}
		c.sum.Findings = append(c.sum.Findings, f)
	}
	return true, err
}

// revive starts servers again that have ended by themselves, if a session was
// cut short. It gives their sides.
func (c *chanceRun) revive(ctx context.Context, a, b told) (dead []string, err error) {
	if !a.ended() && !b.ended() {
		return nil, nil
	}
	for _, name := range []string{sideA, sideB} {
		if !c.s.sides[name].server.Ended(dying) {
			continue
		}
		dead = append(dead, name)
		if err := c.s.sides[name].server.Restart(ctx); err != nil {
			return dead, err
		}
	}
	if len(dead) > 0 {
		err = c.s.reload(ctx)
	}
	return dead, err
}

// dying is how long a server that crashes may be busy with saying so.
const dying = 3 * time.Second

func (t told) ended() bool { return len(t) > 0 && t[len(t)-1].ended() }

func (c *chanceRun) count(s random.Session, a told) {
	c.sum.Sessions++
	m := c.sum.ByManner[s.Manner]
	for i := range a {
		if s.Statements[i].Frame {
			continue
		}
		c.sum.Statements++
		m[0]++
		code, text, failed := a[i].failure()
		switch {
		case !failed:
			c.sum.Passed++
			m[1]++
		case strings.HasPrefix(code, "1105 ") || code == "":
			c.sum.Odd = append(c.sum.Odd[:min(len(c.sum.Odd), 19)], fmt.Sprintf("%s: %s", text, s.Statements[i].Text()))
			fallthrough
		default:
			c.sum.States[code]++
		}
	}
	c.sum.ByManner[s.Manner] = m
}

// sample runs a session without weir too.
func (c *chanceRun) sample(ctx context.Context, s random.Session, through told) {
	a, b := c.both(ctx, c.s.direct, s.Statements)
	for i := range min(len(a), len(b), len(through)) {
		if s.Statements[i].Frame {
			continue
		}
		_, _, refused := a[i].failure()
		_, _, stopped := through[i].failure()
		c.sum.Sampled++
		if !refused {
			c.sum.Accepted++
			if !stopped {
				c.sum.Through++
			}
		}
		if !a[i].equal(b[i]) {
			c.sum.Differ++
			if !stopped {
				c.sum.Telling++
			}
		}
	}
}

// pursue repeats a difference and makes its session small.
func (c *chanceRun) pursue(ctx context.Context, n int, s random.Session) error {
	list := s.Statements
	differs := func(list []random.Statement) (told, told, int) {
		if left := c.s.restore(ctx, &testCase{Writes: true}); left != nil {
			return nil, nil, -1
		}
		a, b := c.both(ctx, c.way, list)
		if dead, err := c.revive(ctx, a, b); a.late() || b.late() || len(dead) > 0 || err != nil {
			return a, b, -1
		}
		return a, b, a.differs(b)
	}
	for range 2 {
		if _, _, at := differs(list); at < 0 {
			c.sum.Unsteady++
			return ctx.Err()
		} else if at+1 < len(list) {
			list = list[:at+1]
		}
	}
	tries := 0
	keep := func(smaller []random.Statement) bool {
		if tries++; tries > maxTries || ctx.Err() != nil || len(smaller) == 0 {
			return false
		}
		_, _, at := differs(smaller)
		if at >= 0 {
			list = smaller[:min(at+1, len(smaller))]
		}
		return at >= 0
	}
	keep(list[len(list)-1:])
	for i := len(list) - 2; i >= 0; i-- {
		if i < len(list)-1 {
			keep(slices.Concat(list[:i], list[i+1:]))
		}
	}
	for i := len(list) - 1; i >= 0; i-- {
		if i >= len(list) {
			continue
		}
		with := func(st random.Statement) bool {
			l := slices.Clone(list)
			l[i] = st
			return keep(l)
		}
		with(list[i].Plain())
		for i < len(list) && list[i].Reductions(with) {
		}
	}
	a, b, at := differs(list)
	f := pg.Finding{Session: n, Difference: "it no longer differs"}
	if at >= 0 && at < len(a) && at < len(b) {
		f.Difference = difference("a", "b", a[at], b[at])
	}
	for i := range list {
		f.Steps = append(f.Steps, pg.Step{Q: list[i].Text()})
	}
	c.sum.Findings = append(c.sum.Findings, f)
	fmt.Fprintf(c.Progress, "\nfound:\n%s\n%s\n", f.Case(c.sum.Seed), f.Difference)
	return ctx.Err()
}
