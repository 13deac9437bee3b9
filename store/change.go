package store

import "time"

// Kind names what changed. The values are stored and reach audit events.
type Kind string

// The kinds of changes.
const (
	KindUserAdded         Kind = "user_added"
	KindUserRemoved       Kind = "user_removed"
	KindUserEnabled       Kind = "user_enabled"
	KindUserDisabled      Kind = "user_disabled"
	KindPasswordChanged   Kind = "password_changed"
	KindRoleSet           Kind = "role_set"           // Role is the new global role
	KindUserRenamed       Kind = "user_renamed"       // Name is the name before
	KindCredentialAdded   Kind = "credential_added"   // Name is the credential
	KindCredentialRevoked Kind = "credential_revoked" // Name is the credential
	KindGroupJoined       Kind = "group_joined"       // Name is the group
	KindGroupLeft         Kind = "group_left"         // Name is the group
	KindProjectRoleSet    Kind = "project_role_set"   // Name is the project, Role the role
	KindProjectRoleGone   Kind = "project_role_gone"  // Name is the project
	KindGroupAdded        Kind = "group_added"        // Name is the group
	KindGroupRemoved      Kind = "group_removed"      // Name is the group
	KindProjectAdded      Kind = "project_added"      // Name is the project
	KindProjectRemoved    Kind = "project_removed"    // Name is the project
	KindResync            Kind = "resync"             // the feed no longer reaches back: look everybody up again
)

// Change is one administrative change.
type Change struct {
	Revision int64 // ascending, without gaps
	Kind     Kind
	UserID   string // with UserName: the user it is about; empty for changes of groups and projects themselves
	UserName string
	Name     string // the group or project it is about
	Role     string
	Actor    string // on whose behalf; see WithActor
	At       time.Time
}

// Concerns says whether a live session of the user with that id has to look
// its user up again.
func (c Change) Concerns(userID string) bool {
	switch c.Kind {
	case KindGroupAdded, KindProjectAdded, KindUserAdded, KindCredentialAdded:
		return false
	case KindResync:
		return true
	}
	return c.UserID == userID
}
