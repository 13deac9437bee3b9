package mysql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/weirdb/weir/query"
)

// TestLiveRewrite runs statements narrowed by a filter that hides nothing: they
// give what the client's own text gives, in whatever order, and the columns that
// their facts say.
func TestLiveRewrite(t *testing.T) {
	conn, cat := lineageServer(t)
	a := NewAnalyzer(Options{SafeFunctions: []string{"shop.f_twice"}})
	rw := query.Rewrite{Relations: []query.Narrowing{
		{Schema: "hr", Table: "employees", Filters: []string{"`id` > 0"}},
		{Schema: "shop", Table: "customers", Filters: []string{"`id` > 0", "`name` <> ''"}},
		{Schema: "shop", Table: "products", Filters: []string{"`id` > 0"}},
	}}
	done := 0
	for _, sql := range columnStatements(t, "testdata/lineage_columns.txt") {
		if before := a.Analyze(sql, cat, lineageState()); len(before.Statements) != 1 || len(before.Statements[0].Writes) > 0 ||
			slices.ContainsFunc([]string{"rand", "uuid", "random_bytes", "encrypt", "row_count", "found_rows", "last_insert_id", "LIMIT", "now()", "sysdate", "timestamp", "@", ") OVER"},
				func(w string) bool { return strings.Contains(sql, w) }) {
			continue // differs from call to call, or takes the rows that come first; windows have sources of their own
		}
		out, err := a.Rewrite(sql, 0, cat, lineageState(), rw)
		if err != nil {
			t.Logf("%s: %v", sql, err)
			continue
		}
		done++
		want, err := conn.Execute(sql)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		wanted := rowsOf(t, conn, sql)
		got, err := conn.Execute(out.SQL)
		if err != nil {
			t.Errorf("%s: %v", out.SQL, err)
			continue
		}
		compareColumns(t, cat, out.SQL, out.Facts.Output, got.Fields)
		for i := range want.Fields {
			if i < len(got.Fields) && !strings.EqualFold(string(want.Fields[i].Name), string(got.Fields[i].Name)) {
				t.Errorf("%s: column %d is %s, was %s", out.SQL, i+1, got.Fields[i].Name, want.Fields[i].Name)
			}
		}
		if rows := rowsOf(t, conn, out.SQL); !slices.Equal(rows, wanted) {
			t.Errorf("%s\n gives %v\nwanted %v", out.SQL, rows, wanted)
		}
	}
	if done < 80 {
		t.Errorf("only %d statements were narrowed", done)
	}
}

// rowsOf are a statement's rows, sorted.
func rowsOf(t *testing.T, conn *client.Conn, sql string) []string {
	t.Helper()
	res, err := conn.Execute(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for i := range res.RowNumber() {
		var row []string
		for j := range res.ColumnNumber() {
			v, err := res.GetString(i, j)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, v)
		}
		out = append(out, fmt.Sprint(row))
	}
	slices.Sort(out)
	return out
}

// TestLiveRewriteChanges runs narrowed changes: rows that a filter hides stay.
func TestLiveRewriteChanges(t *testing.T) {
	conn, cat := lineageServer(t)
	a := NewAnalyzer(Options{})
	rw := query.Rewrite{Relations: []query.Narrowing{
		{Schema: "hr", Table: "employees", Filters: []string{"`id` > 3"}},
		{Schema: "shop", Table: "products", Filters: []string{"`id` > 3", "`title` <> ''"}},
	}}
	hidden := func() string {
		return fmt.Sprint(rowsOf(t, conn, "SELECT * FROM hr.employees WHERE id <= 3"), rowsOf(t, conn, "SELECT * FROM shop.products WHERE id <= 3"))
	}
	for sql, touches := range map[string]bool{
		"UPDATE shop.products SET stock = stock + 1":                                          true,
		"UPDATE products SET stock = 7 WHERE id IN (1, 2, 3)":                                 false,
		"UPDATE products p SET p.stock = 7 WHERE 10 / (p.id - 3) <> 99 ORDER BY p.id LIMIT 1": true,
		"UPDATE products p JOIN hr.employees e ON e.id = p.id SET p.stock = 3, e.salary = 1":  true,
		"UPDATE scratch s JOIN products p ON p.id = s.id SET s.n = 77 WHERE p.id <= 3":        false,
		"DELETE FROM hr.employees WHERE id <= 3":                                              false,
		"DELETE FROM hr.employees WHERE id > 2":                                               true,
		"DELETE e FROM hr.employees e, products p WHERE p.id = e.id":                          true,
		"INSERT INTO scratch (k, n) SELECT CONCAT('rw ', id), id FROM products WHERE id <= 3": false,
		"INSERT INTO scratch (k, n) SELECT CONCAT('rw ', id), id FROM products ORDER BY id":   true,
		"DELETE FROM scratch WHERE id IN (SELECT id FROM products WHERE id <= 3)":             false,
	} {
		out, err := a.Rewrite(sql, 0, cat, lineageState(), rw)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		for _, s := range []string{"SET SESSION sql_mode = ''", "BEGIN", "DELETE FROM hr.employees", "DELETE FROM shop.products",
			"INSERT INTO shop.products SELECT seq, CONCAT('p', seq), 'c', 1, 1 FROM seq_1_to_6", "INSERT INTO hr.employees SELECT seq, 'n', 1, 5, 1999 FROM seq_1_to_6",
			"REPLACE INTO shop.scratch (id, k) SELECT seq, CONCAT('s', seq) FROM seq_1_to_6"} {
			if _, err := conn.Execute(s); err != nil {
				t.Fatal(err)
			}
		}
		before := hidden()
		res, err := conn.Execute(out.SQL)
		switch {
		case err != nil:
			t.Errorf("%s: %v", out.SQL, err)
		case (res.AffectedRows > 0) != touches:
			t.Errorf("%s: %d rows", out.SQL, res.AffectedRows)
		}
		if hidden() != before {
			t.Errorf("%s changes hidden rows", out.SQL)
		}
		if _, err := conn.Execute("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}
