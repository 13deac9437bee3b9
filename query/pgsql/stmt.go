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
		cols := r.selectStmt(x.SelectStmt, sc)
		r.ordered(x.SelectStmt, cols)
		if !selectsInto(x.SelectStmt) {
			r.returns(cols)
		}
	case *pg.Node_InsertStmt:
		r.class(query.ClassWrite, "INSERT")
		r.returning(x.InsertStmt.ReturningList, r.insert(x.InsertStmt, sc))
		r.settleOrder(true, func(again *run) { again.insert(x.InsertStmt, sc.beside()) })
	case *pg.Node_UpdateStmt:
		r.class(query.ClassWrite, "UPDATE")
		r.returning(x.UpdateStmt.ReturningList, r.update(x.UpdateStmt, sc))
		r.settleOrder(len(x.UpdateStmt.ReturningList) == 0, func(again *run) { again.update(x.UpdateStmt, sc.beside()) })
	case *pg.Node_DeleteStmt:
		r.class(query.ClassWrite, "DELETE")
		r.returning(x.DeleteStmt.ReturningList, r.delete(x.DeleteStmt, sc))
		r.settleOrder(len(x.DeleteStmt.ReturningList) == 0, func(again *run) { again.delete(x.DeleteStmt, sc.beside()) })
	case *pg.Node_MergeStmt:
		r.class(query.ClassWrite, "MERGE")
		r.returning(x.MergeStmt.ReturningList, r.merge(x.MergeStmt, sc))
	default:
		r.utility(n)
	}
	r.strengthen()
	r.firesEventTriggers()
	r.unsettled(n)
}

// selectsInto reports SELECT INTO, which a set operation has in its first part.
func selectsInto(s *pg.SelectStmt) bool {
	for ; s != nil; s = s.Larg {
		if s.IntoClause != nil {
			return true
		}
	}
	return false
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
			if f.Class == query.ClassRead || f.Class == query.ClassSession {
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

// stores notes that a value flows into a place.
func (r *run) stores(v value, kind, object string, pos int32) {
	r.use(v, query.UseWrite)
	if len(v.deps) > 0 {
		r.move(kind, object, pos)
	}
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
