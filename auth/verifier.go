package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"

	"github.com/weirdb/weir/store"
)

// Sizes and bounds of verifiers.
const (
	DefaultIterations = 4096 // PostgreSQL's scram_iterations
	MinIterations     = 4096 // RFC 7677, section 4
	MaxIterations     = 10_000_000
	saltSize          = 16
	maxSaltSize       = 256
	maxVerifierText   = 1024
)

const verifierPrefix = "SCRAM-SHA-256$"

// Verifier is what a server keeps of a password for SCRAM-SHA-256 (RFC 5802,
// RFC 7677). Who reads it can impersonate the server and guess at the
// password, but cannot log in. No formatting verb shows it.
type Verifier struct {
	iterations int
	salt       []byte
	storedKey  []byte
	serverKey  []byte
}

// errVerifier does not quote the text, which is secret.
var errVerifier = errors.New("not a SCRAM-SHA-256 verifier")

// ParseVerifier reads PostgreSQL's spelling (as in pg_authid.rolpassword):
// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, the last three
// in base64.
func ParseVerifier(text string) (Verifier, error) {
	rest, ok := strings.CutPrefix(text, verifierPrefix)
	if !ok || len(text) > maxVerifierText || strings.ContainsAny(text, "\r\n") { // base64 would skip line breaks
		return Verifier{}, errVerifier
	}
	params, keys, ok := strings.Cut(rest, "$")
	iterations, salt, ok2 := strings.Cut(params, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	if !ok || !ok2 || !ok3 {
		return Verifier{}, errVerifier
	}
	n, err := strconv.ParseUint(iterations, 10, 32)
	if err != nil || n < 1 || n > MaxIterations {
		return Verifier{}, errVerifier
	}
	v := Verifier{iterations: int(n)}
	for _, part := range []struct {
		to   *[]byte
		text string
	}{{&v.salt, salt}, {&v.storedKey, stored}, {&v.serverKey, server}} {
		if *part.to, err = base64.StdEncoding.Strict().DecodeString(part.text); err != nil {
			return Verifier{}, errVerifier
		}
	}
	if len(v.salt) == 0 || len(v.salt) > maxSaltSize || len(v.storedKey) != sha256.Size || len(v.serverKey) != sha256.Size {
		return Verifier{}, errVerifier
	}
	return v, nil
}

// NewVerifier makes the verifier of a password with a fresh salt.
func NewVerifier(password string, iterations int) (Verifier, error) {
	if iterations < MinIterations || iterations > MaxIterations {
		return Verifier{}, fmt.Errorf("make verifier: %d iterations are outside %d to %d", iterations, MinIterations, MaxIterations)
	}
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return deriveVerifier(sha256.New, password, salt, iterations)
}

// SaltedVerifier makes the verifier of a further secret of a user, with the salt
// and the count of one that there is: a client sees one salt, and each of the
// user's secrets can be proven with it.
func SaltedVerifier(secret string, like Verifier) (Verifier, error) {
	return deriveVerifier(sha256.New, secret, like.salt, like.iterations)
}

// deriveVerifier follows RFC 5802, section 3.
func deriveVerifier(newHash func() hash.Hash, password string, salt []byte, iterations int) (Verifier, error) {
	salted, err := pbkdf2.Key(newHash, saslPrep(password), salt, iterations, newHash().Size())
	if err != nil {
		return Verifier{}, fmt.Errorf("derive verifier: %w", err)
	}
	stored := newHash()
	stored.Write(hmacSum(newHash, salted, []byte("Client Key")))
	return Verifier{
		iterations: iterations,
		salt:       salt,
		storedKey:  stored.Sum(nil),
		serverKey:  hmacSum(newHash, salted, []byte("Server Key")),
	}, nil
}

// Encode returns the text that ParseVerifier reads, to be stored.
func (v Verifier) Encode() store.Secret {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%d:%s$%s:%s", verifierPrefix, v.iterations, encode64(v.salt), encode64(v.storedKey), encode64(v.serverKey))
	return store.Secret(b.String())
}

// Iterations returns the iteration count.
func (v Verifier) Iterations() int { return v.iterations }

func (v Verifier) String() string       { return verifierPrefix + "[redacted]" }
func (v Verifier) GoString() string     { return v.String() }
func (v Verifier) LogValue() slog.Value { return slog.StringValue(v.String()) }

// saslPrep prepares a password as PostgreSQL does on both ends: what is not
// UTF-8, or holds what SASLprep (RFC 4013) prohibits, is used as it is.
func saslPrep(password string) string {
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil || prepared == "" {
		return password
	}
	return prepared
}

func hmacSum(newHash func() hash.Hash, key, message []byte) []byte {
	mac := hmac.New(newHash, key)
	mac.Write(message)
	return mac.Sum(nil)
}

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
