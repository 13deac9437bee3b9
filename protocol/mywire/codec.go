package mywire

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Algorithm is a compression algorithm of the protocol.
type Algorithm uint8

// Algorithms: CapCompress and CapZstd.
const (
	AlgorithmZlib Algorithm = iota + 1
	AlgorithmZstd
)

// maxWindow is the largest window of a zstd frame whose length is not known,
// what RFC 8878, 3.1.1.1.2, recommends to support.
const maxWindow = 8 << 20

// encoder says how to compress. What works by it comes from Buffers, for it is
// large: a connection that is idle has none.
type encoder struct {
	algorithm Algorithm
	level     int // zlib's, or the library's for zstd
}

func newEncoder(a Algorithm, level int) (encoder, error) {
	e := encoder{algorithm: a, level: max(level, 1)}
	switch {
	case a == AlgorithmZlib && e.level <= zlib.BestCompression:
		return e, nil
	case a == AlgorithmZstd && e.level <= 22:
		e.level = int(zstd.EncoderLevelFromZstd(e.level))
		return e, nil
	case a == AlgorithmZlib || a == AlgorithmZstd:
		return e, fmt.Errorf("the algorithm has no level %d", level)
	}
	return e, errors.New("unknown algorithm")
}

// Numbers of pools of compressors: levels do not mix.
const (
	zlibLevels = zlib.BestCompression + 1
	zstdLevels = int(zstd.SpeedBestCompression) + 1
)

// encode appends data, compressed, to dst.
func (p *Buffers) encode(e encoder, dst, data []byte) ([]byte, error) {
	if e.algorithm == AlgorithmZstd {
		return p.encodeZstd(e.level, dst, data)
	}
	out := bytes.NewBuffer(dst)
	w, _ := p.zlibWriters[e.level].Get().(*zlib.Writer)
	if w == nil {
		var err error
		if w, err = zlib.NewWriterLevel(out, e.level); err != nil {
			return nil, err
		}
	} else {
		w.Reset(out)
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	w.Reset(io.Discard)
	p.zlibWriters[e.level].Put(w)
	return out.Bytes(), nil
}

func (p *Buffers) encodeZstd(level int, dst, data []byte) ([]byte, error) {
	w, _ := p.zstdWriters[level].Get().(*zstd.Encoder)
	if w == nil {
		var err error
		w, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(compressChunk),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.EncoderLevel(level)))
		if err != nil {
			return nil, err
		}
	}
	dst = w.EncodeAll(data, dst)
	p.zstdWriters[level].Put(w)
	return dst, nil
}

// decoder returns a decompressor of src, which claims to become size bytes. A
// decompressor refuses references to before the start of its stream, so that
// what it has decompressed before cannot be reached.
func (p *Buffers) decoder(a Algorithm, src *bytes.Reader, size int) (io.Reader, error) {
	if a == AlgorithmZstd {
		return p.zstdDecoder(src, size)
	}
	if d, ok := p.zlibReaders.Get().(io.ReadCloser); ok {
		if err := d.(zlib.Resetter).Reset(src, nil); err != nil {
			return nil, err
		}
		return d, nil
	}
	return zlib.NewReader(src)
}

func (p *Buffers) zstdDecoder(src *bytes.Reader, size int) (io.Reader, error) {
	var h zstd.Header
	head := make([]byte, min(src.Len(), zstd.HeaderMaxSize))
	if _, err := src.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := h.Decode(head); err != nil {
		return nil, err
	}
	switch {
	case h.HasFCS && h.FrameContentSize != uint64(size):
		return nil, errors.New("the frame's length is another one")
	case h.SingleSegment && !h.HasFCS, !h.SingleSegment && h.WindowSize > maxWindow:
		return nil, errors.New("the frame wants too large a window")
	}
	d, _ := p.zstdReaders.Get().(*zstd.Decoder)
	if d == nil {
		var err error
		d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxFrame+1), zstd.WithDecoderMaxMemory(2*(MaxFrame+1)))
		if err != nil {
			return nil, err
		}
	}
	if err := d.Reset(src); err != nil {
		return nil, err
	}
	return d, nil
}

func (p *Buffers) putDecoder(a Algorithm, d io.Reader) {
	if a == AlgorithmZlib {
		p.zlibReaders.Put(d)
		return
	}
	z := d.(*zstd.Decoder)
	if err := z.Reset(nil); err == nil || errors.Is(err, zstd.ErrDecoderNilInput) {
		p.zstdReaders.Put(z)
	}
}
