package main

import (
	"context"
	"io"
	"testing"
	"time"
)

// sampled is one in how many of the cases runs in the test; `make leaks` runs
// them all.
const sampled = 10

// TestLiveLeaks runs a sample of weir's own corpus in both modes of the masks.
func TestLiveLeaks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	folder := t.TempDir()
	binary, err := build(ctx, folder)
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := openCorpus("")
	if err != nil {
		t.Fatal(err)
	}
	o := options{weir: binary, modes: []string{"refuse", "masked"}}
	phases, err := runServer(ctx, o, 15, selection{corpus: corpus, sample: sampled, unchecked: true}, folder, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range phases {
		c := p.counts()
		t.Log(p.summary())
		if c.Counted < 100 || c.Everyday < 50 {
			t.Errorf("%s: only %d cases and %d everyday ones ran", p.title(), c.Counted, c.Everyday)
		}
		for _, r := range p.Results {
			switch r.Outcome {
			case outcomeLeak, outcomeChanged:
				t.Errorf("%s: %s %s: %s\n      %s", p.title(), r.Outcome, r.Case, r.Statements, r.Difference)
			case outcomeRefused:
				t.Logf("%s: refused %s: %s", p.title(), r.Case, r.Difference)
			}
		}
		if share := c.refusedShare(); share > 2*allowedRefusals[p.Elsewhere]+0.01 { // of a sample
			t.Errorf("%s: %.1f %% of the everyday cases are refused", p.title(), 100*share)
		}
	}
}
