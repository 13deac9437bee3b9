package policy

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

const (
	defaultBundleTimeout = 30 * time.Second
	defaultBundleBytes   = 64 << 20
	maxUnpackedFactor    = 8 // unpacked size against Bundle.MaxBytes
)

// bundleSource is an OPA bundle in a file or behind an URL. It is used by one
// goroutine at a time.
type bundleSource struct {
	bundle Bundle
	url    *url.URL // nil for a file
	client *http.Client
	verify *bundle.VerificationConfig // nil: unsigned is accepted
	etag   string                     // of what was read last
	stamp  string                     // of the file that was read last
}

func newBundleSource(b *Bundle) (*bundleSource, error) {
	s := &bundleSource{bundle: *b, client: b.Client}
	if s.bundle.Timeout <= 0 {
		s.bundle.Timeout = defaultBundleTimeout
	}
	if s.bundle.MaxBytes <= 0 {
		s.bundle.MaxBytes = defaultBundleBytes
	}
	switch {
	case len(b.Keys) == 0 && !b.AllowUnsigned:
		return nil, errors.New("bundle: no key to verify its signature, and unsigned bundles are not allowed")
	case len(b.Keys) > 0 && b.AllowUnsigned:
		return nil, errors.New("bundle: keys are given and unsigned bundles are allowed; whoever can strip a signature would be believed")
	}
	if len(b.Keys) > 0 {
		keys := make(map[string]*bundle.KeyConfig, len(b.Keys))
		for id, k := range b.Keys {
			alg := k.Algorithm
			if alg == "" {
				alg = "RS256"
			}
			keys[id] = &bundle.KeyConfig{Key: k.PEM, Algorithm: alg}
		}
		s.verify = bundle.NewVerificationConfig(keys, b.KeyID, b.Scope, nil)
	}
	if strings.HasPrefix(b.Location, "http://") || strings.HasPrefix(b.Location, "https://") {
		u, err := url.Parse(b.Location)
		if err != nil {
			return nil, errors.New("bundle: the URL is malformed") // the cause would quote credentials
		}
		s.url = u
	}
	if s.client == nil {
		s.client = &http.Client{CheckRedirect: checkRedirect, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	return s, nil
}

// checkRedirect follows a few redirects and none from https to http.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("redirected from https to http")
	}
	return nil
}

func (s *bundleSource) String() string {
	if s.url != nil {
		return s.url.Redacted()
	}
	return s.bundle.Location
}

// Close gives up idle connections.
func (s *bundleSource) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

func (s *bundleSource) fetch(ctx context.Context, always bool) (*contents, error) {
	ctx, cancel := context.WithTimeout(ctx, s.bundle.Timeout)
	defer cancel()
	read := s.readFile
	if s.url != nil {
		read = s.download
	}
	raw, err := read(ctx, always)
	if err != nil {
		return nil, err
	}
	return s.unpack(raw)
}

func (s *bundleSource) readFile(_ context.Context, always bool) ([]byte, error) {
	f, err := os.Open(s.bundle.Location)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", s.bundle.Location)
	}
	stamp := fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
	if !always && stamp == s.stamp {
		return nil, errUnchanged
	}
	b, err := s.bounded(f)
	if err == nil {
		s.stamp = stamp
	}
	return b, err
}

func (s *bundleSource) download(ctx context.Context, always bool) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range s.bundle.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if s.etag != "" && !always {
		req.Header.Set("If-None-Match", s.etag)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which may hold credentials
		}
		return nil, fmt.Errorf("download bundle: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && !always:
		return nil, errUnchanged
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("download bundle: the server answers %s", resp.Status)
	}
	b, err := s.bounded(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("download bundle: %w", err)
	}
	s.etag = resp.Header.Get("ETag")
	return b, nil
}

func (s *bundleSource) bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, s.bundle.MaxBytes+1))
	if err == nil && int64(len(b)) > s.bundle.MaxBytes {
		err = fmt.Errorf("the bundle exceeds %d bytes", s.bundle.MaxBytes)
	}
	return b, err
}

// unpack verifies the signature and reads modules and data.
func (s *bundleSource) unpack(raw []byte) (*contents, error) {
	if err := boundUnpacked(raw, s.bundle.MaxBytes*maxUnpackedFactor); err != nil {
		return nil, fmt.Errorf("unpack bundle: %w", err)
	}
	r := bundle.NewCustomReader(bundle.NewTarballLoader(bytes.NewReader(raw))).
		WithSizeLimitBytes(s.bundle.MaxBytes).
		WithCapabilities(capabilities()).
		WithProcessAnnotations(true).
		WithRegoVersion(ast.RegoV1)
	if s.verify != nil {
		r = r.WithBundleVerificationConfig(s.verify)
	} else {
		r = r.WithSkipBundleVerification(true)
	}
	b, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	if b.Type() != bundle.SnapshotBundleType {
		return nil, errors.New("read bundle: delta bundles are not supported")
	}
	if len(b.WasmModules) > 0 || len(b.PlanModules) > 0 {
		return nil, errors.New("read bundle: compiled policies (wasm, plan) are not supported; build the bundle for the target rego")
	}
	return bundleContents(&b)
}

func bundleContents(b *bundle.Bundle) (*contents, error) {
	c := &contents{revision: b.Manifest.Revision}
	for _, m := range b.Modules {
		c.modules = append(c.modules, dataFile{strings.TrimPrefix(path.Clean(m.Path), "/"), m.Raw})
	}
	if err := c.addTree("bundle", b.Data); err != nil {
		return nil, err
	}
	c.seal()
	return c, nil
}

// boundUnpacked refuses an archive that unpacks to more than most bytes.
func boundUnpacked(raw []byte, most int64) error {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, most+1))
	if err != nil {
		return err
	}
	if n > most {
		return fmt.Errorf("it unpacks to more than %d bytes", most)
	}
	return nil
}

// addTree takes a whole data document; what stands at weir.config is policy
// data.
func (c *contents) addTree(name string, data map[string]any) error {
	if weir, ok := data["weir"].(map[string]any); ok {
		if config, ok := weir["config"]; ok {
			b, err := json.MarshalIndent(config, "", " ")
			if err != nil {
				return fmt.Errorf("%s: weir.config: %w", name, err)
			}
			delete(weir, "config")
			c.data = append(c.data, dataFile{name + ": data.weir.config", b})
		}
	}
	if len(data) > 0 {
		c.extra = append(c.extra, extraFile{nil, data})
	}
	return nil
}
