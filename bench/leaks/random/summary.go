package random

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Failed says that something differed.
func (s *Summary) Failed() bool { return len(s.Findings)+len(s.Changed) > 0 }

// Write prints what the run did, each finding as a case for the corpus, and how
// much the statements were worth.
func (s *Summary) Write(out io.Writer) {
	for i := range s.Findings {
		f := &s.Findings[i]
		kind := "differs"
		if f.OrderOnly {
			kind = "differs in the order of rows"
		}
		fmt.Fprintf(out, "%s:\n%s\n  %s\n", kind, f.Case(s.Seed), strings.ReplaceAll(f.Difference, "\n", "\n  "))
	}
	fmt.Fprintf(out, "%d statements in %d sessions, seed %d, %.0f s: %d differ, %d passed (%s), %d unsteady, %d sessions ran out of time\n",
		s.Statements, s.Sessions, s.Seed, s.Seconds, len(s.Findings), s.Passed, percent(s.Passed, s.measured()), s.Unsteady, s.TimedOut)
	if s.Crashed > 0 {
		fmt.Fprintf(out, "%d sessions ended the database server itself, which was started again\n", s.Crashed)
	}
	for _, o := range s.Odd {
		fmt.Fprintf(out, "odd: %s\n", o)
	}
	for _, c := range s.Changed {
		fmt.Fprintf(out, "answered otherwise when repeated: session %d, step %d: %s, then %s\n  %s\n", c.Session, c.Step, c.Before, c.Behind, c.SQL)
	}
	if s.Repeated > 0 {
		fmt.Fprintf(out, "%d statements repeated with warm caches: %d answered otherwise\n", s.Repeated, len(s.Changed))
	}
	if s.Sampled > 0 {
		fmt.Fprintf(out, "without weir, of %d: the server accepts %s; weir passes %s of these; answers of the sides differ for %s, and weir passes %s of those\n",
			s.Sampled, percent(s.Accepted, s.Sampled), percent(s.Through, s.Accepted), percent(s.Differ, s.Sampled), percent(s.Telling, s.Differ))
	}
	var parts []string
	for _, m := range slices.Sorted(maps.Keys(s.ByManner)) {
		n := s.ByManner[m]
		parts = append(parts, fmt.Sprintf("%s %s of %d", m, percent(n[1], n[0]), n[0]))
	}
	fmt.Fprintf(out, "passed by manner: %s\n", strings.Join(parts, ", "))
	parts = nil
	for _, state := range slices.SortedFunc(maps.Keys(s.States), func(a, b string) int { return s.States[b] - s.States[a] }) {
		parts = append(parts, fmt.Sprintf("%s %d", state, s.States[state]))
	}
	fmt.Fprintf(out, "errors: %s\n", strings.Join(parts, ", "))
	parts = nil
	for _, c := range slices.Sorted(maps.Keys(s.Coverage)) {
		parts = append(parts, fmt.Sprintf("%s %d", c, s.Coverage[c]))
	}
	fmt.Fprintf(out, "constructs: %s\n", strings.Join(parts, ", "))
}

// measured is how many statements were to succeed.
func (s *Summary) measured() int {
	n := 0
	for _, m := range s.ByManner {
		n += m[0]
	}
	return n
}

func percent(n, of int) string {
	if of == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}
