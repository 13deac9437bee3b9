package pgsql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits bounds what Admit lets pass. A zero field takes its default.
type Limits struct {
	Bytes  int // size of the text, 16 MiB by default
	Tokens int // tokens in the text, 300,000 by default
	// Depth bounds the estimated depth of the parser's output, in messages
	// inside one another, 3,000 by default. The C parser needs up to 180
	// bytes of stack for each; thread stacks must have at least 2 MB.
	Depth int
}

// What one step of nesting adds to the depth of the parser's output, at most
// (docs/adr/0001).
const (
	chainWeight   = 2  // an operator or keyword that takes the tree so far as operand
	joinWeight    = 2  // a JOIN
	setWeight     = 1  // UNION, INTERSECT, EXCEPT
	bracketWeight = 8  // a bracket, CASE or BEGIN ATOMIC
	groupWeight   = 2  // a parenthesis around an expression
	baseWeight    = 24 // what a statement without any of these has
)

const (
	defaultBytes  = 16 << 20
	defaultTokens = 300_000
	defaultDepth  = 3_000
	maxLevels     = 1_024 // brackets in one another
	maxComments   = 256   // comments in one another
	// maxWork bounds bytes times depth: the parser moves its output once per
	// level of the tree.
	maxWork = 2 << 30
)

func (l *Limits) fill() {
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	if l.Tokens == 0 {
		l.Tokens = defaultTokens
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
}

// Admit says why a text may not be given to the parser, nil if it may. It is
// the only guard between a client's text and the C parser, whose stack and
// time it bounds by an estimate that is never below the depth of the tree:
// each production of the grammar that nests without brackets needs a token
// that counts. It makes one pass and does not allocate for a text that passes.
func Admit(text string, lim Limits) *TextError {
	lim.fill()
	if len(text) > lim.Bytes {
		return &TextError{Code: "54000", Message: fmt.Sprintf("statement is too long: %d bytes, and limits.statement is %d", len(text), lim.Bytes), Pos: -1}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &TextError{Code: "22021", Message: "invalid byte sequence for encoding \"UTF8\": 0x00", Pos: i}
	}
	if !utf8.ValidString(text) {
		return &TextError{Code: "22021", Message: "invalid byte sequence for encoding \"UTF8\"", Pos: invalidUTF8(text)}
	}
	g := gate{lx: lexer{text: text}}
	return g.run(lim)
}

func invalidUTF8(text string) int {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// level is what is known of the depth inside one bracket.
type level struct {
	kind    byte  // ( [ c(ase) a(tomic), 0 for the text itself
	group   bool  // a parenthesis that seems to hold an expression only
	and, or bool  // seen at this level: each makes one list over the expressions
	between uint8 // BETWEEN whose AND is still to come
	chain   int32 // steps of the expression that is being read
	child   int32 // deepest bracket in it
	best    int32 // deepest expression before it
	joins   int32 // of the FROM item that is being read
	maxJoin int32
	sets    int32 // UNION and the like at this level
}

// depth is the estimate for all that was read at the level.
func (l *level) depth() int32 {
	d := l.sets + max(l.maxJoin, l.joins) + max(l.best, l.chain+l.child)
	if l.and {
		d += chainWeight
	}
	if l.or {
		d += chainWeight
	}
	return d
}

// next begins another expression that the one before does not contain.
func (l *level) next() {
	l.best = max(l.best, l.chain+l.child)
	l.chain, l.child, l.between = 0, 0, 0
}

// gate is one run of Admit.
type gate struct {
	lx     lexer
	before prefix    // what the last token says of the next
	top    int       // open brackets
	first  [48]level // the outermost levels: enough for all but a few texts
	rest   []level   // those beyond
}

// prefix is what a token says of the one that follows.
type prefix uint8

const (
	beforeOther  prefix = iota
	beforeGroup         // an expression follows: a parenthesis only groups
	beforeLabel         // . or AS: a word is a name, whatever it says
	beforeAtomic        // BEGIN
)

func (g *gate) run(lim Limits) *TextError {
	complex := func(why string, pos int) *TextError {
		return &TextError{Code: "54001", Message: "statement too complex: " + why, Pos: pos}
	}
	for tokens := 0; ; tokens++ {
		t := g.lx.next()
		if t.kind == tokenEnd {
			break
		}
		if t.kind == tokenBad {
			return &TextError{Code: "42601", Message: g.lx.fault, Pos: t.start}
		}
		if tokens >= lim.Tokens {
			return complex("too many tokens", t.start)
		}
		g.token(t)
		if g.top >= maxLevels {
			return complex("nested too deeply", t.start)
		}
	}
	deep := g.depth()
	switch {
	case g.lx.depth > maxComments:
		return complex("comments nested too deeply", -1)
	case g.lx.cost > 4*len(g.lx.text)+1<<16:
		return complex("long runs of operator characters", -1)
	case deep > lim.Depth:
		return complex("nested too deeply", -1)
	case len(g.lx.text)*deep > maxWork:
		return complex("large and nested deeply", -1)
	}
	return nil
}

// depth closes what is open and returns the estimate for the text.
func (g *gate) depth() int {
	for g.top > 0 {
		g.pop()
	}
	return int(g.at(0).depth()) + baseWeight
}

// at is the level inside i brackets.
func (g *gate) at(i int) *level {
	if i < len(g.first) {
		return &g.first[i]
	}
	return &g.rest[i-len(g.first)]
}

// token counts one token.
func (g *gate) token(t token) {
	before := g.before
	g.before = beforeOther
	switch t.kind {
	case tokenOperator:
		g.add(chainWeight)
		g.before = beforeGroup
	case tokenWord:
		if before != beforeLabel {
			g.word(g.lx.text[t.start:t.end], before)
		}
	case tokenSelf:
		g.self(g.lx.text[t.start], before)
	}
}

func (g *gate) self(c byte, before prefix) {
	l := g.at(g.top)
	switch c {
	case '(':
		g.push(level{kind: '(', group: before == beforeGroup})
		g.before = beforeGroup
	case '[':
		g.push(level{kind: '['})
	case ')':
		g.close('(')
	case ']':
		g.close('[')
	case ',':
		l.next()
		l.maxJoin, l.joins = max(l.maxJoin, l.joins), 0
		g.before = beforeGroup
	case ';':
		*l = level{kind: l.kind, best: l.depth()}
	case '.':
		g.before = beforeLabel
	default:
		g.add(chainWeight)
		g.before = beforeGroup
	}
}

// add counts a step in the expression that is being read.
func (g *gate) add(n int32) { g.at(g.top).chain += n }

func (g *gate) push(l level) {
	g.top++
	if n := g.top - len(g.first); n >= 0 && n >= len(g.rest) {
		g.rest = append(g.rest, level{})
	}
	*g.at(g.top) = l
}

// pop ends the innermost level: it is an operand of the one around it.
func (g *gate) pop() {
	l := g.at(g.top)
	d := l.depth() + bracketWeight
	if l.group {
		d -= bracketWeight - groupWeight
	}
	g.top--
	outer := g.at(g.top)
	outer.child = max(outer.child, d)
}

// close ends the levels up to the innermost one of a kind; without one the
// text is no statement and the parser will say so.
func (g *gate) close(kind byte) {
	for i := g.top; i > 0; i-- {
		if g.at(i).kind == kind {
			for g.top >= i {
				g.pop()
			}
			return
		}
	}
}

// word counts a word without quotes that is not a label.
func (g *gate) word(w string, before prefix) {
	l := g.at(g.top)
	class := gateWord(w)
	if class != wordOther {
		g.before = beforeGroup
	}
	switch class {
	case wordChain:
		g.add(chainWeight)
		g.before = beforeOther // IN (, ANY (
	case wordNot:
		g.add(chainWeight)
	case wordAnd:
		if l.between > 0 {
			l.between--
		} else {
			l.next()
			l.and = true
		}
	case wordBetween:
		g.add(2 * chainWeight)
		if l.between < 255 {
			l.between++
		}
	case wordDouble:
		g.add(2 * chainWeight)
	case wordOr:
		l.next()
		l.or = true
	case wordOn:
		l.next()
	case wordJoin:
		l.joins += joinWeight
		g.before = beforeOther
	case wordSet:
		l.next()
		l.sets += setWeight
		l.group = false
		g.before = beforeOther
	case wordQuery:
		l.group = false
		g.before = beforeOther
	case wordCase:
		g.push(level{kind: 'c'})
	case wordBranch:
		if l.kind == 'c' {
			l.next()
		}
	case wordEnd:
		if l.kind == 'c' || l.kind == 'a' {
			g.pop()
		}
		g.before = beforeOther
	case wordBegin:
		g.before = beforeAtomic
	case wordAtomic:
		g.before = beforeOther
		if before == beforeAtomic {
			g.push(level{kind: 'a'})
		}
	case wordAs:
		g.before = beforeLabel
	}
}

// wordClass is what a word does to the depth.
type wordClass uint8

const (
	wordOther   wordClass = iota
	wordChain             // takes the expression so far as operand, or is part of what does
	wordDouble            // the same with a function in between
	wordNot               //
	wordAnd               // ends an expression, or is part of BETWEEN
	wordBetween           //
	wordOr                // ends an expression
	wordOn                // ends an expression; reserved, so it cannot be anything else
	wordJoin              //
	wordSet               // UNION, EXCEPT, INTERSECT
	wordQuery             // begins a query: the parenthesis around it is more than a group
	wordWhere             // an expression follows
	wordCase              //
	wordBranch            // WHEN, THEN, ELSE: end an expression in CASE
	wordEnd
	wordBegin
	wordAtomic
	wordAs
)

// gateWord classifies a word in any case.
func gateWord(w string) wordClass {
	var lower [len("intersect")]byte
	if len(w) < 2 || len(w) > len(lower) {
		return wordOther
	}
	for i := 0; i < len(w); i++ {
		lower[i] = w[i] | 0x20 // no other byte of a word becomes a letter
	}
	switch string(lower[:len(w)]) {
	case "is", "in", "at", "isnull", "notnull", "like", "ilike", "collate", "overlaps", "operator", "escape", "any", "some", "all", "array", "default":
		return wordChain
	case "similar":
		return wordDouble
	case "not":
		return wordNot
	case "select", "values", "with", "table":
		return wordQuery
	case "where", "having":
		return wordWhere
	case "and":
		return wordAnd
	case "between":
		return wordBetween
	case "or":
		return wordOr
	case "on":
		return wordOn
	case "join":
		return wordJoin
	case "union", "except", "intersect":
		return wordSet
	case "case":
		return wordCase
	case "when", "then", "else":
		return wordBranch
	case "end":
		return wordEnd
	case "begin":
		return wordBegin
	case "atomic":
		return wordAtomic
	case "as":
		return wordAs
	}
	return wordOther
}
