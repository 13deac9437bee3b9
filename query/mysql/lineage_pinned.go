package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// A pin is what a query of the information schema holds its rows to: a database,
// and maybe one table of it. Sizes and counts then go by what those hold.
type pin struct{ schema, table string }

// pinned finds the pin of a query over one relation, nil if there is none.
func (r *run) pinned(s *ast.SelectStmt) *pin {
	if s.From == nil || s.Where == nil {
		return nil
	}
	n, name, ok := singleTable(s.From)
	if !ok || r.cat.foldDatabase(r.databaseOf(n)) != "information_schema" {
		return nil
	}
	if name == "" {
		name = n.Name.O
	}
	p := &pin{}
	r.conjuncts(s.Where, func(part ast.ExprNode) {
		left, right := equals(part)
		c, ok := strip(left).(*ast.ColumnNameExpr)
		if !ok || c.Name.Table.O != "" && c.Name.Table.O != name { // of a query around
			return
		}
		text := r.plainText(right)
		switch columnKey(c.Name.Name.O) {
		case "table_schema":
			p.schema = text
		case "table_name":
			p.table = text
		}
	})
	if p.schema == "" {
		return nil
	}
	return p
}

// equals are the sides of a comparison for equality, nil for everything else.
func equals(n ast.ExprNode) (left, right ast.ExprNode) {
	switch x := n.(type) {
	case *ast.BinaryOperationExpr:
		if x.Op == opcode.EQ {
			return x.L, x.R
		}
	case *ast.PatternInExpr:
		if len(x.List) == 1 && x.Sel == nil && !x.Not {
			return x.Expr, x.List[0]
		}
	}
	return nil, nil
}

// plainText is a string, or the database that DATABASE() gives; empty for
// everything else.
func (r *run) plainText(n ast.ExprNode) string {
	switch x := strip(n).(type) {
	case *Literal:
		return x.GetString()
	case *ast.FuncCallExpr:
		if len(x.Args) == 0 && x.Schema.O == "" && (x.FnName.L == "database" || x.FnName.L == "schema") && !r.hidden {
			return r.st.Database
		}
	}
	return ""
}

// tells are the columns that sizes and counts in a relation of the information
// schema go by, under the pin; false if there is none, or too much behind it.
func (r *run) tells(relation string) ([]dep, bool) {
	if r.pin == nil {
		return nil, false
	}
	switch relation {
	case "information_schema.tables", "information_schema.statistics", "information_schema.partitions":
	default:
		return nil, false
	}
	// Names are compared without case and accents there.
	schema, table := foldName(r.pin.schema), foldName(r.pin.table)
	var out []dep
	for _, rel := range r.cat.Relations {
		if foldName(rel.Schema) != schema || table != "" && foldName(rel.Name) != table {
			continue
		}
		if !r.spend(len(rel.Columns)) {
			return nil, false
		}
		for i := range rel.Columns {
			out = append(out, dep{rel: rel.ID, attr: rel.Columns[i].Attr, scan: -1, pos: -1})
		}
	}
	return out, true
}
