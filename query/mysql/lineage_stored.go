package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/weirdb/weir/query"
)

// checked notes what the values that are stored in columns of the target are held to.
// An insert brings the whole row; an update reads the columns that it leaves
// alone. Foreign keys tell whether the other table has a value, unique indexes
// what the other rows have.
func (r *run) checked(t *target, columns []string, whole bool) {
	if t.rel == nil {
		return
	}
	for _, rel := range r.storage(t.rel) {
		given := r.storedAs(t, rel, columns)
		changed := given
		for i := range rel.Columns {
			c := &rel.Columns[i]
			if c.Generated != "" && slices.ContainsFunc(r.generatedFrom(rel, c), func(a int16) bool { return slices.Contains(given, a) }) {
				changed = append(slices.Clip(changed), c.Attr)
				if !whole { // computing it again can fail
					r.leftAlone(rel, r.generatedFrom(rel, c), given)
				}
			}
		}
		if len(given) == 0 && !whole {
			continue
		}
		r.unique(rel, changed, whole)
		r.references(rel, changed, whole)
		for _, c := range rel.Checks {
			attrs := r.storedColumns(rel, c)
			if !whole && slices.ContainsFunc(attrs, func(a int16) bool { return slices.Contains(changed, a) }) {
				r.leftAlone(rel, attrs, given)
			}
		}
		if attrs := r.partitionKey(rel); !whole && len(attrs) > 0 {
			r.leftAlone(rel, attrs, given)
		}
	}
}

// leftAlone uses the columns of a condition that a statement does not assign.
func (r *run) leftAlone(rel *Relation, attrs, given []int16) {
	for _, a := range attrs {
		if !slices.Contains(given, a) {
			r.mark(rel.ID, a, query.UseFilter, -1)
		}
	}
}

// unique notes that whether rows can be stored depends on what others hold in
// the columns of a unique index.
func (r *run) unique(rel *Relation, changed []int16, whole bool) {
	for i := range rel.Indexes {
		x := &rel.Indexes[i]
		if !x.Unique {
			continue
		}
		attrs := r.indexColumns(rel, x)
		touched := slices.ContainsFunc(attrs, func(a int16) bool { return slices.Contains(changed, a) })
		if whole && r.collides(rel, x, changed) || touched && !whole {
			r.markAll(rel, attrs, query.UseFilter, -1)
		}
	}
}

// collides says whether a new row, of which some columns are given, can meet
// another one in a unique index: not if one of its columns stays NULL, or is
// numbered by the server.
func (r *run) collides(rel *Relation, x *Index, given []int16) bool {
	for i := range x.Columns {
		c := rel.Column(x.Columns[i].Column)
		if c == nil || slices.Contains(given, c.Attr) || c.Generated != "" {
			continue
		}
		if c.AutoIncrement || !c.NotNull && (c.Default == "" || strings.EqualFold(c.Default, "NULL")) {
			return false
		}
	}
	return true
}

// references notes that a value must exist in the table that a foreign key names.
func (r *run) references(rel *Relation, changed []int16, whole bool) {
	for i := range rel.ForeignKeys {
		f := &rel.ForeignKeys[i]
		attrs := columnsOf(rel, f.Columns)
		if !whole && !slices.ContainsFunc(attrs, func(a int16) bool { return slices.Contains(changed, a) }) {
			continue
		}
		other := r.cat.Relation(f.RefSchema, f.RefTable)
		if other == nil {
			r.gap(-1, "the table of foreign key "+f.Name+" is not known")
			continue
		}
		r.acc.table(other, false, "select")
		r.markAll(other, columnsOf(other, f.RefColumns), query.UseFilter, -1)
		if !whole {
			r.leftAlone(rel, attrs, changed)
		}
	}
}

func columnsOf(rel *Relation, names []string) []int16 {
	var out []int16
	for _, n := range names {
		if c := rel.Column(n); c != nil {
			out = append(out, c.Attr)
		}
	}
	return out
}

// incoming is a foreign key that refers to a relation.
type incoming struct {
	from *Relation
	key  *ForeignKey
}

// referring lists the foreign keys that refer to a relation.
func (r *run) referring(rel *Relation) []incoming {
	c := &r.cc.lineage
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.incoming == nil {
		c.incoming = make(map[*Relation][]incoming)
		for _, from := range r.cat.Relations {
			for i := range from.ForeignKeys {
				f := &from.ForeignKeys[i]
				if to := r.cat.Relation(f.RefSchema, f.RefTable); to != nil {
					c.incoming[to] = append(c.incoming[to], incoming{from, f})
				}
			}
		}
	}
	return c.incoming[rel]
}

// orphans notes what a change of keys depends on: rows that refer to them make
// it fail, or are changed with them. columns are those that are assigned, nil
// where rows are deleted. What a cascade changes fires no triggers.
func (r *run) orphans(t *target, columns []string) {
	if t.rel == nil {
		return
	}
	var follow func(rel *Relation, attrs []int16, deleted bool, depth int)
	follow = func(rel *Relation, attrs []int16, deleted bool, depth int) {
		if depth > maxDepth {
			r.gap(-1, "foreign keys cascade too deeply")
			return
		}
		for _, in := range r.referring(rel) {
			keys := columnsOf(rel, in.key.RefColumns)
			if !deleted && !slices.ContainsFunc(keys, func(a int16) bool { return slices.Contains(attrs, a) }) {
				continue
			}
			own := columnsOf(in.from, in.key.Columns)
			r.markAll(rel, keys, query.UseFilter, -1)
			r.markAll(in.from, own, query.UseFilter, -1)
			action := in.key.OnUpdate
			if deleted {
				action = in.key.OnDelete
			}
			gone := deleted && strings.EqualFold(action, "CASCADE")
			if !gone && !strings.EqualFold(action, "CASCADE") && !strings.EqualFold(action, "SET NULL") && !strings.EqualFold(action, "SET DEFAULT") {
				continue
			}
			access := "update"
			if gone {
				access = "delete"
			}
			if slices.Contains(r.acc.table(in.from, false).access, access) && depth > 0 {
				continue
			}
			r.acc.table(in.from, false, access).whole()
			r.write(access, in.from.Schema+"."+in.from.Name, -1)
			if !gone {
				r.markAll(in.from, own, query.UseAssign, -1)
			}
			follow(in.from, own, gone, depth+1)
		}
	}
	for _, rel := range r.storage(t.rel) {
		if columns == nil {
			follow(rel, nil, true, 0)
		} else if attrs := r.storedAs(t, rel, columns); len(attrs) > 0 {
			follow(rel, attrs, false, 0)
		}
	}
}

// defaults evaluates the default expressions that an insert may run.
func (r *run) defaults(t *target) {
	if t.rel == nil {
		return
	}
	for _, rel := range r.storage(t.rel) {
		for i := range rel.Columns {
			c := &rel.Columns[i]
			if !strings.Contains(c.Default, "(") || strings.HasPrefix(lowerASCII(c.Default), "current_timestamp(") || strings.HasPrefix(lowerASCII(c.Default), "nextval(") {
				continue
			}
			sub := r.nested(rel.Schema)
			v, ok := sub.stored(rel, c.Default)
			if !ok {
				r.gap(-1, "the default of column "+c.Name+" could not be read")
			}
			v.deps = slices.DeleteFunc(slices.Clone(v.deps), func(d dep) bool { return d.rel == rel.ID }) // of the new row
			sub.use(v, query.UseWrite)
		}
	}
}

// maxAssignments bounds what is noted of one statement.
const maxAssignments = 100_000

// assigns notes what is stored in a column of the target, by name. A nil value
// is one that is not written out.
func (r *run) assigns(t *target, name string, n ast.ExprNode, pos int) {
	if t.rel == nil || len(r.acc.assignments) >= maxAssignments {
		return
	}
	for _, c := range t.item.column(name).cols {
		for i := range c.value.deps {
			d := &c.value.deps[i]
			base := r.relationByID(d.rel)
			if base == nil || base.Attribute(d.attr) == nil {
				continue
			}
			col := base.Attribute(d.attr)
			a := query.Assignment{Schema: base.Schema, Table: base.Name, Column: col.Name, Type: uint32(col.Type), Pos: r.offset(pos)}
			a.Literal, a.Parameter = plainValue(n)
			r.acc.assigned(a)
		}
	}
}

// assigned adds a; of values that are not written out, one for each column.
func (acc *accumulator) assigned(a query.Assignment) {
	if a.Literal == nil && a.Parameter == 0 {
		key := a.Schema + "\x00" + a.Table + "\x00" + a.Column
		if acc.computed[key] {
			return
		}
		if acc.computed == nil {
			acc.computed = map[string]bool{}
		}
		acc.computed[key] = true
	}
	acc.assignments = append(acc.assignments, a)
}

// plainValue is a literal's text or a parameter's number.
func plainValue(n ast.ExprNode) (*string, int) {
	for range maxDepth {
		switch x := n.(type) {
		case *ast.ParenthesesExpr:
			n = x.Expr
			continue
		case *ast.FuncCastExpr:
			n = x.Expr
			continue
		case *ast.SetCollationExpr:
			n = x.Expr
			continue
		case *ast.UnaryOperationExpr:
			text, _ := plainValue(x.V)
			if x.Op == opcode.Plus {
				return text, 0
			}
			if text != nil && x.Op == opcode.Minus {
				*text = "-" + *text
				return text, 0
			}
		case *Marker:
			return nil, x.Order + 1
		case *Literal:
			if x.Value != nil {
				text := fmt.Sprint(x.Value)
				return &text, 0
			}
		}
		break
	}
	return nil, 0
}
