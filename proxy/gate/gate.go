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
	// Universe lists every relation with all columns, for statements whose
	// facts are incomplete: they might read any of them. Never nil.
	Universe func() []query.Table
}

// Ticket lets one statement pass. Its holder calls Done exactly once.
type Ticket struct {
	// Masks says which result columns (from 0, ascending) are masked, and how.
	Masks []OutputMask
	// Touched is set when the statement reads a masked column anywhere: the
	// server's texts (errors, notices) about it may quote values and are replaced.
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
