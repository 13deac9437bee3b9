package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// from evaluates one entry of FROM. The items of sc are those to its left,
// which LATERAL and functions see.
func (r *run) from(n *pg.Node, sc *scope) []*rangeItem {
	if n == nil || !r.spend(1) {
		return nil
	}
	switch x := n.Node.(type) {
	case *pg.Node_RangeVar:
		item := r.rangeVar(x.RangeVar, sc)
		r.rec.reading(n, x.RangeVar, item)
		return one(item)
	case *pg.Node_RangeSubselect:
		s := x.RangeSubselect
		in := sc.beside()
		if s.Lateral {
			in = sc
		}
		item := &rangeItem{cols: r.query(s.Subquery, in)}
		return one(item.rename(s.Alias))
	case *pg.Node_RangeFunction:
		return one(r.rangeFunction(x.RangeFunction, sc))
	case *pg.Node_RangeTableFunc:
		return one(r.xmlTable(x.RangeTableFunc, sc))
	case *pg.Node_JsonTable:
		return one(r.jsonTable(x.JsonTable, sc))
	case *pg.Node_RangeTableSample:
		s := x.RangeTableSample
		items := r.from(s.Relation, sc)
		r.rec.sampling(n, items)
		for _, it := range items { // which rows are taken goes by where they lie
			r.use(it.lies(), query.UseFilter)
		}
		for _, a := range s.Args {
			r.use(r.expr(a, sc.beside()), query.UseFilter)
		}
		r.use(r.expr(s.Repeatable, sc.beside()), query.UseFilter)
		return items
	case *pg.Node_JoinExpr:
		return r.join(x.JoinExpr, sc)
	}
	r.unknownNode(n, sc)
	return []*rangeItem{{unknown: true}}
}

func one(it *rangeItem) []*rangeItem { return []*rangeItem{it} }

// rename applies an alias with its column names.
func (it *rangeItem) rename(a *pg.Alias) *rangeItem {
	if a == nil {
		return it
	}
	it.name, it.schema, it.columnsOnly = a.Aliasname, "", false
	if len(a.Colnames) == 0 {
		return it
	}
	cols := append([]column(nil), it.cols...)
	for i, n := range a.Colnames {
		if i < len(cols) {
			cols[i].name = n.GetString_().GetSval()
		}
	}
	it.cols = cols
	return it
}

// rangeVar evaluates a relation or WITH query in FROM.
func (r *run) rangeVar(v *pg.RangeVar, sc *scope) *rangeItem {
	if v.Schemaname == "" {
		if c := sc.findCTE(v.Relname); c != nil {
			return (&rangeItem{name: v.Relname, cols: r.readCTE(c)}).rename(v.Alias)
		}
	}
	rel := r.resolveRelation(v)
	if rel == nil {
		return (&rangeItem{name: v.Relname, unknown: true}).rename(v.Alias)
	}
	r.guard.relation(rel, v)
	r.acc.table(rel, !r.hidden, "select")
	var item *rangeItem
	if r.guard.shows(v) {
		item = r.plainItem(rel)
	} else if about := r.pins[v]; about != nil {
		item = r.pinnedItem(rel, about, v.Location)
	} else {
		item = r.readRelation(rel, v.Location)
	}
	item.name = v.Relname
	if v.Alias == nil {
		item.schema = rel.Schema
	}
	return item.rename(v.Alias)
}

// readRelation is a relation's item, with what reading it does.
func (r *run) readRelation(rel *Relation, pos int32) *rangeItem {
	r.spend(len(rel.Columns))
	if rel.Kind == 'v' && rel.Definition == "" && Builtin(rel.Schema) {
		r.catalogRelation(rel, pos)
		return r.hideColumns(r.plainItem(rel))
	}
	if rel.Kind == 'f' {
		r.gap(pos, "what foreign table "+rel.Schema+"."+rel.Name+" shows is not known")
	}
	if rel.Kind != 'v' && rel.Kind != 'm' {
		if Builtin(rel.Schema) {
			r.catalogRelation(rel, pos)
		}
		r.readConditions(rel, pos)
		return r.generatedElsewhere(r.hideColumns(r.plainItem(rel)))
	}
	v := r.view(rel)
	r.guard.view(rel, v)
	r.readView(rel, v, pos)
	item := r.plainItem(rel)
	if len(v.cols) != len(rel.Columns) {
		if len(v.acc.gaps) == 0 {
			r.missing(pos, "view "+rel.Schema+"."+rel.Name+" has changed", rel.Schema+"."+rel.Name)
		}
		return item
	}
	for i := range item.cols {
		own, made := &item.cols[i].value, v.cols[i].value
		deps := made.deps
		if !made.direct {
			deps = made.changed().deps
		}
		own.deps = mergeDeps(own.deps, deps)
		gaps := made.gaps
		if !made.direct {
			gaps = unpinned(gaps)
		}
		own.gaps = mergeGaps(own.gaps, gaps)
		own.row = nil
	}
	return item
}

// plainItem is a relation whose columns stand for themselves.
func (r *run) plainItem(rel *Relation) *rangeItem {
	item := &rangeItem{relation: rel, cols: make([]column, len(rel.Columns))}
	deps := make([]dep, len(rel.Columns))
	for i := range rel.Columns {
		c := &rel.Columns[i]
		deps[i] = dep{rel: rel.OID, attr: c.Attr, direct: true, pos: -1}
		item.cols[i] = column{c.Name, value{deps: deps[i : i+1 : i+1], direct: true, typ: c.Type, source: rel.OID, attr: c.Attr}}
	}
	return item
}

// readConditions notes what the server consults to decide which rows of a
// relation are seen: its policies, and the keys that sort rows into partitions.
func (r *run) readConditions(rel *Relation, pos int32) {
	if rel.RowSecurity {
		sub := r.nested(rel.Owner)
		sub.pending = false
		for _, c := range rel.Conditions {
			if strings.HasPrefix(c, checkConstraint) || strings.HasPrefix(c, exclusion) || strings.HasPrefix(c, foreignKey) {
				continue // matters for writes alone
			}
			v, ok := sub.stored(rel, c)
			if !ok {
				r.gap(pos, "a row security policy of "+rel.Schema+"."+rel.Name+" could not be read")
				continue
			}
			sub.use(v.at(r.here(pos), false), query.UseFilter)
		}
	}
	for _, attr := range r.partitionKey(rel) {
		r.mark(rel.OID, attr, query.UseFilter, r.here(pos))
	}
	r.scattered(rel, pos)
}

// join evaluates a join and merges what USING and NATURAL merge.
func (r *run) join(j *pg.JoinExpr, sc *scope) []*rangeItem {
	left := r.from(j.Larg, sc)
	side := &scope{parent: sc.parent, ctes: sc.ctes, params: sc.params,
		items: append(append([]*rangeItem(nil), sc.items...), left...)}
	right := r.from(j.Rarg, side)
	markNullable(j.Jointype, left, right)
	both := append(append([]*rangeItem(nil), left...), right...)
	if j.Quals != nil {
		on := sc.beside()
		on.items = both
		r.use(r.expr(j.Quals, on), query.UseJoin)
	}
	names := usingNames(j, left, right)
	if len(names) == 0 && j.Alias == nil {
		return both
	}
	merged := &rangeItem{columnsOnly: true}
	for _, n := range names {
		l, r1 := itemsColumn(left, n), itemsColumn(right, n)
		r.use(l, query.UseJoin)
		r.use(r1, query.UseJoin)
		r.rec.operates(r, []*pg.Node{stringNode("=")}, l, r1)
		merged.cols = append(merged.cols, column{n, mergeJoined(j.Jointype, l, r1)})
	}
	usingOnly := append([]column(nil), merged.cols...)
	for _, side := range [][]*rangeItem{left, right} {
		for _, it := range side {
			if it.nameOnly {
				continue
			}
			merged.unknown = merged.unknown || it.unknown
			for _, c := range it.cols {
				if !contains(names, c.name) {
					merged.cols = append(merged.cols, c)
				}
			}
		}
	}
	if !r.spend(len(merged.cols)) {
		return both
	}
	if j.Alias != nil {
		return one(merged.rename(j.Alias))
	}
	out := []*rangeItem{merged}
	for _, it := range both {
		hidden := *it
		hidden.nameOnly = true
		out = append(out, &hidden)
	}
	if j.JoinUsingAlias != nil {
		out = append(out, &rangeItem{name: j.JoinUsingAlias.Aliasname, cols: usingOnly, nameOnly: true})
	}
	return out
}

// markNullable notes which items an outer join may leave empty.
func markNullable(kind pg.JoinType, left, right []*rangeItem) {
	if kind == pg.JoinType_JOIN_RIGHT || kind == pg.JoinType_JOIN_FULL {
		for _, it := range left {
			it.nullable = true
		}
	}
	if kind == pg.JoinType_JOIN_LEFT || kind == pg.JoinType_JOIN_FULL {
		for _, it := range right {
			it.nullable = true
		}
	}
}

// mergeJoined is the value of a column that a join merges. Which side the
// server takes depends on the kind of join; both are origins.
func mergeJoined(kind pg.JoinType, l, r value) value {
	v := either(l, r)
	switch kind {
	case pg.JoinType_JOIN_INNER, pg.JoinType_JOIN_LEFT:
		v.source, v.attr, v.typ = l.source, l.attr, l.typ
	case pg.JoinType_JOIN_RIGHT:
		v.source, v.attr, v.typ = r.source, r.attr, r.typ
	}
	if l.typ != r.typ {
		v.source, v.attr, v.typ = 0, 0, 0
	}
	return v
}

// usingNames are the columns that a join merges.
func usingNames(j *pg.JoinExpr, left, right []*rangeItem) []string {
	var names []string
	for _, u := range j.UsingClause {
		names = append(names, u.GetString_().GetSval())
	}
	if !j.IsNatural {
		return names
	}
	for _, l := range left {
		if l.nameOnly {
			continue
		}
		for _, c := range l.cols {
			for _, it := range right {
				if !it.nameOnly && len(it.column(c.name)) > 0 && !contains(names, c.name) {
					names = append(names, c.name)
				}
			}
		}
	}
	return names
}

func itemsColumn(items []*rangeItem, name string) value {
	for _, it := range items {
		if it.nameOnly {
			continue
		}
		if v := it.column(name); len(v) > 0 {
			return v[0]
		}
	}
	return value{}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// rangeFunction evaluates functions in FROM.
func (r *run) rangeFunction(f *pg.RangeFunction, sc *scope) *rangeItem {
	item := &rangeItem{}
	functions := f.Functions
	if len(functions) == 1 {
		functions = unnested(functions[0])
	}
	for _, n := range functions {
		parts := n.GetList().GetItems()
		if len(parts) == 0 {
			continue
		}
		name := figureName(parts[0])
		if item.name == "" {
			item.name = name
		}
		v := r.expr(parts[0], sc)
		if !v.followed || v.row == nil {
			r.use(v, query.UseDerived) // it is called whoever reads what it gives
		}
		defs := f.Coldeflist
		if len(parts) > 1 && len(parts[1].GetList().GetItems()) > 0 {
			defs = parts[1].GetList().Items
		}
		single := len(functions) == 1 && f.Alias != nil
		cols, unknown := r.functionColumns(v, defs, name)
		if len(cols) == 1 && v.row == nil && len(defs) == 0 {
			switch { // as chooseScalarFunctionAlias of the server
			case v.out != "":
				cols[0].name = v.out
			case single:
				cols[0].name = f.Alias.Aliasname
			}
			item.scalar = single
		}
		item.cols = append(item.cols, cols...)
		item.unknown = item.unknown || unknown
	}
	if f.Ordinality {
		item.cols = append(item.cols, column{"ordinality", value{typ: oidInt8}})
	}
	return item.rename(f.Alias)
}

// unnested is UNNEST with several arrays, which the server takes as that many
// functions side by side.
func unnested(n *pg.Node) []*pg.Node {
	parts := n.GetList().GetItems()
	if len(parts) == 0 {
		return []*pg.Node{n}
	}
	f := parts[0].GetFuncCall()
	if f == nil || len(f.Funcname) != 1 || f.Funcname[0].GetString_().GetSval() != "unnest" || len(f.Args) < 2 ||
		f.AggStar || f.AggDistinct || f.FuncVariadic || f.Over != nil || len(f.AggOrder) > 0 || f.AggFilter != nil {
		return []*pg.Node{n}
	}
	var out []*pg.Node
	for _, a := range f.Args {
		one := &pg.FuncCall{Funcname: []*pg.Node{stringNode("pg_catalog"), f.Funcname[0]}, Args: []*pg.Node{a},
			Funcformat: f.Funcformat, Location: f.Location}
		list := &pg.List{Items: append([]*pg.Node{{Node: &pg.Node_FuncCall{FuncCall: one}}}, parts[1:]...)}
		out = append(out, &pg.Node{Node: &pg.Node_List{List: list}})
	}
	return out
}

// functionColumns are the columns of one function in FROM.
func (r *run) functionColumns(v value, defs []*pg.Node, name string) (cols []column, unknown bool) {
	if len(defs) > 0 {
		for i, d := range defs {
			c := d.GetColumnDef()
			made := v.changed()
			if v.row != nil && i < len(v.row.cols) {
				made = v.row.cols[i].value.changed()
			}
			cols = append(cols, column{c.GetColname(), made.typed(r.typeOf(c.GetTypeName()))})
		}
		return cols, false
	}
	if fields, ok := r.fields(v); ok {
		for _, f := range fields {
			f.value.source, f.value.attr = 0, 0
			cols = append(cols, f)
		}
		return cols, false
	}
	if v.typ == oidRecord {
		return []column{{name, v.changed()}}, true
	}
	return []column{{name, v.changed().typed(v.typ)}}, false
}

func (r *run) xmlTable(t *pg.RangeTableFunc, sc *scope) *rangeItem {
	r.rec.fails("XMLTABLE")
	doc := derive(r.expr(t.Docexpr, sc), r.expr(t.Rowexpr, sc))
	for _, n := range t.Namespaces {
		doc = derive(doc, r.expr(n.GetResTarget().GetVal(), sc))
	}
	item := &rangeItem{name: "xmltable"}
	for _, n := range t.Columns {
		c := n.GetRangeTableFuncCol()
		v := derive(doc, r.expr(c.GetColexpr(), sc), r.expr(c.GetColdefexpr(), sc))
		item.cols = append(item.cols, column{c.GetColname(), v.typed(r.typeOf(c.GetTypeName()))})
	}
	// The number of rows depends on the document.
	r.use(doc, query.UseDerived)
	return item.rename(t.Alias)
}

func (r *run) jsonTable(t *pg.JsonTable, sc *scope) *rangeItem {
	doc := derive(r.parts(t.ContextItem.ProtoReflect(), sc), r.expr(t.Pathspec.GetString_(), sc), r.parts(t.OnError.ProtoReflect(), sc))
	for _, p := range t.Passing {
		doc = derive(doc, r.expr(p, sc))
	}
	item := &rangeItem{name: "json_table"}
	var add func(cols []*pg.Node)
	add = func(cols []*pg.Node) {
		for _, n := range cols {
			c := n.GetJsonTableColumn()
			if c.GetColtype() == pg.JsonTableColumnType_JTC_NESTED {
				add(c.Columns)
				continue
			}
			v := derive(doc, r.parts(c.GetOnEmpty().ProtoReflect(), sc), r.parts(c.GetOnError().ProtoReflect(), sc))
			item.cols = append(item.cols, column{c.GetName(), v.typed(r.typeOf(c.GetTypeName()))})
		}
	}
	add(t.Columns)
	r.use(doc, query.UseDerived)
	return item.rename(t.Alias)
}

// resolveRelation finds what a name in the text means, and reports it if the
// catalog does not know.
func (r *run) resolveRelation(v *pg.RangeVar) *Relation {
	name := v.Relname
	if v.Schemaname != "" {
		name = v.Schemaname + "." + name
	}
	if v.Catalogname != "" && v.Catalogname != r.cat.Database {
		r.gap(v.Location, "relation "+v.Catalogname+"."+name+" is in another database")
		return nil
	}
	rel := r.lookupRelation(v.Schemaname, v.Relname)
	if rel == nil {
		r.mistake(v.Location, "42P01", `relation "`+name+`" does not exist`, name)
		return nil
	}
	return rel
}

// lookupRelation finds a relation by name.
func (r *run) lookupRelation(schema, name string) *Relation {
	if schema != "" {
		if schema == "pg_temp" || schema == r.st.TempSchema {
			return r.st.Temp[name]
		}
		return r.cat.Relation(schema, name)
	}
	if r.st.Stale {
		return nil
	}
	for _, s := range r.st.SearchPath {
		rel := r.cat.Relation(s, name)
		if s == r.st.TempSchema || s == "pg_temp" || strings.HasPrefix(s, "pg_temp_") {
			rel = r.st.Temp[name]
		}
		if rel != nil {
			return rel
		}
	}
	return nil
}
