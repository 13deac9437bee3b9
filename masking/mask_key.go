package masking

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// keyed computes HMAC-SHA-256 over the canonical form of a value.
type keyed struct {
	mac   hash.Hash
	canon []byte
	sum   []byte
}

func newKeyed(key []byte) keyed { return keyed{mac: hmac.New(sha256.New, key)} }

// digest is the HMAC of v; it is valid until the next call.
func (k *keyed) digest(t *Type, v *value) []byte {
	k.canon = appendCanonical(k.canon[:0], t, v)
	return k.digestBytes(k.canon)
}

func (k *keyed) digestBytes(b []byte) []byte {
	k.mac.Reset()
	k.mac.Write(b)
	k.sum = k.mac.Sum(k.sum[:0])
	return k.sum
}

// appendCanonical writes a value the same way whichever type and format it came
// in: 7 of smallint, bigint, numeric 7.00 and text 7 are one, and so are a
// char(9) and a text without the padding.
func appendCanonical(dst []byte, t *Type, v *value) []byte {
	switch t.Kind {
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindYear, KindMoney, KindDate, KindTime, KindTimestamp, KindTimestampTZ:
		return strconv.AppendInt(dst, v.n, 10)
	case KindTimeTZ:
		return strconv.AppendInt(dst, v.n-int64(v.zone)*microsSecond, 10)
	case KindFloat32, KindFloat64:
		return strconv.AppendFloat(dst, v.f, 'g', -1, floatBits(t.Kind))
	case KindNumeric, KindUint64:
		d := decimal{scale: v.dec.scale}
		d.coef.Set(&v.dec.coef)
		d.trim()
		return d.appendText(dst)
	case KindUUID:
		return v.appendUUID(dst, Text)
	}
	return append(dst, v.text...)
}

var keyedKinds = slices.Concat(textKinds, integerKinds, []Kind{KindFloat32, KindFloat64, KindNumeric, KindUUID})

// hashed replaces a value by its HMAC.
type hashed struct {
	keyed
	typ Type
	buf []byte
}

type hashBuilder struct{}

func parseHash(*arguments) builder { return hashBuilder{} }

func (hashBuilder) check(t Type) error { return checkScale(t) }

func (hashBuilder) build(t Type, keys *Keys) (mask, error) {
	return &hashed{keyed: newKeyed(keys.hash), typ: t}, nil
}

// checkScale refuses numerics whose declared scale is negative: none of the
// computed masks rounds to tens.
func checkScale(t Type) error {
	if t.Kind == KindNumeric && t.Precision > 0 && t.Scale < 0 {
		return errors.New("its declared scale is negative")
	}
	return nil
}

func (m *hashed) apply(v *value, _ Row) bool {
	sum := m.digest(&m.typ, v)
	switch m.typ.Kind {
	case KindText, KindBPChar:
		m.buf = hex.AppendEncode(m.buf[:0], sum)
		v.text = m.buf
	case KindBytes:
		v.text = sum
	default:
		setFromSum(&m.typ, v, sum)
	}
	return true
}

// setFromSum makes a UUID or a number of the type out of a digest.
func setFromSum(t *Type, v *value, sum []byte) {
	bits := binary.BigEndian.Uint64(sum)
	switch t.Kind {
	case KindUUID:
		// Version 8, the variant of RFC 9562: a value of our own making.
		copy(v.uuid[:], sum)
		v.uuid[6] = v.uuid[6]&0x0f | 0x80
		v.uuid[8] = v.uuid[8]&0x3f | 0x80
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64:
		_, most := t.integerRange()
		v.n = int64(bits & uint64(most))
	case KindUint64:
		v.dec.coef.SetUint64(bits)
	case KindFloat32:
		v.f = t.declaredFloat(bits >> 40)
	case KindFloat64:
		v.f = t.declaredFloat(bits >> 11)
	case KindNumeric:
		v.dec.coef.SetBytes(sum)
		var limit big.Int
		if t.Precision > 0 {
			v.dec.scale = t.Scale
			pow10(&limit, t.Precision)
		} else {
			pow10(&limit, 18+v.dec.scale)
		}
		v.dec.coef.Mod(&v.dec.coef, &limit)
	}
}

// declaredFloat is n, or what of it a float of declared digits shows.
func (t *Type) declaredFloat(n uint64) float64 {
	if t.Precision == 0 {
		return float64(n)
	}
	const exact = 15 // decimal digits that every float64 holds
	n %= uint64(math.Pow10(min(t.Precision, exact)))
	return t.roundFloat(float64(n) / math.Pow10(t.Scale))
}

// Pseudonyms of text are proquint words: each sixteen bits are five letters,
// consonants and vowels in turn, as in "lusab-babad-gutih-tugad".
const (
	proquintConsonants = "bdfghjklmnprstvz"
	proquintVowels     = "aiou"
	pseudonymWords     = 4
	pseudonymLength    = 6*pseudonymWords - 1
	// pseudonymLeast is two words: below it, values would share pseudonyms soon.
	pseudonymLeast = 11
)

// pseudonym replaces a value by a token that stays the same wherever it occurs.
type pseudonym struct {
	keyed
	typ   Type
	block cipher.Block
	in    [16]byte
	out   [16]byte
	buf   []byte
}

type pseudonymBuilder struct{}

func parsePseudonym(*arguments) builder { return pseudonymBuilder{} }

func (pseudonymBuilder) check(t Type) error {
	if t.Length > 0 && t.Length < pseudonymLeast {
		return fmt.Errorf("pseudonyms stay apart only in %d characters or more", pseudonymLeast)
	}
	return checkScale(t)
}

func (pseudonymBuilder) build(t Type, keys *Keys) (mask, error) {
	block, err := aes.NewCipher(keys.permute)
	if err != nil {
		return nil, fmt.Errorf("mask \"pseudonym\": %w", err)
	}
	return &pseudonym{keyed: newKeyed(keys.pseudonym), typ: t, block: block}, nil
}

func (m *pseudonym) apply(v *value, _ Row) bool {
	switch m.typ.Kind {
	case KindText, KindBPChar:
		m.buf = appendProquints(m.buf[:0], m.digest(&m.typ, v)[:2*pseudonymWords])
		v.text = m.buf
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64:
		v.n = m.permuted(v.n)
	case KindUint64:
		v.dec.coef.SetUint64(m.permutedUnsigned(v.dec.coef.Uint64()))
	case KindNumeric:
		return m.numeric(v)
	default:
		setFromSum(&m.typ, v, m.digest(&m.typ, v))
	}
	return true
}

// numeric gives whole numbers the pseudonym that the same bigint has, where the
// declared precision lets it.
func (m *pseudonym) numeric(v *value) bool {
	sum := m.digest(&m.typ, v)
	d := decimal{scale: v.dec.scale}
	d.coef.Set(&v.dec.coef)
	if m.typ.Precision == 0 && d.rescale(0) && d.coef.IsInt64() {
		scale := v.dec.scale
		v.dec.coef.SetInt64(m.permuted(d.coef.Int64()))
		v.dec.scale = 0
		return v.dec.rescale(scale)
	}
	setFromSum(&m.typ, v, sum)
	return true
}

// permuted maps integers one to one within the bits of tinyint, smallint and
// mediumint, within 32 bits for what an integer can hold, else within 64 bits:
// two keys never share a pseudonym, and integer and bigint columns still join.
func (m *pseudonym) permuted(n int64) int64 {
	if m.typ.Unsigned {
		return int64(m.permutedUnsigned(uint64(n)))
	}
	bits := 64
	switch {
	case m.typ.Kind == KindNumeric:
		if n == int64(int32(n)) {
			bits = 32
		}
	case m.typ.integerBits() < 32:
		bits = m.typ.integerBits()
	case n == int64(int32(n)):
		bits = 32
	}
	shift := 64 - bits
	out := int64(m.feistel(uint64(n)<<shift>>shift, uint(bits))) << shift >> shift
	if out == n {
		return 0
	}
	return out
}

// permutedUnsigned is permuted where no number is below zero.
func (m *pseudonym) permutedUnsigned(n uint64) uint64 {
	bits := uint(64)
	switch own := uint(m.typ.integerBits()); {
	case own < 32:
		bits = own
	case n <= math.MaxUint32:
		bits = 32
	}
	out := m.feistel(n, bits)
	if out == n {
		return 0
	}
	return out
}

// feistel is a balanced Feistel network of ten rounds over so many bits with
// AES as the round function, the construction of FF1 in radix 2.
func (m *pseudonym) feistel(n uint64, bits uint) uint64 {
	half := bits / 2
	mask := uint64(1)<<half - 1
	a, b := n>>half, n&mask
	for round := range byte(10) {
		m.in = [16]byte{0: byte(bits), 1: round}
		binary.BigEndian.PutUint64(m.in[8:], b)
		m.block.Encrypt(m.out[:], m.in[:])
		a, b = b, (a^binary.BigEndian.Uint64(m.out[:]))&mask
	}
	return a<<half | b
}

func appendProquints(dst, b []byte) []byte {
	for i := 0; i+1 < len(b); i += 2 {
		w := binary.BigEndian.Uint16(b[i:])
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = append(dst, proquintConsonants[w>>12], proquintVowels[w>>10&3], proquintConsonants[w>>6&15],
			proquintVowels[w>>4&3], proquintConsonants[w&15])
	}
	return dst
}
