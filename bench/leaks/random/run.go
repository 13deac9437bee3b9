package random

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// World is the way to both sides.
type World struct {
	A, B             Dial // through weir, as the restricted analyst
	DirectA, DirectB Dial // as the analyst on the server itself
	AdminA, AdminB   func(ctx context.Context) (*pgx.Conn, error)
	Role             string // the analyst's on the server
	Protected        []ColumnName
}

// Options bound a run. It ends with the first bound that is reached.
type Options struct {
	Statements int           // 0: no bound
	Time       time.Duration // 0: no bound
	Seed       uint64
	First      int // number of the first session, to repeat one
	Bias       Bias
	// Direct is how many percent of the sessions also run without weir, to learn
	// what the server accepts and what would differ there.
	Direct   int
	Findings int // end after so many; 0: no bound
	// Again repeats each session when weir has seen many others since, and asks
	// whether it answers as before: what it keeps of statements must not mix them up.
	Again    bool
	Progress io.Writer
}

// Finding is a session that differs, made small.
type Finding struct {
	Session    int
	Steps      []Step
	Difference string
	// OrderOnly says that the same rows come in another order.
	OrderOnly bool
}

// Summary is what a run did.
type Summary struct {
	Seed       uint64
	Sessions   int
	Statements int // without frames
	Passed     int // statements that weir and the server completed
	TimedOut   int
	Unsteady   int // differed once, and not when repeated
	Crashed    int // sessions that ended the database server itself
	Repeated   int // statements asked again later
	Changed    []Change
	Seconds    float64

	// Of the sample that ran directly, too:
	Sampled, Accepted int // by the server
	Through           int // by the server, and through weir
	Telling           int // answered through weir, and the direct answers differ between the sides
	Differ            int // direct answers differ between the sides

	Odd      []string          // internal errors and lost connections, alike on both sides
	ByManner map[string][2]int // statements, passed
	States   map[string]int    // SQLSTATEs through weir
	Coverage map[string]int
	Findings []Finding
}

// Change is a statement that was answered otherwise when a session was repeated.
type Change struct {
	Session, Step  int
	SQL            string
	Before, Behind string // SQLSTATE and a digest of the answer
}

// run is one run of a Runner.
type run struct {
	w       World
	o       Options
	gen     *Generator
	sum     *Summary
	cooled  int    // texts made anew
	newest  uint32 // the largest OID that is there before
	adminA  *pgx.Conn
	adminB  *pgx.Conn
	answers map[int][]string // digests by session, of those to be repeated
}

// Run makes sessions and runs them on both sides until a bound of o. The
// planners should be blinded before (Blind).
func Run(ctx context.Context, w World, o Options) (*Summary, error) {
	r := &run{w: w, o: o, sum: &Summary{Seed: o.Seed, ByManner: map[string][2]int{}, States: map[string]int{}}}
	var err error
	if r.adminA, err = w.AdminA(ctx); err != nil {
		return nil, err
	}
	defer r.adminA.Close(ctx)
	if r.adminB, err = w.AdminB(ctx); err != nil {
		return nil, err
	}
	defer r.adminB.Close(ctx)
	for _, conn := range []*pgx.Conn{r.adminA, r.adminB} {
		if _, err := conn.Exec(ctx, "SET statement_timeout = 0"); err != nil {
			return nil, err
		}
	}
	known := map[ColumnName]bool{}
	for _, c := range w.Protected {
		known[c] = true
	}
	catalog, err := Load(ctx, r.adminA, r.adminB, w.Role, func(s, t, c string) bool { return known[ColumnName{s, t, c}] })
	if err != nil {
		return nil, err
	}
	if err := r.adminA.QueryRow(ctx, "SELECT greatest((SELECT max(oid) FROM pg_class), (SELECT max(oid) FROM pg_type))").Scan(&r.newest); err != nil {
		return nil, err
	}
	if err := r.refused(ctx, catalog); err != nil {
		return nil, err
	}
	r.gen = NewGenerator(catalog, o.Bias, o.Seed)
	r.sum.Coverage = r.gen.Coverage
	began := time.Now()
	for n := o.First; !r.done(began); n++ {
		if err := r.session(ctx, n); err != nil {
			return r.sum, fmt.Errorf("session %d: %w", n, err)
		}
		if n%400 == 399 {
			if err := r.tidy(ctx); err != nil {
				return r.sum, err
			}
		}
		if o.Again && len(r.answers) >= 150 {
			if err := r.again(ctx); err != nil {
				return r.sum, err
			}
		}
		r.progress(n, began)
	}
	if err := r.again(ctx); err != nil {
		return r.sum, err
	}
	r.sum.Seconds = time.Since(began).Seconds()
	return r.sum, nil
}

// refused marks relations that cannot be read at all: statements over them
// would show nothing. They are for sneaky sessions.
func (r *run) refused(ctx context.Context, catalog *Catalog) error {
	c, err := connect(ctx, r.w.A, r.newest)
	if err != nil {
		return err
	}
	defer c.close()
	for _, rel := range catalog.Relations {
		a := c.run(&Step{Q: "SELECT * FROM " + rel.qualified() + " LIMIT 1"})
		if a.err != nil {
			return a.err
		}
		rel.Leaky = rel.Leaky || a.errors > 0
	}
	return nil
}

func (r *run) done(began time.Time) bool {
	return r.o.Statements > 0 && r.sum.Statements >= r.o.Statements || r.o.Time > 0 && time.Since(began) >= r.o.Time ||
		r.o.Findings > 0 && len(r.sum.Findings) >= r.o.Findings
}

func (r *run) progress(n int, began time.Time) {
	if r.o.Progress != nil && n%50 == 49 {
		fmt.Fprintf(r.o.Progress, "\r%d statements, %.0f/s, %d findings ", r.sum.Statements, float64(r.sum.Statements)/time.Since(began).Seconds(), len(r.sum.Findings))
	}
}

// tidy gives both sides the same sequences, and the room of dead rows back.
func (r *run) tidy(ctx context.Context) error {
	for _, conn := range []*pgx.Conn{r.adminA, r.adminB} {
		if _, err := conn.Exec(ctx, "VACUUM"); err != nil {
			return fmt.Errorf("tidy: %w", err)
		}
	}
	return r.align(ctx)
}

// align sets sequences of both sides to the same values: they do not go back with a transaction.
func (r *run) align(ctx context.Context) error {
	for _, conn := range []*pgx.Conn{r.adminA, r.adminB} {
		if _, err := conn.Exec(ctx, "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 5000000, false) FROM pg_sequences WHERE schemaname !~ '^pg_temp' AND max_value > 5000000"); err != nil {
			return fmt.Errorf("align sequences: %w", err)
		}
	}
	return nil
}

// session runs one session and pursues a difference.
func (r *run) session(ctx context.Context, n int) error {
	s := r.gen.Session(n)
	if r.o.Direct > 0 && n%100 < r.o.Direct {
		if err := r.sample(ctx, s); err != nil {
			return err
		}
	}
	if r.o.Again {
		if err := r.align(ctx); err != nil {
			return err
		}
	}
	out, err := r.both(ctx, s.Steps, r.w.A, r.w.B)
	if err != nil {
		return err
	}
	r.count(s, out)
	r.sum.Sessions++
	if out.timedOut {
		r.sum.TimedOut++
		return nil
	}
	if out.difference == "" {
		if r.o.Again {
			r.remember(n, s.Steps, out)
		}
		return nil
	}
	return r.pursue(ctx, n, s.Steps[:out.last+1])
}

func (r *run) count(s *Session, out *outcome) {
	m := r.sum.ByManner[s.Manner]
	for i, a := range out.a {
		if s.Steps[i].Frame {
			continue
		}
		r.sum.Statements++
		if s.Steps[i].Apart {
			continue
		}
		m[0]++
		if (a.state == internalError || a.err != nil) && len(r.sum.Odd) < 20 {
			r.sum.Odd = append(r.sum.Odd, fmt.Sprintf("%v %s: %s", a.err, a.message(), s.Steps[i].Text()))
		}
		if a.errors == 0 && a.err == nil {
			r.sum.Passed++
			m[1]++
		} else {
			r.sum.States[a.state]++
		}
	}
	r.sum.ByManner[s.Manner] = m
}

// sample runs a session without weir, too.
func (r *run) sample(ctx context.Context, s *Session) error {
	direct, err := r.all(ctx, s.Steps, r.w.DirectA, r.w.DirectB)
	if err != nil {
		return err
	}
	if err := r.align(ctx); err != nil {
		return err
	}
	weir, err := r.all(ctx, s.Steps, r.w.A, r.w.B)
	if err != nil {
		return err
	}
	for i := range min(len(direct.a), len(weir.a)) {
		if s.Steps[i].Frame || s.Steps[i].Apart {
			continue
		}
		r.sum.Sampled++
		accepted := direct.a[i].errors == 0
		differs := difference(&direct.a[i], &direct.b[i], s.Steps[i].Unordered) != ""
		through := weir.a[i].errors == 0
		if accepted {
			r.sum.Accepted++
		}
		if accepted && through {
			r.sum.Through++
		}
		if differs {
			r.sum.Differ++
		}
		if differs && through {
			r.sum.Telling++
		}
	}
	return r.align(ctx)
}

// outcome is what both sides answered.
type outcome struct {
	a, b       []answer
	last       int // step at which it ended
	difference string
	orderOnly  bool
	timedOut   bool
}

// both runs steps on both sides, step by step, until answers differ.
func (r *run) both(ctx context.Context, steps []Step, da, db Dial) (*outcome, error) {
	return r.run(ctx, steps, da, db, true)
}

// all runs all steps whatever the answers.
func (r *run) all(ctx context.Context, steps []Step, da, db Dial) (*outcome, error) {
	return r.run(ctx, steps, da, db, false)
}

func (r *run) run(ctx context.Context, steps []Step, da, db Dial, stop bool) (*outcome, error) {
	var ca, cb *client
	var ea, eb error
	var wg sync.WaitGroup
	wg.Go(func() { ca, ea = connect(ctx, da, r.newest) })
	wg.Go(func() { cb, eb = connect(ctx, db, r.newest) })
	wg.Wait()
	if ca != nil {
		defer ca.close()
	}
	if cb != nil {
		defer cb.close()
	}
	if err := errors.Join(ea, eb); err != nil {
		return nil, err
	}
	out := &outcome{}
	for i := range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var a, b answer
		wg.Go(func() { a = ca.run(&steps[i]) })
		wg.Go(func() { b = cb.run(&steps[i]) })
		wg.Wait()
		out.a, out.b, out.last = append(out.a, a), append(out.b, b), i
		if a.state == canceled || b.state == canceled || a.late() || b.late() {
			out.timedOut = true
			return out, nil
		}
		if d := difference(&a, &b, steps[i].Unordered); d != "" && stop {
			out.difference = d
			out.orderOnly = difference(&a, &b, true) == ""
			return out, nil
		}
		if a.err != nil || b.err != nil {
			return out, nil
		}
	}
	return out, nil
}

const (
	canceled      = "57014"
	internalError = "XX000"
)

// keeps says that steps could change the databases for good: a smaller session
// may have lost its BEGIN.
func keeps(steps []Step) bool {
	open, wrote := false, false
	for i := range steps {
		text := steps[i].Text()
		first, rest, _ := strings.Cut(text, " ")
		switch {
		case first == "BEGIN" || first == "START":
			open, wrote = true, false
		case (first == "ROLLBACK" || first == "ABORT") && !strings.HasPrefix(rest, "TO"):
			open = false
		case first == "COMMIT":
			if wrote {
				return true
			}
			open = false
		case writes(text) && !strings.HasPrefix(text, "CREATE TEMP"):
			if !open {
				return true
			}
			wrote = true
		}
	}
	return false
}

// pursue repeats a difference and makes its session small.
func (r *run) pursue(ctx context.Context, n int, steps []Step) error {
	differs := func(steps []Step) (string, bool, error) {
		if keeps(steps) {
			return "", false, nil
		}
		if err := r.align(ctx); err != nil {
			return "", false, err
		}
		out, err := r.both(ctx, steps, r.w.A, r.w.B)
		if err != nil || out.timedOut {
			return "", false, err
		}
		return out.difference, out.orderOnly, nil
	}
	for range 2 {
		if err := r.tidy(ctx); err != nil {
			return err
		}
		d, _, err := differs(steps)
		if err != nil {
			return err
		}
		if d == "" {
			r.sum.Unsteady++
			return nil
		}
	}
	small, err := shrink(ctx, steps, func(steps []Step) (bool, error) {
		d, _, err := differs(steps)
		return d != "", err
	})
	if err != nil {
		return err
	}
	d, order, err := differs(small)
	if err != nil {
		return err
	}
	f := Finding{Session: n, Steps: small, Difference: d, OrderOnly: order}
	r.sum.Findings = append(r.sum.Findings, f)
	if r.o.Progress != nil {
		fmt.Fprintf(r.o.Progress, "\nfound:\n%s\n%s\n", f.Case(r.o.Seed), d)
	}
	return nil
}
