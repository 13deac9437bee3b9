package pgsession_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestLivePsql(t *testing.T) {
	w := start(t, setup{})
	host, port, _ := strings.Cut(w.addr, ":")
	cmd := exec.Command("psql", "-XAt", "host="+host+" port="+port+" user=ana password=secret dbname=shop sslmode=require",
		"-c", "select count(*) from users; select 1", "-c", `\d users`, "-c", "copy (select 1,2) to stdout")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "100\n1\n") || !strings.HasSuffix(string(out), "1\t2\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestLivePgxExtended(t *testing.T) {
	w := start(t, setup{})
	c := w.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := range 3 {
		var n int
		if err := c.QueryRow(ctx, "select id from users where id = $1", i+1).Scan(&n); err != nil || n != i+1 {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if _, err := c.Exec(ctx, "select 1/0"); err == nil {
		t.Fatal("want an error")
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestLiveDenialInEveryPosition(t *testing.T) {
	w := start(t, setup{})
	w.gate.denies = "forbidden"
	c := w.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, sql := range []string{
		"select 'forbidden'",
		"select 1; select 'forbidden'",
		"select 1; select 'forbidden'; select 2",
		"select 'forbidden'; select 2",
	} {
		results, err := c.PgConn().Exec(ctx, sql).ReadAll()
		var pe *pgconn.PgError
		if !errors.As(err, &pe) || pe.Code != "42501" || pe.Message != "denied by test" || pe.Hint != "hint" {
			t.Fatalf("%s: got %v", sql, err)
		}
		if int(pe.Position) != strings.Index(sql, "forbidden")+1 {
			t.Errorf("%s: position %d", sql, pe.Position)
		}
		want := strings.Count(sql[:strings.Index(sql, "forbidden")], ";")
		ok := 0
		for _, r := range results {
			if r.Err == nil {
				ok++
			}
		}
		if ok != want {
			t.Errorf("%s: %d results before the denial, want %d", sql, ok, want)
		}
	}
	if _, err := c.Exec(ctx, "select $1::text || 'forbidden'", "x"); !denied(err) {
		t.Fatalf("got %v", err)
	}
	if _, err := c.Exec(ctx, "select $1::text || 'late'", "x"); !denied(err) {
		t.Fatalf("got %v", err)
	}
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "select 'forbidden'"); !denied(err) {
		t.Fatalf("got %v", err)
	}
	_, err = tx.Exec(ctx, "select 'forbidden'")
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || pe.Code != "25P02" {
		t.Fatalf("in a failed transaction got %v", err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

func denied(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "42501" && pe.Message == "denied by test"
}
