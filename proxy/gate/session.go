package gate

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/weirdb/weir/audit"
	"github.com/weirdb/weir/auth"
	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/policy"
)

// Decider makes policy decisions. *policy.Engine is one.
type Decider interface {
	Decide(ctx context.Context, in *policy.Input) (*policy.Decision, error)
	Tags(project, datasource, database, schema, table, column string) []string
	// Epoch is the same as long as decisions on the same input are; nil where
	// they may change by themselves.
	Epoch() any
}

// Recorder keeps events; Append returns when the event is kept, Post before it
// is, and calls lost if it cannot be. Both bound their own waits.
// *audit.Journal is one.
type Recorder interface {
	Append(ctx context.Context, e *audit.Event) error
	Post(ctx context.Context, e *audit.Event, lost func(error)) error
}

// Options make a Gate.
type Options struct {
	Policy  Decider
	Journal Recorder
	Metrics *Metrics
	Logger  *slog.Logger
}

// Gate judges for all sessions of a process. It is safe for concurrent use.
type Gate struct {
	policy  Decider
	journal Recorder
	metrics *Metrics
	log     *slog.Logger
}

// New makes a gate.
func New(o Options) *Gate {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return &Gate{policy: o.Policy, journal: o.Journal, metrics: o.Metrics, log: o.Logger}
}

// Subject is who is connected to what.
type Subject struct {
	Identity    auth.Identity
	SessionID   string
	Address     net.Addr
	Application string
	TLS         bool
	Target      Target
	// Type gives a type of the target by its OID, for checking that a mask can
	// be expressed. An unknown type is masking.KindOther.
	Type func(oid uint32) masking.Type
}

// Target is a database behind weir.
type Target struct {
	Project, Datasource, Engine, Environment, Database string
	ReadOnly                                           bool
}

// Session judges the statements of one connection, one at a time.
type Session struct {
	gate    *Gate
	subject Subject
	user    policy.User
	client  policy.Session
	target  policy.Target
	number  atomic.Uint64 // statements judged
	opened  time.Time
	memo    memo
}

// Connect decides whether the subject may connect at all and records the
// login. The error is a *Denial.
func (g *Gate) Connect(ctx context.Context, s Subject) (*Session, error) {
	session := g.session(s)
	if d := outOfScope(&s); d != nil {
		return nil, session.refuse(ctx, audit.KindLoginFailed, d, nil)
	}
	in := session.input(policy.PhaseConnect)
	decision, err := g.policy.Decide(ctx, in)
	if err != nil {
		return nil, session.refuse(ctx, audit.KindLoginFailed, failed(err), nil)
	}
	d := refusal(decision)
	if d != nil {
		d.Message = "connection to " + s.Target.Datasource + " is not allowed: " + d.Message
	} else {
		d = session.missing(decision.Require)
	}
	if d != nil && decision.Mode != policy.ModeObserve {
		return nil, session.refuse(ctx, audit.KindLoginFailed, d, decision)
	}
	e := session.event(audit.KindLogin)
	e.Decision = audit.DecisionAllow
	if d != nil {
		e.Decision, e.Rule, e.Reasons = audit.DecisionObserve, d.Rule, reasons(decision, d)
	}
	if err := g.record(ctx, e); err != nil {
		return nil, err
	}
	return session, nil
}

// outOfScope refuses a credential that was made for something else, whatever
// policy says.
func outOfScope(s *Subject) *Denial {
	c := s.Identity.Credential
	if c == nil {
		return nil
	}
	for _, scope := range []struct{ what, made, wanted string }{{"datasource", c.Datasource, s.Target.Datasource}, {"project", c.Project, s.Target.Project}} {
		if scope.made != "" && scope.made != scope.wanted {
			return &Denial{SQLState: insufficientPrivilege, Rule: "credential_scope", Message: fmt.Sprintf("connection to %s is not allowed: the credential %q is for %s %s alone", s.Target.Datasource, c.Name, scope.what, scope.made),
				Hint: "Use one that was made for this " + scope.what + ", or for all.", Pos: -1}
		}
	}
	return nil
}

// Rejected records a login that failed before anything was known of the person
// but the claimed name.
func (g *Gate) Rejected(ctx context.Context, s Subject, reason string) {
	e := g.session(s).event(audit.KindLoginFailed)
	e.Decision, e.Rule = audit.DecisionDeny, reason
	if err := g.record(ctx, e); err != nil {
		g.log.Error("failed login is not recorded", "error", err.Cause)
	}
}

// Close records that the connection ended and why.
func (s *Session) Close(reason string) {
	e := s.event(audit.KindLogout)
	e.Rule, e.Duration = reason, time.Since(s.opened)
	if err := s.gate.record(context.Background(), e); err != nil {
		s.gate.log.Error("logout is not recorded", "error", err.Cause)
	}
}

func (g *Gate) session(s Subject) *Session {
	id := s.Identity
	session := &Session{gate: g, subject: s, opened: time.Now()}
	session.user = policy.User{ID: id.ID, Name: id.Name, Source: id.Source, Groups: id.Groups,
		Roles: policy.Roles{Global: id.GlobalRole, Project: id.ProjectRoles[s.Target.Project]},
		Auth:  policy.Auth{Method: id.Method, MFA: id.MFA}}
	session.client = policy.Session{ID: s.SessionID, ClientAddress: host(s.Address), Application: s.Application, TLS: s.TLS}
	t := s.Target
	session.target = policy.Target{Project: t.Project, Datasource: t.Datasource, Engine: t.Engine,
		Environment: t.Environment, Database: t.Database, ReadOnly: t.ReadOnly}
	return session
}

func host(a net.Addr) string {
	if a == nil {
		return ""
	}
	if h, _, err := net.SplitHostPort(a.String()); err == nil {
		return h
	}
	return a.String()
}

// missing refuses a session that has not shown what policy requires, and a
// requirement that is not known.
func (s *Session) missing(require []string) *Denial {
	for _, name := range require {
		shown, hint := false, "ask the administrator"
		switch name {
		case policy.RequireMFA:
			shown, hint = s.user.Auth.MFA, "log in with a second factor"
		case policy.RequireTLS:
			shown, hint = s.client.TLS, "connect with sslmode=require or stronger"
		case policy.RequireGrant:
			shown, hint = s.client.Grant != nil, "ask for a time-boxed grant"
		}
		if !shown {
			return &Denial{SQLState: insufficientPrivilege, Rule: "require",
				Message: "policy requires " + name + " here", Hint: hint, Pos: -1}
		}
	}
	return nil
}
