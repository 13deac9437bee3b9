// Package vaulttest is a server for tests that speaks the parts of Vault's
// documented HTTP API that package vault uses: logins, tokens with their life,
// key/value engines of both versions, and leases of made-up credentials.
//
// It is no part of the proxy.
package vaulttest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// Server is a running fake. Its fields are set before the first request.
type Server struct {
	*httptest.Server
	Namespace string // what requests have to name
	// Create and Drop make and remove the accounts below database/creds/; nil:
	// nothing does.
	Create func(user, password string) error
	Drop   func(user string)
	Life   time.Duration // of leases and tokens; an hour if zero
	Most   time.Duration // how long a lease can be kept alive by renewing

	mu       sync.Mutex
	secrets  map[string][]map[string]any // path without /data/ to versions
	tokens   map[string]time.Time        // to their end
	leases   map[string]*held
	counts   map[string]int
	sealed   bool
	sequence int
}

type held struct {
	user, token  string
	born, expire time.Time
}

// The logins that the server accepts.
const (
	RootToken = "hvs.root"
	RoleID    = "role-1"
	SecretID  = "secret-1"
	JWT       = "ey.service.account"
	Role      = "weir"
)

// New starts a server, with TLS if asked for.
func New(secure bool) *Server {
	s := &Server{secrets: map[string][]map[string]any{}, tokens: map[string]time.Time{}, leases: map[string]*held{}, counts: map[string]int{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	if secure {
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
	} else {
		s.Start()
	}
	return s
}

// Put writes a new version of a secret; path has no data/ in it.
func (s *Server) Put(path string, fields map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.secrets[path] = append(s.secrets[path], fields)
}

// Seal makes every request fail, or lets them through again.
func (s *Server) Seal(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = is
}

// Forget ends every token but the root token.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Count says how many requests of a path there were.
func (s *Server) Count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[path]
}

// Leases says how many leases there are.
func (s *Server) Leases() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.leases)
}

// Tokens says how many tokens of logins there are.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tokens)
}

func (s *Server) life() time.Duration {
	if s.Life == 0 {
		return time.Hour
	}
	return s.Life
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	s.counts[path]++
	switch {
	case s.sealed:
		fail(w, 503, "Vault is sealed")
		return
	case r.Header.Get("X-Vault-Namespace") != s.Namespace:
		fail(w, 404, "no handler for route "+path)
		return
	case strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login"):
		s.logIn(w, r, path)
		return
	}
	token := r.Header.Get("X-Vault-Token")
	ends, known := s.tokens[token]
	if token != RootToken && (!known || time.Now().After(ends)) {
		fail(w, 403, "permission denied")
		return
	}
	s.authorized(w, r, path, token)
}

func (s *Server) logIn(w http.ResponseWriter, r *http.Request, path string) {
	var q map[string]string
	_ = json.NewDecoder(r.Body).Decode(&q)
	ok := false
	switch path {
	case "auth/approle/login":
		ok = q["role_id"] == RoleID && q["secret_id"] == SecretID
	case "auth/kubernetes/login":
		ok = q["role"] == Role && q["jwt"] == JWT
	case "auth/cert/login":
		ok = r.TLS != nil && len(r.TLS.PeerCertificates) == 1 && q["name"] == Role
	}
	if !ok {
		fail(w, 400, "invalid role or secret ID")
		return
	}
	s.sequence++
	token := fmt.Sprintf("hvs.%d", s.sequence)
	s.tokens[token] = time.Now().Add(s.life())
	reply(w, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": int(s.life().Seconds()), "renewable": true}})
}

func (s *Server) authorized(w http.ResponseWriter, r *http.Request, path, token string) {
	var q map[string]any
	_ = json.NewDecoder(r.Body).Decode(&q)
	switch {
	case path == "auth/token/lookup-self":
		reply(w, map[string]any{"data": map[string]any{"ttl": 0, "renewable": false}})
	case path == "auth/token/renew-self":
		s.tokens[token] = time.Now().Add(s.life())
		reply(w, map[string]any{"auth": map[string]any{"client_token": token, "lease_duration": int(s.life().Seconds()), "renewable": true}})
	case path == "auth/token/revoke-self":
		delete(s.tokens, token)
		w.WriteHeader(204)
	case path == "sys/leases/renew":
		s.renew(w, q)
	case path == "sys/leases/revoke":
		id, _ := q["lease_id"].(string)
		if l := s.leases[id]; l != nil && s.Drop != nil {
			s.Drop(l.user)
		}
		delete(s.leases, id)
		w.WriteHeader(204)
	case strings.HasPrefix(path, "database/creds/"):
		s.lend(w, path, token)
	default:
		s.read(w, r, path)
	}
}

func (s *Server) renew(w http.ResponseWriter, q map[string]any) {
	id, _ := q["lease_id"].(string)
	l := s.leases[id]
	if l == nil {
		fail(w, 400, "lease not found")
		return
	}
	l.expire = time.Now().Add(s.life())
	if last := l.born.Add(s.Most); s.Most > 0 && last.Before(l.expire) {
		l.expire = last
	}
	reply(w, map[string]any{"lease_id": id, "renewable": true, "lease_duration": int(time.Until(l.expire).Seconds())})
}

func (s *Server) lend(w http.ResponseWriter, path, token string) {
	s.sequence++
	user, password := fmt.Sprintf("v_weir_%d", s.sequence), fmt.Sprintf("made-up-%d", s.sequence)
	if s.Create != nil {
		if err := s.Create(user, password); err != nil {
			fail(w, 500, "1 error occurred")
			return
		}
	}
	id, now := path+"/"+user, time.Now()
	s.leases[id] = &held{user: user, token: token, born: now, expire: now.Add(s.life())}
	reply(w, map[string]any{"lease_id": id, "renewable": true, "lease_duration": int(s.life().Seconds()),
		"data": map[string]any{"username": user, "password": password}})
}

func (s *Server) read(w http.ResponseWriter, r *http.Request, path string) {
	plain, two := strings.CutPrefix(path, "secret/data/")
	if two {
		plain = "secret/" + plain
	}
	versions := s.secrets[plain]
	if len(versions) == 0 || strings.HasPrefix(path, "secret/") != two {
		fail(w, 404)
		return
	}
	n := len(versions)
	if !two {
		reply(w, map[string]any{"lease_duration": 2764800, "data": versions[n-1]})
		return
	}
	if text := r.URL.Query().Get("version"); text != "" {
		_, _ = fmt.Sscan(text, &n)
	}
	if n > len(versions) {
		fail(w, 404)
		return
	}
	reply(w, map[string]any{"data": map[string]any{"data": versions[n-1],
		"metadata": map[string]any{"version": n, "created_time": "2026-01-01T00:00:00Z", "destroyed": false}}})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, messages ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": append([]string{}, messages...)})
}
