package gate

import (
	"fmt"
	"reflect"

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

// A use is a masked column that is used other than as plain output.
type use struct {
	table  *query.Table
	column *query.ColumnUse
	other  query.Use // by which its value could show
	mask   *policy.Mask
}

// uses refuses a masked column anywhere but in plain output, but for those in
// whose place there is a constant.
func (s *Session) uses(f *query.Facts, masks maskSet, constants map[columnName]bool) *Denial {
	first := firstUse(f, masks, constants)
	if first == nil {
		return nil
	}
	if first.other == query.UseOrder && unwritten(first.column) { // what the statement says comes first
		for i := range f.Tables {
			t := &f.Tables[i]
			for j := range t.Columns {
				c := &t.Columns[j]
				name := columnName{t.Schema, t.Name, c.Name}
				if other := shows(f, c); masks[name] != nil && !constants[name] && other != 0 && (other != query.UseOrder || !unwritten(c)) {
					return s.maskedUse(f, &use{t, c, other, masks[name]})
				}
			}
		}
	}
	return s.maskedUse(f, first)
}

func firstUse(f *query.Facts, masks maskSet, constants map[columnName]bool) *use {
	if len(masks) == 0 {
		return nil
	}
	for i := range f.Tables {
		t := &f.Tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			other := shows(f, c)
			name := columnName{t.Schema, t.Name, c.Name}
			if m := masks[name]; other != 0 && m != nil && !constants[name] {
				return &use{t, c, other, m}
			}
		}
	}
	return nil
}

// shows are the uses of a column by which its value could show. A result
// column is masked, and to store something tells nothing of what was there,
// but that COPY FROM cannot be looked at for masked values.
func shows(f *query.Facts, c *query.ColumnUse) query.Use {
	harmless := query.UseOutput | query.UseAssign
	if f.Class == query.ClassCopy {
		harmless = query.UseOutput
	}
	return c.Uses &^ harmless
}

// outputs plans the masks of the result columns.
func (s *Session) outputs(f *query.Facts, masks maskSet, t *Ticket) *Denial {
	if len(masks) == 0 {
		return nil
	}
	for i := range f.Output {
		o := &f.Output[i]
		mask, column, d := s.maskOf(f, o, masks)
		if d != nil {
			return d
		}
		if mask == nil {
			continue
		}
		spec := masking.Spec{Function: mask.Function, Args: mask.Args}
		if o.Type != 0 && s.subject.Type != nil {
			if err := masking.Check(spec, s.subject.Type(o.Type)); err != nil {
				return &Denial{SQLState: insufficientPrivilege, Rule: "mask_not_expressible", Pos: outputPosition(f, column), Cause: err,
					Message: fmt.Sprintf("column %s cannot be shown: %s", column.Column, err),
					Detail:  fmt.Sprintf("Rule mask_not_expressible: %s.%s.%s is masked with %s.", column.Schema, column.Table, column.Column, mask.Function),
					Hint:    "Leave the column out, or ask the administrator for a mask that suits its type."}
			}
		}
		t.Masks = append(t.Masks, OutputMask{Index: i, Spec: spec, Source: o.Source, SourceAttr: o.SourceAttr, Column: column})
	}
	return nil
}

// maskOf finds the one mask of a result column, nil if none of its origins is masked.
func (s *Session) maskOf(f *query.Facts, o *query.Output, masks maskSet) (*policy.Mask, query.ColumnRef, *Denial) {
	var found *policy.Mask
	var column query.ColumnRef
	for _, ref := range o.Origins {
		m := masks[columnName{ref.Schema, ref.Table, ref.Column}]
		if m == nil {
			continue
		}
		if !o.Direct {
			return nil, ref, &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: outputPosition(f, ref),
				Message: fmt.Sprintf("%s is masked for %s; it may be selected but not used in an expression", ref.Column, s.user.Name),
				Detail: fmt.Sprintf("Rule masked_column: %s.%s.%s is masked with %s, and result column %q is made of it.",
					ref.Schema, ref.Table, ref.Column, m.Function, o.Name),
				Hint: instead(ref.Column, query.UseDerived, m)}
		}
		if found != nil {
			m = commonMask(found, m)
		}
		if m == nil {
			return nil, ref, &Denial{SQLState: insufficientPrivilege, Rule: "masked_column", Pos: outputPosition(f, ref),
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
