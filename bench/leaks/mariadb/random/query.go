package random

import (
	"fmt"
	"strings"
)

// source is an entry of FROM, or a WITH query.
type source struct {
	alias   string
	columns []*Column
}

// level is the names that one SELECT sees.
type level struct {
	sources []*source
	outer   *level
	keys    []*node // of GROUP BY
	grouped bool
	inside  bool // of an aggregate
	windows bool
}

func (g *Generator) secrets() bool { return g.sneaky }

// table is a relation; without any secret if clean.
func (g *Generator) table(clean bool) *Relation {
	list := g.catalog.Relations
	if len(g.temps) > 0 && g.chance(15) {
		list = g.temps
	}
	for range 30 {
		r := one(g, list)
		if !clean || !r.secret() {
			return r
		}
	}
	return one(g, g.catalog.Relations)
}

func (r *Relation) secret() bool {
	for _, c := range r.Columns {
		if c.Secret {
			return true
		}
	}
	return false
}

// query is a SELECT with all that may stand around it.
func (g *Generator) query(outer *level, top bool) *node {
	with := form(fixed, "")
	if g.budget > 15 && g.chance(14) {
		with = g.with(outer)
	}
	if g.budget > 20 && g.chance(8) {
		return form(fixed, "# #", with, g.setOperation(outer))
	}
	n := form(fixed, "# SELECT #", with, g.body(outer))
	if top && g.chance(3) {
		g.hit("lock")
		return form(fixed, one(g, []string{"# FOR UPDATE", "# LOCK IN SHARE MODE"}), n)
	}
	return n
}

// with is WITH of one or two queries.
func (g *Generator) with(outer *level) *node {
	var list []*node
	var made []*source
	for range 1 + g.rng.IntN(2) {
		s := &source{alias: g.name("w")}
		if g.chance(20) {
			g.hit("with.recursive")
			t := g.table(!g.secrets())
			c := g.visible(t)
			s.columns = []*Column{{Name: "k"}, {Name: "v", Secret: c.Secret}}
			list = append(list, form(fixed, s.alias+" (k, v) AS (SELECT 1, "+quote(c.Name)+" FROM (SELECT * FROM "+t.qualified()+" LIMIT 3) q UNION ALL SELECT k + 1, v FROM "+s.alias+" WHERE k < 3)"))
		} else {
			g.hit("with")
			body := g.body(outer)
			s.columns = g.columnsOf(body)
			list = append(list, form(fixed, s.alias+" AS (SELECT #)", body))
		}
		made = append(made, s)
	}
	g.ctes = append(g.ctes, made...)
	return form(fixed, "WITH RECURSIVE #", &node{kind: fixed, text: strings.TrimSuffix(strings.Repeat("\x00, ", len(list)), ", "), kids: list})
}

// visible is a column that may be used here.
func (g *Generator) visible(r *Relation) *Column {
	for range 30 {
		if c := one(g, r.Columns); !c.Secret || g.secrets() {
			return c
		}
	}
	return r.Columns[0]
}

// body is a SELECT without its first word.
func (g *Generator) body(outer *level) *node {
	n, _ := g.bodyOf(outer, 0)
	return n
}

// columnsOf are the aliased columns that a body shows.
func (g *Generator) columnsOf(body *node) []*Column {
	var out []*Column
	for _, k := range body.kids {
		if k.kind == list {
			for _, item := range k.kids {
				out = append(out, item.column())
			}
			break
		}
	}
	return out
}

// column is the alias of an item of a select list, which ends with it.
func (n *node) column() *Column {
	text := n.String()
	at := strings.LastIndex(text, " AS ")
	if at < 0 {
		return &Column{}
	}
	return &Column{Name: strings.Trim(text[at+4:], "`"), Secret: n.holdsSecret()}
}

// bodyOf is a SELECT without its first word, of a number of columns (0: any).
func (g *Generator) bodyOf(outer *level, width int) (*node, *level) {
	l := &level{outer: outer}
	from := g.from(l, 2)
	where := form(fixed, "")
	if g.chance(55) {
		where = form(optional, " WHERE #", g.expr(l, 3))
		g.hit("where")
	}
	group, having := form(fixed, ""), form(fixed, "")
	if g.chance(22) {
		g.hit("group")
		l.grouped = true
		for range 1 + g.rng.IntN(2) {
			l.keys = append(l.keys, g.column(l))
		}
		group = form(optional, one(g, []string{" GROUP BY #", " GROUP BY #", " GROUP BY # WITH ROLLUP"}), joined(", ", l.keys...))
		if g.chance(30) {
			g.hit("having")
			having = form(optional, " HAVING #", g.expr(l, 2))
		}
	} else if g.chance(10) {
		l.grouped = true // one group
	}
	l.windows = !l.grouped
	if width == 0 {
		width = 1 + g.rng.IntN(4)
	}
	var items []*node
	for i := range width {
		items = append(items, form(fixed, fmt.Sprintf("# AS o%d", i), g.output(l)))
	}
	l.windows = false
	distinct := form(optional, one(g, []string{"", "", "", "", "DISTINCT ", "SQL_BUFFER_RESULT ", "STRAIGHT_JOIN ", "SQL_BIG_RESULT "}))
	return form(fixed, "#######", distinct, joined(", ", items...), from, where, group, having, g.tail(l, width)), l
}

// output is an item of a select list.
func (g *Generator) output(l *level) *node {
	if !l.grouped && g.chance(60) {
		if c := g.anyColumn(l, true); c != nil {
			return c
		}
	}
	return g.expr(l, 3)
}

// tail is ORDER BY and LIMIT.
func (g *Generator) tail(l *level, width int) *node {
	order, limit := form(fixed, ""), form(fixed, "")
	if g.chance(35) {
		g.hit("order")
		if g.chance(50) {
			order = form(optional, fmt.Sprintf(" ORDER BY %d%s", 1+g.rng.IntN(width), one(g, []string{"", " DESC"})))
			if !g.secrets() {
				order = form(optional, " ORDER BY # DESC", g.expr(l, 1))
			}
		} else {
			order = form(optional, one(g, []string{" ORDER BY #", " ORDER BY # DESC"}), g.expr(l, 2))
		}
	}
	if g.chance(20) {
		g.hit("limit")
		limit = form(optional, one(g, []string{" LIMIT 3", " LIMIT 1, 2", " LIMIT 5 OFFSET 1", " LIMIT 0"}))
	}
	return form(fixed, "##", order, limit)
}

// from fills a level, and is FROM.
func (g *Generator) from(l *level, depth int) *node {
	if g.chance(4) {
		return form(fixed, "")
	}
	n := g.entry(l, depth)
	for range 2 {
		if g.budget < 10 || !g.chance(30) {
			break
		}
		right := g.entry(l, depth-1)
		switch g.rng.IntN(6) {
		case 0:
			g.hit("join.comma")
			n = form(fixed, "#, #", n, right)
		case 1:
			g.hit("join.left")
			n = form(fixed, "# LEFT JOIN # ON #", n, right, g.expr(l, 2))
		case 2:
			g.hit("join.right")
			n = form(fixed, "# RIGHT JOIN # ON #", n, right, g.expr(l, 2))
		case 3:
			g.hit("join.straight")
			n = form(fixed, "# STRAIGHT_JOIN # ON #", n, right, g.equal(l))
		default:
			g.hit("join.inner")
			n = form(fixed, "# JOIN # ON #", n, right, g.equal(l))
		}
	}
	return form(fixed, " FROM #", n)
}

// equal compares two columns.
func (g *Generator) equal(l *level) *node { return form(expr, "# = #", g.column(l), g.column(l)) }

// entry is an entry of FROM.
func (g *Generator) entry(l *level, depth int) *node {
	g.budget -= 2
	s := &source{alias: g.name("t")}
	defer func() { l.sources = append(l.sources, s) }()
	switch {
	case len(g.ctes) > 0 && g.chance(50):
		c := one(g, g.ctes)
		s.columns = c.columns
		g.hit("from.with")
		return leaf(c.alias + " AS " + s.alias)
	case depth > 0 && g.budget > 15 && g.chance(18):
		g.hit("from.derived")
		body := g.body(l.outer)
		s.columns = g.columnsOf(body)
		return form(fixed, "(SELECT #) AS "+s.alias, body)
	case g.chance(2):
		g.hit("from.json_table")
		s.columns = []*Column{{Name: "j"}}
		return leaf(`JSON_TABLE('[1, 2, 3]', '$[*]' COLUMNS (j INT PATH '$')) AS ` + s.alias)
	case g.chance(2):
		g.hit("from.seq")
		s.columns = []*Column{{Name: "seq"}}
		return leaf("seq_1_to_4 AS " + s.alias)
	}
	r := g.table(g.manner == "clean")
	s.columns = r.Columns
	g.hit("from.table")
	return leaf(r.qualified() + " AS " + s.alias)
}

// setOperation is UNION and its kin.
func (g *Generator) setOperation(outer *level) *node {
	width := 1 + g.rng.IntN(3)
	n := form(fixed, "SELECT #", must(g.bodyOf(outer, width)))
	for range 1 + g.rng.IntN(2) {
		op := one(g, []string{"UNION", "UNION ALL", "INTERSECT", "EXCEPT"})
		g.hit("set." + strings.ToLower(op))
		n = form(fixed, "(#) "+op+" (SELECT #)", n, must(g.bodyOf(outer, width)))
	}
	if g.chance(30) && g.secrets() {
		n = form(fixed, "# ORDER BY 1 LIMIT 4", n)
	}
	return n
}

func must(n *node, _ *level) *node { return n }

// scalarQuery is a query of one column and at most one row.
func (g *Generator) scalarQuery(outer *level) *node {
	n, _ := g.bodyOf(outer, 1)
	// The tail is the last part: a limit of its own would stand twice.
	n.kids[len(n.kids)-1] = form(fixed, " LIMIT 1")
	return form(fixed, "SELECT #", n)
}
