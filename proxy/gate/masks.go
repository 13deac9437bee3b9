package gate

import (
	"fmt"
	"math/bits"
	"reflect"
	"strings"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

type columnName struct{ schema, table, column string }

func maskIndex(masks []policy.Mask) map[columnName]*policy.Mask {
	if len(masks) == 0 {
		return nil
	}
	index := make(map[columnName]*policy.Mask, len(masks))
	for i := range masks {
		m := &masks[i]
		index[columnName{m.Schema, m.Table, m.Column}] = m
	}
	return index
}

// uses refuses a masked column anywhere but in plain output.
func (s *Session) uses(f *query.Facts, masks map[columnName]*policy.Mask) *Denial {
	if len(masks) == 0 {
		return nil
	}
	for i := range f.Tables {
		t := &f.Tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			other := c.Uses &^ query.UseOutput
			if other == 0 || masks[columnName{t.Schema, t.Name, c.Name}] == nil {
				continue
			}
			return s.maskedUse(t, c, other)
		}
	}
	return nil
}

func (s *Session) maskedUse(t *query.Table, c *query.ColumnUse, other query.Use) *Denial {
	first := query.Use(1) << bits.TrailingZeros16(uint16(other))
	pos := -1
	if at := bits.OnesCount16(uint16(c.Uses & (first - 1))); at < len(c.At) {
		pos = c.At[at]
	}
	return &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: pos,
		Message: fmt.Sprintf("%s is masked for %s; it may be selected but not used %s", c.Name, s.user.Name, place(first)),
		Detail:  fmt.Sprintf("Column %s.%s.%s would show through: %s.", t.Schema, t.Name, c.Name, strings.Join(other.Names(), ", ")),
		Hint:    "Select the column by its name alone, or leave it out of the statement."}
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
	case query.UseCall:
		return "as an argument of a function that is not known to be safe"
	}
	return "like this"
}

// outputs plans the masks of the result columns.
func (s *Session) outputs(f *query.Facts, masks map[columnName]*policy.Mask, t *Ticket) *Denial {
	if len(masks) == 0 {
		return nil
	}
	for i := range f.Output {
		o := &f.Output[i]
		mask, column, d := s.maskOf(o, masks)
		if d != nil {
			return d
		}
		if mask == nil {
			continue
		}
		spec := masking.Spec{Function: mask.Function, Args: mask.Args}
		if o.Type != 0 && s.subject.Type != nil {
			if err := masking.Check(spec, s.subject.Type(o.Type)); err != nil {
				return &Denial{SQLState: insufficientPrivilege, Rule: "mask_not_expressible", Pos: -1, Cause: err,
					Message: fmt.Sprintf("column %s cannot be shown: %s", column.Column, err),
					Hint:    "Leave the column out, or ask the administrator for a mask that suits its type."}
			}
		}
		t.Masks = append(t.Masks, OutputMask{Index: i, Spec: spec, Source: o.Source, SourceAttr: o.SourceAttr, Column: column})
	}
	return nil
}

// maskOf finds the one mask of a result column, nil if none of its origins is masked.
func (s *Session) maskOf(o *query.Output, masks map[columnName]*policy.Mask) (*policy.Mask, query.ColumnRef, *Denial) {
	var found *policy.Mask
	var column query.ColumnRef
	for _, ref := range o.Origins {
		m := masks[columnName{ref.Schema, ref.Table, ref.Column}]
		if m == nil {
			continue
		}
		if !o.Direct {
			return nil, ref, &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: -1,
				Message: fmt.Sprintf("%s is masked for %s; it may be selected but not used in an expression", ref.Column, s.user.Name),
				Hint:    "Select the column by its name alone, or leave it out of the statement."}
		}
		if found != nil && !sameMask(found, m) {
			return nil, ref, &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: -1,
				Message: fmt.Sprintf("%s and %s share a result column but have different masks", column.Column, ref.Column),
				Hint:    "Select them in statements of their own."}
		}
		found, column = m, ref
	}
	return found, column, nil
}

func sameMask(a, b *policy.Mask) bool {
	return a.Function == b.Function && (len(a.Args) == 0 && len(b.Args) == 0 || reflect.DeepEqual(a.Args, b.Args))
}

// filters refuses a statement on a table whose rows are filtered: weir cannot
// narrow it.
func filters(f *query.Facts, rows []policy.RowFilter) *Denial {
	for _, r := range rows {
		for i := range f.Tables {
			if t := &f.Tables[i]; t.Schema == r.Schema && t.Name == r.Table {
				return &Denial{SQLState: insufficientPrivilege, Rule: "row_filter", Pos: -1,
					Message: fmt.Sprintf("rows of %s.%s are filtered for this person, and this statement cannot be narrowed to them", t.Schema, t.Name),
					Hint:    "Ask the administrator for a view that holds the permitted rows."}
			}
		}
	}
	return nil
}
