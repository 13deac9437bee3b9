package mysql

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Character sets in which a client may send its texts. In all of them each
// byte below 0x80 is an ASCII character and nothing else; in gbk, sjis, big5
// and their kin a quote or a backslash can be half of a character, and in swe7
// it is a letter.
var narrowCharsets = map[string]*charmap.Charmap{
	"latin1": charmap.Windows1252, "latin2": charmap.ISO8859_2, "latin5": charmap.ISO8859_9, "latin7": charmap.ISO8859_13,
	"cp1250": charmap.Windows1250, "cp1251": charmap.Windows1251, "cp1256": charmap.Windows1256, "cp1257": charmap.Windows1257,
	"cp850": charmap.CodePage850, "cp852": charmap.CodePage852, "cp866": charmap.CodePage866,
	"greek": charmap.ISO8859_7, "hebrew": charmap.ISO8859_8, "koi8r": charmap.KOI8R, "koi8u": charmap.KOI8U,
	"macroman": charmap.Macintosh,
}

// wideCharset reports the character sets whose texts need no decoding.
func wideCharset(name string) bool {
	switch name {
	case "utf8mb4", "utf8mb3", "utf8", "binary":
		return true
	}
	return false
}

// ReadableCharset reports whether texts of a client with a character set can
// be analysed. What a session with another one sends is not known.
func ReadableCharset(name string) bool {
	return wideCharset(name) || name == "ascii" || narrowCharsets[name] != nil
}

// charset is the character set of a collation: utf8mb4 of utf8mb4_bin.
func charsetOf(collation string) string {
	name, _, _ := strings.Cut(lowerASCII(collation), "_")
	return name
}

// decoded is a client's text in UTF-8, and where its characters were.
type decoded struct {
	text   string
	narrow bool
	// extra holds the offset in text of each byte beyond the first that a
	// character has; nil where nothing was decoded.
	extra []int32
}

// decode turns a text into UTF-8.
func decode(sql, charset string) (decoded, *TextError) {
	if charset == "" || wideCharset(charset) {
		return decoded{text: sql}, nil
	}
	table := narrowCharsets[charset]
	if table == nil && charset != "ascii" {
		return decoded{}, &TextError{Number: errEncoding, SQLState: "HY000", Pos: -1,
			Message: "texts in character set " + charset + " cannot be read"}
	}
	wide := 0
	for i := 0; i < len(sql); i++ {
		if sql[i] >= utf8.RuneSelf {
			wide++
		}
	}
	if wide == 0 {
		return decoded{text: sql, narrow: true}, nil
	}
	if table == nil {
		return decoded{}, &TextError{Number: errEncoding, SQLState: "HY000", Message: "invalid ascii character string", Pos: -1}
	}
	d := decoded{narrow: true}
	var b strings.Builder
	b.Grow(len(sql) + 2*wide)
	for i := 0; i < len(sql); i++ {
		if sql[i] < utf8.RuneSelf {
			b.WriteByte(sql[i])
			continue
		}
		r := table.DecodeByte(sql[i])
		if r == utf8.RuneError {
			r = rune(sql[i]) // a control character of the same number
		}
		before := b.Len()
		b.WriteRune(r)
		for n := before + 1; n < b.Len(); n++ {
			d.extra = append(d.extra, int32(n))
		}
	}
	d.text = b.String()
	return d, nil
}

// original is the offset in the client's text of an offset in the decoded one.
func (d *decoded) original(pos int) int {
	n, high := 0, len(d.extra)
	for n < high {
		if mid := (n + high) / 2; int(d.extra[mid]) <= pos {
			n = mid + 1
		} else {
			high = mid
		}
	}
	return pos - n
}

// serverCharsets are the character sets that may introduce a string; true for
// those that the grammar knows too.
var serverCharsets = map[string]bool{
	"utf8": true, "utf8mb4": true, "ascii": true, "latin1": true, "binary": true, "utf8mb3": false, "gbk": true, "gb18030": true,
	"big5": false, "dec8": false, "cp850": false, "hp8": false, "koi8r": false, "latin2": false, "swe7": false, "ujis": false,
	"sjis": false, "hebrew": false, "tis620": false, "euckr": false, "koi8u": false, "gb2312": false, "greek": false, "cp1250": false,
	"latin5": false, "armscii8": false, "ucs2": false, "cp866": false, "keybcs2": false, "macce": false, "macroman": false,
	"cp852": false, "latin7": false, "cp1251": false, "utf16": false, "utf16le": false, "cp1256": false, "cp1257": false,
	"utf32": false, "geostd8": false, "cp932": false, "eucjpms": false, "filename": false,
}

// introducer reports whether a word after an underscore is a character set for
// the server, and for the grammar.
func introducer(word string, server *Server) (known, read bool) {
	word = lowerASCII(word)
	read, known = serverCharsets[word]
	if word == "gb18030" && server.MariaDB {
		known = false
	}
	return known, read
}
