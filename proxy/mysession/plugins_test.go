package mysession_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy/mysession"
	"github.com/weirdb/weir/store"
)

// verifiers keeps another password for each mechanism, so that a login tells
// which one was used.
func verifiers(t *testing.T) store.Secret {
	t.Helper()
	scram, err := auth.NewVerifier("for sha2", 4096)
	if err != nil {
		t.Fatal(err)
	}
	return auth.EncodeVerifiers(scram, map[string][]byte{
		mywire.PluginNative: mywire.NativeVerifier("for native"), mywire.PluginEd25519: mywire.Ed25519Verifier("for ed25519")})
}

func TestLivePlugins(t *testing.T) {
	const native, ed25519, sha2 = mywire.PluginNative, mywire.PluginEd25519, mywire.PluginSHA2
	for name, c := range map[string]struct {
		plugins []string
		works   string // passwords that log in
	}{
		"none":          {nil, "for sha2"},
		"sha2 first":    {[]string{sha2, native, ed25519}, "for sha2"},    // the client takes what is proposed
		"native first":  {[]string{native, sha2}, "for native, for sha2"}, // what native does not prove sha2 may
		"ed25519 first": {[]string{ed25519, sha2}, "for ed25519"},
		"both first":    {[]string{ed25519, native, sha2}, "for native, for sha2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, setup{options: mysession.Options{Plugins: c.plugins}, verifier: verifiers(t)})
			for _, password := range []string{"for sha2", "for native", "for ed25519", "wrong"} {
				for _, user := range []string{"ana", "nobody"} {
					db := w.open(func(cfg *driver.Config) { cfg.User, cfg.Passwd = user, password })
					err := db.PingContext(ask(t))
					if want := user == "ana" && strings.Contains(c.works, password); want != (err == nil) {
						t.Errorf("%s with the password %s: %v", user, password, err)
					}
					if err != nil && number(err) != mywire.ErrAccessDenied {
						t.Errorf("%s with the password %s: %v", user, password, err)
					}
				}
			}
		})
	}
}

// TestLiveCertificateProof: a client that knows nothing of weir's certificate
// takes it by the password, and no other one.
func TestLiveCertificateProof(t *testing.T) {
	for _, plugin := range []string{mywire.PluginNative, mywire.PluginEd25519} {
		t.Run(plugin, func(t *testing.T) {
			w := start(t, setup{options: mysession.Options{Plugins: []string{plugin, mywire.PluginSHA2}}, verifier: verifiers(t)})
			cfg := upstream.Config{Network: "tcp", Address: w.addr, TLS: upstream.VerifyFull, ServerName: "localhost", TrustByPassword: true,
				User: "ana@shop", Password: "for " + strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(plugin, "mysql_"), "client_"), "_password")}
			conn, err := upstream.Dial(ask(t), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Query("SELECT 1", nil); err != nil {
				t.Error(err)
			}
			_ = conn.Close()
			cfg.Address = inBetween(t, w)
			if conn, err = upstream.Dial(ask(t), cfg); err == nil {
				_ = conn.Close()
				t.Fatal("somebody in between was not seen")
			}
			var e *upstream.TLSError
			if !errors.As(err, &e) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// inBetween listens in weir's place with a certificate of its own, and hands on
// what it hears in clear to a connection under TLS.
func inBetween(t *testing.T, w *weir) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := selfSigned(t)
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() { // ends with the connection
		defer close(done)
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", w.addr)
		if err != nil {
			return
		}
		defer server.Close()
		packet := func(from, to net.Conn) bool {
			header := make([]byte, 4)
			if _, err := io.ReadFull(from, header); err != nil {
				return false
			}
			body := make([]byte, int(header[0])|int(header[1])<<8)
			if _, err := io.ReadFull(from, body); err != nil {
				return false
			}
			_, err := to.Write(append(header, body...))
			return err == nil
		}
		if !packet(server, client) || !packet(client, server) { // greeting, SSLRequest
			return
		}
		here := tls.Server(client, &tls.Config{Certificates: []tls.Certificate{certificate}})
		there := tls.Client(server, &tls.Config{RootCAs: w.roots, ServerName: "localhost"})
		go func() { // ends when either side is closed
			_, _ = io.Copy(there, here)
			_ = server.Close()
		}()
		_, _ = io.Copy(here, there)
	}()
	return l.Addr().String()
}
