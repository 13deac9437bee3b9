package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weirdb/weir/secrets"
)

// Size is a number of bytes, written as 512KiB, 64MiB, 1GiB or plain bytes.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}, {"", 1}}

func parseSize(text string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && n >= 0 && n <= 1<<62/u.bytes {
			return Size(n * u.bytes), nil
		}
		if u.suffix != "" {
			break
		}
	}
	return 0, fmt.Errorf("%q is not a size; write it as 64MiB, 512KiB or 1GiB", text)
}

// decoder fills a Config from YAML nodes and collects faults.
type decoder struct {
	faults Faults
	lines  map[string]int // path to line, for Validate
}

func (d *decoder) fault(line int, path, format string, args ...any) {
	d.faults = append(d.faults, Fault{Line: line, Path: path, Message: fmt.Sprintf(format, args...)})
}

var (
	refType      = reflect.TypeFor[secrets.Ref]()
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[Size]()
)

// value decodes one node into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, field *reflect.StructField) {
	if n.Kind == yaml.AliasNode {
		d.fault(n.Line, path, "aliases are not allowed; write the value out")
		return
	}
	d.lines[path] = n.Line
	switch {
	case v.Type() == refType || v.Type() == durationType || v.Type() == sizeType:
		d.scalar(n, v, path, field)
	case v.Kind() == reflect.Struct:
		d.mapping(n, v, path)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, path, field)
	default:
		d.scalar(n, v, path, field)
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // an empty section is its defaults
	}
	if n.Kind != yaml.MappingNode {
		d.fault(n.Line, path, "%s is a section; give it keys, one a line", named(path))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if line, ok := seen[key.Value]; ok {
			d.fault(key.Line, join(path, key.Value), "%s is set twice, first in line %d; keep one", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		index := fieldByKey(v.Type(), key.Value)
		if index < 0 {
			d.fault(key.Line, join(path, key.Value), "unknown key %q in %s%s", key.Value, named(path), suggest(key.Value, v.Type()))
			continue
		}
		field := v.Type().Field(index)
		d.value(value, v.Field(index), join(path, key.Value), &field)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string, field *reflect.StructField) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n.Line, path, "%s is a list; begin each entry with a dash", named(path))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		element := fmt.Sprintf("%s[%d]", path, i)
		setDefaults(v.Index(i))
		d.value(item, v.Index(i), element, field)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, field *reflect.StructField) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		d.fault(n.Line, path, "%s needs a single value", named(path))
		return
	}
	if err := set(v, n.Value, field); err != nil {
		d.fault(n.Line, path, "%s: %s", named(path), err)
	}
}

// set parses text into a scalar of the kinds that Config uses.
func set(v reflect.Value, text string, field *reflect.StructField) error {
	switch v.Type() {
	case refType:
		ref, err := secrets.ParseRef(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(ref))
		return nil
	case durationType:
		t, err := time.ParseDuration(text)
		if err != nil || t < 0 {
			return fmt.Errorf("%q is not a duration; write it as 500ms, 30s, 5m or 24h", text)
		}
		v.SetInt(int64(t))
		return nil
	case sizeType:
		s, err := parseSize(text)
		v.SetInt(int64(s))
		return err
	}
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(text == "true")
	case reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		v.SetInt(int64(i))
	case reflect.String:
		if allowed := field.Tag.Get("enum"); allowed != "" && !slices.Contains(strings.Split(allowed, ","), text) {
			return fmt.Errorf("%q is not one of %s", text, strings.ReplaceAll(allowed, ",", ", "))
		}
		v.SetString(text)
	default:
		return fmt.Errorf("%s cannot be set", v.Type())
	}
	return nil
}

// setDefaults fills a zero struct with the defaults of its tags.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || v.Type() == refType {
		return
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if text, ok := field.Tag.Lookup("default"); ok {
			if err := set(v.Field(i), text, &field); err != nil {
				panic(fmt.Sprintf("default of %s: %v", field.Name, err)) // a programmer's mistake
			}
			continue
		}
		setDefaults(v.Field(i))
	}
}

func keyOf(f reflect.StructField) string { return f.Tag.Get("yaml") }

func fieldByKey(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if keyOf(t.Field(i)) == key {
			return i
		}
	}
	return -1
}

// suggest names a key that the unknown one may have meant, or all there are.
func suggest(key string, t reflect.Type) string {
	keys := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		k := keyOf(t.Field(i))
		if strings.EqualFold(strings.NewReplacer("-", "", "_", "").Replace(key), strings.ReplaceAll(k, "_", "")) ||
			strings.HasPrefix(k, key) || strings.HasPrefix(key, k) {
			return fmt.Sprintf("; did you mean %q?", k)
		}
		keys = append(keys, k)
	}
	return "; known are " + strings.Join(keys, ", ")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func named(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
