package random

import (
	"fmt"
	"slices"
	"strings"
)

// literals are constants by type, in text. A type that is listed here can be an
// argument.
var literals = map[string][]string{
	"bool": {"true", "false"}, "int2": {"0", "1", "7", "-3"}, "int4": {"0", "1", "2", "3", "5", "10", "17", "100", "-1", "2024", "40000"},
	"int8": {"0", "1", "42", "99999", "-7"}, "numeric": {"0", "1", "2.5", "100", "60000", "12345.67", "-1.5"},
	"float4": {"0", "1.5", "-2"}, "float8": {"0", "1", "0.5", "2.5", "1e3", "-4.25"},
	"text":    {"", "a", "x", "abc", "Bern", "%a%", "P-0003", "_e%", "north", "5", "a,b;c", "Köln", "open"},
	"varchar": {"a", "Fisher", ""}, "bpchar": {"a", "DE", "EUR"}, "name": {"id", "person"}, "char": {"a", "r"},
	"bytea": {`\x`, `\x00ff`, `\x616263`}, "date": {"2024-01-01", "2023-06-15", "1990-12-31", "2024-02-29"}, "time": {"00:00:00", "12:34:56"},
	"timetz": {"10:00:00+02"}, "timestamp": {"2024-01-01 00:00:00", "2023-07-01 12:30:00"}, "timestamptz": {"2024-01-01 00:00:00+00", "2023-10-10 10:10:10+00"},
	"interval": {"1 day", "2 hours", "1 mon", "00:00:01"}, "uuid": {"00000000-0000-0000-0000-000000000000"}, "inet": {"10.0.0.1", "192.168.0.0/24"},
	"cidr": {"10.0.0.0/8"}, "macaddr": {"08:00:2b:01:02:03"}, "json": {`{"a": 1}`, "[1,2]"}, "jsonb": {`{"a": 1, "b": "x"}`, "[1, 2, 3]", `"s"`, "{}"},
	"xml": {"<a>1</a>"}, "point": {"(0,0)", "(50,50)"}, "box": {"(1,1),(0,0)"}, "circle": {"<(0,0),1>"}, "lseg": {"[(0,0),(1,1)]"}, "path": {"[(0,0),(1,1)]"},
	"polygon": {"((0,0),(1,1),(1,0))"}, "line": {"{1,-1,0}"}, "int4range": {"[1,5)", "empty"}, "numrange": {"[0,100)", "(,5]"}, "daterange": {"[2020-01-01,2024-01-01)", "empty"},
	"tsrange": {"[2020-01-01,2024-01-01)"}, "tstzrange": {"[2020-01-01,2024-01-01)"}, "int4multirange": {"{[1,3),[5,9)}"}, "tsvector": {"'a':1 'b':2"}, "tsquery": {"'a' & 'b'", "'sepsis'"},
	"bit": {"10101010"}, "varbit": {"101"}, "money": {"1.50"}, "oid": {"0", "1259"}, "_text": {"{a,b}", "{}", "{north,Bern}"}, "_int4": {"{1,2,3}", "{}", "{5}"}, "jsonpath": {"$.a", "$[*]"},
	"pg_lsn": {"0/16B3748"}, "record": nil,
}

// common types are what expressions are mostly of.
var common = []string{"int4", "int4", "int4", "text", "text", "text", "numeric", "bool", "int8", "date", "float8", "timestamptz", "jsonb", "_text", "_int4", "bpchar", "varchar", "interval",
	"timestamp", "uuid", "bytea", "inet", "daterange", "json"}

// domain is a type of the database itself, int4 if there is none.
func (g *Generator) domain() string {
	var list []string
	for t := range g.pool {
		if strings.Contains(t, ".") {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		return "int4"
	}
	slices.Sort(list)
	return one(g, list)
}

// typeName is how a cast writes a type.
func typeName(t string) string {
	switch t {
	case "_text":
		return "text[]"
	case "_int4":
		return "int[]"
	case "char":
		return `"char"`
	}
	if len(t) > 0 && t[0] == '_' {
		return t[1:] + "[]"
	}
	return t
}

// constant writes a constant of a type, as a parameter where that is possible.
func (g *Generator) constant(t string) string {
	values := literals[t]
	if p := g.pool[t]; len(p) > 0 && g.chance(45) {
		values = p
	}
	if labels := g.catalog.Enums[t]; labels != nil {
		values = labels
	}
	if len(values) == 0 || g.rng.IntN(30) == 0 {
		return fmt.Sprintf("NULL::%s", typeName(t))
	}
	v := one(g, values)
	if g.stm.useParams && g.chance(35) && len(g.stm.params) < 12 {
		g.hit("parameter")
		g.stm.params = append(g.stm.params, &v)
		return fmt.Sprintf("$%d::%s", len(g.stm.params), typeName(t))
	}
	switch t {
	case "bool":
		return v
	case "int4", "int8", "numeric":
		if v[0] == '-' || t == "int8" {
			return fmt.Sprintf("(%s)::%s", v, t)
		}
		if t == "numeric" {
			return v + "::numeric"
		}
		return v
	}
	if t == "bit" {
		return "B'" + v + "'"
	}
	return fmt.Sprintf("%s::%s", Literal(v), typeName(t))
}
