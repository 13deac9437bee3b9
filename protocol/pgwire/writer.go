package pgwire

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

const (
	// directWrite is from how many bytes on a run of messages goes from the
	// reader's buffer to the connection without a copy.
	directWrite = 16 << 10
	// tlsChunk is how much is written to a TLS connection under one deadline:
	// its state does not survive a timeout, so that progress shows only
	// between writes.
	tlsChunk = 16 << 10
)

// WriterOptions are the limits of a Writer.
type WriterOptions struct {
	Buffers *Buffers      // shared pool; nil for one of its own
	Stall   time.Duration // longest time without progress of a write; zero for none
}

// Writer gathers messages and writes them to a connection when Flush is called
// or its buffer is full. Its memory is bounded: a peer that reads slowly makes
// it wait, and a peer that reads nothing ends with *Stalled.
//
// One goroutine at a time uses a Writer. Errors stick: after the first one,
// every call returns it.
type Writer struct {
	conn   net.Conn
	bufs   *Buffers
	buf    []byte // what is pending; nil when there is nothing
	high   int    // buf[:high] was written to
	open   int    // start of the message being written, -1 if none
	cell   int    // start of the cell being written
	cells  int    // cells of the row so far
	want   int    // cells that the row announced
	stall  time.Duration
	due    time.Time // write deadline as set on conn
	chunk  int       // most bytes in one write
	total  int64
	err    error
	header [headerLen]byte
}

// NewWriter returns a Writer to conn, which stays the caller's to close.
func NewWriter(conn net.Conn, o WriterOptions) *Writer {
	w := &Writer{conn: conn, bufs: o.Buffers, stall: o.Stall, open: -1}
	if w.bufs == nil {
		w.bufs = NewBuffers()
	}
	if _, ok := conn.(*tls.Conn); ok {
		w.chunk = tlsChunk
	}
	return w
}

// SetStall replaces the longest time without progress; zero means none.
func (w *Writer) SetStall(d time.Duration) { w.stall = d }

// Pending returns how many bytes wait for Flush.
func (w *Writer) Pending() int { return len(w.buf) }

// Written returns how many bytes the connection has taken.
func (w *Writer) Written() int64 { return w.total }

// Err returns the error that ended the Writer, or nil.
func (w *Writer) Err() error { return w.err }

// Flush writes what is pending and gives the buffer back.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	if w.open >= 0 {
		panic("pgwire: Flush inside a message")
	}
	if len(w.buf) == 0 {
		return nil
	}
	err := w.write(w.buf)
	w.release()
	return err
}

// Close gives the buffer back without writing. It does not close the
// connection.
func (w *Writer) Close() {
	w.open = -1
	w.release()
	if w.err == nil {
		w.err = net.ErrClosed
	}
}

// Raw writes p, which holds whole messages or the next part of one that is
// being forwarded.
func (w *Writer) Raw(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.open >= 0 {
		panic("pgwire: Raw inside a message")
	}
	if len(p) >= directWrite {
		if err := w.Flush(); err != nil {
			return err
		}
		return w.write(p)
	}
	if err := w.room(len(p)); err != nil {
		return err
	}
	w.buf = append(w.buf, p...)
	return nil
}

// Message writes one message.
func (w *Writer) Message(typ byte, body []byte) error {
	if len(body) > MaxBody {
		return &TooLong{Type: typ, Len: len(body), Limit: MaxBody}
	}
	w.header[0] = typ
	binary.BigEndian.PutUint32(w.header[1:], uint32(len(body)+4))
	if err := w.Raw(w.header[:]); err != nil {
		return err
	}
	return w.Raw(body)
}

// Begin starts a message and returns the buffer that its body is to be
// appended to; End takes the appended buffer. No other call comes in between.
//
//	b := w.Begin('C')
//	b = append(b, "SELECT 1\x00"...)
//	err := w.End(b)
func (w *Writer) Begin(typ byte) []byte {
	w.begin(typ)
	return w.buf
}

// End ends the message that Begin started.
func (w *Writer) End(b []byte) error {
	w.adopt(b)
	return w.end()
}

// Abort takes back the message that was begun.
func (w *Writer) Abort() {
	if w.open >= 0 {
		w.high = max(w.high, len(w.buf))
		w.buf = w.buf[:w.open]
		w.open = -1
	}
}

// begin starts a message. After an error, messages still go into a buffer,
// which nobody will write, so that only End has to report it.
func (w *Writer) begin(typ byte) {
	if w.open >= 0 {
		panic("pgwire: message begun inside a message")
	}
	if w.err != nil {
		w.release()
	}
	_ = w.room(headerLen) // sticks; end reports it
	w.open = len(w.buf)
	w.buf = append(w.buf, typ, 0, 0, 0, 0)
}

func (w *Writer) end() error {
	if w.open < 0 {
		panic("pgwire: End without Begin")
	}
	n := len(w.buf) - w.open - 1
	if w.err != nil {
		w.open = -1
		w.release()
		return w.err
	}
	if n-4 > MaxBody {
		typ := w.buf[w.open]
		w.Abort()
		return &TooLong{Type: typ, Len: n - 4, Limit: MaxBody}
	}
	binary.BigEndian.PutUint32(w.buf[w.open+1:], uint32(n))
	w.open = -1
	if len(w.buf) > largeBuffer {
		return w.Flush()
	}
	return nil
}

// adopt makes b, which a caller got from w and appended to, the buffer.
func (w *Writer) adopt(b []byte) {
	if cap(w.buf) > 0 && cap(b) > 0 && &b[:1][0] != &w.buf[:1][0] {
		w.bufs.put(w.buf, max(w.high, len(w.buf)))
		w.high = 0
	}
	w.buf = b
	w.high = max(w.high, len(b))
}

// room makes sure that n more bytes fit: by a larger buffer, by writing what is
// complete, or, for a long message, by a buffer made for it.
func (w *Writer) room(n int) error {
	if cap(w.buf)-len(w.buf) >= n && w.buf != nil {
		return nil
	}
	need := len(w.buf) + n
	switch {
	case w.buf == nil && need <= smallBuffer:
		w.buf = w.bufs.get(false)[:0]
		return nil
	case cap(w.buf) < largeBuffer && need <= largeBuffer:
		w.replace(w.bufs.get(true))
		return nil
	}
	done := len(w.buf)
	if w.open >= 0 {
		done = w.open
	}
	if w.err == nil && done > 0 {
		if err := w.write(w.buf[:done]); err == nil {
			w.high = max(w.high, len(w.buf))
			w.buf = w.buf[:copy(w.buf, w.buf[done:])]
			if w.open >= 0 {
				w.open = 0
				w.cell -= done
			}
		}
	}
	if need = len(w.buf) + n; need > cap(w.buf) {
		if need <= largeBuffer {
			w.replace(w.bufs.get(true))
		} else {
			w.replace(make([]byte, max(need, 2*cap(w.buf))))
		}
	}
	return w.err
}

func (w *Writer) replace(b []byte) {
	n := copy(b, w.buf)
	w.release()
	w.buf = b[:n]
}

func (w *Writer) release() {
	if w.buf != nil {
		w.bufs.put(w.buf, max(w.high, len(w.buf)))
	}
	w.buf, w.high = nil, 0
}

// tear notes that the message being forwarded will never be complete.
func (w *Writer) tear() {
	if w.err == nil {
		w.err = ErrTorn
	}
}

// write writes p to the connection. As long as the peer takes something, the
// time is extended.
func (w *Writer) write(p []byte) error {
	for len(p) > 0 {
		part := p
		if w.chunk > 0 && len(part) > w.chunk {
			part = part[:w.chunk]
		}
		if err := w.arm(); err != nil {
			w.err = err
			return err
		}
		n, err := w.conn.Write(part)
		w.total += int64(n)
		p = p[n:]
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if n > 0 && w.chunk == 0 {
				w.due = time.Time{}
				continue
			}
			err = &Stalled{After: w.stall, Pending: len(p)}
		}
		w.err = fmt.Errorf("write to peer: %w", err)
		return w.err
	}
	return nil
}

// arm sets the write deadline unless the present one will do.
func (w *Writer) arm() error {
	if w.stall <= 0 {
		if w.due.IsZero() {
			return nil
		}
		w.due = time.Time{}
	} else {
		now := time.Now()
		left := w.due.Sub(now)
		if left >= w.stall && left <= w.stall+w.stall/4 {
			return nil
		}
		w.due = now.Add(w.stall + w.stall/4)
	}
	if err := w.conn.SetWriteDeadline(w.due); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	return nil
}
