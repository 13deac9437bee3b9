package mysession

import (
	"errors"
	"fmt"
	"io"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/proxy"
)

// protocolViolation ends the session for a packet of the client that has no
// place where it came or is malformed.
func protocolViolation(format string, args ...any) *ended {
	message := fmt.Sprintf(format, args...)
	e := endWith(proxy.EndProtocolViolation, mywire.ErrMalformedPacket, mywire.StateGeneral, message)
	e.cause = errors.New(message)
	return e
}

// clientError sorts an error of reading from or writing to the client.
func clientError(err error) *ended {
	var own *ended
	var sequence *mywire.BadSequence
	var compressed *mywire.BadCompressed
	var long *mywire.TooLong
	var malformed *mywire.Malformed
	var late *mywire.TimeoutError
	var stalled *mywire.Stalled
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &sequence):
		e := endWith(proxy.EndProtocolViolation, mywire.ErrPacketsOutOfOrder, mywire.StateCommunication, "Got packets out of order")
		e.cause = err
		return e
	case errors.As(err, &compressed), errors.As(err, &malformed):
		return protocolViolation("%v", err)
	case errors.As(err, &long):
		e := endWith(proxy.EndMessageTooLong, mywire.ErrPacketTooLarge, mywire.StateCommunication,
			"Got a packet bigger than 'max_allowed_packet' bytes")
		e.cause = err
		return e
	case errors.As(err, &late) && late.Phase == mywire.PhaseLimit:
		return end(proxy.EndStartupTimeout, err)
	case errors.As(err, &late), errors.As(err, &stalled):
		return &ended{reason: proxy.EndClientStalled, cause: err}
	case errors.Is(err, io.EOF):
		return &ended{reason: proxy.EndClientLost}
	}
	return &ended{reason: proxy.EndClientLost, cause: err}
}

// upstreamError sorts an error of reading from or writing to the server.
func upstreamError(err error) *ended {
	var own *ended
	var sequence *mywire.BadSequence
	var compressed *mywire.BadCompressed
	var long *mywire.TooLong
	var malformed *mywire.Malformed
	var unexpected *violation
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &sequence), errors.As(err, &compressed), errors.As(err, &long), errors.As(err, &malformed), errors.As(err, &unexpected):
		return end(proxy.EndUpstreamViolation, err)
	}
	return end(proxy.EndUpstreamLost, err)
}

// relayError sorts an error of passing the server's bytes to the client, which
// may be either one's.
func (s *session) relayError(err error) *ended {
	if s.out.Err() == nil || errors.Is(err, mywire.ErrTorn) {
		return upstreamError(err)
	}
	return clientError(err)
}
