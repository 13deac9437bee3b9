package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// A target is the relation that a statement changes.
type target struct {
	rel  *Relation
	item *rangeItem
	verb string // lower case
}

// openTarget resolves what a statement changes; nil if it is not known.
func (r *run) openTarget(v *pg.RangeVar, verb string) *target {
	kind := lowerASCII(verb)
	r.write(kind, displayName(v.GetSchemaname(), v.GetRelname()), v.GetLocation())
	if v == nil {
		return nil
	}
	t := &target{verb: kind}
	rel := r.resolveRelation(v)
	if rel == nil {
		t.item = &rangeItem{name: v.Relname, unknown: true}
		if v.Alias != nil {
			t.item.name = v.Alias.Aliasname
		}
		return t
	}
	t.rel = rel
	r.guard.relation(rel, v)
	if kind == "merge" {
		kind = "update"
	}
	r.acc.table(rel, !r.hidden, kind)
	t.item = r.readRelation(rel, v.Location)
	t.item.name = v.Relname
	if v.Alias == nil {
		t.item.schema = rel.Schema
	}
	t.item = t.item.rename(v.Alias)
	r.sideEffects(t, kind, v.Location)
	return t
}

// sideEffects reports code that runs when the target changes: triggers and
// rules of every relation that stores it. Errors of a write quote whole rows.
func (r *run) sideEffects(t *target, access string, pos int32) {
	for _, rel := range r.storage(t) {
		name := rel.Schema + "." + rel.Name
		stored := r.acc.table(rel, false)
		stored.whole()
		r.generates(rel, pos)
		if rel != t.rel {
			r.acc.table(rel, false, access)
		}
		if rel.Triggers {
			r.gap(pos, "triggers of "+name+" run code")
		}
		if rel.Rules {
			r.gap(pos, "rules of "+name+" rewrite the statement")
		}
	}
}

// assigned notes that a column of the target is written.
func (r *run) assigned(t *target, name string, pos int32) {
	m := t.item.column(name)
	if t.rel != nil {
		// An alias with column names does not rename targets.
		m = nil
		for i := range t.rel.Columns {
			if t.rel.Columns[i].Name == name && i < len(t.item.cols) {
				m = append(m, t.item.cols[i].value)
				r.domainChecks(t.rel.Columns[i].Type, pos)
			}
		}
	}
	if len(m) == 0 && !t.item.unknown {
		r.mistake(pos, "42703", `column "`+name+`" of relation "`+t.item.name+`" does not exist`, name)
	}
	for _, v := range m {
		r.use(v.at(r.here(pos), false), query.UseAssign)
	}
}

// flow notes that a value is stored in the target.
func (r *run) flow(t *target, v value) {
	r.implicitCast(v, 0, -1)
	r.use(v, query.UseWrite)
	if len(v.deps) > 0 && t.rel != nil {
		r.move(t.verb, t.rel.Schema+"."+t.rel.Name, -1)
	}
}

// storage lists the relations that hold what the target shows: itself, the
// tables behind a view, and their partitions and children.
func (r *run) storage(t *target) []*Relation {
	var out []*Relation
	var add func(rel *Relation)
	add = func(rel *Relation) {
		if rel == nil || slices.Contains(out, rel) {
			return
		}
		out = append(out, rel)
		for _, c := range rel.Children {
			add(r.relationByOID(c))
		}
		if rel.Kind == 'v' {
			for _, u := range r.view(rel).acc.order {
				add(u.rel)
			}
		}
	}
	add(t.rel)
	return out
}

// storedAs are the columns of a relation that a column of the target stands for.
func (r *run) storedAs(t *target, rel *Relation, columns []string) []int16 {
	var out []int16
	for _, name := range columns {
		if own := rel.Column(name); own != nil && t.rel.Kind != 'v' {
			out = append(out, own.Attr)
			continue
		}
		for i := range t.rel.Columns {
			if t.rel.Columns[i].Name != name || i >= len(t.item.cols) {
				continue
			}
			for _, d := range t.item.cols[i].value.deps {
				if base := r.relationByOID(d.rel); base == rel {
					out = append(out, d.attr)
				} else if base != nil && base.attribute(d.attr) != nil {
					if own := rel.Column(base.attribute(d.attr).Name); own != nil {
						out = append(out, own.Attr)
					}
				}
			}
		}
	}
	return out
}

// checks evaluates the constraints that new values of some columns are held
// to. An insert brings the whole row; an update reads the columns that it
// leaves alone. Foreign keys tell whether the other table has a value, unique
// indexes and exclusions what the other rows have.
func (r *run) checks(t *target, columns []string, whole bool) {
	if t.rel == nil {
		return
	}
	for _, rel := range r.storage(t) {
		attrs := r.storedAs(t, rel, columns)
		changed := attrs
		if !whole {
			changed = append(slices.Clone(attrs), r.recomputed(rel, attrs)...)
		}
		r.unique(rel, changed, whole)
		if len(rel.Conditions) > 0 {
			r.check(rel, attrs, changed, whole)
		}
	}
}

// recomputed are the generated columns that an update of attrs computes again.
// Where that can fail, it tells of the columns that the update leaves alone.
func (r *run) recomputed(rel *Relation, attrs []int16) []int16 {
	var out []int16
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Generated == "" {
			continue
		}
		deps := r.storedColumns(rel, c.Generated)
		if !slices.ContainsFunc(deps, func(a int16) bool { return slices.Contains(attrs, a) }) {
			continue
		}
		out = append(out, c.Attr)
		sub := r.nested(rel.Owner)
		sub.acc, sub.rec = newAccumulator(), newRecording()
		if _, ok := sub.stored(rel, c.Generated); ok && sub.rec.loud == "" {
			continue // it cannot fail
		}
		for _, a := range deps {
			if !slices.Contains(attrs, a) {
				r.mark(rel.OID, a, query.UseFilter, -1)
			}
		}
	}
	return out
}

// check evaluates the constraints that read what changed: attrs, which the
// statement gives, and what is computed from them.
func (r *run) check(rel *Relation, attrs, changed []int16, whole bool) {
	lists := r.conditions(rel)
	for i, c := range rel.Conditions {
		touched := whole && !strings.HasPrefix(c, foreignKey) ||
			slices.ContainsFunc(lists[i], func(a int16) bool { return slices.Contains(changed, a) })
		if !touched {
			continue
		}
		sub := r.nested(rel.Owner)
		sub.pending = false
		v, ok := sub.stored(rel, c)
		if !ok {
			r.gap(-1, "a constraint of "+rel.Schema+"."+rel.Name+" could not be read")
			continue
		}
		switch {
		case strings.HasPrefix(c, exclusion):
		case whole && !strings.HasPrefix(c, foreignKey):
			v.deps = withoutRelation(v.deps, rel.OID)
		default: // the new values are the statement's own
			v.deps = slices.DeleteFunc(slices.Clone(v.deps), func(d dep) bool { return d.rel == rel.OID && slices.Contains(attrs, d.attr) })
		}
		sub.use(v, query.UseFilter)
	}
}

// defaults evaluates the default expressions that an insert may run. Those
// that call nothing, and those of serial columns, are told by their text.
func (r *run) defaults(t *target) {
	if t.rel == nil {
		return
	}
	for _, rel := range r.storage(t) {
		for _, c := range rel.Columns {
			if !strings.Contains(c.Default, "(") || strings.HasPrefix(c.Default, "nextval('") {
				continue
			}
			sub := r.nested(rel.Owner)
			sub.pending = false
			v, ok := sub.stored(rel, c.Default)
			if !ok {
				r.gap(-1, "the default of column "+c.Name+" could not be read")
			}
			sub.use(v, query.UseWrite)
		}
	}
}

func (r *run) insert(x *pg.InsertStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(x.WithClause, sc)
	t := r.openTarget(x.Relation, "INSERT")
	if t == nil {
		return nil
	}
	r.rec.writing(x.Relation, t, x)
	names := make([]string, 0, 8)
	for _, n := range x.Cols {
		c := n.GetResTarget()
		names = append(names, c.GetName())
		r.assigned(t, c.GetName(), c.GetLocation())
		r.partly(t, c)
		r.all(c.GetIndirection(), sc)
	}
	if len(x.Cols) == 0 && t.rel != nil {
		for _, c := range t.rel.Columns {
			names = append(names, c.Name)
			if c.Generated == "" {
				r.assigned(t, c.Name, x.Relation.Location)
			}
		}
	}
	source := r.query(x.SelectStmt, sc)
	if s := x.SelectStmt.GetSelectStmt(); s != nil && len(s.ValuesLists) == 0 {
		r.acc.byOrder = true // rows are stored, and numbered, as they come
	}
	for _, c := range source {
		r.flow(t, c.value)
	}
	r.insertedValues(t, names, x.SelectStmt.GetSelectStmt(), x.Relation.Location)
	r.defaults(t)
	r.checks(t, names, true)
	if x.OnConflictClause != nil {
		r.onConflict(x.OnConflictClause, t, names, source, sc)
	}
	return r.returned(x.ReturningList, t, nil, sc)
}

func (r *run) onConflict(x *pg.OnConflictClause, t *target, names []string, source []column, sc *scope) {
	on := sc.beside()
	on.items = []*rangeItem{t.item}
	if x.Infer != nil {
		for _, n := range x.Infer.IndexElems {
			r.use(r.indexElem(n.GetIndexElem(), on), query.UseFilter)
		}
		r.use(r.expr(x.Infer.WhereClause, on), query.UseFilter)
	}
	if x.Action != pg.OnConflictAction_ONCONFLICT_UPDATE {
		return
	}
	excluded := &rangeItem{name: "excluded", nameOnly: true, unknown: t.item.unknown}
	if t.rel != nil {
		r.acc.table(t.rel, !r.hidden, "update")
		for _, c := range t.rel.Columns {
			v := value{typ: c.Type}
			for i, n := range names {
				if n == c.Name && i < len(source) {
					v = source[i].value.changed().typed(c.Type)
				}
			}
			excluded.cols = append(excluded.cols, column{c.Name, v})
		}
	}
	on.items = append(on.items, excluded)
	r.assign(x.TargetList, t, on)
	r.use(r.expr(x.WhereClause, on), query.UseFilter)
}

// assign evaluates SET lists.
func (r *run) assign(list []*pg.Node, t *target, sc *scope) {
	var changed []string
	for _, n := range list {
		x := n.GetResTarget()
		changed = append(changed, x.GetName())
		r.assigned(t, x.GetName(), x.GetLocation())
		r.partly(t, x)
		r.assigns(t, x.GetName(), setValue(x), location(setValue(x), x.GetLocation()))
		r.use(r.indirection(value{}, subscripts(x.GetIndirection()), sc), query.UseWrite)
		if m := x.GetVal().GetMultiAssignRef(); m != nil && m.Colno > 1 {
			continue
		}
		if x.GetVal().GetSetToDefault() != nil {
			r.defaults(t)
			continue
		}
		r.flow(t, r.expr(x.GetVal(), sc))
	}
	r.checks(t, changed, false)
	r.orphans(t, changed)
}

// partly notes that a column is assigned in part, by a field or a subscript:
// the new value is made of the old one.
func (r *run) partly(t *target, x *pg.ResTarget) {
	if len(x.GetIndirection()) == 0 {
		return
	}
	for _, v := range t.item.column(x.GetName()) {
		r.use(v.at(r.here(x.GetLocation()), false), query.UseWrite)
	}
}

func subscripts(steps []*pg.Node) []*pg.Node {
	var out []*pg.Node
	for _, s := range steps {
		if s.GetAIndices() != nil {
			out = append(out, s)
		}
	}
	return out
}

func (r *run) update(x *pg.UpdateStmt, outer *scope) []column {
	sc := outer.inner()
	before := len(r.acc.scattered)
	r.with(x.WithClause, sc)
	read := len(r.acc.scattered) > before
	t := r.openTarget(x.Relation, "UPDATE")
	if t == nil {
		return nil
	}
	before = len(r.acc.scattered)
	defer func() {
		// New rows are stored as they come, and of several only the first counts.
		r.acc.byOrder = r.acc.byOrder || read || len(r.acc.scattered) > before
	}()
	r.rec.writing(x.Relation, t, x)
	for _, f := range x.FromClause {
		sc.items = append(sc.items, r.from(f, sc)...)
	}
	r.carried(sc.items)
	sc.items = append([]*rangeItem{t.item}, sc.items...)
	r.rec.level(sc.items)
	late := r.rec.afterConditions(0)
	r.assign(x.TargetList, t, sc)
	r.rec.done(late)
	r.use(r.expr(x.WhereClause, sc), query.UseFilter)
	return r.returned(x.ReturningList, t, sc.items[1:], sc)
}

func (r *run) delete(x *pg.DeleteStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(x.WithClause, sc)
	t := r.openTarget(x.Relation, "DELETE")
	if t == nil {
		return nil
	}
	r.rec.writing(x.Relation, t, x)
	for _, f := range x.UsingClause {
		sc.items = append(sc.items, r.from(f, sc)...)
	}
	r.carried(sc.items)
	sc.items = append([]*rangeItem{t.item}, sc.items...)
	r.rec.level(sc.items)
	r.use(r.expr(x.WhereClause, sc), query.UseFilter)
	r.orphans(t, nil)
	return r.returned(x.ReturningList, t, sc.items[1:], sc)
}

func (r *run) merge(x *pg.MergeStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(x.WithClause, sc)
	r.acc.byOrder = true // new rows are stored as they come
	t := r.openTarget(x.Relation, "MERGE")
	if t == nil {
		return nil
	}
	r.rec.writing(x.Relation, t, x)
	source := r.from(x.SourceRelation, sc)
	r.carried(source)
	markNullable(pg.JoinType_JOIN_FULL, nil, source)
	sc.items = append([]*rangeItem{t.item}, source...)
	r.rec.level(sc.items)
	r.use(r.expr(x.JoinCondition, sc), query.UseJoin)
	for _, n := range x.MergeWhenClauses {
		w := n.GetMergeWhenClause()
		r.use(r.expr(w.GetCondition(), sc), query.UseFilter)
		switch w.GetCommandType() {
		case pg.CmdType_CMD_INSERT:
			if t.rel != nil {
				r.acc.table(t.rel, !r.hidden, "insert")
			}
			r.mergeInsert(w, t, sc)
		case pg.CmdType_CMD_UPDATE:
			r.assign(w.TargetList, t, sc)
		case pg.CmdType_CMD_DELETE:
			if t.rel != nil {
				r.acc.table(t.rel, !r.hidden, "delete")
			}
			r.orphans(t, nil)
		}
	}
	// RETURNING * of MERGE shows the source's columns before the target's.
	return r.returned(x.ReturningList, t, source, sc)
}

func (r *run) mergeInsert(w *pg.MergeWhenClause, t *target, sc *scope) {
	var names []string
	for _, n := range w.TargetList {
		names = append(names, n.GetResTarget().GetName())
		r.assigned(t, n.GetResTarget().GetName(), n.GetResTarget().GetLocation())
	}
	if len(w.TargetList) == 0 && t.rel != nil {
		for _, c := range t.rel.Columns {
			names = append(names, c.Name)
			r.assigned(t, c.Name, -1)
		}
	}
	for i, v := range w.Values {
		r.flow(t, r.expr(v, sc))
		if i < len(names) {
			r.assigns(t, names[i], v, location(v, -1))
		}
	}
	r.defaults(t)
	r.checks(t, names, true)
}

// returned evaluates RETURNING. From PostgreSQL 18 on, old and new are the
// row before and after, unless something else has that name.
func (r *run) returned(list []*pg.Node, t *target, others []*rangeItem, sc *scope) []column {
	if len(list) == 0 {
		return nil
	}
	defer r.rec.done(r.rec.afterConditions(0))
	ret := sc.beside()
	if t.verb == "merge" {
		ret.items = append(append(ret.items, others...), t.item)
	} else {
		ret.items = append(append(ret.items, t.item), others...)
	}
	if r.cat.ServerVersion >= 180000 || r.cat.ServerVersion == 0 {
		for _, name := range []string{"old", "new"} {
			taken := false
			for _, it := range ret.items {
				taken = taken || it.name == name
			}
			if !taken {
				row := *t.item
				row.name, row.schema, row.nameOnly = name, "", true
				ret.items = append(ret.items, &row)
			}
		}
	}
	return r.targets(list, ret)
}
