package pgwire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// collected is what an iterator made of some data.
type collected struct {
	rows    []string // cells as value or NULL, joined by |; kinds other than values marked
	printed []byte   // every row printed with nothing replaced
	err     error
}

func collect(t testing.TB, spec CopySpec, chunks ...[]byte) collected {
	t.Helper()
	c, err := NewCopyRows(spec)
	if err != nil {
		t.Fatal(err)
	}
	var out collected
	walk := func() {
		for c.Next() {
			out.rows = append(out.rows, showRow(c))
			out.printed = c.AppendRest(out.printed)
		}
	}
	for _, chunk := range chunks {
		own := bytes.Clone(chunk)
		c.Feed(own)
		walk()
		clear(own) // nothing may point into it any more
	}
	c.Finish()
	walk()
	out.err = c.Err()
	return out
}

func showRow(c *CopyRows) string {
	switch c.Kind() {
	case CopyFrame:
		return "frame"
	case CopyValues, CopyNames:
	default:
		return fmt.Sprintf("kind %d", c.Kind())
	}
	var cells []string
	for i := range c.Len() {
		v := string(c.AppendValue(nil, i))
		if c.IsNull(i) {
			v = "NULL"
		}
		cells = append(cells, v)
	}
	s := strings.Join(cells, "|")
	if c.Kind() == CopyNames {
		s = "names " + s
	}
	return s
}

const binaryHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

var copyTests = []struct {
	name string
	spec CopySpec
	in   string
	rows []string
	err  string
}{
	{"text", DefaultCopy(CopyText, 3), "1\t\\N\tc\n2\t\ta\\tb\\\\\\n\n", []string{"1|NULL|c", "2||a\tb\\\n"}, ""},
	{"text escapes", DefaultCopy(CopyText, 1), `\b\f\v\r\x41\x4a1\101\7\q\x` + "\n", []string{"\b\f\v\rAJ1A\aqx"}, ""},
	{"text escaped newline and delimiter", DefaultCopy(CopyText, 2), "a\\\nb\tc\\\td\n", []string{"a\nb|c\td"}, ""},
	{"text CRLF", DefaultCopy(CopyText, 2), "a\tb\r\nc\td\r\n", []string{"a|b", "c|d"}, ""},
	{"text CR", DefaultCopy(CopyText, 1), "a\rb\r", []string{"a", "b"}, ""},
	{"text without last line end", DefaultCopy(CopyText, 1), "a\nb", []string{"a", "b"}, ""},
	{"text end marker", DefaultCopy(CopyText, 1), "a\n\\.\n", []string{"a", "frame"}, ""},
	{"text end marker at the very end", DefaultCopy(CopyText, 1), "a\n\\.", []string{"a", "frame"}, ""},
	{"text after the marker", DefaultCopy(CopyText, 1), "\\.\nx\n", []string{"frame"}, "after the end-of-data marker"},
	{"text marker in a line", DefaultCopy(CopyText, 1), "a\\.\n", nil, "alone on its line"},
	{"text header", CopySpec{Columns: 2, Header: true, Null: `\N`}, "x\ty\n1\t2\n", []string{"names x|y", "1|2"}, ""},
	{"text own delimiter and null", CopySpec{Columns: 2, Delimiter: '|', Null: "nil"}, "nil|a\\|b\n", []string{"NULL|a|b"}, ""},
	{"text no columns", DefaultCopy(CopyText, 0), "\n\n", []string{"", ""}, ""},
	{"text too many cells", DefaultCopy(CopyText, 1), "a\tb\n", nil, "no more cells"},
	{"text too few cells", DefaultCopy(CopyText, 3), "a\tb\n", nil, "as many cells"},
	{"text mixed line ends", DefaultCopy(CopyText, 1), "a\nb\r\n", []string{"a"}, "all the same"},

	{"csv", DefaultCopy(CopyCSV, 3), "1,,\"\"\n\"a,b\",\"c\"\"d\",\"e\nf\"\n", []string{"1|NULL|", "a,b|c\"d|e\nf"}, ""},
	{"csv quotes inside a cell", DefaultCopy(CopyCSV, 1), "a\"b,c\"d\n", []string{"ab,cd"}, ""},
	{"csv own escape", CopySpec{Format: CopyCSV, Columns: 2, Escape: '\\'}, `"a\"b\\","c\d"` + "\n", []string{`a"b\|c\d`}, ""},
	{"csv own quote, delimiter, null", CopySpec{Format: CopyCSV, Columns: 3, Quote: '\'', Delimiter: ';', Null: "NIL"}, "'a;''';NIL;'NIL'\n", []string{"a;'|NULL|NIL"}, ""},
	{"csv header", CopySpec{Format: CopyCSV, Columns: 1, Header: true}, "\"na\nme\"\n1\n", []string{"names na\nme", "1"}, ""},
	{"csv CRLF in quotes", DefaultCopy(CopyCSV, 1), "\"a\nb\"\r\n\"c\r\nd\"\r\n", []string{"a\nb", "c\r\nd"}, ""},
	{"csv end marker", DefaultCopy(CopyCSV, 1), "a\n\\.\n", []string{"a", "frame"}, ""},
	{"csv marker as a value", DefaultCopy(CopyCSV, 1), "\"\\.\"\n\\.x\n", []string{`\.`, `\.x`}, ""},
	{"csv open quote", DefaultCopy(CopyCSV, 1), "a\n\"b\n", []string{"a"}, "end of a quoted cell"},
	{"csv too few cells", DefaultCopy(CopyCSV, 2), "a\n", nil, "as many cells"},

	{"binary", DefaultCopy(CopyBinary, 2), binaryHeader + "\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff\xff\xff", []string{"frame", "a|NULL", "frame"}, ""},
	{"binary extension", DefaultCopy(CopyBinary, 0), "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x01\x00\x00\x00\x03ext\x00\x00\xff\xff", []string{"frame", "", "frame"}, ""},
	{"binary OIDs", DefaultCopy(CopyBinary, 0), "PGCOPY\n\xff\r\n\x00\x00\x01\x00\x00\x00\x00\x00\x00", nil, "no critical flags"},
	{"binary signature", DefaultCopy(CopyBinary, 0), "PGCOPY\n\xff\n\x00", nil, "signature"},
	{"binary count", DefaultCopy(CopyBinary, 2), binaryHeader + "\x00\x01", []string{"frame"}, "as many cells"},
	{"binary length", DefaultCopy(CopyBinary, 1), binaryHeader + "\x00\x01\xff\xff\xff\xfe", []string{"frame"}, "a length within"},
	{"binary cut", DefaultCopy(CopyBinary, 1), binaryHeader + "\x00\x01\x00\x00\x00\x05abc", []string{"frame"}, "the rest of the data"},
	{"binary after the trailer", DefaultCopy(CopyBinary, 1), binaryHeader + "\xff\xffx", []string{"frame", "frame"}, "after the end-of-data marker"},
}

func TestCopyRows(t *testing.T) {
	for _, tt := range copyTests {
		t.Run(tt.name, func(t *testing.T) {
			in := []byte(tt.in)
			whole := collect(t, tt.spec, in)
			check := func(how string, got collected) {
				t.Helper()
				if strings.Join(got.rows, "\x00") != strings.Join(tt.rows, "\x00") {
					t.Errorf("%s: rows %q, want %q", how, got.rows, tt.rows)
				}
				if tt.err == "" && (got.err != nil || !bytes.Equal(got.printed, in)) {
					t.Errorf("%s: printed %q, error %v", how, got.printed, got.err)
				}
				if tt.err != "" && (got.err == nil || !strings.Contains(got.err.Error(), tt.err)) {
					t.Errorf("%s: error %v, want %q", how, got.err, tt.err)
				}
			}
			check("whole", whole)
			for cut := range in {
				check(fmt.Sprintf("cut at %d", cut), collect(t, tt.spec, in[:cut], in[cut:]))
			}
			check("byte by byte", collect(t, tt.spec, bytes.SplitAfter(in, nil)...))
		})
	}
}

func TestCopyReplace(t *testing.T) {
	tests := []struct {
		name     string
		spec     CopySpec
		in       string
		value    string
		want     string
		wantNull string
	}{
		{"text", DefaultCopy(CopyText, 3), "\\x61\tb\t\\143\n", "x\ty\\\n\x01", "\\x61\tx\\ty\\\\\\n\x01\t\\143\n", "\\x61\t\\N\t\\143\n"},
		{"text delimiter", CopySpec{Columns: 3, Delimiter: ';', Null: "-"}, "a;b;c\r\n", "x;y", "a;x\\;y;c\r\n", "a;-;c\r\n"},
		{"csv plain", DefaultCopy(CopyCSV, 3), "\"a\",\"needed, quotes\",c\n", "x", "\"a\",x,c\n", "\"a\",,c\n"},
		{"csv quoted", DefaultCopy(CopyCSV, 3), "a,b,c\n", "x,\"\n", "a,\"x,\"\"\n\",c\n", "a,,c\n"},
		{"csv empty is not NULL", DefaultCopy(CopyCSV, 3), "a,b,c\n", "", "a,\"\",c\n", "a,,c\n"},
		{"csv forced", CopySpec{Format: CopyCSV, Columns: 3, ForceQuote: []bool{false, true, false}}, "a,b,c\n", "x", "a,\"x\",c\n", "a,,c\n"},
		{"csv escape", CopySpec{Format: CopyCSV, Columns: 3, Escape: '\\'}, "a,b,c\n", `x"\`, `a,"x\"\\",c` + "\n", "a,,c\n"},
		{"binary", DefaultCopy(CopyBinary, 3), binaryHeader + "\x00\x03\xff\xff\xff\xff\x00\x00\x00\x01b\x00\x00\x00\x01c", "xyz",
			binaryHeader + "\x00\x03\xff\xff\xff\xff\x00\x00\x00\x03xyz\x00\x00\x00\x01c",
			binaryHeader + "\x00\x03\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x01c"},
	}
	for _, tt := range tests {
		for _, null := range []bool{false, true} {
			c, err := NewCopyRows(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			c.Feed([]byte(tt.in))
			var got []byte
			for c.Next() {
				if c.Kind() == CopyValues {
					got = c.AppendTo(got, 1)
					if null {
						got = c.AppendNull(got, 1)
					} else {
						got = c.AppendCell(got, 1, []byte(tt.value))
					}
				}
				got = c.AppendRest(got)
			}
			want := tt.want
			if null {
				want = tt.wantNull
			}
			if c.Err() != nil || string(got) != want {
				t.Errorf("%s: %q, %v; want %q", tt.name, got, c.Err(), want)
			}
		}
	}
}

func TestCopyRowIsBounded(t *testing.T) {
	for _, f := range []CopyFormat{CopyText, CopyCSV, CopyBinary} {
		spec := DefaultCopy(f, 1)
		spec.MaxRow = 1000
		c, err := NewCopyRows(spec)
		if err != nil {
			t.Fatal(err)
		}
		if f == CopyBinary {
			c.Feed([]byte(binaryHeader + "\x00\x01\x00\x00\x03\xe7"))
			for c.Next() {
			}
		}
		for range 20 {
			c.Feed(bytes.Repeat([]byte("x"), 100))
			if c.Next() && f != CopyBinary {
				t.Fatal("a row without an end")
			}
			if c.Partial() > 1100 {
				t.Fatalf("%d bytes kept", c.Partial())
			}
		}
		var long *TooLong
		if !errors.As(c.Err(), &long) && f != CopyBinary {
			t.Errorf("format %d: error %v", f, c.Err())
		}
		if c.Err() == nil {
			t.Errorf("format %d: no error", f)
		}
	}
}

func TestCopySpecRefusals(t *testing.T) {
	for _, s := range []CopySpec{
		{Columns: -1},
		{Delimiter: 'a'}, {Delimiter: '\\'}, {Delimiter: '\n'}, {Null: "a\nb"}, {Null: "\t"},
		{Format: CopyCSV, Quote: ','}, {Format: CopyCSV, Null: `"`}, {Format: CopyCSV, Quote: '\r'},
	} {
		if _, err := NewCopyRows(s); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// fuzzCopy holds an iterator to three rules: cuts make no difference, what is
// not replaced is printed as it came, and a value that is printed reads back.
func fuzzCopy(f *testing.F, format CopyFormat) {
	for _, tt := range copyTests {
		if tt.spec.Format == format {
			f.Add([]byte(tt.in), uint16(len(tt.in)/2), byte(tt.spec.Columns), tt.spec.Header, []byte("x,\"\\\t\n"))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, columns byte, header bool, value []byte) {
		spec := DefaultCopy(format, int(columns%8))
		spec.Header = header
		whole := collect(t, spec, in)
		k := min(int(cut), len(in))
		parts := collect(t, spec, in[:k], in[k:])
		if fmt.Sprint(whole.rows) != fmt.Sprint(parts.rows) || (whole.err == nil) != (parts.err == nil) {
			t.Fatalf("cut at %d:\n%q %v\nwhole:\n%q %v", k, parts.rows, parts.err, whole.rows, whole.err)
		}
		if whole.err == nil && !bytes.Equal(whole.printed, in) {
			t.Fatalf("printed %q", whole.printed)
		}
		c, err := NewCopyRows(spec)
		if err != nil {
			t.Fatal(err)
		}
		c.Feed(in)
		for c.Next() {
			if c.Kind() != CopyValues || c.Len() == 0 {
				continue
			}
			checkReadsBack(t, spec, c, value)
		}
	})
}

func checkReadsBack(t *testing.T, spec CopySpec, c *CopyRows, value []byte) {
	last := c.Len() - 1
	prefix := ""
	if spec.Format == CopyBinary {
		prefix = binaryHeader
	}
	line := c.AppendRest(c.AppendCell(c.AppendTo([]byte(prefix), last), last, value))
	spec.Header = false
	again, err := NewCopyRows(spec)
	if err != nil {
		t.Fatal(err)
	}
	again.Feed(line)
	ok := again.Next() && (spec.Format != CopyBinary || again.Next())
	if !ok && spec.Format != CopyBinary {
		again.Finish() // a lone CR may be half a line end
		ok = again.Next()
	}
	if !ok {
		t.Fatalf("%q does not read back: %v", line, again.Err())
	}
	if got := again.AppendValue(nil, last); !bytes.Equal(got, value) {
		t.Fatalf("printed %q as %q, which reads as %q", value, line, got)
	}
	for i := range last {
		if !bytes.Equal(again.AppendValue(nil, i), c.AppendValue(nil, i)) || again.IsNull(i) != c.IsNull(i) {
			t.Fatalf("cell %d changed in %q", i, line)
		}
	}
}

func FuzzCopyText(f *testing.F)   { fuzzCopy(f, CopyText) }
func FuzzCopyCSV(f *testing.F)    { fuzzCopy(f, CopyCSV) }
func FuzzCopyBinary(f *testing.F) { fuzzCopy(f, CopyBinary) }
