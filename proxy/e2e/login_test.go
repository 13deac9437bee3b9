package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/deploy/idp"
	"github.com/weirdb/weir/deploy/weirserver"
)

// person uses the commands of `weir login` from a home of their own.
type person struct {
	*directoryWorld
	home, url string
}

func (p *person) command(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(p.t.Context(), p.binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+p.home, "XDG_CONFIG_HOME="+p.home)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// connects runs a query by weir connect.
func (p *person) connects(datasource string) (string, error) {
	if p.protocol == "mysql" {
		return p.command("", "connect", datasource, "--", "--batch", "--skip-column-names", "--execute=SELECT 'works'")
	}
	return p.command("", "connect", datasource, "--", "-XAtc", "SELECT 'works'")
}

// TestLiveLogin logs in once, by a password and at a provider, and connects often.
func TestLiveLogin(t *testing.T) {
	binary := build(t)
	provider, err := idp.StartProvider(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Stop)
	postgres, maria := databaseSources(t, "postgresql", "fixed", "leased"), databaseSources(t, "mysql", "fixed", "leased")
	for name, c := range map[string]struct{ protocol, source, more string }{
		"postgresql":                  {"postgresql", postgres, ""},
		"postgresql with OAUTHBEARER": {"postgresql", postgres, ", oauthbearer: true"},
		"mysql":                       {"mysql", maria, ""},
	} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			d := &directoryWorld{t: t, binary: binary, folder: t.TempDir(), protocol: c.protocol}
			d.Server, err = weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: d.folder, Protocol: c.protocol, Listener: "self_signed: true", Datasources: c.source,
				Policy: map[string]string{"policy.yaml": rotationPolicy}, Groups: []string{"all"}, People: []weirserver.Person{{Name: "ana", Group: "all", Password: "a long enough password"}},
				More: fmt.Sprintf("logins: {address: 'localhost:%d', tls: {self_signed: true}}\nauth:\n  sources:\n    - name: cloud\n      names: ['*@cloud.example']\n"+
					"      oidc: {issuer: %q, audiences: [weir], client_id: weir, scope: openid email groups%s}\n      map: [{group: analysts, groups: [all]}]\n", port, provider.Issuer, c.more)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Stop)
			p := &person{d, t.TempDir(), fmt.Sprintf("https://localhost:%d", port)}
			p.byPassword()
			p.byProvider(provider)
		})
	}
}

func (p *person) byPassword() {
	p.t.Helper()
	login := append([]string{"login", p.url, "--ca", p.CAFile, "--user", "ana", "--password-stdin"}, "--output", "json")
	if out, err := p.connects("fixed"); err == nil || !strings.Contains(out, "weir login first") {
		p.t.Errorf("before a login: %v %s", err, out)
	}
	if out, err := p.command("wrong\n", login...); err == nil || !strings.Contains(out, "password authentication failed for user") {
		p.t.Errorf("a wrong password: %v %s", err, out)
	}
	out, err := p.command("a long enough password\n", login...)
	var session struct {
		User, Password string
		ExpiresAt      time.Time `json:"expires_at"`
	}
	if err != nil || json.Unmarshal([]byte(out), &session) != nil || session.User != "ana" || time.Until(session.ExpiresAt) > 8*time.Hour || time.Until(session.ExpiresAt) < 7*time.Hour {
		p.t.Fatalf("login: %v %s", err, out)
	}
	for range 3 {
		for _, datasource := range []string{"fixed", "leased"} {
			if out, err := p.connects(datasource); err != nil || out != "works" {
				p.t.Errorf("connect %s: %v %s", datasource, err, out)
			}
		}
	}
	// A session password gives no other one.
	if out, err := p.command(session.Password+"\n", login...); err == nil || !strings.Contains(out, "gives no other one") {
		p.t.Errorf("a login by a session password: %v %s", err, out)
	}
	if out, err := p.command("a long enough password\n", append(login, "--datasource", "nothing")...); err == nil || !strings.Contains(out, "no datasource") {
		p.t.Errorf("an unknown datasource: %v %s", err, out)
	}
	file := filepath.Join(p.home, "weir", "sessions.json")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		p.t.Errorf("the file of logins: %v %v", info, err)
	}
	if out, err := p.command("", "logout"); err != nil {
		p.t.Errorf("logout: %v %s", err, out)
	}
	if out, err := p.connects("fixed"); err == nil {
		p.t.Errorf("after the logout: %s", out)
	}
	if out, err := p.weir("audit", "search", "--kind", "login", "--output", "json", "--limit", "0"); err != nil || !strings.Contains(out, "weir login") || !strings.Contains(out, `"session_password"`) ||
		strings.Contains(out, session.Password[9:]) {
		p.t.Errorf("logins in the journal: %v %.600s", err, out)
	}
	// One for one datasource alone.
	if out, err := p.command("a long enough password\n", append(login, "--datasource", "leased")...); err != nil {
		p.t.Errorf("%v %s", err, out)
	}
	if out, err := p.connects("leased"); err != nil || out != "works" {
		p.t.Errorf("connect: %v %s", err, out)
	}
	if out, err := p.connects("fixed"); err == nil {
		p.t.Errorf("connect elsewhere: %s", out)
	}
}

var page = regexp.MustCompile(`http://\S+`)

func (p *person) byProvider(provider *idp.Provider) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.binary, "login", p.url, "--ca", p.CAFile)
	cmd.Env = append(os.Environ(), "HOME="+p.home, "XDG_CONFIG_HOME="+p.home)
	said, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	var text strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		if url := page.FindString(lines.Text()); url != "" {
			if err := provider.Approve(p.t.Context(), url, "ana"); err != nil {
				p.t.Errorf("approve: %v", err)
			}
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "logged in as ana@cloud.example until ") || strings.Contains(out.String(), "weir_") {
		p.t.Fatalf("login at the provider: %v %s %s", err, out.String(), text.String())
	}
	for range 2 {
		if out, err := p.connects("fixed"); err != nil || out != "works" {
			p.t.Errorf("connect: %v %s", err, out)
		}
	}
}
