package mywire

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// TestPasswordMechanisms checks both sides against each other, and the client's
// against go-mysql's.
func TestPasswordMechanisms(t *testing.T) {
	nonce, err := NewNonce()
	if err != nil || len(nonce) != NonceLen || bytes.ContainsAny(nonce, "\x00$") {
		t.Fatalf("nonce %q, %v", nonce, err)
	}
	other, _ := NewNonce()
	for _, m := range []struct {
		name     string
		answer   func(string, []byte) []byte
		verifier func(string) []byte
		verify   func(answer, nonce, verifier []byte) bool
		theirs   func(string, []byte) []byte
	}{
		{PluginNative, NativeAnswer, NativeVerifier, VerifyNative, func(p string, n []byte) []byte { return mysql.CalcNativePassword(n, []byte(p)) }},
		{PluginSHA2, SHA2Answer, SHA2Verifier, VerifySHA2, func(p string, n []byte) []byte { return mysql.CalcCachingSha2Password(n, []byte(p)) }},
		{PluginEd25519, Ed25519Answer, Ed25519Verifier, VerifyEd25519, func(p string, n []byte) []byte {
			b, err := mysql.CalcEd25519Password(n, p)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}},
	} {
		for _, password := range []string{"x", "pässwörd ½", string(long(1000))} {
			answer := m.answer(password, nonce)
			if theirs := m.theirs(password, nonce); !bytes.Equal(answer, theirs) {
				t.Errorf("%s of %.10q: %x, go-mysql makes %x", m.name, password, answer, theirs)
			}
			verifier := m.verifier(password)
			if !m.verify(answer, nonce, verifier) {
				t.Errorf("%s of %.10q: refused", m.name, password)
			}
			broken := bytes.Clone(answer)
			broken[len(broken)-1] ^= 1
			for name, no := range map[string]bool{
				"another password": m.verify(m.answer(password+"x", nonce), nonce, verifier),
				"another nonce":    m.verify(answer, other, verifier),
				"a changed answer": m.verify(broken, nonce, verifier),
				"no answer":        m.verify(nil, nonce, verifier),
				"a short answer":   m.verify(answer[1:], nonce, verifier),
				"no verifier":      m.verify(answer, nonce, nil),
			} {
				if no {
					t.Errorf("%s of %.10q: %s is taken", m.name, password, name)
				}
			}
		}
	}
	if NativeAnswer("", nonce) != nil || SHA2Answer("", nonce) != nil {
		t.Error("an answer for no password")
	}
	if VerifyNative(nil, nonce, NativeVerifier("")) || VerifySHA2(nil, nonce, SHA2Verifier("")) {
		t.Error("no answer is taken for no password: that is for the caller to decide")
	}
}

func TestPasswordByKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text, err := PublicKeyText(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	nonce, _ := NewNonce()
	for _, password := range []string{"", "x", string(long(150))} {
		sent, err := EncryptPassword(password, nonce, public)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecryptPassword(sent, nonce, key); err != nil || string(got) != password {
			t.Errorf("%q, %v", got, err)
		}
		other, _ := NewNonce()
		if got, err := DecryptPassword(sent, other, key); err == nil && string(got) == password {
			t.Error("another nonce is as good")
		}
		sent[0] ^= 1
		if _, err := DecryptPassword(sent, nonce, key); err == nil {
			t.Error("changed bytes are as good")
		}
		theirs, err := mysql.EncryptPassword(password, nonce, public)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecryptPassword(theirs, nonce, key); err != nil || string(got) != password {
			t.Errorf("go-mysql's: %q, %v", got, err)
		}
	}
	if _, err := EncryptPassword(string(long(300)), nonce, public); err == nil {
		t.Error("a password longer than the key")
	}
	if _, err := EncryptPassword("x", nil, public); err == nil {
		t.Error("no nonce")
	}
	for _, text := range []string{"", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := ParsePublicKey([]byte(text)); err == nil {
			t.Errorf("key %q", text)
		}
	}
	if got, err := ParsePasswordText(PasswordText("secret")); err != nil || string(got) != "secret" {
		t.Errorf("%q %v", got, err)
	}
	for _, b := range []string{"", "secret", "sec\x00ret\x00"} {
		if _, err := ParsePasswordText([]byte(b)); err == nil {
			t.Errorf("password text %q", b)
		}
	}
}
