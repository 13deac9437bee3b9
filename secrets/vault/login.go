package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/weirdb/weir/secrets"
)

// Methods of logging in.
const (
	MethodToken      = "token"
	MethodAppRole    = "approle"
	MethodKubernetes = "kubernetes"
	MethodTLS        = "tls"
)

// Auth says how to log in. Secrets are functions, asked at each login.
type Auth struct {
	Method string
	Mount  string // where the method is enabled; approle, kubernetes or cert if empty
	Role   string // kubernetes, tls
	RoleID string // approle
	// Secret is the token, the secret id, or the service account's JWT. For tls
	// it is not used: the certificate is Options.Certificate.
	Secret func(context.Context) (secrets.Value, error)
}

// session is a token with its life.
type session struct {
	token      string
	generation int
	expires    time.Time     // zero: never, or unknown
	granted    time.Duration // when it was new
	due        time.Time     // when to see to it
	renewable  bool
	own        bool // made by a login, and so to be revoked
}

// login holds the session, one for all requests.
type login struct {
	client *client
	auth   Auth

	mu      sync.Mutex
	session *session
	count   int
}

// current returns a session that is not due: the one there is, renewed, or a
// new one. The one whose generation is bad is not used again.
func (l *login) current(ctx context.Context, bad int) (*session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, now := l.session, time.Now()
	if s != nil && s.generation != bad {
		if s.due.IsZero() || now.Before(s.due) {
			return s, nil
		}
		if s.renewable && l.renew(ctx, s) {
			return l.session, nil
		}
	}
	fresh, err := l.begin(ctx)
	if err != nil {
		if s != nil && s.generation != bad && now.Before(s.expires) {
			return s, nil
		}
		return nil, err
	}
	l.count++
	fresh.generation = l.count
	l.session = fresh
	return fresh, nil
}

// renew makes the session longer, if that gives it at least half of its first
// life; a maximum may stand before that.
func (l *login) renew(ctx context.Context, s *session) bool {
	a, err := l.client.do(ctx, http.MethodPost, "auth/token/renew-self", "", s.token, struct{}{})
	if err != nil || a.Auth == nil {
		return false
	}
	life := time.Duration(a.Auth.LeaseDuration) * time.Second
	if life < s.granted/2 {
		return false
	}
	longer := *s
	longer.expires, longer.due = time.Now().Add(life), time.Now().Add(life/2)
	l.session = &longer
	return true
}

func (l *login) begin(ctx context.Context) (*session, error) {
	var secret string
	if l.auth.Secret != nil {
		value, err := l.auth.Secret(ctx)
		if err != nil {
			return nil, fmt.Errorf("vault login %s: %w", l.auth.Method, err)
		}
		secret = value.Reveal()
	}
	if l.auth.Method == MethodToken {
		return l.look(ctx, secret)
	}
	mount, body := l.auth.Mount, map[string]string{}
	switch l.auth.Method {
	case MethodAppRole:
		mount, body = or(mount, "approle"), map[string]string{"role_id": l.auth.RoleID, "secret_id": secret}
	case MethodKubernetes:
		mount, body = or(mount, "kubernetes"), map[string]string{"role": l.auth.Role, "jwt": secret}
	case MethodTLS:
		mount = or(mount, "cert")
		if l.auth.Role != "" {
			body["name"] = l.auth.Role
		}
	default:
		return nil, fmt.Errorf("vault login: unknown method %q", l.auth.Method)
	}
	a, err := l.client.do(ctx, http.MethodPost, "auth/"+mount+"/login", "", "", body)
	if err == nil && (a.Auth == nil || a.Auth.ClientToken == "") {
		err = errors.New("there is no token in the answer")
	}
	if err != nil {
		return nil, fmt.Errorf("vault login %s: %w", l.auth.Method, err)
	}
	return newSession(a.Auth.ClientToken, a.Auth.LeaseDuration, a.Auth.Renewable, true), nil
}

// look asks how long a given token lives.
func (l *login) look(ctx context.Context, token string) (*session, error) {
	a, err := l.client.do(ctx, http.MethodGet, "auth/token/lookup-self", "", token, nil)
	if err != nil {
		return nil, fmt.Errorf("vault login token: %w", err)
	}
	return newSession(token, number(a.Data["ttl"]), string(a.Data["renewable"]) == "true", false), nil
}

func newSession(token string, seconds int64, renewable, own bool) *session {
	s := &session{token: token, renewable: renewable, own: own, granted: time.Duration(seconds) * time.Second}
	if seconds > 0 {
		now := time.Now()
		s.expires, s.due = now.Add(s.granted), now.Add(s.granted/2)
	}
	return s
}

// request sends a request with a token; where the token is refused, once more
// with a new one.
func (l *login) request(ctx context.Context, method, path, query string, body any) (*answer, *session, error) {
	s, err := l.current(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	a, err := l.client.do(ctx, method, path, query, s.token, body)
	var status *StatusError
	if !errors.As(err, &status) || status.Status != http.StatusForbidden {
		return a, s, err
	}
	// 403 is a bad token or a missing right; only the first is cured.
	if _, lookErr := l.client.do(ctx, http.MethodGet, "auth/token/lookup-self", "", s.token, nil); lookErr == nil {
		return nil, s, err
	}
	fresh, loginErr := l.current(ctx, s.generation)
	if loginErr != nil {
		return nil, s, loginErr
	}
	a, err = l.client.do(ctx, method, path, query, fresh.token, body)
	return a, fresh, err
}

// end revokes the token, unless it was given.
func (l *login) end(ctx context.Context) error {
	l.mu.Lock()
	s := l.session
	l.session = nil
	l.mu.Unlock()
	if s == nil || !s.own {
		return nil
	}
	_, err := l.client.do(ctx, http.MethodPost, "auth/token/revoke-self", "", s.token, struct{}{})
	return err
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
