package gate

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/policy"
	"github.com/weirdb/weir/query"
)

// record keeps an event. What cannot be kept must not happen: the error is a denial.
func (g *Gate) record(ctx context.Context, e *audit.Event) *Denial {
	if err := g.journal.Append(context.WithoutCancel(ctx), e); err != nil {
		g.metrics.unrecorded()
		return &Denial{SQLState: ioError, Rule: "journal", Pos: -1, Cause: err,
			Message: "the audit journal cannot be written; statements are refused until it can",
			Hint:    "Ask the administrator: the log has the cause."}
	}
	return nil
}

// refuse records a refused login and returns its denial.
func (s *Session) refuse(ctx context.Context, kind audit.Kind, d *Denial, decision *policy.Decision) error {
	e := s.event(kind)
	e.Decision, e.Rule, e.SQLState = audit.DecisionDeny, d.Rule, d.SQLState
	e.Reasons = reasons(decision, d)
	if err := s.gate.record(ctx, e); err != nil {
		s.gate.log.Error("refused login is not recorded", "error", err.Cause)
	}
	return d
}

// refuseStatement records a denial. If that fails, the journal's own denial is
// given instead: the statement is refused either way.
func (s *Session) refuseStatement(ctx context.Context, number uint64, stmt Statement, v *verdict, d *Denial) error {
	e := s.statementEvent(audit.KindDenial, number, stmt, v)
	e.Decision, e.Rule, e.SQLState = audit.DecisionDeny, d.Rule, d.SQLState
	e.Reasons = reasons(v.decision, d)
	if err := s.gate.record(ctx, e); err != nil {
		return err
	}
	return d
}

func reasons(decision *policy.Decision, d *Denial) []audit.Reason {
	out := []audit.Reason{{Rule: d.Rule, Message: d.Message}}
	if decision == nil {
		return out
	}
	for _, r := range decision.Reasons {
		if r.Message != d.Message {
			out = append(out, audit.Reason{Rule: r.Rule, Message: r.Message})
		}
	}
	return out
}

func (s *Session) event(kind audit.Kind) *audit.Event {
	id, t := &s.subject.Identity, &s.target
	e := &audit.Event{Kind: kind, SessionID: s.subject.SessionID, UserID: id.ID, UserName: id.Name, UserSource: id.Source,
		Groups: id.Groups, AuthMethod: id.Method, MFA: id.MFA, Application: s.subject.Application, TLS: s.subject.TLS,
		Project: t.Project, Datasource: t.Datasource, Engine: t.Engine, Database: t.Database}
	if s.subject.Address != nil {
		e.ClientAddress = s.subject.Address.String()
	}
	return e
}

func (s *Session) statementEvent(kind audit.Kind, number uint64, stmt Statement, v *verdict) *audit.Event {
	f := stmt.Facts
	e := s.event(kind)
	e.Statement, e.Text, e.Level = number, stmt.SQL, audit.LevelFull
	if r := v.ticket.Rewritten; r != nil {
		e.RewrittenText = r.SQL
		for _, n := range r.Rewrite.Relations {
			for _, c := range n.Constants {
				e.Masks = append(e.Masks, audit.Mask{Column: n.Schema + "." + n.Table + "." + c.Column, Function: constantMask})
			}
		}
	}
	e.Class, e.Verbs, e.Fingerprint = string(f.Class), f.Verbs, f.Fingerprint
	for i := range f.Tables {
		t := &f.Tables[i]
		name := t.Schema + "." + t.Name
		e.Tables = append(e.Tables, name)
		for j := range t.Columns {
			e.Columns = append(e.Columns, name+"."+t.Columns[j].Name)
		}
	}
	for _, m := range v.ticket.Masks {
		c := m.Column
		e.Masks = append(e.Masks, audit.Mask{Column: c.Schema + "." + c.Table + "." + c.Column, Function: m.Spec.Function})
	}
	e.Decision = audit.DecisionAllow
	if v.observed != nil {
		e.Decision, e.Rule = audit.DecisionObserve, v.observed.Rule
		e.Reasons = reasons(v.decision, v.observed)
	} else if v.decision != nil {
		for _, r := range v.decision.Reasons {
			e.Reasons = append(e.Reasons, audit.Reason{Rule: r.Rule, Message: r.Message})
		}
	}
	wanted := ""
	if v.decision != nil && v.decision.Audit != nil {
		wanted = v.decision.Audit.Level
		e.Level = level(wanted)
	}
	if wanted == policy.AuditStatement || wanted != policy.AuditMetadata && secret(f.Verbs, stmt.SQL) {
		stmt.shaped(e)
	}
	return e
}

// shaped records the statement without its literals, if that can be had.
func (stmt *Statement) shaped(e *audit.Event) {
	e.Level = audit.LevelHash
	if stmt.Shape == nil {
		return
	}
	if text := stmt.Shape(); text != "" {
		e.Text, e.RewrittenText, e.Level = text, "", audit.LevelFull
	}
}

// passwordText finds the clauses that hold passwords. It looks at the text
// because a statement that is not read has no verbs.
var passwordText = regexp.MustCompile(`(?i)\bidentified\b|\b\w*password\b\W*(?:[=('$]|[a-z]&?')|\bset\W+password\b`)

// comments are what may stand between the words of such a clause. What MySQL
// runs of them stays.
var comments = regexp.MustCompile(`(?s)/\*(?:M?!\d*)?|\*/|(?:--|#)[^\n]*`)

// plainComment is a whole comment that nobody runs.
var plainComment = regexp.MustCompile(`(?s)/\*\*/|/\*(?:[^!M]|M[^!]).*?\*/`)

// secret says that a statement's literals may be passwords, which no journal holds.
func secret(verbs []string, text string) bool {
	return mentionsPassword(text) || slices.ContainsFunc(verbs, func(v string) bool {
		return strings.HasSuffix(v, " ROLE") || strings.HasSuffix(v, " USER") || strings.HasSuffix(v, " USER MAPPING") ||
			strings.HasSuffix(v, " SUBSCRIPTION") || strings.HasSuffix(v, " SERVER")
	})
}

// mentionsPassword is asked of every statement, and most have neither word.
func mentionsPassword(text string) bool {
	if !containsFold(text, "password") && !containsFold(text, "identified") {
		return false
	}
	return passwordText.MatchString(text) || passwordText.MatchString(comments.ReplaceAllString(plainComment.ReplaceAllString(text, " "), " "))
}

// containsFold finds a lower-case word of ASCII in any case.
func containsFold(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// constantMask is how the journal names a mask where the whole statement saw a
// constant in the column's place.
const constantMask = "constant"

// level is the journal's level for a policy's. What is not known records most.
func level(policyLevel string) audit.Level {
	switch policyLevel {
	case policy.AuditMetadata, policy.AuditStatement:
		return audit.LevelHash
	}
	return audit.LevelFull
}

func (s *Session) finish(number uint64, f *query.Facts, start time.Time, o Outcome) {
	e := s.event(audit.KindStatementOutcome)
	e.Statement, e.Class, e.Verbs = number, string(f.Class), f.Verbs
	e.Rows, e.Bytes, e.Duration, e.SQLState = o.Rows, o.Bytes, time.Since(start), o.SQLState
	switch {
	case o.Aborted:
		e.ErrorClass = "client_gone"
	case o.SQLState != "":
		e.ErrorClass = "upstream_error"
	}
	s.gate.metrics.finished(string(f.Class), e.Duration)
	if err := s.gate.journal.Post(context.Background(), e, s.gate.lost); err != nil {
		s.gate.lost(err)
	}
}

// lost reports an outcome that is not recorded. Nothing can be refused for it:
// it has happened, and its intent is on record.
func (g *Gate) lost(err error) {
	g.metrics.unrecorded()
	g.log.Error("statement outcome is not recorded", "error", err)
}
