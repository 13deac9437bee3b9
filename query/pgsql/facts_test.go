package pgsql

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// A golden file under testdata/facts holds texts and, below each, what the
// analysis says of it. Cases are separated by blank lines; lines that begin
// with # are comments; lines that begin with two spaces are the facts.
type factsCase struct {
	comments []string
	sql      string
	want     []string
}

func readFacts(t testing.TB, file string) []factsCase {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []factsCase
	for _, block := range strings.Split(string(raw), "\n\n") {
		var c factsCase
		var sql []string
		for _, line := range strings.Split(strings.Trim(block, "\n"), "\n") {
			switch {
			case strings.HasPrefix(line, "#"):
				c.comments = append(c.comments, line)
			case strings.HasPrefix(line, "  "):
				c.want = append(c.want, line[2:])
			case line != "":
				sql = append(sql, line)
			}
		}
		c.sql = strings.Join(sql, "\n")
		if c.sql != "" || len(c.comments) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func factsFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/facts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no facts: %v", err)
	}
	return files
}

func TestFacts(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{SafeFunctions: []string{"util.trusted"}})
	for _, file := range factsFiles(t) {
		cases := readFacts(t, file)
		for i := range cases {
			c := &cases[i]
			if c.sql == "" {
				continue
			}
			got := render(cat, an.Analyze(c.sql, cat, fixtureState()))
			if *update {
				c.want = got
			} else if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%s: %s\ngot:\n  %s\nwant:\n  %s", file, c.sql, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		}
		if *update {
			writeFacts(t, file, cases)
		}
	}
}

func writeFacts(t *testing.T, file string, cases []factsCase) {
	t.Helper()
	var b strings.Builder
	for i, c := range cases {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, l := range c.comments {
			b.WriteString(l + "\n")
		}
		if c.sql != "" {
			b.WriteString(c.sql + "\n")
		}
		for _, l := range c.want {
			b.WriteString("  " + l + "\n")
		}
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// render writes an analysis in few lines.
func render(cat *Catalog, a *Analysis) []string {
	if a.Err != nil {
		return []string{fmt.Sprintf("error %s at %d: %s", a.Err.Code, a.Err.Pos, a.Err.Message)}
	}
	var out []string
	for i := range a.Statements {
		s := &a.Statements[i]
		out = append(out, fmt.Sprintf("%s: %s", s.Class, strings.Join(s.Verbs, ", ")))
		for _, t := range s.Tables {
			out = append(out, renderTable(t))
		}
		if line := renderOutput(cat, s.Output); line != "" {
			out = append(out, line)
		}
		for _, f := range s.Functions {
			if !f.Safe {
				out = append(out, "calls "+f.Schema+"."+f.Name)
			}
		}
		for _, w := range s.Writes {
			out = append(out, strings.TrimSpace("writes: "+w.Kind+" "+w.Object))
		}
		for _, m := range s.Moves {
			out = append(out, strings.TrimSpace("moves into: "+m.Kind+" "+m.Object))
		}
		for _, g := range s.Gaps {
			out = append(out, fmt.Sprintf("gap at %d: %s", g.Pos, g.Reason))
		}
		out = append(out, renderSession(s)...)
	}
	return out
}

func renderTable(t query.Table) string {
	var cols []string
	for _, c := range t.Columns {
		cols = append(cols, c.Name+"="+strings.Join(c.Uses.Names(), "+"))
	}
	via := ""
	if !t.Direct {
		via = " (behind)"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s.%s%s [%s] %s", t.Kind, t.Schema, t.Name, via, strings.Join(t.Access, " "), strings.Join(cols, " ")))
}

func renderOutput(cat *Catalog, outputs []query.Output) string {
	var cols []string
	for _, o := range outputs {
		var from []string
		for _, r := range o.Origins {
			mark := ""
			if r.Derived {
				mark = "~"
			}
			from = append(from, mark+r.Table+"."+r.Column)
		}
		kind := ""
		if o.Direct {
			kind = "direct "
		}
		source := ""
		if rel := cat.Relations[o.Source]; rel != nil {
			source = fmt.Sprintf(" @%s.%d", rel.Name, o.SourceAttr)
		}
		cols = append(cols, strings.TrimSpace(fmt.Sprintf("%s: %s%s%s", o.Name, kind, strings.Join(from, " "), source)))
	}
	if len(cols) == 0 {
		return ""
	}
	return "-> " + strings.Join(cols, "; ")
}

func renderSession(s *Statement) []string {
	var out []string
	if s.Kind != KindPlain || s.Name != "" {
		out = append(out, fmt.Sprintf("session: kind %d name %q inner %q changes %d", s.Kind, s.Name, s.Inner, s.Changes))
	}
	for _, set := range s.Settings {
		out = append(out, fmt.Sprintf("sets: %s = %q local %v default %v", set.Name, set.Value, set.Local, set.Default))
	}
	if c := s.Copy; c != nil {
		out = append(out, fmt.Sprintf("copy: from %v server %v %s %q null %q columns %v query %q", c.From, c.Server, c.Format, c.Delimiter, c.Null, c.Columns, c.Query))
	}
	return out
}

// TestFactsAreInRange checks what holds for every analysis.
func TestFactsAreInRange(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{CacheEntries: -1})
	for _, file := range factsFiles(t) {
		for _, c := range readFacts(t, file) {
			checkAnalysis(t, c.sql, an.Analyze(c.sql, cat, fixtureState()))
		}
	}
}

func checkAnalysis(t testing.TB, text string, a *Analysis) {
	t.Helper()
	last := 0
	in := func(pos int) bool { return pos >= -1 && pos <= len(text) }
	for i := range a.Statements {
		s := &a.Statements[i]
		if s.Span.Start < last || s.Span.End < s.Span.Start || s.Span.End > len(text) {
			t.Errorf("%q: span %v after %d of %d bytes", text, s.Span, last, len(text))
		}
		last = s.Span.End
		if a.Err == nil && s.Complete != (len(s.Gaps) == 0) {
			t.Errorf("%q: complete %v with %d gaps", text, s.Complete, len(s.Gaps))
		}
		for _, g := range s.Gaps {
			if !in(g.Pos) {
				t.Errorf("%q: gap at %d", text, g.Pos)
			}
		}
		for _, table := range s.Tables {
			for _, c := range table.Columns {
				if len(c.At) != bits.OnesCount16(uint16(c.Uses)) {
					t.Errorf("%q: %s.%s has %d positions for %v", text, table.Name, c.Name, len(c.At), c.Uses.Names())
				}
				for _, at := range c.At {
					if !in(at) {
						t.Errorf("%q: %s.%s at %d", text, table.Name, c.Name, at)
					}
				}
			}
		}
		for _, o := range s.Output {
			if o.Direct && len(o.Origins) == 0 {
				t.Errorf("%q: direct output without origin", text)
			}
		}
	}
}
