package mysql

import (
	"slices"

	"github.com/weirdb/weir/query"
)

// A body walks the statements of a stored routine, a trigger or a block. What a
// column's value may do once it is in a variable is not followed: whatever is
// stored in one counts as written, whatever else is read as derived. Variables
// and parameters are then made of nothing.
type body struct {
	r      *run // its text is the body
	locals *rangeItem
	// row is what NEW and OLD stand for in a trigger, nil elsewhere.
	row     *Relation
	kept    []string // its columns that an UPDATE leaves alone
	results []result // of queries whose rows the client gets
	many    bool     // it may get others
	changes Change
	// messages is set where it reads how a statement before it ended.
	messages bool
	classes  []query.Class
	verbs    []string
	cursors  map[string][]column // by folded name
	depth    int
	fault    string // why it cannot be followed, empty if it can
}

// newBody makes a body of the run's text. Its variables are visible to the
// statements in it, behind the columns of their own tables.
func (r *run) newBody(items ...*rangeItem) *body {
	b := &body{r: r, locals: &rangeItem{columnsOnly: true, scan: -1, origin: origin{opaque: true}}}
	r.vars = &scope{items: append([]*rangeItem{b.locals}, items...)}
	return b
}

// top is the scope around a statement: empty, or that of the body around it.
func (r *run) top() *scope {
	if r.vars == nil {
		return &scope{}
	}
	return &scope{parent: r.vars}
}

func (b *body) local(name string) {
	b.locals.cols = append(b.locals.cols, named(name, value{literal: true}))
}

func (b *body) isLocal(name string) bool {
	return slices.ContainsFunc(b.locals.cols, func(c column) bool { return c.wide == foldName(name) })
}

func (b *body) fail(why string) int {
	if b.fault == "" {
		b.fault = why
	}
	return b.r.end()
}

// read uses what a value is made of.
func (b *body) read(v value) { b.r.use(v, query.UseDerived|query.UseFilter) }

// whole walks all of the text, which has to be one statement.
func (b *body) whole() bool {
	i := b.statement(0)
	for b.r.text.is(i, ";") {
		i++
	}
	if i < b.r.end() {
		b.fail("the body holds more than one statement")
	}
	return b.fault == ""
}

// statements walks statements up to one of some words, whose token it gives.
func (b *body) statements(i int, stops ...string) int {
	for b.fault == "" {
		for b.r.text.is(i, ";") {
			i++
		}
		if i >= b.r.end() {
			return b.fail("the body has no end")
		}
		if slices.Contains(stops, b.r.text.word(i)) {
			return i
		}
		i = b.statement(i)
	}
	return b.r.end()
}

// statement walks the statement at a token and gives the token behind it.
func (b *body) statement(i int) int {
	t := b.r.text
	if b.depth++; b.depth > maxDepth || !b.r.spend(1) {
		return b.fail("the body is nested too deeply")
	}
	defer func() { b.depth-- }()
	if _, ok := t.name(i); ok && t.is(i+1, ":") {
		i += 2
	}
	switch t.word(i) {
	case "begin":
		return b.block(i)
	case "declare":
		return b.declare(i)
	case "if":
		return b.conditional(i)
	case "case":
		return b.choice(i)
	case "for":
		return b.loop(i)
	case "loop":
		return b.finish(b.statements(i+1, "end"), "loop")
	case "while":
		if i = b.condition(i+1, "do"); b.fault == "" {
			i = b.finish(b.statements(i+1, "end"), "while")
		}
		return i
	case "repeat":
		if i = b.statements(i+1, "until"); b.fault == "" {
			i = b.finish(b.condition(i+1, "end"), "repeat")
		}
		return i
	}
	return b.simple(i, b.semicolon(i))
}

// semicolon is the token of the next semicolon, the end if there is none.
func (b *body) semicolon(i int) int {
	for i < b.r.end() && !b.r.text.is(i, ";") {
		i++
	}
	return i
}

// finish reads END, a word and maybe a label.
func (b *body) finish(i int, word string) int {
	if b.fault != "" {
		return b.r.end()
	}
	t := b.r.text
	i++
	if word != "" {
		if t.word(i) != word {
			return b.fail("END " + word + " is missing")
		}
		i++
	}
	if _, ok := t.name(i); ok && !t.is(i+1, ":") {
		i++
	}
	return i
}

func (b *body) block(i int) int {
	t := b.r.text
	if i++; t.words(i, "not", "atomic") {
		i += 2
	}
	locals := b.locals.cols
	i = b.finish(b.statements(i, "end"), "")
	b.locals.cols = locals
	return i
}

// condition uses an expression up to a word, whose token it gives.
func (b *body) condition(i int, stop string) int {
	j := b.upTo(i, stop)
	if j < 0 {
		return b.fail("a condition has no end")
	}
	b.read(b.value(i, j))
	return j
}

// upTo is the token of the word that ends an expression, -1 if there is none.
func (b *body) upTo(i int, stop string) int {
	t, depth, cases := b.r.text, 0, 0
	for j := i; j < b.r.end() && !t.is(j, ";"); j++ {
		switch w := t.word(j); {
		case t.is(j, "("):
			depth++
		case t.is(j, ")"):
			depth--
		case depth > 0:
		case w == stop && cases == 0 && j > i:
			return j
		case w == "case":
			cases++
		case w == "end":
			cases--
		}
	}
	return -1
}

func (b *body) conditional(i int) int {
	t := b.r.text
	branch := func() int { return b.statements(i+1, "elseif", "else", "end") }
	for b.fault == "" {
		if then := b.upTo(i+1, "then"); b.never(i+1, then) {
			i = then
			i = b.aside(branch)
		} else if i = b.condition(i+1, "then"); b.fault == "" {
			i = branch()
		}
		if b.fault == "" && t.word(i) == "else" {
			i = b.statements(i+1, "end")
		}
		if b.fault == "" && t.word(i) == "end" {
			return b.finish(i, "if")
		}
	}
	return b.r.end()
}

func (b *body) choice(i int) int {
	t := b.r.text
	if t.word(i+1) != "when" {
		i = b.condition(i+1, "when") - 1
	}
	for i++; b.fault == "" && t.word(i) == "when"; {
		if i = b.condition(i+1, "then"); b.fault == "" {
			i = b.statements(i+1, "when", "else", "end")
		}
	}
	if b.fault == "" && t.word(i) == "else" {
		i = b.statements(i+1, "end")
	}
	if b.fault == "" && t.word(i) != "end" {
		return b.fail("CASE cannot be read")
	}
	return b.finish(i, "case")
}

// within is a run over some of the tokens, as a statement of its own.
func (b *body) within(from, to int) *run {
	t := b.r.text
	sub := *b.r
	sub.text = &text{src: t.src, tokens: t.tokens[from:to], server: t.server, mode: t.mode, d: t.d, base: t.base, span: t.span, locals: b.isLocal}
	sub.stmt = &Statement{}
	return &sub
}

// value evaluates an expression.
func (b *body) value(from, to int) value {
	if from >= to {
		b.fail("an expression is missing")
		return value{}
	}
	sub := b.within(from, to)
	list := sub.expressions(0, to-from, []edit{{0, 0, "SELECT"}})
	if len(list) != 1 {
		b.fail("an expression cannot be read")
		return value{}
	}
	v := sub.expr(list[0], sub.top())
	b.after(sub)
	return v
}

// after takes over what a part of the body does beyond what the accumulator
// holds.
func (b *body) after(sub *run) {
	s := sub.stmt
	if s.Changes&(ChangeUnknown|ChangeDatabase|ChangeTemp|ChangePrepared|ChangeRole|ChangeCatalog) != 0 {
		b.fail("the body changes what the session goes by")
	}
	for i := range s.Settings {
		switch s.Settings[i].Name {
		case "sql_mode", "character_set_client", "character_set_connection", "collation_connection", "character_set_results":
			b.fail("the body sets " + s.Settings[i].Name)
		}
	}
	b.changes |= s.Changes
	b.messages = b.messages || s.Messages
	if s.Class != "" {
		b.classes = append(b.classes, s.Class)
	}
	for _, v := range s.Verbs {
		if !slices.Contains(b.verbs, v) {
			b.verbs = append(b.verbs, v)
		}
	}
}
