package pgwire

import (
	"bytes"
	"encoding/binary"
)

// The decoders of this file read bodies that a server sent. They are strict,
// and what they return points into the body. Formats: PostgreSQL
// documentation, section 55.7.

// CommandTag is what CommandComplete says.
type CommandTag struct {
	Tag  []byte // whole, such as INSERT 0 5
	Rows int64  // -1 if the tag carries no count
}

// ParseCommandComplete decodes CommandComplete.
func ParseCommandComplete(body []byte) (CommandTag, error) {
	c := cursor{b: body, msg: "CommandComplete"}
	t := CommandTag{Tag: c.cstring("a terminated command tag"), Rows: -1}
	if i := bytes.LastIndexByte(t.Tag, ' '); i >= 0 {
		t.Rows = decimal(t.Tag[i+1:])
	}
	return t, c.end()
}

// decimal reads digits; -1 for anything else.
func decimal(b []byte) int64 {
	if len(b) == 0 || len(b) > 18 {
		return -1
	}
	var n int64
	for _, d := range b {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int64(d-'0')
	}
	return n
}

// NoticeView is the body of an ErrorResponse or NoticeResponse: fields of a
// code and a text. Codes that are not known are kept.
type NoticeView struct{ body []byte }

// ParseNotice checks the body of an ErrorResponse or NoticeResponse.
func ParseNotice(body []byte) (NoticeView, error) {
	c := cursor{b: body, msg: "ErrorResponse or NoticeResponse"}
	for c.byte("a field code or the terminator") != 0 {
		c.cstring("a terminated field")
	}
	return NoticeView{body: body}, c.end()
}

// Field returns the first field with the code, such as 'C' for SQLSTATE, and
// nil if there is none.
func (v NoticeView) Field(code byte) []byte {
	for rest := v.body; len(rest) > 1; {
		end := bytes.IndexByte(rest, 0)
		if rest[0] == code {
			return rest[1:end:end]
		}
		rest = rest[end+1:]
	}
	return nil
}

// Severity returns the severity, the one that is not localised if there is one.
func (v NoticeView) Severity() []byte {
	if s := v.Field('V'); s != nil {
		return s
	}
	return v.Field('S')
}

// Code returns the SQLSTATE.
func (v NoticeView) Code() []byte { return v.Field('C') }

// Message returns the primary message.
func (v NoticeView) Message() []byte { return v.Field('M') }

// Notice returns a copy that outlives the body. Unknown fields are dropped.
func (v NoticeView) Notice() Notice {
	s := func(code byte) string { return string(v.Field(code)) }
	n := func(code byte) int { return int(max(decimal(v.Field(code)), 0)) }
	return Notice{
		Severity: string(v.Severity()), Code: s('C'), Message: s('M'), Detail: s('D'),
		Hint: s('H'), Position: n('P'), InternalPosition: n('p'), InternalQuery: s('q'),
		Where: s('W'), Schema: s('s'), Table: s('t'), Column: s('c'), DataType: s('d'),
		Constraint: s('n'), File: s('F'), Line: n('L'), Routine: s('R'),
	}
}

// ParseReadyForQuery returns the transaction state: TxIdle, TxActive, TxFailed.
func ParseReadyForQuery(body []byte) (status byte, err error) {
	c := cursor{b: body, msg: "ReadyForQuery"}
	status = c.byte("I, T or E")
	if c.err == nil && status != TxIdle && status != TxActive && status != TxFailed {
		c.off--
		c.fail("I, T or E")
	}
	return status, c.end()
}

// ParseParameterStatus returns a setting's name and value.
func ParseParameterStatus(body []byte) (name, value []byte, err error) {
	c := cursor{b: body, msg: "ParameterStatus"}
	name = c.cstring("a terminated name")
	value = c.cstring("a terminated value")
	return name, value, c.end()
}

// Bounds of a cancel key (protocol 3.2: up to 256 bytes; before it, 4).
const (
	minCancelKey = 4
	maxCancelKey = 256
)

// BackendKey is what a cancel request must show.
type BackendKey struct {
	PID uint32
	Key []byte // 4 to 256 bytes
}

// ParseBackendKeyData decodes BackendKeyData.
func ParseBackendKeyData(body []byte) (BackendKey, error) {
	c := cursor{b: body, msg: "BackendKeyData"}
	k := BackendKey{PID: c.uint32("a process ID")}
	if n := len(body) - c.off; c.err == nil && (n < minCancelKey || n > maxCancelKey) {
		c.fail("a key of 4 to 256 bytes")
	}
	k.Key = c.bytes(len(body)-c.off, "a key")
	return k, c.end()
}

// CopyResponse is CopyInResponse, CopyOutResponse or CopyBothResponse.
type CopyResponse struct {
	Binary  bool
	Formats Formats // one for each column; text for all unless Binary
}

// ParseCopyResponse decodes CopyInResponse, CopyOutResponse, CopyBothResponse.
func ParseCopyResponse(body []byte) (CopyResponse, error) {
	c := cursor{b: body, msg: "CopyResponse"}
	f := c.byte("format 0 or 1")
	if c.err == nil && f > 1 {
		c.off--
		c.fail("format 0 or 1")
	}
	m := CopyResponse{Binary: f == 1}
	at := c.off + 2
	m.Formats = c.formats("a list of column formats")
	for i := range m.Formats.Len() {
		if code := m.Formats.At(i); code != 0 && (code != 1 || !m.Binary) {
			c.off = at + 2*i
			c.fail("a column format that fits the whole")
		}
	}
	return m, c.end()
}

// Notification is a NotificationResponse.
type Notification struct {
	PID     uint32 // of the notifying backend
	Channel []byte
	Payload []byte
}

// ParseNotification decodes NotificationResponse.
func ParseNotification(body []byte) (Notification, error) {
	c := cursor{b: body, msg: "NotificationResponse"}
	n := Notification{
		PID:     c.uint32("a process ID"),
		Channel: c.cstring("a terminated channel"),
		Payload: c.cstring("a terminated payload"),
	}
	return n, c.end()
}

// ParseParameterDescription returns the types of a statement's parameters.
func ParseParameterDescription(body []byte) (OIDs, error) {
	c := cursor{b: body, msg: "ParameterDescription"}
	o := c.oids("a list of parameter types")
	return o, c.end()
}

// ParseFunctionCallResponse returns the result, nil for NULL.
func ParseFunctionCallResponse(body []byte) ([]byte, error) {
	c := cursor{b: body, msg: "FunctionCallResponse"}
	v := c.value("a value behind its length")
	return v, c.end()
}

// AuthenticationMsg is an Authentication message.
type AuthenticationMsg struct {
	Code uint32
	Data []byte // salt, mechanisms or SASL data
}

// ParseAuthentication decodes any Authentication message.
func ParseAuthentication(body []byte) (AuthenticationMsg, error) {
	c := cursor{b: body, msg: "Authentication"}
	m := AuthenticationMsg{Code: c.uint32("an authentication code")}
	m.Data = c.bytes(len(body)-c.off, "authentication data")
	return m, c.end()
}

// Negotiation is a NegotiateProtocolVersion message.
type Negotiation struct {
	Version Version
	Unknown []string // _pq_. options that the server does not know
}

// ParseNegotiation decodes NegotiateProtocolVersion. Some servers send the
// minor version alone, PostgreSQL the whole one; both become a whole one.
func ParseNegotiation(body []byte) (Negotiation, error) {
	c := cursor{b: body, msg: "NegotiateProtocolVersion"}
	n := Negotiation{Version: Version(c.uint32("a protocol version"))}
	if n.Version.Major() == 0 {
		n.Version |= 3 << 16
	}
	if c.err == nil && n.Version.Major() != 3 {
		c.off -= 4
		c.fail("protocol version 3")
	}
	count := c.uint32("a number of options")
	if c.err == nil && int64(count) > int64(len(body)) {
		c.off -= 4
		c.fail("no more options than fit the message")
	}
	for range count {
		o := c.cstring("a terminated option")
		if c.err != nil {
			break
		}
		n.Unknown = append(n.Unknown, string(o))
	}
	return n, c.end()
}

// SASLMechanisms returns the mechanisms of AuthenticationSASL's data.
func SASLMechanisms(data []byte) ([]string, error) {
	c := cursor{b: data, msg: "AuthenticationSASL"}
	var names []string
	for {
		m := c.cstring("a terminated mechanism name or the end of the list")
		if len(m) == 0 {
			break
		}
		names = append(names, string(m))
	}
	return names, c.end()
}

// Frame returns the messages of b one by one: the first one's type and body,
// and what follows it; ok is false if b does not begin with a whole message.
func Frame(b []byte) (typ byte, body, rest []byte, ok bool) {
	if len(b) < headerLen {
		return 0, nil, b, false
	}
	n := int64(binary.BigEndian.Uint32(b[1:]))
	if n < 4 || n+1 > int64(len(b)) {
		return 0, nil, b, false
	}
	return b[0], b[headerLen : n+1], b[n+1:], true
}
