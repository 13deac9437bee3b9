package mysql

import "github.com/weirdb/weir/query"

// text is one statement in the form that the grammar reads, and where its
// parts stand in the client's text.
type text struct {
	sql  string
	span query.Span // in the client's text
	segs []segment  // sorted by out; between two of them positions run in step
}

type segment struct{ out, in int }

// original turns an offset of the statement's sql into one of the client's text.
func (t *text) original(pos int) int {
	for i := len(t.segs) - 1; i >= 0; i-- {
		if t.segs[i].out <= pos {
			return t.segs[i].in + pos - t.segs[i].out
		}
	}
	return t.span.Start + pos
}

func (t *text) fingerprint() string { return "" }

// read cuts a client's text into statements that the grammar can read.
func read(sql string, server *Server, st *State) ([]text, *TextError) {
	return []text{{sql: sql, span: query.Span{End: len(sql)}}}, nil
}
