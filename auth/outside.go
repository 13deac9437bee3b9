package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/store"
)

// Reasons of logins that a source outside weir vouches for; an external.Reason
// is one as well.
const (
	ReasonTaken    Reason = "name_taken"    // somebody else has the name that the source gives
	ReasonUnusable Reason = "unusable_name" // the store does not take what the source says
)

// Source is a directory or provider that proves people by what they send in the
// place of a password.
type Source struct {
	Name   string // in the store, and of its Failures
	Method string // of the identities: "ldap"
	// Names are the login names that the source answers for: patterns in which *
	// stands for any text, in any case. Whether a name exists plays no part.
	Names []string
	// Check proves somebody. Its errors are *external.Failure.
	Check func(ctx context.Context, name, password string) (*external.Person, error)
	// Bearer is where PostgreSQL clients that speak OAUTHBEARER get their tokens;
	// nil: they are asked for a password.
	Bearer *Bearer
	// Map makes roles of what the source says.
	Map func(*external.Person) store.Mapped
}

// Bearer is what OAUTHBEARER tells a client.
type Bearer struct {
	Discovery string // URL of the provider's metadata
	Scope     string
}

// Provisioner keeps people whom a source vouches for. *store.Store is one.
type Provisioner interface {
	Provision(ctx context.Context, p store.External) (store.User, error)
}

// Outside says that a source answers for a login name, so that the password
// itself is needed.
func (a *Authenticator) Outside(user string) bool { return a.source(user) != nil }

// Bearer returns how OAUTHBEARER is served for a name, nil if it is not.
func (a *Authenticator) Bearer(user string) *Bearer {
	if s := a.source(user); s != nil {
		return s.Bearer
	}
	return nil
}

// stored is a claimed name as the store has it: people of sources are kept in
// lower case.
func (a *Authenticator) stored(name string) string {
	if a.source(name) != nil {
		return strings.ToLower(name)
	}
	return name
}

// source is the first that answers for a name.
func (a *Authenticator) source(user string) *Source {
	for i := range a.options.Sources {
		for _, pattern := range a.options.Sources[i].Names {
			if Matches(pattern, user) {
				return &a.options.Sources[i]
			}
		}
	}
	return nil
}

// Matches holds a name against a pattern in which * stands for any text, in any
// case.
func Matches(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// vouched logs in by a source.
func (a *Authenticator) vouched(ctx context.Context, s *Source, user, password string) (*Identity, error) {
	person, err := s.Check(ctx, user, password)
	var failure *external.Failure
	switch {
	case errors.As(err, &failure) && failure.Reason == external.Unavailable:
		return nil, err
	case errors.As(err, &failure):
		return nil, a.fail(ctx, user, s.Method, Reason(failure.Reason), err)
	case err != nil:
		return nil, fmt.Errorf("ask source %s: %w", s.Name, err)
	}
	stored, err := a.options.Provisioner.Provision(store.WithActor(ctx, "source "+s.Name), store.External{Source: s.Name, Subject: person.Subject, Name: person.Name,
		DisplayName: person.DisplayName, Email: person.Email, Mapped: s.Map(person)})
	var taken *store.Taken
	var invalid *store.Invalid
	switch {
	case errors.As(err, &taken):
		return nil, a.fail(ctx, user, s.Method, ReasonTaken, err)
	case errors.As(err, &invalid):
		return nil, a.fail(ctx, user, s.Method, ReasonUnusable, err)
	case err != nil:
		return nil, err
	case stored.Disabled():
		return nil, a.fail(ctx, user, s.Method, ReasonDisabled, errors.New("user is disabled"))
	}
	identity := identityOf(stored, s.Method, person.Authenticated)
	identity.MFA = person.MFA
	return a.succeed(ctx, user, identity), nil
}
