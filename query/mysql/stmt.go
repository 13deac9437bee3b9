package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// analyze reads the statement and analyses it.
func (r *run) analyze() {
	t := r.text
	if r.st.Stale {
		r.gap(-1, "the session's settings are not known at this point")
	}
	if t.hints {
		r.gap(-1, "an optimizer hint sets variables")
	}
	t.print(0, len(t.tokens), nil)
	n, terr := parse(t.sql, t.mode)
	if terr != nil {
		r.unread(terr)
		return
	}
	r.statement(n)
}

// unread is a statement that cannot be read.
func (r *run) unread(terr *TextError) {
	r.stmt.Class, r.stmt.Changes = query.ClassUnknown, ChangeUnknown
	r.mistake(-1, code(terr.Number, terr.SQLState), terr.Message, "")
	r.write("unknown", "", -1)
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
