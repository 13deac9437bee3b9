package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/weirdb/weir/deploy/pgserver"
)

// place is where a store is kept: opened twice, it is the same store.
type place interface {
	process(context.Context, Options) (*Store, error)
	open(*testing.T, Options) *Store
	other(*testing.T) place // an empty one of the same kind
	disableAna(*testing.T)  // as another process would
}

// everywhere are the tests of what does not depend on the place.
var everywhere = map[string]func(*testing.T, place){
	"UserLifecycle":                      testUserLifecycle,
	"UpdatedAtFollowsEveryChange":        testUpdatedAtFollowsEveryChange,
	"NamesAreCaseSensitiveAndNormalised": testNamesAreCaseSensitiveAndNormalised,
	"TypedErrors":                        testTypedErrors,
	"Provision":                          testProvision,
	"LastOwner":                          testLastOwner,
	"Credentials":                        testCredentials,
	"RecorderDecides":                    testRecorderDecides,
	"MockSecretStays":                    testMockSecretStays,
	"ConcurrentOpenAndWrite":             testConcurrentOpenAndWrite,
	"WatchDeliversInOrderFromOwnHandle":  testWatchDeliversInOrderFromOwnHandle,
	"WatchSaysWhenTheFeedIsTooShort":     testWatchSaysWhenTheFeedIsTooShort,
	"WatchSaysWhenTheFeedWentBack":       testWatchSaysWhenTheFeedWentBack,
	"WatchSeesAnotherProcess":            testWatchSeesAnotherProcess,
}

func opened(t *testing.T, p place, opts Options) *Store {
	t.Helper()
	s, err := p.process(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// file is an embedded store.
type file string

func newFile(t *testing.T) file { return file(filepath.Join(t.TempDir(), "weir.db")) }

func (f file) process(ctx context.Context, opts Options) (*Store, error) {
	return Open(ctx, string(f), opts)
}
func (f file) open(t *testing.T, opts Options) *Store { return opened(t, f, opts) }
func (f file) other(t *testing.T) place               { return newFile(t) }

func (f file) disableAna(t *testing.T) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), disableEnv+"="+string(f))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("other process: %v\n%s", err, out)
	}
}

func TestEmbedded(t *testing.T) {
	for name, test := range everywhere {
		t.Run(name, func(t *testing.T) { test(t, newFile(t)) })
	}
}

// server is a PostgreSQL with a database for each store.
type server struct {
	*pgserver.Server
	databases atomic.Int64
}

func startServer(t *testing.T) *server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return &server{Server: s}
}

// shared is a store in a database.
type shared struct {
	s        *server
	database string
	port     int // 0: the server's own
}

func (s *server) place(t *testing.T) shared {
	t.Helper()
	p := shared{s: s, database: fmt.Sprintf("store_%d", s.databases.Add(1))}
	conn, err := pgx.ConnectConfig(t.Context(), shared{s: s, database: "postgres"}.config(t))
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "CREATE DATABASE "+p.database)
	must(t, err)
	return p
}

func (p shared) config(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	c, err := p.parse()
	must(t, err)
	return c
}

func (p shared) parse() (*pgx.ConnConfig, error) {
	port := p.s.Port
	if p.port != 0 {
		port = p.port
	}
	return pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=verify-ca sslrootcert=%s connect_timeout=3",
		port, pgserver.SuperUser, p.s.Password, p.database, p.s.CAFile))
}

func (p shared) connector() (driver.Connector, error) {
	c, err := p.parse()
	if err != nil {
		return nil, err
	}
	return stdlib.GetConnector(*c), nil
}

func (p shared) process(ctx context.Context, opts Options) (*Store, error) {
	c, err := p.connector()
	if err != nil {
		return nil, err
	}
	return OpenPostgres(ctx, c, opts)
}
func (p shared) open(t *testing.T, opts Options) *Store { return opened(t, p, opts) }
func (p shared) other(t *testing.T) place               { return p.s.place(t) }

func (p shared) disableAna(t *testing.T) {
	t.Helper()
	s, err := p.process(t.Context(), Options{})
	must(t, err)
	must(t, errors.Join(s.DisableUser(t.Context(), "ana"), s.Close()))
}

func TestLivePostgres(t *testing.T) {
	s := startServer(t)
	for name, test := range everywhere {
		t.Run(name, func(t *testing.T) { test(t, s.place(t)) })
	}
	t.Run("NotificationsAreFast", func(t *testing.T) { testNotificationsAreFast(t, s.place(t)) })
	t.Run("NewerVersion", func(t *testing.T) { testNewerVersion(t, s.place(t)) })
	t.Run("Away", func(t *testing.T) { testAway(t, s.place(t)) })
}

func testNotificationsAreFast(t *testing.T, p shared) {
	s, second := p.open(t, Options{}), p.open(t, Options{})
	addUser(t, s, NewUser{Name: "ana"})
	changes := watch(t, s, 0)
	next(t, changes)
	for range 5 {
		time.Sleep(10 * time.Millisecond) // into the wait
		must(t, second.DisableUser(t.Context(), "ana"))
		committed := time.Now()
		next(t, changes)
		if late := time.Since(committed); late > pollInterval/2 {
			t.Errorf("delivered after %v, as if nobody had said so", late)
		}
		must(t, second.EnableUser(t.Context(), "ana"))
		next(t, changes)
	}
}

func testNewerVersion(t *testing.T, p shared) {
	s := p.open(t, Options{})
	_, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)`)
	must(t, err)
	if _, err := p.process(t.Context(), Options{}); err == nil {
		t.Error("a store of a newer version was opened")
	}
}

// relay stands between a store and its server, and can be cut.
type relay struct {
	t      *testing.T
	target string
	listen net.Listener
	mu     sync.Mutex
	cut    bool
	open   map[net.Conn]bool
	wg     sync.WaitGroup
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &relay{t: t, target: target, listen: l, open: map[net.Conn]bool{}}
	r.wg.Go(r.serve)
	t.Cleanup(func() { _ = l.Close(); r.set(true); r.wg.Wait() })
	return r
}

func (r *relay) port() int { return r.listen.Addr().(*net.TCPAddr).Port }

func (r *relay) serve() {
	for {
		c, err := r.listen.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		up, err := net.Dial("tcp", r.target)
		if r.cut || err != nil {
			_ = c.Close()
			if err == nil {
				_ = up.Close()
			}
			r.mu.Unlock()
			continue
		}
		r.open[c], r.open[up] = true, true
		r.mu.Unlock()
		r.wg.Go(func() { pump(c, up) })
		r.wg.Go(func() { pump(up, c) })
	}
}

func pump(from, to net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			break
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			break
		}
	}
	_ = from.Close()
	_ = to.Close()
}

// set cuts every connection and lets none through, or lets them through again.
func (r *relay) set(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
	if cut {
		for c := range r.open {
			_ = c.Close()
		}
		clear(r.open)
	}
}

func testAway(t *testing.T, p shared) {
	r := newRelay(t, "127.0.0.1:"+strconv.Itoa(p.s.Port))
	behind := p
	behind.port = r.port()
	s, direct := behind.open(t, Options{}), p.open(t, Options{})
	addUser(t, s, NewUser{Name: "ana"})
	if s.Health() != nil {
		t.Fatalf("health %v", s.Health())
	}
	r.set(true)
	began := time.Now()
	var down *Unavailable
	for range 4 { // pooled connections are found dead first
		if _, err := s.LookupUser(t.Context(), "ana"); !errors.As(err, &down) {
			t.Fatalf("away: %v", err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("four lookups took %v to fail", took)
	}
	if !errors.As(s.Health(), &down) || down.Since.Before(began) || down.Since.After(time.Now()) {
		t.Errorf("health %v", s.Health())
	}
	if err := s.Watch(t.Context(), 0, func(Change) {}); !errors.As(err, &down) {
		t.Errorf("watch: %v", err)
	}
	must(t, direct.DisableUser(t.Context(), "ana"))
	r.set(false)
	time.Sleep(retryPause)
	u, err := s.LookupUser(t.Context(), "ana")
	if err != nil || !u.Disabled() || s.Health() != nil {
		t.Errorf("back: %v %v %v", u.Disabled(), err, s.Health())
	}
	if c := next(t, watch(t, s, 1)); c.Kind != KindUserDisabled {
		t.Errorf("missed: %+v", c)
	}
}
