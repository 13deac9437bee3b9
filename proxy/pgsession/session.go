package pgsession

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/pgsql"
)

// session is a connection that has logged in. Its judge and its relay are the
// only ones that use the fields without a word; mu guards those below it.
type session struct {
	*front
	gate         Judge
	up           *upstream.Conn
	key          proxy.CancelKey
	startupLimit time.Time

	mu   sync.Mutex
	cond sync.Cond // of mu: signalled when the server owes less, and at the end
	owed owed
	// ending is why the session ends; the first one counts.
	ending   *ended
	stopWork context.CancelFunc // ends what the judge waits for; nil before run
	// cancelling counts cancel requests on their way to the server.
	cancelling int
	waiting    bool // the judge waits on cond
	failures   int  // errors since the judge last saw the session idle
	draining   bool
	terminated bool // the client said goodbye
	idleSince  time.Time
	reported   map[string]string // ParameterStatus since the judge last looked
	catalog    *pgsql.Catalog    // the last one that was analysed with
	graceful   *time.Timer       // closes the client's connection if the relay does not
	helpers    sync.WaitGroup    // timers' cancel requests
}

func newSession(f *front) *session {
	s := &session{front: f, startupLimit: f.limit, idleSince: time.Now()}
	s.cond.L = &s.mu
	s.owed.status = pgwire.TxIdle
	return s
}

// lastWord is how long a client has to take what is left when its session ends
// for a reason that is not its own.
const lastWord = time.Second

// run serves the session until it ends.
func (s *session) run(ctx context.Context) proxy.EndReason {
	size := proxy.ShortSecret
	if s.version >= pgwire.Version32 {
		size = proxy.LongSecret
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.stopWork = cancel
	if s.ending != nil {
		cancel()
	}
	s.mu.Unlock()
	s.key = s.conn.Server.IssueKey(size, s.up.Key.PID, s)
	if err := s.welcome(); err != nil {
		s.finish(clientError(err))
	}
	s.in.SetLimit(time.Time{})
	s.in.SetTimeouts(s.idleTimeout(), s.options.Stall)
	s.out.SetStall(s.options.WriteStall)

	relayed := make(chan struct{})
	go func() { // ends when the server's connection does, which finish closes
		defer close(relayed)
		r := &relay{session: s}
		s.finish(s.contain("relay", r.loop))
		s.farewell()
	}()
	j := newJudge(s)
	s.finish(s.contain("judge", func() error { return j.loop(ctx) }))
	<-relayed
	s.close()
	return s.ending.reason
}

// contain turns a panic of one of the two goroutines into an end.
func (s *session) contain(name string, loop func() error) (e *ended) {
	defer func() {
		if p := recover(); p != nil {
			s.options.Logger.Error("panic in a session", "session", s.conn.ID, "goroutine", name,
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
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
// connection, which ends the relay, which closes the client's.
func (s *session) finish(e *ended) {
	s.mu.Lock()
	if s.ending != nil {
		s.mu.Unlock()
		return
	}
	if s.terminated && e.reason != proxy.EndInternal {
		e = &ended{reason: proxy.EndClientClosed}
	}
	s.ending = e
	s.graceful = time.AfterFunc(lastWord, func() { _ = s.conn.Close() })
	if s.underWay() {
		s.helpers.Go(func() { // bounded by the time for a cancel request
			s.cancelUpstream(context.Background())
		})
	}
	if s.stopWork != nil {
		s.stopWork()
	}
	s.cond.Broadcast()
	s.mu.Unlock()
	_ = s.up.Net.Close()
	s.in.Interrupt()
}

// farewell tells the client why the session ends and closes its connection. It
// is the relay's last act, because the relay owns the writer.
func (s *session) farewell() {
	defer func() {
		if recover() != nil { // the panic that ended the relay left the writer unusable
			_ = s.conn.Close()
		}
		_ = s.net.Close()
	}()
	s.out.Abort()
	s.out.SetStall(lastWord)
	if n := s.ending.notice; n != nil && s.out.Err() == nil {
		if s.out.Error(n) != nil {
			return
		}
	}
	_ = s.out.Flush() // what the client does not take is lost with it
}

// close gives everything back after both goroutines have ended.
func (s *session) close() {
	s.conn.Server.ReleaseKey(s.key)
	s.conn.Server.Unregister(s.conn.ID)
	s.mu.Lock()
	s.graceful.Stop()
	abandoned := s.owed.abandon()
	s.mu.Unlock()
	for _, st := range abandoned {
		st.abort()
	}
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

// End ends the session at once.
func (s *session) End(reason proxy.EndReason) { s.finish(end(reason, nil)) }

// Drain ends the session as soon as it is idle outside a transaction.
func (s *session) Drain() {
	s.mu.Lock()
	s.draining = true
	idle := s.idle()
	s.mu.Unlock()
	if idle {
		s.End(proxy.EndShutdown)
	}
}

// idle says that nothing is under way and no transaction is open. mu is held.
func (s *session) idle() bool { return s.owed.between() && s.owed.status == pgwire.TxIdle }

// idleTimeout is the shorter of the two timeouts; idled tells which applies.
func (s *session) idleTimeout() time.Duration {
	a, b := s.options.IdleTimeout, s.options.IdleInTransaction
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// idled says whether a client that sent nothing for some time has been idle
// for too long. It has not while it waits for the server.
func (s *session) idled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.owed.empty() {
		return nil
	}
	limit, reason := s.options.IdleTimeout, proxy.EndIdle
	if s.owed.status != pgwire.TxIdle || s.owed.open {
		limit, reason = s.options.IdleInTransaction, proxy.EndIdleInTransaction
	}
	if limit > 0 && time.Since(s.idleSince) >= limit {
		return end(reason, nil)
	}
	return nil
}

// loop reads the client's messages and deals with each. It returns an *ended.
func (j *judge) loop(ctx context.Context) error {
	for {
		if !j.in.Buffered() {
			if err := j.up.Writer.Flush(); err != nil {
				return upstreamError(err)
			}
		}
		h, err := j.in.Peek()
		if err != nil {
			if err = j.readError(err); err != nil {
				return err
			}
			continue
		}
		limit, known := pgwire.FrontendLimit(h.Type)
		if !known {
			return protocolViolation("invalid frontend message type %d", h.Type)
		}
		if limit = min(limit, j.options.MaxMessage); h.Len > limit {
			return clientError(&pgwire.TooLong{Type: h.Type, Len: h.Len, Limit: limit})
		}
		if err := j.message(ctx, h); err != nil {
			return err
		}
	}
}

// readError says whether an error of waiting for a message ends the session.
func (j *judge) readError(err error) error {
	var late *pgwire.TimeoutError
	switch {
	case errors.As(err, &late) && late.Phase == pgwire.PhaseIdle:
		if e := j.idled(); e != nil {
			return e
		}
		return nil
	case errors.Is(err, pgwire.ErrInterrupted):
		return &ended{reason: proxy.EndUnknown} // finish was called, and its reason counts
	case errors.Is(err, io.EOF):
		return &ended{reason: proxy.EndClientLost}
	}
	return clientError(err)
}

// message deals with one message of the client.
func (j *judge) message(ctx context.Context, h pgwire.Header) error {
	switch h.Type {
	case pgwire.MsgQuery:
		return j.query(ctx)
	case pgwire.MsgParse:
		return j.parse(ctx)
	case pgwire.MsgBind:
		return j.bind(ctx)
	case pgwire.MsgDescribe:
		return j.describe()
	case pgwire.MsgExecute:
		return j.execute(ctx)
	case pgwire.MsgClose:
		return j.closeObject()
	case pgwire.MsgSync:
		return j.sync()
	case pgwire.MsgFlush:
		return j.flush()
	case pgwire.MsgFunctionCall:
		return j.functionCall(ctx)
	case pgwire.MsgCopyData, pgwire.MsgCopyDone, pgwire.MsgCopyFail:
		return j.copyIn(h)
	case pgwire.MsgTerminate:
		return j.terminate()
	}
	return protocolViolation("invalid frontend message type %d", h.Type)
}

// terminate passes the client's goodbye on. What it sent before is still run
// and answered; then the server closes, which ends the relay.
func (j *judge) terminate() error {
	j.mu.Lock()
	j.terminated = true
	j.mu.Unlock()
	if err := j.up.Writer.Empty(pgwire.MsgTerminate); err != nil {
		return upstreamError(err)
	}
	if err := j.up.Writer.Flush(); err != nil {
		return upstreamError(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.ending == nil {
		j.cond.Wait()
	}
	return j.ending
}
