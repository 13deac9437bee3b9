package mysql

import (
	"strings"
	"testing"
)

// bodyCatalog is the small shop with routines and triggers of several statements.
func bodyCatalog() *Catalog {
	cat := lineageCatalog()
	in := []Parameter{{Name: "p", Mode: "IN", Type: "int(11)"}}
	for name, body := range map[string]string{
		"thrice":  "BEGIN DECLARE n INT DEFAULT p; SET n = n * 3; RETURN n; END",
		"tier":    "BEGIN IF p > 100 THEN RETURN 'much'; ELSEIF p > 10 THEN RETURN 'some'; ELSE RETURN 'few'; END IF; END",
		"faculty": "BEGIN DECLARE r INT DEFAULT 1; again: WHILE p > 1 DO SET r = r * p, p = p - 1; IF r > 1000 THEN LEAVE again; END IF; END WHILE again; RETURN r; END",
		"sold":    "BEGIN DECLARE n INT; SELECT COUNT(*) INTO n FROM payments WHERE id = p; RETURN n; END",
		"secret":  "BEGIN DECLARE s VARCHAR(20); SELECT ssn INTO s FROM customers WHERE id = p; RETURN s; END",
		"rich":    "BEGIN CASE WHEN (SELECT MAX(credit) FROM customers) > p THEN RETURN 1; ELSE RETURN CASE p WHEN 1 THEN 2 ELSE 3 END; END CASE; END",
		"noted":   "BEGIN INSERT INTO scratch (k) VALUES (p); RETURN p; END",
		"kept":    "BEGIN SET @kept = p; RETURN p; END",
		"dice":    "BEGIN DECLARE n DOUBLE DEFAULT RAND(); RETURN n; END",
		"loops":   "BEGIN RETURN loops(p); END",
		"mode":    "BEGIN SET sql_mode = ''; RETURN 1; END",
		"open":    "BEGIN RETURN 1; END; SELECT 1",
		"rest":    "BEGIN RETURN 1",
		"strung":  "BEGIN DECLARE s TEXT; DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s; LOOP FETCH GROUP NEXT ROW; SET s = CONCAT(s, p); END LOOP; END",
	} {
		cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: name, Body: body, Parameters: in, Returns: "int(11)"})
	}
	for name, body := range map[string]string{
		"items_of": "BEGIN DECLARE done INT DEFAULT 0; DECLARE EXIT HANDLER FOR SQLEXCEPTION, SQLSTATE '45000', 1062 BEGIN ROLLBACK; RESIGNAL; END; " +
			"IF p < 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END IF; SELECT id, title FROM products WHERE stock > p ORDER BY id LIMIT p; END",
		"customer": "BEGIN SELECT id, ssn FROM customers WHERE id = p; END",
		"two":      "BEGIN SELECT id FROM products; SELECT ssn FROM customers; END",
		"outer_":   "BEGIN CALL customer(p); END",
		"walk": "BEGIN DECLARE v VARCHAR(80); DECLARE done INT DEFAULT 0; DECLARE c CURSOR FOR SELECT email FROM customers ORDER BY id; " +
			"DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; OPEN c; l: LOOP FETCH c INTO v; IF done THEN LEAVE l; END IF; " +
			"INSERT INTO scratch (k) VALUES (v); END LOOP; CLOSE c; END",
		"restock": "BEGIN START TRANSACTION; UPDATE products SET stock = stock + p WHERE id = p; COMMIT; REPEAT SET p = p - 1; UNTIL p < 0 END REPEAT; END",
		"dynamic": "BEGIN PREPARE s FROM @q; EXECUTE s; END",
		"back":    "BEGIN DELETE FROM scratch RETURNING v; END",
		"file":    "BEGIN SELECT 1 INTO OUTFILE 'x'; END",
		"drops":   "BEGIN DROP TABLE products; END",
	} {
		cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: name, Procedure: true, Body: body, Parameters: in})
	}
	cat.Relation("shop", "products").Triggers = []Trigger{
		{Name: "a", Event: "UPDATE", Timing: "BEFORE", Body: "BEGIN IF NEW.stock < 0 THEN SET NEW.stock = 0, new.title = UPPER(NEW.title); END IF; END"},
		{Name: "b", Event: "INSERT", Timing: "AFTER", Body: "INSERT INTO scratch (k, v) VALUES (NEW.id, CONCAT('new ', NEW.title))"},
		{Name: "c", Event: "DELETE", Timing: "AFTER", Body: "INSERT INTO scratch (k, v) SELECT OLD.id, email FROM customers WHERE id = OLD.id"},
	}
	cat.Relation("hr", "contacts").Triggers = []Trigger{{Name: "d", Event: "INSERT", Timing: "BEFORE", Body: "BEGIN SELEC; END"}}
	cat.Index()
	return cat
}

func TestBodies(t *testing.T) {
	cat := bodyCatalog()
	for _, c := range []struct{ sql, want, output, uses string }{
		{"SELECT thrice(stock) AS n FROM products", "read SELECT", "n<products.stock", "products.stock:derived,filter"},
		{"SELECT tier(3) AS n", "read SELECT", "n<", ""},
		{"SELECT faculty(5) AS n", "read SELECT", "n<", ""},
		{"SELECT sold(5) AS n", "read SELECT", "n<payments.id", "payments.id:derived,filter"},
		{"SELECT secret(7) AS n", "read SELECT m:set s", "n<customers.id,customers.ssn", "customers.id:derived,filter,order customers.ssn:derived,order,write"},
		{"SELECT rich(7) AS n", "read SELECT", "n<customers.credit", "customers.credit:derived,filter"},
		{"SELECT noted(stock) AS n FROM products", "", "", "products.stock:derived,filter,write"},
		{"CALL items_of(3)", "call CALL", "id=products.id title=products.title", "products.stock:filter"},
		{"CALL customer(7)", "call CALL", "id=customers.id ssn=customers.ssn", "customers.ssn:output"},
		{"CALL two()", "call CALL", "", "customers.ssn:derived,filter,order"},
		{"CALL outer_(7)", "call CALL", "", "customers.ssn:derived"},
		{"CALL walk(1)", "call CALL w:insert shop.scratch m:set a cursor", "", "customers.email:write"},
		{"CALL restock(3)", "", "", "products.stock:derived,filter,join,write,assign"},
		{"UPDATE products SET price = 3 WHERE id = 4", "write UPDATE w:update shop.products m:set new.title", "", "products.stock:derived,filter,join,write,assign"},
		{"INSERT INTO products VALUES (1, 'a', 'b', 2, 3)", "write INSERT w:insert shop.products w:insert shop.scratch", "", ""},
		{"DELETE FROM products WHERE id = 4", "write DELETE w:delete shop.products w:insert shop.scratch m:insert shop.scratch", "", "customers.email:write"},
		{"BEGIN NOT ATOMIC DECLARE x INT DEFAULT 1; SET x = (SELECT MAX(credit) FROM customers); SELECT x; END;", "read BEGIN+SELECT m:set x", "",
			"customers.credit:order,aggregate,write"},
		{"IF (SELECT COUNT(*) FROM customers WHERE ssn LIKE '1%') > 3 THEN DO SLEEP(1); END IF", "read IF+DO", "", "customers.ssn:filter"},
		{"CALL back(1)", "call CALL w:delete shop.scratch", "", "scratch.v:output,derived"},
		{"BEGIN NOT ATOMIC EXECUTE IMMEDIATE 'SELECT ssn FROM customers'; END", "read BEGIN+EXECUTE IMMEDIATE+SELECT", "", "customers.ssn:output,derived"},
		{"BEGIN NOT ATOMIC l: FOR r IN (SELECT ssn AS s FROM customers ORDER BY id) DO IF r.s > '3' THEN LEAVE l; END IF; END FOR; END", "session BEGIN m:set a cursor", "", "customers.ssn:write"},
		{"BEGIN NOT ATOMIC DECLARE c CURSOR FOR SELECT id, title FROM products ORDER BY id; FOR r IN c DO INSERT INTO scratch (k) VALUES (r.title); END FOR; END", "write BEGIN+INSERT w:insert shop.scratch m:set a cursor", "", "products.title:write"},
		{"BEGIN NOT ATOMIC UPDATE products SET stock = 1 WHERE id = 3; COMMIT; END", "write BEGIN+UPDATE+COMMIT w:update shop.products m:set new.title", "", ""},
	} {
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(c.sql, cat, lineageState()).Statements[0]
		if !s.Complete || c.want != "" && (told(s) != c.want || outputOf(&s.Facts) != c.output) || !containsWords(usesOf(&s.Facts), c.uses) {
			t.Errorf("%s: %q %q %q, want %q %q %q (%s)", c.sql, told(s), outputOf(&s.Facts), usesOf(&s.Facts), c.want, c.output, c.uses, reasonsOf(&s.Facts))
		}
	}
	for _, sql := range []string{"SELECT dice(1)", "SELECT loops(1)", "SELECT mode(1)", "SELECT open(1)", "SELECT rest(1)", "CALL dynamic(1)",
		"CALL file(1)", "CALL drops(1)", "INSERT INTO hr.contacts VALUES (1, 'a')", "UPDATE customers SET note = 'x' WHERE id = 1",
		"BEGIN NOT ATOMIC SELECT 1; END; SELECT ssn FROM customers", "BEGIN NOT ATOMIC SELECT 1;", "BEGIN NOT ATOMIC SELECT 1; END; END",
		"BEGIN NOT ATOMIC EXECUTE IMMEDIATE @q; END", "BEGIN NOT ATOMIC PREPARE s FROM 'SELECT 1'; END",
		"BEGIN NOT ATOMIC FOR i IN 1..2 DO SELECT i; END FOR; END", "BEGIN NOT ATOMIC FOR i IN nowhere DO SELECT 1; END FOR; END", "SELECT strung(id) FROM products",
		"BEGIN NOT ATOMIC SELECT nothing FROM products; END",
		"BEGIN NOT ATOMIC SET SESSION sql_mode = 'ANSI_QUOTES'; END", "BEGIN NOT ATOMIC DECLARE sql_mode INT; SET @@sql_mode = ''; END"} {
		if s := NewAnalyzer(Options{}).Analyze(sql, cat, lineageState()).Statements[0]; s.Complete {
			t.Errorf("%s is taken for complete: %s", sql, told(&s))
		}
	}
}

func containsWords(text, words string) bool {
	for _, w := range strings.Fields(words) {
		if !strings.Contains(" "+text+" ", " "+w) {
			return false
		}
	}
	return true
}

// Facts of a body are those of the catalog: what one session hides with a
// temporary table, or does not know, is no other's.
func TestBodiesAreRemembered(t *testing.T) {
	cat, an := bodyCatalog(), NewAnalyzer(Options{CacheEntries: -1})
	stale, hides := lineageState(), lineageState()
	stale.Stale = true
	hides.Temp = map[TableName]*Relation{{"shop", "products"}: {ID: FirstTemporary + 1, Schema: "shop", Name: "products", Temporary: true}}
	for i, c := range []struct {
		st *State
		ok bool
	}{{stale, false}, {lineageState(), true}, {hides, false}, {lineageState(), true}} {
		if s := an.Analyze("CALL items_of(3)", cat, c.st).Statements[0]; s.Complete != c.ok {
			t.Errorf("call %d: complete %v (%s)", i, s.Complete, reasonsOf(&s.Facts))
		}
	}
	if s := an.Analyze("SELECT thrice(3)", cat, hides).Statements[0]; !s.Complete {
		t.Errorf("a temporary table hides nothing from a body that names no table: %s", reasonsOf(&s.Facts))
	}
}

// FuzzBody holds that any body is followed or refused without a panic.
func FuzzBody(f *testing.F) {
	cat := bodyCatalog()
	for _, r := range cat.Routines {
		f.Add(r.Body)
	}
	for _, s := range []string{"BEGIN DECLARE EXIT HANDLER FOR NOT FOUND, 1, 'x' BEGIN END; END", "CASE 1 WHEN 2 THEN BEGIN END; END CASE",
		"x: LOOP LEAVE x; END LOOP x", "REPEAT SET a=1; UNTIL a END REPEAT", "SET NEW.title = 'x', @a = 1, x = 2", "BEGIN END", "IF 1 THEN"} {
		f.Add(s)
	}
	an := NewAnalyzer(Options{CacheEntries: -1})
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 2000 {
			return
		}
		cat := lineageCatalog()
		cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: "x", Body: sql}, &Routine{Schema: "shop", Name: "y", Procedure: true, Body: sql})
		cat.Relation("shop", "products").Triggers = []Trigger{{Name: "t", Event: "UPDATE", Timing: "BEFORE", Body: sql}}
		cat.Index()
		for _, s := range []string{"SELECT x()", "CALL y()", "UPDATE products SET title = 1", "BEGIN NOT ATOMIC " + sql + "; END", sql} {
			if a := an.Analyze(s, cat, lineageState()); a.Err != nil && a.Err.Number == errInternal {
				t.Fatalf("%q: %v", s, a.Err)
			}
		}
	})
}
