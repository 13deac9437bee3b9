package mysql

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// definition analyses CREATE, ALTER, DROP, RENAME and TRUNCATE.
func (r *run) definition(at int) {
	verb, kind := r.objectKind(at)
	switch kind {
	case "user", "role":
		r.rights(at, verb)
		return
	case "table", "tables", "view", "index", "sequence":
	case "database", "schema":
		r.databaseDefinition(at, verb)
		return
	case "prepare": // DROP PREPARE
		r.deallocate(at)
		return
	case "instance", "server", "tablespace", "undo", "logfile", "resource", "spatial":
		r.class(query.ClassAdmin, verb)
		r.write(strings.ToLower(verb), "", -1)
		r.gap(-1, verb+" is not analysed")
		return
	default: // procedures, functions, triggers, events, and what is not known
		r.routineDefinition(at, verb, kind)
		return
	}
	if kind == "sequence" {
		r.sequenceDefinition(at, verb)
		return
	}
	var edits []edit
	replaces := kind == "table" && r.text.words(at+1, "or", "replace")
	if replaces { // the grammar has it for views alone
		edits = []edit{{at + 1, at + 3, ""}}
	}
	if kind == "view" && r.text.word(at) == "alter" { // the same, but for its name
		edits = []edit{{at, at + 1, "CREATE OR REPLACE"}}
	}
	n := r.grammar(at, r.end(), edits)
	if x, ok := n.(*ast.CreateTableStmt); ok && replaces {
		r.stmt.dropped = append(r.stmt.dropped, r.cat.key(r.databaseOf(x.Table), x.Table.Name.O))
		if rel := r.lookup(r.databaseOf(x.Table), x.Table.Name.O); rel != nil {
			r.acc.table(rel, true, "ddl")
		}
	}
	if n == nil {
		r.stmt.Kind, r.stmt.Class = KindDDL, query.ClassDDL
		r.stmt.Verbs = append(r.stmt.Verbs, verb)
		r.stmt.Changes |= ChangeCatalog | ChangeTemp
		return
	}
	if r.plan(n) {
		if verb == "ALTER VIEW" {
			r.stmt.Verbs = []string{verb}
		}
		return
	}
	r.class(query.ClassDDL, verb)
	r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog
	r.tableDefinition(n, strings.ToLower(verb))
}

// objectKind is the verb of a definition and the word that says what it is about.
func (r *run) objectKind(at int) (verb, kind string) {
	t := r.text
	verb = strings.ToUpper(t.word(at))
	if t.word(at) == "truncate" {
		return "TRUNCATE", "table"
	}
	for i := at + 1; i < min(at+maxPrefix, r.end()); i++ {
		switch w := t.word(i); w {
		case "temporary":
			verb += " TEMPORARY"
		case "unique", "fulltext", "or", "replace", "algorithm", "definer", "sql", "security", "invoker", "merge", "temptable", "undefined",
			"online", "offline", "ignore", "current_user", "aggregate", "loadable":
		case "spatial":
			if t.word(i+1) != "index" && t.word(i+1) != "key" {
				return verb + " SPATIAL", "spatial"
			}
		case "schema":
			return verb + " DATABASE", "database"
		case "key":
			return verb + " INDEX", "index"
		case "tables":
			return verb + " TABLE", "table"
		case "":
		default:
			if t.is(i-1, "=") || t.is(i-1, "@") {
				continue // DEFINER = name
			}
			return verb + " " + strings.ToUpper(w), w
		}
	}
	return verb, ""
}

// rights is GRANT, REVOKE and what changes accounts.
func (r *run) rights(at int, verb string) {
	r.class(query.ClassDCL, verb)
	r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog|ChangeRole
	r.write(strings.ToLower(verb), "", -1)
}

func (r *run) databaseDefinition(at int, verb string) {
	t := r.text
	r.class(query.ClassDDL, verb)
	r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog|ChangeTemp
	r.write(strings.ToLower(verb), "", -1)
	if t.word(at) != "drop" {
		return
	}
	r.stmt.Changes |= ChangeDatabase
	name, _ := t.name(r.end() - 1)
	key := r.cat.foldDatabase(name)
	for _, rel := range r.cat.Relations {
		if r.cat.foldDatabase(rel.Schema) == key && r.spend(1) {
			r.acc.table(rel, true, "ddl")
		}
	}
}

func (r *run) sequenceDefinition(at int, verb string) {
	t := r.text
	r.class(query.ClassDDL, verb)
	r.stmt.Kind, r.stmt.Changes = KindDDL, ChangeCatalog|ChangeTemp
	r.write(strings.ToLower(verb), "", -1)
	for i := at + 1; i < r.end(); i++ {
		if t.word(i) == "select" {
			r.gap(-1, "a query in "+verb)
		}
	}
}

// namedTables collects the tables that a tree names.
type namedTables struct{ names []*ast.TableName }

// Enter implements ast.Visitor.
func (v *namedTables) Enter(n ast.Node) (ast.Node, bool) {
	if t, ok := n.(*ast.TableName); ok {
		v.names = append(v.names, t)
	}
	return n, false
}

// Leave implements ast.Visitor.
func (v *namedTables) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// tableDefinition is a definition of tables, views or indexes. What becomes of
// the columns of a table is not followed, so all of them count as written.
func (r *run) tableDefinition(n ast.StmtNode, verb string) {
	var v namedTables
	n.Accept(&v)
	r.tableOptions(n, &v)
	object := ""
	if len(v.names) > 0 {
		object = displayName(r.databaseOf(v.names[0]), v.names[0].Name.O)
	}
	uses, access := query.UseWrite, "ddl"
	switch x := n.(type) {
	case *ast.TruncateTableStmt:
		r.stmt.Class, access, uses = query.ClassWrite, "truncate", 0
	case *ast.DropTableStmt:
		uses = 0
		for _, name := range x.Tables {
			k := r.cat.key(r.databaseOf(name), name.Name.O)
			r.stmt.dropped = append(r.stmt.dropped, k)
		}
		r.stmt.Changes |= ChangeTemp
		if x.TemporaryKeyword != ast.TemporaryNone {
			r.stmt.Changes &^= ChangeCatalog
		}
	case *ast.CreateTableStmt:
		r.createdTable(x)
	case *ast.AlterTableStmt, *ast.RenameTableStmt, *ast.CreateIndexStmt, *ast.DropIndexStmt:
		r.changedTemporary(v.names)
	default:
		r.gap(-1, verb+" is not analysed")
	}
	r.write(verb, object, -1)
	for _, name := range v.names {
		if Builtin(r.databaseOf(name)) {
			r.gap(name.OriginTextPosition(), "table "+displayName(r.databaseOf(name), name.Name.O)+" is one of the server's own")
		}
		rel := r.lookup(r.databaseOf(name), name.Name.O)
		if rel == nil || !r.spend(len(rel.Columns)) {
			continue
		}
		use := r.acc.table(rel, true, access)
		for i := range rel.Columns {
			use.mark(rel.Columns[i].Attr, uses, int32(r.here(name.OriginTextPosition())))
		}
	}
	r.acc.anyOrder = true
}

// createdTable follows a temporary table that is made.
func (r *run) createdTable(x *ast.CreateTableStmt) {
	if x.TemporaryKeyword == ast.TemporaryNone {
		return
	}
	r.stmt.Changes = ChangeTemp
	rel := &Relation{Schema: r.databaseOf(x.Table), Name: x.Table.Name.O, Kind: KindTable, Temporary: true}
	if x.ReferTable != nil {
		if like := r.lookup(r.databaseOf(x.ReferTable), x.ReferTable.Name.O); like != nil {
			rel.Columns = like.Columns
		}
	}
	for i, c := range x.Cols {
		typ := c.Tp.InfoSchemaStr()
		column := Column{Name: c.Name.Name.O, Attr: int16(i + 1), Type: ParseType(typ), TypeText: typ}
		if column.Type.Wire() == TypeJSON && r.cat.Server.MariaDB { // text with a check there
			column.TypeText = "longtext"
			column.Type = ParseType(column.TypeText).extended(ExtendedJSON)
		}
		rel.Columns = append(rel.Columns, column)
	}
	r.stmt.tables = append(r.stmt.tables, rel)
}

// changedTemporary says that the columns of temporary tables are not known any more.
func (r *run) changedTemporary(names []*ast.TableName) {
	for _, name := range names {
		if rel := r.lookup(r.databaseOf(name), name.Name.O); rel != nil && rel.Temporary {
			r.stmt.Changes |= ChangeTemp
			r.stmt.tables = append(r.stmt.tables, &Relation{Schema: rel.Schema, Name: rel.Name, Kind: KindTable, Temporary: true})
		}
	}
}

// ownEngines keep what is stored in a table, and nothing else. Others show other
// tables, files or servers.
var ownEngines = words("innodb myisam aria memory heap archive csv blackhole rocksdb tokudb ndb ndbcluster columnstore")

// tableOptions looks at the options of a table and of its partitions.
func (r *run) tableOptions(n ast.StmtNode, v *namedTables) {
	switch x := n.(type) {
	case *ast.CreateTableStmt:
		r.optionList(x.Options, v)
		if x.Partition != nil {
			r.partitionOptions(x.Partition.Definitions, v)
		}
	case *ast.AlterTableStmt:
		for _, s := range x.Specs {
			r.optionList(s.Options, v)
			if s.NewTable != nil {
				v.names = append(v.names, s.NewTable)
			}
			if s.Partition != nil {
				r.partitionOptions(s.Partition.Definitions, v)
			}
			r.partitionOptions(s.PartDefinitions, v)
			switch s.Tp {
			case ast.AlterTableImportTablespace, ast.AlterTableDiscardTablespace, ast.AlterTableImportPartitionTablespace, ast.AlterTableDiscardPartitionTablespace:
				r.gap(-1, "a tablespace is a file of the server")
			}
		}
	}
}

func (r *run) partitionOptions(list []*ast.PartitionDefinition, v *namedTables) {
	for _, p := range list {
		r.optionList(p.Options, v)
		for _, s := range p.Sub {
			r.optionList(s.Options, v)
		}
	}
}

func (r *run) optionList(list []*ast.TableOption, v *namedTables) {
	for _, o := range list {
		switch o.Tp {
		case ast.TableOptionEngine:
			if o.StrValue != "" && !ownEngines[lowerASCII(o.StrValue)] {
				r.gap(-1, "tables of engine "+o.StrValue+" may show others")
			}
		case ast.TableOptionUnion:
			r.gap(-1, "a table with UNION shows others")
			v.names = append(v.names, o.TableNames...)
		case ast.TableOptionConnection:
			r.gap(-1, "a table with CONNECTION shows another one")
		case ast.TableOptionDataDirectory, ast.TableOptionIndexDirectory:
			r.gap(-1, "a table in a folder of its own may show a file of the server")
		}
	}
}
