package policy

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"time"
)

// statementInput is a read of public.users by somebody in groups, on the demo's
// datasource.
func statementInput(name string, groups ...string) *Input {
	return &Input{
		Version: InputVersion, Phase: PhaseStatement, Time: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
		User: User{
			ID: "local|" + name, Name: name, Source: "local", Groups: groups,
			Roles: Roles{Global: "member", Project: "viewer"}, Auth: Auth{Method: "scram-sha-256"},
		},
		Session: Session{ID: "s1", ClientAddress: "10.1.2.3", Application: "psql", TLS: true},
		Target:  Target{Project: "demo", Datasource: "shop", Engine: "postgresql", Environment: "production", Database: "shop"},
		Statement: &Statement{
			Class: "read", Verbs: []string{"SELECT"}, Complete: true, Fingerprint: "f",
			Tables: []Table{{Schema: "public", Name: "users", Kind: "table", Access: []string{"select"}, Columns: []Column{
				{Name: "id", Uses: []string{"output"}},
				{Name: "email", Tags: []string{"pii.email"}, Uses: []string{"output"}},
			}}},
		},
	}
}

func openEngine(t testing.TB, o Options) *Engine {
	t.Helper()
	if o.Deadline == 0 {
		o.Deadline = 5 * time.Second // the machine may be busy; deadlines have a test of their own
	}
	e, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func decide(t testing.TB, e *Engine, in *Input) *Decision {
	t.Helper()
	d, err := e.Decide(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// folder makes a policy folder of names and texts in turn.
func folder(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i+1 < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func wantEvalError(t *testing.T, err error, kind EvalKind) {
	t.Helper()
	var e *EvalError
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("error %v, want an EvalError of kind %s", err, kind)
	}
}
