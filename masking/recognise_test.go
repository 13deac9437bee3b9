package masking

import "testing"

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		function, args string
		oid            uint32
		typmod         int32
		masked         string // an original whose mask must be recognised
		real           string // an ordinary value that must not be
	}{
		{"redact", ``, oidText, noModifier, "x", "redacted"},
		{"redact", ``, oidVarchar, varchar(5), "x", "redac"},
		{"redact", `{"value": "gone"}`, oidText, noModifier, "x", "[redacted]"},
		{"redact", ``, oidUUID, noModifier, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
		{"redact", ``, oidJSONB, noModifier, `{}`, `{}`},
		{"partial", `{"last": 4}`, oidText, noModifier, "123-45-6789", "123-45-6789"},
		{"partial", `{"first": 2, "last": 2, "fill": "•"}`, oidText, noModifier, "Grüße", "Grüße"},
		{"partial", ``, oidBPChar, varchar(8), "abc     ", "abc     "},
		{"partial", `{"first": 9}`, oidText, noModifier, "short", "short"},
		{"email", ``, oidText, noModifier, "jane@example.com", "jane@example.com"},
		{"email", `{"domain": "mask", "first": 0}`, oidText, noModifier, "jane@example.com", "star*@example.com"},
		{"phone", ``, oidText, noModifier, "+49 30 1234567", "+49 30 1234567"},
		{"card", ``, oidText, noModifier, "4111 1111 1111 1234", "4111 1111 1111 1234"},
		{"iban", ``, oidText, noModifier, "DE89 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130 00"},
		{"hash", ``, oidText, noModifier, "x", "deadbeef"},
		{"hash", ``, oidVarchar, varchar(20), "x", "an ordinary sentence"},
		{"pseudonym", ``, oidText, noModifier, "x", "lusab-babad"},
		{"fpe", ``, oidText, noModifier, "123", "1234567"},
	} {
		spec, typ := Spec{Function: c.function, Args: args(t, c.args)}, PostgresType(c.oid, c.typmod)
		for _, f := range []Format{Text, Binary} {
			masked := maskCell(t, spec, typ, f, transcode(t, typ, Text, f, []byte(c.masked)))
			if !Recognise(spec, typ, f, masked) {
				t.Errorf("%s %s on %s: %q is not recognised", c.function, c.args, typ, masked)
			}
			if Recognise(spec, typ, f, transcode(t, typ, Text, f, []byte(c.real))) {
				t.Errorf("%s %s on %s: %q is taken for a mask", c.function, c.args, typ, c.real)
			}
		}
	}
	for _, c := range []struct {
		spec  Spec
		oid   uint32
		value []byte
	}{
		{Spec{Function: "redact"}, oidInt4, []byte("0")},
		{Spec{Function: "redact"}, oidDate, []byte("1970-01-01")},
		{Spec{Function: "null"}, oidText, []byte("[redacted]")},
		{Spec{Function: "redact"}, oidText, nil},
		{Spec{Function: "email"}, oidText, []byte("\xff***@x")},
		{Spec{Function: "nonsense"}, oidText, []byte("[redacted]")},
	} {
		if Recognise(c.spec, PostgresType(c.oid, noModifier), Text, c.value) {
			t.Errorf("%s: %q is taken for a mask", c.spec.Function, c.value)
		}
	}
}
