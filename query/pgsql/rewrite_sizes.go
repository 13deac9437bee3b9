package pgsql

import (
	"cmp"
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirdb/weir/query"
)

// How large a relation is tells of its values. Where some sizes may be seen
// only, pg_class becomes a subquery in which those of all other relations look
// as if the relation had never been analysed, and a function of a size is
// called for the relations that may be seen.

// unknownSizes are what pg_class holds of a table that was never analysed.
var unknownSizes = map[string]string{
	"relpages":      "0",
	"reltuples":     "'-1'::pg_catalog.float4",
	"relallvisible": "0",
	"relallfrozen":  "0",
}

// SizesOf lists the relations of a catalog with what the size of each tells
// of; those are left out of which that is not known.
func (a *Analyzer) SizesOf(cat *Catalog) []query.Sized {
	cc := a.catalogCache(cat)
	cc.sizes.Do(func() { cc.sized = a.sizesOf(cc) })
	return cc.sized
}

func (a *Analyzer) sizesOf(cc *catalogCache) []query.Sized {
	out := make([]query.Sized, 0, len(cc.catalog.Relations))
	for _, rel := range cc.catalog.Relations {
		if Builtin(rel.Schema) {
			continue
		}
		budget, volatile := maxBudget, false
		r := &run{an: a, cat: cc.catalog, cc: cc, st: &State{}, acc: newAccumulator(), budget: &budget, volatile: &volatile, stmt: &Statement{}}
		r.about(rel, -1)
		var f query.Facts
		r.facts(&f)
		if f.Complete {
			out = append(out, query.Sized{RelationName: query.RelationName{Schema: rel.Schema, Name: rel.Name}, Tables: f.Tables})
		}
	}
	slices.SortFunc(out, func(a, b query.Sized) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	return out
}

// ReadsSizes says that a statement might tell of the size of relations.
func ReadsSizes(f *query.Facts) bool {
	return slices.ContainsFunc(f.Tables, func(t query.Table) bool { return t.Schema == "pg_catalog" && t.Name == "pg_class" }) ||
		slices.ContainsFunc(f.Functions, func(f query.Function) bool { return f.Schema == "pg_catalog" && sizes[f.Name] })
}

// A sizeCondition says of which relations sizes are seen.
type sizeCondition struct{ oids string }

func (w *rewriter) shownSizes() {
	if w.rw.Sizes == nil {
		return
	}
	var oids []string
	for _, n := range w.rw.Sizes.Shown {
		if rel := w.cat.Relation(n.Schema, n.Name); rel != nil {
			oids = append(oids, itoa(int(rel.OID)))
		}
	}
	w.sizesOnly = &sizeCondition{strings.Join(oids, ",")}
}

// holds is the condition on the OID of a relation, which is an index or not.
func (c *sizeCondition) holds(oid string) string {
	shown := " OPERATOR(pg_catalog.=) ANY ('{" + c.oids + "}'::pg_catalog.oid[])"
	return oid + shown + " OR " + oid + " OPERATOR(pg_catalog.=) ANY (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid" + shown + ")"
}

// column is a column of pg_class.
func (c *sizeCondition) column(name, unknown string) *pg.Node {
	return expression("CASE WHEN " + c.holds("oid") + " THEN " + name + " ELSE " + unknown + " END")
}

// expression reads an expression of the rewriting's own.
func expression(text string) *pg.Node {
	sel := parseSelect("SELECT " + text)
	if sel == nil {
		refuse(-1, "", "the rewritten statement cannot be read")
	}
	return sel.TargetList[0].GetResTarget().Val
}

// sizeCalls puts the calls of functions of sizes under the condition.
func (w *rewriter) sizeCalls(n *pg.Node) {
	if w.sizesOnly == nil || len(w.rec.sized) == 0 {
		return
	}
	var calls []*pg.Node
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.ResTarget:
			if x.Name == "" && x.Val.GetColumnRef() == nil && w.callsSize(x.Val) {
				x.Name = figureName(x.Val)
			}
		case *pg.Node:
			if f := x.GetFuncCall(); f != nil && w.rec.sized[f] && plainRelation(f.Args[0]) {
				calls = append(calls, x)
			}
		}
		return true
	})
	for _, x := range calls {
		f := x.GetFuncCall()
		w.ourCalls[f], w.changed = true, true
		when := expression("CASE WHEN " + w.sizesOnly.holds("a::pg_catalog.regclass::pg_catalog.oid") + " THEN NULL END")
		for _, c := range columnRefs(when) {
			if c.GetColumnRef().Fields[0].GetString_().GetSval() == "a" {
				c.Node = proto.Clone(f.Args[0]).(*pg.Node).Node
			}
		}
		when.GetCaseExpr().Args[0].GetCaseWhen().Result = &pg.Node{Node: x.Node}
		x.Node = when.Node
	}
}

func (w *rewriter) callsSize(n *pg.Node) bool {
	return n != nil && slices.ContainsFunc(all[*pg.FuncCall](n), func(f *pg.FuncCall) bool { return w.rec.sized[f] })
}

func columnRefs(n *pg.Node) []*pg.Node {
	return slices.DeleteFunc(all[*pg.Node](n), func(n *pg.Node) bool { return n.GetColumnRef() == nil })
}

// plainRelation says that an argument can be computed twice: a column or
// constant, perhaps as an OID.
func plainRelation(n *pg.Node) bool {
	for n.GetTypeCast() != nil {
		schema, name := qualifiedName(n.GetTypeCast().GetTypeName().GetNames())
		if schema != "" && schema != "pg_catalog" || name != "regclass" && name != "oid" {
			return false
		}
		n = n.GetTypeCast().Arg
	}
	return n.GetColumnRef() != nil || n.GetAConst().GetSval() != nil || n.GetAConst().GetIval() != nil
}
