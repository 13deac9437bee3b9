package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/pgserver"
)

// demoTables are read in both servers, with the columns whose types differ
// written alike.
var demoTables = []struct{ postgres, mariadb string }{
	{"SELECT id, first_name, last_name, email, phone, birth_date, street, city, country, segment, preferences->>'language', preferences->>'newsletter', host(last_login_ip), to_char(created_at, 'YYYY-MM-DD HH24:MI:SS') FROM customers ORDER BY id",
		"SELECT id, first_name, last_name, email, phone, birth_date, street, city, country, segment, JSON_VALUE(preferences, '$.language'), JSON_EXTRACT(preferences, '$.newsletter'), last_login_ip, created_at FROM customers ORDER BY id"},
	{"SELECT * FROM products ORDER BY id", ""},
	{"SELECT id, customer_id, status, total, note, to_char(ordered_at, 'YYYY-MM-DD HH24:MI:SS') FROM orders ORDER BY id", "SELECT * FROM orders ORDER BY id"},
	{"SELECT * FROM order_items ORDER BY order_id, line", ""},
	{"SELECT id, order_id, method, card_number, cvv, iban, amount, to_char(paid_at, 'YYYY-MM-DD HH24:MI:SS') FROM payments ORDER BY id", "SELECT * FROM payments ORDER BY id"},
	{"SELECT * FROM hr.employees ORDER BY id", ""},
	{"SELECT id, label, api_key, to_char(created_at, 'YYYY-MM-DD HH24:MI:SS') FROM api_clients ORDER BY id", "SELECT * FROM api_clients ORDER BY id"},
	{"SELECT * FROM customer_contacts ORDER BY id", ""},
	{"SELECT * FROM sales_by_country ORDER BY country", ""},
}

// TestLiveDemoDataIsTheSame compares the demo's rows in both servers.
func TestLiveDemoDataIsTheSame(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	pg, err := pgserver.Start(ctx, pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	my, err := myserver.Start(ctx, myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer my.Stop()
	if err := pg.Exec(ctx, "postgres", demoSQL); err != nil {
		t.Fatal(err)
	}
	if err := my.Exec(ctx, "", demoMariaDB); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, pg.URL(pgserver.SuperUser, pg.Password, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	config, err := my.Config(myserver.SuperUser, my.Password, "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range demoTables {
		if table.mariadb == "" {
			table.mariadb = table.postgres
		}
		want, err := postgresText(ctx, conn, table.postgres)
		if err != nil {
			t.Fatalf("%s: %v", table.postgres, err)
		}
		got, err := mariadbText(ctx, config, table.mariadb)
		if err != nil {
			t.Fatalf("%s: %v", table.mariadb, err)
		}
		if len(want) == 0 || len(want) != len(got) {
			t.Errorf("%s: %d rows, MariaDB %d", table.postgres, len(want), len(got))
			continue
		}
		for i := range want {
			if want[i] != got[i] {
				t.Errorf("%s: row %d\n%s\nMariaDB:\n%s", table.postgres, i, want[i], got[i])
				break
			}
		}
	}
}

func postgresText(ctx context.Context, conn *pgx.Conn, sql string) ([]string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, row := range results[0].Rows {
		var cells []string
		for _, c := range row {
			cells = append(cells, fmt.Sprintf("%q", c))
		}
		rows = append(rows, strings.Join(cells, " "))
	}
	return rows, nil
}

func mariadbText(ctx context.Context, config *mysql.Config, text string) ([]string, error) {
	db, err := openMariaDB(config)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	result, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	columns, err := result.Columns()
	if err != nil {
		return nil, err
	}
	var rows []string
	for result.Next() {
		cells := make([][]byte, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := result.Scan(into...); err != nil {
			return nil, err
		}
		var texts []string
		for _, c := range cells {
			texts = append(texts, fmt.Sprintf("%q", c))
		}
		rows = append(rows, strings.Join(texts, " "))
	}
	return rows, result.Err()
}
