package masking

import (
	"encoding/hex"
	"strings"
	"testing"
)

const ff1Symbols = "0123456789abcdefghijklmnopqrstuvwxyz"

// TestFF1Samples holds the nine FF1 samples that NIST publishes with SP 800-38G.
func TestFF1Samples(t *testing.T) {
	const (
		key128 = "2B7E151628AED2A6ABF7158809CF4F3C"
		key192 = key128 + "EF4359D8D580AA4F"
		key256 = key192 + "7F036D6F04FC6A94"
		tweak  = "39383736353433323130"
		tweak3 = "3737373770717273373737"
	)
	for _, c := range []struct {
		key, tweak  string
		radix       int
		plain, want string
	}{
		{key128, "", 10, "0123456789", "2433477484"},
		{key128, tweak, 10, "0123456789", "6124200773"},
		{key128, tweak3, 36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"},
		{key192, "", 10, "0123456789", "2830668132"},
		{key192, tweak, 10, "0123456789", "2496655549"},
		{key192, tweak3, 36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"},
		{key256, "", 10, "0123456789", "6657667009"},
		{key256, tweak, 10, "0123456789", "1001623463"},
		{key256, tweak3, 36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"},
	} {
		key, _ := hex.DecodeString(c.key)
		tw, _ := hex.DecodeString(c.tweak)
		f, err := newFF1(key, c.radix, tw)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time with used buffers
			x := []byte(c.plain)
			for i := range x {
				x[i] = byte(strings.IndexByte(ff1Symbols, x[i]))
			}
			if !f.encrypt(x) {
				t.Fatalf("radix %d: refused", c.radix)
			}
			for i := range x {
				x[i] = ff1Symbols[x[i]]
			}
			if string(x) != c.want {
				t.Errorf("AES-%d, radix %d: got %s, want %s", 4*len(c.key), c.radix, x, c.want)
			}
		}
	}
}

// TestFF1IsAPermutation looks at a hundred thousand neighbours of a domain.
func TestFF1IsAPermutation(t *testing.T) {
	f, err := newFF1(make([]byte, 32), 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	const count = 100_000
	seen := make(map[string]bool, count)
	for n := range count {
		x := []byte{0, byte(n / 100000 % 10), byte(n / 10000 % 10), byte(n / 1000 % 10), byte(n / 100 % 10), byte(n / 10 % 10), byte(n % 10)}
		if !f.encrypt(x) {
			t.Fatal("refused")
		}
		seen[string(x)] = true
	}
	if len(seen) != count {
		t.Errorf("%d results for %d inputs", len(seen), count)
	}
}

func TestFF1RefusesSmallDomains(t *testing.T) {
	for _, c := range []struct{ radix, least int }{{10, 6}, {36, 4}, {62, 4}, {2, 20}} {
		f, err := newFF1(make([]byte, 32), c.radix, nil)
		if err != nil {
			t.Fatal(err)
		}
		if f.encrypt(make([]byte, c.least-1)) {
			t.Errorf("radix %d: %d numerals accepted", c.radix, c.least-1)
		}
		if !f.encrypt(make([]byte, c.least)) {
			t.Errorf("radix %d: %d numerals refused", c.radix, c.least)
		}
		if f.encrypt(make([]byte, ff1MaxLength+1)) {
			t.Errorf("radix %d: %d numerals accepted", c.radix, ff1MaxLength+1)
		}
	}
}
