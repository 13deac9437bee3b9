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

	"github.com/weirdb/weir/deploy/pgserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveSharedStore runs two weirs on one store: what is changed at one ends
// sessions at the other, and both live on while the store is away.
func TestLiveSharedStore(t *testing.T) {
	binary := build(t)
	data, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer data.Stop()
	kept, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Stop()
	for _, do := range []struct {
		server *pgserver.Server
		text   string
	}{
		{data, "CREATE ROLE weir LOGIN PASSWORD 'upstream'"},
		{kept, "CREATE ROLE weir LOGIN PASSWORD 'of the store'"},
		{kept, "CREATE DATABASE weir OWNER weir"},
	} {
		if err := do.server.Exec(t.Context(), "postgres", do.text); err != nil {
			t.Fatal(err)
		}
	}
	start := func(o weirserver.Options) *weirserver.Server {
		t.Helper()
		o.Binary, o.Listener = binary, "self_signed: true"
		o.Datasources = fmt.Sprintf("  - {name: fixed, address: \"localhost:%d\", database: postgres, user: weir, password: upstream, tls: {ca: %s}}\n", data.Port, data.CAFile)
		o.Policy = map[string]string{"policy.yaml": strings.ReplaceAll(rotationPolicy, "fixed, leased", "fixed")}
		o.More = fmt.Sprintf("store: {address: \"localhost:%d\", password: \"${env:E2E_STORE}\", tls: {ca: %s}}\n", kept.Port, kept.CAFile)
		o.Env = []string{"E2E_STORE=of the store"}
		w, err := weirserver.Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Stop)
		return w
	}
	folder := t.TempDir()
	first := start(weirserver.Options{Folder: folder, Groups: []string{"all"},
		People: []weirserver.Person{{Name: "ana", Group: "all", Password: "a long enough password"}}})
	other := t.TempDir()
	second := start(weirserver.Options{Folder: other})
	user := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), binary, append([]string{"user"}, append(args, "--config", filepath.Join(folder, "weir.yaml"))...)...)
		c.Env = append(os.Environ(), "E2E_STORE=of the store")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("weir user %v: %v\n%s", args, err, out)
		}
	}
	login := func(w *weirserver.Server) (*pgx.Conn, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return pgx.Connect(ctx, fmt.Sprintf("host=localhost port=%d user=ana password='a long enough password' dbname=fixed sslmode=verify-full sslrootcert=%s", w.Port, w.CAFile))
	}
	works := func(c *pgx.Conn) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := c.Exec(ctx, "SELECT 1")
		return err
	}
	for _, w := range []*weirserver.Server{first, second} {
		c, err := login(w)
		if err != nil {
			t.Fatal(err)
		}
		if err := works(c); err != nil {
			t.Fatal(err)
		}
		user("disable", "ana")
		disabled := time.Now()
		for works(c) == nil {
			if time.Since(disabled) > time.Second {
				t.Fatal("the session of a disabled user goes on for more than a second")
			}
			time.Sleep(20 * time.Millisecond)
		}
		_ = c.Close(t.Context())
		if c, err := login(w); err == nil {
			_ = c.Close(t.Context())
			t.Error("a disabled user logs in")
		}
		user("enable", "ana")
	}
	for name, at := range map[string]string{"first": folder, "second": other} { // each records it, and who did it
		search := exec.CommandContext(t.Context(), binary, "audit", "search", "--config", filepath.Join(at, "weir.yaml"), "--kind", "administration", "--output", "json")
		search.Env = append(os.Environ(), "E2E_STORE=of the store")
		if out, err := search.CombinedOutput(); err != nil || strings.Count(string(out), `"command line of `) < 4 || !strings.Contains(string(out), `"activity_name":"Disable"`) {
			t.Errorf("what the %s recorded: %v\n%s", name, err, out)
		}
	}
	c, err := login(second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	kept.Stop()
	time.Sleep(1500 * time.Millisecond) // the store is found to be away, and users are looked at again
	if err := works(c); err != nil {
		t.Errorf("a session ends because the store is away: %v", err)
	}
	began := time.Now()
	if other, err := login(second); err == nil {
		_ = other.Close(t.Context())
		t.Error("a login without a store")
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("a login without a store takes %v to fail", took)
	}
}
