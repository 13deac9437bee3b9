package gate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
)

// TestOrderOfRows lets a statement run without indexes where only the order of
// its rows would show a masked column.
func TestOrderOfRows(t *testing.T) {
	plain := selects(column("id", 1, 23, query.UseOutput))
	apart := query.Rewrite{Relations: []query.Narrowing{{Schema: "hr", Table: "employees", Apart: []string{"ssn"}}}}
	for _, c := range []struct {
		name      string
		uses      query.Use
		reorders  bool
		left      *query.Facts
		applied   *query.Rewritten
		err       error
		rewritten bool
		refused   bool
	}{
		{name: "the order alone", uses: query.UseOrder, reorders: true, left: plain, rewritten: true},
		{name: "the order, and masked output", uses: query.UseOrder | query.UseOutput, reorders: true, left: plain, rewritten: true},
		{name: "a server that cannot be kept from it", uses: query.UseOrder, left: plain, refused: true},
		{name: "a condition too", uses: query.UseOrder | query.UseFilter, reorders: true, left: selects(column("ssn", 4, textOID, query.UseFilter)), refused: true},
		{name: "the statement's own order", uses: query.UseOrder, reorders: true, left: selects(column("ssn", 4, textOID, query.UseOrder)), refused: true},
		{name: "a text that cannot be changed", uses: query.UseOrder, reorders: true, err: &query.RewriteError{Reason: "no", Pos: -1}, refused: true},
		{name: "prepared so", uses: query.UseOrder, reorders: true, applied: &query.Rewritten{Rewrite: apart, SQL: "SELECT rewritten", Facts: plain}, rewritten: true},
		{name: "prepared otherwise", uses: query.UseOrder, reorders: true, applied: &query.Rewritten{}, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := person(t, fmt.Sprintf(everywhere, unfiltered))
			w := &rewriter{facts: c.left, err: c.err}
			ticket, err := s.Judge(context.Background(), gate.Statement{SQL: "SELECT original", Facts: selects(column("ssn", 4, textOID, c.uses, 30)), Universe: universe,
				Rewrite: w.rewrite, Reorders: c.reorders, Applied: c.applied})
			if (err != nil) != c.refused {
				t.Fatalf("refused %v: %v", err != nil, err)
			}
			if err != nil {
				if !strings.Contains(err.Error(), "ssn is masked for ana") && !strings.Contains(err.Error(), "has changed since") {
					t.Errorf("it says %v", err)
				}
				return
			}
			if (ticket.Rewritten != nil) != c.rewritten {
				t.Errorf("rewritten: %v", ticket.Rewritten)
			}
		})
	}
}

// TestOrderOfRowsIsExplained says what is wrong with a statement that does not
// speak of an order, and speaks of what it does say first.
func TestOrderOfRowsIsExplained(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts *query.Facts
		want  string
	}{
		{"an index's order alone", selects(column("ssn", 4, textOID, query.UseOrder, -1)), "ssn is masked for ana, and the rows may come in its order"},
		{"ORDER BY", selects(column("ssn", 4, textOID, query.UseOrder, 40)), "not used in ORDER BY"},
		{"a function too", selects(column("ssn", 4, textOID, query.UseOrder|query.UseDerived, 7, -1)), "not used in an expression"},
		{"a function over another column", selects(column("ssn", 4, textOID, query.UseOrder, -1), column("email", 2, textOID, query.UseWrite|query.UseDerived, 7, 7)), "email is masked"},
	} {
		s, _ := person(t, fmt.Sprintf(everywhere, unfiltered))
		_, err := s.Judge(context.Background(), gate.Statement{SQL: "SELECT original", Facts: c.facts, Universe: universe})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
