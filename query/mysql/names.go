package mysql

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldName is a name of a column, alias, routine, variable or prepared
// statement in the form in which equal names are equal: the server compares
// them by utf8mb3_general_ci, without case and without accents.
func foldName(name string) string {
	for i := 0; i < len(name); i++ {
		if c := name[i]; c >= utf8.RuneSelf {
			return foldWide(name)
		} else if c >= 'A' && c <= 'Z' {
			return foldName(lower(name))
		}
	}
	return strings.TrimRight(name, " ")
}

func foldWide(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(name) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'ß', r == 'ẞ', r == 'ſ':
			b.WriteByte('s')
		case r == 'ı', r == 'İ':
			b.WriteByte('i')
		default:
			b.WriteRune(unicode.ToLower(unicode.ToUpper(r)))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// lower is a name of a database or table without case (utf8mb3_general_ci's
// own mapping, one character to one).
func lower(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] >= utf8.RuneSelf {
			return strings.Map(unicode.ToLower, name)
		}
	}
	return lowerASCII(name)
}

func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'A' && c <= 'Z' {
					b[i] = c | 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// displayName is a qualified name for people.
func displayName(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}
