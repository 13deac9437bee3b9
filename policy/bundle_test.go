package policy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// makeBundle packs a policy that allows one class to everyone.
func makeBundle(t testing.TB, class, revision string, sign func(*bundle.Bundle)) []byte {
	t.Helper()
	b := bundle.Bundle{
		Manifest: bundle.Manifest{Revision: revision},
		Data: map[string]any{"weir": map[string]any{"config": map[string]any{
			"version": 1,
			"grants":  []any{map[string]any{"name": "g", "who": map[string]any{"everyone": true}, "allow": []any{class}}},
		}}},
	}
	raw := []byte("package weir\n\ndeny contains {\"rule\": \"own\", \"message\": \"no\"} if input.user.name == \"eve\"\n")
	b.Modules = []bundle.ModuleFile{{Path: "/own.rego", URL: "/own.rego", Raw: raw, Parsed: ast.MustParseModule(string(raw))}}
	b.Manifest.Init()
	if sign != nil {
		sign(&b)
	}
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).UseModulePath(true).DisableFormat(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFile(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBundleFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	writeFile(t, file, makeBundle(t, "read", "r1", nil))
	e := openEngine(t, Options{Bundle: &Bundle{Location: file, AllowUnsigned: true}, PollInterval: 10 * time.Millisecond})
	if !strings.HasPrefix(e.Revision(), "r1@") || !allowed(t, e, "read") || allowed(t, e, "write") {
		t.Errorf("revision %s", e.Revision())
	}
	eve := statementInput("eve")
	eve.Statement.Tables = nil
	if decide(t, e, eve).Allow {
		t.Error("the bundle's module does not count")
	}
	next := file + ".next"
	writeFile(t, next, makeBundle(t, "write", "r2", nil))
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new bundle was not noticed", func() bool { return allowed(t, e, "write") })
	writeFile(t, file, []byte("not a bundle"))
	eventually(t, "the broken bundle was not noticed", func() bool { return e.Status().LastError != "" })
	if !strings.HasPrefix(e.Revision(), "r2@") || !allowed(t, e, "write") {
		t.Error("the old bundle is not in force")
	}
}

func TestBundleOverHTTP(t *testing.T) {
	var body atomic.Pointer[[]byte]
	var etag atomic.Value
	var full, unchanged atomic.Int64
	set := func(tag string, b []byte) { body.Store(&b); etag.Store(tag) }
	set(`"1"`, makeBundle(t, "read", "r1", nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		tag, _ := etag.Load().(string)
		if r.Header.Get("If-None-Match") == tag {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		full.Add(1)
		w.Header().Set("ETag", tag)
		_, _ = w.Write(*body.Load())
	}))
	t.Cleanup(server.Close)
	b := &Bundle{
		Location: strings.Replace(server.URL, "http://", "http://user:hunter2@", 1) + "/b.tar.gz", AllowUnsigned: true,
		Header: http.Header{"Authorization": {"Bearer token"}}, Client: server.Client(),
	}
	e := openEngine(t, Options{Bundle: b, PollInterval: 10 * time.Millisecond})
	eventually(t, "the server was not asked again", func() bool { return unchanged.Load() > 2 })
	if full.Load() != 1 || !allowed(t, e, "read") {
		t.Errorf("%d full downloads", full.Load())
	}
	if strings.Contains(e.Status().Source, "hunter2") {
		t.Errorf("the source shows a password: %s", e.Status().Source)
	}
	set(`"2"`, makeBundle(t, "write", "r2", nil))
	eventually(t, "the new bundle was not noticed", func() bool { return allowed(t, e, "write") })
	if err := e.Reload(context.Background()); err != nil || full.Load() != 3 {
		t.Errorf("an explicit reload made %d downloads: %v", full.Load(), err)
	}
	bad := *b
	bad.Header = nil
	if _, err := Open(context.Background(), Options{Bundle: &bad}); err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("without authorization: %v", err)
	}
	small := *b
	small.MaxBytes = 100
	if _, err := Open(context.Background(), Options{Bundle: &small}); err == nil || !strings.Contains(err.Error(), "exceeds 100 bytes") {
		t.Errorf("too large a bundle: %v", err)
	}
}

func TestBundleTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	b := &Bundle{Location: server.URL, AllowUnsigned: true, Timeout: 50 * time.Millisecond, Client: server.Client()}
	if _, err := Open(context.Background(), Options{Bundle: b}); err == nil {
		t.Error("a silent server was waited for")
	}
}

func TestBundleSignature(t *testing.T) {
	private, public := signingKeys(t)
	_, otherPublic := signingKeys(t)
	sign := func(b *bundle.Bundle) {
		cfg := bundle.NewSigningConfig(private, "RS256", "")
		if err := b.GenerateSignature(cfg, "weir", false); err != nil {
			t.Fatal(err)
		}
	}
	signed := makeBundle(t, "read", "r", sign)
	unsigned := makeBundle(t, "read", "r", nil)
	tampered := makeBundle(t, "read", "r", func(b *bundle.Bundle) {
		sign(b)
		b.Data["weir"].(map[string]any)["config"].(map[string]any)["grants"] = []any{}
	})
	keys := map[string]Key{"weir": {PEM: public}}
	for name, c := range map[string]struct {
		raw  []byte
		b    Bundle
		want string
	}{
		"signed":               {signed, Bundle{Keys: keys}, ""},
		"key named":            {signed, Bundle{Keys: keys, KeyID: "weir"}, ""},
		"unsigned":             {unsigned, Bundle{Keys: keys}, "signatures.json"},
		"tampered":             {tampered, Bundle{Keys: keys}, "digest mismatch"},
		"other key":            {signed, Bundle{Keys: map[string]Key{"weir": {PEM: otherPublic}}}, "verify JWT signature"},
		"unknown key id":       {signed, Bundle{Keys: map[string]Key{"x": {PEM: public}}}, "not found"},
		"other scope":          {signed, Bundle{Keys: keys, Scope: "write"}, "scope mismatch"},
		"no keys":              {signed, Bundle{}, "no key to verify"},
		"keys and unsigned":    {unsigned, Bundle{Keys: keys, AllowUnsigned: true}, "believed"},
		"unsigned and allowed": {unsigned, Bundle{AllowUnsigned: true}, ""},
	} {
		c.b.Location = filepath.Join(t.TempDir(), "b.tar.gz")
		writeFile(t, c.b.Location, c.raw)
		e, err := Open(context.Background(), Options{Bundle: &c.b, PollInterval: -1})
		if err == nil {
			_ = e.Close()
		}
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func signingKeys(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return private, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// TestBundleBomb refuses what unpacks to much more than it weighs.
func TestBundleBomb(t *testing.T) {
	b := bundle.Bundle{Data: map[string]any{"x": strings.Repeat("a", 1<<20)}}
	b.Manifest.Init()
	var out bytes.Buffer
	if err := bundle.NewWriter(&out).Write(b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	writeFile(t, file, out.Bytes())
	_, err := Open(context.Background(), Options{Bundle: &Bundle{Location: file, AllowUnsigned: true, MaxBytes: int64(out.Len())}})
	if err == nil || !strings.Contains(err.Error(), "unpacks to more than "+fmt.Sprint(8*out.Len())) {
		t.Errorf("%v", err)
	}
}

func TestBundleRedirectDowngrade(t *testing.T) {
	from := httptest.NewRequest(http.MethodGet, "https://policy.example/b", nil)
	to := httptest.NewRequest(http.MethodGet, "http://policy.example/b", nil)
	if checkRedirect(to, []*http.Request{from}) == nil {
		t.Error("a redirect from https to http was followed")
	}
	if err := checkRedirect(from, []*http.Request{from}); err != nil {
		t.Error(err)
	}
}
