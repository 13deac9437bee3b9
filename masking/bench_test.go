package masking

import "testing"

// BenchmarkCell masks one cell. Only regex and numerics allocate.
func BenchmarkCell(b *testing.B) {
	for _, c := range []struct {
		name           string
		function, args string
		oid            uint32
		in             string
	}{
		{"redact/text", "redact", "", oidText, "jane.doe@example.com"},
		{"partial/ascii", "partial", `{"last": 4}`, oidText, "123-45-6789"},
		{"partial/unicode", "partial", `{"first": 2}`, oidText, "Grüße aus Köln"},
		{"hash/text", "hash", "", oidText, "jane.doe@example.com"},
		{"pseudonym/text", "pseudonym", "", oidText, "jane.doe@example.com"},
		{"pseudonym/bigint", "pseudonym", "", oidInt8, "123456"},
		{"email/text", "email", "", oidText, "jane.doe@example.com"},
		{"fpe/digits", "fpe", "", oidText, "4111-1111-1111-1234"},
		{"date_trunc/timestamptz", "date_trunc", `{"unit": "month"}`, oidTimestampTZ, "2024-05-06 07:08:09+02"},
		{"bucket/numeric", "bucket", `{"width": 1000}`, oidNumeric, "54321.98"},
		{"bucket/integer", "bucket", `{"width": 10}`, oidInt4, "37"},
		{"noise/numeric", "noise", `{"relative": 0.1}`, oidNumeric, "54321.98"},
		{"fake/name", "fake", `{"kind": "full_name"}`, oidText, "Jane Doe"},
		{"regex/text", "regex", `{"pattern": "\\d+", "replacement": "#"}`, oidText, "A-12-B"},
		{"json/jsonb", "json", `{"paths": {"$.email": {"function": "email"}, "$.ssn": null}}`, oidJSONB,
			`{"id": 7, "email": "jane@example.com", "ssn": "123-45-6789", "tags": ["a", "b"]}`},
		{"array/text", "email", "", oidTextArray, "{jane@example.com,joe@example.com}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := planFor(b, Spec{Function: c.function, Args: args(b, c.args)}, PostgresType(c.oid, noModifier), Text)
			in, dst := []byte(c.in), make([]byte, 0, 512)
			b.ReportAllocs()
			for b.Loop() {
				dst, _, _ = p.Cell(dst[:0], 0, in, nil)
			}
		})
	}
}

// BenchmarkNewPlan compiles a result of ten columns, two of them masked.
func BenchmarkNewPlan(b *testing.B) {
	cols := make([]Column, 10)
	for i := range cols {
		cols[i] = Column{Name: "c", Type: PostgresType(oidText, noModifier)}
	}
	cols[3].Mask = &Spec{Function: "email"}
	cols[7].Mask = &Spec{Function: "hash"}
	keys := testKeys(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewPlan(cols, keys); err != nil {
			b.Fatal(err)
		}
	}
}
