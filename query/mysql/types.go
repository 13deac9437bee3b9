package mysql

import (
	"strconv"
	"strings"
)

// TypeCode is a column's type in 32 bits, as query.Facts carries it: the type
// of the column definition packet in the low byte, then flags, then what the
// wire does not tell. Zero is an unknown type.
//
// Source: MySQL's "Column Definition" packet, MariaDB's extended metadata.
type TypeCode uint32

// The types of the wire. TEXT and BLOB of every length are TypeBlob there,
// VARCHAR and VARBINARY TypeVarString, CHAR, BINARY, ENUM and SET TypeString.
const (
	TypeTiny       = 1
	TypeShort      = 2
	TypeLong       = 3
	TypeFloat      = 4
	TypeDouble     = 5
	TypeNull       = 6
	TypeTimestamp  = 7
	TypeLongLong   = 8
	TypeInt24      = 9
	TypeDate       = 10
	TypeTime       = 11
	TypeDatetime   = 12
	TypeYear       = 13
	TypeBit        = 16
	TypeJSON       = 245
	TypeNewDecimal = 246
	TypeBlob       = 252
	TypeVarString  = 253
	TypeString     = 254
	TypeGeometry   = 255
)

// The flags of a TypeCode.
const (
	typeUnsigned TypeCode = 1 << (8 + iota)
	typeBinary            // the character set is binary
	typeEnum
	typeSet
	typeKnown // tells a type from no type
	typeZerofill

	extendedShift = 16
)

// Extended is what a type is beyond its wire type.
type Extended uint8

// The extended types. MariaDB's JSON is text with a check.
const (
	ExtendedNone Extended = iota
	ExtendedJSON
	ExtendedUUID
	ExtendedINET6
	ExtendedINET4
	ExtendedVector
)

// MakeType packs a type.
func MakeType(wire byte, unsigned, binary bool) TypeCode {
	t := TypeCode(wire) | typeKnown
	if unsigned {
		t |= typeUnsigned
	}
	if binary {
		t |= typeBinary
	}
	return t
}

// Wire is the type byte of the column definition packet.
func (t TypeCode) Wire() byte { return byte(t) }

// Known is false for the zero TypeCode alone.
func (t TypeCode) Known() bool { return t&typeKnown != 0 }

// Unsigned reports a number without a sign.
func (t TypeCode) Unsigned() bool { return t&typeUnsigned != 0 }

// Binary reports bytes without a character set.
func (t TypeCode) Binary() bool { return t&typeBinary != 0 }

// Enum reports an ENUM.
func (t TypeCode) Enum() bool { return t&typeEnum != 0 }

// Set reports a SET.
func (t TypeCode) Set() bool { return t&typeSet != 0 }

// Zerofill reports a number that is shown with leading zeros.
func (t TypeCode) Zerofill() bool { return t&typeZerofill != 0 }

// Extended is what the type is beyond its wire type.
func (t TypeCode) Extended() Extended { return Extended(t >> extendedShift) }

func (t TypeCode) extended(e Extended) TypeCode { return t | TypeCode(e)<<extendedShift }

// Text reports a type whose values are characters.
func (t TypeCode) Text() bool {
	switch t.Wire() {
	case TypeVarString, TypeString, TypeBlob, TypeJSON:
		return t.Known() && !t.Binary()
	}
	return false
}

// typeNames maps the words of DATA_TYPE in information_schema.columns.
var typeNames = map[string]TypeCode{
	"tinyint": MakeType(TypeTiny, false, false), "smallint": MakeType(TypeShort, false, false), "mediumint": MakeType(TypeInt24, false, false),
	"int": MakeType(TypeLong, false, false), "integer": MakeType(TypeLong, false, false), "bigint": MakeType(TypeLongLong, false, false),
	"float": MakeType(TypeFloat, false, false), "double": MakeType(TypeDouble, false, false), "decimal": MakeType(TypeNewDecimal, false, false),
	"numeric": MakeType(TypeNewDecimal, false, false), "bit": MakeType(TypeBit, true, false), "year": MakeType(TypeYear, true, false),
	"date": MakeType(TypeDate, false, false), "time": MakeType(TypeTime, false, false), "datetime": MakeType(TypeDatetime, false, false),
	"timestamp": MakeType(TypeTimestamp, false, false), "char": MakeType(TypeString, false, false), "varchar": MakeType(TypeVarString, false, false),
	"binary": MakeType(TypeString, false, true), "varbinary": MakeType(TypeVarString, false, true),
	"tinytext": MakeType(TypeBlob, false, false), "text": MakeType(TypeBlob, false, false), "mediumtext": MakeType(TypeBlob, false, false),
	"longtext": MakeType(TypeBlob, false, false), "tinyblob": MakeType(TypeBlob, false, true), "blob": MakeType(TypeBlob, false, true),
	"mediumblob": MakeType(TypeBlob, false, true), "longblob": MakeType(TypeBlob, false, true),
	"enum": MakeType(TypeString, false, false) | typeEnum, "set": MakeType(TypeString, false, false) | typeSet,
	"json": MakeType(TypeJSON, false, false), "uuid": MakeType(TypeString, false, true).extended(ExtendedUUID),
	"inet6": MakeType(TypeString, false, true).extended(ExtendedINET6), "inet4": MakeType(TypeString, false, true).extended(ExtendedINET4),
	"vector":   MakeType(TypeVarString, false, true).extended(ExtendedVector),
	"geometry": MakeType(TypeGeometry, false, true), "point": MakeType(TypeGeometry, false, true), "linestring": MakeType(TypeGeometry, false, true),
	"polygon": MakeType(TypeGeometry, false, true), "multipoint": MakeType(TypeGeometry, false, true), "multilinestring": MakeType(TypeGeometry, false, true),
	"multipolygon": MakeType(TypeGeometry, false, true), "geometrycollection": MakeType(TypeGeometry, false, true), "geomcollection": MakeType(TypeGeometry, false, true),
}

// ParseType reads a type as COLUMN_TYPE of information_schema.columns prints
// it: "int(10) unsigned", "enum('a','b')". Zero if it is not known.
func ParseType(text string) TypeCode {
	word := text
	if i := strings.IndexAny(text, "( "); i >= 0 {
		word = text[:i]
	}
	t := typeNames[strings.ToLower(word)]
	if t == 0 || t.Enum() || t.Set() {
		return t
	}
	rest := strings.ToLower(text[len(word):])
	if strings.Contains(rest, "unsigned") {
		t |= typeUnsigned
	}
	if strings.Contains(rest, "zerofill") {
		t |= typeUnsigned | typeZerofill
	}
	return t
}

var wireNames = map[byte]string{TypeTiny: "tinyint", TypeShort: "smallint", TypeLong: "int", TypeFloat: "float", TypeDouble: "double",
	TypeNull: "null", TypeTimestamp: "timestamp", TypeLongLong: "bigint", TypeInt24: "mediumint", TypeDate: "date", TypeTime: "time",
	TypeDatetime: "datetime", TypeYear: "year", TypeBit: "bit", TypeJSON: "json", TypeNewDecimal: "decimal", TypeBlob: "text",
	TypeVarString: "varchar", TypeString: "char", TypeGeometry: "geometry"}

var extendedNames = [...]string{"", "json", "uuid", "inet6", "inet4", "vector"}

// String names the type for people.
func (t TypeCode) String() string {
	if !t.Known() {
		return "unknown"
	}
	if e := t.Extended(); e != ExtendedNone && int(e) < len(extendedNames) {
		return extendedNames[e]
	}
	name := wireNames[t.Wire()]
	switch {
	case t.Enum():
		return "enum"
	case t.Set():
		return "set"
	case name == "":
		return "type " + strconv.Itoa(int(t.Wire()))
	case t.Binary() && t.Wire() != TypeGeometry:
		name = map[string]string{"text": "blob", "varchar": "varbinary", "char": "binary"}[name]
	}
	if t.Unsigned() && t.Wire() != TypeBit && t.Wire() != TypeYear {
		name += " unsigned"
	}
	return name
}
