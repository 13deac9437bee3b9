package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

var errNotAValue = errors.New("the result is not a value")

// decide evaluates the policy without looking at the cache. An error is an
// *EvalError.
func (s *snapshot) decide(ctx context.Context, in *Input, deadline time.Duration) (*Decision, error) {
	v, err := eval(ctx, s.decision, in, deadline)
	if err != nil {
		return nil, err
	}
	return s.decided(v)
}

// decided reads the value of the decision, nil if it is undefined.
func (s *snapshot) decided(v ast.Value) (*Decision, error) {
	d := &Decision{Mode: ModeEnforce, Reasons: []Reason{{Rule: "undefined", Message: "the policy makes no decision here"}}}
	if v != nil {
		var err error
		if d, err = decodeDecision(v); err != nil {
			return nil, &EvalError{Kind: EvalInvalid, Err: err}
		}
	}
	d.Revision = s.revision
	return d, nil
}

// eval returns nil if the query is undefined.
func eval(parent context.Context, q rego.PreparedEvalQuery, in *Input, deadline time.Duration, opts ...rego.EvalOption) (ast.Value, error) {
	ctx, cancel := context.WithTimeout(parent, deadline)
	defer cancel()
	results, err := q.Eval(ctx, append(opts, rego.EvalParsedInput(in.value()))...)
	if err == nil {
		// A result that came late is as good as none: what was interrupted might
		// have been swallowed.
		err = ctx.Err()
	}
	switch {
	case err == nil:
	case parent.Err() != nil:
		return nil, &EvalError{Kind: EvalCanceled, Err: err}
	case topdown.IsCancel(err) || ctx.Err() != nil:
		return nil, &EvalError{Kind: EvalDeadline, Err: fmt.Errorf("after %s: %w", deadline, err)}
	default:
		return nil, &EvalError{Kind: EvalFailed, Err: err}
	}
	if len(results) == 0 {
		return nil, nil
	}
	if len(results) > 1 || len(results[0].Expressions) != 1 {
		return nil, &EvalError{Kind: EvalInvalid, Err: errNotAValue}
	}
	v, ok := results[0].Expressions[0].Value.(ast.Value)
	if !ok {
		return nil, &EvalError{Kind: EvalInvalid, Err: errNotAValue}
	}
	return v, nil
}
