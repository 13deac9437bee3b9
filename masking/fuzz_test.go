package masking

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// fuzzTypes are the types whose cells are decoded.
var fuzzTypes = []Type{
	PostgresType(oidText, noModifier), PostgresType(oidVarchar, varchar(7)), PostgresType(oidBPChar, varchar(9)), PostgresType(oidName, noModifier),
	PostgresType(oidInt2, noModifier), PostgresType(oidInt4, noModifier), PostgresType(oidInt8, noModifier), PostgresType(oidFloat4, noModifier),
	PostgresType(oidFloat8, noModifier), PostgresType(oidNumeric, noModifier), PostgresType(oidNumeric, numericModifier(9, 3)),
	PostgresType(oidMoney, noModifier), PostgresType(oidBytea, noModifier), PostgresType(oidDate, noModifier), PostgresType(oidTime, noModifier),
	PostgresType(oidTimeTZ, noModifier), PostgresType(oidTimestamp, noModifier), PostgresType(oidTimestampTZ, noModifier),
	PostgresType(oidUUID, noModifier), PostgresType(oidJSON, noModifier), PostgresType(oidJSONB, noModifier),
	PostgresType(oidTextArray, noModifier), PostgresType(oidInt4Array, noModifier), PostgresType(oidDateArray, noModifier),
	MySQLType(mysqlColumns["tinyint"]), MySQLType(mysqlColumns["mediumint unsigned"]), MySQLType(mysqlColumns["int(8) zerofill"]),
	MySQLType(mysqlColumns["bigint unsigned"]), MySQLType(mysqlColumns["float"]), MySQLType(mysqlColumns["double"]), MySQLType(mysqlColumns["double(8,2)"]),
	MySQLType(mysqlColumns["decimal(10,2) unsigned"]), MySQLType(mysqlColumns["mysql date"]), MySQLType(mysqlColumns["time(3)"]),
	MySQLType(mysqlColumns["datetime(6)"]), MySQLType(mysqlColumns["mysql timestamp"]), MySQLType(mysqlColumns["year"]),
	MySQLType(mysqlColumns["latin1 varchar(20)"]), MySQLType(mysqlColumns["utf8mb3 varchar(20)"]), MySQLType(mysqlColumns["ucs2 varchar(20)"]),
	MySQLType(mysqlColumns["utf16 varchar(20)"]), MySQLType(mysqlColumns["utf32 varchar(20)"]), MySQLType(mysqlColumns["mysql char(12)"]),
	MySQLType(mysqlColumns["binary(8)"]), MySQLType(mysqlColumns["varbinary(8)"]), MySQLType(mysqlColumns["mysql json"]), MySQLType(mysqlColumns["mysql uuid"]),
}

var fuzzSeeds = [][]byte{
	{}, []byte("jane@example.com"), []byte("-12"), []byte("12.50"), []byte("1e9"), []byte("NaN"), []byte("$1,234.50"), []byte(`\x00ff`),
	[]byte("2024-02-29"), []byte("24:00:00"), []byte("07:08:09.5+02"), []byte("2024-05-06 07:08:09.123-03:30"), []byte("0044-03-15 BC"),
	[]byte("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), []byte(`{"a":[1,{"b":"\ud83d\ude00"}],"c":null}`), []byte("\x01[1.5]"),
	[]byte(`{a,NULL,"b\"c",{d}}`), []byte(`[0:1]={1,2}`), []byte("\xff\xfe"), []byte("👩‍👩‍👧 x\r\n"),
	{0, 0, 0, 7}, {0, 0, 0, 0, 0, 0, 0, 1}, {0, 2, 0, 1, 0x40, 0, 0, 2, 0, 5, 0x10, 0}, {0, 0, 0, 0, 0xc0, 0, 0, 0},
	{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 'a'},
	[]byte("-838:59:59.000001"), []byte("0000-00-00"), []byte("9999-12-31 23:59:59.999999"), []byte("\xd8\x3d\xde\x00\x00a"), {0xe8, 7, 2, 29},
	{0xe8, 7, 2, 29, 23, 59, 59, 0x3f, 0x42, 0x0f, 0}, {1, 34, 0, 0, 0, 22, 59, 59, 1, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	{0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1},
}

// FuzzDecode: no decoder panics, and what it reads is written as it would be read.
func FuzzDecode(f *testing.F) {
	for i := range fuzzTypes {
		for _, seed := range fuzzSeeds {
			f.Add(uint8(i), false, seed)
			f.Add(uint8(i), true, seed)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, binary bool, cell []byte) {
		typ, format := fuzzTypes[int(which)%len(fuzzTypes)], Text
		if binary {
			format = Binary
		}
		var v, again value
		if !decode(&typ, format, cell, &v) {
			return
		}
		out, ok := encode(nil, &typ, format, &v)
		if !ok {
			if typ.Kind != KindNumeric && (typ.Wire != MySQL || typ.Kind != KindTimestampTZ) {
				t.Fatalf("%s: %q is read but not written", typ, cell)
			}
			return
		}
		if !decode(&typ, format, out, &again) {
			t.Fatalf("%s: %q is written as %q, which is not read", typ, cell, out)
		}
		if a, b := appendCanonical(nil, &typ, &v), appendCanonical(nil, &typ, &again); !bytes.Equal(a, b) && typ.Length == 0 && typ.MaxBytes == 0 &&
			(typ.Wire != MySQL || typ.Scale == maxFraction || typ.Kind < KindDate || typ.Kind > KindTimestampTZ) {
			t.Fatalf("%s: %q is %q, written as %q is %q", typ, cell, a, out, b)
		}
	})
}

// FuzzCell: no mask panics; constants do not depend on the input; outputs are
// bounded and read again in their type.
func FuzzCell(f *testing.F) {
	for i := range everySpec {
		for j, seed := range fuzzSeeds {
			f.Add(uint8(i), uint8(j), j%2 == 0, seed)
			f.Add(uint8(i), uint8(i+j), j%2 == 1, seed)
		}
	}
	f.Fuzz(func(t *testing.T, which, kind uint8, binary bool, cell []byte) {
		c, typ, format := everySpec[int(which)%len(everySpec)], fuzzTypes[int(kind)%len(fuzzTypes)], Text
		if binary {
			format = Binary
		}
		spec := Spec{Function: c.function, Args: args(t, c.args)}
		if Check(spec, typ) != nil {
			return
		}
		id := Column{Name: "id", Type: fuzzTypes[0], Format: Text}
		p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: format, Mask: &spec}, id}, testKeys(t))
		if err != nil {
			t.Fatal(err)
		}
		if cell == nil {
			cell = []byte{}
		}
		out, null, err := p.Cell(nil, 0, cell, row{cell, cell})
		if err != nil || null != (c.function == nullName) {
			t.Fatalf("%s on %s: null %v, error %v", c.function, typ, null, err)
		}
		want, _ := constant(typ, format, nil)
		switch {
		case null:
		case c.function == redactName:
			if !bytes.Equal(out, want) {
				t.Fatalf("redact on %s %q: %q", typ, cell, out)
			}
		case !bytes.Equal(out, want):
			if len(out) > MaxOutput(len(cell)) {
				t.Fatalf("%s on %s: %d bytes from %d", c.function, typ, len(out), len(cell))
			}
			rereads(t, typ, format, cell, out)
		}
	})
}

// rereads fails unless out is a cell of the type. An array is one to pgx if the
// input was.
func rereads(t *testing.T, typ Type, f Format, in, out []byte) {
	t.Helper()
	switch typ.Kind {
	case KindArray:
		if _, err := pgRead(typ.OID, f, in); err == nil {
			pgDecode(t, typ.OID, f, out)
		}
		return
	case KindJSON, KindJSONB:
		if typ.Kind == KindJSONB && f == Binary {
			out = out[1:]
		}
		if !json.Valid(out) {
			t.Fatalf("%s: %q", typ, out)
		}
		return
	case KindText, KindBPChar:
		out, _, ok := typ.Charset.decode(nil, out)
		if !ok || !utf8.Valid(out) || typ.Length > 0 && utf8.RuneCount(out) > typ.Length || typ.MaxBytes > 0 && len(out) > typ.MaxBytes {
			t.Fatalf("%s: %q", typ, out)
		}
		return
	}
	v := value{}
	if !decode(&typ, f, out, &v) {
		t.Fatalf("%s in %s: %q is not read", typ, f, out)
	}
}

// FuzzRecognise: no value panics, and no more than text is recognised by form.
func FuzzRecognise(f *testing.F) {
	for i := range everySpec {
		for _, seed := range fuzzSeeds {
			f.Add(uint8(i), uint8(i), seed)
		}
	}
	f.Fuzz(func(t *testing.T, which, kind uint8, cell []byte) {
		c, typ := everySpec[int(which)%len(everySpec)], fuzzTypes[int(kind)%len(fuzzTypes)]
		if Recognise(Spec{Function: c.function, Args: args(t, c.args)}, typ, Text, cell) && typ.Kind != KindText && typ.Kind != KindBPChar &&
			c.function != redactName {
			t.Fatalf("%s on %s: %q", c.function, typ, cell)
		}
	})
}

// FuzzPath: any text as a path is refused or used, within bounds.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"$", "$.a", "$..a[0]", `$["x\"y"]`, "$.*[*]", "$..[1]", "$[", "$..", "a"} {
		f.Add(seed, `{"a":[{"x\"y":1}]}`)
	}
	f.Fuzz(func(t *testing.T, path, doc string) {
		spec := Spec{Function: "json", Args: map[string]any{"paths": map[string]any{path: nil}}}
		if Validate(spec) != nil {
			return
		}
		out := maskCell(t, spec, PostgresType(oidJSON, noModifier), Text, []byte(doc))
		if !json.Valid(out) {
			t.Fatalf("%q on %q: %q", path, doc, out)
		}
	})
}
