package mysql

import (
	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
)

// parse reads the statement with the grammar.
func (t *text) parse(st *State) (ast.StmtNode, *TextError) {
	setDriver()
	p := parser.New()
	n, err := p.ParseOneStmt(t.sql, "", "")
	if err != nil {
		return nil, syntaxError(err.Error(), -1)
	}
	return n, nil
}
