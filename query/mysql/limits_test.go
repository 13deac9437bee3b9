package mysql

import "testing"

// TestLimits holds docs/limits.md to what it says is refused for restricted
// people, and what is not.
func TestLimits(t *testing.T) {
	for _, sql := range []string{
		"HANDLER products OPEN", "HANDLER products READ FIRST", "SELECT id FROM products PROCEDURE ANALYSE()",
		"SELECT id FROM products INTO OUTFILE 'x'", "SELECT id FROM products INTO DUMPFILE 'x'", "LOAD DATA INFILE 'x' INTO TABLE scratch",
		"LOAD XML INFILE 'x' INTO TABLE scratch", "CREATE TABLE x (id INT) DATA DIRECTORY = '/x'", "SET sql_mode = ORACLE", "SET NAMES gbk", "SET NAMES sjis",
		"SET character_set_client = big5", "CREATE PROCEDURE p() BEGIN PREPARE s FROM 'SELECT 1'; EXECUTE s; END",
		"CREATE AGGREGATE FUNCTION f(x INT) RETURNS INT BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN 1; LOOP FETCH GROUP NEXT ROW; END LOOP; END",
		"CREATE PACKAGE p AS FUNCTION f() RETURN INT; END", "ALTER PROCEDURE p COMMENT 'x'", "ALTER FUNCTION f COMMENT 'x'",
		"CREATE TABLE x (id INT) ENGINE = MERGE UNION = (products)", "CREATE TABLE x (id INT) ENGINE = SPIDER", "SHOW PROCESSLIST", "SHOW FULL PROCESSLIST",
		"SHOW STATUS", "SHOW GLOBAL STATUS LIKE 'Handler%'", "SHOW ENGINE INNODB STATUS", "SET max_sort_length = 64", "KILL USER x; HANDLER t READ NEXT",
	} {
		a := NewAnalyzer(Options{CacheEntries: -1}).Analyze(sql, lineageCatalog(), lineageState())
		complete := true
		for i := range a.Statements {
			complete = complete && a.Statements[i].Complete
		}
		if complete {
			t.Errorf("%s is not refused", sql)
		}
	}
	for _, sql := range []string{
		"LOAD DATA LOCAL INFILE 'x' INTO TABLE scratch", "LOAD XML LOCAL INFILE 'x' INTO TABLE scratch", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM scratch",
		"SHOW STATUS LIKE 'Uptime'", "SHOW SESSION STATUS LIKE 'Ssl_cipher'", "SHOW ENGINES", "SET sql_mode = 'ANSI'", "SET NAMES utf8mb4", "SET NAMES latin1",
		"EXECUTE IMMEDIATE 'SELECT 1'", "DROP PROCEDURE p", "CREATE TABLE x (id INT) ENGINE = Aria",
	} {
		a := NewAnalyzer(Options{CacheEntries: -1}).Analyze(sql, lineageCatalog(), lineageState())
		for i := range a.Statements {
			if !a.Statements[i].Complete {
				t.Errorf("%s is refused: %s", sql, reasonsOf(&a.Statements[i].Facts))
			}
		}
	}
}
