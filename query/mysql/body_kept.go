package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// Triggers often begin with IF NEW.a <> OLD.a THEN. Where the UPDATE leaves a
// alone that branch never runs, and what it would do is not done.

// triggerKey is what the facts of a trigger are remembered by: the columns that
// its body compares with what they were, and that the statement keeps.
type triggerKey struct {
	trigger *Trigger
	kept    string
}

// assigning notes the columns that an UPDATE assigns, until it is undone.
func (r *run) assigning(list []*ast.Assignment) (undo func()) {
	before := r.updates
	r.updates = list
	return func() { r.updates = before }
}

// kept are the columns of a relation that an UPDATE cannot change: it does not
// assign them, they are not made of others, and no trigger assigns them.
func (r *run) kept(rel *Relation) []string {
	if r.updates == nil {
		return nil
	}
	var out []string
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Generated != "" || c.OnUpdate || slices.ContainsFunc(r.updates, func(a *ast.Assignment) bool { return foldName(a.Column.Name.O) == foldName(c.Name) }) {
			continue
		}
		out = append(out, c.Name)
	}
	for i := range rel.Triggers {
		g := &rel.Triggers[i]
		if g.Event != "UPDATE" && g.Event != "" || g.Timing == "AFTER" {
			continue
		}
		t := r.bodyText(g.Body, g.SQLMode)
		if t == nil {
			return nil
		}
		for j := range t.tokens {
			if t.word(j) == "into" { // which may name columns of NEW
				switch t.word(j - 1) {
				case "insert", "replace", "ignore":
				default:
					return nil
				}
			}
			if name, ok := t.name(j + 2); ok && t.word(j) == "new" && t.is(j+1, ".") && (t.is(j+3, "=") || t.is(j+3, ":=")) {
				out = slices.DeleteFunc(out, func(c string) bool { return foldName(c) == foldName(name) })
			}
		}
	}
	return out
}

// compared are those of some columns that the text names behind OLD.
func (t *text) compared(columns []string) []string {
	var out []string
	for _, c := range columns {
		for j := range t.tokens {
			if name, ok := t.name(j + 2); ok && t.word(j) == "old" && t.is(j+1, ".") && foldName(name) == foldName(c) {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// aside walks what never runs: nothing of it counts but faults, behind which
// nothing can be found.
func (b *body) aside(walk func() int) int {
	before, acc := *b, b.r.acc
	b.r.acc = newAccumulator()
	end := walk()
	fault := b.fault
	*b, b.r.acc, b.fault = before, acc, fault
	return end
}

// never says that the condition between two tokens is not true where an UPDATE
// keeps the columns that it compares.
func (b *body) never(from, to int) bool {
	if len(b.kept) == 0 || to < 0 || b.fault != "" {
		return false
	}
	sub := b.within(from, to)
	sub.acc = newAccumulator()
	list := sub.expressions(0, to-from, []edit{{0, 0, "SELECT"}})
	return len(list) == 1 && b.neverTrue(list[0])
}

func (b *body) neverTrue(n ast.ExprNode) bool {
	switch x := strip(n).(type) {
	case *ast.UnaryOperationExpr:
		e, ok := strip(x.V).(*ast.BinaryOperationExpr)
		return ok && (x.Op == opcode.Not || x.Op == opcode.Not2) && e.Op == opcode.NullEQ && b.unchanged(e)
	case *ast.BinaryOperationExpr:
		switch x.Op {
		case opcode.LogicOr:
			return b.neverTrue(x.L) && b.neverTrue(x.R)
		case opcode.LogicAnd:
			return b.neverTrue(x.L) || b.neverTrue(x.R)
		case opcode.NE, opcode.LT, opcode.GT:
			return b.unchanged(x)
		}
	}
	return false
}

// unchanged says that an operator's operands are NEW and OLD of a kept column.
func (b *body) unchanged(x *ast.BinaryOperationExpr) bool {
	l, lok := strip(x.L).(*ast.ColumnNameExpr)
	r, rok := strip(x.R).(*ast.ColumnNameExpr)
	if !lok || !rok || foldName(l.Name.Name.O) != foldName(r.Name.Name.O) || l.Name.Schema.O != "" || r.Name.Schema.O != "" {
		return false
	}
	names := strings.ToLower(l.Name.Table.O) + "," + strings.ToLower(r.Name.Table.O)
	return (names == "new,old" || names == "old,new") && slices.ContainsFunc(b.kept, func(c string) bool { return foldName(c) == foldName(l.Name.Name.O) })
}
