package mysession

import (
	"errors"
	"math"
	"slices"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/mysql"
)

// answer is the server's reply to one command, on its way to the client.
type answer struct {
	reply   reply
	st      *statement // nil for commands that are no statement
	more    bool       // weir answers another statement of the text behind it
	private bool       // weir's own question: nothing goes to the client
	binary  bool       // rows are of the binary protocol
	cursor  *prepared  // whose cursor the rows are of, or may open

	prepared *prepared           // COM_STMT_PREPARE: filled in
	warnings uint16              // of that
	instead  *mywire.ServerError // ends the reply in the place of all that is left
	failed   bool
	eofDue   bool // the client has yet to get the EOF of the definitions

	definitions [][]byte // of a result that is checked
}

// maxReply bounds what weir itself reads of a reply: definitions, ends, errors
// and rows that are masked.
const maxReply = mywire.MaxBody

// relay passes a reply on. It returns an *ended; what only the statement failed
// of is in the answer.
func (s *session) relay(a *answer) error {
	for !a.reply.done() {
		if !a.private && !s.up.Reader.Buffered() {
			if err := s.out.Flush(); err != nil {
				return clientError(err)
			}
		}
		h, err := s.up.Reader.Peek()
		if err != nil {
			return upstreamError(err)
		}
		m, err := a.reply.next(h)
		if err != nil {
			return upstreamError(err)
		}
		if err := s.packet(a, m); err != nil {
			return err
		}
	}
	if a.instead == nil || a.failed {
		return nil
	}
	a.failed = true
	a.st.done(a.instead.State)
	return s.sayError(a.instead)
}

// packet deals with one packet of a reply.
func (s *session) packet(a *answer, m meaning) error {
	switch m {
	case isRow:
		return s.row(a)
	case isFileRequest:
		return s.file(a)
	case isText:
		if err := s.up.Reader.Forward(s.out); err != nil {
			return s.relayError(err)
		}
		a.st.done("")
		return nil
	}
	body, err := s.up.Reader.Body(maxReply)
	if err != nil {
		return upstreamError(err)
	}
	if err := s.up.Reader.Discard(); err != nil { // the body stays valid until the next Peek
		return upstreamError(err)
	}
	switch m {
	case isOK:
		return s.okay(a, body)
	case isError:
		return s.serverError(a, body)
	case isCount:
		return s.count(a, body)
	case isColumn:
		return s.column(a, body)
	case isColumnsEnd:
		return s.columnsEnd(a, body)
	case isRowsEnd:
		return s.rowsEnd(a, body)
	case isPrepared:
		return s.preparedOK(a, body)
	case isParam:
		return s.param(a, body)
	}
	return nil // isParamsEnd: param has sent the client's
}

// silent says that the client gets nothing of the packet at hand.
func (a *answer) silent() bool { return a.private || a.instead != nil }

// okay passes on an OK packet.
func (s *session) okay(a *answer, body []byte) error {
	ok, err := s.ended(a, body, mywire.ParseOK)
	if err != nil || a.silent() {
		return err
	}
	if err := s.out.OK(&ok); err != nil {
		return clientError(err)
	}
	return nil
}

// planStatus tells how the server found the rows of a statement, and whether
// that took long.
const planStatus = mywire.StatusNoGoodIndex | mywire.StatusNoIndex | mywire.StatusSlow

// ended takes in what an OK, or the end of rows, says, and gives what of it goes
// to the client.
func (s *session) ended(a *answer, body []byte, parse func([]byte, mywire.Capabilities) (mywire.OK, error)) (mywire.OK, error) {
	ok, err := parse(body, s.up.Capabilities)
	if err != nil {
		return ok, upstreamError(err)
	}
	a.reply.ended(ok.Status)
	s.setStatus(ok.Status &^ (mywire.StatusMoreResults | mywire.StatusCursorExists | mywire.StatusLastRowSent | mywire.StatusOutParams | mywire.StatusSessionChanged | planStatus))
	if ok.Changes, err = s.observe(ok.Changes); err != nil {
		return ok, upstreamError(err)
	}
	if a.more {
		ok.Status |= mywire.StatusMoreResults
	}
	if a.st != nil && a.st.ticket != nil && a.st.ticket.Restricted { // the plan follows statistics of all columns
		ok.Status &^= planStatus
	}
	if a.st.touched() { // they count and quote what may be values
		ok.Info, ok.Warnings = nil, 0
	}
	if a.reply.done() && a.st != nil && a.instead == nil && a.cursor.closed() {
		a.st.done("")
	}
	return ok, nil
}

// serverError passes on an error, or what stands in its place.
func (s *session) serverError(a *answer, body []byte) error {
	e, err := mywire.ParseError(body)
	if err != nil {
		return upstreamError(err)
	}
	a.failed = true
	if instead := s.replacement(a, &e); instead != nil {
		e = *instead
	}
	if a.st != nil {
		a.st.done(e.State)
	}
	if a.private {
		return end(proxy.EndUpstreamViolation, &e)
	}
	return s.sayError(&e)
}

// count begins a result.
func (s *session) count(a *answer, body []byte) error {
	m, err := mywire.ParseColumnCount(body, s.up.Capabilities)
	if err != nil {
		return upstreamError(err)
	}
	if !m.Definitions {
		return upstreamError(&violation{want: "a result with definitions"})
	}
	a.reply.counted(m.Columns)
	a.definitions, a.eofDue = nil, false
	if a.st != nil {
		a.st.masks = nil
	}
	if a.holds() || a.silent() {
		return nil
	}
	if err := s.out.ColumnCount(m.Columns); err != nil {
		return clientError(err)
	}
	return nil
}

// holds says that the definitions of the present result are looked at before
// the client gets any.
func (a *answer) holds() bool {
	return a.st != nil && a.st.ticket != nil && a.reply.form == formResults &&
		(a.st.ticket.Restricted || len(a.st.ticket.Masks) > 0 || a.st.quoted)
}

// column passes on a definition, or keeps it for the check.
func (s *session) column(a *answer, body []byte) error {
	last := a.reply.stage != stageColumns && a.reply.form != formFields
	switch {
	case a.silent():
		return nil
	case a.holds():
		a.definitions = append(a.definitions, slices.Clone(body))
		if last {
			return s.defined(a)
		}
		return nil
	}
	if err := s.sendColumn(body); err != nil {
		return err
	}
	if last {
		return s.definitionsSent(a)
	}
	return nil
}

// sendColumn writes a definition as the client's capabilities want it.
func (s *session) sendColumn(body []byte) error {
	const form = mywire.CapExtendedMetadata
	if s.caps&form == s.up.Capabilities&form {
		if err := s.out.Packet(body); err != nil {
			return clientError(err)
		}
		return nil
	}
	c, err := mywire.ParseColumn(body, s.up.Capabilities)
	if err != nil {
		return upstreamError(err)
	}
	if err := s.out.Column(&c); err != nil {
		return clientError(err)
	}
	return nil
}

// definitionsSent follows the last definition that the client got.
func (s *session) definitionsSent(a *answer) error {
	if s.caps.Has(mywire.CapDeprecateEOF) {
		return nil
	}
	if a.reply.form == formPrepared {
		return s.sendEOF(a.warnings)
	}
	a.eofDue = true // unless a cursor is opened, which the next packet tells
	return nil
}

func (s *session) sendEOF(warnings uint16) error {
	if err := s.out.EOF(s.status, warnings); err != nil {
		return clientError(err)
	}
	return nil
}

// defined holds the definitions of a result against the analysis, and passes
// them on if they agree.
func (s *session) defined(a *answer) error {
	columns := make([]mywire.Column, len(a.definitions))
	for i, d := range a.definitions {
		var err error
		if columns[i], err = mywire.ParseColumn(d, s.up.Capabilities); err != nil {
			return upstreamError(err)
		}
	}
	if err := s.mask(a, columns); err != nil {
		return err
	}
	if a.instead != nil {
		s.stop()
		return nil
	}
	if err := s.out.ColumnCount(len(columns)); err != nil {
		return clientError(err)
	}
	for _, d := range a.definitions {
		if err := s.sendColumn(d); err != nil {
			return err
		}
	}
	a.definitions = nil
	return s.definitionsSent(a)
}

// columnsEnd takes the EOF of definitions from a server that does not deprecate
// it.
func (s *session) columnsEnd(a *answer, body []byte) error {
	status, _, err := mywire.ParseEOF(body)
	if err != nil {
		return upstreamError(err)
	}
	if a.reply.form != formResults || a.cursor == nil || !status.Has(mywire.StatusCursorExists) {
		return nil // a routine may have a cursor of its own
	}
	a.reply.cursorOpened()
	s.opened(a)
	return s.sendRowsEnd(a, &mywire.OK{Status: status})
}

// rowsEnd passes on the end of rows.
func (s *session) rowsEnd(a *answer, body []byte) error {
	parse := mywire.ParseResultEnd
	if a.reply.form == formOptionSet && body[0] == mywire.MarkOK {
		parse = mywire.ParseOK
	}
	if a.reply.form == formResults && s.endStatus(body).Has(mywire.StatusCursorExists) {
		s.opened(a)
	}
	if a.reply.form == formRows && s.endStatus(body).Has(mywire.StatusLastRowSent) {
		a.cursor.cursor = nil
	}
	ok, err := s.ended(a, body, parse)
	if err != nil || a.silent() {
		return err
	}
	return s.sendRowsEnd(a, &ok)
}

// endStatus is the status in the end of rows.
func (s *session) endStatus(body []byte) mywire.Status {
	ok, err := mywire.ParseResultEnd(body, s.up.Capabilities)
	if err != nil {
		return 0 // ended reports it
	}
	return ok.Status
}

func (s *session) sendRowsEnd(a *answer, ok *mywire.OK) error {
	if a.silent() {
		return nil
	}
	if a.eofDue && (a.cursor == nil || !ok.Status.Has(mywire.StatusCursorExists)) {
		if err := s.sendEOF(ok.Warnings); err != nil { // of a result without rows all are known by now
			return err
		}
	}
	a.eofDue = false
	if err := s.out.ResultEnd(ok); err != nil {
		return clientError(err)
	}
	return nil
}

// row passes on rows: untouched and in runs where nothing is masked, one by one
// where something is.
func (s *session) row(a *answer) error {
	if a.silent() {
		return s.discardRow()
	}
	if a.eofDue {
		a.eofDue = false
		if err := s.sendEOF(0); err != nil {
			return err
		}
	}
	st := a.st
	limit := int64(math.MaxInt64)
	if st != nil && st.ticket != nil && st.ticket.Rows > 0 {
		if limit = st.ticket.Rows - st.rows; limit <= 0 {
			a.instead = rowLimitError(st)
			s.stop()
			return s.discardRow()
		}
	}
	if st != nil && st.masks != nil {
		return s.maskedRow(st)
	}
	if st != nil && st.ticket != nil && len(st.ticket.Masks) > 0 {
		return end(proxy.EndMaskFailed, nil) // no definition came before the rows
	}
	run, err := s.up.Reader.ForwardRows(s.out, limit)
	if st != nil {
		st.rows += run.Rows
		st.bytes += run.Bytes
	}
	if err != nil {
		return s.relayError(err)
	}
	return nil
}

func (s *session) discardRow() error {
	if err := s.up.Reader.Discard(); err != nil {
		return upstreamError(err)
	}
	return nil
}

func (s *session) maskedRow(st *statement) error {
	body, err := s.up.Reader.Body(maxReply)
	if err != nil {
		return upstreamError(err)
	}
	st.rows++
	st.bytes += int64(len(body))
	if err := st.masks.row(s.out, body); err != nil {
		return s.relayError(err)
	}
	return s.discardRow()
}

// file lets the server have a file of the client, if the client's own statement
// offers one (LOAD DATA LOCAL), and passes it on until its end.
func (s *session) file(a *answer) error {
	if a.st == nil || a.st.s == nil || a.st.s.Kind != mysql.KindLoadLocal || !s.caps.Has(mywire.CapLocalFiles) || a.silent() {
		return end(proxy.EndUpstreamViolation, errors.New("the server asks for a file that no statement offers"))
	}
	if err := s.up.Reader.Forward(s.out); err != nil {
		return s.relayError(err)
	}
	if err := s.out.Flush(); err != nil {
		return clientError(err)
	}
	s.in.SetSeq(s.out.Seq())
	s.up.Writer.SetSeq(s.up.Reader.Seq())
	for {
		h, err := s.in.Peek()
		if err != nil {
			return clientError(err)
		}
		a.st.bytes += int64(h.Len)
		if err := s.in.Forward(s.up.Writer); err != nil {
			return s.forwardError(err)
		}
		if h.Len == 0 {
			break
		}
	}
	if err := s.up.Writer.Flush(); err != nil {
		return upstreamError(err)
	}
	s.up.Reader.SetSeq(s.up.Writer.Seq())
	s.out.SetSeq(s.in.Seq())
	return nil
}

// forwardError sorts an error of passing the client's bytes to the server.
func (s *session) forwardError(err error) error {
	if werr := s.up.Writer.Err(); werr != nil && !errors.Is(werr, mywire.ErrTorn) {
		return upstreamError(err)
	}
	return clientError(err)
}
