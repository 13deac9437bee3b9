package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

const maxFollow = 8 // functions in one another

// follow evaluates the body of a function in SQL as if it were a view with
// parameters. It says no where the body is not one plain query, or where
// something that the catalog does not hold changes its meaning.
func (r *run) follow(f *Function, site callSite) (value, bool) {
	if f.Language != "sql" || f.Body == "" || f.Kind != 'f' || len(f.Settings) > 0 || f.Variadic || site.named ||
		len(site.args) != len(f.Args) || r.depth >= maxFollow {
		return value{}, false
	}
	sel := bodyQuery(f.Body)
	if sel == nil || sel.IntoClause != nil || len(sel.LockingClause) > 0 {
		return value{}, false
	}
	sub := *r
	sub.depth++
	sub.hidden = true
	sub.pending = false
	sub.rec = nil
	sc := &scope{params: &params{owner: f.Name, names: f.inputNames()}}
	for _, a := range site.args {
		sc.params.values = append(sc.params.values, a.changed().typed(a.typ))
	}
	for i := range sc.params.values {
		// The body sees the declared type; a row stays a row.
		if i < len(f.Args) && !polymorphic(f.Args[i]) {
			sc.params.values[i].typ = f.Args[i]
		}
		sc.params.values[i].row = site.args[i].row
	}
	before := len(r.acc.scattered)
	cols := sub.selectStmt(sel, sc)
	if len(r.acc.scattered) > before {
		r.acc.byOrder = true // it gives the first row, and can fail
	}
	if len(cols) > 1 { // one that is not read is computed with the others
		for _, c := range cols {
			sub.computed(c)
		}
	}
	return r.followed(f, cols), true
}

// followed is the value of a followed function by its result columns.
func (r *run) followed(f *Function, cols []column) value {
	names := f.outputs()
	if len(names) == 0 {
		if rel := r.compositeOf(f.Returns); rel != nil {
			for _, c := range rel.Columns {
				names = append(names, outColumn{c.Name, c.Type})
			}
		}
	}
	if len(names) == 0 || len(names) == 1 && f.Returns != oidRecord && len(cols) == 1 {
		var v value
		for _, c := range cols {
			v = derive(v, c.value)
		}
		if f.Returns == oidRecord {
			item := &rangeItem{}
			for _, c := range cols {
				item.cols = append(item.cols, column{c.name, c.value.changed().typed(c.value.typ)})
			}
			v = item.wholeRow()
		}
		return v.typed(f.Returns)
	}
	item := &rangeItem{}
	var all value
	for _, c := range cols {
		all = derive(all, c.value)
	}
	for i, n := range names {
		v := all
		if len(cols) == len(names) {
			v = cols[i].value.changed()
		}
		item.cols = append(item.cols, column{n.name, v.typed(n.typ)})
	}
	v := item.wholeRow()
	v.typ = f.Returns
	return v
}

// bodyQuery is the one SELECT of a function's body, nil if it is anything else.
func bodyQuery(body string) *pg.SelectStmt {
	body = strings.TrimSpace(body)
	switch {
	case strings.HasPrefix(body, "RETURN "):
		body = "SELECT " + strings.TrimPrefix(body, "RETURN ")
	case strings.HasPrefix(body, "BEGIN ATOMIC"):
		body = strings.TrimSuffix(strings.TrimPrefix(body, "BEGIN ATOMIC"), "END")
	}
	return parseSelect(body)
}

// inputNames are the names of the parameters that a call gives values to.
func (f *Function) inputNames() []string {
	if len(f.ArgModes) == 0 {
		return f.ArgNames
	}
	var names []string
	for i, m := range f.ArgModes {
		if (m == 'i' || m == 'b' || m == 'v') && i < len(f.ArgNames) {
			names = append(names, f.ArgNames[i])
		}
	}
	return names
}

// operator evaluates an expression with an operator.
func (r *run) operator(x *pg.A_Expr, sc *scope) value {
	left, right := r.expr(x.Lexpr, sc), value{}
	list := x.Rexpr.GetList()
	if list != nil && x.Kind != pg.A_Expr_Kind_AEXPR_OP {
		v := left
		if between[x.Kind] {
			for _, name := range []string{"<", "<=", ">", ">="} {
				for _, n := range list.Items {
					v = derive(v, r.operate([]*pg.Node{stringNode(name)}, x.Location, left, r.expr(n, sc)))
				}
			}
			return v.changed().typed(oidBool)
		}
		for _, n := range list.Items {
			item := r.expr(n, sc)
			v = derive(v, r.operate(x.Name, x.Location, left, item))
		}
		return v.changed().typed(oidBool)
	}
	right = r.expr(x.Rexpr, sc)
	if x.Kind == pg.A_Expr_Kind_AEXPR_OP && x.Rexpr != nil && x.Lexpr == nil {
		return r.operate(x.Name, x.Location, value{typ: noOperand}, right)
	}
	r.rec.operator(x)
	v := r.operate(x.Name, x.Location, left, right)
	r.rec.operator(nil)
	switch x.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		return v
	case pg.A_Expr_Kind_AEXPR_NULLIF:
		return v.typed(left.typ)
	}
	return v.typed(oidBool)
}

var between = map[pg.A_Expr_Kind]bool{pg.A_Expr_Kind_AEXPR_BETWEEN: true, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN: true,
	pg.A_Expr_Kind_AEXPR_BETWEEN_SYM: true, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM: true}

// noOperand marks the missing left operand of a prefix operator.
const noOperand = ^uint32(0)

// operate evaluates an operator over two values.
func (r *run) operate(names []*pg.Node, pos int32, left, right value) value {
	schema, name := qualifiedName(names)
	v := derive(left, right)
	typ := uint32(0)
	rec := r.rec
	rec.operates(r, names, left, right)
	r.rec = nil // has seen it
	defer func() { r.rec = rec }()
	for _, op := range r.operators(schema, name, left, right, pos) {
		if typ == 0 {
			typ = op.Result
		} else if typ != op.Result {
			typ = oidUnknown
		}
		if op.OID < firstNormalOID && op.OID != 0 {
			continue
		}
		f := r.cat.FunctionByOID(op.Function)
		if f == nil {
			r.missing(pos, "operator "+name+" is not known", name)
			continue
		}
		args := []value{left, right}
		if left.typ == noOperand {
			args = args[1:]
		}
		v = derive(v, r.callOne(callSite{schema: f.Schema, name: f.Name, args: args, pos: pos}, f))
	}
	if typ == oidUnknown || polymorphic(typ) {
		typ = 0
	}
	return v.typed(typ)
}

// operatorNames checks operators that are named without known operands, as in
// ORDER BY … USING.
func (r *run) operatorNames(names []*pg.Node, pos int32) {
	if len(names) > 0 {
		r.operate(names, pos, value{}, value{})
	}
}

// cast evaluates a cast. To the same type it is nothing.
func (r *run) cast(x *pg.TypeCast, sc *scope) value {
	v := r.expr(x.Arg, sc)
	t := r.typeOf(x.TypeName)
	if len(x.TypeName.GetTypmods()) > 0 && len(v.deps) > 0 && t != oidVarchar && t != oidBpchar {
		r.rec.fails("a cast")
	}
	if t != 0 && t == v.typ && len(x.TypeName.GetTypmods()) == 0 && !v.literal {
		return v
	}
	return r.convert(v, t, x.Location)
}

// convert is a value in another type. Casts of users run functions.
func (r *run) convert(v value, t uint32, pos int32) value {
	source := v.typ
	literal := v.literal
	if !literal && len(v.deps) > 0 && !r.castCannotFail(source, t) {
		r.rec.fails("a cast")
	}
	out := v.changed().typed(t)
	if len(r.cat.Casts) > 0 {
		target := t
		for range 2 {
			for _, c := range r.cat.Casts {
				if c.Target != target || c.Function == 0 || source != 0 && source != c.Source && source != oidUnknown {
					continue
				}
				if literal && (source == oidUnknown || source == 0) {
					continue // a constant goes through the type's input function
				}
				if f := r.cat.FunctionByOID(c.Function); f != nil && f.OID >= firstNormalOID {
					out = derive(out, r.callOne(callSite{args: []value{v}, pos: pos}, f)).typed(t)
				}
			}
			if ty := r.cat.Types[target]; ty != nil && ty.Elem != 0 {
				target = ty.Elem
				if s := r.cat.Types[source]; s != nil && s.Elem != 0 {
					source = s.Elem
				}
				continue
			}
			break
		}
	}
	r.domainChecks(t, pos)
	return out
}

// domainChecks evaluates the constraints of a domain that a value is cast to:
// they may call functions.
func (r *run) domainChecks(t uint32, pos int32) {
	ty := r.cat.Types[t]
	for range 10 {
		if ty == nil || ty.Kind != 'd' {
			return
		}
		for _, c := range ty.Checks {
			sub := r.nested("")
			sub.pending = false
			rel := &Relation{Columns: []Column{{Name: "value", Attr: 1, Type: ty.Base}}}
			v, ok := sub.stored(rel, c)
			if !ok {
				r.gap(pos, "a constraint of type "+ty.Schema+"."+ty.Name+" could not be read")
			}
			sub.use(value{deps: withoutRelation(v.deps, 0), gaps: v.gaps}, query.UseFilter)
		}
		ty = r.cat.Types[ty.Base]
	}
}

func withoutRelation(deps []dep, rel uint32) []dep {
	var out []dep
	for _, d := range deps {
		if d.rel != rel {
			out = append(out, d)
		}
	}
	return out
}
