package masking

import "strings"

// MySQLColumn is what a column definition says of a column's type, with what a
// catalog may add.
//
// Source: MySQL's Protocol::ColumnDefinition41, MariaDB's extended metadata.
type MySQLColumn struct {
	Type     byte   // the column type
	Flags    uint16 // of the column definition
	Charset  uint16 // number of the collation
	Length   uint32 // column_length, in bytes of the character set
	Decimals byte
	// Extended is the type beyond the type byte, in lower case: json, uuid,
	// inet4, inet6, vector, or the kind of geometry.
	Extended string
	Labels   []string // of ENUM and SET in UTF-8; nil where nobody knows them
}

// Flags of a column definition.
const (
	mysqlUnsigned = 32
	mysqlZeroFill = 64
	mysqlEnum     = 256
	mysqlSet      = 2048
)

// mysqlNotFixed is the decimals of a number that declares none.
const mysqlNotFixed = 31

// mysqlTypes are the type bytes of the wire (MySQL, field_types.h). Types of
// characters are told from those of bytes by their character set.
var mysqlTypes = map[byte]struct {
	kind Kind
	name string
}{
	0: {KindNumeric, "decimal"}, 1: {KindInt8, "tinyint"}, 2: {KindInt16, "smallint"}, 3: {KindInt32, "int"},
	4: {KindFloat32, "float"}, 5: {KindFloat64, "double"}, 7: {KindTimestampTZ, "timestamp"}, 8: {KindInt64, "bigint"},
	9: {KindInt24, "mediumint"}, 10: {KindDate, "date"}, 11: {KindTime, "time"}, 12: {KindTimestamp, "datetime"},
	13: {KindYear, "year"}, 14: {KindDate, "date"}, 15: {KindText, "varchar"}, 16: {KindBit, "bit"}, 245: {KindJSON, "json"},
	246: {KindNumeric, "decimal"}, 247: {KindEnum, "enum"}, 248: {KindSet, "set"}, 249: {KindText, "tinytext"}, 250: {KindText, "mediumtext"},
	251: {KindText, "longtext"}, 252: {KindText, "text"}, 253: {KindText, "varchar"}, 254: {KindBPChar, "char"},
	255: {KindGeometry, "geometry"},
}

// mysqlBytes are the names of the types of characters without a character set.
var mysqlBytes = map[string]string{"varchar": "varbinary", "char": "binary", "tinytext": "tinyblob", "text": "blob",
	"mediumtext": "mediumblob", "longtext": "longblob"}

// MySQLType gives the type of a column. A type that is not known has KindOther,
// on which only null works. The character set of numbers, dates and times is
// none of the column definition's: where character_set_results is not close to
// ASCII (ucs2, utf16, utf32), the caller sets Charset to it.
func MySQLType(c MySQLColumn) Type {
	t := Type{Wire: MySQL}
	known, ok := mysqlTypes[c.Type]
	if !ok {
		return t
	}
	t.Kind, t.Name = known.kind, known.name
	switch {
	case c.Flags&mysqlEnum != 0 && t.Kind == KindBPChar:
		t.Kind, t.Name = KindEnum, "enum"
	case c.Flags&mysqlSet != 0 && t.Kind == KindBPChar:
		t.Kind, t.Name = KindSet, "set"
	}
	switch t.Kind {
	case KindText, KindBPChar:
		t.characters(c)
	case KindEnum, KindSet:
		t.Charset, t.Labels = CharsetOf(c.Charset), c.Labels
	case KindJSON:
		t.Charset = jsonCharset(c.Charset)
	case KindBit:
		t.Length = int(c.Length)
	case KindDate, KindTime, KindTimestamp, KindTimestampTZ:
		t.Scale = int(c.Decimals)
	case KindInt8, KindInt16, KindInt24, KindInt32, KindInt64, KindFloat32, KindFloat64, KindNumeric:
		t.number(c)
	}
	t.extend(c)
	return t
}

// jsonCharset is that of a JSON document: MySQL calls it binary and writes utf8mb4.
func jsonCharset(collation uint16) Charset {
	if c := CharsetOf(collation); c != CharsetBinary {
		return c
	}
	return CharsetUTF8
}

// characters fills in a type of characters, or of bytes if it has no character set.
func (t *Type) characters(c MySQLColumn) {
	t.Charset = CharsetOf(c.Charset)
	t.Length = int(c.Length) / characterWidth(c.Charset)
	if strings.HasSuffix(t.Name, "text") {
		t.MaxBytes = t.Length // the length of a text is in bytes
	}
	if t.Charset == CharsetBinary {
		t.Fixed = t.Kind == KindBPChar
		t.Kind, t.Name, t.MaxBytes, t.Charset = KindBytes, mysqlBytes[t.Name], 0, CharsetUTF8
	}
}

func (t *Type) number(c MySQLColumn) {
	t.Unsigned = c.Flags&mysqlUnsigned != 0
	scale, length := int(c.Decimals), int(c.Length)
	switch t.Kind {
	case KindFloat32, KindFloat64:
		if scale < mysqlNotFixed && length > 0 {
			t.Precision, t.Scale = max(length, scale), scale
		}
	case KindNumeric:
		t.Scale, t.Precision = scale, length
		if scale > 0 {
			t.Precision--
		}
		if !t.Unsigned {
			t.Precision--
		}
		if t.Precision < max(scale, 1) || scale >= mysqlNotFixed+8 {
			t.Precision, t.Scale = 0, 0
		}
	default:
		if c.Flags&mysqlZeroFill != 0 {
			t.ZeroFill = min(length, maxZeroFill)
		}
		if t.Kind == KindInt64 && t.Unsigned {
			t.Kind = KindUint64
		}
	}
	if t.Unsigned {
		t.Name += " unsigned"
	}
}

// maxZeroFill bounds the display width of an integer (MySQL, MAX_FIELD_WIDTH).
const maxZeroFill = 255

// extend takes what a type is beyond its type byte.
func (t *Type) extend(c MySQLColumn) {
	switch c.Extended {
	case "":
		return
	case "json":
		if t.Kind == KindText || t.Kind == KindBytes {
			t.Charset = jsonCharset(c.Charset)
			t.Kind, t.Length, t.MaxBytes, t.Fixed = KindJSON, 0, 0, false
		}
	case "uuid", "inet4", "inet6":
		t.Kind, t.Length, t.Fixed = KindUUID, 0, false
		if c.Extended != "uuid" {
			t.Kind = KindInet
		}
		if t.Charset = CharsetOf(c.Charset); t.Charset == CharsetBinary {
			t.Charset = CharsetUTF8
		}
	case "vector":
		t.Kind = KindOther
	}
	t.Name = c.Extended
}
