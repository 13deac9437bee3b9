package mysql

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// Changes see no more rows than queries do, and change none that are hidden.
func TestRewriteChanges(t *testing.T) {
	cat := lineageCatalog()
	cat.Relation("shop", "customers").Triggers = nil
	for _, c := range []struct{ in, want, why string }{
		{in: "UPDATE customers SET note = 'x' WHERE id = 3", want: "UPDATE customers SET note = 'x' WHERE (`customers`.`country` = 'ES') AND ( id = 3)"},
		{in: "UPDATE customers SET note = 'x'", want: "UPDATE customers SET note = 'x' WHERE (`customers`.`country` = 'ES')"},
		{in: "UPDATE customers c SET note = 'x' ORDER BY id LIMIT 1", want: "UPDATE customers c SET note = 'x' WHERE (`c`.`country` = 'ES') ORDER BY id LIMIT 1"},
		{in: "UPDATE customers SET note = 'x' WHERE 1 / id > 2 OR name = 'a' LIMIT 2", want: "UPDATE customers SET note = 'x' WHERE CASE WHEN (`customers`.`country` = 'ES') THEN ( 1 / id > 2 OR name = 'a') END LIMIT 2"},
		{in: "DELETE FROM customers WHERE id IN (1, ?) OR id = 4", want: "DELETE FROM customers WHERE (`customers`.`country` = 'ES') AND ( id IN (1, ?) OR id = 4)"},
		{in: "DELETE FROM customers", want: "DELETE FROM customers WHERE (`customers`.`country` = 'ES')"},
		{in: "DELETE FROM customers WHERE id = 3 RETURNING id, name", want: "DELETE FROM customers WHERE (`customers`.`country` = 'ES') AND ( id = 3) RETURNING id, name"},
		{in: "UPDATE scratch SET n = 1 WHERE id IN (SELECT customer_id FROM cards)", want: "UPDATE scratch SET n = 1 WHERE id IN (SELECT customer_id FROM " + cardsSeen + " AS `cards`)"},
		{in: "UPDATE scratch SET n = (SELECT COUNT(*) FROM customers)", want: "UPDATE scratch SET n = (SELECT COUNT(*) FROM " + customersSeen + " AS `customers`)"},
		{in: "INSERT INTO scratch (k, n) SELECT name, id FROM customers ORDER BY id", want: "INSERT INTO scratch (k, n) SELECT name, id FROM " + customersSeen + " AS `customers` ORDER BY id"},
		{in: "REPLACE INTO scratch (k) VALUES ((SELECT MAX(id) FROM customers))", want: "REPLACE INTO scratch (k) VALUES ((SELECT MAX(id) FROM " + customersSeen + " AS `customers`))"},
		{in: "UPDATE scratch s JOIN customers c ON c.id = s.id SET s.n = c.id WHERE c.name = 'a'", want: "UPDATE scratch s JOIN " + customersSeen + " AS `c` ON c.id = s.id SET s.n = c.id WHERE c.name = 'a'"},
		{in: "UPDATE customers c JOIN scratch s ON c.id = s.id SET c.note = s.k", want: "UPDATE customers c JOIN scratch s ON c.id = s.id SET c.note = s.k WHERE (`c`.`country` = 'ES')"},
		{in: "UPDATE scratch s LEFT JOIN customers c ON c.id = s.id SET c.note = s.k", why: "inner table of an outer join"},
		{in: "UPDATE customers c JOIN scratch s ON 1 / c.id = s.id SET c.note = s.k", why: "may tell of others"},
		{in: "DELETE c FROM customers c JOIN scratch s ON s.id = c.id WHERE s.n = 4", want: "DELETE c FROM customers c JOIN scratch s ON s.id = c.id WHERE (`c`.`country` = 'ES') AND ( s.n = 4)"},
		{in: "DELETE s FROM scratch s LEFT JOIN customers c ON c.id = s.id WHERE c.id IS NULL", want: "DELETE s FROM scratch s LEFT JOIN " + customersSeen + " AS `c` ON c.id = s.id WHERE c.id IS NULL"},
		{in: "UPDATE customers SET country = 'ES'", why: "decides which rows"},
		{in: "INSERT INTO customers (id, country) VALUES (1, 'ES'), (2, 'ES')", want: "INSERT INTO customers (id, country) VALUES (1, 'ES'), (2, 'ES')"},
		{in: "INSERT INTO customers (id, country) VALUES (1, 'ES'), (2, 'DE')", why: "might not be among"},
		{in: "INSERT INTO customers (id, country) VALUES (1, ?)", why: "might not be among"},
		{in: "INSERT INTO customers (id) VALUES (1)", why: "might not be among"},
		{in: "REPLACE INTO customers (id, country) VALUES (1, 'ES')", why: "might not be among"},
		{in: "INSERT INTO customers (id, country) VALUES (1, 'ES') ON DUPLICATE KEY UPDATE note = 'x'", why: "might not be among"},
		{in: "DELETE FROM scratch WHERE id = f_ssn(1)", why: "not known to be safe"},
		{in: "TRUNCATE customers", why: "only SELECT"},
		{in: "DELETE FROM scratch WHERE id = 1", want: "DELETE FROM scratch WHERE id = 1"},
	} {
		out, err := NewAnalyzer(Options{}).Rewrite(c.in, 0, cat, lineageState(), lineageRewrite())
		var rerr *query.RewriteError
		switch {
		case c.why != "":
			if !errors.As(err, &rerr) || !strings.Contains(rerr.Reason, c.why) {
				t.Errorf("%s: %v, want %s", c.in, err, c.why)
			}
		case err != nil:
			t.Errorf("%s: %v", c.in, err)
		case out.SQL != c.want:
			t.Errorf("%s\n got %s\nwant %s", c.in, out.SQL, c.want)
		case !out.Facts.Complete:
			t.Errorf("%s: %s", c.in, reasonsOf(out.Facts))
		}
	}
}

// A trigger that reads a table of which not all is seen cannot be rewritten; one
// that reads nothing else can stay.
func TestRewriteTriggers(t *testing.T) {
	for body, ok := range map[string]bool{
		"SET NEW.note = UPPER(NEW.note)":                                true,
		"INSERT INTO log (what) VALUES (OLD.name)":                      false, // no such table
		"SET NEW.note = (SELECT COUNT(*) FROM cards)":                   false,
		"SET NEW.note = (SELECT COUNT(*) FROM customers)":               false,
		"INSERT INTO scratch (k) VALUES (OLD.name)":                     true,
		"BEGIN IF NEW.id > 3 THEN SET NEW.note = f_ssn(1); END IF; END": false,
	} {
		cat := lineageCatalog()
		cat.Relation("shop", "customers").Triggers = []Trigger{{Name: "tr", Event: "UPDATE", Timing: "BEFORE", Body: body}}
		_, err := NewAnalyzer(Options{}).Rewrite("UPDATE customers SET note = 'x'", 0, cat, lineageState(), lineageRewrite())
		if (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A routine may be called if it reads nothing of which not all is seen.
func TestRewriteRoutines(t *testing.T) {
	for sql, ok := range map[string]bool{
		"SELECT thrice(id) AS n FROM cards":                                   true,
		"SELECT sold(id) AS n FROM cards":                                     true,
		"SELECT secret(id) AS n FROM cards":                                   false,
		"SELECT secret(id) AS n FROM products":                                false,
		"SELECT rich(1) AS n":                                                 false,
		"UPDATE scratch SET n = thrice(n) WHERE id IN (SELECT id FROM cards)": true,
		"UPDATE scratch SET n = secret(n) WHERE id IN (SELECT id FROM cards)": false,
		"DELETE FROM customers WHERE id = 3":                                  true,
		"CALL customer(7)":                                                    false,
		"BEGIN NOT ATOMIC SELECT id FROM customers; END":                      false,
		"EXPLAIN SELECT id FROM customers":                                    false,
		"CREATE VIEW x AS SELECT id FROM customers":                           false,
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM customers":     false,
	} {
		if _, err := NewAnalyzer(Options{}).Rewrite(sql, 0, bodyCatalog(), lineageState(), lineageRewrite()); (err == nil) != ok {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestRewriteApartChanges(t *testing.T) {
	apart := query.Rewrite{Relations: []query.Narrowing{{Schema: "shop", Table: "customers", Apart: []string{"ssn"}}}}
	for _, c := range []struct{ in, want string }{
		{"UPDATE scratch s, customers c SET s.n = c.id WHERE s.id = 1", "UPDATE scratch s, customers c IGNORE INDEX (`uk_ssn`) SET s.n = c.id WHERE s.id = 1"},
		{"INSERT INTO scratch (n) SELECT id FROM customers", "INSERT INTO scratch (n) SELECT id FROM customers IGNORE INDEX (`uk_ssn`)"},
		{"DELETE FROM customers LIMIT 1", ""},
	} {
		out, err := NewAnalyzer(Options{}).Rewrite(c.in, 0, lineageCatalog(), lineageState(), apart)
		if err == nil && out.SQL != c.want || err != nil && c.want != "" {
			t.Errorf("%s: %+v %v", c.in, out, err)
		}
	}
}
