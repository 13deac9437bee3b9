package pgsession

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/pgsql"
)

// statement is one statement on its way: judged, sent, answering.
type statement struct {
	kind    pgsql.Kind
	facts   *query.Facts
	changes pgsql.Change
	ticket  *gate.Ticket   // nil if it was denied, and for an empty text
	denial  *pgwire.Notice // what the client gets in place of the server's error
	// always puts the denial even before the server's word that the
	// transaction has failed: weir itself made it fail.
	always bool
	// edited is what runs in the statement's place, empty for itself; result
	// goes with it, and is nil without it.
	edited string
	result *pgsql.Rewritten
	masks  *maskedResult // set while a result is being masked
	copy   *pgsql.Copy   // of a COPY TO STDOUT that is checked and perhaps masked

	rows, bytes int64
	over        bool // it went over its limit of rows
	timedOut    bool // its time was up; guarded by session.mu
	clock       *time.Timer
	failed      bool // it failed or was skipped; guarded by session.mu
	happened    bool // it succeeded; guarded by session.mu
}

// checked says that the result's description is held against the analysis.
func (st *statement) checked() bool {
	return st.ticket != nil && st.facts != nil && st.facts.Returns && (st.ticket.Restricted || len(st.ticket.Masks) > 0)
}

// touched says that the server's texts about the statement are withheld.
func (st *statement) touched() bool { return st != nil && st.ticket != nil && st.ticket.Touched }

// done records how the statement ended.
func (st *statement) done(state string) {
	if st.clock != nil {
		st.clock.Stop()
	}
	if st.ticket != nil {
		st.ticket.Done(gate.Outcome{Rows: st.rows, Bytes: st.bytes, SQLState: state})
	}
}

// abort records that the statement did not get to its end.
func (st *statement) abort() {
	if st.clock != nil {
		st.clock.Stop()
	}
	if st.ticket != nil {
		st.ticket.Done(gate.Outcome{Rows: st.rows, Bytes: st.bytes, Aborted: true})
	}
}

// judge is what the goroutine of the client's side keeps.
type judge struct {
	*session
	state     pgsql.State
	portals   map[string]*portal
	refreshed time.Time       // when new definitions were last looked for in vain
	unnamed   *pgsql.Prepared // the unnamed prepared statement, nil if there is none

	undo []undo // what is predicted and not yet known to have happened
	// changed is what statements since the last idle moment may have changed.
	changed pgsql.Change
	local   bool // SET LOCAL was among them
	dirty   bool // the next batch waits until all this is known
	denied  bool // a frame of this batch was replaced: the server skips to Sync
}

func newJudge(s *session) *judge {
	j := &judge{session: s, portals: map[string]*portal{}}
	j.state.Prepared = map[string]*pgsql.Prepared{}
	j.state.Cursors = map[string]*pgsql.Cursor{}
	j.state.Encoding = s.up.Params["client_encoding"]
	j.state.NonStandardStrings = s.up.Params["standard_conforming_strings"] == "off"
	j.state.Stale = true
	return j
}

// query judges and sends a Query: one text, any number of statements.
func (j *judge) query(ctx context.Context) error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	sql, err := pgwire.ParseQuery(body)
	if err != nil {
		return clientError(err)
	}
	text := string(sql)
	if err := j.begin(); err != nil {
		return err
	}
	a, catalog := j.analyse(ctx, text)
	e := &entry{req: reqQuery, open: a.Err != nil}
	denied := -1
	state := j.state // as each statement will find it
	for i := range a.Statements {
		q := &question{text: text, index: i, s: &a.Statements[i], catalog: catalog, state: &state}
		st, err := j.judge(ctx, q)
		if err == nil && st.denial == nil {
			err = j.describeCopy(st)
		}
		if err != nil {
			return err
		}
		e.statements = append(e.statements, st)
		if st.denial != nil {
			denied, e.open = a.Statements[i].Span.Start, false
			break
		}
		if i+1 < len(a.Statements) {
			predict(&state, catalog, q.s, st.result)
		}
	}
	for i, st := range e.statements {
		if st.denial == nil {
			j.apply(catalog, &a.Statements[i], st)
		}
	}
	if len(e.statements) == 0 {
		e.statements = []*statement{{}} // an empty text answers too
	}
	j.unnamed = nil // Query destroys the unnamed statement and portal
	delete(j.portals, "")
	sent := text
	if denied >= 0 {
		sent = text[:denied] + "\n" + failing
	}
	sent, e.edits = edited(sent, a.Statements, e.statements)
	if denied < 0 && len(e.edits) == 0 {
		return j.forward(e)
	}
	return j.replace(e, func(w *pgwire.Writer) error { return w.Query(sent) })
}

// judge asks the gate about one statement that is to run now. The error is an
// *ended; a denial is in the statement.
func (j *judge) judge(ctx context.Context, q *question) (*statement, error) {
	s := q.s
	st := &statement{kind: s.Kind, facts: &s.Facts, changes: s.Changes}
	ticket, err := j.decide(ctx, q, j.gate.Judge)
	if err != nil {
		return st, j.deny(st, q.text, err)
	}
	st.ticket, st.facts, st.edited, st.result = ticket, ticket.Facts, q.edited, q.result
	c := s.Copy
	if q.result != nil && q.result.Statement != nil && s.Kind != pgsql.KindPrepare {
		c = q.result.Statement.Copy
	}
	if c != nil && !c.From && !c.Server && (len(ticket.Masks) > 0 || ticket.Restricted) {
		st.copy = c
	}
	return st, nil
}

// deny puts a denial into the statement. Anything but a denial ends the session.
func (j *judge) deny(st *statement, text string, err error) error {
	var d *gate.Denial
	if !errors.As(err, &d) {
		return err
	}
	st.denial = denialNotice(d, text)
	return nil
}

// skipping says that the server will discard the frame at hand.
func (j *judge) skipping() bool {
	if j.denied {
		return true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.owed.skipping
}

func (j *judge) drop() error {
	if err := j.in.Discard(); err != nil {
		return clientError(err)
	}
	return nil
}

// owe notes that the entry's frame is about to be sent. It reports false if it
// must not be, because the server would discard it. Into an idle session
// nothing is sent while a cancel request travels.
func (j *judge) owe(e *entry) bool {
	j.mu.Lock()
	for j.owed.empty() && j.cancelling > 0 && j.ending == nil {
		j.cond.Wait()
	}
	sent := j.owed.sent(e)
	if sent {
		j.startClock()
	}
	for _, st := range e.statements {
		st.failed = st.failed || !sent
	}
	j.mu.Unlock()
	if !sent {
		for _, st := range e.statements {
			st.abort()
		}
	}
	return sent
}

// forward sends the client's frame as it is.
func (j *judge) forward(e *entry) error {
	if !j.owe(e) {
		return j.drop()
	}
	if err := j.in.Forward(j.up.Writer); err != nil {
		return j.forwardError(err)
	}
	return nil
}

// forwardError sorts an error of passing the client's bytes to the server.
func (j *judge) forwardError(err error) error {
	if werr := j.up.Writer.Err(); werr != nil && !errors.Is(werr, pgwire.ErrTorn) {
		return upstreamError(err)
	}
	return clientError(err)
}

// replace sends another frame in place of the client's.
func (j *judge) replace(e *entry, write func(*pgwire.Writer) error) error {
	if j.owe(e) {
		if err := write(j.up.Writer); err != nil {
			return upstreamError(err)
		}
	}
	return j.drop()
}

// inject sends a frame of weir's own, before the client's.
func (j *judge) inject(e *entry, write func(*pgwire.Writer) error) error {
	e.injected = true
	if !j.owe(e) {
		return nil
	}
	if err := write(j.up.Writer); err != nil {
		return upstreamError(err)
	}
	return nil
}

// functionCall judges the fast path, where a function is called by its OID.
func (j *judge) functionCall(ctx context.Context) error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	call, err := pgwire.ParseFunctionCall(body)
	if err != nil {
		return clientError(err)
	}
	if err := j.begin(); err != nil {
		return err
	}
	catalog, _ := j.current(ctx) // without one, the statement is refused for restricted people
	s := callStatement(call.Function)
	st, err := j.judge(ctx, &question{text: s.Fingerprint, s: s, catalog: catalog, state: &j.state, sent: &pgsql.Rewritten{}})
	if err != nil {
		return err
	}
	e := &entry{req: reqFunctionCall, statements: []*statement{st}}
	if st.denial != nil {
		// No function has OID 0, so this fails where the call would have run.
		return j.replace(e, func(w *pgwire.Writer) error {
			return w.Message(pgwire.MsgFunctionCall, make([]byte, 4+2+2+2))
		})
	}
	j.apply(catalog, s, st)
	return j.forward(e)
}

// callStatement is the meaning of a FunctionCall.
func callStatement(oid uint32) *pgsql.Statement {
	name := "function with OID " + strconv.FormatUint(uint64(oid), 10)
	text := "fast-path call of " + name
	s := &pgsql.Statement{Changes: pgsql.ChangeUnknown}
	s.Facts = query.Facts{Class: query.ClassCall, Verbs: []string{"CALL"}, Fingerprint: text,
		Gaps:      []query.Gap{{Reason: name + " is called through the fast path", Pos: -1}},
		Functions: []query.Function{{Name: name, Pos: -1}},
		Writes:    []query.Effect{{Kind: "function", Object: name, Pos: -1}},
		Span:      query.Span{End: len(text)}}
	return s
}
