package pgsession

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/query"
	"github.com/weirdb/weir/query/pgsql"
)

// The judge predicts what the statements that it lets pass change, so that a
// pipeline does not have to stop. Before the next batch it waits until the
// server has answered, takes back what did not happen, and reads anew from the
// server what it can no longer know.

// undo takes a prediction back if its statement failed or was skipped.
type undo struct {
	by       *statement
	prepared *string // a prepared statement's name, and what it was before
	before   *pgsql.Prepared
	portal   *string // a portal of which nothing is known after a failure
	// prepareds and cursors are all there were before a statement of SQL.
	prepareds map[string]*pgsql.Prepared
	cursors   map[string]*pgsql.Cursor
}

// maxUndo is from how many predictions on those that have come true are
// dropped before the end of the batch.
const maxUndo = 512

// meaning is what makes a text mean something else.
const meaning = pgsql.ChangeSettings | pgsql.ChangeRole | pgsql.ChangeTemp | pgsql.ChangeUnknown

// begin is called for the first frames of a batch, and does nothing for the
// others. It makes sure that the state to analyse with is the server's.
func (j *judge) begin() error {
	j.mu.Lock()
	open, between := j.owed.open, j.owed.between()
	j.mu.Unlock()
	if len(j.undo) > maxUndo {
		j.prune()
	}
	if open {
		return nil
	}
	if !between {
		if !j.dirty && !j.state.Stale && len(j.undo) <= maxUndo {
			return nil
		}
		if drained, err := j.drain(); err != nil || !drained {
			return err
		}
	}
	status := j.settle()
	if j.state.Stale && status != pgwire.TxFailed {
		return j.probe()
	}
	return nil
}

// drain waits until the server owes nothing. It reports false if the server
// waits for COPY data itself: it runs nothing else before that has come.
func (j *judge) drain() (bool, error) {
	if err := j.up.Writer.Flush(); err != nil {
		return false, upstreamError(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for !j.owed.between() && !j.owed.copying() && j.ending == nil {
		j.waiting = true
		j.cond.Wait()
	}
	j.waiting = false
	if j.ending != nil {
		return false, j.ending
	}
	return j.owed.between(), nil
}

// settle makes the predictions agree with what has happened, when the server
// owes nothing. It returns the state of the transaction.
func (j *judge) settle() byte {
	j.mu.Lock()
	status, failures, reported := j.owed.status, j.failures, j.reported
	j.reported = nil
	for i := len(j.undo) - 1; i >= 0; i-- {
		if j.undo[i].by.failed {
			j.takeBack(&j.undo[i])
		}
	}
	j.mu.Unlock()
	j.undo = nil
	if v, ok := reported["client_encoding"]; ok {
		j.state.Encoding = v
	}
	if v, ok := reported["standard_conforming_strings"]; ok {
		j.state.NonStandardStrings = v == "off"
	}
	failed := failures > 0
	if j.changed&pgsql.ChangeUnknown != 0 {
		clear(j.state.Cursors) // a function may have opened another of the name
	}
	if j.changed&(pgsql.ChangeUnknown|pgsql.ChangeTemp) != 0 || failed && j.changed&meaning != 0 || j.local && status == pgwire.TxIdle {
		j.state.Stale = true
	}
	if status == pgwire.TxIdle {
		j.changed, j.local = 0, false
		clear(j.portals) // they end with their transaction
		j.mu.Lock()
		j.failures = 0
		j.mu.Unlock()
	} else {
		// What was read anew below is known; a rollback makes it unknown again.
		if j.changed&(pgsql.ChangeUnknown|pgsql.ChangeTemp) != 0 {
			j.changed = j.changed&^(pgsql.ChangeUnknown|pgsql.ChangeTemp) | pgsql.ChangeSettings | pgsql.ChangeCatalog
		}
	}
	j.dirty = false
	j.state.Unsettled = j.changed&pgsql.ChangeNames != 0
	return status
}

// prune drops predictions that have come true.
func (j *judge) prune() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.undo = slices.DeleteFunc(j.undo, func(u undo) bool { return u.by.happened })
}

// takeBack undoes one prediction.
func (j *judge) takeBack(u *undo) {
	if u.prepared != nil {
		if u.before == nil {
			delete(j.state.Prepared, *u.prepared)
		} else {
			j.state.Prepared[*u.prepared] = u.before
		}
	}
	if u.portal != nil {
		delete(j.portals, *u.portal)
		delete(j.state.Cursors, *u.portal)
	}
	if u.prepareds != nil {
		j.state.Prepared = u.prepareds
	}
	if u.cursors != nil {
		// A cursor that a failed statement opened or closed may be either.
		for name := range u.cursors {
			if j.state.Cursors[name] != u.cursors[name] {
				delete(u.cursors, name)
			}
		}
		j.state.Cursors = u.cursors
	}
}

// apply predicts what a statement that is about to be sent changes.
func (j *judge) apply(catalog *pgsql.Catalog, s *pgsql.Statement, st *statement) {
	switch s.Kind {
	case pgsql.KindRollback, pgsql.KindRollbackTo:
		if j.changed&meaning != 0 {
			j.state.Stale = true
		}
		j.dirty = j.dirty || j.changed != 0 || s.Kind == pgsql.KindRollbackTo
	case pgsql.KindCommit, pgsql.KindPrepareTransaction:
		j.dirty = j.dirty || j.changed != 0
	case pgsql.KindDeclareCursor:
		delete(j.portals, name([]byte(s.Name))) // they share their names
	}
	for i := range s.Settings {
		j.local = j.local || s.Settings[i].Local
	}
	if s.Changes == 0 {
		return
	}
	u := undo{by: st}
	if s.Changes&(pgsql.ChangePrepared|pgsql.ChangeUnknown) != 0 {
		u.prepareds = maps.Clone(j.state.Prepared)
	}
	if s.Changes&(pgsql.ChangeCursors|pgsql.ChangeUnknown) != 0 {
		u.cursors = maps.Clone(j.state.Cursors)
	}
	j.undo = append(j.undo, u)
	j.changed |= s.Changes
	j.dirty = true
	if catalog != nil {
		predict(&j.state, catalog, s, st.result)
	} else {
		j.state.Stale = true
	}
}

// current gives the definitions to analyse with: at least those that were made
// through weir and committed.
func (j *judge) current(ctx context.Context) (*pgsql.Catalog, error) {
	return j.after(ctx, pgsql.Token(j.datasource.defined.Load()))
}

// after waits for definitions no longer than reading them may take, which
// their owner bounds.
func (j *judge) after(ctx context.Context, after pgsql.Token) (*pgsql.Catalog, error) {
	c, err := j.datasource.Catalogs.After(ctx, after)
	if err != nil {
		j.options.Logger.Warn("definitions of the database cannot be read", "datasource", j.datasource.Target.Datasource, "error", err)
		return nil, err
	}
	j.seen(c)
	return c, nil
}

// seen keeps the catalog for looking up types.
func (j *judge) seen(c *pgsql.Catalog) {
	j.mu.Lock()
	j.catalog = c
	j.mu.Unlock()
}

// analyse says what a text means now. Without a catalog, it means anything.
func (j *judge) analyse(ctx context.Context, text string) (*pgsql.Analysis, *pgsql.Catalog) {
	catalog, err := j.current(ctx)
	if err != nil {
		s := unknownStatement(text, "the definitions of the database cannot be read now")
		return &pgsql.Analysis{Statements: []pgsql.Statement{*s}, Err: &pgsql.TextError{Message: "no catalog", Pos: -1}}, nil
	}
	a := j.datasource.Analyzer.Analyze(text, catalog, &j.state)
	if len(a.UnresolvedNames()) == 0 {
		return a, catalog
	}
	if time.Since(j.refreshed) < refreshPause {
		return a, catalog
	}
	// Somebody else may have made them a moment ago.
	fresh, err := j.after(ctx, j.datasource.Catalogs.Invalidate())
	if err != nil {
		return a, catalog
	}
	if fresh.Version == catalog.Version {
		j.refreshed = time.Now()
		return a, catalog
	}
	return j.datasource.Analyzer.Analyze(text, fresh, &j.state), fresh
}

// refreshPause is how long names that nobody defines do not make the session
// look for new definitions again.
const refreshPause = time.Second

// unknownStatement is a statement that may do anything.
func unknownStatement(text, why string) *pgsql.Statement {
	s := &pgsql.Statement{Changes: pgsql.ChangeUnknown}
	s.Facts = query.Facts{Class: query.ClassUnknown, Gaps: []query.Gap{{Reason: why, Pos: -1}},
		Writes: []query.Effect{{Kind: "unknown", Pos: -1}}, Span: query.Span{End: len(text)}}
	return s
}
