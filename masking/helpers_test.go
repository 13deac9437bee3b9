package masking

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// testKeys derives from the secret 00 01 02 … 1f, which the documentation's examples use.
func testKeys(t testing.TB) *Keys {
	t.Helper()
	secret := make([]byte, SecretSize)
	for i := range secret {
		secret[i] = byte(i)
	}
	keys, err := NewKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// row is a row of cells.
type row [][]byte

func (r row) Cell(i int) []byte { return r[i] }

func planFor(t testing.TB, spec Spec, typ Type, f Format) *Plan {
	t.Helper()
	p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}}, testKeys(t))
	if err != nil {
		t.Fatalf("%s on %s: %v", spec.Function, typ, err)
	}
	return p
}

// maskCell masks one cell that is not expected to become NULL.
func maskCell(t testing.TB, spec Spec, typ Type, f Format, value []byte) []byte {
	t.Helper()
	out, null, err := planFor(t, spec, typ, f).Cell([]byte{}, 0, value, nil)
	if err != nil || null {
		t.Fatalf("%s on %s %q: null %v, error %v", spec.Function, typ, value, null, err)
	}
	return out
}

// pgDecode reads a cell with pgx's decoders, which share nothing with ours.
func pgDecode(t testing.TB, oid uint32, f Format, cell []byte) any {
	t.Helper()
	v, err := pgRead(oid, f, cell)
	if err != nil {
		t.Fatalf("pgx: OID %d in %s: %q: %v", oid, f, cell, err)
	}
	return v
}

func pgRead(oid uint32, f Format, cell []byte) (any, error) {
	m := pgtype.NewMap()
	typ, ok := m.TypeForOID(oid)
	if !ok {
		return nil, errors.New("unknown type")
	}
	return typ.Codec.DecodeValue(m, oid, pgFormat(f), cell)
}

func pgFormat(f Format) int16 {
	if f == Binary {
		return pgtype.BinaryFormatCode
	}
	return pgtype.TextFormatCode
}

// transcode writes a cell in the other format with pgx, or with ours for the
// types that pgx does not know.
func transcode(t testing.TB, typ Type, from, to Format, cell []byte) []byte {
	t.Helper()
	if from == to {
		return cell
	}
	if typ.Kind == KindMoney || typ.Kind == KindTimeTZ {
		v := value{}
		if !decode(&typ, from, cell, &v) {
			t.Fatalf("%s in %s: %q is not read", typ, from, cell)
		}
		out, ok := encode(nil, &typ, to, &v)
		if !ok {
			t.Fatalf("%s in %s: %q is not written", typ, to, cell)
		}
		return out
	}
	m := pgtype.NewMap()
	v := pgDecode(t, typ.OID, from, cell)
	if typ.Kind == KindJSON || typ.Kind == KindJSONB {
		return transcodeJSON(typ, from, to, cell)
	}
	if infinity, ok := v.(pgtype.InfinityModifier); ok {
		v = map[Kind]any{
			KindDate:        pgtype.Date{InfinityModifier: infinity, Valid: true},
			KindTimestamp:   pgtype.Timestamp{InfinityModifier: infinity, Valid: true},
			KindTimestampTZ: pgtype.Timestamptz{InfinityModifier: infinity, Valid: true},
		}[typ.Kind]
	}
	out, err := m.Encode(typ.OID, pgFormat(to), v, []byte{})
	if err != nil {
		t.Fatalf("pgx: %s to %s: %q: %v", typ, to, cell, err)
	}
	return out
}

// transcodeJSON adds or drops the version byte: pgx would reorder the keys.
func transcodeJSON(typ Type, from, to Format, cell []byte) []byte {
	if typ.Kind == KindJSONB && from == Binary {
		cell = cell[1:]
	}
	if typ.Kind == KindJSONB && to == Binary {
		return append([]byte{jsonbVersion}, cell...)
	}
	return bytes.Clone(cell)
}

// sameValue says whether a text cell and a binary cell hold one logical value.
func sameValue(t testing.TB, typ Type, text, bin []byte) bool {
	t.Helper()
	switch typ.Kind {
	case KindMoney, KindTimeTZ, KindJSON, KindJSONB:
		return bytes.Equal(text, transcode(t, typ, Binary, Text, bin))
	case KindEnum:
		return bytes.Equal(text, bin)
	}
	a, b := pgDecode(t, typ.OID, Text, text), pgDecode(t, typ.OID, Binary, bin)
	if x, ok := a.(interface{ UnixMicro() int64 }); ok {
		y, ok := b.(interface{ UnixMicro() int64 })
		return ok && x.UnixMicro() == y.UnixMicro()
	}
	if x, ok := a.(pgtype.Numeric); ok {
		y, ok := b.(pgtype.Numeric)
		return ok && numericText(t, x) == numericText(t, y)
	}
	return fmt.Sprint(a) == fmt.Sprint(b) // an empty slice may be nil on one side
}

// numericText writes a numeric without zeros at its end.
func numericText(t testing.TB, n pgtype.Numeric) string {
	t.Helper()
	if n.NaN || n.InfinityModifier != 0 {
		return "special"
	}
	d := decimal{}
	d.coef.Set(n.Int)
	if !d.shift(-int(n.Exp)) {
		t.Fatalf("numeric with exponent %d", n.Exp)
	}
	d.trim()
	return string(d.appendText(nil))
}
