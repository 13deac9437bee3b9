package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is how one test ended.
type result struct {
	outcome string // pass, fail or skip
	detail  string // what was compared beyond the outcome, such as a script's output
}

// results are those of a suite, by name of test.
type results map[string]result

func (r results) summary() string {
	count := map[string]int{}
	for _, x := range r {
		count[x.outcome]++
	}
	parts := make([]string, 0, 3)
	for _, o := range []string{"pass", "skip", "fail"} {
		parts = append(parts, fmt.Sprintf("%d %s", count[o], o))
	}
	return fmt.Sprintf("%d tests: %s", len(r), strings.Join(parts, ", "))
}

// difference is a test whose results differ.
type difference struct{ test, text string }

// compare lists the tests whose results differ, in order of name.
func compare(direct, through results) []difference {
	names := slices.Sorted(maps.Keys(direct))
	for name := range through {
		if _, ok := direct[name]; !ok {
			names = append(names, name)
		}
	}
	var out []difference
	for _, name := range names {
		a, b := direct[name], through[name]
		for _, x := range []*result{&a, &b} {
			if x.outcome == "" {
				x.outcome = "missing"
			}
		}
		switch {
		case a.outcome != b.outcome:
			out = append(out, difference{name, fmt.Sprintf("%s: %s directly, %s through weir%s", name, a.outcome, b.outcome, firstDifference(a.detail, b.detail))})
		case a.detail != b.detail:
			out = append(out, difference{name, fmt.Sprintf("%s: %s on both sides, but the output differs%s", name, a.outcome, firstDifference(a.detail, b.detail))})
		}
	}
	return out
}

// firstDifference shows the first line that differs.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range max(len(x), len(y)) {
		p, q := "(end)", "(end)"
		if i < len(x) {
			p = x[i]
		}
		if i < len(y) {
			q = y[i]
		}
		if p != q {
			return fmt.Sprintf(" from line %d:\n    direct: %.160s\n    weir:   %.160s", i+1, p, q)
		}
	}
	return ""
}

// progress prints a line that counts tests.
type progress struct {
	mu    sync.Mutex
	done  int    // guarded by mu
	last  string // guarded by mu
	quit  chan struct{}
	ended chan struct{}
}

func startProgress(w io.Writer, what string) *progress {
	p := &progress{quit: make(chan struct{}), ended: make(chan struct{})}
	began := time.Now()
	go func() { // ends by stop
		defer close(p.ended)
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			p.mu.Lock()
			fmt.Fprintf(w, "\r\033[K%s: %d tests, %s  %s", what, p.done, time.Since(began).Round(time.Second), p.last)
			p.mu.Unlock()
			select {
			case <-p.quit:
				fmt.Fprint(w, "\r\033[K")
				return
			case <-tick.C:
			}
		}
	}()
	return p
}

func (p *progress) add(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.last = name
}

func (p *progress) stop() {
	close(p.quit)
	<-p.ended
}
