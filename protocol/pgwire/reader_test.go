package pgwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// msg returns one message's bytes.
func msg(typ byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4))
	return append(b, body...)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// loopback returns the two ends of a TCP connection.
func loopback(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	type accepted struct {
		c   net.Conn
		err error
	}
	ch := make(chan accepted, 1)
	go func() { c, err := ln.Accept(); ch <- accepted{c, err} }()
	a, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	acc := <-ch
	if acc.err != nil {
		t.Fatal(acc.err)
	}
	t.Cleanup(func() { a.Close(); acc.c.Close() })
	return a, acc.c
}

// streamConn reads from r and writes to w.
type streamConn struct {
	net.Conn
	r io.Reader
	w io.Writer
}

func (c *streamConn) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c *streamConn) Write(p []byte) (int, error)      { return c.w.Write(p) }
func (c *streamConn) SetReadDeadline(time.Time) error  { return nil }
func (c *streamConn) SetWriteDeadline(time.Time) error { return nil }

func reader(b []byte) *Reader {
	return NewReader(&streamConn{r: bytes.NewReader(b)}, ReaderOptions{})
}

func writer(b *bytes.Buffer) *Writer { return NewWriter(&streamConn{w: b}, WriterOptions{}) }

func TestReaderOverSocket(t *testing.T) {
	a, b := loopback(t)
	big := string(bytes.Repeat([]byte("x"), 300_000))
	in := join(msg('Q', "select 1\x00"), msg('d', big), msg('S', ""), msg('D', big[:70_000]), msg('Z', "I"))
	go func() {
		for p := in; len(p) > 0; {
			n := min(len(p), 7919)
			a.Write(p[:n])
			p = p[n:]
		}
		a.Close()
	}()
	r := NewReader(b, ReaderOptions{Stall: time.Second, Idle: time.Second})
	var out bytes.Buffer
	w := writer(&out)
	for i := 0; ; i++ {
		h, err := r.Peek()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 1 {
			body, err := r.Body(400_000)
			if err != nil || len(body) != h.Len {
				t.Fatalf("body of %d bytes, want %d, err %v", len(body), h.Len, err)
			}
		}
		if err := r.Forward(w); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), in) {
		t.Fatalf("forwarded %d bytes, want the same %d", out.Len(), len(in))
	}
}

func TestReaderHoldsNoBufferWhileIdle(t *testing.T) {
	a, b := loopback(t)
	r := NewReader(b, ReaderOptions{Idle: 50 * time.Millisecond})
	a.Write(msg('Q', "x\x00"))
	if _, err := r.Body(100); err != nil {
		t.Fatal(err)
	}
	if r.buf == nil {
		t.Fatal("no buffer while a message is in hand")
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	var te *TimeoutError
	if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhaseIdle {
		t.Fatalf("error %v, want an idle timeout", err)
	}
	if r.buf != nil {
		t.Fatal("a buffer is held while idle")
	}
	a.Write(msg('S', ""))
	if h, err := r.Peek(); err != nil || h.Type != 'S' {
		t.Fatalf("after a timeout: %v %v", h, err)
	}
}

func TestReaderTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		r := NewReader(b, ReaderOptions{Idle: 4 * time.Second, Stall: 8 * time.Second})
		start := time.Now()
		var te *TimeoutError
		if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhaseIdle {
			t.Fatalf("error %v, want an idle timeout", err)
		}
		if d := time.Since(start); d < 4*time.Second || d > 5*time.Second {
			t.Fatalf("idle timeout after %s", d)
		}
		go a.Write([]byte("Q\x00\x00"))
		start = time.Now()
		if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhaseMessage {
			t.Fatalf("error %v, want a stall", err)
		}
		if d := time.Since(start); d < 8*time.Second || d > 10*time.Second {
			t.Fatalf("stall timeout after %s", d)
		}
		r.SetLimit(time.Now().Add(time.Second))
		start = time.Now()
		if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhaseLimit {
			t.Fatalf("error %v, want the limit", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Fatalf("limit after %s", d)
		}
	})
}

func TestReaderInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		r := NewReader(b, ReaderOptions{Idle: time.Minute, Stall: time.Minute})
		done := make(chan error, 1)
		go func() { _, err := r.Peek(); done <- err }()
		synctest.Wait()
		r.Interrupt()
		if err := <-done; err != ErrInterrupted {
			t.Fatalf("error %v, want ErrInterrupted", err)
		}
		if _, err := r.Peek(); err != ErrInterrupted {
			t.Fatalf("error %v, want ErrInterrupted again", err)
		}
		r.Resume()
		go func() { _, err := r.Peek(); done <- err }()
		a.Write([]byte("S\x00"))
		synctest.Wait()
		r.Interrupt() // a message that has begun is read to its end
		a.Write([]byte("\x00\x00\x04"))
		if err := <-done; err != nil {
			t.Fatalf("message begun before Interrupt: %v", err)
		}
		if err := r.Discard(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Peek(); err != ErrInterrupted {
			t.Fatalf("error %v, want ErrInterrupted", err)
		}
	})
}
