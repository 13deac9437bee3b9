package e2e

import (
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// observation is one thing that a client saw.
type observation struct {
	Step  string `json:"step"`
	Value any    `json:"value"` // as encoding/json decodes it
}

// table is rows of cells as text.
type table [][]*string

// plain makes a value what it would be after a trip through JSON.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a test's own value
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}

// compare checks what was seen through weir against what was seen directly.
func compare(t *testing.T, direct, through []observation, refusals map[string]func(any) string) {
	t.Helper()
	if len(through) < len(direct) {
		t.Fatalf("through weir the client ended after %d of %d observations", len(through), len(direct))
	}
	for i, d := range direct {
		if through[i].Step != d.Step {
			t.Fatalf("observation %d is %s, want %s", i, through[i].Step, d.Step)
		}
		want := d.Value
		if columns := masks[d.Step]; columns != nil {
			want = masked(t, d, columns)
		}
		if d.Step == "salary_sum" {
			want = sum(through[:i])
		}
		if !reflect.DeepEqual(want, through[i].Value) {
			t.Errorf("%s:\n got %s\nwant %s", d.Step, short(through[i].Value, want), short(want, through[i].Value))
		}
	}
	for _, o := range through[len(direct):] {
		if want, ok := refusals[o.Step]; !ok {
			t.Errorf("unexpected observation %s: %v", o.Step, o.Value)
		} else if problem := want(o.Value); problem != "" {
			t.Errorf("%s is %v, want %s", o.Step, o.Value, problem)
		}
	}
}

// masked applies the masks to rows that were seen directly.
func masked(t *testing.T, o observation, columns []mask) any {
	t.Helper()
	rows := cells(o.Value)
	if len(rows) == 0 {
		t.Fatalf("%s has no rows", o.Step)
	}
	for _, row := range rows {
		if len(row) != len(columns) {
			t.Fatalf("%s has %d columns, want %d", o.Step, len(row), len(columns))
		}
		for i, m := range columns {
			row[i] = m(row[i])
		}
	}
	return plain(rows)
}

func cells(v any) table {
	var out table
	text, _ := json.Marshal(v) // came from JSON
	if err := json.Unmarshal(text, &out); err != nil {
		return nil
	}
	return out
}

// sum is that of the masked salaries that were seen.
func sum(seen []observation) any {
	total := new(big.Rat)
	for _, o := range slices.Backward(seen) {
		if o.Step != "salaries" {
			continue
		}
		for _, row := range cells(o.Value) {
			if v, ok := new(big.Rat).SetString(*row[3]); ok {
				total.Add(total, v)
			}
		}
		break
	}
	return total.FloatString(2)
}

// short is the JSON of a value, of long rows only the first that differs.
func short(v, other any) string {
	rows, ok := v.([]any)
	others, also := other.([]any)
	if ok && also && len(rows) > 3 {
		for i := range rows {
			if i >= len(others) || !reflect.DeepEqual(rows[i], others[i]) {
				text, _ := json.Marshal(rows[i])
				return "row " + string(text)
			}
		}
	}
	text, _ := json.Marshal(v)
	return string(text[:min(len(text), 2000)])
}

// refusals are what a client sees only through weir. Each says what is wanted
// where it is not what came.
var refusals = map[string]func(any) string{
	"denied":             equal("42501"),
	"denied_message":     contains("email is masked for ana"),
	"pipeline_denied":    equal("42501"),
	"read_only":          equal("42501"),
	"aborted":            equal("25P02"),
	"alive":              equal(plain([][]string{{"1"}})),
	"alive_after_cancel": equal(plain([][]string{{"1"}})),
	"rolled_back":        equal(plain([][]string{{"1", "d***@example.org"}})),
	"savepoint":          equal(plain([][]string{{"2", "g***@example.net"}})),
	"cancelled":          equal("57014"),
	"cancelled_soon":     equal(true),
	"frozen":             equal(plain(slices.Repeat([]string{"42501"}, len(writes)))),
	"wrong_password":     oneOf(equal("28P01"), contains(`password authentication failed for user "ana"`)),
}

func equal(want any) func(any) string {
	return func(got any) string {
		if reflect.DeepEqual(got, want) {
			return ""
		}
		text, _ := json.Marshal(want)
		return string(text)
	}
}

func contains(part string) func(any) string {
	return func(got any) string {
		if s, ok := got.(string); ok && strings.Contains(s, part) {
			return ""
		}
		return "something with " + part
	}
}

func oneOf(a, b func(any) string) func(any) string {
	return func(got any) string {
		first := a(got)
		if first == "" {
			return ""
		}
		if second := b(got); second != "" {
			return first + " or " + second
		}
		return ""
	}
}
