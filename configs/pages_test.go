package configs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/weirdb/weir/configs"
)

const oneSource = "profile: development\nlisteners: [{address: 'localhost:5432', tls: {self_signed: true}}]\ndatasources: [{name: a, address: 'h:1', user: u}]\n"

// TestUsersPage loads the snippet of docs/users.md.
func TestUsersPage(t *testing.T) {
	page, err := os.ReadFile("../docs/users.md")
	if err != nil {
		t.Fatal(err)
	}
	authority := t.TempDir() + "/ca.crt"
	if err := os.WriteFile(authority, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	snippet, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("there is no snippet")
	}
	c, err := configs.Parse("docs/users.md", []byte(oneSource+strings.ReplaceAll(snippet, "/etc/weir/tls/ca.crt", authority)))
	if err != nil {
		t.Fatal(err)
	}
	if c.Store.Address != "db.internal:5432" || c.Store.User != "weir" || c.Store.Database != "weir" || c.Store.TLS.Mode != "verify-full" {
		t.Errorf("%+v", c.Store)
	}
}

// TestMySQLPage loads the snippet of docs/mysql.md.
func TestMySQLPage(t *testing.T) {
	page, err := os.ReadFile("../docs/mysql.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	snippet, _, _ := strings.Cut(rest, "```")
	c, err := configs.Parse("docs/mysql.md", []byte(oneSource+snippet))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Auth.MySQLPlugins) != 3 {
		t.Errorf("%+v", c.Auth)
	}
	for plugins, want := range map[string]string{
		"mysql_native_password":                        "caching_sha2_password has to be among them",
		"caching_sha2_password, caching_sha2_password": "twice",
		"caching_sha2_password, parsec":                "not one of",
	} {
		if _, err := configs.Parse("test", []byte(oneSource+"auth: {mysql_plugins: ["+plugins+"]}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", plugins, err)
		}
	}
}

// TestSourcePages loads the snippets of docs/ldap.md and docs/oidc.md.
func TestSourcePages(t *testing.T) {
	authority, password := t.TempDir()+"/ca.crt", t.TempDir()+"/password"
	for _, file := range []string{authority, password} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := strings.NewReplacer("/etc/weir/tls/corp-ca.crt", authority, "/etc/weir/ldap-password", password,
		"/etc/weir/tls/server.crt", authority, "/etc/weir/tls/server.key", password)
	n := 0
	for _, name := range []string{"ldap.md", "oidc.md", "login.md"} {
		page, err := os.ReadFile("../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, rest := range strings.Split(string(page), "```yaml\n")[1:] {
			snippet, _, _ := strings.Cut(rest, "```")
			c, err := configs.Parse(name, []byte(oneSource+files.Replace(snippet)))
			if err != nil {
				t.Fatal(err)
			}
			if n += len(c.Auth.Sources); len(c.Auth.Sources) != 1 {
				t.Errorf("%+v", c.Auth)
			}
		}
	}
	if n != 4 {
		t.Errorf("%d snippets", n)
	}
}

func TestLoginsAreChecked(t *testing.T) {
	for logins, want := range map[string]string{
		"address: 'x'":     "host:port",
		"address: ':8443'": "logins has no TLS",
		"address: ':8443', session: 25h, tls: {self_signed: true}": "longer than 24h",
		"address: ':8443', session: 1s, tls: {self_signed: true}":  "logins.session",
	} {
		if _, err := configs.Parse("test", []byte(oneSource+"logins: {"+logins+"}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", logins, err)
		}
	}
	if _, err := configs.Parse("test", []byte(oneSource+"auth: {sources: [{name: a, names: ['*@x'], oidc: {issuer: 'https://x', audiences: [a], client_id: b}}]}\n")); err == nil || !strings.Contains(err.Error(), "not among the audiences") {
		t.Errorf("a client that is no audience: %v", err)
	}
}

func TestSourcesAreChecked(t *testing.T) {
	const direct = "ldap: {servers: ['ldaps://x'], base: 'dc=x', direct_bind: '{name}'}"
	for source, want := range map[string]string{
		"names: ['*@x'], " + direct:                                                     "auth.sources[0].name",
		"name: local, names: ['*@x'], " + direct:                                        "not local",
		"name: a, names: ['*'], " + direct:                                              "takes every login name",
		"name: a, names: ['*@x'], ldap: {base: 'dc=x'}":                                 "servers",
		"name: a, names: ['*@x'], ldap: {servers: [x], base: 'dc=x'}":                   "bind_dn with bind_password, or direct_bind",
		"name: a, names: ['*@x'], map: [{group: g, projects: [a]}], " + direct:          "not project=role",
		"name: a, names: ['*@x'], map: [{group: g, role: king}], " + direct:             "not one of",
		"name: a, names: ['*@x'], ldap: {servers: [x], base: 'dc=x', bind_dn: 'cn=x'}":  "belong together",
		"name: a, names: ['*@x'], " + direct + "}, {name: a, names: ['*@y'], " + direct: "already defined",
	} {
		if _, err := configs.Parse("test", []byte(oneSource+"auth: {sources: [{"+source+"}]}\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestStoreIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"store: {password: '${env:P}'}":                                           "host:port",
		"store: {address: 'db'}":                                                  "host:port",
		"store: {address: 'db:1', tls: {ca: /nowhere}}":                           "/nowhere",
		"store: {address: 'db:1', connect_timeout: 1ms}":                          "store.connect_timeout",
		"store: {address: 'db:1', tls: {certificate: configs_test.go}}":           "both certificate and key",
		"profile: production\nstore: {address: 'db:1', tls: {mode: require}}":     "",
		"profile: production\nstore: {address: 'db:1', tls: {mode: prefer}}":      "in clear",
		"profile: production\nstore: {address: '/run/pg:1', tls: {mode: prefer}}": "",
	} {
		source := oneSource
		if rest, ok := strings.CutPrefix(text, "profile: production\n"); ok {
			text, source = rest, strings.NewReplacer("development", "production", "self_signed: true", "certificate: configs_test.go, key: '${env:K}'").Replace(oneSource)
		}
		_, err := configs.Parse("weir.yaml", []byte(source+text+"\n"))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
