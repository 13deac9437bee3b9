package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/deploy/weirserver"
)

// TestLivePlugins logs real clients in by the plugins whose verifiers weir keeps.
func TestLivePlugins(t *testing.T) {
	binary := build(t)
	db, err := myserver.Start(t.Context(), myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Stop)
	upstream := secret()
	if err := db.CreateAccount(t.Context(), myserver.Account{Name: "weir", Password: upstream, Grants: "ALL ON *.*"}); err != nil {
		t.Fatal(err)
	}
	const password = "a long enough password"
	for plugins, want := range map[string]map[string]string{ // arguments of the client, and how it logs in
		"caching_sha2_password, mysql_native_password, client_ed25519": {
			"": "password", "--default-auth=mysql_native_password": "mysql_native_password", "--default-auth=client_ed25519": "client_ed25519"},
		"mysql_native_password, caching_sha2_password": {"": "mysql_native_password", "--default-auth=caching_sha2_password": "password"},
		"client_ed25519, caching_sha2_password":        {"": "client_ed25519"},
	} {
		t.Run(strings.ReplaceAll(plugins, ", ", "-"), func(t *testing.T) {
			folder := t.TempDir()
			w, err := weirserver.Start(t.Context(), weirserver.Options{Binary: binary, Folder: folder, Protocol: "mysql", Listener: "self_signed: true",
				Datasources: fmt.Sprintf("  - {name: fixed, engine: mariadb, address: \"localhost:%d\", user: weir, password: %s, tls: {ca: %s}}\n", db.Port, upstream, db.CAFile),
				Policy:      map[string]string{"policy.yaml": strings.ReplaceAll(rotationPolicy, "fixed, leased", "fixed")},
				More:        "auth: {mysql_plugins: [" + plugins + "]}\n", Groups: []string{"all"},
				People: []weirserver.Person{{Name: "ana", Group: "all", Password: password}}})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			var methods []string
			for argument, method := range want {
				methods = append(methods, method)
				for _, given := range []string{password, "another one"} {
					args := append([]string{"--no-defaults"}, strings.Fields(argument)...) // which has to be the first
					args = append(args, "--protocol=tcp", "--host=localhost", fmt.Sprintf("--port=%d", w.Port),
						"--ssl-ca="+w.CAFile, "--ssl-verify-server-cert", "--user=ana", "--batch", "--skip-column-names", "--execute=SELECT current_user()")
					cmd := exec.CommandContext(t.Context(), "mariadb", args...)
					cmd.Env = []string{"MYSQL_PWD=" + given}
					out, err := cmd.CombinedOutput()
					switch {
					case given == password && (err != nil || strings.TrimSpace(string(out)) != "weir@%"):
						t.Errorf("mariadb %s: %v %s", argument, err, out)
					case given != password && (err == nil || !strings.Contains(string(out), "ERROR 1045")):
						t.Errorf("mariadb %s with a wrong password: %s", argument, out)
					}
				}
			}
			out, err := exec.CommandContext(t.Context(), binary, "audit", "search", "--config", filepath.Join(folder, "weir.yaml"), "--kind", "login", "--output", "json").Output()
			if err != nil {
				var exit *exec.ExitError
				errors.As(err, &exit)
				t.Fatalf("%v: %s", err, exit.Stderr)
			}
			var used []string
			for line := range strings.Lines(string(out)) {
				var event struct {
					Method string `json:"auth_protocol"`
				}
				if err := json.Unmarshal([]byte(line), &event); err != nil {
					t.Fatal(err)
				}
				used = append(used, event.Method)
			}
			slices.Sort(methods)
			slices.Sort(used)
			if !slices.Equal(used, methods) {
				t.Errorf("logged in by %v, not by %v", used, methods)
			}
		})
	}
}
