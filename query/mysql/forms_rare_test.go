package mysql

import (
	"strings"
	"testing"
)

// Forms that the grammar does not read have the lineage of those that it reads.
func TestRareForms(t *testing.T) {
	for _, c := range []struct{ sql, output, uses string }{
		{"SELECT jt.* FROM JSON_TABLE('[1,2]', '$[*]' COLUMNS (a INT PATH '$')) AS jt", "a<", ""},
		{"SELECT c.id, jt.*, y FROM customers c, JSON_TABLE(c.note, '$[*]' COLUMNS (o FOR ORDINALITY, x VARCHAR(20) PATH '$.x' DEFAULT '0' ON EMPTY NULL ON ERROR, " +
			"NESTED PATH '$.k[*]' COLUMNS (y INT EXISTS PATH '$.y'))) jt", "id=customers.id o<customers.note x<customers.note y<customers.note y<customers.note",
			"customers.note:derived,filter,join"},
		{"SELECT (SELECT COUNT(*) FROM JSON_TABLE(p.title, '$[*]' COLUMNS (a INT PATH '$')) j) AS n FROM products p", "n<", "products.title:derived,filter,join"},
		{"SELECT a FROM JSON_TABLE((SELECT ssn FROM customers LIMIT 1), '$' COLUMNS (a INT PATH '$')) j", "a<customers.ssn", "customers.ssn:derived,filter,order"},
		{"SELECT p.id, l.x FROM products p JOIN LATERAL (SELECT p.title AS x) l ON TRUE", "id=products.id x=products.title", "products.title:output"},
		{"SELECT l.x FROM products p, LATERAL (SELECT c.email AS x FROM contacts c WHERE c.id = p.stock UNION SELECT p.title) l", "x=products.title,contacts.email",
			"products.stock:filter,join"},
		{"SELECT id FROM products LIMIT 5 ROWS EXAMINED 10", "id=products.id", ""},
		{"SELECT id FROM products LIMIT ROWS EXAMINED 10", "id=products.id", ""},
		{"SELECT id FROM products LOCK IN SHARE MODE NOWAIT", "id=products.id", ""},
		{"SELECT id FROM products LOCK IN SHARE MODE SKIP LOCKED", "id=products.id", ""},
		{"SELECT SUM(price) OVER (ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES) s FROM products", "s<products.id,products.price", ""},
		{"WITH RECURSIVE t AS (SELECT id FROM products UNION ALL SELECT id+1 FROM t WHERE id < 5) CYCLE id RESTRICT SELECT * FROM t", "id<products.id",
			"products.id:derived,filter,distinct,order"},
		{"SELECT PREVIOUS VALUE FOR seq AS n", "n<", ""},
		{"SELECT SETVAL(shop.seq, 5, 1, 0) AS n", "n<", ""},
		{"UPDATE products FOR PORTION OF p FROM '2000-01-01' TO '2001-01-01' SET title='x'", "", "products.title:filter,write,assign"},
		{"DELETE FROM products FOR PORTION OF p FROM '2000-01-01' TO '2001-01-01' WHERE id=1", "", "products.id:filter"},
		{"SELECT LAST_VALUE(1, id) AS n FROM products", "n<products.id", ""},
		{"SELECT COLUMN_GET(note, 'a' AS CHAR(3)) a, COLUMN_CREATE('a', ssn AS CHAR) b FROM customers", "a<customers.note b<customers.ssn", ""},
		{"SELECT JSON_VALUE(note, '$.a' RETURNING DECIMAL(4,2) DEFAULT 0 ON EMPTY) AS a FROM customers", "a<customers.note", ""},
	} {
		s := analyzeOne(t, c.sql)
		if !s.Complete || outputOf(&s.Facts) != c.output || !strings.Contains(usesOf(&s.Facts), c.uses) {
			t.Errorf("%s: %q %q, want %q %q (%s)", c.sql, outputOf(&s.Facts), usesOf(&s.Facts), c.output, c.uses, reasonsOf(&s.Facts))
		}
	}
	for _, sql := range []string{
		"SELECT p.id FROM products p, (SELECT p.title AS x) l", // nothing lateral about it
		"SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a INT PATH '$' DEFAULT ? ON EMPTY)) j",
		"SELECT * FROM JSON_TABLE(nowhere, '$' COLUMNS (a INT PATH '$')) j",
		"SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a INT)) j",
		"SELECT JSON_VALUE(note, '$' DEFAULT (SELECT ssn FROM customers) ON EMPTY) FROM customers",
	} {
		if s := analyzeOne(t, sql); s.Complete {
			t.Errorf("%s is taken for complete", sql)
		}
	}
}

// FuzzForms holds that what forms make of a text is analysed without a panic.
func FuzzForms(f *testing.F) {
	for _, s := range []string{"SELECT * FROM JSON_TABLE(a, '$' COLUMNS (a FOR ORDINALITY, NESTED '$' COLUMNS (b INT EXISTS PATH '$'))) j",
		"SELECT * FROM products p, LATERAL ((SELECT DISTINCT p.id) UNION SELECT 1) l", "SELECT SETVAL(a.b,(1),2)", "SELECT COLUMN_GET(a,'b' AS CHAR(3))",
		"SELECT JSON_VALUE(a,'$' NULL ON EMPTY)", "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT 2) CYCLE x, y RESTRICT SELECT 1",
		"DELETE FROM t FOR PORTION OF p FROM NOW() TO '1'", "SELECT PREVIOUS VALUE FOR a.b", "SELECT 1 LIMIT ROWS EXAMINED 1"} {
		f.Add(s)
	}
	an, cat := NewAnalyzer(Options{CacheEntries: -1}), lineageCatalog()
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 2000 {
			return
		}
		if a := an.Analyze(sql, cat, lineageState()); a.Err != nil && a.Err.Number == errInternal {
			t.Fatalf("%q: %v", sql, a.Err)
		}
	})
}
