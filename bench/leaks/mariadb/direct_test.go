package mariadb

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLiveCasesShowSomethingDirectly runs weir's own corpus without weir: each
// evasion case tells the sides apart in one of its forms, and each everyday case
// does what it should.
func TestLiveCasesShowSomethingDirectly(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	c, err := OpenCorpus(os.Getenv("WEIR_LEAKS_CORPUS"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := startServers(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	r := &runner{Options: Options{Corpus: c, Modes: []string{"refuse", "masked"}, Progress: os.Stderr}, s: s, direct: map[string]answer{}, verdict: map[string]string{}}
	if err := r.askDirectly(ctx); err != nil {
		t.Fatal(err)
	}
	for _, tc := range c.cases {
		shows := false
		for _, f := range tc.forms(false) {
			shows = shows || r.verdict[key(tc, f)] == outcomeClosed
		}
		if !shows {
			got, _ := r.ask(ctx, sideA, s.direct(sideA), tc, formOwn)
			t.Errorf("%s shows nothing: %s\n%s", tc.ID, tc.statements(), got.at(len(got)-1))
		}
	}
	for _, tc := range c.everyday {
		for _, f := range tc.forms(false) {
			if code, text, failed := r.direct[key(tc, f)].failure(); failed && tc.Expect != "error" && !strings.HasPrefix(code, "1295 ") {
				t.Errorf("%s (%s) fails: %s %s: %s", tc.ID, f, code, text, tc.statements())
			}
		}
	}
}
