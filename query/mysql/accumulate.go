package mysql

import (
	"slices"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/weirdb/weir/query"
)

// An accumulator collects the facts of one statement or one view.
type accumulator struct {
	gaps    []query.Gap
	missing []string // names that did not resolve
	writes  []query.Effect
	moves   []query.Effect
}

func newAccumulator() *accumulator { return &accumulator{} }

// plan analyses SELECT, set operations, INSERT, REPLACE, UPDATE, DELETE, CREATE
// VIEW and CREATE TABLE … SELECT; false for everything else.
func (r *run) plan(n ast.StmtNode) bool { return false }

// gap notes a part that could not be analysed. Positions are offsets of the
// statement as the grammar saw it.
func (r *run) gap(pos int, reason string) { r.mistake(pos, "", reason, "") }

// mistake notes a name that is not in the catalog, in the words and with the
// code of the server.
func (r *run) mistake(pos int, code, reason, name string) {
	if name != "" && !slices.Contains(r.acc.missing, name) {
		r.acc.missing = append(r.acc.missing, name)
	}
	r.acc.gaps = append(r.acc.gaps, query.Gap{Reason: reason, Code: code, Pos: r.offset(pos)})
}

// write notes why the statement may change something.
func (r *run) write(kind, object string, pos int) {
	r.acc.writes = append(r.acc.writes, query.Effect{Kind: kind, Object: object, Pos: r.offset(pos)})
}

// move notes a place into which values flow.
func (r *run) move(kind, object string, pos int) {
	r.acc.moves = append(r.acc.moves, query.Effect{Kind: kind, Object: object, Pos: r.offset(pos)})
}

// offset turns a position in the grammar's text into one of the client's.
func (r *run) offset(pos int) int {
	if r.hidden || pos < 0 {
		return -1
	}
	return r.text.original(pos)
}

// facts turns what was collected into the public form.
func (r *run) facts(f *query.Facts) {
	f.Gaps, f.Complete = r.acc.gaps, len(r.acc.gaps) == 0
	f.Writes, f.Moves = r.acc.writes, r.acc.moves
}
