package random

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	maxFrame = 64 << 20
	patience = 30 * time.Second // for one step
)

// Dial opens a connection to one side. It may be pgconn.Connect to any proxy.
type Dial func(ctx context.Context) (*pgconn.PgConn, error)

// frame is one message of the server.
type frame struct {
	kind byte
	body []byte
}

// answer is what came back for a step.
type answer struct {
	frames []frame
	state  string // SQLSTATE of the first error, empty if none
	errors int
	err    error // the connection ended
}

// client sends steps and collects answers as they are.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	newest uint32            // the largest OID before the session
	made   map[uint32]uint32 // numbers of objects that it made, as they are compared
}

func connect(ctx context.Context, dial Dial, newest uint32) (*client, error) {
	pg, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	h, err := pg.Hijack()
	if err != nil {
		return nil, err
	}
	return &client{conn: h.Conn, in: bufio.NewReaderSize(h.Conn, 64<<10), newest: newest, made: map[uint32]uint32{}}, nil
}

func (c *client) close() {
	_, _ = c.conn.Write([]byte{'X', 0, 0, 0, 4})
	_ = c.conn.Close()
}

// run does one step.
func (c *client) run(s *Step) answer {
	var a answer
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{err: err}
	}
	out, syncs, err := encode(s)
	if err == nil {
		_, err = c.conn.Write(out)
	}
	if err != nil {
		return answer{err: err}
	}
	for syncs > 0 {
		f, err := c.read()
		if err != nil {
			a.err = err
			return a
		}
		switch f.kind {
		case 'E':
			a.errors++
			if a.state == "" {
				a.state = errorField(f.body, 'C')
			}
		case 'G':
			if _, err := c.conn.Write(copyIn(s.Data)); err != nil {
				a.err = err
				return a
			}
		case 'Z':
			syncs--
		case 'A', 'K':
			continue // process ids
		case 'T':
			c.renumberRow(f.body)
		case 't':
			for b := f.body[min(2, len(f.body)):]; len(b) >= 4; b = b[4:] {
				c.renumber(b)
			}
		}
		a.frames = append(a.frames, f)
	}
	return a
}

// renumberRow numbers tables and types of a RowDescription.
func (c *client) renumberRow(body []byte) {
	for b := body[min(2, len(body)):]; ; {
		end := bytes.IndexByte(b, 0)
		if end < 0 || len(b) < end+19 {
			return
		}
		c.renumber(b[end+1:])
		c.renumber(b[end+7:])
		b = b[end+19:]
	}
}

// renumber replaces the OID of an object that the session made by the order
// of its first use: both sides share a counter.
func (c *client) renumber(b []byte) {
	oid := binary.BigEndian.Uint32(b)
	if oid <= c.newest {
		return
	}
	if c.made[oid] == 0 {
		c.made[oid] = c.newest + uint32(len(c.made)) + 1
	}
	binary.BigEndian.PutUint32(b, c.made[oid])
}

func (c *client) read() (frame, error) {
	var head [5]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > maxFrame {
		return frame{}, fmt.Errorf("a message %q of %d bytes", head[0], n)
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(c.in, body)
	return frame{head[0], body}, err
}

func encode(s *Step) (out []byte, syncs int, err error) {
	if s.Pipe == nil {
		out, err = (&pgproto3.Query{String: s.Q}).Encode(nil)
		return out, 1, err
	}
	for _, op := range s.Pipe {
		m, err := message(op)
		if err != nil {
			return nil, 0, err
		}
		if op.Op == "sync" {
			syncs++
		}
		if out, err = m.Encode(out); err != nil {
			return nil, 0, err
		}
	}
	return out, syncs, nil
}

func message(op Op) (pgproto3.FrontendMessage, error) {
	kind := byte('P')
	if op.Kind == "S" {
		kind = 'S'
	}
	name := op.Name
	if kind == 'P' && op.Portal != "" {
		name = op.Portal
	}
	switch op.Op {
	case "parse":
		return &pgproto3.Parse{Name: op.Name, Query: op.SQL}, nil
	case "bind":
		params := make([][]byte, len(op.Params))
		for i, p := range op.Params {
			if p != nil {
				params[i] = []byte(*p)
			}
		}
		return &pgproto3.Bind{PreparedStatement: op.Name, DestinationPortal: op.Portal, Parameters: params, ResultFormatCodes: op.RF}, nil
	case "describe":
		return &pgproto3.Describe{ObjectType: kind, Name: name}, nil
	case "execute":
		return &pgproto3.Execute{Portal: op.Portal, MaxRows: op.Max}, nil
	case "close":
		return &pgproto3.Close{ObjectType: kind, Name: name}, nil
	case "sync":
		return &pgproto3.Sync{}, nil
	}
	return nil, fmt.Errorf("unknown operation %q", op.Op)
}

// copyIn is the data of COPY FROM STDIN and its end. Nothing can be encoded wrongly.
func copyIn(data string) []byte {
	out, _ := (&pgproto3.CopyData{Data: []byte(data)}).Encode(nil)
	out, _ = (&pgproto3.CopyDone{}).Encode(out)
	return out
}

// errorField finds a field of an ErrorResponse or NoticeResponse.
func errorField(body []byte, field byte) string {
	for len(body) > 1 && body[0] != 0 {
		end := slices.Index(body[1:], 0)
		if end < 0 {
			return ""
		}
		if body[0] == field {
			return string(body[1 : 1+end])
		}
		body = body[end+2:]
	}
	return ""
}

// difference says where two answers part, empty if they do not. In unordered
// ones the rows are compared as a set.
func difference(a, b *answer, unordered bool) string {
	if (a.err != nil) != (b.err != nil) {
		return fmt.Sprintf("one connection ended: a %v, b %v", a.err, b.err)
	}
	x, y := a.frames, b.frames
	if unordered {
		x, y = sorted(x), sorted(y)
	}
	for i := range max(len(x), len(y)) {
		switch {
		case i >= len(x):
			return "b also has " + describe(y[i])
		case i >= len(y):
			return "a also has " + describe(x[i])
		case x[i].kind != y[i].kind || string(x[i].body) != string(y[i].body):
			return "a: " + describe(x[i]) + "\nb: " + describe(y[i])
		}
	}
	return ""
}

// sorted is the frames with each run of rows in the order of their bytes.
func sorted(frames []frame) []frame {
	out := slices.Clone(frames)
	for i := 0; i < len(out); i++ {
		j := i
		for j < len(out) && out[j].kind == 'D' {
			j++
		}
		slices.SortFunc(out[i:j], func(a, b frame) int { return strings.Compare(string(a.body), string(b.body)) })
		i = max(i, j-1)
	}
	return out
}

func describe(f frame) string {
	if f.kind == 'E' || f.kind == 'N' {
		return fmt.Sprintf("%c %s %q %q", f.kind, errorField(f.body, 'C'), errorField(f.body, 'M'), errorField(f.body, 'D'))
	}
	body := f.body
	if len(body) > 300 {
		body = body[:300]
	}
	return fmt.Sprintf("%c %q", f.kind, body)
}

// late says that nothing came within the time.
func (a *answer) late() bool {
	var t net.Error
	return errors.As(a.err, &t) && t.Timeout()
}

// message is the text of the first error.
func (a *answer) message() string {
	for _, f := range a.frames {
		if f.kind == 'E' {
			return errorField(f.body, 'M')
		}
	}
	return ""
}
