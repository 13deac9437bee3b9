package mysql

import (
	"fmt"
	"strings"
	"sync"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
)

// parsers holds parser objects, which are large and not safe for concurrent use.
var parsers = sync.Pool{New: func() any {
	setDriver()
	return parser.New()
}}

// grammarMode is a session's sql_mode for the grammar. It never has
// ANSI_QUOTES: print has turned such names into plain ones.
func grammarMode(m SQLMode) mysql.SQLMode {
	var out mysql.SQLMode
	for _, bit := range []struct {
		ours   SQLMode
		theirs mysql.SQLMode
	}{
		{ModeNoBackslashEscapes, mysql.ModeNoBackslashEscapes}, {ModeIgnoreSpace, mysql.ModeIgnoreSpace},
		{ModePipesAsConcat, mysql.ModePipesAsConcat}, {ModeHighNotPrecedence, mysql.ModeHighNotPrecedence},
		{ModeRealAsFloat, mysql.ModeRealAsFloat},
	} {
		if m&bit.ours != 0 {
			out |= bit.theirs
		}
	}
	return out
}

// parse reads one statement with the grammar. The tree keeps no hold of the parser.
func parse(sql string, mode SQLMode) (n ast.StmtNode, terr *TextError) {
	p := parsers.Get().(*parser.Parser)
	defer func() {
		if r := recover(); r != nil { // this parser object is given up
			n, terr = nil, &TextError{Number: errInternal, SQLState: "HY000", Message: fmt.Sprintf("parser failed: %v", r), Pos: -1}
		}
	}()
	p.SetSQLMode(grammarMode(mode))
	nodes, _, err := p.ParseSQL(sql)
	if err == nil && len(nodes) == 1 {
		n = nodes[0]
	}
	p.Reset()
	parsers.Put(p)
	switch {
	case err != nil:
		return nil, syntaxError("the statement cannot be read"+near(err.Error()), -1)
	case n == nil:
		return nil, syntaxError("not one statement", -1)
	}
	return n, nil
}

// near is the place that an error of the grammar names, cut short.
func near(message string) string {
	_, rest, ok := strings.Cut(message, `near "`)
	if !ok || rest == "" || rest[0] == '"' {
		return ""
	}
	if end := strings.LastIndexByte(rest, '"'); end >= 0 {
		rest = rest[:end]
	}
	if len(rest) > maxNear {
		rest = strings.ToValidUTF8(rest[:maxNear], "") + "…"
	}
	return " near '" + rest + "'"
}

const maxNear = 40

// parseStored reads a definition that the server printed: of a view, a
// generated column (as SELECT of its expression) or a check. Its positions are
// not those of the client's text.
func (r *run) parseStored(sql string) (ast.StmtNode, *TextError) {
	st := &State{ClientCharset: "utf8mb4"}
	rd := &reader{sql: sql, server: &r.cat.Server}
	t, terr := rd.next(st)
	if terr != nil {
		return nil, terr
	}
	if rd.pos < len(sql) {
		return nil, syntaxError("the definition holds more than one statement", -1)
	}
	t.print(0, len(t.tokens), nil)
	r.text = t // of a run of its own
	return parse(t.sql, 0)
}
