package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLiveKeys logs a service in by API keys, on both protocols.
func TestLiveKeys(t *testing.T) {
	binary := build(t)
	for _, protocol := range []string{"postgresql", "mysql"} {
		t.Run(protocol, func(t *testing.T) {
			d := &directoryWorld{t: t, binary: binary, folder: t.TempDir()}
			var err error
			d.Server, err = weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: d.folder, Protocol: protocol, Listener: "self_signed: true", Datasources: databaseSources(t, protocol, "fixed", "leased"),
				Policy: map[string]string{"policy.yaml": rotationPolicy}, Groups: []string{"all"}, People: []weirserver.Person{{Name: "reporting", Group: "all"}}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(d.Stop)
			user := "reporting"
			client := d.psql
			if protocol == "mysql" {
				user, client = "reporting@fixed", d.mariadb
			}
			d.keys(user, client)
		})
	}
}

func (d *directoryWorld) keys(user string, client func(user, key string) (string, error)) {
	d.t.Helper()
	create := func(args ...string) string {
		d.t.Helper()
		out, err := d.weir(append(append([]string{"key"}, args...), "--output", "json")...)
		var row struct{ Key string }
		if err != nil || json.Unmarshal([]byte(out), &row) != nil || row.Key == "" {
			d.t.Fatalf("weir key %v: %v %s", args, err, out)
		}
		return row.Key
	}
	all, one, elsewhere := create("create", "reporting", "all"), create("create", "reporting", "one", "--datasource", "fixed"), create("create", "reporting", "elsewhere", "--datasource", "leased")
	short := create("create", "reporting", "short", "--expires", "2s")
	made := time.Now()
	for range 2 { // the second time by the fast path
		for _, key := range []string{all, one} {
			if out, err := client(user, key); err != nil || out != "works" {
				d.t.Errorf("a key: %v %s", err, out)
			}
		}
	}
	if out, err := client(user, elsewhere); err == nil || !strings.Contains(out, "is for datasource leased alone") {
		d.t.Errorf("a key of another datasource: %v %s", err, out)
	}
	newer := create("rotate", "reporting", "one", "--overlap", "1h")
	for _, key := range []string{one, newer} {
		if out, err := client(user, key); err != nil || out != "works" {
			d.t.Errorf("in the overlap: %v %s", err, out)
		}
	}
	if out, err := d.weir("key", "revoke", "reporting", "one"); err != nil {
		d.t.Fatalf("%v %s", err, out)
	}
	time.Sleep(time.Until(made.Add(2 * time.Second)))
	for what, key := range map[string]string{"revoked": one, "revoked with it": newer, "expired": short, "mistyped": all[:36] + "A", "none": "weir_"} {
		if out, err := client(user, key); err == nil || !strings.Contains(out, "password authentication failed") && !strings.Contains(out, "Access denied") {
			d.t.Errorf("a key that is %s: %v %s", what, err, out)
		}
	}
	if out, err := client(user, all); err != nil || out != "works" {
		d.t.Errorf("the other one goes on: %v %s", err, out)
	}
	list, err := d.weir("key", "list", "--output", "json")
	if err != nil || strings.Count(list, `"last_used_at": "2`) != 4 { // also one that was refused for its scope
		d.t.Errorf("%v %s", err, list)
	}
	events, err := d.weir("audit", "search", "--kind", "login", "--output", "json", "--limit", "0")
	if err != nil || !strings.Contains(events, `"api_key"`) || strings.Contains(events, all[9:]) {
		d.t.Errorf("%v %.600s", err, events)
	}
	changes, err := d.weir("audit", "search", "--kind", "administration", "--output", "json", "--limit", "0")
	if err != nil || !strings.Contains(changes, "credential_revoke") || !strings.Contains(changes, "credential_add") || strings.Contains(changes, all[9:]) {
		d.t.Errorf("%v %.600s", err, changes)
	}
}
