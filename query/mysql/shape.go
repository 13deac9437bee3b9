package mysql

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// Shape is a text without what it says about data: each string and number is a
// question mark, comments are gone, white space is one space. It is empty for a
// text that cannot be cut into tokens with certainty.
func Shape(sql string, server *Server, st *State) string {
	rd := &reader{sql: sql, server: server}
	var b strings.Builder
	for {
		t, terr := rd.next(st)
		if terr != nil {
			return ""
		}
		if len(t.tokens) == 0 {
			return b.String()
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		t.shape(&b, false)
	}
}

// shape writes the statement's shape; folded puts words into lower case.
func (t *text) shape(b *strings.Builder, folded bool) {
	end := -1
	for i, tok := range t.tokens {
		if end >= 0 && tok.start > end {
			b.WriteByte(' ')
		}
		end = tok.end
		switch tok.kind {
		case tokenString, tokenNumber, tokenHex, tokenBits, tokenNull:
			b.WriteByte('?')
		case tokenWord:
			if folded {
				b.WriteString(t.word(i))
				continue
			}
			fallthrough
		default:
			b.WriteString(t.raw(i))
		}
	}
}

// fingerprint groups statements of a shape.
func (t *text) fingerprint() string {
	var b strings.Builder
	t.shape(&b, true)
	h := fnv.New64a()
	h.Write([]byte(b.String()))
	return strconv.FormatUint(h.Sum64(), 16)
}
