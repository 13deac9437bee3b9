package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/auth/apikey"
	"github.com/weirdb/weir/control"
	"github.com/weirdb/weir/store"
)

// issuer gives session passwords to people who prove themselves by a password or
// a token.
type issuer struct {
	*daemon
	auth     *auth.Authenticator
	throttle *auth.Throttle
}

// prove is a login without a session.
func (i *issuer) prove(ctx context.Context, from net.Addr, r control.Request) (*auth.Identity, error) {
	identity, err := i.throttle.Guard(r.User, from, func() (*auth.Identity, error) { return i.auth.Password(ctx, r.User, r.Password) })
	var failure *auth.Failure
	if errors.As(err, &failure) {
		i.record(&audit.Event{Kind: audit.KindLoginFailed, UserName: r.User, AuthMethod: failure.Method, ClientAddress: addressOf(from), Application: loginApplication, TLS: true,
			Decision: audit.DecisionDeny, Rule: string(failure.Reason)})
		return nil, &control.Refusal{Status: http.StatusUnauthorized, Message: failure.Public, Cause: failure}
	}
	return identity, err
}

const loginApplication = "weir login"

func addressOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// Issue gives a session password to whoever proves who they are, and not to a
// credential: that would never end.
func (i *issuer) Issue(ctx context.Context, from net.Addr, r control.Request) (control.Grant, error) {
	identity, err := i.prove(ctx, from, r)
	if err != nil {
		return control.Grant{}, err
	}
	if identity.Credential != nil {
		return control.Grant{}, &control.Refusal{Status: http.StatusForbidden, Message: "a key or session password gives no other one; log in with the password or a token"}
	}
	if r.Datasource != "" && i.sourceNamed(r.Datasource) == nil {
		return control.Grant{}, &control.Refusal{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no datasource %q", r.Datasource)}
	}
	secret := apikey.New()
	accounts := &accounts{Store: i.store, plugins: i.config.Auth.MySQLPlugins}
	verifier, err := accounts.verifier(ctx, identity.Name, secret)
	if err != nil {
		return control.Grant{}, err
	}
	name := r.Name
	if name == "" {
		name = loginApplication
	}
	c, err := i.store.AddCredential(store.WithActor(ctx, identity.Name), identity.Name, store.Credential{Kind: store.CredentialSessionPassword, Name: name + " " + rand.Text()[:6],
		Hint: apikey.Hint(secret), Verifier: verifier, Datasource: r.Datasource, MFA: identity.MFA, AuthenticatedAt: identity.Authenticated, ExpiresAt: time.Now().Add(i.config.Logins.Session)})
	var invalid *store.Invalid
	if errors.As(err, &invalid) {
		return control.Grant{}, &control.Refusal{Status: http.StatusConflict, Message: invalid.Error(), Cause: err}
	}
	if err != nil {
		return control.Grant{}, err
	}
	i.record(&audit.Event{Kind: audit.KindLogin, UserID: identity.ID, UserName: identity.Name, UserSource: identity.Source, Groups: identity.Groups, AuthMethod: identity.Method,
		MFA: identity.MFA, ClientAddress: addressOf(from), Application: loginApplication, TLS: true, Datasource: r.Datasource, Decision: audit.DecisionAllow, Message: "session password " + c.Name})
	return control.Grant{User: identity.Name, Password: secret, ExpiresAt: c.ExpiresAt, Places: i.places(identity.Name, r.Datasource)}, nil
}

// Revoke ends the session password that somebody logs in with.
func (i *issuer) Revoke(ctx context.Context, from net.Addr, r control.Request) error {
	identity, err := i.prove(ctx, from, r)
	if err != nil {
		return err
	}
	if identity.Credential == nil || identity.Credential.Kind != store.CredentialSessionPassword {
		return &control.Refusal{Status: http.StatusForbidden, Message: "that is no session password"}
	}
	return i.store.RevokeCredential(store.WithActor(ctx, identity.Name), identity.Credential.ID)
}

func (r *daemon) sourceNamed(name string) *source {
	for _, s := range r.sources {
		if s.name == name {
			return s
		}
	}
	return nil
}

// places are the ways to datasources, one or all.
func (r *daemon) places(user, datasource string) []control.Place {
	var out []control.Place
	for n, l := range r.listeners {
		c := &r.config.Listeners[n]
		_, port, _ := net.SplitHostPort(l.Net.Addr().String())
		number, _ := strconv.Atoi(port)
		for _, s := range r.sources {
			p := control.Place{Datasource: s.name, Protocol: c.Protocol, Port: number, User: user}
			switch {
			case datasource != "" && s.name != datasource, c.Protocol == protocolPostgres && s.postgres == nil, c.Protocol == protocolMySQL && s.mysql == nil,
				c.Datasource != "" && c.Datasource != s.name:
				continue
			case c.Protocol == protocolPostgres:
				p.Database = s.name
			case c.Datasource == "":
				p.User = user + "@" + s.name
			}
			out = append(out, p)
		}
	}
	return out
}
