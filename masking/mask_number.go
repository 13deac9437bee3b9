package masking

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
)

const moneyScale = 2

// exactScale is the number of decimals that values of t have, if t declares it.
func exactScale(t Type) (int, bool) {
	switch t.Kind {
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindUint64, KindYear:
		return 0, true
	case KindMoney:
		return moneyScale, true
	case KindNumeric:
		return t.Scale, t.Precision > 0
	}
	return 0, false
}

type bucketBuilder struct{ width, offset decimal }

func parseBucket(a *arguments) builder {
	a.required("width")
	b := bucketBuilder{width: a.number("width"), offset: a.number("offset")}
	if a.err == nil && b.width.coef.Sign() <= 0 {
		a.fail("width", "want more than zero")
	}
	b.width.trim()
	b.offset.trim()
	return b
}

func (b bucketBuilder) check(t Type) error {
	scale, exact := exactScale(t)
	if !exact {
		return nil
	}
	if b.width.scale > scale || b.offset.scale > scale {
		return fmt.Errorf("width and offset have more than the %d decimals that the type shows", max(scale, 0))
	}
	width := b.width.copy()
	width.rescale(max(scale, 0))
	if width.coef.Cmp(big.NewInt(1)) <= 0 {
		return errors.New("a width of one step would leave the value as it is")
	}
	return checkScale(t)
}

func (d *decimal) copy() decimal {
	c := decimal{scale: d.scale}
	c.coef.Set(&d.coef)
	return c
}

func (b bucketBuilder) build(t Type, _ *Keys) (mask, error) {
	m := &bucket{typ: t, width: b.width.copy(), offset: b.offset.copy()}
	scale := max(m.width.scale, m.offset.scale)
	if exact, ok := exactScale(t); ok {
		scale = max(scale, exact)
	}
	m.width.rescale(scale)
	m.offset.rescale(scale)
	m.widthFloat, _ = m.width.float()
	m.offsetFloat, _ = m.offset.float()
	return m, nil
}

// bucket goes down to the lower bound of the bucket that holds a number.
type bucket struct {
	typ                     Type
	width, offset           decimal // of one scale
	widthFloat, offsetFloat float64
	quo, rest               big.Int
	buf                     []byte
}

func (m *bucket) apply(v *value, _ Row) bool {
	switch m.typ.Kind {
	case KindFloat32, KindFloat64:
		steps := math.Floor((v.f - m.offsetFloat) / m.widthFloat)
		v.f = steps*m.widthFloat + m.offsetFloat
		return math.Abs(steps) < 1<<52
	case KindNumeric, KindUint64:
		scale := v.dec.scale
		return m.lower(&v.dec) && v.dec.rescale(max(scale, m.width.scale))
	case KindText, KindBPChar:
		return m.label(v)
	}
	if m.width.coef.IsInt64() && m.offset.coef.IsInt64() {
		return m.integer(v)
	}
	return false
}

// integer is exact and does not overflow.
func (m *bucket) integer(v *value) bool {
	width := m.width.coef.Int64()
	rest := v.n - floorDiv(v.n, width)*width
	shift := m.offset.coef.Int64()
	rest -= shift - floorDiv(shift, width)*width
	if rest < 0 {
		rest += width
	}
	if v.n < math.MinInt64+rest {
		return false
	}
	v.n -= rest
	return true
}

// lower sets d to the lower bound, in the scale of the width.
func (m *bucket) lower(d *decimal) bool {
	scale := max(d.scale, m.width.scale)
	width, offset := m.width.copy(), m.offset.copy()
	if !d.rescale(scale) || !width.rescale(scale) || !offset.rescale(scale) {
		return false
	}
	d.coef.Sub(&d.coef, &offset.coef)
	m.quo.DivMod(&d.coef, &width.coef, &m.rest) // Euclidean: the rest is not negative
	d.coef.Mul(&m.quo, &m.width.coef)
	d.coef.Add(&d.coef, &m.offset.coef)
	d.scale = m.width.scale
	return true
}

// label writes the bucket of a number in text: [10,20).
func (m *bucket) label(v *value) bool {
	if !v.dec.parse(v.text) || !m.lower(&v.dec) {
		return false
	}
	m.buf = v.dec.appendText(append(m.buf[:0], '['))
	v.dec.coef.Add(&v.dec.coef, &m.width.coef)
	m.buf = append(v.dec.appendText(append(m.buf, ',')), ')')
	v.text = m.buf
	// A label that is cut would be another bucket's.
	return m.typ.Length == 0 || len(m.buf) <= m.typ.Length
}

type noiseBuilder struct{ relative, absolute decimal }

func parseNoise(a *arguments) builder {
	b := noiseBuilder{a.number("relative"), a.number("absolute")}
	switch {
	case a.err != nil:
	case a.has("relative") == a.has("absolute"):
		a.fail("", "give either relative or absolute")
	case b.relative.coef.Sign() <= 0 && b.absolute.coef.Sign() <= 0:
		a.fail("", "the amplitude must be more than zero")
	case a.has("relative") && b.relative.coef.Cmp(pow10(new(big.Int), b.relative.scale)) > 0:
		a.fail("relative", "want at most 1")
	}
	return b
}

func (noiseBuilder) check(t Type) error { return checkScale(t) }

func (b noiseBuilder) build(t Type, keys *Keys) (mask, error) {
	m := &noise{keyed: newKeyed(keys.noise), typ: t}
	m.relative, _ = b.relative.float()
	m.absolute, _ = b.absolute.float()
	return m, nil
}

// noise adds an amount that depends on the value and the key alone: averaging
// the same value does not remove it, and equal values stay equal.
type noise struct {
	keyed
	typ                Type
	relative, absolute float64
}

// factor is in [-1, 1).
func (m *noise) factor(v *value) float64 {
	bits := binary.BigEndian.Uint64(m.digest(&m.typ, v)) >> 11
	return float64(bits)/(1<<52) - 1
}

// amount is the noise for a value of that size; zero gets relative noise as one
// does, or it would show.
func (m *noise) amount(size, factor float64) float64 {
	if m.absolute > 0 {
		return m.absolute * factor
	}
	if size == 0 {
		size = 1
	}
	return math.Abs(size) * m.relative * factor
}

func (m *noise) apply(v *value, _ Row) bool {
	factor := m.factor(v)
	switch m.typ.Kind {
	case KindFloat32, KindFloat64:
		return m.float(v, factor)
	case KindNumeric, KindUint64:
		return m.numeric(v, factor)
	case KindMoney:
		n, ok := m.steps(float64(v.n)/100, factor, moneyScale)
		if !ok || !n.IsInt64() {
			return false
		}
		return addNoise(v, n.Int64(), math.MinInt64, math.MaxInt64)
	}
	n, ok := m.steps(float64(v.n), factor, 0)
	if !ok || !n.IsInt64() {
		return false
	}
	least, most := m.typ.integerRange()
	return addNoise(v, n.Int64(), least, most)
}

// addNoise adds within a range, or subtracts where adding would leave it.
func addNoise(v *value, n, least, most int64) bool {
	for range 2 {
		if n > 0 && v.n <= most-n || n < 0 && n > math.MinInt64 && v.n >= least-n {
			v.n += n
			return true
		}
		n = -n
	}
	return false
}

// steps is the noise in units of the last decimal, at least one of them.
func (m *noise) steps(size, factor float64, scale int) (*big.Int, bool) {
	amount := m.amount(size, factor) * math.Pow10(scale)
	if !isFinite(amount) {
		return nil, false
	}
	n, _ := big.NewFloat(math.Round(amount)).Int(nil)
	if n.Sign() == 0 {
		n.SetInt64(1)
		if factor < 0 {
			n.SetInt64(-1)
		}
	}
	return n, true
}

func (m *noise) float(v *value, factor float64) bool {
	before, amount := v.f, m.amount(v.f, factor)
	if m.typ.Precision > 0 { // at least one step of the last decimal
		if n, ok := m.steps(v.f, factor, m.typ.Scale); ok {
			f, _ := new(big.Float).SetInt(n).Float64()
			amount = f / math.Pow10(m.typ.Scale)
		}
	}
	if m.typ.Unsigned && before+amount < 0 {
		amount = -amount
	}
	v.f = m.typ.roundFloat(before + amount)
	return isFinite(v.f) && v.f != before
}

func (m *noise) numeric(v *value, factor float64) bool {
	size, ok := v.dec.float()
	if !ok {
		return false
	}
	scale := v.dec.scale
	if m.typ.Precision > 0 && !v.dec.rescale(m.typ.Scale) {
		return false
	} else if m.typ.Precision > 0 {
		scale = m.typ.Scale
	}
	n, ok := m.steps(size, factor, scale)
	if !ok {
		return false
	}
	v.dec.coef.Add(&v.dec.coef, n)
	if !v.dec.fit(&m.typ) {
		n.Lsh(n, 1)
		v.dec.coef.Sub(&v.dec.coef, n)
	}
	return true
}
