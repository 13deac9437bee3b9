package gate

import (
	"context"

	"github.com/weirdb/weir/query"
)

// A server may read rows by an index, and they come in the order of its
// columns. Where nothing but that order would show a masked column, the
// statement runs without the index.

// withoutOrder judges a refused statement again with the indexes of masked
// columns left out, and gives the refusal that counts.
func (s *Session) withoutOrder(ctx context.Context, stmt Statement, v *verdict, denial *Denial) *Denial {
	if denial == nil || !stmt.Reorders || v.decision == nil || !ordered(stmt.Facts, maskIndex(v.decision.Masks)) {
		return denial
	}
	stmt.apart = true
	ticket := original(stmt)
	if s.enforce(ctx, stmt, v.decision, &ticket) != nil {
		return denial
	}
	v.ticket = ticket
	return nil
}

// ordered says that the order of rows may show a masked column.
func ordered(f *query.Facts, masks maskSet) bool {
	for i := range f.Tables {
		t := &f.Tables[i]
		for _, c := range t.Columns {
			if c.Uses&query.UseOrder != 0 && masks[columnName{t.Schema, t.Name, c.Name}] != nil {
				return true
			}
		}
	}
	return false
}
