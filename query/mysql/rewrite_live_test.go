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
