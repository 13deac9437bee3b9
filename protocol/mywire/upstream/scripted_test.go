package upstream

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/protocol/mywire"
)

const password = "p4ssw0rd"

// peer is the server's side of a scripted handshake. Its steps panic at a fault
// of the connection; scripted turns that into the end of the script.
type peer struct {
	net.Conn
	r     *mywire.Reader
	w     *mywire.Writer
	cert  tls.Certificate
	nonce []byte
}

func (p *peer) attach(c net.Conn) {
	p.Conn, p.r, p.w = c, mywire.NewReader(c, mywire.ReaderOptions{}), mywire.NewWriter(c, mywire.WriterOptions{})
}

func (p *peer) must(err error) {
	if err != nil {
		panic(err)
	}
}

// send writes packets and makes the client's numbers go on from there.
func (p *peer) send(payloads ...[]byte) {
	p.w.SetSeq(p.r.Seq())
	for _, b := range payloads {
		p.must(p.w.Packet(b))
	}
	p.must(p.w.Flush())
	p.r.SetSeq(p.w.Seq())
}

func (p *peer) body() []byte {
	b, err := p.r.Body(1 << 20)
	p.must(err)
	p.must(p.r.Discard())
	return b
}

const offered = mywire.CapProtocol41 | mywire.CapSecureConnection | mywire.CapPluginAuth | mywire.CapLenencAuth |
	mywire.CapConnectAttrs | mywire.CapLongPassword | mywire.CapTLS | mywire.CapSessionTrack | mywire.CapConnectWithDB

// greet sends a greeting and returns the client's login, over TLS if the client
// asks for it.
func (p *peer) greet(plugin string, caps mywire.Capabilities) mywire.Login {
	p.send(mywire.AppendGreeting(nil, &mywire.Greeting{ServerVersion: "8.0.36", ConnectionID: 9, Nonce: p.nonce, Capabilities: caps, AuthPlugin: plugin}))
	l, err := mywire.ParseLogin(p.body(), caps)
	p.must(err)
	if !l.TLSRequest {
		return l
	}
	seq := p.r.Seq()
	t := tls.Server(p.r.Detach(), &tls.Config{Certificates: []tls.Certificate{p.cert}})
	p.must(t.Handshake())
	p.attach(t)
	p.r.SetSeq(seq)
	l, err = mywire.ParseLogin(p.body(), caps)
	p.must(err)
	return l
}

func (p *peer) ok() {
	p.w.SetSeq(p.r.Seq())
	p.must(p.w.OK(&mywire.OK{Status: mywire.StatusAutocommit}))
	p.must(p.w.Flush())
}

// scripted listens and runs the script for each connection.
func scripted(t *testing.T, script func(p *peer)) Config {
	t.Helper()
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	crt, key, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair([]byte(crt), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca.PEM))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() { // ends when the listener is closed
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			func() {
				defer c.Close()
				defer func() { _ = recover() }() // the client went away
				nonce, err := mywire.NewNonce()
				if err != nil {
					return
				}
				p := &peer{cert: cert, nonce: nonce}
				p.attach(c)
				script(p)
				io.Copy(io.Discard, p) // until the client has read all of it
			}()
		}
	})
	t.Cleanup(func() { ln.Close(); done.Wait() })
	return Config{Network: "tcp", Address: ln.Addr().String(), TLS: Disable, RootCAs: pool, User: "u", Password: password, ConnectTimeout: 5 * time.Second}
}

// check says whether the answer is the password's in the mechanism.
func check(answer, nonce []byte, plugin string) bool {
	switch plugin {
	case mywire.PluginNative:
		return mywire.VerifyNative(answer, nonce, mywire.NativeVerifier(password))
	case mywire.PluginSHA2:
		return mywire.VerifySHA2(answer, nonce, mywire.SHA2Verifier(password))
	case mywire.PluginEd25519:
		return mywire.VerifyEd25519(answer, nonce, mywire.Ed25519Verifier(password))
	}
	return string(answer) == password+"\x00"
}

var denied = mywire.ServerError{Number: mywire.ErrAccessDenied, State: mywire.StateInvalidPassword, Message: "denied"}

// finish ends an authentication by what was found out.
func (p *peer) finish(good bool) {
	if good {
		p.ok()
		return
	}
	p.w.SetSeq(p.r.Seq())
	p.must(p.w.Error(&denied))
	p.must(p.w.Flush())
}

// TestMechanisms runs each exchange as MySQL 8 and MariaDB do, with the right
// password and with another.
func TestMechanisms(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := mywire.PublicKeyText(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	full := func(p *peer) { // caching_sha2_password that does not know the verifier
		p.greet(mywire.PluginSHA2, offered)
		p.send([]byte{mywire.MarkMoreData, mywire.SHA2FullAuth})
		b := p.body()
		if len(b) == 1 && b[0] == mywire.SHA2RequestKey {
			p.send(mywire.AppendAuthMoreData(nil, public))
			b = p.body()
		}
		if _, secure := p.Conn.(*tls.Conn); !secure {
			text, err := mywire.DecryptPassword(b, p.nonce, key)
			p.finish(err == nil && string(text) == password)
			return
		}
		p.finish(check(b, nil, ""))
	}
	change := func(plugin string, data []byte) func(p *peer) {
		return func(p *peer) {
			p.greet(mywire.PluginNative, offered)
			p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: plugin, Data: data}))
			p.finish(check(p.body(), data, plugin))
		}
	}
	nonce := []byte("01234567890123456789")
	tests := []struct {
		name, method string
		change       func(c *Config)
		script       func(p *peer)
	}{
		{"native at once", mywire.PluginNative, nil, func(p *peer) {
			p.finish(check(p.greet(mywire.PluginNative, offered).AuthResponse, p.nonce, mywire.PluginNative))
		}},
		{"native, old packet", mywire.PluginNative, nil, func(p *peer) {
			caps := offered &^ (mywire.CapLenencAuth | mywire.CapConnectAttrs | mywire.CapSessionTrack)
			p.finish(check(p.greet(mywire.PluginNative, caps).AuthResponse, p.nonce, mywire.PluginNative))
		}},
		{"native instead of what is not known", mywire.PluginNative, nil, func(p *peer) {
			p.finish(check(p.greet("auth_gssapi_client", offered).AuthResponse, p.nonce, mywire.PluginNative))
		}},
		{"native by a change", mywire.PluginNative, nil, change(mywire.PluginNative, nonce)},
		{"sha2, known", mywire.PluginSHA2, nil, func(p *peer) {
			if !check(p.greet(mywire.PluginSHA2, offered).AuthResponse, p.nonce, mywire.PluginSHA2) {
				p.finish(false)
				return
			}
			p.send([]byte{mywire.MarkMoreData, mywire.SHA2FastOK})
			p.ok()
		}},
		{"sha2, over TLS", mywire.PluginSHA2, func(c *Config) { c.TLS = VerifyFull }, full},
		{"sha2, by a key", mywire.PluginSHA2, func(c *Config) { c.ServerKey = &key.PublicKey }, full},
		{"sha2, by a key that is asked for", mywire.PluginSHA2, func(c *Config) { c.AskServerKey = true }, full},
		{"sha2 by a change", mywire.PluginSHA2, nil, change(mywire.PluginSHA2, nonce)},
		{"sha256 over TLS", mywire.PluginSHA256, func(c *Config) { c.TLS = VerifyFull }, change(mywire.PluginSHA256, nonce)},
		{"sha256 by a key", mywire.PluginSHA256, func(c *Config) { c.AskServerKey = true }, func(p *peer) {
			p.greet(mywire.PluginNative, offered)
			p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: mywire.PluginSHA256, Data: nonce}))
			if b := p.body(); len(b) != 1 || b[0] != 1 {
				p.finish(false)
				return
			}
			p.send(mywire.AppendAuthMoreData(nil, public))
			text, err := mywire.DecryptPassword(p.body(), nonce, key)
			p.finish(err == nil && string(text) == password)
		}},
		{"cleartext over TLS", mywire.PluginCleartext, func(c *Config) { c.TLS = VerifyFull }, change(mywire.PluginCleartext, nil)},
		{"cleartext in clear, allowed", mywire.PluginCleartext, func(c *Config) { c.AllowCleartext = true }, change(mywire.PluginCleartext, nil)},
		{"cleartext at once over TLS", mywire.PluginCleartext, func(c *Config) { c.TLS = VerifyFull }, func(p *peer) {
			p.finish(check(p.greet(mywire.PluginCleartext, offered).AuthResponse, nil, ""))
		}},
		{"native instead of cleartext", mywire.PluginNative, nil, func(p *peer) {
			p.finish(check(p.greet(mywire.PluginCleartext, offered).AuthResponse, p.nonce, mywire.PluginNative))
		}},
		{"sha256 by a key of more than 255 bytes", mywire.PluginSHA256, func(c *Config) { c.ServerKey = &key.PublicKey }, func(p *peer) {
			p.greet(mywire.PluginSHA256, offered&^mywire.CapLenencAuth)
			p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: mywire.PluginSHA256, Data: nonce}))
			text, err := mywire.DecryptPassword(p.body(), nonce, key)
			p.finish(err == nil && string(text) == password)
		}},
		{"dialog over TLS", mywire.PluginDialog, func(c *Config) { c.TLS = VerifyFull }, change(mywire.PluginDialog, []byte("\x04Password: "))},
		{"parsec", mywire.PluginParsec, nil, parsecPeer},
		{"ed25519", mywire.PluginEd25519, nil, change(mywire.PluginEd25519, []byte("01234567890123456789012345678901"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := scripted(t, tt.script)
			if tt.change != nil {
				tt.change(&cfg)
			}
			c, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if c.Method != tt.method || c.MariaDB || c.ID != 9 || c.Status != mywire.StatusAutocommit || (c.TLS != nil) != (cfg.TLS == VerifyFull) {
				t.Errorf("%+v", c)
			}
			c.Close()
			cfg.Password = "s3cr3t-value"
			c, err = Dial(t.Context(), cfg)
			var e *AuthError
			if err == nil {
				c.Close()
				t.Fatal("connected with another password")
			}
			if !errors.As(err, &e) || e.Server == nil || e.Server.Number != mywire.ErrAccessDenied || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("another password: %v", err)
			}
		})
	}
}

// TestStrangeServers answers the connection by what no server should.
func TestStrangeServers(t *testing.T) {
	as := func(want any) func(error) bool { return func(err error) bool { return errors.As(err, want) } }
	var (
		malformed  *mywire.Malformed
		sequence   *mywire.BadSequence
		long       *mywire.TooLong
		refused    *mywire.ServerError
		smuggled   *mywire.Smuggled
		lacking    *Lacking
		unexpected *Unexpected
		noTLS      *TLSError
	)
	tests := []struct {
		name   string
		change func(c *Config)
		ok     func(error) bool
		script func(p *peer)
	}{
		{"nothing", nil, func(err error) bool { return errors.Is(err, io.EOF) }, func(p *peer) { p.Close() }},
		{"too many connections", nil, as(&refused), func(p *peer) {
			p.must(p.w.GreetingError(&mywire.ServerError{Number: mywire.ErrTooManyConnections, Message: "Too many connections"}))
			p.must(p.w.Flush())
		}},
		{"another protocol", nil, as(&sequence), func(p *peer) { io.WriteString(p, "SSH-2.0-OpenSSH_9.2p1\r\n") }},
		{"a greeting of protocol 9", nil, as(&malformed), func(p *peer) { p.send([]byte("\x09old")) }},
		{"a greeting that is cut", nil, as(&malformed), func(p *peer) { p.send([]byte("\x0a8.0")) }},
		{"an empty greeting", nil, as(&malformed), func(p *peer) { p.send(nil) }},
		{"a greeting of 100 KB", nil, as(&long), func(p *peer) { p.send(make([]byte, 100_000)) }},
		{"a greeting out of order", nil, as(&sequence), func(p *peer) { p.w.SetSeq(3); p.must(p.w.Packet([]byte("\x0a8"))); p.must(p.w.Flush()) }},
		{"no protocol 4.1", nil, as(&lacking), func(p *peer) { p.greet(mywire.PluginNative, mywire.CapPluginAuth|mywire.CapSecureConnection) }},
		{"no TLS", func(c *Config) { c.TLS = Require }, as(&noTLS), func(p *peer) { p.greet(mywire.PluginNative, offered&^mywire.CapTLS) }},
		{"no zlib", func(c *Config) { c.Compression = Zlib }, as(&lacking), func(p *peer) { p.greet(mywire.PluginNative, offered) }},
		{"bytes behind the greeting", nil, as(&smuggled), func(p *peer) {
			g := mywire.Greeting{ServerVersion: "8.0.36", Nonce: p.nonce, Capabilities: offered, AuthPlugin: mywire.PluginNative}
			p.send(mywire.AppendGreeting(nil, &g), []byte("\x00OK in clear"))
		}},
		{"an error in clear in place of TLS", func(c *Config) { c.TLS = Require }, as(&noTLS), func(p *peer) {
			g := mywire.Greeting{ServerVersion: "8.0.36", Nonce: p.nonce, Capabilities: offered, AuthPlugin: mywire.PluginNative}
			p.send(mywire.AppendGreeting(nil, &g))
			p.body()
			p.finish(false)
		}},
		{"a row in place of OK", nil, as(&unexpected), func(p *peer) { p.greet(mywire.PluginNative, offered); p.send([]byte("\x05hello")) }},
		{"a request for a file", nil, as(&unexpected), func(p *peer) { p.greet(mywire.PluginNative, offered); p.send([]byte("\xfb/etc/passwd")) }},
		{"nothing in place of OK", nil, as(&malformed), func(p *peer) { p.greet(mywire.PluginNative, offered); p.send(nil) }},
		{"OK that is cut", nil, as(&malformed), func(p *peer) { p.greet(mywire.PluginNative, offered); p.send([]byte("\x00\x00\x00\x02")) }},
		{"OK out of order", nil, as(&sequence), func(p *peer) {
			p.greet(mywire.PluginNative, offered)
			p.w.SetSeq(9)
			p.must(p.w.OK(&mywire.OK{}))
			p.must(p.w.Flush())
		}},
		{"silence", func(c *Config) { c.ConnectTimeout = 50 * time.Millisecond }, as(new(interface{ Timeout() bool })), func(p *peer) { p.greet(mywire.PluginNative, offered) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := scripted(t, tt.script)
			if tt.change != nil {
				tt.change(&cfg)
			}
			c, err := Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			if !tt.ok(err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// parsecPeer is the server's side of parsec.
func parsecPeer(p *peer) {
	p.greet(mywire.PluginNative, offered)
	nonce := []byte("01234567890123456789012345678901")
	p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: mywire.PluginParsec, Data: nonce}))
	if len(p.body()) != 0 {
		p.finish(false)
		return
	}
	salt := []byte("P\x00012345678901234567")
	p.send(salt)
	answer := p.body()
	s, err := mywire.ParseParsecSalt(salt)
	p.must(err)
	_, verifier, err := mywire.ParsecAnswer(password, nonce, s)
	p.must(err)
	public := ed25519.PublicKey(verifier[len(verifier)-ed25519.PublicKeySize:])
	p.finish(len(answer) == 96 && ed25519.Verify(public, append(nonce, answer[:32]...), answer[32:]))
}

func TestPreferGoesOnInClear(t *testing.T) {
	cfg := scripted(t, func(p *peer) { p.greet(mywire.PluginNative, offered&^mywire.CapTLS); p.ok() })
	cfg.TLS = Prefer
	c, err := Dial(t.Context(), cfg)
	if err != nil || c.TLS != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestCapabilities asks for what the configuration wants and the server has.
func TestCapabilities(t *testing.T) {
	got := make(chan mywire.Login, 1)
	server := offered | mywire.CapDeprecateEOF | mywire.CapOptionalMetadata | mywire.CapZstd
	cfg := scripted(t, func(p *peer) { got <- p.greet(mywire.PluginNative, server); p.ok() })
	cfg.Capabilities = mywire.CapDeprecateEOF | mywire.CapOptionalMetadata | mywire.CapMultiStatements | mywire.CapBulkOperations
	cfg.Database, cfg.Attributes = "shop", []mywire.Attribute{{Name: "program_name", Value: "weir"}}
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := <-got
	want := (needed | mywire.CapConnectAttrs | mywire.CapLenencAuth | mywire.CapSessionTrack | mywire.CapConnectWithDB |
		mywire.CapLongPassword | mywire.CapDeprecateEOF)
	if c.Capabilities != want || l.Capabilities != want || l.Database != "shop" || len(l.Attributes) != 1 || l.Collation != CollationUTF8MB4 {
		t.Errorf("%x, login %+v; want %x", c.Capabilities, l, want)
	}
}

// TestZstd is a session with a server of MySQL's flavour, for MariaDB has none.
func TestZstd(t *testing.T) {
	cfg := scripted(t, func(p *peer) {
		p.w.SetCapabilities(p.greet(mywire.PluginNative, offered|mywire.CapZstd).Capabilities)
		p.ok()
		p.must(mywire.Compress(p.r, p.w, mywire.AlgorithmZstd, 3))
		_, err := p.r.PeekCommand()
		p.must(err)
		q := strings.Clone(string(p.body()))
		p.w.SetSeq(p.r.Seq())
		p.must(p.w.ColumnCount(1))
		p.must(p.w.Column(&mywire.Column{Name: []byte("q"), Type: mywire.TypeVarString}))
		p.must(p.w.EOF(0, 0))
		p.w.BeginRow(1)
		p.w.AppendCell([]byte(q[1:]))
		p.must(p.w.EndRow())
		p.must(p.w.EOF(0, 0))
		p.must(p.w.Flush())
	})
	cfg.Compression = Zstd
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	query := "select '" + strings.Repeat("x", 100_000) + "'"
	var got string
	if _, err := c.Query(query, func(cells [][]byte) error { got = string(cells[0]); return nil }); err != nil || got != query {
		t.Errorf("%d bytes back, %v", len(got), err)
	}
}

func TestQueryRefusesRequestsForFiles(t *testing.T) {
	cfg := scripted(t, func(p *peer) {
		p.greet(mywire.PluginNative, offered)
		p.ok()
		_, err := p.r.PeekCommand()
		p.must(err)
		p.body()
		p.send([]byte("\xfb/etc/passwd"))
	})
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var unexpected *Unexpected
	if _, err := c.Query("select 1", nil); !errors.As(err, &unexpected) {
		t.Errorf("error %v", err)
	}
}

func TestDialEndsWithContext(t *testing.T) {
	cfg := scripted(t, func(p *peer) { p.greet(mywire.PluginNative, offered) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Dial(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestConfigCheck(t *testing.T) {
	good := Config{Network: "tcp", Address: "db:3306", TLS: Require, User: "u"}
	tests := []struct {
		want   string
		change func(*Config)
	}{
		{"unknown TLS mode", func(c *Config) { c.TLS = "" }},
		{"unknown compression", func(c *Config) { c.Compression = "lzma" }},
		{"no user", func(c *Config) { c.User = "" }},
		{"address", func(c *Config) { c.Address = "db" }},
		{"trust by password", func(c *Config) { c.TrustByPassword = true }},
		{"unknown network", func(c *Config) { c.Network = "" }},
	}
	for _, tt := range tests {
		cfg := good
		tt.change(&cfg)
		if _, err := Dial(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}
