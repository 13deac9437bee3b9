package policy

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/weirdb/weir/masking"
)

// snippets are the fenced blocks of the guide, by language.
func snippets(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, part := range strings.Split("\n"+string(b), "\n```")[1:] {
		language, text, _ := strings.Cut(part, "\n")
		if language != "" {
			found[language] = append(found[language], text)
		}
	}
	return found
}

func realMasks(function string, args map[string]any) error {
	return masking.Validate(masking.Spec{Function: function, Args: args})
}

// TestGuide loads every snippet of docs/policy.md.
func TestGuide(t *testing.T) {
	found := snippets(t)
	for language, least := range map[string]int{"yaml": 7, "json": 2, "rego": 3} {
		if len(found[language]) < least {
			t.Fatalf("%d snippets in %s", len(found[language]), language)
		}
	}
	for _, text := range found["yaml"] {
		r := lint(t, Options{FS: folder("policy.yaml", text), ValidateMask: realMasks}, LintOptions{})
		if r.Errors > 0 {
			t.Errorf("%s\n%+v", text, r.Findings)
		}
	}
	for _, text := range found["json"] {
		schema := InputSchema()
		if strings.Contains(text, `"allow"`) {
			schema = DecisionSchema()
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("not JSON:\n%s", text)
		} else if err := validJSON(t, compileSchema(t, schema), []byte(text)); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
	for _, text := range found["rego"] {
		name := "own.rego"
		if strings.HasPrefix(text, "package shop_test") {
			name = "own_test.rego"
		}
		report, err := RunTests(context.Background(), Options{FS: folder("policy.yaml", found["yaml"][0], name, text)}, TestOptions{})
		if err != nil {
			t.Errorf("%s\n%v", text, err)
		} else if report.Failed > 0 || (name == "own_test.rego") != (report.Passed == 2) {
			t.Errorf("%s\n%+v", text, report)
		}
	}
}

// TestGuideNamesEveryKey compares the guide with the keys of the data.
func TestGuideNamesEveryKey(t *testing.T) {
	b, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	var keys func(schema map[string]any)
	keys = func(schema map[string]any) {
		properties, _ := schema["properties"].(map[string]any)
		for key, sub := range properties {
			if !strings.Contains(string(b), "`"+key) && !strings.Contains(string(b), key+"`") {
				t.Errorf("the guide does not explain %s", key)
			}
			if sub, ok := sub.(map[string]any); ok {
				keys(sub)
				if items, ok := sub["items"].(map[string]any); ok {
					keys(items)
				}
			}
		}
	}
	var schema map[string]any
	if err := json.Unmarshal(DataSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	keys(schema)
	if order := "`" + strings.Join(strictness(), "`, `") + "`"; !strings.Contains(strings.Join(strings.Fields(string(b)), " "), order) {
		t.Errorf("the guide gives another order of strictness than %s", order)
	}
}

// TestGuidePeople checks what the guide's first example promises.
func TestGuidePeople(t *testing.T) {
	e := openEngine(t, Options{FS: folder("policy.yaml", snippets(t)["yaml"][0])})
	in := statementInput("ana", "analysts")
	in.Target.Project = "sales"
	if d := decide(t, e, in); !d.Allow || len(d.Masks) != 1 {
		t.Errorf("analyst: %+v", d)
	}
	app := statementInput("shop-app")
	app.Target.Project = "sales"
	app.Statement.Class, app.Statement.Tables[0].Access = "write", []string{"select", "update"}
	if d := decide(t, e, app); !d.Allow || len(d.Masks) != 0 {
		t.Errorf("application: %+v", d)
	}
	other := statementInput("eve", "guests")
	other.Target.Project = "sales"
	if d := decide(t, e, other); d.Allow {
		t.Errorf("stranger: %+v", d)
	}
}
