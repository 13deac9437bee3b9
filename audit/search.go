package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Query selects records; a zero field selects all. Conditions on several
// fields must all hold.
type Query struct {
	From, To   time.Time // From inclusive, To exclusive
	Kinds      []Kind    // any of these
	User       string    // name or identifier
	Session    string
	Datasource string
	Decision   Decision
	Table      string // "table" or "schema.table", among the tables that the statement touches
	Text       string // part of the statement, the rewritten statement or the message, in any case
	Limit      int    // most records; 0: all
	Newest     bool   // newest first
}

// Record is a record that Search found.
type Record struct {
	Segment, Line int
	Sequence      uint64
	Event         *Event // as recorded: what was cut stays cut
	Raw           []byte // the line without its newline; valid until the callback returns
}

// SkippedError says that Search met lines that are not records, which Verify
// would report.
type SkippedError struct {
	Lines   int
	Segment int // where the first one is
	Line    int
}

func (e *SkippedError) Error() string {
	return fmt.Sprintf("audit search: %d lines are not records, the first in segment %d, line %d: verify the journal",
		e.Lines, e.Segment, e.Line)
}

// Search calls fn for every record in dir that q selects, and stops at fn's
// first error, which it returns. It does not check the chain: Verify does. It
// returns *SkippedError after all records if there were unreadable lines. With
// Newest it holds the matches of one segment, at most Limit of them.
func Search(ctx context.Context, dir string, q Query, fn func(Record) error) error {
	segs, err := listSegments(dir)
	if err != nil {
		return err
	}
	if len(segs) == 0 {
		return fmt.Errorf("audit search: no segment in %s", dir)
	}
	s := &searcher{q: q, fn: fn, needles: q.needles(), text: strings.ToLower(q.Text)}
	order := slices.Clone(segs)
	if q.Newest {
		slices.Reverse(order)
	}
	for _, seg := range order {
		if s.full() {
			break
		}
		if outside(seg, segs, q) {
			continue
		}
		if err := s.segment(ctx, seg); err != nil {
			return fmt.Errorf("audit search: %w", err)
		}
	}
	if s.skipped.Lines > 0 {
		return &s.skipped
	}
	return nil
}

// outside says that no record of seg is in q's time range, which the first
// record of the next segment tells.
func outside(seg segment, all []segment, q Query) bool {
	if q.From.IsZero() && q.To.IsZero() {
		return false
	}
	i := slices.IndexFunc(all, func(s segment) bool { return s.num == seg.num+1 })
	if i < 0 {
		return false
	}
	_, d, err := readHead(all[i])
	if err != nil || d.Previous == nil {
		return false
	}
	return !q.From.IsZero() && d.Previous.Last < q.From.UnixMilli() ||
		!q.To.IsZero() && d.Previous.First > q.To.UnixMilli()
}

type searcher struct {
	q       Query
	fn      func(Record) error
	needles [][]byte // each must occur in the line
	text    string   // lower case
	found   int
	skipped SkippedError
	kept    []Record // matches of the segment, for newest first
}

func (s *searcher) full() bool { return s.q.Limit > 0 && s.found >= s.q.Limit }

// needles are strings that a matching line holds as the encoder writes them, so
// that most lines need no decoding.
func (q *Query) needles() [][]byte {
	var n [][]byte
	whole := func(s string) {
		if s != "" {
			n = append(n, appendString(nil, s))
		}
	}
	whole(q.User)
	whole(q.Session)
	whole(q.Datasource)
	whole(string(q.Decision))
	if q.Table != "" {
		n = append(n, appendString(nil, q.Table)[1:])
	}
	if len(q.Kinds) == 1 {
		whole(string(q.Kinds[0]))
	}
	return n
}

func (s *searcher) segment(ctx context.Context, seg segment) error {
	r, err := seg.open()
	if err != nil {
		return err
	}
	defer r.Close()
	s.kept = s.kept[:0]
	for n := 1; !s.full() || s.q.Newest; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		if err != nil {
			s.skip(seg, n)
			continue
		}
		if err := s.line(seg, n, line); err != nil {
			return err
		}
	}
	for i := len(s.kept) - 1; i >= 0; i-- {
		s.found++
		if err := s.fn(s.kept[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *searcher) skip(seg segment, line int) {
	if s.skipped.Lines == 0 {
		s.skipped.Segment, s.skipped.Line = seg.num, line
	}
	s.skipped.Lines++
}

func (s *searcher) line(seg segment, n int, line []byte) error {
	l, err := parseLink(line)
	ms, ok := lineTime(line)
	if err != nil || !ok {
		s.skip(seg, n)
		return nil
	}
	if !s.q.From.IsZero() && ms < s.q.From.UnixMilli() || !s.q.To.IsZero() && ms > s.q.To.UnixMilli() {
		return nil
	}
	for _, needle := range s.needles {
		if !bytes.Contains(line, needle) {
			return nil
		}
	}
	e, err := decodeEvent(line)
	if err != nil {
		s.skip(seg, n)
		return nil
	}
	if !s.matches(e) {
		return nil
	}
	r := Record{Segment: seg.num, Line: n, Sequence: l.seq, Event: e, Raw: line}
	if !s.q.Newest {
		s.found++
		return s.fn(r)
	}
	r.Raw = bytes.Clone(line)
	if s.q.Limit > 0 && len(s.kept) == s.q.Limit-s.found {
		copy(s.kept, s.kept[1:])
		s.kept = s.kept[:len(s.kept)-1]
	}
	s.kept = append(s.kept, r)
	return nil
}

// matches checks every condition on the decoded event.
func (s *searcher) matches(e *Event) bool {
	q := &s.q
	return (q.From.IsZero() || !e.Time.Before(q.From)) &&
		(q.To.IsZero() || e.Time.Before(q.To)) &&
		(len(q.Kinds) == 0 || slices.Contains(q.Kinds, e.Kind)) &&
		(q.User == "" || q.User == e.UserName || q.User == e.UserID) &&
		(q.Session == "" || q.Session == e.SessionID) &&
		(q.Datasource == "" || q.Datasource == e.Datasource) &&
		(q.Decision == "" || q.Decision == e.Decision) &&
		(q.Table == "" || slices.ContainsFunc(e.Tables, q.isTable)) &&
		(s.text == "" || s.holds(e.Text) || s.holds(e.RewrittenText) || s.holds(e.Message))
}

func (q *Query) isTable(name string) bool {
	return name == q.Table || strings.HasSuffix(name, "."+q.Table)
}

func (s *searcher) holds(text string) bool { return strings.Contains(strings.ToLower(text), s.text) }
