package mysql

import (
	"slices"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// A target is a relation that a statement changes.
type target struct {
	rel  *Relation // nil if it is not known
	item *rangeItem
	verb string // lower case
}

// openTarget resolves what a statement changes.
func (r *run) openTarget(n *ast.TableName, alias, verb string) *target {
	name := alias
	if name == "" {
		name = n.Name.O
	}
	pos := n.OriginTextPosition()
	r.write(verb, displayName(r.databaseOf(n), n.Name.O), pos)
	t := &target{verb: verb, item: &rangeItem{name: name, database: r.databaseOf(n), unknown: true, scan: -1}}
	rel := r.resolveRelation(n)
	if rel == nil {
		return t
	}
	t.rel = rel
	if r.acc.rec != nil {
		r.acc.rec.targets[name] = rel
	}
	r.acc.table(rel, !r.hidden, verb)
	t.item = r.readRelation(rel, name, pos)
	t.item.name, t.item.database = name, rel.Schema
	switch {
	case t.item.scan < 0:
	case verb == "insert":
		r.acc.scans[t.item.scan].template = true // it is not read
	default: // rows that change are read as a whole
		for i := range rel.Columns {
			r.acc.scans[t.item.scan].need(rel.Columns[i].Attr)
		}
		r.hints(n, t.item)
	}
	if len(n.PartitionNames) > 0 {
		r.markAll(rel, r.partitionKey(rel), query.UseFilter, pos)
	}
	r.sideEffects(t, verb, pos)
	return t
}

// sideEffects reports what runs when the target changes. Errors of a write
// quote whole rows.
func (r *run) sideEffects(t *target, access string, pos int) {
	event := map[string]string{"insert": "INSERT", "update": "UPDATE", "delete": "DELETE"}[access]
	for _, rel := range r.storage(t.rel) {
		stored := r.acc.table(rel, false)
		stored.whole()
		if rel != t.rel {
			r.acc.table(rel, false, access)
		}
		for i := range rel.Triggers {
			var kept []string
			if event == "UPDATE" && rel == t.rel {
				kept = r.kept(rel)
			}
			if (rel.Triggers[i].Event == event || rel.Triggers[i].Event == "") && !r.runTrigger(rel, &rel.Triggers[i], kept, pos) {
				r.gap(pos, "triggers of "+rel.Schema+"."+rel.Name+" run code")
			}
		}
		if rel.Kind == KindSystem || Builtin(rel.Schema) {
			r.gap(pos, "table "+rel.Schema+"."+rel.Name+" is one of the server's own")
		}
	}
}

// storage lists the tables that hold what a relation shows: itself, or those
// behind a view.
func (r *run) storage(rel *Relation) []*Relation {
	var out []*Relation
	var add func(rel *Relation)
	add = func(rel *Relation) {
		if rel == nil || slices.Contains(out, rel) {
			return
		}
		out = append(out, rel)
		if rel.Kind == KindView && !Builtin(rel.Schema) {
			for _, u := range r.view(rel).acc.order {
				add(u.rel)
			}
		}
	}
	add(rel)
	return out
}

// assigned notes that a column of the target is written. Where rows change, the
// server tells how many of them really did: that depends on the old value.
func (r *run) assigned(t *target, name string, changes bool, pos int) {
	f := t.item.column(name)
	if len(f.cols) == 0 && !t.item.unknown {
		r.mistake(pos, code(1054, "42S22"), "Unknown column '"+name+"'", name)
	}
	uses := query.UseAssign
	if changes {
		uses |= query.UseFilter
	}
	for _, c := range f.cols {
		r.use(c.value.at(r.here(pos), false), uses)
	}
}

// flow notes that a value is stored in the target.
func (r *run) flow(t *target, v value) {
	name := t.item.name
	if t.rel != nil {
		name = t.rel.Schema + "." + t.rel.Name
	}
	r.stores(v, t.verb, name, -1)
}

// storedAs are the columns of a table that columns of the target stand for.
func (r *run) storedAs(t *target, rel *Relation, columns []string) []int16 {
	var out []int16
	for _, name := range columns {
		for _, c := range t.item.column(name).cols {
			for i := range c.value.deps {
				if c.value.deps[i].rel == rel.ID {
					out = append(out, c.value.deps[i].attr)
				}
			}
		}
	}
	return out
}

// insert evaluates INSERT and REPLACE.
func (r *run) insert(x *ast.InsertStmt, outer *scope) *target {
	source, ok := insertTable(x.Table)
	if !ok {
		r.gap(-1, "what an INSERT stores into is not a table")
		return &target{item: &rangeItem{unknown: true, scan: -1}, verb: "insert"}
	}
	source.PartitionNames = append(source.PartitionNames, x.PartitionNames...)
	t := r.openTarget(source, "", "insert")
	pos := source.OriginTextPosition()
	names := make([]string, 0, 8)
	for _, c := range x.Columns {
		names = append(names, c.Name.O)
		r.assigned(t, c.Name.O, false, c.OriginTextPosition())
	}
	given := len(x.Columns) > 0
	if !given && t.rel != nil && (len(x.Lists) == 0 || len(x.Lists[0]) > 0) {
		for i := range t.rel.Columns {
			if c := &t.rel.Columns[i]; !c.Invisible {
				names = append(names, c.Name)
				if c.Generated == "" {
					r.assigned(t, c.Name, false, pos)
				}
			}
		}
	}
	values := r.insertedRows(x, t, names, outer)
	r.defaults(t)
	r.checked(t, names, true)
	if x.IsReplace {
		r.replaces(t, pos)
	}
	if len(x.OnDuplicate) > 0 {
		r.onDuplicate(x, t, names, values, pos)
	}
	return t
}

func insertTable(refs *ast.TableRefsClause) (*ast.TableName, bool) {
	if refs == nil || refs.TableRefs == nil {
		return nil, false
	}
	s, ok := refs.TableRefs.Left.(*ast.TableSource)
	if !ok || refs.TableRefs.Right != nil {
		return nil, false
	}
	n, ok := s.Source.(*ast.TableName)
	return n, ok
}

// insertedRows evaluates what is stored, and gives the values by column with
// the entries of FROM that they come from.
func (r *run) insertedRows(x *ast.InsertStmt, t *target, names []string, outer *scope) result {
	var out result
	if x.Select != nil {
		r.shown = x.Select
		out = r.query(x.Select, outer)
		if !out.fixed {
			r.acc.byOrder = true // rows are stored, and numbered, as they come
		}
		for i := range out.cols {
			r.flow(t, out.cols[i].value)
			if i < len(names) {
				r.assigns(t, names[i], nil, -1)
			}
		}
		return out
	}
	// An expression may name columns: those that were given before it, or their
	// defaults.
	sc := outer.inner()
	fresh := &rangeItem{name: t.item.name, database: t.item.database, unknown: t.item.unknown, scan: -1}
	for _, c := range t.item.cols {
		fresh.cols = append(fresh.cols, named(c.name, value{}))
	}
	sc.items = []*rangeItem{fresh}
	for _, row := range x.Lists {
		for i, n := range row {
			v := r.expr(n, sc)
			r.flow(t, v)
			if i < len(names) {
				r.assigns(t, names[i], n, n.OriginTextPosition())
			}
			switch {
			case i >= len(out.cols):
				out.cols = append(out.cols, column{value: v})
			default:
				out.cols[i].value = derive(out.cols[i].value, v)
			}
		}
	}
	return out
}

// replaces notes that REPLACE deletes the rows that its own meet.
func (r *run) replaces(t *target, pos int) {
	if t.rel != nil {
		r.acc.table(t.rel, !r.hidden, "delete")
	}
	r.write("delete", displayName(t.item.database, t.item.name), pos)
	r.sideEffects(t, "delete", pos)
	r.orphans(t, nil)
}

func (r *run) onDuplicate(x *ast.InsertStmt, t *target, names []string, source result, pos int) {
	if t.rel != nil {
		r.acc.table(t.rel, !r.hidden, "update")
	}
	r.write("update", displayName(t.item.database, t.item.name), pos)
	restore := r.assigning(x.OnDuplicate)
	r.sideEffects(t, "update", pos)
	restore()
	fresh := &rangeItem{name: t.item.name, unknown: t.item.unknown, scan: -1}
	for _, c := range t.item.cols {
		v := value{}
		for i, n := range names {
			if columnKey(n) == c.key && i < len(source.cols) {
				v = source.cols[i].value.changed()
			}
		}
		fresh.cols = append(fresh.cols, named(c.name, v))
	}
	sc := &scope{parent: r.vars, items: append([]*rangeItem{t.item}, source.items...), fresh: fresh}
	if row := r.text.newRow; row != nil {
		it := &rangeItem{name: row.name, cols: fresh.cols, unknown: fresh.unknown, nameOnly: true, scan: -1}
		if row.columns != nil {
			it.nameOnly, it.cols = false, nil
			for i, name := range row.columns {
				v := value{}
				if i < len(source.cols) {
					v = source.cols[i].value.changed()
				}
				it.cols = append(it.cols, named(name, v))
			}
		}
		sc.items = append(sc.items, it)
	}
	r.assign(x.OnDuplicate, []*target{t}, sc)
}

// assign evaluates a SET list.
func (r *run) assign(list []*ast.Assignment, targets []*target, sc *scope) {
	changed := make(map[*target][]string)
	for _, a := range list {
		pos := a.Column.OriginTextPosition()
		found := false
		for _, t := range targets {
			if a.Column.Table.O != "" && r.cat.fold(a.Column.Table.O) != r.cat.fold(t.item.name) {
				continue
			}
			if len(t.item.column(a.Column.Name.O).cols) == 0 && !t.item.unknown && len(targets) > 1 {
				continue
			}
			found = true
			changed[t] = append(changed[t], a.Column.Name.O)
			r.assigned(t, a.Column.Name.O, true, pos)
			r.assigns(t, a.Column.Name.O, a.Expr, a.Expr.OriginTextPosition())
			r.flow(t, r.expr(a.Expr, sc))
		}
		if !found {
			r.mistake(pos, code(1054, "42S22"), "Unknown column '"+a.Column.OrigColName()+"'", a.Column.OrigColName())
			r.use(r.expr(a.Expr, sc), query.UseWrite)
		}
	}
	for _, t := range targets {
		if len(changed[t]) > 0 {
			r.checked(t, changed[t], false)
			r.orphans(t, changed[t])
		}
	}
}

func (r *run) update(x *ast.UpdateStmt, outer *scope) {
	defer r.assigning(x.List)()
	sc := outer.inner()
	r.with(x.With, sc)
	var targets []*target
	if n, alias, ok := singleTable(x.TableRefs); ok {
		t := r.openTarget(n, alias, "update")
		targets, sc.items = []*target{t}, []*rangeItem{t.item}
	} else {
		sc.items = r.from(x.TableRefs.TableRefs, sc)
		for _, it := range sc.items {
			if it.columnsOnly {
				continue
			}
			t := &target{rel: it.relation, item: it, verb: "update"}
			if !r.assignedTo(x.List, t) {
				continue
			}
			targets = append(targets, t)
			if t.rel == nil {
				r.write("update", it.name, -1)
				continue
			}
			if r.acc.rec != nil {
				r.acc.rec.targets[it.name] = t.rel
			}
			r.write("update", t.rel.Schema+"."+t.rel.Name, -1)
			r.acc.table(t.rel, !r.hidden, "update")
			r.sideEffects(t, "update", -1)
		}
	}
	r.assign(x.List, targets, sc)
	r.where(x.Where, sc)
	if len(targets) != 1 || len(sc.items) > 1 || x.MultipleTable {
		r.firstMatch(x, targets, sc)
	}
	r.changedRows(x.Where, x.Order, x.Limit, sc)
}

// firstMatch notes that an UPDATE of several tables depends on the order of rows:
// a row that has several matches is changed by the first one, and the order in
// which rows change decides about keys that meet.
func (r *run) firstMatch(x *ast.UpdateStmt, targets []*target, sc *scope) {
	c := closure{known: map[dep]bool{}}
	c.conditions(r, x.Where, sc)
	c.joins(r, x.TableRefs.TableRefs, sc)
	unique := false
	for _, t := range targets {
		for i := range t.item.cols {
			c.add(t.item.cols[i].value)
		}
		for _, rel := range r.storage(t.rel) {
			for i := range rel.Indexes {
				unique = unique || rel.Indexes[i].Unique && slices.ContainsFunc(r.indexColumns(rel, &rel.Indexes[i]), func(attr int16) bool {
					u := r.acc.table(rel, false).cols[attr]
					return u != nil && u.uses&query.UseAssign != 0
				})
			}
		}
	}
	if unique || r.acc.loud || r.acc.noisy || !c.determines(sc) {
		r.acc.byOrder = true
	}
}

// changedRows evaluates ORDER BY and LIMIT of a statement that changes rows.
func (r *run) changedRows(where ast.ExprNode, order *ast.OrderByClause, limit *ast.Limit, sc *scope) {
	r.sort(order, nil, sc)
	r.limit(limit, sc)
	if limit == nil && !r.acc.perRow {
		return
	}
	c := closure{known: map[dep]bool{}}
	c.conditions(r, where, sc)
	if order != nil {
		for _, it := range order.Items {
			c.add(r.quietKey(it.Expr, nil, sc))
		}
	}
	if !c.determines(sc) {
		r.acc.byOrder = true // the rows that come first are changed
	}
}

// singleTable is the one table of a statement that names no other.
func singleTable(refs *ast.TableRefsClause) (n *ast.TableName, alias string, ok bool) {
	if refs == nil || refs.TableRefs == nil || refs.TableRefs.Right != nil {
		return nil, "", false
	}
	s, ok := refs.TableRefs.Left.(*ast.TableSource)
	if !ok {
		return nil, "", false
	}
	n, ok = s.Source.(*ast.TableName)
	return n, s.AsName.O, ok
}

// assignedTo says whether a SET list may assign to a target.
func (r *run) assignedTo(list []*ast.Assignment, t *target) bool {
	for _, a := range list {
		if a.Column.Table.O != "" && r.cat.fold(a.Column.Table.O) != r.cat.fold(t.item.name) {
			continue
		}
		if t.item.unknown || len(t.item.column(a.Column.Name.O).cols) > 0 {
			return true
		}
	}
	return false
}

func (r *run) delete(x *ast.DeleteStmt, outer *scope) *target {
	sc := outer.inner()
	r.with(x.With, sc)
	if n, alias, ok := singleTable(x.TableRefs); ok && !x.IsMultiTable {
		t := r.openTarget(n, alias, "delete")
		sc.items = []*rangeItem{t.item}
		r.where(x.Where, sc)
		r.changedRows(x.Where, x.Order, x.Limit, sc)
		r.orphans(t, nil)
		return t
	}
	sc.items = r.from(x.TableRefs.TableRefs, sc)
	r.where(x.Where, sc)
	var tables []*ast.TableName
	if x.Tables != nil {
		tables = x.Tables.Tables
	}
	for _, n := range tables {
		items, _ := r.findItems(&scope{items: sc.items}, "", n.Name.O)
		if len(items) == 0 {
			r.mistake(n.OriginTextPosition(), code(1109, "42S02"), "Unknown table '"+n.Name.O+"' in MULTI DELETE", n.Name.O)
		}
		for _, it := range items {
			if it.relation == nil {
				r.write("delete", n.Name.O, n.OriginTextPosition())
				r.gap(n.OriginTextPosition(), "what a DELETE deletes from is not known")
				continue
			}
			r.write("delete", it.relation.Schema+"."+it.relation.Name, n.OriginTextPosition())
			t := &target{rel: it.relation, item: it, verb: "delete"}
			if r.acc.rec != nil {
				r.acc.rec.targets[it.name] = t.rel
			}
			r.acc.table(t.rel, !r.hidden, "delete")
			r.sideEffects(t, "delete", n.OriginTextPosition())
			r.orphans(t, nil)
		}
	}
	r.acc.byOrder = r.acc.byOrder || r.acc.perRow || r.acc.loud || r.acc.noisy
	return nil
}

// createView evaluates the query of a view that is made.
func (r *run) createView(x *ast.CreateViewStmt) {
	name := displayName(x.ViewName.Schema.O, x.ViewName.Name.O)
	r.shown = x.Select
	out := r.query(x.Select, &scope{})
	for i := range out.cols {
		r.stores(out.cols[i].value, "create view", name, -1)
	}
	r.acc.anyOrder = true
	r.write("create view", name, x.ViewName.OriginTextPosition())
	r.stmt.Kind, r.stmt.Changes = KindDDL, r.stmt.Changes|ChangeCatalog
}

// createSelect evaluates the query of CREATE TABLE … SELECT, and gives the
// columns that it adds.
func (r *run) createSelect(x *ast.CreateTableStmt) []column {
	name := displayName(x.Table.Schema.O, x.Table.Name.O)
	r.shown = x.Select
	out := r.query(x.Select, &scope{})
	for i := range out.cols {
		r.stores(out.cols[i].value, "create table", name, -1)
	}
	r.acc.anyOrder = out.fixed
	if len(x.Constraints) > 0 || slices.ContainsFunc(x.Cols, func(c *ast.ColumnDef) bool { return len(c.Options) > 0 }) {
		for i := range out.cols { // keys and checks fail by what is stored
			r.use(out.cols[i].value, query.UseDistinct)
		}
	}
	return out.cols
}

// createTable is CREATE TABLE … SELECT.
func (r *run) createTable(x *ast.CreateTableStmt) {
	cols := r.createSelect(x)
	var names namedTables
	r.tableOptions(x, &names)
	database := r.databaseOf(x.Table)
	name := displayName(database, x.Table.Name.O)
	r.write("create table", name, x.Table.OriginTextPosition())
	r.stmt.Kind = KindDDL
	if x.TemporaryKeyword == ast.TemporaryNone {
		r.stmt.Changes |= ChangeCatalog | ChangeTemp
		return
	}
	r.stmt.Changes |= ChangeTemp
	rel := &Relation{Schema: database, Name: x.Table.Name.O, Kind: KindTable, Temporary: true}
	if len(x.Cols) == 0 { // else they mix in an order of their own: not known
		for i := range cols {
			c := Column{Name: cols[i].name, Attr: int16(i + 1), Type: cols[i].value.typ, TypeText: cols[i].value.text}
			if c.Name == "" {
				rel.Columns = nil
				break
			}
			rel.Columns = append(rel.Columns, c)
		}
	}
	r.stmt.tables = append(r.stmt.tables, rel)
}
