package main

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/weirdb/weir/protocol/pgwire/upstream"
)

// pool keeps connections of cases that leave nothing behind which DISCARD ALL
// does not undo, for others of the kind: a new one takes longer than a statement.
type pool struct {
	mu   sync.Mutex // guards what follows
	idle map[door]pooled
}

type pooled struct {
	conn *upstream.Conn
	uses int
}

// maxUses is after how many cases a connection ends.
const maxUses = 50

// lasting is what DISCARD ALL does not undo, and schemas of temporary objects,
// which are dropped under sessions that have none.
var lasting = regexp.MustCompile(`(?i)temp|dblink|\bload\b|setseed|postgres_fdw|remote\.`)

// sharable says whether the case may run on a connection of another.
func (t *testCase) sharable() bool {
	return len(t.SQL) == 1 && t.Startup == nil && t.Before == nil && !t.Fragment && !t.needs("superuser") &&
		(t.Mode == "simple" || t.Mode == "extended" || t.Mode == "extended-binary") && !lasting.MatchString(t.SQL[0])
}

func (p *pool) take(d door) pooled {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.idle[d]
	delete(p.idle, d)
	return c
}

// put takes a connection that has become as new, and closes others.
func (p *pool) put(d door, c pooled) {
	c.uses++
	if c.uses >= maxUses || !discardAll(c.conn) {
		_ = c.conn.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, other := p.idle[d]; other {
		_ = c.conn.Close()
		return
	}
	p.idle[d] = c
}

// discardAll says whether the session is outside of a transaction and as new.
func discardAll(c *upstream.Conn) bool {
	out, _ := (&pgproto3.Query{String: "DISCARD ALL"}).Encode(nil)
	c.Reader.SetLimit(time.Now().Add(stepTime))
	if write(c.Net, out, false) != nil {
		return false
	}
	done := false
	for {
		h, err := c.Reader.Peek()
		if err != nil {
			return false
		}
		body, err := c.Reader.Body(maxMessage)
		if err != nil {
			return false
		}
		end := h.Type == 'Z' && len(body) == 1 && body[0] == 'I'
		done = done || h.Type == 'C'
		if c.Reader.Discard() != nil || h.Type == 'Z' && !end {
			return false
		}
		if end {
			return done
		}
	}
}

// close ends all connections.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		_ = c.conn.Close()
	}
	clear(p.idle)
}

// run runs a case on a connection that others have used, or on its own.
func (p *pool) run(ctx context.Context, d door, t *testCase, steps []step) answer {
	if !t.sharable() {
		return runSession(ctx, d, t.Startup, steps)
	}
	used := p.take(d)
	s := &session{door: d, conns: map[string]*upstream.Conn{}}
	if used.conn != nil {
		s.conns[""], s.order = used.conn, []string{""}
	}
	alive := s.run(ctx, steps)
	if !alive {
		s.close()
		return s.got.afterStart()
	}
	p.put(d, pooled{s.conns[""], used.uses})
	return s.got.afterStart()
}

// afterStart leaves out what the server says at the start of a session.
func (a answer) afterStart() answer {
	for i, m := range a {
		if m.kind != 'S' {
			return a[i:]
		}
	}
	return nil
}
