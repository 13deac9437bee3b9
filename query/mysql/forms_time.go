package mysql

// systemTime takes FOR SYSTEM_TIME, which the grammar does not read, out of a
// query: rows of the past are of the same columns. Moments have to be
// constants, variables or functions of the clock.
func (f *formReader) systemTime(i int) {
	end := -1
	switch t := f.t; t.word(i + 2) {
	case "all":
		end = i + 3
	case "as":
		if t.word(i+3) == "of" {
			end = f.moment(i + 4)
		}
	case "between", "from":
		word := map[string]string{"between": "and", "from": "to"}[t.word(i+2)]
		if end = f.moment(i + 3); end > 0 && t.word(end) == word {
			end = f.moment(end + 1)
		} else {
			end = -1
		}
	}
	if end > 0 && end <= f.to {
		f.add(edit{i, end, ""})
	}
}

// moment is the token after a moment, -1 if it is not one of the known forms.
func (f *formReader) moment(i int) int {
	t := f.t
	if w := t.word(i); w == "timestamp" || w == "transaction" {
		if t.is(i+1, "(") {
			if i = f.moment(i + 2); i > 0 && t.is(i, ")") {
				return i + 1
			}
			return -1
		}
		i++
	}
	if i >= f.to {
		return -1
	}
	switch t.tokens[i].kind {
	case tokenString, tokenNumber, tokenUser:
		i++
	case tokenWord:
		switch t.word(i) {
		case "now", "current_timestamp", "localtimestamp", "sysdate", "utc_timestamp", "curdate", "current_date":
		default:
			return -1
		}
		if i++; t.is(i, "(") {
			for i++; i < f.to && t.tokens[i].kind == tokenNumber; i++ {
			}
			if !t.is(i, ")") {
				return -1
			}
			i++
		}
	default:
		return -1
	}
	for t.is(i, "-") || t.is(i, "+") {
		if t.word(i+1) != "interval" || t.word(i+3) == "" || t.tokens[i+2].kind != tokenNumber && t.tokens[i+2].kind != tokenString {
			return -1
		}
		i += 4
	}
	return i
}
