package mysql

import (
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

func bitsOf(u query.Use) int { return bits.OnesCount16(uint16(u)) }

// A splice puts a text in the place of a range of the source.
type splice struct {
	start, end int // in text.src
	text       string
}

// edit puts the derived tables into the text and, to compare, into the tree.
func (w *rewriter) edit(t *text, n ast.Node, rec *recording, c *change) string {
	var out []splice
	order := tablesInOrder(n)
	places := placesOf(t, order)
	replaced := map[*ast.TableSource]bool{}
	for i, s := range order {
		rel := rec.sources[s]
		if rel == nil || !w.narrowed(rel) {
			continue
		}
		if c.target(s) && w.apart(rel) == nil {
			continue
		}
		p := places[i]
		if p.from < 0 {
			refuse(-1, "the place of %s.%s in the statement is not known", rel.Schema, rel.Name)
		}
		if hint := w.apart(rel); hint != nil && (c.target(s) || w.onlyApart(rel)) {
			if p.hints != p.end {
				refuse(-1, "the entry of %s.%s has hints", rel.Schema, rel.Name)
			}
			n := s.Source.(*ast.TableName)
			n.IndexHints = append(n.IndexHints, hint)
			at := t.tokens[p.end-1].end
			out = append(out, splice{at, at, " " + ignoring(hint)})
			continue
		}
		body := w.derived(t, rel, t.slice(p.partition, p.partitionEnd), t.slice(p.hints, p.end))
		name := s.AsName.O
		if name == "" {
			name = s.Source.(*ast.TableName).Name.O
		}
		replaced[s] = true
		out = append(out, splice{t.tokens[p.from].start, t.tokens[p.end-1].end, "(" + body + ") AS " + quoteName(name)})
		inner, terr := parse(w.readable(body), t.mode)
		if terr != nil {
			refuse(-1, "what stands for %s.%s cannot be read", rel.Schema, rel.Name)
		}
		set, ok := inner.(ast.ResultSetNode)
		if !ok {
			refuse(-1, "what stands for %s.%s is no query", rel.Schema, rel.Name)
		}
		s.Source, s.AsName = set, ast.NewCIStr(name)
	}
	out = append(out, w.unqualify(t, n, rec, replaced)...)
	var check func(ast.ExprNode) bool
	if c != nil {
		var put []splice
		put, check = w.condition(t, c, rec)
		out = append(out, put...)
	}
	slices.SortStableFunc(out, func(a, b splice) int { return a.start - b.start })
	sql := w.apply(t, out)
	again, terr := parse(w.readable(sql), t.mode)
	if terr == nil && check != nil { // the condition is looked at by itself
		own, other := conditionOf(n.(ast.StmtNode)), conditionOf(again)
		if other == nil || !check(*other) {
			refuse(-1, "the condition of the statement cannot be narrowed in its own letters")
		}
		*own = *other
	}
	if terr != nil || !sameTree(n, again) {
		refuse(-1, "the statement cannot be narrowed in its own letters")
	}
	return sql
}

// apart is the hint that keeps a relation from being read in the order of
// columns; nil if nothing does. The order in which its rows lie stays.
func (w *rewriter) apart(rel *Relation) *ast.IndexHint {
	n := w.narrow[rel]
	if n == nil || len(n.Apart) == 0 {
		return nil
	}
	hint := &ast.IndexHint{HintType: ast.HintIgnore, HintScope: ast.HintForScan}
	clustered := rel.clustered()
	for i := range rel.Indexes {
		x := &rel.Indexes[i]
		if x != clustered && slices.ContainsFunc(x.Columns, func(c IndexColumn) bool {
			return c.Column == "" || slices.ContainsFunc(n.Apart, func(a string) bool { return w.madeOf(rel, c.Column, a) })
		}) {
			hint.IndexNames = append(hint.IndexNames, ast.NewCIStr(x.Name))
		}
	}
	if len(hint.IndexNames) == 0 {
		return nil
	}
	return hint
}

// madeOf says that a column of a relation is another one, or computed from it.
func (w *rewriter) madeOf(rel *Relation, column, from string) bool {
	c, f := rel.Column(column), rel.Column(from)
	if c == nil || f == nil {
		return true
	}
	if c == f || c.Generated == "" {
		return c == f
	}
	budget, volatile := maxBudget, false
	r := &run{an: w.an, cat: w.cat, cc: w.cc, st: w.st, acc: newAccumulator(), budget: &budget, volatile: &volatile, stmt: &Statement{}, hidden: true}
	return slices.Contains(r.generatedFrom(rel, c), f.Attr)
}

// ignoring is a hint in SQL.
func ignoring(h *ast.IndexHint) string {
	names := make([]string, len(h.IndexNames))
	for i, n := range h.IndexNames {
		names[i] = quoteName(n.O)
	}
	return "IGNORE INDEX (" + strings.Join(names, ", ") + ")"
}

// onlyApart says that a relation is seen as it is, but for the order.
func (w *rewriter) onlyApart(rel *Relation) bool {
	n := w.narrow[rel]
	return len(n.Filters) == 0 && len(n.Constants) == 0 && rel.Kind != KindView
}

// narrowed says that a relation, or one that a view reads, is seen otherwise.
func (w *rewriter) narrowed(rel *Relation) bool {
	return slices.ContainsFunc(w.below(rel), func(r *Relation) bool { return w.narrow[r] != nil })
}

// readable is a text in the form that the grammar reads.
func (w *rewriter) readable(sql string) string {
	st := *w.st
	st.ClientCharset = "utf8mb4"
	rd := &reader{sql: sql, server: &w.cat.Server}
	t, terr := rd.next(&st)
	if terr != nil {
		refuse(-1, "%s", terr.Message)
	}
	return t.print(0, len(t.tokens), nil)
}

// apply puts splices into the statement's text.
func (w *rewriter) apply(t *text, list []splice) string {
	var b strings.Builder
	at, end := t.tokens[0].start, t.tokens[len(t.tokens)-1].end
	for _, s := range list {
		if s.start < at {
			refuse(-1, "two changes of the statement meet")
		}
		b.WriteString(t.src[at:s.start])
		b.WriteString(s.text)
		at = s.end
	}
	b.WriteString(t.src[at:end])
	sql := b.String()
	if charset := lowerASCII(w.st.ClientCharset); charset != "utf8mb4" && charset != "utf8" && charset != "utf8mb3" && !isASCII(sql) {
		refuse(-1, "statements with letters of %s cannot be narrowed; use utf8mb4", charset)
	}
	return sql
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// unqualify takes the database off the names of columns whose table is now a
// derived one.
func (w *rewriter) unqualify(t *text, n ast.Node, rec *recording, replaced map[*ast.TableSource]bool) []splice {
	if len(replaced) == 0 {
		return nil
	}
	var out []splice
	drop := func(pos int) {
		i := t.tokenAt(t.source(pos))
		if i < 0 || !t.is(i+1, ".") || !t.is(i+3, ".") {
			refuse(-1, "a name with a database cannot be narrowed")
		}
		out = append(out, splice{t.tokens[i].start, t.tokens[i+2].start, ""})
	}
	v := &columnVisitor{}
	n.Accept(v)
	for _, c := range v.columns {
		if it := rec.columns[c.Name]; it != nil && it.relation != nil && w.narrowed(it.relation) {
			drop(c.OriginTextPosition())
			c.Name.Schema = ast.CIStr{}
		}
	}
	for _, f := range v.fields {
		if f.WildCard == nil {
			continue
		}
		for _, it := range rec.stars[f.WildCard] {
			if f.WildCard.Schema.O != "" && it.relation != nil && w.narrowed(it.relation) {
				drop(f.Offset)
				f.WildCard.Schema = ast.CIStr{}
			}
		}
	}
	return out
}

type columnVisitor struct {
	columns []*ast.ColumnNameExpr
	fields  []*ast.SelectField
}

func (v *columnVisitor) Enter(n ast.Node) (ast.Node, bool) {
	switch x := n.(type) {
	case *ast.ColumnNameExpr:
		v.columns = append(v.columns, x)
	case *ast.SelectField:
		v.fields = append(v.fields, x)
	}
	return n, false
}

func (v *columnVisitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// tokenAt is the token that begins at an offset of src, -1 if none does.
func (t *text) tokenAt(pos int) int {
	i, ok := slices.BinarySearchFunc(t.tokens, pos, func(tok token, pos int) int { return tok.start - pos })
	if !ok {
		return -1
	}
	return i
}

// A place is where an entry of FROM stands among the tokens.
type place struct {
	from, end               int // from is -1 if it is not known
	partition, partitionEnd int
	hints                   int
}

// placesOf finds the entries of FROM in the text, in the order in which they
// stand in it. The grammar does not say where they are: for each name its
// occurrences that can be entries are taken in turn. A wrong one gives another
// tree, which is refused.
func placesOf(t *text, order []*ast.TableSource) []place {
	out := make([]place, len(order))
	wanted := map[string][]int{}
	for i, s := range order {
		n := s.Source.(*ast.TableName)
		key := n.Schema.O + "\x00" + n.Name.O
		wanted[key] = append(wanted[key], i)
		out[i].from = -1
	}
	for key, list := range wanted {
		schema, name, _ := strings.Cut(key, "\x00")
		var found []int
		for i := range t.tokens {
			if t.entryAt(i, schema, name) {
				found = append(found, i)
			}
		}
		if len(found) != len(list) {
			continue
		}
		for j, i := range list {
			out[i] = t.placeAt(found[j], schema != "", order[i].AsName.O != "")
		}
	}
	return out
}

// entryAt says whether an entry of FROM with a name may begin at a token.
func (t *text) entryAt(i int, schema, name string) bool {
	if i == 0 {
		return false
	}
	at := i
	if schema != "" {
		if s, ok := t.name(i); !ok || s != schema || !t.is(i+1, ".") {
			return false
		}
		at = i + 2
	}
	if n, ok := t.name(at); !ok || n != name || t.is(at+1, ".") || t.is(at+1, "(") {
		return false
	}
	if t.is(i-1, ".") {
		return false
	}
	switch t.word(i - 1) {
	case "from", "join", "straight_join":
		return true
	case "update", "ignore", "low_priority":
		return t.word(0) == "update"
	}
	return t.is(i-1, ",") || t.is(i-1, "(")
}

// placeAt is how far an entry of FROM goes.
func (t *text) placeAt(i int, qualified, alias bool) place {
	p := place{from: i, end: i + 1}
	if qualified {
		p.end = i + 3
	}
	f := formReader{t: t, to: len(t.tokens)}
	if t.word(p.end) == "partition" && t.is(p.end+1, "(") {
		p.partition = p.end
		if p.partitionEnd = f.close(p.end+1) + 1; p.partitionEnd <= 0 {
			return place{from: -1}
		}
		p.end = p.partitionEnd
	}
	if alias {
		if t.word(p.end) == "as" {
			p.end++
		}
		p.end++
	}
	p.hints = p.end
	for {
		switch t.word(p.end) {
		case "use", "force", "ignore":
		default:
			return p
		}
		j := p.end + 1
		if w := t.word(j); w != "index" && w != "key" {
			return p
		}
		for j++; j < len(t.tokens) && !t.is(j, "("); j++ {
		}
		end := f.close(j)
		if end < 0 {
			return place{from: -1}
		}
		p.end = end + 1
		if t.is(p.end, ",") { // a comma may stand between two hints
			switch t.word(p.end + 1) {
			case "use", "force", "ignore":
				p.end++
			}
		}
	}
}

// derived is the query that stands for a relation.
func (w *rewriter) derived(t *text, rel *Relation, partition, hints string) string {
	if rel.Kind == KindView {
		if partition != "" || hints != "" {
			refuse(-1, "view %s.%s has partitions or hints", rel.Schema, rel.Name)
		}
		if w.narrow[rel] == nil {
			return w.inlined(rel)
		}
		// The view itself is narrowed, and what it reads is seen as it says.
		for _, below := range w.below(rel)[1:] {
			if w.narrow[below] != nil {
				return w.selects(rel, "("+w.inlined(rel)+") AS "+quoteName(rel.Name))
			}
		}
	}
	from := quoteName(rel.Schema) + "." + quoteName(rel.Name)
	if partition != "" {
		from += " " + partition
	}
	if hints != "" {
		from += " " + hints
	}
	if hint := w.apart(rel); hint != nil {
		if hints != "" {
			refuse(-1, "the entry of %s.%s has hints", rel.Schema, rel.Name)
		}
		from += " " + ignoring(hint)
	}
	return w.selects(rel, from)
}

// selects is a SELECT of the columns of a relation with constants and filters.
func (w *rewriter) selects(rel *Relation, from string) string {
	n := w.narrow[rel]
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, count := 0, 0; i < len(rel.Columns); i++ {
		c := &rel.Columns[i]
		if c.Invisible {
			continue
		}
		if count++; count > 1 {
			b.WriteString(", ")
		}
		at := slices.IndexFunc(n.Constants, func(k query.Constant) bool { return columnKey(k.Column) == columnKey(c.Name) })
		if at >= 0 {
			b.WriteString(w.constant(rel, c, n.Constants[at].Value) + " AS ")
		}
		b.WriteString(quoteName(c.Name))
	}
	b.WriteString(" FROM " + from)
	if w.filtered && len(n.Filters) > 0 {
		for i, f := range n.Filters {
			w.checkFilter(rel, f)
			b.WriteString([]string{" WHERE (", " AND ("}[min(i, 1)] + f + ")")
		}
		if w.barrier {
			b.WriteString(" LIMIT " + allRows)
		}
	}
	return b.String()
}

// allRows is a LIMIT that leaves nothing out.
const allRows = "18446744073709551615"

// checkFilter refuses a filter that is not one plain condition over the
// relation's columns.
func (w *rewriter) checkFilter(rel *Relation, filter string) {
	budget, volatile := maxBudget, false
	r := &run{an: w.an, cat: w.cat, cc: w.cc, st: w.st, acc: newAccumulator(), budget: &budget, volatile: &volatile, stmt: &Statement{}}
	sub := r.nested(rel.Schema)
	n, terr := sub.parseStored("SELECT (" + filter + ")")
	s, ok := n.(*ast.SelectStmt)
	if terr != nil || !ok || s.From != nil || s.Where != nil || len(s.Fields.Fields) != 1 || s.Fields.Fields[0].Expr == nil || s.Fields.Fields[0].AsName.O != "" {
		refuse(-1, "the filter of %s.%s cannot be read", rel.Schema, rel.Name)
	}
	if _, whole := s.Fields.Fields[0].Expr.(*ast.ParenthesesExpr); !whole || commented(filter, &w.cat.Server) {
		refuse(-1, "the filter of %s.%s is not one expression", rel.Schema, rel.Name)
	}
	v := &subqueryVisitor{}
	s.Fields.Fields[0].Expr.Accept(v)
	if v.found {
		refuse(-1, "the filter of %s.%s has a subquery or parameter", rel.Schema, rel.Name)
	}
	sub.expr(s.Fields.Fields[0].Expr, &scope{items: []*rangeItem{sub.plainItem(rel)}})
	if len(sub.acc.gaps) > 0 {
		refuse(-1, "the filter of %s.%s: %s", rel.Schema, rel.Name, sub.acc.gaps[0].Reason)
	}
	if w.st.SQLMode&^(ModeStrict|ModeOnlyFullGroupBy) != 0 && strings.ContainsAny(filter, "\\\"|!") {
		refuse(-1, "the filter of %s.%s reads otherwise under the session's sql_mode", rel.Schema, rel.Name)
	}
}

// commented says that a text has more than tokens and white space.
func commented(sql string, server *Server) bool {
	rd := &reader{sql: sql, server: server}
	t, terr := rd.next(&State{ClientCharset: "utf8mb4"})
	if terr != nil || rd.pos < len(sql) {
		return true
	}
	at := 0
	for _, tok := range t.tokens {
		if strings.TrimSpace(t.src[at:tok.start]) != "" {
			return true
		}
		at = tok.end
	}
	return strings.TrimSpace(t.src[at:]) != ""
}

type subqueryVisitor struct{ found bool }

func (v *subqueryVisitor) Enter(n ast.Node) (ast.Node, bool) {
	switch n.(type) {
	case *ast.SubqueryExpr, *Marker, *ast.VariableExpr:
		v.found = true
	}
	return n, v.found
}

func (v *subqueryVisitor) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// inlined is the query of a view with what it reads narrowed. The server printed
// it under the default sql_mode.
func (w *rewriter) inlined(rel *Relation) string {
	if w.st.SQLMode&^(ModeStrict|ModeOnlyFullGroupBy) != 0 {
		refuse(-1, "view %s.%s reads otherwise under the session's sql_mode", rel.Schema, rel.Name)
	}
	if w.budget -= len(rel.Definition); w.budget < 0 {
		refuse(-1, "the views of the statement are too large")
	}
	rd := &reader{sql: rel.Definition, server: &w.cat.Server}
	st := &State{Database: rel.Schema, ClientCharset: "utf8mb4", SQLMode: w.st.SQLMode}
	t, terr := rd.next(st)
	if terr != nil || len(t.tokens) == 0 {
		refuse(-1, "the definition of view %s.%s cannot be read", rel.Schema, rel.Name)
	}
	n, terr := parse(t.print(0, len(t.tokens), nil), t.mode)
	if terr != nil {
		refuse(-1, "the definition of view %s.%s cannot be read", rel.Schema, rel.Name)
	}
	sub := *w
	sub.st = st
	rec := sub.record(t, n)
	sub.barrier = w.barrier || !rec.quiet(n)
	return sub.edit(t, n, rec, nil)
}

var (
	integerText = regexp.MustCompile(`^-?[0-9]{1,20}$`)
	decimalText = regexp.MustCompile(`^-?[0-9]{1,65}(\.[0-9]{1,38})?$`)
	floatText   = regexp.MustCompile(`^-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?$`)
	timeText    = regexp.MustCompile(`^-?[0-9: .-]{1,30}$`)
	lengthText  = regexp.MustCompile(`\([0-9, ]*\)`)
)

// constant is an expression for a value of a column's type.
func (w *rewriter) constant(rel *Relation, c *Column, value *string) string {
	word, length := lowerASCII(c.TypeText), lengthText.FindString(c.TypeText)
	if i := strings.IndexAny(word, "( "); i >= 0 {
		word = word[:i]
	}
	text, cast := "NULL", ""
	number := func(re *regexp.Regexp) {
		if value != nil {
			if !re.MatchString(*value) {
				refuse(-1, "%q is no value of column %s.%s.%s", *value, rel.Schema, rel.Name, c.Name)
			}
			text = "'" + *value + "'"
		}
	}
	switch word {
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint", "year", "bit":
		number(integerText)
		if cast = "SIGNED"; c.Type.Unsigned() {
			cast = "UNSIGNED"
		}
	case "decimal", "numeric":
		number(decimalText)
		cast = "DECIMAL" + length
	case "float", "double":
		number(floatText)
		cast = "DOUBLE"
	case "date":
		number(timeText)
		cast = "DATE"
	case "datetime", "timestamp":
		number(timeText)
		cast = "DATETIME" + length
	case "time":
		number(timeText)
		cast = "TIME" + length
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set", "json", "uuid", "inet6", "inet4":
		if value != nil {
			text = w.literal(*value)
		}
		if c.Charset != "" && isWord(c.Charset) && isWord(c.Collation) {
			return "CONVERT(" + text + " USING " + c.Charset + ") COLLATE " + c.Collation
		}
		cast = "CHAR"
	default:
		if value != nil {
			refuse(-1, "column %s.%s.%s has a type for which no constant can stand", rel.Schema, rel.Name, c.Name)
		}
		cast = "BINARY"
	}
	return "CAST(" + text + " AS " + cast + ")"
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// literal is a string in the session's syntax.
func (w *rewriter) literal(s string) string {
	s = strings.ReplaceAll(s, "'", "''")
	if w.st.SQLMode&ModeNoBackslashEscapes == 0 {
		s = strings.ReplaceAll(s, `\`, `\\`)
	}
	return "'" + s + "'"
}
