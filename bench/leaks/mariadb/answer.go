package mariadb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
)

// message is one packet of a server, or what the client saw instead of one.
type message struct {
	kind kind
	body []byte
	cols []definition // of rows
}

type kind string

const (
	kindOK       kind = "OK"
	kindError    kind = "Error"
	kindCount    kind = "ColumnCount"
	kindColumn   kind = "Column"
	kindEOF      kind = "EOF"
	kindRow      kind = "Row"
	kindBinary   kind = "BinaryRow"
	kindPrepared kind = "Prepared"
	kindFile     kind = "LocalFile"
	kindOther    kind = "Packet"
	kindClosed   kind = "connection closed"
	kindTimeout  kind = "nothing within the time"
	kindRefused  kind = "login refused"
)

// First bytes of packets.
const (
	markError = 0xff
	markEOF   = 0xfe
	markFile  = 0xfb
	markNull  = 0xfb
)

// answer is all that came back in a session, in order.
type answer []message

func (a answer) differs(b answer) int {
	for i := range min(len(a), len(b)) {
		if a[i].kind != b[i].kind || !bytes.Equal(a[i].body, b[i].body) {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

func (a answer) equal(b answer) bool { return a.differs(b) < 0 }

func (a answer) at(i int) string {
	if i < 0 || i >= len(a) {
		return "(nothing more)"
	}
	return a[i].String()
}

// failure is the first error, and whether there is one.
func (a answer) failure() (code, text string, found bool) {
	for _, m := range a {
		switch m.kind {
		case kindError, kindRefused:
			n, state, text := m.fault()
			if m.kind == kindRefused && n == 0 {
				return "", m.String(), true
			}
			return fmt.Sprintf("%d %s", n, state), text, true
		case kindClosed, kindTimeout:
			return "", m.String(), true
		}
	}
	return "", "", false
}

// ended says whether the session ended before its last step.
func (a answer) ended() bool {
	return len(a) > 0 && slices.Contains([]kind{kindClosed, kindTimeout, kindRefused}, a[len(a)-1].kind)
}

// fault reads an ERR packet.
func (m message) fault() (number int, state, text string) {
	b := m.body
	if len(b) < 3 || b[0] != markError {
		return 0, "", string(b)
	}
	number, b = int(binary.LittleEndian.Uint16(b[1:])), b[3:]
	if len(b) >= 6 && b[0] == '#' {
		state, b = string(b[1:6]), b[6:]
	}
	return number, state, string(b)
}

// definition is what of a column definition is compared and shown.
type definition struct {
	names   string // catalog, schema, table, original table, name, original name
	name    string
	typ     byte
	flags   uint16
	rest    string // character set, length, type, flags, decimals
	payload []byte
}

func parseDefinition(body []byte) (definition, bool) {
	d := definition{payload: body}
	b := body
	for i := range 6 {
		n, size := mywire.LenencInt(b)
		if size == 0 || uint64(len(b)-size) < n {
			return d, false
		}
		if i == 4 {
			d.name = string(b[size : size+int(n)])
		}
		b = b[size+int(n):]
	}
	d.names = string(body[:len(body)-len(b)])
	if len(b) < 13 {
		return d, false
	}
	b = b[len(b)-13:] // what MariaDB's extended metadata puts before is skipped
	d.rest, d.typ, d.flags = string(b), b[7], binary.LittleEndian.Uint16(b[8:])
	return d, true
}

// cells are those of a row, nil for SQL NULL; false if it is malformed.
func (m message) cells() ([][]byte, bool) {
	cells := make([][]byte, len(m.cols))
	b := m.body
	if m.kind == kindBinary {
		return m.binaryCells(cells)
	}
	for i := range cells {
		if len(b) > 0 && b[0] == markNull {
			b = b[1:]
			continue
		}
		n, size := mywire.LenencInt(b)
		if size == 0 || uint64(len(b)-size) < n {
			return nil, false
		}
		cells[i], b = b[size:size+int(n)], b[size+int(n):]
	}
	return cells, len(b) == 0
}

// fixedSizes are the bytes of types that have no length in front.
var fixedSizes = map[byte]int{1: 1, 2: 2, 3: 4, 4: 4, 5: 8, 8: 8, 9: 4, 13: 2}

func (m message) binaryCells(cells [][]byte) ([][]byte, bool) {
	bitmap := (len(cells) + 9) / 8
	if len(m.body) < 1+bitmap {
		return nil, false
	}
	nulls, b := m.body[1:1+bitmap], m.body[1+bitmap:]
	for i := range cells {
		if nulls[(i+2)/8]&(1<<((i+2)%8)) != 0 {
			continue
		}
		size, head := fixedSizes[m.cols[i].typ], 0
		if size == 0 {
			n, h := mywire.LenencInt(b)
			if h == 0 {
				return nil, false
			}
			size, head = int(n), h
		}
		if len(b) < head+size {
			return nil, false
		}
		cells[i], b = b[head:head+size:head+size], b[head+size:]
	}
	return cells, len(b) == 0
}

const shown = 300 // characters of a message in a report

func (m message) String() string {
	text := ""
	switch m.kind {
	case kindError, kindRefused:
		n, state, message := m.fault()
		text = fmt.Sprintf(" %d (%s): %s", n, state, message)
	case kindRow, kindBinary:
		cells, ok := m.cells()
		if !ok {
			text = fmt.Sprintf(" %q", m.body)
		}
		for _, c := range cells {
			if c == nil {
				text += " NULL"
			} else {
				text += fmt.Sprintf(" %q", c)
			}
		}
	case kindClosed, kindTimeout:
	default:
		text = fmt.Sprintf(" %q", m.body)
	}
	if len(text) > shown {
		text = strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return string(m.kind) + text
}

// normalise makes equal what no two sessions share: the side's name, numbers of
// prepared statements and of connections, and times of today.
func (a answer) normalise(side string, ids []uint32) {
	for i, m := range a {
		body := bytes.ReplaceAll(m.body, []byte("side_"+side), []byte("side_x"))
		if m.kind == kindPrepared && len(body) > 5 {
			body = slices.Clone(body)
			clear(body[1:5])
		}
		if m.kind == kindRow {
			body = today.ReplaceAllFunc(body, func(t []byte) []byte {
				if string(t[:10]) != time.Now().UTC().Format(time.DateOnly) {
					return t
				}
				return bytes.Repeat([]byte("#"), len(t))
			})
		}
		if m.kind == kindOK {
			body = sortChanges(body)
		}
		if m.kind == kindBinary {
			body = hideClock(message{kindBinary, slices.Clone(body), m.cols})
		}
		if m.kind == kindRow || m.kind == kindError || m.kind == kindOK {
			for _, id := range ids {
				body = hideNumber(body, strconv.FormatUint(uint64(id), 10))
			}
		}
		a[i].body = body
	}
}

// today finds times, of which those of the current day are the server's clock.
var today = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?`)

// sortChanges puts what an OK packet says of the session's state into one order.
// The server's own follows where its variables lie in memory.
func sortChanges(body []byte) []byte {
	at := 1
	for range 2 {
		_, size := mywire.LenencInt(body[min(at, len(body)):])
		at += size
	}
	at += 4       // status, warnings
	for range 2 { // over the info, then to the changes
		n, size := mywire.LenencInt(body[min(at, len(body)):])
		if size == 0 || uint64(len(body)-at-size) < n {
			return body
		}
		if at += size; at+int(n) == len(body) {
			break
		}
		at += int(n)
	}
	var changes [][]byte
	for b := body[at:]; len(b) > 0; {
		n, size := mywire.LenencInt(b[1:])
		if size == 0 || uint64(len(b)-1-size) < n {
			return body
		}
		changes = append(changes, b[:1+size+int(n)])
		b = b[1+size+int(n):]
	}
	slices.SortFunc(changes, bytes.Compare)
	return append(slices.Clone(body[:at]), bytes.Join(changes, nil)...)
}

// hideClock hides the times of today in a binary row.
func hideClock(m message) []byte {
	cells, _ := m.cells()
	for i, c := range cells {
		switch m.cols[i].typ {
		case 7, 12: // TIMESTAMP, DATETIME: year in two bytes, month, day, time
			now := time.Now().UTC()
			if len(c) > 4 && int(binary.LittleEndian.Uint16(c)) == now.Year() && c[2] == byte(now.Month()) && c[3] == byte(now.Day()) {
				clear(c)
			}
		}
	}
	return m.body
}

// hideNumber hides a number that stands alone as a cell or a word. A short one
// may be a value.
func hideNumber(body []byte, number string) []byte {
	digit := func(i int) bool { return i >= 0 && i < len(body) && body[i] >= '0' && body[i] <= '9' }
	for at := 0; len(number) > 1; {
		i := bytes.Index(body[at:], []byte(number))
		if i < 0 {
			break
		}
		i += at
		at = i + len(number)
		if !digit(i-1) && !digit(at) {
			body = slices.Clone(body)
			copy(body[i:at], bytes.Repeat([]byte("#"), len(number)))
		}
	}
	return body
}

// extract keeps the rows whose first cell is one of the names.
func (a answer) extract(names []string) answer {
	if len(names) == 0 {
		return a
	}
	return slices.DeleteFunc(a, func(m message) bool {
		if m.kind != kindRow && m.kind != kindBinary {
			return false
		}
		cells, ok := m.cells()
		return ok && len(cells) > 0 && !slices.Contains(names, string(cells[0]))
	})
}
