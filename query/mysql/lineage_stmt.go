package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// plan analyses SELECT, set operations, INSERT, REPLACE, UPDATE, DELETE, CREATE
// VIEW and CREATE TABLE … SELECT; false for everything else.
func (r *run) plan(n ast.StmtNode) bool {
	sc := r.top()
	switch x := n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt:
		r.class(query.ClassRead, "SELECT")
		r.shown = x
		out := r.query(x, sc)
		r.acc.anyOrder = out.fixed
		if !r.acc.into {
			r.returns(out.cols)
		}
	case *ast.InsertStmt:
		verb := "INSERT"
		if x.IsReplace {
			verb = "REPLACE"
		}
		r.class(query.ClassWrite, verb)
		r.insert(x, sc)
		r.acc.anyOrder = true
	case *ast.UpdateStmt:
		r.class(query.ClassWrite, "UPDATE")
		r.update(x, sc)
		r.acc.anyOrder = true
	case *ast.DeleteStmt:
		r.class(query.ClassWrite, "DELETE")
		r.delete(x, sc)
		r.acc.anyOrder = true
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
