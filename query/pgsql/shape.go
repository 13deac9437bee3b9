package pgsql

import "strings"

// Shape is a statement without what it says about data: each string and number
// is a question mark, comments are gone, white space is one space. It is empty
// for a text that cannot be cut into tokens with certainty.
func Shape(text string, st *State) string {
	d, gap, err := decodeText(text, st)
	if err != nil || gap != "" {
		return ""
	}
	lx := lexer{text: d.text}
	var b strings.Builder
	for end := 0; ; {
		t := lx.next()
		switch t.kind {
		case tokenEnd:
			return b.String()
		case tokenBad:
			return ""
		}
		if b.Len() > 0 && t.start > end {
			b.WriteByte(' ')
		}
		end = t.end
		switch t.kind {
		case tokenString, tokenNumber:
			b.WriteByte('?')
		default:
			b.WriteString(d.text[t.start:t.end])
		}
	}
}
