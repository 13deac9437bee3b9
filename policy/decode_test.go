package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestDecodeDecision(t *testing.T) {
	for name, c := range map[string]struct {
		rego string
		want Decision
	}{
		"minimal": {`{"allow": true}`, Decision{Allow: true, Mode: "enforce"}},
		"whole": {
			`{"allow": false, "mode": "observe", "reasons": [{"rule": "r", "message": "m"}],
			 "masks": [{"schema": "s", "table": "t", "column": "c", "function": "f", "args": {"a": 1, "b": [1.5, "x", null, true]}, "elsewhere": "masked"}],
			 "row_filters": [{"schema": "s", "table": "t", "expression": "x > 1"}],
			 "limits": {"rows": 5, "seconds": 6}, "require": ["mfa"], "audit": {"level": "full"}}`,
			Decision{
				Mode: "observe", Reasons: []Reason{{"r", "m"}},
				Masks:      []Mask{{"s", "t", "c", "f", map[string]any{"a": int64(1), "b": []any{1.5, "x", nil, true}}, "masked"}},
				RowFilters: []RowFilter{{"s", "t", "x > 1"}}, Limits: &Limits{5, 6}, Require: []string{"mfa"},
				Audit: &AuditLevel{"full"},
			},
		},
		"sets for lists": {`{"allow": true, "require": {"tls", "mfa"}}`, Decision{Allow: true, Mode: "enforce", Require: []string{"mfa", "tls"}}},
		"empty parts":    {`{"allow": true, "masks": [], "limits": {}}`, Decision{Allow: true, Mode: "enforce"}},
		"mask defaults": {`{"allow": true, "masks": [{"schema": "", "table": "t", "column": "c", "function": "f", "args": {}}]}`,
			Decision{Allow: true, Mode: "enforce", Masks: []Mask{{Table: "t", Column: "c", Function: "f", Elsewhere: "refuse"}}}},
	} {
		got, err := decodeDecision(ast.MustParseTerm(c.rego).Value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}

func TestDecodeDecisionRefuses(t *testing.T) {
	mask := `{"schema": "s", "table": "t", "column": "c", "function": "f"}`
	for rego, want := range map[string]string{
		`true`:                             "want an object",
		`{}`:                               "allow is missing",
		`{"allow": "yes"}`:                 "want a boolean",
		`{"allow": 1}`:                     "want a boolean",
		`{"allow": true, "alow": true}`:    `unknown field "alow"`,
		`{"allow": true, 1: 2}`:            "want names as keys",
		`{"allow": true, "mode": "off"}`:   "is none of",
		`{"allow": true, "revision": "x"}`: "unknown field",
		`{"allow": true, "reasons": "x"}`:  "want an array",
		`{"allow": true, "reasons": [{"rule": "r"}]}`:                                                           "message is missing",
		`{"allow": true, "reasons": [{"rule": "", "message": "m"}]}`:                                            "is empty",
		`{"allow": true, "masks": [{}]}`:                                                                        "schema is missing",
		`{"allow": true, "masks": [` + mask + `, ` + mask + `]}`:                                                "two masks for s.t.c",
		`{"allow": true, "masks": [{"schema":"s","table":"t","column":"c","function":"f","args":[]}]}`:          "want an object",
		`{"allow": true, "masks": [{"schema":"s","table":"t","column":"c","function":"f","elsewhere":"out"}]}`:  "is none of",
		`{"allow": true, "masks": [{"schema":"s","table":"t","column":"c","function":"f","arg":{}}]}`:           `unknown field "arg"`,
		`{"allow": true, "row_filters": [{"schema": "s", "table": "t", "expression": ""}]}`:                     "is empty",
		`{"allow": true, "limits": {"rows": 0}}`:                                                                "above zero",
		`{"allow": true, "limits": {"rows": 1.5}}`:                                                              "whole number",
		`{"allow": true, "limits": {"bytes": 1}}`:                                                               "unknown field",
		`{"allow": true, "require": [""]}`:                                                                      "is empty",
		`{"allow": true, "audit": {}}`:                                                                          "level is missing",
		`{"allow": true, "audit": {"level": "some"}}`:                                                           "is none of",
		`{"allow": true, "masks": [{"schema":"s","table":"t","column":"c","function":"f","args":{"x":1e999}}]}`: "out of range",
	} {
		_, err := decodeDecision(ast.MustParseTerm(rego).Value)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", rego, err, want)
		}
	}
}

// FuzzDecodeDecision checks that what is accepted is described by the schema and
// survives a second reading.
func FuzzDecodeDecision(f *testing.F) {
	f.Add(`{"allow": true}`)
	f.Add(`{"allow": false, "mode": "observe", "reasons": [{"rule": "r", "message": "m"}], "require": ["mfa"]}`)
	f.Add(`{"allow": true, "masks": [{"schema": "s", "table": "t", "column": "c", "function": "f", "args": {"a": [1, 2.5]}}]}`)
	f.Add(`{"allow": true, "limits": {"rows": 1, "seconds": 2}, "audit": {"level": "full"}, "row_filters": []}`)
	f.Add(`{"allow": true, "unknown": 1}`)
	f.Fuzz(func(t *testing.T, raw string) {
		v, err := ast.ValueFromReader(strings.NewReader(raw))
		if err != nil {
			return
		}
		d, err := decodeDecision(v)
		if err != nil {
			return
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := validJSON(t, compileSchema(t, DecisionSchema()), b); err != nil {
			t.Fatalf("%s: accepted, and against the schema: %v", b, err)
		}
		v, err = ast.ValueFromReader(strings.NewReader(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeDecision(v)
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Fatalf("%s reads as %+v, then as %+v (%v)", b, d, again, err)
		}
	})
}
