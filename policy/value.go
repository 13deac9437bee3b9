package policy

import (
	"encoding/json"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

const timeLayout = "2006-01-02T15:04:05Z"

func timeText(t time.Time) string { return t.UTC().Format(timeLayout) }

// MarshalJSON writes the input as policy sees it: empty lists instead of null,
// UTC with whole seconds.
func (in Input) MarshalJSON() ([]byte, error) {
	v := in.value()
	x, err := ast.JSON(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(x)
}

// value builds the document directly; going through JSON costs several times
// as much.
func (in *Input) value() ast.Value {
	statement := ast.NullTerm()
	if in.Statement != nil {
		statement = ast.NewTerm(in.Statement.value())
	}
	return object(
		"version", ast.InternedTerm(in.Version),
		"phase", text(string(in.Phase)),
		"time", text(timeText(in.Time)),
		"user", ast.NewTerm(in.User.value()),
		"session", ast.NewTerm(in.Session.value()),
		"target", ast.NewTerm(in.Target.value()),
		"statement", statement,
	)
}

func (u *User) value() ast.Value {
	return object(
		"id", text(u.ID),
		"name", text(u.Name),
		"source", text(u.Source),
		"groups", texts(u.Groups),
		"roles", ast.NewTerm(object("global", text(u.Roles.Global), "project", text(u.Roles.Project))),
		"auth", ast.NewTerm(object(
			"method", text(u.Auth.Method),
			"mfa", ast.InternedTerm(u.Auth.MFA),
			"age_seconds", ast.InternedTerm(u.Auth.AgeSeconds),
		)),
	)
}

func (s *Session) value() ast.Value {
	grant := ast.NullTerm()
	if s.Grant != nil {
		grant = text(*s.Grant)
	}
	return object(
		"id", text(s.ID),
		"client_address", text(s.ClientAddress),
		"application", text(s.Application),
		"tls", ast.InternedTerm(s.TLS),
		"grant", grant,
	)
}

func (t *Target) value() ast.Value {
	return object(
		"project", text(t.Project),
		"datasource", text(t.Datasource),
		"engine", text(t.Engine),
		"environment", text(t.Environment),
		"database", text(t.Database),
		"read_only", ast.InternedTerm(t.ReadOnly),
	)
}

func (s *Statement) value() ast.Value {
	tables := make([]*ast.Term, len(s.Tables))
	for i := range s.Tables {
		tables[i] = ast.NewTerm(s.Tables[i].value())
	}
	functions := make([]*ast.Term, len(s.Functions))
	for i := range s.Functions {
		f := &s.Functions[i]
		functions[i] = ast.NewTerm(object("schema", text(f.Schema), "name", text(f.Name), "safe", ast.InternedTerm(f.Safe)))
	}
	return object(
		"class", text(s.Class),
		"verbs", texts(s.Verbs),
		"complete", ast.InternedTerm(s.Complete),
		"fingerprint", text(s.Fingerprint),
		"tables", ast.ArrayTerm(tables...),
		"functions", ast.ArrayTerm(functions...),
	)
}

func (t *Table) value() ast.Value {
	columns := make([]*ast.Term, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		columns[i] = ast.NewTerm(object("name", text(c.Name), "tags", texts(c.Tags), "uses", texts(c.Uses)))
	}
	return object(
		"schema", text(t.Schema),
		"name", text(t.Name),
		"kind", text(t.Kind),
		"access", texts(t.Access),
		"columns", ast.ArrayTerm(columns...),
	)
}

// object takes keys and *ast.Term values in turn.
func object(pairs ...any) ast.Value {
	items := make([][2]*ast.Term, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		items = append(items, [2]*ast.Term{ast.InternedTerm(pairs[i].(string)), pairs[i+1].(*ast.Term)})
	}
	return ast.NewObject(items...)
}

func text(s string) *ast.Term { return ast.InternedTerm(s) }

func texts(list []string) *ast.Term {
	terms := make([]*ast.Term, len(list))
	for i, s := range list {
		terms[i] = text(s)
	}
	return ast.ArrayTerm(terms...)
}
