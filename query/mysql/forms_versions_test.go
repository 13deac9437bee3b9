package mysql

import "testing"

func TestVersionForms(t *testing.T) {
	for _, c := range []struct {
		sql   string
		mysql bool // of MySQL 8, else of MariaDB
		uses  string
		ok    bool
	}{
		{"DELETE HISTORY FROM scratch", false, "", true},
		{"DELETE HISTORY FROM scratch BEFORE SYSTEM_TIME '2020-01-01'", false, "", true},
		{"DELETE HISTORY FROM scratch BEFORE SYSTEM_TIME (SELECT MAX(ssn) FROM customers)", false, "", false},
		{"ALTER TABLE scratch ADD SYSTEM VERSIONING, ADD COLUMN z INT", false, "scratch.n:write", true},
		{"ALTER TABLE scratch DROP SYSTEM VERSIONING", false, "", true},
		{"ALTER TABLE scratch ADD PERIOD FOR p (a, b)", false, "", true},
		{"ALTER TABLE scratch DROP PERIOD FOR p", false, "", true},
		{"ALTER VIEW v_x AS SELECT ssn FROM customers", false, "customers.ssn:write", true},
		{"ALTER ALGORITHM=MERGE DEFINER=a@b SQL SECURITY INVOKER VIEW shop.v_x (a) AS SELECT id FROM products", false, "products.id:write", true},
		{"LOAD XML LOCAL INFILE 'x' INTO TABLE scratch ROWS IDENTIFIED BY '<r>'", false, "scratch.v:write,assign", true},
		{"LOAD XML LOCAL INFILE 'x' REPLACE INTO TABLE scratch (k, @v) SET n = (SELECT MAX(credit) FROM customers)", false, "scratch.v:write,assign customers.credit:order,aggregate,write", true},
		{"LOAD XML INFILE 'x' INTO TABLE scratch", false, "scratch.v:write,assign", false},
		{"INSERT INTO scratch (id, k) VALUES (1, 'a') AS new ON DUPLICATE KEY UPDATE k = new.k", true, "scratch.k:filter,write,assign", true},
		{"INSERT INTO scratch (id, k) VALUES (1, 'a'), (2, (SELECT ssn FROM customers)) AS new (x, y) ON DUPLICATE KEY UPDATE n = x, v = y", true, "customers.ssn:write", true},
		{"INSERT INTO scratch (id, k) VALUES (1, 'a') AS new ON DUPLICATE KEY UPDATE k = other.k", true, "", false},
		{"INSERT INTO scratch (id, k) VALUES (1, 'a') AS new ON DUPLICATE KEY UPDATE k = new.k", false, "", false},
		{"SELECT d.b FROM (SELECT ssn, id FROM customers) AS d (a, b) ORDER BY d.b", true, "customers.id:output,order", true},
		{"SELECT a FROM (SELECT ssn, id FROM customers) d (a, b) ORDER BY b", true, "customers.ssn:output", true},
		{"SELECT b FROM (SELECT ssn, id FROM customers) d (a, b, c)", true, "", false},
		{"SELECT a FROM (SELECT id, ssn FROM customers) AS d (a, b) WHERE b IN (SELECT a FROM (SELECT ssn AS a, 1 AS b FROM customers) AS d)", true, "", false},
		{"SELECT a FROM (SELECT 1, 2) AS d (a, b)", false, "", false},
	} {
		cat := lineageCatalog()
		if c.mysql {
			cat.Server = Server{Version: 80031}
		}
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(c.sql, cat, lineageState()).Statements[0]
		if s.Complete != c.ok || !containsWords(usesOf(&s.Facts), c.uses) {
			t.Errorf("%s: %v %q (%s)", c.sql, s.Complete, usesOf(&s.Facts), reasonsOf(&s.Facts))
		}
	}
}
