package masking

import (
	"bytes"
	"encoding/binary"
)

// maxDimensions is PostgreSQL's MAXDIM.
const maxDimensions = 6

// array masks the elements of an array one by one. NULL elements stay NULL;
// what is not an array as PostgreSQL writes it is not masked but refused.
func (c *cell) array(dst, src []byte, row Row) ([]byte, bool) {
	if c.format == Binary {
		return c.arrayBinary(dst, src, row)
	}
	return c.arrayText(dst, src, row)
}

func appendArrayHeader(dst []byte, dimensions, flags, elem uint32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, dimensions)
	dst = binary.BigEndian.AppendUint32(dst, flags)
	return binary.BigEndian.AppendUint32(dst, elem)
}

// arrayBinary reads dimensions, a NULL flag, the element's OID, a length and a
// lower bound per dimension, then the elements with their lengths (array_send).
func (c *cell) arrayBinary(dst, src []byte, row Row) ([]byte, bool) {
	bound := len(dst) + MaxOutput(len(src))
	if len(src) < 12 {
		return dst, false
	}
	dimensions := binary.BigEndian.Uint32(src)
	header := 12 + 8*int(min(dimensions, maxDimensions+1))
	if dimensions > maxDimensions || len(src) < header {
		return dst, false
	}
	count := uint64(min(dimensions, 1))
	for d := range int(dimensions) {
		count *= uint64(binary.BigEndian.Uint32(src[12+8*d:]))
		if count > uint64(len(src)) {
			return dst, false
		}
	}
	dst = append(dst, src[:header]...)
	src = src[header:]
	for ; count > 0; count-- {
		if len(src) < 4 || len(dst) > bound {
			return dst, false
		}
		size := int(int32(binary.BigEndian.Uint32(src)))
		src = src[4:]
		if size == -1 {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		if size < 0 || size > len(src) {
			return dst, false
		}
		at := len(dst)
		dst = c.elem.append(append(dst, 0, 0, 0, 0), src[:size], row)
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		src = src[size:]
	}
	return dst, len(src) == 0
}

// arrayText reads {1,NULL,"a \"b\""}, nested for more dimensions, with bounds
// like [0:1]= in front where they do not begin at 1.
func (c *cell) arrayText(dst, src []byte, row Row) ([]byte, bool) {
	bound := len(dst) + MaxOutput(len(src))
	s := scanner{src: src}
	if !s.bounds() {
		return dst, false
	}
	dst = append(dst, src[:s.at]...)
	depth, value := 0, true // value: an element or a brace may begin here
	for s.at < len(src) {
		if len(dst) > bound {
			return dst, false
		}
		b := src[s.at]
		switch {
		case b == '{' && value && depth < maxDimensions:
			depth++
		case b == '}' && depth > 0 && (!value || src[s.at-1] == '{'):
			depth--
			value = false
			if depth == 0 {
				return append(dst, b), s.at == len(src)-1
			}
		case b == ',' && !value && depth > 0:
			value = true
		case b == '{' || b == '}' || b == ',' || !value || depth == 0:
			return dst, false
		default:
			var ok bool
			if dst, ok = c.elementText(dst, &s, row); !ok {
				return dst, false
			}
			value = false
			continue
		}
		dst = append(dst, b)
		s.at++
	}
	return dst, false
}

// bounds skips the bounds in front of an array, as in [0:1][-1:3]=.
func (s *scanner) bounds() bool {
	if s.peek() != '[' {
		return true
	}
	for s.peek() == '[' {
		for _, end := range []byte{':', ']'} {
			if s.at++; s.peek() == '-' {
				s.at++
			}
			s.digits(1, 10)
			if s.peek() != end {
				return false
			}
		}
		s.at++
	}
	s.byte('=')
	return !s.bad
}

// elementText masks the element that begins at s.
func (c *cell) elementText(dst []byte, s *scanner, row Row) ([]byte, bool) {
	c.scratch = c.scratch[:0]
	quoted := s.peek() == '"'
	if quoted {
		s.at++
	}
	for closed := false; !closed; {
		if s.at == len(s.src) {
			return dst, false
		}
		b := s.src[s.at]
		switch {
		case b == '"' && !quoted:
			return dst, false
		case b == '"':
			closed = true
		case b == '\\':
			if s.at++; s.at == len(s.src) {
				return dst, false
			}
			c.scratch = append(c.scratch, s.src[s.at])
		case !quoted && (b == ',' || b == '}' || b == '{'):
			closed = true
			continue
		default:
			c.scratch = append(c.scratch, b)
		}
		s.at++
	}
	if !quoted && bytes.EqualFold(c.scratch, []byte("NULL")) {
		return append(dst, "NULL"...), true
	}
	n := len(c.scratch)
	c.scratch = c.elem.append(c.scratch, c.scratch[:n], row)
	return appendElement(dst, c.scratch[n:]), true
}

// appendElement appends an array element, quoted where array_out quotes.
func appendElement(dst, elem []byte) []byte {
	plain := len(elem) > 0 && !bytes.ContainsAny(elem, "\"\\{}, \t\n\r\v\f") && !bytes.EqualFold(elem, []byte("NULL"))
	if plain {
		return append(dst, elem...)
	}
	dst = append(dst, '"')
	for _, b := range elem {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}
