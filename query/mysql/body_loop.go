package mysql

// loop walks FOR of MariaDB:
//
//	FOR r IN (SELECT …) DO … END FOR
//	FOR r IN cursor DO … END FOR
func (b *body) loop(i int) int {
	t := b.r.text
	name, ok := t.name(i + 1)
	if !ok || t.word(i+2) != "in" || !t.server.MariaDB {
		return b.fail("FOR cannot be read")
	}
	i += 3
	do := b.upTo(i, "do")
	if do < 0 {
		return b.fail("FOR has no end")
	}
	locals, items := b.locals.cols, b.r.vars.items
	switch cursor, plain := t.name(i); {
	case t.is(i, "(") && (&formReader{t: t, to: do}).close(i) == do-1:
		b.cursor(name, i+1, do-1)
		b.rowOf(name, b.cursors[foldName(name)])
	case plain && i+1 == do && b.cursors[foldName(cursor)] != nil:
		b.rowOf(name, b.cursors[foldName(cursor)])
	default: // bounds, whose dots the grammar's lexer would read in another way
		return b.fail("FOR over numbers is not followed")
	}
	if b.fault != "" {
		return b.r.end()
	}
	i = b.finish(b.statements(do+1, "end"), "for")
	b.locals.cols, b.r.vars.items = locals, items
	return i
}

// rowOf makes a name one of a row: its columns are variables.
func (b *body) rowOf(name string, cols []column) {
	it := &rangeItem{name: name, nameOnly: true, scan: -1, origin: origin{opaque: true}}
	for _, c := range cols {
		it.cols = append(it.cols, named(c.name, value{literal: true, typ: c.value.typ}))
	}
	b.r.vars.items = append(b.r.vars.items[:len(b.r.vars.items):len(b.r.vars.items)], it)
}
