package mysql

import (
	"slices"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// maxRounds bounds the fixpoint of a recursive query. Lineage grows only, and
// settles in as many rounds as there are columns that feed each other.
const maxRounds = 50

// with evaluates WITH into sc. Without RECURSIVE a query sees those before it;
// with it, all of them.
func (r *run) with(w *ast.WithClause, sc *scope) {
	if w == nil {
		return
	}
	outer := len(sc.ctes)
	for _, n := range w.CTEs {
		c := &cte{key: columnKey(n.Name.O), node: n, recursive: w.IsRecursive, scope: &scope{parent: sc.parent, ctes: sc.ctes, fresh: sc.fresh}}
		if !w.IsRecursive {
			r.evaluate(c)
		}
		sc.ctes = append(slices.Clip(sc.ctes), c)
	}
	if w.IsRecursive {
		for _, c := range sc.ctes[outer:] {
			c.scope.ctes = sc.ctes
		}
		for _, c := range sc.ctes[outer:] {
			r.evaluate(c)
		}
	}
	// Whether a query is computed as a whole or merged into its reader depends
	// on much: suppose the former.
	for _, c := range sc.ctes[outer:] {
		for _, col := range c.result.cols {
			r.computed(col)
		}
	}
}

// readCTE is a reference to a WITH query, which reads its tables anew.
func (r *run) readCTE(c *cte) result {
	r.evaluate(c)
	out := c.result
	if !r.spend(len(out.cols)+c.last-c.first) || c.state != cteDone || c.first == c.last {
		return out
	}
	by := r.acc.adopt(r.acc.scans[c.first:c.last], c.number, -1) - int32(c.first)
	for _, s := range r.acc.scans[c.first:c.last] {
		s.template = true
	}
	out.cols = shifted(out.cols, int32(c.first), by)
	out.origin = out.origin.shifted(int32(c.first), by)
	return out
}

func (r *run) evaluate(c *cte) {
	if c.state != cteWaiting {
		return
	}
	r.acc.withs++
	c.state, c.first, c.number = cteRunning, len(r.acc.scans), r.acc.withs
	set, union := c.node.Query.Query.(*ast.SetOprStmt)
	if c.recursive && union {
		r.recursive(c, set)
	} else {
		c.result = r.query(c.node.Query.Query, c.scope)
		c.result.cols = renamed(c.result.cols, c.node.ColNameList)
	}
	c.state, c.last = cteDone, len(r.acc.scans)
}

// recursive evaluates a union that may refer to itself, until its lineage no
// longer grows. The members see each other, so that all of them run again.
func (r *run) recursive(c *cte, set *ast.SetOprStmt) {
	from := len(r.acc.scans)
	next := func() {
		for _, s := range r.acc.scans[from:] {
			if s.stale == 0 {
				s.stale = c.number
			}
		}
		from = len(r.acc.scans)
	}
	if first := set.SelectList.Selects; len(first) > 0 {
		start := r.query(first[0], c.scope.inner())
		c.result.cols = withoutSource(renamed(start.cols, c.node.ColNameList))
	}
	c.result.opaque = true
	for round := 0; ; round++ {
		next()
		cols := withoutSource(renamed(r.query(set, c.scope).cols, c.node.ColNameList))
		done := sameColumns(cols, c.result.cols)
		c.result.cols = cols
		if done {
			return
		}
		if round == maxRounds || *r.budget < 0 {
			r.gap(-1, "the lineage of a recursive query does not settle")
			return
		}
	}
}

func withoutSource(cols []column) []column {
	out := slices.Clone(cols)
	for i := range out {
		out[i].value.source, out[i].own = source{}, false
	}
	return out
}

func renamed(cols []column, names []ast.CIStr) []column {
	if len(names) == 0 {
		return cols
	}
	out := slices.Clone(cols)
	for i, n := range names {
		if i < len(out) {
			c := named(n.O, out[i].value)
			out[i] = c
		}
	}
	return out
}
