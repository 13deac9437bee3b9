package mysql

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

// An expression is loud if computing it can fail or warn. The first row that
// fails ends the statement, and warnings are listed as they come: the answer
// then tells in which order the rows were read. It matters little what is quoted,
// for a CASE can choose the mistake by the row.

// noise notes an expression that is loud.
func (r *run) noise(quiet bool) {
	if !quiet {
		r.acc.loud = true
	}
}

// Kinds of values. A comparison within a kind says nothing of a row.
type kind uint8

const (
	kindUnknown kind = iota
	kindNumber
	kindTime
	kindText
	kindConstant // a string or a parameter: what is said is about it alone
	kindString
)

// columnKind is the kind of a column's type.
func columnKind(t TypeCode) kind {
	switch t.Wire() {
	case TypeTiny, TypeShort, TypeInt24, TypeLong, TypeLongLong, TypeNewDecimal, TypeYear, TypeFloat, TypeDouble:
		if t.Known() {
			return kindNumber
		}
	case TypeDate, TypeDatetime, TypeTimestamp, TypeTime:
		return kindTime
	case TypeVarString, TypeString, TypeBlob:
		if t.Text() && !t.Enum() && !t.Set() && t.Extended() == ExtendedNone {
			return kindText
		}
	}
	return kindUnknown
}

// literalKind is the kind of a constant, unknown for other expressions.
func literalKind(n ast.ExprNode) kind {
	switch x := strip(n).(type) {
	case *Marker:
		return kindConstant
	case *Literal:
		switch x.Value.(type) {
		case int64, uint64, Number, bool:
			return kindNumber
		case string:
			return kindString
		}
	case *ast.UnaryOperationExpr:
		if x.Op == opcode.Minus && constant(x.V) {
			return literalKind(x.V)
		}
	}
	return kindUnknown
}

// alike says that values of two kinds compare without a word. Those of time are
// alike if their types are the same.
func alike(x, y kind, sameTime bool) bool {
	if x > y {
		x, y = y, x
	}
	switch {
	case x == kindUnknown:
		return false
	case x == y:
		return x != kindTime || sameTime
	case x == kindNumber, x == kindTime:
		return y == kindConstant || y == kindString && x == kindTime
	}
	return x == kindText && y == kindString
}

// kindOf is the kind of an expression with its value. Parameters and variables
// have none: what they hold may be chosen by the row.
func (r *run) kindOf(n ast.ExprNode, v *value) kind {
	if k := literalKind(n); k != kindUnknown {
		return k
	}
	if v.typ.Known() {
		return columnKind(v.typ)
	}
	switch x := strip(n).(type) {
	case *ast.AggregateFuncExpr:
		if numbered[strings.ToLower(x.F)] {
			return kindNumber
		}
	case *ast.FuncCallExpr:
		switch {
		case numbered[x.FnName.L] && x.Schema.O == "":
			return kindNumber
		case clockTime(n):
			return kindTime
		}
	case *ast.BinaryOperationExpr:
		if truthful(x.Op) {
			return kindNumber
		}
	case *ast.IsNullExpr, *ast.ExistsSubqueryExpr, *ast.PatternInExpr, *ast.BetweenExpr, *ast.PatternLikeOrIlikeExpr, *ast.IsTruthExpr,
		*ast.PatternRegexpExpr, *ast.MatchAgainst, *ast.CompareSubqueryExpr:
		return kindNumber
	}
	return kindUnknown
}

// truthful says that an operator gives 0, 1 or NULL.
func truthful(op opcode.Op) bool {
	switch op {
	case opcode.LogicAnd, opcode.LogicOr, opcode.LogicXor, opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE, opcode.NullEQ:
		return true
	}
	return false
}

// compares notes a comparison of two expressions.
func (r *run) compares(a, b ast.ExprNode, x, y *value) {
	r.noise(silent(a, b, r.kindOf(a, x), r.kindOf(b, y), x.typ.Known() && x.typ == y.typ || clockTime(a) || clockTime(b)))
}

// silent says that two expressions compare without a word, whatever they hold.
func silent(a, b ast.ExprNode, x, y kind, sameTime bool) bool {
	if x > y {
		a, b, x, y = b, a, y, x
	}
	switch {
	case x == kindUnknown || y == kindConstant:
		return false
	case x == kindTime && y == kindString:
		l, ok := strip(b).(*Literal)
		return ok && writtenTime(l.GetString())
	case x == y:
		return x != kindTime || sameTime
	}
	return x == kindText && y == kindString
}

// writtenTime says that a text is a moment as it is written.
func writtenTime(s string) bool {
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05"} {
		if _, err := time.Parse(layout, s); err == nil { // which takes fractions of seconds
			return true
		}
	}
	return false
}

// truth notes an expression that is taken for true or false.
func (r *run) truth(n ast.ExprNode, v *value) {
	if u, ok := strip(n).(*ast.UnaryOperationExpr); ok && (u.Op == opcode.Not || u.Op == opcode.Not2) {
		return // its operand is noted
	}
	r.noise(r.kindOf(n, v) == kindNumber)
}

// operation notes an operation on two values.
func (r *run) operation(x *ast.BinaryOperationExpr, left, right *value) {
	switch x.Op {
	case opcode.LogicAnd, opcode.LogicOr, opcode.LogicXor:
		r.truth(x.L, left)
		r.truth(x.R, right)
	case opcode.EQ, opcode.NE, opcode.LT, opcode.LE, opcode.GT, opcode.GE, opcode.NullEQ:
		r.compares(x.L, x.R, left, right)
	case opcode.Plus, opcode.Minus, opcode.Mul:
		r.noise(sum(x, left, right))
	case opcode.Div, opcode.IntDiv, opcode.Mod:
		n, ok := strip(x.R).(*Literal)
		zero := !ok || n.Value == nil || strings.Trim(fmt.Sprint(n.Value), "0.") == ""
		digits, _, _ := magnitude(x.L, left)
		r.noise(!zero && digits > 0)
	default:
		r.noise(false)
	}
}

// sum says that a sum, difference or product cannot be out of range: of long
// integers, and of decimal numbers.
func sum(x *ast.BinaryOperationExpr, left, right *value) bool {
	a, exactA, signedA := magnitude(x.L, left)
	b, exactB, signedB := magnitude(x.R, right)
	if a == 0 || b == 0 {
		return false
	}
	room, need := 18, max(a, b)+1
	if exactA || exactB {
		room = 60
	} else if !signedA || !signedB { // a difference below zero would be one
		return false
	}
	if x.Op == opcode.Mul {
		need = a + b
	}
	return need <= room
}

// magnitude is how many digits a number may have, 0 if that is not known, and
// whether it is a decimal one.
func magnitude(n ast.ExprNode, v *value) (digits int, exact, signed bool) {
	switch l, _ := strip(n).(*Literal); {
	case l != nil:
		switch x := l.Value.(type) {
		case int64, uint64:
			return len(fmt.Sprint(x)), false, true
		case Number:
			return len(x), true, true
		}
		return 0, false, false
	case integer(v.typ):
		return map[byte]int{TypeTiny: 3, TypeShort: 5, TypeInt24: 8, TypeLong: 10, TypeLongLong: 20}[v.typ.Wire()], false, !v.typ.Unsigned()
	case v.typ.Wire() == TypeNewDecimal:
		_, p, _ := strings.Cut(v.text, "(")
		p, _, _ = strings.Cut(p, ",")
		digits, _ = strconv.Atoi(p)
		return digits, true, true
	}
	return 0, false, false
}

// oneRow says that a query reads no more than one row of each table: it names
// the values of a key, and the server looks them up before it computes anything.
func (r *run) oneRow(s *ast.SelectStmt, sc *scope) bool {
	if s.From == nil {
		return true
	}
	for _, it := range sc.items {
		if it.scan < 0 || it.relation == nil || len(r.acc.scans[it.scan].ignored)+len(r.acc.scans[it.scan].hinted) > 0 {
			return false
		}
	}
	late := sc.late
	sc.late = false
	defer func() { sc.late = late }()
	c := closure{known: map[dep]bool{}}
	c.conditions(r, s.Where, sc)
	c.joins(r, s.From.TableRefs, sc)
	return c.determines(sc)
}

// numbered are the functions whose result is a number, clocks those that tell a
// moment of the statement.
var (
	numbered = words("count length octet_length char_length character_length bit_length isnull year month day dayofmonth dayofweek weekday " +
		"dayofyear hour minute second quarter week yearweek locate instr find_in_set ascii ord crc32 connection_id row_count found_rows " +
		"last_insert_id")
	clocks = words("now current_timestamp localtime localtimestamp curdate current_date utc_timestamp utc_date")
)

// What functions say nothing of, by their arguments.
var (
	// quietCalls take everything.
	quietCalls = words("coalesce ifnull nvl lower upper lcase ucase trim ltrim rtrim reverse char_length length " +
		"octet_length character_length bit_length md5 sha1 sha soundex isnull ascii ord crc32 instr locate position " +
		"find_in_set any_value charset collation coercibility database schema user current_user session_user system_user version " +
		"connection_id row_count found_rows now current_timestamp localtime localtimestamp curdate current_date utc_timestamp utc_date " +
		"curtime current_time utc_time last_value rownum")
	// quietJoins take what cannot get too long for a packet.
	quietJoins = words("concat concat_ws hex to_base64 quote")
	// quietStarts take everything first, and numbers after it.
	quietStarts = words("left right substring substr mid sha2")
	// quietTimes take a moment, and constants after it.
	quietTimes = words("date year month day dayofmonth dayname monthname dayofweek weekday dayofyear hour minute second quarter week " +
		"yearweek last_day to_days date_format time_format unix_timestamp microsecond")
	// quietNumbers take a number, and numbers after it.
	quietNumbers = words("round ceil ceiling floor sign format truncate bin oct")
	// moving take a moment of the clock and a small interval.
	moving = words("date_add date_sub adddate subdate")
)

// quietKeeps give one of their arguments, or no more than that.
var quietKeeps = words("coalesce ifnull nvl lower upper lcase ucase trim ltrim rtrim reverse left right substring substr mid any_value")

// calls notes the call of a built-in function with the values of its arguments,
// and says whether its result is short.
func (r *run) calls(x *ast.FuncCallExpr, name string, args []value) (brief bool) {
	brief = quietKeeps[name]
	for i := range args {
		brief = brief && short(x.Args[i], &args[i])
	}
	kinds := func(first, rest kind) bool {
		for i := range args {
			k := r.kindOf(x.Args[i], &args[i])
			if i == 0 && first != kindUnknown && k != first || i > 0 && (k != kindNumber && k != rest || literalKind(x.Args[i]) == kindUnknown) {
				return false
			}
		}
		return len(args) > 0
	}
	switch {
	case quietCalls[name]:
	case quietJoins[name]:
		for i := range args {
			r.noise(short(x.Args[i], &args[i]))
		}
		r.noise(len(args) <= 64)
	case quietStarts[name]:
		r.noise(kinds(kindUnknown, kindNumber))
	case name == "substring_index":
		r.noise(kinds(kindUnknown, kindString))
	case quietTimes[name]:
		r.noise(kinds(kindTime, kindString))
	case name == "extract" && len(args) == 2:
		r.noise(r.kindOf(x.Args[1], &args[1]) == kindTime)
	case quietNumbers[name]:
		r.noise(kinds(kindNumber, kindNumber))
	case name == "if" && len(args) > 0:
		r.truth(x.Args[0], &args[0])
	case name == "nullif" && len(args) == 2:
		r.compares(x.Args[0], x.Args[1], &args[0], &args[1])
	case name == "datediff" && len(args) == 2:
		r.noise(r.kindOf(x.Args[0], &args[0]) == kindTime && r.kindOf(x.Args[1], &args[1]) == kindTime)
	case moving[name]:
		r.noise(clockTime(x))
	default:
		r.noise(false)
	}
	return brief
}

// short says that a text is shorter by far than a packet.
func short(n ast.ExprNode, v *value) bool {
	if l, ok := strip(n).(*Literal); ok {
		return len(l.GetString()) <= 1000
	}
	if f, ok := strip(n).(*ast.FuncCallExpr); ok && (numbered[f.FnName.L] || quietTimes[f.FnName.L]) {
		return true
	}
	if v.short {
		return true
	}
	switch v.typ.Wire() {
	case TypeBlob, TypeJSON, TypeGeometry:
		return false
	}
	return v.typ.Known()
}

// clockTime says that an expression is a moment of the clock, or one moved by a
// small constant.
func clockTime(n ast.ExprNode) bool {
	x, ok := strip(n).(*ast.FuncCallExpr)
	if !ok || x.Schema.O != "" {
		return false
	}
	if clocks[x.FnName.L] {
		return len(x.Args) == 0 || len(x.Args) == 1 && literalKind(x.Args[0]) == kindNumber
	}
	if !moving[x.FnName.L] || len(x.Args) != 3 || !clockTime(x.Args[0]) {
		return false
	}
	l, ok := strip(x.Args[1]).(*Literal)
	if !ok {
		return false
	}
	days, ok := l.Value.(int64)
	return ok && days <= 1000
}
