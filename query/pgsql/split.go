package pgsql

import (
	"strings"

	"github.com/weirdb/weir/query"
)

// Split cuts a text into its statements as the grammar does: at semicolons
// outside brackets and outside BEGIN ATOMIC … END. Spans reach from the first
// to the last token; statements without a token are left out. A text that ends
// inside a string or comment gives an error, like one that Admit refuses for it.
func Split(text string) ([]query.Span, *TextError) {
	s := splitter{lx: lexer{text: text}}
	for {
		t := s.lx.next()
		switch t.kind {
		case tokenEnd:
			s.end()
			return s.spans, nil
		case tokenBad:
			return nil, &TextError{Code: "42601", Message: s.lx.fault, Pos: t.start}
		}
		s.token(t)
	}
}

type splitter struct {
	lx     lexer
	spans  []query.Span
	cur    query.Span
	n      int       // tokens of the statement
	words  [4]string // first words of the innermost statement, upper case
	inner  int       // tokens of it
	depth  int       // open brackets
	bodies int       // BEGIN ATOMIC in one another
	cases  int       // open CASEs of the innermost statement
	last   string    // last token if a word or dot, upper case
}

func (s *splitter) end() {
	if s.n > 0 {
		s.spans = append(s.spans, s.cur)
	}
	*s = splitter{lx: s.lx, spans: s.spans}
}

// begin expects a statement inside a body.
func (s *splitter) begin() { s.inner, s.words, s.cases, s.last = 0, [4]string{}, 0, "" }

func (s *splitter) token(t token) {
	text := s.lx.text[t.start:t.end]
	if t.kind == tokenSelf && text == ";" && s.depth == 0 {
		if s.bodies == 0 {
			s.end()
			return
		}
		s.begin()
	} else {
		if s.n == 0 {
			s.cur.Start = t.start
		}
		s.content(t, text)
	}
	s.cur.End = t.end
	s.n++
}

// content reads a token that is no separator.
func (s *splitter) content(t token, text string) {
	first, last := s.inner == 0, s.last
	s.inner++
	s.last = ""
	switch t.kind {
	case tokenSelf:
		switch text {
		case "(", "[":
			s.depth++
		case ")", "]":
			s.depth = max(s.depth-1, 0)
		case ".":
			s.last = text
		}
	case tokenWord:
		if len(text) > 9 {
			break
		}
		word := strings.ToUpper(text)
		if s.inner <= len(s.words) {
			s.words[s.inner-1] = word
		}
		if last == "." || last == "AS" {
			break // a label
		}
		s.last = word
		if s.depth > 0 {
			break
		}
		switch {
		case word == "ATOMIC" && last == "BEGIN" && s.routine():
			s.bodies++
			s.begin()
		case word == "CASE":
			s.cases++
		case word == "END" && first && s.bodies > 0:
			s.bodies--
		case word == "END" && s.cases > 0:
			s.cases--
		}
	}
}

// routine reports whether the statement is one that may have a body.
func (s *splitter) routine() bool {
	kind := s.words[1]
	if kind == "OR" {
		kind = s.words[3]
	}
	return s.words[0] == "CREATE" && (kind == "FUNCTION" || kind == "PROCEDURE")
}
