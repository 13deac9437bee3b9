package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
)

// A refusal says which column, which use, by what rule, and what would work.
func TestMessages(t *testing.T) {
	as := func(class query.Class, verb string, c query.ColumnUse) *query.Facts {
		f := selects(c)
		f.Class, f.Verbs = class, []string{verb}
		return f
	}
	read := func(c query.ColumnUse) *query.Facts { return as(query.ClassRead, "SELECT", c) }
	behind := read(column("ssn", 4, textOID, query.UseFilter, 14))
	behind.Tables[0].Direct = false
	stored := as(query.ClassDDL, "CREATE TABLE AS", column("ssn", 4, textOID, query.UseWrite, 14))
	stored.Moves = []query.Effect{{Kind: "create table"}}
	for _, c := range []struct {
		name                  string
		facts                 *query.Facts
		message, detail, hint string
		pos                   int
	}{
		{"the use that tells most, in its place", read(column("ssn", 4, textOID, query.UseOutput|query.UseDerived|query.UseAggregate, 1, 2, 3)),
			"may be selected but not used in an aggregate", "It is used in an aggregate, in an expression.", "other columns there. The administrator can allow it", 3},
		{"a condition", read(column("ssn", 4, textOID, query.UseFilter, 9)), "not used in WHERE or another condition",
			"Rule masked_column: hr.employees.ssn is masked with partial.", "look for rows by other columns", 9},
		{"a join", read(column("ssn", 4, textOID, query.UseJoin, 9)), "not used to join", "", "Join by other columns", 9},
		{"a store", stored, "not used as the source of a write", "", "Leave ssn out of what is stored", 14},
		{"a definition", as(query.ClassDDL, "ALTER TABLE", column("ssn", 4, textOID, query.UseWrite, 12)), "not used in ALTER TABLE", "may depend on its values", "somebody who sees ssn unmasked", 12},
		{"a plan", as(query.ClassExplain, "EXPLAIN", column("ssn", 4, textOID, query.UseDerived, 15)), "not used in EXPLAIN, whose estimates", "", "COSTS OFF", 15},
		{"a write that a unique index could stop", as(query.ClassWrite, "INSERT", column("ssn", 4, textOID, query.UseFilter|query.UseAssign, -1, 20)),
			"may be selected but not written", "A key, unique index or constraint", "ask somebody who sees it unmasked", -1},
		{"a COPY of what cannot be looked at", as(query.ClassCopy, "COPY FROM", column("ssn", 4, textOID, query.UseAssign, 20)),
			"COPY FROM cannot be looked at for masked values", "", "or use INSERT", 20},
		{"behind a view", behind, "ssn is masked for ana", "reaches hr.employees through a view", "", 14},
		{"what cannot be replaced", as(query.ClassRead, "SELECT", column("email", 2, xmlOID, query.UseOrder, 9)), "not used in ORDER BY", "", "has no constant that could stand in its place", 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := person(t, fmt.Sprintf(everywhere, unfiltered))
			_, err := s.Judge(context.Background(), gate.Statement{SQL: "…", Facts: c.facts, Universe: universe})
			var d *gate.Denial
			if !errors.As(err, &d) || !strings.Contains(d.Message, c.message) || !strings.Contains(d.Detail, c.detail) || !strings.Contains(d.Hint, c.hint) || d.Pos != c.pos {
				t.Errorf("%+v", d)
			}
		})
	}
}
