package masking

import (
	"encoding/binary"
	"time"
)

// Dates are days since 2000-01-01; timestamps are microseconds since
// 2000-01-01 00:00, of UTC for KindTimestampTZ; times are microseconds since
// midnight. Years before 1, infinities, and text in another DateStyle than ISO
// are not read: the constant takes their place.
const (
	microsecond  = int64(1)
	microsSecond = 1_000_000 * microsecond
	microsMinute = 60 * microsSecond
	microsHour   = 60 * microsMinute
	microsDay    = 24 * microsHour
)

// Days of PostgreSQL's calendar that are computed with: year 1 to the last that
// the type can hold.
var (
	firstDay         = dayNumber(1, 1, 1)
	lastDay          = dayNumber(5874897, 12, 31)
	lastTimestampDay = dayNumber(294276, 12, 31)
)

const (
	daysBefore2000 = 10957 // from 1970-01-01 to 2000-01-01
	maxZone        = 16 * 3600
)

func dayNumber(year, month, day int) int64 {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix()/86400 - daysBefore2000
}

func civil(days int64) (year, month, day int) {
	y, m, d := time.Unix((days+daysBefore2000)*86400, 0).UTC().Date()
	return y, int(m), d
}

// timeInRange says whether v holds a date or time that its type can show.
func (v *value) timeInRange(k Kind) bool {
	switch k {
	case KindDate:
		return v.n >= firstDay && v.n <= lastDay
	case KindTimestamp:
		day := floorDiv(v.n, microsDay)
		return day >= firstDay && day <= lastTimestampDay
	case KindTimestampTZ:
		// A day less at both ends: it is in the calendar in every zone.
		day := floorDiv(v.n, microsDay)
		return day > firstDay && day < lastTimestampDay
	}
	return v.n >= 0 && v.n <= microsDay && v.zone > -maxZone && v.zone < maxZone
}

func (v *value) decodeTime(t *Type, f Format, src []byte) bool {
	v.zone = 0
	var ok bool
	if f == Binary {
		ok = v.decodeTimeBinary(t.Kind, src)
	} else {
		ok = v.decodeTimeText(t.Kind, src)
	}
	return ok && v.timeInRange(t.Kind)
}

func (v *value) decodeTimeBinary(k Kind, src []byte) bool {
	switch {
	case k == KindDate && len(src) == 4:
		v.n = int64(int32(binary.BigEndian.Uint32(src)))
	case k == KindTimeTZ && len(src) == 12:
		v.n = int64(binary.BigEndian.Uint64(src))
		west := int32(binary.BigEndian.Uint32(src[8:]))
		if west <= -maxZone || west >= maxZone {
			return false
		}
		v.zone = -west
	case k != KindDate && k != KindTimeTZ && len(src) == 8:
		v.n = int64(binary.BigEndian.Uint64(src))
	default:
		return false
	}
	return true
}

// decodeTimeText reads DateStyle ISO: 2024-05-06 07:08:09.123+02:30.
func (v *value) decodeTimeText(k Kind, src []byte) bool {
	s := scanner{src: src}
	switch k {
	case KindDate:
		v.n = s.date()
	case KindTime:
		v.n = s.clock()
	case KindTimeTZ:
		v.n = s.clock()
		v.zone = s.zone()
	case KindTimestamp, KindTimestampTZ:
		day := s.date()
		s.byte(' ')
		clock := s.clock()
		if day > lastDay {
			return false
		}
		v.n = day*microsDay + clock
		if k == KindTimestampTZ {
			v.zone = s.zone()
			v.n -= int64(v.zone) * microsSecond
		}
	}
	return !s.bad && s.at == len(src)
}

// scanner reads the parts of a date or time; bad stays set after a fault.
type scanner struct {
	src []byte
	at  int
	bad bool
}

func (s *scanner) peek() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

func (s *scanner) byte(c byte) {
	if s.peek() != c {
		s.bad = true
		return
	}
	s.at++
}

// digits reads least to most digits.
func (s *scanner) digits(least, most int) int {
	n, count := 0, 0
	for count < most && s.peek() >= '0' && s.peek() <= '9' {
		n = n*10 + int(s.peek()-'0')
		s.at++
		count++
	}
	if count < least {
		s.bad = true
	}
	return n
}

func (s *scanner) date() int64 {
	year := s.digits(4, 7)
	s.byte('-')
	month := s.digits(2, 2)
	s.byte('-')
	day := s.digits(2, 2)
	if s.bad || year < 1 || month < 1 || month > 12 || day < 1 || day > 31 {
		s.bad = true
		return 0
	}
	n := dayNumber(year, month, day)
	if _, m, _ := civil(n); m != month {
		s.bad = true
	}
	return n
}

// clock reads HH:MM:SS with up to six digits of fraction; 24:00:00 is allowed.
func (s *scanner) clock() int64 {
	hour := s.digits(2, 2)
	s.byte(':')
	minute := s.digits(2, 2)
	s.byte(':')
	second := s.digits(2, 2)
	if hour > 24 || minute > 59 || second > 59 {
		s.bad = true
	}
	return int64(hour)*microsHour + int64(minute)*microsMinute + int64(second)*microsSecond + s.fraction()
}

// fraction reads nothing, or a point and one to six digits, in microseconds.
func (s *scanner) fraction() int64 {
	if s.peek() != '.' {
		return 0
	}
	s.at++
	start := s.at
	micros := s.digits(1, 6)
	for n := s.at - start; n < 6; n++ {
		micros *= 10
	}
	return int64(micros)
}

// zone reads +HH, +HH:MM or +HH:MM:SS in seconds east of UTC.
func (s *scanner) zone() int32 {
	sign := int32(1)
	switch s.peek() {
	case '-':
		sign = -1
	case '+':
	default:
		s.bad = true
		return 0
	}
	s.at++
	seconds := s.digits(2, 2) * 3600
	if s.peek() == ':' {
		s.at++
		seconds += s.digits(2, 2) * 60
	}
	if s.peek() == ':' {
		s.at++
		seconds += s.digits(2, 2)
	}
	if seconds >= maxZone {
		s.bad = true
	}
	return sign * int32(seconds)
}

func (v *value) appendTime(dst []byte, t *Type, f Format) ([]byte, bool) {
	if !v.timeInRange(t.Kind) {
		return dst, false
	}
	if f == Binary {
		switch t.Kind {
		case KindDate:
			return binary.BigEndian.AppendUint32(dst, uint32(v.n)), true
		case KindTimeTZ:
			dst = binary.BigEndian.AppendUint64(dst, uint64(v.n))
			return binary.BigEndian.AppendUint32(dst, uint32(-v.zone)), true
		}
		return binary.BigEndian.AppendUint64(dst, uint64(v.n)), true
	}
	switch t.Kind {
	case KindDate:
		dst = appendDate(dst, v.n)
	case KindTime:
		dst = appendClock(dst, v.n)
	case KindTimeTZ:
		dst = appendZone(appendClock(dst, v.n), v.zone)
	default:
		local := v.n
		if t.Kind == KindTimestampTZ {
			local += int64(v.zone) * microsSecond
		}
		day := floorDiv(local, microsDay)
		dst = append(appendDate(dst, day), ' ')
		dst = appendClock(dst, local-day*microsDay)
		if t.Kind == KindTimestampTZ {
			dst = appendZone(dst, v.zone)
		}
	}
	return dst, true
}

func appendDate(dst []byte, days int64) []byte {
	year, month, day := civil(days)
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), month, 2)
	return appendPadded(append(dst, '-'), day, 2)
}

func appendClock(dst []byte, micros int64) []byte {
	dst = appendPadded(dst, int(micros/microsHour), 2)
	dst = appendPadded(append(dst, ':'), int(micros/microsMinute%60), 2)
	dst = appendPadded(append(dst, ':'), int(micros/microsSecond%60), 2)
	if rest := int(micros % microsSecond); rest != 0 {
		dst = appendPadded(append(dst, '.'), rest, 6)
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

func appendZone(dst []byte, zone int32) []byte {
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	dst = appendPadded(append(dst, sign), int(zone/3600), 2)
	if zone%3600 != 0 {
		dst = appendPadded(append(dst, ':'), int(zone/60%60), 2)
	}
	if zone%60 != 0 {
		dst = appendPadded(append(dst, ':'), int(zone%60), 2)
	}
	return dst
}

// appendPadded appends n with zeros in front to at least width digits.
func appendPadded(dst []byte, n, width int) []byte {
	limit := 1
	for range width - 1 {
		limit *= 10
	}
	for ; n < limit && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	if n == 0 {
		return append(dst, '0')
	}
	start := len(dst)
	for ; n > 0; n /= 10 {
		dst = append(dst, byte('0'+n%10))
	}
	for i, j := start, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}
