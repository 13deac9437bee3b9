package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/deploy/idp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func reason(t *testing.T, err error) external.Reason {
	t.Helper()
	var f *external.Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("error %v", err)
	}
	if f == nil {
		return ""
	}
	return f.Reason
}

func open(t *testing.T, cfg Config) *Issuer {
	t.Helper()
	i, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

// TestLiveProvider checks tokens of a certified provider.
func TestLiveProvider(t *testing.T) {
	p, err := idp.StartProvider(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	login := func(client, user string) idp.Tokens {
		t.Helper()
		tokens, err := p.Login(t.Context(), client, user)
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	now := time.Now
	issuer := open(t, Config{Source: "cloud", Issuer: p.Issuer, Plain: true, Audiences: []string{"weir", "urn:weir:databases"}, Now: func() time.Time { return now() }})
	ana := login("weir", "ana")
	for what, token := range map[string]string{"ID token": ana.ID, "access token": ana.Access} {
		got, err := issuer.Check(t.Context(), "Ana@cloud.example", token)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got.Subject != "ana" || got.Name != "ana@cloud.example" || got.Source != "cloud" || !slices.Equal(got.Groups, []string{"analysts", "staff"}) || got.MFA ||
			time.Until(got.Expires) > 10*time.Minute || time.Since(got.Authenticated) > time.Minute {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if job, err := p.Job(t.Context()); err != nil {
		t.Error(err)
	} else if got, err := issuer.Check(t.Context(), "job@cloud.example", job.Access); err != nil || !slices.Equal(got.Groups, []string{"jobs"}) {
		t.Errorf("a service: %+v %v", got, err)
	}
	for what, c := range map[string]struct {
		name, token string
		want        external.Reason
	}{
		"somebody else":                         {"ben@cloud.example", ana.ID, external.Wrong},
		"a client that weir is not":             {"ana@cloud.example", login("other", "ana").ID, external.Audience},
		"an address that nobody verified":       {"ana@cloud.example", login("weir", "eve").ID, external.Wrong},
		"a password":                            {"ana@cloud.example", "ana at the provider", external.Malformed},
		"a signature that is cut":               {"ana@cloud.example", ana.ID[:len(ana.ID)-8], external.Wrong},
		"claims of one, the signature of other": {"ana@cloud.example", swap(ana.ID, login("weir", "ben").ID), external.Wrong},
	} {
		if _, err := issuer.Check(t.Context(), c.name, c.token); reason(t, err) != c.want || strings.Contains(fmt.Sprint(err), c.token) {
			t.Errorf("%s: %v", what, err)
		}
	}
	now = func() time.Time { return time.Now().Add(6 * time.Minute) }
	if _, err := issuer.Check(t.Context(), "ana@cloud.example", ana.ID); reason(t, err) != external.Expired {
		t.Errorf("later: %v", err)
	}
	now = time.Now
	// New keys are found, once the last look is long enough ago.
	if err := p.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := login("weir", "ana")
	now = func() time.Time { return time.Now().Add(fetchPause) }
	if _, err := issuer.Check(t.Context(), "ana@cloud.example", fresh.ID); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	if _, err := issuer.Check(t.Context(), "ana@cloud.example", ana.ID); reason(t, err) != external.Wrong {
		t.Errorf("the old key: %v", err)
	}
	p.Stop()
	if _, err := issuer.Check(t.Context(), "ana@cloud.example", fresh.ID); err != nil {
		t.Errorf("a provider that is away now: %v", err)
	}
	if _, err := open(t, Config{Source: "cloud", Issuer: p.Issuer, Plain: true, Audiences: []string{"weir"}}).Check(t.Context(), "ana@cloud.example", fresh.ID); reason(t, err) != external.Unavailable {
		t.Errorf("a provider that was never there: %v", err)
	}
}

// swap puts the claims of one token under the signature of another.
func swap(a, b string) string {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	return x[0] + "." + x[1] + "." + y[2]
}

// hostile is an issuer whose tokens a test makes up.
type hostile struct {
	*httptest.Server
	key   *rsa.PrivateKey
	keys  atomic.Int64 // looks at the keys
	fails atomic.Bool
}

func newHostile(t *testing.T) *hostile {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q, "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}`, h.URL, h.URL+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		h.keys.Add(1)
		if h.fails.Load() {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid, typ string, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", kid)
	if typ != "" {
		options = options.WithHeader("typ", typ)
	}
	return signed(t, alg, key, options, claims)
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, options *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signature.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestHostileTokens(t *testing.T) {
	h := newHostile(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := map[string]any{"iss": h.URL, "sub": "1", "aud": "weir", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "email": "ana@x", "email_verified": true,
		"amr": []string{"pwd", "mfa"}, "realm_access": map[string]any{"roles": []string{"dba"}}, "https://x.example/groups": []string{"far"}, "scope": "connect read"}
	with := func(changes ...any) map[string]any {
		c := maps.Clone(good)
		for i := 0; i < len(changes); i += 2 {
			if c[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
				delete(c, changes[i].(string))
			}
		}
		return c
	}
	rs := func(c map[string]any) string { return sign(t, jose.RS256, h.key, "1", "JWT", c) }
	issuer := open(t, Config{Source: "x", Issuer: h.URL, Plain: true, Audiences: []string{"weir"}, GroupClaims: []string{"realm_access.roles", "https://x.example/groups", "scope", "absent.too"}})
	p, err := issuer.Check(t.Context(), "ana@x", rs(good))
	if err != nil || !p.MFA || !slices.Equal(p.Groups, []string{"connect", "dba", "far", "read"}) {
		t.Fatalf("%+v %v", p, err)
	}
	if p, err := issuer.Check(t.Context(), "ana@x", rs(with("auth_time", now.Add(time.Hour).Unix()))); err != nil || time.Until(p.Authenticated) > 0 {
		t.Errorf("a login in the future: %+v %v", p, err)
	}
	encode := func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }
	payload, _ := json.Marshal(good)
	pem, _ := x509.MarshalPKIXPublicKey(&h.key.PublicKey)
	keyed := encode(`{"alg":"HS256","kid":"1"}`) + "." + encode(string(payload))
	mac := hmac.New(sha256.New, pem)
	mac.Write([]byte(keyed))
	for name, c := range map[string]struct {
		token string
		want  external.Reason
	}{
		"no algorithm":                 {encode(`{"alg":"none"}`) + "." + encode(string(payload)) + ".", external.Malformed},
		"no algorithm, with something": {encode(`{"alg":"none"}`) + "." + encode(string(payload)) + ".e30", external.Wrong},
		"the public key as a secret":   {keyed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), external.Wrong},
		"another's key":                {sign(t, jose.RS256, other, "1", "JWT", good), external.Wrong},
		"another's key, unknown":       {sign(t, jose.RS256, other, "2", "JWT", good), external.Wrong},
		"another kind of key":          {sign(t, jose.ES256, curve, "1", "JWT", good), external.Wrong},
		"a key of its own":             {embedded(t, other, good), external.Wrong},
		"a path as a key":              {sign(t, jose.RS256, other, "../../dev/null", "JWT", good), external.Wrong},
		"a logout token":               {sign(t, jose.RS256, h.key, "1", "logout+jwt", good), external.Malformed},
		"another issuer":               {rs(with("iss", "https://evil.example")), external.Issuer},
		"another issuer below":         {rs(with("iss", h.URL+"/")), external.Issuer},
		"no issuer":                    {rs(with("iss", nil)), external.Issuer},
		"another audience":             {rs(with("aud", "other")), external.Audience},
		"no audience":                  {rs(with("aud", nil)), external.Audience},
		"audiences without weir":       {rs(with("aud", []string{"a", "b"})), external.Audience},
		"expired":                      {rs(with("exp", now.Add(-time.Minute).Unix())), external.Expired},
		"no end":                       {rs(with("exp", nil)), external.Malformed},
		"an end in words":              {rs(with("exp", "never")), external.Malformed},
		"not yet":                      {rs(with("nbf", now.Add(time.Hour).Unix())), external.NotYet},
		"from the future":              {rs(with("iat", now.Add(time.Hour).Unix())), external.NotYet},
		"no subject":                   {rs(with("sub", nil)), external.Malformed},
		"a long subject":               {rs(with("sub", strings.Repeat("x", 256))), external.Malformed},
		"no name":                      {rs(with("email", nil)), external.Malformed},
		"a name that is a list":        {rs(with("email", []string{"ana@x"})), external.Malformed},
		"not verified":                 {rs(with("email_verified", false)), external.Wrong},
		"verification not said":        {rs(with("email_verified", nil)), external.Wrong},
		"somebody else":                {rs(with("email", "ben@x")), external.Wrong},
		"too many groups":              {rs(with("https://x.example/groups", strings.Split(strings.Repeat("x ", 500)+numbers(1001), " "))), external.Malformed},
		"too long":                     {rs(with("more", strings.Repeat("x", maxToken))), external.Malformed},
		"JSON":                         {`{"payload":"e30","protected":"e30","signature":"e30"}`, external.Malformed},
		"nothing":                      {"", external.Malformed},
		"dots":                         {"..", external.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := issuer.Check(t.Context(), "ana@x", c.token)
			if reason(t, err) != c.want || got != nil {
				t.Errorf("%+v %v", got, err)
			}
			if len(c.token) > 20 && strings.Contains(fmt.Sprint(err), c.token[:20]) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
	for name, token := range map[string]string{"several audiences": rs(with("aud", []string{"other", "weir"})), "clocks that differ a little": rs(with("nbf", now.Add(20*time.Second).Unix(), "exp", now.Add(-20*time.Second).Unix())),
		"an access token": sign(t, jose.RS256, h.key, "1", "at+jwt", good), "no type": sign(t, jose.RS256, h.key, "1", "", good), "verification as text": rs(with("email_verified", "true"))} {
		if _, err := issuer.Check(t.Context(), "ana@x", token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := h.keys.Load(); n > 3 {
		t.Errorf("the provider was asked for its keys %d times", n)
	}
}

// numbers are words that differ.
func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d ", i)
	}
	return b.String()
}

// embedded brings the key that it is signed with.
func embedded(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	return signed(t, jose.RS256, key, &jose.SignerOptions{EmbedJWK: true}, claims)
}

func TestProviderThatFails(t *testing.T) {
	h := newHostile(t)
	h.fails.Store(true)
	now := time.Now()
	issuer := open(t, Config{Source: "x", Issuer: h.URL, Plain: true, Audiences: []string{"weir"}, NameClaim: "sub", Now: func() time.Time { return now }})
	token := sign(t, jose.RS256, h.key, "1", "JWT", map[string]any{"iss": h.URL, "sub": "ana", "aud": "weir", "exp": now.Add(time.Hour).Unix()})
	if _, err := issuer.Check(t.Context(), "ana", token); reason(t, err) != external.Unavailable {
		t.Errorf("%v", err)
	}
	h.fails.Store(false)
	if _, err := issuer.Check(t.Context(), "ana", token); reason(t, err) != external.Unavailable {
		t.Errorf("at once: %v", err)
	}
	now = now.Add(fetchPause)
	if p, err := issuer.Check(t.Context(), "ana", token); err != nil || !p.Authenticated.Equal(now) {
		t.Errorf("%+v %v", p, err)
	}
	wrong := open(t, Config{Source: "x", Issuer: h.URL + "/other", Plain: true, Audiences: []string{"weir"}})
	for range 3 {
		if _, err := wrong.Check(t.Context(), "ana", token); reason(t, err) != external.Unavailable {
			t.Errorf("%v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, Config{Source: "x", Issuer: h.URL, Plain: true, Audiences: []string{"weir"}}).Check(ctx, "ana", token); reason(t, err) != external.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestConfigurations(t *testing.T) {
	for want, cfg := range map[string]Config{
		"not the URL":            {Issuer: "cloud", Audiences: []string{"a"}},
		"is not https":           {Issuer: "http://cloud", Audiences: []string{"a"}},
		"no audience":            {Issuer: "https://cloud"},
		"that only the provider": {Issuer: "https://cloud", Audiences: []string{"a"}, Algorithms: []string{"HS256"}},
		"are not clocks":         {Issuer: "https://cloud", Audiences: []string{"a"}, Skew: time.Hour},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func FuzzLooks(f *testing.F) {
	for _, s := range []string{"e30.e30.e30", "a.b", "..", "eyJhbGciOiJub25lIn0.e30.e30", "secret"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if Looks(s) && (strings.Count(s, ".") != 2 || len(s) > maxToken) {
			t.Errorf("%q", s)
		}
	})
}
