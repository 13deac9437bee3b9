package pgsql

import (
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT * FROM t WHERE a = 'x''y' -- 4711\n AND b=12.5e3":   "SELECT * FROM t WHERE a = ? AND b=?",
		`SELECT E'\'', U&'d\0061', $q$ secret $q$, B'1', "Col", $1`: `SELECT ?, ?, ?, ?, "Col", $1`,
		"SELECT /* secret */ 0x1F, 1_000":                           "SELECT ?, ?",
		"SELECT 'open":                                              "",
		"":                                                          "",
	} {
		if got := Shape(text, &State{}); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := Shape(`SELECT 'a\'' || secret || 'b'`, &State{NonStandardStrings: true}); strings.Contains(got, "'") {
		t.Errorf("with backslashes: %q", got)
	}
}
