package mysql

import (
	"strings"

	"github.com/weirdb/weir/query"
)

// routineDefinition analyses CREATE and DROP of routines, triggers and events.
// What a body that is made reads counts as derived and as written: it may run
// for anybody. A body that cannot be followed is a gap.
func (r *run) routineDefinition(at int, verb, kind string) {
	r.class(query.ClassDDL, verb)
	r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog|ChangeTemp
	r.write(strings.ToLower(verb), "", -1)
	r.acc.anyOrder = true
	known := false
	switch r.text.word(at) {
	case "drop":
		known = kind == "procedure" || kind == "function" || kind == "trigger" || kind == "event"
	case "create":
		known = r.createsBody(at, kind)
	case "alter":
		known = kind == "event" && r.createsBody(at, kind)
	}
	if !known {
		r.gap(-1, "what "+verb+" makes or changes is not analysed")
	}
}

// createsBody follows the body of a routine or trigger that is made.
func (r *run) createsBody(at int, kind string) bool {
	t, i := r.text, at
	for ; i < r.end() && t.word(i) != kind; i++ {
	}
	if t.words(i+1, "if", "not", "exists") {
		i += 3
	}
	if i = (&formReader{t: t, to: r.end()}).qualifiedEnd(i + 1); i < 0 || r.vars != nil || r.rewriting {
		return false
	}
	var row *Relation
	var names []string
	switch kind {
	case "procedure", "function":
		names, i = r.parameterNames(i)
	case "trigger":
		row, i = r.triggerTable(i)
	case "event":
		if i = r.eventBody(i); i == r.end() {
			return t.word(at) == "alter"
		}
	default:
		return false
	}
	if i < 0 || i >= r.end() {
		return false
	}
	// The body runs without the session's temporary tables, which hide what it
	// names only here.
	sub := r.nested(r.st.Database)
	sub.acc, sub.stmt, sub.st.SQLMode, sub.st.Stale = newAccumulator(), &Statement{}, t.mode, false
	sub.text = &text{src: t.src, tokens: t.tokens[i:], server: t.server, mode: t.mode, d: t.d, base: t.base, span: t.span}
	var rows []*rangeItem
	if row != nil {
		rows = triggerRows(row, "UPDATE")
	}
	b := sub.newBody(rows...)
	b.row = row
	for _, n := range names {
		b.local(n)
	}
	if !b.whole() || len(sub.acc.gaps) > 0 {
		return false
	}
	b.derived()
	for _, tab := range sub.acc.order {
		for _, c := range tab.cols {
			if c.uses&^query.UseAssign != 0 {
				c.uses |= query.UseDerived | query.UseWrite
			}
		}
	}
	f := b.facts()
	f.changes = 0
	r.replay(f, -1)
	r.acc.byOrder = false
	return true
}

// parameterNames reads the parameters of a routine, and gives the token at
// which its body begins, -1 if it cannot be read.
func (r *run) parameterNames(i int) (names []string, body int) {
	t := r.text
	f := &formReader{t: t, to: r.end()}
	end := f.close(i)
	if !t.is(i, "(") || end < 0 {
		return nil, -1
	}
	for j := i + 1; j < end; j++ {
		if !t.is(j-1, ",") && j != i+1 {
			if t.is(j, "(") {
				if j = f.close(j); j < 0 {
					return nil, -1
				}
			}
			continue
		}
		if w := t.word(j); (w == "in" || w == "out" || w == "inout") && !t.is(j+2, ",") {
			j++
		}
		name, ok := t.name(j)
		if !ok {
			return nil, -1
		}
		names = append(names, name)
	}
	for j := end + 1; j < r.end(); j++ {
		switch t.word(j) {
		case "begin", "return", "select", "insert", "update", "delete", "replace", "call", "if", "while", "loop", "repeat", "case", "do", "with":
			return names, j
		case "set":
			if w := t.word(j - 1); w != "character" && !t.is(j+1, "(") {
				return names, j
			}
		}
	}
	return nil, -1
}

// triggerTable reads the table of a trigger, and gives the token at which its
// body begins, -1 if it cannot be read.
func (r *run) triggerTable(i int) (rel *Relation, body int) {
	t := r.text
	if w := t.word(i); w != "before" && w != "after" || t.word(i+2) != "on" {
		return nil, -1
	}
	if rel = r.tableAt(i+3, false); rel == nil || rel.Temporary {
		return nil, -1
	}
	r.acc.table(rel, true, "ddl").whole()
	i = (&formReader{t: t, to: r.end()}).qualifiedEnd(i + 3)
	if i < 0 || !t.words(i, "for", "each", "row") {
		return nil, -1
	}
	if i += 3; t.word(i) == "follows" || t.word(i) == "precedes" {
		i += 2
	}
	return rel, i
}

// eventBody gives the token at which the body of an event begins, behind its
// schedule; the end if it has none, -1 if it cannot be read.
func (r *run) eventBody(i int) int {
	t := r.text
	for ; i < r.end(); i++ {
		switch t.word(i) {
		case "do":
			return i + 1
		case "select", "values", "table": // in the expressions of the schedule
			return -1
		}
		if t.is(i, "(") && t.word(i-1) != "now" && t.word(i-1) != "current_timestamp" { // or a function of somebody's
			return -1
		}
	}
	return i
}
