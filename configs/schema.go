package configs

import (
	"reflect"
	"strings"
)

// Schema is the JSON Schema (2020-12) of the configuration file, for editors.
func Schema() map[string]any {
	s := objectSchema(reflect.TypeFor[Config]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "weir configuration"
	return s
}

func objectSchema(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		p := typeSchema(f.Type, f)
		p["description"] = f.Tag.Get("doc")
		if text, ok := f.Tag.Lookup("default"); ok && p["type"] == "string" {
			p["default"] = text
		}
		properties[keyOf(f)] = p
		if f.Tag.Get("required") == "true" {
			required = append(required, keyOf(f))
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func typeSchema(t reflect.Type, f reflect.StructField) map[string]any {
	switch {
	case t == refType:
		return map[string]any{"type": "string"}
	case t == durationType:
		return map[string]any{"type": "string", "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`}
	case t == sizeType:
		return map[string]any{"type": []string{"string", "integer"}, "pattern": `^[0-9]+ *(B|KiB|MiB|GiB)?$`}
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectSchema(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), f)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	}
	s := map[string]any{"type": "string"}
	if allowed := f.Tag.Get("enum"); allowed != "" {
		s["enum"] = strings.Split(allowed, ",")
	}
	return s
}
