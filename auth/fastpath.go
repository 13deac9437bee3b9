package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/weirdb/weir/store"
)

// The fast path of caching_sha2_password needs SHA256(SHA256(password)), which
// no SCRAM verifier gives. It is kept, in memory alone, for those who have just
// shown their password, and holds only as long as their verifier stays.

const (
	rememberedUsers = 4096
	rememberedFor   = time.Hour
)

// remembered is what the fast path knows of a user.
type remembered struct {
	verifier store.Secret // of the user when the password was shown
	hash     [sha256.Size]byte
	until    time.Time
}

func newMemory() *lru.Cache[string, remembered] {
	memory, err := lru.New[string, remembered](rememberedUsers)
	if err != nil { // the size is a constant
		panic(err)
	}
	return memory
}

// remember keeps what the fast path needs of a password that was right.
func (a *Authenticator) remember(c candidate, password string) {
	inner := sha256.Sum256([]byte(password))
	verifier, credential := c.user.Verifier, ""
	if c.used >= 0 {
		verifier, credential = c.user.Credentials[c.used].Verifier, c.user.Credentials[c.used].ID
	}
	a.memory.Add(memoryKey(c.user.ID, credential), remembered{verifier: verifier, hash: sha256.Sum256(inner[:]), until: time.Now().Add(rememberedFor)})
}

// Scrambled logs in by the fast path of caching_sha2_password: answer is
// SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce). It gives nil
// where the password itself has to be asked for: the user is not remembered,
// does not exist or gave a wrong answer, which cannot be told apart. Errors say
// that users cannot be looked up now.
// Source: MySQL, "Caching_sha2_password information".
func (a *Authenticator) Scrambled(ctx context.Context, user string, nonce, answer []byte) (*Identity, error) {
	if len(answer) != sha256.Size {
		return nil, nil
	}
	u, err := a.users.LookupUser(ctx, a.stored(user))
	var unknown *store.NotFound
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if u.Disabled() {
		return nil, nil
	}
	holds := func(credential string, verifier store.Secret) bool {
		known, ok := a.memory.Get(memoryKey(u.ID, credential))
		return ok && known.verifier == verifier && time.Now().Before(known.until) && known.proves(nonce, answer)
	}
	id := identityOf(u, MethodPassword, time.Now().UTC())
	if holds("", u.Verifier) {
		return a.succeed(ctx, user, id), nil
	}
	for _, c := range u.Credentials {
		if holds(c.ID, c.Verifier) {
			return a.succeed(ctx, user, id.by(c)), nil
		}
	}
	return nil, nil
}

// memoryKey names what is remembered of a user: the password, or a credential.
func memoryKey(user, credential string) string { return user + "\x00" + credential }

func (r *remembered) proves(nonce, answer []byte) bool {
	h := sha256.New()
	h.Write(r.hash[:])
	h.Write(nonce)
	inner := make([]byte, sha256.Size)
	subtle.XORBytes(inner, answer, h.Sum(nil))
	again := sha256.Sum256(inner)
	return subtle.ConstantTimeCompare(again[:], r.hash[:]) == 1
}
