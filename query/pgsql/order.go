package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"github.com/weirdb/weir/query"
)

// What the server reads in an order of its own shows that order: the rows of a
// partitioned table come partition by partition, which tells of its key.

// scattered notes that a partitioned table is read.
func (r *run) scattered(rel *Relation, pos int32) {
	for _, attr := range r.splitBy(rel, 0) {
		r.acc.scattered = append(r.acc.scattered, dep{rel: rel.OID, attr: attr, pos: r.here(pos)})
	}
}

// splitBy lists the columns of a partitioned table that decide about the
// partition of a row, at every level below it.
func (r *run) splitBy(rel *Relation, depth int) []int16 {
	if rel.Kind != 'p' || depth > maxDepth {
		return nil
	}
	out := slices.Clone(rel.partitionAttrs())
	for _, oid := range rel.Children {
		child := r.relationByOID(oid)
		if child == nil {
			continue
		}
		for _, attr := range r.splitBy(child, depth+1) {
			if c := child.attribute(attr); c != nil {
				if own := rel.Column(c.Name); own != nil && !slices.Contains(out, own.Attr) {
					out = append(out, own.Attr)
				}
			}
		}
	}
	return out
}

// ordered says whether the statement's answer is the same in whatever order the
// rows of its tables come; facts marks the keys if it is not.
func (r *run) ordered(s *pg.SelectStmt, cols []column) {
	r.settleOrder(r.fixed(s, cols), func(again *run) { again.selectStmt(s, &scope{}) })
}

// showsOrder uses the keys that sort rows into partitions.
func (r *run) showsOrder() {
	for _, d := range r.acc.scattered {
		r.mark(d.rel, d.attr, query.UseOrder, d.pos)
	}
}

// limited notes a LIMIT inside a statement, which takes the rows that come first.
func (r *run) limited(s *pg.SelectStmt, cols []column) {
	r.acc.byOrder = r.acc.byOrder || !r.fixed(s, cols)
}

func (a *accumulator) aggregate(s *pg.SelectStmt) {
	if a.aggregates == nil {
		a.aggregates = make(map[*pg.SelectStmt]bool)
	}
	a.aggregates[s] = true
}

// fixed says that the rows of a query come in one order only, but for rows
// that look the same: there is one row, or ORDER BY names every column, or
// every expression of GROUP BY.
func (r *run) fixed(s *pg.SelectStmt, cols []column) bool {
	sorted := make([]bool, len(cols))
	for _, n := range s.SortClause {
		if i := outputOf(n.GetSortBy().GetNode(), s, cols); i >= 0 {
			sorted[i] = r.exact(&cols[i].value)
		}
	}
	all := true
	for i := range cols {
		all = all && (sorted[i] || isConstant(s, i, len(cols)) || r.acc.onlyKeys(&cols[i].value))
	}
	if all {
		return true
	}
	if len(s.GroupClause) == 0 {
		return s.Op == pg.SetOperation_SETOP_NONE && len(s.ValuesLists) == 0 && r.acc.aggregates[s]
	}
	for _, g := range s.GroupClause {
		if i := outputOf(g, s, cols); i < 0 || !sorted[i] {
			return false
		}
	}
	return true
}

// isConstant says that a result column is written as a constant. One that is made of
// no column may still differ from row to row: VALUES, EXISTS.
func isConstant(s *pg.SelectStmt, i, n int) bool {
	if len(s.TargetList) != n {
		return false
	}
	val := s.TargetList[i].GetResTarget().GetVal()
	for val.GetTypeCast() != nil {
		val = val.GetTypeCast().Arg
	}
	return val.GetAConst() != nil || val.GetParamRef() != nil
}

// exactTypes are those whose equal values look the same. Numbers have scales,
// -0 equals 0, 1 day equals 24 hours, and what is made of values is as they are.
var exactTypes = map[uint32]bool{oidBool: true, oidBytea: true, oidChar: true, oidName: true, oidInt8: true, 21: true, oidInt4: true,
	oidText: true, oidOID: true, oidVarchar: true, 650: true, 774: true, 790: true, 829: true, 869: true, 1082: true, 1083: true,
	1114: true, 1184: true, 1560: true, 1562: true, 2950: true, oidRegclass: true}

// exact says that values that are equal look the same, so that it shows
// nowhere which of them came first.
func (r *run) exact(v *value) bool {
	for _, d := range v.deps {
		if rel := r.relationByOID(d.rel); rel != nil {
			if c := rel.attribute(d.attr); c != nil && c.Collation != "" && !strings.HasPrefix(c.Collation, "pg_catalog.") {
				return false
			}
		}
	}
	if exactTypes[v.typ] {
		return true
	}
	t := r.cat.Types[v.typ]
	if t != nil && t.Kind == 'e' {
		return true
	}
	if !v.direct || len(v.deps) != 1 || v.typ != oidNumeric && v.typ != oidBpchar {
		return false
	}
	rel := r.relationByOID(v.deps[0].rel)
	if rel == nil {
		return false
	}
	c := rel.attribute(v.deps[0].attr)
	return c != nil && c.Type == v.typ && c.Typmod >= 0 // all are of one scale or length
}

// merged notes that of equal values one is kept, which may be the first.
func (r *run) merged(v value) {
	r.acc.byOrder = r.acc.byOrder || !r.exact(&v)
}

// listed notes that the rows of a query become one value in their order.
func (r *run) listed(s *pg.SelectStmt, cols []column) {
	if s == nil || !r.fixed(s, cols) {
		r.acc.byOrder = true
	}
}

// outerAggregate says that an aggregate names columns of a query further out,
// whose aggregate it may be.
func outerAggregate(f *pg.FuncCall, sc *scope) bool {
	for _, n := range append(append([]*pg.Node{f.AggFilter}, f.Args...), f.AggOrder...) {
		if n == nil {
			continue
		}
		for _, c := range all[*pg.ColumnRef](n) {
			outer := false
			switch last := len(c.Fields); {
			case last == 1 && c.Fields[0].GetString_() != nil:
				_, _, outer = sc.findColumn(c.Fields[0].GetString_().GetSval())
			case last > 1:
				_, outer = sc.findItem("", c.Fields[last-2].GetString_().GetSval())
			}
			if outer {
				return true
			}
		}
	}
	return false
}

// probe says that a statement can fail, and so tell which row came first: by
// the text and the class of its error, or by none where it stops early.
func (r *run) probe(evaluate func(*run)) bool {
	sub := *r
	budget, volatile := maxBudget, false
	sub.budget, sub.volatile, sub.guard, sub.acc, sub.stmt = &budget, &volatile, nil, newAccumulator(), &Statement{}
	sub.rec = newRecording()
	sub.rec.always = true
	evaluate(&sub)
	return sub.rec.loud != ""
}

// settleOrder says whether a statement's answer depends on the order of rows.
func (r *run) settleOrder(fixed bool, evaluate func(*run)) {
	r.acc.anyOrder = fixed && !r.acc.byOrder
	if r.acc.anyOrder && len(r.acc.scattered) > 0 && r.rec == nil {
		r.acc.anyOrder = !r.probe(evaluate)
	}
}

// onlyKeys says that a column is a partition key itself: it is masked if the
// order matters, and looks the same in every row.
func (a *accumulator) onlyKeys(v *value) bool {
	return v.direct && !slices.ContainsFunc(v.deps, func(d dep) bool {
		return !slices.ContainsFunc(a.scattered, func(k dep) bool { return k.rel == d.rel && k.attr == d.attr })
	})
}

// outputOf is the result column that a sort or group key stands for, -1 if none does for sure.
func outputOf(n *pg.Node, s *pg.SelectStmt, cols []column) int {
	if c := n.GetAConst(); c != nil && c.GetIval() != nil {
		if i := int(c.GetIval().Ival); i >= 1 && i <= len(cols) {
			return i - 1
		}
		return -1
	}
	if len(s.TargetList) != len(cols) { // stars, or a set operation
		name := refName(n)
		for i, c := range cols {
			if name != "" && c.name == name {
				return i
			}
		}
		return -1
	}
	for i, t := range s.TargetList {
		rt := t.GetResTarget()
		if name := bareName(n); name != "" && rt.GetName() == name || sameNode(rt.GetVal(), n) {
			return i
		}
	}
	return -1
}

func refName(n *pg.Node) string {
	if c := n.GetColumnRef(); c != nil && len(c.Fields) > 0 {
		return c.Fields[len(c.Fields)-1].GetString_().GetSval()
	}
	return ""
}

// sameNode compares two column references, whatever their place.
func sameNode(a, b *pg.Node) bool {
	x, y := a.GetColumnRef(), b.GetColumnRef()
	if x == nil || y == nil || len(x.Fields) != len(y.Fields) {
		return false
	}
	for i := range x.Fields {
		if !proto.Equal(x.Fields[i], y.Fields[i]) {
			return false
		}
	}
	return true
}

// orderless are the aggregates whose result does not depend on the order of
// their input; of sums and averages, those over exact numbers.
var orderless = map[string]bool{"count": true, "min": true, "max": true, "sum": true, "avg": true, "bool_and": true,
	"bool_or": true, "every": true, "bit_and": true, "bit_or": true, "bit_xor": true}

// aggregated notes an aggregate or window call of the query at hand.
func (r *run) aggregated(f *pg.FuncCall, chosen []*Function, args []value, sc *scope) {
	if f.Over != nil || outerAggregate(f, sc) {
		r.acc.byOrder = true
		return
	}
	for _, c := range chosen {
		inexact := len(c.Args) > 0 && (c.Args[0] == oidFloat4 || c.Args[0] == oidFloat8) && (c.Name == "sum" || c.Name == "avg")
		if c.Schema != "pg_catalog" || !orderless[c.Name] || inexact {
			r.acc.byOrder = true
		}
		if c.Name == "min" || c.Name == "max" || f.AggDistinct {
			for _, v := range args {
				r.merged(v)
			}
		}
	}
}
