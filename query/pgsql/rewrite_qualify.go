package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// qualify makes the meaning of an expression or query independent of the
// session's search_path: it means what it would with nothing but pg_catalog in
// it, as views are printed for the catalog and filters are written. Operators
// that have no qualified spelling are refused where the session's path has
// another one of that name.
func (w *rewriter) qualify(n *pg.Node, what string) {
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.FuncCall:
			if len(x.Funcname) != 1 {
				break
			}
			name := x.Funcname[0].GetString_().GetSval()
			if !w.hasFunction(name) {
				refuse(-1, "", "%s cannot be used: function %s is named without its schema", what, name)
			}
			x.Funcname = []*pg.Node{stringNode("pg_catalog"), x.Funcname[0]}
		case *pg.TypeName:
			qualifyType(x)
		case *pg.A_Expr:
			w.qualifyOperator(x, what)
		case *pg.SubLink:
			if x.SubLinkType == pg.SubLinkType_ANY_SUBLINK || x.SubLinkType == pg.SubLinkType_ALL_SUBLINK {
				if len(x.OperName) == 0 {
					w.unshadowed(what, "=")
				} else {
					x.OperName = qualifiedOperator(x.OperName)
				}
			}
		case *pg.SortBy:
			if len(x.UseOp) == 1 {
				x.UseOp = qualifiedOperator(x.UseOp)
			}
		case *pg.CaseExpr:
			if x.Arg != nil {
				w.unshadowed(what, "=")
			}
		case *pg.JoinExpr:
			if x.IsNatural || len(x.UsingClause) > 0 {
				w.unshadowed(what, "=")
			}
		case *pg.RangeVar:
			if x.Schemaname == "" && w.cat.Relation("pg_catalog", x.Relname) != nil {
				refuse(-1, "", "%s cannot be used: relation %s is named without its schema", what, x.Relname)
			}
		}
		return true
	})
}

func (w *rewriter) hasFunction(name string) bool {
	for _, f := range w.cat.Functions(name) {
		if f.Schema == "pg_catalog" {
			return true
		}
	}
	return false
}

// qualifyType names pg_catalog before a type that has no schema. bpchar stays:
// with a schema it would be char(1).
func qualifyType(t *pg.TypeName) {
	if len(t.Names) == 1 && t.Names[0].GetString_().GetSval() != "bpchar" {
		t.Names = []*pg.Node{stringNode("pg_catalog"), t.Names[0]}
	}
}

func qualifiedOperator(names []*pg.Node) []*pg.Node {
	if len(names) != 1 {
		return names
	}
	return []*pg.Node{stringNode("pg_catalog"), names[0]}
}

func (w *rewriter) qualifyOperator(x *pg.A_Expr, what string) {
	if len(x.Name) != 1 {
		return
	}
	switch x.Kind {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		x.Name = qualifiedOperator(x.Name)
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		for _, name := range []string{"<", "<=", ">", ">="} {
			w.unshadowed(what, name)
		}
	default:
		w.unshadowed(what, x.Name[0].GetString_().GetSval())
	}
}

// unshadowed refuses an operator without a qualified spelling if the session
// could see another one of its name.
func (w *rewriter) unshadowed(what, name string) {
	for _, op := range w.cat.Operators(name) {
		if op.Schema != "pg_catalog" && contains(w.st.SearchPath, op.Schema) {
			refuse(-1, "Take schema "+op.Schema+" out of search_path.", "%s cannot be used: operator %s of schema %s would change its meaning", what, name, op.Schema)
		}
	}
}
