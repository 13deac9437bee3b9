package pgsession

import (
	"context"
	"slices"

	"github.com/weirdb/weir/masking"
	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/proxy/gate"
	"github.com/weirdb/weir/query/pgsql"
)

// portal is what a Bind fixed: the meaning of a statement at that moment.
type portal struct {
	prepared *pgsql.Prepared
	analysis *pgsql.Analysis
	catalog  *pgsql.Catalog
	state    pgsql.State // at that moment
	key      string      // of the state
	sent     *pgsql.Rewritten
	values   map[int]gate.Value // of parameters that are stored somewhere
}

// nameLength is how much of a name the server looks at (NAMEDATALEN - 1).
const nameLength = 63

// name makes the key under which the server keeps a statement or portal.
func name(b []byte) string { return string(b[:min(len(b), nameLength)]) }

// parse looks at a Parse. Decisions are made at execution, but what is refused
// is refused here already: planning and describing speak too.
func (j *judge) parse(ctx context.Context) error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	m, err := pgwire.ParseParse(body)
	if err != nil {
		return clientError(err)
	}
	id, text := name(m.Name), string(m.SQL)
	if err := j.begin(); err != nil {
		return err
	}
	a, catalog := j.analyse(ctx, text)
	if catalog != nil {
		a = a.WithGaps(pgsql.ParameterGaps(catalog, types(m.Types)))
	}
	st := &statement{}
	e := &entry{req: reqParse, statements: []*statement{st}}
	prepared := &pgsql.Prepared{SQL: text}
	for i := range a.Statements {
		q := &question{text: text, index: i, s: &a.Statements[i], catalog: catalog, state: &j.state}
		if _, err := j.decide(ctx, q, j.gate.Preview); err != nil {
			if err := j.deny(st, text, err); err != nil {
				return err
			}
			return j.substitute(e, id)
		}
		if q.edited != "" && len(a.Statements) == 1 { // the server refuses several
			st.edited, prepared.Applied = q.edited, &q.result.Rewritten
		}
	}
	j.remember(id, prepared, st)
	if st.edited == "" {
		return j.forward(e)
	}
	e.edits = wholly(st.edited)
	return j.replace(e, func(w *pgwire.Writer) error { return w.Parse(string(m.Name), st.edited, types(m.Types)) })
}

func types(o pgwire.OIDs) []uint32 {
	out := make([]uint32, o.Len())
	for i := range out {
		out[i] = o.At(i)
	}
	return out
}

// substitute sends a Parse that fails in place of a frame of a batch that is
// denied. The server then skips to Sync, so what follows is dropped here.
func (j *judge) substitute(e *entry, id string) error {
	e.req = reqParse
	j.denied = true
	return j.replace(e, func(w *pgwire.Writer) error { return w.Parse(id, failing, nil) })
}

// bind fixes the meaning of a portal: names are resolved when it is planned.
func (j *judge) bind(ctx context.Context) error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	m, err := pgwire.ParseBind(body)
	if err != nil {
		return clientError(err)
	}
	id, from := name(m.Portal), name(m.Statement)
	if err := j.begin(); err != nil {
		return err
	}
	st := &statement{}
	e := &entry{req: reqBind, statements: []*statement{st}}
	p := &portal{prepared: j.prepared(from), state: j.state, key: j.state.Key()}
	if p.prepared != nil {
		p.analysis, p.catalog = j.analyse(ctx, p.prepared.SQL)
		p.sent = j.again(p.prepared, p.catalog, &j.state)
		p.values = stored(p.analysis, m)
		e.edits = p.edits()
	}
	j.portals[id] = p
	j.undo = append(j.undo, undo{by: st, portal: &id})
	return j.forward(e)
}

// prepared is a prepared statement, whether of the protocol or of SQL; nil if
// it was not made here.
func (j *judge) prepared(id string) *pgsql.Prepared {
	if id == "" {
		return j.unnamed
	}
	return j.state.Prepared[id]
}

// edits say that the server has another text than the client.
func (p *portal) edits() []edit {
	if p.prepared == nil || p.prepared.Applied == nil {
		return nil
	}
	return wholly(p.prepared.Applied.SQL)
}

// maxStored is the longest parameter that is kept until its statement runs, to
// see whether it looks like a masked value.
const maxStored = 4 << 10

// stored keeps the values of parameters that a statement stores as they are.
func stored(a *pgsql.Analysis, m pgwire.BindMsg) map[int]gate.Value {
	var wanted map[int]bool
	for i := range a.Statements {
		for _, x := range a.Statements[i].Assignments {
			if x.Parameter > 0 {
				if wanted == nil {
					wanted = map[int]bool{}
				}
				wanted[x.Parameter] = true
			}
		}
	}
	if wanted == nil {
		return nil
	}
	values := map[int]gate.Value{}
	params := m.Params
	for i := 0; ; i++ {
		b, ok := params.Next()
		if !ok {
			return values
		}
		if wanted[i+1] && b != nil && len(b) <= maxStored {
			values[i+1] = gate.Value{Bytes: slices.Clone(b), Format: masking.Format(m.ParamFormats.Of(i))}
		}
	}
}

// execute judges what a portal runs.
func (j *judge) execute(ctx context.Context) error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	m, err := pgwire.ParseExecute(body)
	if err != nil {
		return clientError(err)
	}
	id := name(m.Portal)
	if err := j.begin(); err != nil {
		return err
	}
	q := j.portalStatement(ctx, id)
	e := &entry{req: reqExecute}
	if q == nil { // an empty text
		e.statements = []*statement{{}}
		return j.forward(e)
	}
	st, err := j.judge(ctx, q)
	if err != nil {
		return err
	}
	e.statements = []*statement{st}
	if p := j.portals[id]; p != nil {
		e.edits = p.edits()
	}
	if st.denial == nil && st.copy != nil {
		st.denial = j.cannotCut(st)
	}
	if st.denial == nil {
		if err := j.recheck(ctx, id, st); err != nil {
			return err
		}
	}
	if st.denial != nil {
		return j.substitute(e, deniedName)
	}
	j.apply(q.catalog, q.s, st)
	if err := j.describePortal(id, st); err != nil {
		return err
	}
	if err := j.injectCopy(st); err != nil {
		return err
	}
	return j.forward(e)
}

// portalStatement is what a portal runs, nil if nothing.
func (j *judge) portalStatement(ctx context.Context, id string) *question {
	if p := j.portals[id]; p != nil && p.analysis != nil {
		if len(p.analysis.Statements) == 0 {
			return nil
		}
		if kind := p.analysis.Statements[0].Kind; kind == pgsql.KindExecute || kind == pgsql.KindFetch {
			// What they name is looked up when they run.
			a, catalog := j.analyse(ctx, p.prepared.SQL)
			return &question{text: p.prepared.SQL, s: &a.Statements[0], catalog: catalog, state: &j.state}
		}
		return &question{text: p.prepared.SQL, s: &p.analysis.Statements[0], catalog: p.catalog, state: &p.state, sent: p.sent, values: p.values}
	}
	catalog, _ := j.current(ctx) // without one, the statement is refused for restricted people
	if c := j.state.Cursors[id]; c != nil && c.Facts != nil {
		// A cursor of SQL is a portal too.
		s := &pgsql.Statement{Facts: *c.Facts}
		s.Span.Start, s.Span.End = 0, len(fetchText)
		return &question{text: fetchText, s: s, catalog: catalog, state: &j.state, sent: opened(c, true)}
	}
	return &question{text: fetchText, s: unknownStatement(fetchText, "the portal was not made here"), catalog: catalog, state: &j.state, sent: &pgsql.Rewritten{}}
}

// fetchText stands in the journal for an Execute of a portal without a text.
const fetchText = "FETCH"

// recheck looks at the portal's text again if the session has changed since
// Bind: commands other than queries resolve their names when they run.
func (j *judge) recheck(ctx context.Context, id string, st *statement) error {
	p := j.portals[id]
	if p == nil || p.analysis == nil || p.key == j.state.Key() && p.analysis.Cacheable {
		return nil
	}
	text := p.prepared.SQL
	a, catalog := j.analyse(ctx, text)
	for i := range a.Statements {
		q := &question{text: text, index: i, s: &a.Statements[i], catalog: catalog, state: &j.state, sent: j.again(p.prepared, catalog, &j.state)}
		if _, err := j.decide(ctx, q, j.gate.Preview); err != nil {
			st.done(pgwire.StateInsufficientPrivilege)
			st.ticket = nil
			return j.deny(st, text, err)
		}
	}
	return nil
}

// describePortal asks for the columns of a result that is checked or masked,
// just before it comes.
func (j *judge) describePortal(id string, st *statement) error {
	if !st.checked() || st.copy != nil {
		return nil
	}
	e := &entry{req: reqDescribePortal, describes: st}
	return j.inject(e, func(w *pgwire.Writer) error { return w.Describe(pgwire.KindPortal, id) })
}

// describe passes a Describe on: it says of a statement what Parse let pass.
func (j *judge) describe() error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	m, err := pgwire.ParseDescribe(body)
	if err != nil {
		return clientError(err)
	}
	e := &entry{req: reqDescribePortal}
	if m.Kind == pgwire.KindStatement {
		e.req = reqDescribeStatement
	}
	return j.forward(e)
}

// closeObject passes a Close on and forgets what it closes.
func (j *judge) closeObject() error {
	if j.skipping() {
		return j.drop()
	}
	body, err := j.in.Body(j.options.MaxMessage)
	if err != nil {
		return clientError(err)
	}
	m, err := pgwire.ParseClose(body)
	if err != nil {
		return clientError(err)
	}
	st := &statement{}
	e := &entry{req: reqClose, statements: []*statement{st}}
	if m.Kind == pgwire.KindPortal {
		id := name(m.Name)
		delete(j.portals, id)
		delete(j.state.Cursors, id)
	} else {
		j.forget(name(m.Name), st)
	}
	return j.forward(e)
}

func (j *judge) sync() error {
	if err := j.emptyBody("Sync"); err != nil {
		return err
	}
	j.denied = false
	return j.forward(&entry{req: reqSync})
}

// flush passes a Flush on; nothing answers it.
func (j *judge) flush() error {
	if err := j.emptyBody("Flush"); err != nil {
		return err
	}
	if err := j.in.Forward(j.up.Writer); err != nil {
		return j.forwardError(err)
	}
	return nil
}

func (j *judge) emptyBody(name string) error {
	body, err := j.in.Body(j.options.MaxMessage)
	if err == nil {
		err = pgwire.ParseEmpty(name, body)
	}
	if err != nil {
		return clientError(err)
	}
	return nil
}

// remember keeps a prepared statement, until it is known to have failed.
func (j *judge) remember(id string, p *pgsql.Prepared, by *statement) {
	if id == "" {
		j.unnamed = p
		return
	}
	j.undo = append(j.undo, undo{by: by, prepared: &id, before: j.state.Prepared[id]})
	j.state.Prepared[id] = p
	j.dirty = true
}

// forget drops a prepared statement, unless the Close is skipped.
func (j *judge) forget(id string, by *statement) {
	if id == "" {
		j.unnamed = nil
		return
	}
	if p := j.state.Prepared[id]; p != nil {
		j.undo = append(j.undo, undo{by: by, prepared: &id, before: p})
		delete(j.state.Prepared, id)
		j.dirty = true
	}
}
