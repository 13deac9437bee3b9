package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// Safety is what is known of a function beyond its name.
type Safety uint8

// The kinds. Only Pure, Session and Chance are safe: what they return depends on
// nothing that is protected but their arguments, and they have no effect.
const (
	Unknown Safety = iota // not listed: anything may happen
	Pure                  // depends on the arguments, and on settings of the session, alone
	Session               // tells of the session, the clock, definitions or the server as such
	Chance                // gives another value at each call
	Reads                 // tells of stored data, statistics or other sessions
	Runs                  // runs SQL, or waits for what others run
	Files                 // reads files of the server
	Writes                // changes sequences, locks or variables; tells nothing of data
)

// Safe reports whether a call adds nothing to what its arguments tell.
func (s Safety) Safe() bool { return s == Pure || s == Session || s == Chance }

func (s Safety) String() string {
	return [...]string{"unknown", "pure", "session", "chance", "reads", "runs", "files", "writes"}[s]
}

// FunctionSafety classifies a built-in function.
func FunctionSafety(name string) Safety { return builtinFunctions[name] }

// grammarNames are names that the grammar makes up for functions.
var grammarNames = map[string]string{ast.CharFunc: "char", ast.InsertFunc: "insert", ast.PasswordFunc: "password",
	ast.DateLiteral: "date", ast.TimeLiteral: "time", ast.TimestampLiteral: "timestamp", ast.JSONMemberOf: "member of"}

// call evaluates the call of a function that is not an aggregate.
func (r *run) call(x *ast.FuncCallExpr, sc *scope) value {
	name, pos := x.FnName.L, x.OriginTextPosition()
	if own, ok := grammarNames[name]; ok {
		name = own
	}
	switch name {
	case ast.NextVal, ast.LastVal, ast.SetVal:
		return r.sequence(x, name, sc)
	}
	var v value
	args := make([]value, len(x.Args))
	for i, n := range x.Args {
		args[i] = r.expr(n, sc)
		v = derive(v, args[i])
	}
	if x.Schema.O != "" {
		return r.storedFunction(x.Schema.O, x.FnName.O, v, pos)
	}
	safety, known := builtinFunctions[name]
	if !known {
		return r.storedFunction(r.st.Database, x.FnName.O, v, pos)
	}
	if r.cat.HasFunction(name) && len(r.cat.Routine(r.st.Database, name)) > 0 {
		r.gap(pos, "function "+name+" has the name of a stored function")
	}
	r.function(query.Function{Name: name, Safe: safety.Safe(), Pos: r.offset(pos)})
	brief := r.calls(x, name, args)
	out := r.builtin(x, name, safety, v, sc)
	out.short = brief
	return out
}

// builtin is the value of a built-in function's call.
func (r *run) builtin(x *ast.FuncCallExpr, name string, safety Safety, v value, sc *scope) value {
	pos := x.OriginTextPosition()
	switch safety {
	case Chance:
		// Rows take from one sequence in turn: RAND from its seeds, which a
		// session sets, UUID from the clock.
		sc.chance, r.acc.byOrder = true, true
	case Reads:
		r.gap(pos, "function "+name+" tells of stored data or other sessions")
	case Runs:
		r.gap(pos, "function "+name+" runs or waits for something")
	case Files:
		r.gap(pos, "function "+name+" reads files of the server")
		r.write("function", name, pos)
	case Writes:
		r.stores(v, "function", name, pos)
		r.acc.byOrder = true // what is locked is found locked by the next row
		if !sessionWrites[name] {
			r.write("function", name, pos)
		}
	}
	switch name {
	case "if", "ifnull", "nvl", "nvl2", "nullif", "coalesce", "elt", "interval", "field":
		v = v.with(query.UseFilter)
	case "last_insert_id":
		if len(x.Args) > 0 { // it sets what the next call and the OK packet tell
			r.stores(v, "set", "LAST_INSERT_ID", pos)
			r.acc.byOrder = true
		}
	case "any_value":
		r.acc.byOrder = true
	case "sysdate": // goes on while rows are read
		r.acc.byOrder = true
	case "rownum": // how many rows came before
		r.acc.byOrder, sc.chance = true, true
	case "current_role", "current_user", "current_date", "utc_date":
		if f := sc.findColumn(name); len(f.cols) > 0 && !r.cat.Server.MariaDB { // not reserved in every version
			r.gap(pos, name+" may be a column")
		}
	}
	if !safety.Safe() {
		v = v.with(query.UseCall)
	}
	return derive(v)
}

// storedFunction is a call of a user's function: stored, or loaded from a library.
func (r *run) storedFunction(schema, name string, args value, pos int) value {
	full := displayName(schema, name)
	safe := r.an.safe[foldName(full)]
	r.noise(false)
	if !safe {
		v, ok := r.followFunction(schema, name, args)
		if !ok {
			v, ok = r.runFunction(schema, name, args)
		}
		if ok {
			r.function(query.Function{Schema: schema, Name: name, Safe: true, Pos: r.offset(pos)})
			return v
		}
	}
	r.function(query.Function{Schema: schema, Name: name, Safe: safe, Pos: r.offset(pos)})
	if safe {
		return derive(args)
	}
	if f := r.cat.Routine(schema, name); len(f) == 0 {
		r.mistake(pos, "", "function "+full+" is not known", full)
	} else {
		r.gap(pos, "function "+full+" is not known to be safe")
	}
	r.write("function", full, pos)
	args = derive(args).with(query.UseCall)
	r.use(args, query.UseCall)
	return args
}

// sequence is NEXTVAL, LASTVAL or SETVAL. How often it runs is up to the rows.
func (r *run) sequence(x *ast.FuncCallExpr, name string, sc *scope) value {
	pos := x.OriginTextPosition()
	r.function(query.Function{Name: name, Pos: r.offset(pos)})
	for _, a := range x.Args {
		t, ok := a.(*ast.TableNameExpr)
		if !ok {
			r.stores(r.expr(a, sc), "sequence", "", pos)
			continue
		}
		rel := r.resolveRelation(t.Name)
		if rel == nil {
			continue
		}
		access := "select"
		if name != ast.LastVal {
			access = "update"
			r.write("sequence", rel.Schema+"."+rel.Name, pos)
		}
		r.acc.table(rel, !r.hidden, access)
		if rel.Kind != KindSequence {
			r.gap(pos, rel.Schema+"."+rel.Name+" is not a sequence")
		}
	}
	sc.chance = true
	r.acc.byOrder = true
	return value{}
}

// orderless are the aggregates whose result does not depend on the order of
// their input; of sums and averages, those over exact numbers, of the least and
// the greatest those of values that look different if they are.
var orderless = map[string]bool{"count": true, "min": true, "max": true, "bit_and": true, "bit_or": true, "bit_xor": true}

// exact says that adding up values gives the same in any order.
func exact(v value) bool {
	switch v.typ.Wire() {
	case TypeTiny, TypeShort, TypeInt24, TypeLong, TypeLongLong, TypeNewDecimal, TypeYear, TypeBit:
		return v.typ.Known()
	}
	return v.literal
}

func (r *run) aggregate(x *ast.AggregateFuncExpr, sc *scope) value {
	name, pos := strings.ToLower(x.F), x.OriginTextPosition()
	safe := aggregates[name]
	r.function(query.Function{Name: name, Safe: safe, Pos: r.offset(pos)})
	if !safe {
		r.gap(pos, "aggregate "+name+" is not known")
	}
	sc.aggregates = true
	var v value
	ordered := orderless[name]
	for i, a := range x.Args {
		e := r.expr(a, sc)
		switch name {
		case ast.AggFuncSum, ast.AggFuncAvg:
			ordered = exact(e)
			r.noise(r.kindOf(a, &e) == kindNumber)
		case ast.AggFuncMin, ast.AggFuncMax:
			ordered = !lumps(&e)
		}
		if sc.whole && !orderless[name] {
			r.acc.readAll(e)
		}
		if x.Distinct {
			e = e.with(query.UseDistinct)
		}
		if i == len(x.Args)-1 && name == ast.AggFuncGroupConcat {
			e = r.separator(a, e)
		}
		v = derive(v, e)
	}
	if x.Order != nil {
		for _, it := range x.Order.Items {
			v = derive(v, r.windowKey(it.Expr, sc).with(query.UseOrder))
		}
		ordered = ordered || r.orders(sc, x.Order.Items)
	}
	if name == ast.AggFuncGroupConcat { // which cuts what is too long, and says so
		r.noise(false)
	}
	if !ordered {
		r.acc.byOrder = true
	}
	return v.with(query.UseAggregate)
}

// separator is the last argument of GROUP_CONCAT, which is a constant.
func (r *run) separator(n ast.ExprNode, v value) value {
	if !constant(n) {
		r.gap(n.OriginTextPosition(), "the separator of GROUP_CONCAT is not a constant")
	}
	return v
}

// tieless are the window functions that give equal rows equal values.
var tieless = map[string]bool{"rank": true, "dense_rank": true, "percent_rank": true, "cume_dist": true}

func (r *run) windowCall(x *ast.WindowFuncExpr, sc *scope) value {
	name, pos := strings.ToLower(x.Name), x.OriginTextPosition()
	safe := aggregates[name] || windowFunctions[name]
	r.function(query.Function{Name: name, Safe: safe, Pos: r.offset(pos)})
	if !safe {
		r.gap(pos, "window function "+name+" is not known")
	}
	sc.windowed = true
	sc.keyless = sc.keyless || len(r.windowKeys(&x.Spec, sc)) == 0
	v := r.all(x.Args, sc)
	if x.Distinct {
		v = v.with(query.UseDistinct)
	}
	if !tieless[name] && !r.windowOrders(&x.Spec, sc) {
		r.acc.byOrder = true
	}
	return derive(v, r.window(&x.Spec, sc)).with(query.UseWindow)
}

// windowOrders says that the rows of a window come in one order only.
func (r *run) windowOrders(w *ast.WindowSpec, sc *scope) bool {
	return r.orders(sc, r.windowKeys(w, sc))
}

// windowKeys are the keys of a window and of those that it refers to.
func (r *run) windowKeys(w *ast.WindowSpec, sc *scope) (keys []*ast.ByItem) {
	for range maxDepth {
		if w == nil {
			break
		}
		if w.PartitionBy != nil {
			keys = append(keys, w.PartitionBy.Items...)
		}
		if w.OrderBy != nil {
			keys = append(keys, w.OrderBy.Items...)
		}
		next := w.Ref.O
		if w.OnlyAlias {
			next = w.Name.O
		}
		if next == "" {
			break
		}
		w = sc.findWindow(next)
	}
	return keys
}

// firstColumns uses those columns by which MariaDB orders rows for a window
// without keys: the first one of the select list that is not constant. Of a
// table that has one row all columns are, so that the first one of each counts.
func (r *run) firstColumns(cols []column, sc *scope) {
	if !sc.keyless || !r.cat.Server.MariaDB {
		return
	}
	seen := map[int32]bool{}
	for i := range cols {
		first, known := false, false
		for _, d := range cols[i].value.deps {
			if d.scan >= 0 {
				first, known = first || !seen[d.scan], true
				seen[d.scan] = true
			}
		}
		if first || !known {
			r.use(cols[i].value, query.UseWindow)
		}
	}
}
