package mysession_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
)

// changeUser is COM_CHANGE_USER with a password in clear.
func changeUser(c *upstream.Conn, user, password, database string) []byte {
	return mywire.AppendChangeUser(nil, &mywire.ChangeUser{User: user, Database: database, AuthPlugin: mywire.PluginCleartext,
		AuthResponse: mywire.PasswordText(password), Collation: 45}, c.Capabilities)
}

// onServer counts the connections of sessions that the server has, or none as
// soon as there is none. The catalog's is not among them.
func onServer(t *testing.T, condition string, within time.Duration) int {
	t.Helper()
	cfg, err := server(t).Config(myserver.SuperUser, server(t).Password, "")
	if err != nil {
		t.Fatal(err)
	}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		n, err := strconv.Atoi(one(t, db, "SELECT count(*) FROM information_schema.processlist WHERE user = 'app' AND "+condition))
		if err != nil || n == 0 || time.Now().After(deadline) {
			return n
		}
	}
}

// TestLiveFailedChangeUser: MariaDB goes on as who was logged in before, with
// nothing of the session left; MySQL 8 ends the session, and so does weir:
// whoever tried to become somebody else is nobody afterwards.
func TestLiveFailedChangeUser(t *testing.T) {
	t.Run("directly", func(t *testing.T) {
		db := server(t)
		roots, err := upstream.LoadCA(db.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := upstream.Dial(ask(t), upstream.Config{Network: "tcp", Address: fmt.Sprintf("%s:%d", db.Host, db.Port), TLS: upstream.VerifyFull,
			ServerName: "localhost", RootCAs: roots, User: "app", Password: "app"})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := &raw{t, conn}
		if _, err := c.Query("SET @a = 1", nil); err != nil {
			t.Fatal(err)
		}
		c.say(mywire.AppendChangeUser(nil, &mywire.ChangeUser{User: "app", AuthPlugin: mywire.PluginNative,
			AuthResponse: make([]byte, 20), Collation: 45}, c.Capabilities))
		body := c.packet()
		if body[0] == mywire.MarkEOF { // it switches to a fresh nonce
			c.Writer.SetSeq(c.Reader.Seq())
			if err := errors.Join(c.Writer.Packet(make([]byte, 20)), c.Writer.Flush()); err != nil {
				t.Fatal(err)
			}
			c.Reader.SetSeq(c.Writer.Seq())
			body = c.packet()
		}
		if k := kind(body); k != "ERR 1045" {
			t.Fatalf("a wrong password: %s", k)
		}
		var who string
		if _, err := c.Query("SELECT concat(substring_index(user(), '@', 1), coalesce(@a, ' without variables'))", func(cells [][]byte) error { who = string(cells[0]); return nil }); err != nil || who != "app without variables" {
			t.Errorf("MariaDB goes on as %q, %v", who, err)
		}
	})
	for _, s := range []struct{ name, user, password, database, reply, rejected string }{
		{"a wrong password", "bob", "wrong", "shop", "ERR 1045", "bob wrong_password"},
		{"nobody", "nobody", "secret", "shop", "ERR 1045", "nobody unknown_user"},
		{"policy", "unwanted", "secret", "shop", "ERR 1044", ""},
		{"an unknown database", "bob", "secret", "nowhere", "ERR 1049", ""},
	} {
		t.Run(s.name, func(t *testing.T) {
			w := start(t, setup{})
			c := w.raw("ana", nil)
			c.say(changeUser(c.Conn, s.user, s.password, s.database))
			if k := kind(c.packet()); k != s.reply {
				t.Fatalf("%s: %s", s.name, k)
			}
			if _, err := c.Reader.Peek(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection is left open: %v", err)
			}
			for deadline := time.Now().Add(5 * time.Second); len(w.server.Sessions()) > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("sessions %v are left", w.server.Sessions())
				}
			}
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			if len(w.gate.closed) == 0 || w.gate.closed[0] != "changed_user" {
				t.Errorf("the first identity's session ended by %v", w.gate.closed)
			}
			if s.rejected != "" && !slices.Equal(w.gate.rejected, []string{s.rejected}) {
				t.Errorf("refused logins %v, want %s", w.gate.rejected, s.rejected)
			}
			for i, who := range w.gate.connects[1:] {
				if who.Identity.Name != s.user {
					t.Errorf("decision %d is about %s", i+1, who.Identity.Name)
				}
			}
			if n := onServer(t, "db = 'shop'", 2*time.Second); n != 0 {
				t.Errorf("%d connections are left on the server", n)
			}
		})
	}
}

// TestLiveChangeUserAsksAnew: COM_CHANGE_USER may lead to another kind of server,
// which is asked what it has before it is asked for that.
func TestLiveChangeUserAsksAnew(t *testing.T) {
	cfg, err := server(t).Config(myserver.SuperUser, server(t).Password, "")
	if err != nil {
		t.Fatal(err)
	}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	root := sql.OpenDB(connector)
	defer root.Close()
	set := func(text string) {
		t.Helper()
		if _, err := root.ExecContext(ask(t), text); err != nil {
			t.Fatal(err)
		}
	}
	set("TRUNCATE mysql.general_log")
	set("SET GLOBAL log_output = 'TABLE'")
	set("SET GLOBAL general_log = ON")
	defer set("SET GLOBAL general_log = OFF")
	w := start(t, setup{})
	c := w.raw("ana", nil)
	c.say(changeUser(c.Conn, "ben", "secret", "shop"))
	if k := kind(c.packet()); k != "OK" {
		t.Fatal(k)
	}
	if got := one(t, root, "SELECT count(*) FROM mysql.general_log WHERE argument LIKE 'SHOW SESSION VARIABLES%' AND user_host LIKE 'app%'"); got != "2" {
		t.Errorf("asked %s times", got)
	}
}
