package gate

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strings"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

type columnName struct{ schema, table, column string }

// maskSet is the mask of each masked column.
type maskSet map[columnName]*policy.Mask

func maskIndex(masks []policy.Mask) maskSet {
	if len(masks) == 0 {
		return nil
	}
	index := make(maskSet, len(masks))
	for i := range masks {
		m := &masks[i]
		index[columnName{m.Schema, m.Table, m.Column}] = m
	}
	return index
}

// uses refuses a masked column anywhere but in plain output, but for those in
// whose place there is a constant.
func (s *Session) uses(f *query.Facts, masks maskSet, constants map[columnName]bool) *Denial {
	if len(masks) == 0 {
		return nil
	}
	for i := range f.Tables {
		t := &f.Tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			other := c.Uses &^ query.UseOutput
			name := columnName{t.Schema, t.Name, c.Name}
			m := masks[name]
			if other == 0 || m == nil || constants[name] {
				continue
			}
			return s.maskedUse(f, t, c, other, m)
		}
	}
	return nil
}

func (s *Session) maskedUse(f *query.Facts, t *query.Table, c *query.ColumnUse, other query.Use, m *policy.Mask) *Denial {
	first := query.Use(1) << bits.TrailingZeros16(uint16(other))
	if m.Elsewhere == policy.ElsewhereMasked && other&query.UseWrite != 0 {
		first = query.UseWrite // the others would work
	}
	pos := -1
	if at := bits.OnesCount16(uint16(c.Uses & (first - 1))); at < len(c.At) {
		pos = c.At[at]
	}
	if other == query.UseWrite && assigns(f, t, c) {
		return s.maskedWrite(t, c, m, pos)
	}
	var shows []string
	for u := query.UseOutput; u != 0 && u <= other; u <<= 1 {
		if other&u != 0 {
			shows = append(shows, place(u))
		}
	}
	d := &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: pos,
		Message: fmt.Sprintf("%s is masked for %s; it may be selected but not used %s", c.Name, s.user.Name, place(first)),
		Detail: fmt.Sprintf("Rule masked_column: the value of %s.%s.%s, which is masked with %s, would show through its use %s.",
			t.Schema, t.Name, c.Name, m.Function, strings.Join(shows, ", "))}
	d.Hint = instead(c.Name, first, m)
	return d
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
		return "in a call of a function that is not known to be safe"
	}
	return "like this"
}

// instead is what would work where a masked column is used in some way.
func instead(column string, use query.Use, m *policy.Mask) string {
	masked := fmt.Sprintf(" The administrator can let %s be used with masked values (elsewhere: masked).", column)
	if m.Elsewhere == policy.ElsewhereMasked {
		masked = ""
	}
	switch use {
	case query.UseDerived, query.UseCall:
		return fmt.Sprintf("Select %s by its name alone: it is shown masked. Expressions work over other columns.", column) + masked
	case query.UseFilter:
		return fmt.Sprintf("Select %s by its name alone and look for rows by other columns.", column) + masked
	case query.UseJoin:
		return "Join by other columns, such as a key." + masked
	case query.UseGroup, query.UseDistinct, query.UseOrder, query.UseWindow, query.UseAggregate:
		return fmt.Sprintf("Select %s by its name alone and use other columns here.", column) + masked
	case query.UseWrite:
		return fmt.Sprintf("Leave %s out of what is stored.", column)
	}
	return fmt.Sprintf("Select %s by its name alone, or leave it out of the statement.", column) + masked
}

// assigns says that a statement stores something in a column.
func assigns(f *query.Facts, t *query.Table, c *query.ColumnUse) bool {
	return slices.ContainsFunc(f.Assignments, func(a query.Assignment) bool {
		return a.Column == c.Name && a.Table == t.Name && a.Schema == t.Schema
	})
}

func (s *Session) maskedWrite(t *query.Table, c *query.ColumnUse, m *policy.Mask, pos int) *Denial {
	return &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: pos,
		Message: fmt.Sprintf("%s is masked for %s; it may be selected but not written", c.Name, s.user.Name),
		Detail: fmt.Sprintf("Rule masked_column: whether a value can be stored in %s.%s.%s, which is masked with %s, may depend on the values that are there.",
			t.Schema, t.Name, c.Name, m.Function),
		Hint: fmt.Sprintf("Leave %s out of the statement, or ask somebody who sees it unmasked to make the change.", c.Name)}
}

// outputs plans the masks of the result columns.
func (s *Session) outputs(f *query.Facts, masks maskSet, t *Ticket) *Denial {
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
func (s *Session) maskOf(o *query.Output, masks maskSet) (*policy.Mask, query.ColumnRef, *Denial) {
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
				Detail: fmt.Sprintf("Rule masked_column: the value of %s.%s.%s, which is masked with %s, would show through result column %s.",
					ref.Schema, ref.Table, ref.Column, m.Function, o.Name),
				Hint: instead(ref.Column, query.UseDerived, m)}
		}
		if found != nil {
			m = commonMask(found, m)
		}
		if m == nil {
			return nil, ref, &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: -1,
				Message: fmt.Sprintf("%s and %s share a result column but have different masks", column.Column, ref.Column),
				Detail: fmt.Sprintf("Rule masked_column: %s.%s.%s is masked with %s, %s.%s.%s with %s.", column.Schema, column.Table, column.Column,
					found.Function, ref.Schema, ref.Table, ref.Column, masks[columnName{ref.Schema, ref.Table, ref.Column}].Function),
				Hint: "Select them in statements of their own."}
		}
		found, column = m, ref
	}
	return found, column, nil
}

func sameMask(a, b *policy.Mask) bool {
	return a.Function == b.Function && (len(a.Args) == 0 && len(b.Args) == 0 || reflect.DeepEqual(a.Args, b.Args))
}
