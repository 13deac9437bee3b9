package upstream

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
)

var update = flag.Bool("update", false, "record the transcripts again, against a real server")

// turn is what one side sent before the other did.
type turn struct {
	client bool
	data   []byte
}

// recorder is a connection that keeps what goes over it.
type recorder struct {
	net.Conn
	mu    sync.Mutex
	turns []turn
}

func (r *recorder) keep(client bool, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.turns); n == 0 || r.turns[n-1].client != client {
		r.turns = append(r.turns, turn{client: client})
	}
	last := &r.turns[len(r.turns)-1]
	last.data = append(last.data, p...)
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.keep(false, p[:n])
	return n, err
}

func (r *recorder) Write(p []byte) (int, error) {
	r.keep(true, p)
	return r.Conn.Write(p)
}

// session is what a transcript holds, in words; it has to come out the same
// when the transcript is played again.
func session(t *testing.T, cfg Config) string {
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "method %s, MariaDB %v, capabilities %x\n", c.Method, c.MariaDB, c.Capabilities)
	for _, sql := range []string{
		"create or replace temporary table t (id int primary key, name varchar(20), born date, tags set('a','b'), at datetime(3))",
		"insert into t values (1, 'ana', '1990-01-02', 'a,b', '2026-01-02 03:04:05.678'), (2, null, null, '', null)",
		"select id, name, born, tags, at, id * 1.5 as derived from t as x order by id",
		"use information_schema",
		"use shop",
		"update t set name = 'x' where id = 9",
		"select nothing",
		"select 1 union select 2",
	} {
		fmt.Fprintf(&b, "> %s\n", sql)
		ok, err := c.Query(sql, func(cells [][]byte) error {
			for i, cell := range cells {
				if cells[i] == nil {
					cell = []byte("NULL")
				}
				fmt.Fprintf(&b, "%s|", cell)
			}
			b.WriteByte('\n')
			return nil
		})
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err)
			continue
		}
		fmt.Fprintf(&b, "affected %d, status %x, warnings %d, info %q", ok.AffectedRows, uint16(ok.Status), ok.Warnings, ok.Info)
		if err := ok.Changes.Each(func(ch mywire.SessionChange) { fmt.Fprintf(&b, ", %d %s=%s", ch.Kind, ch.Name, ch.Value) }); err != nil {
			t.Error(err)
		}
		b.WriteByte('\n')
	}
	columns, rows := prepared(t, c, "select x.id, x.name as n, x.born, x.at, x.id * 1.5 from t as x where id < 3")
	types := make([]mywire.Type, len(columns))
	for i, col := range columns {
		types[i] = col.Type
		fmt.Fprintf(&b, "%s.%s.%s as %s.%s, type %d, flags %x, length %d\n", col.Schema, col.OrgTable, col.OrgName, col.Table, col.Name, col.Type, uint16(col.Flags), col.Length)
	}
	for _, body := range rows {
		row, err := mywire.NewBinaryRow(body, types)
		if err != nil {
			t.Fatal(err)
		}
		for row.Next() {
			s, err := text(columns[row.Index()], row.Cell())
			fmt.Fprintf(&b, "%s|", s)
			if err != nil {
				t.Error(err)
			}
		}
		if err := row.Err(); err != nil {
			t.Error(err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestLiveTranscripts holds the recorded words against a real server, whatever
// its bytes are; with -update, it records both.
func TestLiveTranscripts(t *testing.T) {
	for name, cfg := range transcripts() {
		live := config(t, "native", "nativé ½")
		cfg.Address, cfg.User, cfg.Password = live.Address, live.User, live.Password
		path := filepath.Join("testdata", name)
		if *update {
			record(t, cfg, path)
		}
		want, err := os.ReadFile(path + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		if got := session(t, cfg); got != string(want) {
			t.Errorf("%s: got:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// record writes what goes over a session's connection, and its words.
func record(t *testing.T, cfg Config, path string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	recorded := make(chan []turn, 1)
	go func(address string) { // ends with its one connection
		defer close(recorded)
		front, err := ln.Accept()
		if err != nil {
			return
		}
		defer front.Close()
		back, err := net.Dial(cfg.Network, address)
		if err != nil {
			return
		}
		r := &recorder{Conn: back}
		go func() { io.Copy(r, front); back.Close() }() // ends with front
		io.Copy(front, r)
		recorded <- r.turns
	}(cfg.Address)
	cfg.Address = ln.Addr().String()
	words := session(t, cfg)
	var b strings.Builder
	for _, turn := range <-recorded {
		side := "S"
		if turn.client {
			side = "C"
		}
		fmt.Fprintf(&b, "%s %s\n", side, hex.EncodeToString(turn.data))
	}
	for name, text := range map[string]string{".transcript": b.String(), ".golden": words} {
		if err := os.WriteFile(path+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// transcripts are the sessions that are recorded, by name. The account is the
// live tests' and its password no secret.
func transcripts() map[string]Config {
	base := Config{Network: "tcp", TLS: Disable, User: "native", Password: "nativé ½", Database: "shop", ConnectTimeout: 10 * time.Second}
	plain, all := base, base
	all.Capabilities = mywire.CapDeprecateEOF | mywire.CapExtendedMetadata | mywire.CapCacheMetadata | mywire.CapFoundRows
	return map[string]Config{"mariadb-10.11": plain, "mariadb-10.11-new": all}
}

// TestTranscripts plays what a MariaDB server sent, without one. The client has
// to send the same bytes again.
func TestTranscripts(t *testing.T) {
	for name, cfg := range transcripts() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", name)
			raw, err := os.ReadFile(path + ".transcript")
			if err != nil {
				t.Fatal(err)
			}
			golden, err := os.ReadFile(path + ".golden")
			if err != nil {
				t.Fatal(err)
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			played := make(chan error, 1)
			go func() { played <- play(ln, string(raw)) }() // ends with its one connection
			cfg.Address = ln.Addr().String()
			if got := session(t, cfg); got != string(golden) {
				t.Errorf("got:\n%s\nwant:\n%s", got, golden)
			}
			if err := <-played; err != nil {
				t.Error(err)
			}
		})
	}
}

func play(ln net.Listener, transcript string) error {
	conn, err := ln.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	for i, line := range strings.Split(strings.TrimSpace(transcript), "\n") {
		data, err := hex.DecodeString(line[2:])
		if err != nil {
			return err
		}
		if line[0] == 'S' {
			if _, err := conn.Write(data); err != nil {
				return err
			}
			continue
		}
		got := make([]byte, len(data))
		if _, err := io.ReadFull(conn, got); err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
		if !bytes.Equal(got, data) {
			return fmt.Errorf("turn %d: the client sent %q, want %q", i, got, data)
		}
	}
	return nil
}
