package audit

import (
	"errors"
	"time"
)

// ErrClosed is returned by Append once Close was called.
var ErrClosed = errors.New("audit journal: closed")

// Unavailable says that the journal cannot take records now, and why. Whoever
// gets it must not do what it wanted to record; a later Append tries again.
type Unavailable struct {
	Op    string    // "write", "fsync", "truncate", "open segment", "wait"
	Since time.Time // when the journal stopped taking records
	Err   error
}

func (e *Unavailable) Error() string {
	return "audit journal unavailable: " + e.Op + ": " + e.Err.Error()
}

func (e *Unavailable) Unwrap() error { return e.Err }

// LockedError says that another process holds the journal's directory.
type LockedError struct{ Dir string }

func (e *LockedError) Error() string {
	return "audit journal " + e.Dir + ": in use by another process"
}
