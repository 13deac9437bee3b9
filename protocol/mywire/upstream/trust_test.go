package upstream

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirdb/weir/protocol/mywire"
)

// TestPasswordsStayHere meets servers that ask for what the configuration does
// not allow; each of them gets no more than its own words back.
func TestPasswordsStayHere(t *testing.T) {
	ask := func(plugin string, data []byte) func(p *peer) []byte {
		return func(p *peer) []byte {
			p.greet(mywire.PluginNative, offered)
			p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: plugin, Data: data}))
			return p.body()
		}
	}
	tests := []struct {
		name, want string
		script     func(p *peer) []byte
	}{
		{"cleartext", "in clear over a connection in clear", ask(mywire.PluginCleartext, nil)},
		{"dialog", "in clear over a connection in clear", ask(mywire.PluginDialog, []byte("\x04Password: "))},
		{"sha256", "neither its public key", ask(mywire.PluginSHA256, []byte("01234567890123456789"))},
		{"sha2 in full", "neither its public key", func(p *peer) []byte {
			p.greet(mywire.PluginSHA2, offered)
			p.send([]byte{mywire.MarkMoreData, mywire.SHA2FullAuth})
			return p.body()
		}},
		{"a key that was not asked for", "not asked for", func(p *peer) []byte {
			p.greet(mywire.PluginSHA2, offered)
			p.send(mywire.AppendAuthMoreData(nil, []byte("-----BEGIN PUBLIC KEY-----")))
			return p.body()
		}},
		{"more data in native", "does not have", func(p *peer) []byte {
			p.greet(mywire.PluginNative, offered)
			p.send(mywire.AppendAuthMoreData(nil, []byte{4}))
			return p.body()
		}},
		{"old passwords", "not supported", func(p *peer) []byte {
			p.greet(mywire.PluginNative, offered)
			p.send([]byte{mywire.MarkEOF})
			return p.body()
		}},
		{"an unknown plugin", "not supported", ask("auth_gssapi_client", nil)},
		{"an ed25519 nonce of 20 bytes", "32 bytes", ask(mywire.PluginEd25519, []byte("01234567890123456789"))},
		{"two changes", "twice", func(p *peer) []byte {
			ask(mywire.PluginNative, []byte("01234567890123456789"))(p)
			p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: mywire.PluginNative, Data: []byte("01234567890123456789")}))
			return p.body()
		}},
		{"without end", "come to an end", func(p *peer) []byte {
			p.greet(mywire.PluginSHA2, offered)
			for range 3 * maxExchanges {
				p.send([]byte{mywire.MarkMoreData, mywire.SHA2FastOK})
			}
			return p.body()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan []byte, 1)
			cfg := scripted(t, func(p *peer) {
				defer close(got)
				got <- tt.script(p)
			})
			c, err := Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			var e *AuthError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), password) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if sent, ok := <-got; ok {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

// TestTrustByPassword shows a certificate of an unknown CA: it is good if the
// server proves it by the password, and for nobody else.
func TestTrustByPassword(t *testing.T) {
	asTLS := func(err error) bool { var e *TLSError; return errors.As(err, &e) }
	proof := func(p *peer, verifier, nonce []byte, own bool) {
		cert := p.cert.Certificate[0]
		if !own {
			cert = append([]byte{0}, cert...)
		}
		p.w.SetCapabilities(offered)
		p.w.SetSeq(p.r.Seq())
		p.must(p.w.OK(&mywire.OK{Info: mywire.CertificateProof(verifier, nonce, cert)}))
		p.must(p.w.Flush())
	}
	native := mywire.NativeVerifier(password)
	ed := mywire.Ed25519Verifier(password)
	longNonce, other := []byte("01234567890123456789012345678901"), []byte("98765432109876543210")
	change := func(p *peer, plugin string, data []byte) {
		p.greet(mywire.PluginNative, offered)
		p.send(mywire.AppendAuthSwitch(nil, &mywire.AuthSwitch{Plugin: plugin, Data: data}))
		p.body()
	}
	tests := []struct {
		name   string
		good   bool
		script func(p *peer)
	}{
		{"native", true, func(p *peer) { p.greet(mywire.PluginNative, offered); proof(p, native, p.nonce, true) }},
		{"native by a change", true, func(p *peer) { change(p, mywire.PluginNative, other); proof(p, native, other, true) }},
		{"ed25519", true, func(p *peer) { change(p, mywire.PluginEd25519, longNonce); proof(p, ed, p.nonce, true) }},
		{"no proof", false, func(p *peer) { p.greet(mywire.PluginNative, offered); p.ok() }},
		{"another certificate's proof", false, func(p *peer) { p.greet(mywire.PluginNative, offered); proof(p, native, p.nonce, false) }},
		{"another nonce's proof", false, func(p *peer) { p.greet(mywire.PluginNative, offered); proof(p, native, other, true) }},
		{"another password's proof", false, func(p *peer) {
			p.greet(mywire.PluginNative, offered)
			proof(p, mywire.NativeVerifier("x"), p.nonce, true)
		}},
		{"the password in clear", false, func(p *peer) { change(p, mywire.PluginCleartext, nil); p.ok() }},
		{"sha2", false, func(p *peer) { p.greet(mywire.PluginSHA2, offered); p.ok() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := scripted(t, tt.script)
			cfg.TLS, cfg.RootCAs, cfg.TrustByPassword = VerifyFull, nil, true
			c, err := Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
			}
			if tt.good != (err == nil) || !tt.good && !asTLS(err) {
				t.Errorf("error %v", err)
			}
			cfg.TrustByPassword = false
			if c, err := Dial(t.Context(), cfg); !asTLS(err) {
				if c != nil {
					c.Close()
				}
				t.Errorf("without trust by password: %v", err)
			}
		})
	}
}
