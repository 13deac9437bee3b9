package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Journal is an open audit journal. Its methods may be called from many
// goroutines at once; records that arrive together are written together.
//
// Whoever appends a record writes what is queued itself, if nobody else does
// and the write is a plain one: waking another goroutine costs more than the
// write. Everything that may take long is left to the writer's goroutine.
type Journal struct {
	opts    Options
	queue   chan *pending
	turn    sync.Mutex // of those who write; guards w
	w       *writer
	kicks   chan struct{} // capacity 1: the writer's goroutine is to look
	posts   chan struct{} // capacity 1: a record without a waiter is queued
	posted  atomic.Bool   // and the goroutine knows of one
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the writer has ended
	once    sync.Once     // of Close
	pool    sync.Pool     // of *pending

	down   atomic.Pointer[Unavailable] // why the last write failed; nil if it did not
	busy   atomic.Int64                // when the write in progress began, Unix ns; 0 if none
	result error                       // of the last writes; valid once stopped is closed
}

// pending is a record on its way to the writer.
type pending struct {
	body  []byte // the event, open at its end
	kind  Kind
	ms    int64      // its time, Unix ms
	done  chan error // capacity 1
	timer *time.Timer
	lost  func(error) // of a record without a waiter; nil of one with
}

const (
	queueLen      = 1024
	groupRecords  = 1024
	groupBytes    = 1 << 20
	keepBodyBytes = 64 << 10 // larger buffers do not go back to the pool
)

// Open opens or creates the journal in opts.Dir, repairs what a crash left,
// and starts the goroutines that Close stops. ctx bounds the reading of the
// last segment. Errors: *LockedError, *Unavailable, or one that says what is
// wrong with the options, the key or the directory.
func Open(ctx context.Context, opts Options) (*Journal, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("open audit journal: %w", err)
	}
	j := &Journal{
		opts:    opts,
		queue:   make(chan *pending, queueLen),
		kicks:   make(chan struct{}, 1),
		posts:   make(chan struct{}, 1),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	j.pool.New = func() any {
		p := &pending{done: make(chan error, 1), timer: time.NewTimer(time.Hour)}
		p.timer.Stop()
		return p
	}
	w, err := openWriter(ctx, j)
	if err != nil {
		return nil, fmt.Errorf("open audit journal: %w", err)
	}
	opts.Metrics.setHealthy(true)
	j.w = w
	go w.run() // until Close
	return j, nil
}

// Append records e and returns nil once the record is durable as
// Options.Durability says. Errors: *Unavailable, ErrClosed, ctx's error, or one
// that says why e is not an event. After ctx ended or the wait timed out the
// record may still be written: the journal then holds an event that did not happen,
// never the other way round.
func (j *Journal) Append(ctx context.Context, e *Event) error {
	start := time.Now()
	err := j.append(ctx, e)
	j.opts.Metrics.appended(time.Since(start), err)
	return err
}

func (j *Journal) append(ctx context.Context, e *Event) error {
	p, err := j.encode(e)
	if err != nil {
		return err
	}
	if err := j.enqueue(ctx, p); err != nil {
		return err
	}
	// From here on p is the writer's until done; an early return abandons it.
	j.serve()
	select {
	case err := <-p.done:
		j.recycle(p)
		return err
	default:
	}
	p.timer.Reset(j.opts.AppendTimeout)
	defer p.timer.Stop()
	select {
	case err = <-p.done:
	case <-j.stopped:
		select {
		case err = <-p.done: // both were ready
		default:
			return ErrClosed
		}
	case <-ctx.Done():
		return fmt.Errorf("append audit record: %w", ctx.Err())
	case <-p.timer.C:
		return j.timedOut(time.Now().Add(-j.opts.AppendTimeout))
	}
	j.recycle(p)
	return err
}

// Post records e soon, without waiting for it: records are kept in the order
// in which they came. If that fails later, lost is called with the reason, from
// a goroutine of another caller or the journal's own; it must not block and
// must not call the journal. Errors are those of Append, for want of room.
func (j *Journal) Post(ctx context.Context, e *Event, lost func(error)) error {
	p, err := j.encode(e)
	if err != nil {
		return err
	}
	p.lost = lost
	if err := j.enqueue(ctx, p); err != nil {
		return err
	}
	if j.posted.CompareAndSwap(false, true) {
		select {
		case j.posts <- struct{}{}:
		default:
		}
	}
	return nil
}

func (j *Journal) encode(e *Event) (*pending, error) {
	p := j.pool.Get().(*pending)
	t := e.Time
	if t.IsZero() {
		t = j.opts.Clock()
	}
	var err error
	if p.body, err = appendEvent(p.body[:0], e, t, j.opts.TextLimit); err != nil {
		j.recycle(p)
		return nil, err
	}
	p.kind, p.ms, p.lost = e.Kind, t.UnixMilli(), nil
	return p, nil
}

// enqueue waits for room in the queue.
func (j *Journal) enqueue(ctx context.Context, p *pending) error {
	select {
	case <-j.closing:
		return ErrClosed
	default:
	}
	select {
	case j.queue <- p:
		return nil
	default:
	}
	j.kick()
	p.timer.Reset(j.opts.AppendTimeout)
	defer p.timer.Stop()
	select {
	case j.queue <- p:
		return nil
	case <-j.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("append audit record: %w", ctx.Err())
	case <-p.timer.C:
		return j.timedOut(time.Now().Add(-j.opts.AppendTimeout))
	}
}

// serve writes what is queued, unless somebody is at it: who is looks again
// after giving up the turn, so that nothing is left.
func (j *Journal) serve() {
	if !j.turn.TryLock() {
		return
	}
	plain := j.w.plain()
	if plain {
		j.w.next()
	}
	j.turn.Unlock()
	if !plain || len(j.queue) > 0 {
		j.kick()
	}
}

// kick makes the writer's goroutine look at the queue and at what is due.
func (j *Journal) kick() {
	select {
	case j.kicks <- struct{}{}:
	default:
	}
}

// timedOut is the error of a wait that began at since.
func (j *Journal) timedOut(since time.Time) error {
	if down := j.down.Load(); down != nil {
		return down
	}
	return &Unavailable{Op: "wait", Since: since,
		Err: fmt.Errorf("the disk did not answer within %s", j.opts.AppendTimeout)}
}

func (j *Journal) recycle(p *pending) {
	if cap(p.body) <= keepBodyBytes {
		j.pool.Put(p)
	}
}

// Healthy returns why the journal cannot be written now (*Unavailable or
// ErrClosed), nil if it can. While it cannot, it tries again by itself.
func (j *Journal) Healthy() error {
	select {
	case <-j.closing:
		return ErrClosed
	default:
	}
	if down := j.down.Load(); down != nil {
		return down
	}
	if ns := j.busy.Load(); ns != 0 {
		if since := time.Unix(0, ns); time.Since(since) > j.opts.AppendTimeout {
			return j.timedOut(since)
		}
	}
	return nil
}

// Close records the stop, writes a last checkpoint, waits for the journal's
// goroutines and releases the directory. It returns the error that kept the
// end from being written; a second call returns the same.
func (j *Journal) Close() error {
	j.once.Do(func() { close(j.closing) })
	<-j.stopped
	return j.result
}

// setDown keeps and reports why the journal is unavailable; nil: it works.
func (j *Journal) setDown(err *Unavailable) {
	was := j.down.Swap(err)
	if (was == nil) == (err == nil) {
		return
	}
	j.opts.Metrics.setHealthy(err == nil)
	if err == nil {
		j.opts.OnState(nil)
		return
	}
	j.opts.OnState(err)
}

// unavailable makes the error for a failed step.
func (j *Journal) unavailable(op string, err error) *Unavailable {
	var u *Unavailable
	if errors.As(err, &u) {
		return u
	}
	since := time.Now()
	if was := j.down.Load(); was != nil {
		since = was.Since
	}
	return &Unavailable{Op: op, Since: since, Err: err}
}
