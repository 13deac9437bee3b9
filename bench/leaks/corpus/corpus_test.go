package corpus

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func write(t *testing.T, side string, seed int64) string {
	t.Helper()
	var b bytes.Buffer
	if err := Data(side, seed, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDataIsTheSameForTheSameSeed(t *testing.T) {
	if write(t, SideA, 7) != write(t, SideA, 7) {
		t.Error("two runs differ")
	}
	if write(t, SideA, 7) == write(t, SideA, 8) {
		t.Error("another seed gives the same rows")
	}
	if write(t, SideA, 7) == write(t, SideB, 7) {
		t.Error("both sides are the same")
	}
	if err := Data("c", 1, io.Discard); err == nil {
		t.Error("side c was written")
	}
}

// cells gives a side's values: by table, row and column.
func cells(side string) map[string][][]string {
	g := &generator{open: rand.New(rand.NewPCG(1, 0)), hidden: rand.New(rand.NewPCG(1, uint64(side[0]))), constant: side == SideM}
	all := map[string][][]string{}
	for _, tab := range g.tables() {
		for i := 1; i <= tab.rows; i++ {
			row := make([]string, len(tab.columns))
			for j, c := range tab.columns {
				row[j] = g.cell(c, i)
			}
			all[tab.name] = append(all[tab.name], row)
		}
	}
	return all
}

func TestSidesDifferInProtectedColumnsOnly(t *testing.T) {
	a, b, m := cells(SideA), cells(SideB), cells(SideM)
	for _, tab := range (&generator{}).tables() {
		for j, c := range tab.columns {
			differ := 0
			for i := range a[tab.name] {
				x, y, z := a[tab.name][i][j], b[tab.name][i][j], m[tab.name][i][j]
				if x != y {
					differ++
				}
				if !c.protected && (x != y || x != z) {
					t.Fatalf("%s.%s, row %d: %q, %q and %q though it is not protected", tab.name, c.name, i+1, x, y, z)
				}
				if c.protected && z != c.constant {
					t.Fatalf("%s.%s, row %d: %q in m", tab.name, c.name, i+1, z)
				}
			}
			if c.protected && differ == 0 {
				t.Errorf("%s.%s: protected, and equal in every row", tab.name, c.name)
			}
		}
	}
}

func TestProtectedNamesWhatIsGenerated(t *testing.T) {
	raw, err := Files.ReadFile("protected.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Columns []struct {
			Schema, Table, Column, Class string
			Generated                    bool
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range doc.Columns {
		if c.Class == "" {
			t.Errorf("%s.%s.%s has no class", c.Schema, c.Table, c.Column)
		}
		listed[c.Schema+"."+c.Table+"."+c.Column] = true
	}
	for _, tab := range (&generator{}).tables() {
		for _, c := range tab.columns {
			name := unquote(tab.name) + "." + unquote(c.name)
			if listed[name] != c.protected {
				t.Errorf("%s: listed %v, protected %v", name, listed[name], c.protected)
			}
		}
	}
}

func unquote(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(s, `""`, "\x01"), `"`, ""), "\x01", `"`)
}
