package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// utility analyses a statement that is neither a query nor a change of data,
// definitions or rights.
func (r *run) utility(at int) {
	t := r.text
	word := t.word(at)
	switch word {
	case "use":
		r.useDatabase(at)
	case "do":
		r.do(at)
	case "call":
		r.callProcedure(at)
	case "handler":
		r.handler(at)
	case "lock", "unlock":
		r.lock(at)
	case "xa":
		r.xa(at)
	case "load":
		r.load(at)
	case "kill":
		r.class(query.ClassAdmin, "KILL")
		r.stmt.Kind = KindKill
		r.write("kill", "", -1)
	case "check", "checksum", "optimize", "repair", "cache":
		r.maintenance(at)
	case "help":
		r.class(query.ClassSession, "HELP")
		r.plainResult()
	case "get", "signal", "resignal":
		r.diagnostics(at)
	case "flush", "reset", "purge", "change", "stop", "install", "uninstall", "shutdown", "restart", "binlog", "clone", "backup", "import":
		r.administration(at)
	case "if", "case", "loop", "while", "repeat":
		if !r.anonymous(at) {
			r.unknownCommand(at)
		}
	default:
		r.unknownCommand(at)
	}
}

// unknownCommand is a statement of a kind that is not known, such as a block.
func (r *run) unknownCommand(at int) {
	t := r.text
	if verb := t.phrase(at, 1); verb != "" {
		r.stmt.Verbs = append(r.stmt.Verbs, verb)
	}
	r.stmt.Changes |= ChangeCatalog | ChangeTemp
	r.unread(syntaxError("statements of this kind are not analysed: "+t.phrase(at, 3), -1))
}

func (r *run) useDatabase(at int) {
	t := r.text
	r.class(query.ClassSession, "USE")
	r.stmt.Kind, r.stmt.Changes = KindUse, ChangeDatabase
	name, ok := t.name(at + 1)
	if !ok || at+2 != r.end() {
		r.unread(syntaxError("USE cannot be read", -1))
		return
	}
	r.stmt.Name = name
	if own, ok := r.cat.Database(name); ok {
		r.stmt.Name = own
	} else {
		r.mistake(-1, code(errUnknownDB, "42000"), "Unknown database '"+name+"'", name)
	}
}

// do evaluates expressions and shows nothing, but errors and effects.
func (r *run) do(at int) {
	r.class(query.ClassRead, "DO")
	for _, e := range r.expressions(at, r.end(), []edit{{at, at + 1, "SELECT"}}) {
		r.use(r.expr(e, r.top()), query.UseDerived)
	}
	r.strengthen()
}

// handler is HANDLER, which reads rows past the query's columns.
func (r *run) handler(at int) {
	t := r.text
	r.class(query.ClassRead, "HANDLER")
	r.stmt.Kind = KindHandler
	r.stmt.Name, _ = t.name(at + 1)
	r.gap(-1, "rows that HANDLER reads cannot be masked")
	for i := at + 2; i < r.end(); i++ {
		switch t.word(i) {
		case "open":
			if rel := r.tableAt(at+1, false); rel != nil {
				use := r.acc.table(rel, true, "select")
				for j := range rel.Columns {
					use.mark(rel.Columns[j].Attr, query.UseDerived, -1)
				}
			}
			return
		case "read":
			r.plainResult()
			return
		}
	}
}

// lock is LOCK TABLES and UNLOCK TABLES.
func (r *run) lock(at int) {
	t := r.text
	verb := t.phrase(at, 2)
	if second := t.word(at + 1); second != "tables" && second != "table" {
		r.class(query.ClassAdmin, verb)
		r.write(strings.ToLower(verb), "", -1)
		r.gap(-1, verb+" is not known")
		return
	}
	r.class(query.ClassSession, verb)
	if t.word(at) == "unlock" {
		r.stmt.Kind = KindUnlock
		return
	}
	r.stmt.Kind = KindLock
	for i := at + 2; i < r.end(); i++ {
		if i == at+2 || t.is(i-1, ",") {
			if rel := r.tableAt(i, false); rel != nil {
				r.acc.table(rel, true, "lock")
			}
		}
		if t.word(i) == "write" && !t.is(i-1, ".") && i > at+2 && !t.is(i-1, ",") {
			r.stmt.Class = query.ClassWrite
			r.write("lock", "", -1)
		}
	}
}

func (r *run) xa(at int) {
	t := r.text
	r.class(query.ClassTransaction, t.phrase(at, 2))
	r.stmt.Kind = KindXA
	if t.word(at+1) == "recover" {
		r.plainResult()
		r.gap(-1, "XA RECOVER tells of other sessions")
		return
	}
	r.write("xa", t.phrase(at+1, 1), -1)
}

// load is LOAD DATA, LOAD XML and LOAD INDEX.
func (r *run) load(at int) {
	t := r.text
	kind := t.word(at + 1)
	r.class(query.ClassWrite, t.phrase(at, 2))
	if kind != "data" && kind != "xml" {
		r.write("load", "", -1)
		r.gap(-1, t.phrase(at, 2)+" is not analysed")
		return
	}
	var edits []edit
	if kind == "xml" { // whose tags name columns
		edits = append(edits, edit{at + 1, at + 2, "DATA"})
		for i := at + 2; i+3 < r.end(); i++ {
			if t.words(i, "rows", "identified", "by") && t.tokens[i+3].kind == tokenString {
				edits = append(edits, edit{i, i + 4, ""})
			}
		}
	}
	n, _ := r.grammar(at, r.end(), edits).(*ast.LoadDataStmt)
	if n == nil {
		return
	}
	if n.FileLocRef == ast.FileLocClient {
		r.stmt.Kind = KindLoadLocal
	} else {
		r.write("file", "", -1)
		r.gap(-1, t.phrase(at, 2)+" reads a file of the server")
	}
	r.loadInto(n, kind == "xml")
}

// loadInto is what LOAD does to its table: named says that the file names the
// columns.
func (r *run) loadInto(n *ast.LoadDataStmt, named bool) {
	target := r.openTarget(n.Table, "", "insert")
	if target == nil || target.rel == nil {
		return
	}
	name := displayName(target.rel.Schema, target.rel.Name)
	pos := n.Table.OriginTextPosition()
	r.write("insert", name, pos)
	r.sideEffects(target, "insert", pos)
	var columns []string
	for _, c := range n.ColumnsAndUserVars {
		if c.ColumnName != nil {
			columns = append(columns, c.ColumnName.Name.O)
		} else {
			r.stmt.Changes |= ChangeVariables
		}
	}
	whole := len(n.ColumnsAndUserVars) == 0 || named
	sc := &scope{items: []*rangeItem{target.item}}
	for _, a := range n.ColumnAssignments {
		columns = append(columns, a.Column.Name.O)
		r.stores(r.expr(a.Expr, sc), "insert", name, a.Expr.OriginTextPosition())
	}
	for i := range target.rel.Columns {
		c := &target.rel.Columns[i]
		if whole && c.Generated == "" && !c.Invisible {
			columns = append(columns, c.Name)
		}
	}
	for _, c := range columns {
		r.assigned(target, c, false, pos)
	}
	r.checked(target, columns, true)
	if n.OnDuplicate == ast.OnDuplicateKeyHandlingReplace {
		r.replaces(target, pos)
	}
}

// maintenance is ANALYZE, CHECK, CHECKSUM, OPTIMIZE and REPAIR TABLE.
func (r *run) maintenance(at int) {
	t := r.text
	verb := t.phrase(at, 1)
	i := at + 1
	for t.word(i) == "no_write_to_binlog" || t.word(i) == "local" {
		i++
	}
	r.plainResult()
	if t.word(i) != "table" && t.word(i) != "tables" {
		r.class(query.ClassAdmin, verb)
		r.write(strings.ToLower(verb), "", -1)
		r.gap(-1, t.phrase(at, 3)+" is not known")
		return
	}
	verb += " TABLE"
	r.class(query.ClassAdmin, verb)
	switch t.word(at) {
	case "check", "checksum":
	default:
		r.write(strings.ToLower(verb), "", -1)
	}
	for first := true; ; first = false {
		if !first {
			for i < r.end() && !t.is(i, ",") {
				i++
			}
			if i >= r.end() {
				return
			}
		}
		i++
		if i >= r.end() {
			r.gap(-1, verb+" cannot be read")
			return
		}
		rel := r.tableAt(i, false)
		if rel == nil {
			continue
		}
		// A checksum goes by every value, and messages tell of rows.
		use := r.acc.table(rel, true, "select")
		for j := range rel.Columns {
			use.mark(rel.Columns[j].Attr, query.UseDerived, -1)
		}
		if t.is(i+1, ".") {
			i += 2
		}
		if w := t.word(i + 1); w == "persistent" || w == "update" || w == "drop" {
			r.write("statistics", "", -1)
			return
		}
	}
}

// diagnostics is GET DIAGNOSTICS, SIGNAL and RESIGNAL.
func (r *run) diagnostics(at int) {
	t := r.text
	verb := t.phrase(at, 1)
	if verb == "GET" {
		verb = "GET DIAGNOSTICS"
		r.stmt.Messages = true
		r.stmt.Changes = ChangeVariables
	}
	r.class(query.ClassSession, verb)
}

// administration is what changes the server itself.
func (r *run) administration(at int) {
	t := r.text
	verb := t.phrase(at, 2)
	r.class(query.ClassAdmin, verb)
	r.write(strings.ToLower(verb), "", -1)
	if w := t.word(at); w == "shutdown" || w == "restart" {
		r.stmt.Kind = KindShutdown
	}
	if t.word(at) == "flush" { // the only one that may be policy's alone to refuse
		what := t.word(at + 1)
		if what == "local" || what == "no_write_to_binlog" {
			what = t.word(at + 2)
		}
		switch what {
		case "tables", "table", "privileges", "logs", "status", "hosts":
			if what == "status" {
				r.gap(-1, "FLUSH STATUS tells apart what is counted")
			}
			return
		}
	}
	r.gap(-1, verb+" is not analysed")
}

// transaction is BEGIN, COMMIT and their kin.
func (r *run) transaction(at int) {
	t := r.text
	last := r.end() - 1
	switch t.word(at) {
	case "begin":
		if !(at == last || at+1 == last && t.word(last) == "work") {
			if !r.anonymous(at) {
				r.unknownCommand(at)
			}
			return
		}
		r.class(query.ClassTransaction, "BEGIN")
		r.stmt.Kind = KindBegin
	case "start":
		if t.word(at+1) != "transaction" {
			r.administration(at)
			return
		}
		r.class(query.ClassTransaction, "START TRANSACTION")
		r.stmt.Kind = KindBegin
		for i := at + 2; i < last; i++ {
			if t.words(i, "read", "write") {
				r.write("set", "transaction_read_only", -1)
			}
		}
	case "commit":
		r.class(query.ClassTransaction, "COMMIT")
		r.stmt.Kind = KindCommit
	case "rollback":
		r.class(query.ClassTransaction, "ROLLBACK")
		r.stmt.Kind = KindRollback
		for i := at + 1; i <= last; i++ {
			if t.word(i) == "to" && i < last {
				r.stmt.Kind = KindRollbackTo
				r.stmt.Verbs[len(r.stmt.Verbs)-1] = "ROLLBACK TO"
				r.stmt.Name, _ = t.name(last)
			}
		}
	case "savepoint":
		r.class(query.ClassTransaction, "SAVEPOINT")
		r.stmt.Kind = KindSavepoint
		r.stmt.Name, _ = t.name(at + 1)
	case "release":
		r.class(query.ClassTransaction, "RELEASE SAVEPOINT")
		r.stmt.Kind = KindRelease
		r.stmt.Name, _ = t.name(at + 2)
	}
}
