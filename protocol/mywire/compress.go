package mywire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// compressHeader is a compressed frame's header: the length of what
	// follows, a sequence number, and its length without compression, which is
	// 0 for data that is stored as it is.
	compressHeader = 7
	// compressMin is from how many bytes on data is compressed, as in both
	// servers (MIN_COMPRESS_LENGTH).
	compressMin = 50
	// compressChunk is the most that goes into one compressed frame.
	compressChunk = largeBuffer
)

// Compress starts the compressed layer on a connection whose login has just
// been answered by OK (MySQL documentation, Compression): from here on r and w
// read and write compressed frames. The OK itself has been flushed. Level is the
// algorithm's, 0 for a fast one.
func Compress(r *Reader, w *Writer, a Algorithm, level int) error {
	if r.conn != w.conn {
		return errors.New("compress: reader and writer of different connections")
	}
	if w.Pending() > 0 || w.open >= 0 {
		return errors.New("compress: packets are pending that go before it")
	}
	enc, err := newEncoder(a, level)
	if err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	src := io.Reader(r.conn)
	if ahead := bytes.Clone(r.buf[r.r:r.w]); len(ahead) > 0 {
		src = &aheadConn{Conn: r.conn, ahead: ahead}
	}
	r.r, r.w, r.peeked = 0, 0, false
	r.release()
	c := &compressor{
		in:  inflater{src: src, bufs: r.bufs, algorithm: a},
		out: deflater{dst: w.conn, bufs: w.bufs, enc: enc},
	}
	r.comp, r.src, r.raw, r.tiny = c, &c.in, nil, make([]byte, tinyRead)
	w.comp, w.dst, w.chunk = c, &c.out, compressChunk
	return nil
}

// compressor is a connection's compressed layer. Its two halves are independent
// of each other.
type compressor struct {
	in  inflater
	out deflater
}

// inflater reads compressed frames. It can go on after a timeout, and holds no
// buffer between frames.
type inflater struct {
	src       io.Reader
	bufs      *Buffers
	algorithm Algorithm
	seq       byte
	restarts  bool // a command may begin: 0 is as good as seq

	head    [compressHeader]byte
	headLen int
	stored  int    // bytes of stored data that are still to come
	raw     []byte // compressed data, as far as it has come
	rawLen  int    // how much of it the header claims
	size    int    // what the header claims that it becomes
	left    int    // how much of that was not yet yielded
	packed  bytes.Reader
	dec     io.Reader // nil between frames
	fault   error     // sticky: out of step
}

// Read yields what one frame holds, at most.
func (z *inflater) Read(p []byte) (int, error) {
	for {
		switch {
		case z.fault != nil:
			return 0, z.fault
		case len(p) == 0:
			return 0, nil
		case z.stored > 0:
			n, err := z.src.Read(p[:min(len(p), z.stored)])
			z.stored -= n
			return n, unexpected(err)
		case z.dec != nil:
			return z.inflate(p)
		case z.rawLen > 0:
			if err := z.gather(); err != nil {
				return 0, err
			}
		default:
			if err := z.header(); err != nil {
				return 0, err
			}
		}
	}
}

// header reads the next frame's header.
func (z *inflater) header() error {
	for z.headLen < compressHeader {
		n, err := z.src.Read(z.head[z.headLen:])
		if z.headLen += n; err != nil && z.headLen < compressHeader {
			if z.headLen > 0 {
				err = unexpected(err)
			}
			return err
		}
	}
	h := z.head
	z.headLen = 0
	n := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
	size := int(h[4]) | int(h[5])<<8 | int(h[6])<<16
	if h[3] != z.seq && (h[3] != 0 || !z.restarts) {
		z.fault = &BadSequence{Want: z.seq, Got: h[3], Compressed: true}
		return z.fault
	}
	z.seq = h[3] + 1
	switch {
	case n == 0:
		return z.bad(errors.New("no data"))
	case size == 0:
		z.stored = n
	default:
		z.rawLen, z.size = n, size
	}
	return nil
}

// gather reads the frame's compressed data and starts to decompress it.
func (z *inflater) gather() error {
	if z.raw == nil {
		z.raw = z.bufs.get(z.rawLen > smallBuffer)[:0]
	}
	for len(z.raw) < z.rawLen {
		if len(z.raw) == cap(z.raw) {
			grown := append(make([]byte, 0, min(z.rawLen, 2*cap(z.raw))), z.raw...)
			z.bufs.put(z.raw, len(z.raw))
			z.raw = grown
		}
		n, err := z.src.Read(z.raw[len(z.raw):min(cap(z.raw), z.rawLen)])
		if z.raw = z.raw[:len(z.raw)+n]; err != nil && len(z.raw) < z.rawLen {
			return unexpected(err)
		}
	}
	z.packed.Reset(z.raw)
	dec, err := z.bufs.decoder(z.algorithm, &z.packed, z.size)
	if err != nil {
		return z.bad(err)
	}
	z.dec, z.left = dec, z.size
	return nil
}

func (z *inflater) inflate(p []byte) (int, error) {
	n, err := z.dec.Read(p[:min(len(p), z.left)])
	z.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, z.bad(err)
	}
	if err != nil && z.left > 0 {
		return 0, z.bad(nil)
	}
	if z.left > 0 {
		return n, nil
	}
	// It has to end here: this checks the checksum, too.
	var one [1]byte
	for err == nil {
		var m int
		if m, err = z.dec.Read(one[:]); m > 0 {
			return 0, z.bad(nil)
		}
	}
	if !errors.Is(err, io.EOF) {
		return 0, z.bad(err)
	}
	if z.packed.Len() > 0 {
		return 0, z.bad(errors.New("bytes after the end of the data"))
	}
	z.end()
	return n, nil
}

func (z *inflater) bad(err error) error {
	size := z.size
	z.end()
	z.fault = &BadCompressed{Claimed: size, Problem: err}
	return z.fault
}

// end gives back what the frame needed.
func (z *inflater) end() {
	if z.raw != nil {
		z.bufs.put(z.raw, len(z.raw))
	}
	if z.dec != nil {
		z.bufs.putDecoder(z.algorithm, z.dec)
	}
	z.raw, z.rawLen, z.dec, z.left, z.size = nil, 0, nil, 0, 0
	z.packed.Reset(nil)
}

// unexpected turns the end of the connection into one inside a packet.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// deflater writes compressed frames.
type deflater struct {
	dst  io.Writer
	bufs *Buffers
	enc  encoder
	seq  byte
}

// Write writes p, of compressChunk bytes at most, as one frame.
func (z *deflater) Write(p []byte) (int, error) {
	if len(p) > compressChunk {
		return 0, errors.New("compress: more than a frame at once")
	}
	b := z.bufs.get(len(p)+compressHeader > smallBuffer)
	defer func() { z.bufs.put(b, cap(b)) }()
	out, size := append(b[:0], make([]byte, compressHeader)...), 0
	if len(p) >= compressMin {
		packed, err := z.bufs.encode(z.enc, out, p)
		if err != nil {
			return 0, fmt.Errorf("compress: %w", err)
		}
		if len(packed)-compressHeader < len(p) {
			out, size = packed, len(p)
		}
	}
	if size == 0 {
		out = append(out[:compressHeader], p...)
	}
	n := len(out) - compressHeader
	copy(out, []byte{byte(n), byte(n >> 8), byte(n >> 16), z.seq, byte(size), byte(size >> 8), byte(size >> 16)})
	z.seq++
	if _, err := z.dst.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
