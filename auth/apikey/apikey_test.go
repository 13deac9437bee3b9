package apikey

import (
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		key := New()
		if !Valid(key) || len(key) != 37 || seen[key] || Hint(key) != key[:9] {
			t.Fatalf("%q", key)
		}
		seen[key] = true
		for i := range key { // no single slip passes
			for _, r := range "A7x_" {
				if wrong := key[:i] + string(r) + key[i+1:]; wrong != key && Valid(wrong) {
					t.Fatalf("%q passes for %q", wrong, key)
				}
			}
		}
	}
	for _, s := range []string{"", Prefix, "weir_" + strings.Repeat("A", 31), "weir_" + strings.Repeat("A", 33), "WEIR_" + strings.Repeat("A", 32)} {
		if Valid(s) {
			t.Errorf("%q", s)
		}
	}
	// A published case: scanners find keys by this.
	if key := Prefix + strings.Repeat("A", 26) + checksum(strings.Repeat("A", 26)); !Valid(key) || Hint("x") != "x" {
		t.Error(key)
	}
}
