package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// A lateral is an entry of FROM that may name the entries before it, which the
// grammar does not read. It is given to the grammar as a derived table:
//
//	JSON_TABLE(doc, '$' COLUMNS (…)) jt   (SELECT doc ) jt
//	LATERAL (SELECT …) l                  (SELECT …) l
//
// and found again by the place of its first expression in the source, where
// nothing else can begin a select list.
type lateral struct {
	// columns are those of JSON_TABLE, none for a query.
	columns []jsonColumn
	json    bool
}

type jsonColumn struct {
	name string
	typ  TypeCode
}

// lateralAt finds the lateral entry that a derived table stands for, nil if it
// stands for itself.
func (r *run) lateralAt(n ast.Node) *lateral {
	if len(r.text.laterals) == 0 {
		return nil
	}
	for range maxLevels {
		switch x := n.(type) {
		case *ast.SelectStmt:
			if x.Fields == nil || len(x.Fields.Fields) == 0 {
				return nil
			}
			return r.text.laterals[r.text.source(x.Fields.Fields[0].Offset)]
		case *ast.SetOprStmt:
			n = x.SelectList
		case *ast.SetOprSelectList:
			if len(x.Selects) == 0 {
				return nil
			}
			n = x.Selects[0]
		default:
			return nil
		}
	}
	return nil
}

// behind is the scope of an entry of FROM that sees those before it.
func (s *scope) behind() *scope {
	return &scope{parent: &scope{parent: s.parent, ctes: s.ctes, fresh: s.fresh, items: s.before}}
}

// jsonTable is the entry of JSON_TABLE. How many rows there are, and what each
// of them holds, goes by the document.
func (r *run) jsonTable(l *lateral, s *ast.SelectStmt, name string, sc *scope) *rangeItem {
	behind := sc.behind()
	doc := derive(r.all(expressionsOf(s), behind))
	r.use(doc, query.UseDerived|query.UseFilter)
	sc.chance = sc.chance || behind.chance
	it := &rangeItem{name: name, scan: -1, origin: origin{opaque: true}}
	for _, c := range l.columns {
		v := derive(doc).typed(c.typ)
		v.source = source{table: name}
		if r.cat.Server.MariaDB {
			v.source.table = "json_table"
		}
		it.cols = append(it.cols, named(c.name, v))
	}
	return it
}

func expressionsOf(s *ast.SelectStmt) []ast.ExprNode {
	var out []ast.ExprNode
	for _, f := range s.Fields.Fields {
		out = append(out, f.Expr)
	}
	return out
}

// noteLateral notes a lateral entry whose first expression begins at a token.
func (f *formReader) noteLateral(i int, l *lateral) {
	if f.t.laterals == nil {
		f.t.laterals = map[int]*lateral{}
	}
	f.t.laterals[f.t.tokens[i].start] = l
}

// lateral reads LATERAL ( … ).
func (f *formReader) lateral(i int) {
	t, j := f.t, i+1
	for t.is(j, "(") {
		j++
	}
	if j == i+1 || f.close(i+1) < 0 || t.word(j) != "select" {
		return
	}
	for j++; selectOption(t.word(j)); j++ {
	}
	if j < f.to {
		f.noteLateral(j, &lateral{})
		f.add(edit{i, i + 1, ""})
	}
}

func selectOption(word string) bool {
	switch word {
	case "all", "distinct", "distinctrow", "high_priority", "straight_join":
		return true
	}
	return strings.HasPrefix(word, "sql_")
}

// jsonTable reads JSON_TABLE ( document, path COLUMNS ( … ) ).
func (f *formReader) jsonTable(i int) {
	t := f.t
	if !t.is(i+1, "(") || t.is(i-1, ".") {
		return
	}
	end := f.close(i + 1)
	if end < 0 {
		return
	}
	comma := i + 2
	for ; comma < end && !t.is(comma, ","); comma++ {
		if t.is(comma, "(") || t.is(comma, "{") {
			if comma = f.matching(comma); comma < 0 {
				return
			}
		}
	}
	if comma == i+2 || comma+4 > end || t.tokens[comma+1].kind != tokenString || t.word(comma+2) != "columns" || !t.is(comma+3, "(") {
		return
	}
	columns, last, ok := f.jsonColumns(comma+3, 0)
	if !ok || last != end-1 {
		return
	}
	f.noteLateral(i+2, &lateral{json: true, columns: columns})
	f.add(edit{i, i + 2, "(SELECT"})
	f.add(edit{comma, end, ""})
}

// matching is the token that closes the bracket at i, -1 if none does.
func (f *formReader) matching(i int) int {
	if f.t.is(i, "(") {
		return f.close(i)
	}
	for depth := 0; i < f.to; i++ {
		if f.t.is(i, "{") {
			depth++
		} else if f.t.is(i, "}") {
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// jsonColumns reads the columns of JSON_TABLE between the parenthesis at i and
// the one that closes it, whose token it gives.
func (f *formReader) jsonColumns(i, depth int) (out []jsonColumn, end int, ok bool) {
	t := f.t
	if end = f.close(i); end < 0 || depth > maxDepth {
		return nil, 0, false
	}
	for i++; i < end; {
		if t.word(i) == "nested" && (t.word(i+1) == "path" || t.tokens[i+1].kind == tokenString) {
			if i++; t.word(i) == "path" {
				i++
			}
			if t.tokens[i].kind != tokenString || t.word(i+1) != "columns" || !t.is(i+2, "(") {
				return nil, 0, false
			}
			inner, last, ok := f.jsonColumns(i+2, depth+1)
			if !ok {
				return nil, 0, false
			}
			out, i = append(out, inner...), last+1
		} else {
			c, next, ok := f.jsonColumn(i, end)
			if !ok {
				return nil, 0, false
			}
			out, i = append(out, c), next
		}
		if i < end && !t.is(i, ",") {
			return nil, 0, false
		}
		i++
	}
	return out, end, len(out) > 0
}

// jsonColumn reads one column up to the comma behind it: constants alone.
func (f *formReader) jsonColumn(i, end int) (c jsonColumn, next int, ok bool) {
	t := f.t
	if c.name, ok = t.name(i); !ok {
		return c, 0, false
	}
	if t.words(i+1, "for", "ordinality") {
		c.typ = ParseType("int")
		return c, i + 3, true
	}
	from, path := i+1, 0
	for i++; i < end && !t.is(i, ","); i++ {
		switch {
		case t.is(i, "("):
			if i = f.close(i); i < 0 {
				return c, 0, false
			}
		case t.word(i) == "path" && path == 0:
			path = i
		case t.tokens[i].kind == tokenParam, t.word(i) == "select":
			return c, 0, false
		}
	}
	if path <= from || t.tokens[path+1].kind != tokenString {
		return c, 0, false
	}
	if t.word(path-1) == "exists" {
		path--
	}
	c.typ = ParseType(strings.ToLower(t.slice(from, path)))
	return c, i, true
}
