package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// maxAssignments bounds what is noted of one statement.
const maxAssignments = 100_000

// assigns notes what is stored in a column of the target, by name. A nil value
// is one that is not written out.
func (r *run) assigns(t *target, name string, value *pg.Node, pos int32) {
	if t.rel == nil || len(r.acc.assignments) >= maxAssignments {
		return
	}
	for i := range t.rel.Columns {
		if t.rel.Columns[i].Name != name || i >= len(t.item.cols) {
			continue
		}
		for _, d := range t.item.cols[i].value.deps {
			base := r.relationByOID(d.rel)
			if base == nil || base.attribute(d.attr) == nil {
				continue
			}
			col := base.attribute(d.attr)
			a := query.Assignment{Schema: base.Schema, Table: base.Name, Column: col.Name, Type: col.Type, Pos: r.offset(pos)}
			a.Literal, a.Parameter = r.plainValue(value)
			r.acc.assigned(a)
		}
	}
}

// assigned adds a; of values that are not written out, one for each column.
func (acc *accumulator) assigned(a query.Assignment) {
	if a.Literal == nil && a.Parameter == 0 {
		key := a.Schema + "\x00" + a.Table + "\x00" + a.Column
		if acc.computed[key] {
			return
		}
		if acc.computed == nil {
			acc.computed = map[string]bool{}
		}
		acc.computed[key] = true
	}
	acc.assignments = append(acc.assignments, a)
}

// plainValue is a literal's text or a parameter's number, through casts.
func (r *run) plainValue(n *pg.Node) (*string, int) {
	for range maxDepth {
		switch x := n.GetNode().(type) {
		case *pg.Node_TypeCast:
			n = x.TypeCast.Arg
			continue
		case *pg.Node_CollateClause:
			n = x.CollateClause.Arg
			continue
		case *pg.Node_ParamRef:
			if i := int(x.ParamRef.Number) - 1; i >= 0 && i < len(r.arguments) {
				n = r.arguments[i]
				continue
			}
			return nil, int(x.ParamRef.Number)
		case *pg.Node_AConst:
			return literalText(x.AConst), 0
		}
		break
	}
	return nil, 0
}

func literalText(c *pg.A_Const) *string {
	var text string
	switch x := c.GetVal().(type) {
	case *pg.A_Const_Sval:
		text = x.Sval.GetSval()
	case *pg.A_Const_Fval:
		text = x.Fval.GetFval()
	case *pg.A_Const_Ival:
		text = itoa(int(x.Ival.GetIval()))
	default:
		return nil
	}
	return &text
}

// insertedValues notes what an INSERT stores, row by row.
func (r *run) insertedValues(t *target, names []string, source *pg.SelectStmt, pos int32) {
	rows := make([][]*pg.Node, 0, len(source.GetValuesLists()))
	for _, row := range source.GetValuesLists() {
		rows = append(rows, row.GetList().GetItems())
	}
	if len(rows) == 0 && source != nil {
		var row []*pg.Node
		for _, n := range source.TargetList {
			row = append(row, n.GetResTarget().GetVal())
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		for i, name := range names {
			if i < len(row) {
				r.assigns(t, name, row[i], location(row[i], pos))
			}
		}
	}
}

// location is where a written-out value stands, or else.
func location(n *pg.Node, otherwise int32) int32 {
	switch x := n.GetNode().(type) {
	case *pg.Node_AConst:
		return x.AConst.Location
	case *pg.Node_ParamRef:
		return x.ParamRef.Location
	case *pg.Node_TypeCast:
		return location(x.TypeCast.Arg, otherwise)
	}
	return otherwise
}

// setValue is the value for one entry of a SET list.
func setValue(x *pg.ResTarget) *pg.Node {
	m := x.GetVal().GetMultiAssignRef()
	if m == nil {
		return x.GetVal()
	}
	if items := m.GetSource().GetRowExpr().GetArgs(); int(m.Colno) >= 1 && int(m.Colno) <= len(items) {
		return items[m.Colno-1]
	}
	return nil
}
