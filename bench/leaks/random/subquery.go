package random

import (
	"fmt"
	"strings"
)

// scalar is a subquery with one value.
func (g *Generator) scalar(p place, typ string, depth int) value {
	if depth < 2 || g.stm.budget < 15 {
		return value{}
	}
	if g.chance(12) && (typ == "_text" || typ == "_int4") {
		g.hit("subquery.array")
		q := g.query(queryOptions{want: []string{typ[1:]}, depth: depth - 2, outer: g.correlate(p), secrets: p.secrets, limit: 5})
		return value{sql: "ARRAY(" + q.sql + ")", typ: typ, secret: q.secret()}
	}
	q := g.query(queryOptions{want: []string{typ}, depth: depth - 2, outer: g.correlate(p), secrets: p.secrets, limit: 1})
	return value{sql: "(" + q.sql + ")", typ: typ, secret: q.secret()}
}

// correlate is the level that a subquery at the place may refer to.
func (g *Generator) correlate(p place) *level {
	if p.l.rows > 2500 {
		return nil // too many executions to be worth it
	}
	return p.l
}

// predicate is a condition with a subquery.
func (g *Generator) predicate(p place, depth int) value {
	if depth < 2 || g.stm.budget < 15 {
		return value{}
	}
	typ := one(g, []string{"int4", "text", "int4", "date", "numeric"})
	o := queryOptions{want: []string{typ}, depth: depth - 2, outer: g.correlate(p), secrets: p.secrets, limit: 20}
	var out value
	left := func() value { return g.expr(p, typ, depth-2) }
	g.pick(
		choice{4, "subquery.exists", func() {
			q := g.query(o)
			out = value{sql: one(g, []string{"", "NOT "}) + "EXISTS (" + q.sql + ")", secret: q.secret() || q.filtered}
		}},
		choice{4, "subquery.in", func() {
			l, q := left(), g.query(o)
			out = value{sql: "(" + l.sql + one(g, []string{" IN ", " NOT IN "}) + "(" + q.sql + "))", secret: l.secret || q.secret()}
		}},
		choice{3, "subquery.any", func() {
			l, q := left(), g.query(o)
			out = value{sql: fmt.Sprintf("(%s %s (%s))", l.sql, one(g, []string{"= ANY", "< ALL", "<> SOME", ">= ANY"}), q.sql), secret: l.secret || q.secret()}
		}},
		choice{2, "subquery.row", func() {
			l, m := left(), g.expr(p, "int4", depth-2)
			o.want = []string{typ, "int4"}
			q := g.query(o)
			out = value{sql: fmt.Sprintf("((%s, %s) IN (%s))", l.sql, m.sql, q.sql), secret: l.secret || m.secret || q.secret()}
		}},
	)
	out.typ = "bool"
	return out
}

// with makes the WITH clause of a query; the CTEs stay visible until restore.
func (g *Generator) with(o queryOptions) (clause string, restore func()) {
	before := g.stm.ctes
	restore = func() { g.stm.ctes = before }
	if o.depth < 2 || !g.chance(16) || g.stm.budget < 30 {
		return "", restore
	}
	g.hit("cte")
	n := 1 + g.rng.IntN(2)
	recursive := false
	var parts []string
	for range n {
		name := g.name(func(x string) bool {
			for _, c := range g.stm.ctes {
				if c.name == x {
					return true
				}
			}
			return false
		})
		if g.chance(18) {
			recursive = true
			parts = append(parts, g.recursive(name, o))
			continue
		}
		q := g.query(queryOptions{depth: o.depth - 1, outer: o.outer, secrets: o.secrets, limit: 50, derived: true})
		names, cols := g.columnList(q.columns)
		how := one(g, []string{" AS ", " AS ", " AS MATERIALIZED ", " AS NOT MATERIALIZED "})
		parts = append(parts, g.ident(name)+names+how+"("+q.sql+")")
		g.stm.ctes = append(g.stm.ctes[:len(g.stm.ctes):len(g.stm.ctes)], &source{name: name, columns: cols, rows: q.rows, leaky: q.filtered})
	}
	if recursive {
		return "WITH RECURSIVE " + strings.Join(parts, ", ") + " ", restore
	}
	return "WITH " + strings.Join(parts, ", ") + " ", restore
}

// recursive is a CTE that counts and carries a value along.
func (g *Generator) recursive(name string, o queryOptions) string {
	g.hit("cte.recursive")
	start := g.query(queryOptions{want: []string{"int4", "text"}, depth: 1, outer: o.outer, secrets: o.secrets, limit: 5, plain: true})
	secret := start.secret() || start.filtered
	s := &source{name: name, columns: []column{{"n", "int4", secret}, {"v", "text", secret}}, rows: 50}
	l := &level{sources: []*source{s}, rows: 50}
	next := g.expr(place{l, o.secrets}, "text", 1)
	if next.secret {
		s.columns[0].secret, s.columns[1].secret = true, true
	}
	id := g.ident(name)
	union := one(g, []string{"UNION ALL", "UNION ALL", "UNION"})
	g.stm.ctes = append(g.stm.ctes[:len(g.stm.ctes):len(g.stm.ctes)], s)
	tail := ""
	if union == "UNION ALL" && g.chance(20) {
		g.hit("cte.search")
		tail = " SEARCH DEPTH FIRST BY n SET ord"
	}
	return fmt.Sprintf("%s(n, v) AS ((%s) %s SELECT (n %% 1000) + 1, left((%s)::text, 20) FROM %s WHERE n %% 10 < 4)%s", id, start.sql, union, next.sql, id, tail)
}

// columnList decides the names of the columns of a derived table: the query's
// own, or a list where they are not told apart.
func (g *Generator) columnList(cols []column) (list string, out []column) {
	seen := map[string]bool{}
	clear := true
	for _, c := range cols {
		if c.name == "" || seen[c.name] {
			clear = false
		}
		seen[c.name] = true
	}
	if clear && !g.chance(15) {
		return "", cols
	}
	g.hit("alias.columns")
	taken := map[string]bool{}
	var names []string
	for _, c := range cols {
		c.name = g.name(func(n string) bool { return taken[n] })
		taken[c.name] = true
		out = append(out, c)
		names = append(names, g.ident(c.name))
	}
	return "(" + strings.Join(names, ", ") + ")", out
}
