package mysql

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

var update = flag.Bool("update", false, "write golden files anew")

const lineageGolden = "testdata/lineage.golden"

// describe is a statement's facts in a few lines.
func describe(s *Statement) string {
	var b strings.Builder
	f := &s.Facts
	fmt.Fprintf(&b, "  %s %s", f.Class, strings.Join(f.Verbs, " "))
	if len(f.Output) > 0 {
		b.WriteString(" -> " + outputOf(f))
	}
	b.WriteByte('\n')
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %s %s\n", label, text)
		}
	}
	line("uses", usesOf(f))
	line("access", accessOf(f))
	line("calls", functionsOf(f))
	line("writes", effectsOf(f.Writes))
	line("moves", effectsOf(f.Moves))
	line("assigns", assignmentsOf(f))
	line("gaps", reasonsOf(f))
	return b.String()
}

// accessOf lists the tables that are reached otherwise than by select alone.
func accessOf(f *query.Facts) string {
	var out []string
	for _, t := range f.Tables {
		how := strings.Join(t.Access, "+")
		if !t.Direct {
			how += " behind"
		}
		if how != "select" {
			out = append(out, t.Schema+"."+t.Name+":"+how)
		}
	}
	return strings.Join(out, ", ")
}

func functionsOf(f *query.Facts) string {
	var out []string
	for _, c := range f.Functions {
		name := displayName(c.Schema, c.Name)
		if !c.Safe {
			name += "!"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func effectsOf(list []query.Effect) string {
	var out []string
	for _, e := range list {
		out = append(out, strings.TrimSpace(e.Kind+" "+e.Object))
	}
	return strings.Join(out, ", ")
}

func assignmentsOf(f *query.Facts) string {
	var out []string
	for _, a := range f.Assignments {
		v := "…"
		if a.Literal != nil {
			v = *a.Literal
		} else if a.Parameter > 0 {
			v = fmt.Sprintf("?%d", a.Parameter)
		}
		out = append(out, a.Table+"."+a.Column+"="+v)
	}
	return strings.Join(out, ", ")
}

// TestLineage compares the facts of the statements in a golden file, one a
// paragraph, with what the file says of them.
func TestLineage(t *testing.T) {
	raw, err := os.ReadFile(lineageGolden)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimRight(string(raw), "\n"), "\n\n") {
		lines := strings.Split(block, "\n")
		var head, sql []string
		for _, l := range lines {
			switch {
			case strings.HasPrefix(l, "#"):
				head = append(head, l)
			case !strings.HasPrefix(l, "  "):
				sql = append(sql, l)
			}
		}
		got := ""
		if len(sql) > 0 {
			got = describe(analyzeOne(t, strings.Join(sql, "\n")))
		}
		whole := strings.Join(append(head, sql...), "\n") + "\n" + got
		if strings.TrimRight(whole, "\n") != strings.TrimRight(block, "\n") && !*update {
			t.Errorf("got\n%swant\n%s\n", whole, block)
		}
		out.WriteString(strings.TrimRight(whole, "\n") + "\n\n")
	}
	if *update {
		if err := os.WriteFile(lineageGolden, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
