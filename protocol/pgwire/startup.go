package pgwire

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Version is a protocol version: major in the high half, minor in the low.
type Version uint32

// Versions that PostgreSQL 14 to 18 speak.
const (
	Version30 Version = 3 << 16
	Version32 Version = 3<<16 | 2
)

// Major returns the major version.
func (v Version) Major() int { return int(v >> 16) }

// Minor returns the minor version.
func (v Version) Minor() int { return int(v & 0xffff) }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major(), v.Minor()) }

// Codes that stand where a startup message has its version.
const (
	codeCancel = 1234<<16 | 5678
	codeTLS    = 1234<<16 | 5679
	codeGSS    = 1234<<16 | 5680
)

// maxStartup is PostgreSQL's MAX_STARTUP_PACKET_LENGTH, without the length.
const maxStartup = 10000

// recordHandshake is the first byte of a TLS connection (RFC 8446, 5.1).
const recordHandshake = 0x16

// StartupKind says what a connection's first packet is.
type StartupKind uint8

// Kinds of first packets.
const (
	StartupMessage   StartupKind = iota + 1
	StartupTLS                   // SSLRequest: answer one byte, S or N
	StartupGSS                   // GSSENCRequest: answer one byte, N
	StartupCancel                // CancelRequest: no answer, the connection ends
	StartupDirectTLS             // a TLS handshake: nothing has been consumed
)

// Replication is the kind of replication connection that a startup message
// asks for.
type Replication uint8

// Kinds of replication.
const (
	ReplicationNone Replication = iota
	ReplicationPhysical
	ReplicationLogical
)

// Param is a setting of a startup message.
type Param struct{ Name, Value string }

// Startup is a connection's first packet, copied out of the buffer.
type Startup struct {
	Kind    StartupKind
	Cancel  BackendKey // StartupCancel
	Version Version    // StartupMessage: as asked for
	Params  []Param    // StartupMessage: in order, duplicates kept, _pq_. ones apart
	Options []Param    // StartupMessage: protocol options, names with _pq_.
}

// StartupError is a first packet that PostgreSQL refuses, in its words.
type StartupError struct {
	Code    string // SQLSTATE
	Message string
	Hint    string
}

func (e *StartupError) Error() string { return e.Message }

func badPacket(format string, args ...any) error {
	return &StartupError{Code: StateProtocolViolation, Message: fmt.Sprintf(format, args...)}
}

// ReadStartup reads a connection's next packet before login. Set a limit on
// the time first. After StartupDirectTLS the handshake's bytes are still in the
// Reader: Detach it. After StartupTLS, check NoSmuggling before the answer is
// sent. Errors: *StartupError, and those of Peek; io.EOF if the peer left.
func (r *Reader) ReadStartup() (Startup, error) {
	if r.w == r.r {
		if err := r.fill(1); err != nil {
			return Startup{}, err
		}
	}
	if r.buf[r.r] == recordHandshake {
		return Startup{Kind: StartupDirectTLS}, nil
	}
	if err := r.fill(4); err != nil {
		return Startup{}, err
	}
	n := binary.BigEndian.Uint32(r.buf[r.r:])
	if n < 8 || n > 4+maxStartup {
		r.err = badPacket("invalid length of startup packet")
		return Startup{}, r.err
	}
	if err := r.fill(int(n)); err != nil {
		return Startup{}, err
	}
	s, err := ParseStartup(r.buf[r.r+4 : r.r+int(n)])
	r.r += int(n)
	if err != nil {
		r.err = err
	}
	return s, err
}

// ParseStartup decodes a first packet behind its length (at least 4 bytes).
func ParseStartup(body []byte) (Startup, error) {
	if len(body) < 4 || len(body) > maxStartup {
		return Startup{}, badPacket("invalid length of startup packet")
	}
	code, rest := binary.BigEndian.Uint32(body), body[4:]
	switch code {
	case codeCancel:
		return parseCancel(rest)
	case codeTLS, codeGSS:
		if len(rest) != 0 {
			return Startup{}, badPacket("invalid length of startup packet")
		}
		if code == codeGSS {
			return Startup{Kind: StartupGSS}, nil
		}
		return Startup{Kind: StartupTLS}, nil
	}
	v := Version(code)
	if v.Major() != 3 {
		return Startup{}, &StartupError{Code: StateFeatureNotSupported,
			Message: fmt.Sprintf("unsupported frontend protocol %s: server supports 3.0 to %s", v, Version32)}
	}
	s := Startup{Kind: StartupMessage, Version: v}
	return s, s.parseParams(rest)
}

func parseCancel(b []byte) (Startup, error) {
	if len(b) < 4+minCancelKey || len(b) > 4+maxCancelKey {
		return Startup{}, badPacket("invalid length of query cancel packet")
	}
	key := BackendKey{PID: binary.BigEndian.Uint32(b), Key: append([]byte(nil), b[4:]...)}
	return Startup{Kind: StartupCancel, Cancel: key}, nil
}

// parseParams walks names and values as PostgreSQL does: an empty name ends
// the list, and has to be the last byte.
func (s *Startup) parseParams(b []byte) error {
	c := cursor{b: b, msg: "StartupMessage"}
	for {
		name := c.cstring("a terminated name")
		if c.err != nil || len(name) == 0 {
			break
		}
		value := c.cstring("a terminated value")
		if c.err != nil {
			break
		}
		p := Param{Name: string(name), Value: string(value)}
		if strings.HasPrefix(p.Name, "_pq_.") {
			s.Options = append(s.Options, p)
		} else {
			s.Params = append(s.Params, p)
		}
	}
	if c.end() != nil {
		return badPacket("invalid startup packet layout: expected terminator as last byte")
	}
	return nil
}

// Get returns the value of a parameter, the last one if it occurs several
// times, as PostgreSQL does. Names are compared exactly.
func (s *Startup) Get(name string) (value string, ok bool) {
	for i := len(s.Params) - 1; i >= 0; i-- {
		if s.Params[i].Name == name {
			return s.Params[i].Value, true
		}
	}
	return "", false
}

// User returns the user name, or a *StartupError if there is none.
func (s *Startup) User() (string, error) {
	user, _ := s.Get("user")
	if user == "" {
		return "", &StartupError{Code: StateInvalidAuthorization,
			Message: "no PostgreSQL user name specified in startup packet"}
	}
	return user, nil
}

// Database returns the database name, which is the user's if none is given.
func (s *Startup) Database() string {
	if db, _ := s.Get("database"); db != "" {
		return db
	}
	user, _ := s.Get("user")
	return user
}

// Replication returns the kind of replication connection that is asked for.
// PostgreSQL looks at every occurrence and the last one decides.
func (s *Startup) Replication() (Replication, error) {
	kind := ReplicationNone
	for _, p := range s.Params {
		if p.Name != "replication" {
			continue
		}
		if p.Value == "database" {
			kind = ReplicationLogical
			continue
		}
		on, ok := parseBool(p.Value)
		if !ok {
			return ReplicationNone, &StartupError{Code: StateInvalidParameterValue,
				Message: `invalid value for parameter "replication"`,
				Hint:    `Valid values are: "false", 0, "true", 1, "database".`}
		}
		kind = ReplicationNone
		if on {
			kind = ReplicationPhysical
		}
	}
	return kind, nil
}

// Negotiate returns the version to speak, and whether NegotiateProtocolVersion
// has to say so: when a newer one or options (none is known) were asked for.
// Version 3.1 was never used; a client that asks for it gets 3.0.
func (s *Startup) Negotiate(newest Version) (v Version, unknown []string, say bool) {
	v = min(s.Version, newest)
	if v == 3<<16|1 {
		v = Version30
	}
	for _, o := range s.Options {
		unknown = append(unknown, o.Name)
	}
	return v, unknown, v != s.Version || len(unknown) > 0
}

// parseBool reads a Boolean as PostgreSQL's parse_bool does: 1 and 0, on and
// off (two letters at least), and unique beginnings of true, false, yes, no.
func parseBool(s string) (value, ok bool) {
	s = strings.ToLower(s)
	if s == "" {
		return false, false
	}
	switch {
	case s == "1", s == "on", strings.HasPrefix("true", s), strings.HasPrefix("yes", s):
		return true, true
	case s == "0", len(s) >= 2 && strings.HasPrefix("off", s), strings.HasPrefix("false", s), strings.HasPrefix("no", s):
		return false, true
	}
	return false, false
}

// WriteAnswer sends the one byte that answers SSLRequest or GSSENCRequest.
func WriteAnswer(w io.Writer, b byte) error {
	if _, err := w.Write([]byte{b}); err != nil {
		return fmt.Errorf("answer encryption request: %w", err)
	}
	return nil
}

// AppendStartup appends a startup message with its length.
func AppendStartup(dst []byte, v Version, params []Param) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(v))
	for _, p := range params {
		dst = append(append(dst, p.Name...), 0)
		dst = append(append(dst, p.Value...), 0)
	}
	dst = append(dst, 0)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// AppendCancel appends a CancelRequest with its length.
func AppendCancel(dst []byte, k BackendKey) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(12+len(k.Key)))
	dst = binary.BigEndian.AppendUint32(dst, codeCancel)
	dst = binary.BigEndian.AppendUint32(dst, k.PID)
	return append(dst, k.Key...)
}

// AppendTLSRequest appends an SSLRequest with its length.
func AppendTLSRequest(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 8)
	return binary.BigEndian.AppendUint32(dst, codeTLS)
}
