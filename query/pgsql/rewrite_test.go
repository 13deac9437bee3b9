package pgsql

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// testRewrite hides customers outside the EU and their addresses, what people
// earn, and some of the bonus.
func testRewrite() query.Rewrite {
	mask := "***"
	return query.Rewrite{Relations: []query.Narrowing{
		{Schema: "shop", Table: "customer", Filters: []string{"region = 'EU'"}, Constants: []query.Constant{{Column: "email", Value: &mask}}},
		{Schema: "staff", Table: "bonus", Filters: []string{"id > 1"}},
		{Schema: "staff", Table: "employee", Constants: []query.Constant{{Column: "salary"}}},
	}}
}

func TestRewriteSelect(t *testing.T) {
	a := NewAnalyzer(Options{})
	out, err := a.Rewrite("SELECT name FROM staff.employee e WHERE salary > 5", 0, fixtureCatalog(t), fixtureState(), testRewrite())
	if err != nil {
		t.Fatal(err)
	}
	want := "SELECT name FROM (SELECT id, name, NULL::numeric AS salary, manager_id, grade, home, room FROM staff.employee) e WHERE salary > 5"
	if out.SQL != want {
		t.Errorf("got  %s\nwant %s", out.SQL, want)
	}
	for _, table := range out.Facts.Tables {
		if slices.ContainsFunc(table.Columns, func(c query.ColumnUse) bool { return c.Name == "salary" }) {
			t.Errorf("salary is in the facts: %+v", table)
		}
	}
	_, err = a.Rewrite("EXPLAIN SELECT * FROM shop.customer", 0, fixtureCatalog(t), fixtureState(), testRewrite())
	if e := (*query.RewriteError)(nil); !errors.As(err, &e) || !strings.Contains(e.Reason, "plan") {
		t.Errorf("error is %v", err)
	}
}
