package proxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirdb/weir/proxy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// live is a session that counts what is done to it.
type live struct {
	ended, drained, canceled atomic.Int32
	stop                     chan struct{}
}

func (l *live) End(proxy.EndReason)    { l.ended.Add(1); l.finish() }
func (l *live) Drain()                 { l.drained.Add(1); l.finish() }
func (l *live) Cancel(context.Context) { l.canceled.Add(1) }

func (l *live) finish() {
	if l.stop != nil {
		close(l.stop)
		l.stop = nil
	}
}

// handler serves connections with a function.
type handler func(ctx context.Context, c *proxy.Conn) proxy.EndReason

func (h handler) Serve(ctx context.Context, c *proxy.Conn) proxy.EndReason { return h(ctx, c) }

func serve(t *testing.T, o proxy.Options, h handler) (*proxy.Server, string) {
	t.Helper()
	s := proxy.New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(&proxy.Listener{Name: "test", Net: l, Handler: h}) }() // ends with Shutdown
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-done; !errors.Is(err, proxy.ErrStopped) {
			t.Errorf("serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

func TestCancelKeysReachTheirSessionOnly(t *testing.T) {
	s := proxy.New(proxy.Options{})
	a, b := &live{}, &live{}
	ka, kb := s.IssueKey(proxy.ShortSecret, 0, a), s.IssueKey(proxy.LongSecret, 0, b)
	if len(ka.Secret) != 4 || len(kb.Secret) != 32 || ka.PID == kb.PID || int32(ka.PID) <= 0 {
		t.Fatalf("keys %v, %v", ka, kb)
	}
	ctx := context.Background()
	for _, k := range []proxy.CancelKey{{PID: ka.PID, Secret: kb.Secret}, {PID: kb.PID, Secret: ka.Secret}, {PID: ka.PID},
		{PID: 1<<31 + ka.PID, Secret: ka.Secret}, {PID: ka.PID, Secret: append([]byte{0}, ka.Secret...)}, {}} {
		s.Cancel(ctx, k)
	}
	if a.canceled.Load()+b.canceled.Load() != 0 {
		t.Fatal("a wrong key canceled something")
	}
	s.Cancel(ctx, ka)
	if a.canceled.Load() != 1 || b.canceled.Load() != 0 {
		t.Fatal("the right key canceled something else")
	}
	s.ReleaseKey(ka)
	s.Cancel(ctx, ka)
	if a.canceled.Load() != 1 {
		t.Fatal("a released key canceled something")
	}
}

func TestCancelKeysShowTheServersProcess(t *testing.T) {
	s := proxy.New(proxy.Options{})
	a, b := &live{}, &live{}
	ka, kb := s.IssueKey(proxy.ShortSecret, 4711, a), s.IssueKey(proxy.ShortSecret, 4711, b)
	if ka.PID != 4711 || kb.PID == 4711 || int32(kb.PID) <= 0 {
		t.Fatalf("process numbers %d and %d", ka.PID, kb.PID)
	}
	s.ReleaseKey(ka)
	if again := s.IssueKey(proxy.ShortSecret, 4711, b); again.PID != 4711 {
		t.Fatalf("a free process number is not used: %d", again.PID)
	}
	if k := s.IssueKey(proxy.ShortSecret, 1<<31, a); int32(k.PID) <= 0 {
		t.Fatalf("process number %d", k.PID)
	}
}

func TestRegistry(t *testing.T) {
	s := proxy.New(proxy.Options{MaxPerUser: 2})
	a, b, c := &live{}, &live{}, &live{}
	login := func(id, user string) proxy.Login { return proxy.Login{ID: id, UserID: user, User: user} }
	for id, l := range map[string]*live{"1": a, "2": b} {
		if err := s.Register(login(id, "ana"), l); err != nil {
			t.Fatal(err)
		}
	}
	var limit *proxy.LimitError
	if err := s.Register(login("3", "ana"), c); !errors.As(err, &limit) || limit.Limit != 2 {
		t.Fatalf("got %v", err)
	}
	if err := s.Register(login("3", "bob"), c); err != nil {
		t.Fatal(err)
	}
	if n := s.EndUser("ana", proxy.EndUserDisabled); n != 2 || a.ended.Load() != 1 || c.ended.Load() != 0 {
		t.Fatalf("%d ended", n)
	}
	if !s.EndSession("3", proxy.EndKilled) || s.EndSession("4", proxy.EndKilled) {
		t.Fatal("sessions are found by their id")
	}
	s.Unregister("1")
	if err := s.Register(login("5", "ana"), a); err != nil || len(s.Sessions()) != 3 {
		t.Fatalf("%v, %d sessions", err, len(s.Sessions()))
	}
}

func TestPanicEndsOneConnection(t *testing.T) {
	_, addr := serve(t, proxy.Options{}, func(_ context.Context, c *proxy.Conn) proxy.EndReason {
		var b [1]byte
		_, _ = io.ReadFull(c, b[:])
		if b[0] == '!' {
			panic("boom")
		}
		_, _ = c.Write(b[:])
		return proxy.EndClientClosed
	})
	for _, say := range []string{"!", "x"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(c)
		if want := map[string]string{"!": "", "x": "x"}[say]; string(got) != want {
			t.Fatalf("%s: got %q", say, got)
		}
		_ = c.Close()
	}
}

func TestTooManyConnections(t *testing.T) {
	refused := make(chan bool, 4)
	_, addr := serve(t, proxy.Options{MaxConnections: 1}, func(ctx context.Context, c *proxy.Conn) proxy.EndReason {
		refused <- c.Refuse
		_, _ = io.Copy(io.Discard, c)
		return proxy.EndLimitTotal
	})
	for _, want := range []bool{false, true} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := <-refused; got != want {
			t.Fatalf("refuse is %v", got)
		}
	}
}

func TestShutdownDrainsAndThenEnds(t *testing.T) {
	registered := make(chan *live, 1)
	s, addr := serve(t, proxy.Options{}, func(_ context.Context, c *proxy.Conn) proxy.EndReason {
		l := &live{stop: make(chan struct{})}
		stop := l.stop
		if err := c.Server.Register(proxy.Login{ID: c.ID}, l); err != nil {
			return proxy.EndLimitUser
		}
		defer c.Server.Unregister(c.ID)
		registered <- l
		<-stop
		return proxy.EndShutdown
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l := <-registered
	if err := s.Shutdown(context.Background()); err != nil || l.drained.Load() != 1 || l.ended.Load() != 0 {
		t.Fatalf("%v, drained %d, ended %d", err, l.drained.Load(), l.ended.Load())
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Fatal("a stopped server accepts")
	}
}

func TestCertificatesAreReplaced(t *testing.T) {
	first, second := certificate(t, 1), certificate(t, 2)
	certs, err := proxy.NewCertificates(&tls.Config{Certificates: []tls.Certificate{first}})
	if err != nil {
		t.Fatal(err)
	}
	handshake := func(versions ...uint16) (int64, error) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		config, presented := certs.Server("postgresql")
		done := make(chan struct{})
		go func() { // ends with the pipe
			defer close(done)
			_ = tls.Server(a, config).Handshake()
			_ = a.Close()
		}()
		client := &tls.Config{InsecureSkipVerify: true}
		if len(versions) > 0 {
			client.MinVersion, client.MaxVersion = versions[0], versions[0]
		}
		c := tls.Client(b, client)
		err := c.Handshake()
		_ = b.Close()
		<-done
		if err != nil {
			return 0, err
		}
		seen := c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		if presented.Leaf == nil || presented.Leaf.SerialNumber.Int64() != seen {
			t.Fatal("the certificate presented is not the one reported")
		}
		return seen, nil
	}
	if n, err := handshake(); n != 1 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if err := certs.Replace(&tls.Config{}); err == nil {
		t.Fatal("no certificate is no configuration")
	}
	if err := certs.Replace(&tls.Config{Certificates: []tls.Certificate{second}}); err != nil {
		t.Fatal(err)
	}
	if n, err := handshake(); n != 2 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if _, err := handshake(tls.VersionTLS11); err == nil {
		t.Fatal("TLS 1.1 was accepted")
	}
}

func certificate(t *testing.T, serial int64) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestReasonsAreDocumented: docs/protocol.md lists every way a session ends.
func TestReasonsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range proxy.EndReasons() {
		if !strings.Contains(string(page), "| `"+r.String()+"` |") {
			t.Errorf("%s is not in docs/protocol.md", r)
		}
	}
}
