package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// analyze analyses the statement.
func (r *run) analyze() {
	t := r.text
	if r.st.Stale {
		r.gap(-1, "the session's settings are not known at this point")
	}
	if t.hints {
		r.gap(-1, "an optimizer hint sets variables")
	}
	for i, tok := range t.tokens {
		if tok.kind != tokenSystem {
			continue
		}
		switch _, name := systemName(t.raw(i)); name {
		case "warning_count", "error_count":
			r.stmt.Messages = true
		}
	}
	r.stmt.Parameters = t.parameters()
	r.command(0)
}

func (t *text) parameters() int {
	n := 0
	for _, tok := range t.tokens {
		if tok.kind == tokenParam {
			n++
		}
	}
	return n
}

// end is the number of the statement's tokens.
func (r *run) end() int { return len(r.text.tokens) }

// command analyses the statement that begins at a token: the whole one, or the
// one inside EXPLAIN and the like.
func (r *run) command(at int) {
	t := r.text
	if r.inside++; r.inside > maxNested {
		r.unread(complexError("statements in one another", -1))
		return
	}
	switch t.word(at) {
	case "select", "with", "values", "table":
		r.planned(at)
	case "insert", "replace", "update", "delete":
		r.changing(at)
	case "set":
		r.set(at)
	case "show":
		r.show(at)
	case "explain", "describe", "desc":
		r.explain(at)
	case "analyze":
		r.analyzing(at)
	case "prepare", "execute", "deallocate":
		r.preparing(at)
	case "begin", "start", "commit", "rollback", "savepoint", "release":
		r.transaction(at)
	case "create", "alter", "drop", "rename", "truncate":
		r.definition(at)
	case "grant", "revoke":
		r.rights(at, strings.ToUpper(t.word(at)))
	default:
		if t.is(at, "(") {
			r.planned(at)
			return
		}
		r.utility(at)
	}
}

// grammar has the grammar read the tokens from one up to another. If it cannot,
// the statement has a gap and it gives nil.
func (r *run) grammar(from, to int, edits []edit) ast.StmtNode {
	n, terr := parse(r.text.print(from, to, edits), r.text.mode)
	if terr != nil {
		r.unread(terr)
		return nil
	}
	r.acc.byOrder = r.acc.byOrder || r.text.examined
	return n
}

// unread is a statement that cannot be read.
func (r *run) unread(terr *TextError) {
	if r.stmt.Class == "" {
		r.stmt.Class = query.ClassUnknown
	}
	r.stmt.Changes |= ChangeUnknown
	r.mistake(-1, code(terr.Number, terr.SQLState), terr.Message, "")
	r.write("unknown", "", -1)
}

// planned analyses a query.
func (r *run) planned(at int) {
	edits, into := r.text.variablesOf(at)
	n := r.grammar(at, r.end(), edits)
	if n == nil {
		return
	}
	if into == nil {
		r.statement(n)
		return
	}
	r.class(query.ClassRead, "SELECT")
	r.shown = n
	out := r.query(n, &scope{})
	r.acc.anyOrder, r.acc.into = out.fixed, true
	for i := range out.cols {
		name := "?"
		if i < len(into) {
			name = into[i]
		}
		r.stores(out.cols[i].value, "set", name, -1)
	}
	if !out.fixed { // the last of several rows is what is kept
		r.acc.byOrder = true
	}
	if into[0] == "file" {
		r.write("file", "", -1)
		r.gap(-1, "the result is written to a file of the server")
	} else {
		r.stmt.Changes |= ChangeVariables
	}
	r.strengthen()
}

// variablesOf finds INTO @a, @b and INTO DUMPFILE, which the grammar does not
// read, and the edit that takes them out. The names are those of the variables.
func (t *text) variablesOf(at int) (edits []edit, into []string) {
	depth := 0
	for i := at; i < len(t.tokens); i++ {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth > 0 || t.word(i) != "into" || t.is(i-1, "."):
		case t.word(i+1) == "dumpfile" && t.tokens[min(i+2, len(t.tokens)-1)].kind == tokenString:
			return []edit{{i, i + 3, ""}}, []string{"file"}
		default:
			j := i + 1
			for {
				name, ok := t.variable(j)
				if !ok {
					return nil, nil
				}
				into = append(into, "@"+name)
				if j++; !t.is(j, ",") {
					return []edit{{i, j, ""}}, into
				}
				j++
			}
		}
	}
	return nil, nil
}

// statement analyses what the grammar read of a statement with a plan.
func (r *run) statement(n ast.StmtNode) {
	if !r.plan(n) {
		r.unread(syntaxError("statements of this kind are not known", -1))
	}
}

// changing analyses INSERT, REPLACE, UPDATE and DELETE, with what MariaDB lets
// them return.
func (r *run) changing(at int) {
	t := r.text
	end := r.returningAt(at)
	n := r.grammar(at, end, nil)
	if n == nil {
		r.stmt.Class = query.ClassWrite
		r.stmt.Verbs = append(r.stmt.Verbs, strings.ToUpper(t.word(at)))
		return
	}
	r.statement(n)
	if end == r.end() {
		return
	}
	name := targetOf(n)
	if name == nil {
		r.gap(-1, "RETURNING of this statement is not known")
		return
	}
	from := " FROM " + quoteName(name.Name.O)
	if name.Schema.O != "" {
		from = " FROM " + quoteName(name.Schema.O) + "." + quoteName(name.Name.O)
	}
	list := r.grammar(end+1, r.end(), []edit{{end + 1, end + 1, "SELECT"}, {r.end(), r.end(), from}})
	if list == nil {
		return
	}
	order, any := r.acc.byOrder, r.acc.anyOrder
	out := r.query(list, &scope{})
	r.returns(out.cols)
	r.acc.byOrder, r.acc.anyOrder = order, any
}

// returningAt is the token of RETURNING, the end if there is none.
func (r *run) returningAt(at int) int {
	t, depth := r.text, 0
	for i := at + 1; i < r.end(); i++ {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth == 0 && t.server.MariaDB && t.word(i) == "returning" && !t.is(i-1, "."):
			return i
		}
	}
	return r.end()
}

// targetOf is the one table of INSERT, REPLACE or DELETE.
func targetOf(n ast.StmtNode) *ast.TableName {
	var refs *ast.TableRefsClause
	switch x := n.(type) {
	case *ast.InsertStmt:
		refs = x.Table
	case *ast.DeleteStmt:
		refs = x.TableRefs
	}
	if refs == nil || refs.TableRefs == nil || refs.TableRefs.Right != nil {
		return nil
	}
	source, ok := refs.TableRefs.Left.(*ast.TableSource)
	if !ok {
		return nil
	}
	name, _ := source.Source.(*ast.TableName)
	return name
}

func (r *run) class(c query.Class, verb string) {
	f := &r.stmt.Facts
	f.Class = c
	f.Verbs = append(f.Verbs, verb)
}

// plainResult is a result of the server's own making, without lineage.
func (r *run) plainResult() { r.stmt.Facts.Returns = true }

// phrase is the words from a token on, in upper case, up to n of them.
func (t *text) phrase(at, n int) string {
	var words []string
	for i := at; i < at+n && t.word(i) != ""; i++ {
		words = append(words, strings.ToUpper(t.word(i)))
	}
	return strings.Join(words, " ")
}

// expressions analyses the expressions between tokens as a select list would.
func (r *run) expressions(from, to int, edits []edit) []ast.ExprNode {
	n := r.grammar(from, to, edits)
	s, ok := n.(*ast.SelectStmt)
	if !ok || s.Fields == nil {
		if n != nil {
			r.unread(syntaxError("the expressions of the statement cannot be read", -1))
		}
		return nil
	}
	out := make([]ast.ExprNode, 0, len(s.Fields.Fields))
	for _, f := range s.Fields.Fields {
		if f.Expr == nil {
			r.unread(syntaxError("the expressions of the statement cannot be read", -1))
			return nil
		}
		out = append(out, f.Expr)
	}
	return out
}
