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
type Journal struct {
	opts    Options
	queue   chan *pending
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
	p := j.pool.Get().(*pending)
	t := e.Time
	if t.IsZero() {
		t = j.opts.Clock()
	}
	var err error
	if p.body, err = appendEvent(p.body[:0], e, t, j.opts.TextLimit); err != nil {
		j.recycle(p)
		return err
	}
	p.kind, p.ms = e.Kind, t.UnixMilli()
	p.timer.Reset(j.opts.AppendTimeout)
	defer p.timer.Stop()

	select {
	case <-j.closing:
		return ErrClosed
	default:
	}
	select {
	case j.queue <- p:
	case <-j.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("append audit record: %w", ctx.Err())
	case <-p.timer.C:
		return j.timedOut(time.Now().Add(-j.opts.AppendTimeout))
	}
	// From here on p is the writer's until done; an early return abandons it.
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
