package mywire

import (
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"filippo.io/edwards25519"
)

// NewNonce returns 20 random bytes, none of them 0 or $, as servers send them.
func NewNonce() ([]byte, error) {
	b := make([]byte, NonceLen)
	if _, err := rand.Read(b); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	for i := range b {
		if b[i] &= 0x7f; b[i] == 0 || b[i] == '$' {
			b[i]++
		}
	}
	return b, nil
}

// NativeAnswer is a client's answer in mysql_native_password:
// SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))); nothing for no password.
func NativeAnswer(password string, nonce []byte) []byte {
	if password == "" {
		return nil
	}
	stage1 := sha1.Sum([]byte(password))
	stage2 := sha1.Sum(stage1[:])
	mask := sha1.Sum(append(append([]byte(nil), nonce...), stage2[:]...))
	subtle.XORBytes(mask[:], mask[:], stage1[:])
	return mask[:]
}

// NativeVerifier is what a server keeps of a password for
// mysql_native_password: SHA1(SHA1(password)), 20 bytes.
func NativeVerifier(password string) []byte {
	stage1 := sha1.Sum([]byte(password))
	stage2 := sha1.Sum(stage1[:])
	return stage2[:]
}

// VerifyNative checks a client's answer against a verifier.
func VerifyNative(answer, nonce, verifier []byte) bool {
	if len(answer) != sha1.Size || len(verifier) != sha1.Size {
		return false
	}
	stage1 := sha1.Sum(append(append([]byte(nil), nonce...), verifier...))
	subtle.XORBytes(stage1[:], stage1[:], answer)
	got := sha1.Sum(stage1[:])
	return subtle.ConstantTimeCompare(got[:], verifier) == 1
}

// What a server sends as AuthMoreData in caching_sha2_password, and what a
// client asks for in it.
const (
	SHA2FastOK     = 3 // an OK packet follows
	SHA2FullAuth   = 4 // send the password
	SHA2RequestKey = 2 // send the server's public key (sha256_password: 1)
)

// SHA2Answer is a client's answer in caching_sha2_password:
// SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce); nothing for no
// password.
func SHA2Answer(password string, nonce []byte) []byte {
	if password == "" {
		return nil
	}
	stage1 := sha256.Sum256([]byte(password))
	stage2 := sha256.Sum256(stage1[:])
	mask := sha256.Sum256(append(stage2[:], nonce...))
	subtle.XORBytes(mask[:], mask[:], stage1[:])
	return mask[:]
}

// SHA2Verifier is what a server caches of a password for the fast path of
// caching_sha2_password: SHA256(SHA256(password)), 32 bytes.
func SHA2Verifier(password string) []byte {
	stage1 := sha256.Sum256([]byte(password))
	stage2 := sha256.Sum256(stage1[:])
	return stage2[:]
}

// VerifySHA2 checks a client's answer against a verifier.
func VerifySHA2(answer, nonce, verifier []byte) bool {
	if len(answer) != sha256.Size || len(verifier) != sha256.Size {
		return false
	}
	stage1 := sha256.Sum256(append(append([]byte(nil), verifier...), nonce...))
	subtle.XORBytes(stage1[:], stage1[:], answer)
	got := sha256.Sum256(stage1[:])
	return subtle.ConstantTimeCompare(got[:], verifier) == 1
}

// PasswordText is a password as clients send it in clear: with a closing NUL.
func PasswordText(password string) []byte { return append([]byte(password), 0) }

// ParsePasswordText takes the closing NUL off a password sent in clear; a NUL
// inside, or none at the end, is *Malformed.
func ParsePasswordText(body []byte) (password []byte, err error) {
	c := cursor{b: body, packet: "password"}
	password = c.cstring("a terminated password")
	return password, c.end()
}

// EncryptPassword encrypts a password for the RSA path of
// caching_sha2_password and sha256_password: the text XOR the nonce, RSA-OAEP
// with SHA-1.
func EncryptPassword(password string, nonce []byte, key *rsa.PublicKey) ([]byte, error) {
	text, err := maskText(PasswordText(password), nonce)
	if err != nil {
		return nil, err
	}
	out, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, text, nil)
	if err != nil {
		return nil, fmt.Errorf("encrypt password: %w", err)
	}
	return out, nil
}

// DecryptPassword is the server's side of EncryptPassword; it returns the
// password without its NUL.
func DecryptPassword(encrypted, nonce []byte, key *rsa.PrivateKey) ([]byte, error) {
	text, err := rsa.DecryptOAEP(sha1.New(), nil, key, encrypted, nil)
	if err != nil {
		return nil, errors.New("decrypt password: not encrypted with this key")
	}
	if text, err = maskText(text, nonce); err != nil {
		return nil, err
	}
	return ParsePasswordText(text)
}

func maskText(text, nonce []byte) ([]byte, error) {
	if len(nonce) == 0 {
		return nil, errors.New("mask password: no nonce")
	}
	for i := range text {
		text[i] ^= nonce[i%len(nonce)]
	}
	return text, nil
}

// ParsePublicKey reads the PEM text by which a server answers a request for its
// public key.
func ParsePublicKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, &Malformed{Packet: "public key", Want: "a PEM block"}
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	rsaKey, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, &Malformed{Packet: "public key", Want: "an RSA key"}
	}
	return rsaKey, nil
}

// PublicKeyText is the answer to a request for the public key.
func PublicKeyText(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("write public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// Sizes of MariaDB's ed25519 authentication.
const (
	Ed25519NonceLen  = 32
	Ed25519AnswerLen = 64
	Ed25519KeyLen    = 32
)

// ed25519Key expands a password as MariaDB does: it stands where RFC 8032,
// 5.1.5, has a seed of 32 bytes.
func ed25519Key(password string) (secret *edwards25519.Scalar, prefix []byte, public *edwards25519.Point) {
	az := sha512.Sum512([]byte(password))
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(az[:32])
	if err != nil {
		panic("mywire: 32 bytes are no scalar: " + err.Error())
	}
	return secret, az[32:], new(edwards25519.Point).ScalarBaseMult(secret)
}

func ed25519Scalar(parts ...[]byte) *edwards25519.Scalar {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	s, err := edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
	if err != nil {
		panic("mywire: 64 bytes are no scalar: " + err.Error())
	}
	return s
}

// Ed25519Answer is a client's answer in client_ed25519: a signature of the
// nonce.
func Ed25519Answer(password string, nonce []byte) []byte {
	secret, prefix, public := ed25519Key(password)
	r := ed25519Scalar(prefix, nonce)
	point := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	k := ed25519Scalar(point, public.Bytes(), nonce)
	return append(point, edwards25519.NewScalar().MultiplyAdd(k, secret, r).Bytes()...)
}

// Ed25519Verifier is what a server keeps of a password for client_ed25519: a
// public key of 32 bytes.
func Ed25519Verifier(password string) []byte {
	_, _, public := ed25519Key(password)
	return public.Bytes()
}

// VerifyEd25519 checks a client's answer against a verifier.
func VerifyEd25519(answer, nonce, verifier []byte) bool {
	if len(answer) != Ed25519AnswerLen || len(verifier) != Ed25519KeyLen {
		return false
	}
	return ed25519.Verify(verifier, nonce, answer)
}

// ParsecSalt is how MariaDB's parsec derives a key from a password.
type ParsecSalt struct {
	Iterations byte // 1024 << Iterations, at most 3
	Salt       []byte
}

// Sizes of parsec.
const (
	ParsecNonceLen  = 32
	parsecSaltLen   = 18
	parsecAlgorithm = 'P' // PBKDF2 with SHA-512
	parsecMostTimes = 3
)

// ParseParsecSalt decodes the packet by which a server answers the empty one
// that asks for the salt.
func ParseParsecSalt(data []byte) (ParsecSalt, error) {
	c := cursor{b: data, packet: "parsec salt"}
	c.is(parsecAlgorithm, "algorithm P")
	s := ParsecSalt{Iterations: c.byte("an iteration factor")}
	if c.err == nil && s.Iterations > parsecMostTimes {
		c.off--
		c.fail("an iteration factor of 0 to 3")
	}
	s.Salt = c.bytes(parsecSaltLen, "a salt of 18 bytes")
	return s, c.end()
}

// key derives the signing key, which is RFC 8032's, from a password.
func (s ParsecSalt) key(password string) (ed25519.PrivateKey, error) {
	seed, err := pbkdf2.Key(sha512.New, password, s.Salt, 1024<<s.Iterations, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// ParsecAnswer is a client's answer in parsec: a nonce of its own and a
// signature of the server's nonce and this one; and the verifier that the server
// has, for CertificateProof.
func ParsecAnswer(password string, nonce []byte, s ParsecSalt) (answer, verifier []byte, err error) {
	key, err := s.key(password)
	if err != nil {
		return nil, nil, err
	}
	own := make([]byte, ParsecNonceLen)
	if _, err := rand.Read(own); err != nil {
		return nil, nil, fmt.Errorf("make a nonce: %w", err)
	}
	signature := ed25519.Sign(key, append(append([]byte(nil), nonce...), own...))
	verifier = append([]byte{parsecAlgorithm, s.Iterations}, s.Salt...)
	return append(own, signature...), append(verifier, key.Public().(ed25519.PublicKey)...), nil
}

// CertificateProof is the text by which a MariaDB server (11.4 and newer) proves
// in the info of the login's OK that the certificate it showed, in DER, is its
// own: only who knows what the server keeps of the password can make it. The
// nonce is of 20 bytes: the last one of mysql_native_password, or the
// greeting's.
func CertificateProof(verifier, nonce, certificate []byte) []byte {
	fingerprint := sha256.Sum256(certificate)
	h := sha256.New()
	h.Write(verifier)
	h.Write(nonce)
	h.Write(fingerprint[:])
	return append([]byte{1}, strings.ToUpper(hex.EncodeToString(h.Sum(nil)))...)
}
