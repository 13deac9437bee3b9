package pgsql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrStaleCatalog is what Current wraps when no catalog that is fresh enough
// can be had.
var ErrStaleCatalog = errors.New("catalog is stale")

// ErrManagerClosed is returned after Close.
var ErrManagerClosed = errors.New("catalog manager is closed")

// ManagerOptions configures a Manager. Zero durations take their defaults.
type ManagerOptions struct {
	// Connect opens a connection to the database. Its role needs no rights
	// beyond those of PUBLIC.
	Connect func(ctx context.Context) (*pgx.Conn, error)
	// Interval is the time between two looks for changes, 2 s by default.
	Interval time.Duration
	// MaxAge is the longest time since the last successful look for which
	// Current hands out a catalog, 10 s by default.
	MaxAge time.Duration
	// IdleAfter ends the looking after a time without a use, 1 min by default.
	IdleAfter time.Duration
	// Timeout bounds one look and one load, 30 s by default.
	Timeout time.Duration
	Logger  *slog.Logger
}

// A Manager keeps one database's catalog fresh over one connection of its own.
// It is safe for concurrent use.
//
// A catalog that Current returns was the committed state at some time not
// longer than MaxAge ago. Beyond that Current waits for a new look and fails
// with it: a stale catalog is never handed out.
type Manager struct {
	o      ManagerOptions
	stop   context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
	wake   chan struct{} // asks the goroutine for a look now
	closed bool          // guarded by mu

	mu       sync.Mutex
	cat      *Catalog
	asOf     time.Time     // start of the look that last confirmed cat
	finished chan struct{} // closed and replaced after each look
	err      error         // of the last look
	used     time.Time     // last use
	wanted   Token         // last token given out
	started  Token         // last token before the running look began
	reached  Token         // last token that a finished look covers
}

// Token stands for a change of definitions that a session made.
type Token uint64

// NewManager starts a Manager; its owner calls Close.
func NewManager(o ManagerOptions) *Manager {
	o.Interval = orDefault(o.Interval, 2*time.Second)
	o.MaxAge = orDefault(o.MaxAge, 10*time.Second)
	o.IdleAfter = orDefault(o.IdleAfter, time.Minute)
	o.Timeout = orDefault(o.Timeout, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Manager{o: o, stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1), finished: make(chan struct{})}
	go m.run(ctx) // stopped by Close
	return m
}

func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// Close stops the Manager, closes its connection and waits for both.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.stop()
	<-m.done
}

// Current returns a catalog that is no older than MaxAge, waiting for a look
// if need be until ctx ends.
func (m *Manager) Current(ctx context.Context) (*Catalog, error) { return m.After(ctx, 0) }

// After is Current with a catalog that was read after the call of Invalidate
// that gave t.
func (m *Manager) After(ctx context.Context, t Token) (*Catalog, error) {
	for {
		m.mu.Lock()
		m.used = time.Now()
		if m.closed {
			m.mu.Unlock()
			return nil, ErrManagerClosed
		}
		if m.cat != nil && m.reached >= t && time.Since(m.asOf) <= m.o.MaxAge {
			cat := m.cat
			m.mu.Unlock()
			return cat, nil
		}
		finished := m.finished
		m.mu.Unlock()
		if err := m.wait(ctx, finished); err != nil {
			return nil, err
		}
	}
}

// wait waits for the end of a look and returns its error.
func (m *Manager) wait(ctx context.Context, finished <-chan struct{}) error {
	m.poke()
	select {
	case <-finished:
	case <-m.done:
		return ErrManagerClosed
	case <-ctx.Done():
		m.mu.Lock()
		err := m.err
		m.mu.Unlock()
		if err != nil {
			return fmt.Errorf("%w: %w: %w", ErrStaleCatalog, ctx.Err(), err)
		}
		return fmt.Errorf("%w: %w", ErrStaleCatalog, ctx.Err())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return fmt.Errorf("%w: %w", ErrStaleCatalog, m.err)
	}
	return nil
}

// Invalidate says that a session has committed a change of definitions. The
// catalog is read again soon; After with the token waits for it.
func (m *Manager) Invalidate() Token {
	m.mu.Lock()
	m.wanted++
	t := m.wanted
	m.used = time.Now()
	m.mu.Unlock()
	m.poke()
	return t
}

// Refresh reads the catalog now and returns the error of that.
func (m *Manager) Refresh(ctx context.Context) error {
	_, err := m.After(ctx, m.Invalidate())
	return err
}

// Age is the time since the last successful look; false before the first.
func (m *Manager) Age() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.asOf), m.cat != nil
}

// Err is the error of the last look, nil if it succeeded or none was made.
func (m *Manager) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// run looks for changes until ctx ends.
func (m *Manager) run(ctx context.Context) {
	defer close(m.done)
	w := &watcher{o: m.o}
	defer w.drop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	failures := 0
	for {
		select { // an idle manager waits for its next use alone
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
			if m.idle() {
				continue
			}
		}
		begin := time.Now()
		err := m.look(ctx, w, begin)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
			// A look may take a tenth of the time, no more, short of MaxAge.
			timer.Reset(max(m.o.Interval, min(9*time.Since(begin), m.o.MaxAge/2)))
			continue
		}
		failures++
		m.o.Logger.Warn("catalog cannot be read", "failures", failures, "error", err)
		delay := min(m.o.Interval, 100*time.Millisecond<<min(failures, 6))
		timer.Reset(delay)
		select { // callers that keep asking do not make it a busy loop
		case <-ctx.Done():
			return
		case <-time.After(min(delay, 250*time.Millisecond)):
		}
	}
}

func (m *Manager) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.used) > m.o.IdleAfter
}

// look confirms or replaces the catalog and tells the waiting.
func (m *Manager) look(ctx context.Context, w *watcher, begin time.Time) error {
	m.mu.Lock()
	m.started = m.wanted
	prev, told := m.cat, m.wanted != m.reached
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	cat, err := w.look(ctx, prev, told)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
	if err == nil {
		if prev != nil && cat != prev {
			m.o.Logger.Debug("catalog changed", "version", cat.Version, "relations", len(cat.Relations))
		}
		m.cat, m.asOf, m.reached = cat, begin, m.started
	}
	close(m.finished)
	m.finished = make(chan struct{})
	return err
}

// watcher is the connection side of a Manager; one goroutine uses it.
type watcher struct {
	o         ManagerOptions
	conn      *pgx.Conn
	snapshot  string
	signature string
	settled   bool // the last load could read everything
}

// look is one look, with a second try on a new connection if the one at hand
// turns out to be broken. told says that a session has changed definitions.
func (w *watcher) look(ctx context.Context, prev *Catalog, told bool) (*Catalog, error) {
	used := w.conn != nil
	cat, err := w.lookOnce(ctx, prev, told)
	if err == nil {
		return cat, nil
	}
	w.drop()
	if !used {
		return nil, err
	}
	if cat, err = w.lookOnce(ctx, prev, told); err != nil {
		w.drop()
	}
	return cat, err
}

// lookOnce returns prev if nothing changed since, else what it loads. Where it
// was told that something has, it does not ask first whether.
func (w *watcher) lookOnce(ctx context.Context, prev *Catalog, told bool) (*Catalog, error) {
	if err := w.connect(ctx); err != nil {
		return nil, fmt.Errorf("connect for catalog: %w", err)
	}
	snapshot, err := w.value(ctx, sqlSnapshot)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if prev != nil && w.settled && snapshot == w.snapshot {
		return prev, nil
	}
	signature := "" // none is: the next look asks
	if !told {
		if signature, err = w.value(ctx, sqlSignature); err != nil {
			return nil, fmt.Errorf("read signature: %w", err)
		}
		if prev != nil && w.settled && signature == w.signature {
			w.snapshot = snapshot
			return prev, nil
		}
	}
	cat, err := Load(ctx, w.conn.PgConn(), prev)
	if err != nil {
		return nil, err
	}
	// Both were read before the load: a change in between shows next time.
	w.snapshot, w.signature, w.settled = snapshot, signature, !cat.partial()
	return cat, nil
}

// partial reports whether some definition could not be read.
func (c *Catalog) partial() bool {
	for _, r := range c.Relations {
		if r.Partial {
			return true
		}
	}
	return false
}

func (w *watcher) connect(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	w.settled = false // another server may answer now
	conn, err := w.o.Connect(ctx)
	if err != nil {
		return err
	}
	w.conn = conn
	return conn.PgConn().Exec(ctx, `SET application_name = 'weir catalog'; SET search_path = ''; SET statement_timeout = 0; SET jit = off; `+
		`SET client_min_messages = error; SET idle_in_transaction_session_timeout = '60s'`).Close()
}

// drop gives the connection up; a later look makes a new one.
func (w *watcher) drop() {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = w.conn.Close(ctx) // given up either way
	w.conn, w.settled = nil, false
}

// value runs a query that returns one text value.
func (w *watcher) value(ctx context.Context, sql string) (string, error) {
	results, err := w.conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	return single(results)
}

func single(results []*pgconn.Result) (string, error) {
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1 {
		return "", errors.New("want one row of one value")
	}
	return string(results[0].Rows[0][0]), nil
}
