package pgsql

import (
	"strconv"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirdb/weir/query"
)

// OIDs of built-in types.
const (
	oidBool    = 16
	oidBytea   = 17
	oidName    = 19
	oidInt8    = 20
	oidInt4    = 23
	oidText    = 25
	oidOID     = 26
	oidTID     = 27
	oidXID     = 28
	oidJSON    = 114
	oidXML     = 142
	oidFloat4  = 700
	oidFloat8  = 701
	oidUnknown = 705
	oidBpchar  = 1042
	oidVarchar = 1043
	oidBit     = 1560
	oidNumeric = 1700
	oidRecord  = 2249
	// firstNormalOID is where the OIDs of user objects begin.
	firstNormalOID = 16384
)

func itoa(n int) string { return strconv.Itoa(n) }

// expr is the lineage of an expression.
func (r *run) expr(n *pg.Node, sc *scope) value {
	if n == nil || n.Node == nil || !r.spend(1) {
		return value{}
	}
	switch x := n.Node.(type) {
	case *pg.Node_ColumnRef:
		return r.columnRef(x.ColumnRef, sc)
	case *pg.Node_AConst:
		return constant(x.AConst)
	case *pg.Node_ParamRef:
		if p := sc.findParams(); p != nil {
			if i := int(x.ParamRef.Number) - 1; i >= 0 && i < len(p.values) {
				return p.values[i]
			}
		}
		return value{literal: true}
	case *pg.Node_FuncCall:
		if v, ok := r.inputTest(x.FuncCall, sc); ok {
			return v
		}
		return r.call(x.FuncCall, sc)
	case *pg.Node_AExpr:
		return r.operator(x.AExpr, sc)
	case *pg.Node_BoolExpr:
		return r.all(x.BoolExpr.Args, sc).typed(oidBool)
	case *pg.Node_TypeCast:
		return r.cast(x.TypeCast, sc)
	case *pg.Node_SubLink:
		return r.subLink(x.SubLink, sc)
	case *pg.Node_CaseExpr:
		return r.caseExpr(x.CaseExpr, sc)
	case *pg.Node_NullTest:
		return derive(r.expr(x.NullTest.Arg, sc)).typed(oidBool)
	case *pg.Node_BooleanTest:
		return derive(r.expr(x.BooleanTest.Arg, sc)).typed(oidBool)
	case *pg.Node_CoalesceExpr:
		return r.alike(x.CoalesceExpr.Args, sc)
	case *pg.Node_MinMaxExpr:
		r.operatorNames([]*pg.Node{stringNode("<")}, x.MinMaxExpr.Location)
		return r.alike(x.MinMaxExpr.Args, sc)
	case *pg.Node_AArrayExpr:
		v := r.alike(x.AArrayExpr.Elements, sc)
		return v.typed(r.arrayOf(v.typ))
	case *pg.Node_AIndirection:
		return r.indirection(r.expr(x.AIndirection.Arg, sc), x.AIndirection.Indirection, sc)
	case *pg.Node_CollateClause:
		v := r.expr(x.CollateClause.Arg, sc)
		v.source, v.attr = 0, 0
		if schema, _ := qualifiedName(x.CollateClause.Collname); schema != "pg_catalog" {
			r.acc.byOrder = true // it may not tell all values apart
		}
		return v
	}
	return r.exprMore(n, sc)
}

// exprMore continues expr with the rarer nodes.
func (r *run) exprMore(n *pg.Node, sc *scope) value {
	switch x := n.Node.(type) {
	case *pg.Node_RowExpr:
		return r.row(x.RowExpr, sc)
	case *pg.Node_List:
		return r.all(x.List.Items, sc)
	case *pg.Node_NamedArgExpr:
		return r.expr(x.NamedArgExpr.Arg, sc)
	case *pg.Node_ResTarget:
		return r.expr(x.ResTarget.Val, sc)
	case *pg.Node_SortBy:
		return r.expr(x.SortBy.Node, sc)
	case *pg.Node_MultiAssignRef:
		return r.expr(x.MultiAssignRef.Source, sc)
	case *pg.Node_SqlvalueFunction:
		return value{typ: sqlValueTypes[x.SqlvalueFunction.Op]}
	case *pg.Node_MergeSupportFunc:
		return value{typ: oidText}
	case *pg.Node_GroupingFunc:
		return value{typ: oidInt4}
	case *pg.Node_SetToDefault, *pg.Node_String_, *pg.Node_Integer, *pg.Node_Float, *pg.Node_Boolean, *pg.Node_BitString, *pg.Node_AStar:
		return value{literal: true}
	case *pg.Node_CurrentOfExpr:
		return r.currentOf(x.CurrentOfExpr)
	case *pg.Node_SelectStmt:
		var v value
		cols := r.selectStmt(x.SelectStmt, sc)
		for _, c := range cols {
			v = derive(v, c.value)
		}
		r.listed(x.SelectStmt, cols)
		return v
	case *pg.Node_XmlExpr:
		r.rec.fails("a function over XML")
		v := derive(r.all(x.XmlExpr.NamedArgs, sc), r.all(x.XmlExpr.Args, sc))
		if x.XmlExpr.Op == pg.XmlExprOp_IS_DOCUMENT {
			return v.typed(oidBool)
		}
		return v.typed(oidXML)
	case *pg.Node_XmlSerialize:
		r.rec.fails("a function over XML")
		return derive(r.expr(x.XmlSerialize.Expr, sc)).typed(r.typeOf(x.XmlSerialize.TypeName))
	case *pg.Node_JsonValueExpr, *pg.Node_JsonParseExpr, *pg.Node_JsonScalarExpr, *pg.Node_JsonSerializeExpr,
		*pg.Node_JsonObjectConstructor, *pg.Node_JsonArrayConstructor, *pg.Node_JsonArrayQueryConstructor,
		*pg.Node_JsonFuncExpr, *pg.Node_JsonIsPredicate, *pg.Node_JsonKeyValue, *pg.Node_JsonArgument:
		return r.parts(n.ProtoReflect(), sc)
	case *pg.Node_JsonObjectAgg, *pg.Node_JsonArrayAgg:
		r.acc.byOrder = true
		return r.parts(n.ProtoReflect(), sc).with(query.UseAggregate)
	}
	return r.unknownNode(n, sc)
}

// unknownNode stands for everything that may be in a node without a rule.
func (r *run) unknownNode(n *pg.Node, sc *scope) value {
	name := "an expression"
	if n != nil && n.Node != nil {
		m := n.ProtoReflect()
		if f := m.WhichOneof(m.Descriptor().Oneofs().Get(0)); f != nil {
			name = string(f.Message().Name())
		}
	}
	r.gap(-1, name+" cannot be analysed")
	r.rec.fails(name)
	v := sc.everything()
	r.use(v, query.UseDerived)
	return v
}

// parts is the value of all expressions below a message of a kind whose result
// depends on them alone.
func (r *run) parts(m protoreflect.Message, sc *scope) value {
	var v value
	if !m.IsValid() {
		return v
	}
	r.rec.fails("a function over JSON")
	visit := func(sub protoreflect.Message) {
		switch x := sub.Interface().(type) {
		case *pg.Node:
			v = derive(v, r.expr(x, sc))
		case *pg.TypeName:
			r.typeOf(x)
		case *pg.WindowDef:
			v = derive(v, r.window(x, sc))
		default:
			v = derive(v, r.parts(sub, sc))
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, fv protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range fv.List().Len() {
				visit(fv.List().Get(i).Message())
			}
		default:
			visit(fv.Message())
		}
		return true
	})
	return v
}

func constant(c *pg.A_Const) value {
	v := value{literal: true, typ: oidUnknown}
	switch x := c.Val.(type) {
	case *pg.A_Const_Ival:
		v.typ = oidInt4
	case *pg.A_Const_Fval:
		v.typ = oidNumeric
		if n, err := strconv.ParseInt(x.Fval.GetFval(), 10, 64); err == nil {
			v.typ = oidInt8
			if int64(int32(n)) == n {
				v.typ = oidInt4
			}
		}
	case *pg.A_Const_Boolval:
		v.typ = oidBool
	case *pg.A_Const_Bsval:
		v.typ = oidBit
	}
	return v
}

// all derives from every expression of a list.
func (r *run) all(list []*pg.Node, sc *scope) value {
	var v value
	for _, n := range list {
		v = derive(v, r.expr(n, sc))
	}
	return v
}

// alike is a computation over values of one type.
func (r *run) alike(list []*pg.Node, sc *scope) value {
	var v value
	typ, known := uint32(0), true
	var all []value
	for _, n := range list {
		e := r.expr(n, sc)
		all = append(all, e)
		if !e.literal || e.typ != oidUnknown && e.typ != 0 {
			known = known && e.typ != 0 && (typ == 0 || typ == e.typ)
			typ = e.typ
		}
		v = derive(v, e)
	}
	if !known {
		typ = 0
		for _, e := range all {
			r.implicitCast(e, 0, -1)
		}
	}
	return v.typed(typ)
}

// list evaluates an entry of a list in which t.* stands for its columns.
func (r *run) list(n *pg.Node, sc *scope) []value {
	cols, ok := r.star(n, sc)
	if !ok {
		return []value{r.expr(n, sc)}
	}
	out := make([]value, len(cols))
	for i, c := range cols {
		out[i] = c.value
	}
	return out
}

func (r *run) row(x *pg.RowExpr, sc *scope) value {
	item := &rangeItem{}
	for _, n := range x.Args {
		for _, v := range r.list(n, sc) {
			v.source, v.attr = 0, 0
			item.cols = append(item.cols, column{"f" + itoa(len(item.cols)+1), v})
		}
	}
	v := item.wholeRow()
	v.typ = oidRecord
	return v
}

func (r *run) caseExpr(x *pg.CaseExpr, sc *scope) value {
	arg := r.expr(x.Arg, sc)
	conditions := derive(arg)
	results := make([]*pg.Node, 0, len(x.Args)+1)
	for _, n := range x.Args {
		w := n.GetCaseWhen()
		when := r.expr(w.GetExpr(), sc)
		if x.Arg != nil {
			when = r.operate([]*pg.Node{stringNode("=")}, x.Location, arg, when)
		}
		conditions = derive(conditions, when)
		results = append(results, w.GetResult())
	}
	v := r.alike(append(results, x.Defresult), sc)
	return derive(conditions.with(query.UseFilter), v).typed(v.typ)
}

func (r *run) subLink(x *pg.SubLink, sc *scope) value {
	cols := r.query(x.Subselect, sc)
	var v value
	for _, c := range cols {
		v = derive(v, c.value)
	}
	switch x.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		for _, c := range cols {
			r.computed(c)
		}
		return value{typ: oidBool}
	case pg.SubLinkType_ANY_SUBLINK, pg.SubLinkType_ALL_SUBLINK, pg.SubLinkType_ROWCOMPARE_SUBLINK:
		name := x.OperName
		if len(name) == 0 {
			name = []*pg.Node{stringNode("=")}
		}
		test := r.expr(x.Testexpr, sc)
		if len(cols) == 1 {
			return r.operate(name, x.Location, test, cols[0].value).with(query.UseFilter).typed(oidBool)
		}
		r.operatorNames(name, x.Location)
		r.rec.rowOperator(r, name)
		return derive(test, v).with(query.UseFilter).typed(oidBool)
	case pg.SubLinkType_EXPR_SUBLINK:
		if !oneRow(x.Subselect) {
			r.rec.fails("a subquery that may give several rows")
		}
		if len(cols) == 1 {
			one := cols[0].value
			one.source, one.attr = 0, 0
			return one
		}
	case pg.SubLinkType_ARRAY_SUBLINK:
		r.listed(x.Subselect.GetSelectStmt(), cols)
		if len(cols) == 1 {
			v.typ = r.arrayOf(cols[0].value.typ)
		}
	}
	return v
}

// columnRef resolves a name: a column, a whole row, or a function in the
// notation of a column.
func (r *run) columnRef(c *pg.ColumnRef, sc *scope) value {
	r.rec.column(c, sc)
	names := make([]string, 0, 4)
	for _, f := range c.Fields {
		if f.GetAStar() != nil {
			break
		}
		names = append(names, f.GetString_().GetSval())
	}
	if len(names) == 4 {
		if names[0] != r.cat.Database {
			r.gap(c.Location, "database "+names[0]+" is another one")
		}
		names = names[1:]
	}
	switch len(names) {
	case 0:
		return sc.everything()
	case 1:
		return r.bareColumn(names[0], c.Location, sc)
	case 2, 3:
		schema := ""
		if len(names) == 3 {
			schema = names[0]
		}
		return r.qualifiedColumn(schema, names[len(names)-2], names[len(names)-1], c.Location, sc)
	}
	r.gap(c.Location, "a name has too many parts")
	return sc.everything()
}

func (r *run) bareColumn(name string, pos int32, sc *scope) value {
	matches, unknown, outer := sc.findColumn(name)
	if len(matches) == 1 {
		return matches[0].at(r.here(pos), outer)
	}
	if len(matches) > 1 {
		return derive(matches...).at(r.here(pos), outer)
	}
	if sys, ok := systemColumns[name]; ok {
		if it := sc.findSystemColumn(); it != nil {
			return r.systemColumn(it, name, pos).typed(sys.typ)
		}
	}
	if it, outer := sc.findItem("", name); it != nil {
		return it.wholeRow().at(r.here(pos), outer)
	}
	if p := sc.findParams(); p != nil {
		for i, n := range p.names {
			if n == name && i < len(p.values) {
				return p.values[i]
			}
		}
	}
	if !unknown {
		r.mistake(pos, "42703", `column "`+name+`" does not exist`, name)
	}
	v := sc.everything()
	r.use(v, query.UseDerived)
	return v
}

func (r *run) qualifiedColumn(schema, table, name string, pos int32, sc *scope) value {
	it, outer := sc.findItem(schema, table)
	if it == nil {
		if p := sc.findParams(); p != nil && schema == "" {
			for i, n := range p.names {
				if n == name && p.owner == table {
					return p.values[i]
				}
				if n == table {
					return r.field(p.values[i], name, pos, sc)
				}
			}
		}
		r.mistake(pos, "42P01", `missing FROM-clause entry for table "`+table+`"`, table+"."+name)
		v := sc.everything()
		r.use(v, query.UseDerived)
		return v
	}
	if m := it.column(name); len(m) == 1 {
		return m[0].at(r.here(pos), outer)
	} else if len(m) > 1 {
		return derive(m...).at(r.here(pos), outer)
	}
	if sys, ok := systemColumns[name]; ok && it.relation != nil {
		return r.systemColumn(it, name, pos).typed(sys.typ)
	}
	if it.unknown {
		return it.wholeRow().at(r.here(pos), outer).changed()
	}
	return r.field(it.wholeRow().at(r.here(pos), outer), name, pos, sc)
}

// systemColumn is ctid, xmin, tableoid and the like. They hold no data, but
// tableoid tells the partition, and so the key, of a row, and ctid tells how
// long the rows before it are.
func (r *run) systemColumn(it *rangeItem, name string, pos int32) value {
	v := value{source: it.relation.OID, attr: systemColumns[name].attr}
	if name == "ctid" {
		for _, d := range it.lies().at(r.here(pos), false).deps {
			d.uses |= query.UseDerived
			v.deps = append(v.deps, d)
		}
	}
	if name != "tableoid" {
		return v
	}
	for _, attr := range it.relation.partitionAttrs() {
		v.deps = mergeDeps(v.deps, []dep{{rel: it.relation.OID, attr: attr, uses: query.UseDerived, pos: r.here(pos)}})
	}
	return v
}

// field selects a field of a row value, or calls a function of that name.
func (r *run) field(v value, name string, pos int32, sc *scope) value {
	if fields, ok := r.fields(v); ok {
		for _, f := range fields {
			if f.name == name {
				return f.value
			}
		}
		if v.row != nil && v.row.relation != nil {
			if sys, ok := systemColumns[name]; ok {
				return r.systemColumn(v.row, name, pos).typed(sys.typ)
			}
		}
		return r.apply(callSite{name: name, args: []value{v}, pos: pos, field: true}, sc)
	}
	if v.literal || v.typ == 0 || v.typ == oidRecord {
		return v.changed()
	}
	return r.apply(callSite{name: name, args: []value{v}, pos: pos, field: true}, sc)
}

// fields are the columns of a row value, if they are known.
func (r *run) fields(v value) ([]column, bool) {
	if v.row != nil {
		if v.row.unknown {
			return nil, false
		}
		return v.row.cols, true
	}
	rel := v.composite
	if rel == nil {
		rel = r.compositeOf(v.typ)
	}
	if rel == nil {
		return nil, false
	}
	made := v.changed()
	cols := make([]column, len(rel.Columns))
	for i := range rel.Columns {
		cols[i] = column{rel.Columns[i].Name, made.typed(rel.Columns[i].Type)}
	}
	return cols, true
}

// indirection applies subscripts and field selections.
func (r *run) indirection(v value, steps []*pg.Node, sc *scope) value {
	for _, n := range steps {
		switch x := n.Node.(type) {
		case *pg.Node_AIndices:
			elem := uint32(0)
			if t := r.cat.Types[r.baseType(v.typ)]; t != nil && !x.AIndices.IsSlice {
				elem = t.Elem
			} else if x.AIndices.IsSlice {
				elem = v.typ
			}
			if v.typ == 3802 { // jsonb
				elem = v.typ
			}
			v = derive(v, r.expr(x.AIndices.Lidx, sc), r.expr(x.AIndices.Uidx, sc)).typed(elem)
		case *pg.Node_String_:
			v = r.field(v, x.String_.Sval, -1, sc)
		case *pg.Node_AStar:
			v = v.changed()
		default:
			return r.unknownNode(n, sc)
		}
	}
	return v
}

func stringNode(s string) *pg.Node {
	return &pg.Node{Node: &pg.Node_String_{String_: &pg.String{Sval: s}}}
}

var sqlValueTypes = map[pg.SQLValueFunctionOp]uint32{
	pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE: 1082, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME: 1266,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N: 1266, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP: 1184,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N: 1184, pg.SQLValueFunctionOp_SVFOP_LOCALTIME: 1083,
	pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N: 1083, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP: 1114,
	pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N: 1114, pg.SQLValueFunctionOp_SVFOP_CURRENT_ROLE: oidName,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_USER: oidName, pg.SQLValueFunctionOp_SVFOP_USER: oidName,
	pg.SQLValueFunctionOp_SVFOP_SESSION_USER: oidName, pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG: oidName,
	pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA: oidName,
}
