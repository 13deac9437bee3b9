package query

// Class is the coarse kind of a statement, as policy sees it.
type Class string

// The classes. A statement of several kinds takes the strongest one
// (WITH d AS (DELETE …) SELECT … is a write).
const (
	ClassRead        Class = "read"
	ClassWrite       Class = "write"
	ClassDDL         Class = "ddl"
	ClassDCL         Class = "dcl"
	ClassTransaction Class = "transaction"
	ClassSession     Class = "session"
	ClassCall        Class = "call"
	ClassCopy        Class = "copy"
	ClassExplain     Class = "explain"
	ClassAdmin       Class = "admin"
	ClassUnknown     Class = "unknown"
)

// Use is a set of ways in which a statement uses a column.
type Use uint16

// The ways. Output is the column itself, unchanged, in the result; every other
// bit is a channel through which its value can show.
const (
	UseOutput    Use = 1 << iota // the value itself is a result column
	UseDerived                   // an expression over it reaches the result
	UseFilter                    // WHERE, HAVING, LIMIT, CASE conditions, ON CONFLICT … WHERE
	UseJoin                      // JOIN … ON/USING, correlated reference
	UseGroup                     // GROUP BY
	UseDistinct                  // DISTINCT, UNION, INTERSECT, EXCEPT
	UseOrder                     // ORDER BY
	UseAggregate                 // argument of an aggregate
	UseWindow                    // PARTITION BY, ORDER BY, frame or argument of a window function
	UseWrite                     // flows into a table, variable, setting or other stored place
	UseCall                      // argument of a function that is not known to be safe
	UseAssign                    // is stored into, whatever was there; policy sees a write
)

// UseAll is what an unreadable statement may do with a column.
const UseAll = UseAssign<<1 - 1

var useNames = [...]string{"output", "derived", "filter", "join", "group", "distinct",
	"order", "aggregate", "window", "write", "call"}

// Names lists the uses by their policy names, in a fixed order.
func (u Use) Names() []string {
	if u&UseAssign != 0 {
		u |= UseWrite
	}
	names := make([]string, 0, 4)
	for i, n := range useNames {
		if u&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// Facts is what one statement does.
type Facts struct {
	Class Class
	// Verbs are the commands in the statement, upper case, outermost first:
	// "SELECT", "INSERT", "CREATE TABLE", "COPY TO".
	Verbs []string
	// Complete is false when some part could not be analysed; Gaps says which.
	Complete bool
	Gaps     []Gap
	// Fingerprint groups statements of a shape for people. It loses meaning and
	// keys nothing.
	Fingerprint string
	Tables      []Table
	Functions   []Function
	// Returns says that the statement produces rows. Output then holds one
	// entry per result column, in order, unless Complete is false.
	Returns bool
	Output  []Output
	// Writes is why the statement may change something that outlives it (data,
	// schema, rights, server state); empty if it certainly does not.
	// Read-only sources refuse on it.
	Writes []Effect
	// Assignments are what is stored in which column.
	Assignments []Assignment
	// Moves lists places outside the result into which column values flow
	// (tables, cursors, settings); their columns carry UseWrite too.
	Moves []Effect
	// Span is the statement's byte range in the text that was analysed.
	Span Span
}

// Span is a half-open byte range of a SQL text.
type Span struct{ Start, End int }

// Gap is a part of a statement that could not be analysed.
type Gap struct {
	Reason string // for people: "function util.peek is not known to be safe"
	// Code is the SQLSTATE with which the server itself would refuse, where the
	// gap is a plain mistake such as a name that does not exist; Reason then
	// reads like the server's message.
	Code string
	Pos  int // byte offset in the text, -1 if unknown
}

// Assignment is one value that a statement stores in a column, or in one that
// stands behind a column of a view.
type Assignment struct {
	Schema, Table, Column string
	Type                  uint32 // of the column; a type OID
	// Literal is a constant as it is written, Parameter the number of a bound
	// parameter from 1. Both are empty for everything else.
	Literal   *string
	Parameter int
	Pos       int // byte offset of the value or the column, -1 if unknown
}

// Effect is something a statement does beyond returning rows.
type Effect struct {
	Kind   string // "insert", "create table", "set", "function", "copy to program", …
	Object string // what it acts on, for people; may be empty
	Pos    int    // byte offset, -1 if unknown
}

// Table is a relation that a statement touches, directly or through a view.
type Table struct {
	Schema, Name string
	Kind         string // table, view, materialized_view, foreign_table, partition, sequence, temporary
	OID          uint32
	// Access lists what is done to it, as policy sees it: select, insert,
	// update, delete, truncate, lock, references, ddl.
	Access []string
	// Direct is true for a relation that the text names, false for one that
	// is only reached through a view, a partition tree or a function body.
	Direct  bool
	Columns []ColumnUse
}

// ColumnUse is one column of a Table and how it is used.
type ColumnUse struct {
	Name string
	Attr int16  // attribute number, from 1
	Type uint32 // type OID, 0 if unknown
	Uses Use
	// At holds one position in the text per use, in bit order of Uses,
	// -1 where it is unknown.
	At []int
}

// ColumnRef names a base column.
type ColumnRef struct {
	Schema, Table, Column string
	Relation              uint32 // relation OID
	Attr                  int16  // attribute number, from 1
	// Derived is set where the column reaches the result through a
	// computation: an expression, or a generated column.
	Derived bool
}

// Output is the lineage of one result column.
type Output struct {
	Name string // as the server will name it; empty if unknown
	// Origins are all base columns whose value can reach this result column.
	Origins []ColumnRef
	// Direct is true if the result value is always, unchanged, the value of
	// one of Origins (several after UNION ALL). A direct column can be masked.
	Direct bool
	// Source is the relation and attribute that the server itself reports for
	// the column in its row description (a view's own OID for a view); zero
	// where the server reports none.
	Source     uint32
	SourceAttr int16
	// SourceAlias is the entry of FROM that the server names in the relation's
	// place where it reports no relation, as MariaDB does for derived tables.
	SourceAlias string
	Type        uint32 // type OID, 0 if unknown
}

// Function is a function, procedure, or operator's function that a statement calls.
type Function struct {
	Schema, Name string
	// Safe: the result depends on the arguments alone and calling it has no
	// effect. Everything else reads, writes or runs something.
	Safe bool
	Pos  int
}
