package mysession_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/mysession"
	"github.com/weirdb/weir/query/mysql"
	"github.com/weirdb/weir/store"
)

// database starts the MariaDB server that the tests of this package share.
var database = sync.OnceValues(func() (*myserver.Server, error) {
	ctx := context.Background()
	s, err := myserver.Start(ctx, myserver.Options{Accounts: []myserver.Account{{Name: "app", Password: "app", Grants: "ALL ON *.*"}}})
	if err != nil {
		return nil, err
	}
	return s, s.Exec(ctx, "", `
		CREATE DATABASE shop; USE shop;
		CREATE TABLE users (id int PRIMARY KEY, email varchar(100), born date, score decimal(8,2), seen datetime(3));
		INSERT INTO users SELECT seq, concat('user', seq, '@example.com'), '1990-01-01' + INTERVAL seq DAY, seq * 1.5, '2020-01-02 03:04:05.678' FROM seq_1_to_100;
		CREATE TABLE plain (id int PRIMARY KEY AUTO_INCREMENT, note text);
		CREATE PROCEDURE two(n int) BEGIN SELECT n AS a; SELECT n + 1 AS b, 'x' AS c; END`)
})

// server is the started database, for the tests that need one.
func server(t testing.TB) *myserver.Server {
	t.Helper()
	started.Store(true)
	s, err := database()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// started says that there is a server to stop.
var started atomic.Bool

func TestMain(m *testing.M) {
	code := m.Run()
	if started.Load() {
		if s, _ := database(); s != nil {
			s.Stop()
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// users is a store of one password for all.
type users struct{ verifier string }

func (u users) LookupUser(_ context.Context, name string) (store.User, error) {
	if name == "nobody" {
		return store.User{}, &store.NotFound{Object: store.ObjectUser, Name: name}
	}
	return store.User{ID: "local|" + name, Name: name, Source: "local", Verifier: store.Secret(u.verifier), GlobalRole: "member"}, nil
}

// judge is a gate that a test scripts by the text of a statement.
type judge struct {
	mu       sync.Mutex
	denies   string // statements that contain it are denied
	tickets  func(s gate.Statement) *gate.Ticket
	judged   []string
	connects []gate.Subject
	rejected []string // user and reason of refused logins
	closed   []string // reasons of sessions that have ended
}

func (j *judge) Connect(_ context.Context, s gate.Subject) (mysession.Judge, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.connects = append(j.connects, s)
	if s.Identity.Name == "unwanted" {
		return nil, &gate.Denial{SQLState: "42501", Rule: "policy", Message: "not today", Pos: -1}
	}
	return j, nil
}

func (j *judge) Rejected(_ context.Context, s gate.Subject, reason string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.rejected = append(j.rejected, s.Identity.Name+" "+reason)
}

func (j *judge) Close(reason string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = append(j.closed, reason)
}

func (j *judge) Judge(_ context.Context, s gate.Statement) (*gate.Ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.judged = append(j.judged, s.SQL)
	return j.ticket(s)
}

func (j *judge) Preview(_ context.Context, s gate.Statement) (*gate.Ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ticket(s)
}

func (j *judge) ticket(s gate.Statement) (*gate.Ticket, error) {
	if j.denies != "" && strings.Contains(s.SQL, j.denies) {
		return nil, &gate.Denial{SQLState: "42501", Rule: "masked_column", Message: "denied by test", Hint: "a hint.", Pos: -1}
	}
	if j.tickets != nil {
		if t := j.tickets(s); t != nil {
			t.Facts = s.Facts
			return t, nil
		}
	}
	return &gate.Ticket{Facts: s.Facts}, nil
}

// seen says whether a statement that contains text was judged.
func (j *judge) seen(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.judged, func(s string) bool { return strings.Contains(s, text) })
}

// unread has not read any definitions.
type unread struct{}

func (unread) After(context.Context, mysql.Token) (*mysql.Catalog, error) {
	return nil, errors.New("not read")
}

func (unread) Invalidate() mysql.Token { return 0 }

// weir is a running proxy in front of the test database.
type weir struct {
	t      *testing.T
	server *proxy.Server
	addr   string
	gate   *judge
	roots  *x509.CertPool
}

type setup struct {
	options  mysession.Options
	verifier store.Secret // of everybody; that of "secret" if empty
	proxy    proxy.Options
	readOnly bool
	tlsOnly  bool
	dial     func(context.Context, upstream.Config) (*upstream.Conn, error)
	mysql    bool   // greet as MySQL does
	upstream string // address of a scripted server in the real one's place
}

func start(t *testing.T, s setup) *weir {
	t.Helper()
	verifier, err := auth.NewVerifier("secret", 4096)
	if err != nil {
		t.Fatal(err)
	}
	if s.verifier == "" {
		s.verifier = verifier.Encode()
	}
	a, err := auth.New(users{string(s.verifier)}, make([]byte, 32), auth.Options{Cleartext: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &weir{t: t, gate: &judge{}}
	keys, err := masking.NewKeys(make([]byte, masking.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	db := server(t)
	roots, err := upstream.LoadCA(db.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	cfg := upstream.Config{Network: "tcp", Address: fmt.Sprintf("%s:%d", db.Host, db.Port), TLS: upstream.VerifyFull, ServerName: "localhost", RootCAs: roots,
		User: "app", Password: "app"}
	catalogs := mysql.NewManager(mysql.ManagerOptions{Connect: func(ctx context.Context) (mysql.Querier, error) {
		return mysession.CatalogConnection(ctx, cfg)
	}})
	t.Cleanup(catalogs.Close)
	session := cfg
	if s.upstream != "" {
		session.Address, session.TLS = s.upstream, upstream.Disable
	}
	ds := &mysession.Datasource{Target: gate.Target{Datasource: "shop", Engine: "mariadb", ReadOnly: s.readOnly},
		Upstream: session, Dial: s.dial, Catalogs: catalogs, Analyzer: mysql.NewAnalyzer(mysql.Options{})}
	o := s.options
	o.Auth, o.MaskKeys = a, keys
	if o.Gate == nil {
		o.Gate = w.gate
	}
	shown := ds
	if s.mysql {
		shown = &mysession.Datasource{Target: gate.Target{Engine: "mysql"}, Catalogs: unread{}}
	}
	o.Shown = func(string) *mysession.Datasource { return shown }
	o.Datasource = func(_, name string) *mysession.Datasource {
		if name == "shop" || name == "" {
			return ds
		}
		return nil
	}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
		s.proxy.Logger = o.Logger
	}
	w.server = proxy.New(s.proxy)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	certificate, pool := selfSigned(t)
	w.roots = pool
	certs, err := proxy.NewCertificates(&tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with Shutdown
		defer close(done)
		_ = w.server.Serve(&proxy.Listener{Name: "test", Net: l, Handler: mysession.New(o), TLS: certs, Plaintext: !s.tlsOnly})
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = w.server.Shutdown(ctx)
		<-done
	})
	return w
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// config is how go-sql-driver/mysql connects to weir.
func (w *weir) config(user, password string) *driver.Config {
	c := driver.NewConfig()
	c.User, c.Passwd, c.DBName = user, password, "shop"
	c.Net, c.Addr = "tcp", w.addr
	c.TLS = &tls.Config{RootCAs: w.roots, ServerName: "localhost"}
	c.Timeout = 5 * time.Second
	c.Logger = &driver.NopLogger{}
	return c
}

// open is a pool of one connection: what follows an error is on the same one.
func (w *weir) open(change func(*driver.Config)) *sql.DB {
	w.t.Helper()
	c := w.config("ana", "secret")
	if change != nil {
		change(c)
	}
	connector, err := driver.NewConnector(c)
	if err != nil {
		w.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}
