package mysql

// Forms of MariaDB's versioned tables and of MySQL 8:
//
//	DELETE HISTORY FROM t BEFORE SYSTEM_TIME '…'  DELETE FROM t
//	ALTER TABLE t ADD SYSTEM VERSIONING           ALTER TABLE t COMMENT ''
//	ALTER TABLE t ADD PERIOD FOR p (a, b)         ALTER TABLE t COMMENT ''
//	INSERT INTO t VALUES (1) AS new (a) ON …      INSERT INTO t VALUES (1) ON …
//	(SELECT 1, 2) AS d (a, b)                     (SELECT 1, 2) AS d
//
// The names of the last two are noted.

// A rename is what a list of columns behind a name calls them.
type rename struct {
	name    string
	columns []string
}

// versions looks for the forms of versioned tables at a token.
func (f *formReader) versions(i, from int) {
	t := f.t
	switch t.word(i) {
	case "history":
		if t.word(from) == "delete" && i == from+1 && t.word(i+1) == "from" {
			f.add(edit{i, i + 1, ""})
		}
	case "before":
		if t.words(from, "delete", "history") && t.word(i+1) == "system_time" {
			if end := f.moment(i + 2); end == f.to {
				f.add(edit{i, end, ""})
			}
		}
	case "system":
		if w := t.word(i - 1); t.word(from) == "alter" && (w == "add" || w == "drop") && t.word(i+1) == "versioning" {
			f.add(edit{i - 1, i + 2, "COMMENT ''"})
		}
	case "period":
		w := t.word(i - 1)
		if t.word(from) != "alter" || w != "add" && w != "drop" || t.word(i+1) != "for" {
			return
		}
		if _, ok := t.name(i + 2); !ok {
			return
		}
		end := i + 3
		if w == "add" {
			if end = f.close(i+3) + 1; !t.is(i+3, "(") || end <= 0 {
				return
			}
		}
		f.add(edit{i - 1, end, "COMMENT ''"})
	}
}

// columnNames reads (a, b) and gives the token behind it, -1 if it is no list.
func (f *formReader) columnNames(i int) (names []string, end int) {
	if !f.t.is(i, "(") {
		return nil, -1
	}
	for i++; ; i += 2 {
		name, ok := f.t.name(i)
		if !ok || i+1 >= f.to {
			return nil, -1
		}
		names = append(names, name)
		if f.t.is(i+1, ")") {
			return names, i + 2
		}
		if !f.t.is(i+1, ",") {
			return nil, -1
		}
	}
}

// named looks for the names that MySQL 8 lets follow a parenthesis.
func (f *formReader) named(i, from int, stores bool) {
	t := f.t
	at := i + 1
	if t.word(at) == "as" {
		at++
	}
	name, ok := t.name(at)
	if !ok || t.word(at) == "on" && at == i+1 {
		return
	}
	columns, end := f.columnNames(at + 1)
	switch {
	case stores && f.depth(from, i) == 0 && t.word(i+1) == "as" && (t.words(max(end, at+1), "on", "duplicate", "key") || max(end, at+1) == f.to):
		if t.newRow != nil {
			return
		}
		t.newRow = &rename{name, columns}
		f.add(edit{i + 1, max(end, at+1), ""})
	case end < 0 && f.derivedTable(i):
		t.renames = append(t.renames, rename{name: name})
	case end > 0 && f.derivedTable(i):
		t.renames = append(t.renames, rename{name, columns})
		f.add(edit{at + 1, end, ""})
	}
}

// depth is how many parentheses are open at a token.
func (f *formReader) depth(from, to int) int {
	depth := 0
	for i := from; i <= to; i++ {
		if f.t.is(i, "(") {
			depth++
		} else if f.t.is(i, ")") {
			depth--
		}
	}
	return depth
}

// derivedTable says that the parenthesis that closes at a token holds a query of
// FROM.
func (f *formReader) derivedTable(end int) bool {
	depth := 0
	for i := end; i > 0; i-- {
		if f.t.is(i, ")") {
			depth++
		} else if f.t.is(i, "(") {
			if depth--; depth == 0 {
				switch f.t.word(i - 1) {
				case "from", "join", "straight_join", "lateral":
				default:
					if !f.t.is(i-1, ",") && !f.t.is(i-1, "(") {
						return false
					}
				}
				w := f.t.word(i + 1)
				return w == "select" || w == "values" || w == "with" || w == "table"
			}
		}
	}
	return false
}

// renamedColumns gives the columns of a derived table the names of its list.
func (r *run) renamedColumns(name string, cols []column) []column {
	var found []rename
	listed := false
	for _, n := range r.text.renames {
		if foldName(n.name) == foldName(name) {
			found, listed = append(found, n), listed || n.columns != nil
		}
	}
	if listed && len(found) > 1 {
		r.gap(-1, "several derived tables have the name "+name)
	}
	for _, n := range found {
		if n.columns == nil {
			continue
		}
		if len(n.columns) != len(cols) {
			r.mistake(-1, code(1353, "HY000"), "the list of columns of "+name+" has another length", "")
		}
		out := append([]column(nil), cols...)
		for i := range out {
			if i < len(n.columns) {
				out[i] = column{name: n.columns[i], key: columnKey(n.columns[i]), wide: foldName(n.columns[i]), value: out[i].value}
			}
		}
		return out
	}
	return cols
}
