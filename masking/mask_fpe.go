package masking

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"
)

// fpeAlphabets are the symbols of each alphabet in the order of their numerals.
func fpeAlphabet(name string) string {
	switch name {
	case "lower":
		return "0123456789abcdefghijklmnopqrstuvwxyz"
	case "upper":
		return "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	case "alphanumeric":
		return "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	}
	return "0123456789"
}

type fpeBuilder struct {
	alphabet string
	tweak    []byte
}

func parseFPE(a *arguments) builder {
	b := fpeBuilder{alphabet: a.choice("alphabet", "digits", "digits", "lower", "upper", "alphanumeric")}
	b.tweak = []byte(a.text("tweak", ""))
	if len(b.tweak) > ff1MaxTweak {
		a.fail("tweak", "longer than %d bytes", ff1MaxTweak)
	}
	return b
}

func (b fpeBuilder) check(t Type) error {
	if t.Kind != KindText && t.Kind != KindBPChar && b.alphabet != "digits" {
		return errors.New("numbers take the alphabet digits only")
	}
	radix, size := len(fpeAlphabet(b.alphabet)), 1
	if t.Length > 0 || t.Kind == KindNumeric && t.Precision > 0 {
		for range max(t.Length, t.Precision) {
			size *= radix
			if size >= ff1MinDomain {
				return checkScale(t)
			}
		}
		return errors.New("all its values are in a domain under one million")
	}
	return nil
}

func (b fpeBuilder) build(t Type, keys *Keys) (mask, error) {
	alphabet := fpeAlphabet(b.alphabet)
	cipher, err := newFF1(keys.fpe, len(alphabet), b.tweak)
	if err != nil {
		return nil, err
	}
	m := &fpe{ff1: cipher, typ: t, alphabet: alphabet}
	for i := range m.numeral {
		m.numeral[i] = -1
	}
	for i := range len(alphabet) {
		m.numeral[alphabet[i]] = int8(i)
	}
	return m, nil
}

// fpe encrypts the symbols of a value within their alphabet. Punctuation and
// spaces stay where they are; any other character makes it the constant.
type fpe struct {
	*ff1
	typ      Type
	alphabet string
	numeral  [utf8.RuneSelf]int8
	x, buf   []byte
}

func (m *fpe) apply(v *value, _ Row) bool {
	switch m.typ.Kind {
	case KindInt24, KindInt32, KindInt64:
		return m.integer(v)
	case KindNumeric, KindUint64:
		return m.numeric(v)
	}
	m.x = m.x[:0]
	for _, b := range v.text {
		switch {
		case b < ' ' || b >= 0x7f:
			return false
		case m.numeral[b] >= 0:
			m.x = append(m.x, byte(m.numeral[b]))
		case isAlphanumeric(b):
			return false
		}
	}
	if !m.encrypt(m.x) {
		return false
	}
	m.buf = m.buf[:0]
	i := 0
	for _, b := range v.text {
		if m.numeral[b] >= 0 {
			b = m.alphabet[m.x[i]]
			i++
		}
		m.buf = append(m.buf, b)
	}
	same := bytes.Equal(m.buf, v.text)
	v.text = m.buf
	return !same
}

// maxWalk bounds cycle walking: each step leaves the wanted set with a chance
// of at most nine in ten.
const maxWalk = 400

// walk encrypts decimal digits until the result begins with another digit than
// zero and wanted takes it.
func (m *fpe) walk(digits []byte, wanted func([]byte) bool) bool {
	m.x = m.x[:0]
	for _, c := range digits {
		m.x = append(m.x, c-'0')
	}
	for range maxWalk {
		if !m.encrypt(m.x) {
			return false
		}
		if m.x[0] == 0 {
			continue
		}
		m.buf = m.buf[:0]
		for _, c := range m.x {
			m.buf = append(m.buf, '0'+c)
		}
		if wanted(m.buf) {
			return !bytes.Equal(m.buf, digits)
		}
	}
	return false
}

// integer keeps the sign and the count of digits.
func (m *fpe) integer(v *value) bool {
	neg := v.n < 0
	d := decimal{}
	d.coef.SetInt64(v.n)
	var buf [20]byte
	least, most := m.typ.integerRange()
	return m.walk(d.appendCoef(buf[:0]), func(digits []byte) bool {
		n, ok := parseInteger(digits)
		if neg {
			n = -n
		}
		v.n = n
		return ok && n >= least && n <= most
	})
}

// numeric keeps the sign, the count of digits and the point.
func (m *fpe) numeric(v *value) bool {
	var buf [64]byte
	neg := v.dec.coef.Sign() < 0
	if !m.walk(v.dec.appendCoef(buf[:0]), func(digits []byte) bool {
		_, err := strconv.ParseUint(string(digits), 10, 64)
		return m.typ.Kind != KindUint64 || err == nil
	}) {
		return false
	}
	v.dec.setDigits(m.buf)
	if neg {
		v.dec.coef.Neg(&v.dec.coef)
	}
	return true
}
