package mysession

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/mysql"
)

// prepared is a statement of COM_STMT_PREPARE. Its number is the server's.
type prepared struct {
	id      uint32
	text    string
	state   mysql.State      // database, sql_mode and character sets of its preparation
	applied *query.Rewritten // what the server has of it
	params  int
	types   []mywire.ParamType // as last sent
	unsent  bool               // types came with an execution that the server did not get
	long    map[int]bool       // parameters that came by COM_STMT_SEND_LONG_DATA
	cursor  *statement         // whose rows COM_STMT_FETCH gets, nil if none
}

// closed says that no cursor is open.
func (p *prepared) closed() bool { return p == nil || p.cursor == nil }

// abandon closes the cursor, if one is open: its statement has come to its end.
func (p *prepared) abandon() {
	if p.cursor != nil {
		p.cursor.done("")
		p.cursor = nil
	}
}

func (s *session) forgetPrepared() {
	for _, p := range s.prepared {
		p.abandon()
	}
	clear(s.prepared)
	s.last = 0
}

// prepare looks at a COM_STMT_PREPARE. Decisions are made at execution, but what
// is refused is refused here already: planning and describing speak too.
func (s *session) prepare(ctx context.Context, body []byte) error {
	raw, err := mywire.ParseText(body, mywire.ComStmtPrepare)
	if err != nil {
		return clientError(err)
	}
	text := string(raw)
	s.last = 0 // also if nothing comes of it: an EXECUTE sent along must not run an older one
	a, catalog := s.analyse(ctx, text, &s.state)
	p := &prepared{text: text, state: s.state, applied: &query.Rewritten{}}
	switch len(a.Statements) {
	case 0:
	case 1:
		q := &question{text: text, s: &a.Statements[0], catalog: catalog, state: &s.state}
		st, err := s.decide(ctx, q, s.gate.Preview)
		if err != nil {
			return err
		}
		if st.denial != nil {
			return s.sayError(st.denial)
		}
		if st.edited != "" {
			body = mywire.AppendText(nil, mywire.ComStmtPrepare, st.edited)
			p.applied = st.ticket.Rewritten
		}
	default: // the server refuses several
		return s.sayError(s.syntaxError(text, a.Statements[0].Span.End))
	}
	if err := s.send(body); err != nil {
		return err
	}
	reply := &answer{reply: newReply(formPrepared, s.up.Capabilities), prepared: p}
	if err := s.relay(reply); err != nil {
		return err
	}
	if !reply.failed {
		s.prepared[p.id], s.last = p, p.id
	}
	return nil
}

// preparedOK passes on the first packet of a reply to COM_STMT_PREPARE.
func (s *session) preparedOK(a *answer, body []byte) error {
	m, err := mywire.ParsePrepared(body)
	if err != nil {
		return upstreamError(err)
	}
	a.reply.prepared(m.Params, m.Columns)
	a.prepared.id, a.prepared.params, a.warnings = m.Statement, m.Params, m.Warnings
	if err := s.out.Prepared(&m); err != nil {
		return clientError(err)
	}
	return nil
}

// param passes on the definition of a parameter.
func (s *session) param(a *answer, body []byte) error {
	if err := s.sendColumn(body); err != nil {
		return err
	}
	if a.reply.stage != stageParams && !s.caps.Has(mywire.CapDeprecateEOF) {
		return s.sendEOF(a.warnings)
	}
	return nil
}

// known finds the statement that a command is about, and puts its number into
// the command where the client means its last one. Nil if there is none.
func (s *session) known(body []byte) (*prepared, error) {
	id, err := mywire.StatementOf(body)
	if err != nil {
		return nil, clientError(err)
	}
	if id == mywire.LastStatement && s.last != 0 && s.up.MariaDB {
		id = s.last
		mywire.SetStatement(body, id)
	}
	return s.prepared[id], nil
}

func (s *session) unknownStatement(body []byte, function string) error {
	id, _ := mywire.StatementOf(body) // it was read before
	return s.fail(mywire.ErrUnknownStatement, mywire.StateGeneral, fmt.Sprintf("Unknown prepared statement handler (%d) given to %s", id, function))
}

// analysed is what a prepared statement means now: in the database, sql_mode
// and character sets of its preparation, which the server keeps.
func (s *session) analysed(ctx context.Context, p *prepared) *question {
	state := s.state
	state.Database, state.SQLMode, state.ClientCharset, state.ConnectionCharset = p.state.Database, p.state.SQLMode, p.state.ClientCharset, p.state.ConnectionCharset
	a, catalog := s.analyse(ctx, p.text, &state)
	q := &question{text: p.text, catalog: catalog, state: &state, applied: p.applied}
	if len(a.Statements) == 1 {
		q.s = &a.Statements[0]
	} else {
		q.s = unknownStatement(p.text, "the prepared text is not one statement any more")
	}
	return q
}

// execute judges what a prepared statement runs.
func (s *session) execute(ctx context.Context, body []byte) error {
	p, err := s.known(body)
	if err != nil {
		return err
	}
	if p == nil {
		return s.unknownStatement(body, "mysqld_stmt_execute")
	}
	m, err := mywire.ParseExecute(body, p.params, p.types, func(i int) bool { return p.long[i] }, s.up.Capabilities)
	if err != nil {
		return clientError(err)
	}
	p.keepTypes(&m.Params, m.NewTypes)
	p.abandon()
	q := s.analysed(ctx, p)
	q.values = stored(q.s, func(f func(int, mywire.Param)) {
		m.Params.Each(func(v mywire.Param) { f(v.Index, v) })
	})
	if m.NewTypes {
		p.unsent = true
	}
	return s.runPrepared(ctx, q, p, body, func() []byte {
		if p.unsent && !m.NewTypes {
			return mywire.AppendExecute(nil, body, p.types)
		}
		return body
	}, m.Flags&mywire.CursorReadOnly != 0)
}

// runPrepared judges and runs a prepared statement. payload gives the command
// for the server, with the types of parameters that it did not get before.
func (s *session) runPrepared(ctx context.Context, q *question, p *prepared, body []byte, payload func() []byte, cursor bool) error {
	if q.s.Kind == mysql.KindKill {
		if err := s.forgetLong(p); err != nil {
			return err
		}
		_, err := s.killStatement(ctx, q, false)
		return err
	}
	st, err := s.judge(ctx, q)
	if err != nil {
		return err
	}
	if st.denial != nil {
		return s.refusePrepared(p, st.denial)
	}
	clear(p.long) // the server forgets them with the execution
	body = payload()
	p.unsent = false
	a := &answer{reply: newReply(formResults, s.up.Capabilities), st: st, binary: true}
	if cursor {
		a.cursor = p
	}
	_, err = s.ask(q, a, body)
	return err
}

// refusePrepared answers an execution that the server does not get.
func (s *session) refusePrepared(p *prepared, e *mywire.ServerError) error {
	if err := s.forgetLong(p); err != nil {
		return err
	}
	return s.sayError(e)
}

// forgetLong has the server forget what came as long data for an execution
// that it does not get: the next one would find it there.
func (s *session) forgetLong(p *prepared) error {
	if len(p.long) == 0 {
		return nil
	}
	clear(p.long)
	if err := s.send(mywire.AppendStatement(nil, mywire.ComStmtReset, p.id)); err != nil {
		return err
	}
	return s.relay(&answer{reply: newReply(formOK, s.up.Capabilities), private: true})
}

// opened notes that the rows of a result are to be fetched.
func (s *session) opened(a *answer) {
	if a.cursor != nil && a.instead == nil {
		a.cursor.cursor = a.st
	}
}

// keepTypes keeps the types that the client sent, which it leaves out the next
// time.
func (p *prepared) keepTypes(params *mywire.Params, sent bool) {
	if !sent {
		return
	}
	p.types = make([]mywire.ParamType, p.params)
	for i := range p.types {
		t := params.Type(i)
		p.types[i] = mywire.ParamType{Type: t.Type, Unsigned: t.Unsigned}
	}
}

// bulkExecute judges what a prepared statement runs for many rows of parameters.
func (s *session) bulkExecute(ctx context.Context, body []byte) error {
	p, err := s.known(body)
	if err != nil {
		return err
	}
	if p == nil {
		return s.unknownStatement(body, "mysqld_stmt_bulk_execute")
	}
	m, err := mywire.ParseBulkExecute(body, p.params, p.types)
	if err != nil {
		return clientError(err)
	}
	if m.Flags&mywire.BulkSendTypes != 0 {
		p.types, p.unsent = slices.Clone(m.Types), true
	}
	p.abandon()
	q := s.analysed(ctx, p)
	refused, err := s.bulkRefused(ctx, q, &m)
	if err != nil {
		return err
	}
	if refused != nil {
		return s.refusePrepared(p, refused)
	}
	return s.runPrepared(ctx, q, p, body, func() []byte {
		if p.unsent && m.Flags&mywire.BulkSendTypes == 0 {
			return mywire.AppendBulkExecute(nil, body, p.types)
		}
		return body
	}, false)
}

// bulkRefused looks at the rows of parameters for masked values: the gate sees
// one row at a time.
func (s *session) bulkRefused(ctx context.Context, q *question, m *mywire.BulkExecute) (*mywire.ServerError, error) {
	rows := make([]map[int]gate.Value, m.Rows)
	m.Each(func(row int, indicator byte, v mywire.Param) {
		if indicator != mywire.BulkValue {
			return
		}
		if value, ok := storedValue(q.s, v.Index, v); ok {
			if rows[row] == nil {
				rows[row] = map[int]gate.Value{}
			}
			rows[row][v.Index+1] = value
		}
	})
	for _, values := range rows {
		if values == nil {
			continue
		}
		one := *q
		one.values = values
		st, err := s.decide(ctx, &one, s.gate.Preview)
		if err != nil || st.denial != nil {
			return st.denial, err
		}
	}
	return nil, nil
}

// maxStored is the longest parameter that is looked at, to see whether it is a
// masked value.
const maxStored = 4 << 10

// stored keeps the values of parameters that a statement stores as they are.
func stored(st *mysql.Statement, each func(func(int, mywire.Param))) map[int]gate.Value {
	if len(st.Assignments) == 0 {
		return nil
	}
	values := map[int]gate.Value{}
	each(func(i int, p mywire.Param) {
		if v, ok := storedValue(st, i, p); ok {
			values[i+1] = v
		}
	})
	return values
}

// storedValue is a parameter's value as text, if the statement stores it.
func storedValue(st *mysql.Statement, i int, p mywire.Param) (gate.Value, bool) {
	if p.Null || p.Long || len(p.Value) > maxStored || !slices.ContainsFunc(st.Assignments, func(a query.Assignment) bool { return a.Parameter == i+1 }) {
		return gate.Value{}, false
	}
	return gate.Value{Bytes: paramText(p), Format: masking.Text}, true
}

// paramText writes a parameter as the server would as text.
func paramText(p mywire.Param) []byte {
	switch {
	case p.Type.Lenenc():
		return slices.Clone(p.Value)
	case p.Type == mywire.TypeTime:
		if d, ok := mywire.DecodeDuration(p.Value); ok {
			sign := ""
			if d.Negative {
				sign = "-"
			}
			return fmt.Appendf(nil, "%s%02d:%02d:%02d%s", sign, d.Days*24+uint32(d.Hour), d.Minute, d.Second, fraction(d.Micro))
		}
	case p.Type.Temporal():
		if d, ok := mywire.DecodeDate(p.Value); ok {
			text := fmt.Appendf(nil, "%04d-%02d-%02d", d.Year, d.Month, d.Day)
			if p.Type == mywire.TypeDate {
				return text
			}
			return fmt.Appendf(text, " %02d:%02d:%02d%s", d.Hour, d.Minute, d.Second, fraction(d.Micro))
		}
	case p.Type == mywire.TypeFloat || p.Type == mywire.TypeDouble:
		if f, ok := mywire.DecodeFloat(p.Type, p.Value); ok {
			return strconv.AppendFloat(nil, f, 'g', -1, 64)
		}
	default:
		if n, u, ok := mywire.DecodeInt(p.Type, p.Unsigned, p.Value); ok {
			if p.Unsigned {
				return strconv.AppendUint(nil, u, 10)
			}
			return strconv.AppendInt(nil, n, 10)
		}
	}
	return []byte{}
}

func fraction(micro uint32) string {
	if micro == 0 {
		return ""
	}
	return fmt.Sprintf(".%06d", micro)
}

// fetch passes on rows of a cursor. What was decided when it was opened goes on.
func (s *session) fetch(body []byte) error {
	if _, err := mywire.ParseFetch(body); err != nil {
		return clientError(err)
	}
	p, err := s.known(body)
	if err != nil {
		return err
	}
	if p == nil || p.cursor == nil {
		return s.unknownStatement(body, "mysqld_stmt_fetch")
	}
	if err := s.send(body); err != nil {
		return err
	}
	a := &answer{reply: newReply(formRows, s.up.Capabilities), st: p.cursor, binary: true, cursor: p}
	if err := s.relay(a); err != nil {
		return err
	}
	s.keepQuoting(a.st)
	if a.failed {
		p.cursor = nil
	}
	return nil
}

// longData passes on a part of a parameter. Nothing answers it.
func (s *session) longData(body []byte) error {
	m, err := mywire.ParseLongData(body)
	if err != nil {
		return clientError(err)
	}
	p, err := s.known(body)
	if err != nil || p == nil {
		return err
	}
	if p.long == nil {
		p.long = map[int]bool{}
	}
	p.long[m.Param] = true
	return s.unanswered(body)
}

// unanswered sends a command that has no reply.
func (s *session) unanswered(body []byte) error {
	return s.send(body)
}

// closeStatement forgets a statement. Nothing answers it.
func (s *session) closeStatement(body []byte) error {
	if _, err := mywire.ParseStatement(body, mywire.ComStmtClose); err != nil {
		return clientError(err)
	}
	p, err := s.known(body)
	if err != nil || p == nil {
		return err
	}
	p.abandon()
	delete(s.prepared, p.id)
	if p.id == s.last {
		s.last = 0
	}
	return s.unanswered(body)
}

// resetStatement closes a statement's cursor and forgets its long data.
func (s *session) resetStatement(body []byte) error {
	if _, err := mywire.ParseStatement(body, mywire.ComStmtReset); err != nil {
		return clientError(err)
	}
	p, err := s.known(body)
	if err != nil {
		return err
	}
	if p == nil {
		return s.unknownStatement(body, "mysqld_stmt_reset")
	}
	p.abandon()
	clear(p.long)
	if err := s.send(body); err != nil {
		return err
	}
	return s.relay(&answer{reply: newReply(formOK, s.up.Capabilities)})
}
