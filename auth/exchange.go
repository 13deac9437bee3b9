package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
)

// errBinding and errProof tell apart why a well-formed exchange failed.
var (
	errBinding = errors.New("channel binding does not match")
	errProof   = errors.New("proof does not match")
	errOrder   = errors.New("message out of order")
)

// exchange is the server's side of one SCRAM exchange (RFC 5802), without I/O
// and without randomness: client messages in, server messages out.
type exchange struct {
	newHash     func() hash.Hash
	verifier    Verifier
	others      []Verifier     // with the same salt and count, each as good; zero ones prove nothing
	binding     ChannelBinding // what this connection could offer
	plus        bool           // the client chose the -PLUS mechanism
	serverNonce string

	used        int // number of the one of others that was proven, -1 for verifier
	step        int // messages read
	gs2         []byte
	nonce       string // client's and server's
	authMessage []byte // client-first-message-bare "," server-first-message
}

func (e *exchange) first(message []byte) ([]byte, error) {
	if e.step != 0 {
		return nil, errOrder
	}
	e.step = 1
	m, err := parseClientFirst(message)
	if err != nil {
		return nil, fmt.Errorf("client-first-message: %w", err)
	}
	if err := e.checkFlag(m); err != nil {
		return nil, err
	}
	e.gs2 = append(e.gs2, m.gs2...)
	e.nonce = m.nonce + e.serverNonce
	reply := fmt.Appendf(nil, "r=%s,s=%s,i=%d", e.nonce, encode64(e.verifier.salt), e.verifier.iterations)
	e.authMessage = append(e.authMessage, m.bare...)
	e.authMessage = append(e.authMessage, ',')
	e.authMessage = append(e.authMessage, reply...)
	return reply, nil
}

// checkFlag holds the client's channel binding flag against the mechanism and
// against what was offered (RFC 5802, section 6).
func (e *exchange) checkFlag(m clientFirst) error {
	switch {
	case e.plus && m.flag != 'p':
		return fmt.Errorf("%w: %s needs a binding, the client sent flag %q", errBinding, SCRAMSHA256Plus, m.flag)
	case e.plus && m.binding != endPointBinding:
		return fmt.Errorf("%w: unsupported type", errBinding)
	case !e.plus && m.flag == 'p':
		return fmt.Errorf("%w: a binding with %s", errBinding, SCRAMSHA256)
	case m.flag == 'y' && e.binding.Available():
		// The client could bind and thinks the server cannot: somebody
		// between them took -PLUS off the list.
		return fmt.Errorf("%w: downgrade, %s was offered", errBinding, SCRAMSHA256Plus)
	}
	return nil
}

// final returns the server-final-message, or errProof, errBinding or an error
// of the message.
func (e *exchange) final(message []byte) ([]byte, error) {
	if e.step != 1 || e.nonce == "" {
		return nil, errOrder
	}
	e.step = 2
	m, err := parseClientFinal(message)
	if err != nil {
		return nil, fmt.Errorf("client-final-message: %w", err)
	}
	if subtle.ConstantTimeCompare(m.nonce, []byte(e.nonce)) != 1 {
		return nil, errors.New("client-final-message: nonce does not match")
	}
	expected := e.gs2
	if e.plus {
		expected = append(expected[:len(expected):len(expected)], e.binding.data...)
	}
	if subtle.ConstantTimeCompare(m.binding, []byte(encode64(expected))) != 1 {
		return nil, errBinding
	}
	e.authMessage = append(e.authMessage, ',')
	e.authMessage = append(e.authMessage, m.withoutProof...)
	proven, key := false, []byte(nil)
	for i := -1; i < len(e.others); i++ { // all of them, whichever it is
		v := &e.verifier
		if i >= 0 {
			v = &e.others[i]
		}
		if e.proves(v, m.proof) && !proven {
			proven, key, e.used = true, v.serverKey, i
		}
	}
	if !proven {
		return nil, errProof
	}
	return []byte("v=" + encode64(hmacSum(e.newHash, key, e.authMessage))), nil
}

// proves says whether the proof is ClientKey XOR ClientSignature for the
// client key whose hash is stored.
func (e *exchange) proves(v *Verifier, proof []byte) bool {
	signature := hmacSum(e.newHash, v.storedKey, e.authMessage)
	if len(proof) != len(signature) {
		return false
	}
	key := make([]byte, len(proof))
	subtle.XORBytes(key, proof, signature)
	h := e.newHash()
	h.Write(key)
	return subtle.ConstantTimeCompare(h.Sum(nil), v.storedKey) == 1
}
