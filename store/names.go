package store

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name of a user, a group or a project, in bytes of
// normalised UTF-8. It leaves room for mail addresses (254 bytes, RFC 5321).
const MaxName = 255

// NormalizeName returns the stored form of a name: Unicode NFC, otherwise
// untouched. Upper and lower case differ, as they do in PostgreSQL. A name is
// refused (*Invalid) when it is empty, longer than MaxName, not UTF-8, begins
// or ends with a space, or holds a control, format or other invisible
// character, or any space but U+0020.
func NormalizeName(name string) (string, error) {
	return normalizeName(ObjectUser, name)
}

func normalizeName(object Object, name string) (string, error) {
	refuse := func(reason string) (string, error) {
		return "", &Invalid{What: string(object) + " name", Value: shorten(name), Reason: reason}
	}
	switch {
	case name == "":
		return refuse("is empty")
	case len(name) > 4*MaxName: // bounded before normalising
		return refuse("is too long (at most 255 bytes)")
	case !utf8.ValidString(name):
		return refuse("is not valid UTF-8")
	}
	name = norm.NFC.String(name)
	if len(name) > MaxName {
		return refuse("is too long (at most 255 bytes)")
	}
	if strings.HasPrefix(name, " ") || strings.HasSuffix(name, " ") {
		return refuse("begins or ends with a space")
	}
	for _, r := range name {
		// unicode.IsPrint leaves out controls, formats, surrogates, private
		// use, unassigned code points, and every space but U+0020.
		if !unicode.IsPrint(r) {
			return refuse("holds a control or invisible character")
		}
	}
	return name, nil
}

func shorten(s string) string { return shortenTo(s, 64) }

func shortenTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most - 3
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
