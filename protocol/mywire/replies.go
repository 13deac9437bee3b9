package mywire

import (
	"encoding/binary"
	"fmt"
)

// The decoders of this file read payloads that a server sent. What they return
// points into the payload unless it is a string. Formats: MySQL documentation,
// Generic Response Packets and Text Resultset; MariaDB documentation, OK_Packet.

// OK is an OK packet, or one that stands for EOF at the end of rows.
type OK struct {
	AffectedRows uint64
	LastInsertID uint64
	Status       Status
	Warnings     uint16
	Info         []byte         // human readable, such as Records: 3 …
	Changes      SessionChanges // with CapSessionTrack
}

// ParseOK decodes an OK packet, whose first byte is MarkOK or, at the end of
// rows with CapDeprecateEOF, MarkEOF.
func ParseOK(body []byte, caps Capabilities) (OK, error) {
	c := cursor{b: body, packet: "OK_Packet"}
	if b := c.byte("0x00 or 0xfe"); c.err == nil && b != MarkOK && b != MarkEOF {
		c.off--
		c.fail("0x00 or 0xfe")
	}
	ok := OK{AffectedRows: c.lenenc("a number of rows"), LastInsertID: c.lenenc("an insert ID")}
	ok.Status = Status(c.uint16("status flags"))
	ok.Warnings = c.uint16("a number of warnings")
	if c.err != nil || c.left() == 0 {
		return ok, c.fault()
	}
	if caps.Has(CapSessionTrack) {
		ok.Info = c.text("info within the packet")
		if ok.Status.Has(StatusSessionChanged) {
			ok.Changes = SessionChanges{b: c.changes()}
		}
		return ok, c.end()
	}
	// Documented as the rest of the packet, sent behind its length by both servers.
	rest := c.rest()
	if n, size := LenencInt(rest); size > 0 && n == uint64(len(rest)-size) {
		rest = rest[size:]
	}
	ok.Info = rest
	return ok, c.fault()
}

// changes reads session state changes. MariaDB writes their length in the
// character set of the database: with UTF-16 and UTF-32 it has one zero in front
// of it, or three.
func (c *cursor) changes() []byte {
	for zeros := 0; c.left() > 1 && c.b[c.off] == 0 && zeros < 3; zeros++ {
		c.off++
	}
	return c.text("session state changes within the packet")
}

// appendOK appends the payload of an OK packet.
func appendOK(dst []byte, mark byte, ok *OK, caps Capabilities) []byte {
	dst = append(dst, mark)
	dst = AppendLenencInt(dst, ok.AffectedRows)
	dst = AppendLenencInt(dst, ok.LastInsertID)
	status := ok.Status
	changed := caps.Has(CapSessionTrack) && len(ok.Changes.b) > 0
	if status &^= StatusSessionChanged; changed {
		status |= StatusSessionChanged
	}
	dst = binary.LittleEndian.AppendUint16(dst, uint16(status))
	dst = binary.LittleEndian.AppendUint16(dst, ok.Warnings)
	if len(ok.Info) > 0 || changed {
		dst = AppendLenencString(dst, ok.Info)
	}
	if changed {
		dst = AppendLenencString(dst, ok.Changes.b)
	}
	return dst
}

// OK writes an OK packet. Session state changes go out only to a peer with
// CapSessionTrack.
func (w *Writer) OK(ok *OK) error {
	return w.End(appendOK(w.Begin(), MarkOK, ok, w.caps))
}

// ResultEnd writes what ends the rows of a result: an OK packet in EOF's place,
// or EOF if the peer has not deprecated it.
func (w *Writer) ResultEnd(ok *OK) error {
	if w.caps.Has(CapDeprecateEOF) {
		return w.End(appendOK(w.Begin(), MarkEOF, ok, w.caps))
	}
	return w.EOF(ok.Status&^StatusSessionChanged, ok.Warnings)
}

// EOF writes an EOF packet.
func (w *Writer) EOF(status Status, warnings uint16) error {
	b := append(w.Begin(), MarkEOF)
	b = binary.LittleEndian.AppendUint16(b, warnings)
	return w.End(binary.LittleEndian.AppendUint16(b, uint16(status)))
}

// ParseEOF decodes an EOF packet.
func ParseEOF(body []byte) (status Status, warnings uint16, err error) {
	c := cursor{b: body, packet: "EOF_Packet"}
	c.is(MarkEOF, "0xfe")
	warnings = c.uint16("a number of warnings")
	status = Status(c.uint16("status flags"))
	return status, warnings, c.end()
}

// ParseResultEnd decodes what ends rows, for which RowEnds says yes and which is
// no ERR: an OK packet with CapDeprecateEOF, else EOF.
func ParseResultEnd(body []byte, caps Capabilities) (OK, error) {
	if caps.Has(CapDeprecateEOF) {
		return ParseOK(body, caps)
	}
	status, warnings, err := ParseEOF(body)
	return OK{Status: status, Warnings: warnings}, err
}

// ServerError is an ERR packet. As an error it is for the log: its text can
// quote values.
type ServerError struct {
	Number  uint16
	State   string // SQLSTATE, HY000 if the packet has none
	Message string
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("server error %d (%s): %s", e.Number, e.State, e.Message)
}

// ParseError decodes an ERR packet; the error is of type *Malformed. One that
// comes in place of a greeting has no SQLSTATE. A number of 0xffff is no error
// but a progress report, which MariaDB sends with CapProgress alone.
func ParseError(body []byte) (ServerError, error) {
	c := cursor{b: body, packet: "ERR_Packet"}
	c.is(MarkErr, "0xff")
	e := ServerError{Number: c.uint16("an error number"), State: StateGeneral}
	if c.left() > 0 && body[c.off] == '#' {
		c.off++
		e.State = string(c.bytes(5, "a SQLSTATE"))
	}
	e.Message = string(c.rest())
	return e, c.fault()
}

// Error writes an ERR packet. To a client that is not known yet (before the
// login was read) it goes without a SQLSTATE: use GreetingError there.
func (w *Writer) Error(e *ServerError) error {
	state := e.State
	if len(state) != 5 {
		state = StateGeneral
	}
	b := binary.LittleEndian.AppendUint16(append(w.Begin(), MarkErr), e.Number)
	b = append(append(b, '#'), state...)
	return w.End(append(b, e.Message...))
}

// GreetingError writes an ERR packet in place of a greeting.
func (w *Writer) GreetingError(e *ServerError) error {
	b := binary.LittleEndian.AppendUint16(append(w.Begin(), MarkErr), e.Number)
	return w.End(append(b, e.Message...))
}

// ResultKind says what the first packet of a reply is.
type ResultKind uint8

// Kinds of first packets of a reply to COM_QUERY, COM_STMT_EXECUTE and the like.
const (
	ResultOK        ResultKind = iota + 1
	ResultError                // ERR
	ResultLocalFile            // the server asks for a file
	ResultColumns              // a number of columns, then their definitions
)

// KindOfResult says what a reply's first packet is.
func KindOfResult(h Header) ResultKind {
	switch {
	case h.Type == MarkOK:
		return ResultOK
	case h.Type == MarkErr:
		return ResultError
	case h.Type == MarkLocalFile:
		return ResultLocalFile
	}
	return ResultColumns
}

// maxColumns bounds the columns of a result; MySQL and MariaDB allow 4096.
const maxColumns = 1<<16 - 1

// ColumnCount begins a result set.
type ColumnCount struct {
	Columns int
	// Definitions says that column definitions follow, which is always so
	// without CapCacheMetadata.
	Definitions bool
}

// ParseColumnCount decodes the packet that begins a result set.
func ParseColumnCount(body []byte, caps Capabilities) (ColumnCount, error) {
	c := cursor{b: body, packet: "column count"}
	n := c.lenenc("a number of columns")
	if c.err == nil && (n == 0 || n > maxColumns) {
		c.off = 0
		c.fail("1 to 65535 columns")
	}
	m := ColumnCount{Columns: int(n), Definitions: true}
	if caps.Has(CapCacheMetadata) {
		m.Definitions = c.byte("whether definitions follow") != 0
	}
	return m, c.end()
}

// ColumnCount writes the packet that begins a result set, whose definitions
// follow.
func (w *Writer) ColumnCount(n int) error {
	b := AppendLenencInt(w.Begin(), uint64(n))
	if w.caps.Has(CapCacheMetadata) {
		b = append(b, 1)
	}
	return w.End(b)
}

// ParseLocalFile returns the file name of a LOCAL INFILE request.
func ParseLocalFile(body []byte) (name []byte, err error) {
	c := cursor{b: body, packet: "LOCAL INFILE request"}
	c.is(MarkLocalFile, "0xfb")
	name = c.rest()
	return name, c.fault()
}

// Prepared is the first packet of a reply to COM_STMT_PREPARE.
type Prepared struct {
	Statement uint32
	Columns   int
	Params    int
	Warnings  uint16
}

// ParsePrepared decodes COM_STMT_PREPARE_OK.
func ParsePrepared(body []byte) (Prepared, error) {
	c := cursor{b: body, packet: "COM_STMT_PREPARE_OK"}
	c.is(MarkOK, "0x00")
	m := Prepared{
		Statement: c.uint32("a statement ID"),
		Columns:   int(c.uint16("a number of columns")),
		Params:    int(c.uint16("a number of parameters")),
	}
	c.byte("a filler")
	if c.left() > 0 { // old servers have no warnings here
		m.Warnings = c.uint16("a number of warnings")
	}
	return m, c.fault()
}

// Prepared writes COM_STMT_PREPARE_OK.
func (w *Writer) Prepared(m *Prepared) error {
	b := append(w.Begin(), MarkOK)
	b = binary.LittleEndian.AppendUint32(b, m.Statement)
	b = binary.LittleEndian.AppendUint16(b, uint16(m.Columns))
	b = binary.LittleEndian.AppendUint16(b, uint16(m.Params))
	b = append(b, 0)
	return w.End(binary.LittleEndian.AppendUint16(b, m.Warnings))
}
