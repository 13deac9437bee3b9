package masking

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Recognise says whether a value, as a client would write it, is recognisably
// the output of this mask for this type: writing it back would replace the
// original by its mask. It looks at the form alone, and only at forms that a
// real value seldom has; a number, a date or an invented name that a mask made
// cannot be told from a real one.
func Recognise(spec Spec, t Type, f Format, val []byte) bool {
	if val == nil || Check(spec, t) != nil {
		return false
	}
	_, b, err := parse(spec)
	if err != nil {
		return false
	}
	if t.Kind != KindText && t.Kind != KindBPChar {
		return recogniseConstant(b, t, f, val)
	}
	v := value{}
	if !decode(&t, f, val, &v) {
		return false
	}
	if redact, ok := b.(redactBuilder); ok {
		c, err := constant(t, f, redact.value)
		shown := value{}
		return err == nil && len(v.text) > 0 && decode(&t, f, c, &shown) && bytes.Equal(bytes.TrimRight(shown.text, " "), v.text)
	}
	if _, null := b.(nullBuilder); !null && isRedacted(&t, v.text) {
		return true
	}
	switch spec.Function {
	case "hash":
		return isCutOf(&t, v.text, 64) && isHex(v.text)
	case "pseudonym":
		return isCutOf(&t, v.text, pseudonymLength) && isProquints(v.text)
	case "email":
		local, domain, ok := bytes.Cut(v.text, []byte("@"))
		return bytes.HasSuffix(local, []byte(emailFill)) || ok && bytes.HasPrefix(domain, []byte(emailFill))
	case "partial", "phone", "card", "iban":
		text, ok := b.(textMask)
		return ok && isFilled(text.make(), v.text)
	}
	return false
}

// isRedacted says whether text is the constant that failures show. A cut below
// four characters says too little.
func isRedacted(t *Type, text []byte) bool {
	return len(text) > 3 && bytes.Equal(appendFitted(nil, &Type{Kind: KindText, Length: t.Length, MaxBytes: t.MaxBytes}, []byte(redactedText)), text)
}

// recogniseConstant knows the constants that no real value has.
func recogniseConstant(b builder, t Type, f Format, val []byte) bool {
	redact, ok := b.(redactBuilder)
	if !ok {
		return false
	}
	switch t.Kind {
	case KindUUID, KindJSON, KindJSONB:
		c, err := constant(t, f, redact.value)
		return err == nil && bytes.Equal(c, val)
	}
	return false
}

// isCutOf says whether text is as long as so many characters come out cut.
func isCutOf(t *Type, text []byte, length int) bool {
	if t.Length > 0 {
		length = min(length, t.Length)
	}
	return len(text) == length && length >= pseudonymLeast
}

func isHex(s []byte) bool {
	for _, b := range s {
		if !isDigit(b) && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}

func isProquints(s []byte) bool {
	for i, b := range s {
		set := proquintConsonants
		switch i % 6 {
		case 1, 3:
			set = proquintVowels
		case 5:
			set = "-"
		}
		if strings.IndexByte(set, b) < 0 {
			return false
		}
	}
	return true
}

// isFilled says whether text has the fill everywhere that the mask puts it.
func isFilled(m mask, text []byte) bool {
	switch m := m.(type) {
	case *partial:
		hidden := bytes.Count(text, m.fill)
		count := utf8.RuneCount(text)
		return hidden > 0 && count > m.first+m.last && hidden >= count-m.first-m.last
	case *symbols:
		hidden, kept := 0, 0
		for len(text) > 0 {
			if rest, ok := bytes.CutPrefix(text, m.fill); ok {
				text = rest
				hidden++
				continue
			}
			if isAlphanumeric(text[0]) {
				kept++
			} else if strings.IndexByte(m.separators, text[0]) < 0 {
				return false
			}
			text = text[1:]
		}
		return hidden >= m.least-m.first-m.last && kept == m.first+m.last
	}
	return false
}
