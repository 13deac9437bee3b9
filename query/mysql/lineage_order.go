package mysql

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

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

// anyOf says that some column of a value is known.
func (c *closure) anyOf(v value) bool {
	return slices.ContainsFunc(v.deps, func(d dep) bool { return c.known[dep{rel: d.rel, attr: d.attr, scan: d.scan}] })
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

// A closure is the columns whose values are the same in rows that are equal so
// far: constants, keys, and what they determine.
type closure struct {
	known   map[dep]bool
	implies [][2]value // the second follows from the first
}

// plainKey is the one column of a table whose value a value is, itself or
// through views.
func plainKey(v value) (key dep, ok bool) {
	if !v.direct || v.collated {
		return dep{}, false
	}
	for _, d := range v.deps {
		switch {
		case !d.direct || ok && d.scan >= 0:
			return dep{}, false
		case d.scan >= 0:
			key, ok = dep{rel: d.rel, attr: d.attr, scan: d.scan}, true
		}
	}
	return key, ok
}

func (c *closure) add(v value) {
	if d, ok := plainKey(v); ok {
		c.known[d] = true
	}
}

func (c *closure) has(v value) bool {
	d, ok := plainKey(v)
	return ok && c.known[d]
}

// conditions adds what a condition makes constant or equal.
func (c *closure) conditions(r *run, n ast.ExprNode, sc *scope) {
	r.conjuncts(n, func(part ast.ExprNode) {
		x, ok := part.(*ast.BinaryOperationExpr)
		if !ok || x.Op != opcode.EQ {
			return
		}
		left, lok := r.plainColumn(x.L, sc)
		right, rok := r.plainColumn(x.R, sc)
		switch {
		case lok && rok && r.sameValues(&left, &right):
			c.implies = append(c.implies, [2]value{left, right}, [2]value{right, left})
		case lok && !rok && r.oneValue(&left, x.R):
			c.add(left)
		case rok && !lok && r.oneValue(&right, x.L):
			c.add(right)
		}
	})
}

// plainColumn is the value of a column reference.
func (r *run) plainColumn(n ast.ExprNode, sc *scope) (value, bool) {
	x, ok := strip(n).(*ast.ColumnNameExpr)
	if !ok {
		return value{}, false
	}
	f := r.resolve(x.Name, sc)
	if len(f.cols) != 1 || f.outer {
		return value{}, false
	}
	return f.cols[0].value, true
}

// joins adds the conditions of joins. An outer join finds no row of its inner
// side, or those that its condition determines; of the other side it tells
// nothing.
func (c *closure) joins(r *run, n ast.ResultSetNode, sc *scope) {
	j, ok := n.(*ast.Join)
	if !ok {
		return
	}
	c.joins(r, j.Left, sc)
	if j.Right == nil {
		return
	}
	c.joins(r, j.Right, sc)
	if j.On == nil {
		return
	}
	inner := j.Right
	switch j.Tp {
	case ast.LeftJoin:
	case ast.RightJoin:
		inner = j.Left
	default:
		c.conditions(r, j.On.Expr, sc)
		return
	}
	scans := map[int32]bool{}
	names := map[string]bool{}
	sourceNames(inner, names)
	for _, it := range sc.items {
		if names[it.name] && it.scan >= 0 {
			scans[it.scan] = true
		}
	}
	within := func(v value) bool {
		d, ok := plainKey(v)
		return ok && scans[d.scan]
	}
	on := closure{known: map[dep]bool{}}
	on.conditions(r, j.On.Expr, sc)
	for d := range on.known {
		if scans[d.scan] {
			c.known[d] = true
		}
	}
	for _, e := range on.implies {
		if !within(e[0]) && within(e[1]) {
			c.implies = append(c.implies, e)
		}
	}
}

// sourceNames collects the names of the entries of FROM.
func sourceNames(n ast.ResultSetNode, names map[string]bool) {
	switch x := n.(type) {
	case *ast.Join:
		sourceNames(x.Left, names)
		if x.Right != nil {
			sourceNames(x.Right, names)
		}
	case *ast.TableSource:
		if x.AsName.O != "" {
			names[x.AsName.O] = true
		} else if t, ok := x.Source.(*ast.TableName); ok {
			names[t.Name.O] = true
		} else if j, ok := x.Source.(*ast.Join); ok {
			sourceNames(j, names)
		}
	}
}

// determines says that every table of a level has a unique key among the known
// columns.
func (c *closure) determines(sc *scope) bool {
	o := sc.origin()
	for _, it := range sc.items {
		c.implies = append(c.implies, it.equal...)
	}
	done := make(map[tableScan]bool)
	for changed := true; changed; {
		changed = false
		for _, e := range c.implies {
			if _, plain := plainKey(e[1]); plain && c.has(e[0]) && !c.has(e[1]) {
				c.add(e[1])
				changed = true
			}
		}
		for _, list := range [][]tableScan{o.tables, o.loose} {
			for _, t := range list {
				if done[t] || !c.unique(t) {
					continue
				}
				for j := range t.rel.Columns {
					c.known[dep{rel: t.rel.ID, attr: t.rel.Columns[j].Attr, scan: t.scan}] = true
				}
				done[t], changed = true, true
			}
		}
	}
	return !o.opaque && !slices.ContainsFunc(o.tables, func(t tableScan) bool { return !done[t] }) &&
		!slices.ContainsFunc(o.keys, func(k value) bool { return len(k.deps) > 0 && !c.has(k) })
}

// unique says that a unique key of a table is among the known columns.
func (c *closure) unique(t tableScan) bool {
	for i := range t.rel.Indexes {
		x := &t.rel.Indexes[i]
		if !x.Unique || !t.rel.neverNull(x) {
			continue
		}
		all := true
		for j := range x.Columns {
			col := t.rel.Column(x.Columns[j].Column)
			all = all && x.Columns[j].Prefix == 0 && c.known[dep{rel: t.rel.ID, attr: col.Attr, scan: t.scan}]
		}
		if all {
			return true
		}
	}
	return false
}

// oneValue says that a column that equals a constant has one value. As numbers,
// many texts are equal, and so are long integers that a float holds.
func (r *run) oneValue(v *value, n ast.ExprNode) bool {
	l, literal := strip(n).(*Literal)
	if u, ok := strip(n).(*ast.UnaryOperationExpr); ok && u.Op == opcode.Minus {
		l, literal = strip(u.V).(*Literal)
	}
	if !literal && literalKind(n) != kindConstant || !v.typ.Known() {
		return false
	}
	switch columnKind(v.typ) {
	case kindNumber:
		switch v.typ.Wire() {
		case TypeLongLong, TypeNewDecimal:
			if !literal {
				return false
			}
			switch l.Value.(type) {
			case int64, uint64:
				return true
			}
			return false
		}
		return true
	case kindTime:
		return true
	case kindText:
		if !literal {
			return false
		}
		s, ok := l.Value.(string)
		return ok && (isASCII(s) || strings.HasPrefix(r.columnOf(v).Charset, "utf8"))
	}
	if !literal {
		return false
	}
	_, ok := l.Value.(string)
	return ok && (v.typ.Extended() != ExtendedNone || v.typ.Binary())
}

// sameValues says that two columns that are equal tell as much of a row.
func (r *run) sameValues(a, b *value) bool {
	if !a.typ.Known() || a.typ.Wire() != b.typ.Wire() || a.typ.Extended() != b.typ.Extended() {
		x, y := integer(a.typ), integer(b.typ)
		return x && y
	}
	if !a.typ.Text() {
		return true
	}
	x, y := r.columnOf(a), r.columnOf(b)
	return x.Collation != "" && x.Charset == y.Charset && x.Collation == y.Collation && a.typ == b.typ
}

func integer(t TypeCode) bool {
	switch t.Wire() {
	case TypeTiny, TypeShort, TypeInt24, TypeLong, TypeLongLong:
		return t.Known()
	}
	return false
}

// columnOf is the column behind a plain value; one without a name if none is.
func (r *run) columnOf(v *value) *Column {
	if d, ok := plainKey(*v); ok {
		if rel := r.relationByID(d.rel); rel != nil {
			if c := rel.Attribute(d.attr); c != nil {
				return c
			}
		}
	}
	return &Column{}
}
