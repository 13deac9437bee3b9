package mywire

import (
	"bytes"
	stdzlib "compress/zlib"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
)

// pack is a compressed frame that claims size bytes for data.
func pack(seq byte, size int, data []byte) []byte {
	n := len(data)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq, byte(size), byte(size >> 8), byte(size >> 16)}, data...)
}

func deflated(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := stdzlib.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, data []byte, o ...zstd.EOption) []byte {
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(data, nil)
}

// compressed returns a Reader and a Writer of conn under compression.
func compressed(t testing.TB, conn net.Conn, a Algorithm, o ReaderOptions) (*Reader, *Writer) {
	t.Helper()
	r, w := NewReader(conn, o), NewWriter(conn, WriterOptions{})
	if err := Compress(r, w, a, 0); err != nil {
		t.Fatal(err)
	}
	return r, w
}

func unpacking(t testing.TB, in []byte, a Algorithm) *Reader {
	r, _ := compressed(t, &streamConn{r: bytes.NewReader(in)}, a, ReaderOptions{})
	return r
}

func TestCompressRoundTrip(t *testing.T) {
	random := make([]byte, 200_000)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	bodies := []string{"\x0e", strings.Repeat("abc", 20), strings.Repeat("row", 100_000), string(random), "", strings.Repeat("x", MaxFrame+9)}
	for _, a := range []Algorithm{AlgorithmZlib, AlgorithmZstd} {
		x, y := loopback(t)
		r, _ := compressed(t, y, a, ReaderOptions{Stall: 10 * time.Second})
		_, w := compressed(t, x, a, ReaderOptions{})
		done := make(chan error, 1)
		go func() { // ends with its bodies
			for _, b := range bodies {
				if err := w.Packet([]byte(b)); err != nil {
					done <- err
					return
				}
			}
			err := w.Flush()
			x.Close()
			done <- err
		}()
		for i, want := range bodies {
			got, err := r.Body(MaxBody)
			if err != nil || string(got) != want {
				t.Fatalf("algorithm %d, packet %d: %d bytes, want %d; %v", a, i, len(got), len(want), err)
			}
			if err := r.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Peek(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if w.comp.out.seq != r.comp.in.seq || r.Seq() != w.Seq() {
			t.Errorf("sequence %d written, %d read", w.Seq(), r.Seq())
		}
	}
}

// TestCompressedTurns follows the numbers of the compressed layer through an
// exchange, as both servers count them.
func TestCompressedTurns(t *testing.T) {
	x, y := loopback(t)
	cr, cw := compressed(t, x, AlgorithmZlib, ReaderOptions{Stall: 10 * time.Second})
	sr, sw := compressed(t, y, AlgorithmZlib, ReaderOptions{Stall: 10 * time.Second})
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		step(cw.Query("load " + strings.Repeat("x", 2*compressChunk)))
		cr.SetSeq(cw.Seq()) // before Flush, and right all the same
		step(cw.Flush())
		if _, err := sr.PeekCommand(); err != nil {
			t.Fatal(err)
		}
		step(sr.Discard())
		if sr.Seq() != cr.Seq() || sr.Seq() != 3 {
			t.Fatalf("after a command of 3 frames: %d and %d", sr.Seq(), cr.Seq())
		}
		sw.SetSeq(sr.Seq())
		step(sw.Packet([]byte("\xfbfile")))
		step(sw.Flush())
		step(cr.Discard())
		cw.SetSeq(cr.Seq())
		step(cw.Packet([]byte("data")))
		step(cw.Packet(nil))
		step(cw.Flush())
		cr.SetSeq(cw.Seq())
		sr.SetSeq(sw.Seq())
		step(sr.Discard())
		step(sr.Discard())
		sw.SetSeq(sr.Seq())
		step(sw.OK(&OK{}))
		step(sw.Flush())
		step(cr.Discard())
	}
	// A pipeline: two commands sent, then two replies, each under its own numbers.
	step(cw.Command([]byte{byte(ComPing)}))
	step(cw.Command([]byte{byte(ComPing)}))
	step(cw.Flush())
	for range 2 {
		if _, err := sr.PeekCommand(); err != nil {
			t.Fatal(err)
		}
		step(sr.Discard())
		sw.SetSeq(sr.Seq())
		step(sw.OK(&OK{}))
	}
	step(sw.Flush())
	for range 2 {
		cr.SetSeq(1)
		step(cr.Discard())
	}
}

// TestCompressedLies refuses frames that are not what they claim.
func TestCompressedLies(t *testing.T) {
	data := frame(0, strings.Repeat("abc", 100))
	z := deflated(t, data)
	zs := zstandard(t, data)
	var bad *BadCompressed
	var seq *BadSequence
	asBad := func(err error) bool { return errors.As(err, &bad) }
	tests := []struct {
		name string
		a    Algorithm
		in   []byte
		ok   func(error) bool
	}{
		{"more than there is", AlgorithmZlib, pack(0, len(data)+1, z), asBad},
		{"less than there is", AlgorithmZlib, pack(0, len(data)-1, z), asBad},
		{"a wrong checksum", AlgorithmZlib, pack(0, len(data), append(bytes.Clone(z[:len(z)-1]), z[len(z)-1]^1)), asBad},
		{"no zlib", AlgorithmZlib, pack(0, len(data), data), asBad},
		{"cut data", AlgorithmZlib, pack(0, len(data), z[:len(z)-6]), asBad},
		{"bytes behind", AlgorithmZlib, pack(0, len(data), append(bytes.Clone(z), 0)), asBad},
		{"16 MB of a few bytes", AlgorithmZlib, pack(0, MaxFrame, z), asBad},
		{"nothing", AlgorithmZlib, pack(0, 0, nil), asBad},
		{"another number", AlgorithmZlib, pack(1, len(data), z), func(err error) bool { return errors.As(err, &seq) && seq.Compressed }},
		{"a cut header", AlgorithmZlib, pack(0, 0, z)[:5], func(err error) bool { return err == io.ErrUnexpectedEOF }},
		{"a cut frame", AlgorithmZlib, pack(0, len(data), z)[:15], func(err error) bool { return err == io.ErrUnexpectedEOF }},
		{"a cut stored frame", AlgorithmZlib, pack(0, 0, data)[:30], func(err error) bool { return err == io.ErrUnexpectedEOF }},
		{"more than there is, zstd", AlgorithmZstd, pack(0, len(data)+1, zs), asBad},
		{"less than there is, zstd", AlgorithmZstd, pack(0, len(data)-1, zs), asBad},
		{"no zstd", AlgorithmZstd, pack(0, len(data), data), asBad},
		{"bytes behind, zstd", AlgorithmZstd, pack(0, len(data), append(bytes.Clone(zs), 0)), asBad},
		{"a frame behind, zstd", AlgorithmZstd, pack(0, len(data), append(bytes.Clone(zs), zs...)), asBad},
		// Magic number, a descriptor without a length, and a window of 2 GB.
		{"a huge window, zstd", AlgorithmZstd, pack(0, len(data), []byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")), asBad},
		// A single segment of 4 GB.
		{"a huge segment, zstd", AlgorithmZstd, pack(0, len(data), []byte("\x28\xb5\x2f\xfd\xa0\xff\xff\xff\xff\x01\x00\x00")), asBad},
	}
	for _, tt := range tests {
		r := unpacking(t, tt.in, tt.a)
		_, err := r.Body(1 << 20)
		if err == nil {
			err = r.Discard()
		}
		if err == nil {
			_, err = r.Peek()
		}
		if !tt.ok(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if _, again := r.Body(1 << 20); again == nil {
			t.Errorf("%s: the reader goes on", tt.name)
		}
	}
}

// TestCompressedFormsOfOthers reads what other encoders write.
func TestCompressedFormsOfOthers(t *testing.T) {
	data := frame(0, strings.Repeat("abcdefgh", 100_000))
	streamed := new(bytes.Buffer)
	e, err := zstd.NewWriter(streamed, zstd.WithWindowSize(1<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]struct {
		a   Algorithm
		raw []byte
	}{
		"zlib":                   {AlgorithmZlib, pack(0, len(data), deflated(t, data))},
		"zlib, byte by byte":     {AlgorithmZlib, join(pack(0, 0, data[:1]), pack(1, 0, data[1:3]), pack(2, len(data)-3, deflated(t, data[3:])))},
		"zstd, a length":         {AlgorithmZstd, pack(0, len(data), zstandard(t, data, zstd.WithEncoderLevel(zstd.SpeedBestCompression)))},
		"zstd, a single segment": {AlgorithmZstd, pack(0, len(data), zstandard(t, data, zstd.WithSingleSegment(true)))},
		"zstd, without a length": {AlgorithmZstd, pack(0, len(data), streamed.Bytes())},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			r, _ := compressed(t, &streamConn{r: wrap(bytes.NewReader(in.raw))}, in.a, ReaderOptions{})
			if got, err := r.Body(1 << 20); err != nil || !bytes.Equal(got, data[headerLen:]) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		}
	}
}

// TestCompressedTimeouts goes on after a timeout in the middle of a frame.
func TestCompressedTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		data := frame(0, strings.Repeat("abc", 100))
		in := pack(0, len(data), deflated(t, data))
		r, _ := compressed(t, b, AlgorithmZlib, ReaderOptions{Idle: time.Second, Stall: time.Second})
		var te *TimeoutError
		for i := range in {
			if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhaseIdle {
				t.Fatalf("before byte %d: %v", i, err)
			}
			go a.Write(in[i : i+1])
			synctest.Wait()
		}
		if got, err := r.Body(1000); err != nil || !bytes.Equal(got, data[headerLen:]) {
			t.Fatalf("%q %v", got, err)
		}
	})
}

func TestCompressedIdleHoldsNoBuffer(t *testing.T) {
	x, y := loopback(t)
	r, _ := compressed(t, x, AlgorithmZlib, ReaderOptions{Idle: 50 * time.Millisecond, Stall: time.Second})
	_, w := compressed(t, y, AlgorithmZlib, ReaderOptions{})
	if err := w.Packet(bytes.Repeat([]byte("x"), 300_000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	var te *TimeoutError
	if _, err := r.Peek(); !errors.As(err, &te) {
		t.Fatal(err)
	}
	if r.buf != nil || r.comp.in.raw != nil || r.comp.in.dec != nil || w.buf != nil {
		t.Error("a buffer is held while idle")
	}
}

func TestCompressRefusals(t *testing.T) {
	conn := &streamConn{w: io.Discard}
	r, w := NewReader(conn, ReaderOptions{}), NewWriter(conn, WriterOptions{})
	if Compress(r, NewWriter(&streamConn{}, WriterOptions{}), AlgorithmZlib, 0) == nil {
		t.Error("two connections")
	}
	for _, a := range []Algorithm{0, AlgorithmZlib, AlgorithmZstd} {
		if Compress(r, w, a, 23) == nil {
			t.Errorf("level 23 of algorithm %d", a)
		}
	}
	if err := w.OK(&OK{}); err != nil {
		t.Fatal(err)
	}
	if Compress(r, w, AlgorithmZlib, 0) == nil {
		t.Error("with a packet pending")
	}
}

// FuzzCompressed reads any compressed stream.
func FuzzCompressed(f *testing.F) {
	data := frame(0, strings.Repeat("abc", 100))
	f.Add(pack(0, len(data), deflated(f, data)), false)
	f.Add(pack(0, len(data), zstandard(f, data)), true)
	f.Add(pack(0, 0, data), false)
	f.Add(pack(0, MaxFrame, deflated(f, data)), false)
	pool := NewBuffers()
	f.Fuzz(func(t *testing.T, in []byte, zstd bool) {
		a := AlgorithmZlib
		if zstd {
			a = AlgorithmZstd
		}
		conn := &streamConn{r: bytes.NewReader(in)}
		r := NewReader(conn, ReaderOptions{Buffers: pool})
		if err := Compress(r, NewWriter(conn, WriterOptions{Buffers: pool}), a, 0); err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var err error
		for err == nil {
			if _, err = r.Body(1 << 20); err == nil {
				err = r.Discard()
			}
		}
	})
}

// TestInterruptWhileCompressionStarts is what a server that drains its
// connections may do.
func TestInterruptWhileCompressionStarts(t *testing.T) {
	_, y := loopback(t)
	r, w := NewReader(y, ReaderOptions{}), NewWriter(y, WriterOptions{})
	done := make(chan struct{})
	go func() { r.Interrupt(); close(done) }()
	if err := Compress(r, w, AlgorithmZlib, 0); err != nil {
		t.Fatal(err)
	}
	<-done
	if _, err := r.PeekCommand(); err != ErrInterrupted {
		t.Errorf("error %v, want ErrInterrupted", err)
	}
}
