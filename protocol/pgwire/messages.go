package pgwire

import (
	"encoding/binary"
	"strconv"
)

// Message types, named as in the protocol's documentation. Some letters mean
// different messages in the two directions.
const (
	// From a frontend.
	MsgBind         = 'B'
	MsgClose        = 'C'
	MsgDescribe     = 'D'
	MsgExecute      = 'E'
	MsgFunctionCall = 'F'
	MsgFlush        = 'H'
	MsgParse        = 'P'
	MsgQuery        = 'Q'
	MsgSync         = 'S'
	MsgTerminate    = 'X'
	MsgCopyFail     = 'f'
	MsgPassword     = 'p' // also SASLInitialResponse, SASLResponse, GSSResponse

	// From both.
	MsgCopyData = 'd'
	MsgCopyDone = 'c'

	// From a backend.
	MsgParseComplete        = '1'
	MsgBindComplete         = '2'
	MsgCloseComplete        = '3'
	MsgNotification         = 'A'
	MsgCommandComplete      = 'C'
	MsgDataRow              = 'D'
	MsgErrorResponse        = 'E'
	MsgCopyInResponse       = 'G'
	MsgCopyOutResponse      = 'H'
	MsgEmptyQuery           = 'I'
	MsgBackendKeyData       = 'K'
	MsgNoticeResponse       = 'N'
	MsgAuthentication       = 'R'
	MsgParameterStatus      = 'S'
	MsgRowDescription       = 'T'
	MsgFunctionCallResponse = 'V'
	MsgCopyBothResponse     = 'W'
	MsgReadyForQuery        = 'Z'
	MsgNoData               = 'n'
	MsgPortalSuspended      = 's'
	MsgParameterDescription = 't'
	MsgNegotiateVersion     = 'v'
)

// Transaction states of ReadyForQuery.
const (
	TxIdle   = 'I'
	TxActive = 'T'
	TxFailed = 'E'
)

// smallLimit is PostgreSQL's bound for messages that carry no data.
const smallLimit = 10000

// FrontendLimit returns the longest body that PostgreSQL accepts in a message
// of type typ from a client that is logged in, and whether there is such a
// message.
func FrontendLimit(typ byte) (limit int, known bool) {
	switch typ {
	case MsgQuery, MsgFunctionCall, MsgBind, MsgParse, MsgCopyData:
		return MaxBody, true
	case MsgClose, MsgDescribe, MsgExecute, MsgFlush, MsgSync, MsgTerminate, MsgCopyDone, MsgCopyFail:
		return smallLimit, true
	}
	return 0, false
}

// Empty writes a message without a body, such as MsgSync or MsgParseComplete.
func (w *Writer) Empty(typ byte) error {
	w.begin(typ)
	return w.end()
}

// ReadyForQuery writes ReadyForQuery with TxIdle, TxActive or TxFailed.
func (w *Writer) ReadyForQuery(status byte) error {
	w.begin(MsgReadyForQuery)
	w.byte(status)
	return w.end()
}

// ParameterStatus writes ParameterStatus.
func (w *Writer) ParameterStatus(name, value string) error {
	w.begin(MsgParameterStatus)
	w.cstring(name)
	w.cstring(value)
	return w.end()
}

// CommandComplete writes CommandComplete with a whole command tag.
func (w *Writer) CommandComplete(tag string) error {
	w.begin(MsgCommandComplete)
	w.cstring(tag)
	return w.end()
}

// BackendKeyData writes BackendKeyData; before protocol 3.2 a key has 4 bytes.
func (w *Writer) BackendKeyData(pid uint32, key []byte) error {
	w.begin(MsgBackendKeyData)
	w.uint32(pid)
	w.bytes(key)
	return w.end()
}

// NegotiateProtocolVersion writes the answer to a startup message that wants a
// newer protocol than version, or options that are not known. The version goes
// out whole (3.2 is 0x00030002), which is what PostgreSQL sends and libpq reads.
func (w *Writer) NegotiateProtocolVersion(v Version, unknown []string) error {
	w.begin(MsgNegotiateVersion)
	w.uint32(uint32(v))
	w.uint32(uint32(len(unknown)))
	for _, o := range unknown {
		w.cstring(o)
	}
	return w.end()
}

// Codes of Authentication messages.
const (
	AuthOK           = 0
	AuthCleartext    = 3
	AuthMD5          = 5
	AuthSASL         = 10
	AuthSASLContinue = 11
	AuthSASLFinal    = 12
)

// Authentication writes an Authentication message: its code and payload.
func (w *Writer) Authentication(code uint32, payload []byte) error {
	w.begin(MsgAuthentication)
	w.uint32(code)
	w.bytes(payload)
	return w.end()
}

// AuthenticationSASL writes the list of mechanisms, best first.
func (w *Writer) AuthenticationSASL(mechanisms ...string) error {
	w.begin(MsgAuthentication)
	w.uint32(AuthSASL)
	for _, m := range mechanisms {
		w.cstring(m)
	}
	w.byte(0)
	return w.end()
}

// RowDescription writes RowDescription.
func (w *Writer) RowDescription(fields []Field) error {
	w.begin(MsgRowDescription)
	w.uint16(uint16(len(fields)))
	for i := range fields {
		f := &fields[i]
		w.cstring(string(f.Name))
		w.uint32(f.TableOID)
		w.uint16(uint16(f.Attr))
		w.uint32(f.TypeOID)
		w.uint16(uint16(f.Size))
		w.uint32(uint32(f.Modifier))
		w.uint16(uint16(f.Format))
	}
	return w.end()
}

// ParameterDescription writes ParameterDescription.
func (w *Writer) ParameterDescription(types []uint32) error {
	w.begin(MsgParameterDescription)
	w.uint16(uint16(len(types)))
	for _, t := range types {
		w.uint32(t)
	}
	return w.end()
}

// Query writes Query.
func (w *Writer) Query(sql string) error {
	w.begin(MsgQuery)
	w.cstring(sql)
	return w.end()
}

// Parse writes Parse.
func (w *Writer) Parse(name, sql string, types []uint32) error {
	w.begin(MsgParse)
	w.cstring(name)
	w.cstring(sql)
	w.uint16(uint16(len(types)))
	for _, t := range types {
		w.uint32(t)
	}
	return w.end()
}

// Bind writes Bind with text parameters, nil for NULL, and text results.
func (w *Writer) Bind(portal, statement string, params [][]byte) error {
	w.begin(MsgBind)
	w.cstring(portal)
	w.cstring(statement)
	w.uint16(0)
	w.uint16(uint16(len(params)))
	for _, p := range params {
		if p == nil {
			w.uint32(nullLen)
			continue
		}
		w.uint32(uint32(len(p)))
		w.bytes(p)
	}
	w.uint16(0)
	return w.end()
}

// Describe writes Describe; kind is 'S' for a statement, 'P' for a portal.
func (w *Writer) Describe(kind byte, name string) error { return w.named(MsgDescribe, kind, name) }

// CloseObject writes Close; kind is 'S' for a statement, 'P' for a portal.
func (w *Writer) CloseObject(kind byte, name string) error { return w.named(MsgClose, kind, name) }

func (w *Writer) named(typ, kind byte, name string) error {
	w.begin(typ)
	w.byte(kind)
	w.cstring(name)
	return w.end()
}

// Execute writes Execute; rows of zero means all.
func (w *Writer) Execute(portal string, rows uint32) error {
	w.begin(MsgExecute)
	w.cstring(portal)
	w.uint32(rows)
	return w.end()
}

// CopyFail writes CopyFail.
func (w *Writer) CopyFail(reason string) error {
	w.begin(MsgCopyFail)
	w.cstring(reason)
	return w.end()
}

// Notice is what ErrorResponse and NoticeResponse carry. Empty and zero fields
// are left out; the localised and the plain severity are the same.
type Notice struct {
	Severity string // SeverityError, …
	Code     string // SQLSTATE
	Message  string
	Detail   string
	Hint     string
	Position int // in characters, from 1

	InternalPosition int
	InternalQuery    string
	Where            string
	Schema           string
	Table            string
	Column           string
	DataType         string
	Constraint       string
	File             string
	Line             int
	Routine          string
}

// Error writes ErrorResponse.
func (w *Writer) Error(n *Notice) error { return w.notice(MsgErrorResponse, n) }

// Notice writes NoticeResponse.
func (w *Writer) Notice(n *Notice) error { return w.notice(MsgNoticeResponse, n) }

func (w *Writer) notice(typ byte, n *Notice) error {
	w.begin(typ)
	w.field('S', n.Severity)
	w.field('V', n.Severity)
	w.field('C', n.Code)
	w.field('M', n.Message)
	w.field('D', n.Detail)
	w.field('H', n.Hint)
	w.number('P', n.Position)
	w.number('p', n.InternalPosition)
	w.field('q', n.InternalQuery)
	w.field('W', n.Where)
	w.field('s', n.Schema)
	w.field('t', n.Table)
	w.field('c', n.Column)
	w.field('d', n.DataType)
	w.field('n', n.Constraint)
	w.field('F', n.File)
	w.number('L', n.Line)
	w.field('R', n.Routine)
	w.byte(0)
	return w.end()
}

func (w *Writer) field(code byte, s string) {
	if s != "" {
		w.byte(code)
		w.cstring(s)
	}
}

func (w *Writer) number(code byte, n int) {
	if n != 0 {
		w.byte(code)
		_ = w.room(20) // sticks; end reports it
		w.buf = strconv.AppendInt(w.buf, int64(n), 10)
		w.byte(0)
	}
}

// The appenders below are for use between begin and end. What room returns
// sticks to the Writer, and end reports it.

func (w *Writer) byte(b byte) {
	_ = w.room(1)
	w.buf = append(w.buf, b)
}

func (w *Writer) uint16(n uint16) {
	_ = w.room(2)
	w.buf = binary.BigEndian.AppendUint16(w.buf, n)
}

func (w *Writer) uint32(n uint32) {
	_ = w.room(4)
	w.buf = binary.BigEndian.AppendUint32(w.buf, n)
}

func (w *Writer) bytes(p []byte) {
	_ = w.room(len(p))
	w.buf = append(w.buf, p...)
}

// cstring appends s and a NUL; a NUL inside s would end it early and smuggle
// the rest in as another field, so it ends there.
func (w *Writer) cstring(s string) {
	for i := range len(s) {
		if s[i] == 0 {
			s = s[:i]
			break
		}
	}
	_ = w.room(len(s) + 1)
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, 0)
}
