package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// counts are the figures of a phase. Cases are counted, not their forms: one
// leaks or is refused if one of its forms does.
type counts struct {
	Leaks    int `json:"leaks"`
	Counted  int `json:"counted"` // cases that show something without weir
	Void     int `json:"void"`
	Noisy    int `json:"noisy"`
	Unsteady int `json:"unsteady"`
	Runs     int `json:"runs"`
	Refused  int `json:"everyday_refused"`
	Changed  int `json:"everyday_changed"`
	Reworded int `json:"everyday_reworded"`
	Everyday int `json:"everyday"`
	Unlike   int `json:"unlike_constants"`
}

// worst orders outcomes: that of a case is the worst of its forms.
var worst = []string{outcomeKept, outcomeClosed, outcomeVoid, outcomeNoisy, outcomeUnsteady, outcomeReworded, outcomeRefused, outcomeChanged, outcomeLeak}

// byCase gives the outcome of each case, in the order of the run.
func (p *phase) byCase() (order []string, outcome map[string]string) {
	outcome = map[string]string{}
	for _, r := range p.Results {
		old, known := outcome[r.Case]
		if !known {
			order = append(order, r.Case)
		}
		if !known || slices.Index(worst, r.Outcome) > slices.Index(worst, old) {
			outcome[r.Case] = r.Outcome
		}
	}
	return order, outcome
}

func (p *phase) counts() counts {
	c := counts{Runs: len(p.Results)}
	_, outcome := p.byCase()
	unlike := map[string]bool{}
	everyday := map[string]bool{}
	for _, r := range p.Results {
		everyday[r.Case] = r.Everyday
		unlike[r.Case] = unlike[r.Case] || r.Unlike
	}
	for id, o := range outcome {
		if everyday[id] {
			c.Everyday++
		}
		switch o {
		case outcomeLeak:
			c.Leaks++
			c.Counted++
		case outcomeClosed:
			c.Counted++
		case outcomeUnsteady:
			c.Unsteady++
			c.Counted++
		case outcomeVoid:
			c.Void++
		case outcomeNoisy:
			c.Noisy++
		case outcomeRefused:
			c.Refused++
		case outcomeChanged:
			c.Changed++
		case outcomeReworded:
			c.Reworded++
		}
		if unlike[id] {
			c.Unlike++
		}
	}
	return c
}

// allowedRefusals is the share of everyday cases that may be refused.
var allowedRefusals = map[string]float64{"refuse": 0.02, "masked": 0.005}

func (c counts) refusedShare() float64 {
	if c.Everyday == 0 {
		return 0
	}
	return float64(c.Refused) / float64(c.Everyday)
}

// failed says whether a phase breaks the promise.
func (p *phase) failed() bool {
	c := p.counts()
	return p.ByChance != nil && p.ByChance.Failed() || c.Leaks > 0 || c.Changed > 0 || c.refusedShare() > allowedRefusals[p.Elsewhere]
}

func (p *phase) title() string {
	if p.Server != "" {
		return fmt.Sprintf("%s, elsewhere: %s", p.Server, p.Elsewhere)
	}
	return fmt.Sprintf("PostgreSQL %d, elsewhere: %s", p.Major, p.Elsewhere)
}

// summary is the line that a phase comes down to.
func (p *phase) summary() string {
	c := p.counts()
	line := fmt.Sprintf("leaks %d/%d   everyday refused %d/%d (%.1f %%), changed %d", c.Leaks, c.Counted, c.Refused, c.Everyday, 100*c.refusedShare(), c.Changed)
	var more []string
	for _, m := range []struct {
		n    int
		what string
	}{{c.Void, "void"}, {c.Noisy, "noisy"}, {c.Unsteady, "unsteady"}, {c.Reworded, "reworded"}, {c.Unlike, "unlike the constants"}} {
		if m.n > 0 {
			more = append(more, fmt.Sprintf("%d %s", m.n, m.what))
		}
	}
	if len(more) > 0 {
		line += "   (" + strings.Join(more, ", ") + ")"
	}
	line = fmt.Sprintf("%s: %s, %d runs in %.0f s", p.title(), line, c.Runs, p.Seconds)
	if r := p.ByChance; r != nil {
		line += fmt.Sprintf("\n%s: by chance %d statements, seed %d: leaks %d, in %.0f s", p.title(), r.Statements, r.Seed, len(r.Findings), r.Seconds)
	}
	return line
}

// write prints what went wrong, and with verbose everything.
func (p *phase) write(w io.Writer, verbose bool) {
	fmt.Fprintf(w, "\n== %s\n", p.title())
	p.writeFamilies(w)
	for _, part := range []struct{ outcome, title string }{
		{outcomeLeak, "leaks"}, {outcomeChanged, "everyday cases that are changed"}, {outcomeRefused, "everyday cases that are refused"},
		{outcomeReworded, "everyday cases that fail in other words"},
		{outcomeUnsteady, "differ now and then"}, {outcomeNoisy, "differ from themselves without weir"}, {outcomeVoid, "show nothing without weir"},
	} {
		p.writePart(w, part.outcome, part.title)
	}
	if p.ByChance != nil {
		fmt.Fprintln(w, "\nmade up by chance:")
		p.ByChance.Write(w)
	}
	if !verbose {
		return
	}
	fmt.Fprintf(w, "\nanswered unlike the constants:\n")
	for _, r := range p.Results {
		if r.Unlike && r.Outcome == outcomeClosed {
			fmt.Fprintf(w, "  %s (%s) %s\n      %s\n", r.Case, r.Form, r.Statements, r.Difference)
		}
	}
	fmt.Fprintf(w, "\nall:\n")
	for _, r := range p.Results {
		fmt.Fprintf(w, "  %-9s %-14s %s (%s) %s\n", r.Outcome, r.How, r.Case, r.Form, short(r.Statements))
	}
}

func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > shown {
		return strings.ToValidUTF8(s[:shown], "") + "…"
	}
	return s
}

func (p *phase) writePart(w io.Writer, outcome, title string) {
	first, written := true, map[string]bool{}
	for _, r := range p.Results {
		if r.Outcome != outcome || outcome == outcomeVoid && written[r.Case] {
			continue
		}
		if first {
			fmt.Fprintf(w, "\n%s:\n", title)
			first = false
		}
		written[r.Case] = true
		fmt.Fprintf(w, "  %s (%s) %s\n", r.Case, r.Form, short(r.Statements))
		if r.Difference != "" {
			fmt.Fprintf(w, "      %s\n", r.Difference)
		}
	}
}

// writeFamilies prints how the cases of each family fare.
func (p *phase) writeFamilies(w io.Writer) {
	type row struct{ cases, refused, answered, leaks, changed, other int }
	rows := map[string]*row{}
	var order []string
	_, outcome := p.byCase()
	seen := map[string]bool{}
	for _, r := range p.Results {
		name := r.Family
		if r.Everyday {
			name += " (everyday)"
		}
		if rows[name] == nil {
			rows[name] = &row{}
			order = append(order, name)
		}
		if seen[r.Case] {
			continue
		}
		seen[r.Case] = true
		f := rows[name]
		f.cases++
		switch o := outcome[r.Case]; {
		case o == outcomeLeak:
			f.leaks++
		case o == outcomeChanged:
			f.changed++
		case o == outcomeRefused || o == outcomeClosed && r.How != "answered":
			f.refused++
		case o == outcomeClosed || o == outcomeKept:
			f.answered++
		default:
			f.other++
		}
	}
	fmt.Fprintf(w, "%-24s %6s %8s %9s %6s %8s %6s\n", "family", "cases", "refused", "answered", "leaks", "changed", "other")
	for _, name := range order {
		f := rows[name]
		fmt.Fprintf(w, "%-24s %6d %8d %9d %6d %8d %6d\n", name, f.cases, f.refused, f.answered, f.leaks, f.changed, f.other)
	}
}

// progress writes one line that changes.
type progress struct {
	w     io.Writer
	what  string
	began time.Time
	mu    sync.Mutex // guards what follows
	done  int
	last  time.Time
}

func newProgress(w io.Writer, what string) *progress {
	return &progress{w: w, what: what, began: time.Now()}
}

func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if time.Since(p.last) < time.Second {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.w, "\r\033[K%s: %d runs, %s  %s", p.what, p.done, time.Since(p.began).Round(time.Second), name)
}

func (p *progress) end() { fmt.Fprint(p.w, "\r\033[K") }
