package masking

// Wire is whose types and cells a column has.
type Wire uint8

// The wires.
const (
	PostgreSQL Wire = iota
	MySQL           // and MariaDB
)

// Format is how a cell is written on the wire.
type Format uint8

// The formats. Cells of COPY in text or csv are given in Text with their
// escapes undone; cells of COPY in binary are given in Binary. MySQL's cells
// are given without the length in front of them.
const (
	Text Format = iota
	Binary
)

// String names the format.
func (f Format) String() string {
	if f == Binary {
		return "binary"
	}
	return "text"
}

// Kind is the family of a column's type: what a mask function must know of it.
type Kind uint8

// The kinds. KindOther is everything that only null can mask.
const (
	KindOther Kind = iota
	KindBool
	KindInt16
	KindInt32
	KindInt64
	KindFloat32
	KindFloat64
	KindNumeric
	KindMoney
	KindText   // text, varchar, name, citext
	KindBPChar // char(n), padded with spaces
	KindBytes
	KindDate
	KindTime
	KindTimeTZ
	KindTimestamp
	KindTimestampTZ
	KindInterval
	KindUUID
	KindJSON
	KindJSONB
	KindInet
	KindCIDR
	KindMAC
	KindMAC8
	KindBit
	KindVarBit
	KindArray
	KindEnum
	KindRange
	KindMultirange
	KindComposite
	KindInt8
	KindInt24
	KindUint64
	KindYear
	KindSet
	KindGeometry
	kindCount
)

var kindNames = [kindCount]string{
	"other", "boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "money",
	"text", "char", "bytea", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid",
	"json", "jsonb", "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "array", "enum", "range",
	"multirange", "composite", "tinyint", "mediumint", "bigint unsigned", "year", "set", "geometry",
}

// String gives the kind's SQL name.
func (k Kind) String() string {
	if k < kindCount {
		return kindNames[k]
	}
	return kindNames[KindOther]
}

// Type is the type of a column.
type Type struct {
	Wire      Wire
	Kind      Kind
	OID       uint32   // PostgreSQL's type OID; 0 elsewhere
	Name      string   // for messages; Kind's name if empty
	Length    int      // declared length in characters (bits for KindBit and KindVarBit, bytes for MySQL's KindBytes); 0 is none
	MaxBytes  int      // longest value in bytes, as of name; 0 is none
	Precision int      // KindNumeric and MySQL's floats: declared digits in all; 0 is none
	Scale     int      // declared digits after the point, if Precision is set; may be negative. MySQL's times: digits of the fraction, over 6 is any
	Elem      *Type    // KindArray: type of the elements
	Labels    []string // KindEnum and KindSet: labels in their order
	Unsigned  bool     // MySQL: a number is not below zero
	ZeroFill  int      // MySQL: integers are shown with zeros in front to so many digits; 0 is none
	Fixed     bool     // MySQL: KindBytes has Length bytes, filled with zeros
	Charset   Charset  // MySQL: of characters; of numbers and times, that of their text
}

// String gives the name for messages.
func (t Type) String() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Kind.String()
}

// builtin is one of PostgreSQL's built-in types, as of pg_type.dat.
type builtin struct {
	kind  Kind
	name  string
	array uint32
}

var builtins = map[uint32]builtin{
	16:   {KindBool, "boolean", 1000},
	17:   {KindBytes, "bytea", 1001},
	18:   {KindText, `"char"`, 1002},
	19:   {KindText, "name", 1003},
	20:   {KindInt64, "bigint", 1016},
	21:   {KindInt16, "smallint", 1005},
	23:   {KindInt32, "integer", 1007},
	25:   {KindText, "text", 1009},
	114:  {KindJSON, "json", 199},
	650:  {KindCIDR, "cidr", 651},
	700:  {KindFloat32, "real", 1021},
	701:  {KindFloat64, "double precision", 1022},
	774:  {KindMAC8, "macaddr8", 775},
	790:  {KindMoney, "money", 791},
	829:  {KindMAC, "macaddr", 1040},
	869:  {KindInet, "inet", 1041},
	1042: {KindBPChar, "character", 1014},
	1043: {KindText, "character varying", 1015},
	1082: {KindDate, "date", 1182},
	1083: {KindTime, "time", 1183},
	1114: {KindTimestamp, "timestamp", 1115},
	1184: {KindTimestampTZ, "timestamptz", 1185},
	1186: {KindInterval, "interval", 1187},
	1266: {KindTimeTZ, "timetz", 1270},
	1560: {KindBit, "bit", 1561},
	1562: {KindVarBit, "bit varying", 1563},
	1700: {KindNumeric, "numeric", 1231},
	2950: {KindUUID, "uuid", 2951},
	3802: {KindJSONB, "jsonb", 3807},
	3904: {KindRange, "int4range", 3905},
	3906: {KindRange, "numrange", 3907},
	3908: {KindRange, "tsrange", 3909},
	3910: {KindRange, "tstzrange", 3911},
	3912: {KindRange, "daterange", 3913},
	3926: {KindRange, "int8range", 3927},
	4451: {KindMultirange, "int4multirange", 6150},
	4532: {KindMultirange, "nummultirange", 6151},
	4533: {KindMultirange, "tsmultirange", 6152},
	4534: {KindMultirange, "tstzmultirange", 6153},
	4535: {KindMultirange, "datemultirange", 6155},
	4536: {KindMultirange, "int8multirange", 6157},
}

var builtinArrays = func() map[uint32]uint32 {
	m := make(map[uint32]uint32, len(builtins))
	for oid, b := range builtins {
		m[b.array] = oid
	}
	return m
}()

// PostgresType gives the type of a built-in OID with its type modifier (-1 for
// none), as in a RowDescription. An OID that is not known has KindOther, on
// which only null works; the caller fills in what its catalog says of it.
func PostgresType(oid uint32, typmod int32) Type {
	if elem, ok := builtinArrays[oid]; ok {
		e := PostgresType(elem, typmod)
		return Type{Kind: KindArray, OID: oid, Name: e.Name + "[]", Elem: &e}
	}
	b, ok := builtins[oid]
	if !ok {
		return Type{Kind: KindOther, OID: oid}
	}
	t := Type{Kind: b.kind, OID: oid, Name: b.name}
	switch {
	case oid == 18:
		t.Length, t.MaxBytes = 1, 1
	case oid == 19:
		t.MaxBytes = 63
	case typmod < 0:
	case oid == 1042 || oid == 1043:
		t.Length = max(int(typmod)-4, 0)
	case b.kind == KindBit || b.kind == KindVarBit:
		t.Length = int(typmod)
	case b.kind == KindNumeric && typmod >= 4:
		// numeric.c: precision in the high half, scale in 11 signed bits.
		m := typmod - 4
		t.Precision, t.Scale = int(m>>16&0xffff), int((m&0x7ff)^1024)-1024
	}
	return t
}
