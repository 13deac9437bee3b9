package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// anyOf says that some column of a value is known.
func (c *closure) anyOf(v value) bool {
	return slices.ContainsFunc(v.deps, func(d dep) bool { return c.known[dep{rel: d.rel, attr: d.attr, scan: d.scan}] })
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
