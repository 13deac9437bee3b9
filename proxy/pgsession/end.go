package pgsession

import (
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
)

// ended is how a connection ends: the reason, what the client is told (nil for
// nothing), and the cause for the log.
type ended struct {
	reason proxy.EndReason
	notice *pgwire.Notice
	cause  error
}

func (e *ended) Error() string {
	if e.cause != nil {
		return e.reason.String() + ": " + e.cause.Error()
	}
	return e.reason.String()
}

func (e *ended) Unwrap() error { return e.cause }

// end makes an ended with the reason's own message.
func end(reason proxy.EndReason, cause error) *ended {
	return &ended{reason: reason, notice: farewell(reason), cause: cause}
}

// endWith makes an ended with a message of its own, of severity FATAL.
func endWith(reason proxy.EndReason, state, message, hint string) *ended {
	return &ended{reason: reason, notice: &pgwire.Notice{Severity: pgwire.SeverityFatal, Code: state, Message: message, Hint: hint}}
}

// farewells says what a client is told for each reason. Reasons that are left
// out have no message, or one that the place of the fault makes.
func farewell(reason proxy.EndReason) *pgwire.Notice {
	fatal := func(state, message, hint string) *pgwire.Notice {
		return &pgwire.Notice{Severity: pgwire.SeverityFatal, Code: state, Message: message, Hint: hint}
	}
	const ask = "Ask the administrator of weir; its log has the cause."
	switch reason {
	case proxy.EndLimitTotal:
		return fatal(pgwire.StateTooManyConnections, "sorry, too many clients already", "Try again later.")
	case proxy.EndIdle:
		return fatal(pgwire.StateIdleSession, "terminating connection due to idle-session timeout", "")
	case proxy.EndIdleInTransaction:
		return fatal(pgwire.StateIdleInTransaction, "terminating connection due to idle-in-transaction timeout", "")
	case proxy.EndStartupTimeout:
		return fatal(pgwire.StateConnectionFailure, "startup took too long", "")
	case proxy.EndClientStalled:
		return fatal(pgwire.StateConnectionFailure, "the client stopped in the middle of a message", "")
	case proxy.EndUpstreamUnreachable:
		return fatal(pgwire.StateConnectionFailure, "the database cannot be reached", ask)
	case proxy.EndUpstreamRefused:
		return fatal(pgwire.StateCannotConnectNow, "the database refused the connection", ask)
	case proxy.EndUpstreamLost:
		return fatal(pgwire.StateConnectionFailure, "the connection to the database was lost", "Connect again.")
	case proxy.EndUpstreamViolation:
		return fatal(pgwire.StateConnectionFailure, "the database sent an unexpected message", ask)
	case proxy.EndLineageMismatch:
		return fatal(pgwire.StateInsufficientPrivilege,
			"the database describes the result otherwise than the analysis of the statement; nothing of it was sent",
			"Connect and try again: definitions may have changed in this moment.")
	case proxy.EndMaskFailed:
		return fatal(pgwire.StateInsufficientPrivilege, "the result could not be masked", ask)
	case proxy.EndReadOnlyUndone:
		return fatal(pgwire.StateReadOnlyTransaction, "this datasource is read-only and the session was no longer", "")
	case proxy.EndRowLimit:
		return fatal(pgwire.StateProgramLimit, "the result has more rows than policy allows", "Ask for fewer rows, with LIMIT.")
	case proxy.EndKilled:
		return fatal(pgwire.StateAdminShutdown, "terminating connection due to administrator command", "")
	case proxy.EndUserDisabled:
		return fatal(pgwire.StateInvalidAuthorization, "terminating connection because the user was disabled", "")
	case proxy.EndShutdown:
		return fatal(pgwire.StateAdminShutdown, "terminating connection because weir is stopping", "Connect again.")
	case proxy.EndInternal:
		return fatal(pgwire.StateInternalError, "internal error in weir", ask)
	}
	return nil
}
