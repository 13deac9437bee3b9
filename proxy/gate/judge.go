package gate

import (
	"context"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

// Judge decides one statement. When it returns a ticket, the intent is in the
// journal and the statement may go upstream. The error is a *Denial, and is in
// the journal too.
func (s *Session) Judge(ctx context.Context, stmt Statement) (*Ticket, error) {
	start := time.Now()
	epoch := s.gate.policy.Epoch()
	known := s.memo.find(epoch, &stmt)
	if known == nil {
		v, denial := s.decide(ctx, stmt)
		if denial != nil {
			s.gate.metrics.decided(string(stmt.Facts.Class), denial, time.Since(start))
			return nil, s.refuseStatement(ctx, s.number.Add(1), stmt, v, denial)
		}
		known = &passed{ticket: v.ticket, event: *s.statementEvent(audit.KindStatementIntent, 0, stmt, v)}
		s.memo.keep(epoch, &stmt, known)
	}
	s.gate.metrics.decided(string(stmt.Facts.Class), nil, time.Since(start))
	number := s.number.Add(1)
	e := known.event
	e.Statement = number
	if err := s.gate.record(ctx, &e); err != nil {
		return nil, err
	}
	ticket := known.ticket
	t := &ticket
	t.done = func(o Outcome) { s.finish(number, stmt.Facts, start, o) }
	return t, nil
}

// Preview tells whether a statement that is only prepared or described now
// would be allowed, and what of it is to be prepared. It records refusals and
// nothing else; the error is a *Denial.
func (s *Session) Preview(ctx context.Context, stmt Statement) (*Ticket, error) {
	v, denial := s.decide(ctx, stmt)
	if denial == nil {
		return &v.ticket, nil
	}
	return nil, s.refuseStatement(ctx, s.number.Add(1), stmt, v, denial)
}

// verdict is what was found out about a statement.
type verdict struct {
	decision *policy.Decision // nil if policy was not asked or failed
	observed *Denial          // what observe mode did not enforce
	ticket   Ticket
}

// decide applies the rules in their order. The verdict is never nil.
func (s *Session) decide(ctx context.Context, stmt Statement) (*verdict, *Denial) {
	v := &verdict{ticket: original(stmt)}
	if d := s.readOnly(stmt.Facts); d != nil {
		return v, d
	}
	decision, err := s.ask(ctx, stmt)
	if err != nil {
		return v, failed(err)
	}
	v.decision = decision
	denial := s.enforce(ctx, stmt, decision, &v.ticket)
	if decision.Mode == policy.ModeObserve {
		v.observed = denial
		v.ticket = original(stmt) // nothing is masked or limited either
		return v, nil
	}
	if denial != nil {
		denial = s.withoutSizes(ctx, stmt, v, denial)
		denial = s.withoutOrder(ctx, stmt, v, denial)
	}
	return v, denial
}

// original is the ticket of a statement that runs as it is, or as the server
// already has it.
func original(stmt Statement) Ticket {
	t := Ticket{Facts: stmt.Facts}
	if stmt.Applied != nil && !stmt.Applied.Rewrite.Empty() {
		t.Facts, t.Rewritten = stmt.Applied.Facts, stmt.Applied
	}
	return t
}

func (s *Session) ask(ctx context.Context, stmt Statement) (*policy.Decision, error) {
	in := s.input(policy.PhaseStatement)
	in.Statement = s.statementInput(stmt)
	return s.gate.policy.Decide(ctx, in)
}

// readOnly refuses what may write to a read-only source, before policy is asked.
func (s *Session) readOnly(f *query.Facts) *Denial {
	if !s.target.ReadOnly || len(f.Writes) == 0 && f.Class != query.ClassUnknown {
		return nil
	}
	d := &Denial{SQLState: insufficientPrivilege, Rule: "read_only", Pos: -1,
		Message: s.target.Datasource + " is read-only: the statement might write",
		Hint:    "Only statements that certainly read are allowed here."}
	if len(f.Writes) > 0 {
		w := f.Writes[0]
		d.Pos = w.Pos
		d.Message = s.target.Datasource + " is read-only: " + w.Kind
		if w.Object != "" {
			d.Message += " " + w.Object
		}
		d.Message += " is refused"
	} else if len(f.Gaps) > 0 {
		d.Detail, d.Pos = f.Gaps[0].Reason, f.Gaps[0].Pos
	}
	return d
}

// enforce turns a decision into a ticket or a denial.
func (s *Session) enforce(ctx context.Context, stmt Statement, decision *policy.Decision, t *Ticket) *Denial {
	if d := s.permitted(stmt, decision); d != nil {
		return d
	}
	masks := maskIndex(decision.Masks)
	t.Restricted = len(masks) > 0 || len(decision.RowFilters) > 0
	if !stmt.Facts.Complete && t.Restricted {
		if own := mistake(stmt.Facts); own != nil {
			return own
		}
		return s.incomplete(stmt.Facts)
	}
	if d := s.writtenBack(stmt, masks); d != nil {
		return d
	}
	masks, d := s.rewrite(ctx, stmt, decision, masks, t)
	if d != nil {
		return d
	}
	if u := firstUse(t.Facts, masks, nil); u != nil {
		return s.stillUsed(stmt, masks, u)
	}
	if d := s.outputs(t.Facts, masks, t); d != nil {
		return d
	}
	t.Touched = t.Touched || touches(t.Facts, masks)
	if l := decision.Limits; l != nil {
		t.Rows, t.Timeout = l.Rows, time.Duration(l.Seconds)*time.Second
	}
	return nil
}

// permitted refuses what policy does not allow at all.
func (s *Session) permitted(stmt Statement, decision *policy.Decision) *Denial {
	if d := refusal(decision); d != nil {
		if own := mistake(stmt.Facts); own != nil {
			return own
		}
		if !stmt.Facts.Complete {
			return unread(stmt.Facts)
		}
		return d
	}
	return s.missing(decision.Require)
}

// Examine opens a session that records nothing and connects nobody, for Explain.
func (g *Gate) Examine(s Subject) *Session { return g.session(s) }

// Explain decides a statement as Judge does, and records nothing. The input is
// what policy was asked; the denial is nil where Judge would give the ticket.
func (s *Session) Explain(ctx context.Context, stmt Statement) (*policy.Input, *Ticket, *Denial) {
	v, denial := s.decide(ctx, stmt)
	in := s.input(policy.PhaseStatement)
	in.Statement = s.statementInput(stmt)
	return in, &v.ticket, denial
}
