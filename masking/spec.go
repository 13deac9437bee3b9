package masking

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxArgument bounds one text argument, in bytes.
const maxArgument = 1024

// Spec is a mask as a policy decision says it.
type Spec struct {
	Function string         `json:"function"`
	Args     map[string]any `json:"args,omitempty"`
}

// ArgumentError says which argument of which function is wrong.
type ArgumentError struct {
	Function string
	Argument string // empty: the function itself, or its arguments together
	Reason   string
}

func (e *ArgumentError) Error() string {
	if e.Argument == "" {
		return fmt.Sprintf("mask %q: %s", e.Function, e.Reason)
	}
	return fmt.Sprintf("mask %q: argument %q: %s", e.Function, e.Argument, e.Reason)
}

// NotExpressible says that a mask cannot be expressed for a column.
type NotExpressible struct {
	Column   string // empty where no column is known
	Function string
	Type     string
	Reason   string
	Works    []string // functions that would work on the type
}

func (e *NotExpressible) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mask %q cannot be expressed", e.Function)
	if e.Column != "" {
		fmt.Fprintf(&b, " for column %q", e.Column)
	}
	fmt.Fprintf(&b, " of type %s: %s", e.Type, e.Reason)
	if len(e.Works) > 0 {
		fmt.Fprintf(&b, "; what works: %s", strings.Join(e.Works, ", "))
	}
	return b.String()
}

// Validate checks the function's name and its arguments, whatever the type
// will be. The error is an *ArgumentError.
func Validate(spec Spec) error {
	_, _, err := parse(spec)
	return err
}

// parse reads the arguments of a spec strictly.
func parse(spec Spec) (function, builder, error) {
	f, ok := lookup(spec.Function)
	if !ok {
		return function{}, nil, &ArgumentError{Function: spec.Function,
			Reason: "no such function; known are " + strings.Join(functionNames(), ", ")}
	}
	a := &arguments{function: f, values: spec.Args}
	a.unknown()
	b := f.parse(a)
	if a.err != nil {
		return function{}, nil, a.err
	}
	return f, b, nil
}

// arguments reads the arguments of one spec; the first fault stays.
type arguments struct {
	function function
	values   map[string]any
	err      error
}

func (a *arguments) fail(name, format string, args ...any) {
	if a.err == nil {
		a.err = &ArgumentError{Function: a.function.Name, Argument: name, Reason: fmt.Sprintf(format, args...)}
	}
}

// unknown faults the first key, in alphabetical order, that is not declared.
func (a *arguments) unknown() {
	declared := make([]string, 0, len(a.function.Args))
	for _, arg := range a.function.Args {
		declared = append(declared, arg.Name)
	}
	for _, name := range sortedKeys(a.values) {
		if slices.Contains(declared, name) {
			continue
		}
		if len(declared) == 0 {
			a.fail(name, "unknown; the function takes no arguments")
		} else {
			a.fail(name, "unknown; known are %s", strings.Join(declared, ", "))
		}
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (a *arguments) has(name string) bool { return a.values[name] != nil }

// required faults an argument that is absent.
func (a *arguments) required(name string) bool {
	if !a.has(name) {
		a.fail(name, "required")
		return false
	}
	return true
}

// text reads a string of valid UTF-8 without NUL.
func (a *arguments) text(name, def string) string {
	if !a.has(name) {
		return def
	}
	s, ok := a.values[name].(string)
	switch {
	case !ok:
		a.fail(name, "want a string, got %s", describe(a.values[name]))
	case len(s) > maxArgument:
		a.fail(name, "longer than %d bytes", maxArgument)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		a.fail(name, "want valid UTF-8 without NUL")
	}
	return s
}

func (a *arguments) choice(name, def string, choices ...string) string {
	s := a.text(name, def)
	if a.err == nil && !slices.Contains(choices, s) {
		a.fail(name, "want one of %s, got %q", strings.Join(choices, ", "), s)
	}
	return s
}

// integer reads a whole number in [least, most].
func (a *arguments) integer(name string, def, least, most int) int {
	if !a.has(name) {
		return def
	}
	n, ok := wholeNumber(a.values[name])
	if !ok {
		a.fail(name, "want a whole number, got %s", describe(a.values[name]))
	} else if n < int64(least) || n > int64(most) {
		a.fail(name, "want %d to %d, got %d", least, most, n)
	}
	return int(n)
}

// number reads a decimal number; it is exact for json.Number.
func (a *arguments) number(name string) decimal {
	var d decimal
	if !a.has(name) {
		return d
	}
	text, ok := numberText(a.values[name])
	if !ok {
		a.fail(name, "want a number, got %s", describe(a.values[name]))
	} else if !d.parse([]byte(text)) || d.scale > maxArgumentScale || d.digits() > maxArgumentDigits {
		a.fail(name, "want a number of at most %d digits, %d of them after the point", maxArgumentDigits, maxArgumentScale)
	}
	return d
}

const (
	maxArgumentDigits = 30
	maxArgumentScale  = 15
)

// numberText writes any number that a decoded JSON or Rego document can hold.
func numberText(v any) (string, bool) {
	switch n := v.(type) {
	case json.Number:
		return n.String(), true
	case int:
		return strconv.Itoa(n), true
	case int64:
		return strconv.FormatInt(n, 10), true
	case uint64:
		return strconv.FormatUint(n, 10), true
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return "", false
		}
		return strconv.FormatFloat(n, 'f', -1, 64), true
	}
	return "", false
}

func wholeNumber(v any) (int64, bool) {
	text, ok := numberText(v)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// describe names the JSON type of an argument, never its value.
func describe(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	}
	if _, ok := numberText(v); ok {
		return "a number"
	}
	return fmt.Sprintf("a %T", v)
}
