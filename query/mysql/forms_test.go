package mysql

import "testing"

func TestForms(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"SELECT 1", "SELECT 1"},
		{"VALUES (1,'a'), (2,(3))", "VALUES ROW (1,'a'), ROW (2,(3))"},
		{"SELECT * FROM (VALUES (1),(2)) v", "SELECT * FROM (VALUES ROW (1),ROW (2)) v"},
		{"SELECT 1 UNION ALL VALUES (1)", "SELECT 1 UNION ALL VALUES ROW (1)"},
		{"INSERT INTO t VALUES (1), (2)", "INSERT INTO t VALUES (1), (2)"},
		{"INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = (VALUES(a) + 1)", "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = (VALUES(a) + 1)"},
		{"SELECT MATCH (a,b) AGAINST ('x' IN BOOLEAN MODE) > 0 FROM t", "SELECT ( MATCH (a,b) AGAINST ('x' IN BOOLEAN MODE)) > 0 FROM t"},
		{"SELECT JSON_ARRAYAGG(a ORDER BY b LIMIT 3), JSON_ARRAYAGG(a)", "SELECT GROUP_CONCAT(a ORDER BY b ), JSON_ARRAYAGG(a)"},
		{"SELECT GROUP_CONCAT(DISTINCT a ORDER BY b SEPARATOR ',' LIMIT 2, 3)", "SELECT GROUP_CONCAT(DISTINCT a ORDER BY b SEPARATOR ',' )"},
		{"SELECT GROUP_CONCAT(a LIMIT ?)", "SELECT GROUP_CONCAT(a LIMIT ?)"},
		{"SELECT CAST(CAST(a AS CHAR) AS UUID), CAST(b AS INT), CAST(c AS VARCHAR(9))", "SELECT CAST(CAST(a AS CHAR) AS CHAR), CAST(b AS SIGNED), CAST(c AS CHAR(9))"},
		{"SELECT CAST(MATCH (a) AGAINST ('x') AS INT)", "SELECT CAST(( MATCH (a) AGAINST ('x')) AS SIGNED)"},
	} {
		rd := &reader{sql: c.in, server: &Server{MariaDB: true, Version: 101119}}
		text, terr := rd.next(lineageState())
		if terr != nil {
			t.Fatal(terr)
		}
		text.print(0, len(text.tokens), nil)
		if text.sql != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, text.sql, c.want)
		}
		if _, terr := parse(text.sql, 0); terr != nil && c.in != "SELECT GROUP_CONCAT(a LIMIT ?)" {
			t.Errorf("%s: %v", text.sql, terr)
		}
	}
}
