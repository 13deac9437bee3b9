package configs

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference is the table of every key in Markdown, as docs/configuration.md
// holds it.
func Reference() string {
	var b strings.Builder
	b.WriteString("| key | value | default | what it is |\n|---|---|---|---|\n")
	reference(&b, reflect.TypeFor[Config](), "")
	return b.String()
}

func reference(b *strings.Builder, t reflect.Type, path string) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := join(path, keyOf(f))
		def := ""
		if text, ok := f.Tag.Lookup("default"); ok {
			def = "`" + text + "`"
		} else if f.Tag.Get("required") == "true" {
			def = "required"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, kindName(f), def, f.Tag.Get("doc"))
		switch {
		case f.Type.Kind() == reflect.Struct && f.Type != refType:
			reference(b, f.Type, key)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			reference(b, f.Type.Elem(), key+"[]")
		}
	}
}

func kindName(f reflect.StructField) string {
	switch {
	case f.Type == refType:
		return "secret"
	case f.Type == durationType:
		return "duration"
	case f.Type == sizeType:
		return "size"
	case f.Tag.Get("enum") != "" && f.Type.Kind() == reflect.Slice:
		return "list of " + strings.ReplaceAll(f.Tag.Get("enum"), ",", ", ")
	case f.Tag.Get("enum") != "":
		return strings.ReplaceAll(f.Tag.Get("enum"), ",", ", ")
	case f.Type.Kind() == reflect.Slice:
		return "list"
	case f.Type.Kind() == reflect.Struct:
		return "section"
	case f.Type.Kind() == reflect.Bool:
		return "true, false"
	case f.Type.Kind() == reflect.Int:
		return "number"
	}
	return "text"
}
