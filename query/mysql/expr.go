package mysql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
	"github.com/pingcap/tidb/pkg/parser/types"

	"github.com/weirdb/weir/query"
)

func itoa(n int) string { return strconv.Itoa(n) }

// expr is the lineage of an expression.
func (r *run) expr(n ast.ExprNode, sc *scope) value {
	if n == nil || !r.spend(1) {
		return value{}
	}
	switch x := n.(type) {
	case *ast.ColumnNameExpr:
		return r.columnRef(x.Name, x.OriginTextPosition(), sc)
	case *Literal, *Marker:
		return value{literal: true}
	case *ast.ParenthesesExpr:
		return r.expr(x.Expr, sc)
	case *ast.BinaryOperationExpr:
		left, right := r.expr(x.L, sc), r.expr(x.R, sc)
		r.operation(x, &left, &right)
		return derive(left, right)
	case *ast.UnaryOperationExpr:
		v := r.expr(x.V, sc)
		switch x.Op {
		case opcode.Plus: // it does nothing
			return v
		case opcode.Not, opcode.Not2:
			r.truth(x.V, &v)
		default:
			r.noise(constant(x.V))
		}
		return derive(v)
	case *ast.FuncCallExpr:
		return r.call(x, sc)
	case *ast.FuncCastExpr:
		v := r.expr(x.Expr, sc)
		r.noise(x.Tp.EvalType() == types.ETString && x.Tp.GetFlen() == types.UnspecifiedLength && (x.Tp.GetCharset() == "" || x.Tp.GetCharset() == "utf8mb4" || x.Tp.GetCharset() == "binary"))
		return derive(v)
	case *ast.AggregateFuncExpr:
		return r.aggregate(x, sc)
	case *ast.WindowFuncExpr:
		return r.windowCall(x, sc)
	case *ast.BetweenExpr:
		v, left, right := r.expr(x.Expr, sc), r.expr(x.Left, sc), r.expr(x.Right, sc)
		r.compares(x.Expr, x.Left, &v, &left)
		r.compares(x.Expr, x.Right, &v, &right)
		return derive(v, left, right)
	case *ast.CaseExpr:
		return r.caseExpr(x, sc)
	case *ast.IsNullExpr:
		return derive(r.expr(x.Expr, sc))
	case *ast.IsTruthExpr:
		v := r.expr(x.Expr, sc)
		r.truth(x.Expr, &v)
		return derive(v)
	case *ast.PatternInExpr:
		return r.in(x, sc)
	case *ast.PatternLikeOrIlikeExpr:
		return derive(r.expr(x.Expr, sc), r.expr(x.Pattern, sc))
	case *ast.PatternRegexpExpr:
		r.noise(false)
		return derive(r.expr(x.Expr, sc), r.expr(x.Pattern, sc))
	case *ast.RowExpr:
		return r.all(x.Values, sc)
	}
	return r.exprMore(n, sc)
}

// exprMore continues expr with the rarer nodes.
func (r *run) exprMore(n ast.ExprNode, sc *scope) value {
	switch x := n.(type) {
	case *ast.SubqueryExpr:
		return r.scalar(x, sc)
	case *ast.ExistsSubqueryExpr:
		r.exists(x.Sel, sc)
		return value{}
	case *ast.CompareSubqueryExpr:
		left, right := r.expr(x.L, sc), r.subquery(x.R, sc)
		r.noise(left.typ.Known() && left.typ == right.typ)
		return derive(left, right).with(query.UseFilter)
	case *ast.SetCollationExpr:
		v := r.expr(x.Expr, sc)
		v.source, v.collated = source{}, true
		return v
	case *ast.VariableExpr:
		return r.variable(x, sc)
	case *ast.DefaultExpr:
		return r.defaultOf(x, sc)
	case *ast.ValuesExpr:
		return r.inserted(x, sc)
	case *ast.MatchAgainst:
		v := r.expr(x.Against, sc)
		for _, c := range x.ColumnNames { // the score reads all rows' words
			v = derive(v, r.columnRef(c, x.OriginTextPosition(), sc))
		}
		return v.with(query.UseFilter)
	case *ast.PositionExpr, *ast.TimeUnitExpr, *ast.GetFormatSelectorExpr, *ast.TrimDirectionExpr, *ast.MaxValueExpr:
		return value{literal: true}
	}
	return r.unknownNode(n, sc)
}

// unknownNode stands for everything that may be in a node without a rule.
func (r *run) unknownNode(n ast.Node, sc *scope) value {
	pos := -1
	if n != nil {
		pos = n.OriginTextPosition()
	}
	r.gap(pos, strings.TrimPrefix(fmt.Sprintf("%T", n), "*ast.")+" cannot be analysed")
	v := sc.everything()
	r.use(v, query.UseDerived)
	return v
}

// all derives from every expression of a list.
func (r *run) all(list []ast.ExprNode, sc *scope) value {
	var v value
	for _, n := range list {
		v = derive(v, r.expr(n, sc))
	}
	return v
}

func (r *run) caseExpr(x *ast.CaseExpr, sc *scope) value {
	conditions, results := value{}, value{}
	if x.Value != nil {
		conditions = r.expr(x.Value, sc)
	}
	chosen := conditions
	for _, w := range x.WhenClauses {
		when := r.expr(w.Expr, sc)
		if x.Value != nil {
			r.compares(x.Value, w.Expr, &chosen, &when)
		} else {
			r.truth(w.Expr, &when)
		}
		conditions = derive(conditions, when)
		results = derive(results, r.expr(w.Result, sc))
	}
	if x.ElseClause != nil {
		results = derive(results, r.expr(x.ElseClause, sc))
	}
	return derive(derive(conditions).with(query.UseFilter), results)
}

// in is IN, with a list or a query.
func (r *run) in(x *ast.PatternInExpr, sc *scope) value {
	left := r.expr(x.Expr, sc)
	v := derive(left)
	for _, n := range x.List {
		e := r.expr(n, sc)
		r.compares(x.Expr, n, &left, &e)
		v = derive(v, e)
	}
	if x.Sel != nil {
		sub := r.subquery(x.Sel, sc)
		r.noise(left.typ.Known() && left.typ == sub.typ)
		v = derive(v, sub).with(query.UseFilter)
	}
	return v
}

// subquery is the value of all columns of a subquery, with the type of the one
// if there is one.
func (r *run) subquery(n ast.ExprNode, sc *scope) value {
	sub, ok := n.(*ast.SubqueryExpr)
	if !ok {
		return r.expr(n, sc)
	}
	cols := r.below(sub, sc).cols
	if len(cols) == 1 {
		return derive(cols[0].value).typed(cols[0].value.typ)
	}
	var v value
	for _, c := range cols {
		v = derive(v, c.value)
	}
	return v
}

// below evaluates a subquery of a level.
func (r *run) below(sub *ast.SubqueryExpr, sc *scope) result {
	out := r.query(sub.Query, sc)
	sc.chance = sc.chance || out.chance
	sc.apart = sc.apart || sc.late
	return out
}

// exists evaluates a subquery of which only matters whether it has rows.
func (r *run) exists(n ast.ExprNode, sc *scope) {
	sub, ok := n.(*ast.SubqueryExpr)
	if !ok {
		r.use(r.expr(n, sc), query.UseFilter)
		return
	}
	for _, c := range r.below(sub, sc).cols {
		r.computed(c)
	}
}

// scalar is a subquery that gives one row. More than one is an error: that
// tells what its conditions tell.
func (r *run) scalar(x *ast.SubqueryExpr, sc *scope) value {
	out := r.below(x, sc)
	if len(out.cols) == 1 {
		v := out.cols[0].value
		v.source = source{}
		return v
	}
	var v value
	for _, c := range out.cols {
		v = derive(v, c.value)
	}
	return v
}

// resolve finds what a column's name means, without a word about it.
func (r *run) resolve(n *ast.ColumnName, sc *scope) found {
	if n.Table.O == "" {
		return sc.findColumn(n.Name.O)
	}
	items, outer := r.findItems(sc, n.Schema.O, n.Table.O)
	f := found{outer: outer}
	for _, it := range items {
		c := it.column(n.Name.O)
		f.cols = append(f.cols, c.cols...)
		f.unknown, f.unsure = f.unknown || c.unknown, f.unsure || c.unsure
	}
	if len(items) == 0 {
		f.outer = false
	}
	return f
}

// columnRef resolves a name.
func (r *run) columnRef(n *ast.ColumnName, pos int, sc *scope) value {
	f := r.resolve(n, sc)
	r.acc.rec.column(r, n, f, sc)
	if f.unsure {
		r.gap(pos, "column "+n.Name.O+" has a name that only accents tell from another")
	}
	if f.unknown && len(f.cols) > 0 {
		r.gap(pos, "column "+n.Name.O+" may be one of a relation that is not known")
	}
	switch {
	case len(f.cols) == 1:
		return f.cols[0].value.at(r.here(pos), f.outer)
	case len(f.cols) > 1:
		var v value
		for i := range f.cols {
			v = derive(v, f.cols[i].value)
		}
		return v.at(r.here(pos), f.outer)
	}
	if !f.unknown {
		name := n.OrigColName()
		r.mistake(pos, code(1054, "42S22"), "Unknown column '"+name+"'", name)
	}
	v := sc.everything()
	r.use(v, query.UseDerived)
	return v
}

// variable is a user or system variable, or an assignment to one.
func (r *run) variable(x *ast.VariableExpr, sc *scope) value {
	if x.IsSystem {
		return value{} // of the server or the session, not of its data
	}
	if x.Value == nil {
		return value{literal: true} // nothing protected flows into one unseen
	}
	v := r.expr(x.Value, sc)
	r.stores(v, "set", "@"+x.Name, x.OriginTextPosition())
	r.assignsVariable()
	sc.chance = true
	return v.changed()
}

// assignsVariable notes that a user variable changes while rows are read, in
// the order in which they are.
func (r *run) assignsVariable() {
	r.acc.byOrder = true
	if r.stmt != nil {
		r.stmt.Changes |= ChangeVariables
	}
}

// defaultOf is DEFAULT or DEFAULT(column).
func (r *run) defaultOf(x *ast.DefaultExpr, sc *scope) value {
	if x.Name == nil {
		return value{literal: true}
	}
	v := r.columnRef(x.Name, x.OriginTextPosition(), sc)
	for _, d := range v.deps {
		rel := r.relationByID(d.rel)
		if rel == nil || rel.Kind == KindView {
			return v.changed()
		}
		if c := rel.Attribute(d.attr); c == nil || strings.Contains(c.Default, "(") {
			return v.changed() // computed, maybe from other columns
		}
	}
	return value{}
}

// inserted is VALUES(column): what an INSERT would store in a column. Outside of
// ON DUPLICATE KEY UPDATE it is NULL.
func (r *run) inserted(x *ast.ValuesExpr, sc *scope) value {
	it := sc.findFresh()
	if it == nil {
		return value{}
	}
	f := it.column(x.Column.Name.Name.O)
	if len(f.cols) != 1 {
		v := it.wholeRow()
		r.use(v, query.UseDerived)
		return v
	}
	return f.cols[0].value.changed()
}

// fieldName is the name of a select list's column without an alias, and whether
// it is the column's own. Empty where it is not known.
func (r *run) fieldName(f *ast.SelectField, sc *scope) (string, bool) {
	x := strip(f.Expr)
	for {
		u, ok := x.(*ast.UnaryOperationExpr)
		if !ok || u.Op != opcode.Plus {
			break
		}
		x = strip(u.V)
	}
	if c, ok := x.(*ast.ColumnNameExpr); ok {
		if m := r.resolve(c.Name, sc); len(m.cols) == 1 && m.cols[0].own {
			return m.cols[0].name, true
		}
		return c.Name.Name.O, false
	}
	if _, ok := x.(*ast.MatchAgainst); ok {
		return "", false // its end was moved for the grammar
	}
	return r.exprName(x, r.written(f.Offset, f.Offset+len(f.Text()))), false
}

// exprName is the name of an expression that is written so.
func (r *run) exprName(n ast.ExprNode, written string) string {
	if l, ok := strip(n).(*Literal); ok {
		switch v := l.Value.(type) {
		case string:
			return strings.TrimLeft(v, " \t\n\r\v\f\x00")
		case nil:
			return "NULL"
		case bool:
			return strings.ToUpper(strconv.FormatBool(v))
		default:
			if written == "" {
				return fmt.Sprint(v)
			}
			return strings.Trim(written, "()+ \t\n\r")
		}
	}
	return written
}

// written is the client's text between two offsets of the grammar's, empty
// where it is not the client's.
func (r *run) written(from, to int) string {
	if r.hidden || from >= to {
		return ""
	}
	start, end := r.text.source(from), r.text.source(to-1)+1
	if start < 0 || start >= end || end > len(r.text.src) {
		return ""
	}
	return strings.TrimSpace(r.text.src[start:end])
}

// source is the offset in src of one in the grammar's text, -1 if unknown.
func (t *text) source(pos int) int {
	at := -1
	for i := range t.segs {
		if t.segs[i].out > pos {
			break
		}
		at = t.segs[i].in + pos - t.segs[i].out
	}
	return at
}
