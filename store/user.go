package store

import (
	"log/slog"
	"slices"
	"time"
)

// SourceLocal is the source of users that weir itself keeps. Users of a
// directory or an identity provider carry the name of that source instead.
const SourceLocal = "local"

// Global roles, weakest first.
const (
	GlobalMember        = "member"
	GlobalAdministrator = "administrator"
	GlobalOwner         = "owner"
)

// Project roles, weakest first.
const (
	ProjectViewer = "viewer"
	ProjectEditor = "editor"
	ProjectAdmin  = "admin"
	ProjectOwner  = "owner"
)

// GlobalRoles returns the global roles, weakest first.
func GlobalRoles() []string { return []string{GlobalMember, GlobalAdministrator, GlobalOwner} }

// ProjectRoles returns the project roles, weakest first.
func ProjectRoles() []string {
	return []string{ProjectViewer, ProjectEditor, ProjectAdmin, ProjectOwner}
}

// Stronger returns the stronger of two global roles, or of two project roles.
// What is no role is weaker than all.
func Stronger(a, b string) string {
	for _, roles := range [][]string{GlobalRoles(), ProjectRoles()} {
		if slices.Contains(roles, b) {
			if slices.Index(roles, b) > slices.Index(roles, a) {
				return b
			}
			return a
		}
	}
	return a
}

func checkGlobalRole(role string) error {
	if slices.Contains(GlobalRoles(), role) {
		return nil
	}
	return &Invalid{What: "global role", Value: shorten(role), Reason: "is not one of member, administrator, owner"}
}

func checkProjectRole(role string) error {
	if slices.Contains(ProjectRoles(), role) {
		return nil
	}
	return &Invalid{What: "project role", Value: shorten(role), Reason: "is not one of viewer, editor, admin, owner"}
}

// Secret is text that formatting, logging and encoding do not show. Convert to
// string where the text itself is wanted.
type Secret string

const redacted = "[redacted]"

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// User is one user as stored, with everything that a decision about the user
// needs. Slices and maps belong to the caller.
type User struct {
	ID           string // "local|…": never used twice, also not for the same name; else "ldap:corp|…", source and subject
	Name         string
	Source       string // SourceLocal, or the name of an identity provider
	Verifier     Secret // empty: no password login
	GlobalRole   string
	Groups       []string          // sorted
	ProjectRoles map[string]string // project name to role
	Mapped       Mapped            // the part of the roles that comes from Source
	Subject      string            // inside Source; empty for local users
	Credentials  []Credential      // that can log in now
	DisplayName  string
	Email        string
	CreatedAt    time.Time
	UpdatedAt    time.Time // newest change to the user, the password, the groups or the roles
	DisabledAt   time.Time // zero: enabled
	LastLoginAt  time.Time // zero: never
}

// Disabled says whether the user may not log in.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// NewUser is what AddUser needs to know.
type NewUser struct {
	Name         string
	Verifier     Secret            // empty: no password login
	GlobalRole   string            // empty: GlobalMember
	Groups       []string          // must exist
	ProjectRoles map[string]string // projects must exist
}

// UserUpdate says what to change about a user; zero fields change nothing.
type UserUpdate struct {
	GlobalRole   string
	AddGroups    []string
	RemoveGroups []string
	ProjectRoles map[string]string // project name to role; an empty role takes it away
}
