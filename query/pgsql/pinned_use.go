package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// pinnedItem is the item of a catalog that is pinned to some relations.
func (r *run) pinnedItem(rel *Relation, about []*Relation, pos int32) *rangeItem {
	item := r.plainItem(rel)
	item.about = about
	if rel.Name == "pg_stats" {
		// Which rows there are tells of the relations, too.
		for _, a := range about {
			r.about(a, pos)
		}
		_, why := CatalogRelation(rel.Schema, rel.Name)
		for i := range item.cols {
			if c := &item.cols[i]; !pinnedNames[c.name] {
				c.value.gaps = []pendingGap{{reason: "column pg_catalog.pg_stats." + c.name + " can only be selected: " + why}}
			}
		}
	} else {
		item = r.hideColumns(item)
	}
	for i := range item.cols {
		item.cols[i].value.gaps = pinGaps(item.cols[i].value.gaps, about)
	}
	return item
}

// pinGaps says what gaps tell of.
func pinGaps(gaps []pendingGap, about []*Relation) []pendingGap {
	out := slices.Clone(gaps)
	key := ""
	for _, rel := range about {
		key += " " + itoa(int(rel.OID))
	}
	for i := range out {
		out[i].about, out[i].key = about, "about"+key
	}
	return out
}

// unpinned are the gaps of a column that an inner query computes.
func unpinned(gaps []pendingGap) []pendingGap {
	out := slices.Clone(gaps)
	for i := range out {
		out[i].about, out[i].key = nil, ""
	}
	return out
}

// outermost marks what the outermost target list computes of statistics.
func outermost(gaps []pendingGap) []pendingGap {
	out := slices.Clone(gaps)
	for i := range out {
		if out[i].about != nil {
			out[i].outermost, out[i].key = true, out[i].key+" outermost"
		}
	}
	return out
}

// emitGaps reports the gaps of a result column. Statistics that are pinned
// tell of the columns of their relations.
func (r *run) emitGaps(v value) {
	for i := range v.gaps {
		g := &v.gaps[i]
		if g.about == nil || !v.direct && !g.outermost {
			r.report(v.gaps[i : i+1])
			continue
		}
		for _, rel := range g.about {
			r.about(rel, -1)
		}
	}
}

// about uses all that the size and the statistics of a relation tell of.
func (r *run) about(rel *Relation, pos int32) {
	if rel.Kind == 'v' || rel.Kind == 'S' || rel.Kind == 'c' {
		return // they have none
	}
	r.guard.relation(rel, nil)
	r.acc.table(rel, false, "select")
	item := r.readRelation(rel, pos)
	r.use(item.wholeRow(), query.UseDerived)
	for _, c := range rel.Conditions {
		if strings.HasPrefix(c, checkConstraint) || strings.HasPrefix(c, exclusion) || strings.HasPrefix(c, foreignKey) {
			continue
		}
		sub := r.nested(rel.Owner)
		sub.pending = false
		v, ok := sub.stored(rel, c)
		if !ok {
			r.gap(pos, "an index of "+rel.Schema+"."+rel.Name+" could not be read")
		}
		sub.use(v, query.UseDerived)
	}
}

// sizes of relations: functions of an OID.
var sizes = map[string]bool{"pg_relation_size": true, "pg_table_size": true, "pg_indexes_size": true, "pg_total_relation_size": true}

// sizeOf is a call of one of them, if the relations are known.
func (r *run) sizeOf(f *pg.FuncCall, site callSite, chosen []*Function, sc *scope) (value, bool) {
	if !sizes[site.name] || len(f.Args) == 0 || len(f.Args) > 2 || len(chosen) == 0 || f.Over != nil {
		return value{}, false
	}
	for _, c := range chosen {
		if c.Schema != "pg_catalog" {
			return value{}, false
		}
	}
	if r.rec != nil {
		r.rec.sized[f] = true
	}
	size := value{typ: oidInt8}
	if r.guard.sizes(f) {
		return derive(site.args...).typed(oidInt8), true
	}
	if rel := r.regclass(f.Args[0]); rel != nil && !Builtin(rel.Schema) {
		r.about(rel, site.pos)
		return size, true
	}
	item := r.ownOID(f.Args[0], sc)
	if item == nil {
		return value{}, false
	}
	size.gaps = pinGaps([]pendingGap{{reason: "function pg_catalog." + site.name + " can only be selected: it tells of stored data"}}, item.about)
	return size, true
}

// regclass is the relation that a constant names.
func (r *run) regclass(n *pg.Node) *Relation {
	if c := n.GetTypeCast(); c != nil {
		if _, name := qualifiedName(c.GetTypeName().GetNames()); name != "regclass" {
			return nil
		}
		n = c.Arg
	}
	if s := n.GetAConst().GetSval(); s != nil {
		return r.qualifiedRelation(s.Sval)
	}
	return nil
}

// ownOID is the pinned entry of pg_class of the same query whose oid an
// expression is.
func (r *run) ownOID(n *pg.Node, sc *scope) *rangeItem {
	if c := n.GetTypeCast(); c != nil {
		if _, name := qualifiedName(c.GetTypeName().GetNames()); name != "regclass" && name != "oid" {
			return nil
		}
		n = c.Arg
	}
	c := n.GetColumnRef()
	if c == nil || len(c.Fields) != 2 || c.Fields[1].GetString_().GetSval() != "oid" {
		return nil
	}
	item, outer := sc.findItem("", c.Fields[0].GetString_().GetSval())
	if item == nil || outer || item.about == nil || item.relation == nil || item.relation.Name != "pg_class" {
		return nil
	}
	return item
}
