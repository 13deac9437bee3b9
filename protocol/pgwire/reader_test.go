package pgwire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"testing/iotest"
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

func TestForwardRun(t *testing.T) {
	row := string(bytes.Repeat([]byte("r"), 90))
	var in []byte
	for range 3000 {
		in = append(in, msg('D', row)...)
	}
	in = join(msg('T', "x"), in, msg('D', string(make([]byte, 200_000))), msg('D', row), msg('C', "SELECT 3002\x00"), msg('D', "tail"))
	a, b := loopback(t)
	go func() { a.Write(in); a.Close() }()
	rows := Types("D")
	r := NewReader(b, ReaderOptions{})
	var out bytes.Buffer
	w := writer(&out)
	var total Run
	for {
		h, err := r.Peek()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Type != 'D' {
			if run, err := r.ForwardRun(w, &rows, 10); err != nil || run.Messages != 0 {
				t.Fatalf("run of another type: %+v %v", run, err)
			}
			if err := r.Forward(w); err != nil {
				t.Fatal(err)
			}
			continue
		}
		run, err := r.ForwardRun(w, &rows, 1000)
		if err != nil || run.Messages == 0 || run.Messages > 1000 {
			t.Fatalf("run %+v, err %v", run, err)
		}
		total.Messages += run.Messages
		total.Bytes += run.Bytes
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if total.Messages != 3003 || total.Bytes != 3001*95+200_005+9 || !bytes.Equal(out.Bytes(), in) {
		t.Errorf("forwarded %+v, %d bytes of %d", total, out.Len(), len(in))
	}
}

// TestBreaksAtEveryByte cuts a session at every byte: all before the cut gets
// through, a message that is cut is an error, and nothing follows it.
func TestBreaksAtEveryByte(t *testing.T) {
	in := join(msg('Q', "select\x00"), msg('S', ""), msg('D', "abc"), msg('D', "def"), msg('Z', "I"))
	var ends []int
	for rest := in; ; {
		_, _, next, ok := Frame(rest)
		if !ok {
			break
		}
		rest = next
		ends = append(ends, len(in)-len(rest))
	}
	rows := Types("D")
	for cut := 0; cut <= len(in); cut++ {
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
			r := NewReader(&streamConn{r: wrap(bytes.NewReader(in[:cut]))}, ReaderOptions{})
			var out bytes.Buffer
			w := writer(&out)
			var err error
			for err == nil {
				if _, err = r.ForwardRun(w, &rows, 100); err != nil {
					break
				}
				if h, perr := r.Peek(); perr != nil || h.Type != 'D' {
					err = r.Forward(w)
				}
			}
			whole := 0
			for _, e := range ends {
				if e <= cut {
					whole = e
				}
			}
			want := io.ErrUnexpectedEOF
			if whole == cut {
				want = io.EOF
			}
			if err != want {
				t.Fatalf("cut at %d: error %v, want %v", cut, err, want)
			}
			if err := w.Flush(); err != nil || !bytes.Equal(out.Bytes(), in[:whole]) {
				t.Fatalf("cut at %d: %d bytes through, want %d; %v", cut, out.Len(), whole, err)
			}
		}
	}
}

func TestTornMessage(t *testing.T) {
	in := msg('d', string(make([]byte, 100_000)))[:80_000]
	r := reader(in)
	var out bytes.Buffer
	w := writer(&out)
	if err := r.Forward(w); err != io.ErrUnexpectedEOF {
		t.Fatalf("error %v", err)
	}
	if err := w.Error(&Notice{Severity: "FATAL", Code: "57P01", Message: "x"}); err != ErrTorn {
		t.Fatalf("a message after a torn one: %v", err)
	}
}

func TestReaderRefusals(t *testing.T) {
	var bad *BadLength
	var long *TooLong
	if _, err := reader([]byte("Q\x00\x00\x00\x03xx")).Peek(); !errors.As(err, &bad) {
		t.Errorf("length 3: %v", err)
	}
	if _, err := reader([]byte("Q\xff\xff\xff\xffxx")).Peek(); !errors.As(err, &bad) {
		t.Errorf("length -1: %v", err)
	}
	r := NewReader(&streamConn{r: bytes.NewReader([]byte("Q\x00\x10\x00\x00xx"))}, ReaderOptions{MaxBody: 1000})
	if _, err := r.Peek(); !errors.As(err, &long) {
		t.Errorf("over the limit of all messages: %v", err)
	}
	r = reader(join(msg('Q', "0123456789"), msg('S', "")))
	if _, err := r.Body(9); !errors.As(err, &long) || long.Len != 10 || long.Limit != 9 {
		t.Errorf("over the limit of one message: %v", err)
	}
	if err := r.Discard(); err != nil {
		t.Error(err)
	}
	if h, err := r.Peek(); err != nil || h.Type != 'S' {
		t.Errorf("after the long message: %v %v", h, err)
	}
}

// TestClaimedLengthCostsNothing announces a gigabyte and sends little.
func TestClaimedLengthCostsNothing(t *testing.T) {
	in := append([]byte("Q\x3f\xff\xff\x00"), make([]byte, 1000)...)
	r := reader(in)
	if _, err := r.Body(MaxBody); err != io.ErrUnexpectedEOF {
		t.Fatalf("error %v", err)
	}
	if len(r.buf) > largeBuffer {
		t.Errorf("a buffer of %d bytes for 1000 that came", len(r.buf))
	}
}

func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func tlsPair(t testing.TB) (client, server *tls.Conn) {
	t.Helper()
	a, b := loopback(t)
	client = tls.Client(a, &tls.Config{InsecureSkipVerify: true})
	server = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestReaderOverTLS(t *testing.T) {
	client, server := tlsPair(t)
	r := NewReader(server, ReaderOptions{Idle: 50 * time.Millisecond, Stall: time.Second})
	// A pipeline in one record is all at hand after the first wait, whether it
	// is shorter than the tiny buffer, as long, or longer.
	for _, size := range []int{100, tinyRead - 10, tinyRead - 9, 10_000} {
		if _, err := client.Write(join(msg('P', string(make([]byte, size))), msg('S', ""))); err != nil {
			t.Fatal(err)
		}
		for i, want := range []byte("PS") {
			if i > 0 && !r.Buffered() {
				t.Errorf("size %d: the second message is not at hand", size)
			}
			if h, err := r.Peek(); err != nil || h.Type != want {
				t.Fatalf("size %d: %v %v", size, h, err)
			}
			if err := r.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		if r.Buffered() {
			t.Errorf("size %d: more at hand than was sent", size)
		}
		var te *TimeoutError
		if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhaseIdle {
			t.Fatalf("size %d: error %v, want an idle timeout", size, err)
		}
		if r.buf != nil {
			t.Error("a buffer is held while idle")
		}
	}
}

func TestBuffersAreCleared(t *testing.T) {
	pool := NewBuffers()
	secret := bytes.Repeat([]byte("secret"), 1000)
	r := NewReader(&streamConn{r: bytes.NewReader(msg('Q', string(secret)))}, ReaderOptions{Buffers: pool})
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{Buffers: pool})
	body, err := r.Body(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	pending := w.Begin('d')
	pending = append(pending, secret...)
	if err := w.End(pending); err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	for _, b := range [][]byte{body, pending} {
		if bytes.Contains(b, []byte("secret")) {
			t.Error("a buffer went back with what it held")
		}
	}
}
