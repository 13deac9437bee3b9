package audit

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

// Sink takes copies of records for another system. One goroutine calls it,
// one record at a time, in sequence.
type Sink interface {
	// Write takes one line with its newline. The bytes are valid until it
	// returns. It must give up when ctx ends.
	Write(ctx context.Context, line []byte) error
}

// NamedSink is a Sink and the name that metrics give it.
type NamedSink struct {
	Name string
	Sink Sink
}

// NewWriterSink returns a sink that writes each line to w, such as os.Stdout.
func NewWriterSink(w io.Writer) Sink { return writerSink{w} }

type writerSink struct{ w io.Writer }

func (s writerSink) Write(_ context.Context, line []byte) error {
	_, err := s.w.Write(line)
	return err
}

const (
	sinkBytes = 16 << 20        // most bytes that wait for one sink
	sinkDrain = 2 * time.Second // how long Close waits for sinks
)

// sinkQueue stands between the journal and a sink: the journal never waits.
type sinkQueue struct {
	name    string
	sink    Sink
	metrics *Metrics
	cancel  context.CancelFunc
	done    chan struct{}
	more    chan struct{} // capacity 1: something changed

	mu     sync.Mutex // guards the fields below
	chunks [][]byte   // whole lines, oldest first
	size   int
	closed bool
}

func startSink(s NamedSink, m *Metrics) *sinkQueue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &sinkQueue{name: s.Name, sink: s.Sink, metrics: m, cancel: cancel,
		done: make(chan struct{}), more: make(chan struct{}, 1)}
	go q.run(ctx) // until stop
	return q
}

// push queues a chunk of whole lines, which nobody changes any more, or counts
// its records as dropped.
func (q *sinkQueue) push(chunk []byte, records int) {
	q.mu.Lock()
	full := q.closed || q.size+len(chunk) > sinkBytes
	if !full {
		q.chunks = append(q.chunks, chunk)
		q.size += len(chunk)
	}
	q.mu.Unlock()
	if full {
		q.metrics.sinkDropped(q.name, records)
		return
	}
	q.signal()
}

func (q *sinkQueue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

func (q *sinkQueue) run(ctx context.Context) {
	defer close(q.done)
	for {
		chunk, closed := q.pop()
		for len(chunk) > 0 {
			end := bytes.IndexByte(chunk, '\n') + 1
			if ctx.Err() != nil {
				q.metrics.sinkDropped(q.name, 1)
			} else if err := q.sink.Write(ctx, chunk[:end]); err != nil {
				q.metrics.sinkFailed(q.name)
			}
			chunk = chunk[end:]
			if len(chunk) == 0 {
				chunk, closed = q.pop()
			}
		}
		if closed {
			return
		}
		<-q.more
	}
}

// pop returns the oldest chunk, nil if there is none, and whether the queue is
// closed.
func (q *sinkQueue) pop() (chunk []byte, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) > 0 {
		chunk = q.chunks[0]
		q.chunks[0] = nil
		q.chunks = q.chunks[1:]
		q.size -= len(chunk)
	}
	return chunk, q.closed
}

// stop lets the sink take what is queued until ctx ends, and drops the rest. A
// sink that does not heed its context for another second is left behind.
func (q *sinkQueue) stop(ctx context.Context) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	stop := context.AfterFunc(ctx, q.cancel)
	defer stop()
	defer q.cancel()
	select {
	case <-q.done:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case <-q.done:
	case <-grace.C:
	}
}
