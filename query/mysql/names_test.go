package mysql

import "testing"

func TestFoldName(t *testing.T) {
	for _, c := range [][2]string{{"SSN", "ssn"}, {"Émail", "email"}, {"straße", "strase"}, {"ΣΑΣ", "ςας"}, {"Й", "и"}, {"密码", "密码"}, {"a ", "a"}} {
		if foldName(c[0]) != foldName(c[1]) {
			t.Errorf("%q and %q differ: %q, %q", c[0], c[1], foldName(c[0]), foldName(c[1]))
		}
	}
	if foldName("e\u0301") == foldName("e") {
		t.Error("a mark of its own is a character")
	}
}

func TestColumnByName(t *testing.T) {
	r := tableOf("a.t", "e int; é int; Name int", "")
	for name, want := range map[string]string{"E": "e", "É": "é", "NAME": "Name", "nâme": "Name", "x": ""} {
		c := r.Column(name)
		if c == nil && want != "" || c != nil && c.Name != want {
			t.Errorf("%s: %v, want %q", name, c, want)
		}
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		s, pattern string
		want       bool
	}{
		{"abc", "abc", true}, {"abc", "a%", true}, {"abc", "%c", true}, {"abc", "%b%", true}, {"abc", "a_c", true}, {"abc", "a", false}, {"abc", "%d", false},
		{"a%c", "a\\%c", true}, {"abc", "a\\%c", false}, {"", "%", true}, {"", "", true}, {"aéc", "a_c", true}, {"aaab", "%a%ab", true}, {"h_", "h\\_", true},
	} {
		if like(c.s, c.pattern) != c.want {
			t.Errorf("%q LIKE %q", c.s, c.pattern)
		}
	}
}
