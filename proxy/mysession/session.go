package mysession

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/mysql"
)

// session is a connection that has logged in. One goroutine runs it; mu guards
// what others look at.
type session struct {
	*front
	gate Judge
	up   *upstream.Conn // replaced by COM_CHANGE_USER alone, under mu
	// redial connects to up's server with the login of the moment; with up.
	redial func(context.Context, upstream.Config) (*upstream.Conn, error)
	// unwatch ends the watch for the server's leaving.
	unwatch func()
	who     atomic.Pointer[who]

	state    mysql.State
	status   mywire.Status // as the server last reported it
	multi    bool          // the client may send several statements in a text
	prepared map[uint32]*prepared
	last     uint32 // the statement that was prepared last
	// quoting is set after a statement whose texts are withheld: the server
	// repeats them on SHOW WARNINGS.
	quoting  bool
	tracking tracking
	// compared are definitions that are those of the session's server.
	compared struct {
		catalog *mysql.Catalog
		up      *upstream.Conn
	}
	refreshed time.Time // when new definitions were last looked for in vain

	mu   sync.Mutex
	cond sync.Cond // of mu: signalled when a KILL has come back
	// ending is why the session ends; the first one counts.
	ending     *ended
	stopWork   context.CancelFunc // ends what the session waits for; nil before run
	cancelling int                // KILLs on their way to the server
	busy       bool               // a command is under way
	reading    bool               // it changes nothing
	draining   bool
	idleSince  time.Time
	graceful   *time.Timer // closes the client's connection if run does not
	helpers    sync.WaitGroup
}

func newSession(f *front) *session {
	s := &session{front: f, idleSince: time.Now(), multi: f.caps.Has(mywire.CapMultiStatements), prepared: map[uint32]*prepared{}, unwatch: func() {}}
	s.cond.L = &s.mu
	return s
}

// lastWord is how long a client has to take what is left when its session ends
// for a reason that is not its own.
const lastWord = time.Second

// run serves the session until it ends.
func (s *session) run(ctx context.Context) proxy.EndReason {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.stopWork = cancel
	if s.ending != nil {
		cancel()
	}
	s.mu.Unlock()
	s.watchServer()
	if stop, ok := s.handler.hangups.watch(s.conn.Conn, s.left); ok {
		defer stop()
	}
	s.finish(s.contain(func() error {
		if err := s.welcome(); err != nil {
			return clientError(err)
		}
		return s.loop(ctx)
	}))
	s.farewell()
	s.close()
	return s.ending.reason
}

// welcome tells the client that the session is ready. What was compressed
// begins after it.
func (s *session) welcome() error {
	if err := errors.Join(s.out.OK(&mywire.OK{Status: s.status, Info: s.proof}), s.out.Flush()); err != nil {
		return err
	}
	s.in.SetLimit(time.Time{})
	s.in.SetMaxBody(s.options.MaxMessage)
	s.in.SetTimeouts(s.idleTimeout(), s.options.Stall)
	s.out.SetStall(s.options.WriteStall)
	switch {
	case s.caps.Has(mywire.CapCompress):
		return mywire.Compress(s.in, s.out, mywire.AlgorithmZlib, 0)
	case s.caps.Has(mywire.CapZstd):
		return mywire.Compress(s.in, s.out, mywire.AlgorithmZstd, s.login.ZstdLevel)
	}
	return nil
}

// contain turns a panic into an end.
func (s *session) contain(loop func() error) (e *ended) {
	defer func() {
		if p := recover(); p != nil {
			s.options.Logger.Error("panic in a session", "session", s.conn.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			e = end(proxy.EndInternal, fmt.Errorf("panic: %v", p))
		}
	}()
	err := loop()
	if errors.As(err, &e) {
		return e
	}
	return end(proxy.EndInternal, err)
}

// finish ends the session, unless something else has. It closes the server's
// connection, on which the session may wait.
func (s *session) finish(e *ended) {
	s.mu.Lock()
	if s.ending != nil {
		s.mu.Unlock()
		return
	}
	s.ending = e
	s.graceful = time.AfterFunc(lastWord, func() { _ = s.conn.Close() })
	up, redial := s.up, s.redial
	if s.busy {
		s.helpers.Go(func() { // bounded by the time for a KILL
			s.kill(context.Background(), up, redial)
		})
	}
	if s.stopWork != nil {
		s.stopWork()
	}
	s.cond.Broadcast()
	s.mu.Unlock()
	_ = up.Net.Close()
	s.in.Interrupt()
}

// farewell tells the client why the session ends, if it waits for an answer,
// and closes its connection. A client that asks nothing would take an ERR for
// the answer to its next command.
func (s *session) farewell() {
	defer func() {
		if recover() != nil { // the panic that ended the session left the writer unusable
			_ = s.conn.Close()
		}
		_ = s.net.Close()
	}()
	s.out.Abort()
	s.out.SetStall(lastWord)
	if say := s.ending.say; say != nil && s.busy && s.out.Err() == nil {
		if s.out.Error(say) != nil {
			return
		}
	}
	_ = s.out.Flush() // what the client does not take is lost with it
}

// close gives everything back.
func (s *session) close() {
	s.conn.Server.Unregister(s.conn.ID)
	s.mu.Lock()
	s.graceful.Stop()
	s.mu.Unlock()
	for _, p := range s.prepared {
		p.abandon()
	}
	s.unwatch()
	s.helpers.Wait()
	s.in.Close()
	s.out.Close()
	s.up.Reader.Close()
	s.up.Writer.Close()
	s.gate.Close(s.ending.reason.String())
	if s.ending.cause != nil {
		s.options.Logger.Info("session ended", "session", s.conn.ID, "reason", s.ending.reason.String(), "error", s.ending.cause)
	}
}

// watchServer has the session end when the server leaves.
func (s *session) watchServer() {
	s.unwatch()
	s.unwatch = func() {}
	if stop, ok := s.handler.hangups.watch(s.up.Net, s.abandoned); ok {
		s.unwatch = stop
	}
}

// abandoned ends a session whose server has left while it was idle: the client
// would hear of it with its next command only. A busy one sees it itself.
func (s *session) abandoned() {
	s.mu.Lock()
	idle := !s.busy && s.ending == nil
	s.mu.Unlock()
	if idle {
		s.finish(end(proxy.EndUpstreamLost, nil))
	}
}

// left ends a session whose client has left while a statement reads: what nobody
// waits for does not run on. A change comes to its end, as without weir. An idle
// session sees it itself.
func (s *session) left() {
	s.mu.Lock()
	reading := s.busy && s.reading && s.ending == nil
	s.mu.Unlock()
	if reading {
		s.finish(&ended{reason: proxy.EndClientClosed})
	}
}

// End ends the session at once.
func (s *session) End(reason proxy.EndReason) { s.finish(end(reason, nil)) }

// Drain ends the session as soon as it is idle outside a transaction.
func (s *session) Drain() {
	s.mu.Lock()
	s.draining = true
	idle := !s.busy && !s.status.Has(mywire.StatusInTransaction)
	s.mu.Unlock()
	if idle {
		s.End(proxy.EndShutdown)
	}
}

// Cancel stops the command under way. While the KILL travels, the session sends
// nothing new, so that it cannot hit what the client sent later.
func (s *session) Cancel(ctx context.Context) {
	s.mu.Lock()
	if !s.busy || s.ending != nil {
		s.mu.Unlock()
		return
	}
	s.cancelling++
	up, redial := s.up, s.redial
	s.mu.Unlock()
	s.kill(ctx, up, redial)
	s.mu.Lock()
	s.cancelling--
	s.cond.Broadcast()
	s.mu.Unlock()
}

// stop is Cancel on a goroutine that close waits for. mu is not held.
func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending == nil {
		s.helpers.Go(func() { // bounded by the time for a KILL
			s.Cancel(context.Background())
		})
	}
}

// kill stops what up is running, as who it was opened: another account might not
// be allowed to. If that password has been changed, the new one is needed.
func (s *session) kill(ctx context.Context, up *upstream.Conn, redial func(context.Context, upstream.Config) (*upstream.Conn, error)) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Cancel)
	defer cancel()
	err := up.Kill(ctx, false, nil)
	var refused *upstream.AuthError
	if errors.As(err, &refused) {
		err = up.Kill(ctx, false, redial)
	}
	if err != nil {
		s.options.Logger.Warn("statement cannot be stopped", "session", s.conn.ID, "error", err)
	}
}

// idleTimeout is the shorter of the two timeouts; idled tells which applies.
func (s *session) idleTimeout() time.Duration {
	a, b := s.options.IdleTimeout, s.options.IdleInTransaction
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// idled says whether a client that sent nothing for some time has been idle
// for too long.
func (s *session) idled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, reason := s.options.IdleTimeout, proxy.EndIdle
	if s.status.Has(mywire.StatusInTransaction) {
		limit, reason = s.options.IdleInTransaction, proxy.EndIdleInTransaction
	}
	if limit > 0 && time.Since(s.idleSince) >= limit {
		return end(reason, nil)
	}
	return nil
}

// loop reads the client's commands and answers each. It returns an *ended.
func (s *session) loop(ctx context.Context) error {
	for {
		h, err := s.in.PeekCommand()
		if err != nil {
			if err = s.readError(err); err != nil {
				return err
			}
			continue
		}
		if err := s.begin(); err != nil {
			return err
		}
		if err := s.command(ctx, h); err != nil {
			return err
		}
		if err := s.out.Flush(); err != nil {
			return clientError(err)
		}
		if err := s.idle(); err != nil {
			return err
		}
	}
}

// readError says whether an error of waiting for a command ends the session.
func (s *session) readError(err error) error {
	var late *mywire.TimeoutError
	switch {
	case errors.As(err, &late) && late.Phase == mywire.PhaseIdle:
		return s.idled()
	case errors.Is(err, mywire.ErrInterrupted):
		return &ended{reason: proxy.EndUnknown} // finish was called, and its reason counts
	}
	return clientError(err)
}

// begin marks the session busy.
func (s *session) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		return s.ending
	}
	s.busy, s.reading = true, false
	return nil
}

// idle marks the session idle, and ends it if it is to end then.
func (s *session) idle() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		return s.ending
	}
	s.busy, s.idleSince = false, time.Now()
	if s.draining && !s.status.Has(mywire.StatusInTransaction) {
		return end(proxy.EndShutdown, nil)
	}
	return nil
}

// setStatus keeps the status that the server reports.
func (s *session) setStatus(st mywire.Status) {
	s.mu.Lock()
	s.status = st
	s.mu.Unlock()
}

// send writes a command to the server and expects its reply. While a KILL of
// what came before travels, it waits.
func (s *session) send(payload []byte) error {
	s.mu.Lock()
	for s.cancelling > 0 && s.ending == nil {
		s.cond.Wait()
	}
	ending := s.ending
	s.mu.Unlock()
	if ending != nil {
		return ending
	}
	if err := errors.Join(s.up.Writer.Command(payload), s.up.Writer.Flush()); err != nil {
		return upstreamError(err)
	}
	s.up.Reader.SetSeq(s.up.Writer.Seq())
	return nil
}
