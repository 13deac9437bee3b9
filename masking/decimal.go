package masking

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
)

// maxDigits bounds the digits of a numeric that is masked by computation, on
// both sides of the point together. A longer one becomes the constant.
const maxDigits = 1000

// decimal is coef / 10^scale. scale is what the server shows: 1.50 has 2.
type decimal struct {
	coef  big.Int
	scale int
}

// pow10 sets z to 10^n for 0 <= n.
func pow10(z *big.Int, n int) *big.Int {
	if n <= 18 {
		return z.SetInt64(int64(math.Pow10(n)))
	}
	return z.Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// digits counts the digits of the coefficient; 0 has none.
func (d *decimal) digits() int {
	if d.coef.Sign() == 0 {
		return 0
	}
	if d.coef.IsInt64() {
		var buf [20]byte
		s := strconv.AppendInt(buf[:0], d.coef.Int64(), 10)
		if s[0] == '-' {
			return len(s) - 1
		}
		return len(s)
	}
	var abs big.Int
	return len(abs.Abs(&d.coef).Text(10))
}

// rescale changes the scale without changing the value. False: it would.
func (d *decimal) rescale(scale int) bool {
	if scale == d.scale {
		return true
	}
	var p big.Int
	if scale > d.scale {
		d.coef.Mul(&d.coef, pow10(&p, scale-d.scale))
		d.scale = scale
		return true
	}
	var rest big.Int
	d.coef.QuoRem(&d.coef, pow10(&p, d.scale-scale), &rest)
	d.scale = scale
	return rest.Sign() == 0
}

// trim drops zeros at the end of the fraction.
func (d *decimal) trim() {
	ten, rest, quo := big.NewInt(10), new(big.Int), new(big.Int)
	for d.scale > 0 {
		quo.QuoRem(&d.coef, ten, rest)
		if rest.Sign() != 0 {
			return
		}
		d.coef.Set(quo)
		d.scale--
	}
}

// parse reads a decimal literal with an optional sign, fraction and exponent.
func (d *decimal) parse(s []byte) bool {
	neg := len(s) > 0 && s[0] == '-'
	if neg || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	var digits [maxDigits]byte
	n, scale, point, seen := 0, 0, false, false
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen = true
		if n == 0 && c == '0' && !point {
			continue
		}
		if n == maxDigits {
			return false
		}
		digits[n] = c
		n++
		if point {
			scale++
		}
	}
	if !seen {
		return false
	}
	exp, ok := exponent(s[i:])
	if !ok {
		return false
	}
	d.setDigits(digits[:n])
	if neg {
		d.coef.Neg(&d.coef)
	}
	return d.shift(scale - exp)
}

// exponent reads "" or e, an optional sign, and digits.
func exponent(s []byte) (int, bool) {
	if len(s) == 0 {
		return 0, true
	}
	if s[0] != 'e' && s[0] != 'E' || len(s) < 2 || len(s) > 6 {
		return 0, false
	}
	n, err := strconv.Atoi(string(s[1:]))
	return n, err == nil
}

// shift takes the coefficient as it is with the given scale, which may be negative.
func (d *decimal) shift(scale int) bool {
	if scale > maxDigits || scale < -maxDigits {
		return false
	}
	d.scale = scale
	if scale < 0 {
		return d.rescale(0)
	}
	return true
}

func (d *decimal) setDigits(digits []byte) {
	if len(digits) > 18 {
		d.coef.SetString(string(digits), 10)
		return
	}
	var n int64
	for _, c := range digits {
		n = n*10 + int64(c-'0')
	}
	d.coef.SetInt64(n)
}

// appendCoef appends the digits of |coef|.
func (d *decimal) appendCoef(dst []byte) []byte {
	if d.coef.IsInt64() && d.coef.Int64() > math.MinInt64 {
		n := d.coef.Int64()
		return strconv.AppendInt(dst, max(n, -n), 10)
	}
	var abs big.Int
	return abs.Abs(&d.coef).Append(dst, 10)
}

// appendText writes the number as PostgreSQL does: scale digits after the point.
func (d *decimal) appendText(dst []byte) []byte {
	if d.coef.Sign() < 0 {
		dst = append(dst, '-')
	}
	var buf [64]byte
	digits := d.appendCoef(buf[:0])
	whole := len(digits) - d.scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:whole]...)
	}
	if d.scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits[whole:]...)
}

// Signs of a binary numeric, as in PostgreSQL's numeric.c. NaN (0xC000) and the
// infinities (0xD000, 0xF000) are masked by the constant.
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
)

// parseBinary reads PostgreSQL's binary numeric: the number of base-10000
// digits, the weight of the first, the sign, the display scale, the digits.
func (d *decimal) parseBinary(s []byte) bool {
	if len(s) < 8 {
		return false
	}
	count, weight := int(binary.BigEndian.Uint16(s)), int(int16(binary.BigEndian.Uint16(s[2:])))
	sign, scale := binary.BigEndian.Uint16(s[4:]), int(binary.BigEndian.Uint16(s[6:]))
	if len(s) != 8+2*count || count > maxDigits/4 || weight >= maxDigits/4 || weight < -maxDigits/4 ||
		scale > maxDigits || sign != numericPositive && sign != numericNegative {
		return false
	}
	var buf [maxDigits + 4]byte
	digits := buf[:0]
	for i := range count {
		g := binary.BigEndian.Uint16(s[8+2*i:])
		if g > 9999 {
			return false
		}
		digits = append(digits, byte('0'+g/1000), byte('0'+g/100%10), byte('0'+g/10%10), byte('0'+g%10))
	}
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	d.setDigits(digits)
	if sign == numericNegative {
		d.coef.Neg(&d.coef)
	}
	return d.shift(4*(count-weight-1)) && d.rescale(scale) && d.digits() <= maxDigits
}

// appendBinary writes PostgreSQL's binary numeric.
func (d *decimal) appendBinary(dst []byte) []byte {
	var buf [64]byte
	digits := d.appendCoef(buf[:0])
	if d.coef.Sign() == 0 {
		digits = digits[:0]
	}
	sign := uint16(numericPositive)
	if d.coef.Sign() < 0 {
		sign = numericNegative
	}
	// The digits sit at powers of ten scale-1 … -scale; groups begin at multiples of four.
	power := len(digits) - d.scale // of ten, one above the first digit
	weight := floorDiv(int64(power-1), 4)
	lead := power - 4*int(weight) // digits in the first group, 1 to 4
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	group, room, count := 0, lead, 0
	emit := func() {
		for ; room > 0; room-- {
			group *= 10
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(group))
		group, room = 0, 4
		count++
	}
	for _, c := range digits {
		group = group*10 + int(c-'0')
		if room--; room == 0 {
			emit()
		}
	}
	if room > 0 && room < 4 && len(digits) > 0 {
		emit()
	}
	for count > 0 && dst[len(dst)-1] == 0 && dst[len(dst)-2] == 0 {
		dst = dst[:len(dst)-2]
		count--
	}
	if count == 0 {
		weight = 0
	}
	binary.BigEndian.PutUint16(dst[start:], uint16(count))
	binary.BigEndian.PutUint16(dst[start+2:], uint16(weight))
	binary.BigEndian.PutUint16(dst[start+4:], sign)
	binary.BigEndian.PutUint16(dst[start+6:], uint16(d.scale))
	return dst
}

// fit brings the number into the declared precision and scale of t.
func (d *decimal) fit(t *Type) bool {
	if t.Unsigned && d.coef.Sign() < 0 {
		return false
	}
	if t.Kind == KindUint64 {
		return d.rescale(0) && d.coef.Cmp(uint64Limit) < 0
	}
	if t.Precision == 0 {
		return d.scale <= maxDigits
	}
	if t.Scale < 0 || !d.rescale(t.Scale) {
		return false
	}
	return d.digits() <= t.Precision
}

// float gives the nearest float64; false if that is infinite.
func (d *decimal) float() (float64, bool) {
	if d.coef.IsInt64() && d.scale == 0 {
		return float64(d.coef.Int64()), true
	}
	var buf [64]byte
	f, err := strconv.ParseFloat(string(d.appendText(buf[:0])), 64)
	return f, err == nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
