package masking

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// Collations and flags of the tests' columns.
const (
	utf8mb4, utf8mb3, latin1, ascii, ucs2, utf16be, utf16le, utf32, cp1251, swe7, bytesOnly = 45, 33, 8, 11, 35, 54, 56, 60, 51, 10, 63

	notNull, unsigned, zerofill = 1, mysqlUnsigned, mysqlUnsigned | mysqlZeroFill
)

// mysqlColumns are columns as MariaDB describes them, by the name that the
// documentation's examples have.
var mysqlColumns = map[string]MySQLColumn{
	"tinyint": {Type: 1, Length: 4, Charset: bytesOnly}, "tinyint unsigned": {Type: 1, Flags: unsigned, Length: 3, Charset: bytesOnly},
	"smallint unsigned": {Type: 2, Flags: unsigned, Length: 5, Charset: bytesOnly}, "mediumint": {Type: 9, Length: 9, Charset: bytesOnly},
	"mediumint unsigned": {Type: 9, Flags: unsigned, Length: 8, Charset: bytesOnly}, "int": {Type: 3, Length: 11, Charset: bytesOnly},
	"int unsigned": {Type: 3, Flags: unsigned, Length: 10, Charset: bytesOnly}, "int(8) zerofill": {Type: 3, Flags: zerofill, Length: 8, Charset: bytesOnly},
	"mysql bigint": {Type: 8, Length: 20, Charset: bytesOnly}, "bigint unsigned": {Type: 8, Flags: unsigned, Length: 20, Charset: bytesOnly},
	"float": {Type: 4, Length: 12, Decimals: 31, Charset: bytesOnly}, "double": {Type: 5, Length: 22, Decimals: 31, Charset: bytesOnly},
	"double(8,2)": {Type: 5, Length: 8, Decimals: 2, Charset: bytesOnly}, "decimal(10,2)": {Type: 246, Length: 12, Decimals: 2, Charset: bytesOnly},
	"decimal(10,2) unsigned": {Type: 246, Flags: unsigned, Length: 11, Decimals: 2, Charset: bytesOnly},
	"mysql date":             {Type: 10, Length: 10, Charset: bytesOnly}, "mysql time": {Type: 11, Length: 10, Charset: bytesOnly},
	"time(3)": {Type: 11, Length: 14, Decimals: 3, Charset: bytesOnly}, "datetime": {Type: 12, Length: 19, Charset: bytesOnly},
	"datetime(6)": {Type: 12, Length: 26, Decimals: 6, Charset: bytesOnly}, "mysql timestamp": {Type: 7, Length: 19, Charset: bytesOnly},
	"year": {Type: 13, Flags: unsigned, Length: 4, Charset: bytesOnly}, "mysql bit(9)": {Type: 16, Flags: unsigned, Length: 9, Charset: bytesOnly},
	"mysql varchar(20)": {Type: 253, Length: 80, Charset: utf8mb4}, "mysql char(12)": {Type: 254, Length: 48, Charset: utf8mb4},
	"tinytext": {Type: 252, Length: 1020, Charset: utf8mb4}, "mysql text": {Type: 252, Length: 262140, Charset: utf8mb4},
	"latin1 varchar(20)": {Type: 253, Length: 20, Charset: latin1}, "utf8mb3 varchar(20)": {Type: 253, Length: 60, Charset: utf8mb3},
	"ucs2 varchar(20)": {Type: 253, Length: 40, Charset: ucs2}, "utf16 varchar(20)": {Type: 253, Length: 80, Charset: utf16be},
	"utf16le varchar(20)": {Type: 253, Length: 80, Charset: utf16le}, "utf32 varchar(20)": {Type: 253, Length: 80, Charset: utf32},
	"ascii varchar(20)": {Type: 253, Length: 20, Charset: ascii}, "cp1251 varchar(20)": {Type: 253, Length: 20, Charset: cp1251},
	"swe7 varchar(20)": {Type: 253, Length: 20, Charset: swe7},
	"varbinary(8)":     {Type: 253, Length: 8, Charset: bytesOnly}, "binary(8)": {Type: 254, Length: 8, Charset: bytesOnly},
	"blob": {Type: 252, Length: 65535, Charset: bytesOnly}, "mysql json": {Type: 252, Length: 4294967295, Charset: utf8mb4, Extended: "json"},
	"mysql 8 json": {Type: 245, Length: 4294967295, Charset: bytesOnly},
	"enum":         {Type: 254, Flags: mysqlEnum, Length: 20, Charset: utf8mb4, Labels: []string{"sad", "ok", "happy"}},
	"set":          {Type: 254, Flags: mysqlSet, Length: 48, Charset: utf8mb4, Labels: []string{"read", "write", "grant"}},
	"mysql uuid":   {Type: 254, Length: 144, Charset: utf8mb4, Extended: "uuid"}, "inet6": {Type: 254, Length: 156, Charset: utf8mb4, Extended: "inet6"},
	"inet4": {Type: 254, Length: 60, Charset: utf8mb4, Extended: "inet4"}, "geometry": {Type: 255, Length: math.MaxUint32, Charset: bytesOnly},
	"polygon": {Type: 255, Length: math.MaxUint32, Charset: bytesOnly, Extended: "polygon"},
}

func mysqlColumn(t testing.TB, name string) Type {
	t.Helper()
	c, ok := mysqlColumns[name]
	if !ok {
		t.Fatalf("no column %q", name)
	}
	return MySQLType(c)
}

func TestMySQLType(t *testing.T) {
	for name, want := range map[string]Type{
		"tinyint":                {Kind: KindInt8, Name: "tinyint"},
		"mediumint unsigned":     {Kind: KindInt24, Name: "mediumint unsigned", Unsigned: true},
		"int(8) zerofill":        {Kind: KindInt32, Name: "int unsigned", Unsigned: true, ZeroFill: 8},
		"bigint unsigned":        {Kind: KindUint64, Name: "bigint unsigned", Unsigned: true},
		"float":                  {Kind: KindFloat32, Name: "float"},
		"double(8,2)":            {Kind: KindFloat64, Name: "double", Precision: 8, Scale: 2},
		"decimal(10,2)":          {Kind: KindNumeric, Name: "decimal", Precision: 10, Scale: 2},
		"decimal(10,2) unsigned": {Kind: KindNumeric, Name: "decimal unsigned", Precision: 10, Scale: 2, Unsigned: true},
		"datetime(6)":            {Kind: KindTimestamp, Name: "datetime", Scale: 6},
		"mysql timestamp":        {Kind: KindTimestampTZ, Name: "timestamp"},
		"mysql bit(9)":           {Kind: KindBit, Name: "bit", Length: 9},
		"mysql varchar(20)":      {Kind: KindText, Name: "varchar", Length: 20},
		"ucs2 varchar(20)":       {Kind: KindText, Name: "varchar", Length: 20, Charset: CharsetUCS2},
		"mysql char(12)":         {Kind: KindBPChar, Name: "char", Length: 12},
		"tinytext":               {Kind: KindText, Name: "text", Length: 255, MaxBytes: 255},
		"binary(8)":              {Kind: KindBytes, Name: "binary", Length: 8, Fixed: true},
		"varbinary(8)":           {Kind: KindBytes, Name: "varbinary", Length: 8},
		"blob":                   {Kind: KindBytes, Name: "blob", Length: 65535},
		"mysql json":             {Kind: KindJSON, Name: "json"},
		"mysql 8 json":           {Kind: KindJSON, Name: "json"},
		"enum":                   {Kind: KindEnum, Name: "enum", Labels: []string{"sad", "ok", "happy"}},
		"mysql uuid":             {Kind: KindUUID, Name: "uuid"},
		"inet6":                  {Kind: KindInet, Name: "inet6"},
	} {
		want.Wire = MySQL
		if got := mysqlColumn(t, name); fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s:\ngot  %#v\nwant %#v", name, got, want)
		}
	}
	for _, c := range []MySQLColumn{{Type: 6}, {Type: 242}, {Type: 200}, {Type: 253, Charset: bytesOnly, Length: 16, Extended: "vector"}} {
		if got := MySQLType(c); got.Kind != KindOther || Check(Spec{Function: "redact"}, got) == nil || Check(Spec{Function: "null"}, got) != nil {
			t.Errorf("%+v: %+v; only null may work", c, got)
		}
	}
}

// TestCharsetOf holds the ranges of numbers to a server's own list.
func TestCharsetOf(t *testing.T) {
	file, err := os.Open("testdata/collations.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	known := map[string]Charset{"utf8mb3": CharsetUTF8MB3, "utf8mb4": CharsetUTF8, "latin1": CharsetLatin1, "ascii": CharsetASCII, "ucs2": CharsetUCS2,
		"utf16": CharsetUTF16, "utf16le": CharsetUTF16LE, "utf32": CharsetUTF32, "binary": CharsetBinary, "swe7": CharsetUnknown}
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		var number uint16
		var charset string
		if _, err := fmt.Sscan(lines.Text(), &number, &charset); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		want, ok := known[charset]
		if !ok {
			want = CharsetOther
		}
		if got := CharsetOf(number); got != want {
			t.Errorf("%d is of %s: got %s", number, charset, got)
		}
	}
	if count < 500 {
		t.Errorf("only %d collations", count)
	}
	for _, number := range []uint16{0, 17, 350, 575, 5000, math.MaxUint16} {
		if got := CharsetOf(number); got != CharsetUnknown {
			t.Errorf("%d: %s", number, got)
		}
	}
}

// mysqlBinary writes a cell of the text protocol as the binary protocol has it,
// with code that shares nothing with the package's.
func mysqlBinary(t testing.TB, typ Type, text string) []byte {
	t.Helper()
	put := binary.LittleEndian
	whole := func() uint64 {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return uint64(n)
	}
	float := func() float64 {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	switch typ.Kind {
	case KindInt8:
		return []byte{byte(whole())}
	case KindInt16, KindYear:
		return put.AppendUint16(nil, uint16(whole()))
	case KindInt24, KindInt32:
		return put.AppendUint32(nil, uint32(whole()))
	case KindInt64, KindUint64:
		return put.AppendUint64(nil, whole())
	case KindFloat32:
		return put.AppendUint32(nil, math.Float32bits(float32(float())))
	case KindFloat64:
		return put.AppendUint64(nil, math.Float64bits(float()))
	case KindDate, KindTimestamp, KindTimestampTZ:
		var year, month, day, hour, minute, second, micros int
		rest, fraction, _ := strings.Cut(text, ".")
		if n, _ := fmt.Sscanf(rest, "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second); n < 3 {
			t.Fatalf("%q is no date", text)
		}
		micros, _ = strconv.Atoi((fraction + "000000")[:6])
		out := append(put.AppendUint16(nil, uint16(year)), byte(month), byte(day))
		if hour+minute+second+micros == 0 {
			return out
		}
		out = append(out, byte(hour), byte(minute), byte(second))
		if micros == 0 {
			return out
		}
		return put.AppendUint32(out, uint32(micros))
	case KindTime:
		var hour, minute, second, micros int
		rest, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
		if n, _ := fmt.Sscanf(rest, "%d:%d:%d", &hour, &minute, &second); n != 3 {
			t.Fatalf("%q is no time", text)
		}
		micros, _ = strconv.Atoi((fraction + "000000")[:6])
		if hour+minute+second+micros == 0 {
			return []byte{}
		}
		out := []byte{byte(strings.Count(text, "-"))}
		out = append(put.AppendUint32(out, uint32(hour/24)), byte(hour%24), byte(minute), byte(second))
		if micros == 0 {
			return out
		}
		return put.AppendUint32(out, uint32(micros))
	}
	return []byte(text)
}

func TestMySQLCells(t *testing.T) {
	for _, c := range []struct{ function, args, column, in, want string }{
		{"redact", ``, "tinyint", "-7", "0"}, {"redact", ``, "int(8) zerofill", "00000042", "00000000"},
		{"redact", ``, "decimal(10,2)", "-1.50", "0.00"}, {"redact", ``, "double(8,2)", "1.50", "0.00"}, {"redact", ``, "float", "1.5", "0"},
		{"redact", ``, "mysql date", "0000-00-00", "1970-01-01"}, {"redact", ``, "time(3)", "-838:59:59.000", "00:00:00.000"},
		{"redact", ``, "datetime(6)", "1984-07-23 07:08:09.500000", "1970-01-01 00:00:00.000000"},
		{"redact", ``, "mysql timestamp", "2001-02-03 04:05:06", "1970-01-02 00:00:00"}, {"redact", ``, "year", "1984", "1970"},
		{"redact", ``, "mysql bit(9)", "\x01\x0f", "\x00\x00"}, {"redact", ``, "mysql varchar(20)", "Jane", "[redacted]"},
		{"redact", ``, "binary(8)", "\x01\x02\x03\x04\x05\x06\x07\x08", "\x00\x00\x00\x00\x00\x00\x00\x00"}, {"redact", ``, "blob", "\xff", ""},
		{"redact", ``, "enum", "happy", "sad"}, {"redact", ``, "set", "read,grant", ""}, {"redact", ``, "mysql 8 json", `{"a": 1}`, `"[redacted]"`},
		{"redact", ``, "inet6", "2001:db8::1", "::"}, {"redact", ``, "inet4", "10.1.2.3", "0.0.0.0"},
		{"redact", `{"value": "ok"}`, "enum", "happy", "ok"}, {"redact", `{"value": "write,read"}`, "set", "grant", "write,read"},
		{"redact", `{"value": 2000}`, "year", "1984", "2000"}, {"redact", `{"value": true}`, "tinyint", "0", "1"},
		{"redact", `{"value": 18446744073709551615}`, "bigint unsigned", "1", "18446744073709551615"},
		{"redact", `{"value": "hid"}`, "binary(8)", "\x01\x02\x03\x04\x05\x06\x07\x08", "hid\x00\x00\x00\x00\x00"},
		{"redact", `{"value": "1900-01-01 00:00:00"}`, "datetime(6)", "1984-07-23 07:08:09.500000", "1900-01-01 00:00:00.000000"},
		{"partial", ``, "mysql char(12)", "Elizabeth", "E********"}, {"partial", `{"fill": "•"}`, "mysql varchar(20)", "Grüße", "G••••"},
		{"partial", `{"fill": "•"}`, "tinytext", strings.Repeat("x", 255), "x" + strings.Repeat("•", 84)},
		{"partial", `{"last": 2}`, "mysql varchar(20)", "a\x00bc", "**bc"}, {"partial", ``, "mysql varchar(20)", "a\xff", "[redacted]"},
		{"email", ``, "mysql varchar(20)", "jane@example.com", "j***@example.com"},
		{"bucket", `{"width": 10}`, "tinyint", "-128", "0"}, {"bucket", `{"width": 10}`, "tinyint unsigned", "255", "250"},
		{"bucket", `{"width": 10}`, "mediumint", "-8388608", "0"}, {"bucket", `{"width": 10}`, "mediumint unsigned", "16777215", "16777210"},
		{"bucket", `{"width": 10}`, "int unsigned", "4294967295", "4294967290"}, {"bucket", `{"width": 10}`, "int(8) zerofill", "00000042", "00000040"},
		{"bucket", `{"width": 10}`, "bigint unsigned", "18446744073709551615", "18446744073709551610"}, {"bucket", `{"width": 10}`, "year", "1984", "1980"},
		{"bucket", `{"width": 100}`, "year", "1950", "1970"}, {"bucket", `{"width": 10, "offset": 5}`, "bigint unsigned", "3", "0"},
		{"bucket", `{"width": 0.5}`, "double(8,2)", "3.75", "3.50"}, {"bucket", `{"width": 10}`, "decimal(10,2) unsigned", "42.50", "40.00"},
		{"bucket", `{"width": 10}`, "year", "0000", "1970"}, {"bucket", `{"width": 10}`, "float", "1e20", "0"},
		{"date_trunc", `{"unit": "month"}`, "mysql date", "2024-02-29", "2024-02-01"}, {"date_trunc", `{"unit": "year"}`, "mysql date", "0000-00-00", "1970-01-01"},
		{"date_trunc", `{"unit": "year"}`, "mysql date", "2024-00-10", "1970-01-01"}, {"date_trunc", `{"unit": "year"}`, "mysql date", "2023-02-29", "1970-01-01"},
		{"date_trunc", `{"unit": "year"}`, "mysql date", "9999-12-31", "9999-01-01"},
		{"date_trunc", `{"unit": "hour"}`, "mysql time", "-101:30:15", "-102:00:00"}, {"date_trunc", `{"unit": "hour"}`, "mysql time", "-838:59:59", "00:00:00"},
		{"date_trunc", `{"unit": "minute"}`, "time(3)", "838:59:59.999", "838:59:00.000"},
		{"date_trunc", `{"unit": "day"}`, "datetime(6)", "1984-07-23 07:08:09.500000", "1984-07-23 00:00:00.000000"},
		{"date_trunc", `{"unit": "hour"}`, "datetime", "1984-07-23 24:00:00", "1970-01-01 00:00:00"},
		{"date_trunc", `{"unit": "year"}`, "mysql timestamp", "1970-05-06 07:08:09", "1970-01-02 00:00:00"},
		{"date_trunc", `{"unit": "year"}`, "mysql timestamp", "2050-05-06 07:08:09", "1970-01-02 00:00:00"},
		{"date_shift", `{"subject": "id", "days": 30}`, "datetime(6)", "1984-07-23 07:08:09.123456", "1984-07-12 07:08:09.123456"},
		{"date_shift", `{"subject": "id", "days": 36500}`, "mysql date", "9999-12-31", "9984-07-01"},
		{"json", `{"paths": {"$.a": null}}`, "mysql json", `{"a":1, "b":2}`, `{"a":null, "b":2}`},
	} {
		for _, f := range []Format{Text, Binary} {
			typ := mysqlColumn(t, c.column)
			in, want := []byte(c.in), []byte(c.want)
			if f == Binary {
				if strings.HasPrefix(c.in, "0000-") || strings.Contains(c.in, "24:00") {
					in = []byte{} // no bytes are the zero date
				} else {
					in = mysqlBinary(t, typ, c.in)
				}
				want = mysqlBinary(t, typ, c.want)
			}
			spec := Spec{Function: c.function, Args: args(t, c.args)}
			id := Column{Name: "id", Type: mysqlColumn(t, "int"), Format: f}
			p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}, id}, testKeys(t))
			if err != nil {
				t.Errorf("%v: %v", c, err)
				break
			}
			out, null, err := p.Cell([]byte{}, 0, in, row{in, map[Format][]byte{Text: []byte("4711"), Binary: {0x67, 0x12, 0, 0}}[f]})
			if err != nil || null || !bytes.Equal(out, want) {
				t.Errorf("%s %s on %s in %s: %q: got %q, want %q (null %v, error %v)", c.function, c.args, c.column, f, in, out, want, null, err)
			}
		}
	}
}

// TestMySQLCharsets masks a value in every character set, and refuses what the
// character set does not have.
func TestMySQLCharsets(t *testing.T) {
	for column, c := range map[string]struct{ in, want, constant string }{
		"latin1 varchar(20)":  {"Gr\xfc\xdfe", "G\xfc\xfc\xfc\xfc", "[redacted]"},
		"utf8mb3 varchar(20)": {"Grüße", "Güüüü", "[redacted]"},
		"ucs2 varchar(20)":    {"\x00G\x00r\x00\xfc\x00\xdf\x00e", "\x00G\x00\xfc\x00\xfc\x00\xfc\x00\xfc", "\x00[\x00r\x00e\x00d\x00a\x00c\x00t\x00e\x00d\x00]"},
		"utf16 varchar(20)":   {"\x00G\xd8\x3d\xde\x00", "\x00G\x00\xfc", "\x00[\x00r\x00e\x00d\x00a\x00c\x00t\x00e\x00d\x00]"},
		"utf16le varchar(20)": {"G\x00\x3d\xd8\x00\xde", "G\x00\xfc\x00", "[\x00r\x00e\x00d\x00a\x00c\x00t\x00e\x00d\x00]\x00"},
		"utf32 varchar(20)":   {"\x00\x00\x00G\x00\x01\xf6\x00", "\x00\x00\x00G\x00\x00\x00\xfc", "\x00\x00\x00[\x00\x00\x00r\x00\x00\x00e\x00\x00\x00d\x00\x00\x00a\x00\x00\x00c\x00\x00\x00t\x00\x00\x00e\x00\x00\x00d\x00\x00\x00]"},
	} {
		typ := mysqlColumn(t, column)
		for _, f := range []Format{Text, Binary} {
			spec := Spec{Function: "partial", Args: map[string]any{"fill": "ü"}}
			if got := maskCell(t, spec, typ, f, []byte(c.in)); string(got) != c.want {
				t.Errorf("%s in %s: got %q, want %q", column, f, got, c.want)
			}
			if got := maskCell(t, spec, typ, f, []byte("\xff")); column != "latin1 varchar(20)" && string(got) != c.constant {
				t.Errorf("%s in %s: what is not text is %q, want %q", column, f, got, c.constant)
			}
			if got := maskCell(t, Spec{Function: "redact"}, typ, f, nil); string(got) != c.constant {
				t.Errorf("%s in %s: redact gives %q", column, f, got)
			}
		}
	}
	for _, c := range []struct {
		column, function string
		args             map[string]any
	}{
		{"ascii varchar(20)", "partial", map[string]any{"fill": "•"}}, {"latin1 varchar(20)", "card", map[string]any{"fill": "☃"}},
		{"utf8mb3 varchar(20)", "phone", map[string]any{"fill": "😀"}}, {"ucs2 varchar(20)", "iban", map[string]any{"fill": "😀"}},
		{"latin1 varchar(20)", "redact", map[string]any{"value": "скрыто"}}, {"cp1251 varchar(20)", "redact", map[string]any{"value": "скрыто"}},
		{"cp1251 varchar(20)", "partial", nil}, {"cp1251 varchar(20)", "hash", nil}, {"swe7 varchar(20)", "redact", nil},
		{"swe7 varchar(20)", "partial", nil}, {"enum", "redact", map[string]any{"value": "angry"}}, {"set", "redact", map[string]any{"value": "read,execute"}},
	} {
		refusal := &NotExpressible{}
		if err := Check(Spec{Function: c.function, Args: c.args}, mysqlColumn(t, c.column)); !errors.As(err, &refusal) {
			t.Errorf("%s %v on %s: %v", c.function, c.args, c.column, err)
		}
	}
	if got := maskCell(t, Spec{Function: "redact"}, mysqlColumn(t, "cp1251 varchar(20)"), Text, []byte("\xe0")); string(got) != redactedText {
		t.Errorf("redact in cp1251: %q", got)
	}
	// A replacement that the character set does not have is not known before the value.
	spec := Spec{Function: "regex", Args: map[string]any{"pattern": "[0-9]", "replacement": "№"}}
	if got := maskCell(t, spec, mysqlColumn(t, "latin1 varchar(20)"), Text, []byte("a1")); string(got) != redactedText {
		t.Errorf("a replacement that latin1 lacks: %q", got)
	}
	wide := mysqlColumn(t, "int")
	wide.Charset = CharsetUTF16
	if got := maskCell(t, Spec{Function: "bucket", Args: map[string]any{"width": 10}}, wide, Text, []byte("\x004\x002")); string(got) != "\x004\x000" {
		t.Errorf("an integer in utf16: %q", got)
	}
}

// TestMySQLConstantIsUTF8 has Constant for what a statement will quote.
func TestMySQLConstantIsUTF8(t *testing.T) {
	for column, want := range map[string]string{"utf16 varchar(20)": "[redacted]", "datetime(6)": "1970-01-01 00:00:00.000000", "bigint unsigned": "0",
		"enum": "sad", "set": "", "year": "1970", "mysql bit(9)": "\x00\x00", "mysql json": `"[redacted]"`} {
		if got, err := Constant(Spec{Function: "hash"}, mysqlColumn(t, column)); err != nil || string(got) != want || got == nil {
			t.Errorf("%s: %q, %v", column, got, err)
		}
	}
	if got, err := Constant(Spec{Function: "null"}, mysqlColumn(t, "year")); got != nil || err != nil {
		t.Errorf("null: %q, %v", got, err)
	}
}

// TestMySQLGeometryConstants reads them with a reader of its own.
func TestMySQLGeometryConstants(t *testing.T) {
	for _, name := range []string{"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection"} {
		typ := MySQLType(MySQLColumn{Type: 255, Extended: name})
		cell := maskCell(t, Spec{Function: "redact"}, typ, Binary, []byte{1})
		if rest := readWKB(t, cell[4:]); len(rest) != 0 || !bytes.Equal(cell[:4], []byte{0, 0, 0, 0}) {
			t.Errorf("%s: %x, %d bytes too many", name, cell, len(rest))
		}
	}
}

func readWKB(t *testing.T, b []byte) []byte {
	t.Helper()
	kind, b := binary.LittleEndian.Uint32(b[1:]), b[5:]
	if kind == 1 {
		return b[16:]
	}
	count, b := binary.LittleEndian.Uint32(b), b[4:]
	for range count {
		switch kind {
		case 2:
			b = b[16:]
		case 3:
			n := binary.LittleEndian.Uint32(b)
			b = b[4+16*n:]
		default:
			b = readWKB(t, b)
		}
	}
	return b
}

// TestMySQLFormatsAgree masks the text and the binary form of values with every
// function: one logical value comes out, which is valid in its type.
func TestMySQLFormatsAgree(t *testing.T) {
	values := map[string][]string{
		"tinyint": {"-128", "0", "127"}, "tinyint unsigned": {"0", "255"}, "smallint unsigned": {"0", "65535"}, "mediumint": {"-8388608", "1234567", "8388607"},
		"mediumint unsigned": {"0", "16777215"}, "int": {"-2147483648", "1234567"}, "int unsigned": {"4294967295", "3000000000"},
		"mysql bigint": {"-9223372036854775808", "9223372036854775807"}, "bigint unsigned": {"0", "9223372036854775808", "18446744073709551615"},
		"int(8) zerofill": {"00000007", "12345678"},
		"float":           {"0", "1.5", "-39.9531", "1.67772e7", "3.40282e38", "1e-20"}, "double": {"0", "-1.5", "0.1", "1e20", "1.7976931348623157e308"},
		"double(8,2)": {"0.00", "999999.99", "-12.34"}, "decimal(10,2)": {"-99999999.99", "0.00", "12345.67"}, "decimal(10,2) unsigned": {"99999999.99", "0.00"},
		"mysql date": {"0001-01-01", "2024-02-29", "9999-12-31"}, "mysql time": {"-838:59:59", "00:00:00", "838:59:59"}, "time(3)": {"-00:00:00.001", "101:02:03.450"},
		"datetime":    {"0001-01-01 00:00:00", "2024-02-29 23:59:59", "9999-12-31 23:59:59"},
		"datetime(6)": {"2024-02-29 00:00:00.000001", "2024-02-29 00:00:00.000000"}, "mysql timestamp": {"1970-01-02 00:00:00", "2038-01-18 03:14:07"},
		"year": {"1901", "2155"}, "mysql varchar(20)": {"", "jane@example.com", "4111 1111 1111 1234", "42"}, "varbinary(8)": {"", "\x00\xff"},
		"binary(8)": {"\x00\xff\x00\x00\x00\x00\x00\x00"}, "mysql uuid": {"6ba7b810-9dad-11d1-80b4-00c04fd430c8"}, "mysql json": {`{"a":1,"d":"x"}`},
		"enum": {"ok"}, "set": {"read,write"}, "mysql bit(9)": {"\x01\x00"}, "inet6": {"::1"}, "geometry": {"\x00\x00\x00\x00"},
	}
	computed := 0
	for column, texts := range values {
		typ := mysqlColumn(t, column)
		for _, c := range everySpec {
			spec := Spec{Function: c.function, Args: args(t, c.args)}
			if Check(spec, typ) != nil || c.function == nullName {
				continue
			}
			for _, text := range texts {
				var out [2][]byte
				for f, in := range map[Format][]byte{Text: []byte(text), Binary: mysqlBinary(t, typ, text)} {
					id := Column{Name: "id", Type: mysqlColumn(t, "mysql varchar(20)"), Format: f}
					p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}, id}, testKeys(t))
					if err != nil {
						t.Fatalf("%s on %s: %v", c.function, column, err)
					}
					out[f], _, _ = p.Cell([]byte{}, 0, in, row{in, []byte("7")})
				}
				if want := mysqlBinary(t, typ, string(out[Text])); !bytes.Equal(out[Binary], want) {
					t.Errorf("%s %s on %s %q: text %q, binary %x and not %x", c.function, c.args, column, text, out[Text], out[Binary], want)
				}
				if constant, _ := constant(typ, Text, nil); !bytes.Equal(out[Text], constant) {
					computed++
				}
				mysqlValid(t, column, typ, string(out[Text]))
			}
		}
	}
	if computed < 300 {
		t.Errorf("only %d cells were computed", computed)
	}
}

// mysqlValid says what is wrong with a cell of the text protocol.
func mysqlValid(t *testing.T, column string, typ Type, text string) {
	t.Helper()
	limits := map[string][2]float64{"tinyint": {-128, 127}, "tinyint unsigned": {0, 255}, "smallint unsigned": {0, 65535}, "mediumint": {-8388608, 8388607},
		"mediumint unsigned": {0, 16777215}, "int": {math.MinInt32, math.MaxInt32}, "int unsigned": {0, math.MaxUint32}, "bigint unsigned": {0, math.MaxUint64},
		"year": {1901, 2155}, "double(8,2)": {-999999.99, 999999.99}, "decimal(10,2)": {-99999999.99, 99999999.99}, "decimal(10,2) unsigned": {0, 99999999.99}}
	if l, ok := limits[column]; ok {
		if n, err := strconv.ParseFloat(text, 64); err != nil || n < l[0] || n > l[1] {
			t.Errorf("%s: %q is out of range (%v)", column, text, err)
		}
	}
	if length, ok := map[string]int{"mysql varchar(20)": 20, "varbinary(8)": 8, "binary(8)": 8}[column]; ok && utf8.RuneCountInString(text) > length {
		t.Errorf("%s: %q is too long", column, text)
	}
	if column == "int(8) zerofill" && len(text) < 8 || column == "binary(8)" && len(text) != 8 {
		t.Errorf("%s: %q is too short", column, text)
	}
	if typ.Kind == KindTimestampTZ && (text < "1970-01-02" || text > "2038-01-19") {
		t.Errorf("%s: %q is out of range", column, text)
	}
}
