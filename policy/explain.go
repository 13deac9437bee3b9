package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Explanation is a decision and how it came about. Grants, Columns and
// RowFilters come from data.weir.explain, which the shipped policy defines; a
// policy without it has Rules only.
type Explanation struct {
	Revision   string          `json:"revision"`
	Decision   *Decision       `json:"decision"`
	Principals []string        `json:"principals,omitempty"`
	Grants     []GrantUse      `json:"grants,omitempty"`
	Columns    []TagUse        `json:"columns,omitempty"`
	RowFilters []RowFilterUse  `json:"row_filters,omitempty"`
	ReadOnly   bool            `json:"read_only,omitempty"` // a read_only rule names the person
	Rules      []RuleHit       `json:"rules"`
	Own        json.RawMessage `json:"own,omitempty"` // data.weir.explain of a policy of another shape
}

// GrantUse is a grant that names the person and the target.
type GrantUse struct {
	Name        string   `json:"name"`
	Defined     string   `json:"defined"` // file:line
	Mode        string   `json:"mode"`
	Missing     []string `json:"missing"`      // requirements that the session does not meet
	AllowsClass bool     `json:"allows_class"` // it is usable and allows the statement's class
	Tables      []string `json:"tables"`       // tables for which it alone would do
}

// TagUse is a tag of a column that the statement uses.
type TagUse struct {
	Schema   string `json:"schema"`
	Table    string `json:"table"`
	Column   string `json:"column"`
	Tag      string `json:"tag"`
	Function string `json:"function"` // the mask
	Rule     string `json:"rule"`     // file:line of the mask rule
	Shown    string `json:"shown"`    // why the value is shown all the same; empty: it is masked
}

// RowFilterUse is a row filter of a table that the statement uses.
type RowFilterUse struct {
	Schema     string `json:"schema"`
	Table      string `json:"table"`
	Expression string `json:"expression"`
	Rule       string `json:"rule"` // file:line
	Applies    bool   `json:"applies"`
}

// RuleHit is a Rego rule that was true or gave a value.
type RuleHit struct {
	Position
	Name  string `json:"name"`
	Times int    `json:"times"`
}

// Explain decides anew, without the cache, and tells how.
func (e *Engine) Explain(ctx context.Context, in *Input) (*Explanation, error) {
	s := e.current.Load()
	tracer := &ruleTracer{hits: map[*ast.Rule]int{}}
	v, err := eval(ctx, s.decision, in, e.explainDeadline(), rego.EvalQueryTracer(tracer))
	if err != nil {
		return nil, err
	}
	x := &Explanation{Revision: s.revision, Rules: tracer.rules()}
	if x.Decision, err = s.decided(v); err != nil {
		return nil, err
	}
	if s.explain == nil {
		return x, nil
	}
	own, err := eval(ctx, *s.explain, in, e.explainDeadline())
	if err != nil || own == nil {
		return x, err
	}
	return x, x.take(own)
}

// explainDeadline leaves room for tracing.
func (e *Engine) explainDeadline() time.Duration { return 10 * e.deadline }

// take fills in what data.weir.explain says.
func (x *Explanation) take(v ast.Value) error {
	plain, err := ast.JSON(v)
	if err != nil {
		return &EvalError{Kind: EvalInvalid, Err: err}
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return &EvalError{Kind: EvalInvalid, Err: err}
	}
	shape := struct {
		Principals *[]string       `json:"principals"`
		Grants     *[]GrantUse     `json:"grants"`
		Columns    *[]TagUse       `json:"columns"`
		RowFilters *[]RowFilterUse `json:"row_filters"`
		ReadOnly   *bool           `json:"read_only"`
	}{&x.Principals, &x.Grants, &x.Columns, &x.RowFilters, &x.ReadOnly}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if dec.Decode(&shape) != nil {
		*x = Explanation{Revision: x.Revision, Decision: x.Decision, Rules: x.Rules, Own: raw}
	}
	return nil
}

// ruleTracer counts the rules that were left with a result.
type ruleTracer struct{ hits map[*ast.Rule]int }

func (t *ruleTracer) Enabled() bool { return true }

func (t *ruleTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *ruleTracer) TraceEvent(e topdown.Event) {
	if rule, ok := e.Node.(*ast.Rule); ok && e.Op == topdown.ExitOp {
		t.hits[rule]++
	}
}

func (t *ruleTracer) rules() []RuleHit {
	list := make([]RuleHit, 0, len(t.hits))
	for rule, n := range t.hits {
		hit := RuleHit{Name: rule.Ref().GroundPrefix().String(), Times: n}
		if loc := rule.Location; loc != nil {
			hit.Position = Position{File: loc.File, Line: loc.Row}
		}
		list = append(list, hit)
	}
	slices.SortFunc(list, func(a, b RuleHit) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return list
}

// WriteJSON prints the explanation as one JSON document.
func (x *Explanation) WriteJSON(w io.Writer) error { return writeJSON(w, x) }

// WriteText prints the explanation for people.
func (x *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	verdict := "denied"
	if x.Decision.Allow {
		verdict = "allowed"
	}
	if x.Decision.Mode == ModeObserve {
		verdict += " (observe: recorded, not enforced)"
	}
	fmt.Fprintf(&b, "%s by policy %s\n", verdict, x.Revision)
	for _, r := range x.Decision.Reasons {
		fmt.Fprintf(&b, "  %s [%s]\n", r.Message, r.Rule)
	}
	x.writeGrants(&b)
	x.writeColumns(&b)
	if l := x.Decision.Limits; l != nil {
		fmt.Fprintf(&b, "limits:%s%s\n", limitText(" rows ", l.Rows), limitText(" seconds ", l.Seconds))
	}
	if a := x.Decision.Audit; a != nil {
		fmt.Fprintf(&b, "audit: %s\n", a.Level)
	}
	if len(x.Grants) == 0 && len(x.Columns) == 0 {
		b.WriteString("rules that held:\n")
		for _, r := range x.Rules {
			fmt.Fprintf(&b, "  %s  %s\n", r.Position, r.Name)
		}
	}
	if x.Own != nil {
		fmt.Fprintf(&b, "data.weir.explain: %s\n", x.Own)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func limitText(name string, n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(name, n)
}

func (x *Explanation) writeGrants(b *strings.Builder) {
	if len(x.Principals) > 0 {
		fmt.Fprintf(b, "seen as: %s\n", strings.Join(x.Principals, ", "))
	}
	if len(x.Grants) > 0 {
		b.WriteString("grants that name the person and the target:\n")
	}
	for _, g := range x.Grants {
		fmt.Fprintf(b, "  %s (%s, %s)", g.Name, g.Defined, g.Mode)
		switch {
		case len(g.Missing) > 0:
			fmt.Fprintf(b, ": does not count without %s", strings.Join(g.Missing, ", "))
		case !g.AllowsClass:
			b.WriteString(": does not allow this class of statement")
		case len(g.Tables) > 0:
			fmt.Fprintf(b, ": alone enough for %s", strings.Join(g.Tables, ", "))
		}
		b.WriteByte('\n')
	}
	if x.ReadOnly {
		b.WriteString("a read_only rule names the person\n")
	}
}

func (x *Explanation) writeColumns(b *strings.Builder) {
	if len(x.Columns) > 0 {
		b.WriteString("tagged columns:\n")
	}
	for _, c := range x.Columns {
		fmt.Fprintf(b, "  %s.%s.%s is %s: ", c.Schema, c.Table, c.Column, c.Tag)
		if c.Shown != "" {
			fmt.Fprintf(b, "shown, by %s\n", c.Shown)
		} else {
			fmt.Fprintf(b, "masked with %s (%s)\n", c.Function, c.Rule)
		}
	}
	for _, f := range x.RowFilters {
		state := "does not apply"
		if f.Applies {
			state = "applies"
		}
		fmt.Fprintf(b, "row filter on %s.%s (%s) %s: %s\n", f.Schema, f.Table, f.Rule, state, f.Expression)
	}
}
