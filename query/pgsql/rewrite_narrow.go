package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// A narrowing is how a relation is seen: by what is said of itself and of its
// ancestors, for a partition holds rows of the table that it is part of; and
// with the constants of its descendants, whose columns it shows.
type narrowing struct {
	rel       *Relation
	filters   []*filter
	constants map[int16]*string
	sizes     bool // of relations, which it has columns for, some are hidden
}

// name finds the relations that the rewriting is about.
func (w *rewriter) name() {
	w.named = make(map[uint32]*query.Narrowing, len(w.rw.Relations))
	for i := range w.rw.Relations {
		n := &w.rw.Relations[i]
		rel := w.cat.Relation(n.Schema, n.Table)
		if t := w.st.Temp[n.Table]; t != nil && t.Schema == n.Schema {
			rel = t
		}
		if rel == nil {
			refuse(-1, "", "relation %s.%s is not known", n.Schema, n.Table)
		}
		w.named[rel.OID] = n
	}
}

// of is the narrowing of a relation, nil if it is seen as it is.
func (w *rewriter) of(rel *Relation) *narrowing {
	if n, ok := w.narrowings[rel.OID]; ok {
		return n
	}
	n := &narrowing{rel: rel, constants: map[int16]*string{}}
	r := w.newRun("")
	for i, at := range related(r, rel, func(x *Relation) []uint32 { return x.Parents }) {
		w.take(n, at, i >= 0)
	}
	for _, at := range related(r, rel, func(x *Relation) []uint32 { return x.Children })[1:] {
		w.take(n, at, false)
	}
	w.generated(r, n)
	if rel.Kind == 'm' {
		w.stored(r, n)
	}
	n.sizes = w.sizesOnly != nil && rel.Schema == "pg_catalog" && rel.Name == "pg_class"
	if len(n.filters) == 0 && len(n.constants) == 0 && !n.sizes {
		n = nil
	}
	w.narrowings[rel.OID] = n
	return n
}

// related is a relation and what next leads to from it, nearest first.
func related(r *run, rel *Relation, next func(*Relation) []uint32) []*Relation {
	out := []*Relation{rel}
	for i := 0; i < len(out); i++ {
		for _, oid := range next(out[i]) {
			if at := r.relationByOID(oid); at != nil && !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	return out
}

// take adds what is said of a relation to a narrowing of it or of a relative.
func (w *rewriter) take(n *narrowing, at *Relation, filters bool) {
	said := w.named[at.OID]
	if said == nil {
		return
	}
	for _, c := range said.Constants {
		if at.Column(c.Column) == nil {
			refuse(-1, "", "column %s of relation %s.%s is not known", c.Column, at.Schema, at.Name)
		}
		if own := n.rel.Column(c.Column); own != nil {
			if _, ok := n.constants[own.Attr]; !ok {
				n.constants[own.Attr] = c.Value
			}
		}
	}
	if filters {
		for _, f := range said.Filters {
			n.filters = append(n.filters, w.filter(n.rel, f))
		}
	}
}

// generated makes columns constants that are computed from one.
func (w *rewriter) generated(r *run, n *narrowing) {
	if len(n.constants) == 0 {
		return
	}
	for i := range n.rel.Columns {
		c := &n.rel.Columns[i]
		if _, ok := n.constants[c.Attr]; ok || c.Generated == "" {
			continue
		}
		for _, attr := range r.storedColumns(n.rel, c.Generated) {
			if _, ok := n.constants[attr]; ok {
				n.constants[c.Attr] = nil
			}
		}
	}
}

// stored makes the columns of a materialised view constants that show one of a
// table. Its rows stay as they are; the facts tell if they depend on one.
func (w *rewriter) stored(r *run, n *narrowing) {
	v := r.view(n.rel)
	if len(v.cols) != len(n.rel.Columns) {
		return
	}
	for i := range n.rel.Columns {
		for _, d := range v.cols[i].value.deps {
			base := r.relationByOID(d.rel)
			if base == nil || base == n.rel {
				continue
			}
			of := w.of(base)
			if of == nil {
				continue
			}
			value, ok := of.constants[d.attr]
			if !ok {
				continue
			}
			own, col := &n.rel.Columns[i], base.attribute(d.attr)
			if !v.cols[i].value.direct || len(v.cols[i].value.deps) > 1 || own.Type != col.Type || own.Typmod != col.Typmod {
				value = nil
			}
			n.constants[own.Attr] = value
		}
	}
}

// readsNarrowed reports a view whose definition reads a narrowed relation.
func (w *rewriter) readsNarrowed(rel *Relation) bool {
	if rel.Kind != 'v' || rel.Definition == "" {
		return false
	}
	for _, t := range w.newRun("").view(rel).acc.order {
		if t.rel != rel && w.of(t.rel) != nil {
			return true
		}
	}
	return false
}

// constant is a value in a column's type.
func (w *rewriter) constant(rel *Relation, c *Column, value *string) *pg.Node {
	val := &pg.A_Const{Isnull: true}
	if value != nil {
		if w.newRun("").baseType(c.Type) == oidBool { // 'f'::bool would be printed as false
			truth, _ := constantBool(&pg.Node{Node: &pg.Node_AConst{AConst: &pg.A_Const{Val: &pg.A_Const_Sval{Sval: &pg.String{Sval: *value}}}}})
			return &pg.Node{Node: &pg.Node_AConst{AConst: &pg.A_Const{Val: &pg.A_Const_Boolval{Boolval: &pg.Boolean{Boolval: truth}}}}}
		}
		val = &pg.A_Const{Val: &pg.A_Const_Sval{Sval: &pg.String{Sval: *value}}}
	}
	out := &pg.Node{Node: &pg.Node_TypeCast{TypeCast: &pg.TypeCast{
		Arg: &pg.Node{Node: &pg.Node_AConst{AConst: val}}, TypeName: w.typeName(rel, c)}}}
	if c.Collation == "" {
		return out
	}
	tree, err := parse("SELECT x COLLATE " + c.Collation)
	if err != nil {
		refuse(-1, "", "the collation of column %s is not known", c.Name)
	}
	out, collate := tree.Stmts[0].Stmt.GetSelectStmt().TargetList[0].GetResTarget().Val, out
	out.GetCollateClause().Arg = collate
	return out
}

// typeName is a column's type; of a domain the type below, whose values are
// those that the server sends, and which no constraint binds.
func (w *rewriter) typeName(rel *Relation, c *Column) *pg.TypeName {
	text := c.TypeText
	base := w.newRun("").baseType(c.Type)
	typ := w.cat.Types[base]
	below := w.cat.Types[c.Type]
	nested := below != nil && below.Kind == 'd' && below.Base != base
	if typ != nil && (text == "" || nested || w.st.Temp[rel.Name] == rel && !w.builtin(typ)) {
		text = quoteIdent(typ.Schema) + "." + quoteIdent(typ.Name)
		if elem := w.cat.Types[typ.Elem]; elem != nil && typ.Kind == 'b' && typ.Elem != 0 && strings.HasPrefix(typ.Name, "_") {
			text = quoteIdent(elem.Schema) + "." + quoteIdent(elem.Name) + "[]"
		}
	}
	sel := parseSelect("SELECT NULL::" + text)
	if sel == nil || len(sel.TargetList) != 1 || sel.TargetList[0].GetResTarget().GetVal().GetTypeCast() == nil {
		refuse(-1, "", "the type of column %s of %s.%s is not known", c.Name, rel.Schema, rel.Name)
	}
	name := sel.TargetList[0].GetResTarget().Val.GetTypeCast().TypeName
	w.qualifyType(name)
	return name
}

// builtin reports a type of the server's own, or an array of one.
func (w *rewriter) builtin(t *Type) bool { return t.OID < firstNormalOID && Builtin(t.Schema) }

// ancestors notes the tables that a partition or child is part of: what policy
// says of their rows holds for those that are read by another name.
func (r *run) ancestors() {
	for i := 0; i < len(r.acc.order); i++ { // grows while it runs
		for _, oid := range r.acc.order[i].rel.Parents {
			if parent := r.relationByOID(oid); parent != nil {
				r.acc.table(parent, false)
			}
		}
	}
}
