package pgsession

import (
	"context"

	"github.com/weirdb/weir/protocol/pgwire"
	"github.com/weirdb/weir/query/pgsql"
)

// portal is what a Bind fixed: the meaning of a statement at that moment.
type portal struct {
	text     string
	analysis *pgsql.Analysis
	catalog  *pgsql.Catalog
	key      string // of the state at that moment
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
	st := &statement{}
	e := &entry{req: reqParse, statements: []*statement{st}}
	for i := range a.Statements {
		err := j.gate.Preview(ctx, j.gateStatement(text, &a.Statements[i], catalog))
		if err == nil {
			continue
		}
		if err := j.deny(st, text, err); err != nil {
			return err
		}
		return j.substitute(e, id)
	}
	j.remember(id, text, st)
	return j.forward(e)
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
	p := &portal{key: j.state.Key()}
	if text, known := j.textOf(from); known {
		p.text = text
		p.analysis, p.catalog = j.analyse(ctx, text)
	}
	j.portals[id] = p
	j.undo = append(j.undo, undo{by: st, portal: &id})
	return j.forward(e)
}

// textOf is the text of a prepared statement, whether of the protocol or of SQL.
func (j *judge) textOf(id string) (string, bool) {
	if id == "" {
		if j.unnamed == nil {
			return "", false
		}
		return *j.unnamed, true
	}
	p := j.state.Prepared[id]
	if p == nil {
		return "", false
	}
	return p.SQL, true
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
	text, s, catalog := j.portalStatement(ctx, id)
	e := &entry{req: reqExecute}
	if s == nil { // an empty text
		e.statements = []*statement{{}}
		return j.forward(e)
	}
	st, err := j.judge(ctx, text, s, catalog)
	if err != nil {
		return err
	}
	e.statements = []*statement{st}
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
	j.apply(catalog, s, st)
	if err := j.describePortal(id, st); err != nil {
		return err
	}
	if err := j.injectCopy(st); err != nil {
		return err
	}
	return j.forward(e)
}

// portalStatement is what a portal runs, nil if nothing.
func (j *judge) portalStatement(ctx context.Context, id string) (string, *pgsql.Statement, *pgsql.Catalog) {
	if p := j.portals[id]; p != nil && p.analysis != nil {
		if len(p.analysis.Statements) == 0 {
			return p.text, nil, p.catalog
		}
		return p.text, &p.analysis.Statements[0], p.catalog
	}
	catalog, _ := j.current(ctx) // without one, the statement is refused for restricted people
	if c := j.state.Cursors[id]; c != nil && c.Facts != nil {
		// A cursor of SQL is a portal too.
		s := &pgsql.Statement{Facts: *c.Facts}
		s.Span.Start, s.Span.End = 0, len(fetchText)
		return fetchText, s, catalog
	}
	return fetchText, unknownStatement(fetchText, "the portal was not made here"), catalog
}

// fetchText stands in the journal for an Execute of a portal without a text.
const fetchText = "FETCH"

// recheck looks at the portal's text again if the session has changed since
// Bind: commands other than queries resolve their names when they run.
func (j *judge) recheck(ctx context.Context, id string, st *statement) error {
	p := j.portals[id]
	if p == nil || p.analysis == nil || p.key == j.state.Key() {
		return nil
	}
	a, catalog := j.analyse(ctx, p.text)
	for i := range a.Statements {
		if err := j.gate.Preview(ctx, j.gateStatement(p.text, &a.Statements[i], catalog)); err != nil {
			st.done(pgwire.StateInsufficientPrivilege)
			st.ticket = nil
			return j.deny(st, p.text, err)
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

// remember keeps a prepared statement's text, until it is known to have failed.
func (j *judge) remember(id, text string, by *statement) {
	if id == "" {
		j.unnamed = &text
		return
	}
	j.undo = append(j.undo, undo{by: by, prepared: &id, before: j.state.Prepared[id]})
	j.state.Prepared[id] = &pgsql.Prepared{SQL: text}
	j.dirty = true
}

// forget drops a prepared statement's text, unless the Close is skipped.
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
