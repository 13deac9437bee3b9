package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
)

// door is where a session connects, and as whom.
type door struct {
	host                     string
	port                     int
	user, password, database string
}

// stepTime bounds one exchange.
const stepTime = 10 * time.Second

// maxMessage bounds one message of a server.
const maxMessage = 64 << 20

// runSession runs the steps of a case on connections of its own and returns all
// that came back. What goes wrong on the way is part of the answer.
func runSession(ctx context.Context, d door, startup map[string]string, steps []step) answer {
	s := &session{door: d, startup: startup, conns: map[string]*upstream.Conn{}}
	defer s.close()
	s.run(ctx, steps)
	return s.got
}

// run runs the steps. It returns false if the session is over.
func (s *session) run(ctx context.Context, steps []step) bool {
	for _, st := range steps {
		if !s.step(ctx, st) {
			return false
		}
	}
	return s.settle()
}

type session struct {
	door    door
	startup map[string]string
	conns   map[string]*upstream.Conn
	order   []string
	got     answer
}

// conn returns the connection of that name, which it opens at its first use.
func (s *session) conn(ctx context.Context, name string) *upstream.Conn {
	if c := s.conns[name]; c != nil {
		return c
	}
	cfg := upstream.Config{Network: "tcp", Address: net.JoinHostPort(s.door.host, strconv.Itoa(s.door.port)), TLS: upstream.Disable,
		User: s.door.user, Password: s.door.password, Database: s.door.database, ConnectTimeout: stepTime}
	for _, k := range sortedKeys(s.startup) {
		cfg.Params = append(cfg.Params, pgwire.Param{Name: k, Value: s.startup[k]})
	}
	c, err := upstream.Dial(ctx, cfg)
	if err != nil {
		s.add(name, kindRefused, []byte(refusal(err)))
		return nil
	}
	for _, n := range c.Notices {
		s.add(name, 'N', fmt.Appendf(nil, "M%+v\x00", n))
	}
	for _, k := range sortedKeys(c.Params) {
		s.add(name, 'S', []byte(k+"\x00"+c.Params[k]+"\x00"))
	}
	s.conns[name] = c
	s.order = append(s.order, name)
	return c
}

// refusal is what a client is told when its login fails.
func refusal(err error) string {
	if e, ok := errors.AsType[*upstream.ServerError](err); ok {
		return fmt.Sprintf("%+v", e.Notice)
	}
	return err.Error()
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *session) add(conn string, kind byte, body []byte) {
	s.got = append(s.got, message{conn, kind, slices.Clone(body)})
}

// step runs one exchange. It returns false if the session is over.
func (s *session) step(ctx context.Context, st step) bool {
	c := s.conn(ctx, st.Conn)
	if c == nil {
		return false
	}
	out, ready, err := st.encode()
	if err != nil {
		s.add(st.Conn, kindClosed, []byte(err.Error()))
		return false
	}
	_ = c.Net.SetWriteDeadline(time.Now().Add(stepTime))
	if err := write(c.Net, out, st.fragment); err != nil {
		return s.ended(st.Conn, err)
	}
	c.Reader.SetLimit(time.Now().Add(stepTime))
	for ready > 0 {
		m, err := s.read(st.Conn, c)
		if err != nil {
			return s.ended(st.Conn, err)
		}
		switch {
		case m.kind == 'Z':
			ready--
		case m.kind == 'G':
			err = write(c.Net, st.copyData(), false)
		case st.X != nil && st.Max > 0 && (m.kind == 's' || m.kind == 'C' || m.kind == 'E' || m.kind == 'I'):
			err = write(c.Net, st.more(m.kind), false)
		}
		if err != nil {
			return s.ended(st.Conn, err)
		}
	}
	return true
}

// ended records the end of a connection, which ends the session. How the
// network says so is a matter of luck.
func (s *session) ended(conn string, err error) bool {
	var t *pgwire.TimeoutError
	if errors.As(err, &t) || errors.Is(err, os.ErrDeadlineExceeded) {
		s.add(conn, kindTimeout, nil)
	} else {
		s.add(conn, kindClosed, nil)
	}
	return false
}

func (s *session) read(conn string, c *upstream.Conn) (message, error) {
	h, err := c.Reader.Peek()
	if err != nil {
		return message{}, err
	}
	body, err := c.Reader.Body(maxMessage)
	if err != nil {
		return message{}, err
	}
	s.add(conn, h.Type, body)
	return s.got[len(s.got)-1], c.Reader.Discard()
}

// settle collects what comes without a question, such as notifications.
func (s *session) settle() bool {
	if len(s.order) > 1 {
		time.Sleep(20 * time.Millisecond)
	}
	for _, name := range s.order {
		c := s.conns[name]
		c.Reader.SetLimit(time.Now().Add(stepTime))
		out, _ := (&pgproto3.Sync{}).Encode(nil)
		if err := write(c.Net, out, false); err != nil {
			return s.ended(name, err)
		}
		for {
			m, err := s.read(name, c)
			if err != nil {
				return s.ended(name, err)
			}
			if m.kind == 'Z' {
				break
			}
		}
	}
	return true
}

func (s *session) close() {
	for _, c := range s.conns {
		_ = c.Close()
	}
}

func write(c net.Conn, b []byte, fragment bool) error {
	if !fragment {
		_, err := c.Write(b)
		return err
	}
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}
