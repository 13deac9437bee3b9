package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// qualify makes the meaning of an expression or query independent of the
// session's search_path: it means what it would with nothing but pg_catalog in
// it, as views are printed for the catalog and filters are written. Operators
// without a qualified spelling (IN, CASE x WHEN, USING) are watched by the
// recording of the run that follows.
func (w *rewriter) qualify(n *pg.Node, what string) {
	ctes := withNames(n)
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.FuncCall:
			if len(x.Funcname) == 1 && !w.hasFunction(x.Funcname[0].GetString_().GetSval()) {
				refuse(-1, "", "%s cannot be used: function %s is named without its schema", what, x.Funcname[0].GetString_().GetSval())
			}
			x.Funcname = inCatalog(x.Funcname)
		case *pg.TypeName:
			w.qualifyType(x)
		case *pg.CollateClause:
			x.Collname = inCatalog(x.Collname)
		case *pg.RangeTableSample:
			x.Method = inCatalog(x.Method)
		case *pg.A_Expr:
			switch x.Kind {
			case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
				x.Name = inCatalog(x.Name)
			}
		case *pg.SubLink:
			x.OperName = inCatalog(x.OperName)
		case *pg.SortBy:
			x.UseOp = inCatalog(x.UseOp)
		case *pg.RangeVar:
			if x.Schemaname != "" || w.cat.Relation("pg_catalog", x.Relname) == nil {
				break
			}
			if ctes[x.Relname] {
				refuse(-1, "", "%s cannot be used: %s is a query of WITH and a relation", what, x.Relname)
			}
			x.Schemaname = "pg_catalog"
		}
		return true
	})
}

// withNames are the names of all queries of WITH.
func withNames(n *pg.Node) map[string]bool {
	out := map[string]bool{}
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		if c, ok := m.Interface().(*pg.CommonTableExpr); ok {
			out[c.Ctename] = true
		}
		return true
	})
	return out
}

// inCatalog names pg_catalog before a name without a schema.
func inCatalog(names []*pg.Node) []*pg.Node {
	if len(names) != 1 {
		return names
	}
	return []*pg.Node{stringNode("pg_catalog"), names[0]}
}

func (w *rewriter) hasFunction(name string) bool {
	for _, f := range w.cat.Functions(name) {
		if f.Schema == "pg_catalog" {
			return true
		}
	}
	return false
}

// qualifyType names pg_catalog before a type without a schema, where the
// session has another one of that name. (bpchar would become char(1) by it, but
// that is no name which others may have: the grammar makes it of char(n).)
func (w *rewriter) qualifyType(t *pg.TypeName) {
	if len(t.Names) != 1 {
		return
	}
	for _, schema := range w.st.SearchPath {
		if schema == "pg_catalog" {
			continue
		}
		if name := t.Names[0].GetString_().GetSval(); w.newRun("").typeNamed(schema, name) != nil {
			t.Names = inCatalog(t.Names)
			return
		}
	}
}
