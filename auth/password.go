package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weirdb/weir/auth/apikey"
)

// Bounds of passwords (NIST SP 800-63B, section 3.1.1.2).
const (
	MinPassword = 15   // characters, where the password is the only factor
	MaxPassword = 1024 // bytes
)

// Password logs in with a password that came in clear, over TLS. It has to be
// permitted by Options.Cleartext. Errors are *Failure, or say that users
// cannot be looked up now.
func (a *Authenticator) Password(ctx context.Context, user, password string) (*Identity, error) {
	refuse := func(reason Reason, cause error) error {
		return a.fail(ctx, user, MethodPassword, reason, cause)
	}
	if !a.options.Cleartext {
		return nil, refuse(ReasonMechanism, errors.New("cleartext passwords are off"))
	}
	if len(password) > MaxPassword && a.source(user) == nil {
		return nil, refuse(ReasonMalformed, fmt.Errorf("password of %d bytes is too long", len(password)))
	}
	if s := a.source(user); s != nil && !apikey.Valid(password) {
		return a.vouched(ctx, s, user, password)
	}
	c, err := a.candidate(ctx, user)
	if err != nil {
		return nil, err
	}
	given, err := deriveVerifier(a.newHash, password, c.verifier.salt, c.verifier.iterations)
	if err != nil {
		return nil, err
	}
	right := subtle.ConstantTimeCompare(given.storedKey, c.verifier.storedKey) == 1
	for i := range c.others { // all of them, whichever it is
		if subtle.ConstantTimeCompare(given.storedKey, c.others[i].storedKey) == 1 {
			right, c.used = true, i
		}
	}
	switch {
	case c.doomed != "":
		return nil, refuse(c.doomed, c.cause)
	case !right:
		return nil, refuse(ReasonWrongPassword, errors.New("password does not match"))
	}
	identity, reason, err := a.confirm(ctx, c, MethodPassword)
	if reason != "" {
		return nil, refuse(reason, err)
	}
	if err != nil {
		return nil, err
	}
	a.remember(c, password)
	return a.succeed(ctx, user, identity), nil
}

// WeakPassword says why a new password is not accepted. It does not quote it.
type WeakPassword struct{ Reason string }

func (e *WeakPassword) Error() string { return "password " + e.Reason }

// CheckPassword says whether a user may have that password as the only factor:
// its length, and that it is not made of what everybody tries first. There are
// no rules of composition. Errors are *WeakPassword.
func CheckPassword(user, password string) error {
	switch {
	case !utf8.ValidString(password):
		return &WeakPassword{"is not valid UTF-8"}
	case strings.ContainsFunc(password, unicode.IsControl):
		return &WeakPassword{"holds a control character"}
	case len(password) > MaxPassword:
		return &WeakPassword{fmt.Sprintf("is longer than %d bytes", MaxPassword)}
	case utf8.RuneCountInString(password) < MinPassword:
		return &WeakPassword{fmt.Sprintf("is shorter than %d characters", MinPassword)}
	case isCommon(user, password):
		return &WeakPassword{"is made of common passwords, the user's name or a repetition, which are tried first"}
	}
	return nil
}

// GeneratePassword returns a password of 130 random bits in 26 letters and digits.
func GeneratePassword() string { return rand.Text() }

//go:embed commonpasswords.txt
var commonPasswords string

// maxCommonParts bounds how many list entries make up a common password: more
// of them, in a row, are a passphrase.
const maxCommonParts = 3

// isCommon says whether a password is a short pattern repeated, or at most
// three entries of the list (or the user's name) one after the other. Case and
// everything but letters and digits are ignored.
func isCommon(user, password string) bool {
	folded := fold(password)
	if repeats(folded) {
		return true
	}
	entries := strings.Fields(commonPasswords)
	if name := fold(user); len(name) > 1 {
		entries = append(entries, string(name))
	}
	// parts[i] is the least number of entries that make up the first i runes.
	const never = maxCommonParts + 1
	parts := make([]int, len(folded)+1)
	for i := 1; i <= len(folded); i++ {
		parts[i] = never
		head := string(folded[:i])
		for _, entry := range entries {
			if strings.HasSuffix(head, entry) {
				parts[i] = min(parts[i], parts[i-utf8.RuneCountInString(entry)]+1)
			}
		}
	}
	return parts[len(folded)] <= maxCommonParts
}

// repeats says whether a text is one pattern of up to five runes over and over,
// its last copy possibly cut short. The empty text is.
func repeats(text []rune) bool {
	for period := 1; period <= 5; period++ {
		same := true
		for i := period; i < len(text) && same; i++ {
			same = text[i] == text[i-period]
		}
		if same {
			return true
		}
	}
	return false
}

func fold(s string) []rune {
	var folded []rune
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			folded = append(folded, unicode.ToLower(r))
		}
	}
	return folded
}
