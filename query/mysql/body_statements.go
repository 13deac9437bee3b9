package mysql

import (
	"strings"

	"github.com/weirdb/weir/query"
)

// simple walks a statement that holds no others and ends before a token.
func (b *body) simple(i, end int) int {
	t := b.r.text
	switch w := t.word(i); w {
	case "leave", "iterate", "open", "close":
		if _, ok := t.name(i + 1); !ok || end != i+2 {
			return b.fail(strings.ToUpper(w) + " cannot be read")
		}
	case "return":
		b.read(b.value(i+1, end))
	case "fetch": // what the cursor reads counts where it is declared
		if t.word(i+1) == "group" { // the function is an aggregate: it sees rows as they come
			return b.fail("aggregate functions are not followed")
		}
	case "set":
		b.set(i, end)
	case "select", "with", "values":
		b.query(i, end)
	case "execute":
		if t.word(i+1) != "immediate" {
			return b.fail("EXECUTE in a body is not followed")
		}
		b.run(b.within(i, end))
	case "insert", "replace", "delete", "update":
		sub := b.within(i, end)
		b.run(sub)
	case "do", "call", "signal", "resignal", "get", "commit", "rollback", "savepoint", "release":
		b.run(b.within(i, end))
	case "start":
		if t.word(i+1) != "transaction" {
			return b.fail("statements of a body that begin with START are not followed")
		}
		b.run(b.within(i, end))
	default:
		return b.fail("statements of a body that begin with " + t.phrase(i, 1) + " are not followed")
	}
	return end
}

func (b *body) run(sub *run) {
	if sub.end() == 0 {
		b.fail("a statement is missing")
		return
	}
	shown := sub.acc.shown
	sub.acc.shown = nil
	sub.command(0)
	if sub.stmt.Returns { // rows that go to the client, and no mask fits
		b.many = true
	}
	for _, v := range sub.acc.shown {
		b.read(v)
	}
	sub.acc.shown = shown
	b.after(sub)
}

// query walks a query. Its rows go to variables, or to the client.
func (b *body) query(i, end int) {
	sub := b.within(i, end)
	edits, into := b.into(sub.text)
	n := sub.grammar(0, sub.end(), edits)
	if n == nil {
		b.fail("a query cannot be read")
		return
	}
	sub.class(query.ClassRead, "SELECT")
	out := sub.query(n, sub.top())
	if sub.acc.into { // a file
		b.fail("a query writes a file")
		return
	}
	if into == nil {
		b.results = append(b.results, out)
	} else {
		for j := range out.cols {
			sub.stores(out.cols[j].value, "set", into[min(j, len(into)-1)], -1)
		}
		b.r.acc.byOrder = b.r.acc.byOrder || !out.fixed
	}
	b.after(sub)
}

// into finds INTO with variables, and the edit that takes it out.
func (b *body) into(t *text) (edits []edit, into []string) {
	depth := 0
	for i := range t.tokens {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth > 0 || t.word(i) != "into" || t.is(i-1, "."):
		default:
			for j := i + 1; ; j++ {
				name, ok := t.variable(j)
				if ok {
					name = "@" + name
					b.changes |= ChangeVariables
				} else if name, ok = t.name(j); !ok || !b.isLocal(name) {
					return nil, nil
				}
				into = append(into, name)
				if j++; !t.is(j, ",") {
					return []edit{{i, j, ""}}, into
				}
			}
		}
	}
	return nil, nil
}

// set walks SET.
func (b *body) set(i, end int) {
	sub := b.within(i, end)
	list := sub.assignments(1, sub.end())
	if list == nil {
		b.fail("the assignments of SET cannot be read")
		return
	}
	for j := range list {
		a := &list[j]
		bare := strings.TrimPrefix(a.Name, "new.")
		fresh := b.row != nil && bare != a.Name
		_, plain := sub.text.name(a.start)
		own := plain && (sub.text.is(a.start+1, "=") || sub.text.is(a.start+1, ":=")) && b.isLocal(a.Name)
		if !fresh && !own && a.Name != "" && a.Name[0] != '@' {
			sub.setting(a)
			if a.Name == "password" || a.Global {
				b.fail("the body changes global settings")
			}
		}
		if a.Name[0] == '@' {
			b.changes |= ChangeVariables
		}
		if fresh {
			c := b.row.Column(bare)
			if c == nil {
				b.fail("NEW." + bare + " is not known")
				return
			}
			sub.acc.table(b.row, false).mark(c.Attr, query.UseAssign, -1)
		}
		if a.from < a.to && !(a.constant && !own && !fresh) {
			sub.stores(b.value(i+a.from, i+a.to), "set", a.Name, -1)
		}
	}
	b.after(sub)
}

// declare walks DECLARE of variables, cursors, conditions and handlers.
func (b *body) declare(i int) int {
	t, end := b.r.text, b.semicolon(i)
	switch {
	case t.word(i+2) == "handler" && (t.word(i+1) == "continue" || t.word(i+1) == "exit" || t.word(i+1) == "undo"):
		return b.handler(i + 3)
	case t.word(i+2) == "condition":
		return end
	case t.word(i+2) == "cursor":
		if t.word(i+3) != "for" {
			return b.fail("cursors with parameters are not followed")
		}
		name, _ := t.name(i + 1)
		b.cursor(name, i+4, end)
		return end
	}
	for i++; ; i += 2 {
		name, ok := t.name(i)
		if !ok {
			return b.fail("DECLARE cannot be read")
		}
		b.local(name)
		if !t.is(i+1, ",") {
			break
		}
	}
	for depth := 0; i < end; i++ {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth == 0 && t.word(i) == "default":
			b.r.stores(b.value(i+1, end), "set", "a variable", -1)
			return end
		}
	}
	return end
}

// cursor walks the query of a cursor, which FETCH and FOR read.
func (b *body) cursor(name string, i, end int) {
	sub := b.within(i, end)
	n := sub.grammar(0, sub.end(), nil)
	if n == nil {
		b.fail("the query of a cursor cannot be read")
		return
	}
	out := sub.query(n, sub.top())
	for j := range out.cols {
		sub.stores(out.cols[j].value, "set", "a cursor", -1)
	}
	b.r.acc.byOrder = b.r.acc.byOrder || !out.fixed
	b.after(sub)
	if b.cursors == nil {
		b.cursors = map[string][]column{}
	}
	b.cursors[foldName(name)] = out.cols
}

// handler walks what runs when a condition holds.
func (b *body) handler(i int) int {
	t := b.r.text
	if t.word(i) != "for" {
		return b.fail("DECLARE … HANDLER cannot be read")
	}
	for i++; ; i++ {
		switch w := t.word(i); {
		case w == "sqlstate":
			if i++; t.word(i) == "value" {
				i++
			}
			if i >= b.r.end() || t.tokens[i].kind != tokenString {
				return b.fail("the condition of a handler cannot be read")
			}
		case w == "not":
			if i++; t.word(i) != "found" {
				return b.fail("the condition of a handler cannot be read")
			}
		case w == "" && (i >= b.r.end() || t.tokens[i].kind != tokenNumber && t.tokens[i].kind != tokenQuoted):
			return b.fail("the condition of a handler cannot be read")
		}
		if i++; !t.is(i, ",") {
			break
		}
	}
	return b.statement(i)
}
