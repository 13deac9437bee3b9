package random

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// fixture is a small catalog: a protected table, an open one, a view that leaks.
func fixture() *Catalog {
	return &Catalog{
		Relations: []*Relation{
			{Schema: "hr", Name: "person", Rows: 200, Key: []string{"id"}, Insert: true, Update: true, Delete: true, Columns: []Column{
				{Name: "id", Type: "int4", Required: true, Samples: []string{"1", "2"}}, {Name: "city", Type: "text", Required: true, Samples: []string{"Bern", "O'Hara"}},
				{Name: "ssn", Type: "text", Secret: true, Required: true, Samples: []string{"123"}}, {Name: "salary", Type: "numeric", Secret: true, Samples: []string{"5.5"}},
				{Name: "born", Type: "date", Secret: true}, {Name: "Odd \"one\"", Type: "jsonb"}}},
			{Schema: "hr", Name: "rich", Rows: 20, Leaky: true, View: true, Columns: []Column{{Name: "id", Type: "int4", Secret: true}}},
			{Schema: "pub", Name: "note", Rows: 20, Key: []string{"id"}, Insert: true, Update: true, Delete: true, Columns: []Column{
				{Name: "id", Type: "int4", Required: true}, {Name: "body", Type: "text", Samples: []string{"x\\y"}}, {Name: "tags", Type: "_text"}, {Name: "day", Type: "date"}, {Name: "ok", Type: "bool"}}},
			{Schema: "pg_catalog", Name: "pg_namespace", Rows: 10, System: true, Columns: []Column{{Name: "oid", Type: "oid"}, {Name: "nspname", Type: "name"}}},
		},
		Functions: map[string][]Function{"text": {{Schema: "pg_catalog", Name: "upper", Args: []string{"text"}, Result: "text"}}, "bool": {{Schema: "pg_catalog", Name: "<", Args: []string{"int4", "int4"}, Result: "bool", Operator: true}}},
		Enums:     map[string][]string{"hr.mood": {"sad", "happy"}},
		Schemas:   []string{"hr", "pub"},
	}
}

func TestSameSeedSameSessions(t *testing.T) {
	a, b := NewGenerator(fixture(), DefaultBias, 7), NewGenerator(fixture(), DefaultBias, 7)
	for n := range 30 {
		x := a.Session(n)
		if n%3 == 0 {
			b.Session(n + 1000) // sessions do not depend on those before
		}
		if y := b.Session(n); !reflect.DeepEqual(x, y) {
			t.Fatalf("session %d differs", n)
		}
	}
	c := NewGenerator(fixture(), DefaultBias, 8)
	if reflect.DeepEqual(a.Session(0).Steps, c.Session(0).Steps) {
		t.Error("another seed makes the same session")
	}
}

// Nearly every text is one that the grammar accepts, and all constructs occur.
func TestStatementsParse(t *testing.T) {
	g := NewGenerator(fixture(), DefaultBias, 1)
	total, bad := 0, 0
	for n := range 150 {
		for _, st := range g.Session(n).Steps {
			total++
			if _, err := pg.Parse(st.Text()); err != nil {
				bad++
				if bad < 5 {
					t.Logf("%v: %s", err, st.Text())
				}
			}
		}
	}
	if bad*200 > total {
		t.Errorf("%d of %d statements do not parse", bad, total)
	}
	for _, want := range []string{"join.lateral", "join.using", "join.full", "cte.recursive", "setop.except", "group.cube", "expr.window", "window.frame", "expr.filter", "distinct.on", "subquery.exists", "subquery.any",
		"write.merge", "write.cte", "write.on_conflict", "returning", "unit.cursor", "unit.prepare", "unit.copy", "unit.explain", "unit.several", "unit.portal", "unit.pipeline", "unit.copy_in", "unit.again", "unit.temporary", "parameter", "expr.whole_row", "star", "name.unicode",
		"session.search_path", "savepoint", "from.values", "from.function", "output.secret", "output.derived", "protocol.extended.1"} {
		if g.Coverage[want] == 0 {
			t.Errorf("%s never occurs", want)
		}
	}
}

// In plain sessions protected columns are result columns and nothing else: a
// condition never names one, but for the few statements that are sneaky on purpose.
func TestPlainSessionsDoNotCompute(t *testing.T) {
	g := NewGenerator(fixture(), Bias{Plain: 1, Units: 30}, 3)
	named, filtered := 0, 0
	for n := range 60 {
		for _, st := range g.Session(n).Steps {
			text := st.Text()
			if strings.Contains(text, "ssn") {
				named++
			}
			if _, where, ok := strings.Cut(text, "WHERE"); ok && !strings.Contains(where, "SELECT") && strings.Contains(where, ".ssn") {
				filtered++
			}
		}
	}
	if named < 200 || filtered*30 > named {
		t.Errorf("%d statements name the column, %d in a condition", named, filtered)
	}
}

func TestParametersAreNumberedAnew(t *testing.T) {
	g := NewGenerator(fixture(), DefaultBias, 1)
	a, b, c := "a", "b", "c"
	g.stm.params = []*string{&a, &b, &c}
	got := g.bindNumbers("SELECT $3::text, $1::int, $3::text, '$.x'")
	if got != "SELECT $1::text, $2::int, $3::text, '$.x'" && got != "SELECT $1::text, $2::int, $1::text, '$.x'" {
		t.Errorf("got %s", got)
	}
	if len(g.stm.params) != 2 || *g.stm.params[0] != "c" || *g.stm.params[1] != "a" {
		t.Errorf("parameters %v", g.stm.params)
	}
}

func TestShrink(t *testing.T) {
	long := []Step{{Q: "SET a = 1"}, {Q: "SELECT 1"}, {Q: "BEGIN"},
		{Q: "WITH x AS (SELECT 2) SELECT p.id, upper(p.ssn || 'x'), (SELECT count(*) FROM x) FROM hr.person p JOIN pub.note n ON n.id = p.id WHERE p.id < 5 AND n.ok ORDER BY p.id LIMIT 3"}}
	got, err := shrink(t.Context(), long, func(steps []Step) (bool, error) {
		begun := slices.ContainsFunc(steps, func(s Step) bool { return s.Q == "BEGIN" })
		return begun && strings.Contains(steps[len(steps)-1].Q, "ssn"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Q != "BEGIN" || len(got[1].Q) > 40 {
		t.Errorf("got %+v", got)
	}
}

func TestShrinkMakesPlainQueries(t *testing.T) {
	v := "it's"
	got, err := shrink(t.Context(), []Step{{Pipe: extended("SELECT $1::text, ssn FROM p", []*string{&v}, 1)}}, func(steps []Step) (bool, error) {
		return strings.Contains(steps[0].text(), "ssn"), nil
	})
	if err != nil || len(got) != 1 || got[0].Q == "" || got[0].Pipe != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDifference(t *testing.T) {
	row := func(s string) frame { return frame{'D', []byte(s)} }
	done := frame{'C', []byte("SELECT 2\x00")}
	a := answer{frames: []frame{row("1"), row("2"), done}}
	b := answer{frames: []frame{row("2"), row("1"), done}}
	c := answer{frames: []frame{row("2"), done}}
	for _, x := range []struct {
		a, b      answer
		unordered bool
		differ    bool
	}{{a, a, false, false}, {a, b, false, true}, {a, b, true, false}, {a, c, false, true}, {a, c, true, true}} {
		if got := difference(&x.a, &x.b, x.unordered); (got != "") != x.differ {
			t.Errorf("unordered %v: %q", x.unordered, got)
		}
	}
}

func TestRenumber(t *testing.T) {
	body := func(oid byte) []byte {
		return append([]byte{0, 1, 'c', 0, 0, 0, 0, oid, 0, 1}, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0)
	}
	x := &client{newest: 100, made: map[uint32]uint32{}}
	y := &client{newest: 100, made: map[uint32]uint32{}}
	a, b, old := body(150), body(170), body(90)
	x.renumberRow(a)
	y.renumberRow(b)
	y.renumberRow(old)
	if !slices.Equal(a, b) || !slices.Equal(old, body(90)) {
		t.Errorf("%v %v %v", a, b, old)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"id": "id", "Id": `"Id"`, "select": `"select"`, `a"b`: `"a""b"`, "1a": `"1a"`, "": `""`} {
		if got := Quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := Literal(`a'b\c`); got != ` E'a''b\\c'` {
		t.Errorf("literal %s", got)
	}
}
