package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
)

// peer is the server's side of a scripted handshake. Its steps panic at a
// fault of the connection; serve turns that into the end of the script.
type peer struct {
	net.Conn
	r *pgwire.Reader
	w *pgwire.Writer
}

func newPeer(c net.Conn) *peer {
	return &peer{Conn: c, r: pgwire.NewReader(c, pgwire.ReaderOptions{}), w: pgwire.NewWriter(c, pgwire.WriterOptions{})}
}

func (p *peer) must(err error) {
	if err != nil {
		panic(err)
	}
}

func (p *peer) startup() pgwire.Startup {
	s, err := p.r.ReadStartup()
	p.must(err)
	return s
}

func (p *peer) body() []byte {
	b, err := p.r.Body(1 << 16)
	p.must(err)
	p.must(p.r.Discard())
	return b
}

func (p *peer) auth(code uint32, data string) {
	p.must(p.w.Authentication(code, []byte(data)))
	p.must(p.w.Flush())
}

// nonce reads SASLInitialResponse and returns the client's nonce.
func (p *peer) nonce() string {
	m, err := pgwire.ParseSASLInitial(p.body())
	p.must(err)
	return string(m.Data[bytes.LastIndex(m.Data, []byte("r="))+2:])
}

func (p *peer) ready() {
	p.must(p.w.ReadyForQuery('I'))
	p.must(p.w.Flush())
}

// scripted listens and runs one script for each connection, in order.
func scripted(t *testing.T, scripts ...func(p *peer)) Config {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Add(1)
	go func() { // ends when the listener is closed
		defer done.Done()
		for _, script := range scripts {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			func() {
				defer c.Close()
				defer func() { _ = recover() }() // the client went away
				script(newPeer(c))
				io.Copy(io.Discard, c) // until the client has read all of it
			}()
		}
	}()
	t.Cleanup(func() { ln.Close(); done.Wait() })
	return Config{Network: "tcp", Address: ln.Addr().String(), TLS: Disable, User: "u", Password: "p4ssw0rd", ConnectTimeout: 5 * time.Second}
}

func TestLyingServers(t *testing.T) {
	sasl := func(p *peer) string {
		p.startup()
		p.auth(pgwire.AuthSASL, "SCRAM-SHA-256\x00\x00")
		return p.nonce()
	}
	salt := base64.StdEncoding.EncodeToString([]byte("salt"))
	tests := []struct {
		name, want string
		script     func(p *peer)
	}{
		{"no proof", "instead of its proof", func(p *peer) {
			p.auth(pgwire.AuthSASLContinue, "r="+sasl(p)+"x,s="+salt+",i=4096")
			p.body()
			p.auth(pgwire.AuthOK, "")
			p.ready()
		}},
		{"wrong proof", "signature is wrong", func(p *peer) {
			p.auth(pgwire.AuthSASLContinue, "r="+sasl(p)+"x,s="+salt+",i=4096")
			p.body()
			p.auth(pgwire.AuthSASLFinal, "v="+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		}},
		{"OK in the middle", "instead of AuthenticationSASLContinue", func(p *peer) {
			sasl(p)
			p.auth(pgwire.AuthOK, "")
		}},
		{"foreign nonce", "does not extend", func(p *peer) {
			sasl(p)
			p.auth(pgwire.AuthSASLContinue, "r=other,s="+salt+",i=4096")
		}},
		{"same nonce", "does not extend", func(p *peer) {
			p.auth(pgwire.AuthSASLContinue, "r="+sasl(p)+",s="+salt+",i=4096")
		}},
		{"too many iterations", "iteration count", func(p *peer) {
			p.auth(pgwire.AuthSASLContinue, "r="+sasl(p)+"x,s="+salt+",i=2000000000")
		}},
		{"no iterations", "iteration count", func(p *peer) {
			p.auth(pgwire.AuthSASLContinue, "r="+sasl(p)+"x,s="+salt+",i=0")
		}},
		{"mandatory extension", "malformed", func(p *peer) {
			p.auth(pgwire.AuthSASLContinue, "m=x,r="+sasl(p)+"x,s="+salt+",i=1")
		}},
		{"unknown mechanisms", "none of the known", func(p *peer) {
			p.startup()
			p.auth(pgwire.AuthSASL, "OAUTHBEARER\x00\x00")
		}},
		{"kerberos", "kind 7", func(p *peer) { p.startup(); p.auth(7, "") }},
		{"short salt", "salt of 4 bytes", func(p *peer) { p.startup(); p.auth(pgwire.AuthMD5, "abc") }},
		{"cleartext", "in clear", func(p *peer) { p.startup(); p.auth(pgwire.AuthCleartext, "") }},
		{"rows before login", "unexpected message 'D'", func(p *peer) {
			p.startup()
			p.must(p.w.Message('D', []byte{0, 0}))
			p.must(p.w.Flush())
		}},
		{"rows before ready", "unexpected message 'D'", func(p *peer) {
			p.startup()
			p.auth(pgwire.AuthOK, "")
			p.must(p.w.Message('D', []byte{0, 0}))
			p.must(p.w.Flush())
		}},
		{"huge message", "exceeds the limit", func(p *peer) {
			p.startup()
			p.must(p.w.Raw([]byte{'R', 0x7f, 0, 0, 0}))
			p.must(p.w.Flush())
		}},
		{"key too long for 3.0", "4 bytes in protocol 3.0", func(p *peer) {
			p.startup()
			p.must(p.w.NegotiateProtocolVersion(pgwire.Version30, nil))
			p.auth(pgwire.AuthOK, "")
			p.must(p.w.BackendKeyData(1, make([]byte, 32)))
			p.must(p.w.Flush())
		}},
		{"upgrade", "answers 3.2 with 3.3", func(p *peer) {
			p.startup()
			p.must(p.w.NegotiateProtocolVersion(3<<16|3, nil))
			p.must(p.w.Flush())
		}},
		{"version 3.1", "does not exist", func(p *peer) {
			p.startup()
			p.must(p.w.NegotiateProtocolVersion(3<<16|1, nil))
			p.must(p.w.Flush())
		}},
		{"option nobody asked for", "was not asked for", func(p *peer) {
			p.startup()
			p.must(p.w.NegotiateProtocolVersion(pgwire.Version30, []string{"_pq_.x"}))
			p.must(p.w.Flush())
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Dial(t.Context(), scripted(t, tt.script))
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "p4ssw0rd") {
				t.Errorf("error %q, want %q", err, tt.want)
			}
		})
	}
}

func TestAnswersToTLSRequest(t *testing.T) {
	answer := func(s string) func(p *peer) {
		return func(p *peer) {
			if p.startup().Kind != pgwire.StartupTLS {
				return
			}
			_, err := p.Write([]byte(s))
			p.must(err)
		}
	}
	var smuggled *pgwire.Smuggled
	var tlsErr *TLSError
	var unexpected *Unexpected
	for _, tt := range []struct {
		answer string
		mode   Mode
		as     any
	}{
		{"S\x16\x03\x03\x00\x05", Prefer, &smuggled},
		{"SE\x00\x00\x00\x05\x00", Require, &smuggled},
		{"NR\x00\x00\x00\x08\x00\x00\x00\x00", Prefer, &smuggled},
		{"N", Require, &tlsErr},
		{"N", VerifyFull, &tlsErr},
		{"E", Prefer, &unexpected},
		{"Snot TLS at all", Prefer, &smuggled},
	} {
		cfg := scripted(t, answer(tt.answer))
		cfg.TLS = tt.mode
		if _, err := Dial(t.Context(), cfg); !errors.As(err, tt.as) {
			t.Errorf("answer %q: error %v (%T)", tt.answer, err, errors.Unwrap(err))
		}
	}
}

// TestNewProtocol plays a server that knows protocol 3.2, and a pooler that
// answers it with an error.
func TestNewProtocol(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	serve := func(want pgwire.Version, key []byte) func(p *peer) {
		return func(p *peer) {
			if s := p.startup(); s.Version != want {
				return
			}
			p.must(p.w.Notice(&pgwire.Notice{Severity: "NOTICE", Code: "00000", Message: "hello"}))
			p.auth(pgwire.AuthOK, "")
			p.must(p.w.BackendKeyData(9, key))
			p.ready()
		}
	}
	refuse := func(p *peer) {
		p.startup()
		p.must(p.w.Error(&pgwire.Notice{Severity: "FATAL", Code: "0A000", Message: "unsupported protocol version 3.2"}))
		p.must(p.w.Flush())
	}
	for _, tt := range []struct {
		scripts []func(*peer)
		version pgwire.Version
		key     []byte
	}{
		{[]func(*peer){serve(pgwire.Version32, key)}, pgwire.Version32, key},
		{[]func(*peer){refuse, serve(pgwire.Version30, key[:4])}, pgwire.Version30, key[:4]},
	} {
		c, err := Dial(t.Context(), scripted(t, tt.scripts...))
		if err != nil {
			t.Fatal(err)
		}
		if c.Version != tt.version || !bytes.Equal(c.Key.Key, tt.key) || c.Key.PID != 9 || len(c.Notices) != 1 {
			t.Errorf("version %s, key %v, notices %v", c.Version, c.Key, c.Notices)
		}
		c.Close()
	}
}

func TestSilentServer(t *testing.T) {
	cfg := scripted(t, func(p *peer) { p.startup() }, func(p *peer) { p.startup() })
	cfg.ConnectTimeout = 50 * time.Millisecond
	if _, err := Dial(t.Context(), cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the deadline", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	cfg.ConnectTimeout = time.Minute
	if _, err := Dial(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cancellation", err)
	}
}

// TestDropAtEveryByte records a whole login with a real server and replays it
// cut at every byte: each cut is an error, none hangs, none panics.
func TestDropAtEveryByte(t *testing.T) {
	cfg := config(t, "trusted", "")
	cfg.TLS = Disable
	record := recordLogin(t, cfg)
	for cut := range record {
		replay := scripted(t, func(p *peer) {
			p.startup()
			_, err := p.Write(record[:cut])
			p.must(err)
			p.must(p.Conn.(*net.TCPConn).CloseWrite())
		})
		c, err := Dial(t.Context(), replay)
		if err == nil {
			c.Close()
			t.Fatalf("connected after %d of %d bytes", cut, len(record))
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	// One byte at a time, all of it.
	slow := scripted(t, func(p *peer) {
		p.startup()
		for i := range record {
			_, err := p.Write(record[i : i+1])
			p.must(err)
		}
	})
	c, err := Dial(t.Context(), slow)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func recordLogin(t *testing.T, cfg Config) []byte {
	t.Helper()
	c, err := net.Dial("tcp", cfg.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	startup := pgwire.AppendStartup(nil, pgwire.Version32, []pgwire.Param{{Name: "user", Value: cfg.User}, {Name: "database", Value: cfg.Database}})
	if _, err := c.Write(startup); err != nil {
		t.Fatal(err)
	}
	var record []byte
	buf := make([]byte, 4096)
	for !bytes.HasSuffix(record, []byte("Z\x00\x00\x00\x05I")) {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		record = append(record, buf[:n]...)
	}
	return record
}

func FuzzServerFirst(f *testing.F) {
	f.Add("r=abcdef,s=c2FsdA==,i=4096")
	f.Add("r=,s=,i=")
	f.Add("m=x,r=a,s=c2FsdA==,i=1")
	f.Add("r=a,s=c2FsdA==,i=99999999999999999999")
	f.Fuzz(func(t *testing.T, m string) {
		nonce, salt, n, err := parseServerFirst(m)
		if err != nil {
			return
		}
		if len(salt) == 0 || n < 1 || n > maxIterations || !strings.HasPrefix(m, "r="+nonce+",s=") {
			t.Errorf("accepted %q as %q %q %d", m, nonce, salt, n)
		}
	})
}
