package gate

import (
	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/query"
)

// memo is what a session was let do lately: the same statement with the same
// facts passes again without being asked about, as long as the policy is the
// same and does not read the clock. Everything else that a decision reads of a
// session stays as it is while the session lasts.
type memo struct {
	epoch any
	known map[memoKey]*passed
}

// memoKey names a statement by its facts, which are shared by all that have
// the same text, catalog and state, and never change.
type memoKey struct {
	facts *query.Facts
	sql   string
}

// passed is how a statement passed.
type passed struct {
	ticket Ticket      // without done
	event  audit.Event // without the statement's number
}

const (
	maxMemo     = 16      // statements; an idle session keeps them
	maxMemoText = 4 << 10 // bytes of SQL, which the memo keeps alive
)

// plain says that nothing but the facts matters for a statement: no values
// that it stores, and nothing that the server has in its place.
func (stmt *Statement) plain() bool {
	return len(stmt.Values) == 0 && (stmt.Applied == nil || stmt.Applied.Rewrite.Empty()) && len(stmt.SQL) <= maxMemoText
}

func (m *memo) find(epoch any, stmt *Statement) *passed {
	if epoch == nil || epoch != m.epoch || !stmt.plain() {
		return nil
	}
	return m.known[memoKey{stmt.Facts, stmt.SQL}]
}

// keep remembers a statement that passed, but for one that was rewritten: what
// runs instead is the caller's.
func (m *memo) keep(epoch any, stmt *Statement, p *passed) {
	if epoch == nil || !stmt.plain() || p.ticket.Rewritten != nil {
		return
	}
	if m.known == nil || m.epoch != epoch || len(m.known) >= maxMemo {
		m.epoch, m.known = epoch, make(map[memoKey]*passed)
	}
	m.known[memoKey{stmt.Facts, stmt.SQL}] = p
}
