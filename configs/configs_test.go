package configs_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/weirdb/weir/configs"
)

var update = flag.Bool("update", false, "write the reference page")

func TestEveryFaultIsReportedWithItsLine(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.bad.yml")
	if len(files) == 0 {
		t.Fatal("no fixtures")
	}
	for _, file := range files {
		want, err := os.ReadFile(file + ".want")
		if err != nil {
			t.Fatal(err)
		}
		_, err = configs.Load(file)
		var faults configs.Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v, want faults", file, err)
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(want)), "\n")
		if len(faults) != len(lines) {
			t.Errorf("%s: %d faults, want %d:\n%v", file, len(faults), len(lines), err)
			continue
		}
		for i, f := range faults {
			if got := fmt.Sprintf("%d: %s", f.Line, f.Message); !strings.HasPrefix(got, lines[i]) {
				t.Errorf("%s: fault %d is %q, want %q…", file, i, got, lines[i])
			}
		}
		if strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s: a secret shows: %v", file, err)
		}
	}
}

// exampleWithFiles is the production example with its files in place.
func exampleWithFiles(t *testing.T) []byte {
	text, err := os.ReadFile("weir.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"tls/server.crt", "tls/server.key", "tls/database-ca.crt", "policy/x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []byte(strings.ReplaceAll(string(text), "/etc/weir", dir))
}

func TestShippedExamplesLoad(t *testing.T) {
	c, err := configs.Parse("weir.example.yaml", exampleWithFiles(t))
	if err != nil {
		t.Fatal(err)
	}
	if c.Limits.Idle != 30*time.Minute || c.Datasources[0].CatalogInterval != 2*time.Second || c.Limits.Message != 1<<30 {
		t.Errorf("values or defaults are wrong: %+v", c)
	}
	if c, err = configs.Load("development.example.yaml"); err != nil {
		t.Fatal(err)
	}
	if printed := fmt.Sprintf("%+v", c); strings.Contains(printed, "weir-development") {
		t.Error("a printed configuration shows a secret")
	}
}

func TestSchemaAcceptsTheExamplesAndRefusesUnknownKeys(t *testing.T) {
	text, err := json.Marshal(configs.Schema())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("weir.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("weir.json")
	if err != nil {
		t.Fatal(err)
	}
	development, err := os.ReadFile("development.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{exampleWithFiles(t), development} {
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Error(err)
		}
	}
	if err := schema.Validate(map[string]any{"listeners": []any{}, "datasources": []any{}, "x": 1.0}); err == nil {
		t.Error("the schema accepts an unknown key")
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yml")
	for _, file := range append(files, "weir.example.yaml", "development.example.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := configs.Parse("fuzz", text); (c == nil) == (err == nil) {
			t.Fatalf("configuration %v with error %v", c, err)
		}
	})
}

func TestTheReferencePageListsEveryKey(t *testing.T) {
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	before, table, ok := strings.Cut(string(page), "<!-- keys -->\n")
	if !ok {
		t.Fatal("the page has no mark for the table")
	}
	if want := configs.Reference(); table != want {
		if *update {
			if err := os.WriteFile("../docs/configuration.md", []byte(before+"<!-- keys -->\n"+want), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		t.Errorf("the table differs from the code; go test ./configs -update writes it")
	}
}
