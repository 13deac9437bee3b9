package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Engine decides. It is safe for concurrent use.
type Engine struct {
	options  Options
	deadline time.Duration
	source   source
	current  atomic.Pointer[snapshot]

	loading sync.Mutex // held while a policy is fetched and built; guards source and tried
	tried   string     // digest of the newest contents that were built or failed to

	mu          sync.Mutex // guards what follows
	lastError   error
	lastErrorAt time.Time

	stop    context.CancelFunc
	stopped chan struct{} // closed when the watcher has ended
}

// Open loads the policy and starts to watch its source. The caller closes the
// engine.
func Open(ctx context.Context, o Options) (*Engine, error) {
	src, err := o.source()
	if err != nil {
		return nil, fmt.Errorf("open policy: %w", err)
	}
	e := &Engine{options: o, deadline: o.deadline(), source: src, stopped: make(chan struct{})}
	if _, err := e.load(ctx, true); err != nil {
		return nil, fmt.Errorf("open policy from %s: %w", src, err)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	go e.watch(watching, o.interval()) // Close stops it and waits
	return e, nil
}

// Decide evaluates the policy on in. An error is a denial: *EvalError. The
// decision is shared and must not be modified; in is not kept.
func (e *Engine) Decide(ctx context.Context, in *Input) (*Decision, error) {
	s := e.current.Load()
	if s.cache == nil {
		return s.decide(ctx, in, e.deadline)
	}
	key := s.reads.key(in)
	if d, ok := s.cache.Get(key); ok {
		return d, nil
	}
	d, err := s.decide(ctx, in, e.deadline)
	if err == nil {
		s.cache.Add(key, d)
	}
	return d, err
}

// Epoch stands for the policy in force: as long as it is the same, a decision
// on the same input is. It is nil where a decision may change with the clock.
func (e *Engine) Epoch() any {
	if s := e.current.Load(); s.cache != nil {
		return s
	}
	return nil
}

// Reload loads the policy again, whether or not it has changed. If that fails
// the old one stays in force.
func (e *Engine) Reload(ctx context.Context) error {
	_, err := e.load(ctx, true)
	if err != nil {
		return fmt.Errorf("reload policy from %s: %w", e.source, err)
	}
	return nil
}

// Revision names the policy in force.
func (e *Engine) Revision() string { return e.current.Load().revision }

// Status tells what is in force since when, and what the last reload failed of.
func (e *Engine) Status() Status {
	s := e.current.Load()
	st := Status{Source: e.source.String(), Revision: s.revision, LoadedAt: s.loadedAt, ReadsInput: s.reads.paths(), Cached: s.cache != nil}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.lastError != nil {
		st.LastError, st.LastErrorAt = e.lastError.Error(), e.lastErrorAt
	}
	return st
}

// Close stops watching the source and waits for it. Decisions can still be made.
func (e *Engine) Close() error {
	e.stop()
	<-e.stopped
	if c, ok := e.source.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Tags lists the tags of a column in the policy data, sorted, nil if it has
// none. Names are compared without regard to case, so that a tag is never missed
// for its spelling. The result is shared and must not be modified.
func (e *Engine) Tags(project, datasource, database, schema, table, column string) []string {
	return e.current.Load().data.tags.lookup(tagQuery{project, datasource, database, schema, table, column})
}

// watch looks for a changed policy until ctx ends.
func (e *Engine) watch(ctx context.Context, every time.Duration) {
	defer close(e.stopped)
	if every <= 0 {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = e.load(ctx, false) // the outcome is reported by load
		}
	}
}

// load fetches the policy and, if it is new or always is set, puts it in force.
// What came of it is reported to hook, log and Status, except where nothing
// changed and where looking failed as it did the last time.
func (e *Engine) load(ctx context.Context, always bool) (changed bool, err error) {
	e.loading.Lock()
	defer e.loading.Unlock()
	first := e.current.Load() == nil
	c, err := e.source.fetch(ctx, always)
	if errors.Is(err, errUnchanged) || err == nil && !always && c.digest == e.tried {
		e.unchanged(ctx)
		return false, nil
	}
	if err == nil {
		e.tried = c.digest
		err = e.activate(ctx, c)
	}
	if err != nil && ctx.Err() != nil {
		return false, err // closing or given up, which says nothing of the policy
	}
	if repeated := e.note(err) && !always; !first && !repeated {
		e.report(ctx, err)
	}
	return err == nil, err
}

// activate builds the policy and replaces the one in force.
func (e *Engine) activate(ctx context.Context, c *contents) error {
	s, err := buildSnapshot(ctx, c, &e.options)
	if err != nil {
		return err
	}
	if e.options.TestOnLoad {
		if err := testContents(ctx, c, s.data); err != nil {
			return err
		}
	}
	e.current.Store(s)
	return nil
}

// unchanged ends a failure to look: the source is back as it was.
func (e *Engine) unchanged(ctx context.Context) {
	e.mu.Lock()
	back := e.lastError != nil && e.tried == e.current.Load().digest
	e.mu.Unlock()
	if back {
		_ = e.note(nil)
		e.report(ctx, nil)
	}
}

// note keeps the outcome for Status and says whether it is the same failure as
// before.
func (e *Engine) note(err error) (repeated bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	repeated = err != nil && e.lastError != nil && err.Error() == e.lastError.Error()
	e.lastError = err
	if err != nil {
		e.lastErrorAt = time.Now()
	}
	return repeated
}

func (e *Engine) report(ctx context.Context, err error) {
	revision, log := e.Revision(), e.options.logger()
	if err != nil {
		log.ErrorContext(ctx, "policy not loaded, the old one stays in force",
			"source", e.source.String(), "revision", revision, "error", err)
	} else {
		log.InfoContext(ctx, "policy loaded", "source", e.source.String(), "revision", revision)
	}
	if e.options.OnReload != nil {
		e.options.OnReload(Reloaded{Revision: revision, Err: err})
	}
}
