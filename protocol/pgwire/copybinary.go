package pgwire

import (
	"encoding/binary"
	"strings"
)

// copySignature begins COPY data in binary format.
const copySignature = "PGCOPY\n\xff\r\n\x00"

// criticalFlags are those that a reader must know; it knows none: the one for
// OIDs is not in use since PostgreSQL 12.
const criticalFlags = 0xffff0000

// scanBinary looks for the end of the header, row or trailer that b begins
// with, notes cells and returns its length; 0 if it is not complete.
func (c *CopyRows) scanBinary(b []byte) int {
	if !c.headed {
		return c.binaryHeader(b)
	}
	c.startRow()
	if c.scan == 0 {
		if len(b) < 2 {
			return c.incomplete(b)
		}
		count := int16(binary.BigEndian.Uint16(b))
		if count == -1 {
			return c.marker(2)
		}
		if int(count) != c.spec.Columns {
			c.fail(0, "as many cells as columns, or the trailer")
			return 0
		}
		c.scan = 2
	}
	for len(c.cells) < c.spec.Columns {
		if len(b)-c.scan < 4 {
			return c.incomplete(b)
		}
		n := binary.BigEndian.Uint32(b[c.scan:])
		end := c.scan + 4
		switch {
		case n == nullLen:
		case n > uint32(c.spec.MaxRow):
			c.fail(c.scan, "a length within the limit for rows, or -1")
			return 0
		case len(b)-end < int(n):
			return c.incomplete(b)
		default:
			end += int(n)
		}
		c.cells = append(c.cells, copyCell{start: c.scan, end: end, null: n == nullLen})
		c.scan = end
	}
	c.kind = CopyValues
	return c.scan
}

func (c *CopyRows) binaryHeader(b []byte) int {
	if n := min(len(b), len(copySignature)); !strings.HasPrefix(copySignature, string(b[:n])) {
		c.fail(0, "the signature of binary COPY data")
		return 0
	}
	const fixed = len(copySignature) + 8
	if len(b) < fixed {
		return c.incomplete(b)
	}
	if binary.BigEndian.Uint32(b[len(copySignature):])&criticalFlags != 0 {
		c.fail(len(copySignature), "no critical flags")
		return 0
	}
	ext := binary.BigEndian.Uint32(b[fixed-4:])
	if ext > uint32(c.spec.MaxRow) {
		c.fail(fixed-4, "a header extension within the limit for rows")
		return 0
	}
	if len(b)-fixed < int(ext) {
		return c.incomplete(b)
	}
	c.headed, c.kind = true, CopyFrame
	c.cells = c.cells[:0]
	return fixed + int(ext)
}

// incomplete asks for more input, of which there is none after Finish.
func (c *CopyRows) incomplete(b []byte) int {
	if c.final {
		c.fail(len(b), "the rest of the data")
	}
	return 0
}

// appendBinaryCell prints a value behind its length.
func appendBinaryCell(dst, value []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}
