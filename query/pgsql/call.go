package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// A callSite is one call of a function, in whatever notation.
type callSite struct {
	schema, name string
	args         []value
	named        bool // some argument is given by name
	variadic     bool
	pos          int32
	field        bool // in the notation of a column
}

// call evaluates a function call with its aggregate and window clauses.
func (r *run) call(f *pg.FuncCall, sc *scope) value {
	site := callSite{pos: f.Location, variadic: f.FuncVariadic}
	site.schema, site.name = qualifiedName(f.Funcname)
	var extra value
	if f.AggFilter != nil {
		extra = derive(extra, r.expr(f.AggFilter, sc).with(query.UseFilter))
	}
	aggregate := f.AggStar || f.AggDistinct || f.AggWithinGroup || f.AggFilter != nil || len(f.AggOrder) > 0
	for _, n := range f.Args {
		if na := n.GetNamedArgExpr(); na != nil {
			site.named = true
		}
		v := r.expr(n, sc)
		if f.AggDistinct {
			v = v.with(query.UseDistinct)
		}
		site.args = append(site.args, v)
	}
	for _, o := range f.AggOrder {
		r.operatorNames(o.GetSortBy().GetUseOp(), -1)
		v := r.expr(o.GetSortBy().GetNode(), sc).with(query.UseOrder)
		if f.AggWithinGroup {
			site.args = append(site.args, v.with(query.UseAggregate))
			continue
		}
		extra = derive(extra, v)
	}
	if v, ok := r.columnNotation(f, site); ok {
		return v
	}
	if site.name == "set_config" && (site.schema == "" || site.schema == "pg_catalog") {
		r.setConfig(f, site)
	}
	chosen := r.candidates(&site)
	if v, ok := r.sizeOf(f, site, chosen, sc); ok {
		r.function(query.Function{Schema: "pg_catalog", Name: site.name, Safe: true, Pos: r.offset(site.pos)})
		r.rec.fails("function " + site.name)
		return v
	}
	for _, c := range chosen {
		aggregate = aggregate || c.Kind == 'a'
	}
	use := query.Use(0)
	switch {
	case f.Over != nil:
		use = query.UseWindow
		extra = derive(extra, r.window(f.Over, sc))
	case aggregate:
		use = query.UseAggregate
		sc.aggregates = true
	}
	if use != 0 {
		r.aggregated(f, chosen, site.args, sc)
	}
	if use != 0 {
		for i := range site.args {
			site.args[i] = site.args[i].with(use)
		}
		extra = extra.with(use)
	}
	v := r.applyTo(site, chosen, sc)
	if len(extra.deps) == 0 && len(extra.gaps) == 0 {
		return v
	}
	out := derive(v, extra).typed(v.typ)
	out.composite = v.composite
	return out
}

// columnNotation is col(t): a field of a row in the notation of a function.
func (r *run) columnNotation(f *pg.FuncCall, site callSite) (value, bool) {
	if site.schema != "" || len(site.args) != 1 || site.named || f.Over != nil || f.AggStar || f.AggDistinct {
		return value{}, false
	}
	v := site.args[0]
	if v.row == nil && v.composite == nil && r.compositeOf(v.typ) == nil {
		return value{}, false
	}
	fields, _ := r.fields(v)
	for _, c := range fields {
		if c.name == site.name {
			if len(r.candidates(&site)) == 0 {
				return c.value.at(r.here(site.pos), false), true
			}
			return value{}, false
		}
	}
	return value{}, false
}

func qualifiedName(names []*pg.Node) (schema, name string) {
	switch n := len(names); n {
	case 0:
		return "", ""
	case 1:
		return "", names[0].GetString_().GetSval()
	default:
		return names[n-2].GetString_().GetSval(), names[n-1].GetString_().GetSval()
	}
}

func (r *run) apply(site callSite, sc *scope) value {
	return r.applyTo(site, r.candidates(&site), sc)
}

// applyTo evaluates a call of one of several functions that it may mean.
func (r *run) applyTo(site callSite, chosen []*Function, sc *scope) value {
	if len(chosen) == 0 {
		r.rec.fails("function " + site.name)
		if !site.field && len(site.args) == 1 {
			if t := r.typeNamed(site.schema, site.name); t != nil && !site.named {
				return r.convert(site.args[0], t.OID, site.pos)
			}
		}
		name := site.name
		if site.schema != "" {
			name = site.schema + "." + name
		}
		if site.field {
			r.mistake(site.pos, "42703", `column "`+name+`" does not exist`, name)
		} else {
			r.mistake(site.pos, "42883", "function "+name+" with such arguments does not exist", name)
		}
		r.write("function", name, site.pos)
		v := derive(site.args...).with(query.UseCall)
		r.use(v, query.UseCall)
		return v.typed(oidRecord)
	}
	var out value
	for i, f := range chosen {
		v := r.callOne(site, f)
		if i == 0 {
			out = v
			continue
		}
		typ, composite, row := out.typ, out.composite, out.row
		out = derive(out, v)
		if typ == v.typ {
			out.typ = typ
		}
		if composite == v.composite && row == nil {
			out.composite = composite
		}
	}
	return out
}

// result types the value of a call.
func (r *run) result(f *Function, site callSite, args value) value {
	if out := f.outputs(); len(out) > 1 || len(out) == 1 && f.Returns == oidRecord {
		item := &rangeItem{}
		for _, o := range out {
			item.cols = append(item.cols, column{o.name, args.changed().typed(o.typ)})
		}
		v := item.wholeRow()
		v.deps, v.gaps = mergeDeps(v.deps, args.deps), mergeGaps(v.gaps, args.gaps)
		v.typ = f.Returns
		return v
	}
	v := args.typed(f.Returns)
	v.out = f.outName()
	if polymorphic(f.Returns) {
		v.typ = r.polymorphicResult(f, site)
		for i, t := range f.Args {
			if t == oidAnyElement && i < len(site.args) && v.typ == site.args[i].typ && site.args[i].row != nil {
				v.composite = site.args[i].row.relation
			}
		}
	}
	return v
}

// outName is the name of the only OUT, INOUT or TABLE column, if it has one.
func (f *Function) outName() string {
	name, n := "", 0
	for i, m := range f.ArgModes {
		if m == 'o' || m == 'b' || m == 't' {
			n++
			if i < len(f.ArgNames) {
				name = f.ArgNames[i]
			}
		}
	}
	if n != 1 {
		return ""
	}
	return name
}

type outColumn struct {
	name string
	typ  uint32
}

// outputs are the OUT, INOUT and TABLE columns of a function.
func (f *Function) outputs() []outColumn {
	var out []outColumn
	for i, m := range f.ArgModes {
		if m != 'o' && m != 'b' && m != 't' {
			continue
		}
		c := outColumn{}
		if i < len(f.ArgNames) {
			c.name = f.ArgNames[i]
		}
		if c.name == "" {
			c.name = "column" + itoa(len(out)+1)
		}
		if i < len(f.AllArgs) {
			c.typ = f.AllArgs[i]
		}
		out = append(out, c)
	}
	return out
}

// setConfig notes a call of set_config: a setting if it is constant, else an
// unknown change.
func (r *run) setConfig(f *pg.FuncCall, site callSite) {
	if len(f.Args) == 3 && !site.named {
		name, value, local := constantText(f.Args[0]), f.Args[1].GetAConst(), f.Args[2]
		isLocal, ok := constantBool(local)
		if name != nil && value != nil && ok && r.depth == 0 {
			s := Setting{Name: lowerASCII(*name), Local: isLocal}
			if text := value.GetSval(); text != nil {
				s.Value = text.Sval
			}
			r.setting(s, site.pos)
			return
		}
	}
	for _, a := range site.args {
		r.use(a, query.UseWrite)
	}
	r.move("set", "a setting", site.pos)
	r.write("set", "a setting that is not a constant", site.pos)
	if r.stmt != nil {
		r.stmt.Changes |= ChangeSettings | ChangeUnknown
	}
	*r.volatile = *r.volatile || r.depth > 0
}

func constantText(n *pg.Node) *string {
	if c := n.GetTypeCast(); c != nil {
		n = c.Arg
	}
	if s := n.GetAConst().GetSval(); s != nil {
		return &s.Sval
	}
	return nil
}

func constantBool(n *pg.Node) (bool, bool) {
	if b := n.GetAConst().GetBoolval(); b != nil {
		return b.Boolval, true
	}
	if c := n.GetTypeCast(); c != nil {
		if s := constantText(c.Arg); s != nil {
			switch lowerASCII(*s) {
			case "t", "true", "on", "1", "yes":
				return true, true
			case "f", "false", "off", "0", "no":
				return false, true
			}
		}
		return constantBool(c.Arg)
	}
	if s := n.GetAConst().GetSval(); s != nil {
		return s.Sval == "t" || s.Sval == "true" || s.Sval == "on", true
	}
	return false, false
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
