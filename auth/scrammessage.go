package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// Bounds of what a client may send.
const (
	maxSCRAMMessage = 1024 // PostgreSQL's PG_MAX_SASL_MESSAGE_LENGTH
	maxClientNonce  = 256
)

// clientFirst is a client-first-message (RFC 5802, section 7). Slices alias
// the message.
type clientFirst struct {
	flag    byte   // 'n', 'y' or 'p'
	binding string // the name after p=
	gs2     []byte // gs2-header, with its last comma
	bare    []byte // client-first-message-bare
	nonce   string
}

// parseClientFirst reads a client-first-message. The user name in it may be
// anything: PostgreSQL clients send it empty or as "*", and the name of the
// startup message counts. An authorization identity is refused, as there.
func parseClientFirst(message []byte) (clientFirst, error) {
	var m clientFirst
	if err := checkMessage(message); err != nil {
		return m, err
	}
	flag, rest, ok := bytes.Cut(message, []byte(","))
	if !ok || len(flag) == 0 {
		return m, errors.New("no channel binding flag")
	}
	m.flag = flag[0]
	switch {
	case m.flag == 'p' && len(flag) > 2 && flag[1] == '=':
		m.binding = string(flag[2:])
	case (m.flag == 'n' || m.flag == 'y') && len(flag) == 1:
	default:
		return m, errors.New("unknown channel binding flag")
	}
	authzid, bare, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return m, errors.New("no end of the header")
	}
	if len(authzid) > 0 {
		return m, errors.New("an authorization identity is not supported")
	}
	m.gs2 = message[:len(message)-len(bare)]
	m.bare = bare

	fields := bytes.Split(bare, []byte(","))
	if len(fields) < 2 {
		return m, errors.New("user name or nonce is missing")
	}
	if _, err := attribute(fields[0], 'n'); err != nil {
		return m, err
	}
	nonce, err := attribute(fields[1], 'r')
	if err != nil {
		return m, err
	}
	if !validNonce(nonce) {
		return m, errors.New("invalid nonce")
	}
	m.nonce = string(nonce)
	return m, checkExtensions(fields[2:])
}

// clientFinal is a client-final-message. Slices alias the message.
type clientFinal struct {
	binding      []byte // base64 text
	nonce        []byte
	withoutProof []byte
	proof        []byte // decoded, its own memory
}

func parseClientFinal(message []byte) (clientFinal, error) {
	var m clientFinal
	if err := checkMessage(message); err != nil {
		return m, err
	}
	at := bytes.LastIndex(message, []byte(",p="))
	if at < 0 {
		return m, errors.New("no proof")
	}
	m.withoutProof = message[:at]
	proof, err := base64.StdEncoding.Strict().DecodeString(string(message[at+3:]))
	if err != nil {
		return m, errors.New("proof is not base64")
	}
	m.proof = proof

	fields := bytes.Split(m.withoutProof, []byte(","))
	if len(fields) < 2 {
		return m, errors.New("channel binding or nonce is missing")
	}
	if m.binding, err = attribute(fields[0], 'c'); err != nil {
		return m, err
	}
	if m.nonce, err = attribute(fields[1], 'r'); err != nil {
		return m, err
	}
	return m, checkExtensions(fields[2:])
}

func checkMessage(message []byte) error {
	if len(message) > maxSCRAMMessage {
		return fmt.Errorf("message of %d bytes is too long", len(message))
	}
	if bytes.IndexByte(message, 0) >= 0 || bytes.ContainsAny(message, "\r\n") {
		return errors.New("message holds a NUL or a line break")
	}
	return nil
}

// attribute returns the value of a field that has to be attr=value.
func attribute(field []byte, attr byte) ([]byte, error) {
	if len(field) < 2 || field[0] != attr || field[1] != '=' {
		return nil, fmt.Errorf("attribute %q is not where it belongs", attr)
	}
	return field[2:], nil
}

// checkExtensions accepts optional extensions, and ignores them as RFC 5802
// section 5.1 wants; "m=" would be one that must not be ignored.
func checkExtensions(fields [][]byte) error {
	for _, field := range fields {
		if len(field) < 2 || field[1] != '=' || !isLetter(field[0]) {
			return errors.New("malformed extension")
		}
		if field[0] == 'm' {
			return errors.New("a mandatory extension is not supported")
		}
	}
	return nil
}

func isLetter(b byte) bool { return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' }

// validNonce says whether b is the "printable" of RFC 5802, section 7.
func validNonce(b []byte) bool {
	if len(b) == 0 || len(b) > maxClientNonce {
		return false
	}
	for _, c := range b {
		if c < 0x21 || c > 0x7e || c == ',' {
			return false
		}
	}
	return true
}
