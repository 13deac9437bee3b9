package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, files ...dataFile) (*policyData, error) {
	t.Helper()
	shipped, err := shippedDocument()
	if err != nil {
		t.Fatal(err)
	}
	return readData(files, shipped, func(function string, _ map[string]any) error {
		if function == "rot13" {
			return errors.New("rot13: no such function")
		}
		return nil
	})
}

// TestDataFaults reads testdata/*.bad.yaml and compares the faults with the
// comments "# want: …" in the lines that they are about.
func TestDataFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no bad files: ", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		_, err = read(t, dataFile{name, b})
		var de *DataError
		if !errors.As(err, &de) {
			t.Errorf("%s: %v, want a DataError", name, err)
			continue
		}
		var got, want []string
		for _, f := range de.Faults {
			got = append(got, f.String())
		}
		for i, line := range strings.Split(string(b), "\n") {
			if _, text, ok := strings.Cut(line, "# want: "); ok {
				for _, w := range strings.Split(text, " & ") {
					want = append(want, fmt.Sprintf("%s:%d: %s", name, i+1, w))
				}
			}
		}
		for _, w := range want {
			if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, w) }) {
				t.Errorf("%s: no fault %q", name, w)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d faults, want %d:\n%s", name, len(got), len(want), strings.Join(got, "\n"))
		}
	}
}

func TestDataMergesFiles(t *testing.T) {
	d, err := read(t,
		dataFile{"a.yaml", []byte("version: 1\nprojects: {p: {datasources: [d]}}\ngrants:\n  - {name: a, who: {groups: [g]}, allow: [read]}\n")},
		dataFile{"b.yaml", []byte("version: 1\nshipped: [tags]\ngrants:\n  - {name: b, who: {everyone: true}, allow: ['*'], target: {projects: [p], datasources: [d]}}\n")},
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.set.Grants) != 2 || len(d.doc.Tags) == 0 || len(d.doc.Masks) != 0 {
		t.Errorf("%d grants, %d tags, %d masks", len(d.set.Grants), len(d.doc.Tags), len(d.doc.Masks))
	}
	if got := d.set.GrantIndex["datasource:d"]["everyone"]; !slices.Equal(got, []int{1}) {
		t.Errorf("grants of everyone on d: %v", got)
	}
	if got := d.set.GrantIndex["*"]["group:g"]; !slices.Equal(got, []int{0}) {
		t.Errorf("grants of g everywhere: %v", got)
	}
	_, err = read(t,
		dataFile{"a.yaml", []byte("version: 1\nprojects: {p: {datasources: [d]}}\ndefaults: {mode: enforce}\n")},
		dataFile{"b.yaml", []byte("version: 1\nprojects: {p: {datasources: [e]}}\ndefaults: {mode: observe}\n")},
	)
	for _, want := range []string{"b.yaml:2: projects.p: given twice, first at a.yaml:2", "b.yaml:3: defaults: given twice, first at a.yaml:3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestUsersWithABarAreIDs(t *testing.T) {
	d, err := read(t, dataFile{"a.yaml", []byte("version: 1\ngrants: [{name: a, who: {users: [ana, 'oidc:corp|248']}, allow: [read]}]\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"user:ana", "user_id:oidc:corp|248"} {
		if len(d.set.GrantIndex["*"][p]) != 1 {
			t.Errorf("no grant for %s: %v", p, d.set.GrantIndex)
		}
	}
}

func TestTags(t *testing.T) {
	e := openEngine(t, Options{FS: folder("p.yaml", `version: 1
tags:
  - {tag: a, columns: [public.users.email]}
  - {tag: b, columns: ["*_email", email], except: [public.lists.email, "*.mailing*.*"]}
  - {tag: c, columns: [users.email], target: {datasources: [shop]}}
  - {tag: d, columns: ["s?.\"odd.name\".x*"]}
  - {tag: a, columns: [email]}
`)})
	for _, c := range []struct {
		datasource, schema, table, column, want string
	}{
		{"shop", "public", "users", "email", "a b c"},
		{"hr", "public", "users", "email", "a b"},
		{"shop", "PUBLIC", "Users", "EMAIL", "a b c"},
		{"shop", "other", "users", "work_email", "b"},
		{"shop", "public", "lists", "email", "a"},
		{"shop", "public", "mailings", "email", "a"},
		{"shop", "public", "mailings", "x_email", ""},
		{"shop", "s1", "odd.name", "xyz", "d"},
		{"shop", "s12", "odd.name", "xyz", ""},
		{"shop", "public", "users", "id", ""},
	} {
		for range 2 { // from the index, then from what was kept
			got := strings.Join(e.Tags("demo", c.datasource, "db", c.schema, c.table, c.column), " ")
			if got != c.want {
				t.Errorf("%+v: tags %q", c, got)
			}
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*", "", true}, {"*", "x", true}, {"a*", "a", true}, {"a*c", "abbc", true}, {"a*c", "abb", false},
		{"?", "é", true}, {"?", "", false}, {"?", "ab", false}, {"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false},
		{"a?c*", "abcde", true}, {"*_email", "_email", true}, {"*é", "caf\u00e9", true},
	} {
		if got := globMatch(c.glob, c.name); got != c.want {
			t.Errorf("%q matches %q: %v", c.glob, c.name, got)
		}
	}
}

// FuzzReadData checks that reading never panics, that a fault names its file,
// and that what is accepted compiles with the shipped Rego's types.
func FuzzReadData(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "rego/weir/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte("version: 1\nx: &a [*a]\n"))
	f.Add([]byte("{{{{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := readData([]dataFile{{"f.yaml", b}}, nil, nil)
		if err == nil {
			if _, err := newStore(&contents{}, d); err != nil {
				t.Fatal(err)
			}
			d.tags.lookup(tagQuery{schema: "public", table: "users", column: "email"})
			return
		}
		var de *DataError
		if !errors.As(err, &de) || len(de.Faults) == 0 {
			t.Fatalf("error %T %v", err, err)
		}
	})
}
