package vault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/secrets/vault"
	"github.com/weirdb/weir/secrets/vault/vaulttest"
)

func fixed(text string) func(context.Context) (secrets.Value, error) {
	return func(context.Context) (secrets.Value, error) { return secrets.NewValue(text), nil }
}

func ref(t *testing.T, text string) secrets.Ref {
	t.Helper()
	r, err := secrets.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func resolver(t *testing.T, o vault.Options) *secrets.Resolver {
	t.Helper()
	p, err := vault.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"vault": p}})
}

func TestKeyValueEngines(t *testing.T) {
	s := vaulttest.New(false)
	defer s.Close()
	s.Put("secret/shop", map[string]any{"password": "first", "port": 5432})
	s.Put("secret/shop", map[string]any{"password": "second", "port": 5432})
	s.Put("kv/shop", map[string]any{"password": "one", "data": "d"})
	r := resolver(t, vault.Options{Address: s.URL, Auth: vault.Auth{Method: vault.MethodToken, Secret: fixed(vaulttest.RootToken)}})
	for _, c := range []struct{ text, secret, fault string }{
		{"${vault:secret/data/shop#password}", "second", ""},
		{"${vault:secret/data/shop?version=1#password}", "first", ""},
		{"${vault:secret/data/shop#port}", "5432", ""},
		{"${vault:kv/shop#password}", "one", ""},
		{"${vault:kv/shop#data}", "d", ""},
		{"${vault:kv/shop?version=1#password}", "", "no versions"},
		{"${vault:secret/data/shop?version=9#password}", "", "404"},
		{"${vault:secret/data/shop?version=new#password}", "", "number"},
		{"${vault:secret/data/shop?stage=x#password}", "", "no stages"},
		{"${vault:secret/data/shop#other}", "", `no field "other"`},
		{"${vault:secret/data/shop}", "", "several fields"},
		{"${vault:secret/data/none#a}", "", "404"},
	} {
		v, err := r.Resolve(t.Context(), ref(t, c.text))
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want an error with %q", c.text, err, c.fault)
			}
		} else if err != nil || v.Reveal() != c.secret {
			t.Errorf("%s: %q, %v", c.text, v.Reveal(), err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestLogins(t *testing.T) {
	s := vaulttest.New(true)
	defer s.Close()
	s.Namespace = "team/a"
	s.Put("secret/shop", map[string]any{"password": "p"})
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	own := clientCertificate(t)
	for _, c := range []struct {
		name  string
		auth  vault.Auth
		own   func(context.Context) (*tls.Certificate, error)
		fault string
	}{
		{"token", vault.Auth{Method: "token", Secret: fixed(vaulttest.RootToken)}, nil, ""},
		{"wrong token", vault.Auth{Method: "token", Secret: fixed("hvs.swordfish")}, nil, "403"},
		{"approle", vault.Auth{Method: "approle", RoleID: vaulttest.RoleID, Secret: fixed(vaulttest.SecretID)}, nil, ""},
		{"wrong secret id", vault.Auth{Method: "approle", RoleID: vaulttest.RoleID, Secret: fixed("swordfish")}, nil, "400"},
		{"kubernetes", vault.Auth{Method: "kubernetes", Role: vaulttest.Role, Secret: fixed(vaulttest.JWT)}, nil, ""},
		{"wrong jwt", vault.Auth{Method: "kubernetes", Role: vaulttest.Role, Secret: fixed("swordfish")}, nil, "400"},
		{"tls", vault.Auth{Method: "tls", Role: vaulttest.Role}, own, ""},
		{"no certificate", vault.Auth{Method: "tls", Role: vaulttest.Role}, nil, "400"},
		{"other mount", vault.Auth{Method: "approle", Mount: "elsewhere", Secret: fixed("x")}, nil, "400"},
	} {
		r := resolver(t, vault.Options{Address: s.URL, Namespace: "team/a", Roots: roots, Auth: c.auth, Certificate: c.own})
		v, err := r.Resolve(t.Context(), ref(t, "${vault:secret/data/shop#password}"))
		switch {
		case c.fault == "" && (err != nil || v.Reveal() != "p"):
			t.Errorf("%s: %v", c.name, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.fault)
		case err != nil && strings.Contains(err.Error(), "swordfish"):
			t.Errorf("%s: a secret shows: %v", c.name, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: close: %v", c.name, err)
		}
		if n := s.Tokens(); n != 0 {
			t.Errorf("%s: %d tokens are left", c.name, n)
		}
	}
	r := resolver(t, vault.Options{Address: s.URL, Namespace: "team/a", Auth: vault.Auth{Method: "token", Secret: fixed(vaulttest.RootToken)}})
	if _, err := r.Resolve(t.Context(), ref(t, "${vault:secret/data/shop#password}")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server of an unknown authority: %v", err)
	}
}

func clientCertificate(t *testing.T) func(context.Context) (*tls.Certificate, error) {
	t.Helper()
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := ca.Client("weir")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.X509KeyPair([]byte(chain), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return func(context.Context) (*tls.Certificate, error) { return &certificate, nil }
}

func approle(s *vaulttest.Server) vault.Options {
	return vault.Options{Address: s.URL, Auth: vault.Auth{Method: "approle", RoleID: vaulttest.RoleID, Secret: fixed(vaulttest.SecretID)}}
}

func TestForgottenTokenIsReplaced(t *testing.T) {
	s := vaulttest.New(false)
	defer s.Close()
	s.Put("secret/shop", map[string]any{"password": "p"})
	r := resolver(t, approle(s))
	password := ref(t, "${vault:secret/data/shop#password}")
	if _, err := r.Resolve(t.Context(), password); err != nil {
		t.Fatal(err)
	}
	s.Forget()
	if _, err := r.Refresh(t.Context(), time.Now(), password); err != nil {
		t.Error(err)
	}
	if n := s.Count("auth/approle/login"); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	s.Seal(true)
	if v, err := r.Resolve(t.Context(), password); err != nil || v.Reveal() != "p" {
		t.Errorf("sealed: what is kept is not used: %v", err)
	}
	if _, err := r.Refresh(t.Context(), time.Now(), password); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("sealed: %v", err)
	}
	s.Seal(false)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestLeases(t *testing.T) {
	s := vaulttest.New(false)
	defer s.Close()
	s.Life, s.Most = 2*time.Second, 5*time.Second
	r := resolver(t, approle(s))
	user, password := ref(t, "${vault:database/creds/shop#username}"), ref(t, "${vault:database/creds/shop#password}")
	seen := map[string]bool{}
	for begun := time.Now(); time.Since(begun) < 9*time.Second; time.Sleep(100 * time.Millisecond) {
		values, err := r.ResolveAll(t.Context(), user, password)
		if err != nil {
			t.Fatal(err)
		}
		u, p := values[0].Reveal(), values[1].Reveal()
		if strings.TrimPrefix(u, "v_weir_") != strings.TrimPrefix(p, "made-up-") {
			t.Fatalf("%s and %s are of two leases", u, p)
		}
		seen[u] = true
	}
	if s.Count("sys/leases/renew") < 2 {
		t.Errorf("leases were renewed %d times", s.Count("sys/leases/renew"))
	}
	if len(seen) < 2 || len(seen) > 4 {
		t.Errorf("%d leases in 9 s with 5 s at most each", len(seen))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if s.Count("sys/leases/revoke") == 0 || s.Tokens() != 0 {
		t.Error("nothing was revoked at the end")
	}
}

func TestLeaseIsNotUsedBeyondItsEnd(t *testing.T) {
	s := vaulttest.New(false)
	defer s.Close()
	s.Life = time.Second
	r := resolver(t, approle(s))
	user := ref(t, "${vault:database/creds/shop#username}")
	before, err := r.Resolve(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	s.Seal(true)
	if v, err := r.Resolve(t.Context(), user); err != nil || v.Reveal() != before.Reveal() {
		t.Errorf("within its time: %v", err)
	}
	time.Sleep(1100 * time.Millisecond)
	if _, err := r.Resolve(t.Context(), user); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("beyond its time: %v", err)
	}
	s.Seal(false)
	deadline := time.Now().Add(10 * time.Second)
	for {
		v, err := r.Resolve(t.Context(), user)
		if err == nil && v.Reveal() != before.Reveal() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no new lease: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
