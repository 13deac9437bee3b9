package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirdb/weir/audit"
)

// scene is one statement of the showcase, run as a person and directly.
type scene struct {
	who, database string
	title         string
	sql           string
	args          []any
	// masked gives, by column, the form that every value must have; other
	// columns must equal the direct answer.
	masked map[int]string
	refuse string // a part of the refusal's message; empty: it is allowed
}

// showcase is what the demo promises.
var showcase = []scene{
	{who: "admin", title: "the administrator sees everything", sql: "SELECT * FROM customers ORDER BY id LIMIT 50"},
	{who: "admin", title: "and writes", sql: "UPDATE customers SET city = city WHERE id = 1 RETURNING id, email"},
	{who: "admin", database: "shop-readonly", title: "but not to a read-only source", sql: "UPDATE customers SET city = 'Rome' WHERE id = 1", refuse: "read-only"},
	{who: "admin", database: "shop-readonly", title: "which a setting cannot undo", sql: "SET default_transaction_read_only = off", refuse: "read-only"},
	{who: "ana", title: "the analyst sees people masked", sql: "SELECT id, first_name, email, phone, birth_date, city, last_login_ip FROM customers ORDER BY id LIMIT 200",
		masked: map[int]string{1: `^.\*+$`, 2: `^.\*+@`, 3: `^(\+?[*0-9 +]+|<nil>)$`, 4: `^(\d{4}-01-01|<nil>)`, 6: `^0\.0\.0\.0`}},
	{who: "ana", title: "through a view too", sql: "SELECT id, email, country FROM customer_contacts ORDER BY id LIMIT 20", masked: map[int]string{1: `\*+@`}},
	{who: "ana", title: "salaries stay numbers", sql: "SELECT id, department, salary FROM hr.employees ORDER BY id", masked: map[int]string{2: `^\d+0000(\.00)?$`}},
	{who: "ana", title: "cards keep four digits", sql: "SELECT p.id, o.status, p.card_number, p.cvv FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.card_number IS NOT NULL ORDER BY p.id LIMIT 20",
		refuse: "card_number is masked"},
	{who: "ana", title: "in a join as well", sql: "SELECT p.id, o.status, p.card_number, p.cvv FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.method = 'card' ORDER BY p.id LIMIT 20",
		masked: map[int]string{2: `^\*+\d{4}$`, 3: `^<nil>$`}},
	{who: "ana", title: "a filter on a masked column is refused", sql: "SELECT count(*) FROM hr.employees WHERE salary > 50000", refuse: "salary is masked for ana"},
	{who: "ana", title: "so is sorting by it", sql: "SELECT id FROM hr.employees ORDER BY salary", refuse: "salary is masked for ana"},
	{who: "ana", title: "and a function over it", sql: "SELECT upper(email) FROM customers LIMIT 1", refuse: "email is masked for ana"},
	{who: "ana", title: "everyday work goes on", sql: "SELECT c.country, count(*), sum(o.total) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status <> $1 GROUP BY 1 ORDER BY 1", args: []any{"returned"}},
	{who: "ana", title: "the analyst may not write", sql: "DELETE FROM orders WHERE id = 1", refuse: "ana"},
	{who: "app", title: "the application sees people", sql: "SELECT id, first_name, email, phone FROM customers ORDER BY id LIMIT 50"},
	{who: "app", title: "but no bank data", sql: "SELECT id, iban, amount FROM payments WHERE method = 'transfer' ORDER BY id LIMIT 20", masked: map[int]string{1: `\*`}},
	{who: "app", title: "nor keys", sql: "SELECT id, label, api_key FROM api_clients ORDER BY id", masked: map[int]string{2: `^<nil>$`}},
	{who: "app", title: "and only reads", sql: "INSERT INTO products VALUES (1000, 'x', 'y', 1)", refuse: "app"},
}

// check runs the showcase and prints what was seen.
func (w *demoWorld) check(ctx context.Context, out io.Writer) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	direct, err := pgx.Connect(ctx, w.database.URL("weir", w.database.Password, "shop"))
	if err != nil {
		fmt.Fprintf(out, "FAIL  direct connection: %v\n", err)
		return false
	}
	defer direct.Close(ctx)
	ok := w.checkStrangers(ctx, out)
	ok = w.perform(out, "PostgreSQL", showcase, func(p person, s *scene) (string, error) { return w.play(ctx, direct, p, *s) }) && ok
	if w.mariadb != nil {
		ok = w.checkMariaDB(ctx, out) && ok
	}
	return w.checkJournal(ctx, out) && ok
}

// perform plays scenes, person by person, and prints what was seen.
func (w *demoWorld) perform(out io.Writer, server string, scenes []scene, play func(person, *scene) (string, error)) bool {
	ok := true
	for _, p := range w.people {
		fmt.Fprintf(out, "\n%s: %s, %s\n", server, p.name, p.what)
		for i := range scenes {
			s := &scenes[i]
			if s.who != p.name {
				continue
			}
			seen, err := play(p, s)
			verdict := "ok  "
			if err != nil {
				verdict, ok = "FAIL", false
				seen = err.Error()
			}
			fmt.Fprintf(out, "  %s  %-44s %s\n        %s\n", verdict, s.title, s.sql, seen)
		}
	}
	return ok
}

// checkStrangers expects a wrong password and an unknown user to be told the same.
func (w *demoWorld) checkStrangers(ctx context.Context, out io.Writer) bool {
	wrong, unknown := w.people[1], person{name: "nobody"}
	wrong.password, unknown.password = "not the password", "not the password"
	_, err1 := w.connect(ctx, wrong, "shop", pgx.QueryExecModeExec)
	_, err2 := w.connect(ctx, unknown, "shop", pgx.QueryExecModeExec)
	var a, b *pgconn.PgError
	if !errors.As(err1, &a) || !errors.As(err2, &b) || a.Code != "28P01" || b.Code != "28P01" ||
		strings.ReplaceAll(a.Message, wrong.name, "") != strings.ReplaceAll(b.Message, unknown.name, "") {
		fmt.Fprintf(out, "FAIL  strangers: %v; %v\n", err1, err2)
		return false
	}
	fmt.Fprintf(out, "\nok    a wrong password and an unknown user are told the same: %s\n", a.Message)
	return true
}

func (w *demoWorld) connect(ctx context.Context, p person, database string, mode pgx.QueryExecMode) (*pgx.Conn, error) {
	if database == "" {
		database = "shop"
	}
	config, err := pgx.ParseConfig(w.conninfo(p, database))
	if err != nil {
		return nil, err
	}
	config.Password, config.DefaultQueryExecMode = p.password, mode
	return pgx.ConnectConfig(ctx, config)
}

// play runs a scene in the simple and the extended protocol.
func (w *demoWorld) play(ctx context.Context, direct *pgx.Conn, p person, s scene) (string, error) {
	var seen string
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheStatement} {
		conn, err := w.connect(ctx, p, s.database, mode)
		if err != nil {
			return "", fmt.Errorf("log in: %w", err)
		}
		seen, err = compare(ctx, direct, conn, s)
		if err == nil { // whatever was refused, the session lives
			_, err = conn.Exec(ctx, "SELECT 1")
		}
		_ = conn.Close(ctx)
		if err != nil {
			return "", fmt.Errorf("%s protocol: %w", mode, err)
		}
	}
	return seen, nil
}

func compare(ctx context.Context, direct, through *pgx.Conn, s scene) (string, error) {
	got, err := rowsOf(ctx, through, s)
	if s.refuse != "" {
		var refusal *pgconn.PgError
		if !errors.As(err, &refusal) || refusal.Code != "42501" {
			return "", fmt.Errorf("want a refusal (42501) with %q, got %w", s.refuse, orNothing(err))
		}
		return s.refused(refusal.Message)
	}
	if err != nil {
		return "", err
	}
	want, err := rowsOf(ctx, direct, s)
	if err != nil {
		return "", fmt.Errorf("directly: %w", err)
	}
	return s.shown(got, want)
}

// refused holds a refusal's message against the scene.
func (s *scene) refused(message string) (string, error) {
	if !strings.Contains(message, s.refuse) {
		return "", fmt.Errorf("want a refusal with %q, got %q", s.refuse, message)
	}
	return "refused: " + message, nil
}

// shown holds rows against those without weir: equal, but for masked columns.
func (s *scene) shown(got, want [][]any) (string, error) {
	if len(got) != len(want) || len(got) == 0 {
		return "", fmt.Errorf("%d rows, directly %d", len(got), len(want))
	}
	for i := range got {
		for c := range got[i] {
			form, masked := s.masked[c]
			cell := text(got[i][c])
			if masked && !regexp.MustCompile(form).MatchString(cell) {
				return "", fmt.Errorf("row %d, column %d: %q is not masked as %s", i, c, cell, form)
			}
			if !masked && !reflect.DeepEqual(got[i][c], want[i][c]) {
				return "", fmt.Errorf("row %d, column %d: %q, directly %q", i, c, cell, text(want[i][c]))
			}
		}
	}
	first := make([]string, len(got[0]))
	for c := range got[0] {
		first[c] = text(got[0][c])
	}
	return fmt.Sprintf("%d rows, the first: %s", len(got), strings.Join(first, " | ")), nil
}

func orNothing(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

func rowsOf(ctx context.Context, conn *pgx.Conn, s scene) ([][]any, error) {
	rows, err := conn.Query(ctx, s.sql, s.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
}

// text shows a value as the check's forms and its output want it.
func text(v any) string {
	switch v := v.(type) {
	case time.Time:
		return strings.TrimSuffix(v.Format("2006-01-02 15:04:05"), " 00:00:00")
	case driver.Valuer:
		if plain, err := v.Value(); err == nil {
			return fmt.Sprint(plain)
		}
	}
	return fmt.Sprint(v)
}

// checkJournal expects the journal to verify and to hold what happened.
func (w *demoWorld) checkJournal(ctx context.Context, out io.Writer) bool {
	dir := journalFolder(w.weir.config)
	counts := map[audit.Kind]int{}
	err := audit.Search(ctx, dir, audit.Query{}, func(r audit.Record) error {
		counts[r.Event.Kind]++
		return nil
	})
	if err != nil || counts[audit.KindLogin] == 0 || counts[audit.KindLoginFailed] < 2 || counts[audit.KindDenial] == 0 ||
		counts[audit.KindStatementIntent] == 0 || counts[audit.KindStatementOutcome] == 0 {
		fmt.Fprintf(out, "\nFAIL  audit journal: %v %v\n", counts, err)
		return false
	}
	fmt.Fprintf(out, "\naudit journal: %d logins, %d failed logins, %d statements, %d denials\n", counts[audit.KindLogin],
		counts[audit.KindLoginFailed], counts[audit.KindStatementIntent], counts[audit.KindDenial])
	c := audit.VerifyCommand{Dir: dir}
	return c.Run(ctx, out, out, nil) == audit.ExitGood
}
