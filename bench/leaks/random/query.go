package random

import (
	"fmt"
	"slices"
	"strings"
)

// queryOptions say what query is wanted.
type queryOptions struct {
	want    []string // result types; empty: anything
	depth   int
	outer   *level // for correlated references, nil for none
	secrets bool   // protected columns may occur anywhere
	limit   int    // at most so many rows, 0 for no bound
	derived bool   // the names of the result columns are used
	plain   bool   // neither WITH nor set operation
	top     bool
	noSet   bool
}

// query is a finished query.
type query struct {
	sql      string
	columns  []column
	rows     int
	filtered bool // which rows come depends on protected data
}

func (q *query) secret() bool {
	return q.filtered || slices.ContainsFunc(q.columns, func(c column) bool { return c.secret })
}

// query makes a SELECT, a set operation of some, or VALUES.
func (g *Generator) query(o queryOptions) query {
	clause, restore := "", func() {}
	if !o.plain {
		clause, restore = g.with(o)
	}
	defer restore()
	var q query
	if !o.plain && !o.noSet && o.depth > 1 && g.chance(9) && g.stm.budget > 30 {
		q = g.setOperation(o)
	} else if len(o.want) == 0 && g.chance(2) && !o.derived {
		q = g.tableCommand(o)
	} else {
		q = g.selectQuery(o)
	}
	q.sql = clause + q.sql
	return q
}

func (g *Generator) tableCommand(o queryOptions) query {
	r := g.relation(o)
	g.hit("table_command")
	return query{sql: "TABLE " + strings.TrimPrefix(g.relationName(r), "ONLY ") + " LIMIT 20", columns: columnsOf(r), rows: 20, filtered: r.Leaky}
}

// setOperation joins two queries with the same types.
func (g *Generator) setOperation(o queryOptions) query {
	if len(o.want) == 0 {
		for range 1 + g.rng.IntN(3) {
			o.want = append(o.want, one(g, []string{"int4", "text", "numeric", "date", "bool"}))
		}
	}
	op := one(g, []string{"UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"})
	g.hit("setop." + strings.ToLower(op))
	in := queryOptions{want: o.want, depth: o.depth - 1, outer: o.outer, secrets: o.secrets, limit: 30, derived: true}
	exact := op != "UNION ALL"
	in.noSet = exact
	a := g.branch(in, exact && !o.secrets)
	b := g.branch(in, exact && !o.secrets)
	out := query{rows: a.rows + b.rows, filtered: a.filtered || b.filtered}
	for i := range o.want {
		c := column{"", o.want[i], a.columns[i].secret || b.columns[i].secret}
		c.name = a.columns[i].name
		out.columns = append(out.columns, c)
		if exact && c.secret {
			out.filtered = true
		}
	}
	out.sql = "(" + a.sql + ") " + op + " (" + b.sql + ")"
	if o.limit > 0 && (o.limit == 1 || out.rows > o.limit) || g.chance(40) {
		out.sql += g.ordinals(len(o.want), o, out.columns)
		if o.limit > 0 {
			out.sql += fmt.Sprintf(" LIMIT %d", o.limit)
		}
	}
	return out
}

// branch is one side of a set operation; where values are compared, one
// without protected columns.
func (g *Generator) branch(o queryOptions, clean bool) query {
	if clean {
		o.noSet = true
	}
	q := g.query(queryOptions{want: o.want, depth: o.depth, outer: o.outer, secrets: o.secrets, limit: o.limit, derived: true, plain: clean, noSet: clean})
	return q
}

// ordinals is ORDER BY the positions of columns.
func (g *Generator) ordinals(n int, o queryOptions, cols []column) string {
	var parts []string
	for i := range n {
		if uncomparable[cols[i].typ] || literals[cols[i].typ] == nil || cols[i].secret && !o.secrets {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d%s", i+1, one(g, []string{"", "", " DESC", " NULLS FIRST"})))
	}
	if len(parts) == 0 {
		return ""
	}
	return " ORDER BY " + strings.Join(parts, ", ")
}

// selection is one SELECT that is being made.
type selection struct {
	g       *Generator
	o       queryOptions
	l       *level
	q       query
	list    []string
	secrets bool // for this SELECT's conditions
	star    bool
}

func (g *Generator) selectQuery(o queryOptions) query {
	s := &selection{g: g, o: o, l: &level{outer: o.outer}, secrets: o.secrets && g.chance(60)}
	from := g.from(s.l, o)
	for _, src := range s.l.sources {
		s.q.filtered = s.q.filtered || src.leaky
	}
	where := ""
	if from != "" && g.chance(50) {
		g.hit("where")
		cond := g.expr(place{s.l, s.secrets}, "bool", min(o.depth, 3))
		where = " WHERE " + cond.sql
		s.q.filtered = s.q.filtered || cond.secret
	}
	group := s.group(from != "")
	distinct := s.items()
	s.q.rows = max(1, s.l.rows)
	if s.l.grouped {
		s.q.rows = min(s.q.rows, 20)
	}
	tail := s.tail(distinct)
	text := "SELECT " + distinct + strings.Join(s.list, ", ")
	if from != "" {
		text += " FROM " + from
	}
	s.q.sql = text + where + group + tail
	return s.q
}

// group decides whether the rows are grouped, and how.
func (s *selection) group(from bool) string {
	g := s.g
	if !from || !g.chance(19) {
		return ""
	}
	s.l.grouped = true
	s.l.aggregates = true
	g.hit("aggregate")
	if g.chance(30) {
		return s.having("")
	}
	var keys []string
	for range 1 + g.rng.IntN(2) {
		typ := one(g, []string{"int4", "text", "date", "bool", "numeric", "int4", "text"})
		s.l.grouped, s.l.aggregates = false, false
		var v value
		if g.chance(75) {
			var ok bool
			if v, ok = g.pickColumn(&level{sources: s.l.sources}, typ, s.secrets); !ok {
				v = g.expr(place{s.l, s.secrets}, typ, 1)
			}
		} else {
			v = g.expr(place{s.l, s.secrets}, typ, 1)
		}
		s.l.grouped, s.l.aggregates = true, true
		if !strings.Contains(v.sql, ".") || strings.Contains(v.sql, "$") || strings.Contains(v.sql, "SELECT") { // constants, and what ORDER BY would read differently
			continue
		}
		keys = append(keys, v.sql)
		s.l.keys = append(s.l.keys, keyed{v.sql, typ, v.secret})
		s.q.filtered = s.q.filtered || v.secret
	}
	if len(keys) == 0 {
		return s.having("")
	}
	text := strings.Join(keys, ", ")
	switch g.rng.IntN(10) {
	case 0:
		g.hit("group.rollup")
		text = "ROLLUP (" + text + ")"
	case 1:
		g.hit("group.cube")
		text = "CUBE (" + text + ")"
	case 2:
		g.hit("group.sets")
		text = "GROUPING SETS ((" + strings.Join(keys, "), (") + "), ())"
	default:
		g.hit("group")
	}
	return s.having(" GROUP BY " + text)
}

func (s *selection) having(group string) string {
	g := s.g
	if !g.chance(25) {
		return group
	}
	g.hit("having")
	v := g.expr(place{s.l, s.secrets}, "bool", 2)
	s.q.filtered = s.q.filtered || v.secret
	return group + " HAVING " + v.sql
}

// items makes the select list and returns DISTINCT where it applies.
func (s *selection) items() (distinct string) {
	g := s.g
	dedupe := len(s.l.sources) > 0 && g.chance(6)
	s.l.windows = !dedupe && len(s.l.sources) > 0
	if !dedupe && len(s.o.want) == 0 && !s.l.grouped && s.stars() {
		return ""
	}
	types := s.o.want
	if len(types) == 0 {
		for range 1 + g.rng.IntN(5) {
			types = append(types, one(g, common))
		}
	}
	for _, t := range types {
		s.item(t, dedupe)
	}
	s.l.windows = false
	if !dedupe {
		return ""
	}
	for _, c := range s.q.columns {
		if uncomparable[c.typ] || literals[c.typ] == nil && g.catalog.Enums[c.typ] == nil {
			return ""
		}
	}
	for _, c := range s.q.columns {
		s.q.filtered = s.q.filtered || c.secret
	}
	if g.chance(35) && !s.l.grouped && !g.st.wrote {
		v, ok := g.pickColumn(&level{sources: s.l.sources}, one(g, []string{"int4", "text", "date"}), s.secrets)
		if ok {
			g.hit("distinct.on")
			s.q.filtered = s.q.filtered || v.secret
			return "DISTINCT ON (" + v.sql + ") "
		}
	}
	g.hit("distinct")
	return "DISTINCT "
}

// stars makes a list of stars; false if it does not suit.
func (s *selection) stars() bool {
	g := s.g
	if !g.chance(10) || len(s.l.sources) == 0 {
		return false
	}
	for _, src := range s.l.sources {
		if src.merged && s.o.derived || src.merged && !s.o.top {
			return false
		}
	}
	if g.chance(60) {
		g.hit("star")
		s.list = []string{"*"}
		for _, src := range s.l.sources {
			s.q.columns = append(s.q.columns, src.columns...)
		}
	} else {
		g.hit("star.qualified")
		src := one(g, s.l.sources)
		s.list = []string{g.ident(src.name) + ".*"}
		s.q.columns = append(s.q.columns, src.columns...)
	}
	s.star = true
	return true
}

// item adds one result column of a type.
func (s *selection) item(typ string, dedupe bool) {
	g := s.g
	var v value
	bare := !s.l.grouped && (!dedupe || s.o.secrets)
	switch {
	case bare && g.chance(55):
		want := typ
		if len(s.o.want) == 0 && g.chance(80) {
			want = ""
		}
		list := s.l.candidates(want, func(c column) bool { return c.secret })
		list = slices.DeleteFunc(list, func(c candidate) bool { return c.outer && g.chance(85) })
		if len(list) == 0 || g.chance(25) || g.st.manner == "clean" {
			list = s.l.candidates(want, func(c column) bool { return !c.secret })
			list = slices.DeleteFunc(list, func(c candidate) bool { return c.outer && g.chance(85) })
		}
		if len(list) > 0 {
			c := one(g, list)
			v = value{g.ref(s.l, c), c.column.typ, c.column.secret}
			if c.column.secret {
				g.hit("output.secret")
			}
			s.add(v, c.column.name)
			return
		}
		fallthrough
	default:
		v = g.expr(place{s.l, s.o.secrets}, typ, min(s.o.depth, 3))
		if v.secret {
			g.hit("output.derived")
		}
		s.add(v, "")
	}
}

// add appends a result column and gives it a name. own is the name that it has
// without an alias, empty if that is not known.
func (s *selection) add(v value, own string) {
	g := s.g
	c := column{own, v.typ, v.secret}
	text := v.sql
	taken := func(n string) bool {
		return slices.ContainsFunc(s.q.columns, func(c column) bool { return c.name == n })
	}
	if own == "" && s.o.derived || own != "" && taken(own) && s.o.derived || g.chance(30) {
		c.name = g.name(taken)
		text += " AS " + g.ident(c.name)
	}
	s.list = append(s.list, text)
	s.q.columns = append(s.q.columns, c)
}

// tail is ORDER BY, LIMIT and locks.
func (s *selection) tail(distinct string) string {
	g := s.g
	text := ""
	needs := s.o.limit > 0 && s.q.rows > s.o.limit
	if strings.HasPrefix(distinct, "DISTINCT ON") {
		key := strings.TrimSuffix(strings.TrimPrefix(distinct, "DISTINCT ON ("), ") ")
		text += " ORDER BY " + key
	} else if g.chance(35) || needs && g.st.wrote {
		text += s.order(distinct != "")
	}
	switch {
	case s.o.limit == 1 && len(s.o.want) > 0 && !(s.l.grouped && len(s.l.keys) == 0):
		text += " LIMIT 1"
		s.q.rows = 1
	case needs:
		text += fmt.Sprintf(" LIMIT %d", s.o.limit)
		s.q.rows = s.o.limit
	case !g.st.wrote && g.chance(10):
		g.hit("limit")
		text += one(g, []string{" LIMIT 5", " OFFSET 2", " LIMIT 10 OFFSET 1", " FETCH FIRST 3 ROWS ONLY", " LIMIT (SELECT 2)", " LIMIT ALL"})
	}
	if s.o.top && !s.l.grouped && distinct == "" && len(s.l.sources) == 1 && s.l.sources[0].base != nil && s.l.sources[0].base.Update && !strings.Contains(strings.Join(s.list, " "), " OVER (") && g.chance(3) {
		g.hit("for_update")
		text += one(g, []string{" FOR UPDATE", " FOR SHARE", " FOR NO KEY UPDATE SKIP LOCKED"})
	}
	return text
}

// order is ORDER BY over positions or expressions.
func (s *selection) order(distinct bool) string {
	g := s.g
	if s.star || distinct || g.chance(40) {
		text := g.ordinals(len(s.q.columns), s.o, s.q.columns)
		if s.star && strings.Count(text, ",") > 3 {
			text = strings.Join(strings.SplitAfterN(text, ",", 4)[:3], "")
			text = strings.TrimSuffix(text, ",")
		}
		g.hit("order.position")
		for _, c := range s.q.columns {
			s.q.filtered = s.q.filtered || c.secret && s.o.secrets
		}
		return text
	}
	g.hit("order")
	v := g.expr(place{s.l, s.secrets}, one(g, []string{"int4", "text", "date", "numeric"}), 2)
	if isConstant(v.sql) {
		return ""
	}
	s.q.filtered = s.q.filtered || v.secret
	return " ORDER BY " + v.sql + one(g, []string{"", " DESC", " NULLS LAST", " USING <"})
}

// isConstant says that ORDER BY would take the text for a position or refuse it.
func isConstant(sql string) bool {
	return !strings.ContainsAny(sql, ".(")
}
