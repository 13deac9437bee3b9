package pgsql

import "github.com/weirdb/weir/query"

// State is what a session has set up that changes the meaning of a text. Its
// owner is the session; Analyze reads it and never changes it, Apply does.
type State struct {
	User string // upstream role that the statements run as (current_user)
	// SearchPath is the effective path in order, as current_schemas(true)
	// gives it: implicit schemas included, "$user" resolved.
	SearchPath []string
	// Closed are the schemas that the role may not use: the server leaves them
	// out of the path. A grant since then goes unseen until the next reading.
	Closed []string
	// TempSchema is the session's own temporary schema, empty until it has one.
	TempSchema string
	// Temp holds the session's temporary relations by name.
	Temp map[string]*Relation
	// Encoding is client_encoding, for example UTF8.
	Encoding string
	// NonStandardStrings is set while standard_conforming_strings is off: the
	// grammar would misread string literals.
	NonStandardStrings bool
	// Prepared holds statements by name, those of PREPARE and of the protocol
	// alike: the server keeps them in one name space.
	Prepared map[string]*Prepared
	// Cursors holds open cursors and named portals by name.
	Cursors map[string]*Cursor
	// Predicted is set when SearchPath was worked out here and not read from
	// the server.
	Predicted bool
	local     bool // a prediction holds for the transaction only
	// Stale is set when the server's state is no longer known (a failed or
	// rolled back change, a setting changed by a function): the session reads
	// it again before the next analysis. Until then names do not resolve.
	Stale bool
	// Unsettled is set while the transaction has dropped, renamed or moved
	// something permanent: the catalog is what other sessions see.
	Unsettled bool
}

// Prepared is a prepared statement's text. It is analysed again at each
// execution: under another search_path the server does so too
// (RevalidateCachedQuery in its plancache.c).
type Prepared struct {
	SQL string // the inner statement's text
	// Applied is what the session sent in its place, nil for itself. It is the
	// session's own affair: analysis goes by SQL.
	Applied *query.Rewritten
}

// Cursor is an open cursor: what it reads was fixed when it was opened.
type Cursor struct {
	// SQL is the statement's text as the server reports it, when the state
	// was read from the server.
	SQL   string
	Facts *query.Facts
	Hold  bool
	// Applied is what was opened in its place, nil for itself: its Facts are
	// those of the cursor. As in Prepared, analysis goes by Facts above.
	Applied *query.Rewritten
}

// Key identifies everything in the state that analysis of a text without
// EXECUTE, FETCH or CLOSE depends on. Equal keys: equal meaning.
func (s *State) Key() string { return s.key() }
