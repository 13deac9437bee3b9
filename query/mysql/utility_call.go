package mysql

import (
	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// callProcedure analyses CALL. A procedure that is one query is followed; every
// other one has to be listed as safe.
func (r *run) callProcedure(at int) {
	t := r.text
	r.class(query.ClassCall, "CALL")
	r.stmt.Kind = KindCall
	r.plainResult()
	name, ok := t.name(at + 1)
	schema, i := r.st.Database, at+2
	for ok && t.is(i, ".") && i+1 < r.end() {
		schema = name
		name, ok = t.name(i + 1)
		i += 2
	}
	if !ok {
		r.unread(syntaxError("CALL cannot be read", -1))
		return
	}
	full := displayName(schema, name)
	if t.is(i, "(") && i+1 < r.end()-1 && t.is(r.end()-1, ")") {
		for _, e := range r.expressions(at, r.end(), []edit{{at, i + 1, "SELECT"}, {r.end() - 1, r.end(), ""}}) {
			v := r.expr(e, r.top())
			r.use(v, query.UseCall)
			if len(v.deps) > 0 {
				r.move("call", full, e.OriginTextPosition())
			}
		}
	}
	r.stmt.Changes |= ChangeVariables
	safe := r.an.safe[foldName(full)]
	followed := !safe && (r.vars == nil && r.follow(schema, name) || r.runProcedure(schema, name))
	r.function(query.Function{Schema: schema, Name: name, Safe: safe || followed, Pos: -1})
	if followed {
		return
	}
	r.stmt.Changes |= ChangeUnknown | ChangeCatalog | ChangeTemp
	r.write("call", full, -1)
	if !safe {
		r.gap(-1, "procedure "+full+" is not known to be safe")
	}
}

// body reads the body of the one routine of a name and kind, if it is one
// statement that begins with a word. Nil if it cannot be followed.
func (r *run) body(schema, name string, procedure bool, word string) (*Routine, *text) {
	var f *Routine
	for _, c := range r.cat.Routine(schema, name) {
		if c.Procedure == procedure {
			if f != nil {
				return nil, nil
			}
			f = c
		}
	}
	// Temporary tables hide those that the body names.
	if f == nil || r.rewriting || f.Package || f.Body == "" || len(r.st.Temp) > 0 || f.SQLMode&(ModeForeign|ModeUnknown) != 0 || r.depth >= maxDepth {
		return nil, nil
	}
	st := &State{Database: f.Schema, SQLMode: f.SQLMode, ClientCharset: "utf8mb4"}
	rd := &reader{sql: f.Body, server: &r.cat.Server}
	t, terr := rd.next(st)
	if terr != nil || rd.pos < len(f.Body) || t.word(0) != word || t.hints || t.parameters() > 0 {
		return nil, nil
	}
	return f, t
}

// within is a run inside of a routine's body, and the scope of its parameters,
// which are made of a value. The server takes a name for a parameter first;
// here a column of the same name counts too.
func (r *run) within(f *Routine, t *text, v value) (*run, *scope) {
	sub := *r
	sub.text, sub.hidden = t, true
	sub.depth++
	sub.vars = nil
	sub.st = &State{Database: f.Schema, SQLMode: f.SQLMode, ClientCharset: "utf8mb4"}
	params := &rangeItem{columnsOnly: true, scan: -1, origin: origin{opaque: true}}
	for _, p := range f.Parameters {
		params.cols = append(params.cols, named(p.Name, v.typed(ParseType(p.Type))))
	}
	return &sub, &scope{items: []*rangeItem{params}}
}

// followFunction evaluates a stored function that does nothing but RETURN an
// expression, and reports whether it could.
func (r *run) followFunction(schema, name string, args value) (value, bool) {
	f, t := r.body(schema, name, false, "return")
	if f == nil || !r.spend(len(t.tokens)) {
		return value{}, false
	}
	n, terr := parse(t.print(1, len(t.tokens), []edit{{1, 1, "SELECT"}}), f.SQLMode)
	if terr != nil {
		return value{}, false
	}
	s, ok := n.(*ast.SelectStmt)
	if !ok || s.From != nil || s.Fields == nil || len(s.Fields.Fields) != 1 || s.Fields.Fields[0].Expr == nil {
		return value{}, false
	}
	sub, sc := r.within(f, t, derive(args))
	v := derive(sub.expr(s.Fields.Fields[0].Expr, sc), args)
	v.typ = ParseType(f.Returns)
	return v, !sc.chance
}

// follow evaluates the body of a procedure that is one query, and reports
// whether it could.
func (r *run) follow(schema, name string) bool {
	f, t := r.body(schema, name, true, "select")
	if f == nil {
		return false
	}
	edits, into := t.parametersOf(f)
	n, terr := parse(t.print(0, len(t.tokens), edits), f.SQLMode)
	if terr != nil {
		return false
	}
	sub, sc := r.within(f, t, value{literal: true})
	out := sub.query(n, sc)
	r.acc.anyOrder = r.acc.anyOrder || out.fixed
	if into == nil {
		r.returns(out.cols)
		return true
	}
	r.acc.into, r.acc.byOrder = true, true
	for i := range out.cols {
		r.stores(out.cols[i].value, "set", into[min(i, len(into)-1)], -1)
	}
	return true
}

// parametersOf finds INTO with parameters of a routine, and the edit that takes
// it out.
func (t *text) parametersOf(f *Routine) (edits []edit, into []string) {
	depth := 0
	for i := range t.tokens {
		switch {
		case t.is(i, "("):
			depth++
		case t.is(i, ")"):
			depth--
		case depth > 0 || t.word(i) != "into" || t.is(i-1, "."):
		default:
			j := i + 1
			for {
				name, ok := t.name(j)
				known := false
				for _, p := range f.Parameters {
					known = known || foldName(p.Name) == foldName(name)
				}
				if !ok || !known {
					return nil, nil
				}
				into = append(into, name)
				if j++; !t.is(j, ",") {
					return []edit{{i, j, ""}}, into
				}
				j++
			}
		}
	}
	return nil, nil
}
