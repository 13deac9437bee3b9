package mysession

import (
	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
)

// ended is how a connection ends: the reason, what the client is told (nil for
// nothing), and the cause for the log.
type ended struct {
	reason proxy.EndReason
	say    *mywire.ServerError
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
	return &ended{reason: reason, say: farewell(reason), cause: cause}
}

// endWith makes an ended with a message of its own.
func endWith(reason proxy.EndReason, number uint16, state, message string) *ended {
	return &ended{reason: reason, say: &mywire.ServerError{Number: number, State: state, Message: message}}
}

// farewell is what a client is told for each reason. Reasons that are left out
// have no message, or one that the place of the fault makes.
func farewell(reason proxy.EndReason) *mywire.ServerError {
	say := func(number uint16, state, message string) *mywire.ServerError {
		return &mywire.ServerError{Number: number, State: state, Message: message}
	}
	const ask = "; ask the administrator of weir, its log has the cause"
	switch reason {
	case proxy.EndLimitTotal:
		return say(mywire.ErrTooManyConnections, mywire.StateRefused, "Too many connections")
	case proxy.EndIdle, proxy.EndIdleInTransaction:
		return say(errIdle, mywire.StateGeneral, "The client was disconnected because of inactivity")
	case proxy.EndStartupTimeout:
		return say(mywire.ErrHandshake, mywire.StateCommunication, "Login took too long")
	case proxy.EndUpstreamUnreachable:
		return say(mywire.ErrUnknown, mywire.StateGeneral, "The database cannot be reached"+ask)
	case proxy.EndUpstreamRefused:
		return say(mywire.ErrUnknown, mywire.StateGeneral, "The database refused the connection"+ask)
	case proxy.EndUpstreamViolation:
		return say(mywire.ErrUnknown, mywire.StateGeneral, "The database sent an unexpected packet"+ask)
	case proxy.EndMaskFailed:
		return say(mywire.ErrColumnAccessDenied, mywire.StateAccess, "The result could not be masked"+ask)
	case proxy.EndReadOnlyUndone:
		return say(mywire.ErrOptionPreventsWrite, mywire.StateGeneral, "This datasource is read-only and the session was no longer")
	case proxy.EndKilled:
		return say(mywire.ErrConnectionKilled, mywire.StateInterrupted, "Connection was killed")
	case proxy.EndUserDisabled:
		return say(mywire.ErrConnectionKilled, mywire.StateInterrupted, "Connection was killed: the user was disabled")
	case proxy.EndShutdown:
		return say(mywire.ErrServerShutdown, mywire.StateCommunication, "weir is stopping; connect again")
	case proxy.EndInternal:
		return say(mywire.ErrUnknown, mywire.StateGeneral, "Internal error in weir"+ask)
	}
	return nil
}

// errIdle is ER_CLIENT_INTERACTION_TIMEOUT of MySQL.
const errIdle = 4031
