package mywire

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// fill reads until need bytes are unread.
func (r *Reader) fill(need int) error {
	for r.w-r.r < need {
		if err := r.more(need, r.w == r.r); err != nil {
			return err
		}
	}
	return nil
}

// more reads once, blocking; first says that it waits for a packet to begin.
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
		return r.src.Read(r.buf[r.w:])
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
	n, err := r.src.Read(r.tiny)
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
	m, _ := r.src.Read(r.buf[n:])
	return n + m, nil
}

// makeRoom makes buf hold a packet of need bytes from r.r on, as far as that
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
// setting it for every packet costs more than the packet.
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
	return &TimeoutError{Phase: PhasePacket, After: r.stall}
}
