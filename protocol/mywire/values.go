package mywire

import (
	"encoding/binary"
	"math"
)

// Date is a date and time of day as the binary protocol has it. Any part may
// be zero, as MySQL allows.
type Date struct {
	Year                 uint16
	Month, Day           uint8
	Hour, Minute, Second uint8
	Micro                uint32
}

// Duration is a value of TIME.
type Duration struct {
	Negative             bool
	Days                 uint32
	Hour, Minute, Second uint8
	Micro                uint32
}

// DecodeInt reads the content of a cell of an integer type or YEAR.
func DecodeInt(t Type, unsigned bool, cell []byte) (n int64, u uint64, ok bool) {
	if len(cell) != t.width() {
		return 0, 0, false
	}
	switch t {
	case TypeTiny:
		n, u = int64(int8(cell[0])), uint64(cell[0])
	case TypeShort, TypeYear:
		v := binary.LittleEndian.Uint16(cell)
		n, u = int64(int16(v)), uint64(v)
	case TypeLong, TypeInt24:
		v := binary.LittleEndian.Uint32(cell)
		n, u = int64(int32(v)), uint64(v)
	case TypeLongLong:
		u = binary.LittleEndian.Uint64(cell)
		n = int64(u)
	default:
		return 0, 0, false
	}
	if unsigned {
		return int64(u), u, true
	}
	return n, uint64(n), true
}

// AppendInt appends the low bytes of n as a value of an integer type or YEAR; it
// reports false, and appends nothing, for another type.
func AppendInt(dst []byte, t Type, n int64) ([]byte, bool) {
	switch t {
	case TypeTiny:
		return append(dst, byte(n)), true
	case TypeShort, TypeYear:
		return binary.LittleEndian.AppendUint16(dst, uint16(n)), true
	case TypeLong, TypeInt24:
		return binary.LittleEndian.AppendUint32(dst, uint32(n)), true
	case TypeLongLong:
		return binary.LittleEndian.AppendUint64(dst, uint64(n)), true
	}
	return dst, false
}

// DecodeFloat reads the content of a cell of FLOAT or DOUBLE.
func DecodeFloat(t Type, cell []byte) (f float64, ok bool) {
	switch {
	case t == TypeFloat && len(cell) == 4:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(cell))), true
	case t == TypeDouble && len(cell) == 8:
		return math.Float64frombits(binary.LittleEndian.Uint64(cell)), true
	}
	return 0, false
}

// AppendFloat appends f as a value of FLOAT or DOUBLE; it reports false, and
// appends nothing, for another type.
func AppendFloat(dst []byte, t Type, f float64) ([]byte, bool) {
	switch t {
	case TypeFloat:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f))), true
	case TypeDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), true
	}
	return dst, false
}

// DecodeDate reads the content of a cell of DATE, DATETIME or TIMESTAMP.
func DecodeDate(cell []byte) (d Date, ok bool) {
	switch len(cell) {
	case 11:
		d.Micro = binary.LittleEndian.Uint32(cell[7:])
		fallthrough
	case 7:
		d.Hour, d.Minute, d.Second = cell[4], cell[5], cell[6]
		fallthrough
	case 4:
		d.Year, d.Month, d.Day = binary.LittleEndian.Uint16(cell), cell[2], cell[3]
		fallthrough
	case 0:
		return d, true
	}
	return Date{}, false
}

// AppendDate appends a value of DATE, DATETIME or TIMESTAMP with its length, in
// the shortest form.
func AppendDate(dst []byte, d Date) []byte {
	n := byte(11)
	switch {
	case d == Date{}:
		return append(dst, 0)
	case d.Micro != 0:
	case d.Hour != 0 || d.Minute != 0 || d.Second != 0:
		n = 7
	default:
		n = 4
	}
	dst = binary.LittleEndian.AppendUint16(append(dst, n), d.Year)
	dst = append(dst, d.Month, d.Day)
	if n >= 7 {
		dst = append(dst, d.Hour, d.Minute, d.Second)
	}
	if n == 11 {
		dst = binary.LittleEndian.AppendUint32(dst, d.Micro)
	}
	return dst
}

// DecodeDuration reads the content of a cell of TIME.
func DecodeDuration(cell []byte) (d Duration, ok bool) {
	switch len(cell) {
	case 12:
		d.Micro = binary.LittleEndian.Uint32(cell[8:])
		fallthrough
	case 8:
		d.Negative, d.Days = cell[0] != 0, binary.LittleEndian.Uint32(cell[1:])
		d.Hour, d.Minute, d.Second = cell[5], cell[6], cell[7]
		fallthrough
	case 0:
		return d, true
	}
	return Duration{}, false
}

// AppendDuration appends a value of TIME with its length, in the shortest form.
func AppendDuration(dst []byte, d Duration) []byte {
	n := byte(12)
	if d.Micro == 0 {
		n = 8
	}
	if n == 8 && d.Days == 0 && d.Hour == 0 && d.Minute == 0 && d.Second == 0 {
		return append(dst, 0)
	}
	sign := byte(0)
	if d.Negative {
		sign = 1
	}
	dst = binary.LittleEndian.AppendUint32(append(dst, n, sign), d.Days)
	dst = append(dst, d.Hour, d.Minute, d.Second)
	if n == 12 {
		dst = binary.LittleEndian.AppendUint32(dst, d.Micro)
	}
	return dst
}
