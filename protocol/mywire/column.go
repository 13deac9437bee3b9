package mywire

import "encoding/binary"

// Column is a column definition (Protocol::ColumnDefinition41).
type Column struct {
	Catalog  []byte // always def
	Schema   []byte
	Table    []byte // its alias
	OrgTable []byte // empty unless the column is a table's
	Name     []byte // its alias
	OrgName  []byte // empty unless the column is a table's
	// Extended is MariaDB's further description of the type, with
	// CapExtendedMetadata: entries of a kind (0 type name, 1 format) and a text.
	Extended  []byte
	Collation uint16
	Length    uint32 // longest value in bytes or, of numbers, in digits
	Type      Type
	Flags     ColumnFlags
	Decimals  byte
	Default   []byte // of COM_FIELD_LIST: nil for none
	HasDef    bool   // the definition carries a default
}

// Entries of Column.Extended.
const (
	ExtendedTypeName = 0 // such as inet6, uuid, point
	ExtendedFormat   = 1 // such as json
)

// fixedColumn is the length of the part of fixed length.
const fixedColumn = 0x0c

// ParseColumn decodes a column definition of a result set, a prepared statement
// or COM_FIELD_LIST. What it returns points into the payload.
func ParseColumn(body []byte, caps Capabilities) (Column, error) {
	c := cursor{b: body, packet: "ColumnDefinition41"}
	col := Column{
		Catalog:  c.text("a catalog"),
		Schema:   c.text("a schema"),
		Table:    c.text("a table's alias"),
		OrgTable: c.text("a table's name"),
		Name:     c.text("a column's alias"),
		OrgName:  c.text("a column's name"),
	}
	if caps.Has(CapExtendedMetadata) {
		col.Extended = c.text("extended metadata")
	}
	c.is(fixedColumn, "a fixed part of 12 bytes")
	col.Collation = c.uint16("a collation")
	col.Length = c.uint32("a length")
	col.Type = Type(c.byte("a type"))
	col.Flags = ColumnFlags(c.uint16("flags"))
	col.Decimals = c.byte("decimals")
	c.bytes(2, "a filler")
	if c.left() > 0 {
		col.HasDef = true
		if c.b[c.off] == nullCell {
			c.off++
		} else {
			col.Default = c.text("a default")
		}
	}
	return col, c.end()
}

// ExtendedEntry returns the text of an entry of col.Extended, nil if it has none
// or is malformed.
func (col *Column) ExtendedEntry(kind byte) []byte {
	c := cursor{b: col.Extended, packet: "extended metadata"}
	for c.left() > 0 {
		k, text := c.byte("a kind"), c.text("a text")
		if c.err == nil && k == kind {
			return text
		}
	}
	return nil
}

// AppendColumn appends the payload of a column definition for a peer with caps.
func AppendColumn(dst []byte, col *Column, caps Capabilities) []byte {
	for _, s := range [][]byte{col.Catalog, col.Schema, col.Table, col.OrgTable, col.Name, col.OrgName} {
		dst = AppendLenencString(dst, s)
	}
	if caps.Has(CapExtendedMetadata) {
		dst = AppendLenencString(dst, col.Extended)
	}
	dst = append(dst, fixedColumn)
	dst = binary.LittleEndian.AppendUint16(dst, col.Collation)
	dst = binary.LittleEndian.AppendUint32(dst, col.Length)
	dst = append(dst, byte(col.Type))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(col.Flags))
	dst = append(dst, col.Decimals, 0, 0)
	switch {
	case !col.HasDef:
	case col.Default == nil:
		dst = append(dst, nullCell)
	default:
		dst = AppendLenencString(dst, col.Default)
	}
	return dst
}

// Column writes a column definition.
func (w *Writer) Column(col *Column) error {
	return w.End(AppendColumn(w.Begin(), col, w.caps))
}
