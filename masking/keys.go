package masking

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// SecretSize is the length of the secret that Keys derive from, in bytes.
const SecretSize = 32

// Keys holds one key per purpose, so that what one function shows says nothing
// about another. Its zero value is not usable. It never prints.
type Keys struct {
	hash, pseudonym, permute, fpe, shift, noise, fake []byte
}

// NewKeys derives the keys from a secret of SecretSize bytes with HKDF-SHA-256
// (RFC 5869). The same secret gives the same masks in every process.
func NewKeys(secret []byte) (*Keys, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("masking keys: the secret has %d bytes, want %d", len(secret), SecretSize)
	}
	k := &Keys{}
	for _, p := range []struct {
		name string
		key  *[]byte
	}{
		{"hash", &k.hash}, {"pseudonym", &k.pseudonym}, {"permute", &k.permute}, {"fpe", &k.fpe},
		{"date_shift", &k.shift}, {"noise", &k.noise}, {"fake", &k.fake},
	} {
		key, err := hkdf.Key(sha256.New, secret, nil, "weir masking v1 "+p.name, 32)
		if err != nil {
			return nil, fmt.Errorf("masking keys: derive %s: %w", p.name, err)
		}
		*p.key = key
	}
	return k, nil
}

// Format keeps the keys out of every kind of output.
func (k Keys) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[masking keys]") }

// MarshalText keeps the keys out of structured logs and JSON.
func (k Keys) MarshalText() ([]byte, error) { return []byte("[masking keys]"), nil }
