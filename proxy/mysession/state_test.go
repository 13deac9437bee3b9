package mysession

import (
	"strings"
	"testing"

	"github.com/weirdb/weir/protocol/mywire"
)

// Packets of a story, by their first bytes: o OK, x ERR, e EOF, f a file request,
// d anything else. A digit is a count of columns that d carries.
func header(c byte) mywire.Header {
	h := mywire.Header{Len: 7}
	switch c {
	case 'o':
		h.Type = mywire.MarkOK
	case 'x':
		h.Type = mywire.MarkErr
	case 'e':
		h.Type = mywire.MarkEOF
	case 'f':
		h.Type = mywire.MarkLocalFile
	case '0':
		h.Len = 0
	default:
		h.Type = 3
	}
	return h
}

var meanings = map[meaning]string{isOK: "ok", isError: "error", isFileRequest: "file", isCount: "count", isColumn: "column", isColumnsEnd: "columns end",
	isRow: "row", isRowsEnd: "rows end", isPrepared: "prepared", isParam: "param", isParamsEnd: "params end", isText: "text"}

// tell plays a story: packets, where M before an end says that more results
// follow, and every result has two columns, every prepared statement one
// parameter and two columns.
func tell(f form, caps mywire.Capabilities, story string) (string, bool) {
	r := newReply(f, caps)
	var said []string
	var status mywire.Status
	for i := range len(story) {
		if story[i] == 'M' {
			status = mywire.StatusMoreResults
			continue
		}
		m, err := r.next(header(story[i]))
		if err != nil {
			return strings.Join(append(said, "violation"), ", "), false
		}
		said = append(said, meanings[m])
		switch m {
		case isCount:
			r.counted(2)
		case isPrepared:
			r.prepared(1, 2)
		case isOK, isRowsEnd:
			r.ended(status)
			status = 0
		}
	}
	return strings.Join(said, ", "), r.done()
}

func TestReplies(t *testing.T) {
	const deprecated = mywire.CapDeprecateEOF
	for _, c := range []struct {
		name  string
		form  form
		caps  mywire.Capabilities
		story string
		want  string
		done  bool
	}{
		{"ping", formOK, deprecated, "o", "ok", true},
		{"ping is refused", formOK, deprecated, "x", "error", true},
		{"ping has no rows", formOK, deprecated, "d", "violation", false},
		{"a write", formResults, deprecated, "o", "ok", true},
		{"an error", formResults, deprecated, "x", "error", true},
		{"rows", formResults, deprecated, "ddddde", "count, column, column, row, row, rows end", true},
		{"no rows", formResults, deprecated, "ddde", "count, column, column, rows end", true},
		{"rows and an error", formResults, deprecated, "ddddx", "count, column, column, row, error", true},
		{"an error instead of definitions", formResults, deprecated, "ddx", "count, column, error", true},
		{"rows of an old server", formResults, 0, "dddedde", "count, column, column, columns end, row, row, rows end", true},
		{"an old server without the EOF", formResults, 0, "dddd", "count, column, column, violation", false},
		{"an old server with an error in their place", formResults, 0, "dddx", "count, column, column, error", true},
		{"two results", formResults, deprecated, "dddMeddde", "count, column, column, rows end, count, column, column, rows end", true},
		{"a procedure", formResults, deprecated, "dddMeo", "count, column, column, rows end, ok", true},
		{"more is promised", formResults, deprecated, "Mo", "ok", false},
		{"too much", formResults, deprecated, "oo", "ok, violation", false},
		{"a file", formResults, deprecated, "fo", "file, ok", true},
		{"a file that fails", formResults, deprecated, "fx", "file, error", true},
		{"a file and rows", formResults, deprecated, "fd", "file, violation", false},
		{"an empty packet", formResults, deprecated, "0", "violation", false},
		{"prepared", formPrepared, deprecated, "oddd", "prepared, param, column, column", true},
		{"prepared by an old server", formPrepared, 0, "odedde", "prepared, param, params end, column, column, columns end", true},
		{"prepared without the EOF", formPrepared, 0, "odd", "prepared, param, violation", false},
		{"not prepared", formPrepared, deprecated, "x", "error", true},
		{"fetched", formRows, deprecated, "oode", "row, row, row, rows end", true},
		{"fields", formFields, deprecated, "dde", "column, column, rows end", true},
		{"statistics", formText, deprecated, "d", "text", true},
		{"an option", formOptionSet, deprecated, "e", "rows end", true},
		{"an option without EOF", formOptionSet, deprecated, "d", "violation", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, done := tell(c.form, c.caps, c.story); got != c.want || done != c.done {
				t.Errorf("%s: %s (done %v), want %s", c.story, got, done, c.want)
			}
		})
	}
}

// FuzzReply: whatever a server sends, a reply never goes on after its end and
// never passes a row that no definitions came before.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"ddddde", "dddMeo", "oddd", "fo", "x"} {
		f.Add(uint8(formResults), true, s)
	}
	f.Fuzz(func(t *testing.T, form8 uint8, deprecated bool, story string) {
		caps := mywire.Capabilities(0)
		if deprecated {
			caps = mywire.CapDeprecateEOF
		}
		f := form(form8 % uint8(formOptionSet+1))
		said, _ := tell(f, caps, story)
		if f == formRows || !strings.Contains(said, "row") {
			return
		}
		if first := strings.Index(said, "row"); f == formResults && !strings.Contains(said[:first], "column") {
			t.Errorf("%q: %s", story, said)
		}
	})
}

func TestLabels(t *testing.T) {
	for text, want := range map[string]string{"enum('a','b')": "a|b", "SET('it''s','x,y')": "it's|x,y", "int(11)": "", "enum('": ""} {
		if got := strings.Join(labels(text), "|"); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestKillForms(t *testing.T) {
	for text, want := range map[string]string{"KILL 5": "|5", "kill query 7 ;": "query|7", "KILL HARD CONNECTION 9": "CONNECTION|9", "KILL USER x": "", "KILL 5; DROP TABLE t": "", "KILL @a": ""} {
		got := ""
		if m := killForm.FindStringSubmatch(text); m != nil {
			got = m[1] + "|" + m[2]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
