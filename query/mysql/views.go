package mysql

import (
	"slices"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// lineageCache holds what was worked out about the definitions of one catalog.
// Its zero value is ready.
type lineageCache struct {
	mu        sync.Mutex
	views     map[*Relation]*viewFacts // guarded by mu
	generated map[*Column][]int16      // guarded by mu
	incoming  map[*Relation][]incoming // guarded by mu
	bodies    map[any]*routineFacts    // guarded by mu; by *Routine or *Trigger
}

// viewFacts is what reading a view does, with its columns' lineage.
type viewFacts struct {
	result result
	acc    *accumulator // uses that reading any column brings
}

// view analyses a view's definition, once per catalog version.
func (r *run) view(rel *Relation) *viewFacts {
	c := &r.cc.lineage
	c.mu.Lock()
	v := c.views[rel]
	c.mu.Unlock()
	if v != nil {
		return v
	}
	v = r.analyseView(rel)
	if r.depth == 0 && !r.st.Stale { // else depth may have cut it short
		c.mu.Lock()
		if c.views == nil {
			c.views = make(map[*Relation]*viewFacts)
		}
		c.views[rel] = v
		c.mu.Unlock()
	}
	return v
}

func (r *run) analyseView(rel *Relation) *viewFacts {
	sub := r.nested(rel.Schema)
	sub.acc = newAccumulator()
	out := &viewFacts{acc: sub.acc}
	if r.depth >= maxDepth {
		sub.gap(-1, "views are nested too deeply")
		return out
	}
	name := rel.Schema + "." + rel.Name
	if rel.Definition == "" {
		sub.mistake(-1, "", "the definition of view "+name+" is not known", name)
		return out
	}
	n, terr := sub.parseStored(rel.Definition)
	if terr != nil {
		sub.gap(-1, "the definition of view "+name+" cannot be read")
		return out
	}
	res := sub.query(n, &scope{})
	res.merge = res.merge && !rel.Materialised
	out.result = res
	return out
}

// nested is a run inside a stored definition, whose names are fully qualified.
func (r *run) nested(database string) *run {
	sub := *r
	sub.depth++
	sub.hidden = true
	sub.vars = nil
	sub.st = &State{Database: database, ClientCharset: "utf8mb4", Stale: r.st.Stale}
	return &sub
}

// readView adds what reading a view does to the statement, and gives its
// columns for this reading with the number of the first table that it reads.
func (r *run) readView(v *viewFacts, pos int) ([]column, int32) {
	here := int32(r.here(pos))
	for _, t := range v.acc.order {
		access := t.access
		if len(access) == 0 {
			access = []string{"select"}
		}
		to := r.acc.table(t.rel, false, access...)
		for attr, u := range t.cols {
			to.mark(attr, u.uses, here)
		}
	}
	for _, f := range v.acc.functions {
		if !f.Safe {
			f.Pos = -1
			r.function(f)
		}
	}
	for _, name := range v.acc.missing {
		if !slices.Contains(r.acc.missing, name) {
			r.acc.missing = append(r.acc.missing, name)
		}
	}
	for _, g := range v.acc.gaps {
		r.gap(pos, g.Reason)
	}
	for _, w := range v.acc.writes {
		r.write(w.Kind, w.Object, pos)
	}
	r.acc.byOrder, r.acc.noisy = r.acc.byOrder || v.acc.byOrder, r.acc.noisy || v.acc.noisy || v.acc.loud
	base := r.acc.adopt(v.acc.scans, 0, here)
	return shifted(v.result.cols, 0, base), base
}

// shifted gives the columns of another reading: those from first on are moved.
func shifted(cols []column, first, by int32) []column {
	cols = slices.Clone(cols)
	for i := range cols {
		cols[i].value = cols[i].value.shifted(first, by)
	}
	return cols
}

func (v value) shifted(first, by int32) value {
	v.deps = slices.Clone(v.deps)
	for i := range v.deps {
		if v.deps[i].scan >= first {
			v.deps[i].scan += by
		}
	}
	return v
}

func (o origin) shifted(first, by int32) origin {
	o.tables, o.loose, o.keys = slices.Clone(o.tables), slices.Clone(o.loose), slices.Clone(o.keys)
	for _, list := range [][]tableScan{o.tables, o.loose} {
		for i := range list {
			if list[i].scan >= first {
				list[i].scan += by
			}
		}
	}
	for i := range o.keys {
		o.keys[i] = o.keys[i].shifted(first, by)
	}
	return o
}

// generatedFrom lists the columns that a generated column is computed from,
// also through others; all of them if its expression cannot be read.
func (r *run) generatedFrom(rel *Relation, col *Column) []int16 {
	c := &r.cc.lineage
	if !rel.Temporary {
		c.mu.Lock()
		attrs, ok := c.generated[col]
		c.mu.Unlock()
		if ok {
			return attrs
		}
	}
	var out []int16
	for todo, seen := []*Column{col}, map[int16]bool{col.Attr: true}; len(todo) > 0; todo = todo[1:] {
		for _, attr := range r.storedColumns(rel, todo[0].Generated) {
			if seen[attr] {
				continue
			}
			seen[attr] = true
			out = append(out, attr)
			if next := rel.Attribute(attr); next.Generated != "" {
				todo = append(todo, next)
			}
		}
	}
	slices.Sort(out)
	if !rel.Temporary {
		c.mu.Lock()
		if c.generated == nil {
			c.generated = make(map[*Column][]int16)
		}
		c.generated[col] = out
		c.mu.Unlock()
	}
	return out
}

// storedColumns lists the columns of a relation that a stored expression
// mentions; all of them if the expression cannot be read.
func (r *run) storedColumns(rel *Relation, expression string) []int16 {
	sub := r.nested(rel.Schema)
	sub.acc = newAccumulator()
	budget := maxBudget
	sub.budget = &budget
	v, ok := sub.stored(rel, expression)
	var out []int16
	if !ok || len(sub.acc.gaps) > 0 {
		for i := range rel.Columns {
			out = append(out, rel.Columns[i].Attr)
		}
		return out
	}
	for i := range v.deps {
		if d := &v.deps[i]; d.rel == rel.ID {
			out = append(out, d.attr)
		}
	}
	return out
}

// stored evaluates an expression that the server printed over the columns of a
// relation.
func (r *run) stored(rel *Relation, expression string) (value, bool) {
	n, terr := r.parseStored("SELECT " + expression)
	if terr != nil {
		return value{}, false
	}
	s, ok := n.(*ast.SelectStmt)
	if !ok || s.From != nil || s.Where != nil || s.Fields == nil || len(s.Fields.Fields) == 0 {
		return value{}, false
	}
	sc := &scope{items: []*rangeItem{r.plainItem(rel)}}
	var v value
	for _, f := range s.Fields.Fields {
		if f.Expr == nil {
			return value{}, false
		}
		v = derive(v, r.expr(f.Expr, sc))
	}
	return v, true
}

// partitionKey are the columns that decide which partition a row is in.
func (r *run) partitionKey(rel *Relation) []int16 {
	var out []int16
	for _, p := range rel.Partitions {
		if strings.TrimSpace(p) == "" { // KEY () stands for the primary key
			for i := range rel.Indexes {
				if rel.Indexes[i].Name == primaryKey {
					out = append(out, r.indexColumns(rel, &rel.Indexes[i])...)
				}
			}
			continue
		}
		out = append(out, r.storedColumns(rel, p)...)
	}
	return out
}

const primaryKey = "PRIMARY"

// indexColumns are the columns that an index is made of, with those behind its
// generated ones and expressions.
func (r *run) indexColumns(rel *Relation, x *Index) []int16 {
	var out []int16
	for i := range x.Columns {
		p := &x.Columns[i]
		if c := rel.Column(p.Column); p.Column != "" && c != nil {
			out = append(out, c.Attr)
			if c.Generated != "" {
				out = append(out, r.generatedFrom(rel, c)...)
			}
			continue
		}
		out = append(out, r.storedColumns(rel, p.Expression)...)
	}
	return out
}

// markAll notes a use of columns of a relation.
func (r *run) markAll(rel *Relation, attrs []int16, u query.Use, pos int) {
	for _, a := range attrs {
		r.mark(rel.ID, a, u, int32(r.here(pos)))
	}
}
