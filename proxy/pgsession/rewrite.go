package pgsession

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/pgsql"
)

// Where the gate says that a statement must see its relations otherwise, the
// analyser rewrites it, and the rewritten text is sent in its place: at once
// for a Query, and at Parse, PREPARE and DECLARE for what runs later. What was
// sent is kept with the prepared statement, portal or cursor. Before it runs,
// the gate compares what is needed now with what the server has.

// question is one statement that the gate is asked about.
type question struct {
	text    string
	index   int // of the statement in the text
	s       *pgsql.Statement
	catalog *pgsql.Catalog // nil if definitions cannot be read
	state   *pgsql.State   // in which the statement is analysed
	// sent is what the server has of the statement, the zero value for the
	// statement itself; nil if it is sent now. For PREPARE, it and the result
	// are about the statement inside.
	sent   *pgsql.Rewritten
	values map[int]gate.Value

	// The answer: what runs instead, and the text that makes it run if it is
	// sent now.
	result *pgsql.Rewritten
	edited string
}

// outdated is what no statement is ever rewritten to.
var outdated = &pgsql.Rewritten{Rewritten: query.Rewritten{Rewrite: query.Rewrite{Relations: []query.Narrowing{{}}}}}

// decide asks the gate, of PREPARE also about the statement inside.
func (j *judge) decide(ctx context.Context, q *question, ask func(context.Context, gate.Statement) (*gate.Ticket, error)) (*gate.Ticket, error) {
	switch q.s.Kind {
	case pgsql.KindPrepare:
		if err := j.prepares(ctx, q); err != nil {
			return nil, err
		}
		outer := *q
		outer.sent = &pgsql.Rewritten{} // nothing of PREPARE itself can be rewritten
		return ask(ctx, j.gateStatement(&outer))
	case pgsql.KindExecute:
		q.sent = &pgsql.Rewritten{}
		if p := q.state.Prepared[q.s.Name]; p != nil {
			q.sent = j.again(p, q.catalog, q.state)
		}
	case pgsql.KindFetch:
		q.sent = opened(q.state.Cursors[q.s.Name], q.s.Returns)
	}
	ticket, err := ask(ctx, j.gateStatement(q))
	if err != nil || ticket.Rewritten == nil {
		q.result = nil
		return ticket, err
	}
	if q.sent != nil {
		q.result = q.sent
		return ticket, nil
	}
	q.edited = q.result.SQL
	return ticket, nil
}

// gateStatement is the question in the gate's terms.
func (j *judge) gateStatement(q *question) gate.Statement {
	g := gate.Statement{SQL: q.text[q.s.Span.Start:q.s.Span.End], Facts: &q.s.Facts, Values: q.values,
		Shape: func() string { return pgsql.Shape(q.text[q.s.Span.Start:q.s.Span.End], q.state) },
		Universe: func() []query.Table {
			if q.catalog == nil {
				return nil
			}
			return j.datasource.Analyzer.Universe(q.catalog)
		}}
	if q.catalog != nil && pgsql.ReadsSizes(g.Facts) {
		g.Sizes = func() []query.Sized { return j.datasource.Analyzer.SizesOf(q.catalog) }
	}
	if q.sent != nil {
		g.Applied = &q.sent.Rewritten
		return g
	}
	if q.catalog == nil {
		return g
	}
	g.Rewrite = func(rw query.Rewrite) (*query.Rewritten, error) {
		r, err := j.datasource.Analyzer.Rewrite(q.text, q.index, q.catalog, q.state, rw)
		if err != nil {
			return nil, err
		}
		q.result = r
		return &r.Rewritten, nil
	}
	return g
}

// prepares asks about the statement inside PREPARE.
func (j *judge) prepares(ctx context.Context, q *question) error {
	if q.catalog == nil || q.s.Inner == "" {
		return nil // the gate knows of the gap
	}
	state := *q.state
	if strings.ContainsFunc(q.s.Inner, func(r rune) bool { return r >= utf8.RuneSelf }) {
		state.Encoding = "UTF8" // Inner is
	}
	a := j.datasource.Analyzer.Analyze(q.s.Inner, q.catalog, &state)
	if len(a.Statements) == 0 {
		return nil
	}
	outer := q.text[q.s.Span.Start:q.s.Span.End]
	at := strings.LastIndex(outer, q.s.Inner)
	inner := &question{text: q.s.Inner, s: &a.Statements[0], catalog: q.catalog, state: &state, sent: q.sent}
	ticket, err := j.gate.Preview(ctx, j.gateStatement(inner))
	if d := (*gate.Denial)(nil); errors.As(err, &d) && d.Pos >= 0 {
		moved := *d
		if moved.Pos += q.s.Span.Start + at; at < 0 {
			moved.Pos = -1
		}
		return &moved
	}
	if err != nil || ticket.Rewritten == nil {
		return err
	}
	if q.sent != nil {
		q.result = q.sent
		return nil
	}
	if at < 0 || state.Encoding != q.state.Encoding {
		return &gate.Denial{SQLState: "0A000", Rule: "encoding", Pos: -1,
			Message: "the prepared statement has to be rewritten, which needs client_encoding UTF8", Hint: "SET client_encoding = 'UTF8'."}
	}
	q.result, q.edited = inner.result, outer[:at]+inner.result.SQL
	return nil
}

// again is what the server would be sent now of a statement that it has: it
// resolves the names in the text that it was sent anew.
func (j *judge) again(p *pgsql.Prepared, c *pgsql.Catalog, st *pgsql.State) *pgsql.Rewritten {
	if p.Applied == nil {
		return &pgsql.Rewritten{}
	}
	if c == nil {
		return outdated
	}
	text := p.SQL
	if a := j.datasource.Analyzer.Analyze(text, c, st); len(a.Statements) == 1 && a.Statements[0].Kind == pgsql.KindPrepare {
		text = a.Statements[0].Inner
	}
	r, err := j.datasource.Analyzer.Rewrite(text, 0, c, st, p.Applied.Rewrite)
	if err != nil || r.SQL != p.Applied.SQL {
		return outdated
	}
	return r
}

// opened is what was sent for a cursor, as its FETCH, or as its MOVE, which
// returns nothing.
func opened(c *pgsql.Cursor, returns bool) *pgsql.Rewritten {
	if c == nil || c.Applied == nil {
		return &pgsql.Rewritten{}
	}
	r := &pgsql.Rewritten{Rewritten: *c.Applied}
	if !returns {
		facts := *r.Facts
		facts.Returns, facts.Output = false, nil
		r.Facts = &facts
	}
	return r
}

// predict changes a state as a statement does, and keeps with what it prepares
// or opens what is sent for it.
func predict(state *pgsql.State, catalog *pgsql.Catalog, s *pgsql.Statement, result *pgsql.Rewritten) {
	state.Apply(catalog, s)
	if result == nil {
		return
	}
	switch s.Kind {
	case pgsql.KindPrepare:
		if p := state.Prepared[s.Name]; p != nil {
			state.Prepared[s.Name] = &pgsql.Prepared{SQL: p.SQL, Applied: &result.Rewritten}
		}
	case pgsql.KindDeclareCursor:
		var other pgsql.State
		other.Apply(catalog, result.Statement)
		c, narrowed := state.Cursors[s.Name], other.Cursors[s.Name]
		if c == nil || narrowed == nil {
			return
		}
		open := *c
		open.Applied = &query.Rewritten{Rewrite: result.Rewrite, Facts: narrowed.Facts}
		state.Cursors[s.Name] = &open
	}
}

// edit is a part of the text that was sent and what stands there in the
// client's, in characters from 0. Nothing stands there of a statement that was
// rewritten: then a position in it means nothing to the client.
type edit struct{ start, end, before int }

// edited puts rewritten statements into a text.
func edited(text string, statements []pgsql.Statement, judged []*statement) (string, []edit) {
	var b strings.Builder
	var edits []edit
	at := 0
	for i, st := range judged {
		if st.edited == "" || st.denial != nil {
			continue
		}
		span := statements[i].Span
		b.WriteString(text[at:span.Start])
		start := characters(b.String())
		b.WriteString(st.edited)
		edits = append(edits, edit{start, characters(b.String()), characters(text[:span.End])})
		at = span.End
	}
	if edits == nil {
		return text, nil
	}
	b.WriteString(text[at:])
	return b.String(), edits
}

// wholly is the edit of a text that was replaced altogether.
func wholly(sent string) []edit { return []edit{{0, characters(sent), 0}} }

// original is a position (from 1) in the client's text for one in the text
// that was sent, 0 if there is none.
func original(edits []edit, position int) int {
	for i := len(edits) - 1; i >= 0; i-- {
		e := edits[i]
		switch {
		case position-1 >= e.end:
			return position - e.end + e.before
		case position-1 >= e.start:
			return 0
		}
	}
	return position
}
