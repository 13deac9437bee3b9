package mysql

import "testing"

// A query about one database or table tells of what that holds.
func TestPinned(t *testing.T) {
	for _, c := range []struct {
		sql, uses string
		ok        bool
	}{
		{"SELECT table_rows FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'messages'",
			"messages.id:derived messages.subject:derived messages.body:derived", true},
		{"SELECT table_rows FROM information_schema.tables t WHERE t.table_schema = DATABASE() AND (t.table_name = 'MESSAGES')",
			"messages.id:derived messages.subject:derived messages.body:derived", true},
		{"SELECT table_name FROM information_schema.tables WHERE table_schema = 'hr' AND table_rows > 3", "hr.employees.salary:filter", true},
		{"SELECT table_rows FROM information_schema.tables WHERE table_schema IN ('hr') AND table_name = 'employées '", "hr.employees.salary:derived", true},
		{"SELECT table_rows FROM information_schema.tables WHERE table_schema NOT IN ('hr')", "", false},
		{"SELECT table_rows FROM information_schema.tables", "", false},
		{"SELECT table_rows FROM information_schema.tables WHERE table_schema = 'shop' OR 1", "", false},
		{"SELECT table_rows FROM information_schema.tables WHERE table_schema LIKE 'shop'", "", false},
		{"SELECT table_rows FROM information_schema.tables WHERE table_name = 'messages'", "", false},
		{"SELECT (SELECT MAX(table_rows) FROM information_schema.tables t WHERE o.table_schema = 'hr') FROM information_schema.tables o", "", false},
		{"SELECT a.table_rows FROM information_schema.tables a, information_schema.tables b WHERE b.table_schema = 'hr'", "", false},
	} {
		s := analyzeOne(t, c.sql)
		if s.Complete != c.ok || !containsWords(usesOf(&s.Facts), c.uses) {
			t.Errorf("%s: complete %v, %q, want %v, %q (%s)", c.sql, s.Complete, usesOf(&s.Facts), c.ok, c.uses, reasonsOf(&s.Facts))
		}
	}
}
