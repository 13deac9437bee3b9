package masking

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// value is one decoded cell. Which field counts follows from the type's kind.
type value struct {
	text []byte // text kinds without padding, KindBytes, json kinds; borrowed
	n    int64  // integers, KindMoney in hundredths; dates and times as time.go says
	zone int32  // seconds east of UTC that a time was written with
	f    float64
	dec  decimal
	uuid [16]byte
	buf  []byte // backs text where decoding had to write
	out  []byte // a cell before it is written in its character set
}

// decode reads a cell. False: it is not a value that can be computed with.
func decode(t *Type, f Format, src []byte, v *value) bool {
	if t.Wire == MySQL {
		return decodeMySQL(t, f, src, v)
	}
	switch t.Kind {
	case KindText, KindBPChar:
		return v.decodeText(t, src)
	case KindInt16, KindInt32, KindInt64:
		return v.decodeInteger(t, f, src)
	case KindFloat32, KindFloat64:
		return v.decodeFloat(t, f, src)
	case KindNumeric:
		if f == Binary {
			return v.dec.parseBinary(src)
		}
		return v.dec.parse(src)
	case KindMoney:
		return v.decodeMoney(f, src)
	case KindBytes:
		return v.decodeBytes(f, src)
	case KindUUID:
		return v.decodeUUID(f, src)
	case KindDate, KindTime, KindTimeTZ, KindTimestamp, KindTimestampTZ:
		return v.decodeTime(t, f, src)
	case KindJSONB:
		if f == Binary {
			if len(src) == 0 || src[0] != jsonbVersion {
				return false
			}
			src = src[1:]
		}
		v.text = src
		return true
	case KindJSON:
		v.text = src
		return true
	}
	return false
}

// jsonbVersion is the first byte of a binary jsonb.
const jsonbVersion = 1

// encode appends a cell. False: the value does not fit the type.
func encode(dst []byte, t *Type, f Format, v *value) ([]byte, bool) {
	if t.Wire == MySQL {
		return encodeMySQL(dst, t, f, v)
	}
	switch t.Kind {
	case KindText, KindBPChar:
		return appendFitted(dst, t, v.text), true
	case KindInt16, KindInt32, KindInt64:
		return v.appendInteger(dst, t, f)
	case KindFloat32, KindFloat64:
		return v.appendFloat(dst, t, f)
	case KindNumeric:
		if !v.dec.fit(t) {
			return dst, false
		}
		if f == Binary {
			return v.dec.appendBinary(dst), true
		}
		return v.dec.appendText(dst), true
	case KindMoney:
		return v.appendMoney(dst, f), true
	case KindBytes:
		if f == Binary {
			return append(dst, v.text...), true
		}
		return hex.AppendEncode(append(dst, '\\', 'x'), v.text), true
	case KindUUID:
		return v.appendUUID(dst, f), true
	case KindDate, KindTime, KindTimeTZ, KindTimestamp, KindTimestampTZ:
		return v.appendTime(dst, t, f)
	case KindJSONB:
		if f == Binary {
			dst = append(dst, jsonbVersion)
		}
		return append(dst, v.text...), true
	case KindJSON:
		return append(dst, v.text...), true
	}
	return dst, false
}

func (v *value) decodeText(t *Type, src []byte) bool {
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return false
	}
	if t.Kind == KindBPChar {
		src = bytes.TrimRight(src, " ")
	}
	v.text = src
	return true
}

// appendFitted appends text cut to the declared length of t between graphemes,
// padded if t is padded.
func appendFitted(dst []byte, t *Type, text []byte) []byte {
	text = cut(text, t.Length, t.MaxBytes)
	dst = append(dst, text...)
	if t.Kind == KindBPChar {
		for n := utf8.RuneCount(text); n < t.Length; n++ {
			dst = append(dst, ' ')
		}
	}
	return dst
}

// cut shortens valid UTF-8 to at most so many characters and bytes (0 is no
// limit) without splitting a grapheme.
func cut(text []byte, runes, size int) []byte {
	if (size == 0 || len(text) <= size) && (runes == 0 || len(text) <= runes || utf8.RuneCount(text) <= runes) {
		return text
	}
	end, count := 0, 0
	g := graphemes.FromBytes(text)
	for g.Next() {
		count += utf8.RuneCount(g.Value())
		if runes > 0 && count > runes || size > 0 && g.End() > size {
			break
		}
		end = g.End()
	}
	return text[:end]
}

// integerSize is how many bytes an integer has in the binary format.
func (t *Type) integerSize() int {
	switch t.Kind {
	case KindInt8:
		return 1
	case KindInt16, KindYear:
		return 2
	case KindInt32, KindInt24:
		return 4
	}
	return 8
}

// integerBits is how many bits an integer type holds.
func (t *Type) integerBits() int {
	if t.Kind == KindInt24 {
		return 24
	}
	return 8 * t.integerSize()
}

// Years that MySQL's YEAR holds beside 0000, which is not computed with.
const (
	firstYear = 1901
	lastYear  = 2155
)

// integerRange gives the least and the largest value of an integer type.
func (t *Type) integerRange() (least, most int64) {
	if t.Kind == KindYear {
		return firstYear, lastYear
	}
	bits := t.integerBits()
	if t.Unsigned {
		return 0, math.MaxInt64 >> (63 - bits)
	}
	return math.MinInt64 >> (64 - bits), math.MaxInt64 >> (64 - bits)
}

func (v *value) decodeInteger(t *Type, f Format, src []byte) bool {
	if f == Text {
		n, ok := parseInteger(src)
		least, most := t.integerRange()
		v.n = n
		return ok && n >= least && n <= most
	}
	if len(src) != t.integerSize() {
		return false
	}
	switch len(src) {
	case 2:
		v.n = int64(int16(binary.BigEndian.Uint16(src)))
	case 4:
		v.n = int64(int32(binary.BigEndian.Uint32(src)))
	default:
		v.n = int64(binary.BigEndian.Uint64(src))
	}
	return true
}

// parseInteger reads an optional minus and digits, without allocating.
func parseInteger(s []byte) (int64, bool) {
	if len(s) == 0 || len(s) > 20 || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(s), 10, 64)
	return n, err == nil
}

func (v *value) appendInteger(dst []byte, t *Type, f Format) ([]byte, bool) {
	if least, most := t.integerRange(); v.n < least || v.n > most {
		return dst, false
	}
	if f == Text {
		return strconv.AppendInt(dst, v.n, 10), true
	}
	switch t.integerSize() {
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v.n)), true
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v.n)), true
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v.n)), true
}

func floatBits(k Kind) int {
	if k == KindFloat32 {
		return 32
	}
	return 64
}

func (v *value) decodeFloat(t *Type, f Format, src []byte) bool {
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
		v.f = float64(math.Float32frombits(binary.BigEndian.Uint32(src)))
	default:
		v.f = math.Float64frombits(binary.BigEndian.Uint64(src))
	}
	return isFinite(v.f)
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func (v *value) appendFloat(dst []byte, t *Type, f Format) ([]byte, bool) {
	v.f = t.roundFloat(v.f)
	if !isFinite(v.f) {
		return dst, false
	}
	switch {
	case f == Text:
		return appendFloatText(dst, v.f, floatBits(t.Kind)), true
	case t.Kind == KindFloat32:
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.f))), true
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.f)), true
}

// appendFloatText writes the shortest digits that read back as the same float,
// with an exponent where PostgreSQL has one.
func appendFloatText(dst []byte, f float64, bits int) []byte {
	format, limit := byte('e'), 1e15
	if bits == 32 {
		limit = 1e6
	}
	if abs := math.Abs(f); abs == 0 || abs >= 1e-4 && abs < limit {
		format = 'f'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

// decodeMoney reads hundredths. Text is read as locales C and en_US write it:
// -$1,234.50.
func (v *value) decodeMoney(f Format, src []byte) bool {
	if f == Binary {
		if len(src) != 8 {
			return false
		}
		v.n = int64(binary.BigEndian.Uint64(src))
		return true
	}
	src, neg := bytes.CutPrefix(src, []byte("-"))
	src, _ = bytes.CutPrefix(src, []byte("$"))
	if len(src) < 4 || len(src) > 27 || src[len(src)-3] != '.' {
		return false
	}
	var buf [28]byte
	digits := buf[:0]
	if neg {
		digits = append(digits, '-')
	}
	for i, c := range src {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case c == '.' && i == len(src)-3:
		case c == ',' && i > 0 && i < len(src)-3:
		default:
			return false
		}
	}
	n, ok := parseInteger(digits)
	v.n = n
	return ok
}

func (v *value) appendMoney(dst []byte, f Format) []byte {
	if f == Binary {
		return binary.BigEndian.AppendUint64(dst, uint64(v.n))
	}
	if v.n < 0 {
		dst = append(dst, '-')
	}
	abs := uint64(v.n)
	if v.n < 0 {
		abs = -abs
	}
	var buf [24]byte
	digits := strconv.AppendUint(buf[:0], abs/100, 10)
	dst = append(dst, '$')
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c)
	}
	return append(dst, '.', byte('0'+abs/10%10), byte('0'+abs%10))
}

// decodeBytes reads bytea; in text only bytea_output = hex is read.
func (v *value) decodeBytes(f Format, src []byte) bool {
	if f == Binary {
		v.text = src
		return true
	}
	digits, ok := bytes.CutPrefix(src, []byte(`\x`))
	if !ok {
		return false
	}
	out, err := hex.AppendDecode(v.buf[:0], digits)
	v.buf, v.text = out, out
	return err == nil
}

func (v *value) decodeUUID(f Format, src []byte) bool {
	if f == Binary {
		return copy(v.uuid[:], src) == 16 && len(src) == 16
	}
	if len(src) != 36 || src[8] != '-' || src[13] != '-' || src[18] != '-' || src[23] != '-' {
		return false
	}
	for i, at := range uuidGroups {
		group := src[at : at+2]
		if _, err := hex.Decode(v.uuid[i:i+1], group); err != nil {
			return false
		}
	}
	return true
}

// uuidGroups is where each byte stands in the text of a UUID (RFC 9562).
var uuidGroups = [16]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

func (v *value) appendUUID(dst []byte, f Format) []byte {
	if f == Binary {
		return append(dst, v.uuid[:]...)
	}
	for i := range v.uuid {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, v.uuid[i:i+1])
	}
	return dst
}
