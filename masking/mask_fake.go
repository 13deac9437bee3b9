package masking

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

var fakeKinds = []string{"first_name", "last_name", "full_name", "address", "city", "company", "email", "phone"}

type fakeBuilder struct{ kind string }

func parseFake(a *arguments) builder {
	if !a.required("kind") {
		return fakeBuilder{}
	}
	return fakeBuilder{a.choice("kind", "", fakeKinds...)}
}

func (fakeBuilder) check(Type) error { return nil }

func (b fakeBuilder) build(t Type, keys *Keys) (mask, error) {
	return &fake{keyed: newKeyed(keys.fake), typ: t, kind: b.kind}, nil
}

// fake replaces a value by an invented one that depends on it and the key.
type fake struct {
	keyed
	typ  Type
	kind string
	buf  []byte
}

func (m *fake) apply(v *value, _ Row) bool {
	bits := binary.BigEndian.Uint64(m.digest(&m.typ, v))
	before := v.text
	m.buf = appendFake(m.buf[:0], m.kind, bits)
	if bytes.Equal(m.buf, before) {
		m.buf = appendFake(m.buf[:0], m.kind, ^bits)
	}
	v.text = m.buf
	return true
}

func appendFake(dst []byte, kind string, bits uint64) []byte {
	first, last := firstNames[bits&63], lastNames[bits>>6&63]
	number := bits >> 32
	switch kind {
	case "first_name":
		return append(dst, first...)
	case "last_name":
		return append(dst, last...)
	case "full_name":
		return append(append(append(dst, first...), ' '), last...)
	case "city":
		return append(dst, cities[bits>>12&63]...)
	case "company":
		return append(append(dst, companies[bits>>12&63]...), companyForms[bits>>18&3]...)
	case "address":
		dst = append(strconv.AppendUint(dst, number%199+1, 10), ' ')
		dst = append(append(dst, streets[bits>>12&63]...), streetForms[bits>>18&3]...)
		return append(append(dst, ", "...), cities[bits>>20&63]...)
	case "email":
		// example.com is reserved (RFC 2606): no such mailbox exists.
		dst = append(append(appendLower(dst, first), '.'), appendLower(nil, last)...)
		dst = strconv.AppendUint(dst, number%10000, 10)
		return append(dst, "@example.com"...)
	}
	// 555-01xx is set aside for fiction in the North American numbering plan.
	dst = appendPadded(append(dst, "+1-"...), 200+int(number%800), 3)
	return appendPadded(append(dst, "-555-01"...), int((bits>>16&0xffff)%100), 2)
}

func appendLower(dst []byte, s string) []byte {
	for _, b := range []byte(s) {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}
