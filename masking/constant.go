package masking

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const (
	nullName   = "null"
	redactName = "redact"

	redactedText = "[redacted]"
	redactedJSON = `"[redacted]"`
	// maxBits bounds the constant of a bit string, which is as long as its column.
	maxBits = 1 << 16
)

// nullBuilder makes every cell SQL NULL.
type nullBuilder struct{}

func parseNull(*arguments) builder { return nullBuilder{} }

func (nullBuilder) check(Type) error                { return nil }
func (nullBuilder) build(Type, *Keys) (mask, error) { return nil, nil }

// redactBuilder makes every cell one constant.
type redactBuilder struct{ value any }

func parseRedact(a *arguments) builder {
	v := a.values["value"]
	switch s := v.(type) {
	case nil, bool:
	case string:
		a.text("value", s)
	default:
		if _, ok := numberText(v); !ok {
			a.fail("value", "want a string, a number or a boolean, got %s", describe(v))
		}
	}
	return redactBuilder{v}
}

func (r redactBuilder) check(t Type) error {
	for _, f := range []Format{Text, Binary} {
		if _, err := constant(t, f, r.value); err != nil {
			return err
		}
	}
	return nil
}

func (redactBuilder) build(Type, *Keys) (mask, error) { return nil, nil }

// Constant is what stands in the place of a column of type t that is masked
// with spec where its values must not be used at all, in the text form of the
// type, in UTF-8; nil is SQL NULL. It is what redact shows, and NULL for null. The error
// is an *ArgumentError or a *NotExpressible.
func Constant(spec Spec, t Type) ([]byte, error) {
	f, b, err := parse(spec)
	if err != nil || f.Name == nullName {
		return nil, err
	}
	redact, ok := b.(redactBuilder)
	if !ok {
		redact = redactBuilder{}
	}
	t.Charset = CharsetUTF8
	if err := redact.check(t); err != nil {
		return nil, refuse(redactName, t, err.Error())
	}
	return constant(t, Text, redact.value)
}

// constant is the cell that redact shows for a type: its own constant, or the
// one that the policy's value asks for.
func constant(t Type, f Format, given any) ([]byte, error) {
	switch {
	case t.Wire == MySQL && given != nil:
		return mysqlGiven(t, f, given)
	case t.Wire == MySQL:
		return mysqlConstant(t, f)
	case given != nil:
		return givenConstant(t, f, given)
	}
	text, zeros := "", 0 // of kinds whose binary constant is all zero
	switch t.Kind {
	case KindText, KindBPChar:
		return appendFitted(nil, &t, []byte(redactedText)), nil
	case KindNumeric:
		v := value{}
		v.dec.scale = max(t.Scale, 0)
		out, _ := encode(nil, &Type{Kind: KindNumeric}, f, &v)
		return out, nil
	case KindDate, KindTimestamp, KindTimestampTZ:
		v := value{n: -daysBefore2000}
		if t.Kind != KindDate {
			v.n *= microsDay
		}
		out, _ := encode(nil, &t, f, &v)
		return out, nil
	case KindJSON:
		return []byte(redactedJSON), nil
	case KindJSONB:
		out, _ := encode(nil, &t, f, &value{text: []byte(redactedJSON)})
		return out, nil
	case KindBytes:
		text, zeros = `\x`, 0
	case KindBool:
		text, zeros = "f", 1
	case KindInt16, KindInt32, KindInt64:
		text, zeros = "0", t.integerSize()
	case KindFloat32, KindFloat64:
		text, zeros = "0", floatBits(t.Kind)/8
	case KindMoney:
		text, zeros = "$0.00", 8
	case KindTime:
		text, zeros = "00:00:00", 8
	case KindTimeTZ:
		text, zeros = "00:00:00+00", 12
	case KindInterval:
		text, zeros = "00:00:00", 16
	case KindUUID:
		text, zeros = "00000000-0000-0000-0000-000000000000", 16
	case KindMAC:
		text, zeros = "00:00:00:00:00:00", 6
	case KindMAC8:
		text, zeros = "00:00:00:00:00:00:00:00", 8
	case KindMultirange:
		text, zeros = "{}", 4
	default:
		return structuredConstant(t, f)
	}
	if f == Text {
		return []byte(text), nil
	}
	return make([]byte, zeros), nil
}

// Fields of PostgreSQL's binary inet and cidr (network.c, network_send).
const (
	inetFamily4 = 2
	inetBits4   = 32
)

// rangeEmpty is the flag byte of an empty range (rangetypes.h, RANGE_EMPTY).
const rangeEmpty = 1

func structuredConstant(t Type, f Format) ([]byte, error) {
	switch t.Kind {
	case KindInet, KindCIDR:
		text, cidr := "0.0.0.0", byte(0)
		if t.Kind == KindCIDR {
			text, cidr = "0.0.0.0/32", 1
		}
		if f == Text {
			return []byte(text), nil
		}
		return []byte{inetFamily4, inetBits4, cidr, 4, 0, 0, 0, 0}, nil
	case KindRange:
		if f == Text {
			return []byte("empty"), nil
		}
		return []byte{rangeEmpty}, nil
	case KindBit, KindVarBit:
		bits := t.Length
		if t.Kind == KindVarBit {
			bits = 0
		}
		if bits > maxBits {
			return nil, fmt.Errorf("its constant would have %d bits, more than %d", bits, maxBits)
		}
		if f == Text {
			return []byte(strings.Repeat("0", bits)), nil
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(bits)), make([]byte, (bits+7)/8)...), nil
	case KindArray:
		if t.Elem == nil {
			return nil, errors.New("the type of its elements is not known")
		}
		if f == Text {
			return []byte("{}"), nil
		}
		if t.Elem.OID == 0 {
			return nil, errors.New("the type of its elements is not known")
		}
		return appendArrayHeader(nil, 0, 0, t.Elem.OID), nil
	case KindEnum:
		if len(t.Labels) == 0 {
			return nil, errors.New("its labels are not known")
		}
		return []byte(t.Labels[0]), nil
	}
	return nil, errors.New("no constant is valid for it")
}

// givenConstant writes the policy's value as a cell of the type.
func givenConstant(t Type, f Format, given any) ([]byte, error) {
	text, number := numberText(given)
	switch g := given.(type) {
	case string:
		text = g
	case bool:
		text = fmt.Sprint(g)
	}
	wrong := fmt.Errorf("argument \"value\": %q is not a value of it", text)
	v := value{}
	switch t.Kind {
	case KindText, KindBPChar:
		return appendFitted(nil, &t, []byte(text)), nil
	case KindJSON, KindJSONB:
		if number {
			v.text = []byte(text)
		} else {
			v.text, _ = json.Marshal(given)
		}
	case KindBool:
		g, ok := given.(bool)
		if !ok {
			return nil, wrong
		}
		return boolCell(g, f), nil
	case KindEnum:
		for _, l := range t.Labels {
			if l == text {
				return []byte(l), nil
			}
		}
		return nil, wrong
	case KindInt16, KindInt32, KindInt64, KindFloat32, KindFloat64, KindNumeric, KindMoney, KindUUID,
		KindBytes, KindDate, KindTime, KindTimeTZ, KindTimestamp, KindTimestampTZ:
		if !decode(&t, Text, bytes.Clone([]byte(text)), &v) {
			return nil, wrong
		}
	default:
		return nil, errors.New(`argument "value" is not served for it`)
	}
	out, ok := encode(nil, &t, f, &v)
	if !ok {
		return nil, wrong
	}
	return out, nil
}

func boolCell(b bool, f Format) []byte {
	switch {
	case f == Text && b:
		return []byte("t")
	case f == Text:
		return []byte("f")
	case b:
		return []byte{1}
	}
	return []byte{0}
}
