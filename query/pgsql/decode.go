package pgsql

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// decoded is a text in UTF-8 with the way back to the client's offsets.
type decoded struct {
	text string
	// single is set where each character was one byte of the client's text.
	single bool
}

var singleByte = map[string]*charmap.Charmap{
	"LATIN1": charmap.ISO8859_1, "LATIN2": charmap.ISO8859_2, "LATIN3": charmap.ISO8859_3, "LATIN4": charmap.ISO8859_4,
	"LATIN5": charmap.ISO8859_9, "LATIN6": charmap.ISO8859_10, "LATIN7": charmap.ISO8859_13, "LATIN8": charmap.ISO8859_14,
	"LATIN9": charmap.ISO8859_15, "LATIN10": charmap.ISO8859_16, "ISO_8859_5": charmap.ISO8859_5, "ISO_8859_6": charmap.ISO8859_6,
	"ISO_8859_7": charmap.ISO8859_7, "ISO_8859_8": charmap.ISO8859_8, "KOI8R": charmap.KOI8R, "KOI8U": charmap.KOI8U,
	"WIN866": charmap.CodePage866, "WIN874": charmap.Windows874, "WIN1250": charmap.Windows1250, "WIN1251": charmap.Windows1251,
	"WIN1252": charmap.Windows1252, "WIN1253": charmap.Windows1253, "WIN1254": charmap.Windows1254, "WIN1255": charmap.Windows1255,
	"WIN1256": charmap.Windows1256, "WIN1257": charmap.Windows1257, "WIN1258": charmap.Windows1258,
}

// decodeText turns a text in the session's encoding into UTF-8. gap is why it
// may be read otherwise by the server.
func decodeText(text string, st *State) (d decoded, gap string, err *TextError) {
	d.text = text
	if st.NonStandardStrings && strings.ContainsRune(text, '\\') {
		gap = "standard_conforming_strings is off and the text has a backslash"
	}
	ascii := true
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return d, gap, nil
	}
	encoding := strings.ToUpper(strings.ReplaceAll(strings.ReplaceAll(st.Encoding, "-", ""), "_", ""))
	switch {
	case encoding == "UTF8", encoding == "UNICODE", encoding == "SQLASCII", encoding == "":
		return d, gap, nil
	}
	for name, c := range singleByte {
		if strings.ReplaceAll(name, "_", "") != encoding {
			continue
		}
		out, convErr := c.NewDecoder().String(text)
		if convErr != nil || strings.ContainsRune(out, utf8.RuneError) {
			break
		}
		return decoded{text: out, single: true}, gap, nil
	}
	return d, "", &TextError{Code: "22021", Message: "the text has characters of client_encoding " + st.Encoding + ", which is not analysed; use UTF8", Pos: -1}
}

// original is the client's offset for an offset of the decoded text.
func (d decoded) original(pos int) int {
	if !d.single || pos < 0 {
		return pos
	}
	return utf8.RuneCountInString(d.text[:min(pos, len(d.text))])
}

// restore puts the client's offsets into a statement's facts.
func (d decoded) restore(s *Statement) {
	if !d.single {
		return
	}
	s.Span.Start, s.Span.End = d.original(s.Span.Start), d.original(s.Span.End)
	for i := range s.Gaps {
		s.Gaps[i].Pos = d.original(s.Gaps[i].Pos)
	}
	for i := range s.Writes {
		s.Writes[i].Pos = d.original(s.Writes[i].Pos)
	}
	for i := range s.Moves {
		s.Moves[i].Pos = d.original(s.Moves[i].Pos)
	}
	for i := range s.Functions {
		s.Functions[i].Pos = d.original(s.Functions[i].Pos)
	}
	for i := range s.Tables {
		for j := range s.Tables[i].Columns {
			at := s.Tables[i].Columns[j].At
			for k := range at {
				at[k] = d.original(at[k])
			}
		}
	}
}
