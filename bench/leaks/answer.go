package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// message is one message of a server, or what the client saw instead of one.
type message struct {
	conn string // of the case; empty for the first
	kind byte   // as on the wire, or one of the kinds below
	body []byte
}

// Kinds that are not on the wire.
const (
	kindClosed  = 1 // the connection ended; the body says how
	kindTimeout = 2 // nothing came in time
	kindRefused = 3 // the login failed; the body is the error
)

// answer is all that came back in a session, in order.
type answer []message

// equal says whether two answers agree in every byte.
func (a answer) equal(b answer) bool { return a.differs(b) < 0 }

// differs is the index of the first difference, or -1.
func (a answer) differs(b answer) int {
	for i := range min(len(a), len(b)) {
		if a[i].kind != b[i].kind || a[i].conn != b[i].conn || !bytes.Equal(a[i].body, b[i].body) {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// at describes the message at an index for a report.
func (a answer) at(i int) string {
	if i >= len(a) {
		return "(nothing more)"
	}
	return a[i].String()
}

// failure is the first error in the answer, and whether there is one.
func (a answer) failure() (code, text string, found bool) {
	for _, m := range a {
		switch m.kind {
		case 'E':
			f := m.fields()
			text = f['M']
			if f['H'] != "" {
				text += " (" + f['H'] + ")"
			}
			return f['C'], text, true
		case kindRefused, kindClosed, kindTimeout:
			return "", m.String(), true
		}
	}
	return "", "", false
}

// ended says whether the session ended before its last step.
func (a answer) ended() bool {
	return len(a) > 0 && slices.Contains([]byte{kindClosed, kindTimeout, kindRefused}, a[len(a)-1].kind)
}

// fields are those of an ErrorResponse or NoticeResponse.
func (m message) fields() map[byte]string {
	f := map[byte]string{}
	for b := m.body; len(b) > 1; {
		text, rest, ok := bytes.Cut(b[1:], []byte{0})
		if !ok {
			break
		}
		f[b[0]] = string(text)
		b = rest
	}
	return f
}

// cells are those of a DataRow, nil for SQL NULL; false if it is malformed.
func (m message) cells() ([][]byte, bool) {
	if len(m.body) < 2 {
		return nil, false
	}
	n, b := int(binary.BigEndian.Uint16(m.body)), m.body[2:]
	cells := make([][]byte, n)
	for i := range cells {
		if len(b) < 4 {
			return nil, false
		}
		size := int(int32(binary.BigEndian.Uint32(b)))
		b = b[4:]
		if size < 0 {
			continue
		}
		if size > len(b) {
			return nil, false
		}
		cells[i], b = b[:size:size], b[size:]
	}
	return cells, len(b) == 0
}

var kindNames = map[byte]string{
	kindClosed: "connection closed", kindTimeout: "nothing within the time", kindRefused: "login refused",
	'1': "ParseComplete", '2': "BindComplete", '3': "CloseComplete", 'A': "Notification", 'C': "CommandComplete", 'D': "DataRow", 'E': "Error",
	'G': "CopyIn", 'H': "CopyOut", 'd': "CopyData", 'c': "CopyDone", 'I': "EmptyQuery", 'N': "Notice", 'S': "ParameterStatus",
	'T': "RowDescription", 't': "ParameterDescription", 'V': "FunctionResult", 'Z': "Ready", 'n': "NoData", 's': "PortalSuspended",
}

const shown = 300 // characters of a message in a report

func (m message) String() string {
	name := kindNames[m.kind]
	if name == "" {
		name = fmt.Sprintf("%q", m.kind)
	}
	if m.conn != "" {
		name = m.conn + ":" + name
	}
	text := ""
	switch m.kind {
	case 'E', 'N':
		f := m.fields()
		for _, k := range []byte("SCMDHWstcdnPpq") {
			if f[k] != "" {
				text += fmt.Sprintf(" %c=%q", k, f[k])
			}
		}
	case 'D':
		cells, _ := m.cells()
		for _, c := range cells {
			if c == nil {
				text += " NULL"
			} else {
				text += fmt.Sprintf(" %q", c)
			}
		}
	case kindClosed, kindRefused:
		text = " " + string(m.body)
	default:
		if len(m.body) > 0 {
			text = fmt.Sprintf(" %q", bytes.TrimRight(m.body, "\x00"))
		}
	}
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return name + text
}

// normalise removes from an answer what differs between any two runs: process
// numbers, and numbers of objects that are made while the cases run, of which
// only the order of their first use is kept. Objects that are there
// before have an OID of at most newest.
func (a answer) normalise(newest uint32, norm []string) {
	made := map[uint32]uint32{}
	renumber := func(b []byte) {
		oid := binary.BigEndian.Uint32(b)
		if oid <= newest {
			return
		}
		if made[oid] == 0 {
			made[oid] = newest + uint32(len(made)) + 1
		}
		binary.BigEndian.PutUint32(b, made[oid])
	}
	for i, m := range a {
		switch m.kind {
		case 'A':
			if len(m.body) >= 4 {
				clear(m.body[:4])
			}
		case 'T':
			eachField(m.body, func(rest []byte) {
				renumber(rest)     // of the table
				renumber(rest[6:]) // of the type
			})
		case 't':
			for b := m.body[min(2, len(m.body)):]; len(b) >= 4; b = b[4:] {
				renumber(b)
			}
		}
		if m.kind == 'E' || m.kind == 'N' {
			a[i].body = temporary.ReplaceAll(m.body, []byte("pg_temp"))
		}
		for _, n := range norm {
			if n == "timing" {
				a[i].body = timing.ReplaceAll(a[i].body, []byte("0.000"))
			}
		}
	}
}

// temporary is the schema of a session's temporary objects, which has the
// number of its process's slot.
var temporary = regexp.MustCompile(`pg_temp_\d+`)

var timing = regexp.MustCompile(`\d+\.\d{3}`)

// eachField calls f with what follows the name of each column of a
// RowDescription.
func eachField(body []byte, f func(rest []byte)) {
	b := body[min(2, len(body)):]
	for {
		end := bytes.IndexByte(b, 0)
		if end < 0 || len(b) < end+19 {
			return
		}
		f(b[end+1 : end+19])
		b = b[end+19:]
	}
}
