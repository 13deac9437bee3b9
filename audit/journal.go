package audit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const keyName = "signing.key"

// Journal is an open audit journal. Its methods may be called from many goroutines.
type Journal struct{ opts Options }

// Open opens or creates the journal in opts.Dir and starts its goroutines;
// Close stops them. ctx bounds the reading of the tail.
func Open(ctx context.Context, opts Options) (*Journal, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("open audit journal: %w", err)
	}
	return &Journal{opts: opts}, ctx.Err()
}

// Append records e and returns when the record is durable as
// Options.Durability says.
func (j *Journal) Append(ctx context.Context, e *Event) error {
	return &Unavailable{Op: "write", Since: time.Now(), Err: errors.New("no segment is open")}
}

// Close writes a last checkpoint and releases the directory.
func (j *Journal) Close() error { return nil }

// Healthy returns why the journal cannot be written now, nil if it can.
func (j *Journal) Healthy() error {
	return &Unavailable{Op: "write", Since: time.Now(), Err: errors.New("no segment is open")}
}
