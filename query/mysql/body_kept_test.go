package mysql

import (
	"strings"
	"testing"
)

// The branch of a trigger that is about a change that an UPDATE does not make
// is not done.
func TestTriggersOfKeptColumns(t *testing.T) {
	for _, c := range []struct {
		body, sql string
		reads     bool // the masked column
	}{
		{"IF NEW.name <> OLD.name THEN INSERT INTO scratch (k) VALUES (OLD.score); END IF", "UPDATE customers SET note = 'x'", false},
		{"IF NEW.name <> OLD.name THEN INSERT INTO scratch (k) VALUES (OLD.score); END IF", "UPDATE customers SET NAME = 'x'", true},
		{"BEGIN IF NOT (NEW.name <=> OLD.name) OR NEW.city != OLD.city THEN INSERT INTO scratch (k) VALUES (OLD.score); END IF; SET NEW.note = 'n'; END", "UPDATE customers SET note = 'x'", false},
		{"BEGIN IF NOT (NEW.name <=> OLD.name) OR NEW.city != OLD.city THEN INSERT INTO scratch (k) VALUES (OLD.score); END IF; END", "UPDATE customers SET city = 'x'", true},
		{"IF OLD.score <> NEW.score THEN INSERT INTO scratch (k) VALUES (NEW.score); END IF", "UPDATE customers SET note = 'x'", false},
		{"IF OLD.score <> NEW.score THEN SET NEW.note = 'a'; ELSEIF NEW.name <> OLD.name THEN SET NEW.note = OLD.score; ELSE SET NEW.note = 'b'; END IF", "UPDATE customers SET note = 'x'", false},
		{"IF OLD.score <> NEW.score THEN SET NEW.note = 'a'; ELSE SET NEW.note = OLD.score; END IF", "UPDATE customers SET note = 'x'", true},
		{"BEGIN SET NEW.name = 'n'; IF NEW.name <> OLD.name THEN SET NEW.note = OLD.score; END IF; END", "UPDATE customers SET note = 'x'", true},
		{"IF NEW.domain <> OLD.domain THEN SET NEW.note = OLD.score; END IF", "UPDATE customers SET email = 'x'", true},
		{"IF NEW.name = OLD.name THEN SET NEW.note = OLD.score; END IF", "UPDATE customers SET note = 'x'", true},
		{"IF NEW.name <> OLD.city THEN SET NEW.note = OLD.score; END IF", "UPDATE customers SET note = 'x'", true},
		{"IF NEW.name <> OLD.name AND NEW.id > 3 THEN SET NEW.note = OLD.score; END IF", "UPDATE customers SET note = 'x'", false},
		{"IF NEW.name <> OLD.name THEN SET NEW.note = OLD.score; END IF", "UPDATE customers c JOIN scratch s ON s.id = c.id SET c.note = 'x'", false},
		{"IF NEW.name <> OLD.name THEN SET NEW.note = OLD.score; END IF", "INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE note = 'x'", false},
		{"IF NEW.name <> OLD.name THEN SET NEW.note = OLD.score; END IF", "INSERT INTO customers (id) VALUES (1) ON DUPLICATE KEY UPDATE name = 'x'", true},
	} {
		cat := lineageCatalog()
		cat.Relation("shop", "customers").Triggers = []Trigger{{Name: "tr", Event: "UPDATE", Timing: "BEFORE", Body: c.body}}
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(c.sql, cat, lineageState()).Statements[0]
		uses := usesOf(&s.Facts)
		if !s.Complete {
			t.Errorf("%s: %s: %s", c.body, c.sql, reasonsOf(&s.Facts))
		}
		if !c.reads && strings.Contains(uses, "score:") {
			t.Errorf("%s: %s: %s", c.body, c.sql, uses)
		}
		if c.reads && !strings.Contains(uses, "score:") {
			t.Errorf("%s: %s: %s", c.body, c.sql, uses)
		}
	}
}
