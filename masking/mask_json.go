package masking

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds how deep JSON may nest; deeper documents are redacted.
const maxNesting = 64

// jsonPath is one path with what happens at its end.
type jsonPath struct {
	steps  []step
	spec   Spec
	text   *cell  // for strings; nil: the function does not serve them
	number *cell  // for numbers
	given  []byte // redact and null: the JSON that is written whatever was there
}

// The types that inner masks see.
var (
	jsonText   = Type{Kind: KindText, Name: "json string"}
	jsonNumber = Type{Kind: KindNumeric, Name: "json number"}
)

type jsonBuilder struct{ paths []jsonPath }

func parseJSON(a *arguments) builder {
	b := jsonBuilder{}
	if !a.required("paths") {
		return b
	}
	paths, ok := a.values["paths"].(map[string]any)
	if !ok || len(paths) == 0 || len(paths) > maxPaths {
		a.fail("paths", "want an object of 1 to %d paths", maxPaths)
		return b
	}
	for _, path := range sortedKeys(paths) {
		p, err := readPath(path, paths[path])
		if err != nil {
			a.fail("paths", "%q: %v", path, err)
			return b
		}
		b.paths = append(b.paths, p)
	}
	return b
}

// readPath reads one path and its mask: null, or an object with function and args.
func readPath(path string, mask any) (jsonPath, error) {
	p := jsonPath{spec: Spec{Function: nullName}}
	var err error
	if p.steps, err = parsePath(path); err != nil {
		return p, err
	}
	if mask == nil {
		p.given = []byte("null")
		return p, nil
	}
	object, ok := mask.(map[string]any)
	if !ok {
		return p, errors.New("want null or an object with function and args")
	}
	for _, key := range sortedKeys(object) {
		switch key {
		case "function":
			p.spec.Function, ok = object[key].(string)
		case "args":
			p.spec.Args, ok = object[key].(map[string]any)
			ok = ok || object[key] == nil
		default:
			return p, fmt.Errorf("unknown key %q; known are function, args", key)
		}
		if !ok {
			return p, fmt.Errorf("key %q has the wrong type", key)
		}
	}
	return p, p.inner()
}

// inner checks the mask at the end of the path.
func (p *jsonPath) inner() error {
	f, b, err := parse(p.spec)
	if err != nil {
		return err
	}
	switch b := b.(type) {
	case nullBuilder:
		p.given = []byte("null")
		return nil
	case redactBuilder:
		p.given, err = constant(Type{Kind: KindJSON}, Text, b.value)
		return err
	}
	if check(f, b, jsonText) != nil && check(f, b, jsonNumber) != nil {
		return fmt.Errorf("%s serves neither strings nor numbers", f.Name)
	}
	return nil
}

func (jsonBuilder) check(Type) error { return nil }

func (b jsonBuilder) build(_ Type, keys *Keys) (mask, error) {
	m := &jsonMask{paths: slices.Clone(b.paths)}
	for i := range m.paths {
		p := &m.paths[i]
		if p.given != nil {
			continue
		}
		f, inner, err := parse(p.spec)
		if err != nil {
			return nil, err
		}
		if check(f, inner, jsonText) == nil {
			if p.text, err = compile(p.spec, jsonText, Text, keys); err != nil {
				return nil, err
			}
		}
		if check(f, inner, jsonNumber) == nil {
			if p.number, err = compile(p.spec, jsonNumber, Text, keys); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// jsonMask rewrites a document in one pass: what no path reaches is copied byte
// by byte, so that keys keep their order and numbers their digits.
type jsonMask struct {
	paths []jsonPath

	src       []byte
	at        int
	bound     int
	out       []byte
	positions []position // a stack: those of each open value behind those above it
	key       []byte
	scratch   []byte
}

func (m *jsonMask) apply(v *value, _ Row) bool {
	if !utf8.Valid(v.text) {
		return false
	}
	m.src, m.at, m.out, m.bound = v.text, 0, m.out[:0], MaxOutput(len(v.text))
	m.positions = m.positions[:0]
	for i := range m.paths {
		m.positions = append(m.positions, position{path: uint8(i)})
	}
	m.space()
	ok := m.value(m.positions, 0)
	m.space()
	v.text = m.out
	return ok && m.at == len(m.src)
}

// space copies white space.
func (m *jsonMask) space() {
	start := m.at
	m.at = skipSpace(m.src, m.at)
	m.out = append(m.out, m.src[start:m.at]...)
}

func skipSpace(src []byte, at int) int {
	for at < len(src) && (src[at] == ' ' || src[at] == '\t' || src[at] == '\n' || src[at] == '\r') {
		at++
	}
	return at
}

// value rewrites the value at m.at. from holds the paths that have come here.
func (m *jsonMask) value(from []position, depth int) bool {
	if m.at == len(m.src) || len(m.out) > m.bound {
		return false
	}
	for _, p := range from {
		if int(p.step) == len(m.paths[p.path].steps) {
			return m.masked(&m.paths[p.path], depth)
		}
	}
	if c := m.src[m.at]; c != '{' && c != '[' || len(from) == 0 {
		end := skipJSON(m.src, m.at, depth)
		if end < 0 {
			return false
		}
		m.out = append(m.out, m.src[m.at:end]...)
		m.at = end
		return true
	}
	return m.container(from, depth)
}

// container rewrites an object or an array that a path leads into.
func (m *jsonMask) container(from []position, depth int) bool {
	if depth == maxNesting {
		return false
	}
	object := m.src[m.at] == '{'
	closing := byte(']')
	if object {
		closing = '}'
	}
	m.copyByte()
	m.space()
	if m.peek() == closing {
		m.copyByte()
		return true
	}
	for index := 0; ; index++ {
		var key []byte
		if object && !m.member(&key) {
			return false
		}
		mark := len(m.positions)
		m.positions = advance(m.positions, m.paths, from, key, index)
		ok := m.value(m.positions[mark:], depth+1)
		m.positions = m.positions[:mark]
		if !ok {
			return false
		}
		m.space()
		switch m.peek() {
		case closing:
			m.copyByte()
			return true
		case ',':
			m.copyByte()
			m.space()
		default:
			return false
		}
	}
}

func (m *jsonMask) peek() byte {
	if m.at < len(m.src) {
		return m.src[m.at]
	}
	return 0
}

func (m *jsonMask) copyByte() {
	m.out = append(m.out, m.src[m.at])
	m.at++
}

// member copies a key and its colon and gives the key without its escapes.
func (m *jsonMask) member(key *[]byte) bool {
	end := skipString(m.src, m.at)
	if end < 0 {
		return false
	}
	m.key, _ = appendUnescaped(m.key[:0], m.src[m.at+1:end-1])
	*key = m.key
	m.out = append(m.out, m.src[m.at:end]...)
	m.at = end
	m.space()
	if m.peek() != ':' {
		return false
	}
	m.copyByte()
	m.space()
	return true
}

// masked replaces the value at m.at by what the path says.
func (m *jsonMask) masked(p *jsonPath, depth int) bool {
	end := skipJSON(m.src, m.at, depth)
	if end < 0 {
		return false
	}
	src := m.src[m.at:end]
	m.at = end
	switch {
	case p.given != nil:
		m.out = append(m.out, p.given...)
	case src[0] == 'n':
		m.out = append(m.out, src...)
	case src[0] == '"' && p.text != nil:
		m.maskString(p.text, src)
	case (src[0] == '-' || isDigit(src[0])) && p.number != nil:
		m.out = p.number.append(m.out, src, nil)
	default:
		m.out = append(m.out, redactedJSON...)
	}
	return true
}

func (m *jsonMask) maskString(c *cell, src []byte) {
	var ok bool
	m.scratch, ok = appendUnescaped(m.scratch[:0], src[1:len(src)-1])
	if !ok {
		m.out = append(m.out, redactedJSON...)
		return
	}
	n := len(m.scratch)
	m.scratch = c.append(m.scratch, m.scratch[:n], nil)
	m.out = appendQuoted(m.out, m.scratch[n:])
}

// skipJSON gives the end of the value at src[at], -1 if it is not one (RFC 8259).
func skipJSON(src []byte, at, depth int) int {
	if at == len(src) {
		return -1
	}
	switch c := src[at]; {
	case c == '"':
		return skipString(src, at)
	case c == '-' || isDigit(c):
		return skipNumber(src, at)
	case c == '{' || c == '[':
		return skipContainer(src, at, depth)
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(src[at:], []byte(word)) {
			return at + len(word)
		}
	}
	return -1
}

func skipContainer(src []byte, at, depth int) int {
	if depth == maxNesting {
		return -1
	}
	object, closing := src[at] == '{', src[at]+2 // '{' and '}', '[' and ']' are two apart
	at = skipSpace(src, at+1)
	if at < len(src) && src[at] == closing {
		return at + 1
	}
	for {
		if object {
			if at = skipString(src, at); at < 0 {
				return -1
			}
			if at = skipSpace(src, at); at == len(src) || src[at] != ':' {
				return -1
			}
			at = skipSpace(src, at+1)
		}
		if at = skipJSON(src, at, depth+1); at < 0 {
			return -1
		}
		if at = skipSpace(src, at); at == len(src) {
			return -1
		}
		if src[at] == closing {
			return at + 1
		}
		if src[at] != ',' {
			return -1
		}
		at = skipSpace(src, at+1)
	}
}

func skipString(src []byte, at int) int {
	if at >= len(src) || src[at] != '"' {
		return -1
	}
	for at++; at < len(src); at++ {
		switch c := src[at]; {
		case c == '"':
			return at + 1
		case c < ' ':
			return -1
		case c == '\\':
			if at++; at == len(src) {
				return -1
			}
			if src[at] == 'u' {
				if _, ok := hex4(src[at+1:]); !ok {
					return -1
				}
				at += 4
			} else if bytes.IndexByte([]byte(`"\/bfnrt`), src[at]) < 0 {
				return -1
			}
		}
	}
	return -1
}

func skipNumber(src []byte, at int) int {
	s := scanner{src: src, at: at}
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else {
		s.skipDigits()
	}
	if s.peek() == '.' {
		s.at++
		s.skipDigits()
	}
	if s.peek()|0x20 == 'e' {
		s.at++
		if s.peek() == '+' || s.peek() == '-' {
			s.at++
		}
		s.skipDigits()
	}
	if s.bad {
		return -1
	}
	return s.at
}

// skipDigits wants at least one digit.
func (s *scanner) skipDigits() {
	if !isDigit(s.peek()) {
		s.bad = true
	}
	for isDigit(s.peek()) {
		s.at++
	}
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[:4]), 16, 16)
	return rune(n), err == nil
}

// appendUnescaped undoes the escapes of a valid JSON string without its quotes.
// False: it holds half a surrogate pair, which is no text.
func appendUnescaped(dst, s []byte) ([]byte, bool) {
	ok := true
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(0)
				if i+6 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
					low, _ = hex4(s[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					ok = false
				} else {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, s[i])
		}
	}
	return dst, ok
}

// appendQuoted writes valid UTF-8 as a JSON string.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, b := range s {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < ' ':
			dst = append(dst, `\u00`...)
			dst = append(dst, "0123456789abcdef"[b>>4], "0123456789abcdef"[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
