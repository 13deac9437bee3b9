package gcp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirdb/weir/secrets"
	"github.com/weirdb/weir/secrets/gcp"
)

// serve gives tokens for a service account's assertion, and answers access.
func serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/token" {
		if r.FormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || strings.Count(r.FormValue("assertion"), ".") != 2 {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":"invalid_grant"}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"ya29.t","token_type":"Bearer","expires_in":3600}`)
		return
	}
	value, ok := map[string]string{
		"/v1/projects/p/secrets/db/versions/latest:access":   `{"password":"newest"}`,
		"/v1/projects/p/secrets/db/versions/3:access":        `{"password":"third"}`,
		"/v1/projects/q/secrets/text/versions/latest:access": "plain",
		"/v1/projects/p/secrets/bad/versions/latest:access":  "damaged",
	}[r.URL.Path]
	switch {
	case r.Header.Get("Authorization") != "Bearer ya29.t":
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"code":401,"status":"UNAUTHENTICATED","message":"no token"}}`)
		return
	case !ok:
		w.WriteHeader(404)
		fmt.Fprint(w, `{"error":{"code":404,"status":"NOT_FOUND","message":"Secret not found or has no versions."}}`)
		return
	}
	sum := crc32.Checksum([]byte(value), crc32.MakeTable(crc32.Castagnoli))
	if value == "damaged" {
		sum++
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"payload": map[string]any{"data": []byte(value), "dataCrc32c": fmt.Sprint(sum)}})
}

// account writes the key file of a service account that gets tokens at a URL.
func account(t *testing.T, tokens string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "weir@p.iam.gserviceaccount.com", "private_key_id": "k",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokens})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(serve))
	defer s.Close()
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", account(t, s.URL+"/token"))
	r := secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"gcp": gcp.Open(gcp.Options{Project: "p", Endpoint: s.URL})}})
	defer r.Close()
	for _, c := range []struct{ text, secret, fault string }{
		{"${gcp:db#password}", "newest", ""},
		{"${gcp:projects/p/secrets/db?version=3#password}", "third", ""},
		{"${gcp:projects/q/secrets/text}", "plain", ""},
		{"${gcp:none}", "", "404 NOT_FOUND"},
		{"${gcp:bad}", "", "checksum"},
		{"${gcp:db?stage=x#password}", "", "no stages"},
	} {
		check(t, r, c.text, c.secret, c.fault)
	}
	other := secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"gcp": gcp.Open(gcp.Options{Endpoint: s.URL})}})
	defer other.Close()
	check(t, other, "${gcp:db#password}", "", "names no project")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", account(t, s.URL+"/elsewhere"))
	refused := secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"gcp": gcp.Open(gcp.Options{Project: "p", Endpoint: s.URL})}})
	defer refused.Close()
	check(t, refused, "${gcp:db#password}", "", "gives no token")
}

func check(t *testing.T, r *secrets.Resolver, text, secret, fault string) {
	t.Helper()
	ref, err := secrets.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Resolve(t.Context(), ref)
	switch {
	case fault == "" && (err != nil || v.Reveal() != secret):
		t.Errorf("%s: %q, %v", text, v.Reveal(), err)
	case fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
		t.Errorf("%s: %v, want an error with %q", text, err, fault)
	}
}
