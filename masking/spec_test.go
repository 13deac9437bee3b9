package masking

import (
	"errors"
	"strings"
	"testing"
)

func TestValidateNamesTheFault(t *testing.T) {
	for _, c := range []struct{ function, args, argument, want string }{
		{"redcat", ``, "", "no such function; known are null, redact"},
		{"null", `{"x": 1}`, "x", "unknown; the function takes no arguments"},
		{"partial", `{"frist": 1}`, "frist", "unknown; known are first, last, fill"},
		{"partial", `{"first": "1"}`, "first", "want a whole number, got a string"},
		{"partial", `{"first": 1.5}`, "first", "want a whole number, got a number"},
		{"partial", `{"last": -1}`, "last", "want 0 to 100, got -1"},
		{"partial", `{"fill": "**"}`, "fill", "want one character"},
		{"partial", `{"fill": " "}`, "fill", "want one character"},
		{"partial", `{"fill": ""}`, "fill", "want one character"},
		{"partial", `{"fill": true}`, "fill", "want a string, got a boolean"},
		{"redact", `{"value": []}`, "value", "got an array"},
		{"email", `{"domain": "drop"}`, "domain", `want one of keep, mask, got "drop"`},
		{"phone", `{"last": 7}`, "last", "want 0 to 6"},
		{"fpe", `{"alphabet": "hex"}`, "alphabet", "want one of digits"},
		{"date_trunc", ``, "unit", "required"},
		{"date_trunc", `{"unit": "decade"}`, "unit", "want one of year"},
		{"date_shift", `{"days": 3}`, "subject", "required"},
		{"date_shift", `{"subject": "id", "days": 0}`, "days", "want 1 to 36500"},
		{"bucket", `{"offset": 3}`, "width", "required"},
		{"bucket", `{"width": 0}`, "width", "want more than zero"},
		{"bucket", `{"width": "10"}`, "width", "want a number, got a string"},
		{"bucket", `{"width": 1e40}`, "width", "at most 30 digits"},
		{"noise", ``, "", "give either relative or absolute"},
		{"noise", `{"relative": 0.1, "absolute": 1}`, "", "give either relative or absolute"},
		{"noise", `{"relative": 1.5}`, "relative", "at most 1"},
		{"noise", `{"absolute": 0}`, "", "more than zero"},
		{"fake", `{"kind": "ssn"}`, "kind", "want one of first_name"},
		{"regex", `{"replacement": "x"}`, "pattern", "required"},
		{"regex", `{"pattern": "("}`, "pattern", "missing closing"},
		{"regex", `{"pattern": "a", "unmatched": "drop"}`, "unmatched", "want one of redact, keep"},
		{"json", ``, "paths", "required"},
		{"json", `{"paths": {}}`, "paths", "an object of 1 to 32 paths"},
		{"json", `{"paths": {"a": null}}`, "paths", `"a": a path begins with $`},
		{"json", `{"paths": {"$.": null}}`, "paths", "an empty key"},
		{"json", `{"paths": {"$[x]": null}}`, "paths", "not an index"},
		{"json", `{"paths": {"$[\"x\"": null}}`, "paths", "not closed"},
		{"json", `{"paths": {"$.a": "null"}}`, "paths", "want null or an object"},
		{"json", `{"paths": {"$.a": {"fn": "null"}}}`, "paths", `unknown key "fn"`},
		{"json", `{"paths": {"$.a": {"function": "date_trunc", "args": {"unit": "day"}}}}`, "paths", "serves neither strings nor numbers"},
		{"json", `{"paths": {"$.a": {"function": "partial", "args": {"x": 1}}}}`, "paths", `argument "x": unknown`},
	} {
		err := Validate(Spec{Function: c.function, Args: args(t, c.args)})
		fault := &ArgumentError{}
		if !errors.As(err, &fault) || fault.Argument != c.argument || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %q: %s", c.function, c.args, err, c.argument, c.want)
		}
	}
	for _, c := range everySpec {
		if err := Validate(Spec{Function: c.function, Args: args(t, c.args)}); err != nil {
			t.Errorf("%s %s: %v", c.function, c.args, err)
		}
	}
}

// TestArgumentsTakeEveryNumber: policies may be decoded by several libraries.
func TestArgumentsTakeEveryNumber(t *testing.T) {
	for _, n := range []any{10, int64(10), uint64(10), 10.0} {
		if err := Validate(Spec{Function: "bucket", Args: map[string]any{"width": n}}); err != nil {
			t.Errorf("%T: %v", n, err)
		}
		if err := Validate(Spec{Function: "partial", Args: map[string]any{"first": n}}); err != nil {
			t.Errorf("%T: %v", n, err)
		}
	}
}

func TestPostgresType(t *testing.T) {
	for _, c := range []struct {
		oid    uint32
		typmod int32
		want   Type
	}{
		{oidInt4, noModifier, Type{Kind: KindInt32, Name: "integer"}},
		{oidVarchar, varchar(20), Type{Kind: KindText, Name: "character varying", Length: 20}},
		{oidBPChar, varchar(1), Type{Kind: KindBPChar, Name: "character", Length: 1}},
		{oidName, noModifier, Type{Kind: KindText, Name: "name", MaxBytes: 63}},
		{oidNumeric, numericModifier(12, 2), Type{Kind: KindNumeric, Name: "numeric", Precision: 12, Scale: 2}},
		{oidNumeric, numericModifier(3, -2), Type{Kind: KindNumeric, Name: "numeric", Precision: 3, Scale: -2}},
		{1560, 8, Type{Kind: KindBit, Name: "bit", Length: 8}},
		{1114, 3, Type{Kind: KindTimestamp, Name: "timestamp"}},
		{600, noModifier, Type{Kind: KindOther}},
	} {
		c.want.OID = c.oid
		if got := PostgresType(c.oid, c.typmod); got.String() != c.want.String() || got.Kind != c.want.Kind || got.OID != c.want.OID ||
			got.Length != c.want.Length || got.MaxBytes != c.want.MaxBytes || got.Precision != c.want.Precision || got.Scale != c.want.Scale {
			t.Errorf("%d, %d: got %+v, want %+v", c.oid, c.typmod, got, c.want)
		}
	}
	array := PostgresType(1015, varchar(7))
	if array.Kind != KindArray || array.Elem == nil || array.Elem.Length != 7 || array.Elem.OID != oidVarchar || array.String() != "character varying[]" {
		t.Errorf("varchar(7)[]: %+v", array)
	}
}
