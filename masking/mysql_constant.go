package masking

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// mysqlConstant is the cell that redact shows for a type of MySQL.
func mysqlConstant(t Type, f Format) ([]byte, error) {
	v := value{}
	switch t.Kind {
	case KindText, KindBPChar:
		v.text = []byte(redactedText)
	case KindJSON:
		v.text = []byte(redactedJSON)
	case KindNumeric:
		v.dec.scale = t.Scale
	case KindYear:
		v.n = redactedYear
	case KindDate, KindTimestamp:
		v.n = -daysBefore2000
		if t.Kind != KindDate {
			v.n *= microsDay
		}
	case KindTimestampTZ:
		v.n = timestampFirstDay * microsDay
	case KindInet:
		text := "0.0.0.0"
		if t.Name == "inet6" {
			text = "::"
		}
		return mysqlText(&t, text)
	case KindEnum:
		if len(t.Labels) > 0 {
			return mysqlText(&t, t.Labels[0])
		}
		return []byte{}, nil // what ENUM shows for a value that is none of its labels
	case KindSet:
		return []byte{}, nil
	case KindBit:
		if t.Length > maxBitLength {
			return nil, fmt.Errorf("a bit field has at most %d bits, not %d", maxBitLength, t.Length)
		}
		return make([]byte, (max(t.Length, 1)+7)/8), nil // one bit where nobody knows how many
	case KindGeometry:
		return geometryConstant(t.Name), nil
	case KindBytes:
		if t.Fixed && t.Length > maxBits {
			return nil, fmt.Errorf("its constant would have %d bytes, more than %d", t.Length, maxBits)
		}
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindUint64, KindFloat32, KindFloat64, KindUUID, KindTime:
	default:
		return nil, errors.New("no constant is valid for it")
	}
	out, ok := encodeMySQL([]byte{}, &t, f, &v)
	if !ok {
		return nil, fmt.Errorf("its constant cannot be written in %s", t.Charset)
	}
	return out, nil
}

const (
	redactedYear = 1970
	maxBitLength = 64
)

func mysqlText(t *Type, text string) ([]byte, error) {
	out, ok := t.Charset.append([]byte{}, []byte(text))
	if !ok {
		return nil, fmt.Errorf("its constant cannot be written in %s", t.Charset)
	}
	return out, nil
}

// mysqlGiven writes the policy's value as a cell of the type.
func mysqlGiven(t Type, f Format, given any) ([]byte, error) {
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
	case KindText, KindBPChar, KindBytes:
		v.text = []byte(text)
	case KindJSON:
		if number {
			v.text = []byte(text)
		} else {
			v.text, _ = json.Marshal(given)
		}
	case KindEnum:
		if !slices.Contains(t.Labels, text) {
			return nil, wrong
		}
		v.text = []byte(text)
	case KindSet:
		for _, label := range strings.Split(text, ",") {
			if text != "" && !slices.Contains(t.Labels, label) {
				return nil, wrong
			}
		}
		v.text = []byte(text)
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindUint64, KindFloat32, KindFloat64, KindNumeric, KindYear,
		KindUUID, KindDate, KindTime, KindTimestamp, KindTimestampTZ:
		plain := t
		plain.Charset = CharsetUTF8
		if b, ok := given.(bool); ok && t.Kind == KindInt8 { // BOOLEAN is TINYINT(1)
			text = map[bool]string{false: "0", true: "1"}[b]
		}
		if !decodeMySQL(&plain, Text, []byte(text), &v) {
			return nil, wrong
		}
	default:
		return nil, errors.New(`argument "value" is not served for it`)
	}
	out, ok := encodeMySQL([]byte{}, &t, f, &v)
	if !ok {
		return nil, wrong
	}
	return out, nil
}

// Types of well-known binary (OGC 06-103r4, 8.2.3).
const (
	wkbPoint = iota + 1
	wkbLineString
	wkbPolygon
	wkbMultiPoint
	wkbMultiLineString
	wkbMultiPolygon
	wkbCollection
)

// geometryConstant is the smallest valid geometry of a type at the origin, as
// MySQL writes it: SRID 0, then well-known binary in little endian.
func geometryConstant(name string) []byte {
	point := wkb(wkbPoint, coordinates(0, 0))
	line := wkb(wkbLineString, counted(2, coordinates(0, 0, 1, 1)))
	polygon := wkb(wkbPolygon, counted(1, counted(4, coordinates(0, 0, 0, 1, 1, 1, 0, 0))))
	shape := point
	switch name {
	case "linestring":
		shape = line
	case "polygon":
		shape = polygon
	case "multipoint":
		shape = wkb(wkbMultiPoint, counted(1, point))
	case "multilinestring":
		shape = wkb(wkbMultiLineString, counted(1, line))
	case "multipolygon":
		shape = wkb(wkbMultiPolygon, counted(1, polygon))
	case "geometrycollection", "geomcollection":
		shape = wkb(wkbCollection, counted(0, nil))
	}
	return append([]byte{0, 0, 0, 0}, shape...)
}

func wkb(kind uint32, body []byte) []byte {
	const littleEndian = 1
	return append(binary.LittleEndian.AppendUint32([]byte{littleEndian}, kind), body...)
}

func counted(n uint32, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, n), body...)
}

func coordinates(numbers ...float64) []byte {
	var out []byte
	for _, n := range numbers {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(n))
	}
	return out
}
