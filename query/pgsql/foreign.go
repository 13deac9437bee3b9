package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// A foreign is a foreign key as the referenced relation sees it.
type foreign struct {
	from    *Relation // that refers
	columns []int16   // of from
	keys    []int16   // of the referenced relation
}

// foreignKeys lists the foreign keys of a catalog by referenced relation.
func (r *run) foreignKeys() map[uint32][]foreign {
	r.cc.foreign.Do(func() {
		r.cc.incoming = map[uint32][]foreign{}
		for _, rel := range r.cat.Relations {
			for _, c := range rel.Conditions {
				if !strings.HasPrefix(c, foreignKey) {
					continue
				}
				tree, err := parse("CREATE TABLE x (" + c + ")")
				if err != nil || len(tree.Stmts) != 1 || len(tree.Stmts[0].Stmt.GetCreateStmt().GetTableElts()) != 1 {
					continue // the server's own words: it cannot be
				}
				k := tree.Stmts[0].Stmt.GetCreateStmt().TableElts[0].GetConstraint()
				other := r.cat.Relation(k.GetPktable().GetSchemaname(), k.GetPktable().GetRelname())
				if other == nil {
					continue
				}
				f := foreign{rel, attributes(rel, k.FkAttrs), attributes(other, k.PkAttrs)}
				r.cc.incoming[other.OID] = append(r.cc.incoming[other.OID], f)
			}
		}
	})
	return r.cc.incoming
}

func attributes(rel *Relation, names []*pg.Node) []int16 {
	var out []int16
	for _, n := range names {
		if c := rel.Column(n.GetString_().GetSval()); c != nil {
			out = append(out, c.Attr)
		}
	}
	return out
}

// orphans notes what a change of keys depends on: rows that refer to them
// make it fail, or are changed with them. columns are those that are assigned,
// nil where rows are deleted.
func (r *run) orphans(t *target, columns []string) {
	if t.rel == nil {
		return
	}
	for _, rel := range r.storage(t) {
		for _, f := range r.foreignKeys()[rel.OID] {
			if columns != nil {
				assigned := r.storedAs(t, rel, columns)
				if !slices.ContainsFunc(f.keys, func(a int16) bool { return slices.Contains(assigned, a) }) {
					continue
				}
			}
			for _, a := range f.keys {
				r.mark(rel.OID, a, query.UseFilter, -1)
			}
			for _, a := range f.columns {
				r.mark(f.from.OID, a, query.UseFilter, -1)
			}
		}
	}
}
