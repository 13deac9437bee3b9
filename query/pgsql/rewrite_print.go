package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirdb/weir/query"
)

// print prints a statement and reads it again. The tree that the text gives
// must be the one that was printed.
func (w *rewriter) print(n *pg.Node) (string, *pg.Node) {
	text, terr := deparse(&pg.ParseResult{Version: w.version, Stmts: []*pg.RawStmt{{Stmt: n}}})
	var tree *pg.ParseResult
	if terr == nil {
		tree, terr = parse(text)
	}
	if terr != nil {
		refuse(-1, "Write it in several statements, or simpler.", "%s", terr.Message)
	}
	if len(tree.Stmts) != 1 || !sameTree(n, tree.Stmts[0].Stmt) {
		refuse(-1, "Write it in another way.", "the rewritten statement cannot be printed faithfully")
	}
	return text, tree.Stmts[0].Stmt
}

// sameTree compares two trees but for positions.
func sameTree(a, b *pg.Node) bool {
	a, b = proto.Clone(a).(*pg.Node), proto.Clone(b).(*pg.Node)
	withoutPositions(a)
	withoutPositions(b)
	return proto.Equal(a, b)
}

func withoutPositions(n *pg.Node) {
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		fields := m.Descriptor().Fields()
		for _, name := range []protoreflect.Name{"location", "name_location", "arg_location", "stmt_location", "stmt_len"} {
			if f := fields.ByName(name); f != nil {
				m.Clear(f)
			}
		}
		return true
	})
}

// guardOf is the guard of the tree printed, which is the tree n read again.
func (w *rewriter) guardOf(n, printed *pg.Node) *guard {
	return &guard{w: w, allowed: marked(n, printed, w.ours), calls: marked(n, printed, w.ourCalls)}
}

// marked finds in the tree b what is marked in the same tree a.
func marked[T interface {
	comparable
	protoreflect.ProtoMessage
}](a, b *pg.Node, marks map[T]bool) map[T]bool {
	if a == b {
		return marks
	}
	left, right := all[T](a), all[T](b)
	if len(left) != len(right) {
		refuse(-1, "", "the rewritten statement cannot be printed faithfully")
	}
	out := make(map[T]bool, len(marks))
	for i, v := range left {
		if marks[v] {
			out[right[i]] = true
		}
	}
	return out
}

// all lists the nodes of one kind.
func all[T protoreflect.ProtoMessage](n *pg.Node) []T {
	var out []T
	each(n.ProtoReflect(), func(m protoreflect.Message) bool {
		if v, ok := m.Interface().(T); ok {
			out = append(out, v)
		}
		return true
	})
	return out
}

// analyse is the analysis of a text of one statement, whose reads g watches.
func (w *rewriter) analyse(text string, n *pg.Node, g *guard) *Statement {
	s := &Statement{}
	s.Span = query.Span{End: len(text)}
	r := w.newRun(text)
	r.stmt, r.guard = s, g
	r.statement(n)
	r.facts(&s.Facts)
	s.missing = r.acc.missing
	s.Fingerprint = fingerprint(text)
	return s
}

// newRun is a run of the analyser in the state before the statement.
func (w *rewriter) newRun(text string) *run {
	budget, volatile := maxBudget, false
	return &run{an: w.an, cat: w.cat, cc: w.cc, st: w.st, acc: newAccumulator(), text: text,
		budget: &budget, volatile: &volatile, stmt: &Statement{}}
}

// settle takes positions out of the facts, for the text is not the client's,
// and keeps what the client's text names itself.
func (w *rewriter) settle(out *Rewritten) {
	lists := []*query.Facts{out.Facts, &out.Statement.Facts}
	if c := out.Statement.cursor; c != nil {
		lists = append(lists, c.Facts)
	}
	for _, f := range lists {
		f.Gaps, f.Writes, f.Moves = slices.Clone(f.Gaps), slices.Clone(f.Writes), slices.Clone(f.Moves)
		f.Functions, f.Tables = slices.Clone(f.Functions), slices.Clone(f.Tables)
		for i := range f.Gaps {
			f.Gaps[i].Pos = -1
		}
		for i := range f.Writes {
			f.Writes[i].Pos = -1
		}
		for i := range f.Moves {
			f.Moves[i].Pos = -1
		}
		for i := range f.Functions {
			f.Functions[i].Pos = -1
		}
		f.Assignments = slices.Clone(f.Assignments)
		for i := range f.Assignments {
			f.Assignments[i].Pos = -1
		}
		for i := range f.Tables {
			t := &f.Tables[i]
			t.Direct = t.Direct && w.direct[t.OID]
			for j := range t.Columns {
				for k := range t.Columns[j].At {
					t.Columns[j].At[k] = -1
				}
			}
		}
		f.Span = query.Span{End: len(out.SQL)}
	}
}

// encode turns UTF-8 into the session's encoding.
func (d decoded) encode(text string, st *State) (string, *TextError) {
	if isASCII(text) {
		return text, nil
	}
	encoding := plainEncoding(st.Encoding)
	switch encoding {
	case "UTF8", "UNICODE", "":
		return text, nil
	}
	for name, c := range singleByte {
		if plainEncoding(name) == encoding {
			if out, err := c.NewEncoder().String(text); err == nil {
				return out, nil
			}
		}
	}
	return "", &TextError{Code: "22021", Message: "the rewritten statement has characters that client_encoding " + st.Encoding + " lacks; use UTF8", Pos: -1}
}

func plainEncoding(name string) string {
	return strings.ToUpper(strings.ReplaceAll(strings.ReplaceAll(name, "-", ""), "_", ""))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
