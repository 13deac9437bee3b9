package pgsql

import "strings"

// lexer cuts a text into the tokens of PostgreSQL's scanner (scan.l of
// PostgreSQL 17 under standard_conforming_strings): same boundaries, fewer
// kinds. The text must be valid UTF-8 without NUL. It runs in linear time and
// counts in cost what the C scanner will spend beyond that.
type lexer struct {
	text string
	pos  int
	// opEnd is the end of the run of operator characters that was measured
	// last; the C scanner reads the rest of the run for each token in it.
	opEnd int
	cost  int
	depth int    // deepest comment so far
	fault string // why the last token is bad
}

type tokenKind uint8

const (
	tokenEnd      tokenKind = iota
	tokenBad                // an error of the scanner; nothing follows
	tokenWord               // identifier or keyword without quotes
	tokenQuoted             // "identifier"
	tokenString             // any string, bit string or dollar-quoted string
	tokenNumber             // number
	tokenParam              // $1
	tokenSelf               // one character that stands for itself
	tokenOperator           // operator of one or more characters, ::, .., :=
)

// token is one token and its byte range.
type token struct {
	kind       tokenKind
	start, end int
}

// Classes of bytes.
const (
	byteSpace = 1 << iota
	byteNewline
	byteIdentStart
	byteDigit
	byteOp
	byteSelf // of scan.l's {self}
	byteTag  // continues a dollar-quote tag
)

var byteClass = func() (t [256]uint8) {
	for _, c := range []byte(" \t\n\r\f\v") {
		t[c] |= byteSpace
	}
	t['\n'] |= byteNewline
	t['\r'] |= byteNewline
	for c := 0; c < 256; c++ {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c >= 0x80:
			t[c] |= byteIdentStart | byteTag
		case c >= '0' && c <= '9':
			t[c] |= byteDigit | byteTag
		}
	}
	for _, c := range []byte("~!@#^&|`?+-*/%<>=") {
		t[c] |= byteOp
	}
	for _, c := range []byte(",()[].;:+-*/%^<>=") {
		t[c] |= byteSelf
	}
	return t
}()

// maxOperator is the longest operator that the scanner accepts.
const maxOperator = 63

func (lx *lexer) bad(start int, fault string) token {
	lx.fault, lx.pos = fault, len(lx.text)
	return token{tokenBad, start, len(lx.text)}
}

// next returns the next token; tokenEnd again and again at the end.
func (lx *lexer) next() token {
	text := lx.text
	for lx.pos < len(text) {
		start := lx.pos
		c := text[start]
		class := byteClass[c]
		switch {
		case class&byteSpace != 0:
			lx.pos++
		case class&byteIdentStart != 0:
			return lx.word(start)
		case class&byteDigit != 0, c == '.' && lx.peek(1)&byteDigit != 0:
			return lx.number(start)
		case c == '\'':
			return lx.quoted(start, start+1, false)
		case c == '"':
			return lx.identifier(start, start+1)
		case c == '$':
			return lx.dollar(start)
		case class&byteOp != 0:
			if c == '-' && strings.HasPrefix(text[start:], "--") {
				lx.lineComment()
				continue
			}
			if c == '/' && strings.HasPrefix(text[start:], "/*") {
				if !lx.blockComment() {
					return lx.bad(start, "unterminated /* comment")
				}
				continue
			}
			return lx.operator(start)
		case c == ':' && start+1 < len(text) && (text[start+1] == ':' || text[start+1] == '='),
			c == '.' && start+1 < len(text) && text[start+1] == '.':
			lx.pos += 2
			return token{tokenOperator, start, lx.pos}
		default:
			lx.pos++
			return token{tokenSelf, start, lx.pos}
		}
	}
	return token{tokenEnd, len(text), len(text)}
}

// peek is the class of the byte n after the position.
func (lx *lexer) peek(n int) uint8 {
	if lx.pos+n >= len(lx.text) {
		return 0
	}
	return byteClass[lx.text[lx.pos+n]]
}

// word reads an identifier, or the string that a one-letter prefix begins.
func (lx *lexer) word(start int) token {
	text := lx.text
	i := start + 1
	for i < len(text) && (byteClass[text[i]]&byteTag != 0 || text[i] == '$') {
		i++
	}
	if i == start+1 && i < len(text) {
		switch c := text[start] | 0x20; {
		case text[i] == '\'' && (c == 'e' || c == 'n' || c == 'b' || c == 'x'):
			return lx.quoted(start, i+1, c == 'e')
		case c == 'u' && text[i] == '&' && i+1 < len(text) && text[i+1] == '\'':
			return lx.quoted(start, i+2, false)
		case c == 'u' && text[i] == '&' && i+1 < len(text) && text[i+1] == '"':
			return lx.identifier(start, i+2)
		}
	}
	lx.pos = i
	return token{tokenWord, start, i}
}

// quoted reads a string whose content begins at i, with the parts that follow
// on later lines. Backslashes escape if escapes is set.
func (lx *lexer) quoted(start, i int, escapes bool) token {
	text := lx.text
	for {
		if escapes {
			for i < len(text) && text[i] != '\'' {
				if text[i] == '\\' {
					i++
				}
				i++
			}
		} else if n := strings.IndexByte(text[min(i, len(text)):], '\''); n >= 0 {
			i += n
		} else {
			i = len(text)
		}
		if i >= len(text) {
			return lx.bad(start, "unterminated quoted string")
		}
		i++
		if i < len(text) && text[i] == '\'' {
			i++
			continue
		}
		next := continuation(text, i)
		if next < 0 {
			lx.pos = i
			return token{tokenString, start, i}
		}
		i = next
	}
}

// continuation is where the content of a string goes on that was closed before
// i: after white space with a newline, line comments, and a quote. -1 if not.
func continuation(text string, i int) int {
	newline := false
	for i < len(text) {
		c := text[i]
		switch {
		case c == '\'' && newline:
			return i + 1
		case byteClass[c]&byteNewline != 0:
			newline = true
			i++
		case byteClass[c]&byteSpace != 0:
			i++
		case c == '-' && strings.HasPrefix(text[i:], "--"):
			for i < len(text) && byteClass[text[i]]&byteNewline == 0 {
				i++
			}
		default:
			return -1
		}
	}
	return -1
}

// identifier reads a quoted identifier whose content begins at i.
func (lx *lexer) identifier(start, i int) token {
	text := lx.text
	for {
		n := strings.IndexByte(text[i:], '"')
		if n < 0 {
			return lx.bad(start, "unterminated quoted identifier")
		}
		i += n + 1
		if i < len(text) && text[i] == '"' {
			i++
			continue
		}
		lx.pos = i
		return token{tokenQuoted, start, i}
	}
}

// dollar reads a parameter, a dollar-quoted string or a lone dollar sign.
func (lx *lexer) dollar(start int) token {
	text := lx.text
	i := start + 1
	if i < len(text) && byteClass[text[i]]&byteDigit != 0 {
		for i < len(text) && byteClass[text[i]]&byteDigit != 0 {
			i++
		}
		if i < len(text) && byteClass[text[i]]&byteIdentStart != 0 {
			return lx.bad(start, "trailing junk after parameter")
		}
		lx.pos = i
		return token{tokenParam, start, i}
	}
	for i < len(text) && byteClass[text[i]]&byteTag != 0 {
		i++
	}
	if i >= len(text) || text[i] != '$' {
		lx.pos = start + 1
		return token{tokenSelf, start, lx.pos}
	}
	delimiter := text[start : i+1]
	n := strings.Index(text[i+1:], delimiter)
	if n < 0 {
		return lx.bad(start, "unterminated dollar-quoted string")
	}
	lx.pos = i + 1 + n + len(delimiter)
	return token{tokenString, start, lx.pos}
}

// number reads a number. What the scanner calls trailing junk is bad.
func (lx *lexer) number(start int) token {
	text := lx.text
	i := start
	digits := func() {
		for i < len(text) && (byteClass[text[i]]&byteDigit != 0 || text[i] == '_') {
			i++
		}
	}
	if text[i] == '0' && i+1 < len(text) && strings.IndexByte("xXoObB", text[i+1]) >= 0 {
		i += 2
		for i < len(text) && byteClass[text[i]]&byteTag != 0 {
			i++
		}
		lx.pos = i
		return token{tokenNumber, start, i}
	}
	digits()
	if i < len(text) && text[i] == '.' && !strings.HasPrefix(text[i:], "..") {
		i++
		digits()
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		if j < len(text) && byteClass[text[j]]&byteDigit != 0 {
			i = j
			digits()
		}
	}
	if i < len(text) && byteClass[text[i]]&byteIdentStart != 0 {
		return lx.bad(start, "trailing junk after numeric literal")
	}
	lx.pos = i
	return token{tokenNumber, start, i}
}

func (lx *lexer) lineComment() {
	for lx.pos < len(lx.text) && byteClass[lx.text[lx.pos]]&byteNewline == 0 {
		lx.pos++
	}
}

// blockComment skips a comment with those nested in it; false if it does not end.
func (lx *lexer) blockComment() bool {
	text := lx.text
	depth := 0
	for i := lx.pos; i+1 < len(text); {
		switch {
		case text[i] == '/' && text[i+1] == '*':
			depth++
			lx.depth = max(lx.depth, depth)
			lx.charge(i)
			i += 2
		case text[i] == '*' && text[i+1] == '/':
			depth--
			i += 2
			if depth == 0 {
				lx.pos = i
				return true
			}
		default:
			i++
		}
	}
	return false
}

// charge counts the run of operator characters that the C scanner reads from i.
func (lx *lexer) charge(i int) {
	if i >= lx.opEnd {
		end := i
		for end < len(lx.text) && byteClass[lx.text[end]]&byteOp != 0 {
			end++
		}
		lx.opEnd = end
	}
	lx.cost += lx.opEnd - i
}

// operator reads an operator. A comment ends it, and a trailing + or - belongs
// to it only if it holds a character that standard operators do not.
func (lx *lexer) operator(start int) token {
	text := lx.text
	lx.charge(start)
	i := start + 1
	special := !isPlainOperator(text[start])
	for i < lx.opEnd {
		if i+1 < lx.opEnd && (text[i] == '/' && text[i+1] == '*' || text[i] == '-' && text[i+1] == '-') {
			break
		}
		special = special || !isPlainOperator(text[i])
		if i++; i-start > maxOperator {
			return lx.bad(start, "operator too long")
		}
	}
	if !special {
		for i > start+1 && (text[i-1] == '+' || text[i-1] == '-') {
			i--
		}
	}
	lx.pos = i
	if i == start+1 && byteClass[text[start]]&byteSelf != 0 {
		return token{tokenSelf, start, i}
	}
	return token{tokenOperator, start, i}
}

// isPlainOperator reports whether a byte occurs in the operators of the
// standard, after which + and - begin another operator.
func isPlainOperator(c byte) bool {
	switch c {
	case '+', '-', '*', '/', '<', '>', '=':
		return true
	}
	return false
}
