package mysql

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// Rows come in the order in which the server reads them, and that is the order
// of an index: of the clustered one, of one that holds all that is read (the
// server likes the shortest), or of one that it finds rows by. Where the answer
// depends on the order of rows, the columns of every index that may be chosen
// are used to order them.

// A reading is one entry of FROM that the server reads as a table.
type reading struct {
	rel *Relation
	// read are the columns that the server cannot do without: an index that
	// lacks one does not hold all that is read.
	read map[int16]bool
	// sought are the columns by which rows may be found.
	sought map[int16]bool
	hinted []string // indexes that a hint names, folded
	// ignored are indexes that a hint keeps the server from, folded.
	ignored []string
	// template: of a WITH query, whose references read anew.
	template bool
	// stale: of a round, not the last, of the recursive WITH query with that
	// number; 0 for others.
	stale int
	pos   int32 // of the view that the table is read through, else -1
}

// scan notes that a table is read.
func (a *accumulator) scan(rel *Relation) int32 {
	a.scans = append(a.scans, &reading{rel: rel, pos: -1})
	return int32(len(a.scans) - 1)
}

// adopt notes the readings of the WITH query with a number, or of a view (0),
// and gives that of the first. What is stale for a query around it is not for
// its own readers.
func (a *accumulator) adopt(scans []*reading, query int, pos int32) int32 {
	base := int32(len(a.scans))
	for _, s := range scans {
		c := &reading{rel: s.rel, hinted: s.hinted, ignored: s.ignored, pos: pos}
		switch {
		case s.stale > 0 && query == 0:
			c.stale = math.MaxInt // of one within a view
		case s.stale >= query:
			c.stale = s.stale
		}
		for attr := range s.sought {
			c.seek(attr)
		}
		for attr := range s.read {
			c.need(attr)
		}
		a.scans = append(a.scans, c)
	}
	return base
}

func (s *reading) need(attr int16) {
	if s.read == nil {
		s.read = make(map[int16]bool, 8)
	}
	s.read[attr] = true
}

func (s *reading) seek(attr int16) {
	if s.sought == nil {
		s.sought = make(map[int16]bool, 4)
	}
	s.sought[attr] = true
}

// touch notes that a column is used otherwise than as a result.
func (a *accumulator) touch(d *dep) {
	if d.scan >= 0 && int(d.scan) < len(a.scans) {
		a.scans[d.scan].seek(d.attr)
	}
}

// read notes that a column is read for certain.
func (a *accumulator) read(d *dep) {
	if d.scan >= 0 && int(d.scan) < len(a.scans) {
		a.scans[d.scan].need(d.attr)
	}
}

// readAll notes that the columns of a value are read for certain, if the value
// is theirs unchanged.
func (a *accumulator) readAll(v value) {
	for i := range v.deps {
		if v.direct && v.deps[i].direct {
			a.read(&v.deps[i])
		}
	}
}

// showsOrder uses the columns that the order of rows may follow.
func (r *run) showsOrder() {
	for _, s := range r.acc.scans {
		if s.rel.Kind == KindSystem || s.template || s.stale > 0 {
			continue
		}
		pos := int(s.pos)
		r.markAll(s.rel, r.partitionKey(s.rel), query.UseOrder, pos)
		clustered := s.rel.clustered()
		for i := range s.rel.Indexes {
			x := &s.rel.Indexes[i]
			attrs := r.indexColumns(s.rel, x)
			if (x == clustered || s.chosen(x, attrs, clustered)) && !r.acc.onlyShows(s.rel, attrs) {
				r.markAll(s.rel, attrs, query.UseOrder, pos)
			}
		}
	}
}

// chosen says whether the server may read the rows by an index: because a hint
// names it, because its first column finds rows, or because it holds all that
// is read for certain.
func (s *reading) chosen(x *Index, attrs []int16, clustered *Index) bool {
	if slices.Contains(s.ignored, foldName(x.Name)) {
		return false
	}
	// A hint may name the beginning of a name.
	hinted := slices.ContainsFunc(s.hinted, func(h string) bool { return strings.HasPrefix(foldName(x.Name), h) })
	if hinted || len(attrs) > 0 && s.sought[attrs[0]] {
		return true
	}
	for attr := range s.read {
		if !slices.Contains(attrs, attr) && !s.rel.keyed(clustered, attr) {
			return false
		}
	}
	for i := range x.Columns {
		if x.Columns[i].Prefix > 0 {
			// It holds a part of the column only: that is no reason to read by
			// it, unless the column itself is not needed.
			if c := s.rel.Column(x.Columns[i].Column); c != nil && s.read[c.Attr] {
				return false
			}
		}
	}
	return true
}

// onlyShows says that the answer has nothing but the first column of an index:
// where it is masked its rows look alike, and come in no order that shows.
func (a *accumulator) onlyShows(rel *Relation, attrs []int16) bool {
	if a.byOrder || a.loud || a.noisy || len(a.shown) == 0 {
		return false
	}
	for i := range a.shown {
		for _, d := range a.shown[i].deps {
			if !a.shown[i].direct || !d.direct || len(attrs) == 0 || d.scan >= 0 && (d.rel != rel.ID || d.attr != attrs[0]) {
				return false
			}
		}
	}
	return true
}

// clustered is the index in whose order InnoDB stores the rows: the primary
// key, or the first unique one over columns that are never NULL.
func (rel *Relation) clustered() *Index {
	if lowerASCII(rel.Engine) != "innodb" && rel.Engine != "" {
		return nil
	}
	for i := range rel.Indexes {
		if rel.Indexes[i].Name == primaryKey {
			return &rel.Indexes[i]
		}
	}
	for i := range rel.Indexes {
		if rel.Indexes[i].Unique && rel.neverNull(&rel.Indexes[i]) {
			return &rel.Indexes[i]
		}
	}
	return nil
}

// neverNull says that no column of an index is NULL.
func (rel *Relation) neverNull(x *Index) bool {
	for i := range x.Columns {
		if c := rel.Column(x.Columns[i].Column); c == nil || !c.NotNull {
			return false
		}
	}
	return true
}

// keyed says that each index ends with a column, as those of InnoDB do with
// the clustered one's.
func (rel *Relation) keyed(clustered *Index, attr int16) bool {
	if clustered == nil {
		return false
	}
	for i := range clustered.Columns {
		if c := rel.Column(clustered.Columns[i].Column); c != nil && c.Attr == attr && clustered.Columns[i].Prefix == 0 {
			return true
		}
	}
	return false
}

// lumps says that values may be taken for the same that are not: text compares
// without case, zero has two signs, and the row that comes first is shown.
func lumps(v *value) bool {
	if len(v.deps) == 0 || v.typ.Enum() || v.typ.Set() {
		return false
	}
	switch v.typ.Wire() {
	case TypeFloat, TypeDouble:
		return true
	}
	return !v.typ.Known() || v.typ.Text()
}

// told notes what is lumped together by keys, and gives what they determine.
func (r *run) told(keys []value, sc *scope) *closure {
	c := &closure{known: map[dep]bool{}}
	for i := range keys {
		if !lumps(&keys[i]) {
			c.add(keys[i])
		}
	}
	c.determines(sc)
	for i := range keys {
		if lumps(&keys[i]) && !c.has(keys[i]) {
			r.acc.byOrder = true
		}
	}
	return c
}

// picks notes that a query that groups shows a value of some row of a group:
// one that is neither aggregated, nor grouped by, nor the same in all rows.
func (r *run) picks(cols []column, grouped []value, known *closure) {
	for i := range cols {
		if known.has(cols[i].value) {
			continue
		}
		for _, d := range cols[i].value.deps {
			if d.uses&(query.UseAggregate|query.UseWindow) != 0 || known.known[dep{rel: d.rel, attr: d.attr, scan: d.scan}] {
				continue
			}
			if d.scan < 0 && known.anyOf(cols[i].value) {
				continue // of a view, with the column behind it
			}
			if !slices.ContainsFunc(grouped, func(g value) bool {
				return g.direct && slices.ContainsFunc(g.deps, func(e dep) bool { return e.direct && e.compare(&d) == 0 })
			}) {
				r.acc.byOrder = true
			}
		}
	}
}

// fixed says that the rows of a query come in one order only: there is one row,
// or ORDER BY tells every two rows apart.
func (r *run) fixed(s *ast.SelectStmt, sc *scope, cols []column) bool {
	if s.Kind == ast.SelectStmtKindValues || s.From == nil {
		return len(s.Lists) <= 1
	}
	if s.GroupBy == nil && sc.aggregates {
		return true
	}
	late := sc.late
	sc.late = false
	defer func() { sc.late = late }()
	c := closure{known: map[dep]bool{}}
	c.conditions(r, s.Where, sc)
	c.joins(r, s.From.TableRefs, sc)
	if s.OrderBy != nil {
		for _, it := range s.OrderBy.Items {
			if v := r.quietKey(it.Expr, cols, sc); !cutShort(&v) {
				c.add(v)
			}
		}
	}
	if s.GroupBy != nil { // one row a group
		all := true
		for _, it := range s.GroupBy.Items {
			all = all && c.has(r.quietKey(it.Expr, cols, sc))
		}
		return all && !s.GroupBy.Rollup
	}
	if s.Distinct { // rows are told apart by what they show; which of those that look alike stays is not known
		for i := range cols {
			if len(cols[i].value.deps) > 0 && !c.has(cols[i].value) {
				return c.determines(sc) && s.OrderBy != nil && showsKeys(r, s.OrderBy, cols, sc)
			}
		}
		return true
	}
	return c.determines(sc)
}

// cutShort says that a text may be longer than what the server sorts by: the
// first 1024 bytes of its weights (max_sort_length).
func cutShort(v *value) bool {
	if !v.typ.Text() || v.typ.Enum() || v.typ.Set() {
		return v.typ.Wire() == TypeBlob
	}
	_, length, ok := strings.Cut(v.text, "(")
	n, err := strconv.Atoi(strings.TrimSuffix(length, ")"))
	return !ok || err != nil || n > 128
}

// showsKeys says that all keys of an order are columns of the result.
func showsKeys(r *run, order *ast.OrderByClause, cols []column, sc *scope) bool {
	for _, it := range order.Items {
		k, ok := plainKey(r.quietKey(it.Expr, cols, sc))
		if !ok || !slices.ContainsFunc(cols, func(c column) bool {
			d, plain := plainKey(c.value)
			return plain && d == k
		}) {
			return false
		}
	}
	return true
}

// quietKey is the value of a key that was evaluated before.
func (r *run) quietKey(n ast.ExprNode, cols []column, sc *scope) value {
	switch x := strip(n).(type) {
	case *ast.PositionExpr:
		if x.N >= 1 && x.N <= len(cols) {
			return cols[x.N-1].value
		}
	case *ast.ColumnNameExpr:
		return r.sortKey(x, cols, sc, true)
	}
	return value{}
}

// orders says that keys tell every two rows of a level apart.
func (r *run) orders(sc *scope, keys []*ast.ByItem) bool {
	late := sc.late
	sc.late = false
	defer func() { sc.late = late }()
	c := closure{known: map[dep]bool{}}
	for _, k := range keys {
		if v, ok := r.plainColumn(k.Expr, sc); ok && !cutShort(&v) {
			c.add(v)
		}
	}
	return c.determines(sc)
}
