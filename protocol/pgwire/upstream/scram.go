package upstream

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	_ "crypto/sha512" // hashes of certificates
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"
)

// Bounds of a server's iteration count; a million take a third of a second.
const maxIterations = 1_000_000

// scram is the client's side of one SCRAM-SHA-256 exchange (RFC 5802).
type scram struct {
	mechanism string
	gs2       string // header that says what was chosen about channel binding
	binding   []byte // channel binding data, with PLUS
	nonce     string
	bare      string // client-first-message-bare
	server    []byte // the signature that the server has to show
}

func newSCRAM(mechanism, gs2 string, binding []byte) (*scram, error) {
	var raw [18]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	s := &scram{mechanism: mechanism, gs2: gs2, binding: binding}
	s.nonce = base64.StdEncoding.EncodeToString(raw[:])
	// The name is the startup message's; PostgreSQL ignores this one.
	s.bare = "n=,r=" + s.nonce
	return s, nil
}

func (s *scram) clientFirst() []byte { return []byte(s.gs2 + s.bare) }

// clientFinal answers the server's challenge with the proof.
func (s *scram) clientFinal(first []byte, password string) ([]byte, error) {
	nonce, salt, iterations, err := parseServerFirst(string(first))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce) {
		return nil, errors.New("server's nonce does not extend the client's")
	}
	if prepared, err := stringprep.SASLprep.Prepare(password); err == nil {
		password = prepared // PostgreSQL takes what cannot be prepared as it is
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return nil, errors.New("derive key: not possible with this password and salt")
	}
	channel := base64.StdEncoding.EncodeToString(append([]byte(s.gs2), s.binding...))
	without := "c=" + channel + ",r=" + nonce
	auth := s.bare + "," + string(first) + "," + without

	clientKey := sign(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := sign(stored[:], auth)
	subtle.XORBytes(proof, proof, clientKey)
	s.server = sign(sign(salted, "Server Key"), auth)
	return []byte(without + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// verify checks the server's proof that it knows the verifier.
func (s *scram) verify(last []byte) error {
	if v, ok := bytes.CutPrefix(last, []byte("e=")); ok {
		return fmt.Errorf("server reports %q", v)
	}
	v, ok := bytes.CutPrefix(last, []byte("v="))
	if !ok {
		return errors.New("server's last message holds no signature")
	}
	got, err := base64.StdEncoding.DecodeString(string(v))
	if err != nil || !hmac.Equal(got, s.server) {
		return errors.New("server's signature is wrong")
	}
	return nil
}

// parseServerFirst reads r=nonce,s=salt,i=iterations and nothing else; an
// extension that comes first is mandatory and unknown.
func parseServerFirst(m string) (nonce string, salt []byte, iterations int, err error) {
	parts := strings.Split(m, ",")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "r=") || !strings.HasPrefix(parts[1], "s=") || !strings.HasPrefix(parts[2], "i=") {
		return "", nil, 0, errors.New("server's first message is malformed")
	}
	salt, err = base64.StdEncoding.DecodeString(parts[1][2:])
	if err != nil || len(salt) == 0 {
		return "", nil, 0, errors.New("server's salt is malformed")
	}
	iterations, err = strconv.Atoi(parts[2][2:])
	if err != nil || iterations < 1 || iterations > maxIterations {
		return "", nil, 0, fmt.Errorf("server's iteration count is not between 1 and %d", maxIterations)
	}
	return parts[0][2:], salt, iterations, nil
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// endPoint returns tls-server-end-point channel binding data (RFC 5929,
// section 4.1): the certificate's hash by its signature's function, SHA-256 in
// place of older ones. It is nil where there is no such function (Ed25519).
func endPoint(certs []*x509.Certificate) []byte {
	if len(certs) == 0 {
		return nil
	}
	var h crypto.Hash
	switch certs[0].SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		h = crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = crypto.SHA512
	default:
		return nil
	}
	d := h.New()
	d.Write(certs[0].Raw)
	return d.Sum(nil)
}
