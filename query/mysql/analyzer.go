package mysql

import (
	"fmt"
	"github.com/pingcap/tidb/pkg/parser/ast"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/weirdb/weir/query"
)

// Options configures an Analyzer.
type Options struct {
	// SafeFunctions are stored functions of the user's own
	// ("database.name") whose results depend on their arguments alone and that
	// have no effect.
	SafeFunctions []string
	// CacheEntries bounds the cache of analyses; 0 is a default of 4096,
	// a negative number turns the cache off.
	CacheEntries int
	// Bytes is the longest text that is read; the default is 64 MiB, which is
	// also the most.
	Bytes int
}

// An Analyzer turns texts into analyses. It is safe for concurrent use.
type Analyzer struct {
	safe  map[string]bool
	cache *lru.Cache[cacheKey, *Analysis]
	bytes int // the longest text

	mu       sync.Mutex
	catalogs []*catalogCache // guarded by mu, most recently used first
}

// NewAnalyzer makes an Analyzer.
func NewAnalyzer(o Options) *Analyzer {
	a := &Analyzer{safe: make(map[string]bool, len(o.SafeFunctions)), cache: newAnalysisCache(o.CacheEntries), bytes: maxBytes}
	if o.Bytes > 0 {
		a.bytes = min(o.Bytes, maxBytes)
	}
	for _, f := range o.SafeFunctions {
		a.safe[foldName(f)] = true
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
	text  *text // of the statement
	depth int   // of views in one another
	// budget bounds the work of one statement; what is beyond is a gap.
	budget *int
	// hidden is set where locations are not offsets of the client's text.
	hidden bool
	// dynamicText is set inside EXECUTE: names are the session's own there, and
	// positions are those of another text.
	dynamicText bool
	// inside counts the statements around the one at hand.
	inside int
	// rewriting is set while names of the text are recorded to be replaced:
	// bodies of routines, which cannot be, are not followed then.
	rewriting bool
	// narrowed says, while rewriting, that a relation is seen otherwise.
	narrowed func(*Relation) bool
	// shown is the query whose every column reaches the client or a table.
	shown ast.Node
	// volatile is set when the meaning depends on more than State.Key says.
	volatile *bool
	stmt     *Statement
	// pin is that of the query whose FROM is being read.
	pin *pin
	// vars are the variables of the stored body that the run is in, nil outside.
	vars *scope
	// updates is what the UPDATE at hand assigns.
	updates []*ast.Assignment
	// running are the routines and triggers around the run.
	running []any
}

const (
	maxDepth  = 40
	maxBudget = 200_000
)

// Analyze says what a text means to a session in state st on a server with
// catalog cat. It changes neither. The result is shared with other callers
// and must not be changed.
func (a *Analyzer) Analyze(text string, cat *Catalog, st *State) *Analysis {
	var key cacheKey
	if a.cache != nil && len(text) <= maxCachedText {
		key = cacheKey{text: text, version: cat.Version, state: st.Key()}
		if hit, ok := a.cache.Get(key); ok {
			return hit
		}
	}
	out := a.analyze(text, cat, st)
	if a.cache != nil && out.Cacheable && len(text) <= maxCachedText && cat.Version != 0 {
		a.cache.Add(key, out)
	}
	return out
}

func (a *Analyzer) analyze(sql string, cat *Catalog, st *State) (out *Analysis) {
	defer func() {
		// A defect in the walk must refuse one text, not end the process.
		if p := recover(); p != nil {
			out = unreadable(sql, &TextError{Number: errInternal, SQLState: "HY000",
				Message: fmt.Sprintf("the statement could not be analysed: %v", p), Pos: -1})
		}
	}()
	if len(sql) > a.bytes {
		return unreadable(sql, &TextError{Number: errTooBig, SQLState: "08S01", Pos: -1,
			Message: fmt.Sprintf("statement is too long: %d bytes, and limits.statement is %d", len(sql), a.bytes)})
	}
	out = &Analysis{Cacheable: true}
	rd := &reader{sql: sql, server: &cat.Server}
	cc := a.catalogCache(cat)
	for predicted := st; ; {
		t, terr := rd.next(predicted)
		if terr != nil {
			return unreadable(sql, terr)
		}
		if len(t.tokens) == 0 {
			return out
		}
		out.Statements = append(out.Statements, Statement{})
		s := &out.Statements[len(out.Statements)-1]
		volatile := a.statement(t, cat, cc, predicted, s)
		if volatile {
			out.Cacheable = false
		}
		// What comes later is read in the state that this one leaves.
		predicted = predicted.clone()
		predicted.Apply(cat, s)
	}
}

// statement analyses one statement into s and reports whether its meaning
// depends on more than State.Key says.
func (a *Analyzer) statement(t *text, cat *Catalog, cc *catalogCache, st *State, s *Statement) bool {
	budget, volatile := maxBudget, false
	r := &run{an: a, cat: cat, cc: cc, st: st, acc: newAccumulator(), text: t, budget: &budget, volatile: &volatile, stmt: s}
	s.Span, s.Several = t.span, t.whole
	r.analyze()
	r.facts(&s.Facts)
	s.missing = r.acc.missing
	s.Fingerprint = t.fingerprint()
	return volatile
}

// unreadable is the analysis of a text that cannot be read.
func unreadable(text string, err *TextError) *Analysis {
	return &Analysis{Err: err, Cacheable: true, Statements: []Statement{{Changes: ChangeUnknown, Facts: query.Facts{
		Class: query.ClassUnknown, Gaps: []query.Gap{{Reason: err.Message, Code: code(err.Number, err.SQLState), Pos: err.Pos}},
		Writes: []query.Effect{{Kind: "unknown", Pos: -1}}, Span: query.Span{End: len(text)}}}}}
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
