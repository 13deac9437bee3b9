package pgsql

import (
	"math/bits"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// An accumulator collects the facts of one statement or one view.
type accumulator struct {
	tables    map[uint32]*tableUse
	order     []*tableUse
	functions []query.Function
	seenFunc  map[string]bool
	gaps      []query.Gap
	missing   []string // names that did not resolve
	writes    []query.Effect
	moves     []query.Effect
	// assignments are what is stored where; computed names the columns with
	// one that is not written out.
	assignments []query.Assignment
	computed    map[string]bool
	// scattered are the keys of the partitioned tables that were read; byOrder
	// is set where something depends on the order of rows, anyOrder where the
	// statement as a whole was found not to.
	scattered         []dep
	byOrder, anyOrder bool
	aggregates        map[*pg.SelectStmt]bool // queries that aggregate
	// sink collects the gaps of one view column instead of gaps.
	sink *[]pendingGap
}

type tableUse struct {
	rel    *Relation
	access []string
	direct bool
	cols   map[int16]*columnUse
}

type columnUse struct {
	uses query.Use
	at   [16]int32
}

func newAccumulator() *accumulator {
	return &accumulator{tables: make(map[uint32]*tableUse, 4)}
}

// table notes that a relation is touched.
func (a *accumulator) table(rel *Relation, direct bool, access ...string) *tableUse {
	t := a.tables[rel.OID]
	if t == nil {
		t = &tableUse{rel: rel}
		a.tables[rel.OID] = t
		a.order = append(a.order, t)
	}
	t.direct = t.direct || direct
	for _, x := range access {
		if !slices.Contains(t.access, x) {
			t.access = append(t.access, x)
		}
	}
	return t
}

// whole notes all columns of a relation, without a use.
func (t *tableUse) whole() {
	for _, c := range t.rel.Columns {
		t.column(c.Attr)
	}
}

func (t *tableUse) column(attr int16) *columnUse {
	if t.cols == nil {
		t.cols = make(map[int16]*columnUse, 8)
	}
	c := t.cols[attr]
	if c == nil {
		c = &columnUse{}
		for i := range c.at {
			c.at[i] = -1
		}
		t.cols[attr] = c
	}
	return c
}

func (t *tableUse) mark(attr int16, u query.Use, pos int32) {
	if attr <= 0 || u == 0 {
		return
	}
	c := t.column(attr)
	for rest := uint(u); rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros(rest); c.at[i] < 0 {
			c.at[i] = pos
		}
	}
	c.uses |= u
}

// use consumes a value: everything that it is made of is used so.
func (r *run) use(v value, u query.Use) {
	for i := range v.deps {
		d := &v.deps[i]
		uses := d.uses | u
		if d.outer && uses&query.UseFilter != 0 {
			uses |= query.UseJoin
		}
		r.mark(d.rel, d.attr, uses, d.pos)
	}
	r.report(v.gaps)
}

// mark notes a use of one column.
func (r *run) mark(rel uint32, attr int16, u query.Use, pos int32) {
	relation := r.relationByOID(rel)
	if relation == nil {
		return
	}
	r.acc.table(relation, false).mark(attr, u, pos)
}

// emit consumes a result column, as the value itself or as something made of it.
func (r *run) emit(v value) {
	for i := range v.deps {
		d := &v.deps[i]
		u := d.uses | query.UseDerived
		if v.direct && d.direct {
			u = d.uses | query.UseOutput
		}
		r.mark(d.rel, d.attr, u, d.pos)
	}
	r.emitGaps(v)
}

func (r *run) report(gaps []pendingGap) {
	for i := range gaps {
		g := &gaps[i]
		if g.function != nil {
			r.function(*g.function)
		}
		if g.write != nil {
			r.write(g.write.Kind, g.write.Object, -1)
		}
		if g.reason != "" {
			r.pend(pendingGap{reason: g.reason, name: g.name, code: g.code}, -1)
		}
	}
}

// gap notes a part that could not be analysed.
func (r *run) gap(pos int32, reason string) { r.pend(pendingGap{reason: reason}, pos) }

// missing notes a name that is not in the catalog.
func (r *run) missing(pos int32, reason, name string) {
	r.pend(pendingGap{reason: reason, name: name}, pos)
}

// mistake notes a name that is not in the catalog, in the words and with the
// SQLSTATE of the server.
func (r *run) mistake(pos int32, code, reason, name string) {
	r.pend(pendingGap{reason: reason, name: name, code: code}, pos)
}

func (r *run) pend(g pendingGap, pos int32) {
	if r.acc.sink != nil {
		*r.acc.sink = mergeGaps(*r.acc.sink, []pendingGap{g})
		return
	}
	if g.name != "" && !slices.Contains(r.acc.missing, g.name) {
		r.acc.missing = append(r.acc.missing, g.name)
	}
	at := r.offset(pos)
	for i := range r.acc.gaps {
		if r.acc.gaps[i].Reason == g.reason && (r.acc.gaps[i].Pos == at || at < 0 || len(r.acc.gaps) > 50) {
			return
		}
	}
	r.acc.gaps = append(r.acc.gaps, query.Gap{Reason: g.reason, Code: g.code, Pos: at})
}

func (r *run) function(f query.Function) {
	if r.acc.sink != nil {
		if !f.Safe {
			g := f
			*r.acc.sink = mergeGaps(*r.acc.sink, []pendingGap{{function: &g, name: "\x00" + f.Schema + "." + f.Name}})
		}
		return
	}
	key := f.Schema + "." + f.Name
	if r.acc.seenFunc[key] {
		return
	}
	if r.acc.seenFunc == nil {
		r.acc.seenFunc = make(map[string]bool)
	}
	r.acc.seenFunc[key] = true
	r.acc.functions = append(r.acc.functions, f)
}

// write notes why the statement may change something.
func (r *run) write(kind, object string, pos int32) {
	e := query.Effect{Kind: kind, Object: object, Pos: r.offset(pos)}
	if r.acc.sink != nil {
		*r.acc.sink = mergeGaps(*r.acc.sink, []pendingGap{{write: &e, name: "\x01" + kind + " " + object}})
		return
	}
	for _, w := range r.acc.writes {
		if w.Kind == kind && w.Object == object {
			return
		}
	}
	r.acc.writes = append(r.acc.writes, e)
}

// move notes a place into which values flow.
func (r *run) move(kind, object string, pos int32) {
	for _, m := range r.acc.moves {
		if m.Kind == kind && m.Object == object {
			return
		}
	}
	r.acc.moves = append(r.acc.moves, query.Effect{Kind: kind, Object: object, Pos: r.offset(pos)})
}

// here is a location for a use: none where it is not one of the client's text.
func (r *run) here(pos int32) int32 {
	if r.hidden {
		return -1
	}
	return pos
}

// offset turns a location of the parse tree into an offset of the text.
func (r *run) offset(pos int32) int {
	return int(r.here(max(pos, -1)))
}

// facts turns what was collected into the public form.
func (r *run) facts(f *query.Facts) {
	if !r.acc.anyOrder {
		r.showsOrder()
	}
	r.ancestors()
	r.spread()
	f.Tables = make([]query.Table, 0, len(r.acc.order))
	for _, t := range r.acc.order {
		f.Tables = append(f.Tables, r.table(t))
	}
	f.Functions = r.acc.functions
	f.Gaps = r.acc.gaps
	f.Complete = len(r.acc.gaps) == 0
	f.Writes = r.acc.writes
	f.Moves = r.acc.moves
	f.Assignments = r.acc.assignments
}

func (r *run) table(t *tableUse) query.Table {
	out := query.Table{Schema: t.rel.Schema, Name: t.rel.Name, Kind: r.kindOf(t.rel), OID: t.rel.OID,
		Access: t.access, Direct: t.direct}
	if out.Access == nil {
		out.Access = []string{"select"}
	}
	out.Columns = make([]query.ColumnUse, 0, len(t.cols))
	for i := range t.rel.Columns {
		c := &t.rel.Columns[i]
		u := t.cols[c.Attr]
		if u == nil {
			continue
		}
		at := make([]int, 0, bits.OnesCount(uint(u.uses)))
		for rest := uint(u.uses); rest != 0; rest &= rest - 1 {
			at = append(at, r.offset(u.at[bits.TrailingZeros(rest)]))
		}
		out.Columns = append(out.Columns, query.ColumnUse{Name: c.Name, Attr: c.Attr, Type: c.Type, Uses: u.uses, At: at})
	}
	return out
}

func (r *run) kindOf(rel *Relation) string {
	if r.st.Temp[rel.Name] == rel {
		return "temporary"
	}
	switch rel.Kind {
	case 'v':
		return "view"
	case 'm':
		return "materialized_view"
	case 'f':
		return "foreign_table"
	case 'S':
		return "sequence"
	}
	for _, p := range rel.Parents {
		if parent := r.cat.Relations[p]; parent != nil && parent.Kind == 'p' {
			return "partition"
		}
	}
	return "table"
}

// spread carries the uses of a column to the columns that hold the same value:
// those of parents and children of an inheritance tree, and those that a
// generated column is computed from.
func (r *run) spread() {
	for i := 0; i < len(r.acc.order); i++ { // grows while it runs
		t := r.acc.order[i]
		for attr, u := range t.cols {
			col := t.rel.attribute(attr)
			if col == nil {
				continue
			}
			for _, ref := range r.twins(t.rel, col) {
				target := r.acc.table(r.relationByOID(ref.Relation), false)
				old := target.cols[ref.Attr]
				if old != nil && old.uses&u.uses == u.uses {
					continue
				}
				target.column(ref.Attr)
				target.mark(ref.Attr, u.uses, -1)
				for b, at := range u.at {
					if c := target.cols[ref.Attr]; c.at[b] < 0 {
						c.at[b] = at
					}
				}
				if j := slices.Index(r.acc.order, target); j < i {
					// Uses were added behind us: spread that table again.
					r.acc.order = append(append(r.acc.order[:j:j], r.acc.order[j+1:]...), target)
					i--
				}
			}
		}
	}
}

// origins are the columns that a result column can show.
func (r *run) origins(v value) []query.ColumnRef {
	var out []query.ColumnRef
	add := func(rel *Relation, col *Column, derived bool) {
		for i := range out {
			if out[i].Relation == rel.OID && out[i].Attr == col.Attr {
				out[i].Derived = out[i].Derived && derived
				return
			}
		}
		out = append(out, query.ColumnRef{Schema: rel.Schema, Table: rel.Name, Column: col.Name,
			Relation: rel.OID, Attr: col.Attr, Derived: derived})
	}
	for i := range v.deps {
		rel := r.relationByOID(v.deps[i].rel)
		if rel == nil {
			continue
		}
		col := rel.attribute(v.deps[i].attr)
		if col == nil {
			continue
		}
		add(rel, col, !v.direct || !v.deps[i].direct)
	}
	for i := 0; i < len(out); i++ {
		rel := r.relationByOID(out[i].Relation)
		for _, ref := range r.twins(rel, rel.attribute(out[i].Attr)) {
			twin := r.relationByOID(ref.Relation)
			add(twin, twin.attribute(ref.Attr), out[i].Derived || ref.Derived)
		}
	}
	return out
}

// output describes one result column.
func (r *run) output(c column) query.Output {
	o := query.Output{Name: c.name, Origins: r.origins(c.value), Source: c.value.source, SourceAttr: c.value.attr, Type: r.baseType(c.value.typ)}
	if o.Type == oidUnknown {
		o.Type = oidText
	}
	o.Direct = c.value.direct && len(o.Origins) > 0
	for i := range c.value.deps {
		o.Direct = o.Direct && c.value.deps[i].direct
	}
	return o
}

func (rel *Relation) attribute(attr int16) *Column {
	if i := int(attr) - 1; i >= 0 && i < len(rel.Columns) && rel.Columns[i].Attr == attr {
		return &rel.Columns[i]
	}
	for i := range rel.Columns {
		if rel.Columns[i].Attr == attr {
			return &rel.Columns[i]
		}
	}
	return nil
}
