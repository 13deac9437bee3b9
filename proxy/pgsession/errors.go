package pgsession

import (
	"errors"
	"fmt"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
)

// protocolViolation ends the session for a message of the client that has no
// place where it came or is malformed.
func protocolViolation(format string, args ...any) *ended {
	message := fmt.Sprintf(format, args...)
	e := endWith(proxy.EndProtocolViolation, pgwire.StateProtocolViolation, message, "")
	e.cause = errors.New(message)
	return e
}

// clientError sorts an error of reading from the client.
func clientError(err error) *ended {
	var own *ended
	var bad *pgwire.BadLength
	var long *pgwire.TooLong
	var malformed *pgwire.Malformed
	var late *pgwire.TimeoutError
	var startup *pgwire.StartupError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &bad), errors.As(err, &malformed):
		e := protocolViolation("%v", err)
		return e
	case errors.As(err, &long):
		e := endWith(proxy.EndMessageTooLong, pgwire.StateProgramLimit, long.Error(), "")
		e.cause = err
		return e
	case errors.As(err, &startup):
		e := endWith(proxy.EndStartupRefused, startup.Code, startup.Message, startup.Hint)
		e.cause = err
		return e
	case errors.As(err, &late) && late.Phase == pgwire.PhaseLimit:
		return end(proxy.EndStartupTimeout, err)
	case errors.As(err, &late):
		return end(proxy.EndClientStalled, err)
	}
	return &ended{reason: proxy.EndClientLost, cause: err}
}

// upstreamError sorts an error of reading from or writing to the server.
func upstreamError(err error) *ended {
	var own *ended
	var bad *pgwire.BadLength
	var long *pgwire.TooLong
	var malformed *pgwire.Malformed
	var unexpected *violation
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &bad), errors.As(err, &long), errors.As(err, &malformed), errors.As(err, &unexpected):
		return end(proxy.EndUpstreamViolation, err)
	}
	return end(proxy.EndUpstreamLost, err)
}

// relayError sorts an error of passing the server's bytes to the client, which
// may be either one's.
func (s *session) relayError(err error) *ended {
	if s.out.Err() == nil {
		return upstreamError(err)
	}
	if errors.Is(err, pgwire.ErrTorn) {
		return upstreamError(err)
	}
	var stalled *pgwire.Stalled
	if errors.As(err, &stalled) {
		return &ended{reason: proxy.EndClientStalled, cause: err}
	}
	return &ended{reason: proxy.EndClientLost, cause: err}
}
