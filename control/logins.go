package control

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
)

// Provider is an OpenID provider by whose tokens people log in.
type Provider struct {
	Name     string `json:"name"`
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// Place is a datasource that a session password reaches.
type Place struct {
	Datasource string `json:"datasource"`
	Protocol   string `json:"protocol"` // postgresql or mysql
	Port       int    `json:"port"`
	User       string `json:"user"`     // the login name there
	Database   string `json:"database"` // to name in the connection; may be empty
}

// Request is what somebody who logs in sends.
type Request struct {
	User       string `json:"user"`
	Password   string `json:"password"` // or a provider's token
	Datasource string `json:"datasource,omitempty"`
	Name       string `json:"name,omitempty"` // of the device, for lists
}

// Grant is a session password.
type Grant struct {
	User      string    `json:"user"`
	Password  string    `json:"password"`
	ExpiresAt time.Time `json:"expires_at"`
	Places    []Place   `json:"places"`
}

// Refusal is an error of a login that whoever asked may read.
type Refusal struct {
	Status  int // of HTTP
	Message string
	Cause   error
}

func (e *Refusal) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Refusal) Unwrap() error { return e.Cause }

// Issuer proves people and gives them session passwords.
type Issuer interface {
	// Issue's error is a *Refusal, or is not shown.
	Issue(ctx context.Context, from net.Addr, r Request) (Grant, error)
	// Revoke ends the session password by which somebody logs in.
	Revoke(ctx context.Context, from net.Addr, r Request) error
}

// LoginOptions make a Logins.
type LoginOptions struct {
	Address   string
	TLS       *tls.Config
	Providers []Provider
	Issuer    Issuer
	Logger    *slog.Logger
}

// Logins is the listener of `weir login`: JSON over HTTPS.
type Logins struct {
	endpoint
	options LoginOptions
}

const (
	maxRequest = 64 << 10
	issueTime  = 15 * time.Second
	maxAtOnce  = 64 // logins under way
	maxClients = 1000
)

// StartLogins listens and serves until Close.
func StartLogins(ctx context.Context, o LoginOptions) (*Logins, error) {
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for logins: %w", err)
	}
	l := &Logins{options: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/login", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"providers": append([]Provider{}, o.Providers...)})
	})
	turns := make(chan struct{}, maxAtOnce)
	limited := func(do http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
				do(w, r)
			default:
				reply(w, http.StatusServiceUnavailable, map[string]string{"error": "too many logins at once; try again"})
			}
		}
	}
	mux.HandleFunc("POST /v1/sessions", limited(l.issue))
	mux.HandleFunc("POST /v1/sessions/revoke", limited(l.revoke))
	l.serve(tls.NewListener(netutil.LimitListener(socket, maxClients), o.TLS), mux, o.Logger, slog.LevelDebug, "listener for logins ended")
	return l, nil
}

func (l *Logins) issue(w http.ResponseWriter, r *http.Request) {
	l.answer(w, r, func(ctx context.Context, from net.Addr, in Request) (any, error) {
		return l.options.Issuer.Issue(ctx, from, in)
	})
}

func (l *Logins) revoke(w http.ResponseWriter, r *http.Request) {
	l.answer(w, r, func(ctx context.Context, from net.Addr, in Request) (any, error) {
		return map[string]string{"result": "revoked"}, l.options.Issuer.Revoke(ctx, from, in)
	})
}

func (l *Logins) answer(w http.ResponseWriter, r *http.Request, do func(context.Context, net.Addr, Request) (any, error)) {
	var in Request
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	body.DisallowUnknownFields()
	// A page in a browser cannot send this type without asking first.
	if r.Header.Get("Content-Type") != "application/json" || body.Decode(&in) != nil || in.User == "" || in.Password == "" {
		reply(w, http.StatusBadRequest, map[string]string{"error": "send a JSON object with user and password"})
		return
	}
	var from net.Addr
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from = net.TCPAddrFromAddrPort(a)
	}
	ctx, cancel := context.WithTimeout(r.Context(), issueTime)
	defer cancel()
	out, err := do(ctx, from, in)
	var refusal *Refusal
	switch {
	case err == nil:
		reply(w, http.StatusOK, out)
	case errors.As(err, &refusal):
		l.options.Logger.Info("login refused", "client", r.RemoteAddr, "error", err, "cause", refusal.Cause)
		reply(w, refusal.Status, map[string]string{"error": refusal.Message})
	default:
		l.options.Logger.Warn("login failed", "client", r.RemoteAddr, "error", err)
		reply(w, http.StatusServiceUnavailable, map[string]string{"error": "users cannot be looked up now; try again later"})
	}
}
