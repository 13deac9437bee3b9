package pgwire

// Field describes a result column, as RowDescription carries it.
type Field struct {
	Name     []byte // points into the body
	TableOID uint32 // 0 unless the column is a table's
	Attr     int16  // attribute number in that table, or 0
	TypeOID  uint32
	Size     int16 // pg_type.typlen: negative for a type of variable width
	Modifier int32 // pg_attribute.atttypmod
	Format   int16 // 0 text, 1 binary; 0 when a statement is described
}

// minField is an empty name with its NUL and the fixed parts.
const minField = 1 + 4 + 2 + 4 + 2 + 4 + 2

// AppendFields decodes RowDescription and appends its columns to dst, which is
// returned unchanged together with an error.
func AppendFields(dst []Field, body []byte) ([]Field, error) {
	c := cursor{b: body, msg: "RowDescription"}
	n := int(c.uint16("a number of columns"))
	if c.err == nil && n*minField > len(body) {
		c.off -= 2
		c.fail("no more columns than fit the message")
	}
	start := len(dst)
	for range n {
		f := Field{
			Name:     c.cstring("a terminated column name"),
			TableOID: c.uint32("a table's OID"),
			Attr:     int16(c.uint16("an attribute number")),
			TypeOID:  c.uint32("a type's OID"),
			Size:     int16(c.uint16("a type's size")),
			Modifier: int32(c.uint32("a type modifier")),
			Format:   int16(c.uint16("a format of 0 or 1")),
		}
		if c.err == nil && f.Format != 0 && f.Format != 1 {
			c.off -= 2
			c.fail("a format of 0 or 1")
		}
		if c.err != nil {
			return dst[:start], c.err
		}
		dst = append(dst, f)
	}
	if err := c.end(); err != nil {
		return dst[:start], err
	}
	return dst, nil
}
