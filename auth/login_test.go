package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/weirdb/weir/store"
)

const anaPassword = "tide pool at low noon"

// counted is a store whose lookups are counted; fail, if set, fails them.
type counted struct {
	*store.Store
	mu      sync.Mutex
	lookups int
	fail    error
	during  func() // called within each lookup
}

func (c *counted) LookupUser(ctx context.Context, name string) (store.User, error) {
	c.mu.Lock()
	c.lookups++
	during, fail := c.during, c.fail
	c.mu.Unlock()
	if during != nil {
		during()
	}
	if fail != nil {
		return store.User{}, fail
	}
	return c.Store.LookupUser(ctx, name)
}

// world is a store with ana (password), dan (disabled, same password), sso (no
// password) and bad (damaged verifier), and an authenticator on it.
type world struct {
	*Authenticator
	users    *counted
	attempts []Attempt
}

func newWorld(t testing.TB, options Options) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "weir.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ana := verifierOf(t, anaPassword)
	for _, user := range []store.NewUser{
		{Name: "ana", Verifier: ana, GlobalRole: store.GlobalAdministrator},
		{Name: "dan", Verifier: verifierOf(t, anaPassword)},
		{Name: "sso"},
		{Name: "bad", Verifier: "md5d41d8cd98f00b204e9800998ecf8427e"},
	} {
		if _, err := s.AddUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DisableUser(t.Context(), "dan"); err != nil {
		t.Fatal(err)
	}
	secret, err := s.MockSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{users: &counted{Store: s}}
	options.Observe = func(_ context.Context, a Attempt) { w.attempts = append(w.attempts, a) }
	if w.Authenticator, err = New(w.users, secret, options); err != nil {
		t.Fatal(err)
	}
	return w
}

func verifierOf(t testing.TB, password string) store.Secret {
	t.Helper()
	v, err := NewVerifier(password, DefaultIterations)
	if err != nil {
		t.Fatal(err)
	}
	return v.Encode()
}

// conversation is the part of xdg-go/scram's client that login drives.
type conversation interface {
	Step(challenge string) (string, error)
	Valid() bool
}

// login runs one exchange. The client has to accept the server's signature.
func (w *world) login(t testing.TB, user, mechanism string, cb ChannelBinding, client conversation) (serverFirst string, id *Identity, err error) {
	t.Helper()
	step := func(challenge string) []byte {
		t.Helper()
		message, err := client.Step(challenge)
		if err != nil {
			t.Fatalf("client: %v", err)
		}
		return []byte(message)
	}
	s, err := w.BeginSCRAM(t.Context(), user, mechanism, cb)
	if err != nil {
		return "", nil, err
	}
	first, err := s.First(t.Context(), step(""))
	if err != nil {
		return "", nil, err
	}
	final, id, err := s.Final(t.Context(), step(string(first)))
	if err != nil {
		if final != nil || id != nil {
			t.Errorf("a failed login gives %s and %+v", final, id)
		}
		return string(first), nil, err
	}
	step(string(final))
	if !client.Valid() {
		t.Error("the client does not accept the server")
	}
	return string(first), id, nil
}

func newClient(t testing.TB, user, password string) *scram.Client {
	t.Helper()
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestSCRAM(t *testing.T) {
	w := newWorld(t, Options{})
	for _, inMessage := range []string{"", "*", "ana", "somebody,else=x"} {
		_, id, err := w.login(t, "ana", SCRAMSHA256, ChannelBinding{}, newClient(t, inMessage, anaPassword).NewConversation())
		if err != nil {
			t.Fatalf("with user name %q in the message: %v", inMessage, err)
		}
		if id.Name != "ana" || id.Source != "local" || id.GlobalRole != "administrator" || id.Method != MethodSCRAM ||
			id.MFA || time.Since(id.Authenticated) > time.Minute || !strings.HasPrefix(id.ID, "local|") {
			t.Errorf("identity is %+v", id)
		}
	}
	if len(w.attempts) != 4 || w.attempts[0].Failure != nil || w.attempts[0].Identity == nil || w.attempts[0].User != "ana" {
		t.Errorf("observed %+v", w.attempts)
	}
}

func TestOnePublicMessageForEveryCause(t *testing.T) {
	w := newWorld(t, Options{Cleartext: true})
	reasons := map[string]Reason{
		"ana": ReasonWrongPassword, "dan": ReasonDisabled, "sso": ReasonNoPassword, "bad": ReasonNoPassword,
		"nobody": ReasonUnknownUser, "no\x00body": ReasonUnknownUser,
	}
	check := func(user string, err error) {
		t.Helper()
		var failure *Failure
		if !errors.As(err, &failure) {
			t.Fatalf("%q: %v is no *Failure", user, err)
		}
		if want := `password authentication failed for user "` + user + `"`; failure.Public != want {
			t.Errorf("%q: the client is told %q", user, failure.Public)
		}
		if failure.Reason != reasons[user] || failure.Cause == nil {
			t.Errorf("%q: reason %s, cause %v", user, failure.Reason, failure.Cause)
		}
		if last := w.attempts[len(w.attempts)-1]; last.Failure != failure || last.User != user || last.Identity != nil {
			t.Errorf("%q: observed %+v", user, last)
		}
	}
	for user := range reasons {
		for range 2 {
			_, _, err := w.login(t, user, SCRAMSHA256, ChannelBinding{}, newClient(t, "", "not the password").NewConversation())
			check(user, err)
		}
		_, err := w.Password(t.Context(), user, "not the password")
		check(user, err)
	}
	_, _, err := w.login(t, "dan", SCRAMSHA256, ChannelBinding{}, newClient(t, "", anaPassword).NewConversation())
	check("dan", err)
	_, err = w.Password(t.Context(), "dan", anaPassword)
	check("dan", err)
}

func TestUnknownUserLooksLikeAWrongPassword(t *testing.T) {
	w := newWorld(t, Options{Cleartext: true})
	ask := func(user string) (salt string, shape string) {
		t.Helper()
		s, err := w.BeginSCRAM(t.Context(), user, SCRAMSHA256, ChannelBinding{})
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.First(t.Context(), []byte("n,,n=,r=fixed"))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Split(string(first), ",")
		return fields[1], fmt.Sprint(len(first), len(fields[0]), len(fields[1]), fields[2])
	}
	salts := map[string]bool{}
	_, shape := ask("ana")
	for _, user := range []string{"ana", "dan", "sso", "bad", "nobody", "somebody"} {
		salt, got := ask(user)
		again, _ := ask(user)
		if salt != again {
			t.Errorf("%s: the salt changes from %s to %s", user, salt, again)
		}
		if got != shape {
			t.Errorf("%s: the reply has shape %s, ana's %s", user, got, shape)
		}
		if salts[salt] {
			t.Errorf("%s: shares a salt with somebody", user)
		}
		salts[salt] = true
	}
	if composed, _ := ask("jos\u00e9"); composed != first(ask("jose\u0301")) {
		t.Error("two spellings of one name have different salts, as those of a user would not")
	}
	if salt, _ := ask("dan"); salt != first(ask("dan")) {
		t.Error("a disabled user's salt changes")
	}
	// The salt of a user who is disabled stays what it was.
	before, _ := ask("ana")
	if err := w.users.DisableUser(t.Context(), "ana"); err != nil {
		t.Fatal(err)
	}
	if after, _ := ask("ana"); after != before {
		t.Error("disabling changes the salt")
	}
}

func first(a, _ string) string { return a }

// countingHash counts the hashes that are made and the bytes that go in.
type countingHash struct {
	hash.Hash
	bytes *int
}

func (c countingHash) Write(p []byte) (int, error) { *c.bytes += len(p); return c.Hash.Write(p) }

func TestUnknownUserCostsAsMuchAsAWrongPassword(t *testing.T) {
	w := newWorld(t, Options{Cleartext: true})
	var hashes, written int
	w.newHash = func() hash.Hash {
		hashes++
		return countingHash{crypto.SHA256.New(), &written}
	}
	// Names of one length, because the bytes that are hashed are counted.
	cost := func(user string, run func()) string {
		hashes, written, w.users.lookups = 0, 0, 0
		run()
		return fmt.Sprintf("%d lookups, %d hashes over %d bytes", w.users.lookups, hashes, written)
	}
	scramLogin := func(user string) string {
		return cost(user, func() {
			s, err := w.BeginSCRAM(t.Context(), user, SCRAMSHA256, ChannelBinding{})
			if err != nil {
				t.Fatal(err)
			}
			reply, err := s.First(t.Context(), []byte("n,,n=,r=fixed"))
			if err != nil {
				t.Fatal(err)
			}
			nonce, _, _ := strings.Cut(string(reply), ",")
			proof := encode64(make([]byte, 32))
			if _, _, err := s.Final(t.Context(), []byte("c=biws,"+nonce+",p="+proof)); err == nil {
				t.Fatal("zeros prove something")
			}
		})
	}
	passwordLogin := func(user string) string {
		return cost(user, func() {
			if _, err := w.Password(t.Context(), user, "not the password"); err == nil {
				t.Fatal("a wrong password is accepted")
			}
		})
	}
	for name, login := range map[string]func(string) string{"scram": scramLogin, "password": passwordLogin} {
		want := login("ana")
		if strings.Contains(want, " 0 ") || strings.HasPrefix(want, "0") {
			t.Fatalf("%s: counts nothing: %s", name, want)
		}
		for _, user := range []string{"dan", "sso", "bad", "eve", "xyz"} {
			if got := login(user); got != want {
				t.Errorf("%s of %s costs %s, a wrong password %s", name, user, got, want)
			}
		}
	}
}

func TestStoreFailureIsNoFailureOfTheUser(t *testing.T) {
	w := newWorld(t, Options{Cleartext: true})
	w.users.fail = errors.New("disk is gone")
	_, err := w.BeginSCRAM(t.Context(), "ana", SCRAMSHA256, ChannelBinding{})
	_, err2 := w.Password(t.Context(), "ana", anaPassword)
	for _, err := range []error{err, err2} {
		var failure *Failure
		if !errors.Is(err, w.users.fail) || errors.As(err, &failure) {
			t.Errorf("error is %v", err)
		}
	}
	if len(w.attempts) != 0 {
		t.Errorf("observed %+v", w.attempts)
	}
}

func TestUserWhoChangesDuringTheExchange(t *testing.T) {
	changes := map[string]func(context.Context, *store.Store) error{
		"disabled":     func(ctx context.Context, s *store.Store) error { return s.DisableUser(ctx, "ana") },
		"removed":      func(ctx context.Context, s *store.Store) error { return s.RemoveUser(ctx, "ana") },
		"new password": func(ctx context.Context, s *store.Store) error { return s.SetVerifier(ctx, "ana", "x") },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			client := newClient(t, "", anaPassword).NewConversation()
			s, err := w.BeginSCRAM(t.Context(), "ana", SCRAMSHA256, ChannelBinding{})
			if err != nil {
				t.Fatal(err)
			}
			message, _ := client.Step("")
			reply, err := s.First(t.Context(), []byte(message))
			if err != nil {
				t.Fatal(err)
			}
			if err := change(t.Context(), w.users.Store); err != nil {
				t.Fatal(err)
			}
			message, _ = client.Step(string(reply))
			_, id, err := s.Final(t.Context(), []byte(message))
			var failure *Failure
			if !errors.As(err, &failure) || failure.Reason != ReasonChanged || id != nil {
				t.Errorf("identity %+v, error %v", id, err)
			}
		})
	}
}

func TestPassword(t *testing.T) {
	w := newWorld(t, Options{})
	var failure *Failure
	if _, err := w.Password(t.Context(), "ana", anaPassword); !errors.As(err, &failure) || failure.Reason != ReasonMechanism {
		t.Errorf("cleartext is on by default: %v", err)
	}
	w = newWorld(t, Options{Cleartext: true})
	id, err := w.Password(t.Context(), "ana", anaPassword)
	if err != nil || id.Name != "ana" || id.Method != MethodPassword {
		t.Errorf("identity %+v, %v", id, err)
	}
	if _, err := w.Password(t.Context(), "ana", strings.Repeat("x", MaxPassword+1)); !errors.As(err, &failure) || failure.Reason != ReasonMalformed {
		t.Errorf("a long password: %v", err)
	}
}

// certificate makes a self-signed certificate.
func certificate(t testing.TB, key crypto.Signer, algorithm x509.SignatureAlgorithm, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir"}, SignatureAlgorithm: algorithm,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// handshake returns what a TLS client sees of a server with that certificate.
func handshake(t testing.TB, cert *x509.Certificate, key crypto.Signer) tls.ConnectionState {
	t.Helper()
	here, there := net.Pipe()
	server := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}})
	client := tls.Client(here, &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }() // ends with the pipe
	err := client.Handshake()
	if err := errors.Join(err, <-done, here.Close(), there.Close()); err != nil {
		t.Fatal(err)
	}
	return client.ConnectionState()
}

func keys(t testing.TB) (rsaKey, p256, p384, edKey crypto.Signer) {
	t.Helper()
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	a, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b, err3 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, e, err4 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return r, a, b, e
}

func TestChannelBinding(t *testing.T) {
	w := newWorld(t, Options{})
	rsaKey, p256, p384, edKey := keys(t)
	tests := []struct {
		algorithm x509.SignatureAlgorithm
		key       crypto.Signer
	}{
		{x509.SHA256WithRSA, rsaKey},
		{x509.SHA512WithRSA, rsaKey},
		{x509.SHA384WithRSAPSS, rsaKey},
		{x509.ECDSAWithSHA256, p256},
		{x509.ECDSAWithSHA384, p384},
	}
	for _, test := range tests {
		cert := certificate(t, test.key, test.algorithm, nil)
		cb, err := ServerEndPoint(cert)
		if err != nil || !slices.Equal(cb.Mechanisms(), []string{SCRAMSHA256Plus, SCRAMSHA256}) {
			t.Fatalf("%s: %v, offers %v", test.algorithm, err, cb.Mechanisms())
		}
		state := handshake(t, cert, test.key)
		binding, err := scram.NewTLSServerEndpointBinding(&state)
		if err != nil {
			t.Fatal(err)
		}
		_, id, err := w.login(t, "ana", SCRAMSHA256Plus, cb, newClient(t, "", anaPassword).NewConversationWithChannelBinding(binding))
		if err != nil || id.Method != MethodSCRAMPlus {
			t.Errorf("%s: %+v, %v", test.algorithm, id, err)
		}
	}
	cb, err := ServerEndPoint(certificate(t, edKey, x509.PureEd25519, nil))
	if err == nil || cb.Available() || !slices.Equal(cb.Mechanisms(), []string{SCRAMSHA256}) {
		t.Errorf("Ed25519 has a binding: %v, offers %v", err, cb.Mechanisms())
	}
}

func TestChannelBindingRefused(t *testing.T) {
	_, key, _, _ := keys(t)
	cert := certificate(t, key, x509.ECDSAWithSHA256, nil)
	ours, err := ServerEndPoint(cert)
	if err != nil {
		t.Fatal(err)
	}
	state := handshake(t, cert, key)
	right, err := scram.NewTLSServerEndpointBinding(&state)
	if err != nil {
		t.Fatal(err)
	}
	foreign := right
	foreign.Data = slices.Clone(right.Data)
	foreign.Data[0] ^= 1
	cut := right
	cut.Data = right.Data[:31]
	other := right
	other.Type = scram.ChannelBindingTLSUnique
	tests := []struct {
		name      string
		mechanism string
		cb        ChannelBinding
		client    func(*scram.Client) conversation
		want      Reason // empty: accepted
	}{
		{"flag n, nothing offered", SCRAMSHA256, ChannelBinding{}, plain, ""},
		{"flag y, nothing offered", SCRAMSHA256, ChannelBinding{}, advertising, ""},
		{"flag n, -PLUS offered", SCRAMSHA256, ours, plain, ""},
		{"downgrade: flag y, -PLUS offered", SCRAMSHA256, ours, advertising, ReasonChannelBinding},
		{"-PLUS without TLS", SCRAMSHA256Plus, ChannelBinding{}, bound(right), ReasonMechanism},
		{"-PLUS with flag n", SCRAMSHA256Plus, ours, plain, ReasonChannelBinding},
		{"-PLUS with flag y", SCRAMSHA256Plus, ours, advertising, ReasonChannelBinding},
		{"flag p without -PLUS", SCRAMSHA256, ours, bound(right), ReasonChannelBinding},
		{"another certificate", SCRAMSHA256Plus, ours, bound(foreign), ReasonChannelBinding},
		{"cut data", SCRAMSHA256Plus, ours, bound(cut), ReasonChannelBinding},
		{"another type", SCRAMSHA256Plus, ours, bound(other), ReasonChannelBinding},
		{"another mechanism", "SCRAM-SHA-1", ours, plain, ReasonMechanism},
		{"no mechanism", "", ChannelBinding{}, plain, ReasonMechanism},
	}
	w := newWorld(t, Options{})
	for _, test := range tests {
		_, _, err := w.login(t, "ana", test.mechanism, test.cb, test.client(newClient(t, "", anaPassword)))
		var failure *Failure
		switch {
		case test.want == "":
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
		case !errors.As(err, &failure) || failure.Reason != test.want:
			t.Errorf("%s: %v, want reason %s", test.name, err, test.want)
		case failure.Public != `password authentication failed for user "ana"`:
			t.Errorf("%s: the client is told %q", test.name, failure.Public)
		}
	}
}

func plain(c *scram.Client) conversation       { return c.NewConversation() }
func advertising(c *scram.Client) conversation { return c.NewConversationAdvertisingChannelBinding() }
func bound(cb scram.ChannelBinding) func(*scram.Client) conversation {
	return func(c *scram.Client) conversation { return c.NewConversationWithChannelBinding(cb) }
}

func TestNewRefuses(t *testing.T) {
	for name, build := range map[string]func() (*Authenticator, error){
		"short secret":   func() (*Authenticator, error) { return New(nil, []byte("x"), Options{}) },
		"few iterations": func() (*Authenticator, error) { return New(nil, make([]byte, 32), Options{Iterations: 1}) },
	} {
		if _, err := build(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
