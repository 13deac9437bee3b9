package upstream

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"

	"github.com/weirdb/weir/deploy/authority"
	"github.com/weirdb/weir/protocol/mywire"
)

// answers is a server's handler that knows one result.
type answers struct{ server.EmptyHandler }

func (answers) HandleQuery(string) (*mysql.Result, error) {
	rs, err := mysql.BuildSimpleTextResultset([]string{"a", "b"}, [][]any{{"x", int64(7)}})
	if err != nil {
		return nil, err
	}
	return mysql.NewResult(rs), nil
}

// TestLoginsOfAnotherImplementation logs in to go-mysql's server, whose sides of
// the SHA plugins are not this package's own.
func TestLoginsOfAnotherImplementation(t *testing.T) {
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	crt, pem, err := ca.Server()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair([]byte(crt), []byte(pem))
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	byKey := func(c *Config) { c.ServerKey = &key.PublicKey }
	byAsking := func(c *Config) { c.AskServerKey = true }
	overTLS := func(c *Config) { c.TLS = Require }
	for _, tt := range []struct {
		name, plugin string
		changes      []func(c *Config) // one login each, with the same server
	}{
		{"native", mysql.AUTH_NATIVE_PASSWORD, []func(*Config){func(*Config) {}, overTLS}},
		{"caching_sha2, over TLS, then from the cache", mysql.AUTH_CACHING_SHA2_PASSWORD, []func(*Config){overTLS, byAsking}},
		{"caching_sha2, by a key", mysql.AUTH_CACHING_SHA2_PASSWORD, []func(*Config){byKey, byKey}},
		{"caching_sha2, by a key that is asked for", mysql.AUTH_CACHING_SHA2_PASSWORD, []func(*Config){byAsking}},
		{"sha256, over TLS", mysql.AUTH_SHA256_PASSWORD, []func(*Config){overTLS}},
		{"sha256, by a key", mysql.AUTH_SHA256_PASSWORD, []func(*Config){byAsking}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			users := server.NewInMemoryAuthenticationHandler(tt.plugin)
			if err := users.AddUser("ana", password); err != nil {
				t.Fatal(err)
			}
			srv := server.NewServer("8.0.36", mysql.DEFAULT_COLLATION_ID, tt.plugin, key, &tls.Config{Certificates: []tls.Certificate{cert}})
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
					s, err := srv.NewCustomizedConn(c, users, answers{})
					for err == nil {
						err = s.HandleCommand()
					}
					c.Close()
				}
			})
			defer done.Wait()
			defer ln.Close()
			for i, change := range tt.changes {
				cfg := Config{Network: "tcp", Address: ln.Addr().String(), TLS: Disable, User: "ana", Password: password, ConnectTimeout: 5 * time.Second}
				change(&cfg)
				c, err := Dial(t.Context(), cfg)
				if err != nil {
					t.Fatalf("login %d: %v", i, err)
				}
				if c.Method != tt.plugin {
					t.Errorf("login %d: by %s", i, c.Method)
				}
				var row []string
				if _, err := c.Query("select", func(cells [][]byte) error { row = []string{string(cells[0]), string(cells[1])}; return nil }); err != nil || len(row) != 2 || row[0] != "x" || row[1] != "7" {
					t.Errorf("login %d: row %q, %v", i, row, err)
				}
				c.Close()
				cfg.Password = "another"
				c, err = Dial(t.Context(), cfg)
				if err == nil {
					c.Close()
					t.Fatalf("login %d: with another password", i)
				}
				var se *AuthError
				if !errors.As(err, &se) || se.Server == nil || se.Server.Number != mywire.ErrAccessDenied {
					t.Errorf("login %d: another password: %v", i, err)
				}
			}
		})
	}
}
