package secrets

import (
	"context"
	"errors"
	"time"
)

var (
	errEmpty  = errors.New("it is empty")
	errClosed = errors.New("the resolver is closed")
)

// maxEntries bounds the documents that are kept.
const maxEntries = 1024

// The pause after a failed read doubles from the first to the last.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

type key struct {
	scheme string
	at     Location
}

// entry is what is known of one document. Its fields are guarded by the
// resolver's mu.
type entry struct {
	document Document
	read     time.Time // when the reading of document began; zero: never
	due      time.Time // when to read it again
	err      error     // of the last read
	pause    time.Duration
	retry    time.Time     // not before that, after a failed read
	flight   chan struct{} // closed when the read under way is over; nil: none
	timer    *time.Timer   // of a lease
}

// usable says that the document can be given out at a time.
func (e *entry) usable(now, after time.Time) bool {
	return !e.read.IsZero() && !e.read.Before(after) && (e.document.Expires.IsZero() || now.Before(e.document.Expires))
}

// cached returns a document that was read after a moment. One read of a
// document runs at a time. What is due is read again; where that fails, the
// one before goes on being used while it is valid.
func (r *Resolver) cached(ctx context.Context, p Provider, k key, after time.Time) (Document, error) {
	for {
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			return Document{}, errClosed
		}
		e, now := r.entry(k), time.Now()
		usable, resting := e.usable(now, after), now.Before(e.retry)
		if usable && (now.Before(e.due) || resting) {
			d := e.document
			r.mu.Unlock()
			return d, nil
		}
		if resting && e.flight == nil {
			err := e.err
			r.mu.Unlock()
			return Document{}, err
		}
		if e.flight == nil {
			r.fly(ctx, p, k, e, usable)
		}
		flight := e.flight
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return Document{}, ctx.Err()
		case <-flight:
		}
		r.mu.Lock()
		d, err, usable, read := e.document, e.err, e.usable(time.Now(), after), e.read
		r.mu.Unlock()
		switch {
		case usable:
			return d, nil
		case err != nil:
			return Document{}, err
		case !read.Before(after):
			return Document{}, errors.New("it expires as soon as it is read")
		}
	}
}

// entry finds or makes an entry; the least lately read one goes for it.
func (r *Resolver) entry(k key) *entry {
	if e := r.entries[k]; e != nil {
		return e
	}
	if len(r.entries) >= maxEntries {
		var oldest key
		first := true
		for k, e := range r.entries {
			if e.flight == nil && (first || e.read.Before(r.entries[oldest].read)) {
				oldest, first = k, false
			}
		}
		delete(r.entries, oldest)
	}
	e := &entry{}
	r.entries[k] = e
	return e
}

// Renewer is a provider of leases.
type Renewer interface {
	// Renew makes a document's lease longer. False means that another document
	// has to be read before this one expires.
	Renew(ctx context.Context, d Document) (Document, bool)
}

// fly starts a read that goes on for the others when the one who asked first
// has gone; the timeout bounds it. A lease that is still of use is renewed.
func (r *Resolver) fly(ctx context.Context, p Provider, k key, e *entry, renew bool) {
	flight, before := make(chan struct{}), e.document
	e.flight = flight
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.options.Timeout)
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		defer cancel()
		begun := time.Now()
		if renewer, ok := p.(Renewer); ok && renew && before.Lease != "" {
			if d, ok := renewer.Renew(ctx, before); ok {
				r.landed(k, e, p, d, e.read, nil)
				return
			}
		}
		d, err := p.Read(ctx, k.at)
		r.landed(k, e, p, d, begun, err)
	}()
}

// landed keeps what a read has found.
func (r *Resolver) landed(k key, e *entry, p Provider, d Document, begun time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(e.flight)
	e.flight = nil
	now := time.Now()
	if err != nil {
		e.pause = min(max(2*e.pause, firstPause), lastPause)
		e.err, e.retry = err, now.Add(e.pause)
		if e.usable(now, time.Time{}) {
			r.options.Logger.Warn("secret cannot be read again; the one before is used", "secret", k.scheme+":"+k.at.Path, "error", err)
			r.schedule(k, e, p, e.retry)
		}
		return
	}
	e.document, e.read, e.err, e.pause, e.retry = d, begun, nil, 0, time.Time{}
	e.due = now.Add(r.options.Cache)
	if !d.Expires.IsZero() { // a lease is kept for long, and not beyond
		e.due = now.Add(d.Expires.Sub(now) * 2 / 3)
		r.schedule(k, e, p, e.due)
	}
}

// schedule sees to a lease at a time, whether somebody asks for it or not.
func (r *Resolver) schedule(k key, e *entry, p Provider, at time.Time) {
	if e.document.Lease == "" || r.closed {
		return
	}
	if e.timer != nil {
		e.timer.Stop()
	}
	e.timer = time.AfterFunc(max(time.Until(at), 10*time.Millisecond), func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed && r.entries[k] == e && e.flight == nil {
			r.fly(context.Background(), p, k, e, e.usable(time.Now(), time.Time{}))
		}
	})
}
