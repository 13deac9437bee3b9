package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrStaleCatalog is what Current wraps when no catalog that is fresh enough
// can be had.
var ErrStaleCatalog = errors.New("catalog is stale")

// ErrManagerClosed is returned after Close.
var ErrManagerClosed = errors.New("catalog manager is closed")

// ManagerOptions configures a Manager. Zero durations take their defaults.
type ManagerOptions struct {
	// Connect opens a connection to the server. Load says which rights its
	// role needs.
	Connect func(ctx context.Context) (Querier, error)
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

// A Manager keeps one server's catalog fresh over one connection of its own.
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
			if m.served() { // whoever asked has been answered by the look before
				continue
			}
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

// served says that nobody waits for another look.
func (m *Manager) served() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cat != nil && m.err == nil && m.reached == m.wanted && time.Since(m.asOf) < m.o.Interval
}

func (m *Manager) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.used) > m.o.IdleAfter
}

// look confirms or replaces the catalog and tells the waiting.
func (m *Manager) look(ctx context.Context, w *watcher, begin time.Time) error {
	m.mu.Lock()
	told := m.wanted != m.started
	m.started = m.wanted
	prev := m.cat
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
//
// Each look reads all definitions: the server has no number that tells whether
// any of them changed. Its counters of statements count those that begin, not
// those that have taken effect.
type watcher struct {
	o    ManagerOptions
	conn Querier
	full time.Time // of the last look at the server's own databases too
}

// look is one look, with a second try on a new connection if the one at hand
// turns out to be broken.
func (w *watcher) look(ctx context.Context, prev *Catalog, told bool) (*Catalog, error) {
	used := w.conn != nil
	cat, err := w.lookOnce(ctx, prev, told)
	if err == nil {
		return cat, nil
	}
	w.drop()
	if !used || ctx.Err() != nil {
		return nil, err
	}
	if cat, err = w.lookOnce(ctx, prev, told); err != nil {
		w.drop()
	}
	return cat, err
}

// maxLoads is how often a changed catalog is read until it holds still.
const maxLoads = 6

// lookOnce returns prev if nothing changed since, else what it loads. Several
// queries make one catalog, and a change between two of them could give one
// that never was: what is new has to be read twice alike.
func (w *watcher) lookOnce(ctx context.Context, prev *Catalog, told bool) (*Catalog, error) {
	if w.conn == nil {
		conn, err := w.o.Connect(ctx)
		if err != nil {
			return nil, fmt.Errorf("connect for catalog: %w", err)
		}
		w.conn = conn
	}
	// A session that tells of a change has not changed the server's own databases.
	read, full := loadOthers, w.full
	if !told || prev == nil || time.Since(w.full) > w.o.MaxAge/2 {
		read, full = Load, time.Now()
	}
	for range maxLoads {
		cat, err := read(ctx, w.conn, prev)
		if err != nil {
			return nil, err
		}
		if cat == prev {
			w.full = full
			return cat, nil
		}
		prev = cat
	}
	return nil, errors.New("definitions change faster than they can be read")
}

// drop gives the connection up; a later look makes a new one.
func (w *watcher) drop() {
	if w.conn == nil {
		return
	}
	_ = w.conn.Close() // given up either way
	w.conn = nil
}
