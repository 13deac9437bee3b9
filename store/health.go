package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bounds for a store that is a server.
const (
	operationTimeout = 5 * time.Second // of one operation, connecting included
	retryPause       = time.Second     // between attempts while it does not answer
)

// Unavailable is returned while the server that keeps the store does not
// answer. Whoever is logged in goes on; nobody new can be looked up.
type Unavailable struct {
	Since time.Time // the first failed attempt
	Cause error
}

func (e *Unavailable) Error() string {
	return fmt.Sprintf("the store has not answered for %s: %v", time.Since(e.Since).Round(time.Second), e.Cause)
}

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Cause }

// health knows whether the server answers, so that not everybody has to wait to
// find out that it does not.
type health struct {
	remote bool // there is a server

	mu   sync.Mutex
	down *Unavailable // nil: it answers
	next time.Time    // when to try again while it is down
}

// Health returns nil while the store answers, or *Unavailable. Of an embedded
// store it knows nothing.
func (s *Store) Health() error {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	if s.health.down == nil {
		return nil
	}
	return s.health.down
}

// try runs one operation within its time, unless the server is known not to answer.
func (h *health) try(ctx context.Context, operation func(context.Context) error) error {
	if !h.remote {
		return operation(ctx)
	}
	if err := h.admit(time.Now()); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	err := operation(limited)
	if err != nil && ctx.Err() != nil { // the caller's own time was up: it says nothing about the server
		return err
	}
	return h.note(err)
}

// admit lets one attempt through at a time while the server does not answer.
func (h *health) admit(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down == nil {
		return nil
	}
	if now.Before(h.next) {
		return h.down
	}
	h.next = now.Add(retryPause)
	return nil
}

// note takes in how an attempt ended.
func (h *health) note(err error) error {
	if !h.remote {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil || !unanswered(err) {
		h.down = nil
		return err
	}
	since := time.Now()
	if h.down != nil {
		since = h.down.Since
	}
	h.down, h.next = &Unavailable{Since: since, Cause: err}, time.Now().Add(retryPause)
	return h.down
}

// unanswered says that an error comes from a server that is away, starting,
// stopping or full, and not from what it was asked.
func unanswered(err error) bool {
	var (
		server  *pgconn.PgError
		connect *connectError
		network net.Error
		down    *Unavailable
	)
	switch {
	case errors.As(err, &down), errors.As(err, &connect):
		return true
	case errors.As(err, &server): // classes of SQLSTATE: connection, resources, operator
		return strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "53") || strings.HasPrefix(server.Code, "57P")
	case errors.As(err, &network):
		return true
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}
