package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
)

// one returns the one value that a query yields.
func one(t testing.TB, c *Conn, sql string) string {
	t.Helper()
	var got []string
	_, err := c.Query(sql, func(cells [][]byte) error { got = append(got, string(cells[0])); return nil })
	if err != nil || len(got) != 1 {
		t.Fatalf("%s: %q, %v", sql, got, err)
	}
	return got[0]
}

func TestLiveLogins(t *testing.T) {
	s, err := mariadb()
	if err != nil {
		t.Fatal(err)
	}
	crt, key, err := s.ClientCertificate("carried")
	if err != nil {
		t.Fatal(err)
	}
	everything := mywire.CapDeprecateEOF | mywire.CapExtendedMetadata | mywire.CapCacheMetadata | mywire.CapMultiStatements | mywire.CapFoundRows
	tests := []struct {
		name, user, password, method string
		change                       func(c *Config)
	}{
		{"native", "native", "nativé ½", mywire.PluginNative, nil},
		{"native in clear", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.TLS = Disable }},
		{"native, prefer", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.TLS = Prefer }},
		{"native, verify-ca", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.TLS, c.ServerName = VerifyCA, "elsewhere" }},
		{"over a socket", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.Network, c.Address, c.TLS = "unix", s.Socket, Prefer }},
		{"TLS over a socket", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.Network, c.Address = "unix", s.Socket }},
		{"no password", "nobody", "", mywire.PluginNative, nil},
		{"ed25519", "ed", "edpw", mywire.PluginEd25519, nil},
		{"TLS demanded", "secure", "securepw", mywire.PluginNative, nil},
		{"a certificate", "carried", "carriedpw", mywire.PluginNative, func(c *Config) {
			c.Certificate = func() (*tls.Certificate, error) {
				pair, err := tls.LoadX509KeyPair(crt, key)
				return &pair, err
			}
		}},
		{"everything", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.Capabilities = everything }},
		{"zlib", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.Compression, c.TLS = Zlib, Disable }},
		{"zlib over TLS, everything", "native", "nativé ½", mywire.PluginNative, func(c *Config) { c.Compression, c.Capabilities = Zlib, everything }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, tt.user, tt.password)
			cfg.Attributes = []mywire.Attribute{{Name: "program_name", Value: "weir"}}
			if tt.change != nil {
				tt.change(&cfg)
			}
			c, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Method != tt.method || !c.MariaDB || c.Capabilities&^(c.Offered|mywire.CapTLS) != 0 || (c.TLS == nil) != (cfg.TLS == Disable || cfg.TLS == Prefer && cfg.Network == "unix") {
				t.Errorf("%+v", c)
			}
			if c.Capabilities.Has(mywire.CapBulkOperations) {
				t.Error("has what was not asked for")
			}
			if got := one(t, c, "select concat(current_user(), ' ', connection_id() = "+itoa(c.ID)+", ' ', @@collation_connection)"); got != tt.user+"@% 1 utf8mb4_general_ci" {
				t.Errorf("the server says %q", got)
			}
			rows := 0
			if _, err := c.Query("with recursive s as (select 1 as n union all select n + 1 from s where n < 1000) select repeat('x', n), null, '' from s", func(cells [][]byte) error {
				if rows++; len(cells[0]) != rows || cells[1] != nil || cells[2] == nil {
					t.Errorf("row %d: %.40q", rows, cells)
				}
				return nil
			}); err != nil || rows != 1000 {
				t.Errorf("%d rows, %v", rows, err)
			}
			var se *mywire.ServerError
			if _, err := c.Query("select nothing", nil); !errors.As(err, &se) || se.Number != mywire.ErrUnknownColumn || se.State != mywire.StateNoSuchColumn {
				t.Errorf("error %v", err)
			}
		})
	}
}

func itoa(n uint32) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestLiveFailures(t *testing.T) {
	asTLS := func(err error) bool { var e *TLSError; return errors.As(err, &e) && !e.Refused }
	asAuth := func(err error) bool {
		var e *AuthError
		return errors.As(err, &e) && e.Server != nil && e.Server.Number == mywire.ErrAccessDenied
	}
	tests := []struct {
		name, user, password string
		change               func(*Config)
		ok                   func(error) bool
	}{
		{"the system's CAs, verify-ca", "native", "nativé ½", func(c *Config) { c.TLS, c.RootCAs = VerifyCA, nil }, asTLS},
		{"the system's CAs, verify-full", "native", "nativé ½", func(c *Config) { c.RootCAs = nil }, asTLS},
		{"wrong name", "native", "nativé ½", func(c *Config) { c.ServerName = "other.example" }, asTLS},
		{"wrong password, native", "native", "s3cr3t-value", func(*Config) {}, asAuth},
		{"wrong password, ed25519", "ed", "s3cr3t-value", func(*Config) {}, asAuth},
		{"no password", "native", "", func(*Config) {}, asAuth},
		{"no such user", "nowhere", "s3cr3t-value", func(*Config) {}, asAuth},
		{"TLS demanded", "secure", "securepw", func(c *Config) { c.TLS = Disable }, asAuth},
		{"no certificate", "carried", "carriedpw", func(*Config) {}, asAuth},
		{"no such database", "native", "nativé ½", func(c *Config) { c.Database = "nowhere" }, func(err error) bool {
			var e *mywire.ServerError
			return errors.As(err, &e) && e.Number == mywire.ErrBadDatabase
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, tt.user, tt.password)
			tt.change(&cfg)
			c, err := Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			if !tt.ok(err) {
				t.Errorf("error %v", err)
			}
			if strings.Contains(err.Error(), "s3cr3t-value") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

// TestLiveSessionTracking reads what the server says of the session's state.
func TestLiveSessionTracking(t *testing.T) {
	cfg := config(t, "native", "nativé ½")
	cfg.Database = "shop"
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	states := func(s mywire.SessionChanges) string {
		var b strings.Builder
		if err := s.Each(func(ch mywire.SessionChange) { b.WriteString(string(ch.Name) + "=" + string(ch.Value) + ";") }); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	if got := states(c.Changes); got != "=shop;" {
		t.Errorf("after the login: %q", got)
	}
	for sql, want := range map[string]string{
		"use mysql": "=mysql;",
		"set session_track_system_variables = '*', sql_mode = 'ANSI_QUOTES'": "sql_mode=ANSI_QUOTES;",
		"set time_zone = '+01:00'": "time_zone=+01:00;",
	} {
		if strings.HasPrefix(sql, "set time") {
			if _, err := c.Query("set session_track_system_variables = '*'", nil); err != nil {
				t.Fatal(err)
			}
		}
		ok, err := c.Query(sql, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := states(ok.Changes); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

// TestLiveLongPackets sends and gets what needs several frames.
func TestLiveLongPackets(t *testing.T) {
	for _, compression := range []Compression{"", Zlib} {
		cfg := config(t, "native", "nativé ½")
		cfg.TLS, cfg.Compression = Disable, compression
		c, err := Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("x", mywire.MaxFrame)
		if got := one(t, c, "select length('"+text+"')"); got != "16777215" {
			t.Errorf("%q: a length of %s", compression, got)
		}
		// A payload of exactly one full frame, which an empty one follows.
		if err := c.Writer.Query("select repeat('y', 16777215 - 4) union all select 'end'"); err != nil {
			t.Fatal(err)
		}
		if err := c.Writer.Flush(); err != nil {
			t.Fatal(err)
		}
		c.Reader.SetSeq(c.Writer.Seq())
		var lengths []int
		for ends := 0; ends < 2; {
			h, err := c.Reader.Peek()
			if err != nil {
				t.Fatal(err)
			}
			body, err := c.Reader.Body(mywire.MaxBody)
			if err != nil {
				t.Fatal(err)
			}
			if mywire.RowEnds(h) {
				ends++
			} else if ends == 1 {
				lengths = append(lengths, len(body))
			}
			if err := c.Reader.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		if len(lengths) != 2 || lengths[0] != mywire.MaxFrame || lengths[1] != 4 {
			t.Errorf("%q: rows of %d bytes", compression, lengths)
		}
		c.Close()
	}
}

func TestLiveKill(t *testing.T) {
	for _, mode := range []Mode{Disable, Prefer, VerifyFull} {
		t.Run(string(mode), func(t *testing.T) {
			cfg := config(t, "native", "nativé ½")
			cfg.TLS = mode
			c, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			done := make(chan error, 1)
			go func() { // ends with its one kill
				time.Sleep(100 * time.Millisecond)
				done <- c.Kill(context.Background(), false, nil)
			}()
			start := time.Now()
			var se *mywire.ServerError
			if _, err := c.Query("select sleep(20) from mysql.user", nil); !errors.As(err, &se) || se.Number != mywire.ErrQueryInterrupted {
				t.Errorf("error %v", err)
			}
			if err := <-done; err != nil || time.Since(start) > 10*time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
			if got := one(t, c, "select 1"); got != "1" {
				t.Error("the session did not survive")
			}
			if err := c.Kill(t.Context(), true, nil); err != nil {
				t.Error(err)
			}
			if _, err := c.Query("select 1", nil); err == nil || errors.As(err, &se) && se.Number != mywire.ErrConnectionKilled {
				t.Errorf("after its end: %v", err)
			}
			if err := c.Kill(t.Context(), true, nil); err != nil {
				t.Errorf("again: %v", err)
			}
		})
	}
}
