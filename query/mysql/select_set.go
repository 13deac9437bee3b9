package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

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
