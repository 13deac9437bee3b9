package policy

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed rego schema
var files embed.FS

// shippedFolder holds the shipped modules and their example data.
const shippedFolder = "rego/weir"

// Shipped is the shipped policy: its modules, their tests, and the example data
// that applies where no policy is configured. It is a good start for a folder of
// one's own.
func Shipped() fs.FS {
	sub, err := fs.Sub(files, shippedFolder)
	if err != nil {
		panic(err) // only for a malformed path
	}
	return sub
}

// InputSchema is the JSON Schema of Input.
func InputSchema() []byte { return schemaFile("input") }

// DecisionSchema is the JSON Schema of a decision.
func DecisionSchema() []byte { return schemaFile("decision") }

// DataSchema is the JSON Schema of policy data, for editors.
func DataSchema() []byte { return schemaFile("data") }

func schemaFile(name string) []byte {
	b, err := files.ReadFile(path.Join("schema", name+".schema.json"))
	if err != nil {
		panic(fmt.Sprintf("policy: embedded schema: %v", err)) // a file of the build is missing
	}
	return b
}

// shippedDocument decodes the example data without checking it further.
func shippedDocument() (*Document, error) {
	c, err := readFolder(Shipped())
	if err != nil {
		return nil, fmt.Errorf("shipped policy: %w", err)
	}
	var fs faults
	var doc Document
	for _, f := range c.data {
		var d Document
		decodeYAML(path.Join("shipped", f.Name), f.Data, &d, &fs)
		mergeDocument(&doc, &d, &fs)
	}
	return &doc, fs.err()
}

func isTest(module string) bool { return strings.HasSuffix(module, "_test.rego") }
