package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/auth/apikey"
	"github.com/weirdb/weir/store"
)

const goodPassword = "tide pool at low noon"

// userCLI runs user, group and project commands on one store file.
type userCLI struct {
	t     *testing.T
	open  storeOpener
	input string
}

func newUserCLI(t *testing.T) *userCLI {
	path := filepath.Join(t.TempDir(), "weir.db")
	return &userCLI{t: t, open: func(ctx context.Context) (*accounts, error) {
		s, err := store.Open(ctx, path, store.Options{})
		return &accounts{Store: s}, err
	}}
}

// run returns what was printed and the exit status that main would end with.
func (c *userCLI) run(line string) (stdout, stderr string, status int) {
	c.t.Helper()
	root := &cobra.Command{Use: "weir", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(userCommand(c.open), groupCommand(c.open), projectCommand(c.open), keyCommand(c.open))
	var out, errOut bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetIn(strings.NewReader(c.input))
	root.SetArgs(strings.Fields(line))
	err := root.ExecuteContext(c.t.Context())
	var exit exitError
	switch {
	case errors.As(err, &exit):
		status = int(exit)
	case err != nil:
		errOut.WriteString(err.Error())
		status = 1
	}
	return out.String(), errOut.String(), status
}

func (c *userCLI) ok(line string) string {
	c.t.Helper()
	stdout, stderr, status := c.run(line)
	if status != 0 {
		c.t.Fatalf("weir %s: status %d: %s", line, status, stderr)
	}
	return stdout
}

// password logs in as a client that sends the password would.
func (c *userCLI) password(user, password string) error {
	c.t.Helper()
	s, err := c.open(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	authenticator, err := auth.New(s, make([]byte, 32), auth.Options{Cleartext: true})
	if err != nil {
		c.t.Fatal(err)
	}
	_, err = authenticator.Password(c.t.Context(), user, password)
	return err
}

func TestUserCommands(t *testing.T) {
	c := newUserCLI(t)
	c.ok("group add analysts")
	c.ok("project add sales")
	c.input = goodPassword + "\r\n"
	if out := c.ok("user add ana --group analysts --role administrator --project sales=viewer --password-stdin"); out != "ana: added\n" {
		t.Errorf("add prints %q", out)
	}
	if err := c.password("ana", goodPassword); err != nil {
		t.Error(err)
	}
	list := c.ok("user list")
	for _, want := range []string{"NAME", "ana", "local", "analysts", "administrator", "sales=viewer", "enabled", "never"} {
		if !strings.Contains(list, want) {
			t.Errorf("list lacks %q:\n%s", want, list)
		}
	}
	c.ok("user disable ana")
	if err := c.password("ana", goodPassword); err == nil {
		t.Error("a disabled user logs in")
	}
	var rows []userRow
	out := c.ok("user list --output json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || !rows[0].Disabled || rows[0].DisabledAt == nil || rows[0].LastLoginAt != nil || !rows[0].Password ||
		rows[0].ProjectRoles["sales"] != "viewer" || strings.Contains(out, "SCRAM") {
		t.Errorf("list prints %s", out)
	}
	c.ok("user enable ana")
	c.ok("user edit ana --remove-group analysts --role member --project sales=")
	if list := c.ok("user list"); strings.Contains(list, "analysts") || strings.Contains(list, "sales") || strings.Contains(list, "administrator") {
		t.Errorf("after edit:\n%s", list)
	}
	c.ok("user remove ana")
	if out := c.ok("user list --output json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("after remove: %s", out)
	}
	if out := c.ok("group list"); !strings.Contains(out, "analysts") {
		t.Errorf("groups:\n%s", out)
	}
	c.ok("group remove analysts")
	c.ok("project remove sales")
}

func TestUserPasswd(t *testing.T) {
	c := newUserCLI(t)
	var added struct{ Name, Result, Password string }
	if err := json.Unmarshal([]byte(c.ok("user add bob --generate --output json")), &added); err != nil {
		t.Fatal(err)
	}
	if err := c.password("bob", added.Password); err != nil {
		t.Error(err)
	}
	c.input = goodPassword
	c.ok("user passwd bob --password-stdin")
	if err := c.password("bob", goodPassword); err != nil {
		t.Error(err)
	}
	if err := c.password("bob", added.Password); err == nil {
		t.Error("the old password still works")
	}
	out := c.ok("user passwd bob --generate")
	generated := strings.TrimSpace(out[strings.LastIndex(out, ":")+1:])
	if err := c.password("bob", generated); err != nil {
		t.Errorf("%q: %v", generated, err)
	}
	c.ok("user passwd bob --no-password")
	if err := c.password("bob", generated); err == nil {
		t.Error("a password works after --no-password")
	}
}

func TestUserCommandsExitStatus(t *testing.T) {
	c := newUserCLI(t)
	c.ok("user add ana --no-password")
	c.input = "password12345678\n"
	for line, want := range map[string]struct {
		status int
		text   string
	}{
		"user add ana --no-password":                                      {1, "exists already"},
		"user disable bob":                                                {1, "does not exist"},
		"user passwd bob --generate":                                      {1, "does not exist"},
		"user add bob --group analysts --no-password":                     {1, "weir group add"},
		"user add bob --project sales=viewer --no-password":               {1, "weir project add"},
		"group remove x":                                                  {1, "does not exist"},
		"user add":                                                        {2, "accepts 1 arg"},
		"user add bob":                                                    {2, "no terminal"},
		"user add bob --password-stdin":                                   {2, "common"},
		"user add bob --password-stdin --generate":                        {2, "one of"},
		"user add bob --no-password --role root":                          {2, "not one of"},
		"user add bob --no-password --project sales":                      {2, "PROJECT=ROLE"},
		"user add bob --no-password --project sales=":                     {2, "PROJECT=ROLE"},
		"user add bob --no-password --project a=viewer --project a=owner": {2, "twice"},
		"user add bo\u200bb --no-password":                                {2, "invisible"},
		"user edit ana":                                                   {2, "nothing to change"},
		"user list --output xml":                                          {2, "text or json"},
		"user frobnicate":                                                 {2, "frobnicate"},
	} {
		stdout, stderr, status := c.run(line)
		if status != want.status || !strings.Contains(stderr, want.text) || stdout != "" {
			t.Errorf("weir %s: status %d, stdout %q, stderr %q; want %d and %q", line, status, stdout, stderr, want.status, want.text)
		}
	}
	if out := c.ok("user list"); strings.Contains(out, "bob") {
		t.Errorf("a refused user was added:\n%s", out)
	}
}

func TestUserCommandsHaveHelp(t *testing.T) {
	c := newUserCLI(t)
	for _, group := range []*cobra.Command{userCommand(c.open), groupCommand(c.open), projectCommand(c.open), keyCommand(c.open)} {
		for _, cmd := range append(group.Commands(), group) {
			if cmd.Example == "" || !strings.Contains(cmd.Long, "Exit codes") || cmd.Short == "" {
				t.Errorf("%s lacks an example, exit codes or a summary", cmd.CommandPath())
			}
		}
	}
}

func TestKeyCommands(t *testing.T) {
	c := newUserCLI(t)
	c.ok("user add reporting --no-password")
	made := c.ok("key create reporting nightly --datasource shop")
	_, key, found := strings.Cut(strings.TrimSpace(made), "key (shown this once): ")
	if !found || !apikey.Valid(key) || !strings.HasPrefix(made, "nightly: made for reporting, until ") {
		t.Fatalf("%q", made)
	}
	if err := c.password("reporting", key); err != nil {
		t.Errorf("the key: %v", err)
	}
	var rotated keyRow
	if err := json.Unmarshal([]byte(c.ok("key rotate reporting nightly --overlap 1h --output json")), &rotated); err != nil || rotated.Datasource != "shop" || rotated.State != "live" || rotated.Replaces == "" {
		t.Fatalf("%+v %v", rotated, err)
	}
	for _, k := range []string{key, rotated.Key} {
		if err := c.password("reporting", k); err != nil {
			t.Errorf("in the overlap: %v", err)
		}
	}
	// A password does not end the keys, nor a key the password.
	c.input = goodPassword + "\n"
	c.ok("user passwd reporting --password-stdin")
	for _, k := range []string{key, rotated.Key, goodPassword} {
		if err := c.password("reporting", k); err != nil {
			t.Errorf("beside a password: %v", err)
		}
	}
	var rows []keyRow
	if err := json.Unmarshal([]byte(c.ok("key list --output json")), &rows); err != nil || len(rows) != 2 || rows[0].Key != "" || rows[1].Hint != key[:9] || time.Until(rows[1].ExpiresAt) > time.Hour {
		t.Errorf("%+v %v", rows, err)
	}
	c.ok("key revoke reporting nightly")
	for _, k := range []string{key, rotated.Key} {
		if err := c.password("reporting", k); err == nil {
			t.Error("a revoked key logs in")
		}
	}
	if table := c.ok("key list"); strings.Count(table, "revoked") != 2 || strings.Contains(table, key) || !strings.Contains(table, "datasource shop") {
		t.Errorf("%s", table)
	}
	for line, status := range map[string]int{
		"key create nobody x": 1, "key create reporting": 2, "key create reporting x --expires 0s": 2, "key create reporting x --expires 9000h": 2,
		"key rotate reporting x": 1, "key revoke reporting x": 1, "key rotate nobody x": 1, "key list --output xml": 2, "key nothing": 2,
	} {
		if _, stderr, got := c.run(line); got != status || stderr == "" {
			t.Errorf("weir %s: status %d, %s", line, got, stderr)
		}
	}
}
