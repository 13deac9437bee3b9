package mysession

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/mysql"
)

// KILL never reaches the server: the IDs are weir's, and nobody ends what is
// another's. Both are looked up among the sessions of the same person.

// killForm is KILL as clients write it (MariaDB documentation, KILL).
var killForm = regexp.MustCompile(`(?i)^[\s]*KILL\s+(?:(?:HARD|SOFT)\s+)?(?:(CONNECTION|QUERY)\s+)?([0-9]+)[\s;]*$`)

// killStatement deals with KILL in a text.
func (s *session) killStatement(ctx context.Context, q *question, more bool) (bool, error) {
	m := killForm.FindStringSubmatch(q.text)
	if m == nil {
		return false, s.fail(mywire.ErrNotSupportedYet, mywire.StateAccess,
			"This form of KILL is not supported through weir; name a connection of your own by its number: KILL [CONNECTION | QUERY] id")
	}
	id, err := strconv.ParseUint(m[2], 10, 64)
	if err != nil {
		id = 0
	}
	return s.killJudged(ctx, q.text, id, len(m[1]) != len("QUERY"), more)
}

// processKill deals with COM_PROCESS_KILL.
func (s *session) processKill(ctx context.Context, body []byte) error {
	id, err := mywire.ParseProcessKill(body)
	if err != nil {
		return clientError(err)
	}
	_, err = s.killJudged(ctx, fmt.Sprintf("KILL CONNECTION %d", id), uint64(id), true, false)
	return err
}

// killFacts are what KILL of an own connection does, as policy sees it: it
// changes no data, so that read-only sources allow it.
func killFacts(text string) *mysql.Statement {
	return &mysql.Statement{Kind: mysql.KindKill, Facts: query.Facts{Class: query.ClassSession, Verbs: []string{"KILL"},
		Complete: true, Fingerprint: "KILL ?", Span: query.Span{End: len(text)}}}
}

func (s *session) killJudged(ctx context.Context, text string, id uint64, connection, more bool) (bool, error) {
	q := &question{text: text, s: killFacts(text), state: &s.state}
	st, err := s.judge(ctx, q)
	if err != nil {
		return false, err
	}
	if st.denial != nil {
		return false, s.sayError(st.denial)
	}
	target := s.handler.connections.find(id, s)
	switch {
	case target == nil:
		st.done(mywire.StateGeneral)
		return false, s.fail(mywire.ErrUnknownThread, mywire.StateGeneral, fmt.Sprintf("Unknown thread id: %d", id))
	case target == s && connection:
		st.done(mywire.StateInterrupted)
		return false, end(proxy.EndKilled, nil)
	case target == s:
		st.done(mywire.StateInterrupted)
		return false, s.fail(mywire.ErrQueryInterrupted, mywire.StateInterrupted, "Query execution was interrupted")
	case connection:
		target.End(proxy.EndKilled)
	default:
		target.Cancel(ctx)
	}
	st.done("")
	status := s.status
	if more {
		status |= mywire.StatusMoreResults
	}
	if err := s.out.OK(&mywire.OK{Status: status}); err != nil {
		return false, clientError(err)
	}
	return true, nil
}
