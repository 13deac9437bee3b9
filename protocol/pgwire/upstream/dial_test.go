package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
)

// query runs a statement and returns the first cell or the SQLSTATE.
func query(t *testing.T, c *Conn, sql string) (cell, state string) {
	t.Helper()
	if err := c.Writer.Query(sql); err != nil {
		t.Fatal(err)
	}
	if err := c.Writer.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		h, err := c.Reader.Peek()
		if err != nil {
			t.Fatal(err)
		}
		body, err := c.Reader.Body(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		switch h.Type {
		case pgwire.MsgDataRow:
			row, err := pgwire.NewRow(body)
			if err == nil && row.Next() {
				cell = string(row.Cell())
			}
		case pgwire.MsgErrorResponse:
			v, err := pgwire.ParseNotice(body)
			if err != nil {
				t.Fatal(err)
			}
			state = string(v.Code())
		case pgwire.MsgReadyForQuery:
			if err := c.Reader.Discard(); err != nil {
				t.Fatal(err)
			}
			return cell, state
		}
		if err := c.Reader.Discard(); err != nil {
			t.Fatal(err)
		}
	}
}

// major returns the server's major version.
func major(c *Conn) int {
	text, _, _ := strings.Cut(c.Params["server_version"], ".")
	n, _ := strconv.Atoi(text) // 0 for what is not a release
	return n
}

func TestLiveDialMethods(t *testing.T) {
	tests := []struct {
		name, role, password, method string
		change                       func(*Config)
		tls                          bool
	}{
		{"scram plus", "secure", "sécret ½", methodPlus, func(c *Config) { c.ChannelBinding = BindingRequire }, true},
		{"scram plus prepared password", "secure", "sécret 1⁄2", methodPlus, func(*Config) {}, true},
		{"scram without binding", "secure", "sécret ½", methodSCRAM, func(c *Config) { c.ChannelBinding = BindingDisable }, true},
		{"scram in clear", "plain", "pw", methodSCRAM, func(c *Config) { c.TLS = Disable }, false},
		{"md5", "old", "ancient", methodMD5, func(*Config) {}, true},
		{"cleartext over TLS", "clear", "clear text", methodCleartext, func(*Config) {}, true},
		{"cleartext allowed", "clear", "clear text", methodCleartext, func(c *Config) { c.TLS, c.AllowCleartext = Disable, true }, false},
		{"trust", "trusted", "", methodNone, func(*Config) {}, true},
		{"verify-ca ignores the name", "trusted", "", methodNone, func(c *Config) { c.TLS, c.ServerName = VerifyCA, "other.example" }, true},
		{"require without CA", "trusted", "", methodNone, func(c *Config) { c.TLS, c.RootCAs = Require, nil }, true},
		{"prefer takes TLS", "trusted", "", methodNone, func(c *Config) { c.TLS = Prefer }, true},
		{"protocol 3.0", "trusted", "", methodNone, func(c *Config) { c.Newest = pgwire.Version30 }, true},
		{"certificate", "carried", "", methodNone, func(c *Config) {
			s, _ := postgres() // config has checked the error
			c.Certificate = func() (*tls.Certificate, error) { return &s.client, nil }
		}, true},
		{"unix socket", "trusted", "", methodNone, func(c *Config) {
			s, _ := postgres() // config has checked the error
			_, port, _ := net.SplitHostPort(s.addr)
			c.Network, c.TLS, c.Address = "unix", Prefer, s.dir+"/.s.PGSQL."+port
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, tt.role, tt.password)
			cfg.Params = []pgwire.Param{{Name: "application_name", Value: "weir test"}}
			tt.change(&cfg)
			c, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Method != tt.method || (c.TLS != nil) != tt.tls {
				t.Errorf("method %s, TLS %v; want %s, %v", c.Method, c.TLS != nil, tt.method, tt.tls)
			}
			version, key := pgwire.Version30, 4
			if major(c) >= 18 && cfg.Newest != pgwire.Version30 {
				version, key = pgwire.Version32, 32
			}
			if c.Version != version || len(c.Key.Key) != key || c.Key.PID == 0 {
				t.Errorf("version %s, key of %d bytes; want %s, %d", c.Version, len(c.Key.Key), version, key)
			}
			if c.Params["application_name"] != "weir test" || c.Params["server_version"] == "" {
				t.Errorf("parameters %v", c.Params)
			}
			if who, _ := query(t, c, "select current_user"); who != tt.role {
				t.Errorf("logged in as %q", who)
			}
		})
	}
}

func TestLiveDialRefusals(t *testing.T) {
	other, err := newAuthority("another CA")
	if err != nil {
		t.Fatal(err)
	}
	asTLS := func(err error) bool { var e *TLSError; return errors.As(err, &e) && !e.Refused }
	asAuth := func(state string) func(error) bool {
		return func(err error) bool { var e *AuthError; return errors.As(err, &e) && e.SQLState() == state }
	}
	tests := []struct {
		name, role, password string
		change               func(*Config)
		ok                   func(error) bool
	}{
		{"wrong CA, verify-ca", "trusted", "", func(c *Config) { c.TLS, c.RootCAs = VerifyCA, other.pool }, asTLS},
		{"wrong CA, verify-full", "trusted", "", func(c *Config) { c.RootCAs = other.pool }, asTLS},
		{"wrong CA, require", "trusted", "", func(c *Config) { c.TLS, c.RootCAs = Require, other.pool }, asTLS},
		{"wrong name", "trusted", "", func(c *Config) { c.ServerName = "other.example" }, asTLS},
		{"wrong password, scram", "secure", "s3cr3t-value", func(*Config) {}, asAuth("28P01")},
		{"wrong password, md5", "old", "s3cr3t-value", func(*Config) {}, asAuth("28P01")},
		{"wrong password, cleartext", "clear", "s3cr3t-value", func(*Config) {}, asAuth("28P01")},
		{"no password", "secure", "", func(*Config) {}, asAuth("28000")},
		{"no certificate", "carried", "", func(*Config) {}, asAuth("28000")},
		{"no pg_hba entry", "plain", "s3cr3t-value", func(*Config) {}, asAuth("28000")},
		{"cleartext in clear", "clear", "s3cr3t-value", func(c *Config) { c.TLS = Disable }, asAuth("28000")},
		{"binding required, trust", "trusted", "", func(c *Config) { c.ChannelBinding = BindingRequire }, asAuth("28000")},
		{"binding required, md5", "old", "s3cr3t-value", func(c *Config) { c.ChannelBinding = BindingRequire }, asAuth("28000")},
		{"no such database", "trusted", "", func(c *Config) { c.Database = "nowhere" }, func(err error) bool {
			var e *ServerError
			return errors.As(err, &e) && e.SQLState() == "3D000"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(t, tt.role, tt.password)
			tt.change(&cfg)
			c, err := Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			if !tt.ok(err) {
				t.Errorf("error %v (%T)", err, errors.Unwrap(err))
			}
			if strings.Contains(err.Error(), "s3cr3t-value") {
				t.Errorf("the error holds the password: %v", err)
			}
		})
	}
}

func TestLiveCancel(t *testing.T) {
	for _, mode := range []Mode{Disable, Prefer, VerifyFull} {
		t.Run(string(mode), func(t *testing.T) {
			cfg := config(t, "trusted", "")
			cfg.TLS = mode
			c, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			done := make(chan error, 1)
			go func() { // ends with its one cancel
				time.Sleep(100 * time.Millisecond)
				done <- c.Cancel(context.Background())
			}()
			start := time.Now()
			if _, state := query(t, c, "select pg_sleep(20)"); state != pgwire.StateQueryCanceled {
				t.Errorf("SQLSTATE %q", state)
			}
			if err := <-done; err != nil || time.Since(start) > 10*time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
			bad := c.Key
			bad.Key = []byte{1, 2, 3, 4}
			if err := CancelRequest(t.Context(), cfg, bad); err != nil {
				t.Errorf("cancel with a wrong key: %v", err)
			}
			if one, _ := query(t, c, "select 1"); one != "1" {
				t.Error("the session did not survive")
			}
		})
	}
}

// TestDirectTLSNeedsVersion17 asks the server itself.
func TestLiveDirectTLSNeedsVersion17(t *testing.T) {
	cfg := config(t, "trusted", "")
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	version := major(c)
	c.Close()
	cfg.DirectTLS = true
	c, err = Dial(t.Context(), cfg)
	var e *TLSError
	switch {
	case err == nil:
		c.Close()
		if version < 17 {
			t.Errorf("version %d takes direct TLS", version)
		}
	case version >= 17 || !errors.As(err, &e):
		t.Errorf("version %d: %v", version, err)
	}
}

// TestDirectTLS puts a TLS terminator with ALPN in front of the server, which
// may be too old for direct TLS.
func TestLiveDirectTLS(t *testing.T) {
	cfg := config(t, "trusted", "")
	s, _ := postgres() // config has checked the error
	cert, err := s.ca.issue("localhost", net.IPv4(127, 0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, protos := range [][]string{{alpn}, nil} {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: protos})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() { // ends when the connection does
			defer close(served)
			front, err := ln.Accept()
			if err != nil {
				return
			}
			defer front.Close()
			back, err := net.Dial("tcp", s.addr)
			if err != nil {
				return
			}
			go func() { io.Copy(back, front); back.Close() }()
			io.Copy(front, back)
		}()
		cfg.DirectTLS, cfg.Address = true, ln.Addr().String()
		c, err := Dial(t.Context(), cfg)
		if protos == nil {
			var e *TLSError
			if !errors.As(err, &e) {
				t.Errorf("without ALPN: %v", err)
			}
		} else if err != nil {
			t.Error(err)
		} else {
			if one, _ := query(t, c, "select 1"); one != "1" {
				t.Error("no answer")
			}
			c.Close()
		}
		ln.Close()
		<-served
	}
}

func TestConfigCheck(t *testing.T) {
	good := Config{Network: "tcp", Address: "db:5432", TLS: Require, User: "u"}
	tests := []struct {
		want   string
		change func(*Config)
	}{
		{"unknown TLS mode", func(c *Config) { c.TLS = "" }},
		{"unknown channel binding", func(c *Config) { c.ChannelBinding = "maybe" }},
		{"cannot be asked for", func(c *Config) { c.Newest = 2 << 16 }},
		{"no user", func(c *Config) { c.User = "" }},
		{"address", func(c *Config) { c.Address = "db" }},
		{"direct TLS", func(c *Config) { c.DirectTLS, c.TLS = true, Prefer }},
		{"unix socket", func(c *Config) { c.Network = "unix" }},
		{"unknown network", func(c *Config) { c.Network = "" }},
		{"without TLS", func(c *Config) { c.TLS, c.ChannelBinding = Disable, BindingRequire }},
	}
	for _, tt := range tests {
		cfg := good
		tt.change(&cfg)
		if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}
