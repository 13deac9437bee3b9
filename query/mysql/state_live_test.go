package mysql

import (
	"strings"
	"testing"
)

// What Apply predicts is what a server says afterwards.
func TestLiveState(t *testing.T) {
	conn, err := dial(t.Context(), liveServer(t, schemaStatements(t)...))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cat, err := Load(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := func(sql string) string {
		var out []string
		if err := conn.Query(t.Context(), sql, func(cells [][]byte) error {
			for _, c := range cells {
				out = append(out, string(c))
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return strings.Join(out, " ")
	}
	an, st := NewAnalyzer(Options{}), &State{ClientCharset: "utf8mb4", ConnectionCharset: "utf8mb4", ResultsCharset: "utf8mb4"}
	for _, sql := range []string{"SET sql_mode = ''", "USE shop", "SET NAMES latin1", "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'", "SET sql_mode = 'ansi'",
		"SET sql_mode = DEFAULT, sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'", "SET SESSION sql_mode := ''", "/*!50000 USE hr */",
		"SET @@session.`character_set_results` = NULL", "SET collation_connection = latin1_swedish_ci", "SET CHARACTER SET utf8mb4, @x = 1", "SET @@sql_mode = PIPES_AS_CONCAT",
		"SET @a = 'x', @`b c` = 5, @A = 'y'", "SELECT 1 INTO @a", "SET STATEMENT max_statement_time = 1 FOR SET sql_mode = 'ANSI_QUOTES'", "USE `shop`",
		"SET sql_mode = ''", "CREATE TEMPORARY TABLE products (a INT UNSIGNED, b JSON, c ENUM('x', 'y'), d DATETIME(3), e VARBINARY(5))",
		"CREATE TEMPORARY TABLE hr.t LIKE customers", "CREATE TEMPORARY TABLE u AS SELECT id, ssn AS s FROM customers", "DROP TABLE products, u"} {
		a := an.Analyze(sql, cat, st)
		if len(a.Statements) != 1 || !a.Statements[0].Complete {
			t.Fatalf("%s: %s", sql, reasonsOf(&a.Statements[0].Facts))
		}
		one(sql)
		st = st.clone()
		st.Apply(cat, &a.Statements[0])
		says := one("SELECT @@character_set_client, IFNULL(@@character_set_results, ''), IFNULL(DATABASE(), '')")
		if mine := st.ClientCharset + " " + st.ResultsCharset + " " + st.Database; mine != says {
			t.Errorf("%s: %q, the server says %q", sql, mine, says)
		}
		if c := one("SELECT @@character_set_connection"); st.ConnectionCharset != c && st.ConnectionCharset != unknownCharset {
			t.Errorf("%s: connection %q, the server says %q", sql, st.ConnectionCharset, c)
		}
		if m := ParseSQLMode(one("SELECT @@sql_mode")); st.SQLMode != m {
			t.Errorf("%s: sql_mode %x, the server says %x", sql, st.SQLMode, m)
		}
		for name, value := range st.Variables {
			if says := one("SELECT @`" + name + "`"); says != value {
				t.Errorf("%s: @%s is %q, the server says %q", sql, name, value, says)
			}
		}
		for _, rel := range st.Temp {
			mine := ""
			for i := range rel.Columns {
				mine += rel.Columns[i].Name + ":" + rel.Columns[i].Type.String() + " "
			}
			says := ""
			if err := conn.Query(t.Context(), "SHOW COLUMNS FROM `"+rel.Schema+"`.`"+rel.Name+"`", func(cells [][]byte) error {
				says += string(cells[0]) + ":" + strings.Replace(ParseType(string(cells[1])).String(), "text", "json", 1) + " "
				return nil
			}); err != nil {
				t.Errorf("%s: %s: %v", sql, rel.Name, err)
			}
			if mine != says {
				t.Errorf("%s: %s is %q, the server says %q", sql, rel.Name, mine, says)
			}
		}
	}
	if len(st.Temp) != 1 {
		t.Errorf("%d temporary tables are left", len(st.Temp))
	}
}
