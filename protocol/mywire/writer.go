package mywire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const (
	// directWrite is from how many bytes on a run of packets goes from the
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

// Writer gathers packets and writes them to a connection when Flush is called
// or its buffer is full. Its memory is bounded: a peer that reads slowly makes
// it wait, and a peer that reads nothing ends with *Stalled. It numbers frames
// and splits payloads of 16 MiB and more.
//
// One goroutine at a time uses a Writer. Errors stick: after the first one,
// every call returns it.
type Writer struct {
	conn  net.Conn
	dst   io.Writer // conn, or what compresses for it
	bufs  *Buffers
	caps  Capabilities
	comp  *compressor
	buf   []byte // what is pending; nil when there is nothing
	high  int    // buf[:high] was written to
	open  int    // start of the packet being written, -1 if none
	seq   byte   // of the next frame
	row   rowState
	stall time.Duration
	due   time.Time // write deadline as set on conn
	chunk int       // most bytes in one write
	total int64
	err   error
	head  [headerLen]byte
}

// NewWriter returns a Writer to conn, which stays the caller's to close.
func NewWriter(conn net.Conn, o WriterOptions) *Writer {
	w := &Writer{bufs: o.Buffers, stall: o.Stall, open: -1, caps: CapProtocol41}
	if w.bufs == nil {
		w.bufs = NewBuffers()
	}
	w.conn, w.dst = conn, conn
	if _, ok := conn.(*tls.Conn); ok {
		w.chunk = tlsChunk
	}
	return w
}

// SetCapabilities says what was negotiated with the peer, which OK, EOF, column
// definitions and the like are written by. Before it is called, that is
// CapProtocol41 alone.
func (w *Writer) SetCapabilities(c Capabilities) { w.caps = c }

// Capabilities returns what SetCapabilities was given.
func (w *Writer) Capabilities() Capabilities { return w.caps }

// SetStall replaces the longest time without progress; zero means none.
func (w *Writer) SetStall(d time.Duration) { w.stall = d }

// Seq returns the sequence number of the next frame, which is what a Reader has
// to expect when it is the peer's turn.
func (w *Writer) Seq() byte {
	if w.comp != nil {
		frames := (len(w.buf) + compressChunk - 1) / compressChunk
		return w.comp.out.seq + byte(frames)
	}
	return w.seq
}

// SetSeq sets the sequence number of the next frame: 0 for a command,
// Reader.Seq for a reply. Where the connection is compressed, what is pending
// is flushed first, for it belongs to compressed frames of its own.
func (w *Writer) SetSeq(n byte) {
	w.seq = n
	if w.comp != nil {
		_ = w.Flush() // an error sticks
		w.comp.out.seq = n
	}
}

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
		panic("mywire: Flush inside a packet")
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

// raw writes p, which holds whole frames under numbers that the Writer has
// given, or the next part of one that is being forwarded.
func (w *Writer) raw(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.open >= 0 {
		panic("mywire: packet forwarded inside a packet")
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

func (w *Writer) nextSeq() byte {
	w.seq++
	return w.seq - 1
}

// frameHeader writes a frame's header.
func (w *Writer) frameHeader(n int) error {
	w.head = [headerLen]byte{byte(n), byte(n >> 8), byte(n >> 16), w.nextSeq()}
	return w.raw(w.head[:])
}

// Packet writes one packet, in several frames if it is long.
func (w *Writer) Packet(payload []byte) error {
	if len(payload) > MaxBody {
		return &TooLong{Type: payload[0], Len: len(payload), Limit: MaxBody}
	}
	for {
		n := min(len(payload), MaxFrame)
		if err := w.frameHeader(n); err != nil {
			return err
		}
		if err := w.raw(payload[:n]); err != nil {
			return err
		}
		if payload = payload[n:]; n < MaxFrame {
			return nil
		}
	}
}

// Begin starts a packet and returns the buffer that its payload is to be
// appended to; End takes the appended buffer. No other call comes in between.
//
//	b := w.Begin()
//	b = append(b, mywire.MarkOK, 0, 0)
//	err := w.End(b)
func (w *Writer) Begin() []byte {
	w.begin()
	return w.buf
}

// End ends the packet that Begin started.
func (w *Writer) End(b []byte) error {
	w.adopt(b)
	return w.end()
}

// Abort takes back the packet that was begun.
func (w *Writer) Abort() {
	if w.open >= 0 {
		w.high = max(w.high, len(w.buf))
		w.buf = w.buf[:w.open]
		w.open = -1
	}
}

// begin starts a packet. After an error, packets still go into a buffer, which
// nobody will write, so that only End has to report it.
func (w *Writer) begin() {
	if w.open >= 0 {
		panic("mywire: packet begun inside a packet")
	}
	if w.err != nil {
		w.release()
	}
	_ = w.room(headerLen) // sticks; end reports it
	w.open = len(w.buf)
	w.buf = append(w.buf, 0, 0, 0, 0)
}

func (w *Writer) end() error {
	if w.open < 0 {
		panic("mywire: End without Begin")
	}
	n := len(w.buf) - w.open - headerLen
	if w.err != nil {
		w.open = -1
		w.release()
		return w.err
	}
	if n > MaxBody {
		typ := w.buf[w.open+headerLen]
		w.Abort()
		return &TooLong{Type: typ, Len: n, Limit: MaxBody}
	}
	if n >= MaxFrame {
		return w.endLong()
	}
	h := w.buf[w.open : w.open+headerLen]
	h[0], h[1], h[2], h[3] = byte(n), byte(n>>8), byte(n>>16), w.nextSeq()
	w.open = -1
	if len(w.buf) > largeBuffer {
		return w.Flush()
	}
	return nil
}

// endLong ends a packet that needs several frames.
func (w *Writer) endLong() error {
	b, at := w.buf, w.open
	w.buf, w.high, w.open = nil, 0, -1
	if err := w.write(b[:at]); err != nil {
		return err
	}
	return w.Packet(b[at+headerLen:])
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
// complete, or, for a long packet, by a buffer made for it.
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

// tear notes that the packet being forwarded will never be complete.
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
		n, err := w.dst.Write(part)
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
