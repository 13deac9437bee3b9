package store

import "fmt"

// Object says what kind of thing an error or a change is about.
type Object string

// The objects that the store holds.
const (
	ObjectUser    Object = "user"
	ObjectGroup   Object = "group"
	ObjectProject Object = "project"
)

// NotFound is returned when the named object does not exist.
type NotFound struct {
	Object Object
	Name   string
}

func (e *NotFound) Error() string { return fmt.Sprintf("%s %q does not exist", e.Object, e.Name) }

// Exists is returned when an object of that name exists already.
type Exists struct {
	Object Object
	Name   string
}

func (e *Exists) Error() string { return fmt.Sprintf("%s %q exists already", e.Object, e.Name) }

// Taken is returned when somebody else has the name that a source gives.
type Taken struct {
	Name   string
	Source string // of the user that has it
}

func (e *Taken) Error() string {
	return fmt.Sprintf("user %q exists already, of source %q; remove that user if it is the same person", e.Name, e.Source)
}

// Managed is returned for a change by hand of what the user's source decides.
type Managed struct {
	User, Source string
	What         string // "global role", "group \"x\"", "role in project \"x\"", "password"
}

func (e *Managed) Error() string {
	return fmt.Sprintf("%s of user %q comes from source %q; change it there", e.What, e.User, e.Source)
}

// LastOwner is returned for a change after which no enabled user would be owner.
type LastOwner struct{ Name string }

func (e *LastOwner) Error() string {
	return fmt.Sprintf("user %q is the last owner; make another one first", e.Name)
}

// Invalid is returned for a name or a role that the store does not accept.
// Nothing was changed.
type Invalid struct {
	What   string // "user name", "group name", "project name", "global role", "project role"
	Value  string
	Reason string
}

func (e *Invalid) Error() string { return fmt.Sprintf("%s %q %s", e.What, e.Value, e.Reason) }
