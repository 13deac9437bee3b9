package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/weirdb/weir/store"
)

const (
	mockSecretSize  = 32
	serverNonceSize = 18 // bytes; RFC 5802 leaves it open, PostgreSQL takes 18
)

// Options configure an Authenticator. The zero value is usable.
type Options struct {
	// Iterations of new verifiers, and of what is shown for users that do not
	// exist; 0 is DefaultIterations. Raise it for all users together: a user
	// whose verifier has another count than this can be told from nobody.
	Iterations int
	// Cleartext permits Password, for connections under TLS.
	Cleartext bool
	// Certificates map client certificates to users, tried in order. Without
	// a rule no certificate logs anybody in.
	Certificates []CertificateRule
	// Sources answer for people whom weir does not keep itself, the first whose
	// patterns a name matches. Provisioner is needed with them.
	Sources     []Source
	Provisioner Provisioner
	// Observe is told of every finished login, to count failures and to record
	// the last login. It is called on the session's goroutine.
	Observe func(context.Context, Attempt)
}

// Authenticator runs logins against the users of a store. It is safe for
// concurrent use.
type Authenticator struct {
	users   Users
	secret  []byte
	options Options
	newHash func() hash.Hash
	memory  *lru.Cache[string, remembered] // by user id
}

// New returns an Authenticator. The mock secret is 32 bytes that stay the same
// for the life of the installation (store.Store.MockSecret).
func New(users Users, secret []byte, options Options) (*Authenticator, error) {
	if len(secret) != mockSecretSize {
		return nil, fmt.Errorf("new authenticator: mock secret has %d bytes, not %d", len(secret), mockSecretSize)
	}
	if options.Iterations == 0 {
		options.Iterations = DefaultIterations
	}
	if options.Iterations < MinIterations || options.Iterations > MaxIterations {
		return nil, fmt.Errorf("new authenticator: %d iterations are outside %d to %d", options.Iterations, MinIterations, MaxIterations)
	}
	if len(options.Sources) > 0 && options.Provisioner == nil {
		return nil, errors.New("new authenticator: sources without a provisioner")
	}
	return &Authenticator{users: users, secret: secret, options: options, newHash: sha256.New, memory: newMemory()}, nil
}

// candidate is somebody trying to log in with a password: a real user, or
// nobody with a mock verifier and the reason why that cannot succeed.
type candidate struct {
	user     store.User
	verifier Verifier // whose salt is shown
	doomed   Reason   // empty for a real user
	cause    error
	// others are those of the user's credentials, with the same salt and count, in
	// the order of user.Credentials; those that have another salt are zero.
	others []Verifier
	// used is the number of the credential that was proven, -1 for the password.
	used int
}

// candidate looks a name up. It fails only if the lookup does. A mock verifier
// is made for everybody, so that it costs everybody the same.
func (a *Authenticator) candidate(ctx context.Context, name string) (candidate, error) {
	name = a.stored(name)
	mock := a.mockVerifier(name)
	user, err := a.users.LookupUser(ctx, name)
	var unknown *store.NotFound
	if err != nil && !errors.As(err, &unknown) {
		return candidate{}, fmt.Errorf("find user: %w", err)
	}
	text := user.Verifier
	if mockText := mock.Encode(); text == "" {
		text = mockText
	}
	c := candidate{user: user, verifier: mock, cause: err, used: -1}
	verifier, parseErr := ParseVerifier(scramOf(text))
	if parseErr == nil {
		c.verifier = verifier // a disabled user goes on showing the same salt
	}
	usable := c.credentials(user.Verifier != "" && parseErr == nil)
	switch {
	case err != nil:
		c.doomed = ReasonUnknownUser
	case user.Disabled():
		c.doomed, c.cause = ReasonDisabled, errors.New("user is disabled")
	case usable:
	case user.Verifier == "":
		c.doomed, c.cause = ReasonNoPassword, errors.New("user has no password")
	case parseErr != nil:
		c.doomed, c.cause = ReasonNoPassword, parseErr
	}
	return c, nil
}

// credentials reads the verifiers of the user's credentials, and says that one of
// them can be proven. Without a password they decide which salt is shown.
func (c *candidate) credentials(password bool) (usable bool) {
	for _, credential := range c.user.Credentials {
		v, err := ParseVerifier(scramOf(credential.Verifier))
		if err == nil && !password && !usable {
			c.verifier = Verifier{iterations: v.iterations, salt: v.salt, storedKey: c.verifier.storedKey, serverKey: c.verifier.serverKey} // no password proves that
		}
		if err != nil || v.iterations != c.verifier.iterations || !bytes.Equal(v.salt, c.verifier.salt) {
			v = Verifier{}
		} else {
			usable = true
		}
		c.others = append(c.others, v)
	}
	return usable
}

// Like returns a verifier whose salt and count further secrets of a user have to
// have; see SaltedVerifier.
func (a *Authenticator) Like(ctx context.Context, user string) (Verifier, error) {
	c, err := a.candidate(ctx, user)
	return c.verifier, err
}

// mockVerifier derives what is shown for a name without a verifier. It is the
// same every time, or asking twice would tell that nobody is there.
func (a *Authenticator) mockVerifier(name string) Verifier {
	if normalized, err := store.NormalizeName(name); err == nil {
		name = normalized
	}
	derive := func(purpose string) []byte {
		return hmacSum(a.newHash, a.secret, []byte(purpose+"\x00"+name))
	}
	return Verifier{
		iterations: a.options.Iterations,
		salt:       derive("salt")[:saltSize],
		storedKey:  derive("stored key"),
		serverKey:  derive("server key"),
	}
}

// confirm looks the user up again after the proof: time has passed since the
// first look, and the user may have been disabled in it.
func (a *Authenticator) confirm(ctx context.Context, c candidate, method string) (*Identity, Reason, error) {
	user, err := a.users.LookupUser(ctx, c.user.Name)
	var unknown *store.NotFound
	switch {
	case errors.As(err, &unknown):
		return nil, ReasonChanged, err
	case err != nil:
		return nil, "", fmt.Errorf("find user: %w", err)
	case user.ID != c.user.ID || user.Disabled() || user.Verifier != c.user.Verifier:
		return nil, ReasonChanged, errors.New("user changed during login")
	}
	id := identityOf(user, method, time.Now().UTC())
	if c.used < 0 {
		return id, "", nil
	}
	used := c.user.Credentials[c.used]
	if !slices.ContainsFunc(user.Credentials, func(o store.Credential) bool { return o.ID == used.ID }) {
		return nil, ReasonChanged, errors.New("credential was revoked during login")
	}
	return id.by(used), "", nil
}

// fail makes the one failure that clients see, and reports it.
func (a *Authenticator) fail(ctx context.Context, user, method string, reason Reason, cause error) error {
	kind := "password"
	if method == MethodCertificate {
		kind = "certificate"
	}
	failure := &Failure{
		Public: fmt.Sprintf("%s authentication failed for user \"%s\"", kind, user),
		Reason: reason,
		Method: method,
		Cause:  cause,
	}
	a.observe(ctx, Attempt{User: user, Method: method, Failure: failure})
	return failure
}

func (a *Authenticator) succeed(ctx context.Context, user string, identity *Identity) *Identity {
	a.observe(ctx, Attempt{User: user, Method: identity.Method, Identity: identity})
	return identity
}

func (a *Authenticator) observe(ctx context.Context, attempt Attempt) {
	if a.options.Observe != nil {
		a.options.Observe(ctx, attempt)
	}
}

func newServerNonce() string {
	nonce := make([]byte, serverNonceSize)
	_, _ = rand.Read(nonce) // never fails
	return base64.StdEncoding.EncodeToString(nonce)
}
