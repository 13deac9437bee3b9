package masking

import (
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

func docsType(t *testing.T, name string) Type {
	t.Helper()
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
		spec, typ := Spec{Function: r[0], Args: args(t, r[1])}, docsType(t, r[2])
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
	for _, f := range Functions() {
		for _, k := range f.Kinds {
			if !shown[f.Name+" "+k.String()] && f.Name != nullName {
				t.Errorf("no example of %s on %s", f.Name, k)
			}
		}
	}
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
