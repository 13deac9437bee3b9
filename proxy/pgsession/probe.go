package pgsession

import (
	"errors"
	"strings"
	"time"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy"
	"github.com/weirdb/weir/query/pgsql"
)

// probeName is the name of the statement and the portal with which weir asks
// the server. Named ones leave the client's unnamed ones alone.
const probeName = "weir: probe"

// askTimeout is how long the server has to answer a question of weir's own.
const askTimeout = 30 * time.Second

var errSilent = errors.New("the server does not answer a question about the session")

// answer is what a private batch brought.
type answer struct {
	rows   [][][]byte // cells, nil for NULL
	fields []byte     // the body of RowDescription
	err    *pgwire.Notice
	done   bool // guarded by session.mu
}

// ask runs one query of weir's own while the server owes nothing, and waits for
// its end. It reports the server's error in the answer.
func (j *judge) ask(sql string, run bool) (*answer, error) {
	a := &answer{}
	w := j.up.Writer
	type frame struct {
		req   request
		write func() error
	}
	frames := []frame{{reqParse, func() error { return w.Parse(probeName, sql, nil) }}}
	if run {
		frames = append(frames,
			frame{reqBind, func() error { return w.Bind(probeName, probeName, nil) }},
			frame{reqExecute, func() error { return w.Execute(probeName, 0) }},
			frame{reqClose, func() error { return w.CloseObject(pgwire.KindPortal, probeName) }})
	} else {
		frames = append(frames, frame{reqDescribeStatement, func() error { return w.Describe(pgwire.KindStatement, probeName) }})
	}
	frames = append(frames,
		frame{reqClose, func() error { return w.CloseObject(pgwire.KindStatement, probeName) }},
		frame{reqSync, func() error { return w.Empty(pgwire.MsgSync) }})
	for _, f := range frames {
		if j.owe(&entry{req: f.req, injected: true, private: true, answer: a}) {
			if err := f.write(); err != nil {
				return nil, upstreamError(err)
			}
		}
	}
	return a, j.await(a)
}

// await waits for the end of a private batch.
func (j *judge) await(a *answer) error {
	if err := j.up.Writer.Flush(); err != nil {
		return upstreamError(err)
	}
	late := time.AfterFunc(askTimeout, func() { j.finish(end(proxy.EndUpstreamLost, errSilent)) })
	defer late.Stop()
	j.mu.Lock()
	defer j.mu.Unlock()
	for !a.done && j.ending == nil {
		j.waiting = true
		j.cond.Wait()
	}
	j.waiting = false
	if j.ending != nil {
		return j.ending
	}
	return nil
}

// probe reads the session's state from the server. If that fails, the state
// stays stale: names do not resolve, and restricted people are refused.
func (j *judge) probe() error {
	a, err := j.ask(pgsql.StateProbe, true)
	if err != nil {
		return err
	}
	var state *pgsql.State
	if a.err == nil {
		if state, err = pgsql.DecodeProbe(a.rows); err != nil {
			return upstreamError(err)
		}
	} else {
		j.options.Logger.Warn("session state cannot be read", "session", j.conn.ID, "sqlstate", a.err.Code)
		return nil
	}
	delete(state.Prepared, probeName)
	delete(state.Cursors, probeName)
	for id, p := range state.Prepared {
		// What the server reports of PREPARE is the whole text that it came in.
		if known := j.state.Prepared[id]; known != nil && (p.SQL == "" || p.SQL == known.SQL || known.Applied != nil && p.SQL == known.Applied.SQL) {
			state.Prepared[id] = known
		}
	}
	for id, c := range state.Cursors {
		if known := j.state.Cursors[id]; known != nil {
			c.Facts, c.Applied = known.Facts, known.Applied
		}
	}
	if state.TempSchema != "" {
		if state.Temp, err = j.temporary(); err != nil {
			return err
		}
		state.Stale = state.Temp == nil
	}
	state.Unsettled = j.state.Unsettled
	j.state = *state
	return nil
}

// temporary reads the session's temporary relations, nil if it cannot.
func (j *judge) temporary() (map[string]*pgsql.Relation, error) {
	var results [][][][]byte
	for sql := range strings.SplitSeq(pgsql.TempRelations, ";\n") {
		a, err := j.ask(sql, true)
		if err != nil {
			return nil, err
		}
		if a.err != nil {
			return nil, nil
		}
		results = append(results, a.rows)
	}
	temp, err := pgsql.DecodeTemp(results)
	if err != nil {
		return nil, upstreamError(err)
	}
	return temp, nil
}
