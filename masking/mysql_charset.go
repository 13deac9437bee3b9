package masking

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Charset is the character set that a result's text is written in.
type Charset uint8

// The character sets. Masks compute in all but CharsetOther, where they see
// characters that they do not know, and CharsetUnknown.
const (
	CharsetUTF8 Charset = iota // utf8mb4, and PostgreSQL's UTF8
	CharsetUTF8MB3
	CharsetLatin1 // Windows' code page 1252, as MySQL's latin1 is
	CharsetASCII
	CharsetUCS2
	CharsetUTF16
	CharsetUTF16LE
	CharsetUTF32
	CharsetOther   // another one that begins with ASCII, in one byte each
	CharsetBinary  // bytes, not characters
	CharsetUnknown // nothing is known of it: only null can be expressed
	charsetCount
)

var charsetNames = [charsetCount]string{"utf8mb4", "utf8mb3", "latin1", "ascii", "ucs2", "utf16", "utf16le", "utf32",
	"a legacy character set", "binary", "an unknown character set"}

// charsetWidths are the most bytes that a character takes. CharsetOther is
// most often of one byte; legacyWidths has the others by their collations.
var charsetWidths = [charsetCount]int{4, 3, 1, 1, 2, 4, 4, 4, 1, 1, 4}

var legacyWidths = map[uint16]int{1: 2, 84: 2, 12: 3, 91: 3, 13: 2, 88: 2, 19: 2, 85: 2, 24: 2, 86: 2, 28: 2, 87: 2, 95: 2, 96: 2,
	97: 3, 98: 3, 248: 4, 249: 4, 250: 4}

// characterWidth is the most bytes that a character of a collation takes.
func characterWidth(collation uint16) int {
	if width, ok := legacyWidths[collation&^collationNoPad]; ok {
		return width
	}
	return charsetWidths[CharsetOf(collation)]
}

// String gives the name that SET NAMES takes.
func (c Charset) String() string {
	if c < charsetCount {
		return charsetNames[c]
	}
	return charsetNames[CharsetUnknown]
}

// collations are the collations of each character set by their numbers, as
// information_schema.COLLATIONS of MariaDB 11 and MySQL 9 lists them. What is in
// no range and below 600 was given out before 2010 and is one of CharsetOther.
var collations = []struct {
	first, last uint16
	charset     Charset
}{
	{5, 5, CharsetLatin1}, {8, 8, CharsetLatin1}, {15, 15, CharsetLatin1}, {31, 31, CharsetLatin1}, {47, 49, CharsetLatin1}, {94, 94, CharsetLatin1},
	{11, 11, CharsetASCII}, {65, 65, CharsetASCII},
	{10, 10, CharsetUnknown}, {82, 82, CharsetUnknown}, // swe7 has letters in the place of brackets
	{17, 17, CharsetUnknown}, // filename
	{63, 63, CharsetBinary},
	{33, 33, CharsetUTF8MB3}, {76, 76, CharsetUTF8MB3}, {83, 83, CharsetUTF8MB3}, {192, 223, CharsetUTF8MB3}, {576, 607, CharsetUTF8MB3},
	{45, 46, CharsetUTF8}, {224, 247, CharsetUTF8}, {255, 323, CharsetUTF8}, {608, 639, CharsetUTF8},
	{35, 35, CharsetUCS2}, {90, 90, CharsetUCS2}, {128, 159, CharsetUCS2}, {640, 671, CharsetUCS2},
	{54, 55, CharsetUTF16}, {101, 124, CharsetUTF16}, {672, 703, CharsetUTF16},
	{56, 56, CharsetUTF16LE}, {62, 62, CharsetUTF16LE},
	{60, 61, CharsetUTF32}, {160, 183, CharsetUTF32}, {736, 767, CharsetUTF32},
	{1, 99, CharsetOther}, {248, 250, CharsetOther},
}

// The numbers of MariaDB's collations that do not pad, and of those made from
// UCA 14, whose bits name the character set (MariaDB, ctype-uca1400.h).
const (
	collationNoPad   = 1024
	collationUCA1400 = 2048
	uca1400PerSet    = 256
)

// CharsetOf gives the character set of a collation's number, as it stands in a
// column definition or a handshake.
func CharsetOf(collation uint16) Charset {
	if collation >= collationUCA1400 {
		sets := []Charset{CharsetUTF8MB3, CharsetUTF8, CharsetUCS2, CharsetUTF16, CharsetUTF32}
		if i := int(collation-collationUCA1400) / uca1400PerSet; i < len(sets) {
			return sets[i]
		}
		return CharsetUnknown
	}
	if collation >= collationNoPad {
		collation -= collationNoPad
	}
	for _, c := range collations {
		if collation >= c.first && collation <= c.last {
			return c.charset
		}
	}
	return CharsetUnknown
}

// decode gives text in UTF-8, in buf where it has to be written anew. False: it
// is not text of the character set.
func (c Charset) decode(buf, src []byte) (text, scratch []byte, ok bool) {
	switch c {
	case CharsetUTF8, CharsetUTF8MB3:
		wide := c == CharsetUTF8MB3 && bytes.ContainsFunc(src, func(r rune) bool { return r > maxBMP })
		return src, buf, !wide && utf8.Valid(src)
	case CharsetASCII, CharsetOther:
		for _, b := range src {
			if b >= utf8.RuneSelf {
				return nil, buf, false
			}
		}
		return src, buf, true
	case CharsetBinary, CharsetUnknown:
		return nil, buf, false
	}
	buf = buf[:0]
	for len(src) > 0 {
		r, size := c.rune(src)
		if size == 0 {
			return nil, buf, false
		}
		buf = utf8.AppendRune(buf, r)
		src = src[size:]
	}
	return buf, buf, true
}

// rune reads one character of a character set that is not close to UTF-8.
// Size 0: there is none.
func (c Charset) rune(src []byte) (r rune, size int) {
	switch {
	case c == CharsetLatin1:
		if r = charmap.Windows1252.DecodeByte(src[0]); r == utf8.RuneError {
			r = rune(src[0]) // five bytes that the code page leaves out are control characters in MySQL
		}
		return r, 1
	case c == CharsetUTF32:
		if len(src) < 4 || binary.BigEndian.Uint32(src) > utf8.MaxRune {
			return 0, 0
		}
		r, size = rune(binary.BigEndian.Uint32(src)), 4
	case len(src) < 2:
		return 0, 0
	default:
		r, size = c.unit(src), 2
		if c != CharsetUCS2 && utf16.IsSurrogate(r) {
			if len(src) < 4 {
				return 0, 0
			}
			if r = utf16.DecodeRune(r, c.unit(src[2:])); r == utf8.RuneError {
				return 0, 0
			}
			size = 4
		}
	}
	if utf16.IsSurrogate(r) {
		return 0, 0
	}
	return r, size
}

func (c Charset) unit(src []byte) rune {
	if c == CharsetUTF16LE {
		return rune(binary.LittleEndian.Uint16(src))
	}
	return rune(binary.BigEndian.Uint16(src))
}

// append writes valid UTF-8 in the character set. False: a character is not in it.
func (c Charset) append(dst, text []byte) ([]byte, bool) {
	if c == CharsetUTF8 {
		return append(dst, text...), true
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		var ok bool
		if dst, ok = c.appendRune(dst, r); !ok {
			return dst, false
		}
		text = text[size:]
	}
	return dst, true
}

// maxBMP is the last character of the basic multilingual plane.
const maxBMP = 0xffff

func (c Charset) appendRune(dst []byte, r rune) ([]byte, bool) {
	switch c {
	case CharsetUTF8MB3:
		return utf8.AppendRune(dst, r), r <= maxBMP
	case CharsetASCII, CharsetOther:
		return append(dst, byte(r)), r < utf8.RuneSelf
	case CharsetLatin1:
		b, ok := charmap.Windows1252.EncodeRune(r)
		if !ok && r >= 0x80 && r < 0xa0 && charmap.Windows1252.DecodeByte(byte(r)) == utf8.RuneError {
			b, ok = byte(r), true
		}
		return append(dst, b), ok
	case CharsetUCS2:
		return binary.BigEndian.AppendUint16(dst, uint16(r)), r <= maxBMP
	case CharsetUTF32:
		return binary.BigEndian.AppendUint32(dst, uint32(r)), true
	case CharsetUTF16, CharsetUTF16LE:
		for _, unit := range utf16.AppendRune(nil, r) {
			if c == CharsetUTF16LE {
				dst = binary.LittleEndian.AppendUint16(dst, unit)
			} else {
				dst = binary.BigEndian.AppendUint16(dst, unit)
			}
		}
		return dst, true
	}
	return dst, false
}
