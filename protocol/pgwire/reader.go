package pgwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// MaxBody is the longest body that PostgreSQL itself accepts (MaxAllocSize).
const MaxBody = 1<<30 - 1 - 4

// headerLen is a type byte and a length that counts itself.
const headerLen = 5

// tinyRead is what a wait on a connection other than a plain socket reads
// into: it is all that such a connection holds while it is idle.
const tinyRead = 512

// Header is a message's first five bytes.
type Header struct {
	Type byte
	Len  int // of the body, in bytes
}

// TypeSet is a set of message types.
type TypeSet [4]uint64

// Types returns the set of the bytes of s, such as "Dd".
func Types(s string) TypeSet {
	var t TypeSet
	for i := range len(s) {
		t[s[i]>>6] |= 1 << (s[i] & 63)
	}
	return t
}

// Has reports whether b is in the set.
func (t *TypeSet) Has(b byte) bool { return t[b>>6]&(1<<(b&63)) != 0 }

// ReaderOptions are the limits of a Reader. Zero means none, or a default.
type ReaderOptions struct {
	Buffers *Buffers      // shared pool; nil for one of its own
	MaxBody int           // longest body of any message; MaxBody if zero
	Idle    time.Duration // longest wait for the first byte of a message
	Stall   time.Duration // longest pause inside a message
}

// Reader reads messages from a connection: look at the header (Peek), get the
// body if it is needed (Body), then pass the message on (Forward, ForwardRun)
// or drop it (Discard). Until then it stays the current message.
//
// One goroutine uses a Reader; only Interrupt may be called from others.
// Timeouts are met within a quarter of their length.
type Reader struct {
	conn    net.Conn
	raw     syscall.RawConn    // nil unless conn is a plain socket
	readFD  func(uintptr) bool // waitFD, bound once
	bufs    *Buffers
	maxBody int

	buf     []byte // nil while idle
	r, w    int    // unread bytes are buf[r:w]
	high    int    // buf[:high] was written to
	large   bool   // input comes in bulk: the next buffer is a large one
	tiny    []byte // allocated for connections without raw
	fdN     int
	fdErr   error
	peeked  bool
	current Header

	idle, stall time.Duration
	limit       time.Time
	deadline    time.Time // as set on conn
	stop        atomic.Bool
	err         error // sticky: out of step
}

// NewReader returns a Reader of conn, which stays the caller's to close.
func NewReader(conn net.Conn, o ReaderOptions) *Reader {
	r := &Reader{conn: conn, bufs: o.Buffers, maxBody: o.MaxBody, idle: o.Idle, stall: o.Stall}
	if r.bufs == nil {
		r.bufs = NewBuffers()
	}
	if r.maxBody <= 0 || r.maxBody > MaxBody {
		r.maxBody = MaxBody
	}
	r.raw = rawConn(conn)
	if r.raw != nil {
		r.readFD = r.waitFD
	} else {
		r.tiny = make([]byte, tinyRead)
	}
	return r
}

// SetTimeouts replaces the idle and the stall timeout; zero means none.
func (r *Reader) SetTimeouts(idle, stall time.Duration) { r.idle, r.stall = idle, stall }

// SetLimit sets a point in time that no read outlasts, such as the end of the
// time for startup. The zero time removes it.
func (r *Reader) SetLimit(t time.Time) { r.limit = t }

// Interrupt makes a Peek that waits for a message, or the next one that would,
// return ErrInterrupted. A message that has begun is still read. It may be
// called from any goroutine.
func (r *Reader) Interrupt() {
	r.stop.Store(true)
	// An error means that the connection is closed, which ends the wait too.
	_ = r.conn.SetReadDeadline(time.Unix(1, 0))
}

// Resume undoes Interrupt.
func (r *Reader) Resume() { r.stop.Store(false) }

// Buffered reports whether the current or the next message is whole in memory,
// so that neither Peek nor Body would block. Flush writers when it is not.
func (r *Reader) Buffered() bool {
	have := r.w - r.r
	if have < headerLen {
		return false
	}
	return have > int(binary.BigEndian.Uint32(r.buf[r.r+1:]))
}

// Peek waits for the next message and returns its header. The message stays
// the current one, and Peek returns it again, until it is forwarded or
// discarded. Errors: io.EOF between messages, io.ErrUnexpectedEOF inside one,
// *BadLength, *TooLong (over MaxBody), *TimeoutError, ErrInterrupted.
func (r *Reader) Peek() (Header, error) {
	if r.peeked {
		return r.current, nil
	}
	if r.w-r.r < headerLen {
		if err := r.fill(headerLen); err != nil {
			return Header{}, err
		}
	}
	h := r.buf[r.r : r.r+headerLen]
	n := binary.BigEndian.Uint32(h[1:])
	if n < 4 || n > 1<<31-1 {
		r.err = &BadLength{Type: h[0], Length: n}
		return Header{}, r.err
	}
	if int(n)-4 > r.maxBody {
		r.err = &TooLong{Type: h[0], Len: int(n) - 4, Limit: r.maxBody}
		return Header{}, r.err
	}
	r.current = Header{Type: h[0], Len: int(n) - 4}
	r.peeked = true
	return r.current, nil
}

// Body returns the current message's whole body, which may be changed in place
// and is valid until the next Peek. A body over limit is a *TooLong, and the
// message stays current. The message is not consumed: Forward or Discard it.
func (r *Reader) Body(limit int) ([]byte, error) {
	h, err := r.Peek()
	if err != nil {
		return nil, err
	}
	if h.Len > limit {
		return nil, &TooLong{Type: h.Type, Len: h.Len, Limit: limit}
	}
	total := headerLen + h.Len
	if r.w-r.r < total {
		if err := r.fill(total); err != nil {
			return nil, err
		}
	}
	return r.buf[r.r+headerLen : r.r+total : r.r+total], nil
}

// Forward passes the current message to w and ends it. One that is larger
// than a buffer is streamed, never held whole; if it breaks off, w is torn.
func (r *Reader) Forward(w *Writer) error {
	h, err := r.Peek()
	if err != nil {
		return err
	}
	total := headerLen + h.Len
	if total <= largeBuffer && r.w-r.r < total {
		if err := r.fill(total); err != nil {
			return err
		}
	}
	return r.stream(w, total)
}

// Discard drops the current message, whatever its length.
func (r *Reader) Discard() error {
	h, err := r.Peek()
	if err != nil {
		return err
	}
	return r.stream(nil, headerLen+h.Len)
}

// Run counts what ForwardRun passed on.
type Run struct {
	Messages int64
	Bytes    int64 // with headers
}

// ForwardRun passes on the current message and those after it that are at
// hand, as long as their types are in types and at most limit of them, in one
// go where it can. It waits for the rest of the current message, never for
// more; a current message of another type makes it return at once.
func (r *Reader) ForwardRun(w *Writer, types *TypeSet, limit int64) (Run, error) {
	h, err := r.Peek()
	if err != nil || limit <= 0 || !types.Has(h.Type) {
		return Run{}, err
	}
	total := headerLen + h.Len
	if r.w-r.r < total {
		if total > largeBuffer {
			if err := r.stream(w, total); err != nil {
				return Run{}, err
			}
			return Run{Messages: 1, Bytes: int64(total)}, nil
		}
		if err := r.fill(total); err != nil {
			return Run{}, err
		}
	}
	count := int64(1)
	b := r.buf[r.r:r.w]
	end := total
	for count < limit && len(b)-end >= headerLen && types.Has(b[end]) {
		n := int(binary.BigEndian.Uint32(b[end+1:]))
		if n < 4 || n-4 > r.maxBody || len(b)-end <= n {
			break // Peek reports it, or waits for the rest
		}
		end += 1 + n
		count++
	}
	r.r += end
	r.peeked = false
	return Run{Messages: count, Bytes: int64(end)}, w.Raw(b[:end])
}

// NoSmuggling returns *Smuggled if bytes have arrived that the peer sent in
// clear before the TLS handshake that is about to start on the connection.
func (r *Reader) NoSmuggling() error {
	if n := r.w - r.r; n > 0 {
		return &Smuggled{Bytes: n}
	}
	return nil
}

// Detach ends the Reader's use of the connection and returns one that first
// yields what the Reader has read ahead, for a TLS handshake on it.
func (r *Reader) Detach() net.Conn {
	ahead := append([]byte(nil), r.buf[r.r:r.w]...)
	r.Close()
	r.err = net.ErrClosed
	if len(ahead) == 0 {
		return r.conn
	}
	return &aheadConn{Conn: r.conn, ahead: ahead}
}

// Close gives the buffer back. It does not close the connection.
func (r *Reader) Close() {
	r.r, r.w, r.peeked = 0, 0, false
	r.release()
	if r.err == nil {
		r.err = net.ErrClosed
	}
}

// stream passes total bytes from the start of the current message to w, or
// drops them when w is nil, and ends the message.
func (r *Reader) stream(w *Writer, total int) error {
	r.peeked = false
	for left := total; left > 0; {
		if r.r == r.w {
			if err := r.more(left, false); err != nil {
				r.err = err
				if w != nil {
					w.tear()
				}
				return err
			}
		}
		n := min(left, r.w-r.r)
		if w != nil {
			if err := w.Raw(r.buf[r.r : r.r+n]); err != nil {
				r.err = fmt.Errorf("forward message: %w", err)
				return err
			}
		}
		r.r += n
		left -= n
	}
	return nil
}

// fill reads until need bytes are unread.
func (r *Reader) fill(need int) error {
	for r.w-r.r < need {
		if err := r.more(need, r.w == r.r); err != nil {
			return err
		}
	}
	return nil
}

// more reads once, blocking; first says that it waits for a message to begin.
func (r *Reader) more(need int, first bool) error {
	if r.err != nil {
		return r.err
	}
	if r.r == r.w {
		r.r, r.w = 0, 0
		if len(r.buf) > largeBuffer {
			r.release()
		}
	}
	for {
		n, err := r.read(need, first)
		if n > 0 {
			r.large = r.w+n == len(r.buf) || r.large && n > smallBuffer/2
			r.w += n
			r.high = max(r.high, r.w)
			return nil
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, ErrInterrupted):
			return err
		case errors.Is(err, os.ErrDeadlineExceeded):
			if terr := r.timedOut(first); terr != nil {
				return terr
			}
			// Interrupt or an earlier deadline woke it: go on.
		case errors.Is(err, io.EOF) && !first:
			r.err = io.ErrUnexpectedEOF
			return r.err
		default:
			r.err = err
			return err
		}
	}
}

func (r *Reader) read(need int, first bool) (int, error) {
	if !first {
		if err := r.arm(r.stall, false); err != nil {
			return 0, err
		}
		r.makeRoom(need)
		return r.conn.Read(r.buf[r.w:])
	}
	if err := r.arm(r.idle, true); err != nil {
		return 0, err
	}
	if r.raw != nil {
		r.fdN, r.fdErr = 0, nil
		if err := r.raw.Read(r.readFD); err != nil {
			r.release()
			return 0, err
		}
		return r.fdN, r.fdErr
	}
	return r.readTiny()
}

// readTiny waits with nothing but the tiny buffer. If that is filled, what a
// TLS connection has already decrypted is taken too, without waiting.
func (r *Reader) readTiny() (int, error) {
	r.release()
	n, err := r.conn.Read(r.tiny)
	if n == 0 {
		return 0, err
	}
	r.attach()
	copy(r.buf, r.tiny[:n])
	clear(r.tiny[:n])
	if n < tinyRead {
		return n, nil
	}
	if err := r.setDeadline(time.Unix(1, 0)); err != nil {
		return n, nil // the next read meets it
	}
	// Any error comes again at the next read; a deadline leaves TLS in step.
	m, _ := r.conn.Read(r.buf[n:])
	return n + m, nil
}

// makeRoom makes buf hold a message of need bytes from r.r on, as far as that
// is wanted yet: an oversize buffer grows with what has really arrived.
func (r *Reader) makeRoom(need int) {
	if r.buf == nil {
		r.large = r.large || need > smallBuffer
		r.attach()
		return
	}
	free := len(r.buf) - r.w
	grow := r.large && len(r.buf) < largeBuffer
	if r.r+need <= len(r.buf) && free > 0 && !grow {
		return
	}
	if !grow && (need <= len(r.buf) || r.r >= len(r.buf)/2) {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
		if r.w < len(r.buf) {
			return
		}
	}
	if free > 0 && len(r.buf) >= largeBuffer {
		return
	}
	var b []byte
	if len(r.buf) < largeBuffer {
		b = r.bufs.get(true)
	} else {
		b = make([]byte, min(need, 2*len(r.buf)))
	}
	n := copy(b, r.buf[r.r:r.w])
	r.bufs.put(r.buf, r.high)
	r.buf, r.r, r.w, r.high = b, 0, n, n
}

func (r *Reader) attach() {
	if r.buf != nil && (!r.large || len(r.buf) >= largeBuffer) {
		return
	}
	r.release()
	r.buf = r.bufs.get(r.large)
}

func (r *Reader) release() {
	if r.buf != nil {
		r.bufs.put(r.buf, r.high)
		r.buf, r.high = nil, 0
	}
}

// arm sets the read deadline for a wait of d, unless the present one will do:
// setting it for every message costs more than the message.
func (r *Reader) arm(d time.Duration, first bool) error {
	if first && r.stop.Load() {
		return ErrInterrupted
	}
	if d <= 0 && r.limit.IsZero() {
		if r.deadline.IsZero() {
			return nil
		}
		return r.setDeadline(time.Time{})
	}
	want := r.limit
	if d > 0 {
		now := time.Now()
		left := r.deadline.Sub(now)
		if left >= d && left <= d+d/4 && (want.IsZero() || !r.deadline.After(want)) {
			return nil
		}
		if t := now.Add(d + d/4); want.IsZero() || t.Before(want) {
			want = t
		}
	}
	if r.deadline.Equal(want) {
		return nil
	}
	if err := r.setDeadline(want); err != nil {
		return err
	}
	if first && r.stop.Load() {
		return ErrInterrupted
	}
	return nil
}

func (r *Reader) setDeadline(t time.Time) error {
	r.deadline = t
	if err := r.conn.SetReadDeadline(t); err != nil {
		return fmt.Errorf("set read deadline: %w", err)
	}
	return nil
}

// timedOut says what an expired deadline means; nil if nothing has expired.
func (r *Reader) timedOut(first bool) error {
	if first && r.stop.Load() {
		// What Interrupt set is on the connection now.
		r.deadline = time.Unix(1, 0)
		return ErrInterrupted
	}
	now := time.Now()
	if !r.limit.IsZero() && !now.Before(r.limit) {
		return &TimeoutError{Phase: PhaseLimit}
	}
	if r.deadline.IsZero() || now.Before(r.deadline) {
		r.deadline = time.Unix(1, 0)
		return nil
	}
	if first {
		return &TimeoutError{Phase: PhaseIdle, After: r.idle}
	}
	return &TimeoutError{Phase: PhaseMessage, After: r.stall}
}

// aheadConn yields bytes that were read ahead before its connection's own.
type aheadConn struct {
	net.Conn
	ahead []byte
}

func (c *aheadConn) Read(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
