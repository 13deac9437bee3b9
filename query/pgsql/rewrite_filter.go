package pgsql

import (
	"errors"
	"fmt"
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirdb/weir/query"
)

// CheckFilter says whether a row filter can be one: a single boolean
// expression without parameters whose subqueries name relations with their
// schema. Names are not looked up.
func CheckFilter(expr string) error {
	_, err := parseFilter(expr)
	return err
}

// parseFilter parses a row filter.
func parseFilter(expr string) (*pg.Node, error) {
	if len(expr) > maxCachedText {
		return nil, errors.New("row filter: the expression is too long")
	}
	// The line break ends a comment that would swallow the bracket.
	tree, terr := parse("SELECT 1 WHERE (" + expr + "\n)")
	if terr != nil {
		return nil, fmt.Errorf("row filter: %s", terr.Message)
	}
	var sel *pg.SelectStmt
	if len(tree.Stmts) == 1 {
		sel = tree.Stmts[0].Stmt.GetSelectStmt()
	}
	if sel == nil || sel.WhereClause == nil {
		return nil, errors.New("row filter: not one expression")
	}
	cond := sel.WhereClause
	rest := proto.Clone(sel).(*pg.SelectStmt)
	rest.WhereClause = nil
	if want := parseSelect("SELECT 1"); !sameTree(selectNode(rest), selectNode(want)) {
		return nil, errors.New("row filter: not one expression")
	}
	if fault := filterFault(cond); fault != "" {
		return nil, errors.New("row filter: " + fault)
	}
	return cond, nil
}

func selectNode(s *pg.SelectStmt) *pg.Node {
	return &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: s}}
}

// filterFault says why an expression cannot be a row filter.
func filterFault(cond *pg.Node) (fault string) {
	switch x := cond.Node.(type) {
	case *pg.Node_AConst:
		if x.AConst.GetBoolval() == nil && !x.AConst.Isnull {
			return "the expression is not boolean"
		}
	case *pg.Node_RowExpr, *pg.Node_AArrayExpr:
		return "the expression is not boolean"
	}
	ctes := withNames(cond)
	each(cond.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.ParamRef:
			fault = "it has a parameter"
		case *pg.RangeVar:
			if x.Schemaname == "" && !ctes[x.Relname] {
				fault = "relation " + x.Relname + " is named without its schema"
			}
		case *pg.InsertStmt, *pg.UpdateStmt, *pg.DeleteStmt, *pg.MergeStmt, *pg.IntoClause, *pg.LockingClause:
			fault = "it changes or locks something"
		case *pg.SetToDefault, *pg.CurrentOfExpr:
			fault = "it is not an expression over the relation's columns"
		}
		return fault == ""
	})
	return fault
}

// A filter is a row filter of one relation. It is copied wherever it is used.
type filter struct {
	expr    *pg.Node
	own     map[*pg.ColumnRef]string // columns of the relation
	columns []int16                  // that it reads, with those behind generated ones
	inner   map[string]bool          // names in its subqueries
}

// filter reads a row filter over a relation.
func (w *rewriter) filter(rel *Relation, text string) *filter {
	expr, err := parseFilter(text)
	if err != nil {
		refuse(-1, "", "the row filter of %s.%s cannot be used: %v", rel.Schema, rel.Name, err)
	}
	what := "the row filter of " + rel.Schema + "." + rel.Name
	w.qualify(expr, what)
	r := w.newRun("").nested(rel.Owner)
	r.pending = false
	r.acc, r.rec = newAccumulator(), newRecording()
	r.rec.stored = &storedText{what, w.st.SearchPath}
	item := r.plainItem(rel)
	item.name, item.schema = rel.Name, rel.Schema
	v := r.expr(expr, &scope{items: []*rangeItem{item}})
	r.use(v, query.UseFilter)
	if len(r.acc.missing) > 0 {
		for _, g := range r.acc.gaps {
			refuse(-1, "", "%s cannot be used: %s", what, g.Reason)
		}
	}
	if v.typ != 0 && v.typ != oidBool && v.typ != oidUnknown {
		refuse(-1, "", "%s cannot be used: it is not boolean", what)
	}
	f := &filter{expr: expr, own: map[*pg.ColumnRef]string{}, inner: map[string]bool{}}
	for c, ref := range r.rec.refs {
		switch {
		case ref.item != item:
		case ref.wholeRow || ref.column == "":
			refuse(-1, "", "%s cannot be used: it reads the row as a whole", what)
		default:
			f.own[c] = ref.column
		}
	}
	for attr := range r.acc.table(rel, false).cols {
		f.columns = append(f.columns, attr)
	}
	for _, attr := range f.columns {
		if c := rel.attribute(attr); c != nil && c.Generated != "" {
			f.columns = append(f.columns, r.storedColumns(rel, c.Generated)...)
		}
	}
	slices.Sort(f.columns)
	each(expr.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.RangeVar:
			f.inner[x.Relname] = true
		case *pg.Alias:
			f.inner[x.Aliasname] = true
		}
		return true
	})
	return f
}

// over is the filter with its columns qualified.
func (f *filter) over(qualifier string) *pg.Node {
	for c, name := range f.own {
		c.Fields = []*pg.Node{stringNode(qualifier), stringNode(name)}
	}
	return proto.Clone(f.expr).(*pg.Node)
}

// conditions are all filters of a relation as one condition.
func (w *rewriter) conditions(n *narrowing, qualifier string) *pg.Node {
	var all []*pg.Node
	for _, f := range n.filters {
		all = append(all, f.over(qualifier))
	}
	return conjunction(all...)
}

// qualifier is the name by which filters refer to source, their own entry of
// FROM: another one than its own if a subquery of theirs would capture that.
func (w *rewriter) qualifier(n *narrowing, source *pg.Node) string {
	name, taken := n.rel.Name, false
	for free := false; !free; {
		free = true
		for _, f := range n.filters {
			if f.inner[name] {
				name, free, taken = "own_"+name, false, true
			}
		}
	}
	if !taken {
		return name
	}
	if s := source.GetRangeTableSample(); s != nil {
		source = s.Relation
	}
	if s := source.GetRangeSubselect(); s != nil {
		s.Alias.Aliasname = name
	} else {
		source.GetRangeVar().Alias = &pg.Alias{Aliasname: name}
	}
	return name
}

// conjunction joins conditions with AND; nil ones are left out.
func conjunction(list ...*pg.Node) *pg.Node {
	var args []*pg.Node
	for _, n := range list {
		switch {
		case n == nil || n.Node == nil:
		case n.GetBoolExpr().GetBoolop() == pg.BoolExprType_AND_EXPR:
			args = append(args, n.GetBoolExpr().Args...)
		default:
			args = append(args, n)
		}
	}
	if len(args) == 1 {
		return args[0]
	}
	return &pg.Node{Node: &pg.Node_BoolExpr{BoolExpr: &pg.BoolExpr{Boolop: pg.BoolExprType_AND_EXPR, Args: args}}}
}
