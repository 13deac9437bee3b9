package mysql

import (
	"strings"
	"testing"
)

// notFunctions are operators and forms that the server lists as functions, and
// those that the grammar has rules of its own for.
var notFunctions = words("cast default div in is like median parentheses percentile_cont percentile_disc regexp rlike schemas xor")

// TestLiveFunctions holds that every function that the server knows is classified.
func TestLiveFunctions(t *testing.T) {
	conn, _ := lineageServer(t)
	names := map[string]bool{}
	for _, sql := range []string{"SELECT function FROM information_schema.sql_functions",
		"SELECT t.name FROM mysql.help_topic t JOIN mysql.help_category c USING (help_category_id) WHERE t.name REGEXP '^[A-Z0-9_]+$' AND " +
			"(c.name LIKE '%Func%' OR c.name LIKE '%Geo%' OR c.name LIKE '%properties' OR c.name IN ('MBR', 'WKB', 'WKT'))"} {
		res, err := conn.Execute(sql)
		if err != nil {
			t.Fatal(err)
		}
		for i := range res.RowNumber() {
			name, err := res.GetString(i, 0)
			if err != nil {
				t.Fatal(err)
			}
			names[strings.ToLower(name)] = true
		}
	}
	if len(names) < 200 {
		t.Fatalf("the server lists %d functions", len(names))
	}
	for name := range names {
		if builtinFunctions[name] == Unknown && !aggregates[name] && !windowFunctions[name] && !notFunctions[name] {
			t.Errorf("%s is not classified", name)
		}
	}
}
