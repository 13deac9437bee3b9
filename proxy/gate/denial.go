package gate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

// SQLSTATEs of denials. MySQL sessions translate them to its own numbers.
const (
	insufficientPrivilege = "42501"
	ioError               = "58030"
)

// failed is the denial for a decision that could not be made.
func failed(err error) *Denial {
	d := &Denial{SQLState: insufficientPrivilege, Rule: "policy_error", Pos: -1, Cause: err,
		Message: "the policy could not decide", Hint: "Try again; if it persists, ask the administrator: the log has the cause."}
	if e := (*policy.EvalError)(nil); errors.As(err, &e) {
		d.Message = e.Public()
	}
	return d
}

// refusal turns a decision that does not allow into a denial, nil if it allows.
func refusal(decision *policy.Decision) *Denial {
	if decision.Allow {
		return nil
	}
	d := &Denial{SQLState: insufficientPrivilege, Rule: "policy", Pos: -1, Message: "denied by policy"}
	if len(decision.Reasons) > 0 {
		d.Message = decision.Reasons[0].Message
		d.Detail = "Rule: " + decision.Reasons[0].Rule + "."
		rest := make([]string, 0, len(decision.Reasons)-1)
		for _, r := range decision.Reasons[1:] {
			rest = append(rest, r.Message)
		}
		if len(rest) > 0 {
			d.Detail += " Also: " + strings.Join(rest, "; ") + "."
		}
	}
	return d
}

// unread is the denial of a statement that could not be analysed and that
// policy therefore refuses. What policy says of it is about every relation
// that it might touch, which the person need not know of.
func unread(f *query.Facts) *Denial {
	d := &Denial{SQLState: insufficientPrivilege, Rule: "incomplete", Pos: -1, Message: "the statement cannot be analysed",
		Detail: "Rule incomplete: what cannot be analysed needs a grant that is unrestricted.",
		Hint:   "Write it with plain columns, tables and built-in functions."}
	if len(f.Gaps) > 0 {
		d.Message += ": " + f.Gaps[0].Reason
		d.Pos = f.Gaps[0].Pos
	}
	return d
}

// mistake is the denial of a statement that the server would refuse as well,
// in the server's words; nil for any other.
func mistake(f *query.Facts) *Denial {
	if f.Complete || len(f.Gaps) == 0 || f.Gaps[0].Code == "" {
		return nil
	}
	g := f.Gaps[0]
	return &Denial{SQLState: g.Code, Rule: "mistake", Message: g.Reason, Pos: g.Pos}
}

// incomplete refuses a statement that might read masked columns unseen.
func (s *Session) incomplete(f *query.Facts) *Denial {
	d := &Denial{SQLState: insufficientPrivilege, Rule: "incomplete", Pos: -1,
		Message: fmt.Sprintf("the statement cannot be shown to keep masked columns from %s", s.user.Name),
		Detail:  "Rule incomplete: what cannot be analysed might read any column.",
		Hint:    "Write it with plain columns, tables and built-in functions."}
	if len(f.Gaps) > 0 {
		d.Message += ": " + f.Gaps[0].Reason
		d.Pos = f.Gaps[0].Pos
	}
	return d
}
