package masking

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
)

// writesCharacters says whether a cell is written in the result's character
// set: everything in the text protocol but bytes, bits and geometries; in the
// binary protocol what has a length in front of it.
func (t *Type) writesCharacters(f Format) bool {
	switch t.Kind {
	case KindBytes, KindBit, KindGeometry:
		return false
	case KindText, KindBPChar, KindJSON, KindUUID, KindInet, KindEnum, KindSet, KindNumeric:
		return true
	}
	return f == Text
}

// decodeMySQL reads a cell of MySQL's text or binary protocol, without the
// length in front of it.
func decodeMySQL(t *Type, f Format, src []byte, v *value) bool {
	if t.writesCharacters(f) {
		var ok bool
		if src, v.buf, ok = t.Charset.decode(v.buf, src); !ok {
			return false
		}
	}
	switch t.Kind {
	case KindText, KindJSON, KindBytes:
		v.text = src
		return true
	case KindBPChar:
		v.text = bytes.TrimRight(src, " ")
		return true
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindYear:
		return v.decodeMySQLInteger(t, f, src)
	case KindUint64:
		return v.decodeUint64(f, src)
	case KindFloat32, KindFloat64:
		return v.decodeMySQLFloat(t, f, src)
	case KindNumeric:
		return v.dec.parse(src)
	case KindUUID:
		return v.decodeUUID(Text, src)
	case KindDate, KindTime, KindTimestamp, KindTimestampTZ:
		return v.decodeMySQLTime(t, f, src)
	}
	return false
}

// encodeMySQL appends a cell as decodeMySQL reads it. False: the value does not
// fit the type, or is not in the result's character set.
func encodeMySQL(dst []byte, t *Type, f Format, v *value) ([]byte, bool) {
	if !t.writesCharacters(f) || t.Charset == CharsetUTF8 {
		return appendMySQL(dst, t, f, v)
	}
	var ok bool
	if v.out, ok = appendMySQL(v.out[:0], t, f, v); !ok {
		return dst, false
	}
	return t.Charset.append(dst, v.out)
}

// appendMySQL appends a cell with its characters in UTF-8.
func appendMySQL(dst []byte, t *Type, f Format, v *value) ([]byte, bool) {
	switch t.Kind {
	case KindText, KindBPChar:
		return append(dst, cut(v.text, t.Length, t.MaxBytes)...), true
	case KindJSON, KindEnum, KindSet:
		return append(dst, v.text...), true
	case KindBytes:
		return appendBytes(dst, t, v.text), true
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindYear:
		return v.appendMySQLInteger(dst, t, f)
	case KindUint64:
		return v.appendUint64(dst, t, f)
	case KindFloat32, KindFloat64:
		return v.appendMySQLFloat(dst, t, f)
	case KindNumeric:
		if !v.dec.fit(t) {
			return dst, false
		}
		return v.dec.appendText(dst), true
	case KindUUID:
		return v.appendUUID(dst, Text), true
	case KindDate, KindTime, KindTimestamp, KindTimestampTZ:
		return v.appendMySQLTime(dst, t, f)
	}
	return dst, false
}

// appendBytes appends bytes cut to the declared length, or filled up to it.
func appendBytes(dst []byte, t *Type, b []byte) []byte {
	if t.Length > 0 && len(b) > t.Length {
		b = b[:t.Length]
	}
	dst = append(dst, b...)
	if t.Fixed {
		dst = append(dst, make([]byte, max(t.Length-len(b), 0))...)
	}
	return dst
}

func (v *value) decodeMySQLInteger(t *Type, f Format, src []byte) bool {
	ok := true
	switch {
	case f == Text:
		v.n, ok = parseInteger(src)
	case len(src) != t.integerSize():
		return false
	case len(src) == 1 && t.Unsigned:
		v.n = int64(src[0])
	case len(src) == 1:
		v.n = int64(int8(src[0]))
	case len(src) == 2 && (t.Unsigned || t.Kind == KindYear):
		v.n = int64(binary.LittleEndian.Uint16(src))
	case len(src) == 2:
		v.n = int64(int16(binary.LittleEndian.Uint16(src)))
	case len(src) == 4 && t.Unsigned:
		v.n = int64(binary.LittleEndian.Uint32(src))
	case len(src) == 4:
		v.n = int64(int32(binary.LittleEndian.Uint32(src)))
	default:
		v.n = int64(binary.LittleEndian.Uint64(src))
	}
	least, most := t.integerRange()
	return ok && v.n >= least && v.n <= most
}

func (v *value) appendMySQLInteger(dst []byte, t *Type, f Format) ([]byte, bool) {
	if least, most := t.integerRange(); v.n < least || v.n > most {
		return dst, false
	}
	if f == Text {
		return appendFilled(dst, t, strconv.AppendInt(nil, v.n, 10)), true
	}
	switch t.integerSize() {
	case 1:
		return append(dst, byte(v.n)), true
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(v.n)), true
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(v.n)), true
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(v.n)), true
}

// appendFilled appends digits with zeros in front to the display width.
func appendFilled(dst []byte, t *Type, digits []byte) []byte {
	for n := len(digits); n < t.ZeroFill; n++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// decodeUint64 keeps the number as a decimal: it may be more than an int64 holds.
func (v *value) decodeUint64(f Format, src []byte) bool {
	v.dec.scale = 0
	if f == Binary {
		if len(src) != 8 {
			return false
		}
		v.dec.coef.SetUint64(binary.LittleEndian.Uint64(src))
		return true
	}
	n, err := strconv.ParseUint(string(src[:min(len(src), maxZeroFill)]), 10, 64)
	v.dec.coef.SetUint64(n)
	return err == nil
}

func (v *value) appendUint64(dst []byte, t *Type, f Format) ([]byte, bool) {
	if !v.dec.fit(t) {
		return dst, false
	}
	n := v.dec.coef.Uint64()
	if f == Binary {
		return binary.LittleEndian.AppendUint64(dst, n), true
	}
	return appendFilled(dst, t, strconv.AppendUint(nil, n, 10)), true
}

func (v *value) decodeMySQLFloat(t *Type, f Format, src []byte) bool {
	bits := floatBits(t.Kind)
	switch {
	case f == Text:
		if len(src) > 400 {
			return false
		}
		n, err := strconv.ParseFloat(string(src), bits)
		if err != nil {
			return false
		}
		v.f = n
	case len(src) != bits/8:
		return false
	case bits == 32:
		v.f = float64(math.Float32frombits(binary.LittleEndian.Uint32(src)))
	default:
		v.f = math.Float64frombits(binary.LittleEndian.Uint64(src))
	}
	v.f = t.roundFloat(v.f)
	return t.fitsFloat(v.f)
}

// fitsFloat says whether a rounded number is within what the type holds.
func (t *Type) fitsFloat(f float64) bool {
	switch {
	case !isFinite(f), t.Unsigned && f < 0, t.Kind == KindFloat32 && math.Abs(f) > math.MaxFloat32:
		return false
	}
	return t.Precision == 0 || math.Abs(f) < math.Pow10(t.Precision-t.Scale)
}

// floatDigits is how many digits MySQL shows of a FLOAT in text (FLT_DIG).
// More of them in the binary protocol would make another value of it.
const floatDigits = 6

// roundFloat brings a number to what its type shows.
func (t *Type) roundFloat(f float64) float64 {
	switch {
	case !isFinite(f):
	case t.Wire != MySQL && t.Kind == KindFloat32:
		return float64(float32(f))
	case t.Wire != MySQL:
	case t.Precision > 0:
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', t.Scale, 64), 64)
	case t.Kind == KindFloat32:
		f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'g', floatDigits, 64), 64)
	}
	return f
}

func (v *value) appendMySQLFloat(dst []byte, t *Type, f Format) ([]byte, bool) {
	v.f = t.roundFloat(v.f)
	if !t.fitsFloat(v.f) {
		return dst, false
	}
	if v.f == 0 {
		v.f = 0 // no minus before it
	}
	switch {
	case f == Text && t.Precision > 0:
		return strconv.AppendFloat(dst, v.f, 'f', t.Scale, 64), true
	case f == Text:
		return appendGeneral(dst, v.f), true
	case t.Kind == KindFloat32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.f))), true
	}
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.f)), true
}

// appendGeneral writes the shortest digits that read back as the same float,
// with an exponent where MySQL has one: 1e15 and not 1e+15 (dtoa.c, my_gcvt).
func appendGeneral(dst []byte, f float64) []byte {
	if abs := math.Abs(f); abs == 0 || abs >= 1e-15 && abs < 1e15 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if i := bytes.LastIndexByte(dst[start:], '+'); i >= 0 {
		dst = append(dst[:start+i], dst[start+i+1:]...)
	}
	return dst
}

// uint64Limit is one more than a BIGINT UNSIGNED holds.
var uint64Limit = new(big.Int).Lsh(big.NewInt(1), 64)
