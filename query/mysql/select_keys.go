package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// groupBy uses GROUP BY: a column's number, an expression, or a name of FROM or
// of the select list. It gives what is grouped by.
func (r *run) groupBy(g *ast.GroupByClause, cols []column, sc *scope) []value {
	var all []value
	if g == nil {
		return all
	}
	for _, it := range g.Items {
		v := r.sortKey(it.Expr, cols, sc, false)
		r.use(v, query.UseGroup)
		r.acc.readAll(v)
		all = append(all, v)
	}
	return all
}

// sort uses ORDER BY: a column's number, a name of the select list, or an
// expression.
func (r *run) sort(o *ast.OrderByClause, cols []column, sc *scope) {
	if o == nil {
		return
	}
	late, aliases := sc.late, sc.aliases
	sc.late, sc.aliases = true, cols
	for _, it := range o.Items {
		v := r.sortKey(it.Expr, cols, sc, true)
		r.use(v, query.UseOrder)
		r.acc.readAll(v)
	}
	sc.late, sc.aliases = late, aliases
}

// sortKey is the value of a key by number, by name or by expression. A bare
// name in ORDER BY is first one of the select list; in GROUP BY one of FROM, so
// that both count.
func (r *run) sortKey(n ast.ExprNode, cols []column, sc *scope, order bool) value {
	switch x := n.(type) {
	case *ast.PositionExpr:
		if x.N >= 1 && x.N <= len(cols) {
			return cols[x.N-1].value
		}
		return value{}
	case *Marker, *ast.ParenthesesExpr:
		if m, ok := strip(n).(*Marker); ok { // a number that is bound is a position too
			v := r.expr(m, sc)
			for i := range cols {
				v = derive(v, cols[i].value)
			}
			return v
		}
	case *Literal:
		return r.position(x, cols)
	case *ast.ColumnNameExpr:
		if order && x.Name.Table.O == "" {
			var f found
			f.match(cols, columnKey(x.Name.Name.O), foldName(x.Name.Name.O))
			if len(f.cols) == 1 {
				return f.cols[0].value
			}
		}
	}
	return r.expr(n, sc)
}

// position is a key that the grammar did not take for a column's number.
func (r *run) position(l *Literal, cols []column) value {
	if n, ok := l.Value.(int64); ok && n >= 1 && n <= int64(len(cols)) {
		return cols[n-1].value
	}
	if n, ok := l.Value.(uint64); ok && n >= 1 && n <= uint64(len(cols)) {
		return cols[n-1].value
	}
	return value{literal: true}
}

func (r *run) limit(l *ast.Limit, sc *scope) {
	if l == nil {
		return
	}
	for _, n := range []ast.ExprNode{l.Count, l.Offset} {
		if n != nil {
			r.use(r.expr(n, sc.beside()), query.UseFilter)
		}
	}
}

// window is what a window definition consists of.
func (r *run) window(w *ast.WindowSpec, sc *scope) value {
	if w == nil || !r.spend(1) {
		return value{}
	}
	var v value
	for _, name := range []string{w.Ref.O, w.Name.O} {
		if base := sc.findWindow(name); name != "" && base != nil && base != w {
			v = derive(v, r.window(base, sc))
		}
	}
	if w.PartitionBy != nil {
		for _, it := range w.PartitionBy.Items {
			v = derive(v, r.windowKey(it.Expr, sc))
		}
	}
	if w.OrderBy != nil {
		for _, it := range w.OrderBy.Items {
			v = derive(v, r.windowKey(it.Expr, sc))
		}
	}
	if w.Frame != nil {
		for _, b := range []*ast.FrameBound{&w.Frame.Extent.Start, &w.Frame.Extent.End} {
			if b.Expr != nil {
				v = derive(v, r.expr(b.Expr, sc))
			}
		}
	}
	return v.with(query.UseWindow)
}

// windowKey is a key of a window: a number is one, not a position.
func (r *run) windowKey(n ast.ExprNode, sc *scope) value {
	if _, ok := n.(*ast.PositionExpr); ok {
		return value{literal: true}
	}
	late := sc.late
	sc.late = true // names of the select list are visible to MySQL's windows
	v := r.expr(n, sc)
	sc.late = late
	return v
}
