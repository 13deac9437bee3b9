package audit

import (
	"bytes"
	"strings"
	"testing"
)

func TestLink(t *testing.T) {
	prev := digest{1, 2, 3}
	line, sum := appendLink([]byte(`{"unmapped":{"tls":true`), 0, 42, &prev)
	line = bytes.TrimSuffix(line, []byte("\n"))
	l, err := parseLink(line)
	if err != nil || l.seq != 42 || l.prev != prev || l.hash != sum || hashLine(line) != sum {
		t.Fatalf("%+v, %v", l, err)
	}
	good := string(line)
	for name, bad := range map[string]string{
		"empty":          "",
		"cut":            good[:len(good)-1],
		"longer":         good + " ",
		"no link":        `{"a":"` + strings.Repeat("b", 300) + `"}`,
		"upper case":     strings.Replace(good, `"hash":"`+good[len(good)-68:len(good)-4], `"hash":"`+strings.ToUpper(good[len(good)-68:len(good)-4]), 1),
		"not hex":        strings.Replace(good, `"prev":"01`, `"prev":"zz`, 1),
		"zero sequence":  strings.Replace(good, `:42,`, `:0,`, 1),
		"leading zero":   strings.Replace(good, `:42,`, `:042,`, 1),
		"no sequence":    strings.Replace(good, `:42,`, `:,`, 1),
		"huge sequence":  strings.Replace(good, `:42,`, `:99999999999999999999,`, 1),
		"sign":           strings.Replace(good, `:42,`, `:-42,`, 1),
		"other name":     strings.Replace(good, `"chain"`, `"Chain"`, 1),
		"chain in a key": strings.Replace(good, `,"chain":{"sequence":42`, `,"x":42`, 1),
	} {
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if l, err := parseLink([]byte(bad)); err == nil {
			t.Errorf("%s: read as %+v", name, l)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	line, _ := appendLink([]byte(`{"unmapped":{"tls":true`), 0, 42, &digest{})
	f.Add(bytes.TrimSpace(line))
	f.Add([]byte(`,"chain":{"sequence":1,"prev":"` + strings.Repeat("0", 64) + `","hash":"` + strings.Repeat("0", 64) + `"}}}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := parseLink(line)
		if err != nil {
			return
		}
		// What parses is what appendLink writes after the same bytes.
		body := line[:bytes.LastIndex(line, []byte(linkHead))]
		again, sum := appendLink(bytes.Clone(body), 0, l.seq, &l.prev)
		if sum == l.hash && !bytes.Equal(bytes.TrimSuffix(again, []byte("\n")), line) {
			t.Fatalf("%q reads as %q", line, again)
		}
	})
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", maxLine+1)
	whole := strings.Repeat("y", 300<<10)
	r := newLineReader(strings.NewReader("a\n\n" + whole + "\n" + long + "\nb\ntorn"))
	for i, want := range []struct {
		line, err string
	}{{"a", ""}, {"", ""}, {whole, ""}, {"", errLongLine.Error()}, {"b", ""}, {"torn", "EOF"}} {
		line, err := r.next()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if string(line) != want.line || got != want.err {
			t.Errorf("line %d: %d bytes, %v", i+1, len(line), err)
		}
	}
	if want := int64(2 + 1 + len(whole) + 1 + len(long) + 1 + 2 + 4); r.offset != want {
		t.Errorf("offset %d, want %d", r.offset, want)
	}
}
