package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/lib/pq"
)

func runLibPQ(t *testing.T, e endpoint) []observation {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := &pqClient{goClient{t: t, ctx: ctx, e: e}}
	db, admin := p.open(e.user, e.password), p.open(e.admin, e.adminPW)
	defer db.Close()
	defer admin.Close()
	p.read(db)
	p.write(admin)
	if e.weir {
		p.refused(db)
		p.cancel(admin)
		wrong := p.open(e.user, "wrong")
		p.observe("wrong_password", pqState(wrong.PingContext(ctx)))
		_ = wrong.Close()
	}
	return p.seen
}

type pqClient struct{ goClient }

// open is a pool of one connection: what follows an error is on the same one.
func (p *pqClient) open(user, password string) *sql.DB {
	p.t.Helper()
	db, err := sql.Open("postgres", p.e.url(user, password, "shop"))
	p.must(err)
	db.SetMaxOpenConns(1)
	return db
}

func (p *pqClient) rows(rows *sql.Rows, err error) table {
	p.t.Helper()
	p.must(err)
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	p.must(err)
	out := table{}
	for rows.Next() {
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		p.must(rows.Scan(pointers...))
		row := make([]*string, len(values))
		for i, v := range values {
			if b, ok := v.([]byte); ok && columns[i].DatabaseTypeName() != "BYTEA" {
				v = string(b)
			}
			row[i] = cell(v)
		}
		out = append(out, row)
	}
	p.must(rows.Err())
	return out
}

func (p *pqClient) read(db *sql.DB) {
	p.observe("people", p.rows(db.QueryContext(p.ctx, people, 15, 24)))
	prepared, err := db.PrepareContext(p.ctx, payment)
	p.must(err)
	p.observe("payments", append(p.rows(prepared.QueryContext(p.ctx, 3)), p.rows(prepared.QueryContext(p.ctx, 4))...))
	p.must(prepared.Close())
	p.observe("salaries", p.rows(db.QueryContext(p.ctx, salary, 5)))
	total := new(big.Rat)
	rows, err := db.QueryContext(p.ctx, salary, 5)
	p.must(err)
	for rows.Next() {
		var id int
		var name, ssn string
		var amount float64
		var born, hired time.Time
		p.must(rows.Scan(&id, &name, &ssn, &amount, &born, &hired))
		total.Add(total, new(big.Rat).SetFloat64(amount))
	}
	p.must(rows.Err())
	p.observe("salary_sum", total.FloatString(2))
	tx, err := db.BeginTx(p.ctx, nil)
	p.must(err)
	_, err = tx.ExecContext(p.ctx, "DECLARE everybody CURSOR FOR "+all)
	p.must(err)
	var everybody table
	for {
		part := p.rows(tx.QueryContext(p.ctx, "FETCH 100 FROM everybody"))
		if len(part) == 0 {
			break
		}
		everybody = append(everybody, part...)
	}
	p.must(tx.Commit())
	p.observe("cursor", everybody)
	several, err := db.QueryContext(p.ctx, "SELECT 1; SELECT id, email FROM customers WHERE id = 1")
	p.must(err)
	for several.Next() {
	}
	if !several.NextResultSet() {
		p.t.Fatalf("no second result: %v", several.Err())
	}
	p.observe("several", p.rows(several, nil))
}

func (p *pqClient) write(admin *sql.DB) {
	exec := func(text string, args ...any) {
		p.t.Helper()
		_, err := admin.ExecContext(p.ctx, text, args...)
		p.must(err)
	}
	exec(written)
	exec(insert, 1, "12.50", time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC), `{"a": [1, null]}`, "10.1.2.3", `grüße 'x' \`, []byte{0, 255},
		time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC))
	exec(insert, 2, nil, nil, nil, nil, nil, nil, nil)
	tx, err := admin.BeginTx(p.ctx, nil)
	p.must(err)
	into, err := tx.PrepareContext(p.ctx, `COPY "written" ("id", "word") FROM STDIN`)
	p.must(err)
	for _, row := range [][]any{{3, "three"}, {4, nil}} {
		_, err = into.ExecContext(p.ctx, row...)
		p.must(err)
	}
	_, err = into.ExecContext(p.ctx)
	p.must(err)
	p.must(into.Close())
	p.must(tx.Commit())
	p.observe("written", p.rows(admin.QueryContext(p.ctx, "SELECT * FROM written ORDER BY id")))
	listener := pq.NewListener(p.e.url(p.e.admin, p.e.adminPW, "shop"), time.Second, time.Minute, nil)
	defer listener.Close()
	p.must(listener.Listen("told"))
	exec("SELECT pg_notify('told', $1)", "news")
	select {
	case n := <-listener.Notify:
		p.observe("notified", [][]string{{n.Channel, n.Extra}})
	case <-p.ctx.Done():
		p.t.Fatal("no notification came")
	}
}

func pqState(err error) string {
	var e *pq.Error
	switch {
	case err == nil:
		return "no error"
	case errors.As(err, &e):
		return string(e.Code)
	}
	return err.Error()
}

func (p *pqClient) refused(db *sql.DB) {
	_, err := db.ExecContext(p.ctx, denied, "david.huber1@example.org")
	p.observe("denied", pqState(err))
	p.observe("denied_message", fmt.Sprint(err))
	p.observe("alive", p.rows(db.QueryContext(p.ctx, "SELECT 1")))
	_, err = db.ExecContext(p.ctx, "UPDATE customers SET segment = $1 WHERE id = $2", "x", 1)
	p.observe("read_only", pqState(err))
	tx, err := db.BeginTx(p.ctx, nil)
	p.must(err)
	_, err = tx.ExecContext(p.ctx, denied, "x")
	p.observe("denied", pqState(err))
	_, err = tx.ExecContext(p.ctx, "SELECT 1")
	p.observe("aborted", pqState(err))
	p.must(tx.Rollback())
	p.observe("rolled_back", p.rows(db.QueryContext(p.ctx, contact, 1)))
	tx, err = db.BeginTx(p.ctx, nil)
	p.must(err)
	_, err = tx.ExecContext(p.ctx, "SAVEPOINT s")
	p.must(err)
	_, err = tx.ExecContext(p.ctx, denied, "x")
	p.observe("denied", pqState(err))
	_, err = tx.ExecContext(p.ctx, "ROLLBACK TO SAVEPOINT s")
	p.must(err)
	p.observe("savepoint", p.rows(tx.QueryContext(p.ctx, contact, 2)))
	p.must(tx.Commit())
}

func (p *pqClient) cancel(admin *sql.DB) {
	ctx, cancel := context.WithTimeout(p.ctx, 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := admin.ExecContext(ctx, "SELECT pg_sleep(60)")
	p.observe("cancelled", pqState(err))
	p.observe("cancelled_soon", time.Since(began) < 20*time.Second)
	p.observe("alive_after_cancel", p.rows(admin.QueryContext(p.ctx, "SELECT 1")))
}
