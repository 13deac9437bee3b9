package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// prepare notes what is prepared. It is analysed and decided when it runs.
func (r *run) prepare(x *pg.PrepareStmt) {
	r.class(query.ClassSession, "PREPARE")
	r.stmt.Kind, r.stmt.Name, r.stmt.Changes = KindPrepare, x.Name, ChangePrepared
	for _, t := range x.Argtypes {
		if typ := r.typeOf(t.GetTypeName()); typ != 0 {
			r.implicitCast(value{typ: typ}, 0, -1)
		}
	}
	r.stmt.Inner = afterAs(r.text[r.stmt.Span.Start:r.stmt.Span.End])
	if r.stmt.Inner == "" {
		r.gap(-1, "the text of the prepared statement was not found")
	}
}

func (r *run) execute(x *pg.ExecuteStmt) {
	r.stmt.Kind, r.stmt.Name = KindExecute, x.Name
	class := r.stmt.Facts.Class
	cols := r.executed(x)
	if r.stmt.Facts.Class == class {
		r.class(query.ClassUnknown, "EXECUTE")
	} else {
		r.stmt.Facts.Verbs = append([]string{"EXECUTE"}, r.stmt.Facts.Verbs...)
	}
	_ = cols
}

// executed analyses the statement behind EXECUTE, in the names of now, and
// gives its columns.
func (r *run) executed(x *pg.ExecuteStmt) []column {
	*r.volatile = true
	for _, p := range x.Params {
		r.use(r.expr(p, &scope{}), query.UseDerived)
	}
	p := r.st.Prepared[x.Name]
	if p == nil || p.SQL == "" || r.prepared[x.Name] {
		r.mistake(-1, "26000", `prepared statement "`+x.Name+`" does not exist`, x.Name)
		r.write("execute", x.Name, -1)
		return nil
	}
	tree, err := parse(p.SQL)
	if err != nil || len(tree.Stmts) != 1 {
		r.gap(-1, "prepared statement "+x.Name+" cannot be read")
		r.write("execute", x.Name, -1)
		return nil
	}
	sub := *r
	sub.text, sub.hidden, sub.arguments = p.SQL, true, x.Params
	sub.prepared = map[string]bool{x.Name: true}
	sub.rec = nil
	for n := range r.prepared {
		sub.prepared[n] = true
	}
	inner := tree.Stmts[0].Stmt
	// Names resolve under the path of now: the server analyses a prepared
	// statement again when the path is not the one of its last analysis.
	kind, name := r.stmt.Kind, r.stmt.Name
	sub.statement(inner)
	r.stmt.Kind, r.stmt.Name = kind, name
	out := make([]column, 0, len(r.stmt.Facts.Output))
	for _, o := range r.stmt.Facts.Output {
		v := value{typ: o.Type}
		for _, ref := range o.Origins {
			v.deps = mergeDeps(v.deps, []dep{{rel: ref.Relation, attr: ref.Attr, pos: -1}})
		}
		out = append(out, column{o.Name, v})
	}
	return out
}

const cursorHold = 0x0020 // CURSOR_OPT_HOLD

// declare analyses a cursor. What it reads is fixed now; FETCH shows it.
func (r *run) declare(x *pg.DeclareCursorStmt) {
	r.class(query.ClassRead, "DECLARE CURSOR")
	r.stmt.Kind, r.stmt.Name, r.stmt.Changes = KindDeclareCursor, x.Portalname, ChangeCursors
	r.stmt.Inner = after(r.text[r.stmt.Span.Start:r.stmt.Span.End], "for")
	cols := r.query(x.Query, &scope{})
	if s := x.Query.GetSelectStmt(); s != nil {
		r.ordered(s, cols)
	}
	r.returns(cols)
	shown := r.stmt.Facts
	r.facts(&shown)
	shown.Verbs, shown.Span = nil, query.Span{}
	r.stmt.cursor = &Cursor{Facts: &shown, Hold: x.Options&cursorHold != 0}
	r.stmt.Facts.Returns, r.stmt.Facts.Output = false, nil
}

func (r *run) fetch(x *pg.FetchStmt) {
	verb := "FETCH"
	if x.Ismove {
		verb = "MOVE"
	}
	*r.volatile = true
	r.class(query.ClassRead, verb)
	r.stmt.Kind, r.stmt.Name = KindFetch, x.Portalname
	c := r.st.Cursors[x.Portalname]
	if c != nil && c.Facts == nil {
		r.gap(-1, `what cursor "`+x.Portalname+`" reads was not seen`)
		r.stmt.Facts.Returns = !x.Ismove
		return
	}
	if c == nil {
		r.mistake(-1, "34000", `cursor "`+x.Portalname+`" does not exist`, x.Portalname)
		r.stmt.Facts.Returns = !x.Ismove
		return
	}
	r.adopt(c.Facts)
	r.stmt.Facts.Class = c.Facts.Class
	if !x.Ismove {
		r.stmt.Facts.Returns, r.stmt.Facts.Output = true, c.Facts.Output
	}
}

// adopt takes over the facts of something that was analysed before.
func (r *run) adopt(f *query.Facts) {
	for i := range f.Tables {
		t := &f.Tables[i]
		rel := r.relationByOID(t.OID)
		if rel == nil {
			r.missing(-1, "relation "+t.Schema+"."+t.Name+" is not known", t.Name)
			continue
		}
		to := r.acc.table(rel, t.Direct, t.Access...)
		for _, c := range t.Columns {
			to.mark(c.Attr, c.Uses, -1)
		}
	}
	for _, fn := range f.Functions {
		fn.Pos = -1
		r.function(fn)
	}
	for _, g := range f.Gaps {
		r.gap(-1, g.Reason)
	}
	for _, w := range f.Writes {
		r.write(w.Kind, w.Object, -1)
	}
}

// currentOf is WHERE CURRENT OF a cursor: the row that the cursor is at.
func (r *run) currentOf(x *pg.CurrentOfExpr) value {
	*r.volatile = true
	c := r.st.Cursors[x.CursorName]
	if c != nil && c.Facts == nil {
		r.gap(-1, `what cursor "`+x.CursorName+`" reads was not seen`)
		return value{typ: oidBool}
	}
	if c == nil {
		r.mistake(-1, "34000", `cursor "`+x.CursorName+`" does not exist`, x.CursorName)
		return value{typ: oidBool}
	}
	for _, g := range c.Facts.Gaps {
		r.gap(-1, g.Reason)
	}
	return value{typ: oidBool}
}
