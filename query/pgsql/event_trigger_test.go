package pgsql

import "testing"

func TestEventTriggersFire(t *testing.T) {
	for _, c := range []struct {
		verb string
		tags []string
		want bool
	}{
		{"CREATE TABLE", nil, true},
		{"CREATE TABLE", []string{"CREATE TABLE"}, true},
		{"CREATE TABLE", []string{"CREATE DOMAIN"}, false},
		{"CREATE DOMAIN", []string{"ALTER TABLE", "CREATE DOMAIN"}, true},
		{"ALTER TABLE", []string{"ALTER VIEW"}, true},
		{"CREATE", []string{"CREATE AGGREGATE"}, true},
		{"CREATE FUNCTION", []string{"CREATE PROCEDURE"}, true},
		{"CREATE TABLE AS", []string{"SELECT INTO"}, false},
		{"SELECT", []string{"SELECT INTO"}, true},
		{"GRANT", []string{"REVOKE"}, true},
		{"DROP TABLE", []string{"DROP VIEW"}, false},
	} {
		if got := (&EventTrigger{Tags: c.tags}).fires([]string{c.verb}); got != c.want {
			t.Errorf("%s on %v: %v, want %v", c.verb, c.tags, got, c.want)
		}
	}
}
