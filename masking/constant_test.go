package masking

import (
	"errors"
	"testing"
)

func TestConstant(t *testing.T) {
	for _, c := range []struct {
		function, args string
		typ            Type
		want           string // "NULL" for NULL, empty for none
	}{
		{"null", ``, PostgresType(oidText, noModifier), "NULL"},
		{"null", ``, Type{Kind: KindComposite}, "NULL"},
		{"redact", ``, PostgresType(oidText, noModifier), "[redacted]"},
		{"redact", `{"value": "gone"}`, PostgresType(oidText, noModifier), "gone"},
		{"redact", `{"value": 7}`, PostgresType(oidInt4, noModifier), "7"},
		{"email", ``, PostgresType(oidText, noModifier), "[redacted]"},
		{"email", ``, PostgresType(oidVarchar, varchar(5)), "[reda"},
		{"bucket", `{"width": 10}`, PostgresType(oidInt4, noModifier), "0"},
		{"hash", ``, PostgresType(oidUUID, noModifier), "00000000-0000-0000-0000-000000000000"},
		{"fake", `{"kind": "first_name"}`, Type{Kind: KindEnum, Labels: []string{"at", "be"}}, "at"},
		{"redact", ``, Type{Kind: KindComposite}, ""},
		{"redact", ``, Type{Kind: KindOther}, ""},
	} {
		got, err := Constant(Spec{Function: c.function, Args: args(t, c.args)}, c.typ)
		if c.want == "" {
			if n := (*NotExpressible)(nil); !errors.As(err, &n) {
				t.Errorf("%s on %s: %q, %v", c.function, c.typ, got, err)
			}
			continue
		}
		if err != nil || c.want == "NULL" && got != nil || c.want != "NULL" && string(got) != c.want {
			t.Errorf("%s on %s: %q, %v; want %s", c.function, c.typ, got, err, c.want)
		}
	}
	if _, err := Constant(Spec{Function: "nonsense"}, PostgresType(oidText, noModifier)); err == nil {
		t.Error("an unknown function has a constant")
	}
}
