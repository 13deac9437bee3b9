package masking

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docsTypes are the types as the documentation's examples write them.
var docsTypes = map[string]Type{
	"varchar(20)": PostgresType(oidVarchar, varchar(20)), "char(24)": PostgresType(oidBPChar, varchar(24)),
	"numeric(10,2)": PostgresType(oidNumeric, numericModifier(10, 2)), "bit(8)": PostgresType(1560, 8), "mood": enumType,
	"text[]": PostgresType(oidTextArray, noModifier), "int4range": PostgresType(3904, noModifier), "int4multirange": PostgresType(4451, noModifier),
}

// docsType finds a type of the examples of PostgreSQL, or of MySQL.
func docsType(t *testing.T, wire Wire, name string) Type {
	t.Helper()
	if wire == MySQL {
		if _, ok := mysqlColumns["mysql "+name]; ok {
			name = "mysql " + name
		}
		return mysqlColumn(t, name)
	}
	if typ, ok := docsTypes[name]; ok {
		return typ
	}
	for oid, b := range builtins {
		if b.name == name {
			return PostgresType(oid, noModifier)
		}
	}
	t.Fatalf("the documentation names a type %q", name)
	return Type{}
}

// docsTable reads the rows of the table below a heading, cells without their
// back quotes.
func docsTable(t *testing.T, heading string) [][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/masking.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(page), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the documentation has no section %q", heading)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	var rows [][]string
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("section %q has no table", heading)
	}
	return rows[2:]
}

// TestDocumentedExamples runs every example in text and in binary, and asks for
// one for each function and each kind that it serves.
func TestDocumentedExamples(t *testing.T) {
	shown := map[string]bool{}
	for _, r := range docsTable(t, "Examples") {
		if len(r) != 5 {
			t.Fatalf("not five cells: %q", r)
		}
		spec, typ := Spec{Function: r[0], Args: args(t, r[1])}, docsType(t, PostgreSQL, r[2])
		shown[spec.Function+" "+typ.Kind.String()] = true
		for _, f := range []Format{Text, Binary} {
			id := Column{Name: "id", Type: PostgresType(oidInt4, noModifier), Format: Text}
			p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}, id}, testKeys(t))
			if err != nil {
				t.Errorf("%q: %v", r, err)
				break
			}
			var in []byte
			if r[3] != "NULL" {
				in = []byte(r[3])
				if f == Binary && spec.Function != redactName && spec.Function != nullName {
					in = transcode(t, typ, Text, f, in)
				}
			}
			out, null, err := p.Cell([]byte{}, 0, in, row{in, []byte("4711")})
			switch {
			case err != nil || null != (r[4] == "NULL"):
				t.Errorf("%q in %s: null %v, error %v", r, f, null, err)
			case f == Text && !null && strings.TrimRight(string(out), " ") != r[4]:
				t.Errorf("%q: got %q", r, out)
			case f == Binary && !null && pgxKnowsValue(typ) && !sameValue(t, typ, padded(typ, r[4]), out):
				t.Errorf("%q in binary: got %q", r, out)
			}
		}
	}
	for _, r := range docsTable(t, "Examples in MySQL and MariaDB") {
		documentedMySQL(t, shown, r)
	}
	for _, f := range Functions() {
		for _, k := range f.Kinds {
			if !shown[f.Name+" "+k.String()] && f.Name != nullName {
				t.Errorf("no example of %s on %s", f.Name, k)
			}
		}
	}
}

// documentedMySQL runs one example of MySQL in the text and the binary protocol.
// Bytes are written in hexadecimal.
func documentedMySQL(t *testing.T, shown map[string]bool, r []string) {
	t.Helper()
	if len(r) != 5 {
		t.Fatalf("not five cells: %q", r)
	}
	spec, typ := Spec{Function: r[0], Args: args(t, r[1])}, docsType(t, MySQL, r[2])
	shown[spec.Function+" "+typ.Kind.String()] = true
	in, want := docsBytes(t, r[3]), docsBytes(t, r[4])
	for _, f := range []Format{Text, Binary} {
		cell, masked := in, want
		if f == Binary {
			cell, masked = mysqlBinary(t, typ, string(in)), mysqlBinary(t, typ, string(want))
		}
		id := Column{Name: "id", Type: mysqlColumn(t, "mysql varchar(20)"), Format: f}
		p, err := NewPlan([]Column{{Name: "c", Type: typ, Format: f, Mask: &spec}, id}, testKeys(t))
		if err != nil {
			t.Errorf("%q: %v", r, err)
			return
		}
		if out, null, err := p.Cell([]byte{}, 0, cell, row{cell, []byte("4711")}); err != nil || null || !bytes.Equal(out, masked) {
			t.Errorf("%q in %s: got %q, null %v, %v", r, f, out, null, err)
			return
		}
	}
}

func docsBytes(t *testing.T, cell string) []byte {
	t.Helper()
	digits, ok := strings.CutPrefix(cell, "0x")
	if !ok {
		return []byte(cell)
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDocumentedTypes holds the table of types to the types that either server has.
func TestDocumentedTypes(t *testing.T) {
	postgres, mysql := map[Kind][]string{}, map[Kind][]string{}
	for _, b := range builtins {
		postgres[b.kind] = append(postgres[b.kind], b.name)
	}
	for _, m := range mysqlTypes {
		mysql[m.kind] = append(mysql[m.kind], m.name)
		if name, ok := mysqlBytes[m.name]; ok {
			mysql[KindBytes] = append(mysql[KindBytes], name)
		}
	}
	mysql[KindUint64] = []string{"bigint unsigned"}
	mysql[KindUUID], mysql[KindInet] = []string{"uuid"}, []string{"inet4", "inet6"}
	postgres[KindText] = append(postgres[KindText], "citext")
	for kind, name := range map[Kind]string{KindArray: "arrays", KindEnum: "enums", KindComposite: "composites"} {
		postgres[kind] = []string{name}
	}
	row := 0
	rows := docsTable(t, "Types")
	for k := KindOther + 1; k < kindCount; k++ {
		want := []string{k.String(), docsNames(postgres[k]), docsNames(mysql[k])}
		if row < len(rows) && !slices.Equal(rows[row], want) || row >= len(rows) {
			t.Errorf("want: | %s |", strings.Join(want, " | "))
		}
		row++
	}
	if row != len(rows) {
		t.Errorf("%d types are documented, there are %d", len(rows), row)
	}
}

func docsNames(names []string) string {
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func pgxKnowsValue(typ Type) bool {
	return typ.Kind != KindEnum && (pgxKnows(typ.OID) || typ.Kind == KindMoney || typ.Kind == KindTimeTZ)
}

func padded(typ Type, text string) []byte {
	if typ.Kind == KindBPChar {
		return appendFitted(nil, &typ, []byte(text))
	}
	return []byte(text)
}

func TestDocumentedFunctions(t *testing.T) {
	rows := docsTable(t, "Functions")
	infos := Functions()
	if len(rows) != len(infos) {
		t.Fatalf("%d functions are documented, there are %d", len(rows), len(infos))
	}
	for i, f := range infos {
		if want := docsFunction(f); !slices.Equal(rows[i], want) {
			t.Errorf("documented: %q\nwant: | %s |", rows[i], strings.Join(want, " | "))
		}
	}
}

// docsFunction is the row of one function: name, what it does, arguments, types.
func docsFunction(f Info) []string {
	var arguments []string
	for _, a := range f.Args {
		text := a.Name
		if a.Required {
			text += " (required)"
		} else if a.Default != "" {
			text += " = " + a.Default
		}
		arguments = append(arguments, text+": "+a.Doc)
	}
	kinds := make([]string, 0, len(f.Kinds))
	for _, k := range f.Kinds {
		kinds = append(kinds, k.String())
	}
	types := strings.Join(kinds, ", ")
	switch {
	case f.Name == nullName:
		types = "every type"
	case f.Name == redactName:
		types = "every type but composite and unknown ones"
	case f.Arrays:
		types += "; arrays of them"
	}
	return []string{f.Name, f.Doc, strings.Join(arguments, "<br>"), types}
}

func TestDocumentedBounds(t *testing.T) {
	page, err := os.ReadFile("../docs/masking.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("%d times the input plus %d bytes", MaxOutput(1)-MaxOutput(0), MaxOutput(0)),
		"more than " + strconv.Itoa(maxNesting) + " levels", strconv.Itoa(maxDigits) + " digits", strconv.Itoa(maxSubject>>10) + " KiB",
		strconv.Itoa(ff1MaxLength) + " symbols",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the documentation does not say %q", want)
		}
	}
}
