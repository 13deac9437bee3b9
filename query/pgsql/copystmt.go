package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// copy analyses COPY.
func (r *run) copy(x *pg.CopyStmt) {
	c := &Copy{From: x.IsFrom, Server: x.Filename != "" || x.IsProgram, Format: "text"}
	r.stmt.Copy = c
	r.copyOptions(c, x.Options)
	verb := "COPY TO"
	if x.IsFrom {
		verb = "COPY FROM"
	}
	r.class(query.ClassCopy, verb)
	switch {
	case x.IsProgram:
		r.write("copy program", x.Filename, -1)
		r.gap(-1, "COPY runs a program on the server")
	case c.Server:
		r.write("copy file", x.Filename, -1)
		r.gap(-1, "COPY uses a file of the server")
	case x.IsFrom:
		r.stmt.Kind = KindCopyIn
	default:
		r.stmt.Kind = KindCopyOut
	}
	var cols []column
	switch {
	case x.IsFrom:
		cols = r.copyFrom(x, c)
	case x.Query != nil:
		cols = r.query(x.Query, &scope{})
		if s := x.Query.GetSelectStmt(); s != nil {
			r.ordered(s, cols)
		}
		c.Query = copyQueryText(r.text[r.stmt.Span.Start:r.stmt.Span.End])
		if c.Query == "" {
			r.gap(-1, "the query of COPY was not found in the text")
		}
	default:
		cols = r.copyTable(x, c)
	}
	if !x.IsFrom {
		if c.Server {
			for _, col := range cols {
				r.stores(col.value, "copy", x.Filename, -1)
			}
		}
		r.returns(cols)
		for _, col := range cols {
			if x.Query != nil {
				c.Columns = append(c.Columns, col.name)
			}
		}
	}
}

// copyFrom notes what COPY writes.
func (r *run) copyFrom(x *pg.CopyStmt, c *Copy) []column {
	t := r.openTarget(x.Relation, "INSERT")
	if t == nil {
		return nil
	}
	r.rec.writing(x.Relation, t, x)
	sc := &scope{items: []*rangeItem{t.item}}
	r.use(r.expr(x.WhereClause, sc), query.UseFilter)
	c.Columns = r.copyColumns(x, t.item)
	for _, name := range c.Columns {
		r.assigned(t, name, x.Relation.Location)
		r.assigns(t, name, nil, x.Relation.Location)
	}
	r.defaults(t)
	r.checks(t, c.Columns, true)
	return nil
}

// copyTable is COPY table TO: the table's own rows, without its children's.
func (r *run) copyTable(x *pg.CopyStmt, c *Copy) []column {
	rel := r.resolveRelation(x.Relation)
	if rel == nil {
		return nil
	}
	r.guard.relation(rel, x.Relation)
	r.acc.table(rel, true, "select")
	item := r.readRelation(rel, x.Relation.Location)
	c.Columns = r.copyColumns(x, item)
	var cols []column
	names := make([]string, 0, len(c.Columns))
	for _, n := range c.Columns {
		m := item.column(n)
		if len(m) == 0 {
			r.missing(x.Relation.Location, "column "+n+" is not known", n)
			continue
		}
		cols = append(cols, column{n, m[0].at(r.here(x.Relation.Location), false)})
		names = append(names, quoteIdent(n))
	}
	only := "ONLY "
	if rel.Kind == 'v' || rel.Kind == 'f' {
		only = ""
	}
	c.Query = "SELECT " + strings.Join(names, ", ") + " FROM " + only + quoteIdent(rel.Schema) + "." + quoteIdent(rel.Name)
	return cols
}

func (r *run) copyColumns(x *pg.CopyStmt, item *rangeItem) []string {
	var out []string
	for _, n := range x.Attlist {
		out = append(out, n.GetString_().GetSval())
	}
	if len(out) == 0 && item.relation != nil {
		for _, c := range item.relation.Columns {
			if c.Generated == "" {
				out = append(out, c.Name)
			}
		}
	}
	return out
}

func (r *run) copyOptions(c *Copy, options []*pg.Node) {
	for _, o := range options {
		d := o.GetDefElem()
		text := d.GetArg().GetString_().GetSval()
		switch lowerASCII(d.GetDefname()) {
		case "format":
			c.Format = lowerASCII(text)
		case "delimiter":
			if len(text) == 1 {
				c.Delimiter = text[0]
			}
		case "null":
			c.Null = text
			c.nullSet = true
		case "header":
			c.Header = lowerASCII(text) == "match" || truth(d.GetArg())
		case "quote":
			if len(text) == 1 {
				c.Quote = text[0]
			}
		case "escape":
			if len(text) == 1 {
				c.Escape = text[0]
			}
		case "force_quote":
			c.ForceQuote = true
			if d.GetArg().GetAStar() != nil {
				c.ForceQuoteAll = true
			}
			for _, n := range d.GetArg().GetList().GetItems() {
				c.ForceQuoteColumns = append(c.ForceQuoteColumns, n.GetString_().GetSval())
			}
		case "encoding":
			c.Encoding = text
		}
	}
	defaults := map[string]struct {
		delimiter, quote byte
		null             string
	}{"text": {'\t', 0, `\N`}, "csv": {',', '"', ""}}[c.Format]
	if c.Delimiter == 0 {
		c.Delimiter = defaults.delimiter
	}
	if c.Quote == 0 {
		c.Quote = defaults.quote
	}
	if c.Escape == 0 {
		c.Escape = c.Quote
	}
	if !c.nullSet {
		c.Null = defaults.null
	}
}

// copyQueryText is the query in the parentheses of COPY (…) TO.
func copyQueryText(stmt string) string {
	lx := lexer{text: stmt}
	depth, start := 0, -1
	for {
		t := lx.next()
		switch {
		case t.kind == tokenEnd || t.kind == tokenBad:
			return ""
		case t.kind == tokenSelf && stmt[t.start] == '(':
			if depth == 0 {
				start = t.end
			}
			depth++
		case t.kind == tokenSelf && stmt[t.start] == ')':
			depth--
			if depth == 0 {
				return strings.TrimSpace(stmt[start:t.start])
			}
		}
	}
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
