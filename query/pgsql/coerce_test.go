package pgsql

import (
	"strings"
	"testing"
)

func TestTypesOfParametersThatReadTables(t *testing.T) {
	cat := fixtureCatalog(t)
	for _, c := range []struct {
		schema, name string
		gap          bool
	}{
		{"util", "checked", true}, // a domain whose constraint calls a function
		{"util", "lookup", true},  // a user's cast looks it up
		{"shop", "email", false},  // a domain with a plain constraint
		{"staff", "grade", false}, // an enum
		{"pg_catalog", "int4", false},
	} {
		typ := cat.TypeNamed(c.schema, c.name)
		if typ == nil {
			t.Fatalf("%s.%s is not in the fixture", c.schema, c.name)
		}
		if got := len(ParameterGaps(cat, []uint32{typ.OID})) > 0; got != c.gap {
			t.Errorf("%s.%s: gap %v, want %v", c.schema, c.name, got, c.gap)
		}
	}
}

func TestNamesThatATransactionTookAreNotFollowed(t *testing.T) {
	an, cat := NewAnalyzer(Options{}), fixtureCatalog(t)
	drop := an.Analyze("DROP TABLE orders", cat, fixtureState())
	st := fixtureState()
	st.Apply(cat, &drop.Statements[0])
	if !st.Unsettled {
		t.Fatal("DROP TABLE leaves the names settled")
	}
	st.Stale = false // the session has read its settings since
	for sql, gap := range map[string]bool{"SELECT id FROM customer": true, "SELECT 1": false, "COMMIT": false, "DROP TABLE customer": false} {
		f := an.Analyze(sql, cat, st).Statements[0].Facts
		got := false
		for _, g := range f.Gaps {
			got = got || strings.Contains(g.Reason, "dropped or renamed")
		}
		if got != gap {
			t.Errorf("%s: gaps %v", sql, f.Gaps)
		}
	}
	temp := fixtureState()
	dropTemp := an.Analyze("DROP INDEX orders_pkey", cat, fixtureState())
	temp.Apply(cat, &dropTemp.Statements[0])
	if temp.Unsettled {
		t.Error("DROP INDEX unsettles names")
	}
}
