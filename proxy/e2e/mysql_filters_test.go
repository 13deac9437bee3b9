package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

const filtersPolicy = `version: 1
projects:
  demo: {datasources: [shop]}
grants:
  - name: analysts of one country
    who: {groups: [analysts]}
    allow: ["*"]
row_filters:
  - {table: shop.people, expression: "country = 'AT'"}
`

// TestLiveMySQLRowFilters changes rows of a table of which some are hidden.
func TestLiveMySQLRowFilters(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := myserver.Start(ctx, myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if err := server.Exec(ctx, "", "CREATE DATABASE shop; USE shop; "+
		"CREATE TABLE people (id INT PRIMARY KEY, country CHAR(2) NOT NULL, n INT NOT NULL, KEY (country)); "+
		"CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, who INT NOT NULL, n INT NOT NULL); "+
		"INSERT INTO people SELECT seq, IF(seq % 2, 'AT', 'DE'), seq FROM seq_1_to_10; INSERT INTO orders SELECT seq, seq, 0 FROM seq_1_to_10"); err != nil {
		t.Fatal(err)
	}
	if err := server.CreateAccount(ctx, myserver.Account{Name: "weir", Password: "upstream-1", Grants: "ALL ON *.*"}); err != nil {
		t.Fatal(err)
	}
	w, err := weirserver.Start(ctx, weirserver.Options{Binary: build(t), Folder: t.TempDir(), Protocol: "mysql", Listener: "self_signed: true",
		Datasources: fmt.Sprintf("  - {name: shop, engine: mariadb, database: shop, project: demo, address: \"127.0.0.1:%d\", user: weir, password: upstream-1, tls: {mode: disable}}\n", server.Port),
		Policy:      map[string]string{"policy.yaml": filtersPolicy}, Groups: []string{"analysts"},
		People: []weirserver.Person{{Name: "ana", Group: "analysts", Password: "a-long-password"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	for _, interpolate := range []bool{true, false} { // the text and the binary protocol
		c := driver.NewConfig()
		c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", fmt.Sprintf("127.0.0.1:%d", w.Port), "ana@shop", "a-long-password", "shop"
		c.TLSConfig, c.InterpolateParams, c.ClientFoundRows = "skip-verify", interpolate, true
		connector, err := driver.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		t.Cleanup(func() { _ = db.Close() })
		for _, q := range []struct {
			text    string
			rows    int64
			refused bool
		}{
			{"UPDATE people SET n = n + 1 WHERE id > ?", 5, false},
			{"UPDATE people SET n = n + 1 WHERE 10 / id > ? ORDER BY id LIMIT 2", 2, false},
			{"DELETE FROM people WHERE id IN (2, 4) AND id > ?", 0, false},
			{"UPDATE orders o JOIN people p ON p.id = o.who SET o.n = p.n WHERE o.id > ?", 5, false},
			{"INSERT INTO orders (who, n) SELECT id, n FROM people WHERE id > ? ORDER BY id", 5, false},
			{"DELETE o FROM orders o LEFT JOIN people p ON p.id = o.who WHERE p.id IS NULL AND o.id > ? AND o.id <= 10", 5, false},
			{"UPDATE people SET country = 'AT' WHERE id > ?", 0, true},
			{"INSERT INTO people (id, country, n) VALUES (90, 'DE', ?)", 0, true},
			{"INSERT INTO people (id, country, n) VALUES (90, 'AT', ?)", 1, false},
			{"TRUNCATE people", 0, true},
		} {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			args := []any{0}
			if q.text == "TRUNCATE people" {
				args = nil
			}
			res, err := tx.ExecContext(ctx, q.text, args...)
			var refusal *driver.MySQLError
			switch {
			case q.refused:
				if !errors.As(err, &refusal) || refusal.SQLState != [5]byte{'4', '2', '0', '0', '0'} {
					t.Errorf("%s: %v", q.text, err)
				}
			case err != nil:
				t.Errorf("%s: %v", q.text, err)
			default:
				if n, _ := res.RowsAffected(); n != q.rows {
					t.Errorf("%s: %d rows, want %d", q.text, n, q.rows)
				}
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
