package pgsession_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/weirdb/weir/proxy/gate"
)

// raw logs in and gives the bare connection.
func (w *weir) raw() net.Conn {
	w.t.Helper()
	cfg, err := pgx.ParseConfig("postgres://ana:secret@" + w.addr + "/shop?sslmode=disable")
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := pgx.ConnectConfig(within(w.t), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	h, err := c.PgConn().Hijack()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = h.Conn.Close() })
	_ = h.Conn.SetDeadline(time.Now().Add(10 * time.Second))
	return h.Conn
}

func frame(typ byte, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4))
	return append(b, body...)
}

// ended reads until weir closes the connection.
func ended(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("the connection did not end: %v", err)
	}
	return string(b)
}

// TestLiveMalformedFrames sends every type of message with bodies of 0 to 8 bytes.
// Each is answered, by the server or by weir, or ends that one session with a
// protocol violation.
func TestLiveMalformedFrames(t *testing.T) {
	w := start(t, setup{noTLS: false})
	canary := w.connect("")
	types := []byte("QPBDECSHFdcfXRpA\x00\xff")
	for _, fill := range []byte{0, 0xff} {
		for _, typ := range types {
			for n := range 9 {
				if fill != 0 && n%4 != 3 {
					continue
				}
				body := make([]byte, n)
				for i := range body {
					body[i] = fill
				}
				c := w.raw()
				// A Sync and a Terminate make every session end.
				send(t, c, append(append(frame(typ, body...), frame('S')...), frame('X')...))
				got := ended(t, c)
				if strings.Contains(got, "XX000") {
					t.Fatalf("%q with %d bytes of %d: %q", typ, n, fill, got)
				}
			}
		}
	}
	if err := canary.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestLiveImpossibleFrames(t *testing.T) {
	w := start(t, setup{})
	for _, c := range []struct {
		name  string
		send  []byte
		state string
	}{
		{"length below four", []byte{'Q', 0, 0, 0, 3}, "08P01"},
		{"negative length", []byte{'Q', 0xff, 0xff, 0xff, 0xff}, "08P01"},
		{"huge length", []byte{'Q', 0x7f, 0xff, 0xff, 0xff}, "54000"},
		{"a long Sync", append([]byte{'S', 0, 1, 0, 0}, make([]byte, 10)...), "54000"},
		{"unknown type", frame('y'), "08P01"},
		{"a message of the server", frame('Z', 'I'), "08P01"},
		{"a password after login", frame('p', 'x', 0), "08P01"},
		{"Query without its NUL", frame('Q', 'x'), "08P01"},
		{"Query with a NUL inside", frame('Q', 'x', 0, 'y', 0), "08P01"},
		{"Parse cut short", frame('P', 0), "08P01"},
		{"Bind of negative numbers", frame('B', 0, 0, 0xff, 0xff), "08P01"},
		{"Describe of nothing", frame('D', 'x', 0), "08P01"},
		{"Sync with a body", frame('S', 0), "08P01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := w.raw()
			send(t, conn, c.send)
			if e := farewell(t, conn); e == nil || e.Code != c.state || e.Severity != "FATAL" {
				t.Fatalf("got %+v", e)
			}
		})
	}
}

func TestLivePanicIsContained(t *testing.T) {
	w := start(t, setup{})
	bystander, c := w.connect(""), w.connect("")
	w.gate.tickets = func(sql string) *gate.Ticket {
		if strings.Contains(sql, "boom") {
			panic("boom")
		}
		return nil
	}
	_, err := c.Exec(within(t), "select 'boom'")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "XX000" || pe.Severity != "FATAL" {
		t.Fatalf("got %v", err)
	}
	if err := bystander.Ping(within(t)); err != nil {
		t.Fatal(err)
	}
}

// cutter is a relay that drops a connection after so many bytes of the server.
type cutter struct {
	l     net.Listener
	to    string       // the server
	after atomic.Int64 // bytes from the server until the cut; negative for none
}

func newCutter(t *testing.T) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	db := server(t)
	c := &cutter{l: l, to: net.JoinHostPort(db.Host, strconv.Itoa(db.Port))}
	c.after.Store(-1)
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(client) // ends with the connection
		}
	}()
	return c
}

func (c *cutter) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { // ends with either connection
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	b := make([]byte, 1)
	for {
		if n := c.after.Load(); n == 0 {
			return
		} else if n > 0 {
			c.after.Store(n - 1)
		}
		if _, err := io.ReadFull(server, b); err != nil {
			return
		}
		if _, err := client.Write(b); err != nil {
			return
		}
	}
}

// TestLiveServerDropsAtEveryByte cuts the server off inside a result.
func TestLiveServerDropsAtEveryByte(t *testing.T) {
	cut := newCutter(t)
	w := start(t, setup{address: cut.l.Addr().String(), noTLS: true})
	oid := usersOID(t, w.connect(""))
	w.gate.tickets = masked(w, oid)
	for n := int64(0); n < 300; n += 7 {
		cut.after.Store(-1)
		c := w.connect("")
		if err := c.Ping(within(t)); err != nil {
			t.Fatal(err)
		}
		cut.after.Store(n)
		_, err := c.Exec(within(t), "select id, email from users where id < 8", pgx.QueryExecModeSimpleProtocol)
		if err == nil {
			t.Fatalf("after %d bytes the statement succeeded", n)
		}
		var pe *pgconn.PgError
		if errors.As(err, &pe) && (pe.Code != "08006" || pe.Severity != "FATAL") {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		if _, err := c.Exec(within(t), "select 1"); err == nil {
			t.Fatal("the session lives on")
		}
	}
}

// TestLiveClientDropsAtEveryByte cuts the client off inside its messages.
func TestLiveClientDropsAtEveryByte(t *testing.T) {
	w := start(t, setup{})
	pipeline := append(frame('P', append([]byte("s\x00select id, email from users where id < $1\x00"), 0, 0)...),
		frame('B', append([]byte("\x00s\x00"), 0, 0, 0, 1, 0, 0, 0, 1, '9', 0, 0)...)...)
	pipeline = append(pipeline, frame('E', 0, 0, 0, 0, 0)...)
	pipeline = append(pipeline, frame('S')...)
	for n := 0; n < len(pipeline); n += 3 {
		c := w.raw()
		send(t, c, pipeline[:n])
		_ = c.Close()
	}
	waitSessions(t, w, 0)
}

func waitSessions(t *testing.T, w *weir, n int) {
	t.Helper()
	for begin := time.Now(); len(w.server.Sessions()) > n; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%d sessions live on", len(w.server.Sessions()))
		}
	}
}

// TestLiveDroppedClientStopsItsStatement: what nobody waits for does not run on.
func TestLiveDroppedClientStopsItsStatement(t *testing.T) {
	w := start(t, setup{})
	c := w.raw()
	send(t, c, frame('Q', []byte("select pg_sleep(60), 'abandoned'\x00")...))
	running(t, "select pg_sleep(60), 'abandoned'")
	_ = c.Close()
	waitSessions(t, w, 0)
	probe := w.connect("")
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		var n int
		if err := probe.QueryRow(within(t), "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatal("the statement runs on")
		}
	}
}

// TestLiveSlowReader: a client that takes nothing costs bounded memory and ends.
func TestLiveSlowReader(t *testing.T) {
	s := setup{}
	s.options.WriteStall = 300 * time.Millisecond
	w := start(t, s)
	c := w.raw()
	send(t, c, frame('Q', []byte("select repeat('x', 10000) from generate_series(1, 100000)\x00")...))
	waitSessions(t, w, 0)
	_ = c.Close()
}

func TestLiveStalledMessage(t *testing.T) {
	s := setup{}
	s.options.Stall = 200 * time.Millisecond
	w := start(t, s)
	c := w.raw()
	send(t, c, []byte{'Q', 0, 0, 0, 20, 's'})
	if e := farewell(t, c); e == nil || e.Code != "08006" {
		t.Fatalf("got %+v", e)
	}
}

func TestLiveLongStatement(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var n int
	text := "select length('" + strings.Repeat("x", 30<<20) + "')"
	if err := c.QueryRow(ctx, text, pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil || n != 30<<20 {
		t.Fatalf("%d, %v", n, err)
	}
}
