package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
)

// A line ends in its link of the chain:
//
//	,"chain":{"sequence":N,"prev":"<64 hex>","hash":"<64 hex>"}}}
//
// hash is the SHA-256 of every byte of the line before `,"hash":"`, prev the
// hash of the record before it (zeros for the first). No string can imitate a
// link, since its quotes would be escaped.
const (
	linkHead = `,"chain":{"sequence":`
	linkPrev = `,"prev":"`
	linkHash = `,"hash":"`
	linkTail = `"}}}`
	hexLen   = 2 * sha256.Size

	// afterPrev is where the end of prev stands, counted from the line's end.
	hashPart  = len(linkHash) + hexLen + len(linkTail)
	prevStart = hashPart + 1 + hexLen + len(linkPrev)
)

type digest = [sha256.Size]byte

// link is a record's place in the chain.
type link struct {
	seq        uint64
	prev, hash digest
}

// appendLink closes the event that starts at buf[start] with its link and a
// newline, and returns the hash.
func appendLink(buf []byte, start int, seq uint64, prev *digest) ([]byte, digest) {
	buf = append(buf, linkHead...)
	buf = strconv.AppendUint(buf, seq, 10)
	buf = append(buf, linkPrev...)
	buf = hex.AppendEncode(buf, prev[:])
	buf = append(buf, '"')
	sum := sha256.Sum256(buf[start:])
	buf = append(buf, linkHash...)
	buf = hex.AppendEncode(buf, sum[:])
	buf = append(buf, linkTail...)
	return append(buf, '\n'), sum
}

var errNoLink = errors.New("the line does not end in a chain link")

// parseLink reads the link of a line that has no newline. It does not check
// the hash.
func parseLink(line []byte) (link, error) {
	var l link
	n := len(line)
	if n < prevStart+len(linkHead)+1 {
		return l, errNoLink
	}
	if !bytes.HasSuffix(line, []byte(linkTail)) ||
		!bytes.HasPrefix(line[n-hashPart:], []byte(linkHash)) ||
		line[n-hashPart-1] != '"' ||
		!bytes.HasPrefix(line[n-prevStart:], []byte(linkPrev)) {
		return l, errNoLink
	}
	if !decodeHex(&l.hash, line[n-len(linkTail)-hexLen:]) || !decodeHex(&l.prev, line[n-hashPart-1-hexLen:]) {
		return l, errNoLink
	}
	head := line[:n-prevStart]
	digits := len(head)
	for digits > 0 && head[digits-1] >= '0' && head[digits-1] <= '9' {
		digits--
	}
	seq, err := strconv.ParseUint(string(head[digits:]), 10, 64)
	if err != nil || head[digits] == '0' || !bytes.HasSuffix(head[:digits], []byte(linkHead)) {
		return l, errNoLink
	}
	l.seq = seq
	return l, nil
}

// decodeHex reads lower-case hexadecimal digits from the start of b.
func decodeHex(d *digest, b []byte) bool {
	b = b[:hexLen]
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(d[:], b)
	return err == nil
}

// hashLine computes the hash that a line with a well-formed link must carry.
func hashLine(line []byte) digest { return sha256.Sum256(line[:len(line)-hashPart]) }
