package mysql

import (
	"strings"
	"unicode/utf8"
)

// lexer cuts a text into the tokens of the server's own lexer
// (Lex_input_stream of sql_lex.cc), fewer kinds of them. Where servers
// disagree, or where one reads an odd form in a way of its own, the token is
// bad: the text is then not analysed. It runs in linear time.
type lexer struct {
	text   string
	pos    int
	server *Server
	mode   SQLMode
	// narrow is set for texts that were decoded from a character set of one
	// byte a character: what is a letter there depends on the character set.
	narrow bool
	// bang is set inside an executable comment that the server runs.
	bang bool
	// bangStart and bangEnd are where such a comment began and ended last.
	bangStart, bangEnd int
	last               token  // the last token
	fault              string // why the last token is bad
	// hints is set when an optimizer hint sets variables.
	hints bool
}

type tokenKind uint8

const (
	tokenEnd        tokenKind = iota
	tokenBad                  // an error or a doubt; nothing follows
	tokenWord                 // identifier or keyword without quotes
	tokenQuoted               // `identifier`, "identifier" under ANSI_QUOTES
	tokenString               // '…', "…", N'…'
	tokenIntroducer           // _utf8mb4
	tokenNumber               // 1, 1.5, 1e5
	tokenHex                  // 0x41, x'41'
	tokenBits                 // 0b01, b'01'
	tokenNull                 // \N
	tokenUser                 // @name, @'name', and the part of an account's name after its @
	tokenSystem               // @@name, @@global.name
	tokenParam                // ?
	tokenOperator             // everything else
)

// token is one token and its byte range.
type token struct {
	kind tokenKind
	// odd is set where the grammar's lexer would read the token in another
	// way, or not at all, as it stands.
	odd        bool
	start, end int
}

// Classes of bytes outside of quotes.
const (
	byteSpace = 1 << iota
	byteIdent // part of an identifier
	byteDigit
	byteVariable // part of a user variable's name
)

var byteClass = func() (t [256]uint8) {
	for _, c := range []byte(" \t\n\r\f\v") {
		t[c] |= byteSpace
	}
	for c := 0; c < 256; c++ {
		switch {
		case c >= '0' && c <= '9':
			t[c] |= byteDigit | byteIdent | byteVariable
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '$':
			t[c] |= byteIdent | byteVariable
		case c >= 0x80:
			t[c] |= byteIdent
		}
	}
	t['.'] |= byteVariable
	return t
}()

func isSpace(c byte) bool { return byteClass[c]&byteSpace != 0 }
func isIdent(c byte) bool { return byteClass[c]&byteIdent != 0 }
func isDigit(c byte) bool { return byteClass[c]&byteDigit != 0 }

// peek is the byte n after the position, 0 beyond the end.
func (lx *lexer) peek(n int) byte {
	if lx.pos+n < len(lx.text) {
		return lx.text[lx.pos+n]
	}
	return 0
}

func (lx *lexer) bad(start int, fault string) token {
	lx.fault, lx.pos = fault, len(lx.text)
	return token{kind: tokenBad, start: start, end: len(lx.text)}
}

// token ends a token at end.
func (lx *lexer) token(kind tokenKind, start, end int) token {
	lx.pos = end
	return token{kind: kind, start: start, end: end}
}

// next returns the next token; tokenEnd again and again at the end.
func (lx *lexer) next() token {
	t := lx.scan()
	if lx.dotted() && t.kind != tokenWord && t.kind != tokenQuoted && t.kind != tokenBad &&
		(t.kind != tokenOperator || lx.text[t.start] != '*') {
		t = lx.bad(t.start, "no name after a dot")
	}
	lx.last = t
	return t
}

func (lx *lexer) scan() token {
	for lx.pos < len(lx.text) {
		start, c := lx.pos, lx.text[lx.pos]
		switch {
		case isSpace(c):
			lx.pos++
		case c == '#', c == '-' && lx.peek(1) == '-' && lx.dashComment():
			if fault := lx.lineComment(); fault != "" {
				return lx.bad(start, fault)
			}
		case c == '/' && lx.peek(1) == '*':
			if fault := lx.blockComment(); fault != "" {
				return lx.bad(start, fault)
			}
		case c == '*' && lx.peek(1) == '/' && lx.bang:
			lx.bang = false
			lx.pos += 2
			lx.bangEnd = lx.pos
		case isIdent(c):
			return lx.word(start)
		case c == '.' && isDigit(lx.peek(1)):
			if lx.pos > 0 && isIdent(lx.text[lx.pos-1]) || lx.last.kind == tokenQuoted && lx.last.end == start {
				return lx.token(tokenOperator, start, start+1) // qualified
			}
			if lx.last.kind == tokenWord && lx.mode&ModeIgnoreSpace != 0 {
				return lx.bad(start, "number after a name")
			}
			return lx.real(start, start)
		default:
			return lx.other(start, c)
		}
	}
	if lx.bang {
		return lx.bad(len(lx.text), "executable comment without an end")
	}
	return token{kind: tokenEnd, start: len(lx.text), end: len(lx.text)}
}

// other reads a token that begins with neither a letter nor a digit.
func (lx *lexer) other(start int, c byte) token {
	switch c {
	case '\'':
		return lx.quoted(start, start)
	case '"':
		if lx.mode&ModeANSIQuotes != 0 {
			return lx.identifier(start, '"')
		}
		return lx.quoted(start, start)
	case '`':
		return lx.identifier(start, '`')
	case '@':
		return lx.at(start)
	case '?':
		if isIdent(lx.peek(1)) {
			return lx.bad(start, "a letter after ?")
		}
		return lx.token(tokenParam, start, start+1)
	case '\\':
		if lx.peek(1) == 'N' && !isIdent(lx.peek(2)) {
			t := lx.token(tokenNull, start, start+2)
			t.odd = true
			return t
		}
		return lx.bad(start, "unexpected backslash")
	case '<', '>', '=', '!', '&', '|', ':', '-':
		return lx.token(tokenOperator, start, start+operatorLength(lx.text[start:]))
	case ';':
		if lx.bang {
			return lx.bad(start, "statement ends inside an executable comment")
		}
	}
	if c < ' ' || c == 0x7f {
		return lx.bad(start, "unexpected control character")
	}
	return lx.token(tokenOperator, start, start+1)
}

// operatorLength is the length of the operator that s begins with.
func operatorLength(s string) int {
	for _, op := range []string{"<=>", "->>"} {
		if strings.HasPrefix(s, op) {
			return 3
		}
	}
	if len(s) >= 2 {
		switch s[:2] {
		case "<=", ">=", "<>", "!=", "<<", ">>", "&&", "||", ":=", "->":
			return 2
		}
	}
	return 1
}

// dashComment reports whether the two dashes here begin a comment: white space
// or a control character has to follow.
func (lx *lexer) dashComment() bool {
	c := lx.peek(2)
	return isSpace(c) || c < ' ' || c == 0x7f || lx.narrow && c >= 0x80
}

// lineComment skips to the end of the line. The text does not go on after a NUL.
func (lx *lexer) lineComment() string {
	if lx.narrow && lx.text[lx.pos] == '-' && lx.peek(2) >= 0x80 {
		return "two dashes before a character that may be a space"
	}
	rest := lx.text[lx.pos:]
	n := strings.IndexByte(rest, '\n')
	if n < 0 {
		n = len(rest)
	}
	if strings.IndexByte(rest[:n], 0) >= 0 {
		return "NUL in a comment"
	}
	lx.pos += n
	return ""
}

// blockComment skips a comment, or the marks of one that is to be run.
func (lx *lexer) blockComment() string {
	rest := lx.text[lx.pos+2:]
	maria := strings.HasPrefix(rest, "M!") && lx.server.MariaDB
	if maria {
		rest = rest[1:]
	}
	if !strings.HasPrefix(rest, "!") {
		return lx.plainComment(rest)
	}
	digits := 0
	for digits < 6 && 1+digits < len(rest) && isDigit(rest[1+digits]) {
		digits++
	}
	if digits == 6 && !lx.server.MariaDB {
		return "executable comment with a version of six digits"
	}
	if digits < 5 {
		digits = 0
	}
	version := 0
	for _, c := range rest[1 : 1+digits] {
		version = version*10 + int(c-'0')
	}
	if digits > 0 && !lx.runs(version, maria) {
		return lx.skippedComment(rest)
	}
	if lx.bang {
		return "executable comment inside an executable comment"
	}
	lx.bang, lx.bangStart = true, lx.pos
	lx.pos = len(lx.text) - len(rest) + 1 + digits
	return ""
}

// runs reports whether the server runs a comment of a version. MariaDB leaves
// out those of MySQL versions that came after the two parted.
func (lx *lexer) runs(version int, maria bool) bool {
	if version > lx.server.Version {
		return false
	}
	return !lx.server.MariaDB || maria || version < 50700 || version > 99999
}

// plainComment skips a comment in which nothing nests. rest begins after /*.
func (lx *lexer) plainComment(rest string) string {
	n := strings.Index(rest, "*/")
	if n < 0 {
		return "comment without an end"
	}
	if strings.IndexByte(rest[:n], 0) >= 0 {
		return "NUL in a comment"
	}
	if rest[0] == '+' && strings.Contains(lowerASCII(rest[:n]), "set_var") {
		lx.hints = true
	}
	lx.pos = len(lx.text) - len(rest) + n + 2
	return ""
}

// skippedComment skips an executable comment that the server does not run; one
// level of comments nests in it. rest begins after /*.
func (lx *lexer) skippedComment(rest string) string {
	nested := false
	for i := 0; i+1 < len(rest); i++ {
		switch {
		case rest[i] == 0:
			return "NUL in a comment"
		case rest[i] == '/' && rest[i+1] == '*' && !nested:
			nested = true
			i++
		case rest[i] == '*' && rest[i+1] == '/':
			i++
			if !nested {
				lx.pos = len(lx.text) - len(rest) + i + 1
				return ""
			}
			nested = false
		}
	}
	return "comment without an end"
}

// dotted reports whether the last token was a dot.
func (lx *lexer) dotted() bool { return lx.last.kind == tokenOperator && lx.text[lx.last.start] == '.' }

// word reads a token that begins like an identifier.
func (lx *lexer) word(start int) token {
	text := lx.text
	if lx.dotted() && lx.last.end == start {
		// After a dot everything is an identifier.
		if isDigit(text[start]) && lx.last.start > 0 && !isIdent(text[lx.last.start-1]) {
			return lx.bad(start, "digit after a dot")
		}
		if lx.peek(1) == '\'' {
			return lx.bad(start, "a name after a dot that looks like a literal")
		}
		return lx.identifierWord(start)
	}
	switch c := text[start]; {
	case isDigit(c):
		return lx.number(start)
	case lx.peek(1) == '\'':
		switch c | 0x20 {
		case 'x':
			return lx.digits(start, start+2, tokenHex)
		case 'b':
			return lx.digits(start, start+2, tokenBits)
		case 'n':
			return lx.quoted(start, start+1)
		}
	}
	return lx.identifierWord(start)
}

// identifierWord reads an identifier or keyword to its end.
func (lx *lexer) identifierWord(start int) token {
	text, end, wide := lx.text, start, false
	for end < len(text) && isIdent(text[end]) {
		wide = wide || text[end] >= 0x80
		end++
	}
	if wide && (lx.narrow || !utf8.ValidString(text[start:end])) {
		return lx.bad(start, "a character that may be no letter outside of quotes")
	}
	t := lx.token(tokenWord, start, end)
	if text[start] == '_' && !wide && (end >= len(text) || text[end] != '.') {
		if known, read := introducer(text[start+1:end], lx.server); known {
			t.kind, t.odd = tokenIntroducer, !read
		} else if read {
			return lx.bad(start, "a word that only some servers take for a character set")
		}
	}
	return t
}

// digits reads the rest of x'…' or b'…' from i.
func (lx *lexer) digits(start, i int, kind tokenKind) token {
	text := lx.text
	for i < len(text) && (kind == tokenHex && isHex(text[i]) || text[i] == '0' || text[i] == '1') {
		i++
	}
	if i >= len(text) || text[i] != '\'' || kind == tokenHex && (i-start)%2 != 0 {
		return lx.bad(start, "wrong hexadecimal or binary literal")
	}
	return lx.token(kind, start, i+1)
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// number reads a number, or an identifier that begins with a digit.
func (lx *lexer) number(start int) token {
	text, i := lx.text, start
	if text[i] == '0' && (lx.peek(1)|0x20 == 'x' || lx.peek(1)|0x20 == 'b') {
		return lx.prefixed(start)
	}
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	switch {
	case i >= len(text):
	case text[i] == '.':
		return lx.real(start, i)
	case text[i]|0x20 == 'e':
		return lx.exponent(start, i)
	case isIdent(text[i]):
		return lx.identifierWord(start)
	}
	return lx.token(tokenNumber, start, i)
}

// prefixed reads 0x… and 0b…. Other letters after the 0, and letters after the
// digits, make it an identifier for the server.
func (lx *lexer) prefixed(start int) token {
	text, i := lx.text, start+2
	kind := tokenHex
	if text[start+1] == 'b' {
		kind = tokenBits
	}
	for i < len(text) && (kind == tokenHex && isHex(text[i]) || text[i] == '0' || text[i] == '1') {
		i++
	}
	if i == start+2 || text[start+1] < 'a' || i < len(text) && (isIdent(text[i]) || text[i] == '.') {
		return lx.bad(start, "a word that looks like a number")
	}
	return lx.token(kind, start, i)
}

// real reads a number from its dot at i.
func (lx *lexer) real(start, i int) token {
	text, dot := lx.text, i
	for i++; i < len(text) && isDigit(text[i]); i++ {
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		return lx.exponent(start, i)
	}
	if i < len(text) && (isIdent(text[i]) || text[i] == '.') {
		return lx.bad(start, "a letter after a number")
	}
	t := lx.token(tokenNumber, start, i)
	t.odd = i == dot+1
	return t
}

// exponent reads the rest of a number from its e at i.
func (lx *lexer) exponent(start, i int) token {
	text := lx.text
	if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
		i++
	}
	first := i
	for i < len(text) && isDigit(text[i]) {
		i++
	}
	if i == first || i < len(text) && (isIdent(text[i]) || text[i] == '.') {
		return lx.bad(start, "a word that looks like a number")
	}
	return lx.token(tokenNumber, start, i)
}

// quoted reads a string whose opening quote is at i.
func (lx *lexer) quoted(start, i int) token {
	text, quote := lx.text, lx.text[i]
	escapes := lx.mode&ModeNoBackslashEscapes == 0
	wide := false
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && escapes:
			if i++; i < len(text) && text[i] >= 0x80 {
				wide = true
			}
		case c == quote:
			if i+1 < len(text) && text[i+1] == quote {
				i++
				continue
			}
			t := lx.token(tokenString, start, i+1)
			t.odd = wide && !utf8.ValidString(text[start:i])
			return t
		case c >= 0x80:
			wide = true
		}
	}
	return lx.bad(start, "string without an end")
}

// identifier reads a quoted identifier.
func (lx *lexer) identifier(start int, quote byte) token {
	text := lx.text
	for i := start + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == 0:
			return lx.bad(start, "NUL in an identifier")
		case c != quote:
		case i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			if !utf8.ValidString(text[start:i]) {
				return lx.bad(start, "invalid character in an identifier")
			}
			if i == start+1 {
				return lx.bad(start, "empty identifier")
			}
			t := lx.token(tokenQuoted, start, i+1)
			t.odd = quote == '"'
			return t
		}
	}
	return lx.bad(start, "identifier without an end")
}

// at reads a user variable or a system variable.
func (lx *lexer) at(start int) token {
	if lx.peek(1) == '@' {
		return lx.system(start)
	}
	text, i := lx.text, start+1
	switch c := lx.peek(1); {
	case c == '\'' || c == '"' || c == '`':
		if c == '"' && lx.mode&ModeANSIQuotes != 0 {
			return lx.bad(start, "variable in double quotes under ANSI_QUOTES")
		}
		var t token
		if c == '`' {
			t = lx.identifier(i, '`')
		} else {
			t = lx.quoted(i, i)
		}
		if t.kind == tokenBad || t.odd {
			return lx.bad(start, "wrong name of a variable")
		}
		return lx.token(tokenUser, start, t.end)
	}
	for i < len(text) && byteClass[text[i]]&byteVariable != 0 {
		i++
	}
	if i == start+1 || i < len(text) && text[i] >= 0x80 {
		return lx.bad(start, "wrong name of a variable")
	}
	return lx.token(tokenUser, start, i)
}

// system reads @@name or @@scope.name. Names with quotes are odd.
func (lx *lexer) system(start int) token {
	text, i, odd := lx.text, start+2, false
	for parts := 0; ; parts++ {
		first := i
		if i < len(text) && text[i] == '`' {
			odd = true
			for i++; i < len(text) && isIdent(text[i]) && text[i] < 0x80; i++ {
			}
			if i == first+1 || i >= len(text) || text[i] != '`' {
				break
			}
			i++
		} else {
			for i < len(text) && isIdent(text[i]) && text[i] < 0x80 {
				i++
			}
		}
		if i == first || parts > 2 {
			break
		}
		if i < len(text) && text[i] == '.' {
			i++
			continue
		}
		if i < len(text) && (isIdent(text[i]) || text[i] == '`') {
			break
		}
		t := lx.token(tokenSystem, start, i)
		t.odd = odd
		return t
	}
	return lx.bad(start, "wrong name of a system variable")
}
