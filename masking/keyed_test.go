package masking

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPseudonymsJoin: the same value has the same pseudonym in every text type,
// and the same number in every integer and in numeric.
func TestPseudonymsJoin(t *testing.T) {
	spec := Spec{Function: "pseudonym"}
	want := maskCell(t, spec, PostgresType(oidText, noModifier), Text, []byte("Jane"))
	if !regexp.MustCompile(`^([b-z][aiou][b-z][aiou][b-z]-){3}[b-z][aiou][b-z][aiou][b-z]$`).Match(want) {
		t.Errorf("not a proquint: %q", want)
	}
	for _, typ := range []Type{PostgresType(oidVarchar, varchar(40)), PostgresType(oidBPChar, varchar(40)), PostgresType(oidName, noModifier)} {
		in := appendFitted(nil, &typ, []byte("Jane"))
		if got := maskCell(t, spec, typ, Text, in); !bytes.Equal(bytes.TrimRight(got, " "), want) {
			t.Errorf("%s: %q, want %q", typ, got, want)
		}
	}
	if got := maskCell(t, spec, PostgresType(oidVarchar, varchar(11)), Text, []byte("Jane")); !bytes.Equal(got, want[:11]) {
		t.Errorf("varchar(11): %q, want %q", got, want[:11])
	}
	number := maskCell(t, spec, PostgresType(oidInt4, noModifier), Text, []byte("123456"))
	for _, typ := range []Type{PostgresType(oidInt8, noModifier), PostgresType(oidNumeric, noModifier)} {
		if got := maskCell(t, spec, typ, Text, []byte("123456")); !bytes.Equal(got, number) {
			t.Errorf("%s: %q, want %q", typ, got, number)
		}
	}
}

// TestPseudonymsOfIntegersStayApart: no two keys share one.
func TestPseudonymsOfIntegersStayApart(t *testing.T) {
	p := planFor(t, Spec{Function: "pseudonym"}, PostgresType(oidInt2, noModifier), Text)
	seen := map[string]bool{}
	zeros := 0
	for n := math.MinInt16; n <= math.MaxInt16; n++ {
		in := strconv.AppendInt(nil, int64(n), 10)
		out, _, _ := p.Cell(nil, 0, in, nil)
		if bytes.Equal(in, out) && n != 0 {
			t.Fatalf("%d stays", n)
		}
		if string(out) == "0" {
			zeros++
		}
		seen[string(out)] = true
	}
	// A value that would stay becomes 0: one in 65536 is expected to.
	if len(seen)+zeros < 1<<16 || zeros > 8 {
		t.Errorf("%d pseudonyms for %d values, %d of them 0", len(seen), 1<<16, zeros)
	}
}

func TestHashForms(t *testing.T) {
	spec := Spec{Function: "hash"}
	text := maskCell(t, spec, PostgresType(oidText, noModifier), Text, []byte("Jane"))
	if len(text) != 64 || !isHex(text) {
		t.Errorf("text: %q", text)
	}
	if got := maskCell(t, spec, PostgresType(oidVarchar, varchar(10)), Text, []byte("Jane")); !bytes.Equal(got, text[:10]) {
		t.Errorf("varchar(10): %q of %q", got, text)
	}
	uuid := maskCell(t, spec, PostgresType(oidUUID, noModifier), Text, []byte("6ba7b810-9dad-11d1-80b4-00c04fd430c8"))
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).Match(uuid) {
		t.Errorf("uuid: %q", uuid)
	}
	if got := maskCell(t, spec, PostgresType(oidBytea, noModifier), Text, []byte(`\x00ff`)); len(got) != 2+64 {
		t.Errorf("bytea: %q", got)
	}
	small := maskCell(t, spec, PostgresType(oidInt2, noModifier), Text, []byte("7"))
	if n, err := strconv.ParseInt(string(small), 10, 16); err != nil || n < 0 {
		t.Errorf("smallint: %q", small)
	}
}

func TestKeysSeparate(t *testing.T) {
	a := testKeys(t)
	b, err := NewKeys(bytes.Repeat([]byte{7}, SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	all := [][]byte{a.hash, a.pseudonym, a.permute, a.fpe, a.shift, a.noise, a.fake, b.hash, b.pseudonym, b.permute, b.fpe, b.shift, b.noise, b.fake}
	for i := range all {
		for j := range i {
			if len(all[i]) != 32 || bytes.Equal(all[i], all[j]) {
				t.Errorf("keys %d and %d", i, j)
			}
		}
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := NewKeys(make([]byte, n)); err == nil {
			t.Errorf("a secret of %d bytes is accepted", n)
		}
	}
	col := Column{Name: "c", Type: PostgresType(oidText, noModifier), Mask: &Spec{Function: "hash"}}
	if _, err := NewPlan([]Column{col}, nil); err == nil {
		t.Error("hash without keys is accepted")
	}
}

func TestKeysNeverPrint(t *testing.T) {
	keys := testKeys(t)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %x %d %v", keys, keys, keys, keys, keys, *keys, struct{ K *Keys }{keys})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "keys", keys, "value", *keys)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "keys", keys)
	b, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	hash := fmt.Sprintf("%x", keys.hash)
	decimals := strings.Trim(fmt.Sprint(keys.hash[:4]), "[]")
	for _, secret := range []string{hash[:8], decimals, string(keys.hash[:4])} {
		if bytes.Contains(out.Bytes(), []byte(secret)) {
			t.Errorf("printed: %q", out.String())
		}
	}
}

func TestDateShift(t *testing.T) {
	spec := Spec{Function: "date_shift", Args: map[string]any{"subject": "id", "days": 30}}
	cols := func(id Type, f Format) []Column {
		return []Column{{Name: "id", Type: id, Format: f}, {Name: "birth", Type: PostgresType(oidDate, noModifier), Mask: &spec},
			{Name: "seen", Type: PostgresType(oidTimestamp, noModifier), Mask: &spec}}
	}
	shift := func(id Type, f Format, key []byte) int {
		p, err := NewPlan(cols(id, f), testKeys(t))
		if err != nil {
			t.Fatal(err)
		}
		r := row{key, []byte("1984-07-23"), []byte("2024-02-29 12:34:56.5")}
		birth, _, _ := p.Cell(nil, 1, r[1], r)
		seen, _, _ := p.Cell(nil, 2, r[2], r)
		from, _ := time.Parse(time.DateOnly, string(r[1]))
		to, err := time.Parse(time.DateOnly, string(birth))
		if err != nil {
			t.Fatal(err)
		}
		days := int(to.Sub(from).Hours() / 24)
		if want := time.Date(2024, 2, 29+days, 12, 34, 56, 0, time.UTC).Format(time.DateTime) + ".5"; string(seen) != want {
			t.Errorf("the timestamp moves to %q, the date by %d days", seen, days)
		}
		return days
	}
	int4, text := PostgresType(oidInt4, noModifier), PostgresType(oidText, noModifier)
	want := shift(int4, Text, []byte("258"))
	if got := shift(int4, Binary, []byte{0, 0, 1, 2}); got != want {
		t.Errorf("binary subject: %d days, want %d", got, want)
	}
	if got := shift(text, Binary, []byte("258")); got != want {
		t.Errorf("text subject: %d days, want %d", got, want)
	}
	seen := map[int]bool{}
	for n := range 2000 {
		days := shift(int4, Text, strconv.AppendInt(nil, int64(n), 10))
		if days == 0 || days < -30 || days > 30 {
			t.Fatalf("shift of %d days", days)
		}
		seen[days] = true
	}
	if len(seen) != 60 {
		t.Errorf("%d different shifts, want 60", len(seen))
	}
	p, err := NewPlan(cols(int4, Text), testKeys(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Row{nil, row{nil}, row{[]byte("x")}} {
		if out, null, err := p.Cell(nil, 1, []byte("1984-07-23"), r); string(out) != "1970-01-01" || null || err != nil {
			t.Errorf("without a subject: %q, %v, %v", out, null, err)
		}
	}
	for _, bad := range [][]Column{
		{{Name: "id", Type: int4}, {Name: "id", Type: int4}, cols(int4, Text)[1]},
		{{Name: "id", Type: PostgresType(oidFloat8, noModifier)}, cols(int4, Text)[1]},
	} {
		if _, err := NewPlan(bad, testKeys(t)); err == nil {
			t.Errorf("%s of %d columns as subject accepted", bad[0].Type, len(bad))
		}
	}
}

func TestNoiseStaysNear(t *testing.T) {
	for _, c := range []struct {
		args     string
		oid      uint32
		typmod   int32
		in       string
		low, top float64
	}{
		{`{"relative": 0.1}`, oidInt4, noModifier, "1000", 900, 1100},
		{`{"relative": 0.1}`, oidInt4, noModifier, "2147483647", 1932735282, 2147483647},
		{`{"absolute": 5}`, oidInt2, noModifier, "-32768", -32768, -32763},
		{`{"relative": 0.1}`, oidInt8, noModifier, "0", -1, 1},
		{`{"absolute": 10}`, oidNumeric, numericModifier(5, 2), "999.99", 989.99, 999.99},
		{`{"relative": 0.5}`, oidNumeric, noModifier, "10.0000", 5, 15},
		{`{"relative": 0.05}`, oidFloat8, noModifier, "-2.5", -2.625, -2.375},
		{`{"absolute": 1}`, oidFloat4, noModifier, "0", -1, 1},
	} {
		typ := PostgresType(c.oid, c.typmod)
		got := string(maskCell(t, Spec{Function: "noise", Args: args(t, c.args)}, typ, Text, []byte(c.in)))
		n, err := strconv.ParseFloat(got, 64)
		if err != nil || n < c.low || n > c.top || got == c.in {
			t.Errorf("noise %s on %s %s: %s", c.args, typ, c.in, got)
		}
		if _, fraction, ok := strings.Cut(c.in, "."); ok && typ.Kind == KindNumeric && !strings.HasSuffix(got, "."+got[len(got)-len(fraction):]) {
			t.Errorf("noise %s on %s %s: scale of %s", c.args, typ, c.in, got)
		}
	}
}

func TestFPEKeepsTheForm(t *testing.T) {
	for _, c := range []struct {
		args string
		oid  uint32
		in   string
		form string
	}{
		{``, oidText, "4111-1111-1111-1234", `^\d{4}-\d{4}-\d{4}-\d{4}$`},
		{`{"tweak": "card"}`, oidText, "123 456 (7)", `^\d{3} \d{3} \(\d\)$`},
		{`{"alphabet": "upper"}`, oidText, "AB12-CD34", `^[0-9A-Z]{4}-[0-9A-Z]{4}$`},
		{`{"alphabet": "lower"}`, oidText, "abcd", `^[0-9a-z]{4}$`},
		{`{"alphabet": "alphanumeric"}`, oidText, "aB3.xY", `^[0-9A-Za-z]{3}\.[0-9A-Za-z]{2}$`},
		{``, oidInt4, "-2147483648", `^-[12]\d{9}$`},
		{``, oidInt4, "100000", `^[1-9]\d{5}$`},
		{``, oidInt8, "9223372036854775807", `^[1-9]\d{18}$`},
		{``, oidNumeric, "-12345.67", `^-[1-9]\d{4}\.\d{2}$`},
	} {
		spec := Spec{Function: "fpe", Args: args(t, c.args)}
		got := maskCell(t, spec, PostgresType(c.oid, noModifier), Text, []byte(c.in))
		if !regexp.MustCompile(c.form).Match(got) || string(got) == c.in {
			t.Errorf("fpe %s on %s: %s", c.args, c.in, got)
		}
	}
	typ := PostgresType(oidText, noModifier)
	plain := maskCell(t, Spec{Function: "fpe"}, typ, Text, []byte("1234567890"))
	tweaked := maskCell(t, Spec{Function: "fpe", Args: map[string]any{"tweak": "x"}}, typ, Text, []byte("1234567890"))
	if bytes.Equal(plain, tweaked) {
		t.Error("the tweak changes nothing")
	}
}

func TestFakeForms(t *testing.T) {
	for kind, form := range map[string]string{
		"first_name": `^[A-Z][a-z]+$`, "last_name": `^[A-Z][a-z]+$`, "full_name": `^[A-Z][a-z]+ [A-Z][a-z]+$`,
		"address": `^\d+ [A-Z][a-z]+ (Street|Road|Lane|Avenue), [A-Z][a-z]+$`, "city": `^[A-Z][a-z]+$`,
		"company": `^[A-Z][A-Za-z ]+ (Ltd|Inc|GmbH|Group)$`, "email": `^[a-z]+\.[a-z]+\d+@example\.com$`, "phone": `^\+1-[2-9]\d\d-555-01\d\d$`,
	} {
		p := planFor(t, Spec{Function: "fake", Args: map[string]any{"kind": kind}}, PostgresType(oidText, noModifier), Text)
		seen := map[string]bool{}
		for n := range 500 {
			out, _, _ := p.Cell(nil, 0, strconv.AppendInt(nil, int64(n), 10), nil)
			if !regexp.MustCompile(form).Match(out) {
				t.Fatalf("%s: %q", kind, out)
			}
			seen[string(out)] = true
		}
		if len(seen) < 50 {
			t.Errorf("%s: only %d different values", kind, len(seen))
		}
	}
}
