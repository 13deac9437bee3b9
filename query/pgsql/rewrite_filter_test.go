package pgsql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

func TestCheckFilter(t *testing.T) {
	for _, good := range []string{
		"region = 'EU'", "true", "NULL", "a IS NULL OR b BETWEEN 1 AND 5", "region = 'EU' -- visible",
		"owner = current_user", "id IN (SELECT id FROM hr.allowed WHERE who = current_user)",
		"EXISTS (WITH x AS (SELECT 1 AS y) SELECT FROM x)", "(true) AND (false)", "active", "util.allowed(id)",
		"region = 'it''s; --'",
	} {
		if err := CheckFilter(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                               "syntax error",
		"region =":                       "syntax error",
		"region = 'EU":                   "unterminated",
		"true) GROUP BY (1":              "not one expression",
		"true) UNION SELECT 1 WHERE (1":  "not one expression",
		"true); DROP TABLE x; SELECT (1": "not one expression",
		"true) LIMIT (1":                 "not one expression",
		"true) FOR UPDATE; --":           "syntax error",
		"1":                              "not boolean",
		"'EU'":                           "not boolean",
		"ROW(1, 2)":                      "not boolean",
		"id = $1":                        "parameter",
		"id IN (SELECT id FROM allowed)": "without its schema",
		"EXISTS (WITH x AS (DELETE FROM a.b RETURNING 1) SELECT FROM x)": "changes or locks",
		"EXISTS (SELECT FROM a.b FOR UPDATE)":                            "changes or locks",
		strings.Repeat("a OR ", 10_000) + "b":                            "too long",
	} {
		if err := CheckFilter(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", bad, err, want)
		}
	}
}

// TestRowFilters shows how filters are taken over.
func TestRowFilters(t *testing.T) {
	for _, c := range []struct{ filter, sql, want string }{
		// The columns are those of the relation, whatever else has their names.
		{"region = 'EU'", "SELECT 1 FROM customer orders", "FROM shop.customer WHERE customer.region OPERATOR(pg_catalog.=) 'EU') orders"},
		{"customer.region = 'EU'", "DELETE FROM customer c USING orders region", "WHERE c.region OPERATOR(pg_catalog.=) 'EU'"},
		{"shop.customer.region = 'EU'", "SELECT 1 FROM customer", "WHERE customer.region OPERATOR"},
		{"a OR b", "SELECT 1 FROM customer", `refused: the row filter of shop.customer cannot be used: column "a" does not exist`},
		{"name", "SELECT 1 FROM customer", "refused: the row filter of shop.customer cannot be used: it is not boolean"},
		{"lower(region) = 'eu'", "SELECT 1 FROM customer", "pg_catalog.lower(customer.region)"},
		{"slug(region) = 'eu'", "SELECT 1 FROM customer", "refused: the row filter of shop.customer cannot be used: function slug is named without its schema"},
		{"util.slug(region) = 'eu'", "SELECT 1 FROM customer", "util.slug(customer.region) OPERATOR(pg_catalog.=) 'eu'"},
		{"region = 'EU' OR id < 5", "DELETE FROM customer WHERE id = 1 OR id = 2",
			"WHERE (customer.region OPERATOR(pg_catalog.=) 'EU' OR customer.id OPERATOR(pg_catalog.<) 5) AND (id = 1 OR id = 2)"},
		{"customer IS NOT NULL", "SELECT 1 FROM customer", "refused: the row filter of shop.customer cannot be used: it reads the row as a whole"},
		{"id IN (SELECT o.customer_id FROM shop.orders o WHERE o.note = name)", "SELECT 1 FROM customer",
			"FROM shop.customer WHERE customer.id IN (SELECT o.customer_id FROM shop.orders o WHERE o.note OPERATOR(pg_catalog.=) customer.name)"},
		// A name inside the filter would capture that of its own relation.
		{"EXISTS (SELECT FROM shop.customer c WHERE c.id = customer.id + 1)", "SELECT 1 FROM customer",
			"FROM shop.customer own_customer WHERE EXISTS (SELECT FROM shop.customer c WHERE c.id OPERATOR(pg_catalog.=) (own_customer.id OPERATOR(pg_catalog.+) 1))"},
		{"EXISTS (SELECT FROM shop.customer c WHERE c.id = customer.id + 1)", "DELETE FROM customer c",
			"refused: the row filter of shop.customer uses the name c"},
		{"region IN ('EU', 'CH') AND name LIKE 'a%' AND id BETWEEN 1 AND 9", "SELECT 1 FROM customer",
			"customer.region IN ('EU', 'CH') AND customer.name LIKE 'a%' AND customer.id BETWEEN 1 AND 9"},
		{"ctid IS NOT NULL", "SELECT 1 FROM customer", "WHERE customer.ctid IS NOT NULL"},
	} {
		rw := query.Rewrite{Relations: []query.Narrowing{{Schema: "shop", Table: "customer", Filters: []string{c.filter}}}}
		got := renderRewrite(NewAnalyzer(Options{}).Rewrite(c.sql, 0, fixtureCatalog(t), fixtureState(), rw))[0]
		if strings.HasPrefix(got, "refused") {
			got = "refused" + got[strings.Index(got, ":"):]
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\ngot  %s\nwant %s", c.filter, c.sql, got, c.want)
		}
	}
}

// TestStoredTextsUnderAnotherPath: a view or filter means the same under a
// search_path that has other operators, functions and types of its names.
func TestStoredTextsUnderAnotherPath(t *testing.T) {
	cat := fixtureCatalog(t)
	shadowing := *cat
	var functions []*Function
	for _, list := range cat.functions {
		functions = append(functions, list...)
	}
	var operators []*Operator
	for _, list := range cat.operators {
		operators = append(operators, list...)
	}
	textEq := cat.Operators("=")[slices.IndexFunc(cat.Operators("="), func(o *Operator) bool { return o.Left == oidText && o.Right == oidText })]
	own := *textEq
	own.OID, own.Schema, own.Function = 99_999, "util", cat.Functions("starts")[0].OID
	shadowing.Version = 0
	shadowing.Index(functions, append(operators, &own))
	state := fixtureState()
	state.SearchPath = []string{"util", "pg_catalog", "shop"}
	for _, c := range []struct{ filter, want string }{
		{"region = 'EU'", "customer.region OPERATOR(pg_catalog.=) 'EU'"},
		{"upper(region) = 'EU'", "pg_catalog.upper(customer.region) OPERATOR(pg_catalog.=) 'EU'"},
		{"region IN ('EU')", "operator = means another one"},
		{"id IN (1, 2)", "customer.id IN (1, 2)"},
		{"CASE region WHEN 'EU' THEN true END", "operator = means another one"},
		{"CASE id WHEN 1 THEN true END", "CASE customer.id WHEN 1 THEN true END"},
		{"region IS DISTINCT FROM 'EU'", "operator = means another one"},
		{"NULLIF(region, 'EU') IS NULL", "operator = means another one"},
		{"region IN (SELECT o.note FROM shop.orders o)", "operator = means another one"},
		{"(region, id) IN (SELECT o.note, o.id FROM shop.orders o)", "has an operator = of its own"},
		{"EXISTS (SELECT FROM shop.orders o JOIN shop.orders p USING (note))", "operator = means another one"},
		{"EXISTS (SELECT FROM shop.orders o JOIN shop.orders p USING (id))", "USING (id)"},
		{"region = ANY (ARRAY['EU'])", "customer.region OPERATOR(pg_catalog.=) ANY("},
	} {
		rw := query.Rewrite{Relations: []query.Narrowing{{Schema: "shop", Table: "customer", Filters: []string{c.filter}}}}
		got := renderRewrite(NewAnalyzer(Options{}).Rewrite("SELECT 1 FROM customer", 0, &shadowing, state, rw))[0]
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\ngot  %s\nwant %s", c.filter, got, c.want)
		}
	}
}

// TestAncestorsAreInFacts: row filters of a table hold for its partitions, so
// policy must be asked about it even if no column is read.
func TestAncestorsAreInFacts(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT count(*) FROM staff.bonus_low":  "bonus",
		"SELECT 1 FROM staff.contractor":        "person",
		"TRUNCATE staff.bonus_high":             "bonus",
		"DELETE FROM ONLY staff.contractor":     "person",
		"SELECT EXISTS (TABLE staff.bonus_low)": "bonus",
	} {
		f := NewAnalyzer(Options{}).Analyze(sql, fixtureCatalog(t), fixtureState()).Statements[0].Facts
		if !slices.ContainsFunc(f.Tables, func(table query.Table) bool { return table.Schema == "staff" && table.Name == want && !table.Direct }) {
			t.Errorf("%s: no staff.%s in %+v", sql, want, f.Tables)
		}
	}
}

// TestFiltersHoldEverywhere: a filtered relation that is read where a filter
// cannot be put refuses the statement, or the statement is not complete.
func TestFiltersHoldEverywhere(t *testing.T) {
	cat := fixtureCatalog(t)
	st := fixtureState()
	st.Prepared = map[string]*Prepared{"p": {SQL: "SELECT name FROM staff.employee"}}
	st.Cursors = map[string]*Cursor{"c": {Facts: &query.Facts{Complete: true}}}
	rw := query.Rewrite{Relations: []query.Narrowing{{Schema: "staff", Table: "employee", Filters: []string{"room < 5"}}}}
	for _, sql := range []string{
		"SELECT util.pay(1)",
		"SELECT name, util.pay(id) FROM staff.employee",
		"SELECT * FROM util.rich()",
		"SELECT * FROM customer c, LATERAL util.both(c.id)",
		"SELECT util.inline(2)",
		"SELECT * FROM staff.mv_names",
		"COPY staff.mv_names TO STDOUT",
		"SELECT title FROM staff.file",
		"SELECT 5 OPERATOR(util.%%%) 3",
		"SELECT util.secret(1)",
		"EXECUTE p",
		"EXPLAIN EXECUTE p",
		"CREATE TEMP TABLE x AS EXECUTE p",
		"FETCH c",
		"EXPLAIN ANALYZE SELECT name FROM staff.employee",
		"TRUNCATE staff.employee",
		"INSERT INTO staff.employee (id) VALUES (1)",
		"WITH x AS (INSERT INTO staff.employee (id) VALUES (1) RETURNING id) SELECT * FROM x",
		"UPDATE staff.v_check SET name = 'x'",
		"INSERT INTO staff.v_check (id) VALUES (1)",
		"DELETE FROM staff.employee WHERE CURRENT OF c",
		"UPDATE staff.employee SET room = 1",
		"CREATE VIEW v AS SELECT 1 FROM staff.employee",
		"CREATE TABLE t AS SELECT * FROM staff.v_union",
		"CREATE INDEX ON staff.employee ((1 / room))",
		"DO $$ BEGIN PERFORM 1 FROM staff.employee; END $$",
		"CALL util.work(1)",
		"SELECT most_common_vals FROM pg_stats WHERE schemaname = 'staff' AND tablename = 'employee'",
		fmt.Sprintf("SELECT reltuples FROM pg_class WHERE oid = %d", cat.Relation("staff", "employee").OID),
		"SELECT reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'staff' AND c.relname = 'employee'",
		"SELECT pg_relation_size('staff.employee')",
		"SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 'employee'",
	} {
		r, err := NewAnalyzer(Options{}).Rewrite(sql, 0, cat, st, rw)
		if err == nil && r.Facts.Complete {
			t.Errorf("%s\nbecomes %s", sql, r.SQL)
		}
	}
	for _, sql := range []string{
		"SELECT name FROM staff.employee", "SELECT name FROM staff.v_filter", "SELECT * FROM staff.v_union",
		"TABLE staff.v_tree", "SELECT (SELECT max(room) FROM staff.employee e WHERE e.id = c.id) FROM customer c",
		"DELETE FROM customer WHERE id IN (SELECT id FROM staff.employee)", "PREPARE q AS SELECT name FROM staff.employee",
	} {
		r, err := NewAnalyzer(Options{}).Rewrite(sql, 0, cat, st, rw)
		if err != nil || strings.Count(r.SQL, "staff.employee") != strings.Count(r.SQL, "room OPERATOR(pg_catalog.<) 5") {
			t.Errorf("%s\nbecomes %+v, %v", sql, r, err)
		}
	}
}

// TestRewrittenStatementIsFollowed: what the session keeps of a rewritten
// PREPARE or DECLARE is what the rewritten text means.
func TestRewrittenStatementIsFollowed(t *testing.T) {
	cat, an := fixtureCatalog(t), NewAnalyzer(Options{})
	st := fixtureState()
	r, err := an.Rewrite("DECLARE k CURSOR FOR SELECT email FROM customer", 0, cat, st, testRewrite())
	if err != nil {
		t.Fatal(err)
	}
	next := st.clone()
	next.Apply(cat, r.Statement)
	f := an.Analyze("FETCH ALL FROM k", cat, next).Statements[0].Facts
	if !f.Complete || len(f.Output) != 1 || len(f.Output[0].Origins) != 0 {
		t.Errorf("the cursor shows %+v", f)
	}
	r, err = an.Rewrite("PREPARE q AS SELECT email, id FROM customer WHERE id = $1", 0, cat, st, testRewrite())
	if err != nil {
		t.Fatal(err)
	}
	if r.Statement.Kind != KindPrepare || r.Statement.Name != "q" || r.Facts.Class != query.ClassRead || len(r.Facts.Output) != 2 || len(r.Facts.Output[0].Origins) != 0 {
		t.Errorf("%+v", r)
	}
	if !strings.HasPrefix(r.Statement.Inner, "SELECT email, id FROM (SELECT") || !strings.Contains(r.Statement.Inner, "region OPERATOR") {
		t.Errorf("inner text %s", r.Statement.Inner)
	}
	if r, err = an.Rewrite("COPY customer (id, email) TO STDOUT", 0, cat, st, testRewrite()); err != nil || r.Statement.Kind != KindCopyOut ||
		!slices.Equal(r.Statement.Copy.Columns, []string{"id", "email"}) || !strings.Contains(r.Statement.Copy.Query, "region OPERATOR") {
		t.Errorf("%+v, %v", r, err)
	}
}
