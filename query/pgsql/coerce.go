package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// coerced evaluates the casts of users that the server may put, unasked, around
// the arguments of the functions that a call may mean.
func (r *run) coerced(chosen []*Function, site *callSite) []*Function {
	for _, f := range chosen {
		if strings.Contains(f.Name, "populate_record") && len(site.args) > 0 {
			r.typeChecks(site.args[0].typ, site.pos)
		}
		for i, a := range site.args {
			if i < len(f.Args) {
				r.implicitCast(a, f.Args[i], site.pos)
			}
		}
	}
	return chosen
}

// implicitCast evaluates the functions behind a user's casts from a value's
// type to another, or to any if that is 0. What they read may show.
func (r *run) implicitCast(v value, want uint32, pos int32) {
	if v.untyped() || v.typ == 0 || v.typ == want || v.typ < firstNormalOID && want != 0 && want < firstNormalOID {
		return
	}
	for _, c := range r.cat.Casts {
		if c.Function == 0 || c.Source != v.typ && c.Source != r.baseType(v.typ) ||
			want != 0 && c.Target != want && c.Target != r.baseType(want) {
			continue
		}
		f := r.cat.FunctionByOID(c.Function)
		if f == nil || f.OID < firstNormalOID || r.safety(f).Safe() {
			continue
		}
		r.use(r.callOne(callSite{args: []value{v}, pos: pos}, f), query.UseDerived)
	}
}

// typeChecks evaluates the constraints of a type that a text or document is
// read into: those of a domain, and of domains in arrays and rows.
func (r *run) typeChecks(t uint32, pos int32) {
	if t < firstGenbkiOID || !r.spend(1) {
		return
	}
	ty := r.cat.Types[t]
	switch {
	case ty == nil:
	case ty.Kind == 'd':
		r.domainChecks(t, pos)
		r.typeChecks(ty.Base, pos)
	case ty.Elem != 0:
		r.typeChecks(ty.Elem, pos)
	case ty.Relation != 0:
		rel := r.relationByOID(ty.Relation)
		if rel == nil {
			return
		}
		for i := range rel.Columns {
			r.typeChecks(rel.Columns[i].Type, pos)
		}
	}
}

// inputTest is pg_input_is_valid with the name of a type in a constant: what it
// runs is what a cast to that type runs.
func (r *run) inputTest(f *pg.FuncCall, sc *scope) (value, bool) {
	schema, name := qualifiedName(f.Funcname)
	if name != "pg_input_is_valid" || schema != "" && schema != "pg_catalog" || len(f.Args) != 2 || f.Over != nil {
		return value{}, false
	}
	site := callSite{schema: schema, name: name, args: []value{{typ: oidText}, {typ: oidText}}, pos: f.Location}
	for _, c := range r.candidates(&site) {
		if c.Schema != "pg_catalog" || c.OID >= firstNormalOID {
			return value{}, false
		}
	}
	text := f.Args[1].GetAConst().GetSval()
	if text == nil {
		return value{}, false
	}
	sel := parseSelect("SELECT NULL::" + text.Sval)
	if sel == nil || len(sel.TargetList) != 1 || sel.FromClause != nil {
		return value{}, false
	}
	cast := sel.TargetList[0].GetResTarget().GetVal().GetTypeCast()
	if cast.GetArg().GetAConst() == nil || r.typeOf(cast.TypeName) == 0 {
		return value{}, false
	}
	return derive(r.expr(f.Args[0], sc)).typed(oidBool), true
}

// ParameterGaps says what conversions of parameters of some types bring to a
// statement, beside what its text does: a domain's constraints and casts of
// users may read tables.
func ParameterGaps(cat *Catalog, types []uint32) []query.Gap {
	var gaps []query.Gap
	for _, t := range types {
		if t < firstNormalOID {
			continue
		}
		a := NewAnalyzer(Options{CacheEntries: -1})
		budget, volatile := maxBudget, false
		r := &run{an: a, cat: cat, cc: a.catalogCache(cat), st: &State{SearchPath: []string{"pg_catalog"}}, acc: newAccumulator(),
			budget: &budget, volatile: &volatile, stmt: &Statement{}}
		r.typeChecks(t, -1)
		r.implicitCast(value{typ: t}, 0, -1)
		if len(r.acc.order) > 0 || len(r.acc.gaps) > 0 {
			gaps = append(gaps, query.Gap{Reason: "the type of a parameter runs code that reads tables", Pos: -1})
		}
	}
	return gaps
}

// generatedElsewhere evaluates the expressions of generated columns that call
// something: what they brought in when the row was written is in the column.
func (r *run) generatedElsewhere(item *rangeItem) *rangeItem {
	rel := item.relation
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Generated == "" || !strings.Contains(c.Generated, "(") || r.depth >= maxDepth {
			continue
		}
		sub := r.nested(rel.Owner)
		sub.acc = newAccumulator()
		v, ok := sub.stored(rel, c.Generated)
		own := &item.cols[i].value
		if !ok || len(sub.acc.gaps) > 0 {
			own.gaps = append(own.gaps[:len(own.gaps):len(own.gaps)],
				pendingGap{reason: "what column " + rel.Schema + "." + rel.Name + "." + c.Name + " was generated from is not known"})
		}
		own.deps = mergeDeps(own.deps, withoutRelation(mergeDeps(v.changed().deps, sub.acc.reads()), rel.OID))
	}
	return item
}

// generates evaluates the expressions of generated columns when a row is
// written: they may call functions.
func (r *run) generates(rel *Relation, pos int32) {
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Generated == "" || !strings.Contains(c.Generated, "(") {
			continue
		}
		sub := r.nested(rel.Owner)
		sub.pending = false
		v, ok := sub.stored(rel, c.Generated)
		if !ok {
			r.gap(pos, "the expression of column "+c.Name+" could not be read")
		}
		sub.use(value{deps: withoutRelation(v.deps, rel.OID), gaps: v.gaps}, query.UseFilter)
	}
}

// reads are all columns that were used on the way, as parts of a computation.
func (a *accumulator) reads() []dep {
	var out []dep
	for _, t := range a.order {
		for attr := range t.cols {
			out = append(out, dep{rel: t.rel.OID, attr: attr, uses: query.UseDerived, pos: -1})
		}
	}
	slices.SortFunc(out, dep.compare)
	return out
}
