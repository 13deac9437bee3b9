package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"
)

func TestReads(t *testing.T) {
	statement := "statement statement.class statement.verbs statement.complete statement.fingerprint statement.tables statement.functions"
	all := "version phase time user.id"
	for name, c := range map[string]struct{ rego, want string }{
		"nothing":        {`decision := {"allow": true}`, ""},
		"one field":      {`decision := {"allow": input.session.tls}`, "session.tls"},
		"brackets":       {`decision := {"allow": input["session"]["tls"]}`, "session.tls"},
		"iteration":      {`decision := {"allow": true} if input.user.groups[_] == "a"`, "user.groups"},
		"into tables":    {`decision := {"allow": true} if input.statement.tables[_].columns[_].tags[_] == "a"`, "statement statement.tables"},
		"whole object":   {`decision := {"allow": true} if { u := input.user; u.name == "a" }`, "user.id user.name user.source user.groups user.roles.global user.roles.project user.auth.method user.auth.mfa user.auth.age_seconds"},
		"dynamic key":    {`decision := {"allow": true} if { some k in ["class"]; input.statement[k] == "read" }`, statement},
		"dynamic root":   {`decision := {"allow": true} if { some k in ["user"]; input[k] != 1 }`, all},
		"whole input":    {`decision := {"allow": true} if count(input) > 3`, all},
		"walk":           {`decision := {"allow": true} if { walk(input, [_, "x"]) }`, all},
		"object.get":     {`decision := {"allow": object.get(input.target, "read_only", true)}`, "target.project target.datasource target.engine target.environment target.database target.read_only"},
		"function":       {"f(x) := x.name\ndecision := {\"allow\": f(input.user) == \"a\"}", "user.id user.name"},
		"inside rules":   {"p if q\nq if input.target.read_only\ndecision := {\"allow\": p}\nother if input.session.id == \"x\"", "target.read_only"},
		"else":           {"p := 1 if input.session.tls else := 2 if input.target.read_only\ndecision := {\"allow\": p == 1}", "session.tls target.read_only"},
		"default":        {"default p := false\np if input.session.tls\ndecision := {\"allow\": p}", "session.tls"},
		"dynamic rule":   {"p.a if input.session.tls\np.b if input.target.read_only\ndecision := {\"allow\": true} if { some k in [\"a\"]; data.weir.p[k] }", "session.tls target.read_only"},
		"comprehension":  {`decision := {"allow": count([x | x := input.user.groups[_]]) > 0}`, "user.groups"},
		"every":          {`decision := {"allow": true} if { every g in input.user.groups { g != input.user.name } }`, "user.name user.groups"},
		"with a part":    {"p if input.session.tls\ndecision := {\"allow\": true} if p with input.session.tls as true", "session.tls"},
		"with whole":     {"p if input.session.tls\ndecision := {\"allow\": true} if p with input as {\"session\": {\"tls\": true}}", all},
		"with data":      {"p if data.x.y\ndecision := {\"allow\": true} if p with data.x.y as input.session.tls", "session.tls"},
		"time":           {`decision := {"allow": time.parse_rfc3339_ns(input.time) > 0}`, "time"},
		"template":       {`decision := {"allow": sprintf("%v", [input.session.id]) != ""}`, "session.id"},
		"mocked builtin": {"f(_) := input.session.tls\ndecision := {\"allow\": true} if count([]) with count as f", "session.tls"},
	} {
		e, err := Open(context.Background(), regoPolicy(c.rego))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := strings.Join(e.Status().ReadsInput, " ")
		if ok := got == c.want || (c.want != "" && strings.HasPrefix(got, c.want) && (c.want == all || c.want == "user.id user.name")); !ok {
			t.Errorf("%s: reads %q, want %q", name, got, c.want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func cached(e *Engine) int { return e.current.Load().cache.Len() }

func TestCacheSharesAcrossSessions(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": true} if {
	"analysts" in input.user.groups
	every t in input.statement.tables { t.schema == "public" }
}`))
	for i := range 5 {
		in := statementInput(fmt.Sprint("user", i), "analysts")
		in.Session.ID, in.Session.ClientAddress = fmt.Sprint(i), fmt.Sprint("10.0.0.", i)
		in.Time = in.Time.Add(time.Hour)
		if !decide(t, e, in).Allow {
			t.Error("denied")
		}
	}
	if n := cached(e); n != 1 {
		t.Errorf("%d entries, want 1 for all sessions", n)
	}
}

func TestCacheKeepsApartWhatIsRead(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": input.session.client_address == "10.0.0.1"}`))
	for i := range 5 {
		in := statementInput("ana")
		in.Session.ClientAddress = fmt.Sprint("10.0.0.", i)
		if got := decide(t, e, in).Allow; got != (i == 1) {
			t.Errorf("address %d: %v", i, got)
		}
	}
	if n := cached(e); n != 5 {
		t.Errorf("%d entries, want 5", n)
	}
}

func TestCacheIsOffWhereTheClockIsRead(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": input.time < "2026-06-01"}`))
	if st := e.Status(); st.Cached {
		t.Errorf("%+v", st)
	}
	in := statementInput("ana")
	before := decide(t, e, in).Allow
	in.Time = in.Time.AddDate(1, 0, 0)
	if !before || decide(t, e, in).Allow {
		t.Error("the time of a decision was kept")
	}
}

func TestCacheIsBoundedAndDroppedOnReload(t *testing.T) {
	o := regoPolicy(`decision := {"allow": input.session.id != ""}`)
	o.CacheEntries = 8
	e := openEngine(t, o)
	for i := range 100 {
		in := statementInput("ana")
		in.Session.ID = fmt.Sprint(i)
		decide(t, e, in)
	}
	if n := cached(e); n != 8 {
		t.Errorf("%d entries, want 8", n)
	}
	if err := e.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := cached(e); n != 0 {
		t.Errorf("%d entries after a reload", n)
	}
}

func TestFailedDecisionIsNotCached(t *testing.T) {
	e := openEngine(t, regoPolicy(`decision := {"allow": to_number(input.user.name) > 0}`))
	for range 2 {
		_, err := e.Decide(context.Background(), statementInput("x"))
		wantEvalError(t, err, EvalFailed)
	}
	if n := cached(e); n != 0 {
		t.Errorf("%d entries", n)
	}
}

// TestKeyTellsLeavesApart changes every leaf of an input in turn: with everything
// read, each change is another key.
func TestKeyTellsLeavesApart(t *testing.T) {
	all := reads(1<<numFields - 1)
	seen := map[cacheKey]string{}
	note := func(name string, in *Input) {
		k := all.key(in)
		if other, dup := seen[k]; dup {
			t.Errorf("%s and %s share a key", name, other)
		}
		seen[k] = name
	}
	fresh := func() *Input {
		in := statementInput("ana", "a", "b")
		in.Statement.Functions = []Function{{"s", "f", false}}
		in.Statement.Verbs = []string{"A", "B"}
		return in
	}
	note("unchanged", fresh())
	for i := range leaves(reflect.ValueOf(fresh()).Elem()) {
		in := fresh()
		leaf := leaves(reflect.ValueOf(in).Elem())[i]
		change(leaf.value)
		note(leaf.path, in)
	}
	shift := fresh()
	shift.User.Groups = []string{"ab"}
	note("groups joined", shift)
	none := fresh()
	none.Statement = nil
	note("no statement", none)
}

type leaf struct {
	path  string
	value reflect.Value
}

func leaves(v reflect.Value) []leaf {
	if _, ok := v.Interface().(time.Time); ok {
		return []leaf{{"time", v}}
	}
	var out []leaf
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			for _, l := range leaves(v.Field(i)) {
				out = append(out, leaf{v.Type().Field(i).Name + "." + l.path, l.value})
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			for _, l := range leaves(v.Index(i)) {
				out = append(out, leaf{fmt.Sprint(i, ".", l.path), l.value})
			}
		}
	case reflect.Pointer:
		if v.IsNil() {
			return []leaf{{"", v}}
		}
		return leaves(v.Elem())
	default:
		out = append(out, leaf{"", v})
	}
	return out
}

func change(v reflect.Value) {
	if t, ok := v.Interface().(time.Time); ok {
		v.Set(reflect.ValueOf(t.Add(time.Second)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	default:
		panic("no change for " + v.Kind().String())
	}
}

// TestCachedDecisionsEqualFreshOnes asks one engine with and one without a cache
// the same random questions.
func TestCachedDecisionsEqualFreshOnes(t *testing.T) {
	policies := map[string]Options{
		"shipped": {},
		"address": regoPolicy(`decision := {"allow": startswith(input.session.client_address, "10."), "require": input.user.groups}`),
		"tables": regoPolicy(`decision := {"allow": true, "masks": [{"schema": t.schema, "table": t.name, "column": c.name, "function": f} |
	some t in input.statement.tables
	some c in t.columns
	some f in c.tags
]}`),
		"partial":  regoPolicy(`decision := {"allow": input.user.auth.mfa} if input.statement.class != "ddl"`),
		"indirect": regoPolicy("f(s) := s.tls\ndecision := {\"allow\": f(input.session), \"reasons\": [{\"rule\": \"r\", \"message\": input.target[k]} | some k in [\"project\", \"engine\"]; input.target[k] != \"\"]}"),
		"own deny": {FS: folder("p.yaml", "version: 1\nshipped: [masks]\ngrants: [{name: g, who: {groups: [a, b]}, allow: [read, write], unmasked: [pii.email], tables: ['public.*']}]\n",
			"own.rego", "package weir\n\ndeny contains {\"rule\": \"app\", \"message\": input.session.application} if input.session.application == \"b\"\n")},
	}
	for name, o := range policies {
		t.Run(name, func(t *testing.T) {
			cached := openEngine(t, o)
			o.CacheEntries = -1
			fresh := openEngine(t, o)
			rapid.Check(t, func(t *rapid.T) {
				in := randomInput(t)
				want, wantErr := fresh.Decide(context.Background(), in)
				for range 2 {
					got, err := cached.Decide(context.Background(), in)
					if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
						t.Fatalf("cached %+v %v, fresh %+v %v", got, err, want, wantErr)
					}
				}
			})
		})
	}
}

// randomInput draws from few values, so that inputs often agree in part.
func randomInput(t *rapid.T) *Input {
	word := rapid.SampledFrom([]string{"a", "b", "demo", "shop", "analysts", "administrators"})
	yes := rapid.Bool()
	words := func(label string) []string { return rapid.SliceOfN(word, 0, 2).Draw(t, label) }
	in := &Input{
		Version: 1, Phase: rapid.SampledFrom([]Phase{PhaseConnect, PhaseStatement}).Draw(t, "phase"),
		Time: time.Unix(rapid.Int64Range(0, 3).Draw(t, "time"), 0),
		User: User{
			ID: word.Draw(t, "id"), Name: word.Draw(t, "name"), Source: word.Draw(t, "source"), Groups: words("groups"),
			Roles: Roles{Global: word.Draw(t, "global"), Project: word.Draw(t, "role")},
			Auth:  Auth{Method: word.Draw(t, "method"), MFA: yes.Draw(t, "mfa"), AgeSeconds: rapid.Int64Range(0, 2).Draw(t, "age")},
		},
		Session: Session{
			ID: word.Draw(t, "session"), ClientAddress: rapid.SampledFrom([]string{"10.0.0.1", "192.168.0.1"}).Draw(t, "address"),
			Application: word.Draw(t, "application"), TLS: yes.Draw(t, "tls"),
		},
		Target: Target{
			Project: rapid.SampledFrom([]string{"demo", "x"}).Draw(t, "project"), Datasource: rapid.SampledFrom([]string{"shop", "y"}).Draw(t, "datasource"),
			Engine: "postgresql", Environment: word.Draw(t, "environment"), Database: word.Draw(t, "database"), ReadOnly: yes.Draw(t, "ro"),
		},
	}
	if in.Phase == PhaseConnect {
		return in
	}
	in.Statement = &Statement{
		Class: rapid.SampledFrom(classNames()).Draw(t, "class"), Verbs: words("verbs"),
		Complete: yes.Draw(t, "complete"), Fingerprint: word.Draw(t, "fingerprint"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "tables") {
		table := Table{
			Schema: rapid.SampledFrom([]string{"public", "hr"}).Draw(t, "schema"), Name: word.Draw(t, "table"), Kind: "table",
			Access: rapid.SliceOfN(rapid.SampledFrom([]string{"select", "update", "lock"}), 0, 2).Draw(t, "access"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "columns") {
			table.Columns = append(table.Columns, Column{
				Name: word.Draw(t, "column"), Uses: words("uses"),
				Tags: rapid.SliceOfN(rapid.SampledFrom([]string{"pii.email", "payment.card", "t"}), 0, 2).Draw(t, "tags"),
			})
		}
		in.Statement.Tables = append(in.Statement.Tables, table)
	}
	if yes.Draw(t, "function") {
		in.Statement.Functions = []Function{{Schema: "s", Name: word.Draw(t, "function name"), Safe: yes.Draw(t, "safe")}}
	}
	return in
}

// TestInputValueEqualsItsSchemaAndStruct compares the document that is built
// directly with the one that encoding/json makes of the struct.
func TestInputValueEqualsItsSchemaAndStruct(t *testing.T) {
	schema := compileSchema(t, InputSchema())
	rapid.Check(t, func(rt *rapid.T) {
		in := randomInput(rt)
		b, err := json.Marshal(in)
		if err != nil {
			rt.Fatal(err)
		}
		if err := validJSON(t, schema, b); err != nil {
			rt.Fatal(err)
		}
		var back Input
		if err := json.Unmarshal(b, &back); err != nil {
			rt.Fatal(err)
		}
		type plain Input
		direct, err := ast.InterfaceToValue(plain(back))
		if err != nil {
			rt.Fatal(err)
		}
		if direct.Compare(in.value()) != 0 {
			rt.Fatalf("encoding/json makes %s, weir %s", direct, in.value())
		}
	})
}

func TestEvalErrorIsQuietInPublic(t *testing.T) {
	err := &EvalError{Kind: EvalFailed, Err: errors.New("policy.rego:3: secret detail")}
	if strings.Contains(err.Public(), "secret") || !strings.Contains(err.Error(), "secret") {
		t.Error(err.Public(), err)
	}
	if !slices.Contains([]string{err.Public()}, (&EvalError{Kind: EvalInvalid}).Public()) {
		t.Error("the kinds can be told apart by the client")
	}
}

func TestEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		rego    string
		settled bool
	}{
		"settled":   {`decision := {"allow": input.session.tls}`, true},
		"the clock": {`decision := {"allow": time.parse_rfc3339_ns(input.time) > 0}`, false},
		"the age":   {`decision := {"allow": input.user.auth.age_seconds < 60}`, false},
	} {
		e, err := Open(context.Background(), regoPolicy(c.rego))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		first := e.Epoch()
		if (first != nil) != c.settled || first != e.Epoch() {
			t.Errorf("%s: epoch %v", name, first)
		}
		if err := e.Reload(context.Background()); err != nil {
			t.Fatal(err)
		}
		if c.settled && e.Epoch() == first {
			t.Errorf("%s: a new policy has the old epoch", name)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}
