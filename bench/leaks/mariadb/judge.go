package mariadb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/weirdb/weir/protocol/mywire"
)

// Outcomes of one form of a case. docs/leaks.md says what they mean.
const (
	outcomeClosed   = "closed"
	outcomeLeak     = "leak"
	outcomeUnsteady = "unsteady"
	outcomeVoid     = "void"
	outcomeNoisy    = "noisy"
	outcomeKept     = "kept"
	outcomeRefused  = "refused"
	outcomeChanged  = "changed"
	outcomeReworded = "reworded"
)

// Result is what one case did in one form.
type Result struct {
	Case, Family string
	Everyday     bool
	Form         string
	Outcome      string
	How          string // how weir answers: refused, with error number and SQLSTATE, or answered
	Difference   string
	Statements   string
}

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

func difference(nameA, nameB string, a, b answer) string {
	return differenceAt(a.differs(b), nameA, nameB, a, b)
}

func differenceAt(i int, nameA, nameB string, a, b answer) string {
	return fmt.Sprintf("message %d\n      %-7s %s\n      %-7s %s", i, nameA, a.at(i), nameB, b.at(i))
}

// judgeEveryday says whether an everyday session still works.
func judgeEveryday(t *testCase, direct, through answer) (outcome, diff string) {
	code, text, failed := through.failure()
	if t.Expect == "ok" && !failed {
		return outcomeKept, ""
	}
	at := everydayDiffers(t, direct, through)
	if at < 0 {
		return outcomeKept, ""
	}
	if want, _, alsoDirect := direct.failure(); failed && (!alsoDirect || code != want) {
		return outcomeRefused, strings.TrimSpace(code + " " + text)
	} else if failed && alsoDirect {
		return outcomeReworded, differenceAt(at, "direct", "weir", direct, through)
	}
	return outcomeChanged, differenceAt(at, "direct", "weir", direct, through)
}

// everydayDiffers is the first message in which two answers differ in more than
// the cells at the masked positions; those are one constant in a result.
func everydayDiffers(t *testCase, direct, through answer) int {
	set, column := -1, 0
	seen := map[int][]byte{}
	for i := range min(len(direct), len(through)) {
		d, w := direct[i], through[i]
		if d.kind != w.kind {
			return i
		}
		masked := len(t.Masked) > 0 && (len(t.Sets) == 0 || slices.Contains(t.Sets, set))
		switch d.kind {
		case kindCount:
			set, column = set+1, 0
			clear(seen)
			if !bytes.Equal(d.body, w.body) {
				return i
			}
		case kindColumn:
			if !sameDefinition(d.body, w.body, masked && slices.Contains(t.Masked, column)) {
				return i
			}
			column++
		case kindRow, kindBinary:
			if !masked && !bytes.Equal(d.body, w.body) || masked && !t.sameRow(d, w, seen) {
				return i
			}
		case kindEOF:
			// Behind the definitions it says nothing that clients heed.
			if between := i > 0 && direct[i-1].kind == kindColumn; !between && !bytes.Equal(d.planless(), w.planless()) {
				return i
			}
		default:
			if !bytes.Equal(d.planless(), w.planless()) {
				return i
			}
		}
	}
	if len(direct) != len(through) {
		return min(len(direct), len(through))
	}
	return -1
}

// Status bits that are not compared: those that tell how the server found the
// rows, which weir keeps back (no good index, no index, a slow query), and that
// the session's state has changed, which MariaDB also says where nothing has.
const planBits = 16 | 32 | 2048 | 16384

// planless is an OK or EOF packet without them.
func (m message) planless() []byte {
	at := 3
	switch {
	case m.kind == kindOK:
		at = 1
		for range 2 {
			if at < len(m.body) {
				_, size := mywire.LenencInt(m.body[at:])
				at += max(size, 1)
			}
		}
	case m.kind != kindEOF:
		return m.body
	}
	if at+2 > len(m.body) {
		return m.body
	}
	out := slices.Clone(m.body)
	binary.LittleEndian.PutUint16(out[at:], binary.LittleEndian.Uint16(out[at:])&^planBits)
	if m.kind == kindOK && at+4 < len(out) {
		return out[:at+4] // what follows is a text, and the changes of the state
	}
	return out
}

// sameDefinition compares column definitions. What is masked may have other flags.
func sameDefinition(direct, through []byte, masked bool) bool {
	if bytes.Equal(direct, through) {
		return true
	}
	d, ok := parseDefinition(direct)
	w, ok2 := parseDefinition(through)
	return ok && ok2 && masked && d.name == w.name && d.typ == w.typ
}

func (t *testCase) sameRow(direct, through message, seen map[int][]byte) bool {
	d, ok := direct.cells()
	w, ok2 := through.cells()
	if !ok || !ok2 || len(d) != len(w) {
		return false
	}
	for i := range d {
		if !slices.Contains(t.Masked, i) {
			if !sameCell(d[i], w[i]) {
				return false
			}
			continue
		}
		if constant, known := seen[i]; known && !sameCell(constant, w[i]) {
			return false
		}
		seen[i] = w[i]
	}
	return true
}

func sameCell(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
