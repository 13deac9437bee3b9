package mysession_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
)

func ask(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // 17 MiB under the race detector take half of it
	t.Cleanup(cancel)
	return ctx
}

// number is the error number of MySQL in an error, 0 if there is none.
func number(err error) uint16 {
	var e *driver.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// one reads a single value.
func one(t *testing.T, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, query string, args ...any) string {
	t.Helper()
	var v sql.NullString
	if err := db.QueryRowContext(ask(t), query, args...).Scan(&v); err != nil {
		t.Fatalf("%.100s: %.200v", query, err)
	}
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

func TestLiveStatements(t *testing.T) {
	w := start(t, setup{})
	db := w.open(func(c *driver.Config) { c.MultiStatements = true })
	if got := one(t, db, "SELECT email FROM users WHERE id = 7"); got != "user7@example.com" {
		t.Errorf("text: %q", got)
	}
	if got := one(t, db, "SELECT email FROM users WHERE id = ?", 8); got != "user8@example.com" {
		t.Errorf("prepared: %q", got)
	}
	if got := one(t, db, "SELECT DATABASE()"); got != "shop" {
		t.Errorf("database: %q", got)
	}
	r, err := db.ExecContext(ask(t), "INSERT INTO plain (note) VALUES ('a'), ('b')")
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := r.RowsAffected(); n != 2 {
		t.Errorf("%d rows affected", n)
	}
	if err := db.QueryRowContext(ask(t), "SELECT nothing FROM users").Scan(); number(err) != 1054 {
		t.Errorf("an unknown column: %v", err)
	}
	if got := one(t, db, "SELECT repeat('x', 20000000)"); len(got) != 20000000 {
		t.Errorf("a long cell has %d bytes", len(got))
	}
	long := strings.Repeat("y", 17<<20)
	if got := one(t, db, "SELECT length('"+long+"')"); got != fmt.Sprint(len(long)) {
		t.Errorf("a long text: %s", got)
	}
}

// A routine that fails half way may have changed anything; reading that must not
// wipe out what it said.
func TestLiveMessagesOfFailedRoutine(t *testing.T) {
	w := start(t, setup{})
	db := w.open(func(*driver.Config) {})
	db.SetMaxOpenConns(1)
	run := func(sql string) {
		t.Helper()
		if _, err := db.ExecContext(ask(t), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE PROCEDURE fails() BEGIN SET SESSION character_set_results = latin1; SIGNAL SQLSTATE '01234' SET MESSAGE_TEXT = 'first'; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'then'; END`)
	defer func() { run("DROP PROCEDURE fails") }()
	call := func() {
		t.Helper()
		if _, err := db.ExecContext(ask(t), "CALL fails()"); number(err) != 1644 {
			t.Fatalf("CALL: %v", err)
		}
	}
	call()
	var level, message string
	var code int
	if err := db.QueryRowContext(ask(t), "SHOW WARNINGS LIMIT 1").Scan(&level, &code, &message); err != nil || message != "then" {
		t.Errorf("SHOW WARNINGS: %q %v", message, err)
	}
	if got := one(t, db, "SELECT @@error_count"); got != "1" {
		t.Errorf("error_count %s", got)
	}
	call()
	run("GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT")
	if got := one(t, db, "SELECT @m"); got != "then" {
		t.Errorf("GET DIAGNOSTICS: %q", got)
	}
	if got := one(t, db, "SELECT hex('é')"); got != "C3A9" {
		t.Errorf("hex %q", got)
	}
}

// TestLiveWideCharsets: MariaDB reports changes in the character set of the
// database, reads literals in that of the connection, and answers in that of
// results; weir's own questions have to come through.
func TestLiveWideCharsets(t *testing.T) {
	for _, charset := range []string{"ucs2", "utf16", "utf16le", "utf32"} {
		t.Run(charset, func(t *testing.T) {
			w := start(t, setup{})
			db := w.open(func(*driver.Config) {})
			db.SetMaxOpenConns(1)
			fails := map[string]uint16{"fails()": 1644}
			for _, text := range []string{
				"CREATE DATABASE wide CHARACTER SET " + charset, "USE wide", "CREATE TABLE t (a INT)",
				"CREATE PROCEDURE fails() SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'x'",
				"SET collation_connection = " + charset + "_general_ci, character_set_client = binary", "CALL fails()", "INSERT INTO t VALUES (1)",
				"SET NAMES utf8mb4", "SET character_set_results = " + charset, "CALL fails()", "INSERT INTO t VALUES (2)", "SET NAMES utf8mb4",
			} {
				_, err := db.ExecContext(ask(t), text)
				if want := fails[strings.TrimPrefix(text, "CALL ")]; number(err) != want || want == 0 && err != nil {
					t.Fatalf("%s: %v", text, err)
				}
			}
			if got := one(t, db, "SELECT concat(DATABASE(), sum(a)) FROM t"); got != "wide3" {
				t.Errorf("afterwards: %q", got)
			}
			w.gate.denies = "ünseen" // the texts are read by the right character set
			if _, err := db.ExecContext(ask(t), "SELECT 'ünseen'"); number(err) == 0 {
				t.Errorf("a denial: %v", err)
			}
			if _, err := db.ExecContext(ask(t), "DROP DATABASE wide"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLiveSeveralResults(t *testing.T) {
	w := start(t, setup{})
	db := w.open(func(c *driver.Config) { c.MultiStatements = true })
	for text, want := range map[string]string{
		"SELECT 1; SELECT 2, 3; SELECT 'x'":                  "1|2,3|x",
		"CALL two(5)":                                        "5|6,x",
		"CALL two(5); SELECT 9":                              "5|6,x|9",
		"SET @a = 4; SELECT @a":                              "4",
		"SELECT 1; SELECT broken; SELECT 2":                  "1|error 1054",
		"BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3": "1|2|3",
	} {
		if got := results(t, db, text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	w.gate.mu.Lock()
	w.gate.denies = "users"
	w.gate.mu.Unlock()
	if got := results(t, db, "SELECT 1; SELECT email FROM users; SELECT 2"); got != "1|error 1143" {
		t.Errorf("a denial in the middle: %s", got)
	}
	if got := one(t, db, "SELECT 5"); got != "5" {
		t.Errorf("after a denial: %s", got)
	}
}

// results are the rows of all results, as text.
func results(t *testing.T, db *sql.DB, text string) string {
	t.Helper()
	rows, err := db.QueryContext(ask(t), text)
	if err != nil {
		return fmt.Sprintf("error %d", number(err))
	}
	defer rows.Close()
	var all []string
	for {
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		values := make([]sql.NullString, len(columns))
		pointers := make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(pointers...); err != nil {
				t.Fatal(err)
			}
			cells := make([]string, len(values))
			for i, v := range values {
				cells[i] = v.String
			}
			all = append(all, strings.Join(cells, ","))
		}
		if !rows.NextResultSet() {
			break
		}
	}
	if err := rows.Err(); err != nil {
		all = append(all, fmt.Sprintf("error %d", number(err)))
	}
	return strings.Join(all, "|")
}

func TestLiveLogin(t *testing.T) {
	w := start(t, setup{})
	for _, c := range []struct {
		user, password string
		want           uint16
	}{
		{"ana", "secret", 0}, {"ana", "secret", 0}, // the second by the fast path
		{"ana@shop", "secret", 0}, {"ana@elsewhere", "secret", 0}, // a name with an @
		{"ana", "wrong", 1045}, {"ana", "", 1045}, {"nobody", "secret", 1045}, {"unwanted", "secret", 1044},
	} {
		connector, err := driver.NewConnector(w.config(c.user, c.password))
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		if err := db.PingContext(ask(t)); number(err) != c.want || c.want == 0 && err != nil {
			t.Errorf("%s with %q: %v", c.user, c.password, err)
		}
		_ = db.Close()
	}
}

func TestLivePlaintext(t *testing.T) {
	w := start(t, setup{})
	db := w.open(func(c *driver.Config) { c.TLS = nil })
	if got := one(t, db, "SELECT 1"); got != "1" {
		t.Error(got)
	}
	strict := start(t, setup{tlsOnly: true})
	db = strict.open(func(c *driver.Config) { c.TLS = nil })
	if err := db.PingContext(ask(t)); number(err) != 3159 {
		t.Errorf("without TLS: %v", err)
	}
}

// What nobody waits for does not run on, also after the server's password has
// been changed.
func TestLiveClientLeaves(t *testing.T) {
	for name, password := range map[string]string{"same password": "app", "changed password": "changed"} {
		t.Run(name, func(t *testing.T) { clientLeaves(t, password) })
	}
}

func clientLeaves(t *testing.T, password string) {
	w := start(t, setup{dial: func(ctx context.Context, cfg upstream.Config) (*upstream.Conn, error) {
		cfg.Password = password
		conn, err := upstream.Dial(ctx, cfg)
		if err != nil { // not changed yet
			cfg.Password = "app"
			return upstream.Dial(ctx, cfg)
		}
		return conn, nil
	}})
	c := w.raw("ana", nil)
	c.say(mywire.AppendQuery(nil, "SELECT sleep(60), 'abandoned'", c.Capabilities))
	other := w.open(func(*driver.Config) {})
	running := func() string {
		return one(t, other, "SELECT count(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%aband%' AND INFO NOT LIKE '%PROCESSLIST%'")
	}
	wait := func(want string, atMost time.Duration) {
		t.Helper()
		for begin := time.Now(); running() != want; time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > atMost {
				t.Fatalf("%s statements run", running())
			}
		}
	}
	wait("1", 10*time.Second)
	set := func(password string) {
		if err := server(t).Exec(context.Background(), "", "ALTER USER app IDENTIFIED BY '"+password+"'"); err != nil {
			t.Error(err)
		}
	}
	set(password)
	defer set("app")
	_ = c.Net.Close()
	wait("0", 2*time.Second)
	writer := w.raw("ana", nil) // what changes something comes to its end
	writer.say(mywire.AppendQuery(nil, "INSERT INTO plain (id, note) VALUES (7700, concat('aband', sleep(1)))", writer.Capabilities))
	wait("1", 10*time.Second)
	_ = writer.Net.Close()
	wait("0", 10*time.Second)
	if got := one(t, other, "SELECT count(*) FROM plain WHERE id = 7700"); got != "1" {
		t.Errorf("%s rows are there", got)
	}
	if _, err := other.ExecContext(ask(t), "DELETE FROM plain WHERE id = 7700"); err != nil {
		t.Error(err)
	}
	gone := w.raw("ana", nil) // a session that is asked nothing ends with its client
	_ = gone.Net.Close()
}

// TestLiveServerLeaves ends an idle session with its server's connection: the
// driver sees that before it sends anything, and connects anew.
func TestLiveServerLeaves(t *testing.T) {
	w := start(t, setup{})
	db := w.open(func(*driver.Config) {})
	db.SetMaxOpenConns(1)
	before := one(t, db, "SELECT CONNECTION_ID()")
	if _, err := db.ExecContext(ask(t), "SET SESSION wait_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond)
	if after := one(t, db, "SELECT CONNECTION_ID()"); after == before {
		t.Error("the server did not leave")
	}
}
