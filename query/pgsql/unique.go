package pgsql

import (
	"context"
	"fmt"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// Columns: relation, definition.
const sqlUnique = `SELECT i.indrelid, pg_catalog.pg_get_indexdef(i.indexrelid)
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisunique AND c.relkind <> 't' AND n.nspname <> 'pg_catalog' AND n.nspname` + notTemp + unlocked + `
ORDER BY i.indrelid, i.indexrelid`

func (l *loader) unique(ctx context.Context) error {
	return l.each(ctx, fmt.Sprintf(sqlUnique, l.lockedArray()), 2, func(r *catalogRow) {
		if rel := l.c.Relations[r.oid(0)]; rel != nil && r.vals[1] != nil {
			rel.Unique = append(rel.Unique, r.str(1))
		}
	})
}

// unique notes that whether rows can be stored depends on what others hold in
// the columns of a unique index. given are the columns that are stored into;
// whole says that the rows are new.
func (r *run) unique(rel *Relation, given []int16, whole bool) {
	for _, definition := range rel.Unique {
		x := indexOf(definition)
		if x == nil {
			r.gap(-1, "an index of "+rel.Schema+"."+rel.Name+" could not be read")
			continue
		}
		sub := r.nested(rel.Owner)
		sub.pending = false
		sc := &scope{items: []*rangeItem{r.plainItem(rel)}}
		v := sub.expr(x.WhereClause, sc)
		for _, p := range x.IndexParams {
			v = derive(v, sub.indexElem(p.GetIndexElem(), sc))
		}
		touched := slices.ContainsFunc(v.deps, func(d dep) bool { return d.rel == rel.OID && slices.Contains(given, d.attr) })
		if whole && collides(rel, x, given) || !whole && touched {
			sub.use(v, query.UseFilter)
		}
	}
}

// indexOf reads the definition of an index, nil if it cannot be read.
func indexOf(definition string) *pg.IndexStmt {
	tree, err := parse(definition)
	if err != nil || len(tree.Stmts) != 1 {
		return nil
	}
	return tree.Stmts[0].Stmt.GetIndexStmt()
}

// collides says whether a new row, of which some columns are given, can meet
// another one in a unique index: not if one of its columns stays NULL.
func collides(rel *Relation, x *pg.IndexStmt, given []int16) bool {
	if x.NullsNotDistinct {
		return true
	}
	for _, p := range x.IndexParams {
		col := rel.Column(p.GetIndexElem().GetName())
		if col != nil && !slices.Contains(given, col.Attr) && col.Default == "" && col.Generated == "" && !col.NotNull {
			return false
		}
	}
	return true
}
