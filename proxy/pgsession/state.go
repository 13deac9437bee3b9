package pgsession

import (
	"fmt"

	"github.com/weirdb/weir/protocol/pgwire"
)

// request is a frame that the server answers.
type request uint8

// The requests.
const (
	reqQuery request = iota
	reqParse
	reqBind
	reqDescribeStatement
	reqDescribePortal
	reqExecute
	reqClose
	reqSync
	reqFunctionCall
)

var requestNames = [...]string{"Query", "Parse", "Bind", "Describe of a statement", "Describe of a portal",
	"Execute", "Close", "Sync", "FunctionCall"}

func (r request) String() string { return requestNames[r] }

// extended says that an error in the request makes the server skip to Sync.
func (r request) extended() bool {
	return r != reqQuery && r != reqSync && r != reqFunctionCall
}

// stage is how far the answer to a request has come.
type stage uint8

const (
	stageStart   stage = iota // nothing of the present statement
	stageRows                 // RowDescription came, or rows did
	stageTypes                // ParameterDescription came
	stageCopyIn               // the client is sending COPY data
	stageCopyOut              // the server is
	stageCopied               // CopyDone came
	stageFailed               // an error came: only ReadyForQuery is left
	stageDone                 // all but ReadyForQuery came
)

// entry is one request that the server owes an answer to.
type entry struct {
	req   request
	stage stage
	// injected: weir asked, and the client sees nothing of a good answer.
	injected bool
	// private: the whole batch is weir's own, so an error is hidden too.
	private bool
	// answer collects a private batch's rows.
	answer *answer
	// describes is the statement whose columns an injected Describe is for.
	describes *statement
	// statements are those of a Query in text order, the one of an Execute or
	// a FunctionCall, or the one that a Parse or Bind is denied for.
	statements []*statement
	at         int // the one that is answering
	// open: the text could not be read, so the last statement stands for any
	// number of them.
	open bool
	// edits say where the text that was sent differs from the client's.
	edits []edit
	// optional marks a Sync that reached the server during COPY FROM STDIN,
	// where it is ignored unless the COPY has already failed.
	optional bool
	// afterCopyEnd marks a Sync sent after CopyDone or CopyFail.
	afterCopyEnd bool
}

// current is the statement that an answer belongs to now, nil if none does.
func (e *entry) current() *statement {
	if e != nil && e.at < len(e.statements) {
		return e.statements[e.at]
	}
	return nil
}

// owed is what the server owes, in order: a value without I/O. The judge adds
// to it what it sends, the relay takes off what comes.
type owed struct {
	queue []*entry
	// skipping: the server discards everything up to the next Sync.
	skipping bool
	// open: an extended batch was begun and not ended by Sync.
	open bool
	// copyEnded: CopyDone or CopyFail was sent after the last request.
	copyEnded bool
	// status is the transaction state of the last ReadyForQuery.
	status byte
}

// step says what one message of the server means.
type step struct {
	entry *entry     // what it answers; nil for asynchronous messages
	about *statement // the statement that it belongs to, may be nil
	// finished ends about: complete, suspended, or failed if failed is set.
	finished bool
	failed   bool
	skipped  []*statement // ended by the error without having run
	swallow  bool
}

// empty says that the server owes nothing.
func (o *owed) empty() bool { return len(o.queue) == 0 }

// between says that the server owes nothing and waits for a new batch.
func (o *owed) between() bool { return len(o.queue) == 0 && !o.skipping && !o.open }

func (o *owed) head() *entry {
	if len(o.queue) == 0 {
		return nil
	}
	return o.queue[0]
}

func (o *owed) pop() {
	o.queue[0] = nil
	o.queue = o.queue[1:]
	if len(o.queue) == 0 {
		o.queue = nil // an idle session keeps nothing
	}
}

// sent adds a request that is about to be sent. It reports false, and adds
// nothing, if the server would discard the frame: then it must not be sent.
func (o *owed) sent(e *entry) bool {
	if o.skipping && e.req != reqSync {
		return false
	}
	if e.req == reqSync {
		o.skipping, o.open = false, false
		e.afterCopyEnd = o.copyEnded
		e.optional = o.copying() && !o.copyEnded
	} else {
		o.open = e.req.extended()
		o.copyEnded = false
	}
	o.queue = append(o.queue, e)
	return true
}

// copying says that a COPY FROM STDIN is running.
func (o *owed) copying() bool {
	h := o.head()
	return h != nil && h.stage == stageCopyIn
}

// sentCopyEnd notes that CopyDone or CopyFail is about to be sent.
func (o *owed) sentCopyEnd() { o.copyEnded = true }

// violation is a message of the server that has no place where it came.
type violation struct {
	want string
	got  byte
}

func (v *violation) Error() string {
	return fmt.Sprintf("unexpected message %q from server: want %s", v.got, v.want)
}

// received takes the type of the server's next message. For ReadyForQuery,
// detail is the transaction state; for ErrorResponse, it is 'F' if the error
// ends the session. The error is a *violation.
func (o *owed) received(typ, detail byte) (step, error) {
	h := o.head()
	switch typ {
	case pgwire.MsgParameterStatus, pgwire.MsgNotification:
		return step{}, nil
	case pgwire.MsgNoticeResponse:
		return step{entry: h, about: h.current()}, nil
	case pgwire.MsgErrorResponse:
		return o.receivedError(detail == 'F')
	case pgwire.MsgReadyForQuery:
		return o.receivedReady(detail)
	}
	if h == nil {
		return step{}, &violation{want: "nothing, or ParameterStatus, NoticeResponse, NotificationResponse", got: typ}
	}
	s := step{entry: h, about: h.current(), swallow: h.injected}
	want := o.advance(h, typ, &s)
	if want != "" {
		return step{}, &violation{want: want + " in answer to " + h.req.String(), got: typ}
	}
	return s, nil
}

// advance moves the head's answer on. It returns what was wanted if typ has no
// place in it.
func (o *owed) advance(h *entry, typ byte, s *step) (want string) {
	switch h.req {
	case reqParse:
		return o.only(typ, pgwire.MsgParseComplete, "ParseComplete")
	case reqBind:
		return o.only(typ, pgwire.MsgBindComplete, "BindComplete")
	case reqClose:
		return o.only(typ, pgwire.MsgCloseComplete, "CloseComplete")
	case reqSync:
		return "ReadyForQuery"
	case reqDescribeStatement, reqDescribePortal:
		return o.describe(h, typ)
	case reqFunctionCall:
		if typ == pgwire.MsgFunctionCallResponse && h.stage == stageStart {
			h.stage, s.finished = stageDone, true
			return ""
		}
		return "FunctionCallResponse"
	}
	return o.result(h, typ, s)
}

func (o *owed) only(typ, wanted byte, name string) string {
	if typ != wanted {
		return name
	}
	o.pop()
	return ""
}

func (o *owed) describe(h *entry, typ byte) string {
	if h.req == reqDescribeStatement && h.stage == stageStart {
		if typ != pgwire.MsgParameterDescription {
			return "ParameterDescription"
		}
		h.stage = stageTypes
		return ""
	}
	if typ != pgwire.MsgRowDescription && typ != pgwire.MsgNoData {
		return "RowDescription or NoData"
	}
	o.pop()
	return ""
}

// result moves on the answer to a Query or an Execute.
func (o *owed) result(h *entry, typ byte, s *step) string {
	simple := h.req == reqQuery
	if simple && h.at >= len(h.statements) {
		return "ReadyForQuery" // every statement of the text has answered
	}
	switch h.stage {
	case stageFailed:
		return "ReadyForQuery"
	case stageCopyIn:
		if typ != pgwire.MsgCommandComplete {
			return "CommandComplete"
		}
		o.dropOptional()
	case stageCopyOut:
		switch typ {
		case pgwire.MsgCopyData:
			return ""
		case pgwire.MsgCopyDone:
			h.stage = stageCopied
			return ""
		}
		return "CopyData or CopyDone"
	case stageCopied:
		if typ != pgwire.MsgCommandComplete {
			return "CommandComplete"
		}
	}
	switch typ {
	case pgwire.MsgRowDescription:
		if !simple {
			return "rows or CommandComplete"
		}
		h.stage = stageRows
	case pgwire.MsgDataRow:
		if simple && h.stage != stageRows {
			return "RowDescription or CommandComplete"
		}
		h.stage = stageRows
	case pgwire.MsgCopyInResponse:
		h.stage = stageCopyIn
		o.markOptional()
	case pgwire.MsgCopyOutResponse:
		h.stage = stageCopyOut
	case pgwire.MsgCommandComplete, pgwire.MsgEmptyQuery:
		o.complete(h, s)
	case pgwire.MsgPortalSuspended:
		if simple {
			return "CommandComplete"
		}
		o.complete(h, s)
	default:
		return "rows, COPY or CommandComplete"
	}
	return ""
}

// complete ends the present statement of the head.
func (o *owed) complete(h *entry, s *step) {
	if h.req == reqExecute {
		s.finished = true
		o.pop()
		return
	}
	h.stage = stageStart
	if h.open && h.at == len(h.statements)-1 {
		return // more may follow; ReadyForQuery ends it
	}
	s.finished = true
	h.at++
}

// markOptional marks the Syncs that the server will meet before the end of the
// COPY that has just begun.
func (o *owed) markOptional() {
	for _, e := range o.queue[1:] {
		if e.req == reqSync && !e.afterCopyEnd {
			e.optional = true
		}
	}
}

// dropOptional forgets the Syncs that the COPY has eaten.
func (o *owed) dropOptional() {
	kept := o.queue[:1]
	for _, e := range o.queue[1:] {
		if !e.optional {
			kept = append(kept, e)
		}
	}
	clear(o.queue[len(kept):])
	o.queue = kept
}

// receivedError ends what has failed and what the server will skip for it.
func (o *owed) receivedError(fatal bool) (step, error) {
	h := o.head()
	if h == nil {
		if fatal {
			return step{failed: true}, nil
		}
		return step{}, &violation{want: "nothing to fail", got: pgwire.MsgErrorResponse}
	}
	s := step{entry: h, about: h.current(), finished: h.current() != nil, failed: true, swallow: h.private && !fatal}
	if h.stage == stageFailed && !fatal {
		return step{}, &violation{want: "ReadyForQuery after an error", got: pgwire.MsgErrorResponse}
	}
	s.skipped = append(s.skipped, rest(h)...)
	h.at = len(h.statements)
	if !h.req.extended() {
		h.stage = stageFailed
		return s, nil
	}
	for len(o.queue) > 0 && o.queue[0].req != reqSync {
		if o.queue[0] != h {
			s.skipped = append(s.skipped, o.queue[0].statements...)
		}
		o.pop()
	}
	o.skipping = len(o.queue) == 0
	return s, nil
}

// rest lists the statements after the current one.
func rest(e *entry) []*statement {
	if e.at+1 < len(e.statements) {
		return e.statements[e.at+1:]
	}
	return nil
}

// receivedReady ends a Query, a Sync or a FunctionCall.
func (o *owed) receivedReady(status byte) (step, error) {
	h := o.head()
	if h == nil {
		return step{}, &violation{want: "nothing", got: pgwire.MsgReadyForQuery}
	}
	s := step{entry: h, swallow: h.injected}
	switch {
	case h.req == reqSync:
		o.popSyncs()
		o.status = status
		return s, nil
	case h.req.extended():
		return step{}, &violation{want: "an answer to " + h.req.String(), got: pgwire.MsgReadyForQuery}
	case h.stage == stageFailed || h.stage == stageDone:
	case h.req == reqQuery && h.open && h.stage == stageStart:
		s.about, s.finished = h.current(), h.current() != nil
	case h.req == reqQuery && h.at >= len(h.statements):
	default:
		return step{}, &violation{want: "the rest of the answer to " + h.req.String(), got: pgwire.MsgReadyForQuery}
	}
	o.pop()
	o.status = status
	return s, nil
}

// popSyncs takes off the Sync that was answered, and those before it that may
// have been eaten by a COPY.
func (o *owed) popSyncs() {
	for len(o.queue) > 0 && o.queue[0].req == reqSync {
		optional := o.queue[0].optional
		o.pop()
		if !optional {
			return
		}
	}
}

// cutShort hides from the client what is left of the batch after a statement
// whose end was turned into an error, as if the server were skipping to Sync.
// It reports false if the server will run anything more before that.
func (o *owed) cutShort(e *entry) bool {
	if e.req == reqQuery {
		return e.at >= len(e.statements)
	}
	for _, next := range o.queue {
		switch next.req {
		case reqSync:
			return true
		case reqExecute, reqQuery, reqFunctionCall:
			return false
		}
		next.injected = true
	}
	o.skipping = true // the judge drops what follows; the server never sees it
	return true
}

// abandon empties the queue when the connection ends, and lists the statements
// that were under way.
func (o *owed) abandon() []*statement {
	var all []*statement
	for _, e := range o.queue {
		if e.at < len(e.statements) {
			all = append(all, e.statements[e.at:]...)
		}
	}
	o.queue = nil
	return all
}
