package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Bounds of what a provider says.
const (
	maxToken    = 16 << 10
	maxDocument = 1 << 20
	fetchPause  = 5 * time.Second // between two looks at the provider
	askTimeout  = 10 * time.Second
	maxSkew     = 5 * time.Minute
)

// Config is one provider. Build it with New.
type Config struct {
	// Source names the provider in failures and in what it vouches for.
	Source string
	// Issuer is the provider's URL, below which discovery is: https, or http with
	// Plain, which is for development.
	Issuer string
	Plain  bool
	// RootCAs verify the provider; the system's if nil.
	RootCAs *x509.CertPool
	// Audiences are whom tokens may be meant for: client ids for ID tokens,
	// resources for access tokens. A token needs one of them.
	Audiences []string
	// Algorithms that signatures may have; RS256, ES256, PS256 and EdDSA if none.
	Algorithms []string
	// NameClaim holds the login name; email, which has to be verified, if empty.
	NameClaim string
	// GroupClaims hold groups and roles (groups if none); a dot goes into an
	// object, as in realm_access.roles.
	GroupClaims []string
	// MFA are values of the claims amr and acr that tell of a second factor (mfa if none).
	MFA []string
	// Skew is how far clocks may differ; 30 s if zero.
	Skew time.Duration
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// Issuer checks tokens of a Config. It is safe for concurrent use.
type Issuer struct {
	cfg    Config
	client *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil before discovery; guarded by mu, as those below
	asked    time.Time             // last attempt at discovery
	failed   error                 // of that
}

// New checks a configuration. It connects to nothing.
func New(cfg Config) (*Issuer, error) {
	u, err := url.Parse(cfg.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is not the URL of an issuer", cfg.Issuer)
	case u.Scheme == "http" && !cfg.Plain:
		return nil, fmt.Errorf("issuer %q is not https", cfg.Issuer)
	case len(cfg.Audiences) == 0 || slices.Contains(cfg.Audiences, ""):
		return nil, errors.New("no audience: tokens that are meant for others would pass")
	case cfg.Skew < 0 || cfg.Skew > maxSkew:
		return nil, fmt.Errorf("clocks that differ by %v are not clocks", cfg.Skew)
	}
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = []string{oidc.RS256, oidc.ES256, oidc.PS256, oidc.EdDSA}
	}
	for _, a := range cfg.Algorithms {
		if !slices.Contains([]string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}, a) {
			return nil, fmt.Errorf("%q is not an algorithm of signatures that only the provider can make", a)
		}
	}
	if cfg.NameClaim == "" {
		cfg.NameClaim = "email"
	}
	if len(cfg.GroupClaims) == 0 {
		cfg.GroupClaims = []string{"groups"}
	}
	if len(cfg.MFA) == 0 {
		cfg.MFA = []string{"mfa"}
	}
	if cfg.Skew == 0 {
		cfg.Skew = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment,
		ForceAttemptHTTP2: true, MaxIdleConns: 2, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: askTimeout}
	return &Issuer{cfg: cfg, client: &http.Client{Transport: bounded{transport}, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("a provider's documents are where it says, not elsewhere")
		}}}, nil
}

// Close drops idle connections.
func (i *Issuer) Close() { i.client.CloseIdleConnections() }

// bounded bounds the answers of a provider.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	}
	return resp, err
}

// errRecent says that keys were not read again, because they have just been.
var errRecent = errors.New("the provider's keys were read a moment ago")

// paced reads keys at most once in a while: every token with an unknown key
// asks for them.
type paced struct {
	http.RoundTripper
	now func() time.Time

	mu     sync.Mutex
	last   time.Time
	failed error // the last time
}

func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock() // one at a time anyway
	switch {
	case p.last.IsZero() || now.Sub(p.last) >= fetchPause:
	case p.failed != nil:
		return nil, p.failed
	default:
		return nil, errRecent
	}
	p.last, p.failed = now, nil
	resp, err := p.RoundTripper.RoundTrip(r)
	if err != nil {
		p.failed = err
	} else if resp.StatusCode != http.StatusOK {
		p.failed = fmt.Errorf("keys: %s", resp.Status)
	}
	return resp, err
}

// keys returns what verifies tokens, after discovery at the first call. A
// provider that did not answer is asked again after a pause.
func (i *Issuer) keys(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.verifier != nil {
		return i.verifier, nil
	}
	if now := i.cfg.Now(); i.failed == nil || now.Sub(i.asked) >= fetchPause {
		i.asked = now
		i.verifier, i.failed = i.discover(ctx)
	}
	return i.verifier, i.failed
}

func (i *Issuer) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, i.client), askTimeout)
	defer cancel()
	p, err := oidc.NewProvider(ctx, i.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	var said struct {
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&said); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(said.Keys, "https://") && !i.cfg.Plain {
		return nil, fmt.Errorf("keys at %q are not https", said.Keys)
	}
	reader := *i.client
	reader.Transport = &paced{RoundTripper: i.client.Transport, now: i.cfg.Now}
	keys := oidc.NewRemoteKeySet(oidc.ClientContext(context.WithoutCancel(ctx), &reader), said.Keys)
	return oidc.NewVerifier(i.cfg.Issuer, keys, &oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true, SupportedSigningAlgs: i.cfg.Algorithms}), nil
}
