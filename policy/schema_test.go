package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the schema files again")

// schemaTypes are the documents that have a schema file.
func schemaTypes() map[string]struct {
	value any
	title string
} {
	return map[string]struct {
		value any
		title string
	}{
		"input":    {&Input{}, "What a weir policy sees"},
		"decision": {&Decision{}, "What a weir policy says"},
		"data":     {&Document{}, "Policy data of weir, as people write it"},
		"config":   {&dataset{}, "Policy data of weir, as the shipped Rego reads it at data.weir.config"},
	}
}

func generateSchema(t *testing.T, value any, title string) []byte {
	t.Helper()
	r := jsonschema.Reflector{DoNotReference: true, ExpandedStruct: true}
	raw, err := json.Marshal(r.Reflect(value))
	if err != nil {
		t.Fatal(err)
	}
	var x map[string]any
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	delete(x, "$id")
	x["title"] = title
	b, err := json.MarshalIndent(tidySchema(x), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// tidySchema spells "or null" as anyOf, which the Rego compiler reads.
func tidySchema(x any) any {
	switch x := x.(type) {
	case map[string]any:
		if one, ok := x["oneOf"]; ok {
			delete(x, "oneOf")
			x["anyOf"] = one
		}
		for k, v := range x {
			x[k] = tidySchema(v)
		}
	case []any:
		for i, v := range x {
			x[i] = tidySchema(v)
		}
	}
	return x
}

func TestSchemasEqualTypes(t *testing.T) {
	for name, s := range schemaTypes() {
		file := filepath.Join("schema", name+".schema.json")
		want := generateSchema(t, s.value, s.title)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from its type; write it again with -update", file)
		}
	}
}

func compileSchema(t *testing.T, raw []byte) *validator.Schema {
	t.Helper()
	doc, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("mem:schema", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:schema")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validJSON(t *testing.T, s *validator.Schema, raw []byte) error {
	t.Helper()
	x, err := validator.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(x)
}
