package proxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// Handler serves the connections of one protocol.
type Handler interface {
	// Serve serves one connection until it ends, and closes it. The context
	// ends when the server stops without more patience.
	Serve(ctx context.Context, c *Conn) EndReason
}

// Conn is one client's connection, as accepted.
type Conn struct {
	net.Conn
	ID       string // of the session, random
	Listener *Listener
	Server   *Server
	// Refuse is set when there are too many connections: the handler says so in
	// its protocol and ends.
	Refuse bool
}

// Listener is one address that clients connect to.
type Listener struct {
	Name    string // label in metrics and logs
	Net     net.Listener
	Handler Handler
	// TLS is nil where there is none.
	TLS *Certificates
	// Plaintext lets clients in without TLS.
	Plaintext bool
}

// Options bound a Server. Zero limits mean none.
type Options struct {
	MaxConnections int // in all
	MaxPerUser     int
	KeepAlive      time.Duration // TCP keep-alive idle time and interval; 60 s if zero
	Metrics        *Metrics
	Logger         *slog.Logger
}

// refusals is how many connections over the limit are told so at one time.
// Those beyond are closed without a word.
const refusals = 64

// endGrace is how long sessions have to send their last message when Shutdown
// has run out of patience.
const endGrace = 3 * time.Second

// Server runs listeners and knows their sessions.
type Server struct {
	options Options
	log     *slog.Logger
	cancels cancels

	wg   sync.WaitGroup // accept loops and connections
	stop context.CancelFunc
	ctx  context.Context // of the connections; ends at the end of Shutdown

	mu        sync.Mutex // guards all below
	conns     map[*Conn]struct{}
	sessions  map[string]registered
	perUser   map[string]int
	listeners []net.Listener
	draining  bool
}

// New makes a server.
func New(o Options) *Server {
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = time.Minute
	}
	s := &Server{options: o, log: o.Logger, conns: map[*Conn]struct{}{},
		sessions: map[string]registered{}, perUser: map[string]int{}}
	s.cancels.live = map[uint32]issued{}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// ErrStopped is returned by Serve after Shutdown.
var ErrStopped = errors.New("server stopped")

// Serve accepts connections on a listener until Shutdown, and closes it.
func (s *Server) Serve(l *Listener) error {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		_ = l.Net.Close()
		return ErrStopped
	}
	s.listeners = append(s.listeners, l.Net)
	s.wg.Add(1)
	s.mu.Unlock()
	defer s.wg.Done()
	defer l.Net.Close()
	s.options.Metrics.listening(l.Name)
	pause := 5 * time.Millisecond
	for {
		c, err := l.Net.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.start(l, c)
		case s.isDraining():
			return ErrStopped
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", l.Name, err)
		default: // out of descriptors, for one: it passes
			s.log.Warn("accept failed", "listener", l.Name, "error", err)
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
		}
	}
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// start admits a connection and serves it in a goroutine that Shutdown waits
// for. The end of s.ctx ends it.
func (s *Server) start(l *Listener, raw net.Conn) {
	if t, ok := raw.(*net.TCPConn); ok {
		// Best effort: a connection without keep-alive works.
		_ = t.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: s.options.KeepAlive, Interval: s.options.KeepAlive / 4, Count: 4})
	}
	c := &Conn{Conn: raw, ID: newID(), Listener: l, Server: s}
	s.mu.Lock()
	n := len(s.conns)
	over := s.options.MaxConnections > 0 && n >= s.options.MaxConnections
	if s.draining || over && n >= s.options.MaxConnections+refusals {
		s.mu.Unlock()
		_ = raw.Close()
		return
	}
	c.Refuse = over
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	s.options.Metrics.opened(l.Name)
	go s.serve(c)
}

func (s *Server) serve(c *Conn) {
	defer s.wg.Done()
	start := time.Now()
	reason := s.contain(c)
	_ = c.Close()
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.options.Metrics.closed(c.Listener.Name, reason)
	s.log.Info("connection ended", "session", c.ID, "listener", c.Listener.Name, "client", c.RemoteAddr().String(),
		"reason", reason.String(), "duration", time.Since(start))
}

// contain runs the handler and turns a panic into a reason.
func (s *Server) contain(c *Conn) (reason EndReason) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a connection", "session", c.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reason = EndInternal
		}
	}()
	return c.Listener.Handler.Serve(s.ctx, c)
}

// Shutdown stops accepting and drains: sessions that are idle outside a
// transaction end now, the others when they become so, all when ctx ends. It
// returns when every connection has ended, with ctx's error if it had to cut
// some off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Unlock()
	all := func(Login) bool { return true }
	for _, l := range s.lives(all) {
		l.Drain()
	}
	done := make(chan struct{})
	go func() { // ends when every connection has, which the end of s.ctx brings about
		s.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		s.endWhere(EndShutdown, all)
		select {
		case <-done:
		case <-time.After(endGrace):
		}
	}
	s.stop()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	<-done
	return err
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
