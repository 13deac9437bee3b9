package mysession_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy/gate"
)

// raw is a client that speaks the protocol itself, for what drivers hide.
type raw struct {
	t *testing.T
	*upstream.Conn
}

func (w *weir) raw(user string, change func(*upstream.Config)) *raw {
	w.t.Helper()
	cfg := upstream.Config{Network: "tcp", Address: w.addr, TLS: upstream.VerifyFull, ServerName: "localhost", RootCAs: w.roots,
		User: user, Password: "secret", Database: "shop", Capabilities: mywire.CapDeprecateEOF | mywire.CapMultiStatements,
		Reader: mywire.ReaderOptions{Idle: 20 * time.Second}}
	if change != nil {
		change(&cfg)
	}
	c, err := upstream.Dial(ask(w.t), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	return &raw{w.t, c}
}

// say sends a command.
func (r *raw) say(payload []byte) {
	r.t.Helper()
	if err := r.Writer.Command(payload); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Writer.Flush(); err != nil {
		r.t.Fatal(err)
	}
	r.Reader.SetSeq(r.Writer.Seq())
}

// packet reads one packet.
func (r *raw) packet() []byte {
	r.t.Helper()
	body, err := r.Reader.Body(1 << 24)
	if err != nil {
		r.t.Fatal(err)
	}
	out := append([]byte(nil), body...)
	if err := r.Reader.Discard(); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// kind shortens a packet for a story: OK, ERR and its number, EOF, or its length.
func kind(b []byte) string {
	switch {
	case len(b) == 0:
		return "empty"
	case b[0] == mywire.MarkErr:
		return fmt.Sprintf("ERR %d", binary.LittleEndian.Uint16(b[1:]))
	case b[0] == mywire.MarkOK:
		return "OK"
	case b[0] == mywire.MarkEOF && len(b) < 16:
		return "EOF"
	}
	return "data"
}

// prepare prepares a statement and returns its number.
func (r *raw) prepare(sql string) mywire.Prepared {
	r.t.Helper()
	r.say(mywire.AppendText(nil, mywire.ComStmtPrepare, sql))
	p, err := mywire.ParsePrepared(r.packet())
	if err != nil {
		r.t.Fatal(err)
	}
	eof := !r.Capabilities.Has(mywire.CapDeprecateEOF)
	for _, n := range []int{p.Params, p.Columns} {
		if n > 0 && eof {
			n++
		}
		for range n {
			r.packet()
		}
	}
	return p
}

// execute is COM_STMT_EXECUTE without parameters.
func execute(id uint32, flags byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtExecute)}, id)
	return append(b, flags, 1, 0, 0, 0)
}

func fetch(id, rows uint32) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtFetch)}, id)
	return binary.LittleEndian.AppendUint32(b, rows)
}

// masked lets every statement pass, with the email of users masked.
func masked(s gate.Statement) *gate.Ticket {
	t := &gate.Ticket{Restricted: true}
	for i, o := range s.Facts.Output {
		for _, ref := range o.Origins {
			if ref.Table == "users" && ref.Column != "id" {
				t.Touched = true
				spec := map[string]masking.Spec{"email": {Function: "email"}, "born": {Function: "date_trunc", Args: map[string]any{"unit": "year"}}}[ref.Column]
				if spec.Function == "" {
					spec.Function = "redact"
				}
				t.Masks = append(t.Masks, gate.OutputMask{Index: i, Spec: spec, Source: o.Source, SourceAttr: o.SourceAttr, Column: ref})
			}
		}
	}
	return t
}

func TestLiveCursors(t *testing.T) {
	for _, deprecated := range []bool{true, false} {
		t.Run(fmt.Sprint("EOF deprecated ", deprecated), func(t *testing.T) {
			w := start(t, setup{})
			w.gate.tickets = masked
			c := w.raw("ana", func(cfg *upstream.Config) {
				if !deprecated {
					cfg.Capabilities &^= mywire.CapDeprecateEOF
				}
			})
			p := c.prepare("SELECT id, email FROM users ORDER BY id LIMIT 5")
			c.say(execute(p.Statement, mywire.CursorReadOnly))
			story := ""
			for range 4 { // count, two definitions, one end
				story += kind(c.packet()) + " "
			}
			if story != "data data data EOF " {
				t.Fatalf("a cursor is opened by %s", story)
			}
			c.say(fetch(p.Statement, 2))
			for i := range 2 {
				row := c.packet()
				if !strings.Contains(string(row), "u***@example.com") || strings.Contains(string(row), "user") {
					t.Errorf("row %d: %q", i, row)
				}
			}
			if k := kind(c.packet()); k != "EOF" {
				t.Fatalf("the end of a fetch is %s", k)
			}
			c.say(fetch(p.Statement, 10))
			for range 3 {
				c.packet()
			}
			if k := kind(c.packet()); k != "EOF" {
				t.Fatalf("the end of the last fetch is %s", k)
			}
			c.say(fetch(p.Statement, 10))
			if k := kind(c.packet()); k != "ERR 1243" {
				t.Errorf("a fetch without a cursor: %s", k)
			}
			c.say(mywire.AppendStatement(nil, mywire.ComStmtReset, p.Statement))
			if k := kind(c.packet()); k != "OK" {
				t.Errorf("reset: %s", k)
			}
			c.say([]byte{byte(mywire.ComPing)})
			if k := kind(c.packet()); k != "OK" {
				t.Errorf("ping: %s", k)
			}
		})
	}
}

func TestLiveCommands(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", nil)
	for _, s := range []struct {
		name string
		say  []byte
		want string
	}{
		{"binlog dump", []byte{byte(mywire.ComBinlogDump), 4, 0, 0, 0, 0, 0, 1, 0, 0, 0}, "ERR 1227"},
		{"register replica", []byte{byte(mywire.ComRegisterSlave), 1, 0, 0, 0}, "ERR 1227"},
		{"shutdown", []byte{byte(mywire.ComShutdown)}, "ERR 1227"},
		{"create database", []byte{byte(mywire.ComCreateDB), 'x'}, "ERR 1047"},
		{"nobody knows", []byte{0x55}, "ERR 1047"},
		{"an unknown statement", execute(77, 0), "ERR 1243"},
		{"init db", mywire.AppendText(nil, mywire.ComInitDB, "mysql"), "OK"},
		{"init db back", mywire.AppendText(nil, mywire.ComInitDB, "shop"), "OK"},
		{"init db unknown", mywire.AppendText(nil, mywire.ComInitDB, "nowhere"), "ERR 1049"},
		{"set option", []byte{byte(mywire.ComSetOption), 1, 0}, "EOF"},
		{"several statements", mywire.AppendQuery(nil, "SELECT 1; SELECT 2", 0), "ERR 1064"},
		{"set option back", []byte{byte(mywire.ComSetOption), 0, 0}, "EOF"},
		{"set option wrong", []byte{byte(mywire.ComSetOption), 7, 0}, "ERR 1047"},
		{"reset connection", []byte{byte(mywire.ComResetConnection)}, "OK"},
		{"empty query", mywire.AppendQuery(nil, "", 0), "ERR 1065"},
		{"comment", mywire.AppendQuery(nil, "-- nothing", 0), "OK"},
	} {
		c.say(s.say)
		if got := kind(c.packet()); got != s.want {
			t.Errorf("%s: %s, want %s", s.name, got, s.want)
		}
	}
	c.say([]byte{byte(mywire.ComStatistics)})
	if got := string(c.packet()); !strings.HasPrefix(got, "Uptime:") {
		t.Errorf("statistics: %q", got)
	}
	c.say(append([]byte{byte(mywire.ComFieldList)}, "users\x00"...))
	for range 5 {
		if b := c.packet(); kind(b) != "data" {
			t.Fatalf("field list: %q", b)
		}
	}
	if k := kind(c.packet()); k != "EOF" {
		t.Errorf("the end of a field list: %s", k)
	}
}

func TestLiveLongData(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", nil)
	p := c.prepare("SELECT length(?), ?")
	long := func(param uint16, data string) []byte {
		b := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtSendLongData)}, p.Statement)
		return append(binary.LittleEndian.AppendUint16(b, param), data...)
	}
	for range 3 {
		c.say(long(0, "0123456789"))
	}
	c.say(append(execute(p.Statement, 0), 0, 1, 0xfc, 0, 0xfd, 0, 2, 'h', 'i'))
	for range 3 {
		c.packet()
	}
	if row := c.packet(); !strings.Contains(string(row), "\x1e") || !strings.HasSuffix(string(row), "hi") {
		t.Errorf("row %q", row)
	}
	c.packet()
	// The types are not sent again, and the long data is gone.
	c.say(append(execute(p.Statement, 0), 0, 0, 1, 'x', 2, 'y', 'o'))
	for range 3 {
		c.packet()
	}
	if row := c.packet(); !strings.HasSuffix(string(row), "yo") {
		t.Errorf("row %q", row)
	}
}

func TestLiveChangeUser(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", nil)
	if _, err := c.Query("SET @a = 1", nil); err != nil {
		t.Fatal(err)
	}
	change := func(user, password string) string {
		c.say(mywire.AppendChangeUser(nil, &mywire.ChangeUser{User: user, Database: "shop", AuthPlugin: mywire.PluginCleartext,
			AuthResponse: mywire.PasswordText(password)}, c.Capabilities))
		return kind(c.packet())
	}
	if got := change("bob@shop", "secret"); got != "OK" {
		t.Fatalf("change user: %s", got)
	}
	var a string
	if _, err := c.Query("SELECT coalesce(@a, 'unset')", func(cells [][]byte) error { a = string(cells[0]); return nil }); err != nil || a != "unset" {
		t.Errorf("a variable of somebody else: %q, %v", a, err)
	}
	w.gate.mu.Lock()
	connects := len(w.gate.connects)
	last := w.gate.connects[connects-1].Identity.Name
	w.gate.mu.Unlock()
	if connects != 2 || last != "bob" {
		t.Errorf("%d decisions, the last about %s", connects, last)
	}
	if n := len(w.server.Sessions()); n != 1 || w.server.Sessions()[0].User != "bob" {
		t.Errorf("sessions %v", w.server.Sessions())
	}
	if got := change("carol", "wrong"); got != "ERR 1045" {
		t.Errorf("a wrong password: %s", got)
	}
	if _, err := c.Query("SELECT 1", nil); err == nil {
		t.Error("a session goes on after a failed change of its user")
	}
}

// TestLivePipelinedExecute: MariaDB's connectors send EXECUTE of "the last one"
// along with PREPARE.
func TestLivePipelinedExecute(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", nil)
	c.prepare("SELECT 'older'")
	p := c.prepare("SELECT 'newer'")
	for _, id := range []uint32{p.Statement, mywire.LastStatement} {
		c.say(execute(id, 0))
		c.packet()
		c.packet()
		if row := string(c.packet()); !strings.HasSuffix(row, "newer") {
			t.Errorf("statement %d gives %q", id, row)
		}
		c.packet()
	}
	w.gate.mu.Lock()
	w.gate.denies = "email"
	w.gate.mu.Unlock()
	c.say(mywire.AppendText(nil, mywire.ComStmtPrepare, "SELECT email FROM users"))
	if k := kind(c.packet()); k != "ERR 1143" {
		t.Fatalf("a denied PREPARE: %s", k)
	}
	c.say(execute(mywire.LastStatement, 0))
	if k := kind(c.packet()); k != "ERR 1243" {
		t.Errorf("EXECUTE of a denied statement: %s", k)
	}
}

// TestLiveBulkExecute: rows of parameters in one command (MariaDB).
func TestLiveBulkExecute(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", func(cfg *upstream.Config) { cfg.Capabilities |= mywire.CapBulkOperations })
	p := c.prepare("INSERT INTO plain (id, note) VALUES (?, ?)")
	b := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtBulkExecute)}, p.Statement)
	b = append(b, mywire.BulkSendTypes, 0, byte(mywire.TypeLong), 0, byte(mywire.TypeVarString), 0)
	for i, note := range []string{"first", "second"} {
		b = binary.LittleEndian.AppendUint32(append(b, mywire.BulkValue), uint32(7001+i))
		b = append(append(b, mywire.BulkValue, byte(len(note))), note...)
	}
	c.say(b)
	if k := kind(c.packet()); k != "OK" {
		t.Fatalf("bulk execute: %s", k)
	}
	var notes []string
	if _, err := c.Query("SELECT note FROM plain WHERE id > 7000 AND id < 7003 ORDER BY id", func(cells [][]byte) error {
		notes = append(notes, string(cells[0]))
		return nil
	}); err != nil || strings.Join(notes, " ") != "first second" {
		t.Errorf("%q, %v", notes, err)
	}
}

// TestLiveRefusedExecute: what came with an execution that the server did not
// get neither reaches the next one nor is missing there.
func TestLiveRefusedExecute(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", func(cfg *upstream.Config) { cfg.Capabilities |= mywire.CapBulkOperations })
	denies := func(text string) {
		w.gate.mu.Lock()
		w.gate.denies = text
		w.gate.mu.Unlock()
	}
	p := c.prepare("SELECT length(?), ? FROM users LIMIT 1")
	c.say(append(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtSendLongData)}, p.Statement), 0), "0123456789"...))
	denies("users")
	c.say(append(execute(p.Statement, 0), 0, 1, 0xfc, 0, 0xfd, 0, 2, 'h', 'i'))
	if k := kind(c.packet()); k != "ERR 1143" {
		t.Fatalf("a denied EXECUTE: %s", k)
	}
	denies("")
	c.say(append(execute(p.Statement, 0), 0, 0, 1, 'x', 2, 'y', 'o'))
	for range 3 {
		c.packet()
	}
	if row := string(c.packet()); !strings.Contains(row, "\x01") || !strings.HasSuffix(row, "yo") {
		t.Errorf("row %q", row)
	}
	c.packet()

	p = c.prepare("INSERT INTO plain (id, note) VALUES (?, ?)")
	bulk := func(flags byte, types []byte, id uint32, note string) {
		b := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtBulkExecute)}, p.Statement)
		b = append(append(b, flags, 0), types...)
		b = binary.LittleEndian.AppendUint32(append(b, mywire.BulkValue), id)
		c.say(append(append(b, mywire.BulkValue, byte(len(note))), note...))
	}
	denies("plain")
	bulk(mywire.BulkSendTypes, []byte{byte(mywire.TypeLong), 0, byte(mywire.TypeVarString), 0}, 7101, "never")
	if k := kind(c.packet()); k != "ERR 1143" {
		t.Fatalf("a denied bulk EXECUTE: %s", k)
	}
	denies("")
	bulk(0, nil, 7102, "now")
	if k := kind(c.packet()); k != "OK" {
		t.Fatalf("bulk EXECUTE without types: %s", k)
	}
	var notes []string
	if _, err := c.Query("SELECT note FROM plain WHERE id > 7100 AND id < 7200", func(cells [][]byte) error {
		notes = append(notes, string(cells[0]))
		return nil
	}); err != nil || strings.Join(notes, " ") != "now" {
		t.Errorf("%q, %v", notes, err)
	}
}

// TestLiveEOFWarnings: clients that know EOF packets count warnings by the one
// after the definitions.
func TestLiveEOFWarnings(t *testing.T) {
	w := start(t, setup{})
	c := w.raw("ana", func(cfg *upstream.Config) { cfg.Capabilities &^= mywire.CapDeprecateEOF })
	eof := func() uint16 {
		t.Helper()
		for {
			body := c.packet()
			if body[0] == mywire.MarkEOF && len(body) == 5 {
				_, warnings, err := mywire.ParseEOF(body)
				if err != nil {
					t.Fatal(err)
				}
				return warnings
			}
		}
	}
	c.say(mywire.AppendQuery(nil, "SELECT id FROM users WHERE id = '1 x' AND id < 0", c.Capabilities))
	if first, last := eof(), eof(); first == 0 || first != last {
		t.Errorf("%d and %d warnings", first, last)
	}
	c.say(mywire.AppendText(nil, mywire.ComStmtPrepare, "SELECT id, 2*id AS id FROM users GROUP BY id"))
	m, err := mywire.ParsePrepared(c.packet())
	if err != nil || m.Warnings == 0 || m.Columns != 2 {
		t.Fatalf("%+v %v", m, err)
	}
	if got := eof(); got != m.Warnings {
		t.Errorf("%d warnings, not %d", got, m.Warnings)
	}
}
