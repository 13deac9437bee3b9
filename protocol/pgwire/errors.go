package pgwire

import (
	"errors"
	"fmt"
	"time"
)

// SQLSTATE codes that weir itself sends (PostgreSQL documentation, appendix A).
const (
	StateSuccess                 = "00000"
	StateConnectionException     = "08000"
	StateConnectionFailure       = "08006"
	StateCannotConnect           = "08001"
	StateRejected                = "08004"
	StateProtocolViolation       = "08P01"
	StateFeatureNotSupported     = "0A000"
	StateInvalidParameterValue   = "22023"
	StateCharacterNotInRepertory = "22021"
	StateBadCopyFormat           = "22P04"
	StateReadOnlyTransaction     = "25006"
	StateAbortedTransaction      = "25P02"
	StateIdleInTransaction       = "25P03"
	StateInvalidStatementName    = "26000"
	StateInvalidAuthorization    = "28000"
	StateInvalidPassword         = "28P01"
	StateInvalidCatalogName      = "3D000"
	StateInvalidCursorName       = "34000"
	StateInsufficientPrivilege   = "42501"
	StateSyntaxError             = "42601"
	StateDuplicateStatement      = "42P05"
	StateTooManyConnections      = "53300"
	StateConfigurationLimit      = "53400"
	StateProgramLimit            = "54000"
	StateTooComplex              = "54001"
	StateQueryCanceled           = "57014"
	StateAdminShutdown           = "57P01"
	StateCannotConnectNow        = "57P03"
	StateIdleSession             = "57P05"
	StateInternalError           = "XX000"
)

// Severities of ErrorResponse and NoticeResponse, not localised.
const (
	SeverityError   = "ERROR"
	SeverityFatal   = "FATAL"
	SeverityPanic   = "PANIC"
	SeverityWarning = "WARNING"
	SeverityNotice  = "NOTICE"
)

// ErrInterrupted is returned by Reader.Peek after Reader.Interrupt.
var ErrInterrupted = errors.New("read interrupted")

// ErrTorn is returned by a Writer whose peer got the first part of a message
// whose rest never came: no other message can follow it.
var ErrTorn = errors.New("message torn: its source ended in the middle of it")

// BadLength says that a header carries a length that no message can have.
type BadLength struct {
	Type   byte // message type, 0 for the first packet
	Length uint32
}

func (e *BadLength) Error() string {
	return fmt.Sprintf("invalid length %d in message %s", e.Length, typeName(e.Type))
}

// TooLong says that a message or a COPY row is longer than its limit. The
// message is still the current one and can be discarded.
type TooLong struct {
	Type       byte
	Len, Limit int
}

func (e *TooLong) Error() string {
	return fmt.Sprintf("message %s of %d bytes exceeds the limit of %d", typeName(e.Type), e.Len, e.Limit)
}

// Malformed says that a message's body is not what its type wants.
type Malformed struct {
	Message string // name in the protocol's documentation, such as Bind
	Offset  int    // in the body
	Want    string
}

func (e *Malformed) Error() string {
	return fmt.Sprintf("malformed %s message at byte %d: want %s", e.Message, e.Offset, e.Want)
}

// Phase is what a reader was waiting for.
type Phase uint8

// Phases of a TimeoutError.
const (
	PhaseIdle    Phase = iota + 1 // the first byte of a message
	PhaseMessage                  // the rest of a message
	PhaseLimit                    // anything, at the absolute limit
)

func (p Phase) String() string {
	switch p {
	case PhaseIdle:
		return "idle"
	case PhaseMessage:
		return "message"
	case PhaseLimit:
		return "limit"
	}
	return "unknown"
}

// TimeoutError says that a peer sent nothing for too long. After PhaseIdle
// the reader is still in step and can go on.
type TimeoutError struct {
	Phase Phase
	After time.Duration // zero for PhaseLimit
}

func (e *TimeoutError) Error() string {
	switch e.Phase {
	case PhaseIdle:
		return fmt.Sprintf("no message within %s", e.After)
	case PhaseMessage:
		return fmt.Sprintf("peer stopped in the middle of a message for %s", e.After)
	default:
		return "time limit reached while reading"
	}
}

// Timeout makes the error a net.Error's likeness.
func (e *TimeoutError) Timeout() bool { return true }

// Stalled says that a peer did not take what was written for too long.
type Stalled struct {
	After   time.Duration
	Pending int // bytes that it did not take
}

func (e *Stalled) Error() string {
	return fmt.Sprintf("peer took none of %d bytes within %s", e.Pending, e.After)
}

// Timeout makes the error a net.Error's likeness.
func (e *Stalled) Timeout() bool { return true }

// Smuggled says that a peer's bytes arrived in clear before TLS could start.
type Smuggled struct{ Bytes int }

func (e *Smuggled) Error() string {
	return fmt.Sprintf("received %d unencrypted bytes before the TLS handshake", e.Bytes)
}

func typeName(t byte) string {
	if t == 0 {
		return "of the startup phase"
	}
	return fmt.Sprintf("%q", t)
}
