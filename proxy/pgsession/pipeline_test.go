package pgsession_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/weirdb/weir/proxy/gate"
)

// script is what a client sends. BAD stands for a statement that fails on the
// server, and that is denied by weir.
type script []pgproto3.FrontendMessage

func query(sql string) *pgproto3.Query { return &pgproto3.Query{String: sql} }
func prepare(name, sql string) *pgproto3.Parse {
	return &pgproto3.Parse{Name: name, Query: sql}
}
func bind(portal, name string) *pgproto3.Bind {
	return &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: name}
}
func execute(portal string) *pgproto3.Execute { return &pgproto3.Execute{Portal: portal} }

var syncMessage = &pgproto3.Sync{}

// scripts hold a denial in every position. Each is played directly, where BAD
// is a statement that the server itself refuses, and through weir.
var scripts = map[string]script{
	"alone":             {query("BAD")},
	"first":             {query("BAD; select 1")},
	"in the middle":     {query("select 1; BAD; select 2")},
	"last":              {query("select 1; select 2; BAD")},
	"between queries":   {query("select 1"), query("BAD"), query("select 2")},
	"in a transaction":  {query("begin"), query("BAD"), query("select 1"), query("BAD"), query("rollback"), query("select 1")},
	"savepoint":         {query("begin"), query("savepoint s"), query("BAD"), query("rollback to s"), query("select 1"), query("commit")},
	"undone work":       {query("insert into plain values (-1, 'x'); BAD"), query("select count(*) from plain where id = -1")},
	"parse":             {prepare("", "BAD"), bind("", ""), execute(""), syncMessage, query("select 1")},
	"named parse":       {prepare("s", "BAD"), syncMessage, bind("", "s"), syncMessage, prepare("s", "select 1"), bind("", "s"), execute(""), syncMessage},
	"pipeline":          {prepare("", "select 1"), bind("", ""), execute(""), prepare("", "BAD"), bind("", ""), execute(""), prepare("", "select 3"), syncMessage, query("select 4")},
	"pipelined batches": {prepare("", "BAD"), syncMessage, prepare("", "select 1"), bind("", ""), execute(""), syncMessage},
	"the unnamed statement goes with a Query": {prepare("", "select 1"), syncMessage, query("BAD"), bind("", ""), syncMessage},
	"the unnamed statement stays":             {prepare("", "select 1"), syncMessage, prepare("x", "BAD"), syncMessage, bind("", ""), execute(""), syncMessage},
	"portals go with their transaction":       {query("begin"), prepare("", "select 1"), bind("p", ""), query("BAD"), execute("p"), syncMessage, query("rollback")},
	"implicit transaction":                    {prepare("", "insert into plain values (-2, 'y')"), bind("", ""), execute(""), prepare("", "BAD"), syncMessage, query("select count(*) from plain where id = -2")},
	"flush":                                   {prepare("", "select 1"), &pgproto3.Flush{}, bind("", ""), &pgproto3.Flush{}, execute(""), &pgproto3.Flush{}, prepare("", "BAD"), &pgproto3.Flush{}, syncMessage},
	"query while skipping":                    {prepare("", "BAD"), query("select 1"), syncMessage},
	"nothing bad":                             {prepare("", "select g from generate_series(1, 5) g"), &pgproto3.Describe{ObjectType: 'S'}, bind("", ""), &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 2}, &pgproto3.Execute{MaxRows: 2}, &pgproto3.Execute{}, &pgproto3.Close{ObjectType: 'P'}, syncMessage},
	"empty":                                   {query(""), query(" ; "), prepare("", ""), bind("", ""), execute(""), syncMessage},
	"copy in":                                 {query("copy plain from stdin"), &pgproto3.CopyData{Data: []byte("-3\tz\n")}, &pgproto3.CopyDone{}, query("delete from plain where id = -3")},
	"copy in fails":                           {query("copy plain from stdin"), &pgproto3.CopyData{Data: []byte("x\n")}, &pgproto3.CopyDone{}, query("select 1")},
	"copy fail":                               {query("copy plain from stdin"), &pgproto3.CopyFail{Message: "no"}, query("select 1")},
	"copy in, extended":                       {prepare("", "copy plain from stdin"), bind("", ""), execute(""), syncMessage, &pgproto3.CopyData{Data: []byte("-4\tz\n")}, &pgproto3.CopyDone{}, syncMessage, query("delete from plain where id = -4")},
	"copy data out of place":                  {&pgproto3.CopyData{Data: []byte("x")}, &pgproto3.CopyDone{}, query("select 1")},
	"close of what is not there":              {&pgproto3.Close{ObjectType: 'S', Name: "nope"}, &pgproto3.Close{ObjectType: 'P', Name: "nope"}, syncMessage},
	"function call":                           {&pgproto3.FunctionCall{Function: 1242, ResultFormatCode: 0}, query("select 1")},
	"a query inside copy":                     {query("set application_name = 'x'; copy plain from stdin"), query("select 1")},
	"sql prepare":                             {query("prepare q as select 7"), bind("", "q"), execute(""), syncMessage, query("execute q; deallocate q")},
	"notices":                                 {query("do $$begin raise notice 'hi'; end$$; drop table if exists not_there")},
}

// play sends a script and lists what comes back: types, SQLSTATEs, states.
func play(t *testing.T, url string, s script, bad string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	h, err := c.PgConn().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Conn.Close()
	_ = h.Conn.SetDeadline(time.Now().Add(10 * time.Second))
	var out bytes.Buffer
	f := pgproto3.NewFrontend(h.Conn, &out)
	for _, m := range s {
		switch m := m.(type) {
		case *pgproto3.Query:
			f.Send(&pgproto3.Query{String: strings.ReplaceAll(m.String, "BAD", bad)})
		case *pgproto3.Parse:
			f.Send(&pgproto3.Parse{Name: m.Name, Query: strings.ReplaceAll(m.Query, "BAD", bad)})
		default:
			f.Send(m)
		}
	}
	f.Send(&pgproto3.Terminate{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	send(t, h.Conn, out.Bytes())
	var story []string
	for {
		m, err := f.Receive()
		if err != nil {
			return strings.Join(story, " ")
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			code := m.Code
			if code == "42P01" && strings.Contains(m.Message, "not_there") || code == "42501" {
				code = "BAD"
			}
			story = append(story, "E"+code)
		case *pgproto3.ReadyForQuery:
			story = append(story, "Z"+string(m.TxStatus))
		case *pgproto3.CommandComplete:
			story = append(story, "C("+string(m.CommandTag)+")")
		case *pgproto3.DataRow:
			story = append(story, fmt.Sprintf("D%q", m.Values))
		default:
			story = append(story, strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3."))
		}
	}
}

// TestLiveDenialsBehaveAsErrors plays every script directly and through weir: what
// comes back is the same, message by message.
func TestLiveDenialsBehaveAsErrors(t *testing.T) {
	w := start(t, setup{})
	w.gate.denies = "forbidden"
	direct := server(t).URL("app", "app", "postgres")
	for name, s := range scripts {
		t.Run(name, func(t *testing.T) {
			want := play(t, direct, s, "table not_there")
			got := play(t, "postgres://ana:secret@"+w.addr+"/shop?sslmode=require", s, "table forbidden")
			if got != want {
				t.Fatalf("through weir: %s\n    directly: %s", got, want)
			}
		})
	}
}

// TestLiveDenialAtExecution: what Parse lets pass is decided again when it runs.
func TestLiveDenialAtExecution(t *testing.T) {
	w := start(t, setup{})
	w.gate.denies = "late"
	s := script{prepare("", "select 1"), prepare("l", "select 'late'"), bind("", "l"), execute(""), bind("", ""), syncMessage,
		bind("", ""), execute(""), syncMessage}
	got := play(t, "postgres://ana:secret@"+w.addr+"/shop?sslmode=require", s, "")
	want := "ParseComplete ParseComplete BindComplete EBAD ZI BindComplete D[\"1\"] C(SELECT 1) ZI"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestLiveFunctionCallDenied(t *testing.T) {
	w := start(t, setup{})
	w.gate.denies = "1242"
	got := play(t, "postgres://ana:secret@"+w.addr+"/shop?sslmode=require", script{&pgproto3.FunctionCall{Function: 1242}, query("select 1")}, "")
	if want := "EBAD ZI RowDescription D[\"1\"] C(SELECT 1) ZI"; got != want {
		t.Fatalf("got %s", got)
	}
}

// TestLiveEveryTicketIsDone: each statement's outcome is recorded once.
func TestLiveEveryTicketIsDone(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx := within(t)
	if _, err := c.Exec(ctx, "select 1; select 2", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	if got := strings.Join(w.gate.judged, "|"); !strings.HasSuffix(got, "select 1|select 2") {
		t.Fatalf("judged: %s", got)
	}
}

// TestLiveCopyBothWays moves data in and out in every format.
func TestLiveCopyBothWays(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx := within(t)
	if _, err := c.Exec(ctx, "create table copied (id int, note text)"); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "csv", "binary"} {
		var b bytes.Buffer
		if _, err := c.PgConn().CopyTo(ctx, &b, "copy (select g, repeat('x', g % 100) from generate_series(1, 20000) g) to stdout with (format "+format+")"); err != nil {
			t.Fatal(err)
		}
		tag, err := c.PgConn().CopyFrom(ctx, &b, "copy copied from stdin with (format "+format+")")
		if err != nil || tag.RowsAffected() != 20000 {
			t.Fatalf("%s: %v, %v", format, tag, err)
		}
	}
	_, err := c.PgConn().CopyFrom(ctx, strings.NewReader("no number\n"), "copy copied from stdin")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		t.Fatalf("got %v", err)
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestLiveBatch sends pgx's own pipelines.
func TestLiveBatch(t *testing.T) {
	w := start(t, setup{})
	w.gate.tickets = func(string) *gate.Ticket { return &gate.Ticket{} }
	c := w.connect("")
	ctx := within(t)
	b := &pgx.Batch{}
	for i := range 300 {
		b.Queue("select $1::int", i)
	}
	r := c.SendBatch(ctx, b)
	for i := range 300 {
		var n int
		if err := r.QueryRow().Scan(&n); err != nil || n != i {
			t.Fatalf("%d: %d, %v", i, n, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
