package masking

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSteps bounds the steps of one path, maxPaths the paths of one mask.
const (
	maxSteps = 32
	maxPaths = 32
)

// step is one step of a path. Exactly one of its ways applies.
type step struct {
	key     string
	index   int  // of an array, if isIndex
	isIndex bool // [n]
	any     bool // .* and [*]: every member or element
	deep    bool // ..: at any depth below, key, index or any after that
}

// parsePath reads $ and then any of .key, ["key"], [n], [*], .* and ..key.
func parsePath(path string) ([]step, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, errors.New("a path begins with $")
	}
	var steps []step
	for rest != "" {
		if len(steps) == maxSteps {
			return nil, fmt.Errorf("a path has at most %d steps", maxSteps)
		}
		s := step{}
		var err error
		if after, ok := strings.CutPrefix(rest, ".."); ok {
			s.deep = true
			rest = "." + after
			if strings.HasPrefix(after, "[") {
				rest = after
			}
		}
		if rest[0] == '[' {
			rest, err = s.bracket(rest[1:])
		} else if rest[0] == '.' {
			rest, err = s.member(rest[1:])
		} else {
			err = fmt.Errorf("unexpected %q", rest)
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (s *step) member(rest string) (string, error) {
	end := strings.IndexAny(rest, ".[")
	if end < 0 {
		end = len(rest)
	}
	s.key = rest[:end]
	s.any = s.key == "*"
	if s.key == "" {
		return "", errors.New("an empty key; write it in brackets")
	}
	return rest[end:], nil
}

func (s *step) bracket(rest string) (string, error) {
	if strings.HasPrefix(rest, `"`) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return "", errors.New("a key in brackets is not closed")
		}
		s.key, err = strconv.Unquote(quoted)
		if err != nil || !strings.HasPrefix(rest[len(quoted):], "]") {
			return "", errors.New("a key in brackets is not closed")
		}
		return rest[len(quoted)+1:], nil
	}
	inside, after, ok := strings.Cut(rest, "]")
	if !ok {
		return "", errors.New("a bracket is not closed")
	}
	if inside == "*" {
		s.any = true
		return after, nil
	}
	n, err := strconv.ParseUint(inside, 10, 31)
	if err != nil {
		return "", fmt.Errorf("%q is not an index, * or a quoted key", inside)
	}
	s.index, s.isIndex = int(n), true
	return after, nil
}

// position says how far a path has come: its next step.
type position struct{ path, step uint8 }

// advance appends the positions below a member (key) or an element (key nil),
// each once: paths with several .. would otherwise double them at every depth.
func advance(dst []position, paths []jsonPath, from []position, key []byte, index int) []position {
	mark := len(dst)
	add := func(p position) {
		if !slices.Contains(dst[mark:], p) {
			dst = append(dst, p)
		}
	}
	for _, p := range from {
		steps := paths[p.path].steps
		if int(p.step) == len(steps) {
			continue
		}
		s := steps[p.step]
		if s.deep {
			add(p)
		}
		var hit bool
		switch {
		case s.any:
			hit = true
		case s.isIndex:
			hit = key == nil && s.index == index
		default:
			hit = key != nil && string(key) == s.key
		}
		if hit {
			add(position{p.path, p.step + 1})
		}
	}
	return dst
}
