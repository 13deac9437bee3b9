package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/weirdb/weir/query"
)

// Rewrite makes of one statement of a text another one that sees relations as
// rw says. index counts the statements of Analyze. The error is a
// *query.RewriteError.
//
// Every entry of FROM that reads a narrowed relation becomes a derived table in
// the client's letters; views that read one are put into the text. The rest of
// the text stays as it is. The analyser's own run says what a name means. The
// new text is read like a client's and must give the same tree as the old one
// with the derived tables in it.
//
// A filter must come before what the statement itself computes, or a warning
// could tell of rows that it hides. Conditions that cannot warn may be mixed
// with it, which lets the server use its indexes; any other one closes the
// derived table with a LIMIT, which the server does not merge.
func (a *Analyzer) Rewrite(text string, index int, cat *Catalog, st *State, rw query.Rewrite) (out *query.Rewritten, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case refusal:
			out, err = nil, p.err
		default:
			// A defect must refuse one text, not end the process.
			out, err = nil, &query.RewriteError{Reason: fmt.Sprintf("the statement could not be rewritten: %v", p), Pos: -1}
		}
	}()
	if rw.Sizes != nil {
		refuse(-1, "sizes cannot be hidden in a statement of MySQL")
	}
	w := &rewriter{an: a, cat: cat, cc: a.catalogCache(cat), st: st, narrow: map[*Relation]*query.Narrowing{}, budget: maxBudget}
	t := w.find(text, index)
	w.name(rw)
	return w.statement(t, rw), nil
}

// refusal carries a RewriteError up to Rewrite.
type refusal struct{ err *query.RewriteError }

// refuse ends the rewriting.
func refuse(pos int, format string, args ...any) {
	panic(refusal{&query.RewriteError{Reason: fmt.Sprintf(format, args...), Pos: pos}})
}

// A rewriter rewrites one statement.
type rewriter struct {
	an     *Analyzer
	cat    *Catalog
	cc     *catalogCache
	st     *State // before the statement
	narrow map[*Relation]*query.Narrowing
	budget int // for the analysis of what is put into the text
	// filtered is set while filters are put into the text, barrier where they
	// must come before all that the statement computes.
	filtered, barrier bool
}

// A recording is what the analyser's run over a tree finds of the names in it.
type recording struct {
	sources map[*ast.TableSource]*Relation
	columns map[*ast.ColumnName]*rangeItem // those with the name of a database
	types   map[*ast.ColumnName]TypeCode
	stars   map[*ast.WildCardField][]*rangeItem
	result  []string // names of the result's columns
	// targets are what a change stores into, by name; written all that it
	// changes, also through keys.
	targets map[string]*Relation
	written []*Relation
}

func newRecording() *recording {
	return &recording{sources: map[*ast.TableSource]*Relation{}, columns: map[*ast.ColumnName]*rangeItem{},
		types: map[*ast.ColumnName]TypeCode{}, stars: map[*ast.WildCardField][]*rangeItem{}, targets: map[string]*Relation{}}
}

// column notes what a column's name means.
func (rec *recording) column(r *run, n *ast.ColumnName, f found, sc *scope) {
	if rec == nil {
		return
	}
	if len(f.cols) == 1 {
		rec.types[n] = f.cols[0].value.typ
	}
	if n.Schema.O != "" {
		if items, _ := r.findItems(sc, n.Schema.O, n.Table.O); len(items) == 1 {
			rec.columns[n] = items[0]
		}
	}
}

// find reads a text up to one of its statements, in the state that those before
// it leave.
func (w *rewriter) find(sql string, index int) *text {
	rd := &reader{sql: sql, server: &w.cat.Server}
	for i := 0; ; i++ {
		t, terr := rd.next(w.st)
		if terr != nil {
			refuse(terr.Pos, "%s", terr.Message)
		}
		if len(t.tokens) == 0 {
			refuse(-1, "the text has no such statement")
		}
		if i == index {
			return t
		}
		s := &Statement{}
		w.an.statement(t, w.cat, w.cc, w.st, s)
		w.st = w.st.clone()
		w.st.Apply(w.cat, s)
	}
}

// name finds the relations that are narrowed.
func (w *rewriter) name(rw query.Rewrite) {
	for i := range rw.Relations {
		n := &rw.Relations[i]
		rel := w.cat.Relation(n.Schema, n.Table)
		if rel == nil {
			refuse(-1, "relation %s.%s is not known", n.Schema, n.Table)
		}
		w.narrow[rel] = n
	}
}

// statement rewrites a statement.
func (w *rewriter) statement(t *text, rw query.Rewrite) *query.Rewritten {
	t, tail := w.withoutReturning(t)
	sql := t.print(0, len(t.tokens), nil)
	read := func() (ast.StmtNode, *recording, *change) {
		n, terr := parse(sql, t.mode) // edit changes the tree
		if terr != nil {
			refuse(-1, "%s", terr.Message)
		}
		switch n.(type) {
		case *ast.SelectStmt, *ast.SetOprStmt, *ast.UpdateStmt, *ast.DeleteStmt, *ast.InsertStmt:
		default:
			refuse(-1, "only SELECT, INSERT, UPDATE and DELETE can be narrowed")
		}
		rec := w.record(t, n)
		return n, rec, w.changes(n, rec)
	}
	n, rec, c := read()
	if c != nil {
		w.allowed(c, rec)
	}
	w.barrier = !rec.quiet(n)
	plain := w.edit(t, n, rec, c)
	out := &query.Rewritten{Rewrite: rw}
	facts := w.analyse(plain + tail)
	out.SQL = plain + tail
	out.Facts = &facts.Facts
	if w.filters(rec) {
		w.filtered = true
		n, rec, c = read()
		out.SQL = w.edit(t, n, rec, c) + tail
		narrowed := w.analyse(out.SQL)
		out.Facts.Output = narrowed.Facts.Output
		addOrder(out.Facts, &narrowed.Facts)
	}
	if c == nil {
		sameNames(rec.result, out.Facts.Output)
	}
	withoutPositions(out.Facts)
	return out
}

// withoutReturning cuts what a change returns off: columns of its target.
func (w *rewriter) withoutReturning(t *text) (cut *text, tail string) {
	switch t.word(0) {
	case "insert", "replace", "update", "delete":
	default:
		return t, ""
	}
	end := (&run{text: t}).returningAt(0)
	if end == len(t.tokens) {
		return t, ""
	}
	for i := end; i < len(t.tokens); i++ {
		if w := t.word(i); w == "select" || w == "values" || w == "with" {
			refuse(-1, "what the statement returns cannot be narrowed")
		}
	}
	short := *t
	short.tokens = t.tokens[:end]
	return &short, " " + t.slice(end, len(t.tokens))
}

// sameNames refuses a statement whose result would have other names, which
// would show what was put into its text.
func sameNames(before []string, after []query.Output) {
	if len(before) != len(after) {
		refuse(-1, "the rewritten statement has another number of columns")
	}
	for i := range before {
		if before[i] != "" && !strings.EqualFold(before[i], after[i].Name) {
			panic(refusal{&query.RewriteError{Reason: "column " + itoa(i+1) + " would have the text of a narrowed table in its name",
				Hint: "give the column an alias", Pos: -1}})
		}
	}
}

// filters says whether some relation that is read has fewer rows.
func (w *rewriter) filters(rec *recording) bool {
	filtered := func(rel *Relation) bool {
		return slices.ContainsFunc(w.below(rel), func(below *Relation) bool { return w.narrow[below] != nil && len(w.narrow[below].Filters) > 0 })
	}
	for _, rel := range rec.sources {
		if filtered(rel) {
			return true
		}
	}
	for _, rel := range rec.targets {
		if filtered(rel) {
			return true
		}
	}
	return false
}

// below lists a relation and those that a view reads.
func (w *rewriter) below(rel *Relation) []*Relation {
	if rel.Kind != KindView || Builtin(rel.Schema) {
		return []*Relation{rel}
	}
	out := []*Relation{rel}
	budget, volatile := maxBudget, false
	r := &run{an: w.an, cat: w.cat, cc: w.cc, st: w.st, acc: newAccumulator(), budget: &budget, volatile: &volatile, stmt: &Statement{}, hidden: true}
	for _, u := range r.view(rel).acc.order {
		out = append(out, u.rel)
	}
	return out
}

// record runs the analyser over a tree.
func (w *rewriter) record(t *text, n ast.Node) *recording {
	rec, volatile := newRecording(), false
	r := &run{an: w.an, cat: w.cat, cc: w.cc, st: w.st, acc: newAccumulator(), text: t, budget: &w.budget, volatile: &volatile, stmt: &Statement{}}
	r.acc.rec, r.rewriting = rec, true
	r.narrowed = func(rel *Relation) bool { return w.narrow[rel] != nil }
	switch x := n.(type) {
	case *ast.UpdateStmt, *ast.DeleteStmt, *ast.InsertStmt:
		r.plan(x.(ast.StmtNode))
		for _, u := range r.acc.order {
			if slices.Contains(u.access, "update") || slices.Contains(u.access, "delete") {
				rec.written = append(rec.written, u.rel)
			}
		}
	default:
		out := r.query(n, &scope{})
		for i := range out.cols {
			r.emit(out.cols[i].value)
			rec.result = append(rec.result, out.cols[i].name)
		}
	}
	if len(r.acc.gaps) > 0 {
		refuse(r.acc.gaps[0].Pos, "%s", r.acc.gaps[0].Reason)
	}
	return rec
}

// analyse reads a new text like one of a client.
func (w *rewriter) analyse(sql string) *Statement {
	a := w.an.analyze(sql, w.cat, w.st)
	if a.Err != nil || len(a.Statements) != 1 {
		refuse(-1, "the rewritten statement cannot be read")
	}
	return &a.Statements[0]
}

// addOrder adds to the facts of a statement without filters what the order of
// rows depends on with them.
func addOrder(f, narrowed *query.Facts) {
	for i := range narrowed.Tables {
		from := &narrowed.Tables[i]
		at := slices.IndexFunc(f.Tables, func(t query.Table) bool { return t.OID == from.OID })
		if at < 0 {
			f.Tables = append(f.Tables, query.Table{Schema: from.Schema, Name: from.Name, Kind: from.Kind, OID: from.OID, Access: from.Access})
			at = len(f.Tables) - 1
		}
		to := &f.Tables[at]
		for _, c := range from.Columns {
			if c.Uses&query.UseOrder == 0 {
				continue
			}
			i := slices.IndexFunc(to.Columns, func(d query.ColumnUse) bool { return d.Attr == c.Attr })
			if i < 0 {
				to.Columns = append(to.Columns, query.ColumnUse{Name: c.Name, Attr: c.Attr, Type: c.Type})
				i = len(to.Columns) - 1
			}
			to.Columns[i].Uses |= query.UseOrder
		}
	}
}

// withoutPositions makes every position of facts unknown.
func withoutPositions(f *query.Facts) {
	for i := range f.Tables {
		for j := range f.Tables[i].Columns {
			c := &f.Tables[i].Columns[j]
			c.At = make([]int, len(c.Uses.Names())+1)
			c.At = c.At[:bitsOf(c.Uses)]
			for k := range c.At {
				c.At[k] = -1
			}
		}
	}
	for i := range f.Functions {
		f.Functions[i].Pos = -1
	}
	for _, list := range [][]query.Effect{f.Writes, f.Moves} {
		for i := range list {
			list[i].Pos = -1
		}
	}
	for i := range f.Gaps {
		f.Gaps[i].Pos = -1
	}
	for i := range f.Assignments {
		f.Assignments[i].Pos = -1
	}
}

// quiet says that no condition of a query can fail or warn: they compare
// columns with constants of their kind. Such conditions may be computed for
// rows that a filter hides.
func (rec *recording) quiet(n ast.Node) bool {
	v := &quietVisitor{rec: rec, quiet: true}
	n.Accept(v)
	return v.quiet
}

type quietVisitor struct {
	rec   *recording
	quiet bool
}

func (v *quietVisitor) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.SelectStmt:
		// HAVING may be pushed down to where rows are read.
		v.quiet = v.quiet && x.Having == nil && (x.Where == nil || v.rec.quietCondition(x.Where))
	case *ast.UpdateStmt:
		v.quiet = v.quiet && (x.Where == nil || v.rec.quietCondition(x.Where))
	case *ast.DeleteStmt:
		v.quiet = v.quiet && (x.Where == nil || v.rec.quietCondition(x.Where))
	case *ast.Join:
		v.quiet = v.quiet && (x.On == nil || v.rec.quietCondition(x.On.Expr)) && len(x.Using) == 0 && !x.NaturalJoin
	}
	return n, !v.quiet
}

func (v *quietVisitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }

func (rec *recording) quietCondition(n ast.ExprNode) bool {
	switch x := strip(n).(type) {
	case *ast.IsNullExpr:
		return rec.kind(x.Expr) != kindUnknown
	case *ast.UnaryOperationExpr:
		return (x.Op == opcode.Not || x.Op == opcode.Not2) && rec.quietCondition(x.V)
	case *ast.BinaryOperationExpr:
		switch x.Op {
		case opcode.LogicAnd, opcode.LogicOr:
			return rec.quietCondition(x.L) && rec.quietCondition(x.R)
		case opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE, opcode.NullEQ:
			return rec.comparable(x.L, x.R)
		}
	case *ast.BetweenExpr:
		return rec.comparable(x.Expr, x.Left) && rec.comparable(x.Expr, x.Right)
	case *ast.PatternInExpr:
		for _, e := range x.List {
			if !rec.comparable(x.Expr, e) {
				return false
			}
		}
		return x.Sel == nil
	case *ast.PatternLikeOrIlikeExpr:
		return rec.kind(x.Expr) == kindText && rec.comparable(x.Expr, x.Pattern)
	}
	return false
}

// comparable says that two expressions compare without a word about a row.
func (rec *recording) comparable(a, b ast.ExprNode) bool {
	return alike(rec.kind(a), rec.kind(b), sameType(rec, a, b))
}

func sameType(rec *recording, a, b ast.ExprNode) bool {
	x, xok := strip(a).(*ast.ColumnNameExpr)
	y, yok := strip(b).(*ast.ColumnNameExpr)
	return xok && yok && rec.types[x.Name] == rec.types[y.Name]
}

func (rec *recording) kind(n ast.ExprNode) kind {
	if c, ok := strip(n).(*ast.ColumnNameExpr); ok {
		return columnKind(rec.types[c.Name])
	}
	return literalKind(n)
}
