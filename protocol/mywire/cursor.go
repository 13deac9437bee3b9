package mywire

import (
	"bytes"
	"encoding/binary"
)

// nullCell stands for NULL where a text row has a cell's length.
const nullCell = 0xfb

// LenencInt decodes a length-encoded integer at the start of b and returns it
// and how many bytes it takes; 0 bytes if it is truncated, or one of the two
// first bytes (0xfb, 0xff) that begin no number.
func LenencInt(b []byte) (n uint64, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	switch b[0] {
	default:
		return uint64(b[0]), 1
	case 0xfc:
		if len(b) >= 3 {
			return uint64(binary.LittleEndian.Uint16(b[1:])), 3
		}
	case 0xfd:
		if len(b) >= 4 {
			return uint64(b[1]) | uint64(b[2])<<8 | uint64(b[3])<<16, 4
		}
	case 0xfe:
		if len(b) >= 9 {
			return binary.LittleEndian.Uint64(b[1:]), 9
		}
	case nullCell, 0xff:
	}
	return 0, 0
}

// AppendLenencInt appends a length-encoded integer.
func AppendLenencInt(dst []byte, n uint64) []byte {
	switch {
	case n < 251:
		return append(dst, byte(n))
	case n < 1<<16:
		return append(dst, 0xfc, byte(n), byte(n>>8))
	case n < 1<<24:
		return append(dst, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	}
	return binary.LittleEndian.AppendUint64(append(dst, 0xfe), n)
}

// lenencSize returns how many bytes AppendLenencInt appends.
func lenencSize(n int) int {
	switch {
	case n < 251:
		return 1
	case n < 1<<16:
		return 3
	case n < 1<<24:
		return 4
	}
	return 9
}

// AppendLenencString appends a string behind its length.
func AppendLenencString(dst, s []byte) []byte {
	return append(AppendLenencInt(dst, uint64(len(s))), s...)
}

func appendLenencText(dst []byte, s string) []byte {
	return append(AppendLenencInt(dst, uint64(len(s))), s...)
}

// appendText appends s and a NUL; a NUL inside s would end it early and smuggle
// the rest in as another field, so it ends there.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == 0 {
			s = s[:i]
			break
		}
	}
	return append(append(dst, s...), 0)
}

// cursor walks a payload. After the first fault it stays where it is and every
// step yields nothing, so that a decoder checks once, at its end.
type cursor struct {
	b      []byte
	off    int
	packet string
	err    *Malformed
}

func (c *cursor) fail(want string) {
	if c.err == nil {
		c.err = &Malformed{Packet: c.packet, Offset: c.off, Want: want}
	}
}

// left returns how many bytes are still to come.
func (c *cursor) left() int {
	if c.err != nil {
		return 0
	}
	return len(c.b) - c.off
}

func (c *cursor) byte(want string) byte {
	if b := c.bytes(1, want); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16(want string) uint16 {
	if b := c.bytes(2, want); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32(want string) uint32 {
	if b := c.bytes(4, want); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// is demands a byte of a fixed value.
func (c *cursor) is(b byte, want string) {
	if c.byte(want) != b && c.err == nil {
		c.off--
		c.fail(want)
	}
}

// bytes yields n bytes, never nil unless they are not there.
func (c *cursor) bytes(n int, want string) []byte {
	if c.err != nil || n < 0 || len(c.b)-c.off < n {
		c.fail(want)
		return nil
	}
	c.off += n
	return c.b[c.off-n : c.off : c.off]
}

// rest yields everything that is left.
func (c *cursor) rest() []byte {
	if c.err != nil {
		return nil
	}
	return c.bytes(len(c.b)-c.off, "")
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

// cstringOrRest yields the bytes up to a NUL, or all that is left.
func (c *cursor) cstringOrRest(want string) []byte {
	if c.err == nil && bytes.IndexByte(c.b[c.off:], 0) < 0 {
		return c.rest()
	}
	return c.cstring(want)
}

func (c *cursor) lenenc(want string) uint64 {
	if c.err != nil {
		return 0
	}
	n, size := LenencInt(c.b[c.off:])
	if size == 0 {
		c.fail(want)
		return 0
	}
	c.off += size
	return n
}

// text yields a string behind its length.
func (c *cursor) text(want string) []byte {
	at := c.off
	n := c.lenenc(want)
	if c.err == nil && n > uint64(len(c.b)-c.off) {
		c.off = at
		c.fail(want)
	}
	return c.bytes(int(n), want)
}

// end returns the first fault, or one if anything is left.
func (c *cursor) end() error {
	if c.err == nil && c.off != len(c.b) {
		c.fail("the end of the packet")
	}
	return c.fault()
}

// fault returns the first fault, whatever is left.
func (c *cursor) fault() error {
	if c.err != nil {
		return c.err
	}
	return nil
}
