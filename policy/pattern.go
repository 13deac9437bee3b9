package policy

import (
	"errors"
	"fmt"
	"strings"
)

// pattern matches one name. "*" stands for any run of characters, "?" for one;
// a quoted part of a dotted pattern is literal.
type pattern struct {
	text    string // lower case if fold
	literal bool
}

// any says that every name matches.
func (p pattern) any() bool { return !p.literal && p.text == "*" }

func (p pattern) match(name string) bool {
	if p.literal {
		return p.text == name
	}
	return globMatch(p.text, name)
}

// globMatch matches in time proportional to the product of the lengths at worst.
func globMatch(glob, name string) bool {
	g, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, mark = g, n
			g++
		case g < len(glob) && glob[g] == '?':
			g++
			n += runeLen(name[n:])
		case g < len(glob) && glob[g] == name[n]:
			g++
			n++
		case star >= 0:
			mark += runeLen(name[mark:])
			g, n = star+1, mark
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

func runeLen(s string) int {
	for i := range s {
		if i > 0 {
			return i
		}
	}
	return len(s)
}

var errEmptyPart = errors.New("a part of the pattern is empty")

// dotted splits a pattern at its dots, least significant part last. Fewer parts
// than want are completed with "*" in front if fill is true.
func dotted(s string, want int, fill, fold bool) ([]pattern, error) {
	var parts []pattern
	for rest := s; ; {
		p, tail, err := dottedPart(rest)
		if err != nil {
			return nil, err
		}
		if fold {
			p.text = strings.ToLower(p.text)
		}
		parts = append(parts, p)
		if tail == "" {
			break
		}
		if tail[0] != '.' {
			return nil, fmt.Errorf("want a dot after a quoted part, not %q", tail)
		}
		rest = tail[1:]
	}
	if len(parts) > want || len(parts) < want && !fill {
		return nil, fmt.Errorf("want %d parts with dots between them, not %d (put a name that holds a dot in double quotes)", want, len(parts))
	}
	for len(parts) < want {
		parts = append([]pattern{{text: "*"}}, parts...)
	}
	return parts, nil
}

// dottedPart takes the first part off s; the tail is empty or starts after it.
func dottedPart(s string) (p pattern, tail string, err error) {
	if strings.HasPrefix(s, `"`) {
		var b strings.Builder
		for i := 1; i < len(s); i++ {
			if s[i] != '"' {
				b.WriteByte(s[i])
				continue
			}
			if i+1 < len(s) && s[i+1] == '"' {
				b.WriteByte('"')
				i++
				continue
			}
			if b.Len() == 0 {
				return pattern{}, "", errEmptyPart
			}
			return pattern{text: b.String(), literal: true}, s[i+1:], nil
		}
		return pattern{}, "", errors.New("a quote is not closed")
	}
	name := s
	if dot := strings.IndexByte(s, '.'); dot >= 0 {
		name, tail = s[:dot], s[dot:]
	}
	if name == "" {
		return pattern{}, "", errEmptyPart
	}
	for strings.Contains(name, "**") {
		name = strings.ReplaceAll(name, "**", "*")
	}
	return pattern{text: name, literal: !strings.ContainsAny(name, "*?")}, tail, nil
}

// tagPattern matches tags; "*" matches dots too.
func tagPattern(s string) (pattern, error) {
	if s == "" {
		return pattern{}, errEmptyPart
	}
	return pattern{text: s, literal: !strings.ContainsAny(s, "*?")}, nil
}
