package pgwire

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// tenColumns is a row as a wide result has it.
func tenColumns(t testing.TB) []byte {
	return written(t, func(w *Writer) error {
		w.BeginRow(10)
		for i := range 10 {
			w.AppendCell([]byte("value-" + strconv.Itoa(i*1117)))
		}
		return w.EndRow()
	})
}

// endless yields a message again and again, up to a number of them.
type endless struct {
	block []byte
	off   int
	left  int // bytes
}

func newEndless(message []byte, n int) *endless {
	return &endless{block: bytes.Repeat(message, 1000), left: n * len(message)}
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), e.left)], e.block[e.off:])
	e.off = (e.off + n) % len(e.block)
	e.left -= n
	return n, nil
}

const benchRows = 1_000_000

// BenchmarkForwardMemory passes on a million rows without any system call.
func BenchmarkForwardMemory(b *testing.B) {
	row := tenColumns(b)
	rows := Types("D")
	b.SetBytes(int64(len(row)) * benchRows)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(&streamConn{r: newEndless(row, benchRows)}, ReaderOptions{})
		w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
		var total int64
		for {
			run, err := r.ForwardRun(w, &rows, 1<<62)
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			total += run.Messages
		}
		if total != benchRows {
			b.Fatal(total)
		}
	}
}

// pump passes rows between sockets: source to relay, relay to sink.
func pump(b *testing.B, row []byte, relay func(in, out net.Conn) error) {
	b.SetBytes(int64(len(row)) * benchRows)
	b.ReportAllocs()
	for b.Loop() {
		source, in := loopback(b)
		out, sink := loopback(b)
		done := make(chan error, 2)
		go func() {
			_, err := io.CopyBuffer(struct{ io.Writer }{source}, struct{ io.Reader }{newEndless(row, benchRows)}, make([]byte, 64<<10))
			source.Close()
			done <- err
		}()
		go func() {
			_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{sink}, make([]byte, 64<<10))
			done <- err
		}()
		if err := relay(in, out); err != nil {
			b.Fatal(err)
		}
		out.Close()
		for range 2 {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkForwardSocket passes on a million rows from socket to socket.
func BenchmarkForwardSocket(b *testing.B) {
	rows := Types("D")
	pump(b, tenColumns(b), func(in, out net.Conn) error {
		r, w := NewReader(in, ReaderOptions{}), NewWriter(out, WriterOptions{})
		for {
			if !r.Buffered() {
				if err := w.Flush(); err != nil {
					return err
				}
			}
			if _, err := r.ForwardRun(w, &rows, 1<<62); err != nil {
				if err == io.EOF {
					err = w.Flush()
				}
				return err
			}
		}
	})
}

// BenchmarkCopySocket is the floor: the same with io.CopyBuffer.
func BenchmarkCopySocket(b *testing.B) {
	pump(b, tenColumns(b), func(in, out net.Conn) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 64<<10))
		return err
	})
}

// BenchmarkRewrite replaces three of ten cells of every row, through a Writer.
func BenchmarkRewrite(b *testing.B) {
	row := tenColumns(b)
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
	masked := []int{2, 5, 9}
	for b.Loop() {
		if err := rewrite(w, row[headerLen:], masked); err != nil {
			b.Fatal(err)
		}
	}
}

func rewrite(w *Writer, body []byte, masked []int) error {
	row, err := NewRow(body)
	if err != nil {
		return err
	}
	w.BeginRow(row.Cells())
	start, next := row.Start(), 0
	for _, i := range masked {
		if !row.SkipTo(i) {
			break
		}
		w.AppendCells(body[start:row.Start()], i-next)
		w.EndCell(append(w.BeginCell(), "*****"...))
		start, next = row.End(), i+1
	}
	if err := row.Err(); err != nil {
		w.Abort()
		return err
	}
	w.AppendCells(body[start:], row.Cells()-next)
	return w.EndRow()
}

// BenchmarkRewriteInPlace replaces three of ten cells by shorter ones.
func BenchmarkRewriteInPlace(b *testing.B) {
	row := tenColumns(b)
	work := bytes.Clone(row)
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for b.Loop() {
		copy(work, row)
		e, err := NewRowEdit(work[headerLen:])
		if err != nil {
			b.Fatal(err)
		}
		for _, i := range []int{2, 5, 9} {
			if !e.SkipTo(i) || !e.Replace([]byte("*****")) {
				b.Fatal("not replaced")
			}
		}
		if _, err := e.End(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkCopy(b *testing.B, f CopyFormat, line string) {
	c, err := NewCopyRows(DefaultCopy(f, 10))
	if err != nil {
		b.Fatal(err)
	}
	if f == CopyBinary {
		c.Feed([]byte(binaryHeader))
		for c.Next() {
		}
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var dst []byte
	in := []byte(line)
	for b.Loop() {
		c.Feed(in)
		dst = dst[:0]
		for c.Next() {
			for _, i := range []int{2, 5, 9} {
				dst = c.AppendTo(dst, i)
				dst = c.AppendCell(dst, i, []byte("*****"))
			}
			dst = c.AppendRest(dst)
		}
		if c.Err() != nil || len(dst) == 0 {
			b.Fatal(c.Err())
		}
	}
}

func BenchmarkCopyText(b *testing.B) {
	benchmarkCopy(b, CopyText, strings.Repeat("value-1117\t", 9)+"value-1117\n")
}

func BenchmarkCopyCSV(b *testing.B) {
	benchmarkCopy(b, CopyCSV, strings.Repeat("value-1117,", 9)+"value-1117\n")
}

func BenchmarkCopyBinary(b *testing.B) {
	benchmarkCopy(b, CopyBinary, "\x00\x0a"+strings.Repeat("\x00\x00\x00\x0avalue-1117", 10))
}

// TestHotPathDoesNotAllocate holds the package to its promise.
func TestHotPathDoesNotAllocate(t *testing.T) {
	row := tenColumns(t)
	rows := Types("D")
	r := NewReader(&streamConn{r: newEndless(row, 1<<30)}, ReaderOptions{})
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
	masked := []int{2, 5, 9}
	failed := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range map[string]func(){
		"run":     func() { _, err := r.ForwardRun(w, &rows, 1000); failed(err) },
		"forward": func() { failed(r.Forward(w)) },
		"rewrite": func() {
			body, err := r.Body(1 << 20)
			failed(err)
			failed(rewrite(w, body, masked))
			failed(r.Discard())
		},
		"ready":  func() { failed(w.ReadyForQuery('I')); failed(w.Flush()) },
		"denial": func() { failed(w.Error(&Notice{Severity: "ERROR", Code: "42501", Message: "m"})) },
		"status": func() { failed(w.ParameterStatus("a", "b")) },
	} {
		if n := testing.AllocsPerRun(2000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestIdleConnectionsAreSmall measures what a Reader and a Writer hold for
// connections that wait, after a burst on each of them.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const n, most = 10_000, 2 << 10
	pool := NewBuffers()
	in := join(msg('Q', string(make([]byte, 20_000))), msg('S', ""))
	conns := make([]*Reader, 0, n)
	writers := make([]*Writer, 0, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		// A connection that is not a plain socket, which costs more.
		c := &streamConn{r: bytes.NewReader(in), w: io.Discard}
		r, w := NewReader(c, ReaderOptions{Buffers: pool}), NewWriter(c, WriterOptions{Buffers: pool})
		for range 2 {
			if err := r.Forward(w); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Peek(); err != io.EOF {
			t.Fatal(err)
		}
		conns, writers = append(conns, r), append(writers, w)
	}
	runtime.GC()
	runtime.GC() // a pool gives up what it holds at the second one
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / n
	if each > most {
		t.Errorf("%d bytes for each idle connection, want at most %d", each, most)
	}
	t.Logf("%d bytes for each of %d idle connections", each, n)
	runtime.KeepAlive(conns)
	runtime.KeepAlive(writers)
}
