package mysql

import (
	"slices"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// from evaluates one entry of FROM.
func (r *run) from(n ast.ResultSetNode, sc *scope) []*rangeItem {
	if n == nil || !r.spend(1) {
		return nil
	}
	switch x := n.(type) {
	case *ast.Join:
		if x.Right == nil {
			return r.from(x.Left, sc)
		}
		return r.join(x, sc)
	case *ast.TableSource:
		switch source := x.Source.(type) {
		case *ast.TableName:
			it := r.tableName(source, x.AsName.O, sc)
			if r.acc.rec != nil && it.relation != nil {
				r.acc.rec.sources[x] = it.relation
			}
			return one(it)
		case *ast.SelectStmt, *ast.SetOprStmt:
			inner := sc.beside()
			if l := r.lateralAt(source); l != nil {
				if s, ok := source.(*ast.SelectStmt); ok && l.json {
					return one(r.jsonTable(l, s, x.AsName.O, sc))
				}
				inner = sc.behind()
			}
			out := r.query(source, inner)
			for i := range out.cols { // materialised or not, as the optimizer likes
				r.computed(out.cols[i])
			}
			if out.chance {
				sc.chance = true
			}
			out.cols = r.renamedColumns(x.AsName.O, out.cols)
			return one(r.read(&rangeItem{name: x.AsName.O, cols: out.cols, scan: -1, origin: out.origin}, out.merge))
		case *ast.Join:
			return r.from(source, sc)
		}
	case *ast.TableName:
		return one(r.tableName(x, "", sc))
	}
	r.unknownNode(n, sc)
	return []*rangeItem{{unknown: true, scan: -1}}
}

func one(it *rangeItem) []*rangeItem { return []*rangeItem{it} }

// read makes the columns of a query, view or WITH query those of an entry of
// FROM. MariaDB reports a column of what it merges under the entry's name, in
// the database of the column behind it.
func (r *run) read(it *rangeItem, merged bool) *rangeItem {
	cols := make([]column, len(it.cols))
	for i, c := range it.cols {
		c.own = merged && r.cat.Server.MariaDB
		s := source{table: it.name}
		if c.own {
			s = source{c.value.source.schema, it.name, c.name}
		}
		c.value.source = s
		cols[i] = c
	}
	it.cols = cols
	return it
}

// tableName evaluates a relation or WITH query in FROM.
func (r *run) tableName(n *ast.TableName, alias string, sc *scope) *rangeItem {
	name := alias
	if name == "" {
		name = n.Name.O
	}
	pos := n.OriginTextPosition()
	if n.Schema.O == "" {
		if c := sc.findCTE(n.Name.O); c != nil {
			out := r.readCTE(c)
			return r.read(&rangeItem{name: name, cols: out.cols, scan: -1, origin: out.origin}, out.merge)
		}
	}
	if n.AsOf != nil || n.TableSample != nil {
		r.gap(pos, "AS OF and TABLESAMPLE are not known")
	}
	rel := r.resolveRelation(n)
	if rel == nil {
		if r.cat.Server.MariaDB && sequenceName(n.Name.O) && !r.st.Stale {
			return &rangeItem{name: name, database: r.databaseOf(n), scan: -1,
				origin: origin{opaque: true}, cols: []column{named("seq", value{typ: MakeType(TypeLongLong, true, false), source: source{table: n.Name.O}})}}
		}
		return &rangeItem{name: name, database: r.databaseOf(n), unknown: true, origin: origin{opaque: true}, scan: -1}
	}
	r.acc.table(rel, !r.hidden, "select")
	it := r.readRelation(rel, name, pos)
	it.name, it.database = name, rel.Schema
	if len(n.PartitionNames) > 0 {
		for _, attr := range r.partitionKey(rel) {
			r.mark(rel.ID, attr, query.UseFilter, int32(r.here(pos)))
		}
	}
	r.hints(n, it)
	return it
}

// hints notes the indexes that hints name for the reading of a table.
func (r *run) hints(n *ast.TableName, it *rangeItem) {
	if it.scan < 0 {
		return
	}
	for _, h := range n.IndexHints {
		list := &r.acc.scans[it.scan].hinted
		if h.HintType == ast.HintIgnore {
			if list = &r.acc.scans[it.scan].ignored; h.HintScope != ast.HintForScan {
				continue
			}
		}
		for _, index := range h.IndexNames {
			*list = append(*list, foldName(index.O))
		}
	}
}

// databaseOf is the database that a name means.
func (r *run) databaseOf(n *ast.TableName) string {
	if n.Schema.O != "" {
		return n.Schema.O
	}
	return r.st.Database
}

// resolveRelation finds what a name in the text means, and reports it if the
// catalog does not know.
func (r *run) resolveRelation(n *ast.TableName) *Relation {
	database, pos := r.databaseOf(n), n.OriginTextPosition()
	if r.st.Stale {
		r.gap(pos, "the session's settings are not known at this point")
		return nil
	}
	if database == "" {
		r.mistake(pos, code(1046, "3D000"), "No database selected", n.Name.O)
		return nil
	}
	if rel := r.lookup(database, n.Name.O); rel != nil {
		if rel.Temporary && len(rel.Columns) == 0 {
			r.gap(pos, "the columns of temporary table "+rel.Name+" are not known")
		}
		return rel
	}
	name := database + "." + n.Name.O
	if r.cat.Server.MariaDB && sequenceName(n.Name.O) {
		return nil
	}
	r.mistake(pos, code(1146, "42S02"), "Table '"+name+"' doesn't exist", name)
	return nil
}

// lookup finds a relation by name; temporary tables hide others.
func (r *run) lookup(database, name string) *Relation {
	k := r.cat.key(database, name)
	if rel := r.st.Temp[TableName{k.schema, k.name}]; rel != nil && !r.hidden {
		return rel
	}
	return r.cat.Relation(database, name)
}

// readRelation is a relation's item, with what reading it does. Name is that of
// the entry of FROM.
func (r *run) readRelation(rel *Relation, name string, pos int) *rangeItem {
	r.spend(len(rel.Columns))
	it := r.plainItem(rel)
	switch {
	case rel.Kind == KindSystem || Builtin(rel.Schema):
		r.systemRelation(it, pos)
		it.opaque = true
		if rel.Kind == KindView {
			r.read(it, true) // as mysql.user of MariaDB
		}
		return it
	case rel.Kind != KindView:
		it.scan = r.acc.scan(rel)
		it.tables = []tableScan{{rel, it.scan}}
		for i := range it.cols {
			for j := range it.cols[i].value.deps {
				it.cols[i].value.deps[j].scan = it.scan
			}
		}
		return it
	}
	v := r.view(rel)
	cols, base := r.readView(v, pos)
	it.origin = v.result.origin.shifted(0, base)
	if len(cols) != len(rel.Columns) {
		if len(v.acc.gaps) == 0 {
			r.mistake(pos, "", "view "+rel.Schema+"."+rel.Name+" has changed", rel.Schema+"."+rel.Name)
		}
		return it
	}
	for i := range it.cols {
		own, made := &it.cols[i].value, cols[i].value
		if !made.direct {
			made = made.changed()
		}
		if !v.result.merge {
			r.computed(cols[i])
		}
		own.deps = mergeDeps(own.deps, made.deps)
		own.gaps = mergeGaps(own.gaps, made.gaps)
		own.source, own.collated = source{}, made.collated
		switch {
		case !r.cat.Server.MariaDB && v.result.merge:
			own.source = source{rel.Schema, rel.Name, rel.Columns[i].Name}
		case v.result.merge:
			own.source = source{made.source.schema, name, rel.Columns[i].Name}
			it.cols[i].own = true
		}
	}
	return it
}

// plainItem is a relation whose columns stand for themselves.
func (r *run) plainItem(rel *Relation) *rangeItem {
	it := &rangeItem{relation: rel, scan: -1, cols: make([]column, len(rel.Columns))}
	deps := make([]dep, len(rel.Columns))
	for i := range rel.Columns {
		c := &rel.Columns[i]
		deps[i] = dep{rel: rel.ID, attr: c.Attr, scan: -1, direct: true, pos: -1}
		it.cols[i] = named(c.Name, value{deps: deps[i : i+1 : i+1], direct: true, typ: c.Type, text: c.TypeText,
			source: source{rel.Schema, rel.Name, c.Name}})
		it.cols[i].hidden = c.Invisible
	}
	return it
}

// join evaluates a join and merges what USING and NATURAL merge.
func (r *run) join(j *ast.Join, sc *scope) []*rangeItem {
	left := r.from(j.Left, sc)
	before := sc.before
	sc.before = append(slices.Clip(before), left...)
	right := r.from(j.Right, sc)
	sc.before = before
	both := append(slices.Clone(left), right...)
	if j.On != nil {
		on := sc.beside()
		on.items = both
		v := r.expr(j.On.Expr, on)
		r.truth(j.On.Expr, &v)
		r.use(v, query.UseJoin)
		r.certain(j.On.Expr, on, inner(j, left, right))
		sc.chance, sc.apart = sc.chance || on.chance, sc.apart || on.apart
	}
	// The server turns a right join into a left one before it merges columns.
	first, second := left, right
	if j.Tp == ast.RightJoin {
		first, second = right, left
	}
	names := r.usingNames(j, first, second)
	if len(names) == 0 {
		return both
	}
	merged := &rangeItem{columnsOnly: true, scan: -1}
	for _, it := range both {
		merged.equal = append(merged.equal, it.equal...)
	}
	done := map[string]bool{}
	for _, n := range names {
		a, b := itemsColumn(first, n), itemsColumn(second, n)
		for _, f := range []found{a, b} {
			if len(f.cols) == 0 && !f.unknown {
				r.mistake(-1, code(1054, "42S22"), "Unknown column '"+n+"' in 'FROM'", n)
			}
			for i := range f.cols {
				r.use(f.cols[i].value, query.UseJoin)
			}
		}
		done[columnKey(n)] = true
		if len(a.cols) == 1 && len(b.cols) == 1 {
			merged.equal = append(merged.equal, [2]value{a.cols[0].value, b.cols[0].value})
			if j.Tp != ast.LeftJoin && j.Tp != ast.RightJoin {
				merged.equal = append(merged.equal, [2]value{b.cols[0].value, a.cols[0].value})
			}
		}
		if len(a.cols) > 0 {
			merged.cols = append(merged.cols, a.cols[0])
		}
	}
	for _, side := range [][]*rangeItem{first, second} {
		for _, it := range side {
			if it.nameOnly {
				continue
			}
			merged.unknown = merged.unknown || it.unknown
			for _, c := range it.cols {
				if !done[c.key] {
					merged.cols = append(merged.cols, c)
				}
			}
		}
	}
	if !r.spend(len(merged.cols)) {
		return both
	}
	out := []*rangeItem{merged}
	for _, it := range both {
		if it.columnsOnly {
			continue
		}
		hidden := *it
		hidden.nameOnly = true
		out = append(out, &hidden)
	}
	return out
}

// inner are the entries of FROM whose columns a condition of a join reads for
// certain: an outer join that finds at most one row may not be done at all.
func inner(j *ast.Join, left, right []*rangeItem) map[int32]bool {
	sides := [][]*rangeItem{left, right}
	switch j.Tp {
	case ast.LeftJoin:
		sides = sides[1:]
	case ast.RightJoin:
		sides = sides[:1]
	}
	scans := map[int32]bool{}
	for _, side := range sides {
		for _, it := range side {
			scans[it.scan] = true
		}
	}
	return scans
}

// usingNames are the columns that a join merges.
func (r *run) usingNames(j *ast.Join, first, second []*rangeItem) []string {
	var names []string
	for _, u := range j.Using {
		names = append(names, u.Name.O)
	}
	if !j.NaturalJoin {
		return names
	}
	for _, a := range first {
		if a.nameOnly {
			continue
		}
		for _, c := range a.cols {
			f := itemsColumn(second, c.name)
			if f.unsure {
				r.gap(-1, "column "+c.name+" has a name that only accents tell from another")
			}
			if len(f.cols) > 0 && !c.hidden {
				names = append(names, c.name)
			}
		}
		for _, b := range second {
			if a.unknown || b.unknown {
				r.gap(-1, "the columns of a natural join are not known")
			}
		}
	}
	return names
}

func itemsColumn(items []*rangeItem, name string) found {
	var f found
	key, wide := columnKey(name), foldName(name)
	for _, it := range items {
		if it.nameOnly {
			continue
		}
		f.unknown = f.unknown || it.unknown
		f.match(it.cols, key, wide)
	}
	return f
}
