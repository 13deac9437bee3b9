package main

import (
	"context"
	"fmt"
	"strings"
)

// expander replaces what a case cannot know: ${A:query} is a value of side a,
// ${oid:relation} an OID, ${PW} the analyst's password.
type expander struct {
	query    func(ctx context.Context, sql string) (string, error) // on side a
	password string
	known    map[string]string
}

func (e *expander) text(ctx context.Context, s string) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		end := closing(s[i+1:])
		if end < 0 {
			return "", fmt.Errorf("%q has no end", s[i:])
		}
		name := s[i+2 : i+1+end]
		value, err := e.value(ctx, name)
		if err != nil {
			return "", fmt.Errorf("${%s}: %w", name, err)
		}
		out.WriteString(s[:i])
		out.WriteString(value)
		s = s[i+end+2:]
	}
}

// closing is the index of the brace that closes the one at index 0, or -1.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (e *expander) value(ctx context.Context, name string) (string, error) {
	kind, rest, _ := strings.Cut(name, ":")
	var sql string
	switch kind {
	case "PW":
		return e.password, nil
	case "A":
		sql = rest
	case "oid":
		sql = fmt.Sprintf("SELECT '%s'::regclass::oid", strings.ReplaceAll(rest, "'", "''"))
	case "proc":
		sql = fmt.Sprintf("SELECT '%s'::regprocedure::oid", strings.ReplaceAll(rest, "'", "''"))
	default:
		return "", fmt.Errorf("unknown placeholder")
	}
	if v, ok := e.known[sql]; ok {
		return v, nil
	}
	v, err := e.query(ctx, sql)
	if err == nil {
		e.known[sql] = v
	}
	return v, err
}

// steps are those of the case with all placeholders replaced, and functions by
// their OIDs.
func (e *expander) steps(ctx context.Context, list []step) ([]step, error) {
	var first error
	text := func(s *string) *string {
		if s == nil {
			return nil
		}
		v, err := e.text(ctx, *s)
		if err != nil && first == nil {
			first = err
		}
		return &v
	}
	texts := func(list []*string) []*string {
		out := make([]*string, len(list))
		for i, s := range list {
			out[i] = text(s)
		}
		return out
	}
	out := make([]step, len(list))
	for i, s := range list {
		s.Q, s.X, s.Data, s.Params = text(s.Q), text(s.X), text(s.Data), texts(s.Params)
		if s.F != nil {
			oid, err := e.value(ctx, "proc:"+s.F.Func)
			if err != nil {
				return nil, fmt.Errorf("function %s: %w", s.F.Func, err)
			}
			s.F = &functionCall{Func: oid, Args: texts(s.F.Args), Format: s.F.Format}
		}
		pipe := make([]op, len(s.Pipe))
		for j, o := range s.Pipe {
			o.SQL, o.Params = *text(&o.SQL), texts(o.Params)
			pipe[j] = o
		}
		s.Pipe = pipe
		out[i] = s
	}
	return out, first
}
