package masking

import (
	"bytes"
	"encoding/binary"
)

// MySQL's calendar, in days as time.go counts them. Zero dates, dates with a
// zero in them, and the year 0000 are not computed with: the constant takes
// their place.
var (
	mysqlLastDay = dayNumber(9999, 12, 31)
	// A TIMESTAMP is within these days in every time zone. MariaDB 11.5 and later
	// reach 2106; up to 2038 is valid in every version.
	timestampFirstDay = dayNumber(1970, 1, 2)
	timestampLastDay  = dayNumber(2038, 1, 18)
)

// maxClock is the longest TIME, 838:59:59, with the fraction that may follow.
const maxClock = 839*microsHour - 1

// maxFraction is how many digits a fraction of a second has at most.
const maxFraction = 6

func (v *value) mysqlTimeInRange(t *Type) bool {
	switch t.Kind {
	case KindDate:
		return v.n >= firstDay && v.n <= mysqlLastDay
	case KindTimestamp:
		day := floorDiv(v.n, microsDay)
		return day >= firstDay && day <= mysqlLastDay
	case KindTimestampTZ:
		day := floorDiv(v.n, microsDay)
		return day >= timestampFirstDay && day <= timestampLastDay
	}
	return v.n >= -maxClock && v.n <= maxClock
}

// decodeMySQLTime reads what is in the calendar, whether or not the type could
// show it: a TIMESTAMP of a later server may be moved into the range.
func (v *value) decodeMySQLTime(t *Type, f Format, src []byte) bool {
	v.zone = 0
	ok := false
	switch {
	case f == Text:
		ok = v.decodeMySQLTimeText(t.Kind, src)
	case t.Kind == KindTime:
		ok = v.decodeClockBinary(src)
	default:
		ok = v.decodeDateBinary(t.Kind, src)
	}
	inside := *t
	if t.Kind == KindTimestampTZ {
		inside.Kind = KindTimestamp
	}
	return ok && v.mysqlTimeInRange(&inside)
}

// decodeMySQLTimeText reads 2024-05-06, 2024-05-06 07:08:09.5 and -838:59:59.
func (v *value) decodeMySQLTimeText(k Kind, src []byte) bool {
	if k == KindTime {
		src, neg := bytes.CutPrefix(src, []byte("-"))
		s := scanner{src: src}
		v.n = s.duration()
		if neg {
			v.n = -v.n
		}
		return !s.bad && s.at == len(src)
	}
	s := scanner{src: src}
	v.n = s.date()
	if k != KindDate {
		s.byte(' ')
		clock := s.clock()
		if v.n > mysqlLastDay || clock >= microsDay {
			return false
		}
		v.n = v.n*microsDay + clock
	}
	return !s.bad && s.at == len(src)
}

// duration reads hours of two or three digits, minutes, seconds and a fraction.
func (s *scanner) duration() int64 {
	hour := s.digits(2, 3)
	s.byte(':')
	minute := s.digits(2, 2)
	s.byte(':')
	second := s.digits(2, 2)
	if minute > 59 || second > 59 {
		s.bad = true
	}
	return int64(hour)*microsHour + int64(minute)*microsMinute + int64(second)*microsSecond + s.fraction()
}

// decodeDateBinary reads year, month, day, and for more bytes the time of day
// and microseconds. No bytes are the zero date.
func (v *value) decodeDateBinary(k Kind, src []byte) bool {
	if len(src) != 4 && (k == KindDate || len(src) != 7 && len(src) != 11) {
		return false
	}
	year, month, day := int(binary.LittleEndian.Uint16(src)), int(src[2]), int(src[3])
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	v.n = dayNumber(year, month, day)
	if _, m, _ := civil(v.n); m != month {
		return false
	}
	if k == KindDate {
		return true
	}
	clock, ok := clockBinary(src[4:])
	v.n = v.n*microsDay + clock
	return ok && clock < microsDay
}

// decodeClockBinary reads a sign, days, the time of day and microseconds. No
// bytes are 00:00:00.
func (v *value) decodeClockBinary(src []byte) bool {
	v.n = 0
	if len(src) == 0 {
		return true
	}
	if len(src) != 8 && len(src) != 12 || src[0] > 1 {
		return false
	}
	days := int64(binary.LittleEndian.Uint32(src[1:]))
	clock, ok := clockBinary(src[5:])
	if days > maxClock/microsDay || !ok {
		return false
	}
	v.n = days*microsDay + clock
	if src[0] == 1 {
		v.n = -v.n
	}
	return true
}

// clockBinary reads hour, minute, second and, if there, microseconds.
func clockBinary(src []byte) (int64, bool) {
	if len(src) == 0 {
		return 0, true
	}
	hour, minute, second, micros := src[0], src[1], src[2], uint32(0)
	if len(src) > 3 {
		micros = binary.LittleEndian.Uint32(src[3:])
	}
	n := int64(hour)*microsHour + int64(minute)*microsMinute + int64(second)*microsSecond + int64(micros)
	return n, hour < 24 && minute < 60 && second < 60 && micros < 1_000_000
}

func (v *value) appendMySQLTime(dst []byte, t *Type, f Format) ([]byte, bool) {
	if !v.mysqlTimeInRange(t) {
		return dst, false
	}
	if f == Binary {
		return v.appendTimeBinary(dst, t), true
	}
	clock := v.n
	switch {
	case t.Kind == KindDate:
		return appendDate(dst, v.n), true
	case t.Kind == KindTime && clock < 0:
		dst, clock = append(dst, '-'), -clock
	case t.Kind != KindTime:
		day := floorDiv(v.n, microsDay)
		dst = append(appendDate(dst, day), ' ')
		clock -= day * microsDay
	}
	start := len(dst)
	dst = appendClock(dst, clock)
	if t.Scale > maxFraction { // as many digits as there are
		return dst, true
	}
	return fixFraction(dst, start, t.Scale), true
}

// fixFraction gives the clock at dst[start:] so many digits after the seconds.
func fixFraction(dst []byte, start, digits int) []byte {
	point := bytes.IndexByte(dst[start:], '.')
	if digits == 0 && point >= 0 {
		return dst[:start+point]
	}
	if digits > 0 && point < 0 {
		point = len(dst) - start
		dst = append(dst, '.')
	}
	end := start + point + 1 + digits
	for digits > 0 && len(dst) < end {
		dst = append(dst, '0')
	}
	if digits > 0 {
		dst = dst[:end]
	}
	return dst
}

// appendTimeBinary writes as few bytes as hold the value, as servers do.
func (v *value) appendTimeBinary(dst []byte, t *Type) []byte {
	day, clock := floorDiv(v.n, microsDay), int64(0)
	switch t.Kind {
	case KindDate:
		day = v.n
	case KindTime:
		n := max(v.n, -v.n)
		if n = truncFraction(n, t.Scale); n == 0 {
			return dst
		}
		sign := byte(0)
		if v.n < 0 {
			sign = 1
		}
		day, clock = n/microsDay, n%microsDay
		dst = binary.LittleEndian.AppendUint32(append(dst, sign), uint32(day))
		return appendClockBinary(dst, clock)
	default:
		clock = truncFraction(v.n-day*microsDay, t.Scale)
	}
	year, month, d := civil(day)
	dst = append(binary.LittleEndian.AppendUint16(dst, uint16(year)), byte(month), byte(d))
	if clock == 0 {
		return dst
	}
	return appendClockBinary(dst, clock)
}

func truncFraction(micros int64, digits int) int64 {
	step := int64(1)
	for n := min(digits, maxFraction); n < maxFraction; n++ {
		step *= 10
	}
	return micros - micros%step
}

func appendClockBinary(dst []byte, clock int64) []byte {
	dst = append(dst, byte(clock/microsHour), byte(clock/microsMinute%60), byte(clock/microsSecond%60))
	if micros := clock % microsSecond; micros != 0 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(micros))
	}
	return dst
}
