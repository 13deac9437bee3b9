package pgsql

import (
	"fmt"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"

	"github.com/weirdb/weir/query"
)

// Options configures an Analyzer.
type Options struct {
	// SafeFunctions are functions of the user's own ("schema.name") whose
	// results depend on their arguments alone and that have no effect.
	SafeFunctions []string
	// CacheEntries bounds the cache of analyses; 0 is a default of 4096,
	// a negative number turns the cache off.
	CacheEntries int
	// Bytes is the longest text that is read, 16 MiB by default.
	Bytes int
}

// An Analyzer turns texts into analyses. It is safe for concurrent use.
type Analyzer struct {
	safe  map[string]bool
	cache *analysisCache
	// limits bound the texts of clients.
	limits Limits

	mu       sync.Mutex
	catalogs []*catalogCache // guarded by mu, most recently used first
}

// NewAnalyzer makes an Analyzer.
func NewAnalyzer(o Options) *Analyzer {
	a := &Analyzer{safe: make(map[string]bool, len(o.SafeFunctions)), cache: newAnalysisCache(o.CacheEntries), limits: Limits{Bytes: o.Bytes}}
	for _, f := range o.SafeFunctions {
		a.safe[f] = true
	}
	return a
}

// A run is the analysis of one statement, one view or one stored expression.
type run struct {
	an    *Analyzer
	cat   *Catalog
	cc    *catalogCache
	st    *State
	acc   *accumulator
	text  string
	depth int // of views and function bodies in one another
	// budget bounds the work of one statement; what is beyond is a gap.
	budget *int
	// hidden is set where locations are not offsets of the client's text.
	hidden bool
	// volatile is set when the meaning depends on more than State.Key says.
	volatile *bool
	// pending is set inside stored definitions, where the gaps of a column
	// count only for those who use that column.
	pending  bool
	stmt     *Statement
	prepared map[string]bool // names that EXECUTE is expanding
	// arguments are what EXECUTE gives to the parameters of the text.
	arguments []*pg.Node
	// volatiles counts calls of volatile functions.
	volatiles int
	// pins are the relations that entries of FROM can tell of; see pinned.go.
	pins map[*pg.RangeVar][]*Relation
	// rec and guard are set while a statement is rewritten: rec for the run
	// over its tree alone, guard also for all that is followed from there.
	rec   *recording
	guard *guard
}

const (
	maxDepth  = 40
	maxBudget = 200_000
	maxTarget = 1664 // columns that the server allows in a target list
)

// Analyze says what a text means to a session in state st on a database with
// catalog cat. It changes neither. The result is shared with other callers
// and must not be changed.
func (a *Analyzer) Analyze(text string, cat *Catalog, st *State) *Analysis {
	var key cacheKey
	if a.cache != nil && len(text) <= maxCachedText {
		key = cacheKey{text: text, version: cat.Version, state: st.Key()}
		if hit := a.cache.get(key); hit != nil {
			return hit
		}
	}
	out := a.analyze(text, cat, st)
	if a.cache != nil && out.Cacheable && len(text) <= maxCachedText {
		a.cache.add(key, out)
	}
	return out
}

func (a *Analyzer) analyze(text string, cat *Catalog, st *State) (out *Analysis) {
	defer func() {
		// A defect in the walk must refuse one text, not end the process.
		if p := recover(); p != nil {
			out = unreadable(text, &TextError{Code: "XX000", Message: fmt.Sprintf("the statement could not be analysed: %v", p), Pos: -1})
		}
	}()
	decoded, gap, terr := decodeText(text, st)
	if terr != nil {
		return unreadable(text, terr)
	}
	tree, terr := parseLimited(decoded.text, a.limits)
	if terr != nil {
		terr.Pos = decoded.original(terr.Pos)
		return unreadable(text, terr)
	}
	out = &Analysis{Cacheable: true, Statements: make([]Statement, 0, len(tree.Stmts))}
	predicted, cc := st, a.catalogCache(cat)
	for i, raw := range tree.Stmts {
		out.Statements = append(out.Statements, Statement{})
		s := &out.Statements[i]
		budget, volatile := maxBudget, false
		r := &run{an: a, cat: cat, cc: cc, st: predicted, acc: newAccumulator(), text: decoded.text,
			budget: &budget, volatile: &volatile, stmt: s}
		s.Span = statementSpan(decoded.text, raw)
		if gap != "" {
			r.gap(-1, gap)
		}
		if predicted.Stale && resolvesNames(raw.Stmt) {
			r.gap(-1, "the session's settings are not known at this point")
		}
		r.statement(raw.Stmt)
		r.facts(&s.Facts)
		s.missing = r.acc.missing
		s.Fingerprint = fingerprint(decoded.text[s.Span.Start:s.Span.End])
		decoded.restore(s)
		if volatile {
			out.Cacheable = false
		}
		if i+1 < len(tree.Stmts) { // also what changes nothing may undo what was predicted
			predicted = predicted.clone()
			predicted.Apply(cat, s)
		}
	}
	return out
}

// resolvesNames is false for statements that mean the same whatever the
// session's settings are. They are the way out of a failed transaction, in
// which the settings cannot be read.
func resolvesNames(n *pg.Node) bool {
	switch n.GetNode().(type) {
	case *pg.Node_TransactionStmt, *pg.Node_VariableSetStmt, *pg.Node_VariableShowStmt, *pg.Node_DiscardStmt,
		*pg.Node_DeallocateStmt, *pg.Node_ClosePortalStmt, *pg.Node_ListenStmt, *pg.Node_UnlistenStmt:
		return false
	}
	return true
}

// unreadable is the analysis of a text that cannot be read.
func unreadable(text string, err *TextError) *Analysis {
	return &Analysis{Err: err, Cacheable: true, Statements: []Statement{{Changes: ChangeUnknown, Facts: query.Facts{
		Class: query.ClassUnknown, Gaps: []query.Gap{{Reason: err.Message, Code: err.Code, Pos: err.Pos}},
		Writes: []query.Effect{{Kind: "unknown", Pos: -1}}, Span: query.Span{End: len(text)}}}}}
}

// statementSpan is the statement's range without the white space around it.
func statementSpan(text string, raw *pg.RawStmt) query.Span {
	start, end := int(raw.StmtLocation), len(text)
	if raw.StmtLen > 0 {
		end = start + int(raw.StmtLen)
	}
	start, end = min(max(start, 0), len(text)), min(max(end, 0), len(text))
	for start < end && isSpace(text[start]) {
		start++
	}
	for end > start && isSpace(text[end-1]) {
		end--
	}
	return query.Span{Start: start, End: end}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

// spend counts work and reports when there is too much of it.
func (r *run) spend(n int) bool {
	*r.budget -= n
	if *r.budget < 0 {
		r.gap(-1, "the statement is too large to analyse")
		return false
	}
	return true
}

// Universe lists every relation of a catalog with every column in every use:
// what a statement that cannot be read may touch.
func (a *Analyzer) Universe(cat *Catalog) []query.Table {
	cc := a.catalogCache(cat)
	cc.universe.Do(func() { cc.tables = universe(cat) })
	return cc.tables
}

// UnresolvedNames are the relations, columns, functions and types that the
// catalog does not have. A catalog that is read again may have them.
func (s *Analysis) UnresolvedNames() []string {
	var out []string
	for i := range s.Statements {
		out = append(out, s.Statements[i].missing...)
	}
	return out
}
