package pgwire

import (
	"bytes"
	"errors"
	"fmt"
)

// CopyFormat is a format of COPY data.
type CopyFormat uint8

// Formats of COPY data (PostgreSQL documentation, COPY, File Formats).
const (
	CopyText CopyFormat = iota
	CopyCSV
	CopyBinary
)

// CopySpec is what a COPY statement says of its data.
type CopySpec struct {
	Format    CopyFormat
	Columns   int    // every row has as many
	Delimiter byte   // text, CSV; zero for the default
	Null      string // text, CSV: exactly as it stands in the data
	Header    bool   // text, CSV: the first row holds names
	Quote     byte   // CSV; zero for the default
	Escape    byte   // CSV; zero for the same as Quote
	// ForceQuote names columns whose values AppendCell always quotes. It comes
	// from the statement, not from the data: whether a value needed quotes says
	// something about it.
	ForceQuote []bool
	MaxRow     int // longest row in bytes; zero for MaxBody
}

// DefaultCopy returns the spec of COPY without options.
func DefaultCopy(f CopyFormat, columns int) CopySpec {
	s := CopySpec{Format: f, Columns: columns}
	if f == CopyText {
		s.Null = `\N`
	}
	return s
}

func (s *CopySpec) complete() error {
	if s.MaxRow <= 0 || s.MaxRow > MaxBody {
		s.MaxRow = MaxBody
	}
	if s.Columns < 0 {
		return errors.New("copy: negative number of columns")
	}
	if s.Format == CopyBinary {
		return nil
	}
	if s.Delimiter == 0 {
		s.Delimiter = '\t'
		if s.Format == CopyCSV {
			s.Delimiter = ','
		}
	}
	bad := func(c byte) bool { return c == '\n' || c == '\r' || c >= 0x80 }
	if bad(s.Delimiter) || s.Format == CopyText && bytes.IndexByte([]byte(`\.abcdefghijklmnopqrstuvwxyz0123456789`), s.Delimiter) >= 0 {
		return fmt.Errorf("copy: delimiter %q cannot be used", s.Delimiter)
	}
	if bytes.ContainsAny([]byte(s.Null), "\r\n") || bytes.IndexByte([]byte(s.Null), s.Delimiter) >= 0 {
		return errors.New("copy: the null string holds the delimiter or a line end")
	}
	if s.Format == CopyText {
		return nil
	}
	if s.Quote == 0 {
		s.Quote = '"'
	}
	if s.Escape == 0 {
		s.Escape = s.Quote
	}
	if bad(s.Quote) || bad(s.Escape) || s.Quote == s.Delimiter || bytes.IndexByte([]byte(s.Null), s.Quote) >= 0 {
		return errors.New("copy: quote or escape cannot be used with the delimiter and the null string")
	}
	return nil
}

// CopyRowKind says what a row of COPY data is.
type CopyRowKind uint8

// Kinds of rows. Only the cells of CopyData and CopyNames can be looked at.
const (
	CopyValues CopyRowKind = iota + 1 // a row of the table
	CopyNames                         // the header line of text and CSV
	CopyFrame                         // binary header and trailer, end-of-data line
)

// CopyRows cuts a stream of CopyData messages into rows and cells. Rows may
// begin and end anywhere in a message.
//
//	rows.Feed(chunk)
//	for rows.Next() {
//		dst = rows.AppendTo(dst, 2)           // cells 0 and 1 as they are
//		dst = rows.AppendCell(dst, 2, masked) // cell 2
//		dst = rows.AppendRest(dst)            // all after it, and the row's end
//	}
//	err := rows.Err()
//
// What is not replaced is printed byte for byte as it came. Client encodings
// in which a byte below 0x80 can be a part of a character (SJIS, BIG5, GBK, …)
// cannot be cut and must not be used.
type CopyRows struct {
	spec    CopySpec
	special [256]byte // class of each byte in text and CSV

	data  []byte // what was fed and is not yet consumed
	carry []byte // owned memory for a row that goes on in the next message
	pos   int    // start of the next row in data
	final bool   // Finish was called

	scan    int // bytes of the next row that were looked at
	inQuote bool
	quoted  bool
	cellAt  int // start of the cell being scanned
	eol     eolKind

	headed bool // the header was seen
	ended  bool // the end marker was seen
	kind   CopyRowKind
	row    []byte
	cells  []copyCell
	at     int // bytes of row that were printed
	err    error
}

type copyCell struct {
	start, end int // in the row; with its length in binary
	null       bool
	quoted     bool
}

type eolKind uint8

const (
	eolUnknown eolKind = iota
	eolLF
	eolCR
	eolCRLF
)

// Classes of bytes.
const (
	classPlain byte = iota
	classDelimiter
	classEscape
	classQuote
	classEOL
)

// NewCopyRows returns an iterator over data as spec describes it.
func NewCopyRows(spec CopySpec) (*CopyRows, error) {
	if err := spec.complete(); err != nil {
		return nil, err
	}
	c := &CopyRows{spec: spec}
	c.special['\n'], c.special['\r'] = classEOL, classEOL
	switch spec.Format {
	case CopyText:
		c.special['\\'] = classEscape
		c.special[spec.Delimiter] = classDelimiter
	case CopyCSV:
		c.special[spec.Escape] = classEscape
		c.special[spec.Quote] = classQuote
		c.special[spec.Delimiter] = classDelimiter
	}
	return c, nil
}

// Feed gives the body of the next CopyData message. It is to be called when
// Next has returned false, and the chunk is used until Next does so again.
func (c *CopyRows) Feed(chunk []byte) {
	if len(c.carry) == 0 {
		c.data = chunk
		return
	}
	c.carry = append(c.carry, chunk...)
	c.data = c.carry
}

// Finish says that the data ends here (CopyDone). In text and CSV, Next may
// then yield a last row that has no line end.
func (c *CopyRows) Finish() {
	c.final = true
	c.data = c.carry
}

// Next goes on to the next row that is complete.
func (c *CopyRows) Next() bool {
	if c.err != nil {
		return false
	}
	rest := c.data[c.pos:]
	var n int
	switch {
	case len(rest) == 0:
	case c.ended:
		c.fail(0, "no data after the end-of-data marker")
	case c.spec.Format == CopyText:
		n = c.scanText(rest)
	case c.spec.Format == CopyCSV:
		n = c.scanCSV(rest)
	default:
		n = c.scanBinary(rest)
	}
	if size := max(n, c.scan); c.err == nil && (size > c.spec.MaxRow || n == 0 && len(rest) > c.spec.MaxRow) {
		c.err = &TooLong{Type: MsgCopyData, Len: max(size, len(rest)), Limit: c.spec.MaxRow}
	}
	if c.err != nil || n == 0 {
		c.keep(rest)
		return false
	}
	c.row = rest[:n:n]
	c.at = 0
	c.pos += n
	c.scan, c.cellAt, c.inQuote, c.quoted = 0, 0, false, false
	return true
}

// keep moves what begins the next row to memory that outlives the message.
func (c *CopyRows) keep(rest []byte) {
	c.row, c.kind = nil, 0
	if c.err != nil {
		c.data, c.carry, c.pos = nil, nil, 0
		return
	}
	if c.pos > 0 || len(c.carry) == 0 {
		c.carry = append(c.carry[:0], rest...)
	}
	c.data, c.pos = nil, 0
}

// Err returns what is wrong with the data: *Malformed, whose offset counts from
// the start of the row, or *TooLong.
func (c *CopyRows) Err() error { return c.err }

// Partial returns how many bytes of an incomplete row are kept.
func (c *CopyRows) Partial() int { return len(c.carry) }

// Kind returns what the present row is.
func (c *CopyRows) Kind() CopyRowKind { return c.kind }

// Raw returns the present row with its line end, valid until the next call of
// Next or Feed.
func (c *CopyRows) Raw() []byte { return c.row }

// Len returns how many cells the present row has.
func (c *CopyRows) Len() int { return len(c.cells) }

// IsNull reports whether cell i is NULL.
func (c *CopyRows) IsNull(i int) bool { return c.cells[i].null }

// AppendValue appends the value of cell i, free of escapes and quotes, to dst.
func (c *CopyRows) AppendValue(dst []byte, i int) []byte {
	cell := c.cells[i]
	raw := c.row[cell.start:cell.end]
	switch {
	case cell.null:
		return dst
	case c.spec.Format == CopyText:
		return appendTextValue(dst, raw)
	case c.spec.Format == CopyCSV:
		return c.appendCSVValue(dst, raw)
	}
	return append(dst, raw[4:]...)
}

// AppendTo prints what has not been printed of the row before cell i to dst.
func (c *CopyRows) AppendTo(dst []byte, i int) []byte {
	start := c.cells[i].start
	dst = append(dst, c.row[c.at:start]...)
	c.at = start
	return dst
}

// AppendCell prints a new value in place of cell i, which is the one that
// AppendTo went up to.
func (c *CopyRows) AppendCell(dst []byte, i int, value []byte) []byte {
	c.at = c.cells[i].end
	switch c.spec.Format {
	case CopyText:
		return appendTextCell(dst, value, c.spec.Delimiter)
	case CopyCSV:
		return c.appendCSVCell(dst, i, value)
	}
	return appendBinaryCell(dst, value)
}

// AppendNull prints NULL in place of cell i.
func (c *CopyRows) AppendNull(dst []byte, i int) []byte {
	c.at = c.cells[i].end
	if c.spec.Format == CopyBinary {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	return append(dst, c.spec.Null...)
}

// AppendRest prints what has not been printed of the row to dst.
func (c *CopyRows) AppendRest(dst []byte) []byte {
	dst = append(dst, c.row[c.at:]...)
	c.at = len(c.row)
	return dst
}

func (c *CopyRows) fail(at int, want string) {
	if c.err == nil {
		c.err = &Malformed{Message: "CopyData", Offset: at, Want: want}
	}
}

// startRow forgets the cells of the row before.
func (c *CopyRows) startRow() {
	if c.scan == 0 {
		c.cells = c.cells[:0]
	}
}

// cellEnds notes that the cell being scanned ends before b[end].
func (c *CopyRows) cellEnds(b []byte, end int) {
	if len(c.cells) >= max(c.spec.Columns, 1) {
		c.fail(end, "no more cells than columns")
		return
	}
	cell := copyCell{start: c.cellAt, end: end, quoted: c.quoted}
	cell.null = !c.quoted && string(b[cell.start:end]) == c.spec.Null
	c.cells = append(c.cells, cell)
	c.cellAt, c.quoted = end+1, false
}

// lineEnds ends the line before the line end of n bytes at b[end], and returns
// the row's length.
func (c *CopyRows) lineEnds(b []byte, end, n int) int {
	c.cellEnds(b, end)
	if c.spec.Columns == 0 && end == 0 {
		c.cells = c.cells[:0]
	}
	if c.err == nil && len(c.cells) != c.spec.Columns {
		c.fail(end, "as many cells as columns")
	}
	if c.err != nil {
		return 0
	}
	c.kind = CopyValues
	if c.spec.Header && !c.headed {
		c.headed, c.kind = true, CopyNames
	}
	return end + n
}

// marker ends the data at the end-of-data line of n bytes.
func (c *CopyRows) marker(n int) int {
	c.ended, c.kind = true, CopyFrame
	c.cells = c.cells[:0]
	return n
}

// lineEnd looks at the line end at b[i]. It returns its length, or 0 if more
// input is needed to tell or it differs from the first one, as PostgreSQL
// demands.
func (c *CopyRows) lineEnd(b []byte, i int) int {
	kind := eolLF
	if b[i] == '\r' {
		kind = eolCR
		if i+1 < len(b) {
			if b[i+1] == '\n' && c.eol != eolCR {
				kind = eolCRLF
			}
		} else if !c.final && c.eol != eolCR && c.eol != eolLF {
			return 0
		}
	}
	if c.eol == eolUnknown {
		c.eol = kind
	}
	if c.eol != kind {
		c.fail(i, "line ends that are all the same")
		return 0
	}
	if kind == eolCRLF {
		return 2
	}
	return 1
}
