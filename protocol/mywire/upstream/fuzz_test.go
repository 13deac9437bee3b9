package upstream

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
)

// oneSided is a connection to a server that says what it was going to say.
type oneSided struct {
	net.Conn
	r io.Reader
}

func (c *oneSided) Read(p []byte) (int, error)       { return c.r.Read(p) }
func (c *oneSided) Write(p []byte) (int, error)      { return len(p), nil }
func (c *oneSided) SetReadDeadline(time.Time) error  { return nil }
func (c *oneSided) SetWriteDeadline(time.Time) error { return nil }
func (c *oneSided) Close() error                     { return nil }

// serverBytes is what the server of a transcript sent.
func serverBytes(t testing.TB, name string) []byte {
	raw, err := os.ReadFile("testdata/" + name + ".transcript")
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		data, err := hex.DecodeString(line[2:])
		if err != nil {
			t.Fatal(err)
		}
		if line[0] == 'S' {
			b = append(b, data...)
		}
	}
	return b
}

// FuzzServer logs in to a server that sends any bytes, and asks what comes
// next.
func FuzzServer(f *testing.F) {
	for name := range transcripts() {
		f.Add(serverBytes(f, name))
	}
	greeting := mywire.AppendGreeting(nil, &mywire.Greeting{ServerVersion: "8.0.36", Nonce: []byte("01234567890123456789"),
		Capabilities: offered, AuthPlugin: mywire.PluginSHA2})
	head := append([]byte{byte(len(greeting)), 0, 0, 0}, greeting...)
	f.Add(append(bytes.Clone(head), 2, 0, 0, 2, 1, 4))
	f.Add(append(bytes.Clone(head), "\x16\x00\x00\x02\xfemysql_clear_password\x00"...))
	cfg := Config{Network: "tcp", Address: "db:3306", TLS: Disable, User: "u", Password: password, AskServerKey: true}
	if err := cfg.check(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h := &handshake{cfg: &cfg}
		h.attach(&oneSided{r: bytes.NewReader(in)})
		defer h.r.Close()
		for _, step := range []func() error{
			func() error { return h.greeting(t.Context()) }, func() error { return h.login(t.Context()) },
			func() error { return h.authenticate(t.Context()) }, func() error { return h.settle(t.Context()) },
		} {
			if err := step(); err != nil {
				if strings.Contains(err.Error(), password) {
					t.Fatalf("the error holds the password: %v", err)
				}
				return
			}
		}
		c := h.out
		c.Net, c.Reader, c.Writer = h.conn, h.r, h.w
		var err error
		for err == nil {
			_, err = c.Query("select", func([][]byte) error { return nil })
		}
	})
}
