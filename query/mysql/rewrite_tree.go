package mysql

import (
	"reflect"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// tablesInOrder lists the entries of FROM that name a relation, in the order in
// which they stand in the text.
func tablesInOrder(n ast.Node) []*ast.TableSource {
	v := &orderVisitor{}
	v.query(n)
	return v.out
}

// orderVisitor visits the clauses of a query as they are written: the tree's
// own order has FROM before the select list.
type orderVisitor struct{ out []*ast.TableSource }

func (v *orderVisitor) query(n ast.Node) {
	switch x := n.(type) {
	case *ast.UpdateStmt:
		visit(v, x.TableRefs)
		for _, a := range x.List {
			visit(v, a)
		}
		visit(v, x.Where)
		visit(v, x.Order)
		visit(v, x.Limit)
	case *ast.DeleteStmt:
		visit(v, x.TableRefs)
		visit(v, x.Where)
		visit(v, x.Order)
		visit(v, x.Limit)
	case *ast.InsertStmt: // what it stores into is no entry of FROM
		for _, row := range x.Lists {
			for _, e := range row {
				visit(v, e)
			}
		}
		if x.Select != nil {
			v.query(x.Select)
		}
		for _, a := range x.OnDuplicate {
			visit(v, a)
		}
	case *ast.SelectStmt:
		v.with(x.With)
		visit(v, x.Fields)
		for _, l := range x.Lists {
			visit(v, l)
		}
		visit(v, x.From)
		visit(v, x.Where)
		visit(v, x.GroupBy)
		visit(v, x.Having)
		for i := range x.WindowSpecs {
			visit(v, &x.WindowSpecs[i])
		}
		visit(v, x.OrderBy)
		visit(v, x.Limit)
	case *ast.SetOprStmt:
		v.with(x.With)
		v.query(x.SelectList)
		visit(v, x.OrderBy)
		visit(v, x.Limit)
	case *ast.SetOprSelectList:
		v.with(x.With)
		for _, s := range x.Selects {
			v.query(s)
		}
		visit(v, x.OrderBy)
		visit(v, x.Limit)
	}
}

func (v *orderVisitor) with(w *ast.WithClause) {
	if w != nil {
		for _, c := range w.CTEs {
			v.query(c.Query.Query)
		}
	}
}

// visit visits a part of a query that may be missing.
func visit(v ast.Visitor, n ast.Node) {
	if n != nil && !reflect.ValueOf(n).IsNil() {
		n.Accept(v)
	}
}

func (v *orderVisitor) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.SelectStmt, *ast.SetOprStmt, *ast.SetOprSelectList:
		v.query(x)
		return n, true
	case *ast.TableSource:
		if _, ok := x.Source.(*ast.TableName); ok {
			v.out = append(v.out, x)
			return n, true
		}
	}
	return n, false
}

func (v *orderVisitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// unlike are the parts of a node that say where it stood and not what it is.
var unlike = map[string]bool{"node": true, "TexprNode": true, "exprNode": true, "funcNode": true, "stmtNode": true, "dmlNode": true,
	"Offset": true, "QueryBlockOffset": true, "projection": true, "L": true}

// sameTree compares two trees, whatever the places of their nodes in the text.
func sameTree(a, b ast.Node) bool {
	return sameValue(reflect.ValueOf(a), reflect.ValueOf(b), 0)
}

func sameValue(a, b reflect.Value, depth int) bool {
	if a.IsValid() != b.IsValid() || depth > 100_000 {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return sameValue(a.Elem(), b.Elem(), depth+1)
	case reflect.Struct:
		for i := range a.NumField() {
			if !unlike[a.Type().Field(i).Name] && !sameValue(a.Field(i), b.Field(i), depth+1) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i), depth+1) {
				return false
			}
		}
		return true
	case reflect.String:
		return a.String() == b.String()
	case reflect.Bool:
		return a.Bool() == b.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return a.Int() == b.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return a.Uint() == b.Uint()
	case reflect.Float32, reflect.Float64:
		return a.Float() == b.Float()
	case reflect.Map, reflect.Func, reflect.Chan:
		return a.Len() == b.Len()
	}
	return false
}
