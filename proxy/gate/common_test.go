package gate

import (
	"testing"

	"github.com/weirdb/weir/policy"
)

func TestCommonMask(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b policy.Mask
		want string
	}{
		{"the same", policy.Mask{Function: "email"}, policy.Mask{Function: "email", Args: map[string]any{}}, "email"},
		{"two functions", policy.Mask{Function: "email"}, policy.Mask{Function: "hash"}, ""},
		{"a constant and a function", policy.Mask{Function: "null"}, policy.Mask{Function: "hash"}, ""},
		{"null and redact", policy.Mask{Function: "null"}, policy.Mask{Function: "redact"}, "null"},
		{"two constants", policy.Mask{Function: "redact"}, policy.Mask{Function: "redact", Args: map[string]any{"value": "-"}}, "null"},
	} {
		got := ""
		if m := commonMask(&c.a, &c.b); m != nil {
			got = m.Function
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
