package pgsession

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/protocol/pgwire/upstream"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/pgsql"
)

// fuzzGate denies, masks and lets pass by what a statement contains.
type fuzzGate struct{}

func (g fuzzGate) Judge(ctx context.Context, s gate.Statement) (*gate.Ticket, error) {
	switch {
	case strings.Contains(s.SQL, "deny"):
		return nil, &gate.Denial{SQLState: "42501", Message: "denied", Pos: 0}
	case strings.Contains(s.SQL, "mask"):
		s.Facts.Returns = true
		return &gate.Ticket{Facts: s.Facts, Touched: true, Restricted: true, Masks: []gate.OutputMask{{Spec: masking.Spec{Function: "redact"}}}}, nil
	case strings.Contains(s.SQL, "few"):
		return &gate.Ticket{Facts: s.Facts, Rows: 1}, nil
	}
	return g.Preview(ctx, s)
}

func (fuzzGate) Preview(_ context.Context, s gate.Statement) (*gate.Ticket, error) {
	if strings.Contains(s.SQL, "denyparse") {
		return nil, &gate.Denial{SQLState: "42501", Message: "denied", Pos: 0}
	}
	t := &gate.Ticket{Facts: s.Facts}
	if !strings.Contains(s.SQL, "narrow") {
		return t, nil
	}
	if s.Applied != nil {
		t.Rewritten = s.Applied
		return t, nil
	}
	r, err := s.Rewrite(query.Rewrite{Relations: []query.Narrowing{{Table: "t"}}})
	if err != nil {
		return nil, &gate.Denial{SQLState: "42501", Message: err.Error(), Pos: 0}
	}
	t.Facts, t.Rewritten = r.Facts, r
	return t, nil
}

func (fuzzGate) Close(string) {}

// fuzzAnalyzer takes every text for one statement, an empty one for none.
type fuzzAnalyzer struct{}

func (fuzzAnalyzer) Analyze(text string, _ *pgsql.Catalog, _ *pgsql.State) *pgsql.Analysis {
	a := &pgsql.Analysis{}
	if strings.TrimSpace(text) == "" {
		return a
	}
	s := pgsql.Statement{}
	s.Span = query.Span{End: len(text)}
	switch {
	case strings.Contains(text, "set"):
		s.Changes = pgsql.ChangeSettings
	case strings.Contains(text, "copymask"):
		s.Copy = &pgsql.Copy{Format: "text", Null: `\N`, Query: "select mask"}
	case strings.Contains(text, "unknown"):
		s.Changes = pgsql.ChangeUnknown
	}
	a.Statements = []pgsql.Statement{s}
	return a
}

func (fuzzAnalyzer) Rewrite(text string, _ int, _ *pgsql.Catalog, _ *pgsql.State, rw query.Rewrite) (*pgsql.Rewritten, error) {
	if strings.Contains(text, "not") {
		return nil, &query.RewriteError{Reason: "not", Pos: -1}
	}
	s := &pgsql.Statement{}
	return &pgsql.Rewritten{Rewritten: query.Rewritten{Rewrite: rw, SQL: "rewritten " + text, Facts: &s.Facts}, Statement: s}, nil
}

func (fuzzAnalyzer) Universe(*pgsql.Catalog) []query.Table { return nil }

func (fuzzAnalyzer) SizesOf(*pgsql.Catalog) []query.Sized { return nil }

type fuzzCatalogs struct{}

func (fuzzCatalogs) After(context.Context, pgsql.Token) (*pgsql.Catalog, error) {
	return &pgsql.Catalog{}, nil
}
func (fuzzCatalogs) Invalidate() pgsql.Token { return 1 }

func message(typ byte, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4))
	return append(b, body...)
}

// polite is what a server answers to a frame.
func polite(typ byte, body []byte) []byte {
	row := "\x00\x01x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x19\xff\xff\xff\xff\xff\xff\x00\x00"
	join := func(parts ...[]byte) (b []byte) {
		for _, p := range parts {
			b = append(b, p...)
		}
		return b
	}
	ready := message('Z', "I")
	data := join(message('D', "\x00\x01\x00\x00\x00\x01a"), message('D', "\x00\x01\xff\xff\xff\xff"))
	failure := message('E', "SERROR\x00VERROR\x00C42P01\x00Mx\x00\x00")
	switch typ {
	case 'Q':
		switch sql := string(body); {
		case strings.Contains(sql, "weir: denied"):
			return join(failure, ready)
		case strings.Contains(sql, "copyin"):
			return message('G', "\x00\x00\x00")
		case strings.Contains(sql, "copy"):
			return join(message('H', "\x00\x00\x00"), message('d', "a\n"), message('c', ""), message('C', "COPY 1\x00"), ready)
		}
		return join(message('T', row), data, message('C', "SELECT 2\x00"), ready)
	case 'P':
		if strings.Contains(string(body), "TABLE pg_catalog") {
			return failure
		}
		return message('1', "")
	case 'B':
		return message('2', "")
	case 'C':
		return message('3', "")
	case 'D':
		if len(body) > 0 && body[0] == 'S' {
			return join(message('t', "\x00\x00"), message('T', row))
		}
		return message('T', row)
	case 'E':
		return join(data, message('C', "SELECT 2\x00"))
	case 'S':
		return ready
	case 'F':
		return join(message('V', "\xff\xff\xff\xff"), ready)
	case 'c', 'f':
		return join(message('C', "COPY 1\x00"), ready)
	}
	return nil
}

// scriptedServer answers frames politely, and sends rude after the nth.
func scriptedServer(conn net.Conn, nth int, rude []byte) {
	defer conn.Close()
	r := pgwire.NewReader(conn, pgwire.ReaderOptions{})
	defer r.Close()
	replies := make(chan []byte, 1024)
	written := make(chan struct{})
	go func() { // ends when replies is closed
		defer close(written)
		for b := range replies {
			if _, err := conn.Write(b); err != nil {
				continue
			}
		}
	}()
	defer func() { <-written }()
	defer close(replies)
	for i := 0; ; i++ {
		if i == nth {
			replies <- rude
		}
		h, err := r.Peek()
		if err != nil || h.Type == 'X' {
			return
		}
		body, err := r.Body(1 << 20)
		if err != nil {
			return
		}
		replies <- polite(h.Type, body)
		if r.Discard() != nil {
			return
		}
	}
}

func FuzzSession(f *testing.F) {
	q := func(sql string) []byte { return message('Q', sql+"\x00") }
	p := func(sql string) []byte { return message('P', "\x00"+sql+"\x00\x00\x00") }
	b := message('B', "\x00\x00\x00\x00\x00\x00\x00\x00")
	e := message('E', "\x00\x00\x00\x00\x00")
	s := message('S', "")
	seq := func(parts ...[]byte) (all []byte) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	for _, client := range [][]byte{
		q("select 1"), q("deny"), q("mask"), q("few"), q("copyin"), q("copymask"), q(""), q("set"), q("narrow"), q("not narrow"),
		seq(p("narrow"), b, e, e, s, b, e, s), seq(p("narrow mask"), b, e, s, q("narrow mask")),
		seq(p("select"), b, e, s), seq(p("denyparse"), b, e, s), seq(p("deny"), b, e, s), seq(p("mask"), b, e, s, q("mask")),
		seq(p("copymask mask"), b, e, s), seq(p("few"), b, e, s), seq(p("set"), b, e, s, p("select"), b, e, s),
		seq(p("unknown"), s, b, e, s), seq(q("copyin"), message('d', "x\n"), message('c', ""), q("x")),
		message('F', "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"), message('X', ""), message('D', "S\x00"), message('C', "P\x00"), {'Q', 0, 0, 0, 0},
	} {
		f.Add(client, byte(255), []byte(nil))
		f.Add(client, byte(3), message('Z', "I"))
	}
	f.Add(q("mask"), byte(0), message('D', "\x00\x01"))
	f.Add(q("mask"), byte(1), message('E', "SFATAL\x00VFATAL\x00C57P01\x00Mx\x00\x00"))
	f.Fuzz(func(t *testing.T, client []byte, nth byte, rude []byte) { fuzzSession(t, client, int(nth), rude) })
}

func fuzzSession(t *testing.T, client []byte, nth int, rude []byte) {
	if len(client) > 4096 || len(rude) > 4096 {
		return
	}
	there, here := net.Pipe()
	serverEnd, upEnd := net.Pipe()
	options := Options{Buffers: pgwire.NewBuffers()}
	options.complete()
	options.Stall, options.WriteStall = 500*time.Millisecond, 500*time.Millisecond
	server := proxy.New(proxy.Options{})
	c := &proxy.Conn{Conn: here, ID: "fuzz", Listener: &proxy.Listener{}, Server: server}
	fr := &front{options: &options, conn: c, limit: time.Now().Add(5 * time.Second), version: pgwire.Version30,
		identity: &auth.Identity{ID: "local|ana", Name: "ana"}, datasource: &Datasource{Catalogs: fuzzCatalogs{}, Analyzer: fuzzAnalyzer{}}}
	fr.use(here)
	s := newSession(fr)
	s.gate = fuzzGate{}
	s.up = &upstream.Conn{Net: upEnd, Reader: pgwire.NewReader(upEnd, pgwire.ReaderOptions{Stall: 500 * time.Millisecond}), Writer: pgwire.NewWriter(upEnd, pgwire.WriterOptions{}),
		Params: map[string]string{"client_encoding": "UTF8"}}
	scripted := make(chan struct{})
	go func() { // ends with the session
		defer close(scripted)
		scriptedServer(serverEnd, nth, rude)
	}()
	read := make(chan struct{})
	go func() { // ends with the session
		defer close(read)
		_, _ = io.Copy(io.Discard, there)
	}()
	wrote := make(chan struct{})
	go func() { // ends with the session
		defer close(wrote)
		_, _ = there.Write(client)
		time.Sleep(time.Millisecond)
		_ = there.Close()
	}()
	ended := make(chan proxy.EndReason, 1)
	go func() { ended <- s.run(context.Background()) }() // ends with the session
	select {
	case reason := <-ended:
		if reason == proxy.EndInternal {
			t.Fatalf("internal error: %v", s.ending)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the session does not end")
	}
	_ = there.Close()
	_ = serverEnd.Close()
	<-scripted
	<-read
	<-wrote
}
