package mysql

import (
	"slices"
	"strconv"
	"strings"

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

// UnresolvedNames are the relations, columns and routines that the catalog
// does not have. A catalog that is read again may have them.
func (a *Analysis) UnresolvedNames() []string {
	var out []string
	for i := range a.Statements {
		out = append(out, a.Statements[i].missing...)
	}
	return out
}

// TextError says why a text could not be read.
type TextError struct {
	Number   uint16 // MySQL's error number: 1064 syntax, 1153 too long, 1300 encoding
	SQLState string
	Message  string
	Pos      int // byte offset, -1 if unknown
}

func (e *TextError) Error() string { return e.Message }

// Error numbers that the package itself gives.
const (
	errSyntax    = 1064
	errTooBig    = 1153
	errEncoding  = 1300
	errInternal  = 1105
	errUnknownDB = 1049
)

func syntaxError(message string, pos int) *TextError {
	return &TextError{Number: errSyntax, SQLState: "42000", Message: message, Pos: pos}
}

// Statement is one statement of a text: its facts, and what the session has
// to know to follow it on the wire.
type Statement struct {
	query.Facts
	Kind Kind
	// Name is the database of USE, the prepared statement, the savepoint or
	// the handler that the statement acts on, or what SHOW shows.
	Name string
	// Inner is the text of the statement inside PREPARE, EXPLAIN, SET
	// STATEMENT or EXECUTE IMMEDIATE where it is known; empty otherwise.
	Inner string
	// Settings are the assignments of SET, in order.
	Settings []Setting
	// Changes says what of State the statement changes.
	Changes Change
	// Parameters is how many markers (?) the statement has.
	Parameters int
	// Several is set where the statement reaches to the end of the text because
	// it may hold semicolons, as a block does, and others may follow in it.
	Several bool
	// Messages is set where the result quotes messages of the statement
	// before: SHOW WARNINGS, SHOW ERRORS, GET DIAGNOSTICS.
	Messages bool

	missing []string    // names that did not resolve
	forgets bool        // it assigns variables beyond its Settings
	tables  []*Relation // temporary tables that it makes; a nil Columns is unknown
	dropped []qualified // temporary tables that it drops
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
	KindPrepare
	KindExecute
	KindExecuteImmediate
	KindDeallocate
	KindSet
	KindUse
	KindCall
	KindLoadLocal // the server will ask the client for a file
	KindLock      // LOCK TABLES
	KindUnlock
	KindHandler
	KindXA
	KindKill
	KindShow
	KindDDL
	KindShutdown
)

// Change is a set of parts of State.
type Change uint8

// The parts. ChangeUnknown means anything may have changed.
const (
	ChangeSettings Change = 1 << iota // sql_mode, character sets, autocommit and the like
	ChangeDatabase
	ChangePrepared
	ChangeTemp
	ChangeVariables // user variables
	ChangeCatalog   // definitions that other sessions see
	ChangeRole      // SET ROLE, SET PASSWORD
	ChangeUnknown
)

// Setting is one assignment of SET. Value is the text of a constant, without
// quotes; Known is false for everything else.
type Setting struct {
	Name    string // lower case; with "@" for a user variable
	Value   string
	Known   bool
	Default bool // DEFAULT
	Null    bool // NULL
	Global  bool // GLOBAL or PERSIST
	// Once is set where the value holds for the next transaction or the one
	// statement (SET TRANSACTION, SET STATEMENT).
	Once bool
}

// code is what a query.Gap carries where the server itself would refuse: the
// error's number and SQLSTATE.
func code(number uint16, state string) string { return strconv.Itoa(int(number)) + " " + state }

// ErrorCode splits the Code of a gap; false if it has none.
func ErrorCode(code string) (number uint16, state string, ok bool) {
	n, state, found := strings.Cut(code, " ")
	v, err := strconv.ParseUint(n, 10, 16)
	return uint16(v), state, found && err == nil
}
