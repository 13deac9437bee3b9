package pgsql

import (
	"slices"

	"github.com/weirdb/weir/query"
)

// Analysis is what a text means in one catalog and state.
type Analysis struct {
	// Statements are in text order; none for an empty text. A text that
	// cannot be read has one statement of class unknown, and Err says why.
	Statements []Statement
	Err        *TextError
	// Cacheable is true when the result depends on the text, the catalog
	// version and State.Key alone.
	Cacheable bool
}

// WithGaps is the analysis with more gaps in each of its statements.
func (a *Analysis) WithGaps(gaps []query.Gap) *Analysis {
	if len(gaps) == 0 {
		return a
	}
	out := *a
	out.Statements = slices.Clone(a.Statements)
	for i := range out.Statements {
		f := &out.Statements[i].Facts
		f.Complete, f.Gaps = false, append(slices.Clone(f.Gaps), gaps...)
	}
	return &out
}

// TextError says why a text could not be read.
type TextError struct {
	Code    string // SQLSTATE: 42601 syntax, 54001 too complex, 22021 encoding, 54000 too long
	Message string
	Pos     int // byte offset, -1 if unknown
}

func (e *TextError) Error() string { return e.Message }

// Statement is one statement of a text: its facts, and what the session has
// to know to follow it on the wire.
type Statement struct {
	query.Facts
	Kind Kind
	// Name is the prepared statement, cursor, savepoint, channel or setting
	// that the statement acts on; empty for all (DEALLOCATE ALL, CLOSE ALL).
	Name string
	// Inner is the text of the statement inside PREPARE, DECLARE, EXPLAIN or
	// COPY (query), for a description by the server; empty otherwise.
	Inner string
	// Settings are the assignments of SET, RESET, SET TRANSACTION and of
	// set_config calls with constant arguments.
	Settings []Setting
	Copy     *Copy
	// Changes says what of State the statement changes.
	Changes Change

	missing []string // names that did not resolve
	cursor  *Cursor  // what DECLARE opens
}

// Kind is what a statement is to the session that carries it.
type Kind uint8

// The kinds. KindPlain is everything that needs no following.
const (
	KindPlain Kind = iota
	KindBegin
	KindCommit
	KindRollback
	KindSavepoint
	KindRollbackTo
	KindRelease
	KindPrepareTransaction
	KindPrepare
	KindExecute
	KindDeallocate
	KindDeclareCursor
	KindFetch
	KindCloseCursor
	KindCopyIn
	KindCopyOut
	KindSet
	KindReset
	KindDiscard
	KindListen
	KindDDL
)

// Change is a set of parts of State.
type Change uint8

// The parts. ChangeUnknown means anything may have changed.
const (
	ChangeSettings Change = 1 << iota // search_path, encoding, string syntax
	ChangeRole                        // SET ROLE, SET SESSION AUTHORIZATION
	ChangePrepared
	ChangeCursors
	ChangeTemp
	ChangeCatalog // DDL that other sessions see
	ChangeUnknown
	ChangeNames // a permanent name may stand for something else until the transaction ends
)

// Setting is one assignment. Value is empty with Default set for DEFAULT and RESET.
type Setting struct {
	Name    string // lower case
	Value   string
	Values  []string // list form, as for search_path
	Local   bool
	Default bool
}

// Copy describes a COPY statement that moves data over the connection or to a
// file or program on the server.
type Copy struct {
	From      bool
	Server    bool   // a file or program of the server, not the connection
	Format    string // text, csv, binary
	Delimiter byte
	Null      string
	Quote     byte
	Escape    byte
	Header    bool
	ForceQuote,
	ForceQuoteAll bool
	ForceQuoteColumns []string
	Encoding          string // empty: client_encoding
	// Columns are the columns in order for COPY table, resolved.
	Columns []string
	// Query is a text whose description has the same columns as the data: the
	// inner query, or a SELECT made from table and column list.
	Query string

	nullSet bool
}
