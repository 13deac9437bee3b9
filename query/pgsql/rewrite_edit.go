package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxRewritten bounds the columns that are put into a statement: views that
// read views several times grow without end.
const maxRewritten = 100_000

// record runs the analyser over a statement.
func (w *rewriter) record(n *pg.Node) {
	r := w.newRun("")
	r.rec = w.rec
	r.statement(n)
	w.direct = map[uint32]bool{}
	for _, t := range r.acc.order {
		w.direct[t.rel.OID] = t.direct
	}
}

// edit changes the tree by what was recorded.
func (w *rewriter) edit(n *pg.Node) {
	for i := 0; i < len(w.rec.reads); i++ { // views that are put into the text bring more
		w.replace(w.rec.reads[i])
	}
	w.sizeCalls(n)
	w.sameNames()
	w.references()
	w.wholeRows(n)
	w.expandStars(n)
	w.groups()
	for _, x := range w.rec.writes {
		w.narrowWrite(x)
	}
	w.place()
}

// place names the schema of every relation, so that a prepared statement keeps
// reading what it was rewritten for when search_path changes.
func (w *rewriter) place() {
	in := func(v *pg.RangeVar, rel *Relation) {
		if v.Schemaname != "" {
			return
		}
		v.Schemaname = rel.Schema
		if w.st.Temp[rel.Name] == rel {
			v.Schemaname = "pg_temp"
		}
	}
	for _, rd := range w.rec.reads {
		in(rd.name, rd.rel)
	}
	for _, x := range w.rec.writes {
		in(x.name, x.t.rel)
	}
}

// replace puts a subquery in the place of a relation in FROM.
func (w *rewriter) replace(rd *read) {
	n, inline := w.of(rd.rel), w.readsNarrowed(rd.rel)
	if n == nil && !inline {
		return
	}
	w.changed, rd.replaced = true, true
	if w.size += len(rd.rel.Columns) + 10; w.size > maxRewritten {
		refuse(rd.name.Location, "Write it in several statements.", "the rewritten statement would be too long")
	}
	alias := &pg.Alias{Aliasname: rd.name.Relname}
	if rd.name.Alias != nil {
		alias = proto.Clone(rd.name.Alias).(*pg.Alias)
	}
	var source *pg.Node
	if inline {
		if rd.node.GetRangeTableSample() != nil {
			refuse(rd.name.Location, "", "TABLESAMPLE does not apply to view %s.%s", rd.rel.Schema, rd.rel.Name)
		}
		def := w.definition(rd.rel)
		if n == nil {
			rd.node.Node = subquery(def, viewAlias(alias, rd.rel)).Node
			return
		}
		source = subquery(def, viewAlias(&pg.Alias{Aliasname: rd.rel.Name}, rd.rel))
	} else {
		own := &pg.RangeVar{Schemaname: rd.rel.Schema, Relname: rd.rel.Name, Inh: rd.name.Inh, Relpersistence: "p"}
		w.ours[own] = true
		source = &pg.Node{Node: &pg.Node_RangeVar{RangeVar: own}}
		if sample := rd.node.GetRangeTableSample(); sample != nil {
			sample = proto.Clone(sample).(*pg.RangeTableSample)
			sample.Relation = source
			source = &pg.Node{Node: &pg.Node_RangeTableSample{RangeTableSample: sample}}
		}
	}
	sel := plainSelect(w.columns(n, rd.system), source)
	rd.node.Node = subquery(sel, alias).Node
	if len(n.filters) > 0 {
		w.later = append(w.later, func() {
			sel.WhereClause = w.conditions(n, w.qualifier(n, source))
			w.fence(sel)
		})
	}
}

// columns is the target list that shows a relation narrowed.
func (w *rewriter) columns(n *narrowing, system []string) []*pg.Node {
	out := make([]*pg.Node, 0, len(n.rel.Columns)+len(system))
	for i := range n.rel.Columns {
		c := &n.rel.Columns[i]
		if value, ok := n.constants[c.Attr]; ok {
			out = append(out, resTarget(c.Name, w.constant(n.rel, c, value)))
			continue
		}
		if unknown, ok := unknownSizes[c.Name]; ok && n.sizes {
			out = append(out, resTarget(c.Name, w.sizesOnly.column(c.Name, unknown)))
			continue
		}
		out = append(out, resTarget("", columnNode(c.Name)))
	}
	for _, name := range system {
		out = append(out, resTarget("", columnNode(name)))
	}
	return out
}

// fence keeps conditions from outside away from a subquery, if one could fail.
func (w *rewriter) fence(sel *pg.SelectStmt) {
	if w.rec.loud == "" || sel.LimitOffset != nil || sel.LimitCount != nil {
		return
	}
	sel.LimitOffset = &pg.Node{Node: &pg.Node_AConst{AConst: &pg.A_Const{Val: &pg.A_Const_Ival{Ival: &pg.Integer{}}}}}
	sel.LimitOption = pg.LimitOption_LIMIT_OPTION_COUNT
}

// definition is the query of a view, ready to stand in the text.
func (w *rewriter) definition(rel *Relation) *pg.SelectStmt {
	def := parseSelect(rel.Definition)
	if def == nil {
		refuse(-1, "", "the definition of view %s.%s is not known", rel.Schema, rel.Name)
	}
	node := &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: def}}
	w.qualify(node, "view "+rel.Schema+"."+rel.Name)
	r := w.newRun("").nested(rel.Owner)
	r.acc, r.rec, r.budget = newAccumulator(), w.rec, &w.budget
	outer := w.rec.stored
	w.rec.stored = &storedText{"view " + rel.Schema + "." + rel.Name, w.st.SearchPath}
	late := w.rec.open()
	r.selectStmt(def, &scope{})
	w.rec.close(late)
	w.rec.stored = outer
	if w.budget < 0 {
		refuse(-1, "Read the tables behind it.", "view %s.%s reads too many others to be narrowed", rel.Schema, rel.Name)
	}
	if rel.Barrier {
		w.later = append(w.later, func() { w.fence(def) })
	}
	return def
}

// viewAlias names the columns of a view, those first that the alias renames.
func viewAlias(a *pg.Alias, rel *Relation) *pg.Alias {
	for i := len(a.Colnames); i < len(rel.Columns); i++ {
		a.Colnames = append(a.Colnames, stringNode(rel.Columns[i].Name))
	}
	return a
}

func subquery(sel *pg.SelectStmt, alias *pg.Alias) *pg.Node {
	return &pg.Node{Node: &pg.Node_RangeSubselect{RangeSubselect: &pg.RangeSubselect{
		Subquery: &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: sel}}, Alias: alias}}}
}

func plainSelect(targets []*pg.Node, from *pg.Node) *pg.SelectStmt {
	return &pg.SelectStmt{TargetList: targets, FromClause: []*pg.Node{from},
		LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT, Op: pg.SetOperation_SETOP_NONE}
}

func resTarget(name string, val *pg.Node) *pg.Node {
	return &pg.Node{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Name: name, Val: val}}}
}

func columnNode(names ...string) *pg.Node {
	fields := make([]*pg.Node, len(names))
	for i, n := range names {
		fields[i] = stringNode(n)
	}
	return &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: &pg.ColumnRef{Fields: fields}}}
}

// sameNames refuses two entries of FROM with one name, which the server tells
// apart by their schemas alone.
func (w *rewriter) sameNames() {
	for _, items := range w.rec.levels {
		for i, a := range items {
			for _, b := range items[:i] {
				if a.name != "" && a.name == b.name && (isReplaced(a) || isReplaced(b)) {
					refuse(-1, "Give them aliases.", "two relations in FROM have the name %s", a.name)
				}
			}
		}
	}
}

func isReplaced(it *rangeItem) bool { return it.read != nil && it.read.replaced }

// references takes the schema from names of columns: a subquery has none.
func (w *rewriter) references() {
	for c, ref := range w.rec.refs {
		if !isReplaced(ref.item) {
			continue
		}
		for i, f := range c.Fields {
			if f.GetString_().GetSval() == ref.item.name && i > 0 && w.qualifies(c, ref, i) {
				c.Fields = c.Fields[i:]
				break
			}
		}
	}
}

// wholeRows gives rows of a subquery the type of the relation that it stands
// for. An outer join would make a row of nulls of what is null as a whole, and
// a domain might refuse a constant: there the row has no type of its own.
func (w *rewriter) wholeRows(n *pg.Node) {
	seen := map[*pg.ColumnRef]bool{}
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.A_Indirection: // a field of it keeps its origin
			if c := x.Arg.GetColumnRef(); c != nil {
				seen[c] = true
			}
		case *pg.Node:
			c := x.GetColumnRef()
			ref := w.rec.refs[c]
			if ref == nil || seen[c] || !ref.wholeRow || !isReplaced(ref.item) || ref.item.nullable || len(ref.item.read.system) > 0 {
				break
			}
			seen[c] = true
			if rel := ref.item.read.rel; w.castsToRow(rel) {
				x.Node = &pg.Node_TypeCast{TypeCast: &pg.TypeCast{Arg: &pg.Node{Node: x.Node},
					TypeName: &pg.TypeName{Names: []*pg.Node{stringNode(rel.Schema), stringNode(rel.Name)}, Typemod: -1}}}
			}
		}
		return true
	})
}

func (w *rewriter) castsToRow(rel *Relation) bool {
	if rel.RowType == 0 {
		return false
	}
	n := w.of(rel)
	for i := range rel.Columns {
		t := w.cat.Types[rel.Columns[i].Type]
		if t == nil || t.Kind == 'd' && n != nil {
			return false
		}
	}
	return true
}

// qualifies reports whether field i of a name is that of the entry of FROM,
// with a schema before it.
func (w *rewriter) qualifies(c *pg.ColumnRef, ref *reference, i int) bool {
	switch len(c.Fields) {
	case 3:
		return i == 1 && ref.item.schema != "" && c.Fields[0].GetString_().GetSval() == ref.item.schema
	case 4:
		return i == 2
	}
	return false
}

// expandStars writes out a * that would show the system columns which were
// added to a subquery.
func (w *rewriter) expandStars(n *pg.Node) {
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.SelectStmt:
			x.TargetList = w.expanded(x.TargetList)
		case *pg.UpdateStmt:
			x.ReturningList = w.expanded(x.ReturningList)
		case *pg.DeleteStmt:
			x.ReturningList = w.expanded(x.ReturningList)
		case *pg.MergeStmt:
			x.ReturningList = w.expanded(x.ReturningList)
		case *pg.JoinExpr:
			w.natural(x)
		case *pg.ColumnRef:
			if ref := w.rec.refs[x]; ref != nil && ref.wholeRow && withSystem(ref.item) {
				refuse(x.Location, "", "a whole row of %s and its system columns are read together", ref.item.name)
			}
		}
		return true
	})
}

func withSystem(it *rangeItem) bool { return isReplaced(it) && len(it.read.system) > 0 }

func (w *rewriter) natural(j *pg.JoinExpr) {
	if !j.IsNatural {
		return
	}
	for _, rd := range w.rec.reads {
		if rd.replaced && len(rd.system) > 0 {
			refuse(-1, "Join with USING.", "system columns and NATURAL JOIN are used together")
		}
	}
}

func (w *rewriter) expanded(list []*pg.Node) []*pg.Node {
	var out []*pg.Node
	for i, t := range list {
		c := t.GetResTarget().GetVal().GetColumnRef()
		cols := w.starColumns(c)
		if cols == nil {
			if out != nil {
				out = append(out, t)
			}
			continue
		}
		if out == nil {
			out = append(make([]*pg.Node, 0, len(list)+len(cols)), list[:i]...)
		}
		out = append(out, cols...)
	}
	if out == nil {
		return list
	}
	return out
}

// starColumns are the columns of a star over an entry with system columns, nil
// for anything else.
func (w *rewriter) starColumns(c *pg.ColumnRef) []*pg.Node {
	if c == nil || len(c.Fields) == 0 || c.Fields[len(c.Fields)-1].GetAStar() == nil {
		return nil
	}
	items := w.rec.stars[c]
	if len(c.Fields) > 1 {
		ref := w.rec.refs[c]
		if ref == nil {
			return nil
		}
		items = []*rangeItem{ref.item}
	}
	if !slices.ContainsFunc(items, withSystem) {
		return nil
	}
	var out []*pg.Node
	for _, it := range items {
		if it.columnsOnly || it.nameOnly || it.name == "" || it.unknown {
			refuse(c.Location, "Name the columns.", "* and system columns are read together")
		}
		for i := range it.cols {
			out = append(out, resTarget("", columnNode(it.name, it.cols[i].name)))
		}
	}
	return out
}

// shareSources makes the columns of SET (a, b) = (SELECT …) share their source,
// of which the tree has a copy for each.
func shareSources(n *pg.Node) {
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.UpdateStmt:
			shareSource(x.TargetList)
		case *pg.OnConflictClause:
			shareSource(x.TargetList)
		case *pg.MergeWhenClause:
			shareSource(x.TargetList)
		}
		return true
	})
}

func shareSource(list []*pg.Node) {
	var source *pg.Node
	for _, t := range list {
		m := t.GetResTarget().GetVal().GetMultiAssignRef()
		switch {
		case m == nil:
		case m.Colno == 1:
			source = m.Source
		default:
			m.Source = source
		}
	}
}
