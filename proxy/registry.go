package proxy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Live is what the server can do to a session. All of it may be called from
// any goroutine, also after the session has ended.
type Live interface {
	// End ends the session at once and tells the client why.
	End(EndReason)
	// Drain ends the session as soon as it is idle outside a transaction.
	Drain()
	// Cancel cancels the statement under way, if there is one.
	Cancel(context.Context)
}

// Login is what the registry knows of a session.
type Login struct {
	ID         string // of the session
	UserID     string
	User       string
	Datasource string
	Client     netip.AddrPort
	TLS        bool
	Since      time.Time
	Version    time.Time // of the user's record at the login (auth.Identity)
}

type registered struct {
	Login
	live Live
}

// LimitError says that a user has too many connections.
type LimitError struct {
	User  string
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("too many connections for user %q: the limit is %d", e.User, e.Limit)
}

// Register adds a session that has logged in. The error is a *LimitError.
// Unregister removes it again. A server that is draining drains it at once.
func (s *Server) Register(l Login, live Live) error {
	s.mu.Lock()
	if n := s.options.MaxPerUser; n > 0 && s.perUser[l.UserID] >= n {
		s.mu.Unlock()
		return &LimitError{User: l.User, Limit: n}
	}
	s.perUser[l.UserID]++
	s.sessions[l.ID] = registered{Login: l, live: live}
	draining := s.draining
	s.mu.Unlock()
	s.options.Metrics.sessions(1)
	if draining {
		live.Drain()
	}
	return nil
}

// Unregister removes a session.
func (s *Server) Unregister(id string) {
	s.mu.Lock()
	r, ok := s.sessions[id]
	if ok {
		delete(s.sessions, id)
		if s.perUser[r.UserID]--; s.perUser[r.UserID] == 0 {
			delete(s.perUser, r.UserID)
		}
	}
	s.mu.Unlock()
	if ok {
		s.options.Metrics.sessions(-1)
	}
}

// Sessions lists the sessions that are logged in, oldest first.
func (s *Server) Sessions() []Login {
	s.mu.Lock()
	list := make([]Login, 0, len(s.sessions))
	for _, r := range s.sessions {
		list = append(list, r.Login)
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b Login) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// EndSession ends a session by its id and says whether there was one.
func (s *Server) EndSession(id string, reason EndReason) bool {
	return s.endWhere(reason, func(l Login) bool { return l.ID == id }) > 0
}

// EndUser ends all sessions of a user by the user's id, and says how many.
func (s *Server) EndUser(userID string, reason EndReason) int {
	return s.endWhere(reason, func(l Login) bool { return l.UserID == userID })
}

func (s *Server) endWhere(reason EndReason, match func(Login) bool) int {
	live := s.lives(match)
	for _, l := range live {
		l.End(reason)
	}
	return len(live)
}

func (s *Server) lives(match func(Login) bool) []Live {
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []Live
	for _, r := range s.sessions {
		if match(r.Login) {
			live = append(live, r.live)
		}
	}
	return live
}
