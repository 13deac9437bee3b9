package gate_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query"
)

// everywhere is a policy in which hr.employees has columns of every kind.
const everywhere = `{"allow": true, "mode": "enforce", "masks": [
	{"schema": "hr", "table": "employees", "column": "email", "function": "email", "elsewhere": "masked"},
	{"schema": "hr", "table": "employees", "column": "salary", "function": "null", "elsewhere": "masked"},
	{"schema": "hr", "table": "employees", "column": "ssn", "function": "partial", "elsewhere": "refuse"}],
	"row_filters": %s}`

const (
	unfiltered = `[]`
	filtered   = `[{"schema": "hr", "table": "employees", "expression": "region = 'EU'"}, {"schema": "hr", "table": "employees", "expression": "active"}, {"schema": "hr", "table": "other", "expression": "false"}]`
)

// person is a session under a fixed decision.
func person(t *testing.T, decision string) (*gate.Session, *recorder) {
	t.Helper()
	engine := open(t, decides(decision))
	r := &recorder{}
	s, err := gate.New(gate.Options{Policy: engine, Journal: r}).Connect(context.Background(), gate.Subject{
		Identity: auth.Identity{ID: "1", Name: "ana"}, SessionID: "s", Type: func(oid uint32) masking.Type { return masking.PostgresType(oid, -1) }})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// rewriter is a Rewrite that leaves facts behind.
type rewriter struct {
	asked []query.Rewrite
	facts *query.Facts
	err   error
}

func (w *rewriter) rewrite(rw query.Rewrite) (*query.Rewritten, error) {
	w.asked = append(w.asked, rw)
	if w.err != nil {
		return nil, w.err
	}
	return &query.Rewritten{Rewrite: rw, SQL: "SELECT rewritten", Facts: w.facts}, nil
}

func written(rw query.Rewrite) string {
	var out []string
	for _, n := range rw.Relations {
		s := n.Schema + "." + n.Table + " " + strings.Join(n.Filters, " & ")
		for _, c := range n.Constants {
			if c.Value == nil {
				s += " " + c.Column + "=NULL"
			} else {
				s += " " + c.Column + "=" + *c.Value
			}
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func TestRewriting(t *testing.T) {
	plain := selects(column("id", 1, 23, query.UseOutput))
	for _, c := range []struct {
		name    string
		filters string
		facts   *query.Facts
		left    *query.Facts // facts of the rewritten statement
		err     error
		want    string // what is asked for; empty: nothing
		masks   []string
		touched bool
		refuse  string
		rule    string
	}{
		{name: "nothing to rewrite", facts: plain},
		{name: "a column that is only output is masked in the stream", facts: selects(column("email", 2, textOID, query.UseOutput)), masks: []string{"0:email"}, touched: true},
		{name: "a filter sees the constant", facts: selects(column("id", 1, 23, query.UseOutput), column("email", 2, textOID, query.UseFilter, 30)), left: plain,
			want: "hr.employees  email=[redacted]"},
		{name: "output and filter: the whole statement sees it", facts: selects(column("id", 1, 23, query.UseOutput), column("email", 2, textOID, query.UseOutput|query.UseFilter, 7, 30)), left: plain,
			want: "hr.employees  email=[redacted]"},
		{name: "null is NULL, and the other column stays in the stream",
			facts: selects(column("email", 2, textOID, query.UseOutput), column("salary", 3, numericOID, query.UseAggregate, 30)), left: selects(column("email", 2, textOID, query.UseOutput)),
			want: "hr.employees  salary=NULL", masks: []string{"0:email"}, touched: true},
		{name: "several, by name", facts: selects(column("salary", 3, numericOID, query.UseOrder, 30), column("email", 2, textOID, query.UseGroup, 20), column("id", 1, 23, query.UseOutput)), left: plain,
			want: "hr.employees  email=[redacted] salary=NULL"},
		{name: "one that still shows is refused", facts: selects(column("email", 2, textOID, query.UseFilter, 30)), left: selects(column("email", 2, textOID, query.UseOrder)),
			want: "hr.employees  email=[redacted]", refuse: "email is masked for ana; it may be selected but not used in WHERE or another condition", rule: "masked_column"},
		{name: "one that shows only after rewriting is refused", facts: selects(column("email", 2, textOID, query.UseFilter, 30)), left: selects(column("ssn", 4, textOID, query.UseOrder)),
			want: "hr.employees  email=[redacted]", refuse: "ssn is masked for ana", rule: "masked_column"},
		{name: "incomplete after rewriting", facts: selects(column("email", 2, textOID, query.UseFilter, 30)), left: &query.Facts{Class: query.ClassRead, Gaps: []query.Gap{{Reason: "hole", Pos: -1}}},
			want: "hr.employees  email=[redacted]", refuse: "hole", rule: "incomplete"},
		{name: "a column that is refused elsewhere", facts: selects(column("ssn", 4, textOID, query.UseFilter, 30)), refuse: "ssn is masked for ana; it may be selected but not used in WHERE", rule: "masked_column"},
		{name: "and beside one that is not", facts: selects(column("ssn", 4, textOID, query.UseFilter, 30), column("email", 2, textOID, query.UseFilter, 40)),
			refuse: "ssn is masked for ana", rule: "masked_column"},
		{name: "a write source stays refused", facts: selects(column("email", 2, textOID, query.UseWrite|query.UseFilter, 30, 40)), refuse: "email is masked for ana; it may be selected but not used as the source of a write", rule: "masked_column"},
		{name: "a type without a constant", facts: selects(column("email", 2, xmlOID, query.UseFilter, 30)), refuse: "email is masked for ana", rule: "masked_column"},
		{name: "a type without a constant, as NULL", facts: selects(column("salary", 2, xmlOID, query.UseFilter, 30)), left: plain, want: "hr.employees  salary=NULL"},
		{name: "rows", filters: filtered, facts: plain, left: plain, want: "hr.employees active & region = 'EU'", touched: true},
		{name: "rows of a table that is only counted", filters: filtered, facts: selects(), left: selects(), want: "hr.employees active & region = 'EU'", touched: true},
		{name: "rows and a column", filters: filtered, facts: selects(column("email", 2, textOID, query.UseFilter, 30)), left: plain,
			want: "hr.employees active & region = 'EU' email=[redacted]", touched: true},
		{name: "rows that cannot be filtered", filters: filtered, facts: plain, err: &query.RewriteError{Reason: "INSERT cannot be narrowed", Hint: "Do something else.", Pos: 5},
			want: "hr.employees active & region = 'EU'", refuse: "INSERT cannot be narrowed", rule: "row_filter"},
		{name: "a column that cannot be replaced", facts: selects(column("email", 2, textOID, query.UseFilter, 30)), err: &query.RewriteError{Reason: "the target of UPDATE keeps its columns", Pos: -1},
			want: "hr.employees  email=[redacted]", refuse: "it may be selected but not used in WHERE or another condition: the target of UPDATE keeps its columns", rule: "masked_column"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.filters == "" {
				c.filters = unfiltered
			}
			s, r := person(t, fmt.Sprintf(everywhere, c.filters))
			w := &rewriter{facts: c.left, err: c.err}
			ticket, err := s.Judge(context.Background(), gate.Statement{SQL: "SELECT original", Facts: c.facts, Universe: universe, Rewrite: w.rewrite})
			asked := ""
			if len(w.asked) > 0 {
				asked = written(w.asked[0])
			}
			if asked != c.want || len(w.asked) > 1 {
				t.Errorf("asked for %q (%d), want %q", asked, len(w.asked), c.want)
			}
			last := r.events[len(r.events)-1]
			var d *gate.Denial
			if errors.As(err, &d) {
				if c.refuse == "" || !strings.Contains(d.Message, c.refuse) || d.Rule != c.rule || d.Hint == "" || !strings.Contains(d.Detail+d.Message, "ule") && c.rule != "incomplete" {
					t.Errorf("denial %+v, want %q by %s", d, c.refuse, c.rule)
				}
				if last.Kind != audit.KindDenial || last.Text != "SELECT original" {
					t.Errorf("event %+v", last)
				}
				return
			}
			if c.refuse != "" {
				t.Fatalf("not refused: %+v", ticket)
			}
			var masks []string
			for _, m := range ticket.Masks {
				masks = append(masks, fmt.Sprintf("%d:%s", m.Index, m.Spec.Function))
			}
			if !slices.Equal(masks, c.masks) || ticket.Touched != c.touched {
				t.Errorf("masks %v touched %v", masks, ticket.Touched)
			}
			if c.want == "" {
				if ticket.Rewritten != nil || ticket.Facts != c.facts || last.RewrittenText != "" {
					t.Errorf("ticket %+v, event %+v", ticket, last)
				}
				return
			}
			if ticket.Rewritten == nil || ticket.Rewritten.SQL != "SELECT rewritten" || ticket.Facts != c.left || !ticket.Restricted {
				t.Errorf("ticket %+v", ticket)
			}
			if last.Text != "SELECT original" || last.RewrittenText != "SELECT rewritten" {
				t.Errorf("event %+v", last)
			}
			if strings.Contains(c.want, "email=") && !slices.Contains(last.Masks, audit.Mask{Column: "hr.employees.email", Function: "constant"}) {
				t.Errorf("the event's masks are %v", last.Masks)
			}
		})
	}
}

// What the server has already is run only as it would be sent now.
func TestRewritingOfWhatIsPrepared(t *testing.T) {
	value := "[redacted]"
	hide := query.Rewrite{Relations: []query.Narrowing{{Schema: "hr", Table: "employees", Constants: []query.Constant{{Column: "email", Value: &value}}}}}
	use := func() *query.Facts { return selects(column("email", 2, textOID, query.UseFilter, 30)) }
	plain := selects(column("id", 1, 23, query.UseOutput))
	for _, c := range []struct {
		name    string
		facts   *query.Facts
		applied query.Rewritten
		refuse  bool
	}{
		{"the same", use(), query.Rewritten{Rewrite: hide, SQL: "SELECT rewritten", Facts: plain}, false},
		{"another constant", use(), query.Rewritten{Rewrite: query.Rewrite{Relations: []query.Narrowing{{Schema: "hr", Table: "employees",
			Constants: []query.Constant{{Column: "email"}}}}}, SQL: "x", Facts: plain}, true},
		{"the original, which may not run", use(), query.Rewritten{}, true},
		{"rewritten, which is no longer needed", plain, query.Rewritten{Rewrite: hide, SQL: "x", Facts: plain}, true},
		{"the original", plain, query.Rewritten{}, false},
		{"the same, but it shows the column", use(), query.Rewritten{Rewrite: hide, SQL: "x", Facts: use()}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := person(t, fmt.Sprintf(everywhere, unfiltered))
			w := &rewriter{facts: plain}
			ticket, err := s.Judge(context.Background(), gate.Statement{SQL: "EXECUTE p", Facts: c.facts, Universe: universe, Rewrite: w.rewrite, Applied: &c.applied})
			var d *gate.Denial
			if len(w.asked) > 0 {
				t.Error("it was rewritten again")
			}
			if errors.As(err, &d) != c.refuse {
				t.Fatalf("denial %+v", d)
			}
			if c.refuse {
				if d.SQLState != "0A000" && d.Rule != "masked_column" {
					t.Errorf("denial %+v", d)
				}
				return
			}
			if empty := c.applied.Rewrite.Empty(); empty != (ticket.Rewritten == nil) || !empty && !reflect.DeepEqual(ticket.Facts, plain) {
				t.Errorf("ticket %+v", ticket)
			}
		})
	}
}

func TestPreviewGivesWhatIsToBePrepared(t *testing.T) {
	s, r := person(t, fmt.Sprintf(everywhere, unfiltered))
	plain := selects(column("id", 1, 23, query.UseOutput))
	w := &rewriter{facts: plain}
	ticket, err := s.Preview(context.Background(), gate.Statement{SQL: "SELECT original", Facts: selects(column("email", 2, textOID, query.UseFilter, 30)),
		Universe: universe, Rewrite: w.rewrite})
	if err != nil || ticket.Rewritten == nil || ticket.Facts != plain || !slices.Equal(r.kinds(), []audit.Kind{audit.KindLogin}) {
		t.Errorf("%+v, %v, %v", ticket, err, r.kinds())
	}
}

func TestObserveRewritesNothing(t *testing.T) {
	s, r := person(t, strings.Replace(fmt.Sprintf(everywhere, filtered), "enforce", "observe", 1))
	w := &rewriter{facts: selects()}
	ticket, err := s.Judge(context.Background(), gate.Statement{SQL: "SELECT original", Facts: selects(column("email", 2, textOID, query.UseFilter, 30)), Universe: universe, Rewrite: w.rewrite})
	if err != nil || ticket.Rewritten != nil || ticket.Facts == nil || ticket.Restricted || ticket.Touched || len(ticket.Masks) > 0 {
		t.Errorf("%+v, %v", ticket, err)
	}
	if last := r.events[len(r.events)-1]; last.RewrittenText != "" {
		t.Errorf("event %+v", last)
	}
}

func TestMaskedValuesAreNotWrittenBack(t *testing.T) {
	literal := func(s string) *string { return &s }
	write := func(a query.Assignment) *query.Facts {
		f := selects(column(a.Column, 2, textOID, query.UseAssign, 25))
		f.Class, f.Returns, f.Output, f.Assignments = query.ClassWrite, false, nil, []query.Assignment{a}
		f.Tables[0].Access = []string{"update"}
		return f
	}
	at := func(column string, l *string, parameter int) query.Assignment {
		return query.Assignment{Schema: "hr", Table: "employees", Column: column, Type: textOID, Literal: l, Parameter: parameter, Pos: 40}
	}
	for _, c := range []struct {
		name   string
		a      query.Assignment
		values map[int]gate.Value
		refuse string
		pos    int
	}{
		{"a masked literal", at("email", literal("a***@example.com"), 0), nil, "looks like a masked one; writing it would destroy the real value", 40},
		{"a masked parameter", at("ssn", nil, 2), map[int]gate.Value{2: {Bytes: []byte("*****")}}, "looks like a masked one", 40},
		{"a masked parameter in binary", at("ssn", nil, 2), map[int]gate.Value{2: {Bytes: []byte("*****"), Format: masking.Binary}}, "looks like a masked one", 40},
		{"a real literal", at("email", literal("ana@example.com"), 0), nil, "", 0},
		{"a real parameter", at("ssn", nil, 1), map[int]gate.Value{1: {Bytes: []byte("123-45-6789")}}, "", 0},
		{"NULL", at("ssn", nil, 1), map[int]gate.Value{1: {}}, "", 0},
		{"an unmasked column", at("note", literal("a***@example.com"), 0), nil, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := person(t, fmt.Sprintf(everywhere, unfiltered))
			_, err := s.Judge(context.Background(), gate.Statement{SQL: "UPDATE …", Facts: write(c.a), Universe: universe, Values: c.values})
			var d *gate.Denial
			if errors.As(err, &d) != (c.refuse != "") || d != nil && (!strings.Contains(d.Message, c.refuse) || d.Pos != c.pos) {
				t.Errorf("denial %+v", d)
			}
		})
	}
}

// TestRewritingBringsColumnsToLight: what the rewritten statement groups by
// was plain output before.
func TestRewritingBringsColumnsToLight(t *testing.T) {
	s, _ := world(t, decides(`{"allow": true, "masks": [
		{"schema": "hr", "table": "employees", "column": "email", "function": "redact", "elsewhere": "masked"},
		{"schema": "hr", "table": "employees", "column": "salary", "function": "redact", "elsewhere": "masked"}]}`), "analysts", false)
	asked := 0
	rewrite := func(rw query.Rewrite) (*query.Rewritten, error) {
		asked++
		email := column("email", 2, textOID, query.UseOutput|query.UseGroup)
		facts := selects(column("id", 1, 23, query.UseGroup))
		if len(rw.Relations[0].Constants) == 1 {
			facts = selects(column("id", 1, 23, query.UseGroup), email)
		}
		return &query.Rewritten{Rewrite: rw, SQL: "rewritten", Facts: facts}, nil
	}
	facts := selects(column("id", 1, 23, query.UseGroup), column("email", 2, textOID, query.UseOutput), column("salary", 3, numericOID, query.UseFilter))
	ticket, err := s.Judge(context.Background(), gate.Statement{SQL: "SELECT …", Facts: facts, Universe: universe, Rewrite: rewrite})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ticket.Rewritten.Rewrite.Relations[0].Constants); n != 2 || asked != 2 {
		t.Fatalf("%d constants after %d rewritings", n, asked)
	}
	// What the server has then stays good when it runs again.
	again, err := s.Judge(context.Background(), gate.Statement{SQL: "EXECUTE", Facts: facts, Universe: universe, Applied: ticket.Rewritten})
	if err != nil || again.Rewritten != ticket.Rewritten {
		t.Fatalf("again: %v", err)
	}
}
