package pgsession_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/pgsession"
)

// dial opens a bare connection to weir.
func (w *weir) dial() net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

func send(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

func startupMessage(v pgwire.Version, params ...string) []byte {
	var list []pgwire.Param
	for i := 0; i < len(params); i += 2 {
		list = append(list, pgwire.Param{Name: params[i], Value: params[i+1]})
	}
	return pgwire.AppendStartup(nil, v, list)
}

// farewell reads to the end and returns the last error.
func farewell(t *testing.T, c net.Conn) *pgproto3.ErrorResponse {
	t.Helper()
	f := pgproto3.NewFrontend(c, c)
	var last *pgproto3.ErrorResponse
	for {
		m, err := f.Receive()
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
				t.Fatalf("the connection did not end: %v", err)
			}
			return last
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			copied := *e
			last = &copied
		}
	}
}

func TestLiveStartupRefusals(t *testing.T) {
	w := start(t, setup{})
	junk := func(b ...byte) []byte { return b }
	for _, c := range []struct {
		name    string
		send    []byte
		state   string
		message string
	}{
		{"replication", startupMessage(pgwire.Version30, "user", "ana", "replication", "database"), "0A000", "replication"},
		{"bad replication", startupMessage(pgwire.Version30, "user", "ana", "replication", "perhaps"), "22023", "replication"},
		{"no user", startupMessage(pgwire.Version30, "database", "shop"), "28000", "user"},
		{"protocol 2", startupMessage(2<<16, "user", "ana"), "0A000", "unsupported"},
		{"protocol 4", startupMessage(4<<16, "user", "ana"), "0A000", "unsupported"},
		{"zero length", junk(0, 0, 0, 0), "08P01", "length"},
		{"huge length", junk(0x7f, 0xff, 0xff, 0xff), "08P01", "length"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "08P01", "length"},
		{"no terminator", junk(0, 0, 0, 12, 0, 3, 0, 0, 'u', 's', 'e', 'r'), "08P01", "terminator"},
		{"a message instead of the SASL response", append(startupMessage(pgwire.Version30, "user", "ana"), 'Q', 0, 0, 0, 6, ';', 0), "08P01", "SASL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := w.dial()
			send(t, conn, c.send)
			e := farewell(t, conn)
			if e == nil || e.Code != c.state || e.Severity != "FATAL" || !strings.Contains(e.Message, c.message) {
				t.Fatalf("got %+v", e)
			}
		})
	}
}

func TestLivePlaintextRefused(t *testing.T) {
	w := start(t, setup{tlsOnly: true})
	c := w.dial()
	send(t, c, startupMessage(pgwire.Version30, "user", "ana", "database", "shop"))
	if e := farewell(t, c); e == nil || e.Code != "28000" || !strings.Contains(e.Hint, "sslmode=require") {
		t.Fatalf("got %+v", e)
	}
}

func TestLiveEncryptionRequests(t *testing.T) {
	w := start(t, setup{})
	c := w.dial()
	var answer [1]byte
	send(t, c, []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30}) // GSSENCRequest
	if _, err := io.ReadFull(c, answer[:]); err != nil || answer[0] != 'N' {
		t.Fatalf("GSSENCRequest: got %q, %v", answer, err)
	}
	send(t, c, pgwire.AppendTLSRequest(nil))
	if _, err := io.ReadFull(c, answer[:]); err != nil || answer[0] != 'S' {
		t.Fatalf("SSLRequest: got %q, %v", answer, err)
	}
	secure := tls.Client(c, &tls.Config{RootCAs: w.roots, ServerName: "localhost"})
	send(t, secure, startupMessage(pgwire.Version30, "user", "ana"))
	f := pgproto3.NewFrontend(secure, secure)
	m, err := f.Receive()
	if err != nil {
		t.Fatal(err)
	}
	sasl, ok := m.(*pgproto3.AuthenticationSASL)
	if !ok || strings.Join(sasl.AuthMechanisms, " ") != "SCRAM-SHA-256-PLUS SCRAM-SHA-256" {
		t.Fatalf("got %+v", m)
	}
}

func TestLiveSmuggledBytesAreRefused(t *testing.T) {
	w := start(t, setup{})
	c := w.dial()
	send(t, c, append(pgwire.AppendTLSRequest(nil), startupMessage(pgwire.Version30, "user", "ana")...))
	if e := farewell(t, c); e == nil || e.Code != "08P01" || !strings.Contains(e.Message, "unencrypted") {
		t.Fatalf("got %+v", e)
	}
}

func TestLiveDirectTLS(t *testing.T) {
	w := start(t, setup{})
	for _, c := range []struct {
		protocols []string
		works     bool
	}{{[]string{"postgresql"}, true}, {nil, false}, {[]string{"http/1.1"}, false}} {
		secure := tls.Client(w.dial(), &tls.Config{RootCAs: w.roots, ServerName: "localhost", NextProtos: c.protocols})
		err := secure.Handshake()
		if err == nil {
			_, err = secure.Write(startupMessage(pgwire.Version30, "user", "ana"))
		}
		var head [1]byte
		if err == nil {
			_, err = io.ReadFull(secure, head[:])
		}
		if works := err == nil && head[0] == 'R'; works != c.works {
			t.Errorf("%v: %v, %q", c.protocols, err, head)
		}
	}
}

func TestLiveOldTLSIsRefused(t *testing.T) {
	w := start(t, setup{})
	c := tls.Client(w.dial(), &tls.Config{RootCAs: w.roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, NextProtos: []string{"postgresql"}})
	if err := c.Handshake(); err == nil {
		t.Fatal("TLS 1.1 was accepted")
	}
}

func TestLiveNegotiateProtocolVersion(t *testing.T) {
	w := start(t, setup{})
	c := w.dial()
	send(t, c, startupMessage(3<<16|9999, "user", "ana", "_pq_.command_tags", "1"))
	f := pgproto3.NewFrontend(c, c)
	m, err := f.Receive()
	if err != nil {
		t.Fatal(err)
	}
	n, ok := m.(*pgproto3.NegotiateProtocolVersion)
	if !ok || len(n.UnrecognizedOptions) != 1 || n.UnrecognizedOptions[0] != "_pq_.command_tags" {
		t.Fatalf("got %+v", m)
	}
}

func TestLiveLoginFailures(t *testing.T) {
	w := start(t, setup{})
	try := func(user, password, database string) string {
		ctx := within(t)
		c, err := pgx.Connect(ctx, "postgres://"+user+":"+password+"@"+w.addr+"/"+database+"?sslmode=require")
		if err == nil {
			_ = c.Close(ctx)
			return "in"
		}
		var pe *pgconn.PgError
		if !errors.As(err, &pe) {
			t.Fatal(err)
		}
		return pe.Severity + " " + pe.Code + " " + pe.Message
	}
	for _, c := range []struct{ user, password, database, want string }{
		{"ana", "secret", "shop", "in"},
		{"ana", "wrong", "shop", `FATAL 28P01 password authentication failed for user "ana"`},
		{"nobody", "secret", "shop", `FATAL 28P01 password authentication failed for user "nobody"`},
		{"ana", "wrong", "elsewhere", `FATAL 28P01 password authentication failed for user "ana"`},
		{"ana", "secret", "elsewhere", `FATAL 3D000 datasource "elsewhere" does not exist`},
	} {
		if got := try(c.user, c.password, c.database); got != c.want {
			t.Errorf("%v: got %s", c, got)
		}
	}
}

func TestLiveUpstreamUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	w := start(t, setup{address: address})
	_, err = pgx.Connect(within(t), "postgres://ana:secret@"+w.addr+"/shop?sslmode=require")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "08006" || strings.Contains(pe.Message+pe.Detail+pe.Hint, "127.0.0.1") {
		t.Fatalf("got %v", err)
	}
}

func TestLiveStartupParametersReachTheServer(t *testing.T) {
	w := start(t, setup{})
	host, port, _ := strings.Cut(w.addr, ":")
	cmd := exec.Command("psql", "-XAtc", "select current_setting('application_name'), current_setting('TimeZone'), current_setting('work_mem')",
		"host="+host+" port="+port+" user=ana password=secret dbname=shop application_name=report options='-c work_mem=1234kB'")
	cmd.Env = append(cmd.Environ(), "PGTZ=Asia/Tokyo")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "report|Asia/Tokyo|1234kB\n" {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestLiveReadOnlyDatasource(t *testing.T) {
	w := start(t, setup{readOnly: true})
	c := w.connect("options=-c%20work_mem%3D1234kB")
	ctx := within(t)
	var read, mem string
	if err := c.QueryRow(ctx, "select current_setting('transaction_read_only'), current_setting('work_mem')").Scan(&read, &mem); err != nil || read != "on" || mem != "1234kB" {
		t.Fatalf("got %s %s, %v", read, mem, err)
	}
	// The gate refuses this; if it did not, the session would end.
	_, err := c.Exec(ctx, "set default_transaction_read_only = off")
	if err == nil {
		_, err = c.Exec(ctx, "select 1")
	}
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "25006" {
		t.Fatalf("got %v", err)
	}
	for _, params := range []string{"options=-c%20default_transaction_read_only%3Doff", "options=--default-transaction-read-only%3Doff",
		"default_transaction_read_only=off", "Default_Transaction_Read_Only=off", "transaction_read_only=off"} {
		_, err := pgx.Connect(ctx, "postgres://ana:secret@"+w.addr+"/shop?sslmode=require&"+params)
		if !errors.As(err, &pe) || pe.Code != "42501" {
			t.Errorf("%s: got %v", params, err)
		}
	}
}

func TestLiveStartupTimeout(t *testing.T) {
	w := start(t, setup{options: pgsession.Options{StartupTimeout: 200 * time.Millisecond}})
	c := w.dial()
	send(t, c, []byte{0, 0})
	if e := farewell(t, c); e == nil || e.Code != "08006" {
		t.Fatalf("got %+v", e)
	}
}

func TestLiveIdleTimeouts(t *testing.T) {
	w := start(t, setup{options: pgsession.Options{IdleTimeout: 300 * time.Millisecond, IdleInTransaction: 150 * time.Millisecond}})
	idle, open, busy := w.connect(""), w.connect(""), w.connect("")
	ctx := within(t)
	if _, err := open.Exec(ctx, "begin"); err != nil {
		t.Fatal(err)
	}
	if _, err := busy.Exec(ctx, "select pg_sleep(1)"); err != nil {
		t.Fatalf("a session that waits for the server is not idle: %v", err)
	}
	for _, c := range []struct {
		conn  *pgx.Conn
		state string
	}{{idle, "57P05"}, {open, "25P03"}} {
		_, err := c.conn.Exec(ctx, "select 1")
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != c.state {
			t.Fatalf("want %s, got %v", c.state, err)
		}
	}
}

func TestLiveDisabledDuringLogin(t *testing.T) {
	w := start(t, setup{options: pgsession.Options{Recheck: func(context.Context, *auth.Identity) error { return errors.New("disabled") }}})
	c, err := pgx.Connect(within(t), "postgres://ana:secret@"+w.addr+"/shop?sslmode=require")
	if err == nil {
		_, err = c.Exec(within(t), "select 1")
	}
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "28000" {
		t.Fatalf("got %v", err)
	}
	waitSessions(t, w, 0)
}

func TestReasonsHaveCodesAndSentences(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range proxy.EndReasons() {
		if r.String() == "" || r.Doc() == "" || seen[r.String()] {
			t.Errorf("reason %d: %q, %q", r, r.String(), r.Doc())
		}
		seen[r.String()] = true
	}
}
