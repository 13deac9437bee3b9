package pgsession

import (
	"strconv"
	"unicode/utf8"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy/gate"
)

// failing is what the server gets in place of a denied statement: it parses,
// and fails where that statement would have run, so that order, transaction
// and skipping are what they are after any error.
const failing = `TABLE pg_catalog."weir: denied"`

// deniedName is the prepared statement under which failing is sent where a
// Bind or an Execute is denied, so that the unnamed one stays.
const deniedName = "weir: denied"

// denialNotice is what the client is told. Its position counts characters of
// text.
func denialNotice(d *gate.Denial, text string) *pgwire.Notice {
	n := &pgwire.Notice{Severity: pgwire.SeverityError, Code: d.SQLState, Message: d.Message, Detail: d.Detail, Hint: d.Hint}
	if n.Code == "" {
		n.Code = pgwire.StateInsufficientPrivilege
	}
	if d.Pos >= 0 && d.Pos <= len(text) {
		n.Position = characters(text[:d.Pos]) + 1
	}
	return n
}

func characters(s string) int {
	if utf8.ValidString(s) {
		return utf8.RuneCountInString(s)
	}
	return len(s) // a single-byte encoding; for the others it is a hint only
}

// replacement is what the client gets in place of an error of the server, nil
// for the error itself.
func (r *relay) replacement(st *statement, v pgwire.NoticeView) *pgwire.Notice {
	code := string(v.Code())
	// What ends the session, a failed transaction, a cancel: the server's word
	// comes before a denial, as it would before any other error.
	own := string(v.Severity()) != pgwire.SeverityError || code == pgwire.StateAbortedTransaction ||
		code == pgwire.StateQueryCanceled || code[:min(2, len(code))] == "57"
	switch {
	case st == nil:
	case st.denial != nil && (!own || st.always):
		return st.denial
	case st.over && code == pgwire.StateQueryCanceled:
		return rowLimitNotice(st)
	case r.timedOut(st) && code == pgwire.StateQueryCanceled:
		return &pgwire.Notice{Severity: pgwire.SeverityError, Code: code,
			Message: "canceling statement: it ran longer than policy allows", Hint: "Ask for less, or ask the administrator for a longer time."}
	case st.masks != nil && st.masks.broken != nil && code == pgwire.StateQueryCanceled:
		return st.masks.broken
	}
	if st.touched() || r.withholds(st) {
		return withheld(v)
	}
	return nil
}

func (r *relay) timedOut(st *statement) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return st.timedOut
}

// withheld is an error or notice without anything that may quote a value.
func withheld(v pgwire.NoticeView) *pgwire.Notice {
	kind := "a message"
	switch string(v.Severity()) {
	case pgwire.SeverityError, pgwire.SeverityFatal, pgwire.SeverityPanic:
		kind = "an error"
	}
	return &pgwire.Notice{Severity: string(v.Severity()), Code: string(v.Code()),
		Message: "the server reported " + kind + " about a statement that reads masked columns; its text is withheld"}
}

func rowLimitNotice(st *statement) *pgwire.Notice {
	return &pgwire.Notice{Severity: pgwire.SeverityError, Code: pgwire.StateProgramLimit,
		Message: "the result has more rows than policy allows",
		Detail:  "The limit is " + strconv.FormatInt(st.ticket.Rows, 10) + " rows.",
		Hint:    "Ask for fewer rows, with LIMIT."}
}
