package pgsession_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/pgsession"
	"github.com/weirdb/weir/query/pgsql"
)

// rules is a policy that masks the column email of every table for everybody
// but root.
type rules struct{}

func (rules) Decide(_ context.Context, in *policy.Input) (*policy.Decision, error) {
	d := &policy.Decision{Allow: true, Mode: policy.ModeEnforce}
	if in.Statement == nil || in.User.Name == "root" {
		return d, nil
	}
	for _, t := range in.Statement.Tables {
		for _, c := range t.Columns {
			if len(c.Tags) > 0 {
				d.Masks = append(d.Masks, policy.Mask{Schema: t.Schema, Table: t.Name, Column: c.Name, Function: "redact"})
			}
		}
	}
	return d, nil
}

func (rules) Epoch() any { return nil }

func (rules) Tags(_, _, _, _, _, column string) []string {
	if column == "email" {
		return []string{"pii.email"}
	}
	return nil
}

// journal keeps events in memory.
type journal struct {
	mu     sync.Mutex
	events []*audit.Event
}

func (j *journal) Append(_ context.Context, e *audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

func (j *journal) Post(ctx context.Context, e *audit.Event, _ func(error)) error {
	return j.Append(ctx, e)
}

// guarded starts weir with the real analyser, catalog and gate.
func guarded(t *testing.T, o setup) (*weir, *journal) {
	t.Helper()
	db := server(t)
	m := pgsql.NewManager(pgsql.ManagerOptions{Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, db.URL("app", "app", "postgres"))
	}})
	t.Cleanup(m.Close)
	j := &journal{}
	o.catalogs = m
	o.options.Gate = pgsession.FromGate(gate.New(gate.Options{Policy: rules{}, Journal: j}))
	return start(t, o), j
}

// cell runs a text and returns the cells of its last result, or the SQLSTATE.
func cell(t *testing.T, c *pgx.Conn, sql string) string {
	t.Helper()
	results, err := c.PgConn().Exec(within(t), sql).ReadAll()
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	var out []string
	for _, row := range results[len(results)-1].Rows {
		out = append(out, string(bytes.Join(row, []byte("|"))))
	}
	return strings.Join(out, " ")
}

// guardedSteps are one session of somebody for whom email is masked.
var guardedSteps = []struct{ name, sql, want string }{
	{"a masked column", "select email from users where id = 1", "[redacted]"},
	{"another order", "select born, email, id from users where id = 1", "1990-01-02|[redacted]|1"},
	{"a star", "select * from users where id = 1", "1|[redacted]|1990-01-02"},
	{"a view", "select email from mails where id = 1", "[redacted]"},
	{"an expression", "select upper(email) from users", "42501"},
	{"a condition", "select id from users where email = 'x'", "42501"},
	{"after a harmless one", "select 1; select upper(email) from users", "42501"},
	{"nothing protected", "select count(*) from plain where id = 0", "0"},
	{"search_path moves", "set search_path = other, public; select note from users", "x"},
	{"and stays", "select email from users", "[redacted]"},
	{"a rollback moves it back", "begin; set search_path = public; rollback", ""},
	{"to where it was", "select note from users", "x"},
	{"set again", "set search_path = public", ""},
	{"and known", "select born from users where id = 1", "1990-01-02"},
	{"local", "begin; set local search_path = other; select note from users; commit", ""},
	{"local is over", "select born from users where id = 1", "1990-01-02"},
	{"prepared in SQL", "prepare p as select email from users where id = $1; execute p(1)", "[redacted]"},
	{"and executed later", "execute p(2)", "[redacted]"},
	{"a cursor", "begin; declare c cursor for select id, email from users order by id; fetch 1 from c; fetch 1 from c", "2|[redacted]"},
	{"end of it", "commit", ""},
	{"an aborted block after a change", "begin; set search_path = other; select 1/0", "22012"},
	{"can be left", "rollback", ""},
	{"and the change is gone", "select born from users where id = 1", "1990-01-02"},
	{"a change that is undone in the same text", "begin; set search_path = veil; savepoint s; set search_path = public; rollback to s; select note from plain where id = 1", "42501"},
	{"is refused and can be left", "rollback", ""},
	{"a transaction's own path ends in the same text", "set search_path = veil; begin; set local search_path = public; commit; select note from plain where id = 1", "42501"},
	{"back again", "set search_path = public", ""},
	{"a temporary table shadows", "create temp table plain as select 7 as seven", ""},
	{"and is known", "select seven from plain", "7"},
	{"a temporary copy", "create temp table stolen as select email from users", "42501"},
	{"copy", "copy users (email) to stdout", ""},
	{"a function of the user's", "select query_to_xml('select email from users', true, true, '')", "42501"},
	{"an error with a value", "select email::int from users", "42501"},
	{"a statement that cannot be read", "select from from", "42601"},
	{"an explanation", "explain (costs off) select 1", "Result"},
	{"a setting", "show standard_conforming_strings", "on"},
	{"values", "values (1, 'a')", "1|a"},
	{"a table", "table plain", "7"},
	{"in another encoding", "set client_encoding = 'SJIS'", ""},
	{"text cannot be cut", "copy users to stdout", "42501"},
	{"binary can", "copy users to stdout (format binary)", ""},
	{"back", "set client_encoding = 'UTF8'", ""},
	{"and on we go", "select 1", "1"},
}

func TestLiveGuardedSession(t *testing.T) {
	w, _ := guarded(t, setup{})
	root := w.connectAs("root")
	cell(t, root, `create schema if not exists other; create table other.users (id int, email text, note text);
		insert into other.users values (1, 'note@example.com', 'x'); create view mails as select id, email from users;
		create schema veil; create view veil.plain as select id, email as note from public.users`)
	c := w.connectAs("ana")
	for _, s := range guardedSteps {
		if got := cell(t, c, s.sql); got != s.want {
			t.Errorf("%s: %s: got %q, want %q", s.name, s.sql, got, s.want)
		}
	}
}

// TestLiveGuardedExtended is the extended protocol's side of it.
func TestLiveGuardedExtended(t *testing.T) {
	w, j := guarded(t, setup{})
	c := w.connectAs("ana")
	ctx := within(t)
	for range 3 {
		var id int
		var email string
		if err := c.QueryRow(ctx, "select id, email from users where id = $1", 5).Scan(&id, &email); err != nil || email != "[redacted]" {
			t.Fatalf("%q, %v", email, err)
		}
	}
	_, err := c.Exec(ctx, "select id from users where email = $1", "x")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "42501" || pe.Position == 0 {
		t.Fatalf("got %+v", err)
	}
	// A statement prepared under one search_path and run under another.
	if _, err := c.Exec(ctx, "create temp table note (email text)"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Prepare(ctx, "later", "select email from users where id = 1"); err != nil {
		t.Fatal(err)
	}
	root := w.connectAs("root")
	cell(t, root, "create schema if not exists swap; create table if not exists swap.users (id int, email int); insert into swap.users values (1, 42)")
	if _, err := c.Exec(ctx, "set search_path = swap"); err != nil {
		t.Fatal(err)
	}
	r := c.PgConn().ExecPrepared(ctx, "later", nil, nil, nil).Read()
	if r.Err == nil && string(r.Rows[0][0]) != "[redacted]" && string(r.Rows[0][0]) != "42" {
		t.Fatalf("got %q, %v", r.Rows, r.Err)
	}
	w.server.EndUser("local|ana", 0)
	waitSessions(t, w, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	open := map[uint64]int{} // outcomes less intents, by statement
	intents := 0
	for _, e := range j.events {
		if e.UserName != "ana" {
			continue
		}
		switch e.Kind {
		case audit.KindStatementIntent:
			intents++
			open[e.Statement]--
		case audit.KindStatementOutcome:
			open[e.Statement]++
		}
	}
	for n, left := range open {
		if left != 0 {
			t.Errorf("statement %d: %d outcomes more than intents", n, left)
		}
	}
	if intents < 5 {
		t.Fatalf("%d intents", intents)
	}
}

// TestLiveDefinitionsAreSeenAtOnce: what a session or another one defines is known
// to the next statement.
func TestLiveDefinitionsAreSeenAtOnce(t *testing.T) {
	w, _ := guarded(t, setup{})
	root, ana := w.connectAs("root"), w.connectAs("ana")
	cell(t, ana, "select 1")
	cell(t, root, "drop table if exists fresh; create table fresh (id int, email text); insert into fresh values (1, 'new@example.com')")
	if got := cell(t, ana, "select * from fresh"); got != "1|[redacted]" {
		t.Fatalf("got %q", got)
	}
	cell(t, root, "drop table fresh; create table fresh (email text, id int); insert into fresh values ('new@example.com', 1)")
	if got := cell(t, ana, "select * from fresh"); got != "[redacted]|1" {
		t.Fatalf("got %q", got)
	}
}

// TestLiveGuardedCopyFormats masks COPY in every format, with NULLs.
func TestLiveGuardedCopyFormats(t *testing.T) {
	w, _ := guarded(t, setup{})
	cell(t, w.connectAs("root"), `drop table if exists exported; create table exported (id int, email text, note text);
		insert into exported values (1, 'a@example.com', null), (2, null, E'tab\there'), (3, 'b@example.com', 'quote"d')`)
	c := w.connectAs("ana")
	for _, k := range []struct{ sql, want string }{
		{"copy exported to stdout", "1\t[redacted]\t\\N\n2\t[redacted]\ttab\\there\n3\t[redacted]\tquote\"d\n"},
		{"copy exported (email, id) to stdout", "[redacted]\t1\n[redacted]\t2\n[redacted]\t3\n"},
		{"copy (select email, id from exported order by id) to stdout (format csv, header)", "email,id\n[redacted],1\n[redacted],2\n[redacted],3\n"},
		{"copy exported to stdout (format csv, null 'NULL', force_quote *)", "\"1\",\"[redacted]\",NULL\n\"2\",\"[redacted]\",\"tab\there\"\n\"3\",\"[redacted]\",\"quote\"\"d\"\n"},
	} {
		var b bytes.Buffer
		if _, err := c.PgConn().CopyTo(within(t), &b, k.sql); err != nil || b.String() != k.want {
			t.Errorf("%s: got %q, %v", k.sql, b.String(), err)
		}
	}
	var b bytes.Buffer
	if _, err := c.PgConn().CopyTo(within(t), &b, "copy exported to stdout (format binary)"); err != nil || bytes.Contains(b.Bytes(), []byte("@example")) || bytes.Count(b.Bytes(), []byte("[redacted]")) != 3 {
		t.Errorf("binary: got %q, %v", b.String(), err)
	}
}

// What a portal reads was fixed when it was bound, whatever the path is when
// it runs.
func TestLivePortalsKeepTheNamesOfTheirBind(t *testing.T) {
	w, _ := guarded(t, setup{})
	cell(t, w.connectAs("root"), `create schema cover; create view cover.plain as select id, email as note from public.users; insert into plain values (77, 'open')`)
	h, err := w.connectAs("ana").PgConn().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Conn.Close()
	until := func() string {
		var seen []string
		for {
			m, err := h.Frontend.Receive()
			if err != nil {
				return strings.Join(append(seen, "closed"), " ")
			}
			switch m := m.(type) {
			case *pgproto3.DataRow:
				seen = append(seen, string(m.Values[0]))
			case *pgproto3.ErrorResponse:
				seen = append(seen, m.Code)
			case *pgproto3.ReadyForQuery:
				return strings.Join(seen, " ")
			}
		}
	}
	send := func(messages ...pgproto3.FrontendMessage) string {
		for _, m := range messages {
			h.Frontend.Send(m)
		}
		if err := h.Frontend.Flush(); err != nil {
			t.Fatal(err)
		}
		return until()
	}
	text := func(sql string) string { return send(&pgproto3.Query{String: sql}) }
	const sql = "select note from plain order by id limit 1"
	text("begin")
	text("set search_path = cover")
	send(&pgproto3.Parse{Name: "s", Query: sql}, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s"}, &pgproto3.Sync{})
	text("set search_path = public")
	if seen := send(&pgproto3.Execute{Portal: "p"}, &pgproto3.Sync{}); seen != "[redacted]" {
		t.Errorf("a portal that was bound under another path shows %q", seen)
	}
	text("rollback")
	text("begin")
	text("set search_path = cover")
	send(&pgproto3.Parse{Query: sql}, &pgproto3.Bind{DestinationPortal: "q"}, &pgproto3.Sync{})
	text("set search_path = public")
	if seen := text("fetch 1 from q"); seen != "34000" { // weir knows the cursors of SQL only
		t.Errorf("FETCH from a portal that was bound under another path shows %q", seen)
	}
	text("rollback")
	text("set search_path = cover")
	seen := send(&pgproto3.Parse{Name: "t", Query: sql}, &pgproto3.Bind{DestinationPortal: "r", PreparedStatement: "t"},
		&pgproto3.Parse{Query: "set search_path = public"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Execute{Portal: "r"}, &pgproto3.Sync{})
	if seen != "[redacted]" {
		t.Errorf("a pipeline that changes the path after Bind shows %q", seen)
	}
}
