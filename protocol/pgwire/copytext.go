package pgwire

// scanText looks for the end of the row that b begins with, notes its cells and
// returns its length with the line end; 0 if there is no end yet.
func (c *CopyRows) scanText(b []byte) int {
	c.startRow()
	i := c.scan
	for c.err == nil {
		for i < len(b) && c.special[b[i]] == classPlain {
			i++
		}
		if i == len(b) {
			break
		}
		switch c.special[b[i]] {
		case classDelimiter:
			c.cellEnds(b, i)
			i++
		case classEscape:
			if i+1 == len(b) {
				if !c.final {
					c.scan = i
					return 0
				}
				i++
				break
			}
			if b[i+1] == '.' {
				return c.textMarker(b, i)
			}
			i += 2
		case classEOL:
			if n := c.lineEnd(b, i); n > 0 {
				return c.lineEnds(b, i, n)
			}
			c.scan = i
			return 0
		}
	}
	c.scan = i
	if c.final && c.err == nil {
		return c.lineEnds(b, i, 0)
	}
	return 0
}

// textMarker handles an unescaped \. at b[i], which ends the data if it is alone
// on its line and is nothing else anywhere.
func (c *CopyRows) textMarker(b []byte, i int) int {
	c.scan = i
	switch {
	case i > 0:
		c.fail(i, `the end-of-data marker \. alone on its line`)
	case len(b) == 2 && !c.final:
	case len(b) == 2:
		return c.marker(2)
	case c.special[b[2]] != classEOL:
		c.fail(i, `the end-of-data marker \. alone on its line`)
	default:
		if n := c.lineEnd(b, 2); n > 0 {
			return c.marker(2 + n)
		}
	}
	return 0
}

// appendTextValue appends the value of a cell in text format to dst.
func appendTextValue(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		b := raw[i]
		i++
		if b != '\\' {
			dst = append(dst, b)
			continue
		}
		if i == len(raw) {
			break
		}
		b = raw[i]
		i++
		switch b {
		case 'b':
			b = '\b'
		case 'f':
			b = '\f'
		case 'n':
			b = '\n'
		case 'r':
			b = '\r'
		case 't':
			b = '\t'
		case 'v':
			b = '\v'
		case 'x':
			n := 0
			for n < 2 && i+n < len(raw) && hexDigit(raw[i+n]) >= 0 {
				n++
			}
			if n > 0 {
				b = 0
				for _, d := range raw[i : i+n] {
					b = b<<4 | byte(hexDigit(d))
				}
				i += n
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			b -= '0'
			for n := 0; n < 2 && i < len(raw) && raw[i] >= '0' && raw[i] <= '7'; n++ {
				b = b<<3 | (raw[i] - '0')
				i++
			}
		}
		dst = append(dst, b)
	}
	return dst
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// appendTextCell prints a value as PostgreSQL does in text format.
func appendTextCell(dst, value []byte, delimiter byte) []byte {
	for _, b := range value {
		switch b {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\v':
			dst = append(dst, '\\', 'v')
		case '\\', delimiter:
			dst = append(dst, '\\', b)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}
