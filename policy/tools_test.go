package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/masking"
)

const lintData = `version: 1
grants:
  - {name: g, who: {groups: [analysts, ghosts]}, allow: [read], unmasked: [pii.phone, "hr.*"]}
tags:
  - {tag: pii.email, columns: [email, "*_mail"]}
  - {tag: pii.name, columns: [name]}
masks:
  - {tag: pii.email, function: email}
  - tag: pii.email
    who: {groups: [analysts]}
    function: hash
  - {tag: pii.fax, function: redact}
  - tag: "*"
    function: "null"
`

func lint(t *testing.T, o Options, l LintOptions) *LintReport {
	t.Helper()
	r, err := Lint(context.Background(), o, l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLint(t *testing.T) {
	r := lint(t, Options{FS: folder("p.yaml", lintData)}, LintOptions{
		Groups:  []string{"analysts"},
		Columns: []ColumnName{{"public", "users", "EMAIL"}, {"public", "users", "name"}},
	})
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `p.yaml:3: warning: grant g unmasks pii.phone, which is no tag [unused-unmasked]
p.yaml:3: warning: grant g unmasks hr.*, which is no tag [unused-unmasked]
p.yaml:3: warning: grant g names the group ghosts, which does not exist [unknown-group]
p.yaml:5: warning: *_mail for pii.email matches no column [unused-tag]
p.yaml:9: warning: an earlier rule for pii.email matches whenever this one does [shadowed-mask]
p.yaml:12: warning: no tag rule gives pii.fax [unused-mask]
0 errors, 6 warnings
`
	if text.String() != want || r.ExitCode() != ExitOK {
		t.Errorf("exit %d, got\n%swant\n%s", r.ExitCode(), text.String(), want)
	}
}

func TestLintReportsDataAndRegoTogether(t *testing.T) {
	o := Options{
		FS: folder("p.yaml", "version: 1\ntags: [{tag: t, columns: [a]}]\nmasks:\n  - {tag: t, function: rot13}\n",
			"own.rego", "package weir\n\ndeny contains 1 if input.user.nam == 1\n"),
		ValidateMask: func(f string, _ map[string]any) error { return errors.New(f + ": no such function") },
	}
	r := lint(t, o, LintOptions{})
	if r.ExitCode() != ExitFailed || r.Errors != 2 {
		t.Fatalf("%+v", r)
	}
	if f := r.Findings[0]; f.File != "own.rego" || f.Line != 3 || f.Rule != "rego_type_error" || !strings.Contains(f.Message, "input.user.nam") {
		t.Errorf("%+v", f)
	}
	if f := r.Findings[1]; f.File != "p.yaml" || f.Line != 4 || f.Message != "masks[0]: rot13: no such function" {
		t.Errorf("%+v", f)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v %s", err, out.String())
	}
}

func TestLintTagWithoutMask(t *testing.T) {
	r := lint(t, Options{FS: folder("p.yaml", "version: 1\ntags: [{tag: t, columns: [a]}]\n")}, LintOptions{})
	if len(r.Findings) != 1 || r.Findings[0].Rule != "tag-without-mask" || r.Findings[0].Line != 2 {
		t.Errorf("%+v", r.Findings)
	}
}

func TestLintRowFilters(t *testing.T) {
	data := `version: 1
tags:
  - {tag: pii.email, columns: [users.email]}
  - {tag: hr.pay, columns: ["*.salary*"], except: [public.open.salary]}
masks: [{tag: "*", function: "null"}]
row_filters:
  - {table: public.users, expression: fine}
  - {table: public.users, expression: EMAIL}
  - {table: "*.people", expression: salary}
  - {table: public.open, expression: salary}
  - {table: public.orders, expression: broken}
  - {table: public.users, expression: "*"}
`
	r := lint(t, Options{FS: folder("p.yaml", data)}, LintOptions{FilterColumns: func(e string) ([]string, error) {
		if e == "broken" {
			return nil, errors.New("syntax error")
		}
		return []string{e}, nil
	}})
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `p.yaml:8: warning: the filter of public.users reads EMAIL, which is pii.email: which rows are shown tells of its values [filter-reads-tagged]
p.yaml:9: warning: the filter of *.people reads salary, which is hr.pay: which rows are shown tells of its values [filter-reads-tagged]
p.yaml:11: error: the filter of public.orders cannot be read, so that every statement on it is refused: syntax error [row-filter-syntax]
p.yaml:12: warning: the filter of public.users reads *, which is pii.email: which rows are shown tells of its values [filter-reads-tagged]
1 errors, 3 warnings
`
	if text.String() != want || r.ExitCode() != ExitFailed {
		t.Errorf("exit %d, got\n%swant\n%s", r.ExitCode(), text.String(), want)
	}
}

// TestShippedPolicyIsClean lints what ships, with the real mask functions.
func TestShippedPolicyIsClean(t *testing.T) {
	validate := func(function string, args map[string]any) error {
		return masking.Validate(masking.Spec{Function: function, Args: args})
	}
	r := lint(t, Options{ValidateMask: validate}, LintOptions{Groups: []string{"administrators", "analysts", "applications-ro"}})
	if len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
	for _, f := range masking.Functions() {
		if !slices.Contains(strictness(), f.Name) {
			t.Errorf("the mask function %s has no rank", f.Name)
		}
	}
}

func TestReadColumns(t *testing.T) {
	got, err := ReadColumns(strings.NewReader("# columns\n\npublic.users.Email\n\"a.b\".t.c\n"))
	if err != nil || !slices.Equal(got, []ColumnName{{"public", "users", "Email"}, {"a.b", "t", "c"}}) {
		t.Errorf("%v %v", got, err)
	}
	if _, err := ReadColumns(strings.NewReader("a.b.c\nusers.email\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
}

func TestRunTests(t *testing.T) {
	o := Options{FS: folder(
		"p.yaml", "version: 1\n",
		"own.rego", "package weir\n\ndecision := {\"allow\": good} if input.phase == \"connect\"\n\ngood if input.session.tls\n\ngood if {\n\tinput.target.read_only\n\tinput.user.name == \"x\"\n}\n",
		"own_test.rego", `package own_test

test_good if data.weir.good with input as {"session": {"tls": true}}

test_bad if {
	print("seen", 7)
	data.weir.good with input as {"session": {"tls": false}}
}

todo_test_later if false
`)}
	r, err := RunTests(context.Background(), o, TestOptions{Coverage: true})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"FAILED   own_test.rego:5: data.own_test.test_bad\n         seen 7\n", "skipped  own_test.rego:10: data.own_test.todo_test_later\n",
		"own.rego  not covered: lines 3", "1 passed, 1 failed, 1 skipped\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if r.ExitCode() != ExitFailed {
		t.Errorf("exit code %d", r.ExitCode())
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v %s", err, out.String())
	}
	r, err = RunTests(context.Background(), o, TestOptions{Run: "test_good"})
	if err != nil || r.ExitCode() != ExitOK || r.Passed != 1 || r.Failed != 0 {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := RunTests(context.Background(), Options{FS: folder("a.rego", "package weir\ndecision := {")}, TestOptions{}); err == nil {
		t.Error("a broken policy was tested")
	}
}

func TestExplain(t *testing.T) {
	e := openEngine(t, Options{})
	in := statementInput("ana", "analysts")
	x, err := e.Explain(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := x.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"allowed by policy " + e.Revision(), "email is masked for ana [masked_columns]", "group:analysts",
		"analysts-read (policy.yaml:", "alone enough for public.users",
		"public.users.email is pii.email: masked with email (masks.yaml:", "limits: rows 100000 seconds 60", "audit: statement",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if !slices.ContainsFunc(x.Rules, func(r RuleHit) bool {
		return r.Name == "data.weir.tables_permitted" && strings.HasSuffix(r.File, "grants.rego") && r.Line > 0
	}) {
		t.Errorf("rules: %+v", x.Rules)
	}
	in.Statement.Class = "write"
	if x, err = e.Explain(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	text.Reset()
	if err := x.WriteText(&text); err != nil || !strings.HasPrefix(text.String(), "denied by") ||
		!strings.Contains(text.String(), "does not allow this class") {
		t.Errorf("%v\n%s", err, text.String())
	}
	admin, err := e.Explain(context.Background(), statementInput("root", "administrators"))
	if err != nil || len(admin.Columns) != 1 || admin.Columns[0].Shown != "an unrestricted grant" {
		t.Errorf("%+v %v", admin, err)
	}
	var out bytes.Buffer
	if err := x.WriteJSON(&out); err != nil || !json.Valid(out.Bytes()) {
		t.Errorf("%v %s", err, out.String())
	}
}

func TestExplainOfOwnPolicies(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": open}
open if input.session.tls`))
	x, err := e.Explain(context.Background(), statementInput("ana"))
	if err != nil || !x.Decision.Allow || len(x.Rules) != 2 {
		t.Errorf("%+v %v", x, err)
	}
	e = openEngine(t, regoPolicy(`decision := {"allow": false}
explain := {"because": "it is late"}`))
	x, err = e.Explain(context.Background(), statementInput("ana"))
	if err != nil || !strings.Contains(string(x.Own), "it is late") {
		t.Errorf("%+v %v", x, err)
	}
	var text bytes.Buffer
	if err := x.WriteText(&text); err != nil || !strings.Contains(text.String(), "it is late") {
		t.Errorf("%v %s", err, text.String())
	}
}

// TestDecisionsMatchTheirSchema validates what the shipped policy says, and the
// example documents, against the schemas.
func TestDecisionsMatchTheirSchema(t *testing.T) {
	decision, input := compileSchema(t, DecisionSchema()), compileSchema(t, InputSchema())
	e := openEngine(t, Options{})
	for _, group := range []string{"analysts", "administrators", "applications-ro", "nobody"} {
		for _, class := range classNames() {
			in := statementInput("ana", group)
			in.Statement.Class = class
			b, err := json.Marshal(decide(t, e, in))
			if err != nil {
				t.Fatal(err)
			}
			if err := validJSON(t, decision, b); err != nil {
				t.Errorf("%s %s: %v", group, class, err)
			}
		}
	}
	for want, docs := range map[bool][]string{
		true: {`{"allow": true, "mode": "enforce",
 "reasons": [{"rule": "masked_columns", "message": "email is masked for analysts"}],
 "masks": [{"schema": "public", "table": "users", "column": "email", "function": "email", "args": {}}],
 "row_filters": [{"schema": "public", "table": "orders", "expression": "region = 'EU'"}],
 "limits": {"rows": 10000, "seconds": 30}, "require": ["mfa"], "audit": {"level": "full"}}`, `{"allow": false}`},
		false: {`{}`, `{"allow": true, "mask": []}`, `{"allow": true, "mode": "x"}`, `{"allow": true, "limits": {"rows": 0}}`},
	} {
		for _, doc := range docs {
			if err := validJSON(t, decision, []byte(doc)); (err == nil) != want {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
	for _, in := range []*Input{statementInput("ana", "a"), {Version: 1, Phase: PhaseConnect}} {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := validJSON(t, input, b); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
	if validJSON(t, input, []byte(`{"version": 1}`)) == nil {
		t.Error("half an input is valid")
	}
}

// TestExamplePeople shows what the demo promises of its three people.
func TestExamplePeople(t *testing.T) {
	e := openEngine(t, Options{})
	column := func(table, name string) Table {
		return Table{Schema: "public", Name: table, Kind: "table", Access: []string{"select"}, Columns: []Column{
			{Name: name, Tags: e.Tags("demo", "shop", "shop", "public", table, name), Uses: []string{"output"}},
		}}
	}
	for _, c := range []struct{ group, table, column, mask string }{
		{"administrators", "customers", "email", ""},
		{"administrators", "payments", "card_number", ""},
		{"analysts", "customers", "email", "email"},
		{"analysts", "customers", "phone", "phone"},
		{"analysts", "customers", "birth_date", "date_trunc"},
		{"analysts", "customers", "last_login_ip", "redact"},
		{"analysts", "payments", "card_number", "card"},
		{"analysts", "payments", "iban", "iban"},
		{"analysts", "employees", "salary", "bucket"},
		{"analysts", "employees", "ssn", "partial"},
		{"analysts", "employees", "password_hash", "null"},
		{"analysts", "orders", "total", ""},
		{"applications-ro", "customers", "email", ""},
		{"applications-ro", "payments", "card_number", "card"},
		{"applications-ro", "payments", "iban", "iban"},
		{"applications-ro", "employees", "salary", "bucket"},
		{"applications-ro", "integrations", "api_key", "null"},
	} {
		in := statementInput("x", c.group)
		in.Statement.Tables = []Table{column(c.table, c.column)}
		d := decide(t, e, in)
		got := ""
		if len(d.Masks) > 0 {
			got = d.Masks[0].Function
		}
		if !d.Allow || got != c.mask {
			t.Errorf("%s reads %s.%s: allow %v, mask %q, want %q", c.group, c.table, c.column, d.Allow, got, c.mask)
		}
	}
	for group, want := range map[string]string{
		"administrators": "true", "analysts": "false", "applications-ro": "false",
	} {
		in := statementInput("x", group)
		in.Statement.Class, in.Statement.Tables[0].Access = "write", []string{"update"}
		if got := decide(t, e, in).Allow; fmt.Sprint(got) != want {
			t.Errorf("%s writes: %v", group, got)
		}
	}
}
