package masking

import (
	"encoding/json"
	"strings"
	"testing"
)

// args reads the arguments of a case as policy would give them.
func args(t testing.TB, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("arguments %s: %v", text, err)
	}
	return m
}

// cell is a type by OID and type modifier, its text, and what a mask makes of it.
type cellCase struct {
	function, args string
	oid            uint32
	typmod         int32
	in, want       string
}

const noModifier = -1

func numericModifier(precision, scale int32) int32 { return precision<<16 | scale&0x7ff + 4 }

func varchar(n int32) int32 { return n + 4 }

// OIDs of pg_type.dat.
const (
	oidBool, oidBytea, oidName, oidInt8, oidInt2, oidInt4, oidText = 16, 17, 19, 20, 21, 23, 25
	oidJSON, oidFloat4, oidFloat8, oidMoney                        = 114, 700, 701, 790
	oidBPChar, oidVarchar, oidDate, oidTime, oidTimestamp          = 1042, 1043, 1082, 1083, 1114
	oidTimestampTZ, oidTimeTZ, oidNumeric, oidUUID, oidJSONB       = 1184, 1266, 1700, 2950, 3802
	oidTextArray, oidInt4Array, oidDateArray                       = 1009, 1007, 1182
)

var cellCases = []cellCase{
	// partial
	{"partial", ``, oidText, noModifier, "Elizabeth", "E********"},
	{"partial", `{"last": 4}`, oidText, noModifier, "123-45-6789", "*******6789"},
	{"partial", `{"first": 2, "last": 2, "fill": "•"}`, oidText, noModifier, "Grüße", "Gr•ße"},
	{"partial", `{"first": 1}`, oidText, noModifier, "e\u0301te\u0301", "e\u0301**"},
	{"partial", `{"first": 1, "last": 1}`, oidText, noModifier, "👩‍👩‍👧ab👍🏽", "👩‍👩‍👧**👍🏽"},
	{"partial", `{"first": 2, "last": 2}`, oidText, noModifier, "abcd", "[redacted]"},
	{"partial", `{"first": 2}`, oidText, noModifier, "", "[redacted]"},
	{"partial", `{"first": 1}`, oidText, noModifier, "abc\xff", "[redacted]"},
	{"partial", `{"first": 1}`, oidBPChar, varchar(8), "abc     ", "a**     "},
	{"partial", `{"first": 3}`, oidVarchar, varchar(5), "abc", "[reda"},
	{"partial", `{"first": 0, "last": 0}`, oidText, noModifier, "abc", "***"},
	// email
	{"email", ``, oidText, noModifier, "jane.doe@example.com", "j***@example.com"},
	{"email", `{"domain": "mask"}`, oidText, noModifier, "jane.doe@mail.example.com", "j***@***.com"},
	{"email", `{"first": 0}`, oidText, noModifier, "jane.doe@example.com", "***@example.com"},
	{"email", ``, oidText, noModifier, "j@example.com", "***@example.com"},
	{"email", ``, oidText, noModifier, "not an address", "[redacted]"},
	{"email", ``, oidText, noModifier, "Jane <jane@example.com>", "[redacted]"},
	{"email", ``, oidText, noModifier, "jane@localhost", "[redacted]"},
	{"email", ``, oidVarchar, varchar(7), "ab@c.de", "a***@c."},
	// phone, card, iban
	{"phone", ``, oidText, noModifier, "+49 (30) 1234-5678", "+** (**) ****-5678"},
	{"phone", `{"last": 2, "fill": "x"}`, oidText, noModifier, "555-0123", "xxx-xx23"},
	{"phone", ``, oidText, noModifier, "123456", "[redacted]"},
	{"phone", ``, oidText, noModifier, "1234567 ext 9", "[redacted]"},
	{"card", ``, oidText, noModifier, "4111 1111 1111 1234", "**** **** **** 1234"},
	{"card", ``, oidText, noModifier, "12345678901", "[redacted]"},
	{"iban", ``, oidText, noModifier, "DE89 3704 0044 0532 0130 00", "DE** **** **** **** **30 00"},
	{"iban", ``, oidText, noModifier, "GB82WEST12345698765432", "GB****************5432"},
	{"iban", ``, oidText, noModifier, "1234567890123456", "[redacted]"},
	// date_trunc
	{"date_trunc", `{"unit": "year"}`, oidDate, noModifier, "1984-07-23", "1984-01-01"},
	{"date_trunc", `{"unit": "quarter"}`, oidDate, noModifier, "1984-12-31", "1984-10-01"},
	{"date_trunc", `{"unit": "month"}`, oidDate, noModifier, "0001-02-03", "0001-02-01"},
	{"date_trunc", `{"unit": "week"}`, oidDate, noModifier, "2024-05-05", "2024-04-29"},
	{"date_trunc", `{"unit": "week"}`, oidDate, noModifier, "2024-05-06", "2024-05-06"},
	{"date_trunc", `{"unit": "year"}`, oidDate, noModifier, "infinity", "1970-01-01"},
	{"date_trunc", `{"unit": "day"}`, oidTimestamp, noModifier, "1984-07-23 23:59:59.999999", "1984-07-23 00:00:00"},
	{"date_trunc", `{"unit": "hour"}`, oidTimestamp, noModifier, "1984-07-23 23:59:59.5", "1984-07-23 23:00:00"},
	{"date_trunc", `{"unit": "month"}`, oidTimestampTZ, noModifier, "2024-05-06 07:08:09+02", "2024-05-01 02:00:00+02"},
	{"date_trunc", `{"unit": "minute"}`, oidTime, noModifier, "07:08:09.25", "07:08:00"},
	{"date_trunc", `{"unit": "hour"}`, oidTimeTZ, noModifier, "07:08:09-03:30", "07:00:00-03:30"},
	{"date_trunc", `{"unit": "year"}`, oidDateArray, noModifier, "{1984-07-23,NULL,1990-01-02}", "{1984-01-01,NULL,1990-01-01}"},
	// bucket
	{"bucket", `{"width": 10}`, oidInt4, noModifier, "37", "30"},
	{"bucket", `{"width": 10}`, oidInt4, noModifier, "-37", "-40"},
	{"bucket", `{"width": 10, "offset": 5}`, oidInt2, noModifier, "3", "-5"},
	{"bucket", `{"width": 10}`, oidInt2, noModifier, "-32768", "0"},
	{"bucket", `{"width": 1000}`, oidInt8, noModifier, "9223372036854775807", "9223372036854775000"},
	{"bucket", `{"width": 0.5}`, oidFloat8, noModifier, "1.74", "1.5"},
	{"bucket", `{"width": 10}`, oidFloat8, noModifier, "NaN", "0"},
	{"bucket", `{"width": 2.5}`, oidFloat4, noModifier, "-1.1", "-2.5"},
	{"bucket", `{"width": 1000}`, oidNumeric, numericModifier(12, 2), "54321.98", "54000.00"},
	{"bucket", `{"width": 10}`, oidNumeric, numericModifier(3, 0), "-999", "0"},
	{"bucket", `{"width": 0.25}`, oidNumeric, noModifier, "1.7", "1.50"},
	{"bucket", `{"width": 100}`, oidMoney, noModifier, "-$1,234.50", "-$1,300.00"},
	{"bucket", `{"width": 10}`, oidText, noModifier, "15.7", "[10,20)"},
	{"bucket", `{"width": 10}`, oidText, noModifier, "many", "[redacted]"},
	{"bucket", `{"width": 10}`, oidVarchar, varchar(6), "15", "[redac"},
	// regex
	{"regex", `{"pattern": "\\d", "replacement": "#"}`, oidText, noModifier, "A-12-B", "A-##-B"},
	{"regex", `{"pattern": "^(\\w)\\w+ (\\w)\\w+$", "replacement": "${1}. ${2}."}`, oidText, noModifier, "Jane Doe", "J. D."},
	{"regex", `{"pattern": "\\d", "replacement": "#"}`, oidText, noModifier, "none", "[redacted]"},
	{"regex", `{"pattern": "\\d", "replacement": "#", "unmatched": "keep"}`, oidText, noModifier, "none", "none"},
	{"regex", `{"pattern": "b+", "replacement": "$0"}`, oidText, noModifier, "abc", "[redacted]"},
	// fpe: what cannot be encrypted
	{"fpe", ``, oidText, noModifier, "12345", "[redacted]"},
	{"fpe", ``, oidText, noModifier, "AB-123456", "[redacted]"},
	{"fpe", ``, oidInt4, noModifier, "99999", "0"},
	// redact with a value of its own
	{"redact", `{"value": "hidden"}`, oidVarchar, varchar(4), "secret", "hidd"},
	{"redact", `{"value": "1900-01-01"}`, oidDate, noModifier, "1984-07-23", "1900-01-01"},
	{"redact", `{"value": -1.5}`, oidNumeric, numericModifier(5, 2), "12.34", "-1.50"},
	{"redact", `{"value": 7}`, oidInt4, noModifier, "12", "7"},
	{"redact", `{"value": true}`, oidBool, noModifier, "f", "t"},
	{"redact", `{"value": {}}`, oidJSON, noModifier, "", ""},
	// arrays
	{"partial", ``, oidTextArray, noModifier, `{abc,NULL,"d,e","NULL",""}`, `{a**,NULL,d**,N***,[redacted]}`},
	{"partial", `{"first": 2}`, oidTextArray, noModifier, `{{"a\"b","c\\d"},{xyz,uvw}}`, `{{"a\"*","c\\*"},{xy*,uv*}}`},
	{"bucket", `{"width": 10}`, oidInt4Array, noModifier, `[0:1]={15,27}`, `[0:1]={10,20}`},
	{"redact", ``, oidInt4Array, noModifier, `{15,27}`, `{}`},
	{"bucket", `{"width": 10}`, oidInt4Array, noModifier, `{}`, `{}`},
}

func TestCells(t *testing.T) {
	for _, c := range cellCases {
		spec := Spec{Function: c.function, Args: args(t, c.args)}
		if c.want == "" {
			if Validate(spec) == nil {
				t.Errorf("%s %s: accepted", c.function, c.args)
			}
			continue
		}
		typ := PostgresType(c.oid, c.typmod)
		if got := maskCell(t, spec, typ, Text, []byte(c.in)); string(got) != c.want {
			t.Errorf("%s %s on %s %q: got %q, want %q", c.function, c.args, typ, c.in, got, c.want)
		}
		bin := maskCell(t, spec, typ, Binary, transcode(t, typ, Text, Binary, []byte(c.in)))
		if !sameValue(t, typ, []byte(c.want), bin) {
			t.Errorf("%s %s on binary %s %q: got %q, want %q", c.function, c.args, typ, c.in, bin, c.want)
		}
	}
}
