package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

// Statements are rewritten for two reasons: rows of a table are filtered, or a
// column that is masked everywhere is used other than as plain output. What
// comes out is judged again with all masks, so that a column that still shows
// is refused whatever the rewriting did.

const featureNotSupported = "0A000"

// rewrite puts into the ticket what is to run, and returns the masks to hold
// it to.
func (s *Session) rewrite(ctx context.Context, stmt Statement, decision *policy.Decision, masks maskSet, t *Ticket) (maskSet, *Denial) {
	constants := s.hidden(stmt.Facts, masks, stmt.apart)
	if d := s.uses(stmt.Facts, masks, constants); d != nil && !stmt.apart {
		return masks, d
	}
	wanted, d := s.wanted(stmt, decision, masks, constants)
	if d != nil {
		return masks, d
	}
	if stmt.Applied != nil {
		if wanted, d = s.wanted(stmt, decision, masks, s.alsoHidden(constants, &stmt.Applied.Rewrite, masks)); d != nil {
			return masks, d
		}
		if !wanted.Empty() && !reflect.DeepEqual(wanted, stmt.Applied.Rewrite) || wanted.Empty() != stmt.Applied.Rewrite.Empty() {
			return masks, s.outdated()
		}
		t.Facts = stmt.Facts
		if !wanted.Empty() {
			t.Facts, t.Rewritten = stmt.Applied.Facts, stmt.Applied
		}
	} else if !wanted.Empty() {
		if stmt.Rewrite == nil {
			return masks, s.unwritable(stmt.Facts, masks, wanted, &query.RewriteError{Pos: -1,
				Reason: "this kind of statement cannot be rewritten"})
		}
		if t.Rewritten, d = s.rewritten(stmt, decision, masks, wanted, constants); d != nil {
			return masks, d
		}
		t.Facts = t.Rewritten.Facts
	}
	if t.Rewritten == nil {
		return masks, nil
	}
	t.Touched = filters(wanted)
	return s.heldTo(ctx, stmt, masks, t)
}

// rewritten is the statement with what is wanted, and with what the rewriting
// brought to light: it may group by a column that was plain output before.
func (s *Session) rewritten(stmt Statement, decision *policy.Decision, masks maskSet, wanted query.Rewrite, constants map[columnName]bool) (*query.Rewritten, *Denial) {
	for round := 0; ; round++ {
		r, err := stmt.Rewrite(wanted)
		if err != nil {
			return nil, s.unwritable(stmt.Facts, masks, wanted, err)
		}
		maps.Copy(constants, s.hidden(r.Facts, masks, false))
		more, d := s.wanted(stmt, decision, masks, constants)
		if d != nil {
			return nil, d
		}
		if round == maxRounds || reflect.DeepEqual(more, wanted) {
			return r, nil
		}
		wanted = more
	}
}

const maxRounds = 3

// alsoHidden adds to constants those that the server has already, where policy
// still allows them.
func (s *Session) alsoHidden(constants map[columnName]bool, applied *query.Rewrite, masks maskSet) map[columnName]bool {
	out := maps.Clone(constants)
	for _, n := range applied.Relations {
		for _, c := range n.Constants {
			name := columnName{n.Schema, n.Table, c.Column}
			if m := masks[name]; m != nil && m.Elsewhere == policy.ElsewhereMasked && (len(constants) > 0 || applied.Sizes != nil) {
				out[name] = true
			}
		}
	}
	return out
}

// wanted is how the statement must see its relations.
func (s *Session) wanted(stmt Statement, decision *policy.Decision, masks maskSet, constants map[columnName]bool) (query.Rewrite, *Denial) {
	rw := query.Rewrite{Sizes: stmt.sizes}
	f := stmt.Facts
	for i := range f.Tables {
		t := &f.Tables[i]
		n := query.Narrowing{Schema: t.Schema, Table: t.Name}
		for _, r := range decision.RowFilters {
			if r.Schema == t.Schema && r.Table == t.Name {
				n.Filters = append(n.Filters, r.Expression)
			}
		}
		slices.Sort(n.Filters)
		n.Filters = slices.Compact(n.Filters)
		for j := range t.Columns {
			c := &t.Columns[j]
			if stmt.apart && c.Uses&query.UseOrder != 0 && masks[columnName{t.Schema, t.Name, c.Name}] != nil {
				n.Apart = append(n.Apart, c.Name)
			}
			if !constants[columnName{t.Schema, t.Name, c.Name}] {
				continue
			}
			value, d := s.constant(f, t, c, masks)
			if d != nil {
				return query.Rewrite{}, d
			}
			n.Constants = append(n.Constants, query.Constant{Column: c.Name, Value: value})
		}
		if len(n.Filters) == 0 && len(n.Constants) == 0 && len(n.Apart) == 0 {
			continue
		}
		slices.Sort(n.Apart)
		slices.SortFunc(n.Constants, func(a, b query.Constant) int { return strings.Compare(a.Column, b.Column) })
		rw.Relations = append(rw.Relations, n)
	}
	slices.SortFunc(rw.Relations, func(a, b query.Narrowing) int {
		if c := strings.Compare(a.Schema, b.Schema); c != 0 {
			return c
		}
		return strings.Compare(a.Table, b.Table)
	})
	return rw, nil
}

// hidden are the columns in whose place the statement must see a constant:
// those that are masked everywhere and would show other than through the mask
// of their result column. Apart says that rows will not come in their order.
func (s *Session) hidden(f *query.Facts, masks maskSet, apart bool) map[columnName]bool {
	found := map[columnName]bool{}
	hide := func(schema, table, column string) {
		name := columnName{schema, table, column}
		if m := masks[name]; m != nil && m.Elsewhere == policy.ElsewhereMasked {
			found[name] = true
		}
	}
	for i := range f.Tables {
		t := &f.Tables[i]
		for j := range t.Columns {
			c := &t.Columns[j]
			other := shows(f, c)
			if apart {
				other &^= query.UseOrder
			}
			if other != 0 && other&(query.UseWrite|query.UseAssign) == 0 {
				hide(t.Schema, t.Name, c.Name)
			}
		}
	}
	for i := range f.Output {
		o := &f.Output[i]
		if _, _, d := s.maskOf(f, o, masks); d == nil {
			continue
		}
		for _, ref := range o.Origins {
			hide(ref.Schema, ref.Table, ref.Column)
		}
	}
	return found
}

// constant is what stands in the place of a column, nil for NULL.
func (s *Session) constant(f *query.Facts, t *query.Table, c *query.ColumnUse, masks maskSet) (*string, *Denial) {
	m := masks[columnName{t.Schema, t.Name, c.Name}]
	typ := masking.Type{}
	if s.subject.Type != nil {
		typ = s.subject.Type(c.Type)
	}
	value, err := masking.Constant(masking.Spec{Function: m.Function, Args: m.Args}, typ)
	if err != nil {
		d := s.maskedUse(f, &use{t, c, shows(f, c), m})
		d.Cause = err
		d.Hint = fmt.Sprintf("Select %s by its name alone: its type %s has no constant that could stand in its place, unless the administrator masks it with null.", c.Name, typ)
		return nil, d
	}
	if value == nil {
		return nil, nil
	}
	text := string(value)
	return &text, nil
}

// heldTo is which masks the rewritten statement is judged with: those of the
// statement, and those of columns that only the rewritten one names.
func (s *Session) heldTo(ctx context.Context, stmt Statement, masks maskSet, t *Ticket) (maskSet, *Denial) {
	if d := s.readOnly(t.Facts); d != nil {
		return masks, d
	}
	if !t.Facts.Complete {
		return masks, s.incomplete(t.Facts)
	}
	if !namesMore(t.Facts, stmt.Facts) {
		return masks, nil
	}
	again := stmt
	again.Facts = t.Facts
	decision, err := s.ask(ctx, again)
	if err != nil {
		return masks, failed(err)
	}
	if d := s.permitted(again, decision); d != nil {
		return masks, d
	}
	all := maps.Clone(maskIndex(decision.Masks))
	if all == nil {
		all = maskSet{}
	}
	maps.Copy(all, masks)
	return all, nil
}

// namesMore says that a names a column that b does not.
func namesMore(a, b *query.Facts) bool {
	known := map[columnName]bool{}
	for i := range b.Tables {
		for _, c := range b.Tables[i].Columns {
			known[columnName{b.Tables[i].Schema, b.Tables[i].Name, c.Name}] = true
		}
	}
	for i := range a.Tables {
		for _, c := range a.Tables[i].Columns {
			if !known[columnName{a.Tables[i].Schema, a.Tables[i].Name, c.Name}] {
				return true
			}
		}
	}
	return false
}

// filters says that rows are filtered.
func filters(rw query.Rewrite) bool {
	return slices.ContainsFunc(rw.Relations, func(n query.Narrowing) bool { return len(n.Filters) > 0 })
}

// touches says that a statement reads a masked column, or writes a table that
// has one: its errors quote whole rows.
func touches(f *query.Facts, masks maskSet) bool {
	if len(masks) == 0 {
		return false
	}
	for i := range f.Tables {
		t := &f.Tables[i]
		for _, c := range t.Columns {
			if masks[columnName{t.Schema, t.Name, c.Name}] != nil {
				return true
			}
		}
		if !written(*t) {
			continue
		}
		for name := range masks {
			if name.schema == t.Schema && name.table == t.Name {
				return true
			}
		}
	}
	return false
}

// outdated refuses to run what was prepared under other rules.
func (s *Session) outdated() *Denial {
	return &Denial{SQLState: featureNotSupported, Rule: "prepared_outdated", Pos: -1,
		Message: fmt.Sprintf("what policy lets %s see has changed since the statement was prepared", s.user.Name),
		Hint:    "Prepare it again; a cursor has to be declared again."}
}

// unwritable refuses a statement that cannot be rewritten soundly.
func (s *Session) unwritable(f *query.Facts, masks maskSet, wanted query.Rewrite, err error) *Denial {
	d := &Denial{SQLState: insufficientPrivilege, Rule: "row_filter", Pos: -1, Message: err.Error(), Cause: err}
	if r := (*query.RewriteError)(nil); errors.As(err, &r) {
		d.Message, d.Hint, d.Pos = r.Reason, r.Hint, r.Pos
	}
	var filtered, hidden []string
	for _, n := range wanted.Relations {
		if len(n.Filters) > 0 {
			filtered = append(filtered, n.Schema+"."+n.Table)
		}
		for _, c := range n.Constants {
			hidden = append(hidden, n.Schema+"."+n.Table+"."+c.Column)
		}
	}
	if len(filtered) == 0 {
		d.Rule = "masked_column"
		d.Detail = fmt.Sprintf("Rule masked_column: the statement would have to run with a constant in the place of %s.", strings.Join(hidden, ", "))
		if u := s.uses(f, masks, nil); u != nil {
			d.Message = u.Message + ": " + d.Message
			if d.Pos < 0 {
				d.Pos = u.Pos
			}
			if d.Hint == "" {
				d.Hint = u.Hint
			}
		}
		return d
	}
	names := strings.Join(filtered, ", ")
	d.Detail = fmt.Sprintf("Rule row_filter: %s sees only some rows of %s.", s.user.Name, names)
	switch {
	case d.Hint != "":
	case f.Class == query.ClassRead || f.Class == query.ClassExplain:
		d.Hint = fmt.Sprintf("Select from %s by its name; the rows are filtered by themselves.", names)
	default:
		d.Hint = fmt.Sprintf("Ask somebody who sees all rows of %s to do it.", names)
	}
	return d
}
