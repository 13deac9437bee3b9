package pgsql

import (
	"fmt"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// Rewritten is a statement that was rewritten.
type Rewritten struct {
	query.Rewritten
	// Statement is the analysis of SQL: kind, COPY, inner text. Its span is
	// all of SQL and its facts are Facts, but for PREPARE: there Facts are
	// those of the statement that is prepared.
	Statement *Statement
}

// Rewrite makes of one statement of a text another one that sees relations as
// rw says. index counts the statements of Analyze. What was analysed and what
// comes out are in the session's encoding. The result is shared with other
// callers and must not be changed; the error is a *query.RewriteError.
//
// Every read of a relation becomes a subquery in its place; views that read one
// are put into the text. The analyser's own run says what a name means. The
// printed text is parsed again and must give the same tree, and its analysis
// must find no other read of a relation whose rows are filtered.
//
// A filter must come before what the statement itself computes, or an error
// could tell of rows that it hides. Conditions of functions and operators that
// cannot fail may be mixed with it freely, which lets the server use its
// indexes; any other one closes the subquery with OFFSET 0, which the server
// does not push conditions through. The conditions of UPDATE, DELETE and MERGE
// are put into a CASE instead.
func (a *Analyzer) Rewrite(text string, index int, cat *Catalog, st *State, rw query.Rewrite) (*Rewritten, error) {
	before := a.Analyze(text, cat, st)
	if before.Err != nil || index < 0 || index >= len(before.Statements) {
		return nil, &query.RewriteError{Reason: "the statement cannot be read", Pos: -1}
	}
	var key cacheKey
	cached := a.cache != nil && before.Cacheable && len(text) <= maxCachedText
	if cached {
		key = cacheKey{text: text, version: cat.Version, state: st.Key() + "\x00" + rewriteKey(index, rw)}
		if hit, ok := a.cache.rewrites.Get(key); ok {
			return hit.result()
		}
	}
	out, err := a.rewrite(before, text, index, cat, st, rw)
	entry := &rewriteEntry{out, err}
	if cached && (out == nil || len(out.SQL) <= 8*maxCachedText) {
		a.cache.rewrites.Add(key, entry)
	}
	return entry.result()
}

// rewriteEntry is what the cache keeps of one rewriting.
type rewriteEntry struct {
	out *Rewritten
	err *query.RewriteError
}

func (e *rewriteEntry) result() (*Rewritten, error) {
	if e.err != nil {
		return nil, e.err
	}
	return e.out, nil
}

// rewriteKey spells a Rewrite out without ambiguity.
func rewriteKey(index int, rw query.Rewrite) string {
	var b strings.Builder
	put := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	put(strconv.Itoa(index))
	for _, n := range rw.Relations {
		put(n.Schema)
		put(n.Table)
		put(strconv.Itoa(len(n.Filters)))
		for _, f := range n.Filters {
			put(f)
		}
		put(strconv.Itoa(len(n.Constants)))
		for _, c := range n.Constants {
			put(c.Column)
			if c.Value != nil {
				put(*c.Value)
			} else {
				b.WriteByte('-')
			}
		}
	}
	if rw.Sizes != nil {
		put("sizes")
		for _, n := range rw.Sizes.Shown {
			put(n.Schema)
			put(n.Name)
		}
	}
	return b.String()
}

// A rewriter rewrites one statement.
type rewriter struct {
	an         *Analyzer
	cat        *Catalog
	cc         *catalogCache
	version    int32  // of the grammar
	st         *State // before the statement
	size       int    // of what was put into the tree, in columns
	budget     int    // for the analysis of views that are put there
	rw         query.Rewrite
	named      map[uint32]*query.Narrowing // by relation
	narrowings map[uint32]*narrowing       // by relation; nil where it is seen as it is
	rec        *recording
	// ours are the names of narrowed relations, and the calls for sizes, that
	// may stay.
	ours      map[*pg.RangeVar]bool
	ourCalls  map[*pg.FuncCall]bool
	sizesOnly *sizeCondition // nil where all sizes are seen
	// later puts into the tree what the facts do not count: filters, and the
	// fences in front of them.
	later []func()
	// direct are the relations that the client's text names itself.
	direct map[uint32]bool
	// changed is set when the tree differs from the client's.
	changed bool
}

// refusal carries a RewriteError up to rewrite.
type refusal struct{ err *query.RewriteError }

// refuse ends the rewriting.
func refuse(pos int32, hint, format string, args ...any) {
	panic(refusal{&query.RewriteError{Reason: fmt.Sprintf(format, args...), Hint: hint, Pos: int(pos)}})
}

func (a *Analyzer) rewrite(before *Analysis, text string, index int, cat *Catalog, st *State, rw query.Rewrite) (out *Rewritten, rerr *query.RewriteError) {
	var src decoded
	defer func() {
		switch p := recover().(type) {
		case nil:
		case refusal:
			out, rerr = nil, p.err
			rerr.Pos = src.original(rerr.Pos)
		default:
			// A defect must refuse one text, not end the process.
			out, rerr = nil, &query.RewriteError{Reason: fmt.Sprintf("the statement could not be rewritten: %v", p), Pos: -1}
		}
	}()
	src, gap, terr := decodeText(text, st)
	if terr == nil && gap != "" {
		terr = &TextError{Message: gap, Pos: -1}
	}
	var tree *pg.ParseResult
	if terr == nil {
		tree, terr = parseLimited(src.text, a.limits)
	}
	if terr != nil {
		return nil, &query.RewriteError{Reason: terr.Message, Pos: terr.Pos}
	}
	w := &rewriter{an: a, cat: cat, cc: a.catalogCache(cat), st: st, budget: 2 * maxBudget, rw: rw, rec: newRecording(),
		narrowings: map[uint32]*narrowing{}, ours: map[*pg.RangeVar]bool{}, ourCalls: map[*pg.FuncCall]bool{}}
	for i := range index {
		w.st = w.st.clone()
		w.st.Apply(cat, &before.Statements[i])
	}
	w.version = tree.Version
	w.name()
	w.shownSizes()
	raw := tree.Stmts[index]
	span := statementSpan(src.text, raw)
	out = w.statement(src.text[span.Start:span.End], raw.Stmt)
	out.Rewrite = rw
	if out.SQL, terr = src.encode(out.SQL, st); terr != nil {
		return nil, &query.RewriteError{Reason: terr.Message, Pos: -1}
	}
	out.Statement.Span = query.Span{End: len(out.SQL)}
	w.settle(out)
	return out, nil
}

// statement rewrites a statement whose text is sql.
func (w *rewriter) statement(sql string, n *pg.Node) *Rewritten {
	root := w.prepareTree(n)
	shareSources(root)
	w.record(root)
	w.edit(root)
	w.lasting(n)
	node := n
	if w.changed {
		sql, node = w.print(n)
	}
	out := &Rewritten{}
	facts := w.analyse(sql, node, w.guardOf(n, node))
	out.Facts, out.Statement = &facts.Facts, facts
	if n.GetPrepareStmt() != nil {
		out.Facts = w.preparedFacts(root)
	}
	if len(w.later) > 0 {
		for _, put := range w.later {
			put()
		}
		var last *pg.Node
		sql, last = w.print(n)
		out.Statement = w.analyse(sql, last, nil)
		if c := out.Statement.cursor; c != nil && facts.cursor != nil {
			c.Facts = facts.cursor.Facts
		}
		out.Statement.Facts = facts.Facts
	}
	out.SQL = sql
	return out
}

// preparedFacts are those of the statement inside PREPARE.
func (w *rewriter) preparedFacts(inner *pg.Node) *query.Facts {
	text, node := w.print(inner)
	return &w.analyse(text, node, w.guardOf(inner, node)).Facts
}
