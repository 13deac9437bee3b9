package pgsql

import "testing"

// TestSettingsOfLater: what shows plans is not left for the next session either.
func TestSettingsOfLater(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{CacheEntries: -1})
	for sql, complete := range map[string]bool{
		"ALTER ROLE CURRENT_USER SET debug_print_plan = on":         false,
		"ALTER ROLE ALL IN DATABASE postgres SET trace_sort = on":   false,
		"ALTER DATABASE postgres SET debug_print_parse = on":        false,
		"ALTER SYSTEM SET debug_print_rewritten = on":               false,
		"ALTER ROLE CURRENT_USER SET debug_print_plan FROM CURRENT": false,
		"ALTER ROLE CURRENT_USER RESET debug_print_plan":            true,
		"ALTER ROLE CURRENT_USER SET statement_timeout = 1000":      true,
	} {
		a := an.Analyze(sql, cat, fixtureState())
		if a.Err != nil || a.Statements[0].Facts.Complete != complete {
			t.Errorf("%s: %v, complete: %v", sql, a.Err, a.Statements[0].Facts.Complete)
		}
	}
}
