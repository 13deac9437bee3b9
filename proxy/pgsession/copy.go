package pgsession

import (
	"strings"

	"github.com/weirdb/weir/protocol/pgwire"
)

// copyIn passes on what the client sends for COPY FROM STDIN. Outside of a
// COPY the server ignores it, as it does after a COPY that failed.
func (j *judge) copyIn(h pgwire.Header) error {
	if h.Type != pgwire.MsgCopyData {
		body, err := j.in.Body(j.options.MaxMessage)
		if err == nil && h.Type == pgwire.MsgCopyDone {
			err = pgwire.ParseEmpty("CopyDone", body)
		}
		if err == nil && h.Type == pgwire.MsgCopyFail {
			_, err = pgwire.ParseCopyFail(body)
		}
		if err != nil {
			return clientError(err)
		}
	}
	j.mu.Lock()
	pointless := j.owed.empty() || j.owed.skipping || j.denied
	if !pointless && h.Type != pgwire.MsgCopyData {
		j.owed.sentCopyEnd()
	}
	j.mu.Unlock()
	if pointless {
		return j.drop()
	}
	if err := j.in.Forward(j.up.Writer); err != nil {
		return j.forwardError(err)
	}
	return nil
}

// describeCopy asks, before a Query with a COPY TO STDOUT is sent, what columns
// the data will have: COPY itself does not say.
func (j *judge) describeCopy(st *statement) error {
	if st.copy == nil {
		return nil
	}
	if st.denial = j.cannotCut(st); st.denial != nil {
		return nil
	}
	j.mu.Lock()
	open := j.owed.open
	j.mu.Unlock()
	if open {
		st.denial = &pgwire.Notice{Severity: pgwire.SeverityError, Code: pgwire.StateFeatureNotSupported,
			Message: "COPY of masked columns cannot follow an extended query without Sync"}
		return nil
	}
	if drained, err := j.drain(); err != nil || !drained {
		return err
	}
	if j.settle() == pgwire.TxFailed {
		return nil // the server will say so
	}
	a, err := j.ask(st.copy.Query, false)
	if err != nil {
		return err
	}
	refuse := func(why string) {
		st.denial = &pgwire.Notice{Severity: pgwire.SeverityError, Code: pgwire.StateInsufficientPrivilege,
			Message: "the data of the COPY cannot be described, so it cannot be masked", Detail: why,
			Hint: "Send COPY in a message of its own, of relations that exist."}
		j.mu.Lock()
		st.always = j.owed.status == pgwire.TxFailed
		j.mu.Unlock()
	}
	if a.err != nil {
		refuse("SQLSTATE " + a.err.Code + ".")
		return nil
	}
	fields, err := pgwire.AppendFields(nil, a.fields)
	if err != nil {
		return upstreamError(err)
	}
	return j.mask(st, fields)
}

// cannotCut refuses COPY in text of an encoding in which a byte of a character
// can look like a delimiter.
func (j *judge) cannotCut(st *statement) *pgwire.Notice {
	encoding := st.copy.Encoding
	if encoding == "" {
		encoding = j.state.Encoding
	}
	if st.copy.Format == "binary" || len(st.ticket.Masks) == 0 {
		return nil
	}
	switch strings.ToUpper(encoding) {
	case "SJIS", "BIG5", "GBK", "UHC", "GB18030", "SHIFT_JIS_2004", "JOHAB":
		return &pgwire.Notice{Severity: pgwire.SeverityError, Code: pgwire.StateInsufficientPrivilege,
			Message: "COPY of masked columns cannot be masked in encoding " + encoding,
			Hint:    "Use UTF8, or the binary format."}
	}
	return nil
}

// injectCopy asks the same inside an extended batch, just before the Execute.
func (j *judge) injectCopy(st *statement) error {
	if st.copy == nil {
		return nil
	}
	sql := st.copy.Query
	frames := []struct {
		e     *entry
		write func(*pgwire.Writer) error
	}{
		{&entry{req: reqParse}, func(w *pgwire.Writer) error { return w.Parse(probeName, sql, nil) }},
		{&entry{req: reqDescribeStatement, describes: st}, func(w *pgwire.Writer) error { return w.Describe(pgwire.KindStatement, probeName) }},
		{&entry{req: reqClose}, func(w *pgwire.Writer) error { return w.CloseObject(pgwire.KindStatement, probeName) }},
	}
	for _, f := range frames {
		if err := j.inject(f.e, f.write); err != nil {
			return err
		}
	}
	return nil
}

// copySpec turns what the statement says of its data into the framing's terms.
func (st *statement) copySpec(columns []pgwire.Field) pgwire.CopySpec {
	c := st.copy
	spec := pgwire.CopySpec{Columns: len(columns), Delimiter: c.Delimiter, Null: c.Null, Header: c.Header, Quote: c.Quote, Escape: c.Escape}
	switch c.Format {
	case "csv":
		spec.Format = pgwire.CopyCSV
	case "binary":
		spec.Format = pgwire.CopyBinary
	}
	if c.ForceQuoteAll || c.ForceQuote {
		// Which columns is not said; of masked cells only, all may as well be.
		spec.ForceQuote = make([]bool, len(columns))
		for i := range spec.ForceQuote {
			spec.ForceQuote[i] = true
		}
	}
	return spec
}

// copyRow masks the rows that a CopyData message completes and passes them on.
func (r *relay) copyRows(st *statement, body []byte, last bool) error {
	m := st.masks
	if last {
		m.copy.Finish()
	} else {
		m.copy.Feed(body)
	}
	out := r.scratch[:0]
	for m.copy.Next() {
		if m.copy.Kind() == pgwire.CopyValues {
			if st.rows++; st.ticket.Rows > 0 && st.rows > st.ticket.Rows {
				r.overLimit(st)
				return nil
			}
			var err error
			if out, err = m.maskCopyRow(out); err != nil {
				return err
			}
		} else {
			out = m.copy.AppendRest(out)
		}
		if len(out) >= copyChunk {
			if err := r.copyOut(st, out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	r.scratch = out[:0]
	if err := m.copy.Err(); err != nil {
		return upstreamError(err)
	}
	return r.copyOut(st, out)
}

// copyChunk is how much masked data goes into one CopyData message.
const copyChunk = 16 << 10

func (r *relay) copyOut(st *statement, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	st.bytes += int64(len(data))
	if err := r.out.Message(pgwire.MsgCopyData, data); err != nil {
		return r.relayError(err)
	}
	return nil
}
