package random

import (
	"fmt"
	"slices"
	"strings"
)

// from makes the FROM clause of a level: its text without the word, empty if
// there is none, and conditions that belong into WHERE.
func (g *Generator) from(l *level, o queryOptions) string {
	n := 1
	switch r := g.rng.IntN(100); {
	case r < 4 && len(o.want) > 0:
		return ""
	case r >= 88 && o.depth > 0:
		n = 3
	case r >= 62 && o.depth > 0:
		n = 2
	}
	text := g.item(l, o)
	rows := l.sources[len(l.sources)-1].rows
	for i := 1; i < n; i++ {
		if rows > 4000 {
			break
		}
		text, rows = g.join(l, o, text, rows, i == n-1)
	}
	l.rows = max(1, rows)
	return text
}

// join adds an item to the left side.
func (g *Generator) join(l *level, o queryOptions, left string, rows int, last bool) (string, int) {
	lefts := len(l.sources)
	lateral := g.chance(14)
	var right string
	if lateral {
		g.hit("join.lateral")
		right = g.derived(l, o, l)
	} else {
		right = g.item(l, o)
	}
	s := l.sources[len(l.sources)-1]
	product := rows * max(1, s.rows)
	kind := one(g, []string{"JOIN", "JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ",", "USING", "NATURAL"})
	if lateral && (kind == "RIGHT JOIN" || kind == "FULL JOIN" || kind == "USING" || kind == "NATURAL") {
		kind = "LEFT JOIN"
	}
	if (kind == "CROSS JOIN" || kind == ",") && product > 8000 {
		kind = "JOIN"
	}
	switch kind {
	case "CROSS JOIN", ",":
		g.hit("join.cross")
		if kind == "," && !last { // a JOIN after it could not name what comes before
			kind = "CROSS JOIN"
		}
		return left + map[string]string{",": ", ", "CROSS JOIN": " CROSS JOIN "}[kind] + right, product
	case "USING", "NATURAL":
		if text, ok := g.joinUsing(l, o, kind, left, right, lefts); ok {
			return text, max(rows, s.rows)
		}
		kind = "LEFT JOIN"
	}
	g.hit("join." + strings.ToLower(strings.Fields(kind)[0]))
	cond, equal := g.joinCondition(l, o, lefts)
	if equal {
		product = max(rows, s.rows) * 2
	} else if product > 8000 {
		cond, equal = "false", true
		product = rows
	}
	if kind == "FULL JOIN" && !equal {
		kind = "LEFT JOIN" // only merge-joinable conditions
	}
	return left + " " + kind + " " + right + " ON " + cond, product
}

// joinCondition prefers an equality between both sides.
func (g *Generator) joinCondition(l *level, o queryOptions, lefts int) (cond string, equal bool) {
	secrets := o.secrets && g.chance(40)
	ok := func(c column) bool { return (secrets || !c.secret) && !uncomparable[c.typ] && literals[c.typ] != nil }
	type pair struct{ a, b candidate }
	var pairs []pair
	right := l.sources[lefts:]
	for _, s := range l.sources[:lefts] {
		for _, c := range s.columns {
			for _, r := range right {
				for _, d := range r.columns {
					if c.typ == d.typ && c.typ != "bool" && ok(c) && ok(d) {
						pairs = append(pairs, pair{candidate{s, c, false}, candidate{r, d, false}})
						if strings.HasSuffix(c.name, "id") && strings.HasSuffix(d.name, "id") {
							pairs = append(pairs, pairs[len(pairs)-1], pairs[len(pairs)-1], pairs[len(pairs)-1])
						}
					}
				}
			}
		}
	}
	if len(pairs) > 0 && g.chance(85) {
		p := one(g, pairs)
		cond = g.ident(p.a.source.name) + "." + g.ident(p.a.column.name) + " = " + g.ident(p.b.source.name) + "." + g.ident(p.b.column.name)
		if g.chance(15) {
			cond += " AND " + g.expr(place{l, secrets}, "bool", 1).sql
		}
		return cond, true
	}
	return g.expr(place{l, secrets}, "bool", 1).sql, false
}

// joinUsing joins by common names, if there are any that serve.
func (g *Generator) joinUsing(l *level, o queryOptions, kind, left, right string, lefts int) (string, bool) {
	if lefts != 1 {
		return "", false
	}
	a, b := l.sources[0], l.sources[1]
	var common []string
	for _, c := range a.columns {
		for _, d := range b.columns {
			if c.name != d.name {
				continue
			}
			if c.typ != d.typ || uncomparable[c.typ] || (c.secret || d.secret) && !o.secrets {
				if kind == "NATURAL" {
					return "", false
				}
				continue
			}
			common = append(common, c.name)
		}
	}
	if len(common) == 0 {
		return "", false
	}
	a.merged, b.merged = true, true
	side := one(g, []string{" ", " LEFT ", " FULL "})
	if kind == "NATURAL" {
		g.hit("join.natural")
		return left + " NATURAL" + side + "JOIN " + right, true
	}
	g.hit("join.using")
	return left + side + "JOIN " + right + " USING (" + g.ident(one(g, common)) + ")", true
}

// item adds one source to the level.
func (g *Generator) item(l *level, o queryOptions) string {
	var out string
	sub := 12
	if o.depth < 2 || g.stm.budget < 25 {
		sub = 0
	}
	ctes := 0
	if len(g.stm.ctes) > 0 {
		ctes = 60
	}
	g.pick(
		choice{70, "from.table", func() { out = g.table(l, o) }},
		choice{sub, "from.derived", func() { out = g.derived(l, o, nil) }},
		choice{ctes, "from.cte", func() { out = g.cte(l, o) }},
		choice{6, "from.function", func() { out = g.functionItem(l, o) }},
		choice{4, "from.values", func() { out = g.valuesItem(l) }},
	)
	return out
}

// alias names a source differently from all others of the level.
func (g *Generator) alias(l *level) string {
	taken := func(n string) bool {
		return slices.ContainsFunc(l.sources, func(s *source) bool { return s.name == n })
	}
	if g.chance(20) {
		return g.name(taken)
	}
	for {
		g.stm.fresh++
		if n := fmt.Sprintf("t%d", g.stm.fresh); !taken(n) {
			return n
		}
	}
}

// table is a relation, with its columns sometimes renamed.
func (g *Generator) table(l *level, o queryOptions) string {
	r := g.relation(o)
	s := &source{columns: columnsOf(r), rows: max(1, r.Rows), leaky: r.Leaky, base: r, system: r.System}
	text := g.relationName(r)
	taken := func(n string) bool {
		return slices.ContainsFunc(l.sources, func(s *source) bool { return s.name == n })
	}
	if !taken(r.Name) && g.chance(25) {
		s.name = r.Name
	} else {
		s.name = g.alias(l)
		text += one(g, []string{" ", " AS "}) + g.aliasText(s.name)
		if g.chance(6) {
			text += g.rename(s)
		}
	}
	l.sources = append(l.sources, s)
	return text
}

// rename gives the first columns of a source new names and returns the list.
func (g *Generator) rename(s *source) string {
	g.hit("alias.columns")
	n := len(s.columns)
	if g.chance(30) {
		n = 1 + g.rng.IntN(n)
	}
	taken := func(x string) bool { return slices.ContainsFunc(s.columns, func(c column) bool { return c.name == x }) }
	names := make([]string, n)
	for i := range n {
		s.columns[i].name = g.name(taken)
		names[i] = g.ident(s.columns[i].name)
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// aliasText writes an alias so that it cannot be read as a keyword.
func (g *Generator) aliasText(name string) string {
	if strings.HasPrefix(name, "t") || strings.HasPrefix(name, "c") {
		return g.ident(name)
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

func columnsOf(r *Relation) []column {
	out := make([]column, len(r.Columns))
	for i, c := range r.Columns {
		out[i] = column{c.Name, c.Type, c.Secret || r.Leaky}
	}
	return out
}

// relation chooses one that suits the manner.
func (g *Generator) relation(o queryOptions) *Relation {
	if len(g.st.temps) > 0 && g.chance(40) {
		return one(g, g.st.temps)
	}
	if g.chance(3) && len(g.system) > 0 {
		g.hit("from.catalog")
		for range 10 {
			if r := one(g, g.system); g.suits(r, o) {
				return r
			}
		}
	}
	for range 30 {
		r := one(g, g.readable)
		if !g.suits(r, o) {
			continue
		}
		secret := slices.ContainsFunc(r.Columns, func(c Column) bool { return c.Secret })
		if secret == (g.st.manner == "clean") && g.chance(70) {
			continue
		}
		return r
	}
	return g.readable[0]
}

func (g *Generator) suits(r *Relation, o queryOptions) bool {
	if r.Leaky && !o.secrets && !g.chance(1) {
		return false
	}
	return r.Rows <= 600 || g.chance(30)
}

// relationName writes a relation's name, without its schema where search_path
// finds it.
func (g *Generator) relationName(r *Relation) string {
	if r.Schema == "" {
		return g.ident(r.Name)
	}
	if g.inPath(r) && g.chance(85) {
		g.hit("name.search_path")
		return g.ident(r.Name)
	}
	only := ""
	if g.rng.IntN(40) == 0 {
		only = "ONLY "
		g.hit("from.only")
	}
	return only + g.ident(r.Schema) + "." + g.ident(r.Name)
}

// inPath says that the bare name finds the relation.
func (g *Generator) inPath(r *Relation) bool {
	for _, c := range g.stm.ctes {
		if c.name == r.Name {
			return false
		}
	}
	for _, t := range g.st.temps {
		if t.Name == r.Name {
			return t == r
		}
	}
	for _, schema := range g.st.path {
		for _, x := range g.readable {
			if x.Schema == schema && x.Name == r.Name {
				return x == r
			}
		}
	}
	return false
}

// derived is a subquery in FROM; outer is set for a LATERAL one.
func (g *Generator) derived(l *level, o queryOptions, outer *level) string {
	from := l.outer
	text := ""
	if outer != nil {
		from, text = outer, "LATERAL "
	}
	limit := 60
	if outer != nil {
		limit = 3
	}
	q := g.query(queryOptions{depth: max(1, o.depth-1), outer: from, secrets: o.secrets, limit: limit, derived: true})
	list, cols := g.columnList(q.columns)
	s := &source{name: g.alias(l), columns: cols, rows: q.rows, leaky: q.filtered}
	l.sources = append(l.sources, s)
	return text + "(" + q.sql + ") " + one(g, []string{"", "AS "}) + g.aliasText(s.name) + list
}

func (g *Generator) cte(l *level, o queryOptions) string {
	c := one(g, g.stm.ctes)
	if (c.leaky || c.secret()) && !o.secrets && c.leaky {
		return g.table(l, o)
	}
	s := *c
	s.name = g.alias(l)
	l.sources = append(l.sources, &s)
	return g.ident(c.name) + " " + g.aliasText(s.name)
}

func (g *Generator) functionItem(l *level, o queryOptions) string {
	p := place{&level{outer: l.outer}, o.secrets}
	s := &source{name: g.alias(l), rows: 5}
	name := g.aliasText(s.name)
	var text string
	switch g.rng.IntN(8) {
	case 0:
		text = fmt.Sprintf("generate_series(1, %d)", 2+g.rng.IntN(8))
		s.columns = []column{{"n", "int4", false}}
		text += " AS " + name + "(n)"
	case 1:
		v := g.expr(p, "_text", 1)
		s.columns = []column{{"v", "text", v.secret}, {"o", "int8", v.secret}}
		text = "unnest(" + v.sql + ") WITH ORDINALITY AS " + name + "(v, o)"
	case 2:
		v := g.expr(p, "text", 1)
		s.columns = []column{{"v", "text", v.secret}}
		text = "regexp_split_to_table(" + v.sql + ", '-') AS " + name + "(v)"
	case 3:
		v := g.expr(p, "jsonb", 1)
		s.columns = []column{{"key", "text", v.secret}, {"value", "text", v.secret}}
		text = "jsonb_each_text(CASE jsonb_typeof(" + v.sql + ") WHEN 'object' THEN " + v.sql + " END) AS " + name
	case 4:
		v := g.expr(p, "_int4", 1)
		s.columns = []column{{"a", "int4", v.secret}, {"b", "int4", v.secret}}
		text = "ROWS FROM (unnest(" + v.sql + "), generate_series(1, 3)) AS " + name + "(a, b)"
	case 5:
		v := g.expr(p, "jsonb", 1)
		s.columns = []column{{"a", "int4", v.secret}, {"b", "text", v.secret}}
		text = "jsonb_to_record(jsonb_build_object('b', " + v.sql + ")) AS " + name + "(a int, b text)"
	case 6:
		v := g.expr(p, "text", 1)
		s.columns = []column{{"w", "text", v.secret}}
		text = "string_to_table(" + v.sql + ", 'a') AS " + name + "(w)"
	default:
		text = "generate_series('2024-01-01'::date, '2024-01-04'::date, interval '1 day') AS " + name + "(d)"
		s.columns = []column{{"d", "timestamptz", false}}
	}
	for _, c := range s.columns {
		if c.secret {
			s.leaky = true
		}
	}
	l.sources = append(l.sources, s)
	return text
}

func (g *Generator) valuesItem(l *level) string {
	n := 1 + g.rng.IntN(3)
	types := make([]string, n)
	names := make([]string, n)
	s := &source{name: g.alias(l), rows: 3}
	for i := range n {
		types[i] = one(g, []string{"int4", "text", "date", "numeric"})
		c := column{name: fmt.Sprintf("column%d", i+1), typ: types[i]}
		s.columns = append(s.columns, c)
		names[i] = c.name
	}
	var rows []string
	for range 1 + g.rng.IntN(3) {
		vals := make([]string, n)
		for i, t := range types {
			vals[i] = g.constant(t)
		}
		rows = append(rows, "("+strings.Join(vals, ", ")+")")
	}
	l.sources = append(l.sources, s)
	return "(VALUES " + strings.Join(rows, ", ") + ") AS " + g.aliasText(s.name)
}
