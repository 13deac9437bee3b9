package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/weirdb/weir/query"
)

// where uses a condition.
func (r *run) where(n ast.ExprNode, sc *scope) {
	if n == nil {
		return
	}
	v := r.expr(n, sc)
	r.truth(n, &v)
	r.use(v, query.UseFilter)
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
