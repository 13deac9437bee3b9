// Package external holds what a directory or an identity provider says about
// somebody who has just proved who they are.
//
// It is the word that mechanisms (auth/ldap, auth/oidc, auth/saml) and the
// store share, and imports neither.
package external

import (
	"fmt"
	"time"
)

// Person is somebody as their source describes them, at one login.
type Person struct {
	Source        string // the name of the configured source that vouches
	Subject       string // unique and unchanging inside Source
	Name          string // the login name in weir
	DisplayName   string
	Email         string
	Groups        []string // as the source spells them, before any mapping
	MFA           bool     // the source says that a second factor was used
	Authenticated time.Time
	Expires       time.Time // zero: no end of its own
}

// Reason names why a source did not vouch, for audit, metrics and lockout. It
// is not for the client.
type Reason string

// The reasons.
const (
	Wrong       Reason = "wrong_secret" // the password, code or signature does not match
	Unknown     Reason = "unknown_user"
	Disabled    Reason = "disabled"    // locked, disabled or expired at the source
	Expired     Reason = "expired"     // the token, assertion or password is past its end
	NotYet      Reason = "not_yet"     // before its beginning: look at the clocks
	Issuer      Reason = "issuer"      // somebody else's token
	Audience    Reason = "audience"    // meant for somebody else
	Replayed    Reason = "replayed"    // used before
	Malformed   Reason = "malformed"   // breaks the grammar of its format
	Unavailable Reason = "unavailable" // the source could not be asked
)

// Failure is a source's refusal.
type Failure struct {
	Source string
	Reason Reason
	Cause  error
}

func (f *Failure) Error() string {
	return fmt.Sprintf("source %s does not vouch (%s): %v", f.Source, f.Reason, f.Cause)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }
