package mysql

import "testing"

// What a stored body reads when it is made counts as written: it may run for
// anybody.
func TestRoutineDefinitions(t *testing.T) {
	for _, c := range []struct {
		sql, uses string
		ok        bool
	}{
		{"CREATE PROCEDURE p(IN n INT, OUT m DECIMAL(4,2)) READS SQL DATA SELECT title FROM products WHERE id = n", "products.title:derived,filter,write products.id:derived,filter,order,write", true},
		{"CREATE OR REPLACE DEFINER=`a`@`%` FUNCTION shop.f(s VARCHAR(20) CHARACTER SET utf8) RETURNS INT DETERMINISTIC BEGIN DECLARE x INT; SET x = 1; RETURN x; END;", "", true},
		{"CREATE PROCEDURE IF NOT EXISTS p() SQL SECURITY INVOKER COMMENT 'x' SELECT ssn FROM customers", "customers.ssn:derived,filter,write", true},
		{"CREATE TRIGGER t AFTER INSERT ON shop.customers FOR EACH ROW FOLLOWS tr INSERT INTO scratch (k) VALUES (NEW.ssn)", "customers.ssn:derived,write", true},
		{"CREATE TRIGGER t BEFORE UPDATE ON products FOR EACH ROW BEGIN IF OLD.price <> NEW.price THEN SET NEW.stock = 0; END IF; END",
			"products.price:derived,filter,join,write", true},
		{"DROP PROCEDURE IF EXISTS p", "", true},
		{"DROP TRIGGER t", "", true},
		{"CREATE PROCEDURE p() SELECT 1; SELECT ssn FROM customers", "", false},
		{"CREATE PROCEDURE p() EXECUTE IMMEDIATE @x", "", false},
		{"CREATE TRIGGER t AFTER INSERT ON nowhere FOR EACH ROW SET @x = 1", "", false},
		{"CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", "", false},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM scratch", "", true},
		{"CREATE DEFINER=a@b EVENT IF NOT EXISTS shop.e ON SCHEDULE AT NOW() + INTERVAL 1 DAY DISABLE COMMENT 'x' DO BEGIN INSERT INTO scratch (k) SELECT ssn FROM customers; END", "customers.ssn:derived,write", true},
		{"ALTER EVENT e ON SCHEDULE EVERY 2 DAY ENABLE", "", true},
		{"ALTER EVENT e DO INSERT INTO scratch (k) SELECT ssn FROM customers", "customers.ssn:derived,write", true},
		{"CREATE EVENT e ON SCHEDULE AT (SELECT MAX(at) FROM customers) DO DELETE FROM scratch", "", false},
		{"CREATE EVENT e ON SCHEDULE EVERY f_ssn(7) DAY DO DELETE FROM scratch", "", false},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO EXECUTE IMMEDIATE @x", "", false},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY", "", false},
		{"ALTER PROCEDURE p COMMENT 'x'", "", false},
	} {
		s := analyzeOne(t, c.sql)
		if s.Complete != c.ok || !containsWords(usesOf(&s.Facts), c.uses) || len(s.Writes) == 0 {
			t.Errorf("%s: complete %v, %q, want %v, %q (%s)", c.sql, s.Complete, usesOf(&s.Facts), c.ok, c.uses, reasonsOf(&s.Facts))
		}
	}
}
