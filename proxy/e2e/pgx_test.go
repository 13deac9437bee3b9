package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	people  = "SELECT id, first_name, email, phone, birth_date, street, country, preferences, last_login_ip, created_at FROM customers WHERE id BETWEEN $1 AND $2 ORDER BY id"
	payment = "SELECT id, card_number, cvv, iban, amount, paid_at FROM payments WHERE id = $1"
	salary  = "SELECT id, full_name, ssn, salary, birth_date, hired_on FROM hr.employees WHERE id <= $1 ORDER BY id"
	all     = "SELECT id, email FROM customers ORDER BY id"
	contact = "SELECT id, email FROM customers WHERE id = $1"
	denied  = "SELECT id FROM customers WHERE email = $1"
	written = "CREATE TEMPORARY TABLE written (id int, price numeric(10,2), day date, doc jsonb, address inet, word text, bytes bytea, at timestamptz)"
	insert  = "INSERT INTO written VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	copyOut = "COPY (SELECT id, email, phone, birth_date FROM customers WHERE id <= 30 ORDER BY id) TO STDOUT"
)

// goClient collects what a Go driver sees.
type goClient struct {
	t    *testing.T
	ctx  context.Context
	e    endpoint
	seen []observation
}

func (g *goClient) observe(step string, value any) {
	g.seen = append(g.seen, observation{step, plain(value)})
}

func (g *goClient) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// cell is the text of a value of a Go driver.
func cell(v any) *string {
	var s string
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		s = v.UTC().Format("2006-01-02T15:04:05Z")
		if strings.HasSuffix(s, "T00:00:00Z") {
			s = s[:10]
		}
	case pgtype.Numeric:
		text, err := v.Value()
		s = fmt.Sprint(text, err)
		if err == nil {
			s = fmt.Sprint(text)
		}
	case map[string]any, []any:
		text, _ := json.Marshal(v) // came from JSON
		s = string(text)
	case []byte:
		s = hex.EncodeToString(v)
	case netip.Prefix:
		s = v.String()
	default:
		s = fmt.Sprint(v)
	}
	return &s
}

func runPgx(t *testing.T, e endpoint) []observation {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := &pgxClient{goClient: goClient{t: t, ctx: ctx, e: e}}
	conn, admin := p.connect(e.user, e.password, "shop"), p.connect(e.admin, e.adminPW, "shop")
	defer conn.Close(ctx)
	defer admin.Close(ctx)
	p.read(conn)
	p.application()
	p.write(admin)
	if e.weir {
		p.refused(conn)
		p.cancel(admin)
		p.wrongPassword()
		p.frozen()
	}
	return p.seen
}

type pgxClient struct{ goClient }

func (p *pgxClient) connect(user, password, database string) *pgx.Conn {
	p.t.Helper()
	conn, err := pgx.Connect(p.ctx, p.e.url(user, password, database))
	p.must(err)
	return conn
}

// rows reads a result in the driver's own value types.
func (p *pgxClient) rows(rows pgx.Rows, err error) table {
	p.t.Helper()
	p.must(err)
	out := table{}
	for rows.Next() {
		values, err := rows.Values()
		p.must(err)
		row := make([]*string, len(values))
		for i, v := range values {
			row[i] = cell(v)
		}
		out = append(out, row)
	}
	p.must(rows.Err())
	return out
}

func (p *pgxClient) types(rows pgx.Rows, err error) []string {
	p.must(err)
	var out []string
	for rows.Next() {
		values, err := rows.Values()
		p.must(err)
		out = out[:0]
		for i, v := range values {
			f := rows.FieldDescriptions()[i]
			out = append(out, fmt.Sprintf("%T %s %d/%d format %d", v, f.Name, f.TableOID, f.TableAttributeNumber, f.Format))
		}
	}
	p.must(rows.Err())
	return out
}

func (p *pgxClient) read(conn *pgx.Conn) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
		pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		p.observe("people", p.rows(conn.Query(p.ctx, people, mode, 15, 24)))
		p.observe("types", p.types(conn.Query(p.ctx, people, mode, 15, 15)))
	}
	_, err := conn.Prepare(p.ctx, "payment", payment)
	p.must(err)
	for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
		formats := pgx.QueryResultFormats{format, format, format, format, format, format}
		var rows table
		for _, id := range []int{3, 4} {
			rows = append(rows, p.rows(conn.Query(p.ctx, "payment", formats, id))...)
		}
		p.observe("payments", rows)
	}
	p.observe("salaries", p.rows(conn.Query(p.ctx, salary, 5)))
	total := new(big.Rat)
	for _, row := range p.rows(conn.Query(p.ctx, salary, 5)) {
		v, ok := new(big.Rat).SetString(*row[3])
		if !ok {
			p.t.Fatalf("%s is no number", *row[3])
		}
		total.Add(total, v)
	}
	p.observe("salary_sum", total.FloatString(2))
	p.cursor(conn)
	var out bytes.Buffer
	_, err = conn.PgConn().CopyTo(p.ctx, &out, copyOut)
	p.must(err)
	p.observe("copy", copied(out.String()))
	p.pipeline(conn)
}

// cursor fetches by parts, which the driver leaves to SQL.
func (p *pgxClient) cursor(conn *pgx.Conn) {
	tx, err := conn.Begin(p.ctx)
	p.must(err)
	_, err = tx.Exec(p.ctx, "DECLARE everybody CURSOR FOR "+all)
	p.must(err)
	var rows table
	for {
		part := p.rows(tx.Query(p.ctx, "FETCH 100 FROM everybody"))
		if len(part) == 0 {
			break
		}
		rows = append(rows, part...)
	}
	p.must(tx.Commit(p.ctx))
	p.observe("cursor", rows)
}

func (p *pgxClient) pipeline(conn *pgx.Conn) {
	batch := &pgx.Batch{}
	for _, id := range []int{1, 2, 3} {
		batch.Queue(contact, id)
	}
	results := conn.SendBatch(p.ctx, batch)
	var rows table
	for range 3 {
		rows = append(rows, p.rows(results.Query())...)
	}
	p.must(results.Close())
	p.observe("pipeline", rows)
}

// copied splits COPY's text format.
func copied(text string) table {
	var out table
	for line := range strings.Lines(text) {
		var row []*string
		for _, f := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
			if f == `\N` {
				row = append(row, nil)
			} else {
				row = append(row, &f)
			}
		}
		out = append(out, row)
	}
	return out
}

// application sees personal data and no payment data.
func (p *pgxClient) application() {
	conn := p.connect(p.e.application, p.e.applicationPW, "shop")
	defer conn.Close(p.ctx)
	p.observe("people_unmasked", p.rows(conn.Query(p.ctx, people, 15, 24)))
	p.observe("payments", p.rows(conn.Query(p.ctx, payment+" OR id = 4", 3)))
}

func (p *pgxClient) write(admin *pgx.Conn) {
	exec := func(sql string, args ...any) {
		p.t.Helper()
		_, err := admin.Exec(p.ctx, sql, args...)
		p.must(err)
	}
	exec(written)
	exec(insert, 1, "12.50", time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC), map[string]any{"a": []any{1, nil}}, netip.MustParsePrefix("10.1.2.3/32"),
		`grüße 'x' \`, []byte{0, 255}, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC))
	exec(insert, 2, nil, nil, nil, nil, nil, nil, nil)
	n, err := admin.CopyFrom(p.ctx, pgx.Identifier{"written"}, []string{"id", "word", "price"}, pgx.CopyFromRows([][]any{{3, "three", 3.25}, {4, nil, nil}}))
	p.must(err)
	p.observe("copied_in", n)
	p.observe("written", p.rows(admin.Query(p.ctx, "SELECT * FROM written ORDER BY id")))
	exec("LISTEN told")
	exec("SELECT pg_notify('told', $1)", "news")
	n2, err := admin.WaitForNotification(p.ctx)
	p.must(err)
	p.observe("notified", [][]string{{n2.Channel, n2.Payload}})
}

// sqlstate is that of an error of the server, or what else happened.
func sqlstate(err error) string {
	var e *pgconn.PgError
	switch {
	case err == nil:
		return "no error"
	case errors.As(err, &e):
		return e.Code
	}
	return err.Error()
}

func (p *pgxClient) refused(conn *pgx.Conn) {
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		_, err := conn.Exec(p.ctx, denied, mode, "david.huber1@example.org")
		p.observe("denied", sqlstate(err))
		p.observe("denied_message", err.Error())
		p.observe("alive", p.rows(conn.Query(p.ctx, "SELECT 1")))
	}
	_, err := conn.Exec(p.ctx, "UPDATE customers SET segment = $1 WHERE id = $2", "x", 1)
	p.observe("read_only", sqlstate(err))
	tx, err := conn.Begin(p.ctx)
	p.must(err)
	_, err = tx.Exec(p.ctx, denied, "x")
	p.observe("denied", sqlstate(err))
	_, err = tx.Exec(p.ctx, "SELECT 1")
	p.observe("aborted", sqlstate(err))
	p.must(tx.Rollback(p.ctx))
	p.observe("rolled_back", p.rows(conn.Query(p.ctx, contact, 1)))
	tx, err = conn.Begin(p.ctx)
	p.must(err)
	nested, err := tx.Begin(p.ctx)
	p.must(err)
	_, err = nested.Exec(p.ctx, denied, "x")
	p.observe("denied", sqlstate(err))
	p.must(nested.Rollback(p.ctx))
	p.observe("savepoint", p.rows(tx.Query(p.ctx, contact, 2)))
	p.must(tx.Commit(p.ctx))
	p.pipelineRefused(conn)
}

// pipelineRefused denies the middle of a batch: what follows is skipped.
func (p *pgxClient) pipelineRefused(conn *pgx.Conn) {
	batch := &pgx.Batch{}
	batch.Queue(contact, 1)
	batch.Queue(denied, "x")
	batch.Queue("SELECT 1")
	results := conn.SendBatch(p.ctx, batch)
	var err error
	for range 3 {
		if _, err = results.Exec(); err != nil {
			break
		}
	}
	_ = results.Close()
	p.observe("pipeline_denied", sqlstate(err))
	p.observe("alive", p.rows(conn.Query(p.ctx, "SELECT 1")))
}

func (p *pgxClient) cancel(admin *pgx.Conn) {
	began := time.Now()
	timer := time.AfterFunc(500*time.Millisecond, func() { _ = admin.PgConn().CancelRequest(p.ctx) })
	defer timer.Stop()
	_, err := admin.Exec(p.ctx, "SELECT pg_sleep(60)")
	p.observe("cancelled", sqlstate(err))
	p.observe("cancelled_soon", time.Since(began) < 20*time.Second)
	p.observe("alive_after_cancel", p.rows(admin.Query(p.ctx, "SELECT 1")))
}

func (p *pgxClient) wrongPassword() {
	conn, err := pgx.Connect(p.ctx, p.e.url(p.e.user, "wrong", "shop"))
	if err == nil {
		_ = conn.Close(p.ctx)
	}
	p.observe("wrong_password", sqlstate(err))
}

// frozen is the read-only source: not even an administrator writes there.
func (p *pgxClient) frozen() {
	conn := p.connect(p.e.admin, p.e.adminPW, "frozen")
	defer conn.Close(p.ctx)
	p.observe("alive", p.rows(conn.Query(p.ctx, "SELECT count(*) / 1200 FROM customers")))
	var states []string
	for _, sql := range writes {
		_, err := conn.Exec(p.ctx, sql)
		state := sqlstate(err)
		if state != "42501" {
			state = sql + ": " + state
		}
		states = append(states, state)
	}
	p.observe("frozen", states)
	p.observe("alive", p.rows(conn.Query(p.ctx, "SELECT 1")))
}

// writes are refused on a read-only source, however they are spelled.
var writes = []string{
	"UPDATE customers SET segment = 'x' WHERE id = 1",
	"WITH gone AS (DELETE FROM orders WHERE id = 1 RETURNING id) SELECT * FROM gone",
	"CREATE TABLE t (a int)",
	"SELECT * INTO t FROM products",
	"DO $$ BEGIN DELETE FROM products; END $$",
	"SET default_transaction_read_only = off",
	"SELECT set_config('transaction_read_only', 'off', false)",
	"BEGIN READ WRITE",
	"COPY products FROM STDIN",
	"EXPLAIN ANALYZE DELETE FROM products",
	"SELECT nextval('nothing')",
}
