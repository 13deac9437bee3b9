package mysession_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
)

func TestLiveMasks(t *testing.T) {
	w := start(t, setup{})
	w.gate.tickets = masked
	for _, interpolate := range []bool{true, false} { // the text and the binary protocol
		t.Run(fmt.Sprint("text ", interpolate), func(t *testing.T) {
			db := w.open(func(c *driver.Config) { c.InterpolateParams, c.ParseTime = interpolate, true })
			var id int
			var email, score string
			var born, seen time.Time
			if err := db.QueryRowContext(ask(t), "SELECT id, email, born, score, seen FROM users WHERE id = ?", 7).Scan(&id, &email, &born, &score, &seen); err != nil {
				t.Fatal(err)
			}
			if id != 7 || email != "u***@example.com" || born.Format(time.DateOnly) != "1990-01-01" || score == "10.50" || seen.Year() == 2020 {
				t.Errorf("%d %q %v %s %v", id, email, born, score, seen)
			}
		})
	}
}

func TestLiveMisdescribedResult(t *testing.T) {
	w := start(t, setup{})
	w.gate.tickets = func(s gate.Statement) *gate.Ticket {
		t := masked(s)
		for i := range t.Masks {
			t.Masks[i].SourceAttr++
		}
		return t
	}
	db := w.open(nil)
	if err := db.QueryRowContext(ask(t), "SELECT email FROM users").Scan(new(string)); number(err) != 1142 {
		t.Errorf("a mask for another column: %v", err)
	}
	if got := one(t, db, "SELECT 5"); got != "5" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestLiveTextsAreWithheld(t *testing.T) {
	w := start(t, setup{})
	w.gate.tickets = func(s gate.Statement) *gate.Ticket {
		if strings.Contains(s.SQL, "touched") {
			return &gate.Ticket{Touched: true}
		}
		return nil
	}
	db := w.open(nil)
	const failing = "SELECT /* touched */ extractvalue('<a>secret</b>', '/a'), (SELECT id FROM users)"
	err := db.QueryRowContext(ask(t), failing).Scan()
	if number(err) != 1242 || !strings.Contains(err.Error(), "withheld") {
		t.Errorf("an error about a touched statement: %v", err)
	}
	conn, err := db.Conn(ask(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ask(t), "SHOW WARNINGS")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var level, code, message string
		if err := rows.Scan(&level, &code, &message); err != nil {
			t.Fatal(err)
		}
		if seen++; !strings.Contains(message, "withheld") {
			t.Errorf("a warning says %q", message)
		}
	}
	if err := rows.Err(); err != nil || seen == 0 {
		t.Errorf("%d warnings, %v", seen, err)
	}
	_ = rows.Close()
	if err := conn.QueryRowContext(ask(t), "SELECT 'plain error' FROM users WHERE (SELECT id FROM users)").Scan(new(string)); number(err) != 1242 || strings.Contains(err.Error(), "withheld") {
		t.Errorf("an error about another statement: %v", err)
	}
}

func TestLiveRowLimitAndTimeout(t *testing.T) {
	w := start(t, setup{})
	w.gate.tickets = func(s gate.Statement) *gate.Ticket {
		if strings.Contains(s.SQL, "sleep") {
			return &gate.Ticket{Timeout: 200 * time.Millisecond}
		}
		if strings.Contains(s.SQL, "users") {
			return &gate.Ticket{Rows: 10}
		}
		return nil
	}
	db := w.open(nil)
	rows, err := db.QueryContext(ask(t), "SELECT id FROM users")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if n != 10 || number(rows.Err()) != 1104 {
		t.Errorf("%d rows and then %v", n, rows.Err())
	}
	_ = rows.Close()
	began := time.Now()
	err = db.QueryRowContext(ask(t), "SELECT sleep(20) FROM plain RIGHT JOIN (SELECT 1) one ON true").Scan(new(string))
	if number(err) != 1317 || time.Since(began) > 5*time.Second {
		t.Errorf("a statement over its time: %v after %v", err, time.Since(began))
	}
	if got := one(t, db, "SELECT 5"); got != "5" {
		t.Errorf("afterwards: %s", got)
	}
}

func TestLiveReadOnly(t *testing.T) {
	w := start(t, setup{readOnly: true}) // the gate of the test lets everything pass
	db := w.open(nil)
	if _, err := db.ExecContext(ask(t), "INSERT INTO plain (note) VALUES ('x')"); number(err) != 1792 {
		t.Errorf("a write: %v", err)
	}
	if _, err := db.ExecContext(ask(t), "CREATE TABLE made (a int)"); number(err) != 1792 {
		t.Errorf("a definition: %v", err)
	}
	// What would undo it, if the analysis let it pass.
	for _, undo := range []string{"SET SESSION TRANSACTION READ WRITE", "START TRANSACTION READ WRITE", "SET TRANSACTION READ WRITE", "SET @@tx_read_only = 0"} {
		c := w.raw("ana", nil)
		_, err := c.Query(undo, nil)
		if err == nil {
			_, err = c.Query("INSERT INTO plain (note) VALUES ('x')", nil)
		}
		if err == nil {
			t.Errorf("a session of a read-only source wrote after %s", undo)
		}
	}
	if got := one(t, db, "SELECT count(*) FROM plain WHERE note = 'x'"); got != "0" {
		t.Errorf("%s rows were written", got)
	}
}

func TestLiveKill(t *testing.T) {
	w := start(t, setup{})
	victim := w.raw("ana", nil)
	other := w.raw("bob", nil)
	same := w.raw("ana", nil)
	sleeping := make(chan error, 1)
	go func() { // ends with the KILL
		_, err := victim.Query("SELECT sleep(30)", func(cells [][]byte) error {
			if string(cells[0]) == "1" {
				return io.EOF
			}
			return nil
		})
		sleeping <- err
	}()
	time.Sleep(300 * time.Millisecond)
	if _, err := other.Query(fmt.Sprintf("KILL QUERY %d", victim.ID), nil); err == nil || !strings.Contains(err.Error(), "Unknown thread") {
		t.Errorf("another user's KILL: %v", err)
	}
	if _, err := same.Query(fmt.Sprintf("KILL QUERY %d", victim.ID), nil); err != nil {
		t.Error(err)
	}
	select {
	case err := <-sleeping:
		if err == nil {
			t.Error("the statement ran to its end")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the statement was not stopped")
	}
	next := w.raw("ana", nil)
	next.say(append([]byte{byte(mywire.ComProcessKill)}, byte(same.ID), byte(same.ID>>8), byte(same.ID>>16), byte(same.ID>>24)))
	if k := kind(next.packet()); k != "OK" {
		t.Errorf("COM_PROCESS_KILL: %s", k)
	}
	if _, err := same.Query("SELECT 1", nil); err == nil {
		t.Error("a killed connection goes on")
	}
}

func TestLiveLocalFile(t *testing.T) {
	w := start(t, setup{})
	db := w.open(nil)
	driver.RegisterReaderHandler("rows", func() io.Reader { return strings.NewReader("9001\tone\n9002\ttwo\n") })
	defer driver.DeregisterReaderHandler("rows")
	r, err := db.ExecContext(ask(t), "LOAD DATA LOCAL INFILE 'Reader::rows' INTO TABLE plain (id, note)")
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := r.RowsAffected(); n != 2 {
		t.Errorf("%d rows loaded", n)
	}
	if got := one(t, db, "SELECT note FROM plain WHERE id = 9002"); got != "two" {
		t.Errorf("loaded %q", got)
	}
}

func TestLiveCompression(t *testing.T) {
	t.Run("zlib", func(t *testing.T) { compressed(t, upstream.Zlib) })
	t.Run("zstd", func(t *testing.T) { compressed(t, upstream.Zstd) })
}

func compressed(t *testing.T, how upstream.Compression) {
	w := start(t, setup{mysql: how == upstream.Zstd}) // which MariaDB does not know
	c := w.raw("ana", func(cfg *upstream.Config) { cfg.Compression, cfg.Reader.MaxBody = how, 64<<20 })
	if zlib, zstd := c.Capabilities.Has(mywire.CapCompress), c.Capabilities.Has(mywire.CapZstd); zlib != (how == upstream.Zlib) || zstd != (how == upstream.Zstd) {
		t.Fatalf("zlib %t, zstd %t", zlib, zstd)
	}
	var length int
	if _, err := c.Query("SELECT repeat('x', 300000)", func(cells [][]byte) error { length = len(cells[0]); return nil }); err != nil || length != 300000 {
		t.Errorf("%d bytes, %v", length, err)
	}
	// Packets of 16 MiB and more, which compress badly, both ways.
	noise := make([]byte, 9<<20)
	_, _ = rand.Read(noise)
	text := hex.EncodeToString(noise)
	c.say(mywire.AppendQuery(nil, "SELECT '"+text+"'", c.Capabilities))
	same := false
	for range 4 { // their number, one definition, the row, the end
		body, err := c.Reader.Body(64 << 20)
		if err != nil {
			t.Fatal(err)
		}
		same = same || strings.HasSuffix(string(body), text)
		if err := c.Reader.Discard(); err != nil {
			t.Fatal(err)
		}
	}
	if !same {
		t.Error("the text did not come back")
	}
	for range 5 {
		if _, err := c.Query("SELECT 1; SELECT 2", nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLiveSessionState(t *testing.T) {
	w := start(t, setup{})
	var states []string
	w.gate.tickets = func(s gate.Statement) *gate.Ticket {
		for _, table := range s.Facts.Tables {
			states = append(states, table.Schema+"."+table.Name)
		}
		return nil
	}
	db := w.open(nil)
	conn, err := db.Conn(ask(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	do := func(sql string) {
		t.Helper()
		if _, err := conn.ExecContext(ask(t), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	do("SELECT id FROM users LIMIT 0")
	do("SET SESSION session_track_schema = OFF")
	do("USE mysql")
	do("SELECT user FROM user LIMIT 0")
	do("SET sql_mode = 'ANSI_QUOTES'")
	do(`USE "shop"`)
	do(`SELECT "id" FROM "users" LIMIT 0`)
	if got := strings.Join(states, " "); got != "shop.users mysql.user shop.users" {
		t.Errorf("tables are %s", got)
	}
}

func TestLiveDrain(t *testing.T) {
	w := start(t, setup{})
	db := w.open(nil)
	tx, err := db.BeginTx(ask(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	idle := w.raw("bob", nil)
	stopped := make(chan error, 1)
	go func() { // ends when the transaction has
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- w.server.Shutdown(ctx)
	}()
	time.Sleep(200 * time.Millisecond)
	if _, err := idle.Query("SELECT 1", nil); err == nil {
		t.Error("an idle session outlives the drain")
	}
	if _, err := tx.ExecContext(ask(t), "INSERT INTO plain (note) VALUES ('drained')"); err != nil {
		t.Errorf("inside the transaction: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestLiveEnds(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", nil)
	w.server.EndUser("local|ana", proxy.EndUserDisabled)
	if _, err := c.Query("SELECT 1", nil); err == nil {
		t.Error("a disabled user goes on")
	}
}

// TestLivePlanIsWithheld: flags of the status tell how the server found the
// rows, which may follow statistics of masked columns.
func TestLivePlanIsWithheld(t *testing.T) {
	w := start(t, setup{})
	w.gate.tickets = masked
	c := w.raw("ana", nil)
	const plan = mywire.StatusNoIndex | mywire.StatusNoGoodIndex | mywire.StatusSlow
	for range 2 { // the second one's definitions end with what the first left
		ok, err := c.Query("SELECT email FROM users WHERE email LIKE '%a%'", func([][]byte) error { return nil })
		if err != nil || ok.Status&plan != 0 {
			t.Errorf("status %b, %v", ok.Status, err)
		}
	}
}
