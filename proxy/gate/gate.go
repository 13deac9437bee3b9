package gate

import (
	"time"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/query"
)

// Statement is one statement to judge.
type Statement struct {
	// SQL is the statement's own text, for the journal.
	SQL   string
	Facts *query.Facts
	// Shape is SQL without its literals, for the journal; empty if it is not
	// known. Nil is the same.
	Shape func() string
	// Universe lists every relation with all columns, for statements whose
	// facts are incomplete: they might read any of them. Never nil.
	Universe func() []query.Table
	// Rewrite makes the text that sees the relations as they are to be seen.
	// Its error is a *query.RewriteError. Nil if there is nothing to rewrite.
	Rewrite func(query.Rewrite) (*query.Rewritten, error)
	// Applied is what the server already has of the statement, where it was
	// prepared or opened earlier: then it cannot be rewritten any more. Its
	// Rewrite is empty if the server has the original. Nil where the text is
	// yet to be sent.
	Applied *query.Rewritten
	// Reorders says that Rewrite can keep the server from reading rows in the
	// order of columns.
	Reorders bool
	// Sizes lists the relations with what the size of each tells of, if the
	// statement might show one; none if it does not. Nil is the same.
	Sizes func() []query.Sized
	// Values are what bound parameters hold, by number from 1, in their wire
	// formats; those that are left out are not looked at.
	Values map[int]Value

	sizes *query.Sizes // that it may see, where Facts count on it
	apart bool         // rows are not to be read in the order of masked columns
}

// Value is a bound parameter's value, nil for NULL.
type Value struct {
	Bytes  []byte
	Format masking.Format
}

// Ticket lets one statement pass. Its holder calls Done exactly once.
type Ticket struct {
	// Facts are those that count for the result: of the rewritten statement
	// where it is rewritten.
	Facts *query.Facts
	// Rewritten is what runs instead of the statement; nil for itself.
	Rewritten *query.Rewritten
	// Masks says which result columns (from 0, ascending) are masked, and how.
	Masks []OutputMask
	// Touched is set when the statement reads a masked column or filtered rows
	// anywhere: the server's texts (errors, notices) about it may quote values
	// and are replaced.
	Touched bool
	// Restricted is set when the person has any mask or row filter in this
	// statement's reach.
	Restricted bool
	// Rows is the largest number of rows that may be returned, 0 for no limit.
	Rows int64
	// Timeout bounds the statement's run time, 0 for no limit.
	Timeout time.Duration

	done func(Outcome)
}

// OutputMask masks one result column.
type OutputMask struct {
	Index int
	Spec  masking.Spec
	// Source and SourceAttr are the relation and attribute that the server
	// must report for the column; a disagreement ends the statement.
	Source     uint32
	SourceAttr int16
	Column     query.ColumnRef // the origin, for messages
}

// Outcome is how a statement ended.
type Outcome struct {
	Rows, Bytes int64
	SQLState    string // empty when it succeeded
	Aborted     bool   // the connection ended before the statement did
}

// Done records the outcome. Later calls do nothing.
func (t *Ticket) Done(o Outcome) {
	if t.done != nil {
		t.done(o)
		t.done = nil
	}
}

// Denial refuses a statement or a connection. Its texts are for the client;
// Cause is for the log only.
type Denial struct {
	SQLState string // 42501 unless something else fits better
	Message  string
	Detail   string
	Hint     string // what would be allowed
	Pos      int    // byte offset in the text that was analysed, -1 if unknown
	Rule     string // bounded name for metrics: read_only, masked_column, policy, journal, …
	Cause    error
}

func (d *Denial) Error() string { return d.Message }

func (d *Denial) Unwrap() error { return d.Cause }
