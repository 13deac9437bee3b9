package pgsql

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// checkRewrite holds a rewritten text to what is promised of it, whatever the
// client's text was.
func checkRewrite(t *testing.T, an *Analyzer, cat *Catalog, st *State, sql string, rw query.Rewrite) {
	t.Helper()
	before := an.Analyze(sql, cat, st)
	for i := range before.Statements {
		r, err := an.Rewrite(sql, i, cat, st, rw)
		if err != nil {
			if e := (*query.RewriteError)(nil); !errors.As(err, &e) || strings.Contains(e.Reason, "could not be rewritten:") {
				t.Fatalf("%q: %v", sql, err)
			}
			continue
		}
		if !reflect.DeepEqual(r.Rewrite, rw) || r.Statement.Span != (query.Span{End: len(r.SQL)}) {
			t.Errorf("%q: rewrite %+v, span %+v", sql, r.Rewrite, r.Statement.Span)
		}
		after := an.Analyze(r.SQL, cat, st)
		if after.Err != nil || len(after.Statements) != 1 {
			t.Fatalf("%q gives %q, which cannot be read: %v", sql, r.SQL, after.Err)
		}
		if i > 0 { // in another state
			continue
		}
		if k := after.Statements[0].Kind; k != r.Statement.Kind || k != before.Statements[i].Kind {
			t.Errorf("%q gives %q of kind %d, want %d", sql, r.SQL, r.Statement.Kind, before.Statements[i].Kind)
		}
		if len(after.Statements[0].Output) != len(r.Statement.Output) || len(r.Statement.Output) != len(before.Statements[i].Output) {
			t.Errorf("%q gives %q with other columns", sql, r.SQL)
		}
		sameNames(t, sql, before.Statements[i].Output, r.Statement.Output)
	}
}

func sameNames(t *testing.T, sql string, before, after []query.Output) {
	t.Helper()
	for i := range min(len(before), len(after)) {
		if before[i].Name != after[i].Name {
			t.Errorf("%q: column %d is %s, was %s", sql, i+1, after[i].Name, before[i].Name)
		}
	}
}

// rewriteSeeds are the texts of all golden files.
func rewriteSeeds(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"testdata/rewrites/*.txt", "testdata/facts/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, f := range files {
			for _, c := range readFacts(t, f) {
				out = append(out, c.sql)
			}
		}
	}
	return out
}

func TestRewriteProperties(t *testing.T) {
	cat, an := fixtureCatalog(t), NewAnalyzer(Options{CacheEntries: -1})
	for _, sql := range rewriteSeeds(t) {
		checkRewrite(t, an, cat, fixtureState(), sql, testRewrite())
	}
}

func FuzzRewrite(f *testing.F) {
	for _, sql := range rewriteSeeds(f) {
		f.Add(sql)
	}
	cat, an := fixtureCatalog(f), NewAnalyzer(Options{CacheEntries: -1})
	f.Fuzz(func(t *testing.T, sql string) {
		checkRewrite(t, an, cat, fixtureState(), sql, testRewrite())
	})
}

// TestRewriteEveryType casts to the type of every column there is.
func TestRewriteEveryType(t *testing.T) {
	cat := fixtureCatalog(t)
	w := &rewriter{an: NewAnalyzer(Options{}), cat: cat, cc: NewAnalyzer(Options{}).catalogCache(cat), st: fixtureState(), budget: maxBudget}
	tree, _ := parse("SELECT 1")
	w.version = tree.Version
	n := 0
	for _, rel := range cat.Relations {
		for i := range rel.Columns {
			c := &rel.Columns[i]
			sel := parseSelect("SELECT 1")
			sel.TargetList = []*pg.Node{resTarget("", w.constant(rel, c, nil))}
			text, _ := w.print(selectNode(sel))
			if got := w.newRun("").typeOf(parseSelect(text).TargetList[0].GetResTarget().Val.GetTypeCast().GetTypeName()); c.Collation == "" && got != w.newRun("").baseType(c.Type) {
				t.Errorf("%s.%s.%s: %s is type %d, want %d", rel.Schema, rel.Name, c.Name, text, got, c.Type)
			}
			n++
		}
	}
	if n < 1000 {
		t.Errorf("%d columns", n)
	}
}

func TestRewriteInOtherEncodings(t *testing.T) {
	cat, an := fixtureCatalog(t), NewAnalyzer(Options{})
	st := fixtureState()
	st.Encoding = "LATIN1"
	rw := testRewrite()
	mask := "größe"
	rw.Relations[0].Constants[0].Value = &mask
	r, err := an.Rewrite("SELECT '\xfc' || email FROM customer", 0, cat, st, rw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains([]byte(r.SQL), []byte("'\xfc' || email")) || !bytes.Contains([]byte(r.SQL), []byte("'gr\xf6\xdfe'::text")) {
		t.Errorf("%q", r.SQL)
	}
	euro := "€"
	rw.Relations[0].Constants[0].Value = &euro
	if _, err := an.Rewrite("SELECT email FROM customer", 0, cat, st, rw); err == nil || !strings.Contains(err.Error(), "LATIN1") {
		t.Errorf("error is %v", err)
	}
	st.Encoding, st.NonStandardStrings = "UTF8", true
	if _, err := an.Rewrite(`SELECT 'a\b' || email FROM customer`, 0, cat, st, rw); err == nil || !strings.Contains(err.Error(), "standard_conforming_strings") {
		t.Errorf("error is %v", err)
	}
	backslash := `a\b`
	rw.Relations[0].Constants[0].Value = &backslash
	if r, err = an.Rewrite("SELECT email FROM customer", 0, cat, st, rw); err != nil || !strings.Contains(r.SQL, `E'a\\b'::text`) {
		t.Errorf("%v %v", r, err)
	}
}

func TestRewriteOneOfSeveral(t *testing.T) {
	cat, an := fixtureCatalog(t), NewAnalyzer(Options{})
	sql := "SELECT 1; SET search_path = staff; SELECT secret, salary FROM accounts, employee; SELECT nope FROM customer"
	r, err := an.Rewrite(sql, 2, cat, fixtureState(), testRewrite())
	if err != nil {
		t.Fatal(err)
	}
	if want := "SELECT secret, salary FROM staff.accounts, (SELECT id, name, NULL::numeric AS salary, manager_id, grade, home, room FROM staff.employee) employee"; r.SQL != want {
		t.Errorf("got  %s\nwant %s", r.SQL, want)
	}
	if again, err := an.Rewrite(sql, 2, cat, fixtureState(), testRewrite()); err != nil || again != r {
		t.Errorf("not from the cache: %v", err)
	}
	other := testRewrite()
	other.Relations = other.Relations[:1]
	if again, err := an.Rewrite(sql, 2, cat, fixtureState(), other); err != nil || again.SQL == r.SQL {
		t.Errorf("from the cache of another rewriting: %v %v", again, err)
	}
	for _, i := range []int{-1, 4} {
		if _, err := an.Rewrite(sql, i, cat, fixtureState(), testRewrite()); err == nil {
			t.Errorf("statement %d was rewritten", i)
		}
	}
	if _, err := an.Rewrite("SELECT 'öäü', salary FROM staff.employee; UPDATE shop.customer SET region = '1'", 1, cat, fixtureState(), testRewrite()); err == nil ||
		err.(*query.RewriteError).Pos != strings.Index("SELECT 'öäü', salary FROM staff.employee; UPDATE shop.customer SET region = '1'", "region") {
		t.Errorf("error is %+v", err)
	}
}

func TestRewriteTooComplex(t *testing.T) {
	cat, an := fixtureCatalog(t), NewAnalyzer(Options{})
	for _, sql := range []string{
		"SELECT salary" + strings.Repeat(" + 1", 700) + " FROM staff.employee",
		"SELECT salary FROM staff.employee WHERE " + strings.Repeat("NOT ", 600) + "true",
	} {
		if _, err := an.Rewrite(sql, 0, cat, fixtureState(), testRewrite()); err == nil || !strings.Contains(err.Error(), "too complex") {
			t.Errorf("error is %v", err)
		}
	}
	long := "SELECT salary FROM staff.employee WHERE id IN (1" + strings.Repeat(", 2", 20_000) + ") OR id = 1" + strings.Repeat(" OR id = 2", 1_500)
	if _, err := an.Rewrite(long, 0, cat, fixtureState(), testRewrite()); err != nil {
		t.Error(err)
	}
}

func BenchmarkRewrite(b *testing.B) {
	cat := fixtureCatalog(b)
	sql := "SELECT c.name, count(*) FROM customer c JOIN orders o ON o.customer_id = c.id WHERE c.email LIKE 'a%' AND o.total > 5 GROUP BY c.name ORDER BY 2 DESC LIMIT 10"
	for name, entries := range map[string]int{"cached": 0, "fresh": -1} {
		an := NewAnalyzer(Options{CacheEntries: entries})
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := an.Rewrite(sql, 0, cat, fixtureState(), testRewrite()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestRewriteIsBounded puts a view into the text that would make it grow
// without end.
func TestRewriteIsBounded(t *testing.T) {
	base := fixtureCatalog(t)
	cat := *base
	cat.Version, cat.Relations = 0, maps.Clone(base.Relations)
	for i := range 20 {
		def := "SELECT e.id FROM staff.employee e WHERE e.salary > 5::numeric"
		if i > 0 {
			def = fmt.Sprintf("SELECT a.id FROM util.d%d a JOIN util.d%d b ON a.id = b.id", i-1, i-1)
		}
		oid := uint32(900_000 + i)
		cat.Relations[oid] = &Relation{OID: oid, Schema: "util", Name: fmt.Sprintf("d%d", i), Kind: 'v', Definition: def,
			Columns: []Column{{Name: "id", Attr: 1, Type: oidInt4, Typmod: -1, TypeText: "integer"}}}
	}
	var functions []*Function
	for _, list := range base.functions {
		functions = append(functions, list...)
	}
	var operators []*Operator
	for _, list := range base.operators {
		operators = append(operators, list...)
	}
	cat.Index(functions, operators)
	an := NewAnalyzer(Options{})
	if r, err := an.Rewrite("SELECT * FROM util.d5", 0, &cat, fixtureState(), testRewrite()); err != nil || strings.Count(r.SQL, "NULL::numeric") != 32 {
		t.Errorf("%v %v", r, err)
	}
	begin := time.Now()
	if _, err := an.Rewrite("SELECT * FROM util.d19", 0, &cat, fixtureState(), testRewrite()); err == nil || !strings.Contains(err.Error(), "too many others") {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("took %s", took)
	}
}
