package policy

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position is where something stands in a policy file. Line is 0 where only the
// file is known.
type Position struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	path string // of the rule in its file: "grants[2]"
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// Fault is one thing that is wrong with policy data.
type Fault struct {
	Position
	Path    string `json:"path"` // "grants[2].who.groups"
	Message string `json:"message"`
}

func (f Fault) String() string {
	s := f.Message
	if f.Path != "" {
		s = f.Path + ": " + s
	}
	if pos := f.Position.String(); pos != "" {
		s = pos + ": " + s
	}
	return s
}

// DataError lists everything that is wrong with policy data.
type DataError struct{ Faults []Fault }

func (e *DataError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return "policy data: " + strings.Join(lines, "\n")
}

const (
	maxYAMLDepth = 32   // of nested values in mask arguments
	maxFaults    = 1000 // listed; a file that is not policy data has enough of them
)

// faults collects what is wrong.
type faults struct {
	list   []Fault
	shapes map[[2]string]bool // file and path of what is not of its kind
}

// shape adds a fault of a value's kind; what follows from it is not added later.
func (fs *faults) shape(pos Position, path, format string, args ...any) {
	fs.add(pos, path, format, args...)
	if fs.shapes == nil {
		fs.shapes = map[[2]string]bool{}
	}
	fs.shapes[[2]string{pos.File, path}] = true
}

func (fs *faults) add(pos Position, path, format string, args ...any) {
	if len(fs.list) < maxFaults && !fs.shapes[[2]string{pos.File, path}] {
		fs.list = append(fs.list, Fault{Position: pos, Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

func (fs *faults) err() error {
	if len(fs.list) == 0 {
		return nil
	}
	return &DataError{Faults: fs.list}
}

// yamlDecoder fills Go values from YAML strictly: unknown and repeated keys,
// wrong kinds, anchors and several documents are faults. A struct field of type
// Position is set to where the struct stands.
//
// The yaml tag of a field is its key; the option "null" lets a string field take
// the bare word null as a string.
type yamlDecoder struct {
	file   string
	faults *faults
}

func decodeYAML(file string, data []byte, into any, fs *faults) {
	d := yamlDecoder{file: file, faults: fs}
	root, err := parseYAML(data)
	if err != nil {
		line, message := splitYAMLError(err)
		fs.add(Position{File: file, Line: line}, "", "%s", message)
		return
	}
	if root == nil {
		fs.add(Position{File: file}, "", "the file is empty")
		return
	}
	d.value(root, reflect.ValueOf(into).Elem(), "", false)
}

// parseYAML returns the only document's root node, nil if there is none.
func parseYAML(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil { // the parser's own mistake must not end the process
			root, err = nil, fmt.Errorf("unreadable: %v", r)
		}
	}()
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, next yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if err.Error() == "EOF" {
			return nil, nil
		}
		return nil, err
	}
	if err := dec.Decode(&next); err == nil {
		return nil, fmt.Errorf("line %d: a second document in one file", next.Line)
	} else if err.Error() != "EOF" {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, nil
	}
	return doc.Content[0], nil
}

// splitYAMLError takes the line number out of "yaml: line 3: message".
func splitYAMLError(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	rest, ok := strings.CutPrefix(message, "line ")
	n, text, found := strings.Cut(rest, ": ")
	if line, err := strconv.Atoi(n); ok && found && err == nil {
		return line, text
	}
	return 0, message
}

func (d *yamlDecoder) pos(n *yaml.Node) Position { return Position{File: d.file, Line: n.Line} }

func (d *yamlDecoder) fault(n *yaml.Node, path, format string, args ...any) {
	d.faults.shape(d.pos(n), path, format, args...)
}

func (d *yamlDecoder) value(n *yaml.Node, v reflect.Value, path string, nullWord bool) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fault(n, path, "anchors and aliases are not supported")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), path, nullWord)
		v.Set(p)
	case reflect.Struct:
		d.object(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.String, reflect.Bool, reflect.Int64, reflect.Int:
		d.scalar(n, v, path, nullWord)
	default:
		panic(fmt.Sprintf("policy: no YAML for %s", v.Type()))
	}
}

// pairs walks a mapping and reports what is wrong with its keys.
func (d *yamlDecoder) pairs(n *yaml.Node, path string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fault(n, path, "want a mapping, not %s", kindName(n))
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || (key.ShortTag() != "!!str" && key.ShortTag() != "!!int") {
			d.fault(key, path, "want a name as key, not %s", kindName(key))
			continue
		}
		if line, dup := seen[key.Value]; dup {
			d.fault(key, join(path, key.Value), "repeated key, first on line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		each(key, n.Content[i+1])
	}
}

func (d *yamlDecoder) object(n *yaml.Node, v reflect.Value, path string) {
	t := v.Type()
	fields := make(map[string]int, t.NumField())
	var names []string
	for i := range t.NumField() {
		if t.Field(i).Type == reflect.TypeFor[Position]() {
			v.Field(i).Set(reflect.ValueOf(Position{File: d.file, Line: n.Line, path: path}))
			continue
		}
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			fields[name] = i
			names = append(names, name)
		}
	}
	d.pairs(n, path, func(key, value *yaml.Node) {
		i, ok := fields[key.Value]
		if !ok {
			d.fault(key, join(path, key.Value), "unknown key; known are %s", strings.Join(names, ", "))
			return
		}
		nullWord := strings.HasSuffix(t.Field(i).Tag.Get("yaml"), ",null")
		d.value(value, v.Field(i), join(path, key.Value), nullWord)
	})
}

func (d *yamlDecoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if v.Type().Elem().Kind() == reflect.Interface {
		if n.Kind != yaml.MappingNode {
			d.fault(n, path, "want a mapping, not %s", kindName(n))
			return
		}
		if m, ok := d.free(n, path, 0).(map[string]any); ok {
			v.Set(reflect.ValueOf(m))
		}
		return
	}
	m := reflect.MakeMap(v.Type())
	d.pairs(n, path, func(key, value *yaml.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(value, e, join(path, key.Value), false)
		m.SetMapIndex(reflect.ValueOf(key.Value), e)
	})
	v.Set(m)
}

func (d *yamlDecoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fault(n, path, "want a list, not %s", kindName(n))
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(c, s.Index(i), path+"["+strconv.Itoa(i)+"]", false)
	}
	v.Set(s)
}

func (d *yamlDecoder) scalar(n *yaml.Node, v reflect.Value, path string, nullWord bool) {
	tag := n.ShortTag()
	switch kind := v.Kind(); {
	case n.Kind != yaml.ScalarNode:
	case kind == reflect.String && (tag == "!!str" || tag == "!!null" && nullWord && n.Value == "null"):
		v.SetString(n.Value)
		return
	case kind == reflect.Bool && tag == "!!bool":
		v.SetBool(n.Value == "true" || n.Value == "True" || n.Value == "TRUE")
		return
	case (kind == reflect.Int64 || kind == reflect.Int) && tag == "!!int":
		i, err := strconv.ParseInt(n.Value, 10, 64)
		if err == nil {
			v.SetInt(i)
			return
		}
	}
	want := map[reflect.Kind]string{reflect.String: "a string", reflect.Bool: "true or false"}[v.Kind()]
	if want == "" {
		want = "a whole number"
	}
	hint := ""
	if v.Kind() == reflect.String && n.Kind == yaml.ScalarNode {
		hint = " (put it in quotes)"
	}
	d.fault(n, path, "want %s, not %s%s", want, kindName(n), hint)
}

// free decodes a value of any shape into nil, bool, int64, float64, string,
// []any and map[string]any.
func (d *yamlDecoder) free(n *yaml.Node, path string, depth int) any {
	if depth > maxYAMLDepth {
		d.fault(n, path, "nested too deeply")
		return nil
	}
	if n.Anchor != "" {
		d.fault(n, path, "anchors and aliases are not supported")
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		d.pairs(n, path, func(key, value *yaml.Node) {
			m[key.Value] = d.free(value, join(path, key.Value), depth+1)
		})
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			list[i] = d.free(c, path+"["+strconv.Itoa(i)+"]", depth+1)
		}
		return list
	case yaml.ScalarNode:
		var x any
		if err := n.Decode(&x); err == nil {
			if x, ok := plain(x); ok {
				return x
			}
		}
	}
	d.fault(n, path, "want a string, a number, true, false, null, a list or a mapping, not %s", kindName(n))
	return nil
}

// plain reduces a decoded YAML scalar to the types of policy values.
func plain(x any) (any, bool) {
	switch x := x.(type) {
	case nil, bool, string, int64:
		return x, true
	case int:
		return int64(x), true
	case float64:
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	}
	return nil, false
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	v := n.Value
	if len(v) > 40 {
		v = strings.ToValidUTF8(v[:40], "") + "…"
	}
	return strconv.Quote(v)
}

func sortFaults(list []Fault) {
	slices.SortStableFunc(list, func(a, b Fault) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
}
