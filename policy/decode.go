package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// decodeDecision reads what policy said. An unknown field, a missing or
// misspelt value and two masks for one column are errors: half a decision is none.
// A set does where a list is wanted, because Rego writes sets more easily.
func decodeDecision(v ast.Value) (*Decision, error) {
	d := Decision{Mode: ModeEnforce}
	allow := false
	err := fields(v, "decision", map[string]func(ast.Value) error{
		"allow":   func(v ast.Value) error { allow = true; return boolean(v, &d.Allow) },
		"mode":    func(v ast.Value) error { return choice(v, &d.Mode, ModeEnforce, ModeObserve) },
		"reasons": func(v ast.Value) error { return list(v, &d.Reasons, decodeReason) },
		"masks":   func(v ast.Value) error { return list(v, &d.Masks, decodeMask) },
		"row_filters": func(v ast.Value) error {
			return list(v, &d.RowFilters, decodeRowFilter)
		},
		"limits":  func(v ast.Value) error { return decodeLimits(v, &d) },
		"require": func(v ast.Value) error { return list(v, &d.Require, name) },
		"audit":   func(v ast.Value) error { return decodeAudit(v, &d) },
	})
	if err == nil && !allow {
		err = errors.New("decision: allow is missing")
	}
	if err == nil {
		err = oneMaskPerColumn(d.Masks)
	}
	if err != nil {
		return nil, err
	}
	return &d, nil
}

func oneMaskPerColumn(masks []Mask) error {
	seen := make(map[[3]string]bool, len(masks))
	for i := range masks {
		m := &masks[i]
		key := [3]string{m.Schema, m.Table, m.Column}
		if seen[key] {
			return fmt.Errorf("decision: two masks for %s.%s.%s", m.Schema, m.Table, m.Column)
		}
		seen[key] = true
	}
	return nil
}

func decodeReason(v ast.Value) (r Reason, err error) {
	return r, fields(v, "reason", map[string]func(ast.Value) error{
		"rule":    func(v ast.Value) error { return nonEmpty(v, &r.Rule) },
		"message": func(v ast.Value) error { return nonEmpty(v, &r.Message) },
	}, "rule", "message")
}

func decodeMask(v ast.Value) (m Mask, err error) {
	m.Elsewhere = ElsewhereRefuse
	return m, fields(v, "mask", map[string]func(ast.Value) error{
		"schema":    func(v ast.Value) error { return str(v, &m.Schema) },
		"table":     func(v ast.Value) error { return nonEmpty(v, &m.Table) },
		"column":    func(v ast.Value) error { return nonEmpty(v, &m.Column) },
		"function":  func(v ast.Value) error { return nonEmpty(v, &m.Function) },
		"args":      func(v ast.Value) error { return decodeArgs(v, &m) },
		"elsewhere": func(v ast.Value) error { return choice(v, &m.Elsewhere, ElsewhereRefuse, ElsewhereMasked) },
	}, "schema", "table", "column", "function")
}

func decodeArgs(v ast.Value, m *Mask) error {
	x, err := plainValue(v, 0)
	if err != nil {
		return err
	}
	args, ok := x.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, not %s", ast.ValueName(v))
	}
	if len(args) > 0 {
		m.Args = args
	}
	return nil
}

func decodeRowFilter(v ast.Value) (f RowFilter, err error) {
	return f, fields(v, "row filter", map[string]func(ast.Value) error{
		"schema":     func(v ast.Value) error { return str(v, &f.Schema) },
		"table":      func(v ast.Value) error { return nonEmpty(v, &f.Table) },
		"expression": func(v ast.Value) error { return nonEmpty(v, &f.Expression) },
	}, "schema", "table", "expression")
}

func decodeLimits(v ast.Value, d *Decision) error {
	var l Limits
	err := fields(v, "limits", map[string]func(ast.Value) error{
		"rows":    func(v ast.Value) error { return positive(v, &l.Rows) },
		"seconds": func(v ast.Value) error { return positive(v, &l.Seconds) },
	})
	if err == nil && l != (Limits{}) {
		d.Limits = &l
	}
	return err
}

func decodeAudit(v ast.Value, d *Decision) error {
	var a AuditLevel
	err := fields(v, "audit", map[string]func(ast.Value) error{
		"level": func(v ast.Value) error { return choice(v, &a.Level, AuditMetadata, AuditStatement, AuditFull) },
	}, "level")
	if err == nil {
		d.Audit = &a
	}
	return err
}

// fields reads an object whose keys are all known.
func fields(v ast.Value, what string, known map[string]func(ast.Value) error, required ...string) error {
	o, ok := v.(ast.Object)
	if !ok {
		return fmt.Errorf("%s: want an object, not %s", what, ast.ValueName(v))
	}
	missing := slices.Clone(required)
	err := o.Iter(func(k, v *ast.Term) error {
		key, ok := k.Value.(ast.String)
		if !ok {
			return fmt.Errorf("%s: want names as keys, not %s", what, ast.ValueName(k.Value))
		}
		read, ok := known[string(key)]
		if !ok {
			return fmt.Errorf("%s: unknown field %q", what, string(key))
		}
		if err := read(v.Value); err != nil {
			return fmt.Errorf("%s: %s: %w", what, string(key), err)
		}
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == string(key) })
		return nil
	})
	if err == nil && len(missing) > 0 {
		return fmt.Errorf("%s: %s is missing", what, missing[0])
	}
	return err
}

func list[T any](v ast.Value, into *[]T, each func(ast.Value) (T, error)) error {
	var terms []*ast.Term
	switch v := v.(type) {
	case *ast.Array:
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
	case ast.Set:
		terms = v.Slice()
	default:
		return fmt.Errorf("want an array, not %s", ast.ValueName(v))
	}
	if len(terms) == 0 {
		return nil
	}
	*into = make([]T, len(terms))
	for i, t := range terms {
		x, err := each(t.Value)
		if err != nil {
			return err
		}
		(*into)[i] = x
	}
	return nil
}

func boolean(v ast.Value, into *bool) error {
	b, ok := v.(ast.Boolean)
	if !ok {
		return fmt.Errorf("want a boolean, not %s", ast.ValueName(v))
	}
	*into = bool(b)
	return nil
}

func str(v ast.Value, into *string) error {
	s, ok := v.(ast.String)
	if !ok {
		return fmt.Errorf("want a string, not %s", ast.ValueName(v))
	}
	*into = string(s)
	return nil
}

func nonEmpty(v ast.Value, into *string) error {
	if err := str(v, into); err != nil {
		return err
	}
	if *into == "" {
		return errors.New("is empty")
	}
	return nil
}

func name(v ast.Value) (s string, err error) { return s, nonEmpty(v, &s) }

func choice(v ast.Value, into *string, known ...string) error {
	if err := str(v, into); err != nil {
		return err
	}
	if !slices.Contains(known, *into) {
		return fmt.Errorf("%q is none of %q", *into, known)
	}
	return nil
}

func positive(v ast.Value, into *int64) error {
	n, ok := v.(ast.Number)
	if !ok {
		return fmt.Errorf("want a number, not %s", ast.ValueName(v))
	}
	i, ok := n.Int64()
	if !ok || i < 1 {
		return fmt.Errorf("want a whole number above zero, not %s", string(n))
	}
	*into = i
	return nil
}

// plainValue turns a Rego value into nil, bool, int64, float64, string, []any
// and map[string]any.
func plainValue(v ast.Value, depth int) (any, error) {
	if depth > maxYAMLDepth {
		return nil, errors.New("nested too deeply")
	}
	switch v := v.(type) {
	case ast.Null:
		return nil, nil
	case ast.Boolean:
		return bool(v), nil
	case ast.String:
		return string(v), nil
	case ast.Number:
		if i, ok := v.Int64(); ok {
			return i, nil
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, fmt.Errorf("the number %s is out of range", string(v))
		}
		return f, nil
	case *ast.Array, ast.Set:
		return plainList(v, depth)
	case ast.Object:
		m := make(map[string]any, v.Len())
		err := v.Iter(func(k, e *ast.Term) error {
			key, ok := k.Value.(ast.String)
			if !ok {
				return fmt.Errorf("want names as keys, not %s", ast.ValueName(k.Value))
			}
			x, err := plainValue(e.Value, depth+1)
			m[string(key)] = x
			return err
		})
		return m, err
	}
	return nil, fmt.Errorf("want a plain value, not %s", ast.ValueName(v))
}

func plainList(v ast.Value, depth int) (any, error) {
	out := []any{}
	err := list(v, &out, func(v ast.Value) (any, error) { return plainValue(v, depth+1) })
	return out, err
}
