package random

import (
	"fmt"
	"strings"
)

// unitWrite changes rows in a transaction that is rolled back, then may read.
func (g *Generator) unitWrite() {
	var targets []*Relation
	for _, r := range g.readable {
		if r.Update && len(r.Key) == 1 {
			targets = append(targets, r)
		}
	}
	if len(targets) == 0 {
		g.unitSelect()
		return
	}
	g.inTransaction(func() {
		g.begin()
		g.stm.useParams = g.chance(20)
		r := one(g, targets)
		g.pick(
			choice{4, "write.update", func() { g.send(g.update(r)) }},
			choice{3, "write.insert", func() { g.send(g.insert(r)) }},
			choice{3, "write.delete", func() { g.send(g.remove(r)) }},
			choice{2, "write.merge", func() { g.send(g.merge(r)) }},
			choice{3, "write.cte", func() { g.send(g.writeCTE(r)) }},
		)
		was := g.st.wrote
		g.st.wrote = true
		if g.chance(35) {
			g.hit("write.then_read")
			g.begin()
			g.send(g.topQuery().sql)
		}
		g.st.wrote = was
	})
}

// target is a level with the written relation as its first source.
func (g *Generator) target(r *Relation) (*level, string) {
	s := &source{name: r.Name, columns: columnsOf(r), rows: r.Rows, leaky: r.Leaky, base: r}
	text := g.ident(r.Schema) + "." + g.ident(r.Name)
	if g.chance(50) {
		s.name = g.alias(&level{})
		text += " AS " + g.aliasText(s.name)
	}
	return &level{sources: []*source{s}, rows: r.Rows}, text
}

// few is a condition that keeps a write small.
func (g *Generator) few(l *level, r *Relation) string {
	key := r.column(r.Key[0])
	ref := g.ident(l.sources[0].name) + "." + g.ident(key.Name)
	if len(key.Samples) > 0 && (key.Type == "text" || g.chance(40)) {
		return fmt.Sprintf("%s IN (%s, %s)", ref, Literal(one(g, key.Samples)), Literal(one(g, key.Samples)))
	}
	return fmt.Sprintf("%s < %d", ref, 2+g.rng.IntN(12))
}

// returning lists columns of the level.
func (g *Generator) returning(l *level) (string, []column) {
	if !g.chance(75) {
		return "", nil
	}
	g.hit("returning")
	s := &selection{g: g, o: queryOptions{depth: 2, secrets: g.stm.sneaky, derived: true}, l: l}
	if g.chance(20) {
		s.list, s.q.columns = []string{g.ident(l.sources[0].name) + ".*"}, l.sources[0].columns
	} else {
		for range 1 + g.rng.IntN(3) {
			s.item(one(g, common), false)
		}
	}
	return " RETURNING " + strings.Join(s.list, ", "), s.q.columns
}

// assignments is the SET list of an UPDATE.
func (g *Generator) assignments(l *level, r *Relation, n int) string {
	var list []string
	done := map[string]bool{}
	for range n * 3 {
		c := &r.Columns[g.rng.IntN(len(r.Columns))]
		if len(list) == n {
			break
		}
		if done[c.Name] || c.Generated || c.Name == r.Key[0] || strings.HasSuffix(c.Name, "_id") || c.Secret && !g.stm.sneaky && !g.chance(10) {
			continue
		}
		done[c.Name] = true
		v := g.columnRef(l, c)
		if !c.Secret && literals[c.Type] != nil && g.chance(60) {
			v = g.expr(place{l, g.stm.sneaky && g.chance(50)}, c.Type, 1).sql
		} else if len(c.Samples) > 0 && g.chance(50) {
			v = Literal(one(g, c.Samples))
		}
		list = append(list, g.ident(c.Name)+" = "+v)
	}
	if len(list) == 0 {
		c := r.column(r.Key[0])
		list = append(list, g.ident(c.Name)+" = "+g.columnRef(l, c))
	}
	return strings.Join(list, ", ")
}

func (g *Generator) columnRef(l *level, c *Column) string {
	return g.ident(l.sources[0].name) + "." + g.ident(c.Name)
}

func (g *Generator) update(r *Relation) string {
	l, name := g.target(r)
	from := ""
	if g.chance(30) {
		g.hit("write.from")
		from = " FROM " + g.item(l, queryOptions{depth: 1, secrets: g.stm.sneaky})
	}
	set := g.assignments(l, r, 1+g.rng.IntN(2))
	where := " WHERE " + g.few(l, r)
	if from != "" {
		if cond, equal := g.joinCondition(l, queryOptions{secrets: g.stm.sneaky}, 1); equal {
			where += " AND " + cond
		}
	} else if g.chance(30) {
		where += " AND " + g.expr(place{l, g.stm.sneaky}, "bool", 2).sql
	}
	ret, _ := g.returning(l)
	return "UPDATE " + name + " SET " + set + from + where + ret
}

func (g *Generator) remove(r *Relation) string {
	l, name := g.target(r)
	using := ""
	if g.chance(25) {
		g.hit("write.using")
		using = " USING " + g.item(l, queryOptions{depth: 1, secrets: g.stm.sneaky})
	}
	where := " WHERE " + g.few(l, r)
	if using != "" || g.chance(30) {
		where += " AND " + g.expr(place{l, g.stm.sneaky}, "bool", 1).sql
	}
	ret, _ := g.returning(l)
	return "DELETE FROM " + name + using + where + ret
}

// insert adds rows of constants or of a query.
func (g *Generator) insert(r *Relation) string {
	l, _ := g.target(r)
	l.sources[0].name = r.Name
	name := g.ident(r.Schema) + "." + g.ident(r.Name)
	if g.chance(20) {
		name += " AS tgt"
		l.sources[0].name = "tgt"
	}
	var names, values []string
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Generated || !c.Required && c.Name != r.Key[0] && g.chance(50) {
			continue
		}
		v := "NULL"
		switch {
		case c.Name == r.Key[0] && c.Type == "int4":
			v = fmt.Sprint(90000 + g.rng.IntN(9000))
		case c.Name == r.Key[0] && len(c.Samples) > 0 && g.chance(50):
			v = Literal(one(g, c.Samples) + "x")
		case len(c.Samples) > 0:
			v = Literal(one(g, c.Samples))
		case literals[c.Type] != nil:
			v = g.constant(c.Type)
		}
		names, values = append(names, g.ident(c.Name)), append(values, v)
	}
	rows := "VALUES (" + strings.Join(values, ", ") + ")"
	if g.chance(25) {
		g.hit("write.insert_select")
		rows = "SELECT " + strings.Join(values, ", ") + " WHERE " + g.expr(place{&level{}, false}, "bool", 1).sql
	}
	conflict := ""
	if g.chance(40) {
		g.hit("write.on_conflict")
		key := g.ident(r.Key[0])
		conflict = " ON CONFLICT DO NOTHING"
		if g.chance(60) {
			excluded := &source{name: "excluded", columns: l.sources[0].columns}
			both := &level{sources: []*source{l.sources[0], excluded}, rows: 1}
			conflict = " ON CONFLICT (" + key + ") DO UPDATE SET " + g.assignments(both, r, 1)
			if g.chance(30) {
				conflict += " WHERE " + g.expr(place{both, g.stm.sneaky}, "bool", 1).sql
			}
		}
	}
	ret, _ := g.returning(l)
	return "INSERT INTO " + name + " (" + strings.Join(names, ", ") + ") " + rows + conflict + ret
}

func (g *Generator) merge(r *Relation) string {
	l, name := g.target(r)
	source := g.item(l, queryOptions{depth: 1, secrets: g.stm.sneaky})
	cond, _ := g.joinCondition(l, queryOptions{secrets: g.stm.sneaky}, 1)
	text := "MERGE INTO " + name + " USING " + source + " ON " + cond + " AND " + g.few(l, r)
	if g.chance(60) {
		text += " WHEN MATCHED AND " + g.expr(place{l, g.stm.sneaky}, "bool", 1).sql + one(g, []string{" THEN DELETE", " THEN DO NOTHING"})
	}
	text += " WHEN MATCHED THEN UPDATE SET " + g.assignments(l, r, 1)
	if g.chance(30) {
		text += " WHEN NOT MATCHED THEN DO NOTHING"
	}
	return text
}

// writeCTE is a SELECT over what a write returns.
func (g *Generator) writeCTE(r *Relation) string {
	var inner string
	var cols []column
	l, name := g.target(r)
	s := &selection{g: g, o: queryOptions{depth: 1, secrets: g.stm.sneaky, derived: true}, l: l}
	for range 1 + g.rng.IntN(3) {
		s.item(one(g, common), false)
	}
	ret := " RETURNING " + strings.Join(s.list, ", ")
	cols = s.q.columns
	if g.chance(60) || !r.Delete {
		inner = "UPDATE " + name + " SET " + g.assignments(l, r, 1) + " WHERE " + g.few(l, r) + ret
	} else {
		inner = "DELETE FROM " + name + " WHERE " + g.few(l, r) + ret
	}
	list, cols := g.columnList(cols)
	g.stm.ctes = append(g.stm.ctes, &source{name: "w", columns: cols, rows: 12})
	q := g.query(queryOptions{depth: 2, secrets: g.stm.sneaky, limit: 60, plain: true, top: true})
	return "WITH w" + list + " AS (" + inner + ") " + q.sql
}
