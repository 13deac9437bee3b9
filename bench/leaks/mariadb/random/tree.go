package random

import (
	"slices"
	"strings"
)

// kind says what may stand in a node's place.
type kind uint8

const (
	fixed    kind = iota // nothing else
	optional             // nothing at all
	expr                 // a constant, or an expression below it
	list                 // fewer of its parts
)

// node is a part of a statement: text with the parts below it at each "\x00",
// or, of a list, parts with text between them.
type node struct {
	kind kind
	text string
	kids []*node
	// secret: a column whose values differ between the sides.
	secret bool
}

func (n *node) holdsSecret() bool {
	return n.secret || slices.ContainsFunc(n.kids, (*node).holdsSecret)
}

func leaf(text string) *node { return &node{text: text} }

// form makes a node from a text in which each # is a part.
func form(k kind, text string, kids ...*node) *node {
	return &node{kind: k, text: strings.ReplaceAll(text, "#", "\x00"), kids: kids}
}

func joined(separator string, kids ...*node) *node {
	return &node{kind: list, text: separator, kids: kids}
}

func (n *node) write(b *strings.Builder) {
	if n.kind == list {
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(n.text)
			}
			k.write(b)
		}
		return
	}
	rest := n.text
	for _, k := range n.kids {
		before, after, _ := strings.Cut(rest, "\x00")
		b.WriteString(before)
		k.write(b)
		rest = after
	}
	b.WriteString(rest)
}

func (n *node) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

// below are the nearest expressions under a node.
func (n *node) below() []*node {
	var out []*node
	for _, k := range n.kids {
		if k.kind == expr {
			out = append(out, k)
		} else {
			out = append(out, k.below()...)
		}
	}
	return out
}

// Statement is what a client sends, and how.
type Statement struct {
	Prepared bool // by COM_STMT_PREPARE and COM_STMT_EXECUTE
	Cursor   bool // with a cursor and fetches
	// Frame marks what stands around statements: BEGIN, ROLLBACK, SET.
	Frame bool
	tree  *node
}

// Text is the statement's SQL.
func (s *Statement) Text() string { return s.tree.String() }

// Plain is the statement sent as text.
func (s Statement) Plain() Statement {
	s.Prepared, s.Cursor = false, false
	return s
}

// Reductions calls try with the statement made smaller in one place, large
// parts first, until try keeps one; it reports whether it did.
func (s Statement) Reductions(try func(Statement) bool) bool {
	var visit func(n *node) bool
	visit = func(n *node) bool {
		was := *n
		change := func(to node) bool {
			*n = to
			if try(s.clone()) {
				return true
			}
			*n = was
			return false
		}
		switch n.kind {
		case optional:
			if n.text != "" && change(node{kind: fixed}) {
				return true
			}
		case expr:
			for _, b := range n.below() {
				if change(*b) {
					return true
				}
			}
			if n.text != "1" && n.text != "NULL" && change(node{kind: expr, text: "1"}) {
				return true
			}
		case list:
			for i := range n.kids {
				if len(n.kids) > 1 && change(node{kind: list, text: n.text, kids: append(append([]*node(nil), was.kids[:i]...), was.kids[i+1:]...)}) {
					return true
				}
			}
		}
		for _, k := range n.kids {
			if visit(k) {
				return true
			}
		}
		return false
	}
	return visit(s.tree)
}

// clone is the statement with a tree of its own.
func (s Statement) clone() Statement {
	var copied func(n *node) *node
	copied = func(n *node) *node {
		c := &node{kind: n.kind, text: n.text, secret: n.secret}
		for _, k := range n.kids {
			c.kids = append(c.kids, copied(k))
		}
		return c
	}
	s.tree = copied(s.tree)
	return s
}
