package gate_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
)

// A statement that sizes of tables keep from running runs where it sees those
// of unmasked tables alone.
func TestSizesOfMaskedTablesAreHidden(t *testing.T) {
	named := func(schema, name string) query.RelationName { return query.RelationName{Schema: schema, Name: name} }
	of := func(schema, name string, columns ...string) query.Sized {
		s := query.Sized{RelationName: named(schema, name), Tables: []query.Table{{Schema: schema, Name: name, Kind: "table", Access: []string{"select"}}}}
		for _, c := range columns {
			s.Tables[0].Columns = append(s.Tables[0].Columns, query.ColumnUse{Name: c, Uses: query.UseDerived})
		}
		return s
	}
	sized := []query.Sized{of("hr", "employees", "id", "email"), of("hr", "other", "id"), of("hr", "rooms", "id"),
		{RelationName: named("hr", "view")}}
	incomplete := &query.Facts{Class: query.ClassRead, Verbs: []string{"SELECT"}, Returns: true, Gaps: []query.Gap{{Reason: "column pg_class.relpages", Pos: -1}}}
	catalog := &query.Facts{Class: query.ClassRead, Verbs: []string{"SELECT"}, Returns: true, Complete: true}
	want := func(names ...query.RelationName) query.Rewrite {
		return query.Rewrite{Sizes: &query.Sizes{Shown: names}}
	}
	hidden := want(named("hr", "rooms"), named("hr", "view")) // rows of hr.other are filtered

	for _, c := range []struct {
		name    string
		facts   *query.Facts
		left    *query.Facts
		sizes   []query.Sized
		applied *query.Rewritten
		passes  bool
		state   string
	}{
		{name: "hidden", facts: incomplete, left: catalog, sizes: sized, passes: true},
		{name: "it reads masked columns as well", facts: incomplete, left: selects(column("ssn", 4, textOID, query.UseFilter, 30)), sizes: sized, state: "42501"},
		{name: "more keeps it from running", facts: incomplete, left: incomplete, sizes: sized, state: "42501"},
		{name: "no sizes are read", facts: incomplete, left: catalog, state: "42501"},
		{name: "prepared with the same sizes", facts: incomplete, left: catalog, sizes: sized, passes: true,
			applied: &query.Rewritten{Rewrite: hidden, SQL: "SELECT rewritten", Facts: catalog}},
		{name: "prepared when more were shown", facts: incomplete, left: catalog, sizes: sized, state: "0A000",
			applied: &query.Rewritten{Rewrite: want(named("hr", "employees"), named("hr", "rooms"), named("hr", "view")), SQL: "x", Facts: catalog}},
		{name: "prepared as it is", facts: incomplete, left: catalog, sizes: sized, state: "42501", applied: &query.Rewritten{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := person(t, fmt.Sprintf(everywhere, filtered))
			w := &rewriter{facts: c.left}
			stmt := gate.Statement{SQL: "SELECT original", Facts: c.facts, Universe: universe, Rewrite: w.rewrite, Applied: c.applied,
				Sizes: func() []query.Sized { return c.sizes }}
			ticket, err := s.Judge(context.Background(), stmt)
			var d *gate.Denial
			if errors.As(err, &d) {
				if c.passes || d.SQLState != c.state {
					t.Fatalf("refused: %+v", d)
				}
				return
			}
			if !c.passes {
				t.Fatal("not refused")
			}
			if ticket.Rewritten == nil || !reflect.DeepEqual(ticket.Rewritten.Rewrite, hidden) || ticket.Facts != catalog {
				t.Errorf("ticket %+v", ticket.Rewritten)
			}
		})
	}
}
