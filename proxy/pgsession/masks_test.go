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
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/proxy/gate"
)

// masked makes the gate mask the second column of statements that select email
// from users.
func masked(w *weir, oid uint32) func(sql string) *gate.Ticket {
	return func(sql string) *gate.Ticket {
		if !strings.Contains(sql, "email") {
			return nil
		}
		return &gate.Ticket{Restricted: true, Touched: true, Masks: []gate.OutputMask{{Index: 1, Source: oid, SourceAttr: 2,
			Spec: masking.Spec{Function: "redact"}}}}
	}
}

func usersOID(t *testing.T, c *pgx.Conn) uint32 {
	t.Helper()
	var oid uint32
	if err := c.QueryRow(context.Background(), "select 'users'::regclass::oid").Scan(&oid); err != nil {
		t.Fatal(err)
	}
	return oid
}

func TestLiveMaskedRows(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	w.gate.tickets = masked(w, usersOID(t, c))
	ctx := within(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheDescribe} {
		rows, err := c.Query(ctx, "select id, email, born from users order by id", mode)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			var id int
			var email string
			var born time.Time
			if err := rows.Scan(&id, &email, &born); err != nil {
				t.Fatal(err)
			}
			n++
			if id != n || strings.Contains(email, "@example") || email == "" || born.Year() != 1990 {
				t.Fatalf("%v: got %d %q %v", mode, id, email, born)
			}
		}
		if rows.Err() != nil || n != 100 {
			t.Fatalf("%v: %d rows, %v", mode, n, rows.Err())
		}
	}
}

func TestLiveMaskedWithoutDescription(t *testing.T) {
	// Execute alone, in both formats: weir asks for the description itself.
	w := start(t, setup{})
	c := w.connect("")
	w.gate.tickets = masked(w, usersOID(t, c))
	ctx := within(t)
	for _, format := range []int16{0, 1} {
		r := c.PgConn().ExecParams(ctx, "select id, email from users where id = $1", [][]byte{[]byte("7")}, nil, nil, []int16{format}).Read()
		if r.Err != nil || len(r.Rows) != 1 || bytes.Contains(r.Rows[0][1], []byte("@example")) {
			t.Fatalf("got %q, %v", r.Rows, r.Err)
		}
	}
}

func TestLiveMaskedCursor(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	oid := usersOID(t, c)
	w.gate.tickets = func(sql string) *gate.Ticket {
		if strings.HasPrefix(sql, "fetch") {
			return masked(w, oid)("email")
		}
		return nil
	}
	ctx := within(t)
	results, err := c.PgConn().Exec(ctx, "begin; declare c binary cursor for select id, email from users; fetch 2 from c; commit").ReadAll()
	if err != nil || len(results) != 4 || len(results[2].Rows) != 2 || bytes.Contains(results[2].Rows[0][1], []byte("@example")) {
		t.Fatalf("got %v, %v", results, err)
	}
}

func TestLiveMaskedCopy(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx := within(t)
	oid := usersOID(t, c)
	w.gate.tickets = masked(w, oid)
	for _, format := range []string{"text", "csv", "binary", "csv header"} {
		var b bytes.Buffer
		options := "format " + format
		if format == "csv header" {
			options = "format csv, header"
		}
		tag, err := c.PgConn().CopyTo(ctx, &b, fmt.Sprintf("copy (select id, email, born from users) to stdout with (%s)", options))
		if err != nil || tag.RowsAffected() != 100 {
			t.Fatalf("%s: %v, %v", format, tag, err)
		}
		if bytes.Contains(b.Bytes(), []byte("@example")) || !bytes.Contains(b.Bytes(), []byte("redact")) && !bytes.Contains(b.Bytes(), []byte("*")) {
			t.Fatalf("%s: got %.100q", format, b.Bytes())
		}
	}
	// The same in an extended batch.
	r := c.PgConn().ExecParams(ctx, "copy (select id, email, born from users) to stdout with (format text)", nil, nil, nil, nil).Read()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
}

func TestLiveLineageMismatchEndsTheSession(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	w.gate.tickets = masked(w, 12345)
	ctx := within(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		rows, err := c.Query(ctx, "select id, email from users", mode)
		if err == nil {
			for rows.Next() {
				t.Fatal("a row came through")
			}
			err = rows.Err()
		}
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "42501" || pe.Severity != "FATAL" {
			t.Fatalf("got %v", err)
		}
		c = w.connect("")
	}
}

func TestLiveTouchedErrorsAreWithheld(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	w.gate.tickets = masked(w, usersOID(t, c))
	ctx := within(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		_, err := c.Exec(ctx, "select id, email::int from users", mode)
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || strings.Contains(fmt.Sprintf("%+v", *pe), "user1") {
			t.Fatalf("got %+v", err)
		}
		if pe.Severity == "FATAL" { // the cast has no source: a mismatch, which is right too
			c = w.connect("")
			continue
		}
		if pe.Code != "22P02" || !strings.Contains(pe.Message, "withheld") {
			t.Fatalf("got %+v", pe)
		}
	}
}

func TestLiveRowLimit(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	w.gate.tickets = func(sql string) *gate.Ticket {
		if strings.Contains(sql, "generate_series") {
			return &gate.Ticket{Rows: 10}
		}
		return nil
	}
	ctx := within(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec} {
		for _, rows := range []int{11, 1_000_000} {
			n := 0
			got, err := c.Query(ctx, fmt.Sprintf("select * from generate_series(1, %d)", rows), mode)
			if err == nil {
				for got.Next() {
					n++
				}
				err = got.Err()
			}
			var pe *pgconn.PgError
			if !errors.As(err, &pe) || pe.Code != "54000" || n > 10 {
				t.Fatalf("%v, %d rows: %d came, %v", mode, rows, n, err)
			}
			if err := c.Ping(ctx); err != nil {
				t.Fatalf("%v, %d rows: the session is gone: %v", mode, rows, err)
			}
		}
		var n int
		if err := c.QueryRow(ctx, "select count(*) from (select * from generate_series(1, 10)) s", mode).Scan(&n); err != nil || n != 10 {
			t.Fatalf("at the limit: %d, %v", n, err)
		}
	}
}

func TestLiveTimeLimit(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	w.gate.tickets = func(sql string) *gate.Ticket {
		if strings.Contains(sql, "pg_sleep") {
			return &gate.Ticket{Timeout: 100 * time.Millisecond}
		}
		return nil
	}
	ctx := within(t)
	_, err := c.Exec(ctx, "select pg_sleep(20)")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "57014" || !strings.Contains(pe.Message, "policy") {
		t.Fatalf("got %v", err)
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

// within bounds a test's waits.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}
