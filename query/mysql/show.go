package mysql

import (
	"strings"

	"github.com/weirdb/weir/query"
)

// show analyses SHOW. What it shows are definitions, or it is a channel:
// statistics, other sessions, counters that tell how many rows were read.
func (r *run) show(at int) {
	t := r.text
	r.class(query.ClassSession, "SHOW")
	r.stmt.Kind = KindShow
	r.plainResult()
	i := at + 1
	for {
		switch t.word(i) {
		case "full", "extended", "global", "session", "local", "open", "storage":
			if t.word(i) == "open" && t.word(i+1) == "tables" {
				r.gap(-1, "SHOW OPEN TABLES tells of other sessions")
			}
			i++
			continue
		}
		break
	}
	r.stmt.Name = t.phrase(i, 2)
	r.showFilter(i)
	switch t.word(i) {
	case "databases", "schemas", "tables", "variables", "collation", "charset", "engines", "privileges", "plugins", "triggers",
		"events", "locales", "authors", "contributors", "packages":
	case "character", "grants", "sequences":
	case "columns", "fields":
		r.shownTable(i + 1)
	case "create":
		r.showCreate(i)
	case "index", "indexes", "keys":
		r.showIndex(i)
	case "table":
		r.showTableStatus(i)
	case "status":
		r.showStatus(at, i)
	case "warnings", "errors":
		r.stmt.Messages = true
	case "count":
		if last := t.word(r.end() - 1); last != "warnings" && last != "errors" {
			r.notShown(i)
		}
		r.stmt.Messages = true
	case "function", "procedure", "package":
		if !(t.word(i+1) == "status" || t.word(i+1) == "body" && t.word(i+2) == "status") {
			r.notShown(i)
		}
	default:
		r.notShown(i)
	}
}

func (r *run) notShown(i int) {
	r.gap(-1, "SHOW "+r.text.phrase(i, 3)+" tells of data, statistics or other sessions")
}

// showFilter looks at WHERE: its names are those of the result, but it may ask
// anything.
func (r *run) showFilter(at int) {
	t, where := r.text, false
	for i := at; i < r.end(); i++ {
		switch w := t.word(i); {
		case w == "where":
			where = true
		case !where:
		case w == "select" || w == "values" || w == "table" && t.is(i-1, "("):
			r.gap(-1, "a query in SHOW … WHERE")
			return
		case t.is(i+1, "(") && (w != "" || t.tokens[i].kind == tokenQuoted) && !filterWords[w]:
			r.gap(-1, "a function in SHOW … WHERE")
			return
		case t.is(i, ":="):
			r.gap(-1, "an assignment in SHOW … WHERE")
			return
		}
	}
}

var filterWords = words("in and or not like where xor between rlike regexp lower upper concat if ifnull length substr substring left right")

// shownTable finds the table that SHOW names and reports it if it is not there.
func (r *run) shownTable(i int) *Relation {
	t := r.text
	if t.word(i) != "from" && t.word(i) != "in" {
		return nil
	}
	return r.tableAt(i+1, true)
}

// tableAt finds the table of a name at a token, with the database behind FROM
// or IN if that may follow.
func (r *run) tableAt(i int, from bool) *Relation {
	t := r.text
	name, ok := t.name(i)
	if !ok {
		r.gap(-1, "the name of a table cannot be read")
		return nil
	}
	database := r.st.Database
	if second, ok := t.name(i + 2); ok && t.is(i+1, ".") {
		database, name = name, second
		i += 2
	}
	if from && (t.word(i+1) == "from" || t.word(i+1) == "in") {
		if second, ok := t.name(i + 2); ok {
			database = second
		}
	}
	if database == "" {
		r.mistake(-1, code(1046, "3D000"), "No database selected", name)
		return nil
	}
	rel := r.lookup(database, name)
	if rel == nil {
		name = database + "." + name
		r.mistake(-1, code(1146, "42S02"), "Table '"+name+"' doesn't exist", name)
	}
	return rel
}

// showCreate is SHOW CREATE: a definition. That of a table holds the next
// number that a column will be given.
func (r *run) showCreate(i int) {
	t := r.text
	switch t.word(i + 1) {
	case "table":
		if rel := r.tableAt(i+2, false); rel != nil {
			r.numbered(rel)
		}
	case "view", "database", "schema", "procedure", "function", "trigger", "event", "sequence", "package":
	default:
		r.notShown(i)
	}
}

// numbered notes that the next number of a table is shown.
func (r *run) numbered(rel *Relation) {
	use := r.acc.table(rel, true, "select")
	for i := range rel.Columns {
		if rel.Columns[i].AutoIncrement {
			use.mark(rel.Columns[i].Attr, query.UseDerived, -1)
		}
	}
}

// showIndex is SHOW INDEX: the cardinality of an index goes by its values.
func (r *run) showIndex(i int) {
	rel := r.shownTable(i + 1)
	if rel == nil {
		return
	}
	r.acc.table(rel, true, "select")
	for j := range rel.Indexes {
		r.markAll(rel, r.indexColumns(rel, &rel.Indexes[j]), query.UseDerived, -1)
	}
}

// showTableStatus is SHOW TABLE STATUS: sizes and times go by all that a table
// holds.
func (r *run) showTableStatus(i int) {
	t := r.text
	if t.word(i+1) != "status" {
		r.notShown(i)
		return
	}
	database := r.st.Database
	i += 2
	if t.word(i) == "from" || t.word(i) == "in" {
		database, _ = t.name(i + 1)
		i += 2
	}
	pattern := "%"
	if t.word(i) == "like" {
		if s, ok := t.str(i + 1); ok {
			pattern = s
		}
	}
	if t.words(i, "where", "name") && t.is(i+2, "=") && i+4 == r.end() {
		if s, ok := t.str(i + 3); ok {
			pattern = strings.NewReplacer("\\", "\\\\", "%", "\\%", "_", "\\_").Replace(s)
		}
	}
	key := r.cat.foldDatabase(database)
	for _, rel := range r.cat.Relations {
		if rel.Kind != KindTable || r.cat.foldDatabase(rel.Schema) != key || !like(foldName(rel.Name), foldName(pattern)) {
			continue
		}
		if !r.spend(len(rel.Columns)) {
			return
		}
		use := r.acc.table(rel, true, "select")
		for j := range rel.Columns {
			use.mark(rel.Columns[j].Attr, query.UseDerived, -1)
		}
	}
}

// like matches LIKE with its two wildcards and the backslash.
func like(s, pattern string) bool {
	// The position to go back to when what follows a % does not match.
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '%':
			star, mark = j, i
			j++
		case j+1 < len(pattern) && pattern[j] == '\\' && pattern[j+1] == s[i]:
			i, j = i+1, j+2
		case j < len(pattern) && pattern[j] == '_' && s[i] >= 0x80: // a character of several bytes
			for i++; i < len(s) && s[i]&0xc0 == 0x80; i++ {
			}
			j++
		case j < len(pattern) && (pattern[j] == '_' || pattern[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "%") == ""
}

// showStatus is SHOW STATUS: most counters tell how many rows were read, or
// what others do.
func (r *run) showStatus(at, i int) {
	t := r.text
	safe := false
	if t.word(i+1) == "like" {
		if s, ok := t.str(i + 2); ok && i+3 == r.end() {
			if n := strings.IndexAny(s, "%_\\"); n >= 0 && !quietCounter(strings.ToLower(s)) {
				s = s[:n]
				safe = quietPrefix(strings.ToLower(s))
			} else {
				safe = quietCounter(strings.ToLower(s))
			}
		}
	}
	if !safe {
		r.gap(-1, "SHOW STATUS tells how many rows were read; ask for one of Ssl_…, Uptime, Threads_connected by LIKE")
	}
}

// quietCounter reports a status variable that tells nothing of data.
func quietCounter(name string) bool {
	switch name {
	case "uptime", "threads_connected", "threads_running", "threads_created", "threads_cached", "max_used_connections", "compression",
		"wsrep_ready", "wsrep_cluster_status", "wsrep_local_state", "wsrep_connected":
		return true
	}
	return quietPrefix(name) && !strings.ContainsAny(name, "%\\")
}

func quietPrefix(name string) bool { return strings.HasPrefix(name, "ssl_") || name == "ssl" }

// explain analyses EXPLAIN and DESCRIBE.
func (r *run) explain(at int) {
	t := r.text
	i := at + 1
	executes := false
	for {
		switch w := t.word(i); {
		case w == "extended" || w == "partitions":
			i++
			continue
		case w == "analyze":
			executes = true
			i++
			continue
		case w == "format" && t.is(i+1, "="):
			i += 3
			continue
		case w == "into" || w == "for" && t.word(i+1) != "connection":
			r.class(query.ClassExplain, "EXPLAIN")
			r.gap(-1, "this form of EXPLAIN is not known")
			return
		case w == "for":
			r.class(query.ClassExplain, "EXPLAIN")
			r.plainResult()
			r.gap(-1, "the plan of another session cannot be shown")
			return
		}
		break
	}
	switch t.word(i) {
	case "select", "with", "values", "table", "insert", "replace", "update", "delete":
		r.shownPlan(i, "EXPLAIN", executes)
		return
	}
	if t.is(i, "(") {
		r.shownPlan(i, "EXPLAIN", executes)
		return
	}
	r.class(query.ClassSession, "DESCRIBE") // of a table
	r.stmt.Kind = KindShow
	r.plainResult()
	r.tableAt(i, false)
}

// analyzing is ANALYZE TABLE, or MariaDB's ANALYZE of a statement.
func (r *run) analyzing(at int) {
	t := r.text
	i := at + 1
	if t.word(i) == "format" && t.is(i+1, "=") {
		i += 3
	}
	switch t.word(i) {
	case "select", "with", "values", "insert", "replace", "update", "delete":
		r.shownPlan(i, "ANALYZE", true)
		return
	}
	if t.is(i, "(") {
		r.shownPlan(i, "ANALYZE", true)
		return
	}
	r.maintenance(at)
}

// shownPlan analyses a statement whose plan is shown. A plan shows estimates that
// come from statistics of every column of a table, and from its rows.
func (r *run) shownPlan(at int, verb string, executes bool) {
	inner := &Statement{}
	sub := *r
	sub.stmt, sub.acc = inner, newAccumulator()
	sub.acc.gaps, sub.acc.missing = r.acc.gaps, r.acc.missing
	sub.command(at)
	if !executes {
		kept := sub.acc.writes[:0:0]
		for _, w := range sub.acc.writes {
			if w.Kind == "function" || w.Kind == "unknown" {
				kept = append(kept, w)
			}
		}
		sub.acc.writes = kept
	}
	for i := range sub.acc.shown {
		r.stmt.Output = nil
		sub.use(sub.acc.shown[i], query.UseDerived)
	}
	for i := 0; i < len(sub.acc.order); i++ {
		use := sub.acc.order[i]
		if Builtin(use.rel.Schema) {
			continue
		}
		for j := range use.rel.Columns {
			use.mark(use.rel.Columns[j].Attr, query.UseDerived, -1)
		}
		for _, c := range use.cols {
			c.uses &^= query.UseOutput
		}
	}
	r.acc = sub.acc
	r.stmt.Inner = r.text.slice(at, r.end())
	r.stmt.Verbs = append([]string{verb}, inner.Verbs...)
	r.stmt.Class = query.ClassExplain
	r.stmt.Changes |= inner.Changes & ChangeVariables
	if executes {
		r.stmt.Changes |= inner.Changes
		if inner.Class != query.ClassRead {
			r.stmt.Class = inner.Class
		}
	}
	r.plainResult()
}
