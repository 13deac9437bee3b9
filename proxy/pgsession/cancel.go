package pgsession

import (
	"context"
	"time"
)

// underWay says that the server is running something of the client's. mu is held.
func (s *session) underWay() bool {
	h := s.owed.head()
	return h != nil && !h.private
}

// Cancel cancels the statement under way. While the request travels, the judge
// sends nothing new into an idle session, so that it cannot hit a statement
// that the client sent later.
func (s *session) Cancel(ctx context.Context) {
	s.mu.Lock()
	if !s.underWay() || s.ending != nil {
		s.mu.Unlock()
		return
	}
	s.cancelling++
	s.mu.Unlock()
	s.cancelUpstream(ctx)
	s.mu.Lock()
	s.cancelling--
	s.cond.Broadcast()
	s.mu.Unlock()
}

func (s *session) cancelUpstream(ctx context.Context) {
	if len(s.up.Key.Key) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Cancel)
	defer cancel()
	if err := s.up.Cancel(ctx); err != nil {
		s.options.Logger.Warn("cancel request failed", "session", s.conn.ID, "error", err)
	}
}

// cancelStatement cancels st if it is the one that is answering, on a
// goroutine that close waits for. mu is held.
func (s *session) cancelStatement(st *statement) {
	if s.ending != nil || s.owed.head().current() != st {
		return
	}
	s.helpers.Go(func() { // bounded by the time for a cancel request
		s.Cancel(context.Background())
	})
}

// startClock bounds the run time of the statement that answers next. mu is held.
func (s *session) startClock() {
	st := s.owed.head().current()
	if st == nil || st.ticket == nil || st.ticket.Timeout <= 0 || st.clock != nil {
		return
	}
	st.clock = time.AfterFunc(st.ticket.Timeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		st.timedOut = s.owed.head().current() == st
		s.cancelStatement(st)
	})
}
