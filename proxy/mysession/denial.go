package mysession

import (
	"strconv"
	"strings"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query/mysql"
)

// denialError is a denial in MySQL's terms.
func (s *session) denialError(d *gate.Denial) *mywire.ServerError {
	e := &mywire.ServerError{Number: mywire.ErrTableAccessDenied, State: mywire.StateAccess, Message: denialText(d)}
	if number, state, ok := mysql.ErrorCode(d.SQLState); ok { // the server would say the same
		e.Number, e.State, e.Message = number, state, d.Message
		return e
	}
	switch d.Rule {
	case "masked_column", "mask_not_expressible", "masked_value":
		e.Number = mywire.ErrColumnAccessDenied
	case "read_only":
		e.Number, e.State = mywire.ErrOptionPreventsWrite, mywire.StateGeneral
	case "require":
		e.Number = mywire.ErrSpecificAccess
	case "journal":
		e.Number, e.State = mywire.ErrUnknown, mywire.StateGeneral
	}
	return e
}

// maxErrorText is the longest message that clients keep (MYSQL_ERRMSG_SIZE).
const maxErrorText = 511

// denialText puts what a denial says into the one text that MySQL has. The hint
// comes before the detail, which may be cut.
func denialText(d *gate.Denial) string {
	var b strings.Builder
	b.WriteString(d.Message)
	for _, more := range []string{d.Hint, d.Detail} {
		if more != "" {
			b.WriteString(". ")
			b.WriteString(strings.TrimSuffix(more, "."))
		}
	}
	return cut(b.String())
}

func cut(text string) string {
	if len(text) <= maxErrorText {
		return text
	}
	return strings.ToValidUTF8(text[:maxErrorText], "")
}

// replacement is what the client gets in place of an error of the server, nil
// for the error itself.
func (s *session) replacement(a *answer, e *mywire.ServerError) *mywire.ServerError {
	st := a.st
	switch {
	case a.instead != nil:
		return a.instead
	case st == nil:
		return nil
	case e.Number == mywire.ErrQueryInterrupted && s.timedOut(st):
		return &mywire.ServerError{Number: mywire.ErrQueryInterrupted, State: mywire.StateInterrupted,
			Message: "the statement ran longer than policy allows; ask for less, or ask the administrator for a longer time"}
	case st.touched() && e.Number != mywire.ErrQueryInterrupted && e.Number != mywire.ErrConnectionKilled:
		return &mywire.ServerError{Number: e.Number, State: e.State, Message: withheldText}
	}
	return nil
}

// withheldText stands for a message that may quote a value.
const withheldText = "the server reported an error about a statement that reads masked columns; its text is withheld"

func (s *session) timedOut(st *statement) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return st.timedOut
}

// rowLimitError is what a result ends with that has too many rows.
func rowLimitError(st *statement) *mywire.ServerError {
	return &mywire.ServerError{Number: errTooManyRows, State: mywire.StateAccess,
		Message: "the result has more rows than policy allows, which is " + strconv.FormatInt(st.ticket.Rows, 10) + "; ask for fewer, with LIMIT"}
}

// errTooManyRows is ER_TOO_BIG_SELECT.
const errTooManyRows = 1104
