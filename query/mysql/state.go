package mysql

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weirdb/weir/query"
)

// SQLMode is the set of modes that change what a text means.
type SQLMode uint32

// The modes. ModeOther stands for those that change no reading.
const (
	ModeANSIQuotes SQLMode = 1 << iota
	ModeNoBackslashEscapes
	ModeIgnoreSpace
	ModePipesAsConcat
	ModeHighNotPrecedence
	ModeRealAsFloat
	ModeNoUnsignedSubtraction
	ModeEmptyStringIsNull
	ModeOnlyFullGroupBy
	ModeStrict
	// ModeForeign is ORACLE, MSSQL, DB2, POSTGRESQL or MAXDB: other grammars,
	// which this package does not read.
	ModeForeign
	// ModeUnknown is set where the mode could not be worked out.
	ModeUnknown
)

var modeNames = map[string]SQLMode{
	"ANSI_QUOTES": ModeANSIQuotes, "NO_BACKSLASH_ESCAPES": ModeNoBackslashEscapes, "IGNORE_SPACE": ModeIgnoreSpace,
	"PIPES_AS_CONCAT": ModePipesAsConcat, "HIGH_NOT_PRECEDENCE": ModeHighNotPrecedence, "REAL_AS_FLOAT": ModeRealAsFloat,
	"NO_UNSIGNED_SUBTRACTION": ModeNoUnsignedSubtraction, "EMPTY_STRING_IS_NULL": ModeEmptyStringIsNull,
	"ONLY_FULL_GROUP_BY": ModeOnlyFullGroupBy, "STRICT_TRANS_TABLES": ModeStrict, "STRICT_ALL_TABLES": ModeStrict, "TRADITIONAL": ModeStrict,
	"ANSI":   ModeANSIQuotes | ModePipesAsConcat | ModeIgnoreSpace | ModeRealAsFloat | ModeOnlyFullGroupBy,
	"ORACLE": ModeForeign, "MSSQL": ModeForeign, "DB2": ModeForeign, "POSTGRESQL": ModeForeign, "MAXDB": ModeForeign,
	"MYSQL323": ModeHighNotPrecedence, "MYSQL40": ModeHighNotPrecedence,
	"": 0, "NO_ZERO_IN_DATE": 0, "NO_ZERO_DATE": 0, "ERROR_FOR_DIVISION_BY_ZERO": 0, "NO_AUTO_CREATE_USER": 0, "NO_ENGINE_SUBSTITUTION": 0,
	"NO_AUTO_VALUE_ON_ZERO": 0, "NO_DIR_IN_CREATE": 0, "NO_FIELD_OPTIONS": 0, "NO_KEY_OPTIONS": 0, "NO_TABLE_OPTIONS": 0,
	"PAD_CHAR_TO_FULL_LENGTH": 0, "ALLOW_INVALID_DATES": 0, "TIME_ROUND_FRACTIONAL": 0, "SIMULTANEOUS_ASSIGNMENT": 0,
	"TIME_TRUNCATE_FRACTIONAL": 0,
}

// ParseSQLMode reads a list of modes as @@sql_mode prints it.
func ParseSQLMode(text string) SQLMode {
	var m SQLMode
	for _, name := range strings.Split(text, ",") {
		bits, ok := modeNames[strings.ToUpper(strings.TrimSpace(name))]
		if !ok {
			bits = ModeUnknown
		}
		m |= bits
	}
	return m
}

// State is what a session has set up that changes the meaning of a text. Its
// owner is the session; Analyze reads it and never changes it, Apply does.
type State struct {
	// Database is the current one, empty for none.
	Database string
	SQLMode  SQLMode
	// ClientCharset is character_set_client: what the bytes of a text mean.
	ClientCharset string
	// Connection and Results are character_set_connection and
	// character_set_results (empty for NULL).
	ConnectionCharset string
	ResultsCharset    string
	// Temp holds the session's temporary tables. One whose columns are not
	// known has none.
	Temp  map[TableName]*Relation
	temps uint32 // temporary tables made so far
	// Variables are the user variables whose values are known, by folded
	// name. A variable that is missing has a value that is not known.
	Variables map[string]string
	// Prepared holds the statements of PREPARE by folded name. Those of
	// COM_STMT_PREPARE have numbers and are the session's own affair.
	Prepared map[string]*Prepared
	// Stale is set when the server's state is no longer known: the session
	// reads it again before the next analysis. Until then names do not resolve.
	Stale bool
}

// TableName names a table in the folded form of a Catalog.
type TableName struct{ Schema, Name string }

// Prepared is a prepared statement's text. It is analysed again at each
// execution, in the database, sql_mode and character sets of its preparation,
// which the server keeps with it.
type Prepared struct {
	SQL      string
	Database string
	SQLMode  SQLMode
	Charset  string // character_set_client
	// Applied is what the session sent in its place, nil for itself. It is the
	// session's own affair: analysis goes by SQL.
	Applied *query.Rewritten
}

// Key identifies everything in the state that analysis of a text depends on,
// save what makes an Analysis not cacheable. Equal keys: equal meaning.
func (s *State) Key() string {
	var b strings.Builder
	b.Grow(64)
	for _, p := range []string{s.Database, s.ClientCharset, s.ConnectionCharset, s.ResultsCharset, strconv.FormatUint(uint64(s.SQLMode), 16)} {
		b.WriteString(p)
		b.WriteByte(0)
	}
	if s.Stale {
		b.WriteByte('!')
	}
	if len(s.Temp) > 0 {
		names := slices.SortedFunc(maps.Keys(s.Temp), func(x, y TableName) int {
			if c := strings.Compare(x.Schema, y.Schema); c != 0 {
				return c
			}
			return strings.Compare(x.Name, y.Name)
		})
		for _, n := range names {
			b.WriteString(n.Schema + "\x00" + n.Name + "\x00" + strconv.Itoa(int(s.Temp[n].ID)) + "\x01")
			for i := range s.Temp[n].Columns {
				c := &s.Temp[n].Columns[i]
				b.WriteString(c.Name + "\x00" + strconv.Itoa(int(c.Type)) + "\x00" + c.Generated + "\x00")
			}
		}
	}
	return b.String()
}

// clone is a copy that Apply may change.
func (s *State) clone() *State {
	c := *s
	return &c
}
