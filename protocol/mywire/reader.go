package mywire

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// MaxBody is the longest payload that MySQL and MariaDB accept
	// (max_allowed_packet's own limit).
	MaxBody = 1 << 30
	// MaxFrame is the longest payload of one frame; a frame of this length is
	// followed by another one, which may be empty.
	MaxFrame = 1<<24 - 1
)

// headerLen is a length of three bytes and a sequence number.
const headerLen = 4

// tinyRead is what a wait on a connection other than a plain socket reads
// into: it is all that such a connection holds while it is idle.
const tinyRead = 512

// Header is what can be seen of a packet before its payload is read.
type Header struct {
	Type byte // the payload's first byte; 0 if it is empty
	Len  int  // of the first frame's payload
	Seq  byte // of the first frame
}

// More reports whether the packet goes on in another frame, so that its
// payload is of Len bytes or more.
func (h Header) More() bool { return h.Len == MaxFrame }

// ReaderOptions are the limits of a Reader. Zero means none, or a default.
type ReaderOptions struct {
	Buffers *Buffers      // shared pool; nil for one of its own
	MaxBody int           // longest payload of any packet; MaxBody if zero
	Idle    time.Duration // longest wait for the first byte of a packet
	Stall   time.Duration // longest pause inside a packet
}

// Reader reads packets from a connection: look at the header (Peek), get the
// payload if it is needed (Body), then pass the packet on (Forward,
// ForwardRows) or drop it (Discard). Until then it stays the current packet.
//
// One goroutine uses a Reader; only Interrupt may be called from others.
// Timeouts are met within a quarter of their length.
type Reader struct {
	conn    net.Conn           // never another one: Interrupt uses it
	src     io.Reader          // conn, or what decompresses it
	raw     syscall.RawConn    // nil unless conn is a plain socket
	readFD  func(uintptr) bool // waitFD, bound once
	bufs    *Buffers
	maxBody int
	comp    *compressor // nil unless the connection is compressed
	command bool        // the next packet is to begin an exchange

	buf     []byte // nil while idle
	r, w    int    // unread bytes are buf[r:w]
	high    int    // buf[:high] was written to
	large   bool   // input comes in bulk: the next buffer is a large one
	tiny    []byte // allocated for connections without raw
	fdN     int
	fdErr   error
	seq     byte // of the next frame
	peeked  bool
	current Header
	joined  joined

	idle, stall time.Duration
	limit       time.Time
	deadline    time.Time // as set on conn
	stop        atomic.Bool
	err         error // sticky: out of step
}

// joined is the payload of a current packet of several frames, as far as Body
// has put it together.
type joined struct {
	b     []byte
	begun bool
	whole bool
}

// NewReader returns a Reader of conn, which stays the caller's to close.
func NewReader(conn net.Conn, o ReaderOptions) *Reader {
	r := &Reader{bufs: o.Buffers, maxBody: o.MaxBody, idle: o.Idle, stall: o.Stall}
	if r.bufs == nil {
		r.bufs = NewBuffers()
	}
	if r.maxBody <= 0 || r.maxBody > MaxBody {
		r.maxBody = MaxBody
	}
	r.conn, r.src, r.raw = conn, conn, rawConn(conn)
	if r.raw != nil {
		r.readFD = r.waitFD
	} else {
		r.tiny = make([]byte, tinyRead)
	}
	return r
}

// SetTimeouts replaces the idle and the stall timeout; zero means none.
func (r *Reader) SetTimeouts(idle, stall time.Duration) { r.idle, r.stall = idle, stall }

// SetMaxBody replaces the longest payload of any packet, for a peer that may
// send more once it is known.
func (r *Reader) SetMaxBody(n int) {
	if n <= 0 || n > MaxBody {
		n = MaxBody
	}
	r.maxBody = n
}

// SetLimit sets a point in time that no read outlasts, such as the end of the
// time for startup. The zero time removes it.
func (r *Reader) SetLimit(t time.Time) { r.limit = t }

// Seq returns the sequence number that the next frame has to carry, and that a
// Writer goes on with when it is this side's turn.
func (r *Reader) Seq() byte {
	if r.comp != nil {
		return r.comp.in.seq
	}
	return r.seq
}

// SetSeq sets the sequence number that the next frame has to carry: 0 before a
// command, Writer.Seq before what answers the packets written.
func (r *Reader) SetSeq(n byte) {
	r.seq, r.command = n, false
	if r.comp != nil {
		r.comp.in.seq, r.comp.in.restarts = n, false
	}
}

// Interrupt makes a Peek that waits for a packet, or the next one that would,
// return ErrInterrupted. A packet that has begun is still read. It may be
// called from any goroutine.
func (r *Reader) Interrupt() {
	r.stop.Store(true)
	// An error means that the connection is closed, which ends the wait too.
	_ = r.conn.SetReadDeadline(time.Unix(1, 0))
}

// Resume undoes Interrupt.
func (r *Reader) Resume() { r.stop.Store(false) }

// Buffered reports whether the current or the next packet is whole in memory,
// so that neither Peek nor Body would block. Flush writers when it is not.
func (r *Reader) Buffered() bool {
	if r.joined.begun {
		return r.joined.whole
	}
	n := r.frameLen(r.r)
	return n >= 0 && n < MaxFrame && r.w-r.r >= headerLen+n
}

// frameLen returns the payload length of the frame at buf[at:], -1 if its
// header has not come.
func (r *Reader) frameLen(at int) int {
	if r.w-at < headerLen {
		return -1
	}
	b := r.buf[at : at+3]
	return int(b[0]) | int(b[1])<<8 | int(b[2])<<16
}

// PeekCommand is Peek for a packet that begins an exchange: its sequence
// number has to be 0.
func (r *Reader) PeekCommand() (Header, error) {
	if !r.peeked {
		r.SetSeq(0)
		r.command = true
		if r.comp != nil {
			r.comp.in.restarts = true
		}
	}
	return r.Peek()
}

// Peek waits for the next packet and returns its header. The packet stays the
// current one, and Peek returns it again, until it is forwarded or discarded. An
// ERR packet may carry any sequence number, for a server that ends a connection
// sends one that answers nothing.
// Errors: io.EOF between packets, io.ErrUnexpectedEOF inside one,
// *BadSequence, *TooLong (over MaxBody), *BadCompressed, *TimeoutError,
// ErrInterrupted.
func (r *Reader) Peek() (Header, error) {
	if r.peeked {
		return r.current, nil
	}
	if r.err != nil {
		return Header{}, r.err
	}
	if r.w-r.r <= headerLen {
		if err := r.fill(headerLen); err != nil {
			return Header{}, err
		}
	}
	h := Header{Len: r.frameLen(r.r)}
	if h.Len > 0 {
		if err := r.fill(headerLen + 1); err != nil {
			return Header{}, err
		}
		h.Type = r.buf[r.r+headerLen]
	}
	if h.Type == MarkErr && !r.command {
		r.seq = r.buf[r.r+3]
	}
	if err := r.checkSeq(); err != nil {
		return Header{}, err
	}
	h.Seq = r.seq
	if h.Len > r.maxBody {
		r.err = &TooLong{Type: h.Type, Len: h.Len, Limit: r.maxBody}
		return Header{}, r.err
	}
	r.current = h
	r.peeked = true
	return h, nil
}

// nextFrame waits for the header of a packet's further frame and returns the
// length of its payload.
func (r *Reader) nextFrame() (int, error) {
	for r.w-r.r < headerLen {
		if err := r.more(headerLen, false); err != nil {
			return 0, err
		}
	}
	if err := r.checkSeq(); err != nil {
		return 0, err
	}
	return r.frameLen(r.r), nil
}

// checkSeq checks the sequence number of the frame at hand. Under compression
// these numbers mean nothing, and servers send odd ones: the compressed layer's
// are checked.
func (r *Reader) checkSeq() error {
	if got := r.buf[r.r+3]; got != r.seq && r.comp == nil {
		r.err = &BadSequence{Want: r.seq, Got: got}
		return r.err
	}
	return nil
}

// Body returns the current packet's whole payload, which may be changed in
// place and is valid until the next Peek. A payload over limit is a *TooLong,
// and the packet stays current. It is not consumed: Forward or Discard it.
func (r *Reader) Body(limit int) ([]byte, error) {
	h, err := r.Peek()
	if err != nil {
		return nil, err
	}
	if h.Len > limit {
		return nil, &TooLong{Type: h.Type, Len: h.Len, Limit: limit}
	}
	if h.More() {
		return r.join(limit)
	}
	total := headerLen + h.Len
	if r.w-r.r < total {
		if err := r.fill(total); err != nil {
			return nil, err
		}
	}
	return r.buf[r.r+headerLen : r.r+total : r.r+total], nil
}

// join puts the frames of the current packet together, in memory that grows
// with what has come.
func (r *Reader) join(limit int) ([]byte, error) {
	j := &r.joined
	for !j.whole {
		frame := r.current.Len
		if j.begun {
			var err error
			if frame, err = r.nextFrame(); err != nil {
				return nil, err
			}
		}
		if n := len(j.b) + frame; n > r.maxBody {
			r.err = &TooLong{Type: r.current.Type, Len: n, Limit: r.maxBody}
			return nil, r.err
		} else if n > limit {
			return nil, &TooLong{Type: r.current.Type, Len: n, Limit: limit}
		}
		j.begun = true
		r.skipHeader()
		err := r.take(frame, func(p []byte) error { j.b = append(j.b, p...); return nil })
		if err != nil {
			return nil, err
		}
		j.whole = frame < MaxFrame
	}
	if len(j.b) > limit {
		return nil, &TooLong{Type: r.current.Type, Len: len(j.b), Limit: limit}
	}
	return j.b, nil
}

// Forward passes the current packet to w and ends it, under w's own sequence
// numbers. One that is larger than a buffer is streamed, never held whole; if
// it breaks off, w is torn.
func (r *Reader) Forward(w *Writer) error {
	h, err := r.Peek()
	if err != nil {
		return err
	}
	total := headerLen + h.Len
	if !r.joined.begun && total <= largeBuffer {
		if r.w-r.r < total {
			if err := r.fill(total); err != nil {
				return err
			}
		}
		b := r.buf[r.r : r.r+total]
		b[3] = w.nextSeq()
		r.r += total
		r.seq++
		r.peeked = false
		return w.raw(b)
	}
	return r.frames(w)
}

// Discard drops the current packet, whatever its length.
func (r *Reader) Discard() error {
	h, err := r.Peek()
	if err != nil {
		return err
	}
	if total := headerLen + h.Len; !h.More() && r.w-r.r >= total {
		r.r += total
		r.seq++
		r.peeked = false
		return nil
	}
	return r.frames(nil)
}

// frames passes on what is left of the current packet, frame by frame.
func (r *Reader) frames(w *Writer) error {
	j := r.joined
	r.joined, r.peeked = joined{}, false
	if w != nil && j.begun {
		if !j.whole {
			return fmt.Errorf("forward packet: its first %d bytes were taken", len(j.b))
		}
		return w.Packet(j.b)
	}
	if j.whole {
		return nil
	}
	total, frame := len(j.b), r.current.Len
	for first := !j.begun; ; first = false {
		if !first {
			var err error
			if frame, err = r.nextFrame(); err != nil {
				return r.broken(w, err)
			}
		}
		if total += frame; total > r.maxBody {
			return r.broken(w, &TooLong{Type: r.current.Type, Len: total, Limit: r.maxBody})
		}
		r.skipHeader()
		if err := r.passFrame(w, frame); err != nil {
			return r.broken(w, err)
		}
		if frame < MaxFrame {
			return nil
		}
	}
}

func (r *Reader) passFrame(w *Writer, n int) error {
	if w == nil {
		return r.take(n, func([]byte) error { return nil })
	}
	if err := w.frameHeader(n); err != nil {
		return err
	}
	return r.take(n, w.raw)
}

// broken notes that the current packet ended in the middle.
func (r *Reader) broken(w *Writer, err error) error {
	if r.err == nil {
		r.err = err
	}
	if w != nil {
		w.tear()
	}
	return err
}

// skipHeader consumes a frame's header, which is in the buffer.
func (r *Reader) skipHeader() {
	r.r += headerLen
	r.seq++
}

// take hands n bytes of payload to f as they come.
func (r *Reader) take(n int, f func([]byte) error) error {
	for n > 0 {
		if r.r == r.w {
			if err := r.more(n, false); err != nil {
				return err
			}
		}
		m := min(n, r.w-r.r)
		if err := f(r.buf[r.r : r.r+m]); err != nil {
			return err
		}
		r.r += m
		n -= m
	}
	return nil
}

// Run counts what ForwardRows passed on.
type Run struct {
	Rows  int64
	Bytes int64 // with headers
}

// ForwardRows passes on the current packet and those after it that are at hand,
// as long as they are rows (RowEnds says no) and at most limit of them, in one
// go where it can. It waits for the rest of the current packet, never for more;
// a current packet that is no row makes it return at once.
func (r *Reader) ForwardRows(w *Writer, limit int64) (Run, error) {
	h, err := r.Peek()
	if err != nil || limit <= 0 || RowEnds(h) {
		return Run{}, err
	}
	total := headerLen + h.Len
	if r.joined.begun || r.w-r.r < total && total > largeBuffer || h.More() {
		before := w.total + int64(len(w.buf))
		if err := r.frames(w); err != nil {
			return Run{}, err
		}
		return Run{Rows: 1, Bytes: w.total + int64(len(w.buf)) - before}, nil
	}
	if r.w-r.r < total {
		if err := r.fill(total); err != nil {
			return Run{}, err
		}
	}
	b := r.buf[r.r:r.w]
	b[3] = w.nextSeq()
	r.seq++
	count, end := int64(1), total
	for count < limit && len(b)-end > headerLen {
		head := b[end : end+headerLen+1]
		n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
		if n == 0 || n > r.maxBody || n == MaxFrame || len(b)-end < headerLen+n || head[4] >= MarkEOF || head[3] != r.seq && r.comp == nil {
			break // Peek deals with it, or waits for the rest
		}
		head[3] = w.nextSeq()
		r.seq++
		end += headerLen + n
		count++
	}
	r.r += end
	r.peeked = false
	return Run{Rows: count, Bytes: int64(end)}, w.raw(b[:end])
}

// RowEnds reports whether a packet in the place of a row is none: an ERR, an
// EOF or, where EOF is deprecated, an OK packet with an EOF's first byte. A
// text row can begin with that byte too, but only in a packet of several frames.
func RowEnds(h Header) bool {
	return h.Type == MarkErr || h.Type == MarkEOF && !h.More() || h.Len == 0
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
	r.r, r.w, r.peeked, r.joined = 0, 0, false, joined{}
	r.release()
	if r.err == nil {
		r.err = net.ErrClosed
	}
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
