package pgsession_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
)

// cancelWith sends a CancelRequest and waits until weir closes the connection.
func (w *weir) cancelWith(pid uint32, key []byte) {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(pgwire.AppendCancel(nil, pgwire.BackendKey{PID: pid, Key: key})); err != nil {
		w.t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || len(b) != 0 {
		w.t.Fatalf("a cancel request was answered: %q, %v", b, err)
	}
}

// sleeping starts a statement and returns a channel with its error.
func sleeping(t *testing.T, c *pgx.Conn, seconds string) chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx := within(t)
	go func() { // ends with the statement
		_, err := c.Exec(ctx, "select pg_sleep("+seconds+")")
		done <- err
	}()
	running(t, "select pg_sleep("+seconds+")")
	return done
}

// running waits until the server runs a statement.
func running(t *testing.T, sql string) {
	t.Helper()
	ctx := within(t)
	c, err := pgx.Connect(ctx, server(t).URL("app", "app", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for n := 0; n == 0; time.Sleep(10 * time.Millisecond) {
		err := c.QueryRow(ctx, "select count(*) from pg_stat_activity where query = $1 and state = 'active' and backend_type = 'client backend'", sql).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
	}
}

func canceled(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "57014"
}

func TestLiveCancel(t *testing.T) {
	for _, version := range []string{"3.0", "3.2"} {
		w := start(t, setup{})
		c := w.connect("max_protocol_version=" + version)
		key := c.PgConn().SecretKey()
		if want := map[string]int{"3.0": 4, "3.2": 32}[version]; len(key) != want {
			t.Fatalf("%s: a key of %d bytes", version, len(key))
		}
		done := sleeping(t, c, "10")
		if err := c.PgConn().CancelRequest(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !canceled(err) {
			t.Fatalf("got %v", err)
		}
		if err := c.Ping(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLiveCancelWithAWrongKey(t *testing.T) {
	w := start(t, setup{})
	a, b := w.connect(""), w.connect("")
	key := append([]byte(nil), a.PgConn().SecretKey()...)
	done := sleeping(t, a, "1")
	wrong := append([]byte(nil), key...)
	wrong[0]++
	w.cancelWith(a.PgConn().PID(), wrong)
	w.cancelWith(a.PgConn().PID(), b.PgConn().SecretKey())
	w.cancelWith(b.PgConn().PID(), key)
	w.cancelWith(a.PgConn().PID(), append(key, 0))
	w.cancelWith(a.PgConn().PID()+1, key)
	if err := <-done; err != nil {
		t.Fatalf("the statement ended with %v", err)
	}
}

func TestLiveCancelOfAnIdleSessionHarmsNothing(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx := within(t)
	for range 20 {
		w.cancelWith(c.PgConn().PID(), c.PgConn().SecretKey())
		if _, err := c.Exec(ctx, "select pg_sleep(0.001)"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLiveCancelRacesWithTheNextStatement(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx := within(t)
	stop := make(chan struct{})
	ended := make(chan struct{})
	pid, key := c.PgConn().PID(), c.PgConn().SecretKey()
	go func() { // ends when stop is closed
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				w.cancelWith(pid, key)
			}
		}
	}()
	for range 200 {
		if _, err := c.Exec(ctx, "select 1"); err != nil && !canceled(err) {
			t.Fatal(err)
		}
	}
	close(stop)
	<-ended
	if _, err := c.Exec(ctx, "select 1"); err != nil {
		t.Fatal(err)
	}
}

func TestLiveNotify(t *testing.T) {
	w := start(t, setup{})
	a, b := w.connect(""), w.connect("")
	ctx := within(t)
	if _, err := a.Exec(ctx, "listen news"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec(ctx, "notify news, 'hello'"); err != nil {
		t.Fatal(err)
	}
	n, err := a.WaitForNotification(ctx)
	if err != nil || n.Payload != "hello" {
		t.Fatalf("got %v, %v", n, err)
	}
}

func TestLiveEndUser(t *testing.T) {
	w := start(t, setup{})
	busy, idle := w.connect(""), w.connect("")
	done := sleeping(t, busy, "20")
	begin := time.Now()
	if n := w.server.EndUser("local|ana", proxy.EndUserDisabled); n != 2 {
		t.Fatalf("%d sessions ended", n)
	}
	var pe *pgconn.PgError
	if err := <-done; !errors.As(err, &pe) || pe.Code != "28000" || pe.Severity != "FATAL" {
		t.Fatalf("got %v", err)
	}
	if _, err := idle.Exec(within(t), "select 1"); err == nil {
		t.Fatal("the idle session lives on")
	}
	for len(w.server.Sessions()) > 0 {
		if time.Since(begin) > time.Second {
			t.Fatal("sessions live on")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestLiveDrain(t *testing.T) {
	w := start(t, setup{})
	idle, open := w.connect(""), w.connect("")
	ctx := within(t)
	if _, err := open.Exec(ctx, "begin"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.server.Shutdown(ctx) }() // ends with the sessions
	var pe *pgconn.PgError
	for begin := time.Now(); ; {
		_, err := idle.Exec(ctx, "select 1")
		if errors.As(err, &pe) && pe.Code == "57P01" || err != nil && idle.IsClosed() {
			break
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatalf("the idle session lives on: %v", err)
		}
	}
	if _, err := open.Exec(ctx, "select 1"); err != nil {
		t.Fatalf("a session in a transaction was cut off: %v", err)
	}
	if _, err := open.Exec(ctx, "commit"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestLiveShutdownCutsOffAtLast(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	done := sleeping(t, c, "20")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := w.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	var pe *pgconn.PgError
	if err := <-done; !errors.As(err, &pe) || pe.Code != "57P01" {
		t.Fatalf("got %v", err)
	}
}

func TestLiveLimits(t *testing.T) {
	w := start(t, setup{proxy: proxy.Options{MaxConnections: 3, MaxPerUser: 2}})
	w.connect("")
	w.connect("")
	try := func(user string) string {
		ctx := within(t)
		c, err := pgx.Connect(ctx, "postgres://"+user+":secret@"+w.addr+"/shop?sslmode=require")
		if err == nil {
			_ = c.Close(ctx)
			return ""
		}
		var pe *pgconn.PgError
		if !errors.As(err, &pe) {
			t.Fatal(err)
		}
		return pe.Code + " " + pe.Message
	}
	if got := try("ana"); got != `53300 too many connections for user "ana": the limit is 2` {
		t.Fatalf("got %s", got)
	}
	time.Sleep(100 * time.Millisecond)
	third := w.connectAs("bob")
	if got := try("carl"); got != "53300 sorry, too many clients already" {
		t.Fatalf("got %s", got)
	}
	_ = third.Close(context.Background())
}

func TestLiveCancelKeysDiffer(t *testing.T) {
	w := start(t, setup{})
	seen := map[uint64]bool{}
	for range 5 {
		c := w.connect("")
		k := uint64(c.PgConn().PID())<<32 | uint64(binary.BigEndian.Uint32(c.PgConn().SecretKey()))
		if seen[k] {
			t.Fatal("a key came twice")
		}
		seen[k] = true
	}
}
