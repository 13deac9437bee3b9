package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/weirdb/weir/store"
)

// Identity is somebody who has logged in, as policy and audit see them.
type Identity struct {
	ID            string // the store's user id, never used twice
	Name          string
	Source        string
	Groups        []string
	GlobalRole    string
	ProjectRoles  map[string]string // project name to role
	Method        string            // MethodSCRAM, …
	MFA           bool
	Authenticated time.Time
	// Credential is what was used in the place of the password, nil if nothing was.
	Credential *store.Credential
	// Version is the user's UpdatedAt at that moment: another one means that
	// the user has changed since.
	Version time.Time
}

// The values of Identity.Method; that of Kept is the mechanism.
const (
	MethodSCRAM       = "scram-sha-256"
	MethodSCRAMPlus   = "scram-sha-256-plus"
	MethodPassword    = "password"
	MethodCertificate = "certificate"
	// With a credential it is the kind: "api_key", "session_password".
)

// Users finds users by the name that a client gave. An unknown name is a
// *store.NotFound.
type Users interface {
	LookupUser(ctx context.Context, name string) (store.User, error)
}

// Attempt is the outcome of one login.
type Attempt struct {
	User     string // as claimed
	Method   string
	Failure  *Failure  // nil: logged in
	Identity *Identity // nil: not logged in
}

// Reason names why a login failed, for audit, metrics and lockout. It is not
// for the client.
type Reason string

// The reasons.
const (
	ReasonUnknownUser    Reason = "unknown_user"
	ReasonDisabled       Reason = "disabled"
	ReasonNoPassword     Reason = "no_password"     // the user has no usable verifier
	ReasonWrongPassword  Reason = "wrong_password"  // the proof does not match
	ReasonChanged        Reason = "changed"         // the user changed during the exchange
	ReasonMalformed      Reason = "malformed"       // the message breaks the mechanism's grammar
	ReasonMechanism      Reason = "mechanism"       // a mechanism that was not offered
	ReasonChannelBinding Reason = "channel_binding" // wrong binding, or a downgrade
	ReasonCertificate    Reason = "certificate"     // no acceptable certificate for that name
)

// Failure is a refused login. Public is all that a client may see of it.
type Failure struct {
	Public string
	Reason Reason
	Method string
	Cause  error
}

func (f *Failure) Error() string { return fmt.Sprintf("login failed (%s): %v", f.Reason, f.Cause) }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

func identityOf(user store.User, method string, at time.Time) *Identity {
	return &Identity{
		ID:            user.ID,
		Name:          user.Name,
		Source:        user.Source,
		Groups:        user.Groups,
		GlobalRole:    user.GlobalRole,
		ProjectRoles:  user.ProjectRoles,
		Method:        method,
		Authenticated: at,
		Version:       user.UpdatedAt,
	}
}

// by makes the identity that of a login by a credential.
func (i *Identity) by(c store.Credential) *Identity {
	c.Verifier = ""
	i.Credential, i.Method = &c, c.Kind
	if !c.AuthenticatedAt.IsZero() { // the person proved it then
		i.Authenticated, i.MFA = c.AuthenticatedAt, c.MFA
	}
	return i
}
