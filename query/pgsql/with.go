package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// maxRounds bounds the fixpoint of a recursive query. Lineage grows only, and
// settles in as many rounds as there are columns that feed each other.
const maxRounds = 50

// with evaluates WITH into sc. Without RECURSIVE a query sees those before it;
// with it, all of them.
func (r *run) with(w *pg.WithClause, sc *scope) {
	if w == nil {
		return
	}
	outer := len(sc.ctes)
	for _, n := range w.Ctes {
		node := n.GetCommonTableExpr()
		if node == nil {
			r.unknownNode(n, sc)
			continue
		}
		c := &cte{name: node.Ctename, node: node, recursive: w.Recursive,
			scope: &scope{parent: sc.parent, ctes: sc.ctes, params: sc.params}}
		if !w.Recursive {
			r.evaluate(c)
		}
		sc.ctes = append(sc.ctes[:len(sc.ctes):len(sc.ctes)], c)
	}
	if w.Recursive {
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
		for _, col := range c.cols {
			r.computed(col)
		}
	}
}

// readCTE is a reference to a WITH query.
func (r *run) readCTE(c *cte) []column {
	r.evaluate(c)
	r.spend(len(c.cols))
	return c.cols
}

func (r *run) evaluate(c *cte) {
	if c.state != cteWaiting {
		return
	}
	c.state = cteRunning
	sel := c.node.Ctequery.GetSelectStmt()
	if c.recursive && sel != nil && sel.Op == pg.SetOperation_SETOP_UNION {
		r.recursive(c, sel)
	} else {
		c.cols = renamed(r.query(c.node.Ctequery, c.scope), c.node.Aliascolnames)
	}
	c.state = cteDone
	r.searchCycle(c)
}

// recursive evaluates a union that may refer to itself, until its lineage no
// longer grows.
func (r *run) recursive(c *cte, sel *pg.SelectStmt) {
	sc := c.scope.inner()
	r.with(sel.WithClause, sc)
	names := c.node.Aliascolnames
	start := renamed(r.selectStmt(sel.Larg, sc), names)
	for i := range start {
		start[i].value.row = nil
	}
	c.cols = withoutSource(start)
	for round := 0; ; round++ {
		step := r.selectStmt(sel.Rarg, sc)
		next := renamed(r.combine(sel, c.cols, step), names)
		done := sameColumns(next, c.cols)
		c.cols = next
		if done {
			break
		}
		if round == maxRounds {
			r.gap(c.node.Location, "the lineage of a recursive query does not settle")
			break
		}
	}
	r.sort(sel.SortClause, c.cols, sc)
	for _, n := range []*pg.Node{sel.LimitCount, sel.LimitOffset} {
		r.use(r.expr(n, sc.beside()), query.UseFilter)
	}
}

func withoutSource(cols []column) []column {
	out := append([]column(nil), cols...)
	for i := range out {
		out[i].value.source, out[i].value.attr = 0, 0
	}
	return out
}

func renamed(cols []column, names []*pg.Node) []column {
	if len(names) == 0 {
		return cols
	}
	out := append([]column(nil), cols...)
	for i, n := range names {
		if i < len(out) {
			out[i].name = n.GetString_().GetSval()
		}
	}
	return out
}

// searchCycle adds the columns of SEARCH and CYCLE.
func (r *run) searchCycle(c *cte) {
	pick := func(list []*pg.Node) value {
		var v value
		for _, n := range list {
			for _, col := range c.cols {
				if col.name == n.GetString_().GetSval() {
					v = derive(v, col.value)
				}
			}
		}
		return v
	}
	if s := c.node.SearchClause; s != nil {
		v := pick(s.SearchColList).with(query.UseOrder)
		c.cols = append(c.cols, column{s.SearchSeqColumn, v})
	}
	if cy := c.node.CycleClause; cy != nil {
		v := pick(cy.CycleColList)
		r.use(v, query.UseFilter)
		mark := derive(v, r.expr(cy.CycleMarkValue, c.scope), r.expr(cy.CycleMarkDefault, c.scope))
		c.cols = append(c.cols, column{cy.CycleMarkColumn, mark}, column{cy.CyclePathColumn, v})
	}
}
