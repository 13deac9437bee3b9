package mysql

import (
	"crypto/sha256"
	"strings"
)

// Catalog is an immutable snapshot of one server's definitions. Two snapshots
// with the same Version hold the same definitions.
type Catalog struct {
	// Version is a digest of the content; zero for a catalog made by hand.
	Version uint64
	Server  Server
	// Databases maps a database's folded name to its own.
	Databases map[string]string

	Relations []*Relation // by ID, from 1: Relations[ID-1]
	byName    map[qualified]*Relation
	Routines  []*Routine
	routines  map[qualified][]*Routine // by folded names
	bare      map[string]bool          // folded names of stored functions, in any database

	// own is how many Relations, the first ones, are of the server's own
	// databases, and ownDigest a digest of them.
	own       int
	ownDigest [sha256.Size]byte
}

type qualified struct{ schema, name string }

// Server is what a server says of itself.
type Server struct {
	MariaDB bool
	// Version is major*10000 + minor*100 + patch: 101107, 80031.
	Version     int
	VersionText string
	// LowerCaseTableNames is 0 where names of databases and tables are case
	// sensitive, 1 where they are stored in lower case, 2 where they are
	// stored as they were written; the last two compare without case.
	LowerCaseTableNames int
	// SQLMode is the global sql_mode, with which sessions begin.
	SQLMode SQLMode
	// CharacterSet is character_set_server.
	CharacterSet string
}

// Kinds of relations.
const (
	KindTable    = 'r'
	KindView     = 'v'
	KindSequence = 'S'
	KindSystem   = 'i' // of information_schema, performance_schema, mysql and sys
)

// Relation is a table, view or sequence.
type Relation struct {
	// ID is unique inside one snapshot only. Temporary tables have IDs from
	// FirstTemporary on.
	ID           uint32
	Schema, Name string
	Kind         byte
	Engine       string
	Columns      []Column
	// Definition is the query of a view as information_schema.views has it:
	// every name qualified, under the default sql_mode. Empty if it may not be
	// read, which makes every use of the view a gap.
	Definition string
	// Materialised is set for a view with ALGORITHM = TEMPTABLE.
	Materialised bool
	// Invoker is set for a view with SQL SECURITY INVOKER.
	Invoker bool
	// CheckOption is set for a view WITH CHECK OPTION.
	CheckOption bool
	Triggers    []Trigger
	Checks      []string // clauses of check constraints
	Indexes     []Index
	ForeignKeys []ForeignKey
	// Partitions are the expressions or column lists that it is split by.
	Partitions []string
	// Versioned is set for a table WITH SYSTEM VERSIONING.
	Versioned bool
	// Temporary is set for a table of one session.
	Temporary bool

	columns map[string]*Column // by folded name
}

// FirstTemporary is the first ID of temporary tables.
const FirstTemporary = 1 << 30

// Column is one column.
type Column struct {
	Name string
	Attr int16 // ordinal position, from 1
	Type TypeCode
	// TypeText is the type as SQL: "enum('a','b')".
	TypeText  string
	Charset   string // empty for types without
	Collation string
	NotNull   bool
	// Generated is the expression of a generated column, else empty.
	Generated string
	Stored    bool
	Default   string // as SQL, empty for none
	// OnUpdate is set for ON UPDATE CURRENT_TIMESTAMP.
	OnUpdate      bool
	AutoIncrement bool
	// Invisible columns are not part of *.
	Invisible bool
}

// Trigger is a trigger of a table. One without an event stands for those that
// may not be seen.
type Trigger struct {
	Name   string
	Event  string // INSERT, UPDATE, DELETE
	Timing string // BEFORE, AFTER
	Body   string // empty if it may not be read
	// SQLMode is the one in which the body is read and runs.
	SQLMode SQLMode
}

// Index is an index of a table.
type Index struct {
	Name    string
	Unique  bool
	Columns []IndexColumn
}

// IndexColumn is one part of an index: a column, a prefix of it, or an expression.
type IndexColumn struct {
	Column     string // empty for an expression
	Prefix     int    // length of the prefix, 0 for all of it
	Expression string
}

// ForeignKey is a reference of a table's columns to those of another.
type ForeignKey struct {
	Name                string
	Columns             []string
	RefSchema, RefTable string
	RefColumns          []string
	OnUpdate, OnDelete  string // CASCADE, SET NULL, RESTRICT, …
}

// Routine is a stored function or procedure.
type Routine struct {
	Schema, Name  string
	Procedure     bool
	Package       bool
	Access        string // NO SQL, CONTAINS SQL, READS SQL DATA, MODIFIES SQL DATA
	Deterministic bool
	Definer       bool    // SQL SECURITY DEFINER
	Returns       string  // type of a function as SQL
	Body          string  // empty if it may not be read
	SQLMode       SQLMode // in which the body is read and runs
	Parameters    []Parameter
}

// Parameter is one parameter of a routine.
type Parameter struct {
	Name string
	Mode string // IN, OUT, INOUT
	Type string
}

// Builtin reports whether a database is one of the server's own.
func Builtin(schema string) bool {
	switch strings.ToLower(schema) {
	case "information_schema", "performance_schema", "mysql", "sys":
		return true
	}
	return false
}

// fold is a name of a database or table as the server compares it.
func (c *Catalog) fold(name string) string {
	if c.Server.LowerCaseTableNames == 0 {
		return name
	}
	return lower(name)
}

// Database finds a database and gives its own name, false if there is none.
func (c *Catalog) Database(name string) (string, bool) {
	own, ok := c.Databases[c.foldDatabase(name)]
	return own, ok
}

// foldDatabase folds the name of a database: that of information_schema is
// the same in any case.
func (c *Catalog) foldDatabase(name string) string {
	if strings.EqualFold(name, "information_schema") {
		return "information_schema"
	}
	return c.fold(name)
}

// Relation finds a relation, nil if there is none. Tables of the information
// schema have the same name in any case.
func (c *Catalog) Relation(schema, name string) *Relation {
	return c.byName[c.key(schema, name)]
}

func (c *Catalog) key(schema, name string) qualified {
	schema = c.foldDatabase(schema)
	if schema == "information_schema" {
		return qualified{schema, lower(name)}
	}
	return qualified{schema, c.fold(name)}
}

// RelationByID finds a relation, nil if there is none.
func (c *Catalog) RelationByID(id uint32) *Relation {
	if id == 0 || int64(id) > int64(len(c.Relations)) {
		return nil
	}
	return c.Relations[id-1]
}

// Routine lists the functions and procedures of a name. Names of routines have
// no case, those of their databases do.
func (c *Catalog) Routine(schema, name string) []*Routine {
	return c.routines[qualified{c.foldDatabase(schema), foldName(name)}]
}

// HasFunction reports whether any database has a stored function of a name:
// where a built-in function has it too, the server may mean either.
func (c *Catalog) HasFunction(name string) bool { return c.bare[foldName(name)] }

// Column finds a column by name, nil if there is none. The server compares
// names of columns without case, in some places without accents too; here that
// is so where no column has the very name.
func (r *Relation) Column(name string) *Column {
	if r.columns == nil {
		c := *r
		c.index()
		return c.Column(name)
	}
	if c := r.columns[lower(name)]; c != nil {
		return c
	}
	return r.columns[foldName(name)]
}

// Attribute finds a column by its position, nil if there is none.
func (r *Relation) Attribute(attr int16) *Column {
	if i := int(attr) - 1; i >= 0 && i < len(r.Columns) && r.Columns[i].Attr == attr {
		return &r.Columns[i]
	}
	for i := range r.Columns {
		if r.Columns[i].Attr == attr {
			return &r.Columns[i]
		}
	}
	return nil
}

// Index numbers the relations and builds the look-ups. Whoever fills a Catalog
// calls it once, last.
func (c *Catalog) Index() {
	if c.Databases == nil {
		c.Databases = make(map[string]string)
	}
	c.byName = make(map[qualified]*Relation, len(c.Relations))
	for i, r := range c.Relations {
		if r.columns == nil || r.ID != uint32(i+1) { // what another catalog has too is not touched
			r.ID = uint32(i + 1)
			r.index()
		}
		c.byName[c.key(r.Schema, r.Name)] = r
		if f := c.foldDatabase(r.Schema); c.Databases[f] == "" {
			c.Databases[f] = r.Schema
		}
	}
	c.routines = make(map[qualified][]*Routine, len(c.Routines))
	c.bare = make(map[string]bool)
	for _, f := range c.Routines {
		k := qualified{c.foldDatabase(f.Schema), foldName(f.Name)}
		c.routines[k] = append(c.routines[k], f)
		if !f.Procedure {
			c.bare[k.name] = true
		}
	}
}

// index fills what is worked out of the columns.
func (r *Relation) index() {
	r.columns = make(map[string]*Column, len(r.Columns))
	for i := range r.Columns {
		c := &r.Columns[i]
		if c.Attr == 0 {
			c.Attr = int16(i + 1)
		}
		r.columns[lower(c.Name)] = c
	}
	for i := range r.Columns {
		if key := foldName(r.Columns[i].Name); r.columns[key] == nil {
			r.columns[key] = &r.Columns[i]
		}
	}
}
