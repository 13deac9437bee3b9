package mywire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestReaderOverSocket(t *testing.T) {
	a, b := loopback(t)
	big := strings.Repeat("x", 300_000)
	in := frames(0, "\x03select 1", big, "", "\x00"+big[:70_000], "\xfe\x00\x00\x02\x00")
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

// TestSequence carries the number from one side to the other and refuses what
// is out of order.
func TestSequence(t *testing.T) {
	r := reader(join(frame(0, "\x03q"), frame(7, "x"), frame(8, "y")))
	if h, err := r.PeekCommand(); err != nil || h.Type != byte(ComQuery) {
		t.Fatal(h, err)
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	if r.Seq() != 1 {
		t.Errorf("sequence %d after a command", r.Seq())
	}
	r.SetSeq(7)
	for _, want := range []byte("xy") {
		if h, err := r.Peek(); err != nil || h.Type != want {
			t.Fatal(h, err)
		}
		if err := r.Discard(); err != nil {
			t.Fatal(err)
		}
	}
	var bad *BadSequence
	r = reader(frame(1, "\x03q"))
	for range 2 {
		if _, err := r.PeekCommand(); !errors.As(err, &bad) || bad.Want != 0 || bad.Got != 1 {
			t.Fatalf("error %v", err)
		}
	}
	r = reader(frames(255, "a", "b"))
	r.SetSeq(255)
	for range 2 {
		if err := r.Discard(); err != nil {
			t.Fatalf("around 255: %v", err)
		}
	}
	in := join(frame(0, strings.Repeat("x", MaxFrame)), frame(2, "y"))
	for name, f := range map[string]func(r *Reader) error{
		"body":    func(r *Reader) error { _, err := r.Body(MaxBody); return err },
		"forward": func(r *Reader) error { return r.Forward(writer(new(bytes.Buffer))) },
		"discard": (*Reader).Discard,
	} {
		if err := f(reader(in)); !errors.As(err, &bad) || bad.Want != 1 || bad.Got != 2 {
			t.Errorf("%s of a packet whose second frame is out of order: %v", name, err)
		}
	}
}

// TestErrorsOutOfOrder lets an ERR packet through that answers nothing, as a
// server sends it before it closes the connection; a command never.
func TestErrorsOutOfOrder(t *testing.T) {
	r := reader(frame(0, "\xff\x48\x04#08S01bye"))
	r.SetSeq(1)
	if h, err := r.Peek(); err != nil || h.Type != MarkErr {
		t.Fatal(h, err)
	}
	if err := r.Discard(); err != nil || r.Seq() != 1 {
		t.Fatal(err, r.Seq())
	}
	var bad *BadSequence
	if _, err := reader(frame(3, "\xff")).PeekCommand(); !errors.As(err, &bad) {
		t.Fatalf("a command: %v", err)
	}
}

// TestLongPackets reads, forwards, drops and writes payloads about a frame's
// greatest length.
func TestLongPackets(t *testing.T) {
	for _, n := range []int{MaxFrame - 1, MaxFrame, MaxFrame + 1} {
		body := bytes.Repeat([]byte("0123456789abcde\n"), n/16+1)[:n]
		var wire bytes.Buffer
		w := writer(&wire)
		if err := w.Packet(body); err != nil {
			t.Fatal(err)
		}
		if err := w.End(append(w.Begin(), body...)); err != nil {
			t.Fatal(err)
		}
		if err := w.Packet([]byte("end")); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		frames := n/MaxFrame + 1
		if want := 2*(n+frames*headerLen) + 7; wire.Len() != want || w.Seq() != byte(2*frames+1) {
			t.Fatalf("%d bytes: %d on the wire, want %d; sequence %d", n, wire.Len(), want, w.Seq())
		}
		r := reader(wire.Bytes())
		got, err := r.Body(n)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes: read %d, %v", n, len(got), err)
		}
		var out bytes.Buffer
		fw := writer(&out)
		if err := r.Forward(fw); err != nil { // what was put together
			t.Fatal(err)
		}
		if err := r.Forward(fw); err != nil { // streamed
			t.Fatal(err)
		}
		if err := r.Forward(fw); err != nil {
			t.Fatal(err)
		}
		if err := fw.Flush(); err != nil || !bytes.Equal(out.Bytes(), wire.Bytes()) {
			t.Fatalf("%d bytes: forwarded %d of %d, %v", n, out.Len(), wire.Len(), err)
		}
		r = reader(wire.Bytes())
		var long *TooLong
		if _, err := r.Body(n - 1); !errors.As(err, &long) {
			t.Fatalf("%d bytes: over the limit: %v", n, err)
		}
		for range 2 {
			if err := r.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := r.Body(3); err != nil || string(got) != "end" {
			t.Fatalf("%d bytes: after two that were dropped: %q %v", n, got, err)
		}
	}
}

func TestReaderHoldsNoBufferWhileIdle(t *testing.T) {
	a, b := loopback(t)
	r := NewReader(b, ReaderOptions{Idle: 50 * time.Millisecond})
	a.Write(frame(0, "\x0e"))
	if _, err := r.Body(100); err != nil {
		t.Fatal(err)
	}
	if r.buf == nil {
		t.Fatal("no buffer while a packet is in hand")
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	var te *TimeoutError
	if _, err := r.PeekCommand(); !errors.As(err, &te) || te.Phase != PhaseIdle {
		t.Fatalf("error %v, want an idle timeout", err)
	}
	if r.buf != nil {
		t.Fatal("a buffer is held while idle")
	}
	a.Write(frame(0, "\x01"))
	if h, err := r.PeekCommand(); err != nil || h.Type != byte(ComQuit) {
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
		go a.Write([]byte("\x05\x00"))
		start = time.Now()
		if _, err := r.Peek(); !errors.As(err, &te) || te.Phase != PhasePacket {
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
		go func() { _, err := r.PeekCommand(); done <- err }()
		synctest.Wait()
		r.Interrupt()
		if err := <-done; err != ErrInterrupted {
			t.Fatalf("error %v, want ErrInterrupted", err)
		}
		if _, err := r.PeekCommand(); err != ErrInterrupted {
			t.Fatalf("error %v, want ErrInterrupted again", err)
		}
		r.Resume()
		go func() { _, err := r.PeekCommand(); done <- err }()
		a.Write([]byte("\x01\x00"))
		synctest.Wait()
		r.Interrupt() // a packet that has begun is read to its end
		a.Write([]byte("\x00\x00\x0e"))
		if err := <-done; err != nil {
			t.Fatalf("packet begun before Interrupt: %v", err)
		}
		if err := r.Discard(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.PeekCommand(); err != ErrInterrupted {
			t.Fatalf("error %v, want ErrInterrupted", err)
		}
	})
}

func TestForwardRows(t *testing.T) {
	row := "\x59" + strings.Repeat("r", 89)
	payloads := []string{"\x01"}
	for range 3000 {
		payloads = append(payloads, row)
	}
	long := strings.Repeat("l", MaxFrame+5)
	payloads = append(payloads, strings.Repeat("b", 200_000), row, "\xfe\x00\x00\x22\x00", "\xfb", "\xff\x01\x00")
	in := frames(3, payloads...)
	// A text row that begins as EOF does, in two frames, and one more.
	first := byte(3 + len(payloads))
	in = join(in, frame(first, "\xfe"+long[:MaxFrame-1]), frame(first+1, long[MaxFrame-1:]), frame(first+2, row))
	a, b := loopback(t)
	go func() { a.Write(in); a.Close() }()
	r := NewReader(b, ReaderOptions{})
	r.SetSeq(3)
	var out bytes.Buffer
	w := writer(&out)
	w.SetSeq(77)
	var total Run
	for {
		h, err := r.Peek()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if RowEnds(h) {
			if run, err := r.ForwardRows(w, 10); err != nil || run.Rows != 0 {
				t.Fatalf("run of no row: %+v %v", run, err)
			}
			if err := r.Forward(w); err != nil {
				t.Fatal(err)
			}
			continue
		}
		run, err := r.ForwardRows(w, 1000)
		if err != nil || run.Rows == 0 || run.Rows > 1000 {
			t.Fatalf("run %+v, err %v", run, err)
		}
		total.Rows += run.Rows
		total.Bytes += run.Bytes
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := int64(5 + 3002*94 + 200_004 + 5 + MaxFrame + 4 + 10); total.Rows != 3006 || total.Bytes != want {
		t.Errorf("forwarded %+v, want %d bytes", total, want)
	}
	// The same frames under other numbers.
	fr, sent := reader(out.Bytes()), reader(in)
	fr.SetSeq(77)
	sent.SetSeq(3)
	for i := 0; ; i++ {
		want, err := sent.Body(MaxBody)
		if err == io.EOF {
			break
		}
		got, gerr := fr.Body(MaxBody)
		if err != nil || gerr != nil || !bytes.Equal(got, want) {
			t.Fatalf("packet %d: %d bytes, want %d; %v, %v", i, len(got), len(want), gerr, err)
		}
		sent.Discard()
		fr.Discard()
	}
}

// TestForwardRowsStopsAtBadSequence passes on what is in order.
func TestForwardRowsStopsAtBadSequence(t *testing.T) {
	r := reader(join(frames(0, "\x01a", "\x01b"), frame(5, "\x01c")))
	var out bytes.Buffer
	w := writer(&out)
	if run, err := r.ForwardRows(w, 100); err != nil || run.Rows != 2 {
		t.Fatal(run, err)
	}
	var bad *BadSequence
	if _, err := r.ForwardRows(w, 100); !errors.As(err, &bad) || bad.Got != 5 || bad.Want != 2 {
		t.Fatalf("error %v", err)
	}
}

// TestBreaksAtEveryByte cuts a session at every byte: all before the cut gets
// through, a packet that is cut is an error, and nothing follows it.
func TestBreaksAtEveryByte(t *testing.T) {
	payloads := []string{"\x03select", "", "\x03abc", "\x03def", "\xfe\x00\x00\x00\x00"}
	in := frames(0, payloads...)
	for cut := 0; cut <= len(in); cut++ {
		for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
			r := NewReader(&streamConn{r: wrap(bytes.NewReader(in[:cut]))}, ReaderOptions{})
			var out bytes.Buffer
			w := writer(&out)
			var err error
			for err == nil {
				if _, err = r.ForwardRows(w, 100); err != nil {
					break
				}
				if h, perr := r.Peek(); perr != nil || RowEnds(h) {
					err = r.Forward(w)
				}
			}
			whole := 0
			for _, p := range payloads {
				if whole+headerLen+len(p) > cut {
					break
				}
				whole += headerLen + len(p)
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

func TestTornPacket(t *testing.T) {
	for _, in := range [][]byte{
		frame(0, strings.Repeat("x", 100_000))[:80_000],
		frame(0, strings.Repeat("x", MaxFrame)),
		append(frame(0, strings.Repeat("x", MaxFrame)), 1, 0),
	} {
		r := reader(in)
		var out bytes.Buffer
		w := writer(&out)
		if err := r.Forward(w); err != io.ErrUnexpectedEOF {
			t.Fatalf("error %v", err)
		}
		if err := w.Error(&ServerError{Number: ErrServerShutdown, State: StateCommunication, Message: "x"}); err != ErrTorn {
			t.Fatalf("a packet after a torn one: %v", err)
		}
	}
}

func TestReaderRefusals(t *testing.T) {
	var long *TooLong
	r := NewReader(&streamConn{r: bytes.NewReader([]byte("\x00\x10\x00\x00xx"))}, ReaderOptions{MaxBody: 1000})
	if _, err := r.Peek(); !errors.As(err, &long) {
		t.Errorf("over the limit of all packets: %v", err)
	}
	r = reader(frames(0, "0123456789", "x"))
	if _, err := r.Body(9); !errors.As(err, &long) || long.Len != 10 || long.Limit != 9 {
		t.Errorf("over the limit of one packet: %v", err)
	}
	if err := r.Discard(); err != nil {
		t.Error(err)
	}
	if h, err := r.Peek(); err != nil || h.Type != 'x' {
		t.Errorf("after the long packet: %v %v", h, err)
	}
	in := bytes.Repeat(frame(0, strings.Repeat("x", MaxFrame)), 3)
	in[headerLen+MaxFrame+3], in[2*(headerLen+MaxFrame)+3] = 1, 2
	for name, f := range map[string]func(r *Reader) error{
		"body":    func(r *Reader) error { _, err := r.Body(MaxBody); return err },
		"forward": func(r *Reader) error { return r.Forward(writer(new(bytes.Buffer))) },
		"discard": (*Reader).Discard,
	} {
		r := NewReader(&streamConn{r: bytes.NewReader(in)}, ReaderOptions{MaxBody: 2*MaxFrame - 1})
		if err := f(r); !errors.As(err, &long) || long.Len != 2*MaxFrame {
			t.Errorf("%s of a packet that goes on and on: %v", name, err)
		}
		if _, err := r.Peek(); name != "body" && !errors.As(err, &long) {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// TestClaimedLengthCostsNothing announces 16 MB and sends little.
func TestClaimedLengthCostsNothing(t *testing.T) {
	for _, head := range []string{"\xff\xff\xff\x00", "\xfe\xff\xff\x00"} {
		r := reader(append([]byte(head), make([]byte, 1000)...))
		if _, err := r.Body(MaxBody); err != io.ErrUnexpectedEOF {
			t.Fatalf("error %v", err)
		}
		if len(r.buf) > largeBuffer || cap(r.joined.b) > largeBuffer {
			t.Errorf("buffers of %d and %d bytes for 1000 that came", len(r.buf), cap(r.joined.b))
		}
	}
}

func TestReaderOverTLS(t *testing.T) {
	client, server := tlsPair(t)
	r := NewReader(server, ReaderOptions{Idle: 50 * time.Millisecond, Stall: time.Second})
	// A pipeline in one record is all at hand after the first wait, whether it
	// is shorter than the tiny buffer, as long, or longer.
	for _, size := range []int{100, tinyRead - 10, tinyRead - 9, 10_000} {
		if _, err := client.Write(join(frame(0, "P"+strings.Repeat("x", size)), frame(0, "S"))); err != nil {
			t.Fatal(err)
		}
		for i, want := range []byte("PS") {
			if i > 0 && !r.Buffered() {
				t.Errorf("size %d: the second packet is not at hand", size)
			}
			if h, err := r.PeekCommand(); err != nil || h.Type != want {
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
		if _, err := r.PeekCommand(); !errors.As(err, &te) || te.Phase != PhaseIdle {
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
	r := NewReader(&streamConn{r: bytes.NewReader(frame(0, string(secret)))}, ReaderOptions{Buffers: pool})
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{Buffers: pool})
	body, err := r.Body(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	pending := append(w.Begin(), secret...)
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

func TestSmuggledBytes(t *testing.T) {
	l := Login{TLSRequest: true, Capabilities: CapProtocol41 | CapTLS}
	in := append(frame(1, string(AppendLogin(nil, &l))), frame(2, "login in clear")...)
	r := reader(in)
	r.SetSeq(1)
	if _, err := r.Body(100); err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	var s *Smuggled
	if err := r.NoSmuggling(); !errors.As(err, &s) || s.Bytes != headerLen+14 {
		t.Fatalf("error %v", err)
	}
	rest, err := io.ReadAll(r.Detach())
	if err != nil || string(rest[headerLen:]) != "login in clear" {
		t.Fatalf("detached: %q %v", rest, err)
	}
	if _, err := r.Peek(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("after Detach: %v", err)
	}
}

// FuzzReader drives a Reader with any bytes by the ways that a session has.
func FuzzReader(f *testing.F) {
	f.Add(frames(0, "\x03select 1", "\x0e", "", "\xfe\x00\x00\x00\x00"), []byte{0, 1, 2, 3})
	f.Add(frame(0, strings.Repeat("x", 70_000)), []byte{2})
	f.Add([]byte("\xff\xff\xff\x00abc"), []byte{1})
	f.Fuzz(func(t *testing.T, in, how []byte) {
		r := NewReader(&streamConn{r: bytes.NewReader(in)}, ReaderOptions{MaxBody: 100_000})
		w := writer(new(bytes.Buffer))
		var err error
		for i := 0; err == nil; i++ {
			var step byte
			if len(how) > 0 {
				step = how[i%len(how)] % 5
			}
			switch step {
			case 0:
				err = r.Discard()
			case 1:
				var b []byte
				if b, err = r.Body(50_000); len(b) > 50_000 {
					t.Fatal("a body over its limit")
				}
				var long *TooLong
				if err == nil || errors.As(err, &long) {
					err = r.Discard()
				}
			case 2:
				err = r.Forward(w)
			case 3:
				var run Run
				if run, err = r.ForwardRows(w, 3); err == nil && run.Rows == 0 {
					err = r.Discard()
				}
			case 4:
				if _, err = r.PeekCommand(); err == nil {
					err = r.Forward(w)
				}
			}
		}
	})
}
