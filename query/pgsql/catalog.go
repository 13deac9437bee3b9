package pgsql

import "strings"

// Catalog is an immutable snapshot of one database's definitions. Two
// snapshots with the same Version hold the same definitions.
type Catalog struct {
	// Version is a digest of the content; zero for a catalog made by hand.
	Version  uint64
	Database string
	// ServerVersion is server_version_num, for example 150018.
	ServerVersion int
	// Schemas maps a schema's name to its OID.
	Schemas map[string]uint32
	// Extensions maps an installed extension to its version.
	Extensions map[string]string

	Relations map[uint32]*Relation // by OID
	byName    map[qualified]*Relation
	Types     map[uint32]*Type // by OID
	typeNames map[qualified]*Type
	functions map[string][]*Function // by bare name
	byOID     map[uint32]*Function
	operators map[string][]*Operator // by bare name
	Casts     []Cast                 // user-defined ones and those of extensions only

	EventTriggers []EventTrigger // those that are enabled

	builtins *builtins // for the next Load; nil for a catalog made by hand
}

type qualified struct{ schema, name string }

// Relation is a table, view, materialised view, foreign table, partitioned
// table, sequence or composite type's relation. Indexes are not included.
type Relation struct {
	OID          uint32
	Schema, Name string
	Kind         byte // pg_class.relkind: r p v m f S c t
	Columns      []Column
	// Definition is the query of a view or materialised view as
	// pg_get_viewdef prints it under an empty search_path; empty for other
	// kinds, for the server's own views, and while it cannot be read.
	Definition string
	// Partial is set while the definition cannot be read because a running
	// transaction is changing it: Columns and Definition are then empty.
	Partial bool
	// Rules is set when the relation has rewrite rules besides a view's own.
	Rules bool
	// Triggers is set when user triggers exist.
	Triggers bool
	// RowSecurity is set when row-level security policies apply.
	RowSecurity bool
	Parents     []uint32 // inheritance or partition parents
	Children    []uint32
	// PartitionKey are the attributes that a partitioned table is split by; 0
	// stands for an expression over any of them.
	PartitionKey []int16
	RowType      uint32 // OID of the composite type of its rows
	Owner        string
	Extension    string // that the relation belongs to, else empty
	// PrimaryKey are the attributes of the primary key, unless it is deferrable.
	PrimaryKey []int16
	// Barrier is set for a view with security_barrier.
	Barrier bool
	// Conditions are the deparsed check constraints, partial index
	// predicates, index expressions and policies, whose failure or use can
	// show values.
	Conditions []string
	// Unique are the definitions of the unique indexes.
	Unique []string
}

// Column is one attribute. Dropped attributes are left out, so Attr may skip.
type Column struct {
	Name   string
	Attr   int16 // from 1
	Type   uint32
	Typmod int32
	// TypeText is the type with its modifiers as SQL, of a domain the type
	// below; for a temporary relation under the session's search_path.
	TypeText  string
	Collation string // qualified and quoted, empty for the default one
	NotNull   bool
	Generated string // deparsed expression of a generated column, else empty
	Default   string // deparsed default, else empty
	// Missing is set while rows from before the column was added have its
	// value in the catalog alone (pg_attribute.attmissingval).
	Missing bool
}

// Type is a data type. Base types of pg_catalog are included too.
type Type struct {
	OID          uint32
	Schema, Name string
	Kind         byte   // pg_type.typtype: b c d e p r m
	Elem         uint32 // element type of an array, else 0
	Base         uint32 // base type of a domain, else 0
	BaseTypmod   int32
	Relation     uint32   // of a composite type, else 0
	Labels       []string // of an enum, in sort order
	Checks       []string // deparsed constraints of a domain
	Extension    string
}

// Function is a function, procedure, aggregate or window function.
type Function struct {
	OID          uint32
	Schema, Name string
	Kind         byte // pg_proc.prokind: f p a w
	Volatile     byte // i s v
	Language     string
	Args         []uint32
	Variadic     bool
	Defaults     int
	Returns      uint32
	ReturnsSet   bool
	ArgNames     []string // including OUT and TABLE names
	ArgModes     []byte   // nil when all are IN
	AllArgs      []uint32 // types beside ArgNames and ArgModes; nil when all are IN
	Body         string   // source of SQL-language functions outside pg_catalog
	Definer      bool     // SECURITY DEFINER
	Settings     []string // SET clauses, "name=value"
	Leakproof    bool     // tells nothing of its arguments but by its result, not even by errors
	Extension    string
}

// Operator is an operator with the function behind it.
type Operator struct {
	OID          uint32
	Schema, Name string
	Left, Right  uint32 // 0 for a prefix operator's left
	Result       uint32
	Function     uint32
	Extension    string
}

// Cast is a cast that runs a function or reinterprets the value.
type Cast struct {
	Source, Target uint32
	Function       uint32 // 0: binary coercible or I/O conversion
	Extension      string
}

// Builtin reports whether a schema is one of the server's own.
func Builtin(schema string) bool {
	return schema == "pg_catalog" || schema == "information_schema" || strings.HasPrefix(schema, "pg_toast")
}

// Relation finds a relation by schema and name, nil if there is none.
func (c *Catalog) Relation(schema, name string) *Relation { return c.byName[qualified{schema, name}] }

// TypeNamed finds a type by schema and name, nil if there is none.
func (c *Catalog) TypeNamed(schema, name string) *Type { return c.typeNames[qualified{schema, name}] }

// Functions lists every function of a bare name, in all schemas.
func (c *Catalog) Functions(name string) []*Function { return c.functions[name] }

// FunctionByOID finds a function, nil if there is none.
func (c *Catalog) FunctionByOID(oid uint32) *Function { return c.byOID[oid] }

// Operators lists every operator of a bare name, in all schemas.
func (c *Catalog) Operators(name string) []*Operator { return c.operators[name] }

// Column finds a column by name, nil if there is none.
func (r *Relation) Column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// Index builds the name look-ups. Whoever fills a Catalog calls it once, last.
func (c *Catalog) Index(functions []*Function, operators []*Operator) {
	c.byName = make(map[qualified]*Relation, len(c.Relations))
	for _, r := range c.Relations {
		c.byName[qualified{r.Schema, r.Name}] = r
	}
	c.typeNames = make(map[qualified]*Type, len(c.Types))
	for _, t := range c.Types {
		c.typeNames[qualified{t.Schema, t.Name}] = t
	}
	c.functions = make(map[string][]*Function)
	c.byOID = make(map[uint32]*Function, len(functions))
	for _, f := range functions {
		c.byOID[f.OID] = f
		c.functions[f.Name] = append(c.functions[f.Name], f)
	}
	c.operators = make(map[string][]*Operator)
	for _, o := range operators {
		c.operators[o.Name] = append(c.operators[o.Name], o)
	}
}
