package mysql

// rare looks for forms at a token that change nothing of what a statement reads:
//
//	LIMIT 3 ROWS EXAMINED 10                 LIMIT 3
//	LOCK IN SHARE MODE NOWAIT                LOCK IN SHARE MODE
//	RANGE … EXCLUDE TIES, in a window        RANGE …
//	WITH RECURSIVE … CYCLE a RESTRICT        WITH RECURSIVE …
//	PREVIOUS VALUE FOR s                     LASTVAL(s)
//	SETVAL(s, 1, 0, 2)                       SETVAL(s, 1)
//	FOR PORTION OF p FROM '…' TO '…'
//	INTO OUTFILE 'x' CHARACTER SET y         INTO OUTFILE 'x'
//	LAST_VALUE(a, b)                         COALESCE(a, b)
//	COLUMN_GET(a, 'b' AS CHAR)               COLUMN_GET(a, 'b')
//	COLUMN_CREATE('a', 1 AS INT)             COLUMN_CREATE('a', 1)
//	JSON_VALUE(a, '$' RETURNING INT NULL ON EMPTY)
//	                                         JSON_VALUE(a, '$')
func (f *formReader) rare(i, from int) {
	t := f.t
	switch t.word(i) {
	case "json_table":
		f.jsonTable(i)
	case "limit":
		f.limitLocals(i)
	case "lateral":
		f.lateral(i)
	case "rows":
		if t.word(i+1) == "examined" && f.constant(i+2) && t.tokens[i+2].kind == tokenNumber {
			f.rowsExamined(i)
		}
	case "nowait":
		if t.words(i-2, "share", "mode") {
			f.add(edit{i, i + 1, ""})
		}
	case "skip":
		if t.words(i-2, "share", "mode") && t.word(i+1) == "locked" {
			f.add(edit{i, i + 2, ""})
		}
	case "exclude":
		f.exclude(i)
	case "cycle":
		f.cycle(i)
	case "previous":
		if t.words(i+1, "value", "for") {
			f.previous(i)
		}
	case "setval":
		f.setval(i)
	case "portion":
		f.portion(i, from)
	case "character", "charset":
		f.outfileCharset(i)
	case "last_value":
		if end := f.close(i + 1); t.is(i+1, "(") && end > 0 && t.word(end+1) != "over" && t.word(end+1) != "respect" && t.word(end+1) != "ignore" {
			f.add(edit{i, i + 1, "COALESCE"})
		}
	case "column_get", "column_create", "column_add":
		f.dynamicTypes(i)
	case "json_value":
		f.jsonValue(i)
	}
}

// rowsExamined reads ROWS EXAMINED, behind LIMIT or behind its numbers.
func (f *formReader) rowsExamined(i int) {
	f.t.examined = true
	if f.t.word(i-1) == "limit" {
		f.add(edit{i - 1, i + 3, ""})
		return
	}
	f.add(edit{i, i + 3, ""})
}

// limitLocals puts numbers in the place of variables of a stored body.
func (f *formReader) limitLocals(i int) {
	for {
		name, ok := f.t.name(i + 1)
		if ok && f.t.locals != nil && f.t.locals(name) {
			f.add(edit{i + 1, i + 2, "1"})
		}
		if i += 2; !f.t.is(i, ",") && f.t.word(i) != "offset" {
			return
		}
	}
}

// exclude reads the end of a window's frame.
func (f *formReader) exclude(i int) {
	switch t := f.t; {
	case t.words(i+1, "no", "others") && t.is(i+3, ")"), t.words(i+1, "current", "row") && t.is(i+3, ")"):
		f.add(edit{i, i + 3, ""})
	case (t.word(i+1) == "ties" || t.word(i+1) == "group") && t.is(i+2, ")"):
		f.add(edit{i, i + 2, ""})
	}
}

// cycle reads CYCLE behind a query of WITH. Rows that repeat what they hold in
// the columns are left out, so that the query is one that tells rows apart.
func (f *formReader) cycle(i int) {
	t := f.t
	if !t.is(i-1, ")") {
		return
	}
	for j := i + 1; j < f.to; j += 2 {
		if _, ok := t.name(j); !ok {
			return
		}
		if t.word(j+1) == "restrict" {
			f.add(edit{i, j + 2, ""})
			f.distinct(i - 1)
			return
		}
		if !t.is(j+1, ",") {
			return
		}
	}
}

// distinct takes ALL out of the set operations of a query in parentheses, of
// which the last one is at a token.
func (f *formReader) distinct(end int) {
	depth := 0
	for i := end; i >= 0; i-- {
		switch {
		case f.t.is(i, ")"):
			depth++
		case f.t.is(i, "("):
			if depth--; depth == 0 {
				return
			}
		case depth == 1 && f.t.word(i) == "all" && f.t.word(i-1) == "union":
			f.add(edit{i, i + 1, ""})
		}
	}
}

// qualifiedEnd is the token behind a name with or without a database.
func (f *formReader) qualifiedEnd(i int) int {
	if _, ok := f.t.name(i); !ok {
		return -1
	}
	if f.t.is(i+1, ".") {
		if _, ok := f.t.name(i + 2); !ok {
			return -1
		}
		return i + 3
	}
	return i + 1
}

func (f *formReader) previous(i int) {
	if end := f.qualifiedEnd(i + 3); end > 0 && end <= f.to {
		f.add(edit{i, i + 3, "LASTVAL("})
		f.add(edit{end - 1, end, f.t.raw(end-1) + ")"})
	}
}

// setval leaves out what SETVAL is given beyond the number, if it is constants.
func (f *formReader) setval(i int) {
	t := f.t
	end := f.close(i + 1)
	at := f.qualifiedEnd(i + 2)
	if !t.is(i+1, "(") || end < 0 || at < 0 || !t.is(at, ",") {
		return
	}
	for at++; at < end && !t.is(at, ","); at++ {
		if t.is(at, "(") {
			if at = f.close(at); at < 0 {
				return
			}
		}
	}
	if at >= end {
		return
	}
	for j := at; j < end; j++ {
		if t.tokens[j].kind != tokenNumber && !t.is(j, ",") && t.word(j) != "true" && t.word(j) != "false" {
			return
		}
	}
	f.add(edit{at, end, ""})
}

// portion reads FOR PORTION OF a period, between constants.
func (f *formReader) portion(i, from int) {
	t := f.t
	if t.word(i-1) != "for" || t.word(i+1) != "of" || t.word(from) != "update" && t.word(from) != "delete" {
		return
	}
	if _, ok := t.name(i + 2); !ok || t.word(i+3) != "from" {
		return
	}
	if end := f.moment(i + 4); end > 0 && t.word(end) == "to" {
		if end = f.moment(end + 1); end > 0 && end <= f.to {
			f.add(edit{i - 1, end, ""})
		}
	}
}

// outfileCharset reads CHARACTER SET behind the name of a file.
func (f *formReader) outfileCharset(i int) {
	t := f.t
	if i < 3 || t.tokens[i-1].kind != tokenString || t.word(i-2) != "outfile" || t.word(i-3) != "into" {
		return
	}
	j := i + 1
	if t.word(i) == "character" {
		if t.word(j) != "set" {
			return
		}
		j++
	}
	if _, ok := t.name(j); ok {
		f.add(edit{i, j + 1, ""})
	}
}

// dynamicTypes leaves out the types of the values in dynamic columns.
func (f *formReader) dynamicTypes(i int) {
	t := f.t
	if !t.is(i+1, "(") {
		return
	}
	end := f.close(i + 1)
	for j := i + 2; j < end; j++ {
		if t.is(j, "(") {
			if j = f.close(j); j < 0 {
				return
			}
			continue
		}
		if t.word(j) != "as" {
			continue
		}
		last := j + 1
		for ; last < end && !t.is(last, ","); last++ {
			if t.is(last, "(") {
				if last = f.close(last); last < 0 {
					return
				}
			} else if t.word(last) == "" && t.tokens[last].kind != tokenNumber {
				return
			}
		}
		f.add(edit{j, last, ""})
		j = last
	}
}

// jsonValue leaves out what JSON_VALUE says of its type and of what is not there.
func (f *formReader) jsonValue(i int) {
	t := f.t
	if !t.is(i+1, "(") {
		return
	}
	end := f.close(i + 1)
	for j := i + 2; j < end; j++ {
		if t.is(j, "(") {
			if j = f.close(j); j < 0 {
				return
			}
			continue
		}
		if w := t.word(j); t.tokens[j-1].kind != tokenString || w != "returning" && w != "null" && w != "error" && w != "default" {
			continue
		}
		for k := j; k < end; k++ {
			switch kind := t.tokens[k].kind; {
			case kind == tokenString, kind == tokenNumber, t.is(k, "("), t.is(k, ")"), t.is(k, ","), t.is(k, "-"):
			case t.word(k) == "" || t.word(k) == "select":
				return
			}
		}
		f.add(edit{j, end, ""})
		return
	}
}
