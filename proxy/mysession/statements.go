package mysession

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/mysql"
)

// statement is one statement on its way: judged, sent, answering.
type statement struct {
	s       *mysql.Statement
	facts   *query.Facts
	catalog *mysql.Catalog // nil if definitions cannot be read
	ticket  *gate.Ticket   // nil if it was denied
	denial  *mywire.ServerError
	// edited is what runs in the statement's place, empty for itself.
	edited string

	rows, bytes int64
	timedOut    bool // its time was up; guarded by session.mu
	clock       *time.Timer
	masks       *maskedResult // of the present result, nil if nothing is masked
	quoted      bool          // its result quotes texts that are withheld
}

// checked says that the result's definitions are held against the analysis.
func (st *statement) checked() bool {
	return st != nil && st.ticket != nil && st.facts.Returns && (st.ticket.Restricted || len(st.ticket.Masks) > 0)
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

// question is one statement that the gate is asked about.
type question struct {
	text    string
	s       *mysql.Statement
	catalog *mysql.Catalog // nil if definitions cannot be read
	state   *mysql.State   // in which the statement is analysed
	// applied is what the server has of the statement, nil if it is sent now.
	applied *query.Rewritten
	values  map[int]gate.Value
	// whole is set where the text could not be cut, and may hold several.
	whole bool
}

// query judges and sends a text: any number of statements, one by one.
func (s *session) query(ctx context.Context, body []byte) error {
	m, err := mywire.ParseQuery(body, s.caps)
	if err != nil {
		return clientError(err)
	}
	text := string(m.SQL)
	a, catalog := s.analyse(ctx, text, &s.state)
	n := len(a.Statements)
	switch {
	case n == 0: // nothing but blanks and comments
		_, err := s.runStatement(ctx, &question{text: text}, false)
		return err
	case n == 1:
		q := &question{text: text, s: &a.Statements[0], catalog: catalog, state: &s.state, whole: a.Err != nil || a.Statements[0].Several}
		_, err := s.runStatement(ctx, q, false)
		return err
	case !s.multi:
		return s.sayError(s.syntaxError(text, a.Statements[0].Span.End))
	}
	for i := range n {
		span := a.Statements[i].Span
		one := text[span.Start:span.End]
		if err := s.sure(one); err != nil {
			return err
		}
		ok, err := s.runStatement(ctx, s.question(ctx, one), i+1 < n)
		if err != nil || !ok {
			return err
		}
	}
	return nil
}

// uncut says that a text of one statement may hold more: it could not be read,
// and there is something behind a semicolon.
func uncut(a *mysql.Analysis, text string) bool {
	return (a.Err != nil || a.Statements[0].Class == query.ClassUnknown) &&
		strings.Contains(strings.TrimRight(text, "; \t\r\n"), ";")
}

// question analyses a text that is to be one statement now. One that turns out
// to be anything else cannot be read.
func (s *session) question(ctx context.Context, text string) *question {
	a, catalog := s.analyse(ctx, text, &s.state)
	q := &question{text: text, catalog: catalog, state: &s.state}
	if len(a.Statements) == 1 {
		q.s, q.whole = &a.Statements[0], a.Statements[0].Several
	} else if len(a.Statements) > 1 {
		q.s = unknownStatement(text, "the statements of the text cannot be told apart")
	}
	return q
}

// syntaxError is the server's word on a second statement where only one may be.
func (s *session) syntaxError(text string, at int) *mywire.ServerError {
	product := "MySQL"
	if s.up.MariaDB {
		product = "MariaDB"
	}
	rest, line := text[at:], 1
	if len(rest) > 0 && rest[0] == ';' {
		rest = rest[1:]
	}
	for i := range text[:at] {
		if text[i] == '\n' {
			line++
		}
	}
	return &mywire.ServerError{Number: mywire.ErrParse, State: mywire.StateSyntax, Message: fmt.Sprintf(
		"You have an error in your SQL syntax; check the manual that corresponds to your %s server version for the right syntax to use near '%.80s' at line %d",
		product, rest, line)}
}

// runStatement judges one statement and, if it may, has the server run it. It reports
// whether it succeeded. more says that another statement of the text follows.
func (s *session) runStatement(ctx context.Context, q *question, more bool) (bool, error) {
	if q.s == nil {
		return s.runEmpty(q.text, more)
	}
	if q.s.Kind == mysql.KindKill {
		return s.killStatement(ctx, q, more)
	}
	st, err := s.judge(ctx, q)
	if err != nil {
		return false, err
	}
	if st.denial != nil {
		return false, s.sayError(st.denial)
	}
	text := q.text
	if st.edited != "" {
		text = st.edited
	}
	if q.whole {
		return s.runWhole(q, st, more)
	}
	a := &answer{reply: newReply(formResults, s.up.Capabilities), st: st, more: more}
	return s.ask(q, a, mywire.AppendQuery(nil, text, s.up.Capabilities))
}

// ask sends a command for a statement that was judged and relays the reply.
func (s *session) ask(q *question, a *answer, payload []byte) (bool, error) {
	s.startClock(a.st)
	if err := s.send(payload); err != nil {
		a.st.abort()
		return false, err
	}
	if err := s.relay(a); err != nil {
		a.st.abort()
		return false, err
	}
	s.keepQuoting(a.st)
	if a.failed {
		s.failed(q)
		return false, nil
	}
	s.apply(q)
	return true, nil
}

// runEmpty lets the server answer a text without a statement.
func (s *session) runEmpty(text string, more bool) (bool, error) {
	if err := s.send(mywire.AppendQuery(nil, text, s.up.Capabilities)); err != nil {
		return false, err
	}
	a := &answer{reply: newReply(formResults, s.up.Capabilities), more: more}
	err := s.relay(a)
	return err == nil && !a.failed, err
}

// runWhole runs a text that could not be cut, for somebody whom policy lets run
// what cannot be analysed. It may hold several statements.
func (s *session) runWhole(q *question, st *statement, more bool) (bool, error) {
	if !s.multi {
		a := &answer{reply: newReply(formResults, s.up.Capabilities), st: st, more: more}
		return s.ask(q, a, mywire.AppendQuery(nil, q.text, s.up.Capabilities))
	}
	if err := s.allowSeveral(true); err != nil {
		st.abort()
		return false, err
	}
	a := &answer{reply: newReply(formResults, s.up.Capabilities), st: st, more: more}
	ok, err := s.ask(q, a, mywire.AppendQuery(nil, q.text, s.up.Capabilities))
	if err != nil {
		return false, err
	}
	return ok, s.allowSeveral(false)
}

// allowSeveral switches whether the server takes several statements in a text.
func (s *session) allowSeveral(on bool) error {
	option := byte(mywire.OptionMultiStatementsOff)
	if on {
		option = mywire.OptionMultiStatementsOn
	}
	if err := s.send([]byte{byte(mywire.ComSetOption), option, 0}); err != nil {
		return err
	}
	return s.relay(&answer{reply: newReply(formOptionSet, s.up.Capabilities), private: true})
}

// judge asks the gate about one statement that is to run now. The error is an
// *ended; a denial is in the statement.
func (s *session) judge(ctx context.Context, q *question) (*statement, error) {
	return s.decide(ctx, q, s.gate.Judge)
}

func (s *session) decide(ctx context.Context, q *question, ask func(context.Context, gate.Statement) (*gate.Ticket, error)) (*statement, error) {
	st := &statement{s: q.s, facts: &q.s.Facts, catalog: q.catalog}
	ticket, err := ask(ctx, s.gateStatement(q))
	if err != nil {
		var d *gate.Denial
		if !errors.As(err, &d) {
			return st, end(proxy.EndInternal, err)
		}
		st.denial = s.denialError(d)
		return st, nil
	}
	st.ticket, st.facts = ticket, ticket.Facts
	if ticket.Rewritten != nil && q.applied == nil {
		st.edited = ticket.Rewritten.SQL
	}
	if d := s.quotes(q.s, st); d != nil {
		st.ticket.Done(gate.Outcome{SQLState: d.State})
		st.ticket, st.denial = nil, d
	}
	return st, nil
}

// keepQuoting notes whether the server's list of messages is about a statement
// whose texts are withheld. MariaDB empties the list only for statements that
// use a table.
func (s *session) keepQuoting(st *statement) {
	if st.touched() {
		s.quoting = true
	} else if !st.s.Messages && len(st.facts.Tables) > 0 {
		s.quoting = false
	}
}

// quotes refuses to let a statement take up messages about one whose texts are
// withheld. SHOW WARNINGS is shown without them instead.
func (s *session) quotes(q *mysql.Statement, st *statement) *mywire.ServerError {
	st.quoted = q.Messages && s.quoting
	if !st.quoted || q.Kind == mysql.KindShow {
		return nil
	}
	return &mywire.ServerError{Number: mywire.ErrTableAccessDenied, State: mywire.StateAccess,
		Message: "messages about a statement that reads masked columns are withheld"}
}

// gateStatement is the question in the gate's terms.
func (s *session) gateStatement(q *question) gate.Statement {
	g := gate.Statement{SQL: q.text, Facts: &q.s.Facts, Values: q.values, Applied: q.applied,
		Universe: func() []query.Table {
			if q.catalog == nil {
				return nil
			}
			return s.datasource.Analyzer.Universe(q.catalog)
		}}
	if q.catalog == nil {
		return g
	}
	g.Shape = func() string { return mysql.Shape(q.text, &q.catalog.Server, q.state) }
	g.Reorders = true
	if q.applied == nil && !q.whole {
		g.Rewrite = func(rw query.Rewrite) (*query.Rewritten, error) {
			return s.datasource.Analyzer.Rewrite(q.text, 0, q.catalog, q.state, rw)
		}
	}
	return g
}

// startClock notes what runs from now on, and bounds its run time.
func (s *session) startClock(st *statement) {
	s.mu.Lock()
	s.reading = st.facts != nil && st.facts.Class == query.ClassRead
	s.mu.Unlock()
	if st.ticket == nil || st.ticket.Timeout <= 0 {
		return
	}
	st.clock = time.AfterFunc(st.ticket.Timeout, func() {
		s.mu.Lock()
		st.timedOut = true
		s.mu.Unlock()
		s.stop()
	})
}

// apply follows what a statement that has succeeded changes. What the server
// reports of it came first.
func (s *session) apply(q *question) {
	if q.s == nil {
		return
	}
	reported := s.state
	if q.catalog != nil {
		s.state.Apply(q.catalog, q.s)
	}
	// The server's word counts, also where the analysis cannot tell.
	s.state.Database, s.state.SQLMode, s.state.ClientCharset = reported.Database, reported.SQLMode, reported.ClientCharset
	s.state.ConnectionCharset, s.state.ResultsCharset = reported.ConnectionCharset, reported.ResultsCharset
	if q.s.Changes&mysql.ChangeUnknown != 0 {
		s.state.Prepared, s.state.Variables = nil, nil
	}
	s.state.Stale = false
	for i := range q.s.Settings {
		switch q.s.Settings[i].Name {
		case "session_track_system_variables", "session_track_schema", "session_track_transaction_info":
			s.tracking.lost = true
		}
	}
	if q.s.Changes&(mysql.ChangeCatalog|mysql.ChangeUnknown) != 0 {
		s.datasource.changed()
	}
}

// failed follows what a statement may have changed before its error.
func (s *session) failed(q *question) {
	if q.s == nil {
		return
	}
	s.state.Failed(q.s)
	s.tracking.lost = s.tracking.lost || s.state.Stale
	s.state.Stale = false
}

// current gives the definitions to analyse with: at least those that were made
// through weir.
func (s *session) current(ctx context.Context) (*mysql.Catalog, error) {
	return s.after(ctx, mysql.Token(s.datasource.defined.Load()))
}

// after waits for definitions no longer than reading them may take, which
// their owner bounds.
func (s *session) after(ctx context.Context, after mysql.Token) (*mysql.Catalog, error) {
	c, err := s.datasource.Catalogs.After(ctx, after)
	if err != nil {
		s.options.Logger.Warn("definitions of the database cannot be read", "datasource", s.datasource.Target.Datasource, "error", err)
	}
	return c, err
}

// analyse says what a text means now. Without a catalog, it means anything.
func (s *session) analyse(ctx context.Context, text string, state *mysql.State) (*mysql.Analysis, *mysql.Catalog) {
	catalog, err := s.current(ctx)
	if err == nil && !s.ownServer(catalog) { // perhaps it was replaced a moment ago
		if catalog, err = s.after(ctx, s.datasource.Catalogs.Invalidate()); err == nil && !s.ownServer(catalog) {
			return unread(text, fmt.Sprintf("the session's server is %s, and the definitions are those of %s", s.up.ServerVersion, catalog.Server.VersionText))
		}
	}
	if err != nil {
		return unread(text, "the definitions of the database cannot be read now")
	}
	a := s.datasource.Analyzer.Analyze(text, catalog, state)
	if len(a.UnresolvedNames()) == 0 || time.Since(s.refreshed) < refreshPause {
		return a, catalog
	}
	// Somebody else may have made them a moment ago.
	fresh, err := s.after(ctx, s.datasource.Catalogs.Invalidate())
	if err != nil {
		return a, catalog
	}
	if fresh.Version == catalog.Version {
		s.refreshed = time.Now()
		return a, catalog
	}
	return s.datasource.Analyzer.Analyze(text, fresh, state), fresh
}

// unread is the analysis of a text that may mean anything.
func unread(text, why string) (*mysql.Analysis, *mysql.Catalog) {
	st := unknownStatement(text, why)
	return &mysql.Analysis{Statements: []mysql.Statement{*st}, Err: &mysql.TextError{Message: why, Pos: -1}}, nil
}

// ownServer says that the definitions are those of a server of the session's
// own kind and version: another runs other comments. The servers behind one
// address may differ.
func (s *session) ownServer(c *mysql.Catalog) bool {
	if s.compared.catalog == c && s.compared.up == s.up {
		return true
	}
	version := s.up.ServerVersion
	own := mysql.ParseServer(version, "")
	if version != c.Server.VersionText && (own.Version != c.Server.Version || own.MariaDB != c.Server.MariaDB) {
		return false
	}
	s.compared.catalog, s.compared.up = c, s.up
	return true
}

// refreshPause is how long names that nobody defines do not make the session
// look for new definitions again.
const refreshPause = time.Second

// unknownStatement is a statement that may do anything.
func unknownStatement(text, why string) *mysql.Statement {
	s := &mysql.Statement{Changes: mysql.ChangeUnknown}
	s.Facts = query.Facts{Class: query.ClassUnknown, Gaps: []query.Gap{{Reason: why, Pos: -1}},
		Writes: []query.Effect{{Kind: "unknown", Pos: -1}}, Span: query.Span{End: len(text)}}
	return s
}

// useUnjudged begins the session in the datasource's own database.
func (s *session) useUnjudged(database string) error {
	ok, err := s.up.Query("USE "+quoteName(database), nil)
	if err != nil {
		return err
	}
	_, err = s.observe(ok.Changes)
	return err
}

// useAtLogin begins the session in the database that the client names, if it
// may use that.
func (s *session) useAtLogin(ctx context.Context, database string) error {
	q := s.question(ctx, "USE "+quoteName(database))
	if q.s == nil {
		return protocolViolation("malformed database name")
	}
	st, err := s.judge(ctx, q)
	if err != nil {
		return err
	}
	if st.denial != nil {
		return &ended{reason: proxy.EndConnectDenied, say: st.denial}
	}
	err = s.useUnjudged(database)
	var server *mywire.ServerError
	if errors.As(err, &server) {
		st.done(server.State)
		return &ended{reason: proxy.EndConnectDenied, say: server, cause: err}
	}
	if err != nil {
		st.abort()
		return err
	}
	st.done("")
	return nil
}
