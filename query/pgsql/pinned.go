package pgsql

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Statistics tell of tables. A query whose own conditions leave only certain
// tables in a catalog tells of those alone: their statistics count as uses of
// all their columns. An entry of FROM of which this is known is pinned.
//
// The server may compute anything that is not a plain column before it has
// checked those conditions, and fail on what it then sees of other tables. So
// a pinned statistic may be a result column, or be computed with in the target
// list of the outermost query, and nothing else.

// A pinning is the FROM clause of one query with its conditions.
type pinning struct {
	r       *run
	entries []*pinEntry
	others  int // entries that are no catalogs
	// groups of entries that an outer join may leave without a row together:
	// each holds its parent. Group 0 always has a row.
	groups []int
	facts  []pinFact
	links  []pinLink
}

type pinEntry struct {
	node    *pg.RangeVar
	name    string
	catalog string
	group   int
}

// A pinFact says that a column of an entry has one of some values. It holds in
// rows in which the entries of its group are.
type pinFact struct {
	entry  *pinEntry
	column string
	texts  []string
	oids   []uint32
	group  int
}

// A pinLink says that two columns are equal.
type pinLink struct {
	a, b       *pinEntry
	aCol, bCol string
	group      int
}

// pinnable catalogs, with the columns that conditions can pin and their types.
var pinnable = map[string]map[string]uint32{
	"pg_class":     {"oid": oidOID, "relname": oidName, "relnamespace": oidOID, "relkind": oidChar},
	"pg_namespace": {"oid": oidOID, "nspname": oidName},
	"pg_index":     {"indrelid": oidOID, "indexrelid": oidOID},
	"pg_stats":     {"schemaname": oidName, "tablename": oidName},
}

const oidChar = 18 // "char"

// pinnedNames of pg_stats tell which rows there are, which is settled.
var pinnedNames = map[string]bool{"schemaname": true, "tablename": true, "attname": true, "inherited": true}

// pin finds the pinned entries of a query before its FROM clause is evaluated.
func (r *run) pin(s *pg.SelectStmt, sc *scope) {
	p := &pinning{r: r, groups: []int{0}}
	for _, f := range s.FromClause {
		p.from(f, sc, 0)
	}
	if len(p.entries) == 0 {
		return
	}
	p.condition(s.WhereClause, 0)
	opened := 0
	for _, f := range s.FromClause {
		p.joined(f, 0, &opened)
	}
	for _, e := range p.entries {
		var about []*Relation
		switch e.catalog {
		case "pg_class":
			about = p.class(e, e.group, 0)
		case "pg_stats":
			about = p.named(e, "schemaname", "tablename", e.group)
		}
		if about != nil {
			if r.pins == nil {
				r.pins = map[*pg.RangeVar][]*Relation{}
			}
			r.pins[e.node] = about
		}
	}
}

// from collects the entries.
func (p *pinning) from(n *pg.Node, sc *scope, group int) {
	switch x := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		v := x.RangeVar
		_, known := pinnable[v.Relname]
		if !known || v.Schemaname == "" && sc.findCTE(v.Relname) != nil {
			p.others++
			return
		}
		if rel := p.r.resolveRelation(v); rel == nil || rel.Schema != "pg_catalog" {
			p.others++
			return
		}
		e := &pinEntry{node: v, name: v.Relname, catalog: v.Relname, group: group}
		if v.Alias != nil {
			e.name = v.Alias.Aliasname
			if len(v.Alias.Colnames) > 0 {
				p.others++
				return
			}
		}
		p.entries = append(p.entries, e)
	case *pg.Node_JoinExpr:
		if x.JoinExpr.Alias != nil { // its tables cannot be named, and others may have their names
			p.others++
			return
		}
		left, right := p.sides(x.JoinExpr, group)
		p.from(x.JoinExpr.Larg, sc, left)
		p.from(x.JoinExpr.Rarg, sc, right)
	default:
		p.others++
	}
}

// sides opens groups for the sides of a join that may have no row.
func (p *pinning) sides(j *pg.JoinExpr, group int) (left, right int) {
	open := func() int {
		p.groups = append(p.groups, group)
		return len(p.groups) - 1
	}
	left, right = group, group
	if j.Jointype == pg.JoinType_JOIN_RIGHT || j.Jointype == pg.JoinType_JOIN_FULL {
		left = open()
	}
	if j.Jointype == pg.JoinType_JOIN_LEFT || j.Jointype == pg.JoinType_JOIN_FULL {
		right = open()
	}
	return left, right
}

// joined collects the conditions of joins. Groups are numbered in the order in
// which from opened them.
func (p *pinning) joined(n *pg.Node, group int, opened *int) {
	j := n.GetJoinExpr()
	if j == nil || j.Alias != nil {
		return
	}
	left, right := group, group
	next := func() int { *opened++; return *opened }
	switch j.Jointype {
	case pg.JoinType_JOIN_INNER:
		p.condition(j.Quals, group)
	case pg.JoinType_JOIN_LEFT:
		right = next()
		p.condition(j.Quals, right)
	case pg.JoinType_JOIN_RIGHT:
		left = next()
		p.condition(j.Quals, left)
	case pg.JoinType_JOIN_FULL:
		left, right = next(), next()
	}
	p.joined(j.Larg, left, opened)
	p.joined(j.Rarg, right, opened)
}

// condition takes what a condition says of the entries.
func (p *pinning) condition(n *pg.Node, group int) {
	if b := n.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
		for _, a := range b.Args {
			p.condition(a, group)
		}
		return
	}
	x := n.GetAExpr()
	if x == nil {
		return
	}
	_, op := qualifiedName(x.Name)
	le, lc := p.column(x.Lexpr)
	re, rc := p.column(x.Rexpr)
	switch {
	case x.Kind == pg.A_Expr_Kind_AEXPR_OP && op == "=" && le != nil && re != nil:
		if p.builtin(x, le, lc, pinnable[re.catalog][rc]) {
			p.links = append(p.links, pinLink{le, re, lc, rc, group})
		}
	case x.Kind == pg.A_Expr_Kind_AEXPR_OP && op == "=" && re != nil:
		p.fact(x, re, rc, []*pg.Node{x.Lexpr}, group, exactly)
	case le == nil:
	case x.Kind == pg.A_Expr_Kind_AEXPR_OP && op == "=":
		p.fact(x, le, lc, []*pg.Node{x.Rexpr}, group, exactly)
	case x.Kind == pg.A_Expr_Kind_AEXPR_IN && op == "=":
		p.fact(x, le, lc, x.Rexpr.GetList().GetItems(), group, exactly)
	case x.Kind == pg.A_Expr_Kind_AEXPR_LIKE && op == "~~":
		p.fact(x, le, lc, []*pg.Node{x.Rexpr}, group, like)
	case x.Kind == pg.A_Expr_Kind_AEXPR_OP && op == "~":
		p.fact(x, le, lc, []*pg.Node{x.Rexpr}, group, matching)
	}
}

// How a constant names values: as itself, or as a pattern that only certain
// values match. A pattern that matches more names none.
func exactly(s string) []string { return []string{s} }

func like(s string) []string {
	if strings.ContainsAny(s, `%_\`) {
		return nil
	}
	return []string{s}
}

var alternatives = regexp.MustCompile(`^\^\(([a-z0-9_]+(?:\|[a-z0-9_]+)*)\)\$$`)

func matching(s string) []string {
	m := alternatives.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	return strings.Split(m[1], "|")
}

func (p *pinning) fact(x *pg.A_Expr, e *pinEntry, col string, consts []*pg.Node, group int, read func(string) []string) {
	f := pinFact{entry: e, column: col, group: group}
	typ := pinnable[e.catalog][col]
	for _, n := range consts {
		text, oid, ok := p.constant(n, typ)
		switch {
		case !ok || !p.builtin(x, e, col, constantType(n)):
			return
		case typ == oidOID:
			f.oids = append(f.oids, oid)
		default:
			names := read(text)
			if names == nil || typ == oidChar && len(text) > 1 { // the server reads the first byte
				return
			}
			f.texts = append(f.texts, names...)
		}
	}
	p.facts = append(p.facts, f)
}

// column is the column of an entry that an expression is.
func (p *pinning) column(n *pg.Node) (*pinEntry, string) {
	c := n.GetColumnRef()
	if c == nil || len(c.Fields) == 0 || len(c.Fields) > 2 {
		return nil, ""
	}
	name := c.Fields[len(c.Fields)-1].GetString_().GetSval()
	for _, e := range p.entries {
		if len(c.Fields) == 2 && c.Fields[0].GetString_().GetSval() != e.name ||
			len(c.Fields) == 1 && (len(p.entries) != 1 || p.others != 0) || pinnable[e.catalog][name] == 0 {
			continue
		}
		return e, name
	}
	return nil, ""
}

// builtin says that an operator can only be the server's own.
func (p *pinning) builtin(x *pg.A_Expr, e *pinEntry, col string, other uint32) bool {
	schema, name := qualifiedName(x.Name)
	right := value{typ: other}
	if other == 0 {
		right = value{literal: true, typ: oidUnknown}
	}
	ops := p.r.operators(schema, name, value{typ: pinnable[e.catalog][col]}, right, -1)
	for _, o := range ops {
		if o.Schema != "pg_catalog" || o.OID >= firstNormalOID {
			return false
		}
	}
	return len(ops) > 0
}

// constantType is the type of a constant, 0 if it takes it from the context.
func constantType(n *pg.Node) uint32 {
	switch {
	case n.GetTypeCast() != nil:
		switch _, name := qualifiedName(n.GetTypeCast().GetTypeName().GetNames()); name {
		case "regclass":
			return oidRegclass
		case "oid":
			return oidOID
		case "name":
			return oidName
		}
		return oidText
	case n.GetAConst().GetIval() != nil:
		return oidInt4
	}
	return 0
}

// constant reads a constant of a name's or an OID's type.
func (p *pinning) constant(n *pg.Node, typ uint32) (text string, oid uint32, ok bool) {
	if c := n.GetCollateClause(); c != nil {
		n = c.Arg
	}
	cast := ""
	if c := n.GetTypeCast(); c != nil {
		schema, name := qualifiedName(c.GetTypeName().GetNames())
		if schema != "" && schema != "pg_catalog" || len(c.GetTypeName().GetArrayBounds()) > 0 {
			return "", 0, false
		}
		cast, n = name, c.Arg
	}
	k := n.GetAConst()
	if i := k.GetIval(); i != nil && typ == oidOID && (cast == "" || cast == "oid") {
		return "", uint32(i.Ival), i.Ival > 0
	}
	s := k.GetSval()
	if s == nil {
		return "", 0, false
	}
	switch {
	case typ != oidOID:
		return s.Sval, 0, cast == "" || cast == "text" || cast == "name"
	case cast == "regclass":
		rel := p.r.qualifiedRelation(s.Sval)
		if rel == nil {
			return "", 0, false
		}
		return "", rel.OID, true
	case cast == "" || cast == "oid":
		v, err := strconv.ParseUint(s.Sval, 10, 32)
		return "", uint32(v), err == nil
	}
	return "", 0, false
}

var qualifiedRelation = regexp.MustCompile(`^(?:([a-z_][a-z0-9_]*)|"([^"]+)")\.(?:([a-z_][a-z0-9_]*)|"([^"]+)")$`)

// qualifiedRelation is the relation that a text names with its schema. Without one, an
// index that the catalog does not know could come first in the path.
func (r *run) qualifiedRelation(name string) *Relation {
	m := qualifiedRelation.FindStringSubmatch(name)
	if m == nil {
		return nil
	}
	return r.cat.Relation(m[1]+m[2], m[3]+m[4])
}

// holds says whether what holds for one group does in rows where another has one.
func (p *pinning) holds(fact, group int) bool {
	for ; group != fact; group = p.groups[group] {
		if group == 0 {
			return false
		}
	}
	return true
}

// values are those that a column is known to have in the rows of a group.
func (p *pinning) values(e *pinEntry, column string, group int) *pinFact {
	for i := range p.facts {
		if f := &p.facts[i]; f.entry == e && f.column == column && p.holds(f.group, group) {
			return f
		}
	}
	return nil
}

// class is what an entry of pg_class can show in the rows of a group, nil if
// that is not known.
func (p *pinning) class(e *pinEntry, group, depth int) []*Relation {
	if depth > len(p.entries) {
		return nil
	}
	if f := p.values(e, "oid", group); f != nil {
		return p.byOID(f.oids)
	}
	if schemas := p.schemas(e, group); schemas != nil {
		if f := p.values(e, "relname", group); f != nil {
			return p.byName(schemas, f.texts)
		}
		return p.within(schemas, p.values(e, "relkind", group))
	}
	// An index of a table that is known itself.
	for _, l := range p.links {
		i := l.other(e, "oid", "indexrelid")
		if i == nil || i.catalog != "pg_index" || !p.holds(l.group, group) {
			continue
		}
		if f := p.values(i, "indrelid", group); f != nil {
			return p.byOID(f.oids)
		}
		for _, m := range p.links {
			if t := m.other(i, "indrelid", "oid"); t != nil && t.catalog == "pg_class" && p.holds(m.group, group) {
				return p.class(t, group, depth+1)
			}
		}
	}
	return nil
}

// other is the entry that a link ties to column own of e by its column.
func (l *pinLink) other(e *pinEntry, own, column string) *pinEntry {
	switch {
	case l.a == e && l.aCol == own && l.bCol == column:
		return l.b
	case l.b == e && l.bCol == own && l.aCol == column:
		return l.a
	}
	return nil
}

// schemas are those that an entry of pg_class can be in.
func (p *pinning) schemas(e *pinEntry, group int) []string {
	if f := p.values(e, "relnamespace", group); f != nil {
		var names []string
		for name, oid := range p.r.cat.Schemas {
			if slices.Contains(f.oids, oid) {
				names = append(names, name)
			}
		}
		if len(names) != len(f.oids) {
			return nil
		}
		return names
	}
	for _, l := range p.links {
		n := l.other(e, "relnamespace", "oid")
		if n == nil || n.catalog != "pg_namespace" {
			continue
		}
		// The name is known, so the entry has a row, so it was joined.
		if f := p.values(n, "nspname", group); f != nil && (p.holds(l.group, group) || p.holds(l.group, n.group)) {
			return f.texts
		}
	}
	return nil
}

func (p *pinning) byOID(oids []uint32) []*Relation {
	var out []*Relation
	for _, oid := range oids {
		rel := p.r.cat.Relations[oid]
		if rel == nil || Builtin(rel.Schema) {
			return nil
		}
		out = append(out, rel)
	}
	return out
}

// byName finds relations that are all known: what is not may be an index.
func (p *pinning) byName(schemas, names []string) []*Relation {
	var out []*Relation
	for _, s := range schemas {
		for _, n := range names {
			rel := p.r.cat.Relation(s, n)
			if rel == nil || Builtin(s) {
				return nil
			}
			out = append(out, rel)
		}
	}
	return out
}

// within are all relations of some schemas, of the kinds that a condition
// leaves. An index is in the schema of its table.
func (p *pinning) within(schemas []string, kinds *pinFact) []*Relation {
	out := []*Relation{}
	for _, s := range schemas {
		if Builtin(s) || p.r.cat.Schemas[s] == 0 {
			return nil
		}
	}
	for _, rel := range p.r.cat.Relations {
		if !slices.Contains(schemas, rel.Schema) {
			continue
		}
		indexed := rel.Kind == 'r' || rel.Kind == 'p' || rel.Kind == 'm'
		if kinds == nil || slices.Contains(kinds.texts, string(rel.Kind)) ||
			indexed && (slices.Contains(kinds.texts, "i") || slices.Contains(kinds.texts, "I")) {
			out = append(out, rel)
		}
	}
	slices.SortFunc(out, func(a, b *Relation) int { return int(a.OID) - int(b.OID) })
	return out
}

func (p *pinning) named(e *pinEntry, schema, name string, group int) []*Relation {
	s, n := p.values(e, schema, group), p.values(e, name, group)
	if s == nil || n == nil {
		return nil
	}
	return p.byName(s.texts, n.texts)
}
