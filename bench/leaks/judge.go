package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Outcomes of one form of a case.
const (
	outcomeClosed   = "closed"   // both sides answer alike
	outcomeLeak     = "leak"     // they do not
	outcomeUnsteady = "unsteady" // they did not, and did when asked again
	outcomeVoid     = "void"     // they answer alike without weir too: the case shows nothing
	outcomeNoisy    = "noisy"    // one side differs from itself without weir

	outcomeKept    = "kept" // an everyday session gives what it should
	outcomeRefused = "refused"
	outcomeChanged = "changed"
	// outcomeReworded is a session that fails as without weir, in other words.
	outcomeReworded = "reworded"
)

// result is what one case did in one form.
type result struct {
	Case     string `json:"case"`
	Family   string `json:"family"`
	Everyday bool   `json:"everyday"`
	Form     form   `json:"form"`
	Outcome  string `json:"outcome"`
	// How is how weir answers: refused, with the SQLSTATE, or answered.
	How string `json:"how,omitempty"`
	// Unlike says that the answer is not that of the database of constants.
	Unlike     bool   `json:"unlike_constants,omitempty"`
	Difference string `json:"difference,omitempty"`
	Statements string `json:"statements"`
}

// howAnswered describes an answer that tells nothing.
func howAnswered(a answer) string {
	code, _, failed := a.failure()
	switch {
	case !failed:
		return "answered"
	case code == "":
		return "ended"
	}
	return "refused " + code
}

// difference describes the first message in which two answers differ.
func difference(nameA, nameB string, a, b answer) string {
	i := a.differs(b)
	return fmt.Sprintf("message %d\n      %-7s %s\n      %-7s %s", i, nameA, a.at(i), nameB, b.at(i))
}

// judgeEveryday says whether an everyday session still works: direct and
// masked are the answers without weir of side a and of the database of
// constants, masked nil if that does not count.
func judgeEveryday(t *testCase, direct, masked, through answer) (outcome, diff string) {
	switch {
	case t.Expect == "constants":
		direct = masked
	case t.Expect == "same" && through.visible().equal(direct.visible()), t.masks() && maskedEqual(t, direct, through):
		return outcomeKept, ""
	}
	if masked != nil && sameCells(masked, through) {
		return outcomeKept, ""
	}
	code, text, failed := through.failure()
	if want, _, alsoDirect := direct.failure(); failed && (!alsoDirect || code != want) {
		return outcomeRefused, strings.TrimSpace(code + " " + text)
	}
	if failed && (direct.plain().equal(through.plain()) || t.masks() && maskedEqual(t, direct.plain(), through.plain())) {
		return outcomeReworded, difference("direct", "weir", direct.visible(), through.visible())
	}
	if t.masks() {
		return outcomeChanged, maskedDifference(t, direct, through)
	}
	return outcomeChanged, difference("direct", "weir", direct.visible(), through.visible())
}

// visible leaves out of errors where in its own source the server found them:
// what weir refuses in the server's words, such as an unknown table, has none.
func (a answer) visible() answer { return a.without("FLR") }

// plain leaves nothing of errors but severity and SQLSTATE.
func (a answer) plain() answer { return a.without("MDHPpqWstcdnFLR") }

// without leaves fields out of errors.
func (a answer) without(fields string) answer {
	out := slices.Clone(a)
	for i, m := range out {
		if m.kind != 'E' {
			continue
		}
		var body []byte
		for b := m.body; len(b) > 1; {
			_, rest, _ := bytes.Cut(b, []byte{0})
			if !strings.Contains(fields, string(b[:1])) {
				body = append(body, b[:len(b)-len(rest)]...)
			}
			b = rest
		}
		out[i].body = append(body, 0)
	}
	return out
}

// maskedEqual says whether two answers agree in all but the cells at the case's
// positions, and whether those cells are constant, in some of the rows at least.
func maskedEqual(t *testCase, direct, through answer) bool {
	return maskedDiffers(t, direct, through) < 0
}

func maskedDifference(t *testCase, direct, through answer) string {
	i := maskedDiffers(t, direct, through)
	return fmt.Sprintf("message %d\n      %-7s %s\n      %-7s %s", i, "direct", direct.at(i), "weir", through.at(i))
}

func maskedDiffers(t *testCase, direct, through answer) int {
	seen := map[int][]byte{} // constants of the current result
	for i := range min(len(direct), len(through)) {
		d, w := direct[i], through[i]
		if d.kind != w.kind || d.conn != w.conn {
			return i
		}
		dc, ok := d.columns()
		wc, ok2 := w.columns()
		if !ok || !ok2 {
			clear(seen)
			if !bytes.Equal(d.body, w.body) && !bytes.Equal(d.sourceless(t.Masked), w.sourceless(t.Masked)) {
				return i
			}
			continue
		}
		if len(dc) != len(wc) {
			return i
		}
		for j := range dc {
			if same := sameCell(dc[j], wc[j]); !slices.Contains(t.Masked, j+1) || same && t.Expect == "masked_rows" {
				if !same {
					return i
				}
				continue
			}
			if constant, ok := seen[j]; ok && !sameCell(constant, wc[j]) {
				return i
			}
			seen[j] = wc[j]
		}
	}
	if len(direct) != len(through) {
		return min(len(direct), len(through))
	}
	return -1
}

// sourceless is a row description that does not say what columns the ones at
// the positions are: a constant in their place is none.
func (m message) sourceless(positions []int) []byte {
	if m.kind != 'T' {
		return m.body
	}
	out := slices.Clone(m.body)
	for at, n := 2, 1; at < len(out); n++ {
		end := bytes.IndexByte(out[at:], 0)
		if at += end + 1; end < 0 || at+18 > len(out) {
			break
		}
		if slices.Contains(positions, n) {
			clear(out[at : at+6])
		}
		at += 18
	}
	return out
}

func sameCell(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// columns are the cells of a row, also of COPY in text, whose columns are
// separated by tabs or else by commas.
func (m message) columns() ([][]byte, bool) {
	switch m.kind {
	case 'D':
		return m.cells()
	case 'd':
		if bytes.HasPrefix(m.body, []byte("PGCOPY\n")) || !bytes.HasSuffix(m.body, []byte("\n")) {
			return nil, false
		}
		separator := []byte("\t")
		if !bytes.Contains(m.body, separator) {
			separator = []byte(",")
		}
		return bytes.Split(m.body[:len(m.body)-1], separator), true
	}
	return nil, false
}

// sameCells says whether two answers show the same values, whatever tables the
// columns come from. Rows may come in another order: a rewritten statement has
// another plan.
func sameCells(a, b answer) bool {
	x, y := essence(a), essence(b)
	if slices.Equal(x, y) {
		return true
	}
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// essence is what a person sees of an answer.
func essence(a answer) []string {
	var list []string
	for _, m := range a {
		switch m.kind {
		case 'D', 'd', 'C', 's', 'I', 'V', kindClosed, kindTimeout, kindRefused:
			list = append(list, string(m.kind)+string(m.body))
		case 'E', 'N':
			list = append(list, string(m.kind)+m.fields()['C'])
		case 'T':
			names := "T"
			for b := m.body[min(2, len(m.body)):]; len(b) > 19; {
				end := bytes.IndexByte(b, 0)
				if end < 0 || len(b) < end+19 {
					break
				}
				names += string(b[:end+1])
				b = b[end+19:]
			}
			list = append(list, names)
		}
	}
	return list
}

// statements is the text of a case for a report.
func (t *testCase) statements() string {
	var list []string
	list = append(list, t.SQL...)
	for _, s := range t.Steps {
		prefix := ""
		if s.Conn != "" {
			prefix = s.Conn + ": "
		}
		switch {
		case s.Q != nil:
			list = append(list, prefix+*s.Q)
		case s.X != nil:
			list = append(list, prefix+*s.X)
		case s.F != nil:
			list = append(list, prefix+"function call "+s.F.Func)
		}
		for _, o := range s.Pipe {
			list = append(list, prefix+strings.TrimSpace(o.Op+" "+o.Name+o.Portal+" "+o.SQL))
		}
	}
	return strings.Join(list, " ;; ")
}
