package pgsql

import (
	"bytes"
	"slices"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	row := func(words ...string) (out [][]byte) {
		for _, w := range words {
			out = append(out, []byte(w))
		}
		return out
	}
	for _, rows := range [][][][]byte{
		nil,
		{row("user", "ana")},
		{row("user", "ana", "", ""), row("setting", "client_encoding", "UTF8", ""), row("new", "x", "", "")},
		{row("path", "b", "2", "")},
		{{nil, nil, nil, nil}},
	} {
		if s, err := DecodeProbe(rows); err == nil {
			t.Errorf("%q decodes to %+v", bytes.Join(slices.Concat(rows...), []byte(" ")), s)
		}
	}
	for _, results := range [][][][][]byte{nil, {nil}, {{row("1")}, nil}, {nil, {row("1")}},
		{{row("x", "s", "n", "r", "0", "o", "f", "f", "f", "", "")}, nil}} {
		if r, err := DecodeTemp(results); err == nil {
			t.Errorf("%q decodes to %+v", results, r)
		}
	}
}

func TestPreparedText(t *testing.T) {
	for _, c := range []struct{ text, name, want string }{
		{"PREPARE a AS SELECT 1", "a", "SELECT 1"},
		{"SELECT 1; prepare A (int, text) as /* as */ SELECT 'as' AS x ; SELECT 2", "a", "/* as */ SELECT 'as' AS x"},
		{`PREPARE "as" AS TABLE t`, "as", "TABLE t"},
		{"PREPARE a AS SELECT 1; DEALLOCATE a; PREPARE a AS SELECT 2", "a", ""},
		{"PREPARE b AS SELECT 1", "a", ""},
		{"not SQL", "a", ""},
	} {
		if got := preparedText(c.text, c.name); got != c.want {
			t.Errorf("%s of %q: got %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

// FuzzDecodeProbe reads rows that lines and tabs separate.
func FuzzDecodeProbe(f *testing.F) {
	f.Add([]byte("user\tana\t\t\nsetting\tclient_encoding\tUTF8\t\npath\tpublic\t1\t\nprepared\ta\tPREPARE a AS SELECT 1\ttrue"))
	f.Add([]byte("16400\tpg_temp_3\tx\tr\t16402\tana\tf\tf\tf\t\t\n16400\t1\tid\t23\t-1\tf\tf\t"))
	f.Add([]byte("temp\tpg_temp_3\t\t\ncursor\tc\tSELECT 1\tfalse"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var rows [][][]byte
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			rows = append(rows, bytes.Split(line, []byte("\t")))
		}
		if s, err := DecodeProbe(rows); err == nil && (s.User == "" || s.Encoding == "") {
			t.Errorf("incomplete state %+v", s)
		}
		for i := range rows {
			if rels, err := DecodeTemp([][][][]byte{rows[:i], rows[i:]}); err == nil && len(rels) > i {
				t.Errorf("%d relations of %d rows", len(rels), i)
			}
		}
	})
}
