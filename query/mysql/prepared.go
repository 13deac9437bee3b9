package mysql

import (
	"strings"

	"github.com/weirdb/weir/query"
)

// preparing analyses PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE PREPARE.
func (r *run) preparing(at int) {
	t := r.text
	switch t.word(at) {
	case "prepare":
		r.prepare(at)
	case "deallocate":
		r.deallocate(at)
	case "execute":
		if t.word(at+1) == "immediate" {
			r.immediate(at)
		} else {
			r.execute(at)
		}
	}
}

// prepare notes what is prepared. It is analysed and decided when it runs.
func (r *run) prepare(at int) {
	t := r.text
	r.class(query.ClassSession, "PREPARE")
	r.stmt.Kind, r.stmt.Changes = KindPrepare, ChangePrepared
	name, ok := t.name(at + 1)
	if !ok || t.word(at+2) != "from" || at+3 >= r.end() {
		r.unread(syntaxError("PREPARE cannot be read", -1))
		return
	}
	r.stmt.Name = foldName(name)
	r.stmt.Inner = r.dynamic(at, at+3, r.end())
}

// dynamic is the statement that is made from an expression: a string, or a
// variable whose value is known; empty for everything else.
func (r *run) dynamic(at, from, to int) string {
	t := r.text
	if to-from == 1 {
		if s, ok := t.str(from); ok {
			return s
		}
		if name, ok := t.variable(from); ok {
			*r.volatile = true
			return r.st.Variables[name]
		}
	}
	for _, e := range r.expressions(from, to, []edit{{from, from, "SELECT"}}) {
		r.stores(r.expr(e, &scope{}), "prepare", "", e.OriginTextPosition())
	}
	return ""
}

func (r *run) deallocate(at int) {
	t := r.text
	r.class(query.ClassSession, "DEALLOCATE PREPARE")
	r.stmt.Kind, r.stmt.Changes = KindDeallocate, ChangePrepared
	name, ok := t.name(at + 2)
	if !ok || t.word(at+1) != "prepare" {
		r.unread(syntaxError("DEALLOCATE PREPARE cannot be read", -1))
		return
	}
	r.stmt.Name = foldName(name)
}

// usingAt is the token of USING, the end if there is none.
func (r *run) usingAt(at int) int {
	for i := at; i < r.end(); i++ {
		if r.text.word(i) == "using" && !r.text.is(i-1, ".") {
			depth := 0
			for j := i; j < r.end(); j++ { // not the one of CONVERT(… USING …)
				if r.text.is(j, "(") {
					depth++
				} else if r.text.is(j, ")") {
					depth--
				}
			}
			if depth == 0 {
				return i
			}
		}
	}
	return r.end()
}

// arguments analyses what USING gives to parameters.
func (r *run) arguments(using int) {
	if using >= r.end() {
		return
	}
	for _, e := range r.expressions(using+1, r.end(), []edit{{using + 1, using + 1, "SELECT"}}) {
		r.use(r.expr(e, &scope{}), query.UseDerived|query.UseFilter)
	}
}

// execute analyses the statement behind EXECUTE.
func (r *run) execute(at int) {
	t := r.text
	*r.volatile = true
	name, ok := t.name(at + 1)
	if !ok {
		r.unread(syntaxError("EXECUTE cannot be read", -1))
		return
	}
	using := r.usingAt(at + 2)
	r.arguments(using)
	p := r.st.Prepared[foldName(name)]
	if p == nil || p.SQL == "" {
		r.class(query.ClassUnknown, "EXECUTE")
		r.stmt.Kind, r.stmt.Name, r.stmt.Changes = KindExecute, foldName(name), ChangeUnknown
		r.gap(-1, "what the prepared statement "+name+" does is not known")
		r.write("execute", name, -1)
		return
	}
	st := *r.st
	st.Database, st.SQLMode = p.Database, p.SQLMode
	r.executes("EXECUTE", p.SQL, &st)
	r.stmt.Kind, r.stmt.Name = KindExecute, foldName(name)
}

// immediate analyses EXECUTE IMMEDIATE.
func (r *run) immediate(at int) {
	using := r.usingAt(at + 2)
	r.arguments(using)
	sql := r.dynamic(at, at+2, using)
	if sql == "" {
		r.class(query.ClassUnknown, "EXECUTE IMMEDIATE")
		r.gap(-1, "the text of EXECUTE IMMEDIATE is not known")
		r.write("execute", "", -1)
		r.stmt.Kind, r.stmt.Changes = KindExecuteImmediate, ChangeUnknown
		return
	}
	st := *r.st
	r.executes("EXECUTE IMMEDIATE", sql, &st)
	r.stmt.Kind, r.stmt.Inner = KindExecuteImmediate, sql
}

// executes analyses a statement that is another one's text.
func (r *run) executes(verb, sql string, st *State) {
	st.ClientCharset = "utf8mb4" // it was decoded
	rd := &reader{sql: sql, server: &r.cat.Server, dynamic: true}
	t, terr := rd.next(st)
	if terr == nil && (len(t.tokens) == 0 || strings.TrimRight(sql[rd.pos:], " \t\r\n;") != "") {
		terr = syntaxError("the text does not hold one statement", -1)
	}
	if terr == nil {
		switch t.word(0) {
		case "prepare", "execute", "deallocate":
			terr = syntaxError("such a statement cannot be prepared", -1)
		}
	}
	if terr != nil {
		r.unread(terr)
		r.stmt.Verbs = append([]string{verb}, r.stmt.Verbs...)
		return
	}
	sub := *r
	sub.text, sub.st, sub.dynamicText = t, st, true
	sub.command(0)
	r.stmt.Verbs = append([]string{verb}, r.stmt.Verbs...)
}
