package pgwire

import (
	"bytes"
	"encoding/binary"
)

// cursor walks a body. After the first fault it stays where it is and every
// step yields nothing, so that a decoder checks once, at its end.
type cursor struct {
	b   []byte
	off int
	msg string
	err *Malformed
}

func (c *cursor) fail(want string) {
	if c.err == nil {
		c.err = &Malformed{Message: c.msg, Offset: c.off, Want: want}
	}
}

func (c *cursor) byte(want string) byte {
	if c.err != nil || c.off >= len(c.b) {
		c.fail(want)
		return 0
	}
	c.off++
	return c.b[c.off-1]
}

func (c *cursor) uint16(want string) uint16 {
	if c.err != nil || len(c.b)-c.off < 2 {
		c.fail(want)
		return 0
	}
	c.off += 2
	return binary.BigEndian.Uint16(c.b[c.off-2:])
}

func (c *cursor) uint32(want string) uint32 {
	if c.err != nil || len(c.b)-c.off < 4 {
		c.fail(want)
		return 0
	}
	c.off += 4
	return binary.BigEndian.Uint32(c.b[c.off-4:])
}

// cstring yields the bytes up to a NUL.
func (c *cursor) cstring(want string) []byte {
	if c.err != nil {
		return nil
	}
	n := bytes.IndexByte(c.b[c.off:], 0)
	if n < 0 {
		c.fail(want)
		return nil
	}
	s := c.b[c.off : c.off+n : c.off+n]
	c.off += n + 1
	return s
}

func (c *cursor) bytes(n int, want string) []byte {
	if c.err != nil || n < 0 || len(c.b)-c.off < n {
		c.fail(want)
		return nil
	}
	c.off += n
	return c.b[c.off-n : c.off : c.off]
}

// value yields a value behind its length, nil for NULL.
func (c *cursor) value(want string) []byte {
	n := c.uint32(want)
	if n == nullLen || c.err != nil {
		return nil
	}
	if n > 1<<31-1 {
		c.off -= 4
		c.fail("a length of -1 or more")
		return nil
	}
	return c.bytes(int(n), want)
}

// end returns the first fault, or one if anything is left.
func (c *cursor) end() error {
	if c.err == nil && c.off != len(c.b) {
		c.fail("the end of the message")
	}
	if c.err != nil {
		return c.err
	}
	return nil
}

// nullLen is the length -1 that stands for NULL.
const nullLen = 1<<32 - 1

// Formats is a list of format codes as Bind, CopyInResponse and the like carry
// it: 0 for text, 1 for binary.
type Formats struct{ b []byte }

// Len returns how many codes there are.
func (f Formats) Len() int { return len(f.b) / 2 }

// At returns code i as it was sent.
func (f Formats) At(i int) int16 { return int16(binary.BigEndian.Uint16(f.b[2*i:])) }

// Of returns the code that applies to value i under the protocol's rule: none
// means text for all, one is for all, else each has its own. A value beyond
// the list yields -1.
func (f Formats) Of(i int) int16 {
	switch n := f.Len(); {
	case n == 0:
		return 0
	case n == 1:
		return f.At(0)
	case i < n:
		return f.At(i)
	}
	return -1
}

func (c *cursor) formats(want string) Formats {
	n := int(c.uint16(want))
	return Formats{b: c.bytes(2*n, want)}
}

// OIDs is a list of object identifiers inside a body.
type OIDs struct{ b []byte }

// Len returns how many there are.
func (o OIDs) Len() int { return len(o.b) / 4 }

// At returns identifier i.
func (o OIDs) At(i int) uint32 { return binary.BigEndian.Uint32(o.b[4*i:]) }

func (c *cursor) oids(want string) OIDs {
	n := int(c.uint16(want))
	return OIDs{b: c.bytes(4*n, want)}
}

// Values iterates over values behind their lengths, as Bind and FunctionCall
// carry them. Its body has been checked.
type Values struct {
	b    []byte
	left int
}

// Len returns how many values are still to come.
func (v *Values) Len() int { return v.left }

// Next returns the next value, which is nil for NULL and never nil otherwise.
func (v *Values) Next() (value []byte, ok bool) {
	if v.left == 0 {
		return nil, false
	}
	v.left--
	n := binary.BigEndian.Uint32(v.b)
	if n == nullLen {
		v.b = v.b[4:]
		return nil, true
	}
	value = v.b[4 : 4+n : 4+n]
	v.b = v.b[4+n:]
	return value, true
}

func (c *cursor) values(want string) Values {
	n := int(c.uint16(want))
	start := c.off
	for range n {
		c.value(want)
		if c.err != nil {
			return Values{}
		}
	}
	return Values{b: c.b[start:c.off], left: n}
}
