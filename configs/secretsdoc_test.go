package configs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/weirdb/weir/configs"
	"github.com/weirdb/weir/secrets"
)

// TestSecretsPage reads every reference and loads every snippet of docs/secrets.md.
func TestSecretsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/secrets.md")
	if err != nil {
		t.Fatal(err)
	}
	references := regexp.MustCompile(`\$\{[a-z]+:[^}]*\}`).FindAllString(string(page), -1)
	if len(references) < 12 {
		t.Fatalf("%d references", len(references))
	}
	for _, text := range references {
		ref, err := secrets.ParseRef(text)
		if err != nil || ref.IsLiteral() || ref.String() != text {
			t.Errorf("%s: %v", text, err)
		}
	}
	authority := t.TempDir() + "/ca.crt"
	if err := os.WriteFile(authority, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const around = "profile: development\nlisteners: [{address: 'localhost:5432', tls: {self_signed: true}}]\n"
	const source = "datasources: [{name: a, address: 'h:1', user: u, password: '${%s}'}]\n"
	for i, c := range []string{"", "vault:secret/data/a#b", "azure:a"} {
		_, rest, found := strings.Cut(string(page), "```yaml\n")
		if !found {
			t.Fatalf("there is no snippet %d", i)
		}
		snippet, after, _ := strings.Cut(rest, "```")
		page = []byte(after)
		text := around + strings.ReplaceAll(snippet, "/etc/weir/tls/vault-ca.crt", authority)
		if c == "" {
			text += "secrets: {vault: {address: 'https://v', auth: {token: '${env:T}'}}}\n"
		} else {
			text += strings.Replace(source, "%s", c, 1)
		}
		if _, err := configs.Parse("docs/secrets.md", []byte(text)); err != nil {
			t.Errorf("snippet %d: %v", i, err)
		}
	}
}
