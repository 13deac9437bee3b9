package mysql

import (
	"slices"
	"strings"

	"github.com/weirdb/weir/query"
)

// routineFacts is what running a stored body does, whatever it is given.
type routineFacts struct {
	acc     *accumulator
	cols    []column // of the one result that it may give
	many    bool     // it may give others
	fixed   bool     // the rows of its result come in one order only
	chance  bool     // it gives another value at each call
	changes Change
	// messages is set where it reads how the statement before it ended.
	messages bool
	fault    string // why it cannot be followed, empty if it can
}

// stores says that what the body is given may stay somewhere.
func (f *routineFacts) stores() bool {
	return len(f.acc.writes)+len(f.acc.moves) > 0 || f.changes != 0
}

// remembered are the facts under a key, worked out once per catalog version.
func (r *run) remembered(key any, analyse func() *routineFacts) *routineFacts {
	c := &r.cc.lineage
	c.mu.Lock()
	f := c.bodies[key]
	c.mu.Unlock()
	if f != nil {
		return r.unresolved(f)
	}
	if slices.Contains(r.running, key) || r.depth >= maxDepth {
		return &routineFacts{acc: newAccumulator(), fault: "it runs itself"}
	}
	f = analyse()
	if r.depth == 0 && *r.budget >= 0 && !r.st.Stale { // else it may have been cut short
		c.mu.Lock()
		if c.bodies == nil {
			c.bodies = make(map[any]*routineFacts)
		}
		c.bodies[key] = f
		c.mu.Unlock()
	}
	return r.unresolved(f)
}

// unresolved takes over the names that kept a body from being followed: a
// catalog that is read again may have them.
func (r *run) unresolved(f *routineFacts) *routineFacts {
	if f.fault != "" {
		for _, name := range f.acc.missing {
			if !slices.Contains(r.acc.missing, name) {
				r.acc.missing = append(r.acc.missing, name)
			}
		}
	}
	return f
}

// bodyText cuts a stored body into tokens.
func (r *run) bodyText(sql string, mode SQLMode) *text {
	if sql == "" || mode&(ModeForeign|ModeUnknown) != 0 {
		return nil
	}
	rd := &reader{sql: sql, server: &r.cat.Server, body: true}
	t, terr := rd.next(&State{SQLMode: mode, ClientCharset: "utf8mb4"})
	if terr != nil || len(t.tokens) == 0 || t.hints || t.parameters() > 0 || !r.spend(len(t.tokens)) {
		return nil
	}
	return t
}

// insideOf is a run inside of a stored body of a database.
func (r *run) insideOf(key any, database string, t *text) *run {
	sub := r.nested(database)
	sub.acc, sub.text, sub.stmt = newAccumulator(), t, &Statement{}
	sub.st.SQLMode = t.mode
	sub.running = append(slices.Clip(r.running), key)
	return sub
}

// routine works out what a routine does.
func (r *run) routine(f *Routine) *routineFacts {
	plain := *r // a body cannot be rewritten
	plain.rewriting = false
	return plain.remembered(f, func() *routineFacts {
		t := r.bodyText(f.Body, f.SQLMode)
		if t == nil {
			return &routineFacts{acc: newAccumulator(), fault: "its body cannot be read"}
		}
		sub := plain.insideOf(f, f.Schema, t)
		b := sub.newBody()
		for _, p := range f.Parameters {
			b.local(p.Name)
			b.locals.cols[len(b.locals.cols)-1].value.typ = ParseType(p.Type)
		}
		b.whole()
		return b.facts()
	})
}

// facts are those of the whole body.
func (b *body) facts() *routineFacts {
	f := &routineFacts{acc: b.r.acc, changes: b.changes, fault: b.fault, many: b.many, fixed: true,
		messages: b.messages || b.r.text.quotesMessages()}
	if f.fault == "" && len(f.acc.gaps) > 0 {
		f.fault = f.acc.gaps[0].Reason
	}
	if f.many = f.many || len(b.results) > 1; !f.many && len(b.results) == 1 {
		f.cols, f.fixed = b.results[0].cols, b.results[0].fixed
	} else {
		b.derived()
	}
	for _, c := range f.acc.functions {
		f.chance = f.chance || c.Schema == "" && builtinFunctions[c.Name] == Chance
	}
	return f
}

// derived counts the columns of results, which no mask fits, as derived from.
func (b *body) derived() {
	for i := range b.results {
		for _, c := range b.results[i].cols {
			b.read(c.value)
		}
		b.r.acc.byOrder = b.r.acc.byOrder || !b.results[i].fixed
	}
}

// reads is a value of every column that the body reads.
func (f *routineFacts) reads() value {
	var v value
	for _, t := range f.acc.order {
		for i := range t.rel.Columns {
			attr := t.rel.Columns[i].Attr
			if c := t.cols[attr]; c != nil && c.uses&^query.UseAssign != 0 {
				v.deps = mergeDeps(v.deps, []dep{{rel: t.rel.ID, attr: attr, scan: -1, uses: c.uses &^ query.UseAssign, pos: -1}})
			}
		}
	}
	return v
}

// replay adds what a stored body does to the statement, and gives the columns
// of its result. A temporary table hides those that the body names.
func (r *run) replay(f *routineFacts, pos int) []column {
	for k := range r.st.Temp {
		for _, t := range f.acc.order {
			if r.cat.key(t.rel.Schema, t.rel.Name) == (qualified{k.Schema, k.Name}) {
				r.gap(pos, "temporary table "+t.rel.Name+" may stand for one that a stored body names")
			}
		}
	}
	cols, _ := r.readView(&viewFacts{result: result{cols: f.cols}, acc: f.acc}, pos)
	for _, m := range f.acc.moves {
		r.move(m.Kind, m.Object, pos)
	}
	if r.stmt != nil {
		r.stmt.Changes |= f.changes
		r.stmt.Messages = r.stmt.Messages || f.messages
		if f.changes&ChangeVariables != 0 {
			r.stmt.forgets = true
		}
	}
	r.acc.byOrder = r.acc.byOrder || f.chance
	return cols
}

// oneRoutine is the routine of a name and kind that may be followed, nil if
// there is none.
func (r *run) oneRoutine(schema, name string, procedure bool) *Routine {
	var f *Routine
	for _, c := range r.cat.Routine(schema, name) {
		if c.Procedure == procedure {
			if f != nil {
				return nil
			}
			f = c
		}
	}
	if f == nil || f.Package {
		return nil
	}
	return f
}

// seesAll says that a body reads nothing that is seen otherwise while a
// statement is rewritten, but for the row that a trigger is about.
func (r *run) seesAll(f *routineFacts, row *Relation) bool {
	return !r.rewriting || !slices.ContainsFunc(f.acc.order, func(u *tableUse) bool { return u.rel != row && r.narrowed(u.rel) }) &&
		!slices.ContainsFunc(f.acc.scans, func(s *reading) bool { return r.narrowed(s.rel) })
}

// runFunction is the call of a stored function of several statements, and
// whether it could be followed. Its value is made of all that it reads.
func (r *run) runFunction(schema, name string, args value) (value, bool) {
	f := r.oneRoutine(schema, name, false)
	if f == nil {
		return value{}, false
	}
	facts := r.routine(f)
	if facts.fault != "" || facts.chance || facts.many || facts.cols != nil || !r.seesAll(facts, nil) {
		return value{}, false
	}
	r.replay(facts, -1)
	args = derive(args).with(query.UseFilter)
	if facts.stores() {
		r.acc.byOrder = true // it runs once a row
		r.stores(args, "function", displayName(schema, name), -1)
	}
	v := derive(args, facts.reads())
	v.typ = ParseType(f.Returns)
	return v, true
}

// runProcedure is the call of a procedure of several statements, and whether
// it could be followed.
func (r *run) runProcedure(schema, name string) bool {
	f := r.oneRoutine(schema, name, true)
	if f == nil {
		return false
	}
	facts := r.routine(f)
	if facts.fault != "" || r.rewriting {
		return false
	}
	cols := r.replay(facts, -1)
	switch {
	case r.vars != nil: // the client gets them all the same, but no mask fits
		for i := range cols {
			r.use(cols[i].value, query.UseDerived|query.UseFilter)
		}
	case cols != nil:
		r.returns(cols)
		r.acc.anyOrder = facts.fixed
	default:
		r.acc.anyOrder = !facts.many
	}
	return true
}

// runTrigger adds what a trigger does to the statement that fires it, and
// reports whether it could be followed.
func (r *run) runTrigger(rel *Relation, g *Trigger, kept []string, pos int) bool {
	if g.Event == "" || g.Body == "" {
		return false
	}
	plain := *r // a body cannot be rewritten
	plain.rewriting = false
	key := triggerKey{g, ""}
	if len(kept) > 0 {
		if t := r.bodyText(g.Body, g.SQLMode); t != nil {
			key.kept = strings.Join(t.compared(kept), "\x00")
		}
	}
	facts := plain.remembered(key, func() *routineFacts {
		t := r.bodyText(g.Body, g.SQLMode)
		if t == nil {
			return &routineFacts{acc: newAccumulator(), fault: "its body cannot be read"}
		}
		sub := plain.insideOf(key, rel.Schema, t)
		b := sub.newBody(triggerRows(rel, strings.ToUpper(g.Event))...)
		b.row = rel
		if key.kept != "" {
			b.kept = strings.Split(key.kept, "\x00")
		}
		b.whole()
		return b.facts()
	})
	if facts.fault != "" || facts.many || facts.cols != nil {
		return false
	}
	if !r.seesAll(facts, rel) {
		return false
	}
	r.replay(facts, pos)
	r.acc.perRow = r.acc.perRow || len(facts.acc.writes) > 0 || facts.changes != 0
	return true
}

// triggerRows are NEW and OLD. What an INSERT brings is the statement's own, and
// counts as written by it; else a column stands for itself.
func triggerRows(rel *Relation, event string) []*rangeItem {
	var out []*rangeItem
	for _, name := range []string{"NEW", "new", "New", "OLD", "old", "Old"} {
		fresh := strings.EqualFold(name, "new")
		if fresh && event == "DELETE" || !fresh && event == "INSERT" {
			continue
		}
		it := &rangeItem{name: name, nameOnly: true, scan: -1, origin: origin{opaque: true}}
		for i := range rel.Columns {
			c := &rel.Columns[i]
			v := value{typ: c.Type}
			if event != "INSERT" {
				v.deps = []dep{{rel: rel.ID, attr: c.Attr, scan: -1, pos: -1}}
			}
			it.cols = append(it.cols, named(c.Name, v))
		}
		out = append(out, it)
	}
	return out
}
