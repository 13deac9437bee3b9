package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/url"
	"strings"
	"time"
)

// Parameters of codes.
const (
	Period = 30 * time.Second
	Digits = 6
	// Window is by how many steps a clock may be off, either way (RFC 6238,
	// section 5.2, recommends one).
	Window = 1

	secretSize    = 20 // RFC 4226, section 4, R6
	minSecretSize = 16
	maxSecretSize = 64
)

// The refusals of Check.
var (
	ErrWrong    = errors.New("the code is not one of this time")
	ErrReplayed = errors.New("the code, or a later one, was used before")
)

// Secret is what weir and an app share. No formatting verb shows it.
type Secret struct{ key []byte }

// NewSecret makes a secret of 160 random bits.
func NewSecret() Secret {
	key := make([]byte, secretSize)
	_, _ = rand.Read(key) // never fails
	return Secret{key}
}

var alphabet = base32.StdEncoding.WithPadding(base32.NoPadding)

// ParseSecret reads what Encode writes, in any case and with spaces between.
func ParseSecret(text string) (Secret, error) {
	text = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(text, " ", "")), "=")
	if len(text) > alphabet.EncodedLen(maxSecretSize) || strings.ContainsAny(text, "\r\n") { // base32 would skip line breaks
		return Secret{}, errors.New("not a TOTP secret")
	}
	key, err := alphabet.DecodeString(text)
	if err != nil || len(key) < minSecretSize {
		return Secret{}, errors.New("not a TOTP secret")
	}
	return Secret{key}, nil
}

// Encode returns the secret in base32, as a person types it into an app.
func (s Secret) Encode() string { return alphabet.EncodeToString(s.key) }

const redacted = "[redacted]"

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// URI is what an app reads from a QR code (the otpauth key URI format): it shows
// the account under the issuer's name. It holds the secret.
func (s Secret) URI(issuer, account string) string {
	label := strings.ReplaceAll(issuer, ":", " ") + ":" + account // the colon separates them
	q := url.Values{"secret": {s.Encode()}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {fmt.Sprint(Digits)}, "period": {fmt.Sprint(int(Period.Seconds()))}}
	query := strings.ReplaceAll(q.Encode(), "+", "%20") // some apps show the plus
	return (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + label, RawQuery: query}).String()
}

// Step is the number of a time's step (T of RFC 6238, section 4.2).
func Step(t time.Time) int64 { return t.Unix() / int64(Period/time.Second) }

// Code is what an app shows in a step.
func (s Secret) Code(step int64) string { return hotp(sha1.New, s.key, step, Digits) }

// Check compares a code, as somebody typed it, with those of now. last is the
// step that Check returned at the last success (0 before the first); the caller
// stores the new one. Errors are ErrWrong and ErrReplayed; the time that it
// takes does not depend on the code.
func (s Secret) Check(code string, now time.Time, last int64) (step int64, err error) {
	code = strings.ReplaceAll(code, " ", "") // apps show 123 456
	current, found := Step(now), int64(-1)
	for n := current - Window; n <= current+Window; n++ {
		if n >= 0 && subtle.ConstantTimeCompare([]byte(code), []byte(s.Code(n))) == 1 {
			found = max(found, n) // two steps with one code: the later one, so that it cannot come back
		}
	}
	switch {
	case found < 0 || len(s.key) < minSecretSize: // a Secret that nobody made has a code as well
		return 0, ErrWrong
	case found <= last:
		return 0, ErrReplayed
	}
	return found, nil
}

// hotp is a one-time password of RFC 4226, section 5.3.
func hotp(newHash func() hash.Hash, key []byte, counter int64, digits int) string {
	mac := hmac.New(newHash, key)
	_ = binary.Write(mac, binary.BigEndian, counter) // a hash never fails
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	value := uint64(binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff)
	modulus := uint64(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, value%modulus)
}
