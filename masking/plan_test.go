package masking

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

var enumType = Type{Kind: KindEnum, OID: 90001, Name: "mood", Labels: []string{"sad", "ok", "happy"}}

// builtinTypes is every built-in type, its array, an enum, and some with modifiers.
func builtinTypes() []Type {
	types := []Type{enumType, PostgresType(oidVarchar, varchar(5)), PostgresType(oidBPChar, varchar(12)),
		PostgresType(oidNumeric, numericModifier(10, 2)), PostgresType(1560, 12), PostgresType(1562, 7)}
	for oid, b := range builtins {
		types = append(types, PostgresType(oid, noModifier), PostgresType(b.array, noModifier))
	}
	return types
}

// pgxKnows says whether pgx can read the type's constants; TestConstants spells the others out.
func pgxKnows(oid uint32) bool {
	_, ok := pgtype.NewMap().TypeForOID(oid)
	return ok
}

// TestConstantMasksAreConstant: null and redact give the same bytes whatever
// comes in, SQL NULL included, and redact's are valid in both formats.
func TestConstantMasksAreConstant(t *testing.T) {
	for _, typ := range builtinTypes() {
		var constants [2][]byte
		for _, f := range []Format{Text, Binary} {
			for i, in := range [][]byte{nil, {}, []byte("secret"), {0, 0, 0, 1}, bytes.Repeat([]byte("x"), 9000)} {
				out, null, err := planFor(t, Spec{Function: "null"}, typ, f).Cell([]byte("before"), 0, in, nil)
				if !null || err != nil || string(out) != "before" {
					t.Errorf("null on %s: %q, %v, %v", typ, out, null, err)
				}
				out = maskCell(t, Spec{Function: "redact"}, typ, f, in)
				if i == 0 {
					constants[f] = out
				}
				if !bytes.Equal(out, constants[f]) {
					t.Errorf("redact on %s in %s: %q, then %q", typ, f, constants[f], out)
				}
			}
		}
		if pgxKnows(typ.OID) && !sameValue(t, typ, constants[Text], constants[Binary]) {
			t.Errorf("redact on %s: text %q is not binary %q", typ, constants[Text], constants[Binary])
		}
	}
}

func TestConstants(t *testing.T) {
	for _, c := range []struct {
		typ       Type
		text, bin string
	}{
		{PostgresType(oidText, noModifier), "[redacted]", "[redacted]"},
		{PostgresType(oidBPChar, varchar(12)), "[redacted]  ", "[redacted]  "},
		{PostgresType(oidVarchar, varchar(3)), "[re", "[re"},
		{PostgresType(18, noModifier), "[", "["},
		{PostgresType(oidBool, noModifier), "f", "\x00"},
		{PostgresType(oidInt2, noModifier), "0", "\x00\x00"},
		{PostgresType(oidMoney, noModifier), "$0.00", "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{PostgresType(oidNumeric, numericModifier(10, 2)), "0.00", "\x00\x00\x00\x00\x00\x00\x00\x02"},
		{PostgresType(oidDate, noModifier), "1970-01-01", "\xff\xff\xd5\x33"},
		{PostgresType(oidTimestampTZ, noModifier), "1970-01-01 00:00:00+00", "\xff\xfc\xa2\xfe\xc4\xc8\x20\x00"},
		{PostgresType(oidTimeTZ, noModifier), "00:00:00+00", strings.Repeat("\x00", 12)},
		{PostgresType(oidJSON, noModifier), `"[redacted]"`, `"[redacted]"`},
		{PostgresType(oidJSONB, noModifier), `"[redacted]"`, "\x01" + `"[redacted]"`},
		{PostgresType(869, noModifier), "0.0.0.0", "\x02\x20\x00\x04\x00\x00\x00\x00"},
		{PostgresType(650, noModifier), "0.0.0.0/32", "\x02\x20\x01\x04\x00\x00\x00\x00"},
		{PostgresType(1560, 9), "000000000", "\x00\x00\x00\x09\x00\x00"},
		{PostgresType(oidInt4Array, noModifier), "{}", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x17"},
		{PostgresType(3904, noModifier), "empty", "\x01"},
		{PostgresType(4451, noModifier), "{}", "\x00\x00\x00\x00"},
		{enumType, "sad", "sad"},
	} {
		for f, want := range map[Format]string{Text: c.text, Binary: c.bin} {
			if got, err := constant(c.typ, f, nil); err != nil || string(got) != want {
				t.Errorf("%s in %s: got %q, %v, want %q", c.typ, f, got, err, want)
			}
		}
	}
}

// everySpec has each function, with several arguments where they matter.
var everySpec = []cellCase{
	{function: "null"}, {function: "redact"}, {function: "partial"}, {function: "partial", args: `{"first": 2, "last": 3, "fill": "€"}`},
	{function: "email"}, {function: "email", args: `{"domain": "mask"}`}, {function: "phone"}, {function: "card"}, {function: "iban"},
	{function: "hash"}, {function: "pseudonym"}, {function: "fpe"}, {function: "fpe", args: `{"alphabet": "alphanumeric", "tweak": "t"}`},
	{function: "date_trunc", args: `{"unit": "week"}`}, {function: "date_trunc", args: `{"unit": "quarter"}`}, {function: "date_trunc", args: `{"unit": "hour"}`},
	{function: "date_shift", args: `{"subject": "id", "days": 400}`},
	{function: "bucket", args: `{"width": 10}`}, {function: "bucket", args: `{"width": 0.25, "offset": -0.1}`},
	{function: "noise", args: `{"relative": 0.2}`}, {function: "noise", args: `{"absolute": 5000}`}, {function: "noise", args: `{"absolute": 0.001}`},
	{function: "fake", args: `{"kind": "full_name"}`}, {function: "fake", args: `{"kind": "phone"}`},
	{function: "regex", args: `{"pattern": "[a-z]+", "replacement": "<$0$0>"}`},
	{function: "json", args: `{"paths": {"$.a": null, "$..b": {"function": "redact"}, "$.c[*]": {"function": "noise", "args": {"relative": 0.5}}, "$.d": {"function": "pseudonym"}}}`},
}

// drawType draws a type on which a function has something to compute.
func drawType(r *rapid.T) Type {
	return rapid.SampledFrom([]Type{
		PostgresType(oidText, noModifier), PostgresType(oidVarchar, varchar(12)), PostgresType(oidBPChar, varchar(20)), PostgresType(oidName, noModifier),
		PostgresType(oidInt2, noModifier), PostgresType(oidInt4, noModifier), PostgresType(oidInt8, noModifier),
		PostgresType(oidFloat4, noModifier), PostgresType(oidFloat8, noModifier), PostgresType(oidMoney, noModifier),
		PostgresType(oidNumeric, noModifier), PostgresType(oidNumeric, numericModifier(12, 3)), PostgresType(oidNumeric, numericModifier(8, 0)),
		PostgresType(oidDate, noModifier), PostgresType(oidTime, noModifier), PostgresType(oidTimeTZ, noModifier),
		PostgresType(oidTimestamp, noModifier), PostgresType(oidTimestampTZ, noModifier), PostgresType(oidUUID, noModifier),
		PostgresType(oidBytea, noModifier), PostgresType(oidJSON, noModifier), PostgresType(oidJSONB, noModifier),
	}).Draw(r, "type")
}

// drawText draws a value of a type as PostgreSQL writes it in text.
func drawText(r *rapid.T, typ Type) string {
	draw := func(n int) int { return rapid.IntRange(0, n).Draw(r, "n") }
	date := func() string { return fmt.Sprintf("%04d-%02d-%02d", 1+draw(9998), 1+draw(11), 1+draw(27)) }
	clock := func() string {
		s := fmt.Sprintf("%02d:%02d:%02d", draw(23), draw(59), draw(59))
		return s + rapid.SampledFrom([]string{"", ".5", ".123456"}).Draw(r, "fraction")
	}
	zone := func() string { return rapid.SampledFrom([]string{"+00", "+02", "-03:30", "+14"}).Draw(r, "zone") }
	switch typ.Kind {
	case KindText, KindBPChar:
		s := rapid.SampledFrom([]string{"", "jane@example.com", "+49 30 1234567", "4111-1111-1111-1234", "DE89 3704 0044 0532 0130 00",
			"12.75", "1234567890", "Grüße aus Köln", "👩‍👩‍👧 family", rapid.StringMatching(`[a-zA-Z0-9 @.é-]{0,40}`).Draw(r, "text")}).Draw(r, "sample")
		fitted := appendFitted(nil, &typ, []byte(s))
		return string(fitted)
	case KindInt16, KindInt32, KindInt64:
		least, most := typ.integerRange()
		return fmt.Sprint(rapid.Int64Range(least, most).Draw(r, "integer"))
	case KindFloat32:
		return fmt.Sprint(rapid.Float32().Draw(r, "float"))
	case KindFloat64:
		return fmt.Sprint(rapid.Float64().Draw(r, "float"))
	case KindNumeric:
		whole, scale := 30, rapid.IntRange(0, 20).Draw(r, "scale")
		if typ.Precision > 0 {
			whole, scale = typ.Precision-typ.Scale, typ.Scale
		}
		d := decimal{}
		d.setDigits([]byte(rapid.StringMatching(fmt.Sprintf("[0-9]{1,%d}", whole+scale)).Draw(r, "digits")))
		if d.scale = scale; rapid.Bool().Draw(r, "negative") {
			d.coef.Neg(&d.coef)
		}
		return string(d.appendText(nil))
	case KindMoney:
		v := value{n: rapid.Int64().Draw(r, "cents")}
		return string(v.appendMoney(nil, Text))
	case KindDate:
		return date()
	case KindTime:
		return clock()
	case KindTimeTZ:
		return clock() + zone()
	case KindTimestamp:
		return date() + " " + clock()
	case KindTimestampTZ:
		return date() + " " + clock() + zone()
	case KindUUID:
		return "6ba7b810-9dad-11d1-80b4-00c04fd430" + rapid.StringMatching(`[0-9a-f]{2}`).Draw(r, "uuid")
	case KindBytes:
		return `\x` + rapid.StringMatching(`([0-9a-f]{2}){0,20}`).Draw(r, "bytes")
	}
	return rapid.SampledFrom([]string{`{}`, `{"a": 1, "b" : [true], "c":[1.50, -2e3,null,"x"], "d":"Jane"}`, `[{"b":{"b":1}}]`, `null`,
		`{"d": 12345678901234567890, "e": "\u00e9"}`}).Draw(r, "json")
}

// TestFormatsAgree: the text and the binary form of one value mask to the same
// logical value, which is valid in its type and declared length.
func TestFormatsAgree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		typ := drawType(r)
		c := rapid.SampledFrom(everySpec).Draw(r, "spec")
		spec := Spec{Function: c.function, Args: args(t, c.args)}
		if Check(spec, typ) != nil {
			return
		}
		in := []byte(drawText(r, typ))
		if typ.Kind == KindTimeTZ && bytes.HasSuffix(in, []byte("+14")) {
			in = append(bytes.TrimSuffix(in, []byte("14")), "01"...)
		}
		var out [2][]byte
		for _, f := range []Format{Text, Binary} {
			id := Column{Name: "id", Type: PostgresType(oidInt4, noModifier), Format: f}
			p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}, id}, testKeys(t))
			if err != nil {
				r.Fatal(err)
			}
			cell := transcode(t, typ, Text, f, in)
			key := transcode(t, id.Type, Text, f, []byte("4711"))
			got, null, err := p.Cell([]byte{}, 0, cell, row{cell, key})
			if err != nil || null != (c.function == "null") {
				r.Fatalf("null %v, error %v", null, err)
			}
			again, _, _ := p.Cell([]byte{}, 0, cell, row{cell, key})
			if !bytes.Equal(got, again) {
				r.Fatalf("%q, then %q", got, again)
			}
			if len(got) > MaxOutput(len(cell)) {
				r.Fatalf("%d bytes from %d", len(got), len(cell))
			}
			out[f] = got
		}
		if c.function != "null" && !sameValue(t, typ, out[Text], out[Binary]) {
			r.Fatalf("%s %s on %s %q: text %q, binary %q", c.function, c.args, typ, in, out[Text], out[Binary])
		}
		if c.function != "null" {
			assertFits(r, typ, out[Text])
		}
	})
}

func assertFits(r *rapid.T, typ Type, text []byte) {
	switch typ.Kind {
	case KindText, KindBPChar:
		n := utf8.RuneCount(text)
		if !utf8.Valid(text) || typ.Length > 0 && n > typ.Length || typ.MaxBytes > 0 && len(text) > typ.MaxBytes ||
			typ.Kind == KindBPChar && n != typ.Length {
			r.Fatalf("%q does not fit %s(%d)", text, typ, typ.Length)
		}
	case KindNumeric:
		d := decimal{}
		if typ.Precision > 0 && (!d.parse(text) || d.scale != typ.Scale || d.digits() > typ.Precision) {
			r.Fatalf("%q does not fit numeric(%d,%d)", text, typ.Precision, typ.Scale)
		}
	}
}

// TestOriginalNeverComesOutByAccident: what cannot be read becomes the constant.
func TestOriginalNeverComesOutByAccident(t *testing.T) {
	hostile := map[Kind][]string{
		KindText:        {"", "\xff\xfe", "a\x00b", "é\xff"},
		KindBPChar:      {"", "    ", "\xff"},
		KindInt32:       {"", "x", "99999999999", "1e5", " 1", "+1", "--1"},
		KindFloat64:     {"NaN", "Infinity", "-Infinity", "", "1,5", "1e400"},
		KindNumeric:     {"NaN", "Infinity", "-Infinity", "", ".", "1.2.3", "1e9999", strings.Repeat("9", 1001)},
		KindMoney:       {"1.234,50 €", "", "$", "$1.5", "(1.00)", "$99999999999999999999.00"},
		KindDate:        {"0044-03-15 BC", "infinity", "-infinity", "15/03/2024", "2024-02-30", "2024-13-01", "", "24-1-1", "9999999-01-01"},
		KindTimestamp:   {"2024-05-06", "infinity", "0044-03-15 00:00:00 BC", "Mon May  6 07:08:09 2024", "2024-05-06 25:00:00", "2024-05-06T07:08:09"},
		KindTimestampTZ: {"2024-05-06 07:08:09", "2024-05-06 07:08:09 CEST", "infinity", "2024-05-06 07:08:09+99", "0001-01-01 00:00:00+00"},
		KindTime:        {"7:08", "25:00:00", "07:08:09.1234567", "07:08 PM"},
		KindUUID:        {"", "6ba7b8109dad11d180b400c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "6ba7b810-9dad-11d1-80b4-00c04fd430cg"},
		KindBytes:       {"abc", `\xa`, `\xzz`, `\000`},
		KindJSON:        {"", "{", `{"a":1}x`, `{"a":01}`, "\xff", `["\ud800`, `{a:1}`, strings.Repeat("[", 200), `{"a":1,}`},
		KindJSONB:       {"", "[1,", "tru"},
	}
	for _, c := range everySpec {
		spec := Spec{Function: c.function, Args: args(t, c.args)}
		for _, typ := range builtinTypes() {
			if c.function == "null" || Check(spec, typ) != nil {
				continue
			}
			for _, f := range []Format{Text, Binary} {
				want, _ := constant(typ, f, nil)
				inputs := hostile[typ.Kind]
				if f == Binary && typ.Kind != KindText && typ.Kind != KindBPChar && typ.Kind != KindJSON && typ.Kind != KindBytes {
					inputs = []string{"", "\x01", "\x01\x02\x03", strings.Repeat("\x7f", 13)}
				}
				if f == Binary && typ.Kind == KindBytes {
					continue // every string is a bytea
				}
				id := Column{Name: "id", Type: PostgresType(oidInt4, noModifier), Format: Text}
				p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}, id}, testKeys(t))
				if err != nil {
					t.Fatal(err)
				}
				for _, in := range inputs {
					out, null, err := p.Cell([]byte("dst:"), 0, []byte(in), row{[]byte(in), []byte("1")})
					if keepsText(c.function) && (in == "" || strings.TrimSpace(in) == "") {
						continue
					}
					if err != nil || null || string(out) != "dst:"+string(want) {
						t.Errorf("%s %s on %s %q in %s: %q, want %q", c.function, c.args, typ, in, f, out, want)
					}
				}
			}
		}
	}
}

// keepsText names the functions for which an empty text is a value like another.
func keepsText(function string) bool {
	return function == "hash" || function == "pseudonym" || function == "fake"
}

func TestNullStaysNullUnderComputedMasks(t *testing.T) {
	for _, c := range everySpec {
		spec := Spec{Function: c.function, Args: args(t, c.args)}
		for _, typ := range builtinTypes() {
			if c.function == "redact" || c.function == "date_shift" || Check(spec, typ) != nil {
				continue
			}
			if out, null, err := planFor(t, spec, typ, Text).Cell([]byte("x"), 0, nil, nil); !null || err != nil || string(out) != "x" {
				t.Errorf("%s on %s: %q, %v, %v", c.function, typ, out, null, err)
			}
		}
	}
}

func TestPlanPassesWhatIsNotMasked(t *testing.T) {
	p, err := NewPlan([]Column{{Name: "a"}, {Name: "b", Mask: &Spec{Function: "null"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Masked(0) || !p.Masked(1) || p.Masked(2) || p.Masked(-1) {
		t.Error("Masked is wrong")
	}
	if out, null, err := p.Cell(nil, 0, []byte("\xff"), nil); string(out) != "\xff" || null || err != nil {
		t.Errorf("untouched cell: %q, %v, %v", out, null, err)
	}
	if _, null, _ := p.Cell(nil, 0, nil, nil); !null {
		t.Error("untouched NULL is not NULL")
	}
	for _, i := range []int{-1, 2} {
		if _, _, err := p.Cell(nil, i, nil, nil); err == nil {
			t.Errorf("column %d of 2 accepted", i)
		}
	}
}

func TestNotExpressibleSaysWhatWorks(t *testing.T) {
	for _, c := range []struct {
		function, args string
		typ            Type
		want           string
	}{
		{"email", ``, PostgresType(oidInt4, noModifier), `mask "email" cannot be expressed for column "c" of type integer: the function does not serve this type; what works: null, redact, hash, pseudonym, fpe, bucket, noise`},
		{"redact", ``, Type{Kind: KindOther, Name: "point"}, `of type point: the function does not serve this type; what works: null`},
		{"redact", ``, Type{Kind: KindComposite}, `what works: null`},
		{"redact", ``, Type{Kind: KindEnum, Name: "mood"}, `its labels are not known; what works: null`},
		{"redact", ``, Type{Kind: KindArray, Name: "x[]"}, `the type of its elements is not known`},
		{"redact", `{"value": "glad"}`, enumType, `"glad" is not a value of it`},
		{"redact", `{"value": "tomorrow"}`, PostgresType(oidDate, noModifier), `"tomorrow" is not a value of it`},
		{"redact", `{"value": 12345}`, PostgresType(oidNumeric, numericModifier(4, 2)), `"12345" is not a value of it`},
		{"redact", `{"value": 1}`, PostgresType(869, noModifier), `argument "value" is not served`},
		{"date_trunc", `{"unit": "day"}`, PostgresType(oidDate, noModifier), `unit "day" would leave the date as it is`},
		{"date_trunc", `{"unit": "month"}`, PostgresType(oidTime, noModifier), `a time has no month`},
		{"date_shift", `{"subject": "id"}`, PostgresType(oidDate, noModifier), `its subject column "id" is not in the result; select it too`},
		{"bucket", `{"width": 0.5}`, PostgresType(oidInt4, noModifier), `more than the 0 decimals`},
		{"bucket", `{"width": 1}`, PostgresType(oidInt8, noModifier), `would leave the value as it is`},
		{"fpe", `{"alphabet": "upper"}`, PostgresType(oidInt8, noModifier), `numbers take the alphabet digits only`},
		{"fpe", ``, PostgresType(oidVarchar, varchar(5)), `under one million`},
		{"fpe", ``, PostgresType(oidInt2, noModifier), `does not serve`},
		{"pseudonym", ``, PostgresType(oidBPChar, varchar(2)), `11 characters`},
		{"hash", ``, PostgresType(oidNumeric, numericModifier(3, -2)), `scale is negative`},
		{"json", `{"paths": {"$.a": null}}`, PostgresType(oidText, noModifier), `does not serve`},
	} {
		spec := Spec{Function: c.function, Args: args(t, c.args)}
		_, err := NewPlan([]Column{{Name: "c", Type: c.typ, Mask: &spec}}, testKeys(t))
		refusal := &NotExpressible{}
		if !errors.As(err, &refusal) || refusal.Column != "c" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s on %s: got %v, want %s", c.function, c.args, c.typ, err, c.want)
		}
	}
}

// TestWorkingFunctionsWork: what a refusal proposes is not refused.
func TestWorkingFunctionsWork(t *testing.T) {
	for _, typ := range builtinTypes() {
		for _, name := range working(typ) {
			if f, _ := lookup(name); f.serves(typ) {
				continue
			}
			t.Errorf("%s is proposed for %s", name, typ)
		}
	}
}
