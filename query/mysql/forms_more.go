package mysql

// more looks for the rarer forms at a token:
//
//	a SOUNDS LIKE b                              a LIKE b
//	OFFSET 5 ROWS FETCH NEXT 3 ROWS ONLY         LIMIT 3 OFFSET 5
//	FETCH FIRST 3 ROWS WITH TIES                 LIMIT 3
//	LOCK IN SHARE MODE WAIT 3                    LOCK IN SHARE MODE
//	MEDIAN(a) OVER (…)                           MIN(a) OVER (…)
//	PERCENTILE_CONT(.5) WITHIN GROUP (ORDER BY a) OVER (…)
//	                                             MIN(a) OVER (…)
//	ON DUPLICATE KEY UPDATE a = VALUE(a)         … VALUES(a)
//	a UUID, in definitions                       a CHAR(36)
func (f *formReader) more(i, from int) {
	t := f.t
	switch t.word(i) {
	case "sounds":
		if t.word(i+1) == "like" && i > from && !t.is(i-1, ".") {
			f.add(edit{i, i + 2, "LIKE"})
		}
	case "offset", "fetch":
		f.fetch(i)
	case "wait":
		if f.constant(i+1) && t.words(i-2, "share", "mode") {
			f.add(edit{i, i + 2, ""})
		}
	case "median":
		if end := f.close(i + 1); t.is(i+1, "(") && end > 0 && t.word(end+1) == "over" {
			f.add(edit{i, i + 1, "MIN"})
		}
	case "percentile_cont", "percentile_disc":
		f.percentile(i)
	case "value":
		if t.is(i+1, "(") && t.is(i-1, "=") && f.updates(i, from) {
			f.add(edit{i, i + 1, "VALUES"})
		}
	case "uuid", "inet6", "inet4":
		f.columnType(i, from)
	}
}

// constant says that a token is a number or a parameter.
func (f *formReader) constant(i int) bool {
	return i < f.to && (f.t.tokens[i].kind == tokenNumber || f.t.tokens[i].kind == tokenParam)
}

func (f *formReader) rowWord(i int) bool { return f.t.word(i) == "row" || f.t.word(i) == "rows" }

// fetch reads OFFSET … ROWS and FETCH FIRST … ROWS.
func (f *formReader) fetch(i int) {
	t, at, offset, limit := f.t, i, "", ""
	if t.word(i) == "offset" {
		if !f.constant(i+1) || !f.rowWord(i+2) {
			return
		}
		offset, limit = " OFFSET "+t.raw(i+1), "18446744073709551615"
		i += 3
	}
	if t.word(i) == "fetch" && (t.word(i+1) == "first" || t.word(i+1) == "next") {
		if i += 2; f.constant(i) {
			limit = t.raw(i)
			i++
		} else {
			limit = "1"
		}
		if !f.rowWord(i) {
			return
		}
		switch {
		case t.word(i+1) == "only":
			i += 2
		case t.words(i+1, "with", "ties"):
			i += 3
		default:
			return
		}
	}
	if limit == "" || i > f.to || limit == "?" && offset == " OFFSET ?" { // their order would change
		return
	}
	f.add(edit{at, i, "LIMIT " + limit + offset})
}

// percentile reads an ordered-set aggregate over a constant.
func (f *formReader) percentile(i int) {
	t := f.t
	if !t.is(i+1, "(") || !f.constant(i+2) || !t.is(i+3, ")") || !t.words(i+4, "within", "group") || !t.is(i+6, "(") ||
		!t.words(i+7, "order", "by") {
		return
	}
	end := f.close(i + 6)
	if end < 0 || t.word(end+1) != "over" {
		return
	}
	f.add(edit{i, i + 9, "MIN("})
	if last := t.word(end - 1); last == "asc" || last == "desc" {
		f.add(edit{end - 1, end, ""})
	}
}

// updates says that a token stands behind ON DUPLICATE KEY UPDATE.
func (f *formReader) updates(i, from int) bool {
	for ; i > from+3; i-- {
		if f.t.words(i-4, "on", "duplicate", "key", "update") {
			return true
		}
	}
	return false
}

// columnType reads a type behind the name of a column in a definition.
func (f *formReader) columnType(i, from int) {
	t := f.t
	if w := t.word(from); w != "create" && w != "alter" || i < from+4 || t.is(i+1, "(") || t.is(i+1, ".") {
		return
	}
	if _, ok := t.name(i - 1); !ok {
		return
	}
	switch before := t.word(i - 2); {
	case t.is(i-2, "("), t.is(i-2, ","), before == "add", before == "column", before == "modify", before == "exists":
		f.add(edit{i, i + 1, map[string]string{"uuid": "CHAR(36)", "inet6": "CHAR(39)", "inet4": "CHAR(15)"}[t.word(i)]})
	}
}
