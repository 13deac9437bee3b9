package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/myserver"
)

// mariadbShowcase is what the demo promises on MariaDB: the same.
var mariadbShowcase = []scene{
	{who: "admin", title: "the administrator sees everything", sql: "SELECT * FROM customers ORDER BY id LIMIT 50"},
	{who: "admin", title: "and writes", sql: "INSERT INTO products SELECT * FROM products WHERE id = 1 ON DUPLICATE KEY UPDATE price = VALUES(price) RETURNING id, name"},
	{who: "admin", database: mariadbSource + "-readonly", title: "but not to a read-only source", sql: "UPDATE customers SET city = 'Rome' WHERE id = 1", refuse: "read-only"},
	{who: "admin", database: mariadbSource + "-readonly", title: "which a setting cannot undo", sql: "SET SESSION TRANSACTION READ WRITE", refuse: "read-only"},
	{who: "ana", title: "the analyst sees people masked", sql: "SELECT id, first_name, email, phone, birth_date, city, last_login_ip FROM customers ORDER BY id LIMIT 200",
		masked: map[int]string{1: `^.\*+$`, 2: `^.\*+@`, 3: `^(\+?[*0-9 +]+|<nil>)$`, 4: `^(\d{4}-01-01|<nil>)`, 6: `^0\.0\.0\.0`}},
	{who: "ana", title: "through a view too", sql: "SELECT id, email, country FROM customer_contacts ORDER BY id LIMIT 20", masked: map[int]string{1: `\*+@`}},
	{who: "ana", title: "salaries stay numbers", sql: "SELECT id, department, salary FROM hr.employees ORDER BY id", masked: map[int]string{2: `^\d+0000(\.00)?$`}},
	{who: "ana", title: "cards are not to be looked for", sql: "SELECT p.id, o.status, p.card_number, p.cvv FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.card_number IS NOT NULL ORDER BY p.id LIMIT 20",
		refuse: "card_number is masked"},
	{who: "ana", title: "and keep four digits, in a join as well", sql: "SELECT p.id, o.status, p.card_number, p.cvv FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.method = 'card' ORDER BY p.id LIMIT 20",
		masked: map[int]string{2: `^\*+\d{4}$`, 3: `^<nil>$`}},
	{who: "ana", title: "a filter on a masked column is refused", sql: "SELECT COUNT(*) FROM hr.employees WHERE salary > 50000", refuse: "salary is masked for ana"},
	{who: "ana", title: "so is sorting by it", sql: "SELECT id FROM hr.employees ORDER BY salary", refuse: "salary is masked for ana"},
	{who: "ana", title: "and a function over it", sql: "SELECT UPPER(email) FROM customers LIMIT 1", refuse: "email is masked for ana"},
	{who: "ana", title: "and a variable for later", sql: "SELECT salary INTO @s FROM hr.employees WHERE id = 1", refuse: "salary is masked for ana"},
	{who: "ana", title: "everyday work goes on", sql: "SELECT c.country, COUNT(*), SUM(o.total) FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status <> ? GROUP BY 1 ORDER BY 1", args: []any{"returned"}},
	{who: "ana", title: "the analyst may not write", sql: "DELETE FROM orders WHERE id = 1", refuse: "ana"},
	{who: "app", title: "the application sees people", sql: "SELECT id, first_name, email, phone FROM customers ORDER BY id LIMIT 50"},
	{who: "app", title: "but no bank data", sql: "SELECT id, iban, amount FROM payments WHERE method = 'transfer' ORDER BY id LIMIT 20", masked: map[int]string{1: `\*`}},
	{who: "app", title: "nor keys", sql: "SELECT id, label, api_key FROM api_clients ORDER BY id", masked: map[int]string{2: `^<nil>$`}},
	{who: "app", title: "and only reads", sql: "INSERT INTO products VALUES (1000, 'x', 'y', 1)", refuse: "app"},
}

// refusals are the numbers of errors by which weir refuses.
var refusals = []uint16{1142, 1143, 1227, 1290}

// checkMariaDB runs the showcase on MariaDB.
func (w *demoWorld) checkMariaDB(ctx context.Context, out io.Writer) bool {
	config, err := w.mariadb.Config(myserver.SuperUser, w.mariadb.Password, "shop")
	if err != nil {
		fmt.Fprintf(out, "FAIL  direct connection: %v\n", err)
		return false
	}
	config.InterpolateParams = true
	direct, err := openMariaDB(config)
	if err != nil {
		fmt.Fprintf(out, "FAIL  direct connection: %v\n", err)
		return false
	}
	defer direct.Close()
	return w.perform(out, "MariaDB", mariadbShowcase, func(p person, s *scene) (string, error) { return w.playMariaDB(ctx, direct, p, s) })
}

// playMariaDB runs a scene as text and prepared.
func (w *demoWorld) playMariaDB(ctx context.Context, direct *sql.DB, p person, s *scene) (string, error) {
	var seen string
	for _, form := range []string{"text", "prepared"} {
		config, err := w.mariadbConfig(p, s.database)
		if err != nil {
			return "", err
		}
		config.InterpolateParams = form == "text"
		through, err := openMariaDB(config)
		if err != nil {
			return "", err
		}
		seen, err = compareMariaDB(ctx, direct, through, s, form == "prepared")
		if err == nil { // whatever was refused, the session lives
			_, err = through.ExecContext(ctx, "SELECT 1")
		}
		_ = through.Close()
		if err != nil {
			return "", fmt.Errorf("%s: %w", form, err)
		}
	}
	return seen, nil
}

// mariadbConfig is how a person connects, with verified TLS.
func (w *demoWorld) mariadbConfig(p person, source string) (*mysql.Config, error) {
	if source == "" {
		source = mariadbSource
	}
	certificate, err := os.ReadFile(filepath.Join(w.weir.config.State, "server.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certificate) {
		return nil, errors.New("weir's certificate cannot be read")
	}
	config := mysql.NewConfig()
	config.User, config.Passwd = p.name+"@"+source, p.password
	config.Net, config.Addr, config.DBName = "tcp", fmt.Sprintf("localhost:%d", w.mysqlPort), "shop"
	config.TLS = &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	return config, nil
}

func compareMariaDB(ctx context.Context, direct, through *sql.DB, s *scene, prepared bool) (string, error) {
	got, err := rowsOfMariaDB(ctx, through, s, prepared)
	if s.refuse != "" {
		var refusal *mysql.MySQLError
		if !errors.As(err, &refusal) || !slices.Contains(refusals, refusal.Number) {
			return "", fmt.Errorf("want a refusal with %q, got %w", s.refuse, orNothing(err))
		}
		return s.refused(refusal.Message)
	}
	if err != nil {
		return "", err
	}
	want, err := rowsOfMariaDB(ctx, direct, s, false)
	if err != nil {
		return "", fmt.Errorf("directly: %w", err)
	}
	return s.shown(got, want)
}

// rowsOfMariaDB are the rows of a scene; every value is text or nil.
func rowsOfMariaDB(ctx context.Context, db *sql.DB, s *scene, prepared bool) ([][]any, error) {
	var rows *sql.Rows
	var err error
	if prepared {
		var statement *sql.Stmt
		if statement, err = db.PrepareContext(ctx, s.sql); err != nil {
			return nil, err
		}
		defer statement.Close()
		rows, err = statement.QueryContext(ctx, s.args...)
	} else {
		rows, err = db.QueryContext(ctx, s.sql, s.args...)
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]any
	for rows.Next() {
		cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]any, len(columns))
		for i, c := range cells {
			if c.Valid {
				row[i] = c.String
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
