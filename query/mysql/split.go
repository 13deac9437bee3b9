package mysql

import (
	"strings"
	"unicode/utf8"

	"github.com/weirdb/weir/query"
)

// reader cuts a client's text into statements. The server reads a statement
// after it has run the one before, in the sql_mode and character set that are
// in force then, and so does the reader.
type reader struct {
	sql    string
	server *Server
	// dynamic is set for the text of PREPARE, which the server converts from
	// one character set to another before it reads it.
	dynamic bool
	// body is set for a stored body, which holds semicolons.
	body bool

	pos     int // in sql, where the next statement begins
	charset string
	d       decoded // sql[base:] decoded from charset
	base    int
	tokens  int // all that were read
	count   int // statements that were read
}

// text is one statement: its tokens, and after print the form that the grammar
// reads with where its parts stand in the client's text.
type text struct {
	src    string // decoded
	tokens []token
	span   query.Span // in the client's text
	server *Server
	mode   SQLMode
	hints  bool // an optimizer hint sets variables
	whole  bool // it may hold semicolons, and reaches to the end of the text

	d    decoded
	base int // of d.text in the client's text

	// laterals are entries of FROM that print made derived tables of, by the
	// offset in src of their first expression.
	laterals map[int]*lateral
	// renames are the lists of columns behind derived tables, newRow the name
	// that an INSERT gives its new row.
	renames []rename
	newRow  *rename
	// examined is set where LIMIT counts the rows that are read.
	examined bool
	// locals says that a name is a variable of the stored body around.
	locals func(name string) bool

	sql  string
	segs []segment // sorted by out; between two of them positions run in step
}

type segment struct{ out, in int } // in is an offset of src

// next reads the next statement in a session's state. A text without tokens is
// the last one. An error ends the reading.
func (rd *reader) next(st *State) (*text, *TextError) {
	if strings.Trim(rd.sql[rd.pos:], " \t\r\n;") == "" {
		return &text{}, nil
	}
	if st.SQLMode&(ModeForeign|ModeUnknown) != 0 {
		return nil, syntaxError("statements under this sql_mode cannot be read", rd.pos)
	}
	if rd.pos == 0 && len(rd.sql) > maxBytes {
		return nil, &TextError{Number: errTooBig, SQLState: "08S01", Message: "statement is too long", Pos: -1}
	}
	if rd.count++; rd.count > maxTexts {
		return nil, complexError("too many statements", rd.pos)
	}
	charset := lowerASCII(st.ClientCharset)
	if rd.pos == 0 || charset != rd.charset {
		d, terr := decode(rd.sql[rd.pos:], charset)
		if terr != nil {
			return nil, terr
		}
		rd.d, rd.base, rd.charset = d, rd.pos, charset
	}
	t := &text{src: rd.d.text, server: rd.server, mode: st.SQLMode, d: rd.d, base: rd.base, whole: rd.body}
	lx := lexer{text: t.src, pos: rd.decodedPos(), server: rd.server, mode: st.SQLMode, narrow: rd.d.narrow || rd.dynamic}
	g, begin := gate{}, 0
	for {
		tok := lx.next()
		if tok.kind == tokenBad {
			return nil, syntaxError("the text cannot be read: "+lx.fault, t.client(tok.start))
		}
		if tok.kind == tokenEnd {
			rd.pos = len(rd.sql)
			break
		}
		if len(t.tokens) == 0 {
			begin = tok.start
			if lx.bang {
				begin = lx.bangStart
			}
		}
		if tok.kind == tokenOperator && t.src[tok.start] == ';' && !t.whole {
			if len(t.tokens) == 0 {
				continue
			}
			rd.pos = t.client(tok.end)
			break
		}
		if rd.tokens++; rd.tokens > maxTokens {
			return nil, complexError("too many tokens", t.client(tok.start))
		}
		t.tokens = append(t.tokens, tok)
		t.whole = t.whole || (len(t.tokens) <= maxPrefix || t.words(0, "set", "statement")) && t.compound()
		if why := g.token(t.src, tok); why != "" {
			return nil, complexError(why, t.client(tok.start))
		}
	}
	t.hints = lx.hints && !rd.server.MariaDB
	if n := len(t.tokens); n > 0 {
		t.span = query.Span{Start: t.client(begin), End: t.client(max(t.tokens[n-1].end, lx.bangEnd))}
	}
	return t, nil
}

func complexError(why string, pos int) *TextError {
	return &TextError{Number: errSyntax, SQLState: "42000", Message: "statement too complex: " + why, Pos: pos}
}

// decodedPos is the position of the next statement in d.text.
func (rd *reader) decodedPos() int {
	at := rd.pos - rd.base
	for _, e := range rd.d.extra {
		if int(e) > at {
			break
		}
		at++
	}
	return at
}

// client is the offset in the client's text of one in src.
func (t *text) client(pos int) int { return t.base + t.d.original(pos) }

// original is the offset in the client's text of one in the grammar's.
func (t *text) original(pos int) int {
	low, high := 0, len(t.segs)
	for low < high {
		if mid := (low + high) / 2; t.segs[mid].out <= pos {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return t.span.Start + pos
	}
	s := t.segs[low-1]
	return t.client(min(s.in+pos-s.out, len(t.src)))
}

// maxPrefix is how many tokens may stand before the word that says what CREATE
// is about. SET STATEMENT may set any number of variables first.
const maxPrefix = 24

// compound reports whether the statement is one that may hold semicolons, as
// far as its tokens say so far. Everything that follows is then part of it.
func (t *text) compound() bool {
	n := len(t.tokens)
	last := t.tokens[n-1]
	if last.kind != tokenWord {
		return n == 2 && t.is(1, ":") // a label
	}
	word := t.word(n - 1)
	switch t.word(0) {
	case "begin":
		return n == 2 && word == "not"
	case "set": // SET STATEMENT … FOR a block
		return n > 4 && t.word(1) == "statement" && t.word(n-2) == "for" && (word == "begin" || word == "create" || word == "alter")
	case "if", "case", "loop", "while", "repeat", "for", "declare":
		return n == 1
	case "create", "alter":
		switch word {
		case "procedure", "function", "trigger", "event", "package":
		default:
			return false
		}
		for i := 1; i < n-1; i++ {
			switch t.word(i) {
			case "table", "view", "index", "database", "schema", "user", "role", "sequence", "server", "tablespace":
				return false
			}
		}
		return true
	}
	return false
}

// word is the i-th token in lower case if it is a word without quotes.
func (t *text) word(i int) string {
	if i < 0 || i >= len(t.tokens) || t.tokens[i].kind != tokenWord {
		return ""
	}
	return lowerASCII(t.src[t.tokens[i].start:t.tokens[i].end])
}

// raw is the i-th token as it is written, empty beyond the end.
func (t *text) raw(i int) string {
	if i < 0 || i >= len(t.tokens) {
		return ""
	}
	return t.src[t.tokens[i].start:t.tokens[i].end]
}

// is reports whether the i-th token is an operator.
func (t *text) is(i int, op string) bool {
	return i >= 0 && i < len(t.tokens) && t.tokens[i].kind == tokenOperator && t.raw(i) == op
}

// words reports whether the tokens from i on are words.
func (t *text) words(i int, words ...string) bool {
	for j, w := range words {
		if t.word(i+j) != w {
			return false
		}
	}
	return true
}

// slice is the client's text from one token up to another, decoded.
func (t *text) slice(from, to int) string {
	if from >= to || from >= len(t.tokens) {
		return ""
	}
	return t.src[t.tokens[from].start:t.tokens[to-1].end]
}

// edit puts a text in the place of some tokens.
type edit struct {
	from, to int
	text     string
}

// print writes the tokens from one up to another in the form that the grammar
// reads, with edits in the order of their tokens that do not overlap. Where it
// was called before, blanks stand for what it gave then: each part of the
// statement has positions of its own.
func (t *text) print(from, to int, edits []edit) string {
	pad := len(t.sql)
	if from >= to {
		return ""
	}
	edits = t.withForms(from, to, edits)
	start := t.tokens[from].start
	if pad == 0 && len(edits) == 0 && t.plain(from, to) {
		t.sql = t.src[start:t.tokens[to-1].end]
		t.segs = []segment{{0, start}}
		return t.sql
	}
	p := printer{t: t, end: start}
	p.b.Grow(pad + t.tokens[to-1].end - start + 64)
	for range pad {
		p.b.WriteByte(' ')
	}
	for i := from; i < to; i++ {
		replaced := false
		for len(edits) > 0 && edits[0].from == i && !replaced {
			e := edits[0]
			edits = edits[1:]
			if replaced = e.to > i; replaced {
				p.put(e.text, t.tokens[i].start, t.tokens[e.to-1].end, false)
				i = e.to - 1
			} else {
				p.put(e.text, t.tokens[i].start, -1, false) // a blank follows
			}
		}
		if replaced {
			continue
		}
		tok := t.tokens[i]
		if text := t.readable(i); text != "" {
			p.put(text, tok.start, tok.end, false)
		} else {
			p.put(t.src[tok.start:tok.end], tok.start, tok.end, true)
		}
	}
	for _, e := range edits {
		if e.from == to {
			p.b.WriteString(" " + e.text)
		}
	}
	sql := p.b.String()
	t.sql = sql
	return sql
}

// printer carries one print.
type printer struct {
	t   *text
	b   strings.Builder
	end int // in src, of what was written last
	// last is the last byte that was written, edited says that it was no token's.
	last   byte
	edited bool
}

// put writes a text for what stands in src from start to end; same says that
// it is that.
func (p *printer) put(text string, start, end int, same bool) {
	if start > p.end || text != "" && p.b.Len() > 0 && (isIdent(text[0]) && isIdent(p.last) || text[0] == '`' && (p.last == '`' || isIdent(p.last)) ||
		text[0] == '.' && p.edited && isDigit(p.last)) {
		p.b.WriteByte(' ')
	}
	p.edited = !same
	if text != "" {
		p.last = text[len(text)-1]
	}
	segs := p.t.segs
	if n := len(segs); n == 0 || segs[n-1].in-segs[n-1].out != start-p.b.Len() || !same {
		p.t.segs = append(segs, segment{p.b.Len(), start})
	}
	p.b.WriteString(text)
	p.end = end
}

// plain reports whether the grammar reads the tokens as they stand.
func (t *text) plain(from, to int) bool {
	for i := from; i < to; i++ {
		if t.readable(i) != "" {
			return false
		}
		if i+1 == to {
			break
		}
		for j := t.tokens[i].end; j < t.tokens[i+1].start; j++ {
			if !isSpace(t.src[j]) {
				return false
			}
		}
	}
	return true
}

// readable is what the grammar is given for a token, empty for the token itself.
func (t *text) readable(i int) string {
	tok := t.tokens[i]
	switch tok.kind {
	case tokenWord:
		if t.server.MariaDB && !t.is(i-1, ".") && !t.is(i+1, ".") && t.unreserved(i) {
			return "`" + t.raw(i) + "`"
		}
		return ""
	case tokenIntroducer:
		if tok.odd {
			return " _binary "
		}
	case tokenOperator:
		// Two of them with nothing but a comment behind would begin another.
		if t.src[tok.start] == '-' && t.is(i-1, "-") {
			return " " + t.raw(i)
		}
		return ""
	}
	if !tok.odd {
		return ""
	}
	raw := t.raw(i)
	switch tok.kind {
	case tokenNull:
		return " NULL "
	case tokenNumber:
		return raw + "0"
	case tokenSystem:
		return strings.ReplaceAll(raw, "`", "")
	case tokenString:
		return replaceInvalid(raw)
	case tokenQuoted:
		return quoteName(unquote(raw, true))
	}
	return ""
}

// replaceInvalid replaces each byte that is no part of a character.
func replaceInvalid(s string) string {
	b := []byte(s)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			b[i] = '?'
		}
		i += size
	}
	return string(b)
}

// unreserved reports a word that the grammar reserves and MariaDB does not.
func (t *text) unreserved(i int) bool {
	tok := t.tokens[i]
	if n := tok.end - tok.start; n < 3 || n > 16 {
		return false
	}
	switch t.word(i) {
	case "array", "ilike", "tablesample", "tidb_current_tso", "groups":
		return true
	case "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank":
		return !t.is(i+1, "(")
	case "option", "window", "virtual", "stored", "generated", "until", "row":
		return t.begins(i-1) && t.ends(i+1)
	}
	return false
}

// begins says that a token is one after which an expression or a name begins.
func (t *text) begins(i int) bool {
	switch t.word(i) {
	case "select", "distinct", "as", "by", "where", "and", "or", "on", "having":
		return true
	}
	return t.is(i, ",") || t.is(i, "(")
}

// ends says that a token is one before which a name has ended.
func (t *text) ends(i int) bool {
	switch t.word(i) {
	case "from", "as", "and", "or", "is", "in", "like", "asc", "desc", "between":
		return true
	}
	return i >= len(t.tokens) || t.is(i, ",") || t.is(i, ")") || t.is(i, "=") || t.is(i, "<") || t.is(i, ">")
}

// quoteName is a name in backticks.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// unquote is the content of a string or quoted identifier.
func unquote(raw string, literal bool) string {
	if len(raw) < 2 {
		return raw
	}
	quote := raw[len(raw)-1]
	body := raw[strings.IndexByte(raw, quote)+1 : len(raw)-1]
	double := string([]byte{quote, quote})
	if literal || strings.IndexByte(body, '\\') < 0 {
		if !strings.Contains(body, double) {
			return body
		}
		return strings.ReplaceAll(body, double, double[:1])
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		c := body[i]
		if c == quote {
			i++
		} else if c == '\\' && i+1 < len(body) {
			i++
			switch c = body[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			case 'b':
				c = '\b'
			case '0':
				c = 0
			case 'Z':
				c = 26
			case '%', '_':
				b.WriteByte('\\')
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// name is the i-th token as a name; false if it is none.
func (t *text) name(i int) (string, bool) {
	if i < 0 || i >= len(t.tokens) {
		return "", false
	}
	switch t.tokens[i].kind {
	case tokenWord:
		return t.raw(i), true
	case tokenQuoted:
		return unquote(t.raw(i), true), true
	}
	return "", false
}

// str is the i-th token as a string; false if it is none, or if strings follow
// one another.
func (t *text) str(i int) (string, bool) {
	if i < 0 || i >= len(t.tokens) || t.tokens[i].kind != tokenString || t.tokens[i].odd {
		return "", false
	}
	if i+1 < len(t.tokens) && t.tokens[i+1].kind == tokenString {
		return "", false
	}
	return unquote(t.raw(i), t.mode&ModeNoBackslashEscapes != 0), true
}

// variable is the folded name of the user variable at the i-th token; false if
// it is none.
func (t *text) variable(i int) (string, bool) {
	if i < 0 || i >= len(t.tokens) || t.tokens[i].kind != tokenUser {
		return "", false
	}
	raw := t.raw(i)[1:]
	switch raw[0] {
	case '`':
		return foldName(unquote(raw, true)), true
	case '\'', '"':
		return foldName(unquote(raw, t.mode&ModeNoBackslashEscapes != 0)), true
	}
	return foldName(raw), true
}
