package policy

import "fmt"

// EvalKind says why an evaluation failed.
type EvalKind string

// The kinds of failed evaluation.
const (
	EvalDeadline EvalKind = "deadline" // the policy ran longer than Options.Deadline
	EvalCanceled EvalKind = "canceled" // the caller's context ended
	EvalFailed   EvalKind = "failed"   // Rego reported an error
	EvalInvalid  EvalKind = "invalid"  // the decision is not one
)

// EvalError is a decision that could not be made. It is a denial: whoever gets
// one refuses the statement. Its text is for the log; a client is told Public.
type EvalError struct {
	Kind EvalKind
	Err  error
}

func (e *EvalError) Error() string { return fmt.Sprintf("evaluate policy: %s: %v", e.Kind, e.Err) }

func (e *EvalError) Unwrap() error { return e.Err }

// Public is the message for the client; it quotes nothing of the policy.
func (e *EvalError) Public() string {
	if e.Kind == EvalDeadline {
		return "the policy did not decide in time"
	}
	return "the policy could not decide"
}
