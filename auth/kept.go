package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weirdb/weir/store"
)

// A mechanism other than SCRAM needs a verifier of its own. It is kept in a
// line behind SCRAM's, as <mechanism>:<base64>.

const maxKept = 64 // bytes of one verifier

// EncodeVerifiers returns the text to be stored for a user whose password can
// be proven by SCRAM and by the mechanisms of kept, whose verifiers have 64
// bytes at most.
func EncodeVerifiers(v Verifier, kept map[string][]byte) store.Secret {
	text := string(v.Encode())
	for _, mechanism := range slices.Sorted(maps.Keys(kept)) {
		text += "\n" + mechanism + ":" + encode64(kept[mechanism])
	}
	return store.Secret(text)
}

// scramOf is the line of a stored text that ParseVerifier reads.
func scramOf(text store.Secret) string {
	scram, _, _ := strings.Cut(string(text), "\n")
	return scram
}

// keptOf is the verifier for a mechanism in a stored text, nil if there is none.
func keptOf(text store.Secret, mechanism string) []byte {
	_, rest, _ := strings.Cut(string(text), "\n")
	for line := range strings.SplitSeq(rest, "\n") {
		if encoded, ok := strings.CutPrefix(line, mechanism+":"); ok {
			verifier, err := base64.StdEncoding.Strict().DecodeString(encoded)
			if err == nil && len(verifier) <= maxKept {
				return verifier
			}
		}
	}
	return nil
}

// Kept logs in by the verifier that is kept for a mechanism: proves holds the
// client's answer against it. It gives nil where another way has to be tried:
// the user does not exist, has no such verifier or gave a wrong answer, which
// cannot be told apart. Errors say that users cannot be looked up now. The
// verifier is secret.
func (a *Authenticator) Kept(ctx context.Context, user, mechanism string, proves func(verifier []byte) bool) (*Identity, []byte, error) {
	u, err := a.users.LookupUser(ctx, a.stored(user))
	var unknown *store.NotFound
	if err != nil && !errors.As(err, &unknown) {
		return nil, nil, err
	}
	id := identityOf(u, mechanism, time.Now().UTC())
	verifier := keptOf(u.Verifier, mechanism)
	proven := proves(verifier) && verifier != nil
	for _, c := range u.Credentials {
		if v := keptOf(c.Verifier, mechanism); v != nil && proves(v) && !proven {
			proven, verifier, id = true, v, id.by(c)
		}
	}
	if !proven || err != nil || u.Disabled() {
		return nil, nil, nil
	}
	return a.succeed(ctx, user, id), verifier, nil
}

// Refuse makes and reports the failure of a login that Kept did not prove and
// that cannot go on another way.
func (a *Authenticator) Refuse(ctx context.Context, user, mechanism string) error {
	return a.fail(ctx, user, mechanism, ReasonWrongPassword, errors.New("the answer does not prove the password, or there is no verifier for it"))
}
