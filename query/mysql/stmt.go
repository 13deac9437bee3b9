package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// analyze reads the statement and analyses it.
func (r *run) analyze() {
	n, terr := r.text.parse(r.st)
	if terr != nil {
		r.stmt.Class, r.stmt.Changes = query.ClassUnknown, ChangeUnknown
		r.mistake(terr.Pos, code(terr.Number, terr.SQLState), terr.Message, "")
		r.write("unknown", "", -1)
		return
	}
	r.statement(n)
}

// statement analyses what the grammar read: one that has a plan by its
// lineage, every other one by utility.
func (r *run) statement(n ast.StmtNode) {
	if r.plan(n) {
		return
	}
	r.gap(-1, "statements of this kind are not known")
}

func (r *run) class(c query.Class, verb string) {
	f := &r.stmt.Facts
	f.Class = c
	f.Verbs = append(f.Verbs, verb)
}
