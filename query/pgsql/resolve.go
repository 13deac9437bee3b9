package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// candidates are the functions that a call may mean. One that matches the
// argument types exactly is the only one, as for the server; where types are
// not known every function that could take the arguments counts.
func (r *run) candidates(site *callSite) []*Function {
	all := r.cat.Functions(site.name)
	if len(all) == 0 {
		return nil
	}
	var out []*Function
	if site.schema != "" {
		for _, f := range all {
			if f.Schema == site.schema && r.accepts(f, site) {
				out = append(out, f)
			}
		}
		return r.coerced(exactOr(out, site), site)
	}
	if r.st.Stale {
		return nil
	}
	for _, s := range r.st.SearchPath {
		if s == r.st.TempSchema && s != "" {
			continue // the server does not look for functions there
		}
		for _, f := range all {
			if f.Schema == s && r.accepts(f, site) {
				out = append(out, f)
			}
		}
	}
	if site.field && len(out) == 0 {
		return nil
	}
	return r.coerced(exactOr(out, site), site)
}

// exactOr reduces candidates to the first exact match if there is one.
func exactOr(all []*Function, site *callSite) []*Function {
	if len(all) < 2 || site.named || site.variadic {
		return all
	}
	for _, f := range all {
		if len(f.Args) != len(site.args) {
			continue
		}
		exact := true
		for i, a := range site.args {
			if a.untyped() || a.typ == 0 || a.typ != f.Args[i] {
				exact = false
				break
			}
		}
		if exact {
			return []*Function{f}
		}
	}
	return all
}

// accepts reports whether a function could take the arguments of a call.
func (r *run) accepts(f *Function, site *callSite) bool {
	n := len(site.args)
	if f.Kind == 'p' && n <= len(f.ArgModes) {
		return true
	}
	if n < len(f.Args)-f.Defaults && !f.Variadic || n > len(f.Args) && !f.Variadic {
		return false
	}
	if site.named || f.Variadic || site.variadic {
		return true
	}
	for i, a := range site.args {
		if i < len(f.Args) && !r.coercible(a, f.Args[i]) {
			return false
		}
	}
	return true
}

// coercible reports whether a value could be passed where a type is wanted.
// It says yes whenever it does not know.
func (r *run) coercible(v value, want uint32) bool {
	if v.typ == want || v.typ == 0 || want == 0 || polymorphic(want) {
		return true
	}
	if v.untyped() {
		return true
	}
	if v.typ == noOperand {
		return false
	}
	from := r.baseType(v.typ)
	if from == r.baseType(want) {
		return true
	}
	if casts := r.cc.casts(); casts[[2]uint32{v.typ, want}] || casts[[2]uint32{from, want}] {
		return true
	}
	return r.implicit(from, r.baseType(want), want)
}

// implicit reports whether there may be an implicit cast between two types
// that are no domains (pg_cast of PostgreSQL 15 to 18).
func (r *run) implicit(from, to, want uint32) bool {
	if a, b := r.cat.Types[from], r.cat.Types[to]; a != nil && b != nil && a.Elem != 0 && b.Elem != 0 && a.Elem != from {
		return r.coercible(value{typ: a.Elem}, b.Elem)
	}
	if from == oidRecord || from == oidUnknown {
		return true
	}
	if from >= firstNormalOID || to >= firstNormalOID {
		if want == oidRecord {
			return r.compositeOf(from) != nil
		}
		return r.inherits(from, to)
	}
	if category(from) == oidText && to == oidRegclass {
		return true
	}
	return category(from) == category(to)
}

// inherits reports whether a row type is one of a child of another's table.
func (r *run) inherits(from, to uint32) bool {
	a, b := r.compositeOf(from), r.compositeOf(to)
	for range 20 {
		if a == nil || b == nil {
			return false
		}
		if a == b {
			return true
		}
		if len(a.Parents) == 0 {
			return false
		}
		if len(a.Parents) > 1 {
			return true
		}
		a = r.relationByOID(a.Parents[0])
	}
	return true
}

// category groups built-in types that convert into each other implicitly. A
// type without a group is one of its own.
func category(t uint32) uint32 {
	switch t {
	case 18, oidName, oidText, oidBpchar, oidVarchar:
		return oidText
	case oidInt8, 21, oidInt4, oidOID, 700, 701, oidNumeric, 24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191, 28, 5069:
		return oidNumeric
	case 1082, 1114, 1184:
		return 1184
	case 1083, 1266, 1186:
		return 1266
	case oidBit, 1562:
		return oidBit
	case 650, 869:
		return 869
	case 829, 774:
		return 829
	case 602, 604, 603, 718:
		return 603
	case 194, 3361, 3402, 5017: // stored trees and statistics
		return oidText
	}
	return t
}

const (
	oidAnyElement = 2283
	oidAnyArray   = 2277
	oidRegclass   = 2205
	// firstGenbkiOID is where the OIDs of objects begin that the server's
	// own scripts make (FirstGenbkiObjectId).
	firstGenbkiOID = 10000
)

// polymorphic reports whether a type stands for others.
func polymorphic(t uint32) bool {
	switch t {
	case 2276, 2277, oidAnyElement, 2776, 3500, 3831, 4537, 4538, 5077, 5078, 5079, 5080, 2249, 2287, 2281:
		return true
	}
	return false
}

// arrayOver maps the pseudo types for arrays to those of their elements.
var arrayOver = map[uint32]uint32{oidAnyArray: oidAnyElement, 5078: 5077}

// polymorphicResult is the result type that follows from the arguments, 0 if
// that takes more than looking at arrays and elements.
func (r *run) polymorphicResult(f *Function, site callSite) uint32 {
	if f.Returns == oidRecord {
		return oidRecord
	}
	for i, t := range f.Args {
		if i >= len(site.args) || site.args[i].literal || site.args[i].typ == 0 {
			continue
		}
		got := r.baseType(site.args[i].typ)
		switch {
		case t == f.Returns:
			if t == 5077 || t == 5078 { // the common type of several
				return 0
			}
			return got
		case arrayOver[t] == f.Returns && t != 0:
			if ty := r.cat.Types[got]; ty != nil {
				return ty.Elem
			}
			return 0
		case arrayOver[f.Returns] == t && t != 0, f.Returns == oidAnyArray && t == 2776:
			return r.arrayOf(got)
		}
	}
	return 0
}

// operators are the operators that an expression may mean. One that fits
// exactly is the only one (binary_oper_exact of the server); there an untyped
// constant takes the type of the other side.
func (r *run) operators(schema, name string, left, right value, pos int32) []*Operator {
	all := r.cat.Operators(name)
	path := r.st.SearchPath
	if schema != "" {
		path = []string{schema}
	}
	lt, rt := left.typ, right.typ
	switch {
	case lt == noOperand:
		lt = 0
	case left.untyped():
		lt = rt
	case right.untyped():
		rt = lt
	}
	var out []*Operator
	known := false
	for _, s := range path {
		for _, op := range all {
			if op.Schema == s && rt != 0 && op.Left == lt && op.Right == rt && (lt != 0 || left.typ == noOperand) {
				return []*Operator{op}
			}
			known = known || op.Schema == "pg_catalog" && (schema == "" || schema == "pg_catalog")
		}
	}
	for _, s := range path {
		for _, op := range all {
			if op.Schema == s && (op.Left == 0) == (left.typ == noOperand) &&
				(op.Left == 0 || r.coercible(left, op.Left)) && r.coercible(right, op.Right) {
				out = append(out, op)
				r.implicitCast(left, op.Left, pos)
				r.implicitCast(right, op.Right, pos)
			}
		}
	}
	if len(out) == 0 && !known && len(r.cat.operators) > 0 && !r.st.Stale {
		r.missing(pos, "operator "+name+" is not known", name)
	}
	return out
}

// untyped reports a constant or parameter that takes its type from the context.
func (v value) untyped() bool { return v.literal && (v.typ == 0 || v.typ == oidUnknown) }

// typeOf resolves a type's name, 0 if it is not known (and says so).
func (r *run) typeOf(t *pg.TypeName) uint32 {
	if t == nil || len(t.Names) == 0 {
		return 0
	}
	if t.PctType {
		return 0
	}
	schema, name := qualifiedName(t.Names)
	ty := r.typeNamed(schema, name)
	if ty == nil {
		if len(r.cat.Types) > 0 {
			r.mistake(t.Location, "42704", `type "`+name+`" does not exist`, name)
		}
		return 0
	}
	r.typeChecks(ty.OID, t.Location)
	if len(t.ArrayBounds) > 0 {
		return r.arrayOf(ty.OID)
	}
	return ty.OID
}

func (r *run) typeNamed(schema, name string) *Type {
	if schema != "" {
		if schema == r.st.TempSchema || schema == "pg_temp" {
			return r.tempType(name)
		}
		return r.cat.TypeNamed(schema, name)
	}
	for _, s := range r.st.SearchPath {
		if t := r.cat.TypeNamed(s, name); t != nil {
			return t
		}
		if s == r.st.TempSchema {
			if t := r.tempType(name); t != nil {
				return t
			}
		}
	}
	return nil
}

// tempType is the row type of a temporary relation.
func (r *run) tempType(name string) *Type {
	if rel := r.st.Temp[name]; rel != nil && rel.RowType != 0 {
		return &Type{OID: rel.RowType, Schema: rel.Schema, Name: name, Kind: 'c', Relation: rel.OID}
	}
	return nil
}

func (r *run) arrayOf(t uint32) uint32 {
	if t == 0 {
		return 0
	}
	return r.cc.arrays()[t]
}

// baseType follows domains to the type below.
func (r *run) baseType(t uint32) uint32 {
	if t < firstGenbkiOID {
		return t // none of those is a domain
	}
	for range 20 {
		ty := r.cat.Types[t]
		if ty == nil || ty.Kind != 'd' || ty.Base == 0 {
			return t
		}
		t = ty.Base
	}
	return t
}

// compositeOf is the relation whose rows a type describes.
func (r *run) compositeOf(t uint32) *Relation {
	if t == 0 {
		return nil
	}
	if ty := r.cat.Types[r.baseType(t)]; ty != nil && ty.Relation != 0 {
		return r.relationByOID(ty.Relation)
	}
	for _, rel := range r.st.Temp {
		if rel.RowType == t {
			return rel
		}
	}
	return nil
}

// partitionKey are the columns that decide which rows a partition holds, in
// the partition itself. A partitioned table as a whole holds all rows.
func (r *run) partitionKey(rel *Relation) []int16 {
	var out []int16
	for _, oid := range rel.Parents {
		parent := r.relationByOID(oid)
		if parent == nil || parent.Kind != 'p' {
			continue
		}
		for _, attr := range parent.partitionAttrs() {
			if c := parent.attribute(attr); c != nil {
				if own := rel.Column(c.Name); own != nil {
					out = append(out, own.Attr)
				}
			}
		}
		for _, attr := range r.partitionKey(parent) {
			if c := parent.attribute(attr); c != nil {
				if own := rel.Column(c.Name); own != nil {
					out = append(out, own.Attr)
				}
			}
		}
	}
	return out
}

// partitionAttrs is the partition key with every column in an expression's place.
func (rel *Relation) partitionAttrs() []int16 {
	if !slices.Contains(rel.PartitionKey, 0) {
		return rel.PartitionKey
	}
	out := make([]int16, len(rel.Columns))
	for i := range rel.Columns {
		out[i] = rel.Columns[i].Attr
	}
	return out
}

func displayName(schema, name string) string {
	if schema == "" {
		return name
	}
	return strings.Join([]string{schema, name}, ".")
}
