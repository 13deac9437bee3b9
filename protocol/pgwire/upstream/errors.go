package upstream

import (
	"fmt"

	"github.com/weirdb/weir/protocol/pgwire"
)

// ServerError is an ErrorResponse of the server before ReadyForQuery, such as
// an unknown database. Its text is for the log.
type ServerError struct{ Notice pgwire.Notice }

func (e *ServerError) Error() string {
	return fmt.Sprintf("server refused the connection: %s (SQLSTATE %s)", e.Notice.Message, e.Notice.Code)
}

// SQLState returns the server's SQLSTATE.
func (e *ServerError) SQLState() string { return e.Notice.Code }

// AuthError says that authentication failed: by the server's word, or because
// of what the server asked for or could not prove.
type AuthError struct {
	Method   string // such as SCRAM-SHA-256, empty before one was chosen
	State    string // SQLSTATE, empty if this side gave up
	Message  string // the server's, for the log
	Problem  error  // this side's reason, nil if the server refused
	Received bool   // the server refused
}

func (e *AuthError) Error() string {
	method := e.Method
	if method == "" {
		method = "authentication"
	}
	if e.Received {
		return fmt.Sprintf("%s: server refused: %s (SQLSTATE %s)", method, e.Message, e.State)
	}
	return fmt.Sprintf("%s: %v", method, e.Problem)
}

func (e *AuthError) Unwrap() error { return e.Problem }

// SQLState returns the server's SQLSTATE, or the class's own code.
func (e *AuthError) SQLState() string {
	if e.State == "" {
		return pgwire.StateInvalidAuthorization
	}
	return e.State
}

// TLSError says that a connection as secure as the mode wants was not possible.
type TLSError struct {
	Mode    Mode
	Refused bool  // the server has no TLS
	Problem error // nil if Refused
}

func (e *TLSError) Error() string {
	if e.Refused {
		return fmt.Sprintf("TLS mode %s: server does not support TLS", e.Mode)
	}
	return fmt.Sprintf("TLS mode %s: %v", e.Mode, e.Problem)
}

func (e *TLSError) Unwrap() error { return e.Problem }

// Unexpected says that a message came in a place where it may not.
type Unexpected struct {
	Want string
	Got  byte
}

func (e *Unexpected) Error() string {
	return fmt.Sprintf("unexpected message %q from server: want %s", e.Got, e.Want)
}
