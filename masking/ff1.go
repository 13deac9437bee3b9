package masking

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/big"
)

// FF1's own limits (NIST SP 800-38G rev. 1, section 5.1).
const (
	ff1Rounds    = 10
	ff1MinDomain = 1_000_000 // radix^length must not be less
	ff1MaxLength = 256       // ours: longer values than any identifier
	ff1MaxTweak  = 64        // ours
)

// ff1 is the FF1 mode of AES over numerals of one radix.
type ff1 struct {
	block cipher.Block
	radix int
	tweak []byte
	least int // numerals that a domain of ff1MinDomain needs

	limit    [2]big.Int // radix^u and radix^v of length
	length   int
	radixInt big.Int
	a, b, y  big.Int
	rest     big.Int
	q, s     []byte
}

// newFF1 takes an AES key, a radix of 2 to 256 and a tweak.
func newFF1(key []byte, radix int, tweak []byte) (*ff1, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("ff1: %w", err)
	}
	f := &ff1{block: block, radix: radix, tweak: tweak}
	f.radixInt.SetInt64(int64(radix))
	for size := 1; size < ff1MinDomain; size *= radix {
		f.least++
	}
	return f, nil
}

// encrypt replaces the numerals, each below the radix, in place. False: there
// are too few for a safe domain, or too many.
func (f *ff1) encrypt(x []byte) bool {
	n := len(x)
	if n < f.least || n > ff1MaxLength {
		return false
	}
	u := n / 2
	v := n - u
	if f.length != n {
		f.length = n
		f.limit[0].Exp(&f.radixInt, big.NewInt(int64(u)), nil)
		f.limit[1].Exp(&f.radixInt, big.NewInt(int64(v)), nil)
	}
	// b bytes hold any number of v numerals; d bytes of keystream reduce evenly.
	b := (f.y.Sub(&f.limit[1], f.rest.SetInt64(1)).BitLen() + 7) / 8
	d := 4*((b+3)/4) + 4
	f.number(&f.a, x[:u])
	f.number(&f.b, x[u:])
	for i := range ff1Rounds {
		f.round(i, u, n, b, d)
		f.a.Add(&f.a, &f.y)
		f.y.QuoRem(&f.a, &f.limit[i%2], &f.rest)
		f.a, f.b, f.rest = f.b, f.rest, f.a
	}
	f.numerals(x[:u], &f.a)
	f.numerals(x[u:], &f.b)
	return true
}

// round sets y to the number of the keystream of round i (steps 6.i to 6.iv).
func (f *ff1) round(i, u, n, b, d int) {
	f.q = append(f.q[:0], 1, 2, 1, byte(f.radix>>16), byte(f.radix>>8), byte(f.radix), ff1Rounds, byte(u))
	f.q = binary.BigEndian.AppendUint32(f.q, uint32(n))
	f.q = binary.BigEndian.AppendUint32(f.q, uint32(len(f.tweak)))
	f.q = append(f.q, f.tweak...)
	for (len(f.q)+b+1)%aes.BlockSize != 0 {
		f.q = append(f.q, 0)
	}
	f.q = append(f.q, byte(i))
	at := len(f.q)
	for range b {
		f.q = append(f.q, 0)
	}
	f.b.FillBytes(f.q[at:])

	f.s = append(f.s[:0], make([]byte, aes.BlockSize)...)
	mac := f.s[:aes.BlockSize]
	for q := f.q; len(q) > 0; q = q[aes.BlockSize:] {
		for j := range mac {
			mac[j] ^= q[j]
		}
		f.block.Encrypt(mac, mac)
	}
	for j := uint64(1); len(f.s) < d; j++ {
		at := len(f.s)
		f.s = append(f.s, f.s[:aes.BlockSize]...)
		next := f.s[at:]
		binary.BigEndian.PutUint64(next[8:], binary.BigEndian.Uint64(next[8:])^j)
		f.block.Encrypt(next, next)
	}
	f.y.SetBytes(f.s[:d])
}

func (f *ff1) number(z *big.Int, x []byte) {
	z.SetInt64(0)
	for _, c := range x {
		z.Mul(z, &f.radixInt)
		z.Add(z, f.rest.SetInt64(int64(c)))
	}
}

func (f *ff1) numerals(x []byte, z *big.Int) {
	for i := len(x) - 1; i >= 0; i-- {
		f.y.QuoRem(z, &f.radixInt, &f.rest)
		x[i] = byte(f.rest.Int64())
		z.Set(&f.y)
	}
}
