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

// Invalid is returned for a name or a role that the store does not accept.
// Nothing was changed.
type Invalid struct {
	What   string // "user name", "group name", "project name", "global role", "project role"
	Value  string
	Reason string
}

func (e *Invalid) Error() string { return fmt.Sprintf("%s %q %s", e.What, e.Value, e.Reason) }
