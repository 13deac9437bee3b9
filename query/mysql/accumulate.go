package mysql

import (
	"math/bits"
	"slices"

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
	// scans are the readings of tables; byOrder is set where something depends
	// on the order of rows, anyOrder where the statement as a whole was found
	// not to. See lineage_order.go.
	scans             []*reading
	byOrder, anyOrder bool
	// loud is set where an expression of the query at hand can fail or warn,
	// noisy where that tells of the order of rows. See lineage_loud.go.
	loud, noisy bool
	// perRow is set where triggers do something for each row that changes.
	perRow bool
	shown  []value // the result's columns
	withs  int     // WITH queries so far
	// into is set where the rows go to a place and not to the client.
	into bool
	// rec is set while a statement is rewritten, for the run over its tree.
	rec *recording
}

func newAccumulator() *accumulator {
	return &accumulator{tables: make(map[uint32]*tableUse, 4)}
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

// table notes that a relation is touched.
func (a *accumulator) table(rel *Relation, direct bool, access ...string) *tableUse {
	t := a.tables[rel.ID]
	if t == nil {
		t = &tableUse{rel: rel}
		a.tables[rel.ID] = t
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
	for i := range t.rel.Columns {
		t.column(t.rel.Columns[i].Attr)
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
		r.acc.touch(d)
	}
	r.report(v.gaps)
}

// mark notes a use of one column.
func (r *run) mark(rel uint32, attr int16, u query.Use, pos int32) {
	if relation := r.relationByID(rel); relation != nil {
		r.acc.table(relation, false).mark(attr, u, pos)
	}
}

// emit consumes a result column, as the value itself or as something made of it.
func (r *run) emit(v value) {
	for i := range v.deps {
		d := &v.deps[i]
		u := d.uses | query.UseDerived
		if v.direct && d.direct {
			u = d.uses | query.UseOutput
			r.acc.read(d)
		}
		r.mark(d.rel, d.attr, u, d.pos)
	}
	r.report(v.gaps)
}

func (r *run) report(gaps []pendingGap) {
	for i := range gaps {
		r.gap(-1, gaps[i].reason)
	}
}

// relationByID finds a relation of the catalog or of the session.
func (r *run) relationByID(id uint32) *Relation {
	if id < FirstTemporary {
		return r.cat.RelationByID(id)
	}
	for _, rel := range r.st.Temp {
		if rel.ID == id {
			return rel
		}
	}
	return nil
}

// gap notes a part that could not be analysed. Positions are offsets of the
// statement as the grammar saw it.
func (r *run) gap(pos int, reason string) { r.mistake(pos, "", reason, "") }

// mistake notes a name that is not in the catalog, in the words and with the
// code of the server.
func (r *run) mistake(pos int, code, reason, name string) {
	if name != "" && !slices.Contains(r.acc.missing, name) {
		r.acc.missing = append(r.acc.missing, name)
	}
	at := r.offset(pos)
	for i := range r.acc.gaps {
		if r.acc.gaps[i].Reason == reason && (r.acc.gaps[i].Pos == at || at < 0 || len(r.acc.gaps) > 50) {
			return
		}
	}
	r.acc.gaps = append(r.acc.gaps, query.Gap{Reason: reason, Code: code, Pos: at})
}

// function notes a call.
func (r *run) function(f query.Function) {
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
func (r *run) write(kind, object string, pos int) {
	r.acc.writes = noteEffect(r.acc.writes, query.Effect{Kind: kind, Object: object, Pos: r.offset(pos)})
}

// move notes a place into which values flow.
func (r *run) move(kind, object string, pos int) {
	r.acc.moves = noteEffect(r.acc.moves, query.Effect{Kind: kind, Object: object, Pos: r.offset(pos)})
}

func noteEffect(list []query.Effect, e query.Effect) []query.Effect {
	for i := range list {
		if list[i].Kind == e.Kind && list[i].Object == e.Object {
			return list
		}
	}
	return append(list, e)
}

// stores notes that a value flows into a place.
func (r *run) stores(v value, kind, object string, pos int) {
	r.use(v, query.UseWrite)
	if len(v.deps) > 0 {
		r.move(kind, object, pos)
	}
}

// offset turns a position in the grammar's text into one of the client's.
func (r *run) offset(pos int) int {
	if r.hidden || r.dynamicText || pos < 0 {
		return -1
	}
	return r.text.original(pos)
}

// here is a position for a use: none where it is not one of the client's text.
func (r *run) here(pos int) int {
	if r.hidden || r.dynamicText {
		return -1
	}
	return pos
}

// returns makes columns the statement's result.
func (r *run) returns(cols []column) {
	f := &r.stmt.Facts
	f.Returns = true
	f.Output = make([]query.Output, 0, len(cols))
	for i := range cols {
		r.emit(cols[i].value)
		r.acc.shown = append(r.acc.shown, cols[i].value)
		f.Output = append(f.Output, r.output(&cols[i]))
	}
}

// facts turns what was collected into the public form.
func (r *run) facts(f *query.Facts) {
	if !r.acc.anyOrder || r.acc.byOrder || r.acc.loud || r.acc.noisy {
		r.showsOrder()
	}
	r.spread()
	f.Tables = make([]query.Table, 0, len(r.acc.order))
	for _, t := range r.acc.order {
		f.Tables = append(f.Tables, r.table(t))
	}
	f.Functions = r.acc.functions
	f.Gaps, f.Complete = r.acc.gaps, len(r.acc.gaps) == 0
	f.Writes, f.Moves = r.acc.writes, r.acc.moves
	f.Assignments = r.acc.assignments
}

func (r *run) table(t *tableUse) query.Table {
	out := query.Table{Schema: t.rel.Schema, Name: t.rel.Name, Kind: t.rel.kind(), OID: t.rel.ID, Access: t.access, Direct: t.direct}
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
			at = append(at, r.offset(int(u.at[bits.TrailingZeros(rest)])))
		}
		out.Columns = append(out.Columns, query.ColumnUse{Name: c.Name, Attr: c.Attr, Type: uint32(c.Type), Uses: u.uses, At: at})
	}
	return out
}

// spread carries the uses of a generated column to those that it is computed from.
func (r *run) spread() {
	for i := 0; i < len(r.acc.order); i++ {
		t := r.acc.order[i]
		for j := len(t.rel.Columns) - 1; j >= 0; j-- { // an expression names only what stands before, or is spread again
			c := &t.rel.Columns[j]
			u := t.cols[c.Attr]
			if u == nil || c.Generated == "" {
				continue
			}
			for _, attr := range r.generatedFrom(t.rel, c) {
				for b, at := range u.at {
					if u.uses&(1<<b) != 0 {
						t.mark(attr, 1<<b, at)
					}
				}
				t.column(attr)
			}
		}
	}
}

// origins are the columns that a result column can show.
func (r *run) origins(v *value) []query.ColumnRef {
	var out []query.ColumnRef
	add := func(rel *Relation, col *Column, derived bool) {
		for i := range out {
			if out[i].Relation == rel.ID && out[i].Attr == col.Attr {
				out[i].Derived = out[i].Derived && derived
				return
			}
		}
		out = append(out, query.ColumnRef{Schema: rel.Schema, Table: rel.Name, Column: col.Name, Relation: rel.ID, Attr: col.Attr, Derived: derived})
	}
	for i := range v.deps {
		if rel := r.relationByID(v.deps[i].rel); rel != nil {
			if col := rel.Attribute(v.deps[i].attr); col != nil {
				add(rel, col, !v.direct || !v.deps[i].direct)
			}
		}
	}
	for i := 0; i < len(out); i++ {
		rel := r.relationByID(out[i].Relation)
		if col := rel.Attribute(out[i].Attr); col.Generated != "" {
			for _, attr := range r.generatedFrom(rel, col) {
				add(rel, rel.Attribute(attr), true)
			}
		}
	}
	return out
}

// output describes one result column.
func (r *run) output(c *column) query.Output {
	o := query.Output{Name: c.name, Origins: r.origins(&c.value), Type: uint32(c.value.typ)}
	o.Direct = c.value.direct && len(o.Origins) > 0
	for i := range c.value.deps {
		o.Direct = o.Direct && c.value.deps[i].direct
	}
	if s := c.value.source; s.table != "" {
		if rel := r.lookup(s.schema, s.table); rel != nil && s.schema != "" {
			if col := rel.Column(s.column); col != nil {
				o.Source, o.SourceAttr = rel.ID, col.Attr
			}
		} else {
			o.SourceAlias = s.table
		}
	}
	return o
}
