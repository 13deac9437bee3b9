package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// statement analyses one statement of a text.
func (r *run) statement(n *pg.Node) {
	f := &r.stmt.Facts
	if n == nil || n.Node == nil {
		r.gap(-1, "the statement is empty")
		f.Class = query.ClassUnknown
		return
	}
	sc := &scope{}
	switch x := n.Node.(type) {
	case *pg.Node_SelectStmt:
		r.class(query.ClassRead, "SELECT")
		r.returns(r.selectStmt(x.SelectStmt, sc))
	case *pg.Node_InsertStmt:
		r.class(query.ClassWrite, "INSERT")
		r.returning(x.InsertStmt.ReturningList, r.insert(x.InsertStmt, sc))
	case *pg.Node_UpdateStmt:
		r.class(query.ClassWrite, "UPDATE")
		r.returning(x.UpdateStmt.ReturningList, r.update(x.UpdateStmt, sc))
	case *pg.Node_DeleteStmt:
		r.class(query.ClassWrite, "DELETE")
		r.returning(x.DeleteStmt.ReturningList, r.delete(x.DeleteStmt, sc))
	case *pg.Node_MergeStmt:
		r.class(query.ClassWrite, "MERGE")
		r.returning(x.MergeStmt.ReturningList, r.merge(x.MergeStmt, sc))
	default:
		r.utility(n)
	}
	r.strengthen()
}

func (r *run) class(c query.Class, verb string) {
	f := &r.stmt.Facts
	f.Class = c
	f.Verbs = append(f.Verbs, verb)
}

// strengthen makes a read that does more the class of what it does.
func (r *run) strengthen() {
	f := &r.stmt.Facts
	if f.Class != query.ClassRead {
		return
	}
	for _, w := range r.acc.writes {
		switch w.Kind {
		case "insert", "update", "delete", "merge":
			f.Class = query.ClassWrite
			if verb := strings.ToUpper(w.Kind); !slices.Contains(f.Verbs, verb) {
				f.Verbs = append(f.Verbs, verb)
			}
		case "select into":
			f.Class = query.ClassDDL
		case "row lock":
			f.Class = query.ClassWrite
		case "function":
			if f.Class == query.ClassRead {
				f.Class = query.ClassCall
			}
		case "set":
			if f.Class == query.ClassRead {
				f.Class = query.ClassSession
			}
		}
	}
}

// returns makes columns the statement's result.
func (r *run) returns(cols []column) {
	f := &r.stmt.Facts
	f.Returns = true
	f.Output = make([]query.Output, 0, len(cols))
	for _, c := range cols {
		r.emit(c.value)
		f.Output = append(f.Output, r.output(c))
	}
}

func (r *run) returning(list []*pg.Node, cols []column) {
	if len(list) > 0 {
		r.returns(cols)
	}
}

// plainResult is a result without lineage, of the server's own making.
func (r *run) plainResult(names ...string) {
	f := &r.stmt.Facts
	f.Returns = true
	f.Output = nil
	for _, n := range names {
		f.Output = append(f.Output, query.Output{Name: n, Type: oidText})
	}
}

// target resolves the relation that a statement writes to.
func (r *run) targetRelation(v *pg.RangeVar, access string) *rangeItem {
	name := displayName(v.GetSchemaname(), v.GetRelname())
	r.write(access, name, v.GetLocation())
	rel := r.resolveRelation(v)
	if rel == nil {
		return (&rangeItem{name: v.Relname, unknown: true}).rename(v.Alias)
	}
	r.acc.table(rel, !r.hidden, access)
	if rel.Rules && rel.Kind != 'v' {
		r.gap(v.Location, "relation "+name+" has rewrite rules")
	}
	item := r.readRelation(rel, v.Location)
	item.name = v.Relname
	if v.Alias == nil {
		item.schema = rel.Schema
	}
	return item.rename(v.Alias)
}

// stores notes that a value flows into a place.
func (r *run) stores(v value, kind, object string, pos int32) {
	r.use(v, query.UseWrite)
	if len(v.deps) > 0 {
		r.move(kind, object, pos)
	}
}

func (r *run) insert(s *pg.InsertStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(s.WithClause, sc)
	target := r.targetRelation(s.Relation, "insert")
	name := displayName(s.Relation.GetSchemaname(), s.Relation.GetRelname())
	if s.SelectStmt != nil {
		for _, c := range r.query(s.SelectStmt, sc) {
			r.stores(c.value, "insert", name, s.Relation.GetLocation())
		}
	}
	r.assigned(s.Cols, sc)
	if target.relation != nil {
		r.generatedDefaults(target.relation)
	}
	in := sc.beside()
	in.items = []*rangeItem{target}
	if oc := s.OnConflictClause; oc != nil {
		excluded := *target
		excluded.name, excluded.schema = "excluded", ""
		both := sc.beside()
		both.items = []*rangeItem{target, {name: "excluded", cols: excluded.cols, relation: excluded.relation, unknown: excluded.unknown, nameOnly: true}}
		if oc.Infer != nil {
			for _, e := range oc.Infer.IndexElems {
				r.use(r.indexElem(e.GetIndexElem(), in), query.UseFilter)
			}
			r.use(r.expr(oc.Infer.WhereClause, in), query.UseFilter)
		}
		if oc.Action == pg.OnConflictAction_ONCONFLICT_UPDATE {
			r.write("update", name, s.Relation.GetLocation())
			if target.relation != nil {
				r.acc.table(target.relation, !r.hidden, "update")
			}
			r.assign(oc.TargetList, both, name)
			r.use(r.expr(oc.WhereClause, both), query.UseFilter)
		}
	}
	return r.returned(s.ReturningList, in, target)
}

// assigned evaluates the subscripts of assignment targets.
func (r *run) assigned(targets []*pg.Node, sc *scope) {
	for _, n := range targets {
		for _, step := range n.GetResTarget().GetIndirection() {
			if ix := step.GetAIndices(); ix != nil {
				r.use(derive(r.expr(ix.Lidx, sc), r.expr(ix.Uidx, sc)), query.UseWrite)
			}
		}
	}
}

// generatedDefaults evaluates defaults that call functions.
func (r *run) generatedDefaults(rel *Relation) {
	for i := range rel.Columns {
		d := rel.Columns[i].Default
		if d == "" || strings.HasPrefix(d, "nextval(") {
			continue
		}
		sub := r.nested(rel.Owner)
		sub.pending = false
		if _, ok := sub.stored(rel, d); !ok {
			r.gap(-1, "the default of column "+rel.Columns[i].Name+" could not be read")
		}
	}
}

// assign evaluates the assignments of SET.
func (r *run) assign(list []*pg.Node, sc *scope, object string) {
	r.assigned(list, sc)
	for _, n := range list {
		t := n.GetResTarget()
		r.stores(r.expr(t.GetVal(), sc), "update", object, t.GetLocation())
	}
}

// returned evaluates RETURNING. In PostgreSQL 18 old and new are the row
// before and after.
func (r *run) returned(list []*pg.Node, sc *scope, target *rangeItem) []column {
	if len(list) == 0 {
		return nil
	}
	in := *sc
	for _, name := range []string{"old", "new"} {
		if it, _ := in.findItem("", name); it == nil {
			in.items = append(in.items[:len(in.items):len(in.items)],
				&rangeItem{name: name, cols: target.cols, relation: target.relation, unknown: target.unknown, nameOnly: true})
		}
	}
	return r.targets(list, &in)
}

func (r *run) update(s *pg.UpdateStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(s.WithClause, sc)
	target := r.targetRelation(s.Relation, "update")
	sc.items = append(sc.items, target)
	for _, n := range s.FromClause {
		sc.items = append(sc.items, r.from(n, sc)...)
	}
	r.use(r.expr(s.WhereClause, sc), query.UseFilter)
	r.assign(s.TargetList, sc, displayName(s.Relation.GetSchemaname(), s.Relation.GetRelname()))
	return r.returned(s.ReturningList, sc, target)
}

func (r *run) delete(s *pg.DeleteStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(s.WithClause, sc)
	target := r.targetRelation(s.Relation, "delete")
	sc.items = append(sc.items, target)
	for _, n := range s.UsingClause {
		sc.items = append(sc.items, r.from(n, sc)...)
	}
	r.use(r.expr(s.WhereClause, sc), query.UseFilter)
	return r.returned(s.ReturningList, sc, target)
}

func (r *run) merge(s *pg.MergeStmt, outer *scope) []column {
	sc := outer.inner()
	r.with(s.WithClause, sc)
	target := r.targetRelation(s.Relation, "merge")
	name := displayName(s.Relation.GetSchemaname(), s.Relation.GetRelname())
	source := r.from(s.SourceRelation, sc)
	sc.items = append(append(sc.items, target), source...)
	r.use(r.expr(s.JoinCondition, sc), query.UseJoin)
	for _, n := range s.MergeWhenClauses {
		w := n.GetMergeWhenClause()
		r.use(r.expr(w.GetCondition(), sc), query.UseFilter)
		access := map[pg.CmdType]string{pg.CmdType_CMD_INSERT: "insert", pg.CmdType_CMD_UPDATE: "update", pg.CmdType_CMD_DELETE: "delete"}[w.GetCommandType()]
		if access != "" {
			r.write(access, name, s.Relation.GetLocation())
			if target.relation != nil {
				r.acc.table(target.relation, !r.hidden, access)
			}
		}
		r.assign(w.GetTargetList(), sc, name)
		for _, v := range w.GetValues() {
			r.stores(r.expr(v, sc), "insert", name, s.Relation.GetLocation())
		}
	}
	return r.returned(s.ReturningList, sc, target)
}

// intoTable notes that a query's rows become a table.
func (r *run) intoTable(into *pg.IntoClause, cols []column, kind string) {
	v := into.GetRel()
	name := displayName(v.GetSchemaname(), v.GetRelname())
	for _, c := range cols {
		r.stores(c.value, kind, name, v.GetLocation())
	}
	r.write(kind, name, v.GetLocation())
	r.stmt.Changes |= tableChange(v)
}

func tableChange(v *pg.RangeVar) Change {
	if v.GetRelpersistence() == "t" || v.GetSchemaname() == "pg_temp" {
		return ChangeTemp
	}
	return ChangeCatalog | ChangeTemp
}
