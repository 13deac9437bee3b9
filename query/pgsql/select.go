package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// query evaluates a statement that returns rows inside another one.
func (r *run) query(n *pg.Node, outer *scope) []column {
	if n == nil {
		return nil
	}
	switch x := n.Node.(type) {
	case *pg.Node_SelectStmt:
		return r.selectStmt(x.SelectStmt, outer)
	case *pg.Node_InsertStmt:
		return r.insert(x.InsertStmt, outer)
	case *pg.Node_UpdateStmt:
		return r.update(x.UpdateStmt, outer)
	case *pg.Node_DeleteStmt:
		return r.delete(x.DeleteStmt, outer)
	case *pg.Node_MergeStmt:
		return r.merge(x.MergeStmt, outer)
	}
	r.unknownNode(n, outer)
	return nil
}

// selectStmt evaluates SELECT, VALUES, TABLE and set operations. Whatever
// decides about rows is used at once; columns are used by who consumes them.
func (r *run) selectStmt(s *pg.SelectStmt, outer *scope) []column {
	if !r.spend(1) {
		return nil
	}
	defer r.rec.close(r.rec.open())
	sc := outer.inner()
	r.with(s.WithClause, sc)
	var cols []column
	switch {
	case s.Op == pg.SetOperation_SETOP_UNION || s.Op == pg.SetOperation_SETOP_INTERSECT || s.Op == pg.SetOperation_SETOP_EXCEPT:
		cols = r.combine(s, r.selectStmt(s.Larg, sc), r.selectStmt(s.Rarg, sc))
		r.sort(s.SortClause, cols, sc)
	case len(s.ValuesLists) > 0:
		cols = r.values(s.ValuesLists, sc)
		r.sort(s.SortClause, cols, sc)
	default:
		cols = r.plain(s, sc)
	}
	for _, n := range []*pg.Node{s.LimitCount, s.LimitOffset} {
		if n != nil {
			r.use(r.expr(n, sc.beside()), query.UseFilter)
		}
	}
	if s.LimitCount != nil || s.LimitOffset != nil {
		r.limited(s, cols)
	}
	for _, l := range s.LockingClause {
		r.locking(l.GetLockingClause(), sc)
	}
	if s.IntoClause != nil {
		r.intoTable(s.IntoClause, cols, "select into")
	}
	return cols
}

// combine evaluates a set operation over two evaluated sides.
func (r *run) combine(s *pg.SelectStmt, left, right []column) []column {
	if len(left) != len(right) {
		r.gap(-1, "the sides of a set operation have different numbers of columns")
	}
	distinct := !s.All || s.Op != pg.SetOperation_SETOP_UNION
	out := make([]column, 0, len(left))
	for i, l := range left {
		v := l.value
		if i < len(right) {
			v = either(v, right[i].value)
		}
		if !v.direct {
			v.gaps = unpinned(v.gaps)
		}
		v.source, v.attr, v.row = 0, 0, nil
		if distinct {
			r.use(v, query.UseDistinct)
			r.merged(v)
		} else {
			// The server computes every column of every branch.
			r.computed(l)
			if i < len(right) {
				r.computed(right[i])
			}
		}
		out = append(out, column{l.name, v})
	}
	for i := len(left); i < len(right); i++ {
		r.use(right[i].value, query.UseDerived)
	}
	return out
}

// computed notes that a column is computed although nobody may read it:
// computing it can fail, or sort the rows. A column of a view is the view's own,
// and may still be made of others.
func (r *run) computed(c column) {
	if !c.value.direct {
		r.use(c.value, query.UseDerived)
		return
	}
	made := false
	for i := range c.value.deps {
		if d := &c.value.deps[i]; !d.direct {
			r.mark(d.rel, d.attr, d.uses|query.UseDerived, d.pos)
			made = true
		}
	}
	if made {
		r.report(c.value.gaps)
	}
}

// carried notes that whole rows of some items are carried through a statement
// that locks or writes, in case that it must look at them again: every column
// of a view or subquery is computed.
func (r *run) carried(items []*rangeItem) {
	for _, it := range items {
		for _, c := range it.cols {
			r.computed(c)
		}
	}
}

func (r *run) values(lists []*pg.Node, sc *scope) []column {
	var out []column
	for row, l := range lists {
		var vals []value
		for _, n := range l.GetList().GetItems() {
			vals = append(vals, r.list(n, sc)...)
		}
		for i, v := range vals {
			v.source, v.attr = 0, 0
			switch {
			case row == 0:
				out = append(out, column{columnN(i + 1), v})
			case i < len(out):
				out[i].value = either(out[i].value, v)
			}
			if row > 0 || len(lists) > 1 { // a single row is merged into its reader
				r.computed(column{value: v})
			}
		}
	}
	return out
}

func columnN(n int) string { return "column" + itoa(n) }

// plain evaluates SELECT … FROM … with its clauses.
func (r *run) plain(s *pg.SelectStmt, sc *scope) []column {
	r.pin(s, sc)
	for _, f := range s.FromClause {
		sc.items = append(sc.items, r.from(f, sc)...)
	}
	if s.WhereClause != nil {
		r.use(r.expr(s.WhereClause, sc), query.UseFilter)
	}
	for _, w := range s.WindowClause {
		def := w.GetWindowDef()
		if sc.windows == nil {
			sc.windows = make(map[string]*pg.WindowDef)
		}
		sc.windows[def.GetName()] = def
		r.use(r.window(def, sc), query.UseWindow)
	}
	r.rec.level(sc.items)
	late := r.rec.afterConditions(1)
	cols := r.targets(s.TargetList, sc)
	for _, g := range s.GroupClause {
		r.group(g, cols, sc)
	}
	r.rec.grouped(s, sc)
	r.rec.done(late)
	if s.HavingClause != nil {
		r.use(r.expr(s.HavingClause, sc), query.UseFilter)
	}
	late = r.rec.afterConditions(1)
	defer r.rec.done(late)
	for _, d := range s.DistinctClause {
		if d == nil || d.Node == nil { // plain DISTINCT
			for _, c := range cols {
				r.use(c.value, query.UseDistinct)
				r.merged(c.value)
			}
			continue
		}
		r.use(r.sortKey(d, cols, sc), query.UseDistinct)
		r.acc.byOrder = true // DISTINCT ON takes the row that comes first
	}
	if len(s.DistinctClause) > 0 {
		for _, c := range cols {
			r.computed(c)
		}
	}
	r.sort(s.SortClause, cols, sc)
	if sc.aggregates {
		r.acc.aggregate(s)
	}
	return cols
}

// targets evaluates a target list, with stars expanded.
func (r *run) targets(list []*pg.Node, sc *scope) []column {
	cols := make([]column, 0, len(list))
	for _, n := range list {
		t := n.GetResTarget()
		if t == nil {
			r.unknownNode(n, sc)
			continue
		}
		if expanded, ok := r.star(t.Val, sc); ok {
			cols = append(cols, expanded...)
			if !r.spend(len(expanded)) || len(cols) > maxTarget {
				r.gap(-1, "the target list is too long to analyse")
				return cols
			}
			continue
		}
		name := t.Name
		if name == "" {
			name = figureName(t.Val)
		}
		before := r.volatiles
		v := r.target(t.Val, sc)
		if r.volatiles != before && !v.direct {
			r.use(v, query.UseDerived) // a volatile column is computed whoever reads it
		}
		switch {
		case r.depth == 0 && sc.parent != nil && sc.parent.parent == nil:
			v.gaps = outermost(v.gaps)
		case !v.direct:
			v.gaps = unpinned(v.gaps)
		}
		if v.row != nil {
			v.row = &rangeItem{cols: withoutSource(v.row.cols), relation: v.row.relation, unknown: v.row.unknown}
		}
		cols = append(cols, column{name, v})
	}
	return cols
}

// target evaluates one result expression. Inside a view its gaps stay with it.
func (r *run) target(n *pg.Node, sc *scope) value {
	if !r.pending {
		return r.expr(n, sc)
	}
	outer, sink := r.acc.sink, []pendingGap(nil)
	r.acc.sink = &sink
	v := r.expr(n, sc)
	r.acc.sink = outer
	v.gaps = mergeGaps(v.gaps, sink)
	return v
}

// star expands *, t.*, (x).* in a target list.
func (r *run) star(n *pg.Node, sc *scope) ([]column, bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		fields := x.ColumnRef.Fields
		if len(fields) == 0 || fields[len(fields)-1].GetAStar() == nil {
			return nil, false
		}
		r.rec.column(x.ColumnRef, sc)
		if len(fields) == 1 {
			r.rec.star(x.ColumnRef, sc)
			return r.starAll(x.ColumnRef, sc), true
		}
		prefix := &pg.ColumnRef{Fields: fields[:len(fields)-1], Location: x.ColumnRef.Location}
		if item, outer := r.starItem(fields, sc); item != nil {
			return r.expand(item, x.ColumnRef.Location, outer), true
		}
		return r.expandValue(r.columnRef(prefix, sc), x.ColumnRef.Location), true
	case *pg.Node_AIndirection:
		steps := x.AIndirection.Indirection
		if len(steps) == 0 || steps[len(steps)-1].GetAStar() == nil {
			return nil, false
		}
		v := r.expr(x.AIndirection.Arg, sc)
		v = r.indirection(v, steps[:len(steps)-1], sc)
		return r.expandValue(v, -1), true
	}
	return nil, false
}

func (r *run) starItem(fields []*pg.Node, sc *scope) (*rangeItem, bool) {
	switch len(fields) {
	case 2:
		return sc.findItem("", fields[0].GetString_().GetSval())
	case 3:
		return sc.findItem(fields[0].GetString_().GetSval(), fields[1].GetString_().GetSval())
	case 4:
		return sc.findItem(fields[1].GetString_().GetSval(), fields[2].GetString_().GetSval())
	}
	return nil, false
}

func (r *run) starAll(c *pg.ColumnRef, sc *scope) []column {
	var cols []column
	for _, it := range sc.items {
		if !it.nameOnly {
			cols = append(cols, r.expand(it, c.Location, false)...)
		}
	}
	return cols
}

func (r *run) expand(it *rangeItem, pos int32, outer bool) []column {
	cols := make([]column, len(it.cols))
	for i, c := range it.cols {
		cols[i] = column{c.name, c.value.at(r.here(pos), outer)}
	}
	return cols
}

// expandValue expands a value of a composite type.
func (r *run) expandValue(v value, pos int32) []column {
	fields, ok := r.fields(v)
	if !ok {
		if !v.literal {
			r.gap(pos, "the columns of a row value are not known")
		}
		return []column{{"", v.changed()}}
	}
	return fields
}

// group uses one GROUP BY entry: an output column's number, an input column,
// an output column's name or an expression, in this order.
func (r *run) group(n *pg.Node, cols []column, sc *scope) {
	if set := n.GetGroupingSet(); set != nil {
		for _, c := range set.Content {
			r.group(c, cols, sc)
		}
		return
	}
	if row := n.GetRowExpr(); row != nil && row.RowFormat == pg.CoercionForm_COERCE_IMPLICIT_CAST {
		for _, c := range row.Args {
			r.group(c, cols, sc)
		}
		return
	}
	if name := bareName(n); name != "" {
		for _, it := range sc.items {
			if !it.nameOnly && len(it.column(name)) > 0 {
				v := r.expr(n, sc)
				r.use(v, query.UseGroup)
				r.merged(v)
				return
			}
		}
	}
	v := r.sortKey(n, cols, sc)
	r.use(v, query.UseGroup)
	r.merged(v)
}

// sort uses ORDER BY: an output column's number or name, or an expression.
func (r *run) sort(list []*pg.Node, cols []column, sc *scope) {
	for _, n := range list {
		s := n.GetSortBy()
		r.operatorNames(s.GetUseOp(), -1)
		r.use(r.sortKey(s.GetNode(), cols, sc), query.UseOrder)
	}
}

// sortKey is the value of a key by number, by output name or by expression.
func (r *run) sortKey(n *pg.Node, cols []column, sc *scope) value {
	if c := n.GetAConst(); c != nil && c.GetIval() != nil {
		if i := int(c.GetIval().Ival); i >= 1 && i <= len(cols) {
			return cols[i-1].value
		}
	}
	if name := bareName(n); name != "" {
		var v value
		found := false
		for _, c := range cols {
			if c.name == name {
				v, found = derive(v, c.value), true
			}
		}
		if found {
			return v
		}
	}
	return r.expr(n, sc)
}

func bareName(n *pg.Node) string {
	if c := n.GetColumnRef(); c != nil && len(c.Fields) == 1 {
		return c.Fields[0].GetString_().GetSval()
	}
	return ""
}

// window is what a window definition consists of.
func (r *run) window(w *pg.WindowDef, sc *scope) value {
	if w == nil {
		return value{}
	}
	var v value
	for _, ref := range []string{w.Refname, w.Name} {
		if base := sc.findWindow(ref); ref != "" && base != nil && base != w {
			v = derive(v, r.window(base, sc))
		}
	}
	for _, p := range w.PartitionClause {
		v = derive(v, r.expr(p, sc))
	}
	for _, o := range w.OrderClause {
		r.operatorNames(o.GetSortBy().GetUseOp(), -1)
		v = derive(v, r.expr(o.GetSortBy().GetNode(), sc))
	}
	return derive(v, r.expr(w.StartOffset, sc), r.expr(w.EndOffset, sc)).with(query.UseWindow)
}

func (r *run) locking(l *pg.LockingClause, sc *scope) {
	mark := func(it *rangeItem) {
		if it.relation != nil {
			r.acc.table(it.relation, !r.hidden, "lock")
		}
	}
	for _, it := range sc.items {
		if len(l.GetLockedRels()) == 0 {
			mark(it)
		}
		for _, n := range l.GetLockedRels() {
			if n.GetRangeVar().GetRelname() == it.name {
				mark(it)
			}
		}
	}
	r.carried(sc.items)
	r.write("row lock", "", -1)
}
