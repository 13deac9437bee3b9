package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// prepareTree looks at the kind of a statement before its names are recorded,
// and gives the part that is recorded.
func (w *rewriter) prepareTree(n *pg.Node) *pg.Node {
	switch x := n.GetNode().(type) {
	case *pg.Node_SelectStmt, *pg.Node_InsertStmt, *pg.Node_UpdateStmt, *pg.Node_DeleteStmt, *pg.Node_MergeStmt,
		*pg.Node_DeclareCursorStmt, *pg.Node_ExplainStmt, *pg.Node_ViewStmt, *pg.Node_CreateTableAsStmt:
		return n
	case *pg.Node_CopyStmt:
		w.copyQuery(x.CopyStmt)
		return n
	case *pg.Node_PrepareStmt:
		return x.PrepareStmt.Query
	case *pg.Node_ExecuteStmt:
		refuse(-1, "Prepare it again.", "prepared statement %q was prepared as it is", x.ExecuteStmt.Name)
	case *pg.Node_FetchStmt:
		refuse(-1, "Declare it again.", "cursor %q was opened as it is", x.FetchStmt.Portalname)
	}
	refuse(-1, "", "%s cannot be narrowed", verbOf(n))
	return nil
}

// copyQuery makes COPY of a narrowed table COPY of a query over it. Like COPY
// it leaves out generated columns, and the rows of the table's children.
func (w *rewriter) copyQuery(x *pg.CopyStmt) {
	if x.IsFrom || x.Query != nil {
		return
	}
	r := w.newRun("")
	rel := r.resolveRelation(x.Relation)
	if rel == nil || w.of(rel) == nil && !w.readsNarrowed(rel) {
		return
	}
	if rel.Kind != 'r' && rel.Kind != 'm' && rel.Kind != 'f' {
		refuse(x.Relation.Location, "Use COPY (SELECT …) TO.", "cannot copy from %s.%s", rel.Schema, rel.Name)
	}
	item := r.plainItem(rel)
	var targets []*pg.Node
	for _, name := range r.copyColumns(x, item) {
		targets = append(targets, resTarget("", columnNode(name)))
	}
	from := proto.Clone(x.Relation).(*pg.RangeVar)
	from.Inh = rel.Kind != 'r'
	x.Query = selectNode(plainSelect(targets, &pg.Node{Node: &pg.Node_RangeVar{RangeVar: from}}))
	x.Relation, x.Attlist = nil, nil
	w.changed = true
}

// lasting refuses filters in what stays when the policy has changed, or tells
// more than the result.
func (w *rewriter) lasting(n *pg.Node) {
	if len(w.later) == 0 {
		return
	}
	into := (*pg.IntoClause)(nil)
	switch x := n.GetNode().(type) {
	case *pg.Node_ExplainStmt:
		refuse(-1, "", "the plan of a statement over filtered rows tells of rows that are hidden")
	case *pg.Node_ViewStmt:
		refuse(-1, "", "a view over filtered rows would outlast the filter")
	case *pg.Node_CreateTableAsStmt:
		into = x.CreateTableAsStmt.Into
	case *pg.Node_SelectStmt:
		for s := x.SelectStmt; s != nil && into == nil; s = s.Larg {
			into = s.IntoClause
		}
	}
	if into != nil && into.Rel.GetRelpersistence() != "t" && into.Rel.GetSchemaname() != "pg_temp" {
		refuse(-1, "Use a temporary table.", "a table made of filtered rows would outlast the filter")
	}
}

// narrowWrite narrows what a statement changes.
func (w *rewriter) narrowWrite(x *written) {
	rel := x.t.rel
	if rel.Kind == 'v' || rel.Rules {
		for _, base := range w.newRun("").storage(x.t) {
			if n := w.of(base); n != nil && len(n.filters) > 0 {
				refuse(x.name.Location, "Change the table itself.", "rows of %s.%s are filtered, and changes through %s.%s cannot be narrowed",
					base.Schema, base.Name, rel.Schema, rel.Name)
			}
		}
		return
	}
	n := w.of(rel)
	if n == nil || len(n.filters) == 0 {
		return
	}
	w.ours[x.name] = true
	switch stmt := x.stmt.(type) {
	case *pg.InsertStmt:
		if stmt.OnConflictClause.GetAction() == pg.OnConflictAction_ONCONFLICT_UPDATE || !satisfies(stmt, n) {
			w.noInsert(x)
		}
	case *pg.CopyStmt:
		w.noInsert(x)
	case *pg.UpdateStmt:
		w.unassigned(x, n, stmt.TargetList)
		w.narrowWhere(x, n, &stmt.WhereClause)
	case *pg.DeleteStmt:
		w.narrowWhere(x, n, &stmt.WhereClause)
	case *pg.MergeStmt:
		w.narrowMerge(x, n, stmt)
	}
}

func (w *rewriter) noInsert(x *written) {
	refuse(x.name.Location, "", "rows of %s.%s are filtered, and it is not certain that the filter admits the new ones", x.t.rel.Schema, x.t.rel.Name)
}

// narrowWhere joins the filters to the condition at where.
func (w *rewriter) narrowWhere(x *written, n *narrowing, where **pg.Node) {
	if (*where).GetCurrentOfExpr() != nil {
		refuse(x.name.Location, "Name the row by its key.", "rows of %s.%s are filtered, and WHERE CURRENT OF cannot be narrowed", n.rel.Schema, n.rel.Name)
	}
	name := x.t.item.name
	for _, f := range n.filters {
		if f.inner[name] {
			refuse(x.name.Location, "Give it another alias.", "the row filter of %s.%s uses the name %s", n.rel.Schema, n.rel.Name, name)
		}
	}
	w.changed = true
	w.later = append(w.later, func() { *where = w.guarded(w.conditions(n, name), *where) })
}

// guarded is a condition of the statement that holds for rows of the filter
// alone, and that no other row can make fail.
func (w *rewriter) guarded(filter, own *pg.Node) *pg.Node {
	if own == nil || own.Node == nil || w.rec.loud == "" {
		return conjunction(filter, own)
	}
	when := &pg.Node{Node: &pg.Node_CaseWhen{CaseWhen: &pg.CaseWhen{Expr: filter, Result: own}}}
	no := &pg.Node{Node: &pg.Node_AConst{AConst: &pg.A_Const{Val: &pg.A_Const_Boolval{Boolval: &pg.Boolean{}}}}}
	return &pg.Node{Node: &pg.Node_CaseExpr{CaseExpr: &pg.CaseExpr{Args: []*pg.Node{when}, Defresult: no}}}
}

// unassigned refuses to change a column that a filter reads: rows could be
// moved out of sight, or taken for hidden ones.
func (w *rewriter) unassigned(x *written, n *narrowing, list []*pg.Node) {
	for _, t := range list {
		c := n.rel.Column(t.GetResTarget().GetName())
		for _, f := range n.filters {
			if c != nil && slices.Contains(f.columns, c.Attr) {
				refuse(t.GetResTarget().GetLocation(), "", "column %s decides which rows of %s.%s are seen; it cannot be changed", c.Name, n.rel.Schema, n.rel.Name)
			}
		}
	}
}

func (w *rewriter) narrowMerge(x *written, n *narrowing, stmt *pg.MergeStmt) {
	w.narrowWhere(x, n, &stmt.JoinCondition)
	for _, c := range stmt.MergeWhenClauses {
		when := c.GetMergeWhenClause()
		switch when.GetCommandType() {
		case pg.CmdType_CMD_INSERT:
			w.noInsert(x)
		case pg.CmdType_CMD_UPDATE:
			w.unassigned(x, n, when.TargetList)
		}
		if when.GetMatchKind() == pg.MergeMatchKind_MERGE_WHEN_NOT_MATCHED_BY_SOURCE {
			w.narrowWhere(x, n, &when.Condition)
		}
	}
}

// satisfies reports an insert of values that a filter certainly admits: each
// filter is a comparison of one column with a constant, and each row has that
// very constant there.
func satisfies(stmt *pg.InsertStmt, n *narrowing) bool {
	rows := stmt.SelectStmt.GetSelectStmt().GetValuesLists()
	if len(rows) == 0 {
		return false
	}
	for _, f := range n.filters {
		column, value := f.equality()
		if value == nil {
			return false
		}
		at := -1
		for i, c := range stmt.Cols {
			if c.GetResTarget().GetName() == column && len(c.GetResTarget().GetIndirection()) == 0 {
				at = i
			}
		}
		if len(stmt.Cols) == 0 {
			at = slices.IndexFunc(n.rel.Columns, func(c Column) bool { return c.Name == column })
		}
		if at < 0 {
			return false
		}
		for _, row := range rows {
			items := row.GetList().GetItems()
			if at >= len(items) || !sameTree(items[at], value) {
				return false
			}
		}
	}
	return true
}

// equality is the column and constant of a filter of the form column = 'constant'.
func (f *filter) equality() (string, *pg.Node) {
	x := f.expr.GetAExpr()
	if x.GetKind() != pg.A_Expr_Kind_AEXPR_OP || x.GetLexpr().GetColumnRef() == nil || x.GetRexpr().GetAConst() == nil || x.Rexpr.GetAConst().Isnull {
		return "", nil
	}
	if schema, name := qualifiedName(x.Name); schema != "pg_catalog" || name != "=" {
		return "", nil
	}
	return f.own[x.Lexpr.GetColumnRef()], x.Rexpr
}
