package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

const oidRecordArray = 2287

// Which functions, operators and casts cannot fail and have no effect, whatever
// their arguments: the server's own that it calls leakproof, and some more that
// it does not, because they tell of their arguments by their time or result.

// steady are built-in functions that cannot fail: comparisons that are not
// declared leakproof, and plain string functions.
var steady = func() map[string]bool {
	out := map[string]bool{}
	for _, prefix := range []string{"numeric_", "bpchar", "network_", "interval_", "time_", "timetz_", "jsonb_", "macaddr_", "bit", "varbit"} {
		for _, op := range []string{"eq", "ne", "lt", "le", "gt", "ge", "cmp", "larger", "smaller"} {
			out[prefix+op] = true
		}
	}
	for _, pair := range [][2]string{{"date", "timestamp"}, {"date", "timestamptz"}, {"timestamp", "date"}, {"timestamptz", "date"},
		{"timestamp", "timestamptz"}, {"timestamptz", "timestamp"}} {
		for _, op := range []string{"eq", "ne", "lt", "le", "gt", "ge"} {
			out[pair[0]+"_"+op+"_"+pair[1]] = true
		}
	}
	for _, f := range []string{"lower", "upper", "length", "char_length", "character_length", "octet_length", "btrim", "ltrim", "rtrim",
		"left", "right", "starts_with", "enum_eq", "enum_ne", "enum_lt", "enum_le", "enum_gt", "enum_ge",
		"jsonb_contains", "jsonb_contained", "jsonb_exists", "jsonb_object_field_text", "jsonb_object_field",
		"jsonb_array_element", "jsonb_array_element_text",
		"array_eq", "array_ne", "array_lt", "array_le", "array_gt", "array_ge", "arraycontains", "arraycontained", "arrayoverlap",
		"unnest", "numeric_abs"} {
		out[f] = true
	}
	return out
}()

// cannotFail reports a function that cannot fail and has no effect. What an
// aggregate or window function computes comes after the conditions.
func cannotFail(f *Function) bool {
	if f.Kind == 'a' || f.Kind == 'w' {
		return f.OID < firstNormalOID
	}
	return f.OID < firstNormalOID && f.OID != 0 && f.Schema == "pg_catalog" && (f.Leakproof || steady[f.Name])
}

// operates notes an operator over two values.
func (rec *recording) operates(r *run, names []*pg.Node, left, right value) {
	if rec == nil {
		return
	}
	schema, name := qualifiedName(names)
	if rec.array {
		if t := r.cat.Types[r.baseType(right.typ)]; t != nil && t.Elem != 0 {
			right.typ = t.Elem
		}
	}
	ops := r.resolved(schema, name, left, right)
	rec.sameUnderPath(r, schema, name, left, right, ops)
	if rec.late && !rec.always {
		return
	}
	constant := len(left.deps) == 0 && len(right.deps) == 0 // tells nothing of a row
	if len(ops) == 0 && !constant {
		rec.fails("operator " + name)
	}
	for _, op := range ops {
		f := r.cat.FunctionByOID(op.Function)
		switch {
		case f != nil && constant && f.Volatile != 'v':
		case f == nil, !cannotFail(f) && !(rec.pattern && f.OID < firstNormalOID),
			!r.passes(left, op.Left), !r.passes(right, op.Right):
			rec.fails("operator " + name)
			return
		}
	}
}

// sameUnderPath refuses an operator in a stored text that would be another one
// under the path that the text is going to run under.
func (rec *recording) sameUnderPath(r *run, schema, name string, left, right value, ops []*Operator) {
	if rec.stored == nil || schema != "" || left.typ == 0 && right.typ == 0 && len(left.deps) == 0 && len(right.deps) == 0 {
		return
	}
	there := *r
	there.rec, there.acc = nil, newAccumulator()
	there.st = &State{SearchPath: rec.stored.path}
	if !slices.Equal(ops, there.resolved(schema, name, left, right)) {
		refuse(-1, "Set search_path without the schema of that operator.", "%s cannot be used: operator %s means another one under the session's search_path", rec.stored.what, name)
	}
}

// resolved are the operators that an expression may mean, fewer than operators
// gives: as for the server, a domain counts as its base type, varchar as the
// type that its operators are of, a constant as what it is compared with; and
// those that fit more exactly come first (func_select_candidate).
func (r *run) resolved(schema, name string, left, right value) []*Operator {
	plain := func(v value) value {
		if v.typ != noOperand {
			if v.typ = r.baseType(v.typ); v.typ == oidVarchar {
				v.typ = oidText
			}
		}
		return v
	}
	left, right = plain(left), plain(right)
	if left.literal && !right.literal && numeric[left.typ] && numeric[right.typ] {
		left.typ = right.typ
	}
	if right.literal && !left.literal && numeric[right.typ] && numeric[left.typ] {
		right.typ = left.typ
	}
	var best []*Operator
	most := -1
	for _, op := range r.operators(schema, name, left, right, -1) {
		n := 0
		if op.Left == left.typ {
			n++
		}
		if op.Right == right.typ {
			n++
		}
		if n > most {
			best, most = nil, n
		}
		if n == most {
			best = append(best, op)
		}
	}
	return best
}

var numeric = map[uint32]bool{oidInt4: true, oidInt8: true, oidNumeric: true, 21: true, 700: true, 701: true}

// passes reports a value that becomes an argument without a conversion that
// could fail.
func (r *run) passes(v value, want uint32) bool {
	return v.typ == noOperand || v.literal || r.castCannotFail(v.typ, want)
}

// castCannotFail reports a conversion between types that cannot fail.
func (r *run) castCannotFail(from, to uint32) bool {
	if from == 0 || to == 0 {
		return false
	}
	if from == to {
		return true
	}
	if ty := r.cat.Types[to]; ty != nil && ty.Kind == 'd' {
		return false // its constraints may
	}
	from = r.baseType(from)
	if from == to {
		return true
	}
	if polymorphic(to) { // not rows, whose columns may not be comparable
		return from < firstGenbkiOID && from != oidRecord && from != oidRecordArray
	}
	const int2, float4, float8 = 21, 700, 701
	switch to {
	case oidText, oidVarchar:
		switch from {
		case oidText, oidVarchar, oidBpchar, oidName, int2, oidInt4, oidInt8, oidBool, oidNumeric, float4, float8, 1082, 2950, oidOID:
			return true
		}
		return false
	case oidInt4:
		return from == int2
	case oidInt8:
		return from == int2 || from == oidInt4 || from == oidOID
	case oidNumeric, float4, float8:
		return from == int2 || from == oidInt4 || from == oidInt8 || from == float4 && to == float8
	case oidBpchar:
		return from == oidText || from == oidVarchar
	}
	return false
}

// oneRow reports a subquery that certainly gives one row at most.
func oneRow(n *pg.Node) bool {
	s := n.GetSelectStmt()
	if s == nil || s.Op != pg.SetOperation_SETOP_NONE {
		return false
	}
	if c := s.LimitCount.GetAConst(); c != nil && c.GetIval() != nil && c.GetIval().Ival <= 1 {
		return true
	}
	if len(s.FromClause) == 0 && len(s.ValuesLists) == 0 {
		return true
	}
	return len(s.GroupClause) == 0 && len(s.TargetList) == 1 && aggregates[lastFunction(s.TargetList[0].GetResTarget().GetVal())]
}

// aggregates are some that make one row of any number.
var aggregates = map[string]bool{"count": true, "max": true, "min": true, "sum": true, "avg": true}

func lastFunction(n *pg.Node) string {
	f := n.GetFuncCall()
	if f == nil || f.Over != nil {
		return ""
	}
	_, name := qualifiedName(f.Funcname)
	return name
}

// operator notes what operator comes next; nil for none.
func (rec *recording) operator(x *pg.A_Expr) {
	if rec == nil {
		return
	}
	rec.pattern, rec.array = false, false
	switch x.GetKind() {
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
		text := constantText(x.Rexpr)
		rec.pattern = text != nil && !strings.HasSuffix(*text, `\`)
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		rec.array = true
	}
}

// rowOperator notes a comparison of rows by an operator's name.
func (rec *recording) rowOperator(r *run, names []*pg.Node) {
	if rec == nil {
		return
	}
	rec.fails("a comparison of rows")
	schema, name := qualifiedName(names)
	if rec.stored == nil || schema != "" {
		return
	}
	for _, op := range r.cat.Operators(name) {
		if op.Schema != "pg_catalog" && contains(rec.stored.path, op.Schema) {
			refuse(-1, "Set search_path without schema "+op.Schema+".", "%s cannot be used: schema %s has an operator %s of its own", rec.stored.what, op.Schema, name)
		}
	}
}
