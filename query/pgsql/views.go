package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// viewFacts is what reading a view does, with its columns' lineage.
type viewFacts struct {
	cols []column
	acc  *accumulator // uses that reading any column brings
}

// view analyses a view's definition, once per catalog version.
func (r *run) view(rel *Relation) *viewFacts {
	temporary := r.st.Temp[rel.Name] == rel
	if !temporary {
		r.cc.mu.Lock()
		v := r.cc.views[rel]
		r.cc.mu.Unlock()
		if v != nil {
			return v
		}
	}
	v := r.analyseView(rel)
	if !temporary && r.depth == 0 {
		r.cc.mu.Lock()
		r.cc.views[rel] = v
		r.cc.mu.Unlock()
	}
	return v
}

func (r *run) analyseView(rel *Relation) *viewFacts {
	sub := r.nested(rel.Owner)
	sub.acc = newAccumulator()
	out := &viewFacts{acc: sub.acc}
	if r.depth >= maxDepth {
		sub.gap(-1, "views are nested too deeply")
		return out
	}
	sel := parseSelect(rel.Definition)
	if sel == nil {
		sub.missing(-1, "the definition of view "+rel.Schema+"."+rel.Name+" is not known", rel.Schema+"."+rel.Name)
		return out
	}
	out.cols = sub.selectStmt(sel, &scope{})
	if len(sub.acc.scattered) > 0 && !sub.acc.byOrder {
		sub.acc.byOrder = sub.probe(func(again *run) { again.selectStmt(sel, &scope{}) })
	}
	return out
}

// nested is a run inside a stored definition, whose names are fully qualified.
func (r *run) nested(owner string) *run {
	sub := *r
	sub.depth++
	sub.hidden = true
	sub.pending = true
	sub.rec = nil
	sub.st = &State{User: owner, SearchPath: []string{"pg_catalog"}, Temp: r.st.Temp, TempSchema: r.st.TempSchema}
	return &sub
}

func parseSelect(sql string) *pg.SelectStmt {
	if sql == "" {
		return nil
	}
	tree, err := parse(sql)
	if err != nil || len(tree.Stmts) != 1 {
		return nil
	}
	return tree.Stmts[0].Stmt.GetSelectStmt()
}

// readView adds what reading a view does to the statement.
func (r *run) readView(rel *Relation, v *viewFacts, pos int32) {
	for _, t := range v.acc.order {
		access := t.access
		if len(access) == 0 {
			access = []string{"select"}
		}
		to := r.acc.table(t.rel, false, access...)
		for attr, u := range t.cols {
			to.mark(attr, u.uses, pos)
		}
	}
	for _, f := range v.acc.functions {
		if !f.Safe {
			f.Pos = -1
			r.function(f)
		}
	}
	for i, g := range v.acc.gaps {
		name := ""
		if i < len(v.acc.missing) {
			name = v.acc.missing[i]
		}
		r.pend(pendingGap{reason: g.Reason, name: name}, pos)
	}
	for _, w := range v.acc.writes {
		r.write(w.Kind, w.Object, pos)
	}
	for _, d := range v.acc.scattered {
		d.pos = r.here(pos)
		r.acc.scattered = append(r.acc.scattered, d)
	}
	r.acc.byOrder = r.acc.byOrder || v.acc.byOrder
}

// relationByOID finds a relation of the catalog or of the session.
func (r *run) relationByOID(oid uint32) *Relation {
	if rel := r.cat.Relations[oid]; rel != nil {
		return rel
	}
	for _, rel := range r.st.Temp {
		if rel.OID == oid {
			return rel
		}
	}
	return nil
}

// twins are the columns of other relations, or of the same one, that hold what
// a column holds: its namesakes up and down an inheritance tree, and for a
// generated column those that it is computed from (Derived).
func (r *run) twins(rel *Relation, col *Column) []query.ColumnRef {
	if len(rel.Parents) == 0 && len(rel.Children) == 0 && col.Generated == "" {
		return nil
	}
	key := columnKey{rel.OID, col.Attr}
	cached := r.cat.Relations[rel.OID] == rel
	if cached {
		r.cc.mu.Lock()
		refs, ok := r.cc.twins[key]
		r.cc.mu.Unlock()
		if ok {
			return refs
		}
	}
	var refs []query.ColumnRef
	seen := map[uint32]bool{rel.OID: true}
	var follow func(at *Relation, next func(*Relation) []uint32)
	follow = func(at *Relation, next func(*Relation) []uint32) {
		for _, oid := range next(at) {
			other := r.relationByOID(oid)
			if other == nil || seen[oid] {
				continue
			}
			seen[oid] = true
			if c := other.Column(col.Name); c != nil {
				refs = append(refs, query.ColumnRef{Relation: oid, Attr: c.Attr})
				follow(other, next)
			}
		}
	}
	follow(rel, func(x *Relation) []uint32 { return x.Parents })
	follow(rel, func(x *Relation) []uint32 { return x.Children })
	if col.Generated != "" {
		for _, attr := range r.storedColumns(rel, col.Generated) {
			refs = append(refs, query.ColumnRef{Relation: rel.OID, Attr: attr, Derived: true})
		}
	}
	if cached {
		r.cc.mu.Lock()
		r.cc.twins[key] = refs
		r.cc.mu.Unlock()
	}
	return refs
}

// storedColumns lists the columns of a relation that a stored expression
// mentions; all of them if the expression cannot be read.
func (r *run) storedColumns(rel *Relation, expression string) []int16 {
	sub := r.nested(rel.Owner)
	sub.acc = newAccumulator()
	budget := maxBudget
	sub.budget = &budget
	v, ok := sub.stored(rel, expression)
	if !ok {
		out := make([]int16, len(rel.Columns))
		for i := range rel.Columns {
			out[i] = rel.Columns[i].Attr
		}
		return out
	}
	sub.use(v, query.UseDerived)
	var out []int16
	for attr := range sub.acc.table(rel, false).cols {
		out = append(out, attr)
	}
	slices.Sort(out)
	return out
}

// How the conditions of a relation begin that are constraints.
const (
	checkConstraint = "CHECK "
	exclusion       = "EXCLUDE "
	foreignKey      = "FOREIGN KEY "
)

// stored evaluates a deparsed expression, list of expressions or constraint
// over the columns of a relation.
func (r *run) stored(rel *Relation, expression string) (value, bool) {
	sc := &scope{items: []*rangeItem{r.plainItem(rel)}}
	if strings.HasPrefix(expression, checkConstraint) || strings.HasPrefix(expression, exclusion) || strings.HasPrefix(expression, foreignKey) {
		tree, err := parse("CREATE TABLE x (" + expression + ")")
		if err != nil || len(tree.Stmts) != 1 || len(tree.Stmts[0].Stmt.GetCreateStmt().GetTableElts()) != 1 {
			return value{}, false
		}
		c := tree.Stmts[0].Stmt.GetCreateStmt().TableElts[0].GetConstraint()
		v := derive(r.expr(c.GetRawExpr(), sc), r.expr(c.GetWhereClause(), sc))
		for _, x := range c.GetExclusions() {
			if items := x.GetList().GetItems(); len(items) > 0 {
				v = derive(v, r.indexElem(items[0].GetIndexElem(), sc))
			}
		}
		return derive(v, r.references(rel, c)), true
	}
	sel := parseSelect("SELECT " + expression)
	if sel == nil {
		return value{}, false
	}
	var v value
	for _, t := range sel.TargetList {
		v = derive(v, r.expr(t.GetResTarget().GetVal(), sc))
	}
	return v, true
}

// references are the columns on both sides of a foreign key.
func (r *run) references(rel *Relation, c *pg.Constraint) value {
	if c.GetPktable() == nil {
		return value{}
	}
	other := r.resolveRelation(c.Pktable)
	if other == nil {
		return value{}
	}
	r.acc.table(other, false, "select")
	var v value
	for _, side := range []struct {
		rel  *Relation
		list []*pg.Node
	}{{rel, c.FkAttrs}, {other, c.PkAttrs}} {
		for _, n := range side.list {
			if col := side.rel.Column(n.GetString_().GetSval()); col != nil {
				v.deps = mergeDeps(v.deps, []dep{{rel: side.rel.OID, attr: col.Attr, pos: -1}})
			}
		}
	}
	return v
}

func (r *run) indexElem(e *pg.IndexElem, sc *scope) value {
	if e.GetName() != "" {
		m, _, _ := sc.findColumn(e.Name)
		return derive(m...)
	}
	return r.expr(e.GetExpr(), sc)
}

// conditions lists, for each stored condition of a relation, its columns.
func (r *run) conditions(rel *Relation) [][]int16 {
	if len(rel.Conditions) == 0 {
		return nil
	}
	r.cc.mu.Lock()
	out, ok := r.cc.conditions[rel]
	r.cc.mu.Unlock()
	if ok {
		return out
	}
	for _, c := range rel.Conditions {
		out = append(out, r.storedColumns(rel, c))
	}
	r.cc.mu.Lock()
	r.cc.conditions[rel] = out
	r.cc.mu.Unlock()
	return out
}
