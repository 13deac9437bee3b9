package pgsession_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/proxy/pgsession"
	"github.com/weirdb/weir/query/pgsql"
	"github.com/weirdb/weir/store"
	"go.uber.org/goleak"
)

// database starts the PostgreSQL server that the tests of this package share.
var database = sync.OnceValues(func() (*pgserver.Server, error) {
	ctx := context.Background()
	s, err := pgserver.Start(ctx, pgserver.Options{Major: 15})
	if err != nil {
		return nil, err
	}
	return s, s.Exec(ctx, "postgres", `
		CREATE ROLE app LOGIN PASSWORD 'app' SUPERUSER;
		CREATE TABLE users (id int PRIMARY KEY, email text, born date);
		INSERT INTO users SELECT g, 'user' || g || '@example.com', date '1990-01-01' + g FROM generate_series(1, 100) g;
		CREATE TABLE plain (id int PRIMARY KEY, note text)`)
})

// server is the started database, for the tests that need one.
func server(t testing.TB) *pgserver.Server {
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
	mu      sync.Mutex
	denies  string // statements that contain it are denied
	tickets func(sql string) *gate.Ticket
	judged  []string
}

func (j *judge) Connect(context.Context, gate.Subject) (pgsession.Judge, error) { return j, nil }
func (j *judge) Rejected(context.Context, gate.Subject, string)                 {}
func (j *judge) Close(string)                                                   {}

func (j *judge) Judge(ctx context.Context, s gate.Statement) (*gate.Ticket, error) {
	j.mu.Lock()
	j.judged = append(j.judged, s.SQL)
	j.mu.Unlock()
	if j.denies != "" && strings.Contains(s.SQL, j.denies) && !strings.Contains(s.SQL, "late") {
		return nil, j.denial(s)
	}
	if j.denies != "" && strings.Contains(s.SQL, "late") {
		return nil, j.denial(s)
	}
	if j.tickets != nil {
		if t := j.tickets(s.SQL); t != nil {
			s.Facts.Returns = true
			t.Facts = s.Facts
			return t, nil
		}
	}
	return &gate.Ticket{Facts: s.Facts}, nil
}

func (j *judge) Preview(ctx context.Context, s gate.Statement) (*gate.Ticket, error) {
	if j.denies != "" && strings.Contains(s.SQL, j.denies) && !strings.Contains(s.SQL, "late") {
		return nil, j.denial(s)
	}
	return &gate.Ticket{Facts: s.Facts}, nil
}

func (j *judge) denial(s gate.Statement) error {
	return &gate.Denial{SQLState: "42501", Message: "denied by test", Detail: "detail", Hint: "hint",
		Pos: s.Facts.Span.Start + strings.Index(s.SQL, j.denies)}
}

type catalogs struct{}

func (catalogs) After(context.Context, pgsql.Token) (*pgsql.Catalog, error) {
	return &pgsql.Catalog{}, nil
}
func (catalogs) Invalidate() pgsql.Token { return 0 }

// weir is a running proxy in front of the test database.
type weir struct {
	t      *testing.T
	server *proxy.Server
	addr   string
	gate   *judge
	roots  *x509.CertPool
}

type setup struct {
	options  pgsession.Options
	proxy    proxy.Options
	readOnly bool
	noTLS    bool
	catalogs pgsession.Catalogs
	tlsOnly  bool
	address  string           // of the database, another than the real one
	db       *pgserver.Server // another than the one that tests share
	database string           // postgres if empty
}

func start(t *testing.T, s setup) *weir {
	t.Helper()
	verifier, err := auth.NewVerifier("secret", 4096)
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(users{string(verifier.Encode())}, make([]byte, 32), auth.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &weir{t: t, gate: &judge{}}
	keys, err := masking.NewKeys(make([]byte, masking.SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	db := s.db
	if db == nil {
		db = server(t)
	}
	database := s.database
	if database == "" {
		database = "postgres"
	}
	roots, err := upstream.LoadCA(db.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("%s:%d", db.Host, db.Port)
	if s.address != "" {
		address = s.address
	}
	cfg := upstream.Config{Network: "tcp", Address: address, TLS: upstream.VerifyFull, ServerName: "localhost", RootCAs: roots, User: "app", Password: "app", Database: database}
	if s.noTLS {
		cfg.TLS = upstream.Disable
	}
	ds := &pgsession.Datasource{Target: gate.Target{Datasource: "shop", Engine: "postgresql", Database: "postgres", ReadOnly: s.readOnly},
		Upstream: cfg, Catalogs: catalogs{}, Analyzer: pgsql.NewAnalyzer(pgsql.Options{})}
	if s.catalogs != nil {
		ds.Catalogs = s.catalogs
	}
	o := s.options
	o.Auth, o.MaskKeys = a, keys
	if o.Gate == nil {
		o.Gate = w.gate
	}
	o.Datasource = func(name string) *pgsession.Datasource {
		if name == "shop" {
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
		_ = w.server.Serve(&proxy.Listener{Name: "test", Net: l, Handler: pgsession.New(o), TLS: certs, Plaintext: !s.tlsOnly})
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

// connect opens a pgx connection through weir.
func (w *weir) connect(params string) *pgx.Conn { w.t.Helper(); return w.connectWith("ana", params) }

func (w *weir) connectAs(user string) *pgx.Conn { w.t.Helper(); return w.connectWith(user, "") }

func (w *weir) connectWith(user, params string) *pgx.Conn {
	w.t.Helper()
	cfg, err := pgx.ParseConfig("postgres://" + user + ":secret@" + w.addr + "/shop?sslmode=require&" + params)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}
