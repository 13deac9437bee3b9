package pgsql

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" ;; /* x; */ ;", nil},
		{"SELECT 1", []string{"SELECT 1"}},
		{" SELECT 1 ; SELECT ';' -- ;\n; ", []string{"SELECT 1", "SELECT ';'"}},
		{`SELECT E'\';' ; SELECT $a$;$$;$a$;SELECT U&"a;""b"`, []string{`SELECT E'\';'`, `SELECT $a$;$$;$a$`, `SELECT U&"a;""b"`}},
		{`SELECT 'a\'; SELECT 'b'`, []string{`SELECT 'a\'`, `SELECT 'b'`}},
		{"SELECT E'a'\n'\\';' ; SELECT 1", []string{"SELECT E'a'\n'\\';'", "SELECT 1"}},
		{"SELECT a$$;b$$", []string{"SELECT a$$", "b$$"}},
		{"SELECT /* /* ; */ ; */ 1;SELECT 2", []string{"SELECT /* /* ; */ ; */ 1", "SELECT 2"}},
		{"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
			[]string{"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"}},
		{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT x.end; END; SELECT 3",
			[]string{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT x.end; END", "SELECT 3"}},
		{"create or replace procedure p() begin atomic end; begin; end",
			[]string{"create or replace procedure p() begin atomic end", "begin", "end"}},
		{"CREATE VIEW v AS SELECT begin atomic FROM t; SELECT 2", []string{"CREATE VIEW v AS SELECT begin atomic FROM t", "SELECT 2"}},
	} {
		spans, err := Split(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		var got []string
		for _, s := range spans {
			got = append(got, c.text[s.Start:s.End])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
	for _, text := range []string{"SELECT 'a", `SELECT "a`, "SELECT $a$ $b$", "SELECT /* /* */", `SELECT E'\'`} {
		if _, err := Split(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// checkSplit compares with what the parser says of a text that it reads.
func checkSplit(t *testing.T, text string) {
	t.Helper()
	tree, err := parse(text)
	if err != nil {
		return
	}
	if est, real := estimate(text), messageDepth(tree.ProtoReflect(), maxMessages); est < real {
		t.Errorf("estimate %d, depth %d: %q", est, real, text)
	}
	spans, err := Split(text)
	if err != nil || len(spans) != len(tree.Stmts) {
		t.Errorf("%d spans (%v), parser has %d statements: %q", len(spans), err, len(tree.Stmts), text)
		return
	}
	for i, raw := range tree.Stmts {
		begin, end := int(raw.StmtLocation), int(raw.StmtLocation+raw.StmtLen)
		if raw.StmtLen == 0 {
			end = len(text)
		}
		if s := spans[i]; s.Start < begin || s.End > end {
			t.Errorf("statement %d is %d to %d, parser says %d to %d: %q", i, s.Start, s.End, begin, end, text)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, fam := range families {
		f.Add(fam.make(2))
	}
	f.Add("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT E'\\'' ';' $$;$$ /* ; */")
	f.Add(strings.Repeat("SELECT 1;", 3))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1<<14 {
			checkSplit(t, text)
		}
	})
}
