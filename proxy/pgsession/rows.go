package pgsession

import (
	"math"
	"slices"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/pgsql"
)

// relay is what the goroutine of the server's side keeps: it reads the server
// and writes to the client.
type relay struct {
	*session
	scratch []byte
	fields  []pgwire.Field
	// touched: a statement of this transaction reads masked columns, so that
	// what fails at its end (a deferred constraint) may quote them.
	touched bool
	defines bool // a statement of this transaction may change definitions
}

// maxAnswer bounds what weir's own questions may bring.
const maxAnswer = 16 << 20

var (
	dataRows = pgwire.Types("D")
	copyData = pgwire.Types("d")
)

// loop reads the server's messages and deals with each. It returns an *ended.
func (r *relay) loop() error {
	for {
		if !r.up.Reader.Buffered() {
			if err := r.out.Flush(); err != nil {
				return r.relayError(err)
			}
		}
		h, err := r.up.Reader.Peek()
		if err != nil {
			return upstreamError(err)
		}
		switch h.Type {
		case pgwire.MsgDataRow, pgwire.MsgCopyData:
			err = r.data(h)
		case pgwire.MsgErrorResponse, pgwire.MsgNoticeResponse:
			err = r.notice(h)
		case pgwire.MsgReadyForQuery:
			err = r.ready()
		case pgwire.MsgParameterStatus:
			err = r.parameterStatus()
		default:
			err = r.answer(h)
		}
		if err != nil {
			return err
		}
	}
}

// take tells what a message means. detail is as for owed.received.
func (r *relay) take(typ, detail byte) (step, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st, err := r.owed.received(typ, detail)
	if err != nil {
		return st, upstreamError(err)
	}
	switch typ {
	case pgwire.MsgParseComplete, pgwire.MsgBindComplete, pgwire.MsgCloseComplete:
		for _, s := range st.entry.statements {
			s.happened = true
		}
	}
	if st.finished && st.about != nil {
		st.about.happened = !st.failed
	}
	if st.failed {
		r.failures++
		if st.about != nil {
			st.about.failed = true
		}
		for _, s := range st.skipped {
			s.failed = true
		}
	}
	switch {
	case r.owed.empty():
		r.startedIdle()
	case r.owed.copying() && r.waiting:
		r.cond.Broadcast()
	default:
		r.startClock()
	}
	return st, nil
}

// data passes on rows and COPY data: untouched and in runs where nothing is
// masked, one by one where something is.
func (r *relay) data(h pgwire.Header) error {
	step, err := r.take(h.Type, 0)
	if err != nil {
		return err
	}
	st := step.about
	switch {
	case step.swallow:
		return r.collect(step.entry)
	case st == nil, st.denial != nil:
		return upstreamError(&violation{want: "an error", got: h.Type})
	case st.over, st.masks != nil && st.masks.broken != nil:
		return r.discard()
	case st.masks != nil:
		return r.maskedData(st, h)
	case len(st.masksWanted()) > 0:
		return end(proxy.EndMaskFailed, nil) // no description came before the rows
	}
	limit := int64(math.MaxInt64)
	if st.ticket != nil && st.ticket.Rows > 0 {
		if limit = st.ticket.Rows - st.rows; limit <= 0 {
			r.overLimit(st)
			return r.discard()
		}
	}
	types := &dataRows
	if h.Type == pgwire.MsgCopyData {
		types = &copyData
	}
	run, err := r.up.Reader.ForwardRun(r.out, types, limit)
	st.rows += run.Messages
	st.bytes += run.Bytes
	if err != nil {
		return r.relayError(err)
	}
	return nil
}

func (r *relay) maskedData(st *statement, h pgwire.Header) error {
	body, err := r.up.Reader.Body(pgwire.MaxBody)
	if err != nil {
		return upstreamError(err)
	}
	if h.Type == pgwire.MsgCopyData {
		if st.masks.copy == nil {
			return end(proxy.EndMaskFailed, nil)
		}
		err = r.copyRows(st, body, false)
	} else {
		if st.rows++; st.ticket.Rows > 0 && st.rows > st.ticket.Rows {
			r.overLimit(st)
			return r.discard()
		}
		st.bytes += int64(len(body))
		err = st.masks.maskRow(r.out, body)
	}
	if err != nil {
		return r.relayError(err)
	}
	return r.discard()
}

// overLimit stops a result that has more rows than its limit.
func (r *relay) overLimit(st *statement) {
	st.rows = st.ticket.Rows
	st.over = true
	r.stop(st)
}

// stop cancels a statement whose rows are no longer wanted.
func (r *relay) stop(st *statement) {
	r.mu.Lock()
	r.cancelStatement(st)
	r.mu.Unlock()
}

func (r *relay) discard() error {
	if err := r.up.Reader.Discard(); err != nil {
		return upstreamError(err)
	}
	return nil
}

// collect keeps what answers weir's own question.
func (r *relay) collect(e *entry) error {
	body, err := r.up.Reader.Body(maxAnswer)
	if err != nil {
		return upstreamError(err)
	}
	if e.answer != nil {
		row, err := pgwire.NewRow(body)
		if err != nil {
			return upstreamError(err)
		}
		var cells [][]byte
		for row.Next() {
			cells = append(cells, slices.Clone(row.Cell()))
		}
		if err := row.Err(); err != nil {
			return upstreamError(err)
		}
		e.answer.rows = append(e.answer.rows, cells)
	}
	return r.discard()
}

// answer deals with the messages that have no case of their own in loop.
func (r *relay) answer(h pgwire.Header) error {
	step, err := r.take(h.Type, 0)
	if err != nil {
		return err
	}
	if h.Type == pgwire.MsgRowDescription && step.entry != nil {
		if err := r.description(step); err != nil {
			return err
		}
	}
	if h.Type == pgwire.MsgCopyOutResponse || h.Type == pgwire.MsgCopyDone {
		if err := r.copyBounds(h, step.about); err != nil {
			return err
		}
	}
	st := step.about
	if h.Type == pgwire.MsgParseComplete && len(step.entry.statements) > 0 {
		if step.entry.statements[0].denial != nil {
			return end(proxy.EndInternal, &violation{want: "an error", got: h.Type})
		}
	}
	if step.finished && st != nil {
		if st.denial != nil {
			return end(proxy.EndInternal, &violation{want: "an error", got: h.Type})
		}
		if n := st.instead(); n != nil {
			return r.cutShort(step.entry, st, n)
		}
		r.completed(st)
	}
	if step.swallow || st != nil && st.stopped() && h.Type != pgwire.MsgRowDescription {
		return r.discard()
	}
	if err := r.up.Reader.Forward(r.out); err != nil {
		return r.relayError(err)
	}
	return nil
}

// description looks at a RowDescription: the client's, or one that weir asked for.
func (r *relay) description(step step) error {
	st := step.about
	switch {
	case step.entry.describes != nil:
		st = step.entry.describes
	case step.entry.answer != nil:
		body, err := r.up.Reader.Body(maxAnswer)
		if err != nil {
			return upstreamError(err)
		}
		step.entry.answer.fields = slices.Clone(body)
		return nil
	case step.entry.req != reqQuery || st == nil || !st.checked() || st.copy != nil:
		return nil
	}
	body, err := r.up.Reader.Body(maxAnswer)
	if err != nil {
		return upstreamError(err)
	}
	if r.fields, err = pgwire.AppendFields(r.fields[:0], body); err != nil {
		return upstreamError(err)
	}
	if err := r.mask(st, r.fields); err != nil {
		return err
	}
	if st.masks != nil && st.masks.broken != nil && step.entry.req == reqQuery {
		r.stop(st)
	}
	return nil
}

// copyBounds deals with the beginning and the end of COPY data that is masked.
func (r *relay) copyBounds(h pgwire.Header, st *statement) error {
	if st == nil || st.masks == nil || st.stopped() {
		if st != nil && st.masks == nil && len(st.masksWanted()) > 0 {
			return end(proxy.EndMaskFailed, nil)
		}
		return nil
	}
	if st.masks.copy == nil {
		return end(proxy.EndMaskFailed, nil)
	}
	if h.Type == pgwire.MsgCopyDone {
		return r.copyRows(st, nil, true)
	}
	body, err := r.up.Reader.Body(maxAnswer)
	if err != nil {
		return upstreamError(err)
	}
	c, err := pgwire.ParseCopyResponse(body)
	if err != nil {
		return upstreamError(err)
	}
	if c.Binary != (st.copy.Format == "binary") {
		return end(proxy.EndLineageMismatch, nil)
	}
	return nil
}

// cutShort sends an error in place of the end of a statement that the server
// completed before it could be stopped.
func (r *relay) cutShort(e *entry, st *statement, n *pgwire.Notice) error {
	r.mu.Lock()
	last := r.owed.cutShort(e)
	r.mu.Unlock()
	st.done(n.Code)
	if !last {
		return end(proxy.EndRowLimit, nil)
	}
	if err := r.discard(); err != nil {
		return err
	}
	if err := r.out.Error(n); err != nil {
		return r.relayError(err)
	}
	return nil
}

// masksWanted are the masks that a result must not go without.
func (st *statement) masksWanted() []int {
	if st == nil || st.ticket == nil {
		return nil
	}
	var all []int
	for _, m := range st.ticket.Masks {
		all = append(all, m.Index)
	}
	return all
}

// stopped says that the client gets nothing more of the statement's result.
func (st *statement) stopped() bool { return st.instead() != nil }

// instead is the error that a statement ends with whose rows were stopped.
func (st *statement) instead() *pgwire.Notice {
	switch {
	case st.over:
		return rowLimitNotice(st)
	case st.masks != nil && st.masks.broken != nil:
		return st.masks.broken
	}
	return nil
}

// notice passes on an error or a notice, or what stands in its place.
func (r *relay) notice(h pgwire.Header) error {
	body, err := r.up.Reader.Body(maxAnswer)
	if err != nil {
		return upstreamError(err)
	}
	v, err := pgwire.ParseNotice(body)
	if err != nil {
		return upstreamError(err)
	}
	severity := string(v.Severity())
	fatal := severity == pgwire.SeverityFatal || severity == pgwire.SeverityPanic
	detail := byte('E')
	if fatal {
		detail = 'F'
	}
	step, err := r.take(h.Type, detail)
	if err != nil {
		return err
	}
	instead := r.replacement(step.about, v)
	if instead == nil && step.entry != nil && len(step.entry.edits) > 0 && len(v.Field('P')) > 0 {
		n := v.Notice()
		n.Position = original(step.entry.edits, n.Position)
		instead = &n
	}
	code := string(v.Code())
	if instead != nil {
		code = instead.Code
	}
	if step.finished {
		step.about.done(code)
	}
	for _, st := range step.skipped {
		st.abort()
	}
	switch {
	case h.Type == pgwire.MsgErrorResponse && step.swallow:
		n := v.Notice()
		if step.entry.answer != nil {
			step.entry.answer.err = &n
		}
		err = r.discard()
	case h.Type == pgwire.MsgNoticeResponse && step.entry != nil && step.entry.private:
		err = r.discard()
	case instead == nil:
		if err = r.up.Reader.Forward(r.out); err != nil {
			err = r.relayError(err)
		}
	default:
		err = r.instead(h, instead)
	}
	if err == nil && fatal {
		return &ended{reason: proxy.EndUpstreamFatal}
	}
	return err
}

func (r *relay) instead(h pgwire.Header, n *pgwire.Notice) error {
	write := r.out.Error
	if h.Type == pgwire.MsgNoticeResponse {
		write = r.out.Notice
	}
	if err := write(n); err != nil {
		return r.relayError(err)
	}
	return r.discard()
}

// withholds says that a text about st, which reads no masked column itself, may
// quote what an earlier statement of the transaction does.
func (r *relay) withholds(st *statement) bool {
	if !r.touched {
		return false
	}
	if st == nil {
		return true
	}
	switch st.kind {
	case pgsql.KindCommit, pgsql.KindPrepareTransaction, pgsql.KindRelease, pgsql.KindSet:
		return true
	}
	return false
}

// ready passes on ReadyForQuery.
func (r *relay) ready() error {
	body, err := r.up.Reader.Body(maxAnswer)
	if err != nil {
		return upstreamError(err)
	}
	status, err := pgwire.ParseReadyForQuery(body)
	if err != nil {
		return upstreamError(err)
	}
	step, err := r.take(pgwire.MsgReadyForQuery, status)
	if err != nil {
		return err
	}
	if step.finished {
		r.completed(step.about)
	}
	r.scratch, r.fields = nil, nil // an idle session keeps nothing
	if status == pgwire.TxIdle {
		r.committed()
	}
	if step.swallow {
		if err := r.discard(); err != nil {
			return err
		}
		return r.answered(step.entry)
	}
	if err := r.up.Reader.Forward(r.out); err != nil {
		return r.relayError(err)
	}
	return r.drained()
}

// completed records the end of a statement.
func (r *relay) completed(st *statement) {
	r.touched = r.touched || st.touched()
	r.defines = r.defines || st.changes&(pgsql.ChangeCatalog|pgsql.ChangeUnknown) != 0
	st.done("")
}

// committed deals with the end of a transaction.
func (r *relay) committed() {
	r.touched = false
	if r.defines {
		r.defines = false
		r.datasource.changed()
	}
}

// answered tells the judge that its question has its answer.
func (r *relay) answered(e *entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.answer != nil {
		e.answer.done = true
	}
	r.cond.Broadcast()
	return nil
}

// startedIdle notes that the server owes nothing now. mu is held.
func (r *relay) startedIdle() {
	r.idleSince = time.Now()
	if r.waiting {
		r.cond.Broadcast()
	}
}

// drained ends a session that is to end when it is idle.
func (r *relay) drained() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining && r.idle() {
		return end(proxy.EndShutdown, nil)
	}
	return nil
}

// parameterStatus passes on a setting that the server reports, and keeps those
// that matter.
func (r *relay) parameterStatus() error {
	body, err := r.up.Reader.Body(maxAnswer)
	if err != nil {
		return upstreamError(err)
	}
	name, value, err := pgwire.ParseParameterStatus(body)
	if err != nil {
		return upstreamError(err)
	}
	if _, err := r.take(pgwire.MsgParameterStatus, 0); err != nil {
		return err
	}
	switch string(name) {
	case "client_encoding", "standard_conforming_strings":
		r.mu.Lock()
		if r.reported == nil {
			r.reported = map[string]string{}
		}
		r.reported[string(name)] = string(value)
		r.mu.Unlock()
	case "default_transaction_read_only":
		if r.datasource.Target.ReadOnly && string(value) != "on" {
			return end(proxy.EndReadOnlyUndone, nil)
		}
	}
	if err := r.up.Reader.Forward(r.out); err != nil {
		return r.relayError(err)
	}
	return nil
}
