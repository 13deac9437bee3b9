package masking

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// textMask is a builder that serves all text kinds whose character set has the
// character that hides.
type textMask struct {
	fill []byte
	make func() mask
}

func (m textMask) check(t Type) error {
	if _, ok := t.Charset.append(nil, m.fill); !ok {
		return fmt.Errorf("its character set %s does not have %q", t.Charset, m.fill)
	}
	return nil
}

func (m textMask) build(Type, *Keys) (mask, error) { return m.make(), nil }

// fillArgument reads one printable character that no mask would keep.
func fillArgument(a *arguments) []byte {
	s := a.text("fill", "*")
	if r, size := utf8.DecodeRuneInString(s); a.err == nil && (size != len(s) || r <= ' ' || r == utf8.RuneError) {
		a.fail("fill", "want one character")
	}
	return []byte(s)
}

// partial keeps characters at both ends.
type partial struct {
	first, last int
	fill        []byte
	buf         []byte
}

func parsePartial(a *arguments) builder {
	first, last := a.integer("first", 0, 0, 100), a.integer("last", 0, 0, 100)
	if !a.has("first") && !a.has("last") {
		first = 1
	}
	fill := fillArgument(a)
	return textMask{fill, func() mask { return &partial{first: first, last: last, fill: fill} }}
}

func (m *partial) apply(v *value, _ Row) bool {
	if isASCII(v.text) {
		return m.ascii(v)
	}
	count := 0
	for g := graphemes.FromBytes(v.text); g.Next(); {
		count++
	}
	if count <= m.first+m.last {
		return false
	}
	m.buf = m.buf[:0]
	i := 0
	for g := graphemes.FromBytes(v.text); g.Next(); i++ {
		if i < m.first || i >= count-m.last {
			m.buf = append(m.buf, g.Value()...)
		} else {
			m.buf = append(m.buf, m.fill...)
		}
	}
	v.text = m.buf
	return true
}

// ascii is apply where every byte is a grapheme.
func (m *partial) ascii(v *value) bool {
	n := len(v.text)
	if n <= m.first+m.last {
		return false
	}
	m.buf = append(m.buf[:0], v.text[:m.first]...)
	for range n - m.first - m.last {
		m.buf = append(m.buf, m.fill...)
	}
	m.buf = append(m.buf, v.text[n-m.last:]...)
	v.text = m.buf
	return true
}

// isASCII says whether each byte is one grapheme: CR LF would be one of two.
func isASCII(s []byte) bool {
	for _, b := range s {
		if b >= utf8.RuneSelf || b == '\r' {
			return false
		}
	}
	return true
}

// email keeps the beginning of the local part and, if asked, the domain. The
// fill is as long whatever it hides.
type email struct {
	first      int
	keepDomain bool
	buf        []byte
}

const emailFill = "***"

func parseEmail(a *arguments) builder {
	first := a.integer("first", 1, 0, 100)
	domain := a.choice("domain", "keep", "keep", "mask")
	return textMask{nil, func() mask { return &email{first: first, keepDomain: domain == "keep"} }}
}

func (m *email) apply(v *value, _ Row) bool {
	at := bytes.LastIndexByte(v.text, '@')
	if at <= 0 || !isDomain(v.text[at+1:]) || bytes.ContainsAny(v.text[:at], " \t\r\n,;<>") {
		return false
	}
	local, domain := v.text[:at], v.text[at+1:]
	m.buf = m.buf[:0]
	kept, count := 0, 0
	for g := graphemes.FromBytes(local); g.Next(); count++ {
		if count < m.first {
			kept = g.End()
		}
	}
	if count > m.first {
		m.buf = append(m.buf, local[:kept]...)
	}
	m.buf = append(append(m.buf, emailFill...), '@')
	if m.keepDomain {
		m.buf = append(m.buf, domain...)
	} else {
		m.buf = append(m.buf, emailFill...)
		m.buf = append(m.buf, domain[bytes.LastIndexByte(domain, '.'):]...)
	}
	v.text = m.buf
	return true
}

// isDomain asks for labels of letters, digits and hyphens, two or more.
func isDomain(s []byte) bool {
	if len(s) == 0 || s[0] == '.' || s[len(s)-1] == '.' || bytes.IndexByte(s, '.') < 0 || bytes.Contains(s, []byte("..")) {
		return false
	}
	for _, b := range s {
		if !isAlphanumeric(b) && b != '-' && b != '.' && b < utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isAlphanumeric(b byte) bool { return isDigit(b) || isLetter(b) }

// symbols hides all symbols of a number but the first and last ones, and keeps
// separators: phone, card and iban.
type symbols struct {
	first, last int
	least, most int // symbols that such a number has
	letters     bool
	separators  string
	valid       func([]byte) bool // nil: every value
	fill        []byte
	buf         []byte
}

func parsePhone(a *arguments) builder {
	last, fill := a.integer("last", 4, 0, 6), fillArgument(a)
	return textMask{fill, func() mask {
		return &symbols{last: last, least: last + 3, most: 20, separators: " -./()+", fill: fill}
	}}
}

func parseCard(a *arguments) builder {
	fill := fillArgument(a)
	return textMask{fill, func() mask {
		return &symbols{last: 4, least: 12, most: 19, separators: " -", fill: fill}
	}}
}

func parseIBAN(a *arguments) builder {
	fill := fillArgument(a)
	return textMask{fill, func() mask {
		return &symbols{first: 2, last: 4, least: 15, most: 34, letters: true, separators: " -", valid: isIBAN, fill: fill}
	}}
}

// isIBAN looks at the country code and the check digits in front (ISO 13616).
func isIBAN(s []byte) bool {
	return len(s) > 4 && isLetter(s[0]) && isLetter(s[1]) && isDigit(s[2]) && isDigit(s[3])
}

func (m *symbols) apply(v *value, _ Row) bool {
	count := 0
	for _, b := range v.text {
		switch {
		case isDigit(b) || m.letters && isLetter(b):
			count++
		case bytes.IndexByte([]byte(m.separators), b) < 0:
			return false
		}
	}
	if count < m.least || count > m.most || m.valid != nil && !m.valid(v.text) {
		return false
	}
	m.buf = m.buf[:0]
	i := 0
	for _, b := range v.text {
		if !isAlphanumeric(b) {
			m.buf = append(m.buf, b)
			continue
		}
		if i < m.first || i >= count-m.last {
			m.buf = append(m.buf, b)
		} else {
			m.buf = append(m.buf, m.fill...)
		}
		i++
	}
	v.text = m.buf
	return true
}
