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
	for _, r := range name {
		// The collation takes a character for the letter that it is made of.
		letter, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r)))
		switch letter {
		case 'ß', 'ẞ', 'ſ':
			letter = 's'
		case 'ı', 'İ':
			letter = 'i'
		case '\u0345': // a mark that is an iota in capitals
			letter = 'ι'
		case 'ϲ', 'Ϲ':
			letter = 'σ'
		}
		b.WriteRune(unicode.ToLower(unicode.ToUpper(letter)))
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
