package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// field is a part of the input that a cache key holds or does not hold as a whole.
type field uint

const (
	fieldVersion field = iota
	fieldPhase
	fieldTime
	fieldUserID
	fieldUserName
	fieldUserSource
	fieldUserGroups
	fieldGlobalRole
	fieldProjectRole
	fieldAuthMethod
	fieldAuthMFA
	fieldAuthAge
	fieldSessionID
	fieldClientAddress
	fieldApplication
	fieldTLS
	fieldGrant
	fieldProject
	fieldDatasource
	fieldEngine
	fieldEnvironment
	fieldDatabase
	fieldReadOnly
	fieldHasStatement // whether there is one; read with any field of it
	fieldClass
	fieldVerbs
	fieldComplete
	fieldFingerprint
	fieldTables
	fieldFunctions
	numFields
)

// fieldPaths are the paths of the fields below input.
func fieldPaths() [numFields]string {
	return [numFields]string{"version", "phase", "time", "user.id", "user.name", "user.source", "user.groups",
		"user.roles.global", "user.roles.project", "user.auth.method", "user.auth.mfa", "user.auth.age_seconds",
		"session.id", "session.client_address", "session.application", "session.tls", "session.grant",
		"target.project", "target.datasource", "target.engine", "target.environment", "target.database", "target.read_only",
		"statement", "statement.class", "statement.verbs", "statement.complete", "statement.fingerprint",
		"statement.tables", "statement.functions"}
}

// reads is the set of fields that a policy is able to read.
type reads uint64

func (r reads) has(f field) bool { return r&(1<<f) != 0 }

// cacheable says that decisions can be kept: a policy that reads the clock
// decides anew each time.
func (r reads) cacheable() bool { return !r.has(fieldTime) && !r.has(fieldAuthAge) }

// paths lists the fields for people.
func (r reads) paths() []string {
	var list []string
	for f, path := range fieldPaths() {
		if r.has(field(f)) {
			list = append(list, path)
		}
	}
	return list
}

// add notes a read of everything at, under and above path.
func (r *reads) add(path string) {
	for f, p := range fieldPaths() {
		if path == "" || p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(path, p+".") {
			*r |= 1 << f
		}
	}
}

// readsOf finds what evaluating ref can read of the input: every reference to
// input in a rule that ref can reach, cut where it stops being constant. Input
// as a whole, and input replaced by "with", count as everything.
func readsOf(c *ast.Compiler, ref ast.Ref) reads {
	a := readAnalysis{compiler: c, seen: map[*ast.Rule]bool{}}
	a.ref(ref)
	return a.reads
}

type readAnalysis struct {
	compiler *ast.Compiler
	seen     map[*ast.Rule]bool
	reads    reads
}

func (a *readAnalysis) ref(ref ast.Ref) {
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		a.reads.add(inputPath(ref))
	case ref[0].Equal(ast.DefaultRootDocument):
		for _, rule := range a.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true}) {
			a.rule(rule)
		}
	}
}

func (a *readAnalysis) rule(rule *ast.Rule) {
	if a.seen[rule] {
		return
	}
	a.seen[rule] = true
	a.walk(rule)
}

func (a *readAnalysis) walk(x any) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			a.ref(x)
			if _, name := x[0].Value.(ast.Var); !name {
				a.walk(x[0])
			}
			for _, term := range x[1:] {
				a.walk(term)
			}
			return true
		case ast.Var:
			if x.Equal(ast.InputRootDocument.Value) {
				a.reads.add("")
			}
			if x.Equal(ast.DefaultRootDocument.Value) {
				a.ref(ast.DefaultRootRef)
			}
		}
		return false
	}).Walk(x)
}

// inputPath is the constant prefix of a reference below input, "" for input
// itself.
func inputPath(ref ast.Ref) string {
	var parts []string
	for _, term := range ref[1:] {
		s, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		parts = append(parts, string(s))
	}
	return strings.Join(parts, ".")
}

// cacheKey identifies all inputs that look the same to a policy.
type cacheKey [sha256.Size]byte

// key digests the fields that r holds. Values carry their lengths, so that no
// two inputs share a key by running into each other.
func (r reads) key(in *Input) cacheKey {
	var room [4096]byte
	buf := room[:0]
	for f := range numFields {
		if r.has(f) {
			buf = appendField(buf, in, f)
		}
	}
	return sha256.Sum256(buf)
}

func appendField(b []byte, in *Input, f field) []byte {
	switch {
	case f < fieldSessionID:
		return appendUserField(b, in, f)
	case f < fieldHasStatement:
		return appendPlaceField(b, in, f)
	case in.Statement == nil:
		return append(b, 0)
	}
	return appendStatementField(append(b, 1), in.Statement, f)
}

func appendUserField(b []byte, in *Input, f field) []byte {
	switch f {
	case fieldVersion:
		return binary.AppendVarint(b, int64(in.Version))
	case fieldPhase:
		return appendText(b, string(in.Phase))
	case fieldTime:
		return binary.AppendVarint(b, in.Time.Unix())
	case fieldUserID:
		return appendText(b, in.User.ID)
	case fieldUserName:
		return appendText(b, in.User.Name)
	case fieldUserSource:
		return appendText(b, in.User.Source)
	case fieldUserGroups:
		return appendTexts(b, in.User.Groups)
	case fieldGlobalRole:
		return appendText(b, in.User.Roles.Global)
	case fieldProjectRole:
		return appendText(b, in.User.Roles.Project)
	case fieldAuthMethod:
		return appendText(b, in.User.Auth.Method)
	case fieldAuthMFA:
		return appendBool(b, in.User.Auth.MFA)
	case fieldAuthAge:
		return binary.AppendVarint(b, in.User.Auth.AgeSeconds)
	}
	panic("policy: unknown field of the user")
}

func appendPlaceField(b []byte, in *Input, f field) []byte {
	switch f {
	case fieldSessionID:
		return appendText(b, in.Session.ID)
	case fieldClientAddress:
		return appendText(b, in.Session.ClientAddress)
	case fieldApplication:
		return appendText(b, in.Session.Application)
	case fieldTLS:
		return appendBool(b, in.Session.TLS)
	case fieldGrant:
		if in.Session.Grant == nil {
			return append(b, 0)
		}
		return appendText(append(b, 1), *in.Session.Grant)
	case fieldProject:
		return appendText(b, in.Target.Project)
	case fieldDatasource:
		return appendText(b, in.Target.Datasource)
	case fieldEngine:
		return appendText(b, in.Target.Engine)
	case fieldEnvironment:
		return appendText(b, in.Target.Environment)
	case fieldDatabase:
		return appendText(b, in.Target.Database)
	case fieldReadOnly:
		return appendBool(b, in.Target.ReadOnly)
	}
	panic("policy: unknown field of session or target")
}

func appendStatementField(b []byte, s *Statement, f field) []byte {
	switch f {
	case fieldHasStatement:
		return b
	case fieldClass:
		return appendText(b, s.Class)
	case fieldVerbs:
		return appendTexts(b, s.Verbs)
	case fieldComplete:
		return appendBool(b, s.Complete)
	case fieldFingerprint:
		return appendText(b, s.Fingerprint)
	case fieldTables:
		return appendTables(b, s.Tables)
	case fieldFunctions:
		b = binary.AppendUvarint(b, uint64(len(s.Functions)))
		for i := range s.Functions {
			b = appendText(b, s.Functions[i].Schema)
			b = appendText(b, s.Functions[i].Name)
			b = appendBool(b, s.Functions[i].Safe)
		}
		return b
	}
	panic("policy: unknown field of a statement")
}

func appendTables(b []byte, tables []Table) []byte {
	b = binary.AppendUvarint(b, uint64(len(tables)))
	for i := range tables {
		t := &tables[i]
		b = appendText(b, t.Schema)
		b = appendText(b, t.Name)
		b = appendText(b, t.Kind)
		b = appendTexts(b, t.Access)
		b = binary.AppendUvarint(b, uint64(len(t.Columns)))
		for j := range t.Columns {
			b = appendText(b, t.Columns[j].Name)
			b = appendTexts(b, t.Columns[j].Tags)
			b = appendTexts(b, t.Columns[j].Uses)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendBool(b []byte, x bool) []byte {
	if x {
		return append(b, 1)
	}
	return append(b, 0)
}
