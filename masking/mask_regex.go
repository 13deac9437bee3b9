package masking

import (
	"bytes"
	"regexp"
)

// maxPattern bounds the pattern, in bytes; maxSubject the values it is tried on.
const (
	maxPattern = 512
	maxSubject = 1 << 16
)

type regexBuilder struct {
	pattern     *regexp.Regexp
	replacement []byte
	keep        bool
}

func parseRegex(a *arguments) builder {
	b := regexBuilder{replacement: []byte(a.text("replacement", ""))}
	b.keep = a.choice("unmatched", "redact", "redact", "keep") == "keep"
	if !a.required("pattern") {
		return b
	}
	pattern := a.text("pattern", "")
	if len(pattern) > maxPattern {
		a.fail("pattern", "longer than %d bytes", maxPattern)
		return b
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		a.fail("pattern", "%v", err)
	}
	b.pattern = compiled
	return b
}

func (regexBuilder) check(Type) error { return nil }

func (b regexBuilder) build(t Type, _ *Keys) (mask, error) {
	return &regex{regexBuilder: b}, nil
}

// regex replaces what a pattern matches and keeps the rest of the value.
type regex struct {
	regexBuilder
	buf []byte
}

func (m *regex) apply(v *value, _ Row) bool {
	if len(v.text) > maxSubject {
		return false
	}
	bound := MaxOutput(len(v.text))
	at, matched := 0, false
	m.buf = m.buf[:0]
	for _, loc := range m.pattern.FindAllSubmatchIndex(v.text, -1) {
		matched = true
		m.buf = append(m.buf, v.text[at:loc[0]]...)
		m.buf = m.pattern.Expand(m.buf, m.replacement, v.text, loc)
		at = loc[1]
		if len(m.buf) > bound {
			return false
		}
	}
	if !matched {
		return m.keep
	}
	m.buf = append(m.buf, v.text[at:]...)
	same := bytes.Equal(m.buf, v.text)
	v.text = m.buf
	return !same
}
