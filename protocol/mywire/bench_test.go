package mywire

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// tenColumns is a row of the text protocol as a wide result has it.
func tenColumns() []byte {
	var cells [][]byte
	for i := range 10 {
		cells = append(cells, []byte("value-"+strconv.Itoa(i*1117)))
	}
	return textRow(cells...)
}

var (
	tenTypes = []Type{TypeLongLong, TypeVarString, TypeVarString, TypeDateTime, TypeNewDecimal, TypeVarString,
		TypeLong, TypeVarString, TypeDouble, TypeVarString}
	masked = []int{1, 5, 9}
)

// tenValues is a row of the binary protocol of tenTypes.
func tenValues(t testing.TB) []byte {
	return payload(t, 0, func(w *Writer) error {
		w.BeginBinaryRow(len(tenTypes))
		for i, typ := range tenTypes {
			switch {
			case typ.Lenenc():
				w.AppendCell([]byte("value-" + strconv.Itoa(i*1117)))
			case typ.Temporal():
				w.AppendEncoded(AppendDate(nil, Date{Year: 2026, Month: 1, Day: 1, Hour: 1}))
			default:
				w.AppendEncoded(make([]byte, typ.width()))
			}
		}
		return w.EndRow()
	})
}

// endless yields frames of a payload with numbers that go on, up to a number of
// them.
type endless struct {
	block []byte // 256 of them
	off   int
	left  int // bytes
}

func newEndless(payload []byte, n int) *endless {
	e := &endless{}
	for i := range 256 {
		e.block = append(e.block, frame(byte(i), string(payload))...)
	}
	e.left = n * len(e.block) / 256
	return e
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

// forwardAll passes on rows until their source ends.
func forwardAll(r *Reader, w *Writer) (rows int64, err error) {
	for {
		if !r.Buffered() {
			if err := w.Flush(); err != nil {
				return rows, err
			}
		}
		run, err := r.ForwardRows(w, 1<<62)
		if err == io.EOF {
			return rows, w.Flush()
		}
		if err != nil {
			return rows, err
		}
		rows += run.Rows
	}
}

// BenchmarkForwardMemory passes on a million rows without any system call.
func BenchmarkForwardMemory(b *testing.B) {
	row := tenColumns()
	b.SetBytes(int64(len(row)+headerLen) * benchRows)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(&streamConn{r: newEndless(row, benchRows)}, ReaderOptions{})
		w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
		if rows, err := forwardAll(r, w); err != nil || rows != benchRows {
			b.Fatal(rows, err)
		}
	}
}

// pump passes rows between sockets: source to relay, relay to sink.
func pump(b *testing.B, row []byte, relay func(in, out net.Conn) error) {
	b.SetBytes(int64(len(row)+headerLen) * benchRows)
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
	pump(b, tenColumns(), func(in, out net.Conn) error {
		_, err := forwardAll(NewReader(in, ReaderOptions{}), NewWriter(out, WriterOptions{}))
		return err
	})
}

// BenchmarkCopySocket is the floor: the same with io.CopyBuffer.
func BenchmarkCopySocket(b *testing.B) {
	pump(b, tenColumns(), func(in, out net.Conn) error {
		_, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 64<<10))
		return err
	})
}

// rewriteTen replaces three of ten cells of a row of the text protocol.
func rewriteTen(w *Writer, body []byte) error {
	row := NewTextRow(body, 10)
	w.BeginRow(10)
	start, next := 0, 0
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
	w.AppendCells(body[start:], 10-next)
	return w.EndRow()
}

// rewriteTenBinary replaces three of ten cells of a row of the binary protocol.
func rewriteTenBinary(w *Writer, body []byte) error {
	row, err := NewBinaryRow(body, tenTypes)
	if err != nil {
		return err
	}
	w.BeginBinaryRow(10)
	start, next := row.End(), 0
	for _, i := range masked {
		if !row.SkipTo(i) {
			break
		}
		w.AppendBinaryCells(&row, body[start:row.Start()], i-next)
		w.EndCell(append(w.BeginCell(), "*****"...))
		start, next = row.End(), i+1
	}
	if err := row.Err(); err != nil {
		w.Abort()
		return err
	}
	w.AppendBinaryCells(&row, body[start:], 10-next)
	return w.EndRow()
}

func benchmarkMask(b *testing.B, row []byte, mask func(*Writer, []byte) error) {
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
	for b.Loop() {
		if err := mask(w, row); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMaskText(b *testing.B)   { benchmarkMask(b, tenColumns(), rewriteTen) }
func BenchmarkMaskBinary(b *testing.B) { benchmarkMask(b, tenValues(b), rewriteTenBinary) }

// BenchmarkPeek looks at packets one by one and passes them on.
func BenchmarkPeek(b *testing.B) {
	row := tenColumns()
	b.SetBytes(int64(len(row) + headerLen))
	b.ReportAllocs()
	r := NewReader(&streamConn{r: newEndless(row, 1<<40)}, ReaderOptions{})
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
	for b.Loop() {
		if _, err := r.Peek(); err != nil {
			b.Fatal(err)
		}
		if err := r.Forward(w); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHotPathDoesNotAllocate holds the package to its promise.
func TestHotPathDoesNotAllocate(t *testing.T) {
	text, binary := tenColumns(), tenValues(t)
	r := NewReader(&streamConn{r: newEndless(text, 1<<40)}, ReaderOptions{})
	rb := NewReader(&streamConn{r: newEndless(binary, 1<<40)}, ReaderOptions{})
	w := NewWriter(&streamConn{w: io.Discard}, WriterOptions{})
	w.SetCapabilities(CapDeprecateEOF | CapSessionTrack)
	execute := []byte("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x05\x00\x00\x00\x02ab")
	types := []ParamType{{Type: TypeLong}, {Type: TypeVarString}}
	query := []byte("\x03select 1")
	ok := OK{AffectedRows: 300, Status: StatusAutocommit}
	okBody := payload(t, CapSessionTrack, func(w *Writer) error { return w.OK(&OK{Info: []byte("i"), Changes: encodedChanges()}) })
	denial := ServerError{Number: ErrTableAccessDenied, State: StateAccess, Message: "m"}
	col := Column{Catalog: []byte("def"), Name: []byte("a"), Type: TypeLong}
	colBody := AppendColumn(nil, &col, 0)
	failed := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	rewrite := func(r *Reader, mask func(*Writer, []byte) error) {
		body, err := r.Body(1 << 20)
		failed(err)
		failed(mask(w, body))
		failed(r.Discard())
	}
	for name, f := range map[string]func(){
		"run":         func() { _, err := r.ForwardRows(w, 1000); failed(err) },
		"forward":     func() { failed(r.Forward(w)) },
		"text":        func() { rewrite(r, rewriteTen) },
		"binary":      func() { rewrite(rb, rewriteTenBinary) },
		"ok":          func() { failed(w.OK(&ok)); failed(w.Flush()) },
		"end":         func() { failed(w.ResultEnd(&ok)) },
		"denial":      func() { failed(w.Error(&denial)) },
		"column":      func() { failed(w.Column(&col)) },
		"read ok":     func() { _, err := ParseOK(okBody, CapSessionTrack); failed(err) },
		"read column": func() { _, err := ParseColumn(colBody, 0); failed(err) },
		"read query":  func() { _, err := ParseQuery(query, 0); failed(err) },
		"read execute": func() {
			m, err := ParseExecute(execute, 2, types, nil, 0)
			failed(err)
			m.Params.Each(func(Param) {})
		},
	} {
		if n := testing.AllocsPerRun(2000, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestIdleConnectionsAreSmall measures what a Reader and a Writer hold for
// connections that wait, after a burst on each of them.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const n = 2000
	packets := frames(0, strings.Repeat("q", 20_000), "\x0e")
	plain := func(*Reader, *Writer) error { return nil }
	with := func(a Algorithm) func(r *Reader, w *Writer) error {
		return func(r *Reader, w *Writer) error { return Compress(r, w, a, 0) }
	}
	for _, tt := range []struct {
		name  string
		most  int64
		in    []byte
		start func(r *Reader, w *Writer) error
	}{
		{"plain", 2 << 10, packets, plain},
		{"zlib", 4 << 10, pack(0, len(packets), deflated(t, packets)), with(AlgorithmZlib)},
		{"zstd", 4 << 10, pack(0, len(packets), zstandard(t, packets)), with(AlgorithmZstd)},
	} {
		pool := NewBuffers()
		conns := make([]*Reader, 0, n)
		writers := make([]*Writer, 0, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range n {
			// A connection that is not a plain socket, which costs more.
			c := &streamConn{r: bytes.NewReader(tt.in), w: io.Discard}
			r, w := NewReader(c, ReaderOptions{Buffers: pool}), NewWriter(c, WriterOptions{Buffers: pool})
			if err := tt.start(r, w); err != nil {
				t.Fatal(err)
			}
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
		if each > tt.most {
			t.Errorf("%s: %d bytes for each idle connection, want at most %d", tt.name, each, tt.most)
		}
		t.Logf("%s: %d bytes for each of %d idle connections", tt.name, each, n)
		runtime.KeepAlive(conns)
		runtime.KeepAlive(writers)
	}
}
