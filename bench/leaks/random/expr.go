package random

import (
	"strings"
)

// place is where an expression stands.
type place struct {
	l       *level
	secrets bool // protected columns may occur
}

// expr makes an expression of a type.
func (g *Generator) expr(p place, typ string, depth int) value {
	g.stm.budget--
	if depth <= 0 || g.stm.budget <= 0 {
		return g.leaf(p, typ)
	}
	var out value
	choices := []choice{
		{34, "", func() { out = g.leaf(p, typ) }},
		{30, "", func() { out = g.template(p, typ, one(g, orLeaf(g.templates[typ])), depth) }},
		{9, "expr.generic", func() { out = g.generic(p, typ, depth) }},
		{5, "expr.subquery", func() { out = g.scalar(p, typ, depth) }},
	}
	if len(g.byType[typ]) > 0 {
		choices = append(choices, choice{5, "expr.catalog", func() { out = g.call(p, typ, depth) }})
	}
	if p.l.aggregates && !p.l.inside && len(aggregates[typ]) > 0 {
		choices = append(choices, choice{22, "", func() { out = g.aggregate(p, typ, depth) }})
	}
	if p.l.windows && !p.l.inside && len(windows[typ]) > 0 {
		choices = append(choices, choice{7, "", func() { out = g.window(p, typ, depth) }})
	}
	if typ == "bool" {
		choices = append(choices, choice{9, "", func() { out = g.predicate(p, depth) }})
	}
	if typ == "jsonb" || typ == "text" || typ == "json" || typ == "bool" {
		choices = append(choices, choice{3, "", func() { out = g.wholeRow(p, typ) }})
	}
	g.pick(choices...)
	if out.sql == "" {
		return g.leaf(p, typ)
	}
	out.typ = typ
	return out
}

func orLeaf(list []string) []string {
	if len(list) == 0 {
		return []string{"{=}"}
	}
	return list
}

// leaf is a column, a key of GROUP BY, or a constant.
func (g *Generator) leaf(p place, typ string) value {
	if p.l.grouped && !p.l.inside {
		var keys []keyed
		for _, k := range p.l.keys {
			if k.typ == typ && (p.secrets || !k.secret) {
				keys = append(keys, k)
			}
		}
		if len(keys) > 0 && g.chance(75) {
			k := one(g, keys)
			return value{k.sql, typ, k.secret}
		}
		if outer := p.l.outer; outer != nil && !outer.grouped && g.chance(30) {
			sub := &level{outer: outer, sources: nil}
			for _, s := range p.l.sources {
				sub.sources = append(sub.sources, &source{name: s.name})
			}
			if v, ok := g.pickColumn(sub, typ, p.secrets); ok {
				return v
			}
		}
		return value{sql: g.constant(typ), typ: typ}
	}
	if g.chance(82) {
		if v, ok := g.pickColumn(p.l, typ, p.secrets); ok {
			return v
		}
		if v, ok := g.castColumn(p, typ); ok {
			return v
		}
	}
	return value{sql: g.constant(typ), typ: typ}
}

// castColumn makes a value of the type from a column of another.
func (g *Generator) castColumn(p place, typ string) (value, bool) {
	from := map[string][]string{"text": {"varchar", "bpchar", "int4", "date", "numeric", "uuid", "citext", ""}, "numeric": {"int4", "int8", "int2"}, "int8": {"int4"}, "float8": {"numeric", "int4"},
		"timestamptz": {"date"}, "timestamp": {"date"}, "bool": {"int4"}, "jsonb": {"json"}, "varchar": {"text"}, "bpchar": {"text"}}[typ]
	if len(from) == 0 {
		return value{}, false
	}
	v, ok := g.pickColumn(p.l, one(g, from), p.secrets)
	if !ok {
		return value{}, false
	}
	g.hit("expr.cast")
	v.typ = typ
	if g.chance(20) {
		v.sql = "CAST(" + v.sql + " AS " + typeName(typ) + ")"
	} else {
		v.sql = "(" + v.sql + ")::" + typeName(typ)
	}
	return v, true
}

// template fills the arguments of a template.
func (g *Generator) template(p place, typ, t string, depth int) value {
	out := value{typ: typ}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(t, "{")
		b.WriteString(before)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || literals[name] == nil && name != "=" && g.catalog.Enums[name] == nil {
			b.WriteString("{") // a brace of the text itself
			t = rest
			continue
		}
		if name == "=" {
			name = typ
		}
		arg := g.expr(p, name, depth-1)
		out.secret = out.secret || arg.secret
		b.WriteString(arg.sql)
		t = after
	}
	out.sql = b.String()
	return out
}

func (g *Generator) generic(p place, typ string, depth int) value {
	t := one(g, generic)
	if uncomparable[typ] && (strings.HasPrefix(t, "nullif") || strings.HasPrefix(t, "greatest") || strings.HasPrefix(t, "least")) {
		t = "coalesce({=}, {=})"
	}
	if literals[typ] == nil || strings.HasPrefix(typ, "_") && strings.HasPrefix(t, "(ARRAY") {
		t = "CASE WHEN {bool} THEN {=} ELSE {=} END"
	}
	return g.template(p, typ, t, depth)
}

// call is a function or operator of the catalog.
func (g *Generator) call(p place, typ string, depth int) value {
	f := one(g, g.byType[typ])
	if f.Set {
		return value{}
	}
	out := value{typ: typ}
	args := make([]string, len(f.Args))
	for i, t := range f.Args {
		a := g.expr(p, t, depth-2)
		out.secret = out.secret || a.secret
		args[i] = a.sql
	}
	name := f.Name
	if f.Operator {
		if f.Schema != "pg_catalog" || g.chance(10) {
			name = "OPERATOR(" + Quote(f.Schema) + "." + f.Name + ")"
		}
		out.sql = "(" + args[0] + " " + name + " " + args[1] + ")"
		return out
	}
	name = Quote(name)
	if f.Schema != "pg_catalog" || g.chance(20) {
		name = Quote(f.Schema) + "." + name
	}
	out.sql = name + "(" + strings.Join(args, ", ") + ")"
	if f.Schema != "pg_catalog" && f.Schema != "public" {
		g.hit("expr.user_function")
		out.secret = true
	}
	return out
}

// aggregate is a call of an aggregate over all columns of the level.
func (g *Generator) aggregate(p place, typ string, depth int) value {
	g.hit("expr.aggregate")
	was := p.l.inside
	p.l.inside = true
	v := g.template(p, typ, one(g, aggregates[typ]), depth-1)
	if !strings.HasPrefix(v.sql, "(") && !strings.Contains(v.sql, "::") && g.chance(15) {
		g.hit("expr.filter")
		cond := g.expr(p, "bool", depth-2)
		v.sql += " FILTER (WHERE " + cond.sql + ")"
		v.secret = v.secret || cond.secret
	}
	p.l.inside = was
	return v
}

// window is a window function and its window.
func (g *Generator) window(p place, typ string, depth int) value {
	g.hit("expr.window")
	aggs, wins := p.l.aggregates, p.l.windows
	p.l.windows = false
	v := g.template(p, typ, one(g, windows[typ]), depth-1)
	var parts []string
	if g.chance(50) {
		t := one(g, []string{"int4", "text", "bool", "date"})
		e := g.expr(p, t, depth-2)
		parts = append(parts, "PARTITION BY "+e.sql)
		v.secret = v.secret || e.secret
	}
	if g.chance(75) || g.st.wrote {
		e := g.expr(p, one(g, []string{"int4", "text", "date", "numeric"}), depth-2)
		v.secret = v.secret || e.secret
		parts = append(parts, "ORDER BY "+e.sql+one(g, []string{"", " DESC", " NULLS FIRST"}))
		if g.chance(25) {
			g.hit("window.frame")
			parts = append(parts, one(g, []string{"ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS UNBOUNDED PRECEDING", "GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES"}))
		}
	}
	p.l.aggregates, p.l.windows = aggs, wins
	v.sql += " OVER (" + strings.Join(parts, " ") + ")"
	return v
}

// wholeRow uses a source as one value.
func (g *Generator) wholeRow(p place, typ string) value {
	if p.l.grouped && !p.l.inside || len(p.l.sources) == 0 {
		return value{}
	}
	s := one(g, p.l.sources)
	if s.merged || s.name == "" || s.secret() && !p.secrets {
		return value{}
	}
	for _, o := range p.l.sources {
		for _, c := range o.columns {
			if c.name == s.name {
				return value{} // the name means the column
			}
		}
	}
	g.hit("expr.whole_row")
	n := g.ident(s.name)
	forms := map[string][]string{"jsonb": {"to_jsonb(" + n + ")", "to_jsonb(" + n + ".*)"}, "text": {n + "::text", "(" + n + ".*)::text"}, "json": {"row_to_json(" + n + ")"}, "bool": {"(" + n + " IS NULL)", "(" + n + " IS NOT NULL)"}}
	return value{sql: one(g, forms[typ]), typ: typ, secret: s.secret()}
}
