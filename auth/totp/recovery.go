package totp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// RecoveryCodes is how many somebody gets.
const RecoveryCodes = 10

// Sizes of recovery codes: 24 letters of five bits. From 112 bits on, a plain
// hash keeps a code (NIST SP 800-63B, section 3.1.2.2).
const (
	recoveryLetters = 24
	recoveryGroup   = 4
	recoveryLabel   = "weir recovery code\x00"
)

// NewRecoveryCodes makes codes such as ABCD-EFGH-IJKL-MNOP-QRST-UVWX, to be shown
// once. What is kept of each is HashRecovery.
func NewRecoveryCodes() []string {
	codes := make([]string, RecoveryCodes)
	for i := range codes {
		text := rand.Text()[:recoveryLetters]
		var groups []string
		for at := 0; at < recoveryLetters; at += recoveryGroup {
			groups = append(groups, text[at:at+recoveryGroup])
		}
		codes[i] = strings.Join(groups, "-")
	}
	return codes
}

// looksAlike are digits that are no letters of codes, but look like some.
var looksAlike = strings.NewReplacer("0", "O", "1", "I", "8", "B", "-", "", " ", "")

// HashRecovery returns what is kept of a code: 64 hexadecimal digits, the same
// for every way of typing it. It is false for what cannot be one.
func HashRecovery(code string) (string, bool) {
	if len(code) > 4*recoveryLetters {
		return "", false
	}
	code = looksAlike.Replace(strings.ToUpper(code))
	if len(code) != recoveryLetters || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", false
	}
	sum := sha256.Sum256([]byte(recoveryLabel + code))
	return hex.EncodeToString(sum[:]), true
}

// MatchRecovery finds the kept hash of a code. The caller removes it in the
// transaction in which it was read: a code counts once. The time that it takes
// depends on the number of hashes alone.
func MatchRecovery(hashes []string, code string) (index int, ok bool) {
	given, looks := HashRecovery(code)
	index = -1
	for i, kept := range hashes {
		if subtle.ConstantTimeCompare([]byte(kept), []byte(given)) == 1 {
			index = i
		}
	}
	if !looks || index < 0 {
		return -1, false
	}
	return index, true
}
