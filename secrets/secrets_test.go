package secrets_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirdb/weir/secrets"
)

func TestParseRef(t *testing.T) {
	for _, c := range []struct{ text, shown, fault string }{
		{"", "", ""},
		{"plain", "[secret]", ""},
		{"${env:A}", "${env:A}", ""},
		{"${vault:kv/data/shop#password}", "${vault:kv/data/shop#password}", ""},
		{"${env:A", "", "not closed"},
		{"${env}", "", "${scheme:path}"},
		{"${:a}", "", "${scheme:path}"},
		{"${file:/a#b?c}", "${file:/a#b?c}", ""},
		{"${vault:kv/data/a%23b?version=3#c}", "${vault:kv/data/a%23b?version=3#c}", ""},
		{"${vault:kv/data/shop#}", "", "path#field"},
		{"${vault:#a}", "", "path#field"},
		{"${vault:kv/../sys/raw}", "", ". or .."},
		{"${vault:kv/%2e%2e/sys/raw}", "", ". or .."},
		{"${vault:kv?age=3}", "", `"age"`},
		{"${vault:kv?version=3&version=4}", "", "each once"},
		{"${vault:kv?version=}", "", "no value"},
		{"${vault:kv%zz}", "", "escape"},
	} {
		ref, err := secrets.ParseRef(c.text)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%q: %v, want an error with %q", c.text, err, c.fault)
			}
			continue
		}
		if err != nil || ref.String() != c.shown {
			t.Errorf("%q: %q, %v, want %q", c.text, ref, err, c.shown)
		}
	}
}

func TestResolve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_TEST_SECRET", "from env")
	t.Setenv("WEIR_TEST_EMPTY", "")
	for _, c := range []struct{ text, secret, fault string }{
		{"literal", "literal", ""},
		{"${env:WEIR_TEST_SECRET}", "from env", ""},
		{"${file:" + path + "}", "from file", ""},
		{"${env:WEIR_TEST_UNSET}", "", "is not set"},
		{"${env:WEIR_TEST_EMPTY}", "", "is empty"},
		{"${file:/nonexistent}", "", "no such file"},
		{"${nowhere:x}", "", "known are env, file"},
	} {
		ref, err := secrets.ParseRef(c.text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := secrets.NewResolver().Resolve(context.Background(), ref)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want an error with %q", c.text, err, c.fault)
			}
			continue
		}
		if err != nil || v.Reveal() != c.secret {
			t.Errorf("%s: %v, %v", c.text, v.Reveal() == c.secret, err)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	const secret = "correct horse battery staple"
	v, ref := secrets.NewValue(secret), secrets.Literal(secret)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "value", v, "ref", ref, "both", []any{v, ref})
	encoded, err := json.Marshal(map[string]any{"v": v, "r": ref})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(v, ref), fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v),
		fmt.Sprintf("%v %+v %#v %s %q", ref, ref, ref, ref, ref), log.String(), string(encoded)} {
		if strings.Contains(out, "horse") || strings.Contains(out, fmt.Sprintf("%x", "horse")) {
			t.Errorf("a secret shows: %s", out)
		}
	}
}
