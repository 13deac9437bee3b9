package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// groups keeps queries valid that group by a primary key and show other columns
// of the table: the server allows that for a table but not for a subquery, so
// these columns are added to GROUP BY, where they change nothing.
func (w *rewriter) groups() {
	for s, items := range w.rec.groups {
		for _, it := range items {
			if !isReplaced(it) || it.relation == nil {
				continue
			}
			if key := it.relation.PrimaryKey; len(key) > 0 && w.groupsBy(s, it, key) {
				w.addToGroup(s, it)
			}
		}
	}
}

// groupsBy reports whether a query groups by all columns of a key, none of
// which is a constant.
func (w *rewriter) groupsBy(s *pg.SelectStmt, it *rangeItem, key []int16) bool {
	n := w.of(it.relation)
	grouped := w.groupColumns(s, it)
	for _, attr := range key {
		if n != nil {
			if _, constant := n.constants[attr]; constant {
				return false
			}
		}
		i := slices.IndexFunc(it.relation.Columns, func(c Column) bool { return c.Attr == attr })
		if i < 0 || i >= len(it.cols) || !contains(grouped, it.cols[i].name) {
			return false
		}
	}
	return true
}

// groupColumns are the columns of an entry of FROM that are grouped by as they are.
func (w *rewriter) groupColumns(s *pg.SelectStmt, it *rangeItem) []string {
	var out []string
	for _, g := range s.GroupClause {
		c := g.GetColumnRef()
		if i := g.GetAConst().GetIval(); i != nil && int(i.Ival) >= 1 && int(i.Ival) <= len(s.TargetList) {
			c = s.TargetList[i.Ival-1].GetResTarget().GetVal().GetColumnRef()
		}
		if c == nil {
			continue
		}
		if w.rec.refs[c] == nil { // the name of a result column
			for _, t := range s.TargetList {
				if t.GetResTarget().GetName() == bareName(g) {
					c = t.GetResTarget().GetVal().GetColumnRef()
				}
			}
		}
		if ref := w.rec.refs[c]; ref != nil && sameEntry(ref.item, it) && ref.column != "" {
			out = append(out, ref.column)
		}
	}
	return out
}

// sameEntry reports one entry of FROM, also as an input of a join.
func sameEntry(a, b *rangeItem) bool { return a.read == b.read }

func (w *rewriter) addToGroup(s *pg.SelectStmt, it *rangeItem) {
	have := w.groupColumns(s, it)
	add := func(name string, ref *pg.Node) {
		if contains(have, name) {
			return
		}
		if slices.ContainsFunc(it.relation.Columns, func(c Column) bool { return c.Name == name && (c.Type == oidJSON || c.Type == oidXML) }) {
			refuse(-1, "Cast it to text in the subquery that groups.", "column %s cannot be grouped by, and the table cannot be narrowed otherwise", name)
		}
		have = append(have, name)
		s.GroupClause = append(s.GroupClause, ref)
	}
	visit := func(m protoreflect.Message) bool {
		switch x := m.Interface().(type) {
		case *pg.FuncCall:
			return !w.aggregate(x)
		case *pg.ColumnRef:
			for _, starred := range w.rec.stars[x] {
				if sameEntry(starred, it) && !starred.columnsOnly {
					w.addAll(it, add)
				}
			}
			ref := w.rec.refs[x]
			if ref == nil || !sameEntry(ref.item, it) || ref.wholeRow {
				return true
			}
			if ref.column == "" {
				w.addAll(it, add)
				return true
			}
			add(ref.column, &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: proto.Clone(x).(*pg.ColumnRef)}})
		}
		return true
	}
	for _, list := range [][]*pg.Node{s.TargetList, {s.HavingClause}, s.SortClause, s.DistinctClause, s.WindowClause} {
		for _, n := range list {
			if n != nil {
				each(n.ProtoReflect(), visit)
			}
		}
	}
}

func (w *rewriter) addAll(it *rangeItem, add func(string, *pg.Node)) {
	for i := range it.cols {
		add(it.cols[i].name, columnNode(it.name, it.cols[i].name))
	}
}

// aggregate reports a call whose arguments need no grouping.
func (w *rewriter) aggregate(f *pg.FuncCall) bool {
	if f.Over != nil {
		return false
	}
	_, name := qualifiedName(f.Funcname)
	for _, c := range w.cat.Functions(name) {
		if c.Kind == 'a' {
			return true
		}
	}
	return false
}
