package mysql

import (
	"regexp"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// ordersBy lists the columns whose order shows.
func ordersBy(f *query.Facts) string {
	var out []string
	for _, t := range f.Tables {
		for _, c := range t.Columns {
			if c.Uses&query.UseOrder != 0 {
				out = append(out, t.Name+"."+c.Name)
			}
		}
	}
	return strings.Join(out, " ")
}

// Whatever tells in which order rows were read depends on every index by which
// they may be read.
func TestScanOrder(t *testing.T) {
	cat := lineageCatalog()
	raises := tableOf("hr.raises", "id int(11)!; step varchar(12)!; sum int(11)!; note varchar(99)", "*PRIMARY(id) by_sum(sum,step)")
	cat.Relations = append(cat.Relations, raises)
	cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: "strung", Returns: "text", Parameters: []Parameter{{Name: "x", Mode: "IN", Type: "int(11)"}},
		Body: "BEGIN DECLARE s TEXT DEFAULT ''; DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s; LOOP FETCH GROUP NEXT ROW; SET s = CONCAT(s, x); END LOOP; END"})
	cat.Index()
	const secret = "customers.ssn"
	for _, c := range []struct {
		sql    string
		orders bool
	}{
		{"SELECT COUNT(*), MIN(id), SUM(id) FROM customers", false},
		{"SELECT MIN(IF(id = 3, 'a', 'A')) FROM customers", true},
		{"SELECT MAX(IF(id = 3, -0e0, 0e0)) FROM customers", true},
		{"SELECT COUNT(*) FROM customers WHERE id > 3 AND id <> 5", false},
		{"SELECT COUNT(*) FROM customers WHERE id > '3' OR NOT (id IN (1, '2'))", true},
		{"SELECT COUNT(*) FROM customers WHERE id > 3 OR NOT (id IN (1, 2))", false},
		{"SELECT COUNT(*) FROM customers WHERE id > ?", true},
		{"SELECT COUNT(*) FROM customers WHERE CASE id WHEN 3 THEN id = 'abc' WHEN 4 THEN id = 'xyz' END", true},
		{"SELECT COUNT(*) FROM customers WHERE CASE id WHEN 3 THEN DATE('abc') WHEN 4 THEN DATE('xyz') END", true},
		{"SELECT COUNT(CASE id WHEN 3 THEN LPAD('a', 99999999, 'b') WHEN 4 THEN RPAD('a', 99999999, 'b') END) FROM customers", true},
		{"SELECT COUNT(CASE id WHEN 3 THEN CONCAT(@big, @big) END) FROM customers", true},
		{"SELECT COUNT(CASE id WHEN 3 THEN CAST('abcd' AS CHAR(2)) END), COUNT(CAST(id AS CHAR)) FROM customers", true},
		{"SELECT COUNT(LEFT('abc', 'x')) FROM customers", true},
		{"SELECT COUNT(EXTRACT(YEAR FROM 'x')) FROM customers", true},
		{"SELECT COUNT(UPPER(id)), COUNT(CONCAT(id, '-')), COUNT(LEFT(id, 2)), COUNT(CAST(id AS CHAR)) FROM customers", false},
		{"SELECT COUNT(*) FROM customers WHERE id AND NOT id", false},
		{"SELECT COUNT(*) FROM customers c JOIN scratch s ON s.id = c.id WHERE s.k", true},
		{"SELECT COUNT(*) FROM customers WHERE CAST(CONCAT('x', id) AS SIGNED) = 0", true},
		{"SELECT COUNT(*) FROM customers WHERE CASE id WHEN 3 THEN EXP(1000) WHEN 4 THEN (SELECT 1 UNION ALL SELECT id) END", true},
		{"SELECT COUNT(id + 1), COUNT(id * 2) FROM customers", false},
		{"SELECT COUNT(id * 9223372036854775807) FROM customers", true},
		{"SELECT SUM(id / 3) FROM customers", true}, // of what division gives, the order counts
		{"SELECT COUNT(id / 3) FROM customers", false},
		{"SELECT COUNT(1 / id) FROM customers", true},
		{"SELECT CONCAT(id, '-') FROM customers ORDER BY id", false},
		{"SELECT EXP(id) FROM customers ORDER BY id", true},
		{"SELECT EXP(id) FROM customers WHERE id = 3", false},
		{"SELECT EXP(id) FROM customers IGNORE INDEX (PRIMARY) WHERE id = 3", true},
		{"SELECT id FROM customers WHERE NOW() - INTERVAL 1 DAY > '2020-01-01' ORDER BY id", false},
		{"SELECT DISTINCT id FROM customers ORDER BY id", false},
		{"SELECT DISTINCT id % 9 FROM customers ORDER BY id", true},
		{"SELECT id FROM (SELECT DISTINCT id FROM customers) x ORDER BY id LIMIT ROWS EXAMINED 9", true},
		{"SELECT id, UUID_SHORT() FROM customers ORDER BY id", true},
		{"SELECT id, SYSDATE(6) FROM customers ORDER BY id", true},
		{"SELECT id, NOW() FROM customers ORDER BY id", false},
		{"SELECT id, RAND() FROM customers ORDER BY id", true},
		{"SELECT SUM(CASE id WHEN 1 THEN GET_LOCK('x', 0) WHEN 2 THEN RELEASE_LOCK('x') END) FROM customers", true},
		{"SELECT s.k FROM customers c STRAIGHT_JOIN scratch s ON s.id = c.id WHERE s.k = 'x'", false},
		{"SELECT s.k FROM customers c STRAIGHT_JOIN scratch s ON s.id = c.id WHERE s.k = 0", true},
		{"SELECT s.k FROM customers c STRAIGHT_JOIN scratch s ON s.id = c.id WHERE s.k = ?", true},
		{"SELECT s.k FROM customers c STRAIGHT_JOIN scratch s ON s.id = c.id ORDER BY s.k", false},
		{"SELECT s.k COLLATE utf8mb4_bin AS x FROM customers c STRAIGHT_JOIN scratch s ON s.id = c.id ORDER BY 1", true},
		{"SELECT strung(id) FROM customers ORDER BY 1", true},
		{"UPDATE scratch s, customers c SET s.n = c.id WHERE s.id = 1", true},
		{"UPDATE scratch s JOIN customers c ON c.id = s.id SET s.n = 1", false},
		{"UPDATE scratch s JOIN customers c ON c.id = s.id SET s.k = CONCAT('k', s.id + 1)", true},
		{"UPDATE scratch s JOIN customers c ON c.id = s.id SET s.n = EXP(c.id)", true},
		{"DELETE s FROM scratch s JOIN customers c ON c.id = s.id", false},
		{"DELETE s FROM scratch s JOIN customers c ON c.id = s.id WHERE EXP(c.id) > 3", true},
		{"UPDATE customers SET note = 'x' WHERE id = ? LIMIT 1", false},
	} {
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(c.sql, cat, lineageState()).Statements[0]
		if got := strings.Contains(ordersBy(&s.Facts), secret); got != c.orders {
			t.Errorf("%s: ordered by %q", c.sql, ordersBy(&s.Facts))
		}
	}
	for sql, want := range map[string]string{
		"SELECT step, sum FROM hr.raises": "raises.id raises.step raises.sum",
		"SELECT sum FROM hr.raises":       "raises.id",
		"SELECT sum, note FROM hr.raises": "raises.id",
	} {
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(sql, cat, lineageState()).Statements[0]
		if got := ordersBy(&s.Facts); got != want {
			t.Errorf("%s: ordered by %q, want %q", sql, got, want)
		}
	}
}

// A window without keys has its rows in the order of the first column.
func TestKeylessWindows(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT ssn, id, COUNT(*) OVER () FROM customers":                                            true,
		"SELECT id, ssn, COUNT(*) OVER () FROM customers":                                            false,
		"SELECT *, COUNT(*) OVER () FROM customers":                                                  false,
		"SELECT 1, NOW(), ssn, ROW_NUMBER() OVER w FROM customers WINDOW w AS ()":                    true,
		"SELECT COUNT(*) OVER (ROWS UNBOUNDED PRECEDING) c, ssn FROM customers":                      true,
		"SELECT ssn, id, COUNT(*) OVER (ORDER BY id) FROM customers ORDER BY id":                     false,
		"SELECT ssn, id FROM customers ORDER BY ROW_NUMBER() OVER ()":                                true,
		"SELECT s.k, c.ssn, COUNT(*) OVER () FROM scratch s JOIN customers c ON c.id = s.id":         true,
		"SELECT s.k, c.id, c.ssn, COUNT(*) OVER () FROM scratch s JOIN customers c ON c.id = s.id":   false,
		"SELECT ssn, n FROM (SELECT ssn, COUNT(*) OVER () AS n FROM customers) x ORDER BY n":         true,
		"SELECT ssn, id, ROW_NUMBER() OVER (w2) FROM customers WINDOW w AS (ORDER BY id), w2 AS (w)": false,
		"SELECT addr, cid, COUNT(*) OVER () FROM v_contact":                                          false, // of another column
	} {
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(sql, lineageCatalog(), lineageState()).Statements[0]
		if got := regexp.MustCompile(`customers\.ssn:[a-z,]*window`).MatchString(usesOf(&s.Facts)); got != want || !s.Complete {
			t.Errorf("%s: %s (%s)", sql, usesOf(&s.Facts), reasonsOf(&s.Facts))
		}
	}
}

// A table that shows others, or what the server keeps to itself, is not made.
func TestTablesThatShowOthers(t *testing.T) {
	for sql, gap := range map[string]bool{
		"CREATE TABLE x (id INT) ENGINE=InnoDB":                                    false,
		"CREATE TABLE x (id INT) ENGINE=Aria":                                      false,
		"CREATE TABLE x (id INT) ENGINE=MERGE UNION=(products)":                    true,
		"CREATE TABLE x (id INT) UNION=(products)":                                 true,
		"ALTER TABLE scratch UNION=(products)":                                     true,
		"ALTER TABLE scratch ENGINE=FEDERATED CONNECTION='mysql://a@b/c/d'":        true,
		"CREATE TABLE x (id INT) ENGINE=CONNECT":                                   true,
		"CREATE TABLE x ENGINE=SPIDER COMMENT='table \"t\"' SELECT 1 AS a":         true,
		"CREATE TABLE x (id INT) DATA DIRECTORY='/tmp'":                            true,
		"ALTER TABLE scratch IMPORT TABLESPACE":                                    true,
		"RENAME TABLE mysql.column_stats TO shop.x":                                true,
		"RENAME TABLE scratch TO mysql.x":                                          true,
		"ALTER TABLE mysql.column_stats RENAME TO shop.x":                          true,
		"ALTER TABLE scratch RENAME TO scratch2":                                   false,
		"ALTER TABLE payments EXCHANGE PARTITION p WITH TABLE mysql.x":             true,
		"CREATE TABLE x (id INT) PARTITION BY HASH (id) PARTITIONS 2":              false,
		"SET default_storage_engine = MERGE":                                       true,
		"SET default_storage_engine = InnoDB, default_tmp_storage_engine = 'Aria'": false,
		"SET max_sort_length = 64":                                                 true,
		"SET max_sort_length = 2048":                                               false,
		"SET max_sort_length = DEFAULT":                                            false,
	} {
		s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze(sql, lineageCatalog(), lineageState()).Statements[0]
		if got := !s.Complete; got != gap {
			t.Errorf("%s: gaps %s", sql, reasonsOf(&s.Facts))
		}
	}
	s := &NewAnalyzer(Options{CacheEntries: -1}).Analyze("ALTER TABLE payments EXCHANGE PARTITION p WITH TABLE customers", lineageCatalog(), lineageState()).Statements[0]
	if !strings.Contains(usesOf(&s.Facts), "customers.ssn:write") {
		t.Errorf("EXCHANGE PARTITION: %s", usesOf(&s.Facts))
	}
}
