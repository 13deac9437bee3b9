package random

import (
	"context"
	"slices"
	"strings"
)

// maxTries bounds the runs that making one session small may take.
const maxTries = 600

// shrink makes a session small while differs says that it still differs: it
// drops steps, simplifies how they are sent, and cuts their syntax trees.
func shrink(ctx context.Context, steps []Step, differs func([]Step) (bool, error)) ([]Step, error) {
	s := &shrinker{steps: steps, differs: differs, tried: map[string]bool{}}
	for _, pass := range []func(){s.drop, s.simplify, s.cut, s.drop} {
		if pass(); s.err != nil {
			return nil, s.err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return s.steps, nil
}

type shrinker struct {
	steps   []Step
	differs func([]Step) (bool, error)
	tries   int
	tried   map[string]bool // texts that do not differ
	err     error
}

// try keeps a smaller session if it still differs.
func (s *shrinker) try(steps []Step) bool {
	if s.err != nil || s.tries >= maxTries || len(steps) == 0 {
		return false
	}
	s.tries++
	ok, err := s.differs(steps)
	if err != nil {
		s.err = err
		return false
	}
	if ok {
		s.steps = steps
	}
	return ok
}

// drop removes runs of steps, long ones first. The last one differs and stays.
func (s *shrinker) drop() {
	s.try(s.steps[len(s.steps)-1:])
	for size := len(s.steps) / 2; size >= 1; size /= 2 {
		for at := len(s.steps) - 1 - size; at >= 0; {
			if !s.try(slices.Concat(s.steps[:at], s.steps[at+size:])) {
				at -= size
			} else {
				at = min(at, len(s.steps)-1-size)
			}
		}
	}
}

// simplify turns steps into plain queries.
func (s *shrinker) simplify() {
	for i := range s.steps {
		st := s.steps[i]
		if st.Pipe == nil {
			continue
		}
		sql, params := "", []*string(nil)
		for _, op := range st.Pipe {
			if op.Op == "parse" {
				sql = op.SQL
			}
			if op.Op == "bind" {
				params = op.Params
			}
		}
		for n := len(params); n >= 1; n-- {
			value := "NULL"
			if params[n-1] != nil {
				value = Literal(*params[n-1])
			}
			sql = strings.ReplaceAll(sql, "$"+digits(n)+"::", value+"::")
		}
		plain := st
		plain.Q, plain.Pipe = sql, nil
		s.replace(i, plain)
	}
}

func digits(n int) string {
	if n >= 10 {
		return string(rune('0'+n/10)) + string(rune('0'+n%10))
	}
	return string(rune('0' + n))
}

func (s *shrinker) replace(i int, st Step) bool {
	steps := slices.Clone(s.steps)
	steps[i] = st
	return s.try(steps)
}

// text is the SQL of a step, of the first statement in a pipeline.
func (st Step) text() string {
	if st.Pipe == nil {
		return st.Q
	}
	for _, op := range st.Pipe {
		if op.Op == "parse" {
			return op.SQL
		}
	}
	return ""
}

// with is the step with another text.
func (st Step) with(sql string) Step {
	if st.Pipe == nil {
		st.Q = sql
		return st
	}
	st.Pipe = slices.Clone(st.Pipe)
	for i := range st.Pipe {
		if st.Pipe[i].Op == "parse" {
			st.Pipe[i].SQL = sql
			break
		}
	}
	return st
}

// cut makes the statements of all steps smaller, the last step first.
func (s *shrinker) cut() {
	for i := len(s.steps) - 1; i >= 0; i-- {
		for again := true; again; {
			again = false
			for n := 0; ; {
				sql, ok := reduction(s.steps[i].text(), n)
				if !ok || s.tries >= maxTries || s.err != nil {
					break
				}
				if sql != "" && sql != s.steps[i].text() && !s.tried[sql] && s.replace(i, s.steps[i].with(sql)) {
					again = true
					continue
				}
				s.tried[sql] = true
				n++
			}
		}
	}
}
