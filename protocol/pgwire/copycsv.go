package pgwire

import "bytes"

// scanCSV looks for the end of the row that b begins with, notes its cells and
// returns its length with the line end; 0 if there is no end yet.
func (c *CopyRows) scanCSV(b []byte) int {
	c.startRow()
	i := c.scan
	for c.err == nil {
		for i < len(b) && c.special[b[i]] == classPlain {
			i++
		}
		if i == len(b) {
			break
		}
		ch := b[i]
		switch {
		case c.inQuote && ch == c.spec.Escape && ch != c.spec.Quote:
			// An escape counts before a quote or an escape only.
			if i+1 == len(b) && !c.final {
				c.scan = i
				return 0
			}
			i++
			if i < len(b) && (b[i] == c.spec.Quote || b[i] == c.spec.Escape) {
				i++
			}
		case ch == c.spec.Quote:
			// A doubled quote leaves the quotes and enters them again.
			c.inQuote = !c.inQuote
			c.quoted = true
			i++
		case c.inQuote:
			i++
		case ch == c.spec.Delimiter:
			c.cellEnds(b, i)
			i++
		case ch == '\n' || ch == '\r':
			n := c.lineEnd(b, i)
			if n == 0 {
				c.scan = i
				return 0
			}
			if i == 2 && string(b[:2]) == `\.` && len(c.cells) == 0 && !c.quoted {
				return c.marker(2 + n)
			}
			return c.lineEnds(b, i, n)
		default:
			i++
		}
	}
	c.scan = i
	if !c.final || c.err != nil {
		return 0
	}
	if c.inQuote {
		c.fail(i, "the end of a quoted cell")
		return 0
	}
	if string(b) == `\.` && len(c.cells) == 0 && !c.quoted {
		return c.marker(2)
	}
	return c.lineEnds(b, i, 0)
}

// appendCSVValue appends the value of a cell in CSV format to dst.
func (c *CopyRows) appendCSVValue(dst, raw []byte) []byte {
	quote, escape := c.spec.Quote, c.spec.Escape
	in := false
	for i := 0; i < len(raw); i++ {
		b := raw[i]
		switch {
		case in && b == escape && i+1 < len(raw) && (raw[i+1] == escape || raw[i+1] == quote):
			i++
			dst = append(dst, raw[i])
		case b == quote:
			in = !in
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// appendCSVCell prints a value for column i as PostgreSQL does in CSV format.
func (c *CopyRows) appendCSVCell(dst []byte, i int, value []byte) []byte {
	s := &c.spec
	force := i < len(s.ForceQuote) && s.ForceQuote[i]
	if !force && string(value) != s.Null && !(s.Columns == 1 && string(value) == `\.`) &&
		bytes.IndexByte(value, s.Delimiter) < 0 && bytes.IndexByte(value, s.Quote) < 0 &&
		bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0 {
		return append(dst, value...)
	}
	dst = append(dst, s.Quote)
	for _, b := range value {
		if b == s.Quote || b == s.Escape {
			dst = append(dst, s.Escape)
		}
		dst = append(dst, b)
	}
	return append(dst, s.Quote)
}
