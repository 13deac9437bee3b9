package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/idp"
	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveProvider logs people in by the tokens of a certified OpenID provider,
// on both protocols.
func TestLiveProvider(t *testing.T) {
	binary := build(t)
	provider, err := idp.StartProvider(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Stop)
	tokens := func(client, user string) idp.Tokens {
		t.Helper()
		got, err := provider.Login(t.Context(), client, user)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	start := func(protocol, source, more string) *directoryWorld {
		t.Helper()
		d := &directoryWorld{t: t, binary: binary, folder: t.TempDir()}
		d.Server, err = weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: d.folder, Protocol: protocol, Listener: "self_signed: true", Datasources: source,
			Policy: map[string]string{"policy.yaml": strings.ReplaceAll(rotationPolicy, "fixed, leased", "fixed")},
			More: fmt.Sprintf("auth:\n  sources:\n    - name: cloud\n      names: ['*@cloud.example']\n      oidc: {issuer: %q, audiences: [weir, 'urn:weir:databases']%s}\n"+
				"      map: [{group: analysts, groups: [all]}, {group: jobs, groups: [all]}]\n", provider.Issuer, more)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Stop)
		return d
	}
	ana, ben, eve, other := tokens("weir", "ana"), tokens("weir", "ben"), tokens("weir", "eve"), tokens("other", "ana")
	job, err := provider.Job(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	postgres, maria := databaseSources(t, "postgresql", "fixed"), databaseSources(t, "mysql", "fixed")
	logins := func(t *testing.T, d *directoryWorld, client func(user, token string) (string, error)) {
		for what, token := range map[string]string{"ID token": ana.ID, "access token": ana.Access} {
			if out, err := client("ana@cloud.example", token); err != nil || out != "works" {
				t.Errorf("%s: %v %s", what, err, out)
			}
		}
		if out, err := client("job@cloud.example", job.Access); err != nil || out != "works" {
			t.Errorf("a service: %v %s", err, out)
		}
		for what, c := range map[string][2]string{
			"somebody else's token": {"ben@cloud.example", ana.ID}, "another client's": {"ana@cloud.example", other.ID},
			"an address that nobody verified": {"ana@cloud.example", eve.ID}, "a password": {"ana@cloud.example", "ana-at-the-provider"},
			"half a token": {"ana@cloud.example", ana.ID[:len(ana.ID)/2]},
		} {
			out, err := client(c[0], c[1])
			if err == nil || !strings.Contains(out, "password authentication failed") && !strings.Contains(out, "Access denied") && !strings.Contains(out, "invalid_token") {
				t.Errorf("%s: %v %s", what, err, out)
			}
			if strings.Contains(out, c[1]) {
				t.Errorf("%s is in the answer: %s", what, out)
			}
		}
		if out, err := client("ben@cloud.example", ben.ID); err == nil || strings.Contains(out, "authentication failed") { // in no group
			t.Errorf("ben: %v %s", err, out)
		}
		events, err := d.weir("audit", "search", "--kind", "login_failed", "--output", "json")
		if n := strings.Count(events, `"login_failed"`) + strings.Count(events, `"activity_name":"Logon"`); err != nil || n < 5 || !strings.Contains(events, "audience") {
			t.Errorf("%d failed logins are recorded: %v %.800s", n, err, events)
		}
		text, err := os.ReadFile(d.Log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), ana.ID[:40]) || strings.Contains(string(text), "at-the-provider") {
			t.Error("the log holds a token")
		}
	}
	lenient := ", " + "skew: 60s"
	t.Run("psql", func(t *testing.T) { d := start("postgresql", postgres, lenient); logins(t, d, d.psql) })
	t.Run("mariadb", func(t *testing.T) { d := start("mysql", maria, lenient); logins(t, d, d.mariadb) })
	d := start("postgresql", postgres, ", oauthbearer: true, scope: openid email groups")
	t.Run("OAUTHBEARER of libpq 18", func(t *testing.T) {
		program := tokenProgram(t)
		logins(t, d, func(user, token string) (string, error) { return d.psql18(program, provider.Issuer, user, token) })
		out, err := d.psql18(program, provider.Issuer, "ana@cloud.example", "") // it learns the provider, and has no token
		if err == nil || strings.Contains(out, "authentication failed") {
			t.Errorf("without a token: %v %s", err, out)
		}
		if out, err := d.psql18(program, "http://127.0.0.1:1", "ana@cloud.example", ""); err == nil || !strings.Contains(out, "issuer") {
			t.Errorf("another provider than weir's: %v %s", err, out)
		}
		if out, err := d.psql("ana@cloud.example", ana.ID); err == nil || !strings.Contains(out, "password authentication failed") {
			t.Errorf("a token by SCRAM, from a client that does not speak OAUTHBEARER: %v %s", err, out)
		}
	})
	t.Run("OAUTHBEARER of pgx", func(t *testing.T) {
		logins(t, d, func(user, token string) (string, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cfg, err := pgx.ParseConfig(fmt.Sprintf("host=localhost port=%d dbname=fixed user=%s sslmode=verify-full sslrootcert=%s", d.Port, user, d.CAFile))
			if err != nil {
				return "", err
			}
			cfg.OAuthTokenProvider = func(context.Context) (string, error) { return token, nil }
			conn, err := pgx.ConnectConfig(ctx, cfg)
			if err != nil {
				return err.Error(), err
			}
			defer conn.Close(ctx)
			var out string
			return out, conn.QueryRow(ctx, "SELECT 'works'").Scan(&out)
		})
	})
}

// tokenProgram builds what answers for libpq.
func tokenProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "token.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", program, "testdata/token.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return program
}

func (d *directoryWorld) psql18(program, issuer, user, token string) (string, error) {
	lib, err := filepath.Abs(libpq18)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(d.t.Context(), "psql", "-XAtc", "SELECT 'works'",
		fmt.Sprintf("host=localhost port=%d dbname=fixed user=%s sslmode=verify-full sslrootcert=%s oauth_issuer=%s oauth_client_id=weir", d.Port, user, d.CAFile, issuer))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+lib, "LD_PRELOAD="+program, "TEST_TOKEN="+token, "PGOAUTHDEBUG=UNSAFE")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
