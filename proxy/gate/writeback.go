package gate

import (
	"fmt"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/query"
)

// writtenBack refuses to store what looks like a masked value where the real
// one stands: somebody edits a row as it was shown to them.
func (s *Session) writtenBack(stmt Statement, masks maskSet) *Denial {
	if len(masks) == 0 || s.subject.Type == nil {
		return nil
	}
	for i := range stmt.Facts.Assignments {
		a := &stmt.Facts.Assignments[i]
		m := masks[columnName{a.Schema, a.Table, a.Column}]
		if m == nil {
			continue
		}
		v := Value{Format: masking.Text}
		if a.Parameter > 0 {
			v = stmt.Values[a.Parameter]
		} else if a.Literal != nil {
			v.Bytes = []byte(*a.Literal)
		}
		if v.Bytes != nil && masking.Recognise(masking.Spec{Function: m.Function, Args: m.Args}, s.subject.Type(a.Type), v.Format, v.Bytes) {
			return s.looksMasked(a)
		}
	}
	return nil
}

func (s *Session) looksMasked(a *query.Assignment) *Denial {
	return &Denial{SQLState: insufficientPrivilege, Rule: "masked_value", Pos: a.Pos,
		Message: fmt.Sprintf("the value for %s looks like a masked one; writing it would destroy the real value", a.Column),
		Detail:  fmt.Sprintf("Rule masked_value: column %s.%s.%s is masked for %s.", a.Schema, a.Table, a.Column, s.user.Name),
		Hint:    "Leave the column out of the statement, or write a real value."}
}
