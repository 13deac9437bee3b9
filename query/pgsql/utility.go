package pgsql

import (
	"slices"
	"strings"
	"unicode"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirdb/weir/query"
)

// utility analyses a statement that is not a plan of its own.
func (r *run) utility(n *pg.Node) {
	switch x := n.Node.(type) {
	case *pg.Node_TransactionStmt:
		r.transaction(x.TransactionStmt)
	case *pg.Node_VariableSetStmt:
		r.set(x.VariableSetStmt)
	case *pg.Node_VariableShowStmt:
		r.class(query.ClassSession, "SHOW")
		r.plainResult(x.VariableShowStmt.Name)
		if x.VariableShowStmt.Name == "all" {
			r.plainResult("name", "setting", "description")
		}
	case *pg.Node_DiscardStmt:
		r.class(query.ClassSession, "DISCARD")
		r.stmt.Kind = KindDiscard
		r.stmt.Changes = ChangeSettings | ChangePrepared | ChangeCursors | ChangeTemp | ChangeUnknown
	case *pg.Node_PrepareStmt:
		r.prepare(x.PrepareStmt)
	case *pg.Node_ExecuteStmt:
		r.execute(x.ExecuteStmt)
	case *pg.Node_DeallocateStmt:
		r.class(query.ClassSession, "DEALLOCATE")
		r.stmt.Kind, r.stmt.Name, r.stmt.Changes = KindDeallocate, x.DeallocateStmt.Name, ChangePrepared
	case *pg.Node_DeclareCursorStmt:
		r.declare(x.DeclareCursorStmt)
	case *pg.Node_FetchStmt:
		r.fetch(x.FetchStmt)
	case *pg.Node_ClosePortalStmt:
		r.class(query.ClassSession, "CLOSE")
		r.stmt.Kind, r.stmt.Name, r.stmt.Changes = KindCloseCursor, x.ClosePortalStmt.Portalname, ChangeCursors
	case *pg.Node_CopyStmt:
		r.copy(x.CopyStmt)
	case *pg.Node_ExplainStmt:
		r.explain(x.ExplainStmt)
	case *pg.Node_ListenStmt:
		r.class(query.ClassSession, "LISTEN")
		r.stmt.Kind, r.stmt.Name = KindListen, x.ListenStmt.Conditionname
	case *pg.Node_UnlistenStmt:
		r.class(query.ClassSession, "UNLISTEN")
	case *pg.Node_ConstraintsSetStmt:
		r.class(query.ClassSession, "SET CONSTRAINTS")
	default:
		r.utilityMore(n)
	}
}

// utilityMore continues utility with what changes or runs something.
func (r *run) utilityMore(n *pg.Node) {
	switch x := n.Node.(type) {
	case *pg.Node_NotifyStmt:
		r.class(query.ClassSession, "NOTIFY")
		r.write("notify", x.NotifyStmt.Conditionname, -1)
	case *pg.Node_LockStmt:
		r.lock(x.LockStmt)
	case *pg.Node_TruncateStmt:
		r.class(query.ClassWrite, "TRUNCATE")
		for _, v := range x.TruncateStmt.Relations {
			if rel := r.resolveRelation(v.GetRangeVar()); rel != nil {
				r.acc.table(rel, true, "truncate")
			}
		}
		r.write("truncate", "", -1)
	case *pg.Node_DoStmt:
		r.class(query.ClassCall, "DO")
		r.gap(-1, "the code of a DO block is not analysed")
		r.write("do", "", -1)
		r.stmt.Changes = ChangeUnknown | ChangeCatalog
	case *pg.Node_CallStmt:
		r.class(query.ClassCall, "CALL")
		r.use(r.expr(&pg.Node{Node: &pg.Node_FuncCall{FuncCall: x.CallStmt.Funccall}}, &scope{}), query.UseCall)
		schema, name := qualifiedName(x.CallStmt.GetFunccall().GetFuncname())
		if len(r.acc.gaps) == 0 {
			r.gap(x.CallStmt.Funccall.GetLocation(), "procedure "+displayName(schema, name)+" is not known to be safe")
		}
		r.write("call", displayName(schema, name), x.CallStmt.Funccall.GetLocation())
		r.plainResult()
		r.stmt.Changes = ChangeUnknown | ChangeCatalog
	case *pg.Node_CreateTableAsStmt:
		r.createTableAs(x.CreateTableAsStmt)
	case *pg.Node_ViewStmt:
		r.class(query.ClassDDL, "CREATE VIEW")
		for _, c := range r.query(x.ViewStmt.Query, &scope{}) {
			r.stores(c.value, "create view", x.ViewStmt.View.GetRelname(), -1)
		}
		r.write("create view", x.ViewStmt.View.GetRelname(), -1)
		r.stmt.Kind, r.stmt.Changes = KindDDL, tableChange(x.ViewStmt.View)
	case *pg.Node_GrantStmt, *pg.Node_GrantRoleStmt, *pg.Node_AlterDefaultPrivilegesStmt, *pg.Node_CreateRoleStmt,
		*pg.Node_AlterRoleStmt, *pg.Node_AlterRoleSetStmt, *pg.Node_DropRoleStmt, *pg.Node_ReassignOwnedStmt, *pg.Node_DropOwnedStmt:
		r.class(query.ClassDCL, verbOf(n))
		r.write(strings.ToLower(verbOf(n)), "", -1)
		r.touch(n)
		r.settingLater(n.GetAlterRoleSetStmt().GetSetstmt())
		r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog
	case *pg.Node_VacuumStmt, *pg.Node_ClusterStmt, *pg.Node_ReindexStmt, *pg.Node_CheckPointStmt, *pg.Node_LoadStmt,
		*pg.Node_AlterSystemStmt, *pg.Node_AlterDatabaseSetStmt, *pg.Node_CreatedbStmt, *pg.Node_DropdbStmt, *pg.Node_AlterDatabaseStmt:
		r.class(query.ClassAdmin, verbOf(n))
		r.write(strings.ToLower(verbOf(n)), "", -1)
		r.touch(n)
		r.settingLater(n.GetAlterDatabaseSetStmt().GetSetstmt())
		r.settingLater(n.GetAlterSystemStmt().GetSetstmt())
		r.tells(n)
	default:
		if x := n.GetDropStmt(); x != nil {
			r.drop(x)
		}
		r.class(query.ClassDDL, verbOf(n))
		r.write(strings.ToLower(verbOf(n)), "", -1)
		r.touch(n)
		r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog|ChangeTemp
		r.definesCode(n)
		if r.takesNames(n) {
			r.stmt.Changes |= ChangeNames
		}
	}
}

// verbs are those that are not made of their node's name.
var verbs = map[string]string{"Create": "CREATE TABLE", "Index": "CREATE INDEX", "Rule": "CREATE RULE", "Define": "CREATE",
	"Rename": "ALTER", "AlterObjectSchema": "ALTER", "AlterOwner": "ALTER", "AlterObjectDepends": "ALTER", "RefreshMatView": "REFRESH MATERIALIZED VIEW",
	"CheckPoint": "CHECKPOINT", "CreateTrig": "CREATE TRIGGER", "CreateSeq": "CREATE SEQUENCE", "AlterSeq": "ALTER SEQUENCE",
	"Createdb": "CREATE DATABASE", "Dropdb": "DROP DATABASE", "CompositeType": "CREATE TYPE", "CreateEnum": "CREATE TYPE",
	"CreateRange": "CREATE TYPE", "SecLabel": "SECURITY LABEL", "CreateStats": "CREATE STATISTICS", "CreatePLang": "CREATE LANGUAGE",
	"CreateEventTrig": "CREATE EVENT TRIGGER", "AlterEventTrig": "ALTER EVENT TRIGGER", "CreateFdw": "CREATE FOREIGN DATA WRAPPER",
	"AlterFdw": "ALTER FOREIGN DATA WRAPPER", "CreateForeignServer": "CREATE SERVER", "AlterForeignServer": "ALTER SERVER"}

// verbOf is a verb made of the node's own name: AlterTableStmt is ALTER TABLE.
func verbOf(n *pg.Node) string {
	if v := n.GetVacuumStmt(); v != nil && !v.IsVacuumcmd {
		return "ANALYZE"
	}
	if d := n.GetDropStmt(); d != nil {
		kind := strings.TrimPrefix(d.RemoveType.String(), "OBJECT_")
		return "DROP " + strings.ReplaceAll(strings.ReplaceAll(kind, "MATVIEW", "MATERIALIZED VIEW"), "_", " ")
	}
	m := n.ProtoReflect()
	f := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if f == nil {
		return "UNKNOWN"
	}
	name := strings.TrimSuffix(string(f.Message().Name()), "Stmt")
	if v := verbs[name]; v != "" {
		return v
	}
	var b strings.Builder
	for i, c := range name {
		if i > 0 && unicode.IsUpper(c) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToUpper(c))
	}
	return b.String()
}

// touch notes every relation that a definition names. What becomes of its
// columns is not followed, so all of them count as written. Expressions in it
// may run, and their values may stay.
func (r *run) touch(n *pg.Node) {
	sc := &scope{items: []*rangeItem{{unknown: true}}}
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		if t, ok := m.Interface().(*pg.TypeName); ok { // rows that are there are converted
			if ty := r.typeNamed(qualifiedName(t.Names)); ty != nil {
				r.typeChecks(ty.OID, t.Location)
			}
		}
		v, ok := m.Interface().(*pg.RangeVar)
		if !ok {
			return true
		}
		rel := r.lookupRelation(v.Schemaname, v.Relname)
		if rel == nil || Builtin(rel.Schema) {
			return false
		}
		t := r.acc.table(rel, true, "ddl")
		for _, c := range rel.Columns {
			t.mark(c.Attr, query.UseWrite, v.Location)
		}
		item := r.plainItem(rel)
		item.name = v.Relname
		sc.items = append(sc.items, item)
		return false
	})
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		e, ok := m.Interface().(*pg.Node)
		if !ok || !runs(e) {
			return true
		}
		r.use(r.expr(e, sc), query.UseWrite)
		return false
	})
}

// runs reports whether a node is an expression or query that does something
// when it is evaluated.
func runs(n *pg.Node) bool {
	switch n.Node.(type) {
	case *pg.Node_FuncCall, *pg.Node_AExpr, *pg.Node_BoolExpr, *pg.Node_TypeCast, *pg.Node_SubLink, *pg.Node_SelectStmt,
		*pg.Node_CaseExpr, *pg.Node_CoalesceExpr, *pg.Node_MinMaxExpr, *pg.Node_AArrayExpr, *pg.Node_RowExpr, *pg.Node_AIndirection,
		*pg.Node_NullTest, *pg.Node_BooleanTest, *pg.Node_CollateClause:
		return true
	}
	return false
}

// each visits a message and all below it in a fixed order, until visit says no.
func each(m protoreflect.Message, visit func(protoreflect.Message) bool) {
	if !visit(m) {
		return
	}
	for _, f := range messageFields(m) {
		v := m.Get(f)
		if !f.IsList() {
			each(v.Message(), visit)
			continue
		}
		for i := range v.List().Len() {
			each(v.List().Get(i).Message(), visit)
		}
	}
}

// messageFields are the fields of m that hold messages, in a fixed order.
func messageFields(m protoreflect.Message) []protoreflect.FieldDescriptor {
	var out []protoreflect.FieldDescriptor
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.Message() != nil && !f.IsMap() {
			out = append(out, f)
		}
		return true
	})
	slices.SortFunc(out, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number() - b.Number()) })
	return out
}

// drop notes the relations that DROP removes.
func (r *run) drop(x *pg.DropStmt) {
	switch x.RemoveType {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW, pg.ObjectType_OBJECT_FOREIGN_TABLE, pg.ObjectType_OBJECT_SEQUENCE:
		for _, o := range x.Objects {
			schema, name := qualifiedName(o.GetList().GetItems())
			if rel := r.lookupRelation(schema, name); rel != nil {
				r.acc.table(rel, true, "ddl")
			}
		}
	}
}

func (r *run) createTableAs(x *pg.CreateTableAsStmt) {
	verb := "CREATE TABLE AS"
	if x.Objtype == pg.ObjectType_OBJECT_MATVIEW {
		verb = "CREATE MATERIALIZED VIEW"
	}
	r.class(query.ClassDDL, verb)
	var cols []column
	if e := x.Query.GetExecuteStmt(); e != nil {
		cols = r.executed(e)
	} else {
		cols = r.query(x.Query, &scope{})
	}
	r.intoTable(x.Into, cols, strings.ToLower(verb))
	r.stmt.Kind = KindDDL
}

func (r *run) lock(x *pg.LockStmt) {
	const rowExclusive = 3 // of the lock modes, the first that blocks writers
	r.class(query.ClassSession, "LOCK")
	for _, v := range x.Relations {
		if rel := r.resolveRelation(v.GetRangeVar()); rel != nil {
			r.acc.table(rel, true, "lock")
		}
	}
	if x.Mode >= rowExclusive {
		r.stmt.Facts.Class = query.ClassWrite
		r.write("lock", "", -1)
	}
}

func (r *run) explain(x *pg.ExplainStmt) {
	analyze, costs := false, true
	for _, o := range x.Options {
		switch d := o.GetDefElem(); d.GetDefname() {
		case "analyze":
			analyze = truth(d.GetArg())
		case "costs":
			costs = truth(d.GetArg())
		}
	}
	inner := &Statement{}
	sub := *r
	sub.stmt, sub.acc = inner, newAccumulator()
	sub.acc.gaps = r.acc.gaps
	sub.statement(x.Query)
	kept := sub.acc.writes[:0:0]
	for _, w := range sub.acc.writes {
		if analyze || w.Kind == "function" || w.Kind == "set" {
			kept = append(kept, w)
		}
	}
	sub.acc.writes = kept
	// A plan shows estimates that come from statistics of every column in it,
	// and costs, buffers and memory that go by the size of whole rows.
	for _, t := range sub.acc.order {
		if (costs || analyze) && !Builtin(t.rel.Schema) && len(t.rel.Columns) > 0 {
			for i := range t.rel.Columns {
				t.mark(t.rel.Columns[i].Attr, query.UseDerived, -1)
			}
		}
		for attr, u := range t.cols {
			if u.uses&query.UseOutput != 0 {
				t.mark(attr, query.UseDerived, u.at[0])
				u.uses &^= query.UseOutput
			}
		}
	}
	r.acc = sub.acc
	r.stmt.Facts.Verbs = append([]string{"EXPLAIN"}, inner.Verbs...)
	r.stmt.Facts.Class = query.ClassExplain
	if analyze {
		r.stmt.Changes, r.stmt.Settings = inner.Changes, inner.Settings
		if inner.Class != query.ClassRead {
			r.stmt.Facts.Class = inner.Class
		}
	}
	r.stmt.Inner = explained(r.text[r.stmt.Span.Start:r.stmt.Span.End])
	r.plainResult("QUERY PLAN")
}

// truth is a boolean option, which is true without a value.
func truth(n *pg.Node) bool {
	switch {
	case n == nil:
		return true
	case n.GetBoolean() != nil:
		return n.GetBoolean().Boolval
	case n.GetInteger() != nil:
		return n.GetInteger().Ival != 0
	case n.GetString_() != nil:
		switch lowerASCII(n.GetString_().Sval) {
		case "off", "false", "no", "0":
			return false
		}
	}
	return true
}

// explained is the text of the statement that EXPLAIN is about.
func explained(stmt string) string {
	lx := lexer{text: stmt}
	for depth, first := 0, true; ; first = false {
		t := lx.next()
		text := stmt[t.start:t.end]
		switch {
		case t.kind == tokenEnd || t.kind == tokenBad:
			return ""
		case t.kind == tokenSelf && text == "(" && depth > 0, t.kind == tokenSelf && text == "(" && !first && explainOptions(stmt[t.start:]):
			depth++
		case t.kind == tokenSelf && text == ")":
			depth--
		case depth > 0 || first:
		case strings.EqualFold(text, "analyze") || strings.EqualFold(text, "analyse") || strings.EqualFold(text, "verbose"):
		default:
			return strings.TrimSpace(stmt[t.start:])
		}
	}
}

// explainOptions reports whether brackets after EXPLAIN hold options and not
// a query.
func explainOptions(text string) bool {
	lx := lexer{text: text}
	for {
		t := lx.next()
		if t.kind != tokenSelf || text[t.start:t.end] != "(" {
			word := lowerASCII(text[t.start:t.end])
			return t.kind == tokenWord && !contains([]string{"select", "with", "values", "table"}, word)
		}
	}
}

func (r *run) transaction(x *pg.TransactionStmt) {
	verb, kind := "BEGIN", KindBegin
	switch x.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		verb, kind = "COMMIT", KindCommit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		verb, kind = "ROLLBACK", KindRollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		verb, kind = "SAVEPOINT", KindSavepoint
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		verb, kind = "RELEASE", KindRelease
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		verb, kind = "ROLLBACK TO", KindRollbackTo
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		verb, kind = "PREPARE TRANSACTION", KindPrepareTransaction
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		verb, kind = "COMMIT PREPARED", KindPlain
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		verb, kind = "ROLLBACK PREPARED", KindPlain
	}
	r.class(query.ClassTransaction, verb)
	r.stmt.Kind, r.stmt.Name = kind, x.SavepointName
	if kind == KindPrepareTransaction || kind == KindPlain {
		r.write(strings.ToLower(verb), x.Gid, -1)
		r.stmt.Changes |= ChangeCatalog
	}
	r.transactionModes(x.Options)
}

func (r *run) transactionModes(options []*pg.Node) {
	for _, o := range options {
		d := o.GetDefElem()
		if d.GetDefname() == "transaction_read_only" {
			value := "off"
			if c := d.GetArg().GetAConst(); c.GetIval().GetIval() != 0 || truthConst(c) {
				value = "on"
			}
			r.setting(Setting{Name: "transaction_read_only", Value: value}, d.GetLocation())
		}
	}
}

func truthConst(c *pg.A_Const) bool {
	return c.GetBoolval().GetBoolval() || lowerASCII(c.GetSval().GetSval()) == "on"
}

// set analyses SET and RESET.
func (r *run) set(x *pg.VariableSetStmt) {
	verb := "SET"
	if x.Kind == pg.VariableSetKind_VAR_RESET || x.Kind == pg.VariableSetKind_VAR_RESET_ALL {
		verb = "RESET"
	}
	r.class(query.ClassSession, verb)
	r.stmt.Kind = KindSet
	switch x.Kind {
	case pg.VariableSetKind_VAR_RESET_ALL:
		r.stmt.Kind, r.stmt.Changes = KindReset, ChangeSettings|ChangeRole|ChangeUnknown
		return
	case pg.VariableSetKind_VAR_SET_MULTI:
		if x.Name == "TRANSACTION SNAPSHOT" {
			return
		}
		r.transactionModes(x.Args)
		return
	}
	s := Setting{Name: lowerASCII(x.Name), Local: x.IsLocal, Default: x.Kind != pg.VariableSetKind_VAR_SET_VALUE}
	if verb == "RESET" {
		r.stmt.Kind = KindReset
	}
	for _, a := range x.Args {
		s.Values = append(s.Values, settingText(a))
	}
	s.Value = strings.Join(s.Values, ", ")
	if x.Kind == pg.VariableSetKind_VAR_SET_CURRENT {
		r.stmt.Changes |= ChangeUnknown
	}
	r.setting(s, -1)
}

func settingText(n *pg.Node) string {
	c := n.GetAConst()
	if tc := n.GetTypeCast(); tc != nil {
		c = tc.GetArg().GetAConst()
	}
	switch {
	case c.GetSval() != nil:
		return c.GetSval().Sval
	case c.GetIval() != nil:
		return itoa(int(c.GetIval().Ival))
	case c.GetFval() != nil:
		return c.GetFval().Fval
	case c.GetBoolval() != nil:
		if c.GetBoolval().Boolval {
			return "true"
		}
		return "false"
	}
	return itoa(int(c.GetIval().GetIval()))
}

// setting notes one assignment.
func (r *run) setting(s Setting, pos int32) {
	r.stmt.Settings = append(r.stmt.Settings, s)
	if sendsPlans[s.Name] && !s.Default {
		switch lowerASCII(s.Value) {
		case "off", "false", "no", "0", "f", "n":
		default:
			r.sendsPlans(s.Name, pos)
		}
	}
	switch s.Name {
	case "search_path", "client_encoding", "names", "standard_conforming_strings":
		r.stmt.Changes |= ChangeSettings
	case "role", "session_authorization":
		r.stmt.Changes |= ChangeRole
	case "transaction_read_only", "default_transaction_read_only":
		on := false
		switch lowerASCII(s.Value) {
		case "on", "true", "yes", "1", "t", "y":
			on = true
		}
		if s.Default && s.Name == "default_transaction_read_only" {
			on = true // back to what weir set at the start
		}
		if !on {
			r.write("set", s.Name, pos)
		}
	}
}

// sendsPlans are the settings that show plans, or what a sort takes, to a client
// that asks for messages of the log.
var sendsPlans = map[string]bool{"debug_print_parse": true, "debug_print_rewritten": true, "debug_print_plan": true, "trace_sort": true}

func (r *run) sendsPlans(name string, pos int32) {
	r.gap(pos, "setting "+name+" sends plans, which show sizes and estimates, to the client")
}

// settingLater notes a setting that sessions to come begin with.
func (r *run) settingLater(x *pg.VariableSetStmt) {
	name := lowerASCII(x.GetName())
	if sendsPlans[name] && (x.Kind == pg.VariableSetKind_VAR_SET_VALUE || x.Kind == pg.VariableSetKind_VAR_SET_CURRENT) {
		r.sendsPlans(name, -1)
	}
}
