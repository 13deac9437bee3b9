package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// A recording is what the analyser's run over a tree found out about its
// names. The run makes the same decisions as for the facts; nothing here
// resolves a name again.
type recording struct {
	reads  []*read // in the order in which they were found
	byNode map[*pg.Node]*read
	// writes are what INSERT, UPDATE, DELETE and MERGE change.
	writes []*written
	refs   map[*pg.ColumnRef]*reference
	stars  map[*pg.ColumnRef][]*rangeItem
	groups map[*pg.SelectStmt][]*rangeItem
	levels [][]*rangeItem // FROM lists of more than one entry
	// loud is the first thing that the statement computes before it is known
	// which rows count, and that can fail or has an effect.
	loud string
	// pattern and array say of the operator at hand that it is LIKE with a
	// pattern that is well formed, or takes the elements of an array.
	pattern, array bool
	// sized are the calls of functions that tell how large a relation is.
	sized  map[*pg.FuncCall]bool
	stored *storedText // while what is evaluated is not the client's
	depth  int         // of queries in one another
	late   bool        // what is evaluated now comes after all conditions
	always bool        // which does not matter
}

func newRecording() *recording {
	return &recording{byNode: map[*pg.Node]*read{}, refs: map[*pg.ColumnRef]*reference{},
		stars: map[*pg.ColumnRef][]*rangeItem{}, groups: map[*pg.SelectStmt][]*rangeItem{}, sized: map[*pg.FuncCall]bool{}}
}

// A storedText is a view or filter whose names mean what they mean under
// pg_catalog alone, and that is going to run under another path.
type storedText struct {
	what string // for people
	path []string
}

// A read is one entry of FROM that is a relation.
type read struct {
	node *pg.Node // the entry: a name, or TABLESAMPLE around one
	name *pg.RangeVar
	rel  *Relation
	item *rangeItem
	// system are the system columns that are read.
	system   []string
	replaced bool
}

// A written is a relation that a statement changes.
type written struct {
	name *pg.RangeVar
	t    *target
	stmt any // *pg.UpdateStmt, …
}

// A reference is what a name of a column resolved to.
type reference struct {
	item     *rangeItem
	column   string // empty for the whole row
	system   bool
	wholeRow bool
}

// reading notes that the entry n of FROM is a relation.
func (rec *recording) reading(n *pg.Node, v *pg.RangeVar, it *rangeItem) {
	if rec == nil || it.relation == nil {
		return
	}
	rd := rec.byNode[n]
	if rd == nil { // a recursive query is evaluated several times
		rd = &read{node: n, name: v, rel: it.relation}
		rec.byNode[n] = rd
		rec.reads = append(rec.reads, rd)
	}
	rd.item, it.read = it, rd
}

// sampling notes that the entry n of FROM is TABLESAMPLE over another one.
func (rec *recording) sampling(n *pg.Node, items []*rangeItem) {
	if rec == nil || len(items) != 1 || items[0].read == nil {
		return
	}
	items[0].read.node = n
}

// writing notes what a statement changes.
func (rec *recording) writing(v *pg.RangeVar, t *target, stmt any) {
	if rec == nil || t == nil || t.rel == nil {
		return
	}
	for _, w := range rec.writes {
		if w.name == v {
			return
		}
	}
	rec.writes = append(rec.writes, &written{v, t, stmt})
}

// level notes the entries that are in scope together.
func (rec *recording) level(items []*rangeItem) {
	if rec != nil && len(items) > 1 {
		rec.levels = append(rec.levels, items)
	}
}

// grouped notes a query with GROUP BY.
func (rec *recording) grouped(s *pg.SelectStmt, sc *scope) {
	if rec != nil && len(s.GroupClause) > 0 {
		rec.groups[s] = sc.items
	}
}

// open begins a query level, close ends it.
func (rec *recording) open() (late bool) {
	if rec == nil {
		return false
	}
	late = rec.late
	rec.depth++
	rec.late = false
	return late
}

func (rec *recording) close(late bool) {
	if rec != nil {
		rec.depth--
		rec.late = late
	}
}

// afterConditions begins what the server evaluates for rows that passed all
// conditions: the result of the statement itself, at the given depth. What it
// returns goes to done.
func (rec *recording) afterConditions(depth int) (late bool) {
	if rec == nil {
		return false
	}
	late = rec.late
	rec.late = rec.late || rec.depth == depth
	return late
}

func (rec *recording) done(late bool) {
	if rec != nil {
		rec.late = late
	}
}

// fails notes something that can fail or has an effect.
func (rec *recording) fails(what string) {
	if rec != nil && (rec.always || !rec.late) && rec.loud == "" {
		rec.loud = what
	}
}

// column notes what the name of a column means, by the rules of columnRef.
func (rec *recording) column(c *pg.ColumnRef, sc *scope) {
	if rec == nil {
		return
	}
	names, star := make([]string, 0, 4), false
	for _, f := range c.Fields {
		if star = f.GetAStar() != nil; star {
			break
		}
		names = append(names, f.GetString_().GetSval())
	}
	if len(names) == 4 {
		names = names[1:]
	}
	var ref *reference
	switch {
	case len(names) == 0:
		return
	case star:
		ref = qualifiedReference(append(names, ""), sc)
	case len(names) == 1:
		ref = bareReference(names[0], sc)
	default:
		ref = qualifiedReference(names, sc)
	}
	if ref == nil {
		return
	}
	rec.refs[c] = ref
	if ref.system {
		rec.fails("a system column")
	}
	if ref.system && ref.item.read != nil && !contains(ref.item.read.system, ref.column) {
		ref.item.read.system = append(ref.item.read.system, ref.column)
	}
}

func bareReference(name string, sc *scope) *reference {
	for s := sc; s != nil; s = s.parent {
		for _, it := range s.items {
			if it.nameOnly || len(it.column(name)) == 0 {
				continue
			}
			if it.columnsOnly {
				for _, input := range s.items {
					if input.nameOnly && len(input.column(name)) > 0 {
						it = input
						break
					}
				}
			}
			return &reference{item: it, column: name}
		}
	}
	if _, ok := systemColumns[name]; ok {
		if it := sc.findSystemColumn(); it != nil {
			return &reference{item: it, column: name, system: true}
		}
	}
	if it, _ := sc.findItem("", name); it != nil {
		return &reference{item: it, wholeRow: true}
	}
	return nil
}

// qualifiedReference is that of [schema] table column; an empty column is a star.
func qualifiedReference(names []string, sc *scope) *reference {
	schema, table, name := "", names[len(names)-2], names[len(names)-1]
	if len(names) == 3 {
		schema = names[0]
	}
	it, _ := sc.findItem(schema, table)
	if it == nil {
		return nil
	}
	if name == "" || len(it.column(name)) > 0 {
		return &reference{item: it, column: name}
	}
	if _, ok := systemColumns[name]; ok && it.relation != nil {
		return &reference{item: it, column: name, system: true}
	}
	return &reference{item: it, wholeRow: true}
}

// star notes what an unqualified * stands for.
func (rec *recording) star(c *pg.ColumnRef, sc *scope) {
	if rec != nil {
		rec.stars[c] = sc.items
	}
}

// A guard watches the analysis of a rewritten statement for reads of filtered
// relations that were not rewritten.
type guard struct {
	w       *rewriter
	allowed map[*pg.RangeVar]bool
	calls   map[*pg.FuncCall]bool
}

// shows says that an entry of FROM is the rewriting's own, which shows of sizes
// what may be seen.
func (g *guard) shows(v *pg.RangeVar) bool { return g != nil && g.w.sizesOnly != nil && g.allowed[v] }

// sizes says that a call is the rewriting's own.
func (g *guard) sizes(f *pg.FuncCall) bool { return g != nil && g.calls[f] }

// relation is told of each name of a relation, in the text and in whatever the
// analyser follows from there.
func (g *guard) relation(rel *Relation, v *pg.RangeVar) {
	if g == nil || g.allowed[v] {
		return
	}
	if n := g.w.of(rel); n != nil && len(n.filters) > 0 {
		refuse(-1, "", "rows of %s.%s are filtered, and the statement reads it in a way that cannot be narrowed", rel.Schema, rel.Name)
	}
}

// view is told what a view reads.
func (g *guard) view(rel *Relation, v *viewFacts) {
	if g == nil {
		return
	}
	for _, t := range v.acc.order {
		if n := g.w.of(t.rel); n != nil && len(n.filters) > 0 {
			refuse(-1, "", "rows of %s.%s are filtered, and %s.%s cannot be narrowed", t.rel.Schema, t.rel.Name, rel.Schema, rel.Name)
		}
	}
}
