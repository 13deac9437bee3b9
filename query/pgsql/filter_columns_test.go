package pgsql

import (
	"slices"
	"testing"
)

func TestFilterColumns(t *testing.T) {
	for expr, want := range map[string][]string{
		"region = 'EU' AND active":                                {"active", "region"},
		`"Owner" = 'x' OR id IN (SELECT d.person FROM hr.duty d)`: {"Owner", "id", "person"},
		"true":                      nil,
		"salary > 5 AND salary < 9": {"salary"},
		"EXISTS (SELECT 1 FROM hr.duty d WHERE row_to_json(d.*) = '{}')": {"*"},
	} {
		got, err := FilterColumns(expr)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", expr, got, err)
		}
	}
	for _, expr := range []string{"region = ", "a; b", "", "id = $1"} {
		if _, err := FilterColumns(expr); err == nil {
			t.Errorf("%q is taken for a filter", expr)
		}
	}
}
