package pgsql

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// testRewrite hides customers outside the EU and their addresses, what people
// earn, and some of the bonus.
func testRewrite() query.Rewrite {
	mask := "***"
	return query.Rewrite{Relations: []query.Narrowing{
		{Schema: "shop", Table: "customer", Filters: []string{"region = 'EU'"}, Constants: []query.Constant{{Column: "email", Value: &mask}}},
		{Schema: "staff", Table: "bonus", Filters: []string{"id > 1"}},
		{Schema: "staff", Table: "employee", Constants: []query.Constant{{Column: "salary"}}},
	}}
}

// TestRewrites compares with golden files: below each statement is what it
// becomes, or why it cannot become anything, and what of the hidden columns
// shows all the same.
func TestRewrites(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	files, err := filepath.Glob("testdata/rewrites/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rewrites: %v", err)
	}
	for _, file := range files {
		cases := readFacts(t, file)
		for i := range cases {
			c := &cases[i]
			if c.sql == "" {
				continue
			}
			got := renderRewrite(an.Rewrite(c.sql, 0, cat, fixtureState(), testRewrite()))
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

func renderRewrite(r *Rewritten, err error) []string {
	if err != nil {
		e := (*query.RewriteError)(nil)
		if !errors.As(err, &e) {
			return []string{"not a RewriteError: " + err.Error()}
		}
		return []string{fmt.Sprintf("refused at %d: %s", e.Pos, strings.TrimSpace(e.Reason+". "+e.Hint))}
	}
	out := []string{r.SQL}
	for _, table := range r.Facts.Tables {
		for _, c := range table.Columns {
			if (c.Name == "email" || c.Name == "salary") && c.Uses != 0 {
				out = append(out, "still "+table.Name+"."+c.Name+": "+strings.Join(c.Uses.Names(), ", "))
			}
		}
	}
	for _, g := range r.Facts.Gaps {
		out = append(out, "gap: "+g.Reason)
	}
	return out
}
