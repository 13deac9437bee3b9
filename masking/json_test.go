package masking

import (
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ paths, in, want string }{
		{`{"$.a": null}`, `{"b":1, "a" : {"x":[1,2]} ,"c":1.50}`, `{"b":1, "a" : null ,"c":1.50}`},
		{`{"$.a": null}`, `{"a":1,"a":2,"b":{"a":3}}`, `{"a":null,"a":null,"b":{"a":3}}`},
		{`{"$..a": null}`, `[{"a":1},{"b":{"a":[{"a":2}]}}]`, `[{"a":null},{"b":{"a":null}}]`},
		{`{"$.*.x": {"function": "redact"}}`, `{"a":{"x":1,"y":2},"b":{"x":null}}`, `{"a":{"x":"[redacted]","y":2},"b":{"x":"[redacted]"}}`},
		{`{"$[1]": null}`, `[1,2,3]`, `[1,null,3]`},
		{`{"$[*]": {"function": "bucket", "args": {"width": 10}}}`, `[15, 2.5e1, "33", null, true, {}]`, `[10, 20, "[30,40)", null, "[redacted]", "[redacted]"]`},
		{`{"$.a[0].b": null}`, `{"a":[{"b":1},{"b":2}]}`, `{"a":[{"b":null},{"b":2}]}`},
		{`{"$..[0]": null}`, `{"a":[1,[2,3]]}`, `{"a":[null,[null,3]]}`},
		{`{"$[\"odd key\"]": null, "$[\"a.b\"]": null}`, `{"odd key":1,"a.b":2,"c":3}`, `{"odd key":null,"a.b":null,"c":3}`},
		{`{"$.email": {"function": "email"}}`, `{"email":"jane@example.com"}`, `{"email":"j***@example.com"}`},
		{`{"$.email": {"function": "email"}}`, `{"\u0065mail":"jane@example.com"}`, `{"\u0065mail":"j***@example.com"}`},
		{`{"$.email": {"function": "email"}}`, `{"email":7}`, `{"email":"[redacted]"}`},
		{`{"$.a": {"function": "partial"}}`, `{"a":"\"\n\u00e9\ud83d\ude00"}`, `{"a":"\"***"}`},
		{`{"$.a": {"function": "partial", "args": {"last": 2}}}`, `{"a":"xyz\\\t"}`, `{"a":"***\\\u0009"}`},
		{`{"$.a": {"function": "partial"}}`, `{"a":"x\ud800y"}`, `{"a":"[redacted]"}`},
		{`{"$.a": {"function": "partial"}}`, `{"a":"x\u0000y"}`, `{"a":"[redacted]"}`},
		{`{"$.a": {"function": "redact", "args": {"value": 0}}}`, `{"a":"x"}`, `{"a":0}`},
		{`{"$": null}`, ` {"a":1} `, ` null `},
		{`{"$.a": null}`, `"text"`, `"text"`},
		{`{"$.a": null}`, `[]`, `[]`},
		{`{"$.a.b": null, "$.a": {"function": "redact"}}`, `{"a":{"b":1}}`, `{"a":"[redacted]"}`},
		{`{"$.a": null}`, `{"b":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, `{"b":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`},
		{`{"$.a": null}`, `{"b":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, `"[redacted]"`},
		{`{"$..a": null}`, strings.Repeat(`{"b":`, 65) + "1" + strings.Repeat("}", 65), `"[redacted]"`},
		{`{"$.a": null}`, `{"a":1}{"a":2}`, `"[redacted]"`},
		{`{"$.a": null}`, `{"b":"\x"}`, `"[redacted]"`},
		{`{"$.a": null}`, `{"b":1.}`, `"[redacted]"`},
		{`{"$[*]": {"function": "redact"}}`, `[` + strings.Repeat("1,", 9000) + `1]`, `[` + strings.Repeat(`"[redacted]",`, 9000) + `"[redacted]"]`},
		{`{"$[*]": {"function": "redact", "args": {"value": "a constant that is much longer than what it hides"}}}`, `[` + strings.Repeat("1,", 9000) + `1]`, `"[redacted]"`},
	} {
		spec := Spec{Function: "json", Args: args(t, `{"paths": `+c.paths+`}`)}
		if got := maskCell(t, spec, PostgresType(oidJSON, noModifier), Text, []byte(c.in)); string(got) != c.want {
			t.Errorf("%s on %.80s:\n got %.200s\nwant %.200s", c.paths, c.in, got, c.want)
		}
		if got := maskCell(t, spec, PostgresType(oidJSONB, noModifier), Binary, append([]byte{1}, c.in...)); string(got) != "\x01"+c.want {
			t.Errorf("%s on binary %.80s:\n got %.200s\nwant %.200s", c.paths, c.in, got, c.want)
		}
	}
}

// TestJSONPathsDoNotMultiply: a path that can match in very many ways costs no
// more than the document times the path.
func TestJSONPathsDoNotMultiply(t *testing.T) {
	spec := Spec{Function: "json", Args: map[string]any{"paths": map[string]any{"$" + strings.Repeat("..*", 32) + "..x": nil}}}
	if Validate(spec) == nil {
		t.Error("a path of 33 steps is accepted")
	}
	spec = Spec{Function: "json", Args: map[string]any{"paths": map[string]any{"$" + strings.Repeat("..*", 31) + "..x": nil}}}
	in := strings.Repeat("[", 60) + `{"x":1}` + strings.Repeat("]", 60)
	want := strings.Replace(in, "1", "null", 1)
	if got := maskCell(t, spec, PostgresType(oidJSON, noModifier), Text, []byte(in)); string(got) != want {
		t.Errorf("got %s", got)
	}
}
