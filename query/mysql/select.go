package mysql

import (
	"math"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/weirdb/weir/query"
)

// maxColumns is how many columns the server allows in a select list.
const maxColumns = 4096

// A result is what a query gives to whoever reads it.
type result struct {
	cols []column
	// merge: the server merges the query into its reader, as it does with a
	// plain SELECT (LEX::can_be_merged).
	merge bool
	// chance: some expression gives another value at each call.
	chance bool
	// fixed: the rows come in one order only, or there is one.
	fixed bool
	items []*rangeItem // what FROM brings
	origin
}

// query evaluates SELECT, VALUES, TABLE and set operations. Whatever decides
// about rows is used at once; columns are used by who consumes them.
func (r *run) query(n ast.Node, outer *scope) result {
	switch x := n.(type) {
	case *ast.SelectStmt:
		return r.selectStmt(x, outer)
	case *ast.SetOprStmt:
		sc := outer.inner()
		r.with(x.With, sc)
		return r.setOperation(x.SelectList, x.OrderBy, x.Limit, sc)
	case *ast.SetOprSelectList:
		sc := outer.inner()
		r.with(x.With, sc)
		return r.setOperation(x, x.OrderBy, x.Limit, sc)
	case *ast.SubqueryExpr:
		return r.query(x.Query, outer)
	}
	r.unknownNode(n, outer)
	return result{}
}

func (r *run) selectStmt(s *ast.SelectStmt, outer *scope) result {
	if !r.spend(1) {
		return result{}
	}
	sc := outer.inner()
	loud := r.acc.loud
	r.acc.loud = false
	r.with(s.With, sc)
	var out result
	switch s.Kind {
	case ast.SelectStmtKindValues:
		out.cols = r.values(s.Lists, sc)
		r.sort(s.OrderBy, out.cols, sc)
	default:
		out.cols = r.plain(s, sc)
		out.merge = sc.merges(s)
	}
	out.chance, out.items = sc.chance, sc.items
	out.rows(s, sc)
	r.limit(s.Limit, sc)
	out.fixed = r.fixed(s, sc, out.cols)
	if !unlimited(s.Limit) && !out.fixed {
		r.acc.byOrder = true
	}
	r.locking(s.LockInfo, sc)
	for _, h := range s.TableHints {
		if !r.cat.Server.MariaDB && !harmlessHints[h.HintName.L] {
			r.gap(h.OriginTextPosition(), "the hint "+strings.ToUpper(h.HintName.L)+" is not known")
		}
	}
	if s.SelectIntoOpt != nil {
		r.intoFile(s.SelectIntoOpt, out.cols)
	}
	r.acc.noisy = r.acc.noisy || r.acc.loud && !r.oneRow(s, sc)
	r.acc.loud = loud
	return out
}

// rows notes which tables a row of the result comes from.
func (out *result) rows(s *ast.SelectStmt, sc *scope) {
	switch {
	case s.Kind == ast.SelectStmtKindValues:
		out.opaque = len(s.Lists) > 1
	case s.From == nil || s.GroupBy == nil && sc.aggregates: // one row
	case s.Limit == nil && sc.keys != nil && (s.GroupBy == nil || !s.GroupBy.Rollup):
		out.origin = sc.origin()
		out.loose, out.tables = append(out.loose, out.tables...), nil
		out.keys, out.opaque = sc.keys, false
	case !out.merge && (s.Limit == nil || !unlimited(s.Limit) || sc.keys != nil):
		out.opaque = true
	default:
		out.origin = sc.origin()
	}
}

// unlimited says that a LIMIT is missing or leaves nothing out.
func unlimited(l *ast.Limit) bool {
	if l == nil {
		return true
	}
	c, ok := l.Count.(*Literal)
	return ok && l.Offset == nil && c.Value == uint64(math.MaxUint64)
}

// origin is that of all entries of FROM side by side.
func (sc *scope) origin() origin {
	var o origin
	for _, it := range sc.items {
		o.join(&it.origin)
		o.opaque = o.opaque || it.unknown
	}
	return o
}

// merges says whether the server merges a query into its reader.
func (sc *scope) merges(s *ast.SelectStmt) bool {
	return s.From != nil && s.GroupBy == nil && s.Having == nil && !s.Distinct && s.Limit == nil && !sc.aggregates && !sc.windowed && !sc.apart && !sc.chance
}

// intoFile is SELECT … INTO OUTFILE or DUMPFILE.
func (r *run) intoFile(o *ast.SelectIntoOption, cols []column) {
	for i := range cols {
		r.stores(cols[i].value, "file", "a file of the server", -1)
	}
	r.write("file", "a file of the server", -1)
	r.gap(-1, "SELECT … INTO OUTFILE writes a file of the server")
	r.acc.into = true
}

// setOperation evaluates UNION, INTERSECT and EXCEPT. One distinct operation
// takes equal rows out of everything to its left.
func (r *run) setOperation(list *ast.SetOprSelectList, order *ast.OrderByClause, limit *ast.Limit, sc *scope) result {
	out := result{origin: origin{opaque: true}}
	var branches []result
	distinct := false
	for i, n := range list.Selects {
		branches = append(branches, r.query(n, sc))
		out.chance = out.chance || branches[i].chance
		if op := afterSetOperator(n); i > 0 && (op == nil || *op != ast.UnionAll) {
			distinct = true
		}
	}
	if len(branches) == 1 { // a query in parentheses
		out = branches[0]
		r.sort(order, out.cols, sc)
		r.limit(limit, sc)
		if order != nil || limit != nil {
			out.merge, out.fixed = false, false
		}
		if limit != nil {
			out.opaque, r.acc.byOrder = true, r.acc.byOrder || !branches[0].fixed
		}
		return out
	}
	for i := range branches {
		if i == 0 {
			out.cols = append([]column(nil), branches[0].cols...)
			continue
		}
		out.cols = r.combine(out.cols, branches[i].cols)
	}
	for i := range out.cols {
		v := &out.cols[i].value
		v.source = source{}
		out.cols[i].own = false
		if distinct {
			r.use(*v, query.UseDistinct)
			r.acc.byOrder = r.acc.byOrder || lumps(v)
		}
	}
	for i := range branches { // the server computes every column of every branch
		for j := range branches[i].cols {
			r.computed(branches[i].cols[j])
			r.acc.readAll(branches[i].cols[j].value)
		}
	}
	r.sort(order, out.cols, sc)
	r.limit(limit, sc)
	if limit != nil {
		r.acc.byOrder = true
	}
	return out
}

func afterSetOperator(n ast.Node) *ast.SetOprType {
	switch x := n.(type) {
	case *ast.SelectStmt:
		return x.AfterSetOperator
	case *ast.SetOprSelectList:
		return x.AfterSetOperator
	}
	return nil
}

// combine unites the columns of two branches.
func (r *run) combine(left, right []column) []column {
	if len(left) != len(right) {
		r.mistake(-1, code(1222, "21000"), "The used SELECT statements have a different number of columns", "")
	}
	out := make([]column, 0, len(left))
	for i, l := range left {
		if i < len(right) {
			l.value = either(l.value, right[i].value)
		}
		out = append(out, l)
	}
	for i := len(left); i < len(right); i++ {
		r.use(right[i].value, query.UseDerived)
	}
	return out
}

// computed notes that a column is computed although nobody may read it:
// computing it can fail or warn. A column of a view is the view's own, and may
// still be made of others.
func (r *run) computed(c column) {
	if !c.value.direct {
		r.use(c.value, query.UseDerived)
		return
	}
	for i := range c.value.deps {
		if d := &c.value.deps[i]; !d.direct {
			r.mark(d.rel, d.attr, d.uses|query.UseDerived, d.pos)
		}
	}
}

func (r *run) values(lists []*ast.RowExpr, sc *scope) []column {
	var out []column
	for row, l := range lists {
		for i, n := range l.Values {
			v := r.expr(n, sc)
			v.source = source{}
			switch {
			case row == 0:
				name := "column_" + itoa(i)
				if r.cat.Server.MariaDB {
					name = r.exprName(n, "")
				}
				out = append(out, named(name, v))
			case i < len(out):
				out[i].value = either(out[i].value, v)
			}
			r.computed(column{value: v})
		}
	}
	return out
}

// plain evaluates SELECT … FROM … with its clauses.
func (r *run) plain(s *ast.SelectStmt, sc *scope) []column {
	sc.whole = r.shown == ast.Node(s)
	if s.From != nil {
		outer := r.pin
		r.pin = r.pinned(s)
		sc.items = append(sc.items, r.from(s.From.TableRefs, sc)...)
		r.pin = outer
	}
	r.where(s.Where, sc)
	for i := range s.WindowSpecs {
		if sc.windows == nil {
			sc.windows = make(map[string]*ast.WindowSpec)
		}
		sc.windows[columnKey(s.WindowSpecs[i].Name.O)] = &s.WindowSpecs[i]
	}
	for i := range s.WindowSpecs {
		r.use(r.window(&s.WindowSpecs[i], sc), query.UseWindow)
	}
	cols := r.fields(s.Fields, sc)
	sc.late = true
	grouped := r.groupBy(s.GroupBy, cols, sc)
	known := r.told(grouped, sc)
	sc.keys = grouped
	if s.Having != nil {
		r.use(r.expr(s.Having.Expr, sc), query.UseFilter)
	}
	if sc.aggregates || s.GroupBy != nil {
		r.picks(cols, grouped, known)
	}
	if s.Distinct {
		shown := make([]value, len(cols))
		for i := range cols {
			r.use(cols[i].value, query.UseDistinct)
			r.computed(cols[i])
			r.acc.readAll(cols[i].value)
			shown[i] = cols[i].value
		}
		r.told(shown, sc)
		sc.keys = shown
	}
	r.sort(s.OrderBy, cols, sc)
	return cols
}

// where uses a condition.
func (r *run) where(n ast.ExprNode, sc *scope) {
	if n == nil {
		return
	}
	r.use(r.expr(n, sc), query.UseFilter)
	r.certain(n, sc, nil)
}

// certain notes the columns that a condition reads for certain: those of plain
// comparisons that it consists of. Scans, if any, are those of which it is known.
func (r *run) certain(n ast.ExprNode, sc *scope, scans map[int32]bool) {
	r.conjuncts(n, func(part ast.ExprNode) {
		if c := compared(part); c != nil || r.computes(part, sc) {
			r.readsFor(part, sc, scans)
		}
	})
}

// readsFor notes the columns in an expression that is computed, unless it has a
// subquery. That some branch of it is never taken does not matter: the server
// looks at all columns that stand in an expression.
func (r *run) readsFor(n ast.ExprNode, sc *scope, scans map[int32]bool) {
	v := &plainVisitor{}
	n.Accept(v)
	if v.subquery {
		return
	}
	for _, c := range v.columns {
		f := r.resolve(c.Name, sc)
		if len(f.cols) != 1 || f.outer {
			continue
		}
		v := f.cols[0].value
		for i := range v.deps {
			if v.direct && v.deps[i].direct && (scans == nil || scans[v.deps[i].scan]) {
				r.acc.read(&v.deps[i])
			}
		}
	}
}

// plainVisitor finds the columns of an expression, and whether it has a subquery.
type plainVisitor struct {
	columns  []*ast.ColumnNameExpr
	subquery bool
}

func (v *plainVisitor) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.ColumnNameExpr:
		v.columns = append(v.columns, x)
	case *ast.SubqueryExpr:
		v.subquery = true
	}
	return n, v.subquery
}

func (v *plainVisitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// computes says that a condition compares columns of two readings, or what is
// computed of columns: it cannot turn out to be true of every row before any is
// read.
func (r *run) computes(n ast.ExprNode, sc *scope) bool {
	x, ok := n.(*ast.BinaryOperationExpr)
	if !ok {
		return false
	}
	switch x.Op {
	case opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE:
	default:
		return false
	}
	if left, _ := r.equated(n, sc); left != nil {
		return true
	}
	for _, side := range [][2]ast.ExprNode{{x.L, x.R}, {x.R, x.L}} {
		if call, ok := side[0].(*ast.FuncCallExpr); ok && constant(side[1]) {
			v := &plainVisitor{}
			call.Accept(v)
			return len(v.columns) > 0 && !v.subquery
		}
	}
	return false
}

// equated are the columns of two readings that a condition holds equal.
func (r *run) equated(n ast.ExprNode, sc *scope) (left, right *ast.ColumnNameExpr) {
	x, ok := n.(*ast.BinaryOperationExpr)
	if !ok || x.Op != opcode.EQ {
		return nil, nil
	}
	left, lok := x.L.(*ast.ColumnNameExpr)
	right, rok := x.R.(*ast.ColumnNameExpr)
	if !lok || !rok {
		return nil, nil
	}
	a, b := r.resolve(left.Name, sc), r.resolve(right.Name, sc)
	if len(a.cols) != 1 || len(b.cols) != 1 || a.outer || b.outer {
		return nil, nil
	}
	k, kok := plainKey(a.cols[0].value)
	l, lok := plainKey(b.cols[0].value)
	if !kok || !lok || k.scan == l.scan {
		return nil, nil
	}
	return left, right
}

// conjuncts calls f for every part of a condition that must hold.
func (r *run) conjuncts(n ast.ExprNode, f func(ast.ExprNode)) {
	switch x := n.(type) {
	case *ast.ParenthesesExpr:
		r.conjuncts(x.Expr, f)
		return
	case *ast.BinaryOperationExpr:
		if x.Op == opcode.LogicAnd {
			r.conjuncts(x.L, f)
			r.conjuncts(x.R, f)
			return
		}
	}
	if n != nil {
		f(n)
	}
}

// compared is the column that a condition compares with constants, nil if it
// is anything else.
func compared(n ast.ExprNode) *ast.ColumnNameExpr {
	switch x := n.(type) {
	case *ast.BinaryOperationExpr:
		switch x.Op {
		case opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE:
		default:
			return nil
		}
		if c, ok := x.L.(*ast.ColumnNameExpr); ok && constant(x.R) {
			return c
		}
		if c, ok := x.R.(*ast.ColumnNameExpr); ok && constant(x.L) {
			return c
		}
	case *ast.PatternInExpr:
		c, ok := x.Expr.(*ast.ColumnNameExpr)
		for _, e := range x.List {
			ok = ok && constant(e)
		}
		if ok && x.Sel == nil {
			return c
		}
	case *ast.BetweenExpr:
		if c, ok := x.Expr.(*ast.ColumnNameExpr); ok && constant(x.Left) && constant(x.Right) {
			return c
		}
	case *ast.PatternLikeOrIlikeExpr:
		if c, ok := x.Expr.(*ast.ColumnNameExpr); ok && constant(x.Pattern) {
			return c
		}
	}
	return nil
}

// constant says that an expression is a literal or a parameter.
func constant(n ast.ExprNode) bool {
	switch x := n.(type) {
	case *Literal, *Marker:
		return true
	case *ast.ParenthesesExpr:
		return constant(x.Expr)
	case *ast.UnaryOperationExpr:
		return (x.Op == opcode.Minus || x.Op == opcode.Plus) && constant(x.V)
	}
	return false
}

// fields evaluates a select list, with stars expanded. Each column is visible
// to the subqueries after it.
func (r *run) fields(list *ast.FieldList, sc *scope) []column {
	if list == nil {
		return nil
	}
	cols := make([]column, 0, len(list.Fields))
	for _, f := range list.Fields {
		if f.WildCard != nil {
			expanded := r.star(f.WildCard, f.OriginTextPosition(), sc)
			cols = append(cols, expanded...)
			if !r.spend(len(expanded)) || len(cols) > maxColumns {
				r.gap(-1, "the select list is too long to analyse")
				return cols
			}
			sc.aliases = cols
			continue
		}
		v := r.expr(f.Expr, sc)
		if sc.whole {
			r.readsFor(f.Expr, sc, nil)
		}
		name, own := f.AsName.O, false
		if name == "" {
			name, own = r.fieldName(f, sc)
		}
		c := named(name, v)
		c.own = own
		cols = append(cols, c)
		sc.aliases = cols
	}
	return cols
}

// star expands * and t.*.
func (r *run) star(w *ast.WildCardField, pos int, sc *scope) []column {
	var cols []column
	if w.Table.O == "" {
		for _, it := range sc.items {
			if !it.nameOnly {
				cols = append(cols, r.expand(it, pos, false)...)
			}
		}
		return cols
	}
	items, outer := r.findItems(sc, w.Schema.O, w.Table.O)
	if len(items) == 0 {
		r.mistake(pos, code(1051, "42S02"), "Unknown table '"+w.Table.O+"'", w.Table.O)
	}
	if r.acc.rec != nil {
		r.acc.rec.stars[w] = items
	}
	for _, it := range items {
		cols = append(cols, r.expand(it, pos, outer)...)
	}
	return cols
}

func (r *run) expand(it *rangeItem, pos int, outer bool) []column {
	if it.unknown {
		r.gap(pos, "the columns of "+it.name+" are not known")
	}
	cols := make([]column, 0, len(it.cols))
	for _, c := range it.cols {
		if c.hidden {
			continue
		}
		c.value = c.value.at(r.here(pos), outer)
		cols = append(cols, c)
	}
	return cols
}

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

// strip is an expression without parentheses.
func strip(n ast.ExprNode) ast.ExprNode {
	for {
		p, ok := n.(*ast.ParenthesesExpr)
		if !ok {
			return n
		}
		n = p.Expr
	}
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

func (r *run) locking(l *ast.SelectLockInfo, sc *scope) {
	if l == nil || l.LockType == ast.SelectLockNone {
		return
	}
	for _, it := range sc.items {
		if it.relation != nil {
			r.acc.table(it.relation, !r.hidden, "lock")
		}
	}
	r.write("row lock", "", -1)
}

// harmlessHints are the optimizer hints of MySQL that change how a statement
// runs and nothing that it means.
var harmlessHints = map[string]bool{"bka": true, "no_bka": true, "bnl": true, "no_bnl": true, "derived_condition_pushdown": true,
	"hash_join": true, "no_hash_join": true, "merge": true, "no_merge": true, "max_execution_time": true, "mrr": true, "no_mrr": true,
	"no_icp": true, "no_range_optimization": true, "qb_name": true, "semijoin": true, "no_semijoin": true, "subquery": true}
