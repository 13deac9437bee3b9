package pgsql

import (
	"strings"
	"unicode/utf8"
)

// Limits bounds what Admit lets pass. A zero field takes its default.
type Limits struct {
	// Bytes is the largest text, 16 MiB by default.
	Bytes int
}

const defaultBytes = 16 << 20

// Admit says why a text may not be given to the parser, nil if it may.
func Admit(text string, lim Limits) *TextError {
	if lim.Bytes == 0 {
		lim.Bytes = defaultBytes
	}
	if len(text) > lim.Bytes {
		return &TextError{Code: "54000", Message: "statement is too long", Pos: -1}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &TextError{Code: "22021", Message: "invalid byte sequence for encoding \"UTF8\": 0x00", Pos: i}
	}
	if !utf8.ValidString(text) {
		return &TextError{Code: "22021", Message: "invalid byte sequence for encoding \"UTF8\"", Pos: -1}
	}
	return nil
}
