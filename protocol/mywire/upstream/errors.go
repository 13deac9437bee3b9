package upstream

import (
	"fmt"

	"github.com/weirdb/weir/protocol/mywire"
)

// AuthError says that authentication failed: by the server's word, or because
// of what the server asked for.
type AuthError struct {
	Method  string              // plugin, such as mysql_native_password
	Server  *mywire.ServerError // the server's refusal, for the log; nil if this side gave up
	Problem error               // this side's reason, nil if the server refused
}

func (e *AuthError) Error() string {
	if e.Server != nil {
		return fmt.Sprintf("%s: server refused: %s (error %d)", e.Method, e.Server.Message, e.Server.Number)
	}
	return fmt.Sprintf("%s: %v", e.Method, e.Problem)
}

func (e *AuthError) Unwrap() error { return e.Problem }

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

// Unexpected says that a packet came in a place where it may not.
type Unexpected struct {
	Want string
	Got  byte // first byte of the payload
}

func (e *Unexpected) Error() string {
	return fmt.Sprintf("unexpected packet 0x%02x from server: want %s", e.Got, e.Want)
}

// Lacking says that the server cannot do what the configuration or this package
// needs.
type Lacking struct{ What string }

func (e *Lacking) Error() string { return "server lacks " + e.What }
