// Package apikey makes the secrets of services: text that people and scanners
// recognise, with a checksum that tells a mistyped key from a wrong one.
//
// It keeps nothing: what is stored is made of the key by others.
package apikey

import (
	"crypto/rand"
	"hash/crc32"
	"strings"
)

// Prefix begins every key.
const Prefix = "weir_"

// The parts behind the prefix: 130 random bits, and 30 bits of their CRC-32.
const (
	randomLen   = 26
	checksumLen = 6
	hintLen     = len(Prefix) + 4
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // RFC 4648, section 6

// New returns a fresh key of 37 characters.
func New() string {
	body := rand.Text()
	return Prefix + body + checksum(body)
}

// Valid says that a text is a key, mistyped by nobody. Whether it is anybody's is
// another matter.
func Valid(s string) bool {
	body, ok := strings.CutPrefix(s, Prefix)
	return ok && len(body) == randomLen+checksumLen && strings.Trim(body, alphabet) == "" && checksum(body[:randomLen]) == body[randomLen:]
}

// Hint is the part of a key that may be shown, to tell it by.
func Hint(key string) string { return key[:min(len(key), hintLen)] }

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	out := make([]byte, checksumLen)
	for i := range out {
		out[i] = alphabet[sum>>(27-5*i)&31]
	}
	return string(out)
}
