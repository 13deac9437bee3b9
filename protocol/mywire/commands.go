package mywire

import "encoding/binary"

// The decoders of this file read commands, whose first byte is the Command.
// They are strict: a payload with anything missing or left over is *Malformed.
// What they return points into the payload. Formats: MySQL documentation,
// Command Phase; MariaDB documentation, 2-Text Protocol and 3-Binary Protocol.

// command starts a walk behind the command's byte.
func command(body []byte, want Command) cursor {
	c := cursor{b: body, packet: want.String()}
	c.is(byte(want), "the command's byte")
	return c
}

// CommandOf returns the command that a packet begins with.
func CommandOf(h Header) Command { return Command(h.Type) }

// QueryMsg is COM_QUERY.
type QueryMsg struct {
	SQL        []byte
	Attributes Params // with CapQueryAttributes
}

// ParseQuery decodes COM_QUERY.
func ParseQuery(body []byte, caps Capabilities) (QueryMsg, error) {
	c := command(body, ComQuery)
	var m QueryMsg
	if caps.Has(CapQueryAttributes) {
		n := c.count("a number of query attributes")
		sets := c.lenenc("1 set of query attributes")
		if c.err == nil && sets != 1 {
			c.fail("1 set of query attributes")
		}
		if n > 0 {
			m.Attributes = c.params(n, paramsNamed)
		}
	}
	m.SQL = c.rest()
	return m, c.fault()
}

// AppendQuery appends COM_QUERY without query attributes for a server with caps.
func AppendQuery(dst []byte, sql string, caps Capabilities) []byte {
	dst = append(dst, byte(ComQuery))
	if caps.Has(CapQueryAttributes) {
		dst = append(dst, 0, 1)
	}
	return append(dst, sql...)
}

// ParseText returns what follows the command's byte as it is: the SQL text of
// COM_STMT_PREPARE, the name of COM_INIT_DB, COM_CREATE_DB and COM_DROP_DB.
func ParseText(body []byte, com Command) (text []byte, err error) {
	c := command(body, com)
	text = c.rest()
	return text, c.fault()
}

// AppendText appends such a command.
func AppendText(dst []byte, com Command, text string) []byte {
	return append(append(dst, byte(com)), text...)
}

// ParseEmpty checks a command that has nothing behind its byte: COM_PING,
// COM_QUIT, COM_STATISTICS, COM_RESET_CONNECTION, COM_PROCESS_INFO, COM_DEBUG.
func ParseEmpty(body []byte, com Command) error {
	c := command(body, com)
	return c.end()
}

// FieldListMsg is COM_FIELD_LIST.
type FieldListMsg struct {
	Table    []byte
	Wildcard []byte
}

// ParseFieldList decodes COM_FIELD_LIST.
func ParseFieldList(body []byte) (FieldListMsg, error) {
	c := command(body, ComFieldList)
	m := FieldListMsg{Table: c.cstring("a terminated table name"), Wildcard: c.cstringOrRest("a wildcard")}
	return m, c.end()
}

// ParseStatement returns the statement ID of COM_STMT_CLOSE or COM_STMT_RESET.
func ParseStatement(body []byte, com Command) (id uint32, err error) {
	c := command(body, com)
	id = c.uint32("a statement ID")
	return id, c.end()
}

// AppendStatement appends COM_STMT_CLOSE or COM_STMT_RESET.
func AppendStatement(dst []byte, com Command, id uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, byte(com)), id)
}

// FetchMsg is COM_STMT_FETCH.
type FetchMsg struct {
	Statement uint32
	Rows      uint32
}

// ParseFetch decodes COM_STMT_FETCH.
func ParseFetch(body []byte) (FetchMsg, error) {
	c := command(body, ComStmtFetch)
	m := FetchMsg{Statement: c.uint32("a statement ID"), Rows: c.uint32("a number of rows")}
	return m, c.end()
}

// LongData is COM_STMT_SEND_LONG_DATA.
type LongData struct {
	Statement uint32
	Param     int
	Data      []byte
}

// ParseLongData decodes COM_STMT_SEND_LONG_DATA.
func ParseLongData(body []byte) (LongData, error) {
	c := command(body, ComStmtSendLongData)
	m := LongData{Statement: c.uint32("a statement ID"), Param: int(c.uint16("a parameter's number")), Data: c.rest()}
	return m, c.fault()
}

// StatementOf returns the statement ID of a command on a prepared statement
// (EXECUTE, BULK_EXECUTE, FETCH, SEND_LONG_DATA, CLOSE, RESET), which follows
// the command's byte in all of them, so that one can be forwarded under another
// ID by SetStatement.
func StatementOf(body []byte) (id uint32, err error) {
	if len(body) < 5 {
		return 0, &Malformed{Packet: Command(first(body)).String(), Offset: min(len(body), 1), Want: "a statement ID"}
	}
	return binary.LittleEndian.Uint32(body[1:]), nil
}

// SetStatement replaces the statement ID of such a command in place.
func SetStatement(body []byte, id uint32) { binary.LittleEndian.PutUint32(body[1:], id) }

func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// LastStatement is the statement ID by which MariaDB's clients mean the
// statement that was prepared last.
const LastStatement = 1<<32 - 1

// Options of COM_SET_OPTION.
const (
	OptionMultiStatementsOn  = 0
	OptionMultiStatementsOff = 1
)

// ParseSetOption returns the option of COM_SET_OPTION.
func ParseSetOption(body []byte) (option uint16, err error) {
	c := command(body, ComSetOption)
	option = c.uint16("an option")
	return option, c.end()
}

// ParseProcessKill returns the connection ID of COM_PROCESS_KILL.
func ParseProcessKill(body []byte) (id uint32, err error) {
	c := command(body, ComProcessKill)
	id = c.uint32("a connection ID")
	return id, c.end()
}

// AppendProcessKill appends COM_PROCESS_KILL.
func AppendProcessKill(dst []byte, id uint32) []byte {
	return AppendStatement(dst, ComProcessKill, id)
}

// Command writes a command's payload under sequence number 0.
func (w *Writer) Command(payload []byte) error {
	w.SetSeq(0)
	return w.Packet(payload)
}

// Query writes COM_QUERY without query attributes.
func (w *Writer) Query(sql string) error {
	w.SetSeq(0)
	return w.End(AppendQuery(w.Begin(), sql, w.caps))
}
