package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCheckPassword(t *testing.T) {
	for password, want := range map[string]string{
		"tide pool at low noon":                      "",
		"gl\u00fchw\u00fcrmchen \u00fcber see":       "",
		"lowercaseonlyisfine":                        "",
		"correct horse ladder violin":                "",
		strings.Repeat("tide pool ", 102):            "",
		"":                                           "shorter",
		"fourteen chars":                             "shorter",
		"\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc": "shorter", // 14 bytes
		strings.Repeat("tide pool ", 103):            "longer",
		"tide pool at\x00low noon":                   "control",
		"tide pool at low noon\n":                    "control",
		"tide pool at low noon\xff":                  "UTF-8",
		"aaaaaaaaaaaaaaaa":                           "common",
		"abcabcabcabcabcab":                          "common",
		"................":                           "common",
		"passwordpassword":                           "common",
		"Password-Password!":                         "common",
		"password12345678":                           "common",
		"Welcome, Admin 2025":                        "common",
		"qwertyuiopasdfgh":                           "common",
		"123456789012345":                            "common",
		"correct horse battery staple":               "common",
		"Ana.Petrova.2026":                           "common",
	} {
		err := CheckPassword("ana.petrova", password)
		var weak *WeakPassword
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", password, err)
		case want != "" && (!errors.As(err, &weak) || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", password, err, want)
		case err != nil && len(password) > 3 && strings.Contains(err.Error(), password):
			t.Errorf("the error quotes the password: %v", err)
		}
	}
}

func TestGeneratedPasswordsAreAccepted(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		password := GeneratePassword()
		if err := CheckPassword("ana", password); err != nil || seen[password] {
			t.Errorf("%q: %v, seen %v", password, err, seen[password])
		}
		seen[password] = true
	}
}

func TestCommonPasswordsList(t *testing.T) {
	entries := strings.Fields(commonPasswords)
	if len(entries) < 400 || !slices.IsSorted(entries) {
		t.Errorf("%d entries, sorted %v", len(entries), slices.IsSorted(entries))
	}
	for i, entry := range entries {
		if string(fold(entry)) != entry || i > 0 && entries[i-1] == entry {
			t.Errorf("entry %q is not folded, or there twice", entry)
		}
	}
}
