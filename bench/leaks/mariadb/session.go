package mariadb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirdb/weir/protocol/mywire"
	"github.com/weirdb/weir/protocol/mywire/upstream"
)

// session runs the steps of a case on a connection of its own. What goes wrong
// on the way is part of the answer.
type session struct {
	*client
	got       answer
	skipped   bool // the statement could not be prepared and ran as text
	statement mywire.Prepared
	failed    bool // there is no statement
	cursor    bool // the execution asked for one
	text      []byte
}

func runSession(ctx context.Context, d door, t *testCase, steps []step) (answer, uint32) {
	got, _, id := runMarked(ctx, d, t, steps)
	return got, id
}

// runMarked is runSession with where each step's answer begins.
func runMarked(ctx context.Context, d door, t *testCase, steps []step) (answer, []int, uint32) {
	c, err := dial(ctx, d, t)
	if err != nil {
		return answer{refusal(err)}, nil, 0
	}
	defer c.close()
	s := &session{client: c}
	var marks []int
	for i := range steps {
		marks = append(marks, len(s.got))
		if err := s.step(ctx, &steps[i]); err != nil {
			if isTimeout(err) {
				s.add(kindTimeout, nil)
			} else {
				s.add(kindClosed, nil)
			}
			break
		}
	}
	return s.got, marks, c.conn.ID
}

// refusal is what a client is told when its login fails.
func refusal(err error) message {
	var e *mywire.ServerError
	if errors.As(err, &e) {
		b := binary.LittleEndian.AppendUint16([]byte{markError}, e.Number)
		return message{kind: kindRefused, body: fmt.Appendf(b, "#%s%s", e.State, e.Message)}
	}
	return message{kind: kindRefused, body: []byte(err.Error())}
}

func (s *session) add(k kind, body []byte) {
	s.got = append(s.got, message{kind: k, body: slices.Clone(body)})
}

// unsupported is the error that a statement cannot be prepared.
const unsupported = 1295

func (s *session) step(_ context.Context, st *step) error {
	switch st.kind {
	case "q":
		return s.query(st)
	case "prep":
		return s.prepare(st.sql)
	case "exec":
		return s.exec(st)
	case "fetch":
		return s.fetch(st)
	case "close_stmt":
		if s.failed || s.skipped {
			return nil
		}
		return s.send(mywire.AppendStatement(nil, mywire.ComStmtClose, s.statement.Statement))
	case "reset_stmt":
		return s.one(mywire.AppendStatement(nil, mywire.ComStmtReset, s.statement.Statement))
	case "pipeline":
		return s.pipeline(st)
	case "ping":
		return s.one([]byte{byte(mywire.ComPing)})
	case "statistics":
		return s.one([]byte{byte(mywire.ComStatistics)})
	case "reset_connection":
		return s.one([]byte{byte(mywire.ComResetConnection)})
	case "init_db":
		return s.one(append([]byte{byte(mywire.ComInitDB)}, st.arg...))
	case "change_user":
		p, err := s.changeUser(st.arg)
		if err == nil {
			s.classify(p)
		}
		return err
	case "field_list":
		return s.fieldList(st)
	}
	return fmt.Errorf("unknown step %q", st.kind)
}

// one sends a command with one packet as its reply.
func (s *session) one(command []byte) error {
	if err := s.send(command); err != nil {
		return err
	}
	p, err := s.read()
	if err == nil {
		s.classify(p)
	}
	return err
}

func (s *session) classify(p []byte) {
	switch {
	case len(p) > 0 && p[0] == mywire.MarkOK:
		s.add(kindOK, p)
	case len(p) > 0 && p[0] == markError:
		s.add(kindError, p)
	default:
		s.add(kindOther, p)
	}
}

func (s *session) query(st *step) error {
	s.cursor = false
	if err := s.send(append([]byte{byte(mywire.ComQuery)}, st.sql...)); err != nil {
		return err
	}
	return s.results(kindRow, st.infile)
}

const (
	statusMore   = 8  // another result follows
	statusCursor = 64 // the rows wait for fetches
)

// results reads results to the last.
func (s *session) results(rows kind, infile *string) error {
	for {
		more, err := s.result(rows, infile)
		if err != nil || !more {
			return err
		}
	}
}

func (s *session) result(rows kind, infile *string) (more bool, err error) {
	p, err := s.read()
	if err != nil {
		return false, err
	}
	switch {
	case len(p) == 0:
		return false, errors.New("empty packet")
	case p[0] == mywire.MarkOK:
		s.add(kindOK, p)
		return okStatus(p)&statusMore != 0, nil
	case p[0] == markError:
		s.add(kindError, p)
		return false, nil
	case p[0] == markFile:
		s.add(kindFile, p)
		return s.sendFile(infile)
	}
	count, _ := mywire.LenencInt(p)
	s.add(kindCount, p)
	columns, status, err := s.definitions(int(count))
	if errors.Is(err, errFailed) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if status&statusCursor != 0 && s.cursor { // routines have cursors of their own
		s.columns, s.isOpen = columns, true
		return false, nil
	}
	return s.rows(rows, columns)
}

// sendFile answers the question for a file.
func (s *session) sendFile(infile *string) (bool, error) {
	if infile != nil && *infile != "" {
		if err := s.write([]byte(*infile)); err != nil {
			return false, err
		}
	}
	if err := s.write(nil); err != nil {
		return false, err
	}
	p, err := s.read()
	if err != nil {
		return false, err
	}
	s.classify(p)
	return p[0] == mywire.MarkOK && okStatus(p)&statusMore != 0, nil
}

// okStatus is the status of an OK packet, or of the one that ends a result.
func okStatus(p []byte) uint16 {
	at := 1
	for range 2 {
		if at >= len(p) {
			return 0
		}
		_, size := mywire.LenencInt(p[at:])
		at += max(size, 1)
	}
	if at+2 > len(p) {
		return 0
	}
	return binary.LittleEndian.Uint16(p[at:])
}

func (s *session) deprecatesEOF() bool { return s.conn.Capabilities.Has(mywire.CapDeprecateEOF) }

// errFailed ends a result in the place of its definitions' end.
var errFailed = errors.New("the result failed")

// definitions reads column definitions and the EOF behind them.
func (s *session) definitions(count int) ([]definition, uint16, error) {
	var columns []definition
	for range count {
		p, err := s.read()
		if err != nil {
			return nil, 0, err
		}
		d, _ := parseDefinition(p)
		columns = append(columns, d)
		s.add(kindColumn, p)
	}
	if s.deprecatesEOF() {
		return columns, 0, nil
	}
	p, err := s.read()
	if err != nil {
		return nil, 0, err
	}
	if len(p) > 0 && p[0] == markError { // of what the server computes before the rows
		s.add(kindError, p)
		return columns, 0, errFailed
	}
	s.add(kindEOF, p)
	if len(p) < 5 {
		return columns, 0, nil
	}
	return columns, binary.LittleEndian.Uint16(p[3:]), nil
}

// rows reads rows up to the end of the result.
func (s *session) rows(rows kind, columns []definition) (more bool, err error) {
	for {
		p, err := s.read()
		if err != nil {
			return false, err
		}
		switch {
		case len(p) > 0 && p[0] == markError:
			s.add(kindError, p)
			return false, nil
		case len(p) > 0 && p[0] == markEOF && (len(p) < 9 || s.deprecatesEOF() && len(p) < maxFrame):
			s.add(kindEOF, p)
			if s.deprecatesEOF() {
				return okStatus(p)&statusMore != 0, nil
			}
			return len(p) >= 5 && binary.LittleEndian.Uint16(p[3:])&statusMore != 0, nil
		}
		s.add(rows, p)
		s.got[len(s.got)-1].cols = columns
	}
}

func (s *session) prepare(sql []byte) error {
	if err := s.send(append([]byte{byte(mywire.ComStmtPrepare)}, sql...)); err != nil {
		return err
	}
	return s.prepared(sql)
}

func (s *session) prepared(sql []byte) error {
	s.failed, s.skipped, s.isOpen = false, false, false
	p, err := s.read()
	if err != nil {
		return err
	}
	if len(p) == 0 || p[0] != mywire.MarkOK {
		s.failed, s.text = true, sql
		if n, _, _ := (message{kind: kindError, body: p}).fault(); n == unsupported {
			s.skipped = true
		}
		s.add(kindError, p)
		return nil
	}
	if s.statement, err = mywire.ParsePrepared(p); err != nil {
		return err
	}
	s.add(kindPrepared, p)
	for _, n := range []int{int(s.statement.Params), int(s.statement.Columns)} {
		if n > 0 {
			if _, _, err := s.definitions(n); err != nil {
				s.failed = true
				return err
			}
		}
	}
	return nil
}

func (s *session) exec(st *step) error {
	if s.skipped {
		return s.query(&step{sql: s.text})
	}
	if s.failed {
		return nil
	}
	params := st.params
	for len(params) < int(s.statement.Params) {
		params = append(params, nil)
	}
	for i, text := range st.long {
		b := binary.LittleEndian.AppendUint32([]byte{byte(mywire.ComStmtSendLongData)}, s.statement.Statement)
		b = binary.LittleEndian.AppendUint16(b, uint16(i))
		if err := s.send(append(b, text...)); err != nil {
			return err
		}
	}
	s.cursor = st.cursor
	if err := s.send(execute(s.statement.Statement, params[:int(s.statement.Params)], st.long, st.cursor)); err != nil {
		return err
	}
	return s.results(kindBinary, nil)
}

// fetch fetches rows of an open cursor, to its end unless only once.
func (s *session) fetch(st *step) error {
	const lastRow = 128
	for s.isOpen && !s.failed {
		b := mywire.AppendStatement(nil, mywire.ComStmtFetch, s.statement.Statement)
		if err := s.send(binary.LittleEndian.AppendUint32(b, uint32(st.fetch))); err != nil {
			return err
		}
		if _, err := s.rows(kindBinary, s.columns); err != nil {
			return err
		}
		last := s.got[len(s.got)-1]
		if st.once || last.kind != kindEOF || len(last.body) < 5 || binary.LittleEndian.Uint16(last.body[3:])&lastRow != 0 {
			return nil
		}
	}
	return nil
}

// pipeline sends a prepare and an execution of "the last statement" at once.
func (s *session) pipeline(st *step) error {
	if err := s.send(append([]byte{byte(mywire.ComStmtPrepare)}, st.sql...)); err != nil {
		return err
	}
	if err := s.send(execute(mywire.LastStatement, st.params, nil, false)); err != nil {
		return err
	}
	if err := s.prepared(st.sql); err != nil {
		return err
	}
	return s.results(kindBinary, nil)
}

func (s *session) fieldList(st *step) error {
	command := append([]byte{byte(mywire.ComFieldList)}, st.table...)
	if err := s.send(append(append(command, 0), st.arg...)); err != nil {
		return err
	}
	for {
		p, err := s.read()
		if err != nil {
			return err
		}
		switch {
		case len(p) > 0 && p[0] == markError:
			s.add(kindError, p)
			return nil
		case len(p) > 0 && p[0] == markEOF && len(p) < 9, len(p) > 0 && p[0] == mywire.MarkOK:
			s.add(kindEOF, p)
			return nil
		}
		s.add(kindColumn, p)
	}
}

// others runs what a case has others do meanwhile, directly on the server, and
// returns how to end it.
func others(ctx context.Context, d door, list []background) (stop func(), err error) {
	var conns []*upstream.Conn
	stop = func() {
		for _, c := range conns {
			_ = c.Net.Close()
		}
	}
	for _, b := range list {
		c, err := dial(ctx, d, &testCase{})
		if err != nil {
			stop()
			return nil, err
		}
		conns = append(conns, c.conn)
		s := &session{client: c}
		for i, sql := range b.SQL {
			if b.Hang && i == len(b.SQL)-1 {
				err = s.send(append([]byte{byte(mywire.ComQuery)}, sql...))
			} else {
				err = s.query(&step{sql: []byte(sql)})
			}
			if err != nil {
				stop()
				return nil, fmt.Errorf("in the background: %w", err)
			}
		}
	}
	if len(list) > 0 {
		time.Sleep(50 * time.Millisecond) // until what hangs has begun
	}
	return stop, nil
}
