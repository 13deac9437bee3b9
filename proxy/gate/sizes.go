package gate

import (
	"context"
	"reflect"
	"slices"

	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

// Clients ask catalogs for the sizes of relations among much else, and a size
// tells of protected values. A statement that is refused as it is runs where it
// sees the sizes of only those relations that the person may read unmasked.

const (
	// maxSized bounds the relations that policy is asked of for one statement;
	// of more none is shown.
	maxSized  = 5000
	sizeBatch = 16
)

// withoutSizes judges a refused statement again with the sizes hidden, and
// gives the refusal that counts.
func (s *Session) withoutSizes(ctx context.Context, stmt Statement, v *verdict, denial *Denial) *Denial {
	if stmt.Sizes == nil || stmt.sizes != nil {
		return denial
	}
	sized := stmt.Sizes()
	if len(sized) == 0 {
		return denial
	}
	if stmt.Applied != nil && stmt.Applied.Rewrite.Sizes == nil {
		return denial
	}
	shown, err := s.shown(ctx, sized)
	if err != nil {
		return failed(err)
	}
	again := stmt
	again.sizes = &query.Sizes{Shown: shown}
	switch {
	case stmt.Applied != nil:
		if !reflect.DeepEqual(again.sizes, stmt.Applied.Rewrite.Sizes) {
			return s.outdated()
		}
		again.Facts = stmt.Applied.Facts
	case stmt.Rewrite != nil:
		r, err := stmt.Rewrite(query.Rewrite{Sizes: again.sizes})
		if err != nil {
			return denial
		}
		again.Facts = r.Facts
	default:
		return denial
	}
	if !again.Facts.Complete {
		return denial
	}
	decision, err := s.ask(ctx, again)
	if err != nil {
		return failed(err)
	}
	v.decision, v.ticket = decision, original(again)
	return s.enforce(ctx, again, decision, &v.ticket)
}

// shown are the relations whose sizes this person may see: those that tell of
// nothing that is masked or filtered.
func (s *Session) shown(ctx context.Context, sized []query.Sized) ([]query.RelationName, error) {
	shown := []query.RelationName{}
	if len(sized) > maxSized {
		return shown, nil
	}
	for batch := range slices.Chunk(sized, sizeBatch) {
		seen, err := s.seen(ctx, batch)
		if err != nil {
			return nil, err
		}
		shown = append(shown, seen...)
	}
	return shown, nil
}

func (s *Session) seen(ctx context.Context, sized []query.Sized) ([]query.RelationName, error) {
	facts := &query.Facts{Class: query.ClassRead, Verbs: []string{"SELECT"}, Complete: true, Returns: true, Tables: together(sized)}
	stmt := Statement{Facts: facts}
	decision, err := s.ask(ctx, stmt)
	if err != nil {
		return nil, err
	}
	if s.permitted(stmt, decision) != nil && len(sized) > 1 && decision.Mode != policy.ModeObserve {
		var shown []query.RelationName
		for i := range sized {
			one, err := s.seen(ctx, sized[i:i+1])
			if err != nil {
				return nil, err
			}
			shown = append(shown, one...)
		}
		return shown, nil
	}
	var shown []query.RelationName
	masks := maskIndex(decision.Masks)
	for i := range sized {
		if len(sized[i].Tables) == 0 || decision.Mode == policy.ModeObserve || s.permitted(stmt, decision) == nil && unmasked(sized[i].Tables, masks, decision) {
			shown = append(shown, sized[i].RelationName)
		}
	}
	return shown, nil
}

func unmasked(tables []query.Table, masks maskSet, decision *policy.Decision) bool {
	for i := range tables {
		t := &tables[i]
		if slices.ContainsFunc(decision.RowFilters, func(r policy.RowFilter) bool { return r.Schema == t.Schema && r.Table == t.Name }) {
			return false
		}
		for j := range t.Columns {
			if masks[columnName{t.Schema, t.Name, t.Columns[j].Name}] != nil {
				return false
			}
		}
	}
	return true
}

// together are the tables of several relations, each column once.
func together(sized []query.Sized) []query.Table {
	var out []query.Table
	at := map[query.RelationName]int{}
	for i := range sized {
		for _, t := range sized[i].Tables {
			name := query.RelationName{Schema: t.Schema, Name: t.Name}
			j, ok := at[name]
			if !ok {
				at[name] = len(out)
				t.Columns = slices.Clone(t.Columns)
				out = append(out, t)
				continue
			}
			for _, c := range t.Columns {
				if k := slices.IndexFunc(out[j].Columns, func(o query.ColumnUse) bool { return o.Name == c.Name }); k >= 0 {
					out[j].Columns[k].Uses |= c.Uses
				} else {
					out[j].Columns = append(out[j].Columns, c)
				}
			}
		}
	}
	return out
}
