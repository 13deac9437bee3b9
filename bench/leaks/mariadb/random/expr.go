package random

import (
	"fmt"
	"strings"
)

// constants are values that expressions compare and compute with.
var constants = []string{"0", "1", "2", "5", "7", "100", "-1", "2.5", "NULL", "'a'", "'Bern'", "'%a%'", "''", "'2022-01-01'", "1e3", "0x41", "TRUE", "'_e%'", "50000", "DATE '2021-06-01'", "_latin1 'x'"}

// functions are calls; each % is an argument.
var functions = []string{"CONCAT(#, #)", "CONCAT_WS('-', #, #)", "UPPER(#)", "LOWER(#)", "SUBSTR(#, 2, 3)", "LENGTH(#)", "CHAR_LENGTH(#)", "ABS(#)", "ROUND(#, 1)", "FLOOR(#)", "MD5(#)", "SHA1(#)",
	"CRC32(#)", "HEX(#)", "REVERSE(#)", "LPAD(#, 6, '*')", "REPLACE(#, 'a', #)", "LOCATE('a', #)", "YEAR(#)", "DATEDIFF(#, '2020-01-01')", "DATE_FORMAT(#, '%Y')", "JSON_OBJECT('k', #)", "JSON_ARRAY(#, #)",
	"JSON_EXTRACT(#, '$.a')", "JSON_VALID(#)", "CAST(# AS CHAR)", "CAST(# AS SIGNED)", "CAST(# AS DECIMAL(10,2))", "CAST(# AS DATE)", "CONVERT(# USING latin1)", "# COLLATE utf8mb4_bin", "IFNULL(#, #)",
	"NULLIF(#, #)", "COALESCE(#, #)", "IF(#, #, #)", "GREATEST(#, #)", "LEAST(#, #)", "ELT(#, 'a', #)", "FIELD(#, #, 'a')", "FIND_IN_SET(#, 'a,b')", "STRCMP(#, #)", "SOUNDEX(#)", "TRIM(#)",
	"FORMAT(#, 2)", "BIT_COUNT(#)", "CONV(#, 10, 2)", "MOD(#, 3)", "SIGN(#)", "LEFT(#, 2)", "RIGHT(#, 2)", "ASCII(#)", "ORD(#)", "TO_DAYS(#)", "UNIX_TIMESTAMP(#)", "INET_ATON(#)", "REGEXP_REPLACE(#, 'a', 'b')",
	"REGEXP_SUBSTR(#, '[a-z]+')", "# SOUNDS LIKE #", "TO_BASE64(#)", "COMPRESS(#)", "UNHEX(#)", "EXTRACTVALUE(#, '/a')", "ADDDATE(#, INTERVAL 1 DAY)", "LAST_DAY(#)", "QUOTE(#)", "REPEAT(#, 2)",
	"INSERT(#, 1, 1, 'z')", "CHAR(#)", "NATURAL_SORT_KEY(#)", "AES_ENCRYPT(#, 'k')", "PASSWORD(#)", "SLEEP(0)", "BENCHMARK(1, #)", "LAST_INSERT_ID(#)", "RAND(#)", "EXP(#)", "SQRT(#)", "POW(#, 2)"}

var operators = []string{"(# + #)", "(# - #)", "(# * #)", "(# / #)", "(# % 3)", "(# DIV 2)", "(# = #)", "(# <> #)", "(# < #)", "(# >= #)", "(# <=> #)", "(# LIKE #)", "(# RLIKE #)", "(# IS NULL)", "(# IS NOT TRUE)",
	"(# AND #)", "(# OR #)", "(NOT #)", "(# XOR #)", "(# BETWEEN # AND #)", "(# IN (#, #, 1))", "(# NOT IN (#, 2))", "CASE WHEN # THEN # ELSE # END", "CASE # WHEN # THEN 1 END", "(-#)", "(~#)", "(# | #)", "(# << 1)",
	"((#, #) = (#, #))", "(# NOT LIKE 'a%')"}

var aggregates = []string{"COUNT(*)", "COUNT(#)", "COUNT(DISTINCT #)", "SUM(#)", "AVG(#)", "MIN(#)", "MAX(#)", "GROUP_CONCAT(# ORDER BY #)", "GROUP_CONCAT(DISTINCT #)", "BIT_XOR(#)", "STDDEV(#)", "VARIANCE(#)", "JSON_ARRAYAGG(#)",
	"JSON_OBJECTAGG(#, #)"}

var windows = []string{"ROW_NUMBER() OVER (ORDER BY #)", "RANK() OVER (ORDER BY #)", "SUM(#) OVER (PARTITION BY #)", "LAG(#) OVER (ORDER BY #)", "FIRST_VALUE(#) OVER (PARTITION BY # ORDER BY #)", "COUNT(*) OVER ()",
	"NTILE(3) OVER (ORDER BY #)", "MAX(#) OVER (ORDER BY # ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "PERCENT_RANK() OVER (ORDER BY #)", "MEDIAN(#) OVER (PARTITION BY #)"}

// expr is an expression over the names of a level.
func (g *Generator) expr(l *level, depth int) *node {
	g.budget--
	if depth <= 0 || g.budget <= 0 {
		return g.atom(l)
	}
	var out *node
	g.pick(
		choice{32, "", func() { out = g.atom(l) }},
		choice{26, "expr.operator", func() { out = g.fill(l, one(g, operators), depth) }},
		choice{24, "expr.function", func() { out = g.fill(l, one(g, functions), depth) }},
		choice{5, "expr.subquery", func() { out = g.subquery(l) }},
		choice{2, "expr.stored", func() { out = g.stored(l, depth) }},
		choice{1, "expr.variable", func() { out = form(expr, "(@x := #)", g.expr(l, depth-1)) }},
		choice{20, "", func() { out = g.special(l, depth) }},
	)
	return out
}

// special is an aggregate or window function where one may stand.
func (g *Generator) special(l *level, depth int) *node {
	switch {
	case l.grouped && !l.inside:
		g.hit("expr.aggregate")
		l.inside = true
		n := g.fill(l, one(g, aggregates), depth)
		l.inside = false
		return n
	case l.windows:
		g.hit("expr.window")
		l.windows = false
		n := g.fill(l, one(g, windows), depth)
		l.windows = true
		return n
	}
	return g.fill(l, one(g, operators), depth)
}

// fill makes the arguments of a template.
func (g *Generator) fill(l *level, template string, depth int) *node {
	var kids []*node
	for range strings.Count(template, "#") {
		kids = append(kids, g.expr(l, depth-1))
	}
	return form(expr, template, kids...)
}

// atom is a column or a constant.
func (g *Generator) atom(l *level) *node {
	if g.chance(78) {
		return g.column(l)
	}
	return g.constant()
}

// constant is a constant, sometimes one that a column holds.
func (g *Generator) constant() *node {
	if g.chance(40) {
		if c := one(g, one(g, g.catalog.Relations).Columns); len(c.Samples) > 0 {
			return &node{kind: expr, text: one(g, c.Samples)}
		}
	}
	return &node{kind: expr, text: one(g, constants)}
}

// column is a column that may be used here, or a constant if there is none.
func (g *Generator) column(l *level) *node {
	if l.grouped && !l.inside && len(l.keys) > 0 && g.chance(90) {
		k := one(g, l.keys)
		return &node{kind: expr, text: k.text, kids: k.kids, secret: k.secret}
	}
	if c := g.anyColumn(l, g.secrets()); c != nil {
		return c
	}
	return g.constant()
}

// anyColumn is a column of the level or one around it; nil if there is none.
func (g *Generator) anyColumn(l *level, secrets bool) *node {
	for range 20 {
		at := l
		for at.outer != nil && (len(at.sources) == 0 || g.chance(15)) {
			at = at.outer
		}
		if len(at.sources) == 0 {
			return nil
		}
		s := one(g, at.sources)
		if len(s.columns) == 0 {
			continue
		}
		c := one(g, s.columns)
		if c.Name == "" || c.Secret && !secrets {
			continue
		}
		if c.Secret {
			g.hit("column.secret")
		}
		return &node{kind: expr, text: s.alias + "." + quote(c.Name), secret: c.Secret}
	}
	return nil
}

// subquery is a subquery as a value or a condition.
func (g *Generator) subquery(l *level) *node {
	if g.budget < 8 {
		return g.atom(l)
	}
	g.budget -= 4
	switch g.rng.IntN(4) {
	case 0:
		n, _ := g.bodyOf(l, 1)
		n.kids[len(n.kids)-1] = form(fixed, "")
		return form(expr, one(g, []string{"(# IN (SELECT #))", "(# NOT IN (SELECT #))", "(# > ALL (SELECT #))", "(# = ANY (SELECT #))"}), g.atom(l), n)
	case 1:
		return form(expr, one(g, []string{"EXISTS (SELECT #)", "(NOT EXISTS (SELECT #))"}), g.body(l))
	}
	return form(expr, "(#)", g.scalarQuery(l))
}

// stored is the call of a stored function.
func (g *Generator) stored(l *level, depth int) *node {
	if len(g.catalog.Functions) == 0 {
		return g.atom(l)
	}
	f := one(g, g.catalog.Functions)
	n := &node{kind: expr, text: fmt.Sprintf("%s.%s(", quote(f.Schema), quote(f.Name))}
	for i := range f.Args {
		if i > 0 {
			n.text += ", "
		}
		n.text += "\x00"
		n.kids = append(n.kids, g.expr(l, depth-1))
	}
	n.text += ")"
	return n
}
