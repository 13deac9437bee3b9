package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// definesCode reports a definition whose object runs code, or brings data from
// elsewhere, when something else is done later: a function of the name of a
// safe one, an operator, a trigger. Until its transaction ends the catalog does
// not hold it, so that nothing later in the transaction means what it seems to.
// Functions and operators of the temporary schema are reached by that schema's
// name only, and are unknown then.
func (r *run) definesCode(n *pg.Node) {
	what := ""
	switch x := n.Node.(type) {
	case *pg.Node_CreateFunctionStmt:
		what = r.outsideTemp(x.CreateFunctionStmt.Funcname, "a function")
	case *pg.Node_DefineStmt:
		switch x.DefineStmt.Kind {
		case pg.ObjectType_OBJECT_AGGREGATE, pg.ObjectType_OBJECT_OPERATOR:
			what = r.outsideTemp(x.DefineStmt.Defnames, "an operator or aggregate")
		case pg.ObjectType_OBJECT_TYPE:
			if len(x.DefineStmt.Definition) > 0 {
				what = "a type with functions of its own"
			}
		}
	case *pg.Node_CreateRangeStmt:
		if hasOption(x.CreateRangeStmt.Params, "canonical", "subtype_diff") {
			what = "a type with functions of its own"
		}
	case *pg.Node_AlterFunctionStmt:
		what = r.outsideTemp(x.AlterFunctionStmt.GetFunc().GetObjname(), "a function")
	case *pg.Node_AlterOperatorStmt, *pg.Node_CreateOpClassStmt, *pg.Node_AlterOpFamilyStmt, *pg.Node_CreateOpFamilyStmt:
		what = "an operator"
	case *pg.Node_CreateCastStmt, *pg.Node_CreateTransformStmt, *pg.Node_CreateConversionStmt, *pg.Node_AlterTypeStmt:
		what = "a conversion"
	case *pg.Node_CreateTrigStmt, *pg.Node_CreateEventTrigStmt, *pg.Node_AlterEventTrigStmt, *pg.Node_RuleStmt:
		what = "a trigger or rule"
	case *pg.Node_CreatePlangStmt, *pg.Node_CreateExtensionStmt, *pg.Node_AlterExtensionStmt, *pg.Node_AlterExtensionContentsStmt:
		what = "an extension or language"
	case *pg.Node_CreateForeignTableStmt, *pg.Node_ImportForeignSchemaStmt, *pg.Node_CreateSubscriptionStmt, *pg.Node_AlterSubscriptionStmt:
		what = "data from elsewhere"
	}
	if what != "" {
		r.gap(-1, verbOf(n)+" defines "+what+", and what that does later is not followed")
	}
}

func (r *run) outsideTemp(name []*pg.Node, what string) string {
	if schema, _ := qualifiedName(name); schema == "pg_temp" || schema != "" && schema == r.st.TempSchema {
		return ""
	}
	return what
}

func hasOption(list []*pg.Node, names ...string) bool {
	for _, n := range list {
		if contains(names, lowerASCII(n.GetDefElem().GetDefname())) {
			return true
		}
	}
	return false
}

// takesNames reports a definition after which a name may stand for something
// else than before: what it stood for is dropped, renamed or moved. Temporary
// relations do not count: the session reads them anew.
func (r *run) takesNames(n *pg.Node) bool {
	switch x := n.Node.(type) {
	case *pg.Node_RenameStmt:
		return x.RenameStmt.Relation == nil || r.permanent(x.RenameStmt.Relation.Schemaname, x.RenameStmt.Relation.Relname)
	case *pg.Node_AlterObjectSchemaStmt, *pg.Node_DropOwnedStmt:
		return true
	case *pg.Node_DropStmt:
		return r.dropsNames(x.DropStmt)
	case *pg.Node_AlterTableStmt:
		rel := x.AlterTableStmt.GetRelation()
		for _, c := range x.AlterTableStmt.Cmds {
			switch c.GetAlterTableCmd().GetSubtype() {
			case pg.AlterTableType_AT_DropColumn, pg.AlterTableType_AT_AlterColumnType, pg.AlterTableType_AT_DropInherit,
				pg.AlterTableType_AT_DetachPartition:
				return r.permanent(rel.GetSchemaname(), rel.GetRelname())
			}
		}
	}
	return false
}

func (r *run) dropsNames(x *pg.DropStmt) bool {
	switch x.RemoveType {
	case pg.ObjectType_OBJECT_INDEX, pg.ObjectType_OBJECT_SEQUENCE, pg.ObjectType_OBJECT_STATISTIC_EXT, pg.ObjectType_OBJECT_PUBLICATION:
		return false
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE:
		for _, o := range x.Objects {
			if r.permanent(qualifiedName(o.GetList().GetItems())) {
				return true
			}
		}
		return false
	}
	return true
}

// permanent reports a relation that is in the catalog and not in the session.
func (r *run) permanent(schema, name string) bool {
	rel := r.lookupRelation(schema, name)
	return rel != nil && r.st.Temp[name] != rel
}

// tells notes messages of maintenance that show counts and sizes of tables
// which the statement does not name.
func (r *run) tells(n *pg.Node) {
	var options, named []*pg.Node
	switch x := n.Node.(type) {
	case *pg.Node_VacuumStmt:
		options, named = x.VacuumStmt.Options, x.VacuumStmt.Rels
	case *pg.Node_ClusterStmt:
		options = x.ClusterStmt.Params
		if x.ClusterStmt.Relation != nil {
			return
		}
	case *pg.Node_ReindexStmt:
		options = x.ReindexStmt.Params
		if x.ReindexStmt.Relation != nil {
			return
		}
	case *pg.Node_LoadStmt:
		r.gap(-1, "LOAD runs code of the server that is not followed")
		return
	}
	if len(named) == 0 && hasOption(options, "verbose") {
		r.gap(-1, verbOf(n)+" VERBOSE tells of every table")
	}
}

// unsettled refuses what follows a definition that took names away, until the
// catalog holds what its transaction made of them.
func (r *run) unsettled(n *pg.Node) {
	if !r.st.Unsettled || n.GetDropStmt() != nil {
		return
	}
	named := slices.ContainsFunc(r.acc.order, func(t *tableUse) bool { return !Builtin(t.rel.Schema) }) ||
		slices.ContainsFunc(r.acc.functions, func(f query.Function) bool { return f.Schema != "pg_catalog" })
	if named {
		r.gap(-1, "what this transaction dropped or renamed may leave its name to something else, which is known when it ends")
	}
}
