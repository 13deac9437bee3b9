package pgsql

import (
	"fmt"
	"math/bits"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/weirdb/weir/query"
)

// TestAnalyzeConcurrently runs every golden text in several goroutines that
// share an Analyzer, for the race detector.
func TestAnalyzeConcurrently(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{CacheEntries: 16})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, file := range factsFiles(t) {
				for _, c := range readFacts(t, file) {
					a := an.Analyze(c.sql, cat, fixtureState())
					if got := render(cat, a); c.sql != "" && strings.Join(got, "\n") != strings.Join(c.want, "\n") {
						t.Errorf("%s: differs under concurrency", c.sql)
					}
				}
			}
		})
	}
	group.Wait()
}

// TestCacheKeepsStatesApart asks for one text in states that change its meaning.
func TestCacheKeepsStatesApart(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	const text = "SELECT secret FROM accounts"
	in := func(st *State) string { return strings.Join(render(cat, an.Analyze(text, cat, st)), "\n") }
	shop, staff := fixtureState(), fixtureState()
	staff.SearchPath = []string{"pg_catalog", "staff"}
	temp := fixtureState()
	temp.SearchPath, temp.TempSchema = []string{"pg_temp_3", "pg_catalog", "shop"}, "pg_temp_3"
	temp.Temp = map[string]*Relation{"accounts": {OID: 99999, Schema: "pg_temp_3", Name: "accounts", Kind: 'r', Columns: []Column{{Name: "secret", Attr: 1, Type: 25}}}}
	stale := fixtureState()
	stale.Stale = true
	seen := map[string]string{}
	for name, st := range map[string]*State{"shop": shop, "staff": staff, "temp": temp, "stale": stale} {
		first, second := in(st), in(st)
		if first != second {
			t.Errorf("%s: cached answer differs:\n%s\n%s", name, first, second)
		}
		if other, ok := seen[first]; ok {
			t.Errorf("%s and %s are told the same: %s", name, other, first)
		}
		seen[first] = name
	}
}

func TestAnalyzeLeavesStateAlone(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	st, want := fixtureState(), fixtureState()
	an.Analyze("SET search_path = staff; PREPARE q AS SELECT 1; DECLARE c CURSOR FOR SELECT 1; CREATE TEMP TABLE x (a int); SET NAMES latin1; SELECT 1", cat, st)
	if !reflect.DeepEqual(st, want) {
		t.Errorf("state became %+v", st)
	}
}

func TestApply(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	tests := []struct {
		text string
		want func(*State) bool
	}{
		{"SET search_path = staff, \"$user\", nosuch", func(s *State) bool {
			return reflect.DeepEqual(s.SearchPath, []string{"pg_catalog", "staff"}) && s.Predicted && !s.Stale
		}},
		{"SET search_path = staff, pg_catalog", func(s *State) bool { return reflect.DeepEqual(s.SearchPath, []string{"staff", "pg_catalog"}) }},
		{"SET search_path = closed, staff", func(s *State) bool { return reflect.DeepEqual(s.SearchPath, []string{"pg_catalog", "staff"}) }},
		{"RESET search_path", func(s *State) bool { return s.Stale }},
		{"SET ROLE x", func(s *State) bool { return s.Stale }},
		{"DISCARD ALL", func(s *State) bool { return s.Stale }},
		{"DO 'x'", func(s *State) bool { return s.Stale }},
		{"SELECT set_config('search_path', current_user, false)", func(s *State) bool { return s.Stale }},
		{"SELECT set_config('search_path', 'staff', false)", func(s *State) bool { return s.SearchPath[1] == "staff" }},
		{"SET client_encoding = 'LATIN1'", func(s *State) bool { return s.Encoding == "LATIN1" }},
		{"SET standard_conforming_strings = off", func(s *State) bool { return s.NonStandardStrings }},
		{"PREPARE q AS SELECT 1", func(s *State) bool { return s.Prepared["q"].SQL == "SELECT 1" }},
		{"DECLARE c CURSOR WITH HOLD FOR SELECT name FROM customer", func(s *State) bool { return s.Cursors["c"].Hold && len(s.Cursors["c"].Facts.Output) == 1 }},
		{"SELECT 1", func(s *State) bool { return reflect.DeepEqual(s.SearchPath, fixtureState().SearchPath) && !s.Stale }},
	}
	for _, tt := range tests {
		st := fixtureState()
		st.Closed = []string{"util"}
		a := an.Analyze(strings.ReplaceAll(tt.text, "closed", "util"), cat, st)
		for i := range a.Statements {
			st.Apply(cat, &a.Statements[i])
		}
		if !tt.want(st) {
			t.Errorf("%s: state %+v", tt.text, st)
		}
	}
}

// TestEverySpellingOfAWrite is the read-only rule: what may change something
// says so, and what certainly does not stays silent.
func TestEverySpellingOfAWrite(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	writes := []string{
		"INSERT INTO orders (id) VALUES (1)", "UPDATE orders SET note = 'x'", "DELETE FROM orders", "TRUNCATE orders",
		"MERGE INTO orders o USING customer c ON false WHEN MATCHED THEN DELETE",
		"WITH d AS (DELETE FROM orders RETURNING 1) SELECT 1", "WITH d AS (SELECT 1), e AS (UPDATE orders SET note = '' RETURNING id) TABLE e",
		"SELECT 1 INTO x", "SELECT 1 INTO TEMP x UNION SELECT 2", "CREATE TABLE x AS SELECT 1", "CREATE TEMP TABLE x (a int)",
		"SELECT id FROM customer FOR UPDATE", "SELECT id FROM customer FOR KEY SHARE", "SELECT * FROM (SELECT id FROM customer FOR SHARE) x",
		"COPY orders FROM STDIN", "COPY orders TO PROGRAM 'cat'", "COPY orders TO '/tmp/x'", "COPY (DELETE FROM orders RETURNING 1) TO STDOUT",
		"EXPLAIN ANALYZE DELETE FROM orders", "EXPLAIN (ANALYZE on) INSERT INTO orders (id) VALUES (1)",
		"PREPARE d AS DELETE FROM orders; EXECUTE d", "EXECUTE nosuch", "EXPLAIN ANALYZE EXECUTE nosuch",
		"DECLARE c CURSOR FOR SELECT id FROM customer FOR UPDATE",
		"DO 'x'", "CALL util.work(1)", "SELECT nextval('ticket')", "SELECT setval('ticket', 1)", "SELECT lo_creat(-1)", "SELECT pg_notify('a', 'b')",
		"SELECT pg_terminate_backend(1)", "SELECT pg_read_file('x')", "SELECT query_to_xml('delete', true, true, '')", "SELECT nosuch(1)",
		"SELECT id FROM customer WHERE nextval('ticket') > 0", "VALUES (nextval('ticket'))", "SELECT count(*) FROM generate_series(1, nextval('ticket'))",
		"NOTIFY a", "LOCK TABLE customer", "VACUUM", "ANALYZE customer", "CLUSTER", "REINDEX TABLE customer", "CHECKPOINT", "LOAD 'x'",
		"REFRESH MATERIALIZED VIEW staff.mv_names", "GRANT SELECT ON customer TO x", "CREATE ROLE x", "ALTER ROLE x SET a.b = 'c'",
		"ALTER DATABASE x SET default_transaction_read_only = off", "ALTER SYSTEM SET work_mem = 1", "COMMENT ON TABLE customer IS ''",
		"SECURITY LABEL ON TABLE customer IS 'x'", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ''", "DROP TABLE customer", "ALTER TABLE customer ADD x int",
		"IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "PREPARE TRANSACTION 'x'", "COMMIT PREPARED 'x'", "ROLLBACK PREPARED 'x'",
		"BEGIN READ WRITE", "START TRANSACTION READ WRITE", "SET TRANSACTION READ WRITE", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
		"SET transaction_read_only = off", "SET TRANSACTION_READ_ONLY TO 0", "SET LOCAL transaction_read_only = no", "RESET transaction_read_only",
		"SET transaction_read_only TO DEFAULT", "SET default_transaction_read_only = 'f'", "SELECT set_config('Transaction_Read_Only', 'off', true)",
		"SELECT set_config('transaction_read_only', NULL, false)", "SELECT set_config(name, 'off', true) FROM customer",
		"SELECT 1; DELETE FROM orders",
	}
	for _, text := range writes {
		a := an.Analyze(text, cat, fixtureState())
		if a.Err != nil {
			t.Errorf("%s: %v", text, a.Err)
			continue
		}
		if s := a.Statements[len(a.Statements)-1]; len(s.Writes) == 0 {
			t.Errorf("%s: writes nothing", text)
		}
	}
	reads := []string{
		"SELECT * FROM customer", "TABLE v_nested", "WITH x AS (SELECT 1) TABLE x", "EXPLAIN DELETE FROM orders", "EXPLAIN (ANALYZE off) DELETE FROM orders",
		"COPY orders TO STDOUT", "COPY (SELECT 1) TO STDOUT", "SHOW ALL", "SET search_path = staff", "SET default_transaction_read_only = on",
		"RESET default_transaction_read_only", "RESET ALL", "DISCARD ALL", "BEGIN READ ONLY", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a",
		"SELECT set_config('work_mem', '1MB', true)", "PREPARE q AS DELETE FROM orders", "DEALLOCATE q", "DECLARE c CURSOR FOR SELECT 1", "FETCH c",
		"CLOSE c", "LISTEN a", "UNLISTEN *", "LOCK customer IN ACCESS SHARE MODE", "SELECT util.slug('a')", "SELECT count(*), now(), random(), version()",
		"SELECT pg_get_viewdef('v_nested'::regclass)",
	}
	for _, text := range reads {
		for _, s := range an.Analyze(text, cat, fixtureState()).Statements {
			if len(s.Writes) > 0 {
				t.Errorf("%s: writes %v", text, s.Writes)
			}
		}
	}
}

func TestUnresolvedNames(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	for text, want := range map[string][]string{
		"SELECT id FROM customer":            nil,
		"SELECT id FROM nosuch.tbl":          {"nosuch.tbl"},
		"SELECT colour FROM customer":        {"colour"},
		"SELECT nosuch(1)":                   {"nosuch"},
		"SELECT util.secret(1)":              nil,
		"SELECT id FROM a; SELECT id FROM b": {"a", "b"},
	} {
		if got := an.Analyze(text, cat, fixtureState()).UnresolvedNames(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: unresolved %q, want %q", text, got, want)
		}
	}
}

// TestEncodings reads the same statement in the bytes of several encodings.
func TestEncodings(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	tests := []struct {
		encoding, text string
		complete       bool
	}{
		{"UTF8", "SELECT 'é' FROM customer WHERE name = 'x'", true},
		{"LATIN1", "SELECT '\xe9' FROM customer WHERE name = 'x'", true},
		{"win-1252", "SELECT '\x80' FROM customer WHERE name = 'x'", true},
		{"SJIS", "SELECT 'x' FROM customer WHERE name = 'x'", true},
		{"SJIS", "SELECT '\x83\x5c' FROM customer WHERE name = 'x'", false},
		{"GBK", "SELECT '\xbf\x27' FROM customer WHERE name = 'x'", false},
		{"SQL_ASCII", "SELECT '\xe9' FROM customer WHERE name = 'x'", false},
	}
	for _, tt := range tests {
		st := fixtureState()
		st.Encoding = tt.encoding
		a := an.Analyze(tt.text, cat, st)
		if got := a.Statements[0].Complete; got != tt.complete {
			t.Errorf("%s %q: complete %v, gaps %v", tt.encoding, tt.text, got, a.Statements[0].Gaps)
		}
		if span := a.Statements[0].Span; span.End != len(tt.text) && a.Err == nil {
			t.Errorf("%s %q: span %v of %d bytes", tt.encoding, tt.text, span, len(tt.text))
		}
		if tt.complete {
			at := a.Statements[0].Tables[0].Columns[0].At[0]
			if want := strings.Index(tt.text, "name"); at != want {
				t.Errorf("%s %q: name at %d, want %d", tt.encoding, tt.text, at, want)
			}
		}
	}
	st := fixtureState()
	st.NonStandardStrings = true
	if an.Analyze(`SELECT 'a\' FROM customer`, cat, st).Statements[0].Complete {
		t.Error("a backslash is complete while standard_conforming_strings is off")
	}
}

func TestUniverse(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	tables := an.Universe(cat)
	if len(tables) != len(cat.Relations) {
		t.Fatalf("%d relations of %d", len(tables), len(cat.Relations))
	}
	for _, table := range tables {
		for _, c := range table.Columns {
			if c.Uses != query.UseAll || len(c.At) != bits.OnesCount16(uint16(c.Uses)) {
				t.Fatalf("%s.%s.%s: %v", table.Schema, table.Name, c.Name, c.Uses.Names())
			}
		}
	}
}

// TestWorkIsBounded feeds texts whose lineage could grow without bound.
func TestWorkIsBounded(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{CacheEntries: -1})
	var doubling strings.Builder
	doubling.WriteString("WITH a0 AS (SELECT * FROM customer)")
	for i := range 30 {
		fmt.Fprintf(&doubling, ", a%d AS (SELECT x.*, y.* FROM a%d x, a%d y)", i+1, i, i)
	}
	doubling.WriteString(" SELECT * FROM a30")
	nested := strings.Repeat("SELECT * FROM (", 60) + "SELECT * FROM customer" + strings.Repeat(") x", 60)
	for _, text := range []string{doubling.String(), nested, "SELECT " + strings.Repeat("customer, ", 1500) + "1 FROM customer"} {
		a := an.Analyze(text, cat, fixtureState())
		checkAnalysis(t, text, a)
	}
}

func FuzzAnalyze(f *testing.F) {
	cat := fixtureCatalog(f)
	for _, file := range factsFiles(f) {
		for _, c := range readFacts(f, file) {
			f.Add(c.sql)
		}
	}
	empty := &Catalog{Version: 1, Database: "x"}
	empty.Index(nil, nil)
	an := NewAnalyzer(Options{CacheEntries: -1})
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		for _, c := range []*Catalog{cat, empty} {
			a := an.Analyze(text, c, fixtureState())
			if a.Err != nil && a.Err.Code == "XX000" {
				t.Fatalf("%q: %v", text, a.Err)
			}
			checkAnalysis(t, text, a)
			st := fixtureState()
			for i := range a.Statements {
				st.Apply(c, &a.Statements[i])
			}
		}
	})
}

func BenchmarkAnalyze(b *testing.B) {
	cat := fixtureCatalog(b)
	cat2 := *cat
	cat2.Version = 7
	texts := map[string]string{
		"trivial": "SELECT id, name FROM customer WHERE id = $1",
		"join": "SELECT c.region, count(*), sum(o.total) FROM customer c JOIN orders o ON o.customer_id = c.id " +
			"WHERE o.placed >= '2024-01-01' GROUP BY c.region HAVING sum(o.total) > 100 ORDER BY 3 DESC LIMIT 10",
		"view": "SELECT * FROM v_nested WHERE k = 3",
	}
	st := fixtureState()
	for name, text := range texts {
		b.Run("cold/"+name, func(b *testing.B) {
			an := NewAnalyzer(Options{CacheEntries: -1})
			b.ReportAllocs()
			for b.Loop() {
				an.Analyze(text, &cat2, st)
			}
		})
		b.Run("cached/"+name, func(b *testing.B) {
			an := NewAnalyzer(Options{})
			b.ReportAllocs()
			for b.Loop() {
				an.Analyze(text, &cat2, st)
			}
		})
	}
}
