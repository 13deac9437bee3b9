package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// plan analyses SELECT, set operations, INSERT, REPLACE, UPDATE, DELETE, CREATE
// VIEW and CREATE TABLE … SELECT; false for everything else.
func (r *run) plan(n ast.StmtNode) bool {
	sc := &scope{}
	switch x := n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
		r.class(query.ClassRead, "SELECT")
		out := r.query(x, sc)
		r.acc.anyOrder = out.fixed
		switch {
		case len(r.acc.variables) > 0:
			r.intoVariables(out.cols)
		case !r.acc.into:
			r.returns(out.cols)
		}
	case *ast.InsertStmt:
		verb := "INSERT"
		if x.IsReplace {
			verb = "REPLACE"
		}
		r.class(query.ClassWrite, verb)
		r.returned(r.insert(x, sc))
	case *ast.UpdateStmt:
		r.class(query.ClassWrite, "UPDATE")
		r.update(x, sc)
		r.acc.anyOrder = true
	case *ast.DeleteStmt:
		r.class(query.ClassWrite, "DELETE")
		r.returned(r.delete(x, sc))
	case *ast.CreateViewStmt:
		r.class(query.ClassDDL, "CREATE VIEW")
		r.createView(x)
	case *ast.CreateTableStmt:
		if x.Select == nil {
			return false
		}
		r.class(query.ClassDDL, "CREATE TABLE")
		r.createTable(x)
	default:
		return false
	}
	r.strengthen()
	return true
}

// intoVariables is SELECT … INTO @a, @b.
func (r *run) intoVariables(cols []column) {
	if len(cols) != len(r.acc.variables) {
		r.mistake(-1, code(1222, "21000"), "The used SELECT statements have a different number of columns", "")
	}
	for i := range cols {
		name := ""
		if i < len(r.acc.variables) {
			name = "@" + r.acc.variables[i]
		}
		r.stores(cols[i].value, "set", name, -1)
	}
	r.stmt.Changes |= ChangeVariables
}

// returned evaluates RETURNING.
func (r *run) returned(t *target) {
	list := r.acc.returning
	r.acc.anyOrder = list == nil
	switch {
	case list == nil:
	case t == nil:
		r.gap(-1, "RETURNING of several tables is not known")
	default:
		r.returns(r.fields(list, &scope{items: []*rangeItem{t.item}}))
	}
}

// strengthen makes a read that does more the class of what it does.
func (r *run) strengthen() {
	f := &r.stmt.Facts
	if f.Class != query.ClassRead {
		return
	}
	for _, w := range r.acc.writes {
		switch w.Kind {
		case "row lock", "sequence", "file":
			f.Class = query.ClassWrite
		case "function":
			if f.Class == query.ClassRead && strings.Contains(w.Object, ".") {
				f.Class = query.ClassCall
			}
		}
	}
}
