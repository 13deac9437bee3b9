package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds an answer of the server, in bytes.
const maxBody = 4 << 20

// StatusError is an answer other than success.
type StatusError struct {
	Status int
	Errors []string // the server's words
}

func (e *StatusError) Error() string {
	said := strings.Join(e.Errors, "; ")
	if said == "" {
		said = http.StatusText(e.Status)
	}
	return fmt.Sprintf("vault answers %d: %.300s", e.Status, said)
}

// answer is the frame of the server's answers.
type answer struct {
	LeaseID       string                     `json:"lease_id"`
	LeaseDuration int64                      `json:"lease_duration"` // seconds
	Renewable     bool                       `json:"renewable"`
	Data          map[string]json.RawMessage `json:"data"`
	Auth          *struct {
		ClientToken   string `json:"client_token"`
		LeaseDuration int64  `json:"lease_duration"` // seconds; 0: for ever
		Renewable     bool   `json:"renewable"`
	} `json:"auth"`
}

// client sends requests.
type client struct {
	base      *url.URL
	namespace string
	http      *http.Client
}

func newClient(o *Options) (*client, error) {
	base, err := url.Parse(strings.TrimSuffix(o.Address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, errors.New("vault's address is not an http or https URL")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots, ServerName: o.ServerName}
	if o.Certificate != nil {
		config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.Certificate(r.Context()) }
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10}
	return &client{base: base, namespace: o.Namespace, http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// do sends one request; a redirect, which standby nodes answer with, counts as
// a failure: the token goes nowhere else.
func (c *client) do(ctx context.Context, method, path, query, token string, body any) (*answer, error) {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, errors.New("request cannot be encoded")
		}
		payload = bytes.NewReader(text)
	}
	u := *c.base
	u.Path, u.RawQuery = u.Path+"/v1/"+strings.TrimPrefix(path, "/"), query
	r, err := http.NewRequestWithContext(ctx, method, u.String(), payload)
	if err != nil {
		return nil, errors.New("request cannot be made")
	}
	r.Header.Set("X-Vault-Request", "true")
	if token != "" {
		r.Header.Set("X-Vault-Token", token)
	}
	if c.namespace != "" {
		r.Header.Set("X-Vault-Namespace", c.namespace)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("vault cannot be reached: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("vault's answer breaks off: %w", err)
	}
	if len(text) > maxBody {
		return nil, errors.New("vault's answer is larger than 4 MiB")
	}
	if response.StatusCode/100 != 2 {
		failure := struct {
			Errors []string `json:"errors"`
		}{}
		_ = json.Unmarshal(text, &failure) // a proxy in between may say it otherwise
		return nil, &StatusError{response.StatusCode, failure.Errors}
	}
	a := &answer{}
	if len(text) > 0 && json.Unmarshal(text, a) != nil {
		return nil, errors.New("vault's answer is not what its API documents")
	}
	return a, nil
}

// Roots reads a PEM file of authorities.
func Roots(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("there is no certificate in it")
	}
	return pool, nil
}
