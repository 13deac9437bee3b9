package audit

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendString(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", `""`},
		{"plain text", `"plain text"`},
		{`say "hi" \o/`, `"say \"hi\" \\o/"`},
		{"a\nb\rc\td", `"a\nb\rc\td"`},
		{"\x00\x1b\x7f", `"\u0000\u001b\u007f"`},
		{"naïve 数 🦆", `"naïve 数 🦆"`},
		{"bad \xff byte \xc3", `"bad \ufffd byte \ufffd"`},
		{"sep\u2028\u2029\u0085", `"sep\u2028\u2029\u0085"`},
		{"half \xe2\x82", `"half \ufffd\ufffd"`},
		{"\ufffd", "\"\ufffd\""},
	} {
		if got := string(appendString(nil, c.in)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aé", 2, "a"}, {"a🦆", 4, "a"}, {"a🦆", 5, "a🦆"}, {"🦆", 1, ""},
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80"},
	} {
		if got := cut(c.in, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

// FuzzEscape: whatever a string holds, it becomes one line of valid JSON that
// reads back as the string, invalid bytes replaced.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "SELECT 1", "\"\\\n\x00\xff", "\u2028\u2029é🦆", `,"chain":{"sequence":1`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		if bytes.ContainsAny(b, "\n\r\x00") || !utf8.Valid(b) {
			t.Fatalf("not one clean line: %q", b)
		}
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		want := strings.ToValidUTF8(s, "")
		if got := strings.ReplaceAll(got, "\ufffd", ""); got != strings.ReplaceAll(want, "\ufffd", "") {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
