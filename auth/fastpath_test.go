package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"testing"
)

// scramble is a client's answer in caching_sha2_password.
func scramble(password string, nonce []byte) []byte {
	inner := sha256.Sum256([]byte(password))
	outer := sha256.Sum256(inner[:])
	key := sha256.Sum256(append(outer[:], nonce...))
	out := make([]byte, sha256.Size)
	subtle.XORBytes(out, inner[:], key[:])
	return out
}

func TestFastPathNeedsThePasswordOnce(t *testing.T) {
	w := newWorld(t, Options{Cleartext: true})
	ctx, nonce := t.Context(), []byte("12345678901234567890")
	try := func(user, password string) bool {
		t.Helper()
		id, err := w.Scrambled(ctx, user, nonce, scramble(password, nonce))
		if err != nil {
			t.Fatal(err)
		}
		return id != nil
	}
	if try("ana", anaPassword) {
		t.Fatal("the fast path knows a password that was never shown")
	}
	if _, err := w.Password(ctx, "ana", "not the password"); err == nil || try("ana", "not the password") {
		t.Fatal("a wrong password was remembered")
	}
	if _, err := w.Password(ctx, "ana", anaPassword); err != nil {
		t.Fatal(err)
	}
	if !try("ana", anaPassword) {
		t.Fatal("a password that was shown is not remembered")
	}
	for _, wrong := range []struct{ user, password string }{{"ana", "not the password"}, {"ana", ""}, {"nobody", anaPassword}, {"dan", anaPassword}, {"sso", anaPassword}} {
		if try(wrong.user, wrong.password) {
			t.Errorf("%s got in with %q", wrong.user, wrong.password)
		}
	}
	if id, err := w.Scrambled(ctx, "ana", nonce, scramble(anaPassword, nonce)[:31]); id != nil || err != nil {
		t.Errorf("a short answer: %v, %v", id, err)
	}
	if err := w.users.SetVerifier(ctx, "ana", verifierOf(t, anaPassword)); err != nil {
		t.Fatal(err)
	}
	if try("ana", anaPassword) {
		t.Error("a password is remembered although it was set anew")
	}
	if _, err := w.Password(ctx, "ana", anaPassword); err != nil {
		t.Fatal(err)
	}
	if err := w.users.DisableUser(ctx, "ana"); err != nil {
		t.Fatal(err)
	}
	if try("ana", anaPassword) {
		t.Error("a disabled user gets in")
	}
}
