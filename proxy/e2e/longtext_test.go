package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveLongTexts sends texts that are longer than what is analysed.
func TestLiveLongTexts(t *testing.T) {
	binary := build(t)
	for _, protocol := range []string{"postgresql", "mysql"} {
		t.Run(protocol, func(t *testing.T) {
			w, err := weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: t.TempDir(), Protocol: protocol, Listener: "self_signed: true",
				Datasources: certificateSource(t, protocol), More: "limits: {statement: 2KiB}\n", Groups: []string{"all"},
				Policy: map[string]string{"policy.yaml": strings.NewReplacer("fixed, leased", "fixed", "    unrestricted: true\n", "").Replace(rotationPolicy)},
				People: []weirserver.Person{{Name: "ana", Group: "all", Password: "a long enough password"}}})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			ask := longTextClient(ctx, t, w, protocol)
			if err := ask("SELECT length('" + strings.Repeat("x", 1900) + "')"); err != nil {
				t.Errorf("a text of the length that is allowed: %v", err)
			}
			if err := ask("SELECT length('" + strings.Repeat("x", 2100) + "')"); err == nil || !strings.Contains(err.Error(), "limits.statement is 2048") {
				t.Errorf("a long text: %v", err)
			}
			if err := ask("SELECT 1"); err != nil {
				t.Errorf("the connection afterwards: %v", err)
			}
		})
	}
}

func longTextClient(ctx context.Context, t *testing.T, w *weirserver.Server, protocol string) func(string) error {
	t.Helper()
	if protocol == "mysql" {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.TLSConfig = "ana@fixed", "a long enough password", "tcp", fmt.Sprintf("127.0.0.1:%d", w.Port), "skip-verify"
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { _ = db.Close() })
		return func(text string) error {
			var n int
			return db.QueryRowContext(ctx, text).Scan(&n)
		}
	}
	c, err := pgx.Connect(ctx, fmt.Sprintf("host=localhost port=%d user=ana password='a long enough password' dbname=fixed sslmode=verify-full sslrootcert=%s", w.Port, w.CAFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return func(text string) error {
		var n int
		err := c.QueryRow(ctx, text).Scan(&n)
		var server *pgconn.PgError
		if errors.As(err, &server) {
			return fmt.Errorf("%w: %s: %s", err, server.Detail, server.Hint)
		}
		return err
	}
}
