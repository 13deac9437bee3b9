package mysql

// forms are edits that put what MariaDB reads, and the grammar does not, into a
// form that the grammar reads and that has the same lineage:
//
//	VALUES (1), (2)                      VALUES ROW (1), ROW (2)
//	MATCH (a) AGAINST ('x')              (MATCH (a) AGAINST ('x'))
//	JSON_ARRAYAGG(a ORDER BY b LIMIT 3)  GROUP_CONCAT(a ORDER BY b)
//	GROUP_CONCAT(a ORDER BY b LIMIT 3)   GROUP_CONCAT(a ORDER BY b)
//	CAST(a AS UUID)                      CAST(a AS CHAR)
//	t FOR SYSTEM_TIME ALL                t
//
// The range is one of tokens. The tree is for analysis alone: what runs is the
// client's text.
func (t *text) forms(from, to int) []edit {
	f := formReader{t: t, to: to}
	stores := t.word(from) == "insert" || t.word(from) == "replace"
	t.renames, t.newRow = nil, nil
	for i := from; i < to; i++ {
		switch t.word(i) {
		case "values":
			if t.is(i+1, "(") && f.opensQuery(i, from, stores) && t.server.MariaDB {
				f.rows(i + 1)
			}
		case "match":
			f.match(i)
		case "json_arrayagg", "group_concat":
			f.aggregate(i)
		case "cast":
			f.cast(i)
		case "for":
			if t.word(i+1) == "system_time" {
				f.systemTime(i)
			}
		default:
			if t.server.MariaDB {
				f.more(i, from)
				f.versions(i, from)
			} else if t.is(i, ")") {
				f.named(i, from, stores)
			}
			f.rare(i, from)
		}
	}
	return f.edits
}

type formReader struct {
	t     *text
	to    int
	edits []edit
}

func (f *formReader) add(e edit) {
	if n := len(f.edits); n > 0 && f.edits[n-1].from >= e.from {
		for i := range f.edits { // an edit inside of another form comes first
			if f.edits[i].from > e.from {
				f.edits = append(f.edits[:i], append([]edit{e}, f.edits[i:]...)...)
				return
			}
			if f.edits[i].from == e.from {
				return
			}
		}
	}
	f.edits = append(f.edits, e)
}

// opensQuery says that VALUES at a token is a query and not the part of an
// INSERT or a function.
func (f *formReader) opensQuery(i, from int, stores bool) bool {
	if i == from {
		return true
	}
	switch f.t.word(i - 1) {
	case "union", "except", "intersect", "all", "distinct", "as":
		return true
	}
	return f.t.is(i-1, "(") && !stores
}

// close is the token of the parenthesis that ends the one at i, -1 if none does.
func (f *formReader) close(i int) int {
	depth := 0
	for ; i < f.to; i++ {
		switch {
		case f.t.is(i, "("):
			depth++
		case f.t.is(i, ")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func (f *formReader) rows(i int) {
	for f.t.is(i, "(") {
		end := f.close(i)
		if end < 0 {
			return
		}
		f.add(edit{i, i, "ROW"})
		if !f.t.is(end+1, ",") {
			return
		}
		i = end + 2
	}
}

func (f *formReader) match(i int) {
	if !f.t.is(i+1, "(") {
		return
	}
	columns := f.close(i + 1)
	if columns < 0 || f.t.word(columns+1) != "against" || !f.t.is(columns+2, "(") {
		return
	}
	if end := f.close(columns + 2); end >= 0 {
		f.add(edit{i, i, "("})
		f.add(edit{end, end + 1, "))"})
	}
}

// aggregate takes LIMIT out of an aggregate that concatenates, and gives the
// one over JSON the name of the other where it has clauses.
func (f *formReader) aggregate(i int) {
	if !f.t.is(i+1, "(") {
		return
	}
	end := f.close(i + 1)
	if end < 0 {
		return
	}
	clauses := f.t.word(i+2) == "distinct"
	for j := i + 2; j < end; j++ {
		if f.t.is(j, "(") {
			if j = f.close(j); j < 0 {
				return
			}
			continue
		}
		switch f.t.word(j) {
		case "order":
			clauses = clauses || f.t.word(j+1) == "by"
		case "limit":
			for k := j + 1; k < end; k++ {
				if f.t.tokens[k].kind != tokenNumber && !f.t.is(k, ",") && f.t.word(k) != "offset" {
					return
				}
			}
			clauses = true
			f.add(edit{j, end, ""})
			j = end
		}
	}
	if clauses && f.t.word(i) == "json_arrayagg" {
		f.add(edit{i, i + 1, "GROUP_CONCAT"})
	}
}

var castNames = map[string]string{"int": "SIGNED", "integer": "SIGNED", "varchar": "CHAR", "uuid": "CHAR", "inet6": "CHAR", "inet4": "CHAR"}

func (f *formReader) cast(i int) {
	if !f.t.is(i+1, "(") {
		return
	}
	end := f.close(i + 1)
	for j := i + 2; j < end; j++ {
		if f.t.is(j, "(") {
			if j = f.close(j); j < 0 {
				return
			}
			continue
		}
		if name := castNames[f.t.word(j+1)]; f.t.word(j) == "as" && name != "" && j+1 < end {
			f.add(edit{j + 1, j + 2, name})
			return
		}
	}
}

// withForms are some edits and the forms that do not meet them, in order.
func (t *text) withForms(from, to int, edits []edit) []edit {
	forms := t.forms(from, to)
	if len(forms) == 0 {
		return edits
	}
	out := make([]edit, 0, len(edits)+len(forms))
	for _, f := range forms {
		for len(edits) > 0 && edits[0].from < f.from {
			out, edits = append(out, edits[0]), edits[1:]
		}
		if len(edits) > 0 && edits[0].from < max(f.to, f.from+1) || len(out) > 0 && max(out[len(out)-1].to, out[len(out)-1].from+1) > f.from {
			continue
		}
		out = append(out, f)
	}
	return append(out, edits...)
}
