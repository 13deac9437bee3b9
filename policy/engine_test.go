package policy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// regoPolicy is a policy of one module.
func regoPolicy(text string) Options {
	return Options{FS: folder("policy.rego", "package weir\n\n"+text)}
}

func TestUndefinedIsADenial(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": true} if input.user.name == "bob"`))
	d := decide(t, e, statementInput("ana"))
	if d.Allow || d.Mode != ModeEnforce || len(d.Reasons) != 1 || d.Reasons[0].Rule != "undefined" {
		t.Errorf("undefined decision: %+v", d)
	}
	if d := decide(t, e, statementInput("bob")); !d.Allow || d.Revision != e.Revision() {
		t.Errorf("defined decision: %+v", d)
	}
}

func TestUnknownFieldIsAnError(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": true, "mask": []}`))
	_, err := e.Decide(context.Background(), statementInput("ana"))
	wantEvalError(t, err, EvalInvalid)
}

// TestBuiltinErrorIsADenial: a rule that fails must not count as a rule that is
// merely not true.
func TestBuiltinErrorIsADenial(t *testing.T) {
	e := openEngine(t, regoPolicy(`
default blocked := false
blocked if to_number(input.user.name) > 7
decision := {"allow": true} if not blocked`))
	_, err := e.Decide(context.Background(), statementInput("ana"))
	wantEvalError(t, err, EvalFailed)
	if d := decide(t, e, statementInput("3")); !d.Allow {
		t.Errorf("%+v", d)
	}
}

func TestConflictIsADenial(t *testing.T) {
	e := openEngine(t, regoPolicy(`
decision := {"allow": true} if input.user.name != ""
decision := {"allow": false} if input.session.tls`))
	_, err := e.Decide(context.Background(), statementInput("ana"))
	wantEvalError(t, err, EvalFailed)
}

func TestDeadlineInterrupts(t *testing.T) {
	o := regoPolicy(`decision := {"allow": true} if count([1 |
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	a * b == -1
]) == 0`)
	o.Deadline = 50 * time.Millisecond
	e := openEngine(t, o)
	start := time.Now()
	_, err := e.Decide(context.Background(), statementInput("ana"))
	wantEvalError(t, err, EvalDeadline)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("interrupted after %s", took)
	}
}

func TestCanceledCaller(t *testing.T) {
	e := openEngine(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := e.Decide(ctx, statementInput("ana", "analysts"))
	wantEvalError(t, err, EvalCanceled)
}

// TestForbiddenBuiltins: nothing reaches out, and nothing depends on the clock or
// on chance.
func TestForbiddenBuiltins(t *testing.T) {
	for _, call := range []string{
		`http.send({"method": "get", "url": "http://localhost"})`, `net.lookup_ip_addr("localhost")`, `opa.runtime()`,
		`time.now_ns()`, `rand.intn("a", 3)`, `uuid.rfc4122("a")`, `io.jwt.decode_verify("a", {})`,
		`crypto.x509.parse_and_verify_certificates("a")`, `json.match_schema({}, {})`, `rego.parse_module("a", "package a")`,
	} {
		_, err := Open(context.Background(), regoPolicy(`decision := {"allow": true} if `+call+` != null`))
		if err == nil || !strings.Contains(err.Error(), "undefined function") {
			t.Errorf("%s: %v", call, err)
		}
	}
	for _, b := range capabilities().Builtins {
		if b.Nondeterministic {
			t.Errorf("%s is allowed and not deterministic", b.Name)
		}
	}
	if got, want := len(capabilities().Builtins), len(builtins()); got != want {
		t.Errorf("%d built-ins of %d listed exist", got, want)
	}
}

func TestTypesAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		`decision := {"allow": input.user.nam == "ana"}`:                        "undefined ref: input.user.nam",
		`decision := {"allow": input.statement.tablez == []}`:                   "undefined ref: input.statement.tablez",
		`decision := {"allow": input.statement.tables[0].columns[0].tag == []}`: "undefined ref",
		`deny contains x if x := data.weir.config.grantz`:                       "undefined ref: data.weir.config.grantz",
		`deny contains x if x := data.weir.config.grants[0].me`:                 "undefined ref: data.weir.config.grants[0].me",
		`x := 1`:                              "",
		`decision := input.session.tls + 1`:   "invalid argument",
		`unused := true if { a := 1; true }`:  "assigned var a unused",
		`default allow := true`:               "multiple default rules",
		`config := 1`:                         "conflicting rule",
		`decision := {"allow": true} if {`:    "parse",
		"import data.nothing\ndecision := {}": "unused",
	} {
		e, err := Open(context.Background(), regoPolicy(text))
		if err == nil {
			_ = e.Close()
		}
		if want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestOwnModulesExtendOrReplace(t *testing.T) {
	yaml := "version: 1\ngrants: [{name: g, who: {everyone: true}, allow: [read]}]\n"
	extended := openEngine(t, Options{FS: folder("p.yaml", yaml, "own.rego", `package weir

deny contains {"rule": "hours", "message": "come back tomorrow"} if input.user.name == "bob"

mask_candidates contains {"schema": t.schema, "table": t.name, "column": c.name, "function": "redact"} if {
	some t in input.statement.tables
	some c in t.columns
	c.name == "id"
}
`)})
	if d := decide(t, extended, statementInput("bob")); d.Allow || d.Reasons[0].Message != "come back tomorrow" {
		t.Errorf("own denial: %+v", d)
	}
	d := decide(t, extended, statementInput("ana"))
	if !d.Allow || len(d.Masks) != 2 {
		t.Errorf("own mask: %+v", d)
	}
	replaced := openEngine(t, Options{FS: folder("p.yaml", yaml, "own.rego", "package weir\ndecision := {\"allow\": data.extra.open}\n", "extra/data.yaml", "open: true\n")})
	if d := decide(t, replaced, statementInput("ana")); !d.Allow || len(d.Masks) != 0 {
		t.Errorf("replaced: %+v", d)
	}
}

func TestExtraDataCannotReplaceConfig(t *testing.T) {
	for name, text := range map[string]string{
		"weir/data.json":              `{"config": {"grants": []}, "x": 1}`,
		"data.json":                   `{"weir": {"config": {"grants": [{"name": 1}]}}}`,
		"weir/config/data.json":       `{"version": 1, "grunts": []}`,
		"weir/config/sub/data.json":   `{"x": 1}`,
		"weir/config/masks/data.json": `{"pii.email": []}`,
	} {
		if _, err := Open(context.Background(), Options{FS: folder(name, text)}); err == nil {
			t.Errorf("%s: %s was accepted", name, text)
		}
	}
}

// folderOf writes a policy folder with one grant of the given class.
func writeGrant(t *testing.T, file, class string) {
	t.Helper()
	text := fmt.Sprintf("version: 1\ngrants: [{name: g, who: {everyone: true}, allow: [%s]}]\n", class)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func allowed(t *testing.T, e *Engine, class string) bool {
	t.Helper()
	in := statementInput("ana")
	in.Statement.Class, in.Statement.Tables = class, nil
	return decide(t, e, in).Allow
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal(what)
}

func TestReloadKeepsTheOldPolicy(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	writeGrant(t, file, "read")
	var mu sync.Mutex
	var heard []Reloaded
	e := openEngine(t, Options{Folder: dir, PollInterval: -1, OnReload: func(r Reloaded) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, r)
	}})
	first := e.Revision()
	for _, broken := range map[string]string{
		"p.yaml":   "version: 1\ngrants: [{name: g}]\n",
		"own.rego": "package weir\n\ndecision := {",
	} {
		if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := e.Reload(context.Background()); err == nil {
			t.Fatal("a broken policy was loaded")
		}
		if e.Revision() != first || !allowed(t, e, "read") || allowed(t, e, "write") {
			t.Error("the old policy is not in force")
		}
		if st := e.Status(); st.LastError == "" || st.LastErrorAt.IsZero() || st.Revision != first {
			t.Errorf("status %+v", st)
		}
	}
	writeGrant(t, file, "write")
	if err := e.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if e.Revision() == first || allowed(t, e, "read") || !allowed(t, e, "write") || e.Status().LastError != "" {
		t.Errorf("the new policy is not in force: %+v", e.Status())
	}
	mu.Lock()
	defer mu.Unlock()
	if len(heard) != 3 || heard[0].Err == nil || heard[1].Err == nil || heard[2].Err != nil ||
		heard[0].Revision != first || heard[2].Revision != e.Revision() {
		t.Errorf("the hook heard %+v", heard)
	}
}

func TestMissingFolderDoesNotOpen(t *testing.T) {
	if _, err := Open(context.Background(), Options{Folder: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a missing folder was opened")
	}
	if _, err := Open(context.Background(), Options{Folder: "x", FS: Shipped()}); err == nil {
		t.Error("two sources were opened")
	}
}

// TestWatchingReportsAFaultOnce: a folder that is gone is said once, not at every
// look.
func TestWatchingReportsAFaultOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policy")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writeGrant(t, filepath.Join(dir, "p.yaml"), "read")
	var failures, successes atomic.Int64
	e := openEngine(t, Options{Folder: dir, PollInterval: 5 * time.Millisecond, OnReload: func(r Reloaded) {
		if r.Err != nil {
			failures.Add(1)
		} else {
			successes.Add(1)
		}
	}})
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing folder was not noticed", func() bool { return failures.Load() > 0 })
	time.Sleep(100 * time.Millisecond)
	if n := failures.Load(); n != 1 || !allowed(t, e, "read") {
		t.Errorf("%d reports", n)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the success was not reported", func() bool { return successes.Load() == 1 && e.Status().LastError == "" })
}

// TestEmptyFolderDeniesEverything: no data means no grants, not the example's.
func TestEmptyFolderDeniesEverything(t *testing.T) {
	e := openEngine(t, Options{Folder: t.TempDir(), PollInterval: -1})
	if d := decide(t, e, statementInput("root", "administrators")); d.Allow {
		t.Errorf("%+v", d)
	}
}

func TestFolderIsWatched(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	writeGrant(t, file, "read")
	e := openEngine(t, Options{Folder: dir, PollInterval: 10 * time.Millisecond})
	writeGrant(t, file, "write")
	eventually(t, "the change was not noticed", func() bool { return allowed(t, e, "write") })
	if err := os.WriteFile(file, []byte("version: 1\ngrants: oops\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fault was not noticed", func() bool { return e.Status().LastError != "" })
	if !allowed(t, e, "write") {
		t.Error("the old policy is not in force")
	}
}

// TestSymlinkSwap follows how Kubernetes replaces a mounted configuration: the
// files are links through ..data, which is renamed into place.
func TestSymlinkSwap(t *testing.T) {
	dir := t.TempDir()
	publish := func(version, class string) {
		real := filepath.Join(dir, version)
		if err := os.Mkdir(real, 0o700); err != nil {
			t.Fatal(err)
		}
		writeGrant(t, filepath.Join(real, "p.yaml"), class)
		tmp := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(version, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	publish("..2026_01", "read")
	if err := os.Symlink("..data/p.yaml", filepath.Join(dir, "p.yaml")); err != nil {
		t.Fatal(err)
	}
	e := openEngine(t, Options{Folder: dir, PollInterval: 10 * time.Millisecond})
	if !allowed(t, e, "read") {
		t.Fatal("the first version is not in force")
	}
	publish("..2026_02", "write")
	eventually(t, "the swap was not noticed", func() bool { return allowed(t, e, "write") })
	if allowed(t, e, "read") {
		t.Error("both versions are in force")
	}
}

func TestTestOnLoad(t *testing.T) {
	dir := t.TempDir()
	writeGrant(t, filepath.Join(dir, "p.yaml"), "read")
	test := `package own_test

test_readers_cannot_write if {
	not data.weir.decision.allow with input as {
		"version": 1, "phase": "connect", "time": "2026-01-02T15:04:05Z",
		"user": {"id": "", "name": "", "source": "", "groups": [], "roles": {"global": "", "project": ""}, "auth": {"method": "", "mfa": false, "age_seconds": 0}},
		"session": {"id": "", "client_address": "", "application": "", "tls": false, "grant": null},
		"target": {"project": "", "datasource": "", "engine": "", "environment": "", "database": "", "read_only": false},
		"statement": null,
	}
}
`
	if err := os.WriteFile(filepath.Join(dir, "own_test.rego"), []byte(test), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(context.Background(), Options{Folder: dir, TestOnLoad: true})
	if err == nil || !strings.Contains(err.Error(), "test_readers_cannot_write failed") {
		t.Errorf("failing tests: %v", err)
	}
	openEngine(t, Options{Folder: dir, PollInterval: -1})
}

func TestReloadWhileDeciding(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	writeGrant(t, file, "read")
	e := openEngine(t, Options{Folder: dir, PollInterval: time.Millisecond})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			in := statementInput("ana")
			in.Session.ID = fmt.Sprint(i)
			in.Statement.Tables = nil
			for {
				select {
				case <-stop:
					return
				default:
				}
				d, err := e.Decide(context.Background(), in)
				if err != nil || !d.Allow {
					t.Errorf("%+v %v", d, err)
					return
				}
				_ = e.Tags("demo", "shop", "shop", "public", "users", "email")
				_ = e.Status()
			}
		})
	}
	for i := range 10 {
		writeGrant(t, file, []string{"read, write", "read"}[i%2])
		if err := e.Reload(context.Background()); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}
