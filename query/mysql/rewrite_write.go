package mysql

import (
	"reflect"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/weirdb/weir/query"
)

// A change is an UPDATE, DELETE or INSERT that is rewritten. What it reads is
// replaced like what a query reads; what it changes is not, but the filters of
// a target are put into its condition:
//
//	UPDATE t SET a = 1 WHERE c     UPDATE t SET a = 1 WHERE (filter) AND (c)
//	                               … WHERE CASE WHEN (filter) THEN (c) END
//
// the second where c could fail or warn about a row that the filter hides.
type change struct {
	node    ast.StmtNode
	targets []*changedTable
	many    bool // several tables are named
}

// changedTable is a target of a change.
type changedTable struct {
	rel    *Relation
	name   string           // in the statement
	source *ast.TableSource // nil for INSERT
}

// changes is the change that a statement is, nil for a query.
func (w *rewriter) changes(n ast.StmtNode, rec *recording) *change {
	c := &change{node: n}
	var refs *ast.TableRefsClause
	switch x := n.(type) {
	case *ast.UpdateStmt:
		refs = x.TableRefs
	case *ast.DeleteStmt:
		refs = x.TableRefs
	case *ast.InsertStmt:
		for _, rel := range rec.targets {
			c.targets = append(c.targets, &changedTable{rel: rel})
		}
		return c
	default:
		return nil
	}
	sources := entries(refs.TableRefs, nil)
	c.many = len(sources) > 1
	for name, rel := range rec.targets {
		for _, s := range sources {
			if own := entryName(s); w.cat.fold(own) == w.cat.fold(name) {
				c.targets = append(c.targets, &changedTable{rel, own, s})
			}
		}
	}
	slices.SortFunc(c.targets, func(a, b *changedTable) int { return strings.Compare(a.name, b.name) })
	if len(c.targets) != len(rec.targets) {
		refuse(-1, "what the statement changes is not known")
	}
	return c
}

// entries lists the entries of FROM at the level of a statement.
func entries(n ast.ResultSetNode, out []*ast.TableSource) []*ast.TableSource {
	switch x := n.(type) {
	case *ast.Join:
		out = entries(x.Left, out)
		if x.Right != nil {
			out = entries(x.Right, out)
		}
	case *ast.TableSource:
		if j, ok := x.Source.(*ast.Join); ok {
			return entries(j, out)
		}
		out = append(out, x)
	}
	return out
}

func entryName(s *ast.TableSource) string {
	if n, ok := s.Source.(*ast.TableName); ok && s.AsName.O == "" {
		return n.Name.O
	}
	return s.AsName.O
}

func (c *change) target(s *ast.TableSource) bool {
	return c != nil && slices.ContainsFunc(c.targets, func(t *changedTable) bool { return t.source == s })
}

// allowed refuses changes that cannot be narrowed.
func (w *rewriter) allowed(c *change, rec *recording) {
	for _, t := range c.targets {
		for _, rel := range w.below(t.rel) {
			n := w.narrow[rel]
			if n == nil {
				continue
			}
			if len(n.Filters) > 0 && rel != t.rel {
				refuse(-1, "%s.%s shows a table whose rows are filtered", t.rel.Schema, t.rel.Name)
			}
			if x, ok := c.node.(*ast.InsertStmt); ok && len(n.Filters) > 0 && !w.satisfies(x, rel, n) {
				refuse(-1, "new rows of %s.%s might not be among those that may be seen", rel.Schema, rel.Name)
			}
			if _, ok := c.node.(*ast.DeleteStmt); ok && !c.many && w.apart(rel) != nil {
				refuse(-1, "rows of %s.%s cannot be deleted in another order", rel.Schema, rel.Name)
			}
			for _, f := range n.Filters {
				w.leavesAlone(c, rel, f)
			}
		}
	}
	for _, u := range rec.written {
		n := w.narrow[u]
		if n != nil && len(n.Filters) > 0 && !slices.ContainsFunc(c.targets, func(t *changedTable) bool { return t.rel == u }) {
			refuse(-1, "rows of %s.%s would change as well", u.Schema, u.Name)
		}
	}
}

// leavesAlone refuses an UPDATE of a column that a filter reads.
func (w *rewriter) leavesAlone(c *change, rel *Relation, filter string) {
	x, ok := c.node.(*ast.UpdateStmt)
	if !ok {
		return
	}
	budget, volatile := maxBudget, false
	r := &run{an: w.an, cat: w.cat, cc: w.cc, st: w.st, acc: newAccumulator(), budget: &budget, volatile: &volatile, stmt: &Statement{}, hidden: true}
	read := r.storedColumns(rel, filter)
	for _, attr := range slices.Clone(read) {
		if col := rel.Attribute(attr); col != nil && col.Generated != "" {
			read = append(read, r.generatedFrom(rel, col)...)
		}
	}
	for _, a := range x.List {
		if col := rel.Column(a.Column.Name.O); col != nil && slices.Contains(read, col.Attr) {
			refuse(-1, "column %s decides which rows of %s.%s may be seen", col.Name, rel.Schema, rel.Name)
		}
	}
}

// satisfies says that every new row is one that may be seen: filters compare a
// column with a constant, and the rows have that constant.
func (w *rewriter) satisfies(x *ast.InsertStmt, rel *Relation, n *query.Narrowing) bool {
	if x.IsReplace || x.Select != nil || len(x.OnDuplicate) > 0 || len(x.Lists) == 0 {
		return false
	}
	columns := make([]string, 0, len(x.Columns))
	for _, c := range x.Columns {
		columns = append(columns, c.Name.O)
	}
	if len(x.Columns) == 0 {
		for i := range rel.Columns {
			if !rel.Columns[i].Invisible {
				columns = append(columns, rel.Columns[i].Name)
			}
		}
	}
	for _, f := range n.Filters {
		e := w.filterTree(rel, f)
		eq, ok := strip(e).(*ast.BinaryOperationExpr)
		if !ok || eq.Op != opcode.EQ {
			return false
		}
		col, cok := strip(eq.L).(*ast.ColumnNameExpr)
		want, lok := strip(eq.R).(*Literal)
		if !cok || !lok || want.Value == nil {
			return false
		}
		at := slices.IndexFunc(columns, func(name string) bool { return columnKey(name) == columnKey(col.Name.Name.O) })
		if at < 0 {
			return false
		}
		for _, row := range x.Lists {
			if at >= len(row) {
				return false
			}
			if got, ok := strip(row[at]).(*Literal); !ok || !reflect.DeepEqual(got.Value, want.Value) || got.Charset != want.Charset {
				return false
			}
		}
	}
	return true
}

// filterTree is a filter as the grammar reads it.
func (w *rewriter) filterTree(rel *Relation, filter string) ast.ExprNode {
	n, terr := parse(w.readable("SELECT ("+filter+")"), w.st.SQLMode)
	s, ok := n.(*ast.SelectStmt)
	if terr != nil || !ok || len(s.Fields.Fields) != 1 || s.Fields.Fields[0].Expr == nil {
		refuse(-1, "the filter of %s.%s cannot be read", rel.Schema, rel.Name)
	}
	return s.Fields.Fields[0].Expr
}

// qualified is a filter whose columns have the name of a table before them.
func (w *rewriter) qualified(rel *Relation, filter, name string) string {
	w.checkFilter(rel, filter)
	st := *w.st
	st.ClientCharset = "utf8mb4"
	rd := &reader{sql: "SELECT (" + filter + ")", server: &w.cat.Server}
	t, terr := rd.next(&st)
	if terr != nil {
		refuse(-1, "%s", terr.Message)
	}
	n, terr := parse(t.print(0, len(t.tokens), nil), t.mode)
	if terr != nil {
		refuse(-1, "the filter of %s.%s cannot be read", rel.Schema, rel.Name)
	}
	v := &columnVisitor{}
	n.Accept(v)
	var out []splice
	for _, c := range v.columns {
		at := t.source(c.OriginTextPosition())
		if c.Name.Table.O != "" || t.tokenAt(at) < 0 {
			refuse(-1, "the filter of %s.%s names tables", rel.Schema, rel.Name)
		}
		out = append(out, splice{at, at, quoteName(name) + "."})
	}
	slices.SortFunc(out, func(a, b splice) int { return a.start - b.start })
	return strings.TrimPrefix(w.apply(t, out), "SELECT ")
}

// condition puts the filters of targets into a change. It gives the splices, and
// what has to be true of the condition as it is read again.
func (w *rewriter) condition(t *text, c *change, rec *recording) (out []splice, check func(again ast.ExprNode) bool) {
	var filters []string
	for _, target := range c.targets {
		if n := w.narrow[target.rel]; n != nil && w.filtered && target.source != nil {
			for _, f := range n.Filters {
				filters = append(filters, w.qualified(target.rel, f, target.name))
			}
		}
	}
	if len(filters) == 0 {
		return nil, nil
	}
	var where ast.ExprNode
	var refs *ast.TableRefsClause
	switch x := c.node.(type) {
	case *ast.UpdateStmt:
		where, refs = x.Where, x.TableRefs
	case *ast.DeleteStmt:
		where, refs = x.Where, x.TableRefs
	}
	if c.many {
		w.innerTargets(c, refs.TableRefs, rec)
	}
	filter := strings.Join(filters, " AND ")
	at, end := t.whereAt()
	if where == nil {
		pos := t.tokens[end-1].end
		return []splice{{pos, pos, " WHERE " + filter}}, func(ast.ExprNode) bool { return true }
	}
	if at < 0 {
		refuse(-1, "the condition of the statement is not found")
	}
	before, after, guarded := " "+filter+" AND (", ")", !rec.quietCondition(where)
	if guarded {
		before, after = " CASE WHEN "+filter+" THEN (", ") END"
	}
	start, last := t.tokens[at].end, t.tokens[end-1].end
	return []splice{{start, start, before}, {last, last, after}}, func(again ast.ExprNode) bool {
		if x, ok := again.(*ast.CaseExpr); ok && guarded {
			return x.Value == nil && x.ElseClause == nil && len(x.WhenClauses) == 1 && sameTree(strip(x.WhenClauses[0].Result), strip(where))
		}
		x, ok := again.(*ast.BinaryOperationExpr)
		return ok && !guarded && x.Op == opcode.LogicAnd && sameTree(strip(x.R), strip(where))
	}
}

// innerTargets refuses a join that would not mean the same with a filter in the
// condition, or whose own conditions tell of hidden rows.
func (w *rewriter) innerTargets(c *change, n ast.ResultSetNode, rec *recording) {
	j, ok := n.(*ast.Join)
	if !ok {
		return
	}
	w.innerTargets(c, j.Left, rec)
	if j.Right == nil {
		return
	}
	w.innerTargets(c, j.Right, rec)
	if len(j.Using) > 0 || j.NaturalJoin || j.On != nil && !rec.quietCondition(j.On.Expr) {
		refuse(-1, "the join of a table whose rows are filtered may tell of others")
	}
	inner := map[ast.JoinType]ast.ResultSetNode{ast.LeftJoin: j.Right, ast.RightJoin: j.Left}[j.Tp]
	if inner == nil {
		return
	}
	for _, s := range entries(inner, nil) {
		if slices.ContainsFunc(c.targets, func(t *changedTable) bool {
			return t.source == s && w.narrow[t.rel] != nil && len(w.narrow[t.rel].Filters) > 0
		}) {
			refuse(-1, "%s is the inner table of an outer join", entryName(s))
		}
	}
}

// whereAt is the token of the statement's WHERE, -1 if there is none, and the
// one behind its condition or behind what it would follow.
func (t *text) whereAt() (at, end int) {
	at, end = -1, len(t.tokens)
	depth := 0
	for i := range t.tokens {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth > 0 || i > 0 && t.is(i-1, "."):
		case t.word(i) == "where" && at < 0:
			at = i
		case t.words(i, "order", "by"), t.word(i) == "limit":
			return at, i
		}
	}
	return at, end
}

// conditionOf is where a change keeps its condition.
func conditionOf(n ast.StmtNode) *ast.ExprNode {
	switch x := n.(type) {
	case *ast.UpdateStmt:
		return &x.Where
	case *ast.DeleteStmt:
		return &x.Where
	}
	return nil
}
