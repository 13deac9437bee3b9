package pgsql

import (
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// TestRewriteBoolean: a constant that the printer has a form of its own for.
func TestRewriteBoolean(t *testing.T) {
	cat := fixtureCatalog(t)
	w := &rewriter{an: NewAnalyzer(Options{}), cat: cat, cc: NewAnalyzer(Options{}).catalogCache(cat), st: fixtureState()}
	tree, _ := parse("SELECT 1")
	w.version = tree.Version
	rel := cat.Relation("pg_catalog", "pg_class")
	for value, want := range map[string]string{"f": "SELECT false", "t": "SELECT true", "false": "SELECT false"} {
		sel := parseSelect("SELECT 1")
		sel.TargetList = []*pg.Node{resTarget("", w.constant(rel, rel.Column("relhasindex"), &value))}
		if got, _ := w.print(selectNode(sel)); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
