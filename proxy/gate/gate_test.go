package gate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
)

// recorder keeps events, or fails.
type recorder struct {
	events []*audit.Event
	fault  error
}

func (r *recorder) Append(_ context.Context, e *audit.Event) error {
	if r.fault != nil {
		return r.fault
	}
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) Post(ctx context.Context, e *audit.Event, _ func(error)) error {
	return r.Append(ctx, e)
}

func (r *recorder) kinds() []audit.Kind {
	var out []audit.Kind
	for _, e := range r.events {
		out = append(out, e.Kind)
	}
	return out
}

const (
	textOID    = 25
	numericOID = 1700
	xmlOID     = 142
)

// open is a policy that decides however slow the machine is.
func open(t *testing.T, o policy.Options) *policy.Engine {
	t.Helper()
	o.Deadline = time.Minute
	engine, err := policy.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// world is the shipped policy, or the given one, with a person of a group.
func world(t *testing.T, o policy.Options, group string, readOnly bool) (*gate.Session, *recorder) {
	t.Helper()
	engine := open(t, o)
	r := &recorder{}
	g := gate.New(gate.Options{Policy: engine, Journal: r})
	s, err := g.Connect(context.Background(), gate.Subject{
		Identity:  auth.Identity{ID: "local|1", Name: "ana", Source: "local", Groups: []string{group}, GlobalRole: "member", Method: "scram-sha-256"},
		SessionID: "s1", TLS: true, Type: func(oid uint32) masking.Type { return masking.PostgresType(oid, -1) },
		Target: gate.Target{Project: "demo", Datasource: "shop", Engine: "postgresql", Environment: "demo", Database: "shop", ReadOnly: readOnly}})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// column makes a column of hr.employees.
func column(name string, attr int16, typ uint32, uses query.Use, at ...int) query.ColumnUse {
	return query.ColumnUse{Name: name, Attr: attr, Type: typ, Uses: uses, At: at}
}

func selects(columns ...query.ColumnUse) *query.Facts {
	f := &query.Facts{Class: query.ClassRead, Verbs: []string{"SELECT"}, Complete: true, Returns: true,
		Tables: []query.Table{{Schema: "hr", Name: "employees", Kind: "table", OID: 100, Access: []string{"select"}, Direct: true, Columns: columns}}}
	for _, c := range columns {
		if c.Uses&query.UseOutput != 0 {
			f.Output = append(f.Output, query.Output{Name: c.Name, Direct: true, Source: 100, SourceAttr: c.Attr, Type: c.Type,
				Origins: []query.ColumnRef{{Schema: "hr", Table: "employees", Column: c.Name, Relation: 100, Attr: c.Attr}}})
		}
	}
	return f
}

func universe() []query.Table {
	return []query.Table{{Schema: "hr", Name: "employees", Kind: "table", OID: 100, Columns: []query.ColumnUse{
		column("id", 1, 23, query.UseAll), column("email", 2, textOID, query.UseAll), column("salary", 3, numericOID, query.UseAll)}},
		{Schema: "universe", Name: "unheard_of", Kind: "table", OID: 101, Columns: []query.ColumnUse{column("email", 1, textOID, query.UseAll)}}}
}

func judge(s *gate.Session, f *query.Facts) (*gate.Ticket, *gate.Denial) {
	ticket, err := s.Judge(context.Background(), gate.Statement{SQL: "SELECT …", Facts: f, Universe: universe})
	var d *gate.Denial
	errors.As(err, &d)
	return ticket, d
}

func TestMasks(t *testing.T) {
	union := selects(column("email", 2, textOID, query.UseOutput))
	union.Output[0].Origins = append(union.Output[0].Origins, query.ColumnRef{Schema: "hr", Table: "employees", Column: "salary"})
	union.Tables[0].Columns = append(union.Tables[0].Columns, column("salary", 3, numericOID, query.UseOutput))
	derived := selects(column("email", 2, textOID, query.UseOutput))
	derived.Output[0].Direct = false
	incomplete := selects(column("id", 1, 23, query.UseOutput))
	incomplete.Complete, incomplete.Gaps = false, []query.Gap{{Reason: "function util.peek is not known to be safe", Pos: 7}}
	write := selects(column("id", 1, 23, query.UseFilter))
	write.Class, write.Returns, write.Output = query.ClassWrite, false, nil
	write.Tables[0].Access = []string{"update"}
	for _, c := range []struct {
		name, group string
		facts       *query.Facts
		masks       []string // index:function
		touched     bool
		refuse      string
		pos         int
	}{
		{name: "unmasked columns pass", group: "analysts", facts: selects(column("id", 1, 23, query.UseOutput|query.UseFilter))},
		{name: "plain output is masked", group: "analysts", facts: selects(column("id", 1, 23, query.UseOutput), column("email", 2, textOID, query.UseOutput), column("salary", 3, numericOID, query.UseOutput)),
			masks: []string{"1:email", "2:bucket"}, touched: true},
		{name: "a filter is refused with its place", group: "analysts", facts: selects(column("salary", 3, numericOID, query.UseOutput|query.UseFilter, 7, 42)),
			refuse: "salary is masked for ana; it may be selected but not used in WHERE", pos: 42},
		{name: "so is an order", group: "analysts", facts: selects(column("salary", 3, numericOID, query.UseOrder, 31)), refuse: "in ORDER BY", pos: 31},
		{name: "output that the lineage calls derived", group: "analysts", facts: derived, refuse: "email is masked for ana", pos: -1},
		{name: "two masks in one result column", group: "analysts", facts: union, refuse: "different masks", pos: -1},
		{name: "a mask that the type cannot carry", group: "analysts", facts: selects(column("email", 2, xmlOID, query.UseOutput)), refuse: "cannot be shown", pos: -1},
		{name: "an incomplete statement", group: "analysts", facts: incomplete, refuse: "cannot be analysed: function util.peek is not known to be safe", pos: 7},
		{name: "an administrator is free", group: "administrators", facts: incomplete},
		{name: "errors of a write quote whole rows", group: "administrators", facts: write},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, r := world(t, policy.Options{}, c.group, false)
			ticket, d := judge(s, c.facts)
			if c.refuse != "" {
				if d == nil || !strings.Contains(d.Message, c.refuse) || strings.Contains(d.Message+d.Detail, "universe") || d.SQLState != "42501" || d.Pos != c.pos {
					t.Fatalf("denial %+v, want %q at %d", d, c.refuse, c.pos)
				}
				if got := r.kinds(); !slices.Equal(got, []audit.Kind{audit.KindLogin, audit.KindDenial}) {
					t.Errorf("events %v", got)
				}
				return
			}
			if d != nil {
				t.Fatal(d)
			}
			var masks []string
			for _, m := range ticket.Masks {
				masks = append(masks, string(rune('0'+m.Index))+":"+m.Spec.Function)
			}
			if !slices.Equal(masks, c.masks) || ticket.Touched != c.touched {
				t.Errorf("masks %v touched %v, want %v %v", masks, ticket.Touched, c.masks, c.touched)
			}
			ticket.Done(gate.Outcome{Rows: 3})
			ticket.Done(gate.Outcome{Rows: 4})
			if got := r.kinds(); !slices.Equal(got, []audit.Kind{audit.KindLogin, audit.KindStatementIntent, audit.KindStatementOutcome}) {
				t.Errorf("events %v", got)
			}
		})
	}
}

func TestReadOnlyComesBeforePolicy(t *testing.T) {
	s, _ := world(t, policy.Options{}, "administrators", true)
	f := selects(column("id", 1, 23, query.UseOutput))
	f.Writes = []query.Effect{{Kind: "function", Object: "setval", Pos: 7}}
	if _, d := judge(s, f); d == nil || d.Rule != "read_only" || d.Pos != 7 {
		t.Errorf("a write: %+v", d)
	}
	if _, d := judge(s, &query.Facts{Class: query.ClassUnknown}); d == nil || d.Rule != "read_only" {
		t.Errorf("an unknown statement: %+v", d)
	}
	if _, d := judge(s, selects(column("id", 1, 23, query.UseOutput))); d != nil {
		t.Errorf("a read: %+v", d)
	}
}

func TestNothingPassesWithoutTheJournal(t *testing.T) {
	s, r := world(t, policy.Options{}, "administrators", false)
	r.fault = errors.New("disk full")
	ticket, d := judge(s, selects(column("id", 1, 23, query.UseOutput)))
	if ticket != nil || d == nil || d.Rule != "journal" || d.SQLState != "58030" || strings.Contains(d.Message, "disk") {
		t.Fatalf("ticket %v, denial %+v", ticket, d)
	}
	r.fault = nil
	if _, d := judge(s, selects(column("id", 1, 23, query.UseOutput))); d != nil {
		t.Errorf("after the journal recovered: %+v", d)
	}
}

// decides is a policy that answers the same always.
func decides(decision string) policy.Options {
	return policy.Options{FS: fstest.MapFS{"p.rego": {Data: []byte("package weir\n\ndecision := " + decision + "\n")}}}
}

func TestDecisionsOfOtherPolicies(t *testing.T) {
	read := func() *query.Facts {
		return selects(column("email", 2, textOID, query.UseOutput|query.UseFilter, 7, 20))
	}
	const allow = `{"allow": true, "mode": "enforce"`
	for _, c := range []struct{ name, decision, rule string }{
		{"allow", allow + `}`, ""},
		{"observe refuses nothing", `{"allow": false, "mode": "observe", "reasons": [{"rule": "r", "message": "m"}]}`, ""},
		{"an unknown field", allow + `, "alow": true}`, "policy_error"},
		{"row filters that cannot be applied", allow + `, "row_filters": [{"schema": "hr", "table": "employees", "expression": "true"}]}`, "row_filter"},
		{"a mask refuses other uses", allow + `, "masks": [{"schema": "hr", "table": "employees", "column": "email", "function": "null"}]}`, "masked_column"},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine := open(t, decides(c.decision))
			r := &recorder{}
			s, err := gate.New(gate.Options{Policy: engine, Journal: r}).Connect(context.Background(), gate.Subject{Identity: auth.Identity{ID: "1", Name: "ana"}, SessionID: "s"})
			if c.rule == "policy_error" {
				if err == nil {
					t.Fatal("a faulty decision lets people connect")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, d := judge(s, read())
			if d == nil && c.rule != "" || d != nil && d.Rule != c.rule {
				t.Errorf("denial %+v, want rule %q", d, c.rule)
			}
		})
	}
}

func TestRequirements(t *testing.T) {
	for _, c := range []struct {
		require string
		tls     bool
		refused bool
	}{{"tls", true, false}, {"tls", false, true}, {"mfa", true, true}, {"grant", true, true}, {"levitation", true, true}} {
		engine, err := policy.Open(context.Background(), decides(`{"allow": true, "mode": "enforce", "require": ["`+c.require+`"]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = gate.New(gate.Options{Policy: engine, Journal: &recorder{}}).Connect(context.Background(), gate.Subject{TLS: c.tls})
		if (err != nil) != c.refused {
			t.Errorf("require %s with TLS %v: %v", c.require, c.tls, err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTextInTheJournal(t *testing.T) {
	const sql, shape = "ALTER ROLE x VALID UNTIL 'y'", "ALTER ROLE x VALID UNTIL ?"
	for _, c := range []struct {
		level, verb, shape string
		text               string
		kept               audit.Level
	}{
		{"full", "SELECT", shape, sql, audit.LevelFull},
		{"statement", "SELECT", shape, shape, audit.LevelFull},
		{"statement", "SELECT", "", sql, audit.LevelHash},
		{"metadata", "SELECT", shape, sql, audit.LevelHash},
		{"full", "ALTER ROLE", shape, shape, audit.LevelFull},
		{"metadata", "ALTER ROLE", shape, sql, audit.LevelHash},
		{"full", "ALTER ROLE", "", sql, audit.LevelHash},
	} {
		engine := open(t, decides(`{"allow": true, "audit": {"level": "`+c.level+`"}}`))
		r := &recorder{}
		s, err := gate.New(gate.Options{Policy: engine, Journal: r}).Connect(context.Background(), gate.Subject{Identity: auth.Identity{ID: "1", Name: "ana"}, SessionID: "s"})
		if err != nil {
			t.Fatal(err)
		}
		f := selects(column("id", 1, 23, query.UseOutput))
		f.Verbs = []string{c.verb}
		if _, err := s.Judge(context.Background(), gate.Statement{SQL: sql, Facts: f, Universe: universe, Shape: func() string { return c.shape }}); err != nil {
			t.Fatal(err)
		}
		if e := r.events[len(r.events)-1]; e.Text != c.text || e.Level != c.kept {
			t.Errorf("%+v: text %q level %s", c, e.Text, e.Level)
		}
	}
}

// A statement that passed passes again without being asked about, until the
// policy is another.
func TestStatementsThatPassedPassAgain(t *testing.T) {
	engine := open(t, decides(`{"allow": true, "mode": "enforce", "masks": [{"schema": "hr", "table": "employees", "column": "email", "function": "email"}]}`))
	asked := &counting{Decider: engine, epoch: 1}
	r := &recorder{}
	s, err := gate.New(gate.Options{Policy: asked, Journal: r}).Connect(context.Background(), gate.Subject{Identity: auth.Identity{ID: "1", Name: "ana"}, SessionID: "s"})
	if err != nil {
		t.Fatal(err)
	}
	facts := selects(column("email", 2, textOID, query.UseOutput))
	judge := func(stmt gate.Statement, more int) *gate.Ticket {
		t.Helper()
		before := asked.n
		stmt.Universe = universe
		ticket, err := s.Judge(context.Background(), stmt)
		if err != nil {
			t.Fatal(err)
		}
		if asked.n-before != more {
			t.Errorf("policy was asked %d times, want %d", asked.n-before, more)
		}
		ticket.Done(gate.Outcome{})
		if len(ticket.Masks) != 1 {
			t.Errorf("masks %v", ticket.Masks)
		}
		return ticket
	}
	asked.n = 0
	first := judge(gate.Statement{SQL: "SELECT email …", Facts: facts}, 1)
	again := judge(gate.Statement{SQL: "SELECT email …", Facts: facts}, 0)
	if first == again {
		t.Error("two statements share a ticket")
	}
	judge(gate.Statement{SQL: "SELECT email …", Facts: selects(column("email", 2, textOID, query.UseOutput))}, 1)
	judge(gate.Statement{SQL: "SELECT  email …", Facts: facts}, 1)
	judge(gate.Statement{SQL: "SELECT email …", Facts: facts, Values: map[int]gate.Value{1: {Bytes: []byte("x")}}}, 1)
	asked.epoch = 2
	judge(gate.Statement{SQL: "SELECT email …", Facts: facts}, 1)
	asked.epoch = nil
	judge(gate.Statement{SQL: "SELECT email …", Facts: facts}, 1)
	judge(gate.Statement{SQL: "SELECT email …", Facts: facts}, 1)
	var numbers []uint64
	for _, e := range r.events {
		if e.Kind == audit.KindStatementIntent {
			numbers = append(numbers, e.Statement)
		}
	}
	if !slices.Equal(numbers, []uint64{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("intents %v", numbers)
	}
}

// counting counts decisions.
type counting struct {
	gate.Decider
	n     int
	epoch any
}

func (c *counting) Decide(ctx context.Context, in *policy.Input) (*policy.Decision, error) {
	c.n++
	return c.Decider.Decide(ctx, in)
}

func (c *counting) Epoch() any { return c.epoch }
