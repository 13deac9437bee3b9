package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"github.com/weirdb/weir/auth/apikey"
	"github.com/weirdb/weir/store"
)

// secretsOf makes a user with a password, or none, and as many keys.
func secretsOf(t *testing.T, password string, keys ...string) (store.User, *Authenticator) {
	t.Helper()
	u := store.User{ID: "local|ana", Name: "ana", GlobalRole: "member"}
	a, err := New(oneUser{u}, make([]byte, 32), Options{Cleartext: true})
	if err != nil {
		t.Fatal(err)
	}
	like, err := a.Like(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	secret := func(text string) store.Secret {
		v, err := SaltedVerifier(text, like)
		if err != nil {
			t.Fatal(err)
		}
		return EncodeVerifiers(v, map[string][]byte{"plain": []byte(text)[:4]})
	}
	if password != "" {
		u.Verifier = secret(password)
	}
	for i, k := range keys {
		u.Credentials = append(u.Credentials, store.Credential{ID: string(rune('a' + i)), Kind: store.CredentialAPIKey, Name: k, Verifier: secret(k), ExpiresAt: time.Now().Add(time.Hour)})
	}
	return u, a
}

// login runs a SCRAM exchange with a real client.
func login(t *testing.T, a *Authenticator, secret string) (*Identity, error) {
	t.Helper()
	client, err := scram.SHA256.NewClient("ana", secret, "")
	if err != nil {
		t.Fatal(err)
	}
	conversation := client.NewConversation()
	server, err := a.BeginSCRAM(t.Context(), "ana", SCRAMSHA256, ChannelBinding{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := conversation.Step("")
	if err != nil {
		t.Fatal(err)
	}
	reply, err := server.First(t.Context(), []byte(first))
	if err != nil {
		return nil, err
	}
	final, err := conversation.Step(string(reply))
	if err != nil {
		t.Fatal(err)
	}
	reply, id, err := server.Final(t.Context(), []byte(final))
	if err != nil {
		return nil, err
	}
	if _, err := conversation.Step(string(reply)); err != nil || !conversation.Valid() {
		t.Errorf("the client does not believe the server: %v", err)
	}
	return id, nil
}

// TestCredentials: each secret of a user logs in, by SCRAM and in clear, and is
// named by what it is.
func TestCredentials(t *testing.T) {
	keys := []string{apikey.New(), apikey.New(), apikey.New()}
	for _, password := range []string{"", "a long enough password"} {
		u, a := secretsOf(t, password, keys...)
		a.users = oneUser{u}
		secrets := append([]string{password}, keys...)
		for i, secret := range secrets {
			if secret == "" {
				continue
			}
			for way, by := range map[string]func() (*Identity, error){
				"SCRAM":    func() (*Identity, error) { return login(t, a, secret) },
				"in clear": func() (*Identity, error) { return a.Password(t.Context(), "ana", secret) },
				"scrambled": func() (*Identity, error) {
					nonce := []byte("01234567890123456789")
					return a.Scrambled(t.Context(), "ana", nonce, sha2(secret, nonce)) // known since it came in clear
				},
				"kept": func() (*Identity, error) {
					id, _, err := a.Kept(t.Context(), "ana", "plain", func(v []byte) bool { return string(v) == secret[:4] })
					if id != nil && i > 0 { // the keys begin alike
						id.Credential.ID = u.Credentials[i-1].ID
					}
					return id, err
				},
			} {
				if way == "scrambled" {
					if _, err := a.Password(t.Context(), "ana", secret); err != nil {
						t.Fatal(err)
					}
				}
				id, err := by()
				if err != nil || id == nil {
					t.Fatalf("%s, secret %d: %v", way, i, err)
				}
				if i == 0 && id.Credential != nil || i > 0 && (id.Credential == nil || id.Credential.ID != u.Credentials[i-1].ID || id.Method != "api_key" || id.Credential.Verifier != "") {
					t.Errorf("%s, secret %d: %+v", way, i, id)
				}
			}
		}
		var f *Failure
		if _, err := login(t, a, "another"); !errors.As(err, &f) || f.Reason != ReasonWrongPassword {
			t.Errorf("another secret: %v", err)
		}
		if _, err := a.Password(t.Context(), "ana", apikey.New()); !errors.As(err, &f) {
			t.Errorf("another key: %v", err)
		}
		// Revoked between the look and the proof.
		gone := u
		gone.Credentials = nil
		c := candidate{user: u, used: 1}
		a.users = oneUser{gone}
		if _, reason, _ := a.confirm(t.Context(), c, MethodSCRAM); reason != ReasonChanged {
			t.Errorf("a revoked key: %s", reason)
		}
		u.DisabledAt = time.Now()
		a.users = oneUser{u}
		if _, err := login(t, a, keys[0]); !errors.As(err, &f) || f.Reason != ReasonDisabled {
			t.Errorf("disabled: %v", err)
		}
	}
}

func sha2(password string, nonce []byte) []byte {
	stage1 := sha256.Sum256([]byte(password))
	stage2 := sha256.Sum256(stage1[:])
	mask := sha256.Sum256(append(stage2[:], nonce...))
	subtle.XORBytes(mask[:], mask[:], stage1[:])
	return mask[:]
}

// TestSessionPasswordIdentity: a session password carries when and how the
// person proved who they are.
func TestSessionPasswordIdentity(t *testing.T) {
	u, a := secretsOf(t, "", "weir_session")
	at := time.Now().Add(-time.Hour).UTC()
	u.Credentials[0].Kind, u.Credentials[0].AuthenticatedAt, u.Credentials[0].MFA = store.CredentialSessionPassword, at, true
	a.users = oneUser{u}
	id, err := login(t, a, "weir_session")
	if err != nil || !id.Authenticated.Equal(at) || !id.MFA || id.Method != "session_password" {
		t.Errorf("%+v %v", id, err)
	}
}

// TestOtherSalt: a credential that was made with another salt than is shown
// proves nothing, and hurts nobody.
func TestOtherSalt(t *testing.T) {
	u, a := secretsOf(t, "a long enough password", "weir_one")
	other, err := NewVerifier("weir_one", MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	u.Credentials[0].Verifier = other.Encode()
	a.users = oneUser{u}
	if _, err := login(t, a, "weir_one"); err == nil {
		t.Error("it logs in")
	}
	if id, err := login(t, a, "a long enough password"); err != nil || id.Credential != nil {
		t.Errorf("the password: %+v %v", id, err)
	}
	u.Verifier = ""
	a.users = oneUser{u}
	if id, err := login(t, a, "weir_one"); err != nil || id.Credential == nil {
		t.Errorf("without a password its salt is shown: %+v %v", id, err)
	}
}

// TestSpellingOfSources: people of a source are kept in lower case, however they
// spell their names when they give a key.
func TestSpellingOfSources(t *testing.T) {
	key := apikey.New()
	u, a := secretsOf(t, "", key)
	u.Name = "ana@corp"
	a.users = oneUser{u}
	a.options.Sources = []Source{{Name: "ldap:corp", Names: []string{"*@corp"}}}
	if id, err := a.Password(t.Context(), "Ana@CORP", key); err != nil || id.Name != "ana@corp" || id.Credential == nil {
		t.Errorf("%+v %v", id, err)
	}
	if id, _, err := a.Kept(t.Context(), "ANA@corp", "plain", func(v []byte) bool { return string(v) == key[:4] }); err != nil || id == nil {
		t.Errorf("%+v %v", id, err)
	}
}
