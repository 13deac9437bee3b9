package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/weirdb/weir/secrets"
)

// Options say which server, and how to log in.
type Options struct {
	Address     string // https://host:port, with a path if there is one
	Namespace   string
	Roots       *x509.CertPool // nil: the system's
	ServerName  string
	Certificate func(context.Context) (*tls.Certificate, error) // nil: none
	Auth        Auth
}

// Provider reads from one server. It is safe for concurrent use.
type Provider struct {
	login *login

	mu     sync.Mutex
	leases map[string]lease
}

// lease is what is known of a lease that may still run.
type lease struct {
	generation int // of the token that it ends with
	granted    time.Duration
	expires    time.Time
}

// maxLeases bounds the leases that are known.
const maxLeases = 4096

// Open makes a provider. Nothing is sent before the first Read.
func Open(o Options) (*Provider, error) {
	c, err := newClient(&o)
	if err != nil {
		return nil, err
	}
	return &Provider{login: &login{client: c, auth: o.Auth}, leases: map[string]lease{}}, nil
}

// Read reads a path of the API, without v1: secret/data/shop for version 2 of
// the key/value engine, secret/shop for version 1, database/creds/shop for
// credentials that are made by reading.
func (p *Provider) Read(ctx context.Context, at secrets.Location) (secrets.Document, error) {
	query := ""
	if at.Stage != "" {
		return secrets.Document{}, errors.New("vault has versions and no stages")
	}
	if at.Version != "" {
		if n, err := strconv.ParseUint(at.Version, 10, 32); err != nil || n == 0 {
			return secrets.Document{}, errors.New("a version of vault's is a number from 1")
		}
		query = url.Values{"version": {at.Version}}.Encode()
	}
	asked := time.Now()
	a, s, err := p.login.request(ctx, http.MethodGet, at.Path, query, nil)
	if err != nil {
		return secrets.Document{}, err
	}
	data, versioned := a.Data, false
	if inner, ok := versionTwo(a.Data); ok {
		data, versioned = inner, true
	}
	if at.Version != "" && !versioned {
		return secrets.Document{}, errors.New("there are no versions there; version 2 of the key/value engine has them, below MOUNT/data/")
	}
	if len(data) == 0 {
		return secrets.Document{}, errors.New("there is nothing there")
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return secrets.Document{}, errors.New("vault's answer is not what its API documents")
	}
	fields, err := secrets.FieldsOf(encoded)
	if err != nil {
		return secrets.Document{}, err
	}
	d := secrets.Document{Fields: fields}
	if a.LeaseID != "" && a.LeaseDuration > 0 {
		d.Lease = a.LeaseID
		d.Expires = p.keep(a, s, time.Duration(a.LeaseDuration)*time.Second, asked)
	}
	return d, nil
}

// keep notes a lease and returns when it ends: with its token at the latest.
func (p *Provider) keep(a *answer, s *session, granted time.Duration, asked time.Time) time.Time {
	expires := asked.Add(time.Duration(a.LeaseDuration) * time.Second)
	if !s.expires.IsZero() && s.expires.Before(expires) {
		expires = s.expires
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, l := range p.leases {
		if asked.After(l.expires) || len(p.leases) >= maxLeases {
			delete(p.leases, id)
		}
	}
	p.leases[a.LeaseID] = lease{s.generation, granted, expires}
	return expires
}

// Renew makes a lease longer. It says no when the lease's token is not the
// present one, and when the lease has come near its maximum.
func (p *Provider) Renew(ctx context.Context, d secrets.Document) (secrets.Document, bool) {
	p.mu.Lock()
	l, known := p.leases[d.Lease]
	p.mu.Unlock()
	if !known {
		return d, false
	}
	s, err := p.login.current(ctx, 0)
	if err != nil || s.generation != l.generation {
		return d, false
	}
	asked := time.Now()
	a, s, err := p.login.request(ctx, http.MethodPost, "sys/leases/renew", "",
		map[string]any{"lease_id": d.Lease, "increment": int64(l.granted / time.Second)})
	if err != nil || s.generation != l.generation || time.Duration(a.LeaseDuration)*time.Second < l.granted/2 {
		return d, false
	}
	a.LeaseID = d.Lease
	d.Expires = p.keep(a, s, l.granted, asked)
	return d, true
}

// closeTimeout bounds Close.
const closeTimeout = 10 * time.Second

// Close revokes every lease that still runs, and then the token.
func (p *Provider) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	p.mu.Lock()
	leases := p.leases
	p.leases = map[string]lease{}
	p.mu.Unlock()
	var errs []error
	for id, l := range leases {
		if time.Now().After(l.expires) {
			continue
		}
		if _, _, err := p.login.request(ctx, http.MethodPost, "sys/leases/revoke", "", map[string]any{"lease_id": id}); err != nil {
			errs = append(errs, err)
		}
	}
	if err := p.login.end(ctx); err != nil {
		errs = append(errs, err)
	}
	p.login.client.http.CloseIdleConnections()
	return errors.Join(errs...)
}

// versionTwo takes the secret out of an answer of the engine's version 2.
func versionTwo(data map[string]json.RawMessage) (map[string]json.RawMessage, bool) {
	var inner map[string]json.RawMessage
	var about struct {
		Version int    `json:"version"`
		Created string `json:"created_time"`
	}
	if len(data) != 2 || json.Unmarshal(data["data"], &inner) != nil || json.Unmarshal(data["metadata"], &about) != nil {
		return nil, false
	}
	return inner, about.Version > 0 && about.Created != ""
}

func number(text json.RawMessage) int64 {
	n, _ := strconv.ParseInt(string(text), 10, 64) // 0 for anything else: unknown
	return n
}
