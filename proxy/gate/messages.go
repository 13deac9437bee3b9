package gate

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

// A refusal says which column, which use of it, by what rule, and what would
// work instead.

// telling are the uses in the order in which they tell most of what is wrong.
var telling = []query.Use{query.UseAggregate, query.UseWindow, query.UseJoin, query.UseGroup, query.UseDistinct, query.UseOrder,
	query.UseFilter, query.UseWrite, query.UseCall, query.UseDerived, query.UseAssign}

func (s *Session) maskedUse(f *query.Facts, u *use) *Denial {
	main := telling[slices.IndexFunc(telling, func(x query.Use) bool { return u.other&x != 0 })]
	if u.mask.Elsewhere == policy.ElsewhereMasked && u.other&query.UseWrite != 0 {
		main = query.UseWrite // the others would work
	}
	if unwritten(u.column) { // the other uses are what the statement says
		if rest := u.other &^ query.UseOrder; rest != 0 {
			main = telling[slices.IndexFunc(telling, func(x query.Use) bool { return rest&x != 0 })]
		}
	}
	t, c := u.table, u.column
	d := &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: position(c, main),
		Detail: fmt.Sprintf("Rule masked_column: %s.%s.%s is masked with %s.", t.Schema, t.Name, c.Name, u.mask.Function)}
	if !t.Direct {
		d.Detail += fmt.Sprintf(" The statement reaches %s.%s through a view, a partition or a constraint.", t.Schema, t.Name)
	}
	where := ""
	switch {
	case f.Class == query.ClassExplain && main == query.UseDerived:
		where, d.Hint = "in EXPLAIN, whose estimates come from its values", fmt.Sprintf("EXPLAIN (COSTS OFF) shows the plan of a statement that does not select or use %s.", c.Name)
	case main == query.UseAssign:
		d.Message = fmt.Sprintf("%s is masked for %s; COPY FROM cannot be looked at for masked values that are written back", c.Name, s.user.Name)
		d.Hint = fmt.Sprintf("Leave %s out of the columns, or use INSERT.", c.Name)
		return d
	case main == query.UseFilter && c.Uses&query.UseAssign != 0 && d.Pos < 0:
		d.Message = fmt.Sprintf("%s is masked for %s; it may be selected but not written", c.Name, s.user.Name)
		d.Detail += " A key, unique index or constraint of the table would tell whether a value is there."
		d.Hint = fmt.Sprintf("Leave %s out of the statement, or ask somebody who sees it unmasked to make the change.", c.Name)
		return d
	case main == query.UseOrder && unwritten(c):
		d.Message = fmt.Sprintf("%s is masked for %s, and the rows may come in its order", c.Name, s.user.Name)
		d.Hint = "Order the result by other columns that tell its rows apart, such as the primary key."
		return d
	case main == query.UseWrite && defines(f):
		where, d.Hint = "in "+f.Verbs[0], fmt.Sprintf("Ask somebody who sees %s unmasked to do it.", c.Name)
		d.Detail += " What comes of the statement may depend on its values."
	default:
		where, d.Hint = place(main), instead(c.Name, main, u.mask)
		if uses := places(u.other); len(uses) > 1 {
			d.Detail += " It is used " + strings.Join(uses, ", ") + "."
		}
	}
	d.Message = fmt.Sprintf("%s is masked for %s; it may be selected but not used %s", c.Name, s.user.Name, where)
	return d
}

// unwritten says that a column orders rows although the statement does not say
// so, as one of an index by which they are read does.
func unwritten(c *query.ColumnUse) bool {
	return c.Uses&query.UseOrder != 0 && position(c, query.UseOrder) < 0
}

// defines says that a statement is about tables as a whole and not about the
// values that it would store.
func defines(f *query.Facts) bool {
	switch f.Class {
	case query.ClassDDL, query.ClassDCL, query.ClassAdmin:
		return len(f.Moves) == 0 && len(f.Verbs) > 0
	}
	return false
}

// stillUsed is the denial for a use that is left although the statement was
// rewritten: of the column as the client wrote it, if it is there.
func (s *Session) stillUsed(stmt Statement, masks maskSet, left *use) *Denial {
	for i := range stmt.Facts.Tables {
		t := &stmt.Facts.Tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			other := shows(stmt.Facts, c)
			m := masks[columnName{t.Schema, t.Name, c.Name}]
			if t.Schema != left.table.Schema || t.Name != left.table.Name || c.Name != left.column.Name || other == 0 || m == nil {
				continue
			}
			d := s.maskedUse(stmt.Facts, &use{t, c, other, m})
			d.Detail += " The statement cannot be made to see a constant in its place."
			return d
		}
	}
	return s.maskedUse(stmt.Facts, left)
}

// position is where a column is used in some way, -1 if that is not known.
func position(c *query.ColumnUse, u query.Use) int {
	if at := bits.OnesCount16(uint16(c.Uses & (u - 1))); c.Uses&u != 0 && at < len(c.At) {
		return c.At[at]
	}
	return -1
}

// outputPosition is where a column that reaches the result is selected.
func outputPosition(f *query.Facts, ref query.ColumnRef) int {
	for i := range f.Tables {
		t := &f.Tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			if t.Schema != ref.Schema || t.Name != ref.Table || c.Name != ref.Column {
				continue
			}
			if at := position(c, query.UseDerived); at >= 0 {
				return at
			}
			return position(c, query.UseOutput)
		}
	}
	return -1
}

func places(uses query.Use) []string {
	var all []string
	for _, u := range telling {
		if uses&u != 0 {
			all = append(all, place(u))
		}
	}
	return all
}

// place says where a use stands in a statement, for a sentence.
func place(u query.Use) string {
	switch u {
	case query.UseDerived:
		return "in an expression"
	case query.UseFilter:
		return "in WHERE or another condition"
	case query.UseJoin:
		return "to join"
	case query.UseGroup:
		return "in GROUP BY"
	case query.UseDistinct:
		return "with DISTINCT or a set operation"
	case query.UseOrder:
		return "in ORDER BY"
	case query.UseAggregate:
		return "in an aggregate"
	case query.UseWindow:
		return "in a window"
	case query.UseWrite:
		return "as the source of a write"
	case query.UseAssign:
		return "as the target of a write"
	case query.UseCall:
		return "in a call of a function that is not known to be safe"
	}
	return "like this"
}

// instead is what would work where a masked column is used in some way.
func instead(column string, u query.Use, m *policy.Mask) string {
	masked := " The administrator can allow it with masked values (elsewhere: masked)."
	if m.Elsewhere == policy.ElsewhereMasked {
		masked = ""
	}
	switch u {
	case query.UseDerived, query.UseCall:
		return fmt.Sprintf("Select %s by its name alone: it is shown masked.", column) + masked
	case query.UseFilter:
		return fmt.Sprintf("Select %s by its name alone and look for rows by other columns.", column) + masked
	case query.UseJoin:
		return "Join by other columns, such as a key." + masked
	case query.UseWrite:
		return fmt.Sprintf("Leave %s out of what is stored.", column)
	}
	return fmt.Sprintf("Select %s by its name alone and use other columns there.", column) + masked
}
