package mysession_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy/gate"
)

// scripted is a server that answers what sessions begin with by OK, and the
// statement that says "now" by the given payloads. What comes behind them is
// read into a channel.
func scripted(t *testing.T, payloads ...[]byte) (address string, after <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	out := make(chan []byte, 16)
	go func() { // ends with the listener
		defer close(out)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serveScript(c, payloads, out)
			_ = c.Close()
		}
	}()
	return l.Addr().String(), out
}

func serveScript(c net.Conn, payloads [][]byte, out chan<- []byte) {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r, w := mywire.NewReader(c, mywire.ReaderOptions{}), mywire.NewWriter(c, mywire.WriterOptions{})
	caps := mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth | mywire.CapLocalFiles | mywire.CapDeprecateEOF | mywire.CapSessionTrack
	greeting := mywire.AppendGreeting(nil, &mywire.Greeting{ServerVersion: "5.5.5-10.11.0-MariaDB", ConnectionID: 7, Nonce: []byte(strings.Repeat("n", mywire.NonceLen)),
		Capabilities: caps, Status: mywire.StatusAutocommit, AuthPlugin: mywire.PluginNative})
	if errors.Join(w.Packet(greeting), w.Flush()) != nil {
		return
	}
	r.SetSeq(1)
	if _, err := r.Body(1 << 16); err != nil || r.Discard() != nil {
		return
	}
	w.SetSeq(2)
	for {
		if errors.Join(w.OK(&mywire.OK{Status: mywire.StatusAutocommit}), w.Flush()) != nil {
			return
		}
		r.SetSeq(0)
		body, err := r.Body(1 << 20)
		if err != nil {
			return
		}
		now := strings.Contains(string(body), "now")
		if r.Discard() != nil {
			return
		}
		w.SetSeq(1)
		if now {
			break
		}
	}
	for _, p := range payloads {
		if errors.Join(w.Packet(p), w.Flush()) != nil {
			return
		}
	}
	rest, _ := io.ReadAll(io.LimitReader(c, 1<<20))
	out <- rest
}

// TestLiveFileThatNoStatementOffers: a server that asks for a file in answer to
// any other statement gets nothing, and the client is not asked.
func TestLiveFileThatNoStatementOffers(t *testing.T) {
	address, after := scripted(t, append([]byte{mywire.MarkLocalFile}, "/etc/passwd"...))
	w := start(t, setup{upstream: address})
	c := w.raw("ana", nil)
	c.say(mywire.AppendQuery(nil, "SELECT 'now'", 0))
	if b, err := c.Reader.Body(1 << 16); err == nil && (len(b) == 0 || b[0] != mywire.MarkErr || strings.Contains(string(b), "passwd")) {
		t.Errorf("the client was asked: %q", b)
	}
	select {
	case rest := <-after:
		if len(rest) > 0 {
			t.Errorf("the server got %q", rest)
		}
	case <-time.After(10 * time.Second):
		t.Error("the server's connection stays open")
	}
}

// TestLiveAnotherVersion: definitions of a server of another version say nothing
// of what a text means here.
func TestLiveAnotherVersion(t *testing.T) {
	address, _ := scripted(t, []byte{mywire.MarkOK, 0, 0, 2, 0, 0, 0})
	w := start(t, setup{upstream: address})
	gaps := make(chan string, 10)
	w.gate.tickets = func(s gate.Statement) *gate.Ticket {
		gaps <- fmt.Sprint(s.Facts.Complete, s.Facts.Gaps)
		return &gate.Ticket{Facts: s.Facts}
	}
	c := w.raw("ana", func(c *upstream.Config) { c.Database = "" })
	for len(gaps) > 0 {
		<-gaps
	}
	c.say(mywire.AppendQuery(nil, "SELECT 'now'", 0))
	select {
	case got := <-gaps:
		if !strings.Contains(got, "false") || !strings.Contains(got, "the session's server is 5.5.5-10.11.0-MariaDB") {
			t.Errorf("gaps %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was asked")
	}
}

// TestLiveUnexpectedPackets: what the protocol does not allow ends the session.
func TestLiveUnexpectedPackets(t *testing.T) {
	for name, payloads := range map[string][][]byte{
		"a row without definitions": {{1}, {3, 'd', 'e', 'f'}},
		"a result of no columns":    {{0xfc, 0, 0}},
		"an empty packet":           {{}},
		"a torn error":              {{mywire.MarkErr, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := scripted(t, payloads...)
			w := start(t, setup{upstream: address})
			w.gate.tickets = masked
			c := w.raw("ana", nil)
			if _, err := c.Query("SELECT 'now'", nil); err == nil {
				t.Error("the client took it for an answer")
			}
			if _, err := c.Query("SELECT 1", nil); err == nil {
				t.Error("the session goes on")
			}
		})
	}
}
