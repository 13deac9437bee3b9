package pgwire

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestRowEdit(t *testing.T) {
	row := func(cells ...[]byte) []byte { return body(&pgproto3.DataRow{Values: cells}) }
	a, b, c := []byte("aaaa"), []byte("bbbb"), []byte("cccc")
	tests := []struct {
		name string
		edit func(e *RowEdit) bool
		want []byte
	}{
		{"nothing", func(*RowEdit) bool { return true }, row(a, nil, b, c)},
		{"same length", func(e *RowEdit) bool { return e.SkipTo(2) && e.Replace([]byte("****")) }, row(a, nil, []byte("****"), c)},
		{"shorter first", func(e *RowEdit) bool { return e.SkipTo(0) && e.Replace([]byte("*")) }, row([]byte("*"), nil, b, c)},
		{"two shorter", func(e *RowEdit) bool {
			return e.SkipTo(0) && e.Replace([]byte("*")) && e.SkipTo(3) && e.Replace(nil)
		}, row([]byte("*"), nil, b, nil2empty())},
		{"null", func(e *RowEdit) bool { e.SkipTo(2); e.Null(); return true }, row(a, nil, nil, c)},
		{"null to null", func(e *RowEdit) bool { e.SkipTo(1); e.Null(); return true }, row(a, nil, b, c)},
		{"too long is refused", func(e *RowEdit) bool { return e.SkipTo(0) && !e.Replace([]byte("12345")) }, row(a, nil, b, c)},
		{"no value for NULL", func(e *RowEdit) bool { return e.SkipTo(1) && !e.Replace(nil) }, row(a, nil, b, c)},
		{"no such cell", func(e *RowEdit) bool { return !e.SkipTo(4) }, row(a, nil, b, c)},
	}
	for _, tt := range tests {
		e, err := NewRowEdit(row(a, nil, b, c))
		if err != nil {
			t.Fatal(err)
		}
		if !tt.edit(&e) {
			t.Errorf("%s: edit says otherwise", tt.name)
		}
		if got, err := e.End(); err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func nil2empty() []byte { return []byte{} }

// FuzzRewrite changes a cell of any row both ways, in place and through a
// Writer, and compares with pgproto3's decoding of the result.
func FuzzRewrite(f *testing.F) {
	f.Add(body(&pgproto3.DataRow{Values: [][]byte{[]byte("abc"), nil, []byte("defg")}}), uint8(2))
	f.Add([]byte("\x00\x01\x00\x00\x00\x01x"), uint8(0))
	f.Add([]byte("\x00\x02\xff\xff\xff\xff"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, at uint8) {
		var before pgproto3.DataRow
		known := before.Decode(bytes.Clone(in)) == nil
		w := writer(new(bytes.Buffer))
		row, err := NewRow(in)
		if err != nil {
			return
		}
		w.BeginRow(row.Cells())
		start, i := row.Start(), int(at)
		if row.SkipTo(i) {
			w.AppendCells(in[start:row.Start()], i)
			w.AppendCell([]byte("M"))
			start = row.End()
			i++
		} else {
			i = 0
		}
		if row.Err() != nil {
			w.Abort()
			if e, err := NewRowEdit(bytes.Clone(in)); err == nil {
				if _, err := e.End(); err == nil {
					t.Fatalf("%q is malformed for one and not for the other", in)
				}
			}
			return
		}
		if !known {
			t.Fatalf("pgproto3 refuses %q", in)
		}
		w.AppendCells(in[start:], row.Cells()-i)
		if err := w.EndRow(); err != nil {
			t.Fatal(err)
		}
		var after pgproto3.DataRow
		if err := after.Decode(bytes.Clone(w.buf[headerLen:])); err != nil {
			t.Fatal(err)
		}
		want := make([][]byte, len(before.Values))
		copy(want, before.Values)
		if int(at) < len(want) {
			want[at] = []byte("M")
		}
		if !sameValues(after.Values, want) {
			t.Fatalf("rewritten %q, want %q", after.Values, want)
		}
		checkEdit(t, in, int(at), want)
	})
}

func checkEdit(t *testing.T, in []byte, at int, want [][]byte) {
	e, err := NewRowEdit(bytes.Clone(in))
	if err != nil {
		t.Fatal(err)
	}
	if e.SkipTo(at) && !e.Replace([]byte("M")) {
		return // an empty value or NULL, which cannot take it
	}
	out, err := e.End()
	if err != nil {
		t.Fatal(err)
	}
	var m pgproto3.DataRow
	if err := m.Decode(out); err != nil || !sameValues(m.Values, want) {
		t.Fatalf("edited %q, want %q, %v", m.Values, want, err)
	}
}
