package query

// Rewrite says how a statement is to see some relations: with fewer rows, or
// with constants in the place of columns. Two are equal if reflect.DeepEqual
// says so: relations, filters and constants come in a fixed order.
type Rewrite struct {
	Relations []Narrowing // sorted by schema and table
	// Sizes is set where the statement is to see sizes of some relations only.
	Sizes *Sizes
}

// Sizes says of which relations a statement may see how large they are: their
// statistics in catalogs and what functions of their size give. Those of all
// others look as if they were not known.
type Sizes struct {
	Shown []RelationName // sorted by schema and name
}

// RelationName names a relation.
type RelationName struct{ Schema, Name string }

// Sized is a relation, and what its size tells of.
type Sized struct {
	RelationName
	// Tables are the columns that its size depends on; none if it has no rows
	// of its own.
	Tables []Table
}

// Narrowing is how one relation is seen, wherever a statement reads it.
type Narrowing struct {
	Schema, Table string
	// Filters are boolean expressions, in SQL of the target, over the columns
	// of the relation by their plain names. All of them apply.
	Filters   []string
	Constants []Constant // sorted by column
	// Apart are columns, sorted, in whose order the rows must not be read.
	Apart []string
}

// Constant is what stands in the place of a column.
type Constant struct {
	Column string
	// Value is in the text form of the column's type; nil is NULL.
	Value *string
}

// Empty says that nothing is to be changed.
func (r *Rewrite) Empty() bool { return r == nil || len(r.Relations) == 0 && r.Sizes == nil }

// Rewritten is a statement that was rewritten.
type Rewritten struct {
	Rewrite Rewrite // what was asked for
	SQL     string  // what is to run instead
	// Facts are those of SQL without the filters, which are policy's own and
	// do not count as uses. Positions are -1.
	Facts *Facts
}

// RewriteError says why a statement cannot be rewritten soundly.
type RewriteError struct {
	Reason string // for people: "rows of hr.person are filtered, and INSERT cannot be narrowed"
	Hint   string // what would work; may be empty
	Pos    int    // byte offset in the text that was analysed, -1 if unknown
}

func (e *RewriteError) Error() string { return e.Reason }
