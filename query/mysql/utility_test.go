package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// told is a statement in one line: class, kind, effects, places, then whether
// it was understood.
func told(s *Statement) string {
	var parts []string
	parts = append(parts, string(s.Class), strings.Join(s.Verbs, "+"))
	for _, w := range s.Writes {
		parts = append(parts, "w:"+strings.TrimSpace(w.Kind+" "+w.Object))
	}
	for _, m := range s.Moves {
		parts = append(parts, "m:"+strings.TrimSpace(m.Kind+" "+m.Object))
	}
	if !s.Complete {
		parts = append(parts, "gap")
	}
	return strings.Join(parts, " ")
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		sql, want string
		kind      Kind
	}{
		{"BEGIN", "transaction BEGIN", KindBegin},
		{"BEGIN WORK", "transaction BEGIN", KindBegin},
		{"START TRANSACTION READ ONLY", "transaction START TRANSACTION", KindBegin},
		{"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE", "transaction START TRANSACTION w:set transaction_read_only", KindBegin},
		{"COMMIT AND CHAIN", "transaction COMMIT", KindCommit},
		{"ROLLBACK", "transaction ROLLBACK", KindRollback},
		{"ROLLBACK WORK TO SAVEPOINT sp", "transaction ROLLBACK TO", KindRollbackTo},
		{"SAVEPOINT sp", "transaction SAVEPOINT", KindSavepoint},
		{"RELEASE SAVEPOINT sp", "transaction RELEASE SAVEPOINT", KindRelease},
		{"XA START 'x'", "transaction XA START w:xa START", KindXA},
		{"XA RECOVER", "transaction XA RECOVER gap", KindXA},
		{"BEGIN NOT ATOMIC SELECT 1; END", "read BEGIN+SELECT", KindPlain},
		{"IF 1 THEN SELECT 1; END IF", "read IF+SELECT", KindPlain},
		{"START SLAVE", "admin START SLAVE w:start slave gap", KindPlain},
		{"USE hr", "session USE", KindUse},
		{"USE nowhere", "session USE gap", KindUse},
		{"SET autocommit=0", "session SET", KindSet},
		{"SET @a = 1, @b := 'x'", "session SET", KindSet},
		{"SET @a=(SELECT ssn FROM customers WHERE id=7)", "session SET m:set @a", KindSet},
		{"SET sort_buffer_size = 2000000 + (SELECT salary FROM hr.employees WHERE id = 7)", "session SET m:set sort_buffer_size", KindSet},
		{"SET GLOBAL max_connections = 5", "admin SET w:set global max_connections gap", KindSet},
		{"SET @@GLOBAL.max_connections = 5, sql_mode = ''", "admin SET w:set global max_connections w:set global sql_mode gap", KindSet},
		{"SET PERSIST max_connections = 5", "admin SET w:set global max_connections gap", KindSet},
		{"SET profiling = 1", "session SET gap", KindSet},
		{"SET tx_read_only = 0", "session SET w:set transaction_read_only", KindSet},
		{"SET tx_read_only = ON", "session SET", KindSet},
		{"SET SESSION TRANSACTION READ WRITE", "transaction SET TRANSACTION w:set transaction_read_only", KindSet},
		{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY", "transaction SET TRANSACTION", KindSet},
		{"SET GLOBAL TRANSACTION READ WRITE", "admin SET TRANSACTION w:set global transaction w:set transaction_read_only gap", KindSet},
		{"SET NAMES utf8mb4 COLLATE utf8mb4_bin", "session SET", KindSet},
		{"SET NAMES gbk", "session SET gap", KindSet},
		{"SET CHARACTER SET latin1", "session SET", KindSet},
		{"SET character_set_client = 'sjis'", "session SET gap", KindSet},
		{"SET character_set_results = NULL", "session SET", KindSet},
		{"SET sql_mode = 'ORACLE'", "session SET gap", KindSet},
		{"SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')", "session SET", KindSet},
		{"SET @@SESSION.`sql_mode` := @@GLOBAL.sql_mode, @@sql_select_limit = 3", "session SET", KindSet},
		{"SET PASSWORD = PASSWORD('x')", "dcl SET PASSWORD w:set password", KindDDL},
		{"SET ROLE r", "session SET ROLE", KindSet},
		{"SET DEFAULT ROLE r", "dcl SET DEFAULT w:set default", KindDDL},
		{"SET STATEMENT max_statement_time=1 FOR SELECT 1", "read SET STATEMENT+SELECT", KindPlain},
		{"SET STATEMENT session_track_system_variables='' FOR SET sql_mode='ANSI_QUOTES'", "session SET STATEMENT+SET gap", KindSet},
		{"EXECUTE IMMEDIATE 'SELECT 1 x\u00a0FROM\u00a0customers'", "unknown EXECUTE IMMEDIATE w:unknown gap", KindExecuteImmediate},
		{"EXECUTE IMMEDIATE 'SELECT \\'é\\' AS `é`'", "read EXECUTE IMMEDIATE+SELECT", KindExecuteImmediate},
		{"SET STATEMENT sql_mode='' FOR SELECT 1", "read SET STATEMENT+SELECT gap", KindPlain},
		{"SET STATEMENT max_statement_time=1 FOR DELETE FROM scratch", "write SET STATEMENT+DELETE w:delete shop.scratch", KindPlain},
		{"PREPARE s FROM 'SELECT 1'", "session PREPARE", KindPrepare},
		{"PREPARE s FROM @q", "session PREPARE", KindPrepare},
		{"EXECUTE s", "unknown EXECUTE w:execute s gap", KindExecute},
		{"EXECUTE IMMEDIATE 'DELETE FROM scratch'", "write EXECUTE IMMEDIATE+DELETE w:delete shop.scratch", KindExecuteImmediate},
		{"EXECUTE IMMEDIATE @q", "unknown EXECUTE IMMEDIATE w:execute gap", KindExecuteImmediate},
		{"EXECUTE IMMEDIATE CONCAT('SELECT ', '1')", "unknown EXECUTE IMMEDIATE w:execute gap", KindExecuteImmediate},
		{"EXECUTE IMMEDIATE 'EXECUTE s'", "unknown EXECUTE IMMEDIATE w:unknown gap", KindExecuteImmediate},
		{"EXECUTE IMMEDIATE 'SELECT 1; SELECT 2'", "unknown EXECUTE IMMEDIATE w:unknown gap", KindExecuteImmediate},
		{"DEALLOCATE PREPARE s", "session DEALLOCATE PREPARE", KindDeallocate},
		{"DROP PREPARE s", "session DEALLOCATE PREPARE", KindDeallocate},
		{"SELECT ssn INTO @s FROM customers WHERE id = 7", "read SELECT m:set @s", KindPlain},
		{"SELECT id, ssn FROM customers WHERE id = 7 INTO @a, @b", "read SELECT m:set @a m:set @b", KindPlain},
		{"SELECT title INTO @t FROM products WHERE id = 3", "read SELECT m:set @t", KindPlain},
		{"SELECT ssn FROM customers INTO DUMPFILE 'x'", "write SELECT w:file m:set file gap", KindPlain},
		{"DO SLEEP(0)", "read DO", KindPlain},
		{"DO (SELECT ssn FROM customers LIMIT 1)", "read DO", KindPlain},
		{"DO shop.f_ssn(7)", "call DO w:function shop.f_ssn gap", KindPlain},
		{"CALL p(1)", "call CALL w:call shop.p gap", KindCall},
		{"CALL hr.p((SELECT ssn FROM customers LIMIT 1), @x)", "call CALL w:call hr.p m:call hr.p gap", KindCall},
		{"HANDLER customers OPEN AS h", "read HANDLER gap", KindHandler},
		{"HANDLER h READ FIRST", "read HANDLER gap", KindHandler},
		{"LOCK TABLES products READ, customers AS c WRITE", "write LOCK TABLES w:lock", KindLock},
		{"LOCK TABLES products READ", "session LOCK TABLES", KindLock},
		{"UNLOCK TABLES", "session UNLOCK TABLES", KindUnlock},
		{"KILL QUERY 5", "admin KILL w:kill", KindKill},
		{"LOAD DATA LOCAL INFILE 'a' INTO TABLE scratch (k, v)", "write LOAD DATA w:insert shop.scratch", KindLoadLocal},
		{"LOAD DATA INFILE 'a' INTO TABLE scratch (k, v)", "write LOAD DATA w:file w:insert shop.scratch gap", KindPlain},
		{"LOAD XML INFILE 'a' INTO TABLE scratch", "write LOAD XML w:file w:insert shop.scratch gap", KindPlain},
		{"FLUSH TABLES", "admin FLUSH TABLES w:flush tables", KindPlain},
		{"FLUSH TABLES WITH READ LOCK", "admin FLUSH TABLES w:flush tables", KindPlain},
		{"SHUTDOWN", "admin SHUTDOWN w:shutdown gap", KindShutdown},
		{"OPTIMIZE TABLE products", "admin OPTIMIZE TABLE w:optimize table", KindPlain},
		{"ANALYZE TABLE products", "admin ANALYZE TABLE w:analyze table", KindPlain},
		{"CHECKSUM TABLE products", "admin CHECKSUM TABLE", KindPlain},
		{"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @m", "session SIGNAL", KindPlain},
		{"GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT", "session GET DIAGNOSTICS", KindPlain},
		{"GRANT SELECT ON *.* TO x", "dcl GRANT w:grant", KindDDL},
		{"CREATE USER x IDENTIFIED BY 'y'", "dcl CREATE USER w:create user", KindDDL},
		{"DROP ROLE x", "dcl DROP ROLE w:drop role", KindDDL},
		{"CREATE DATABASE x", "ddl CREATE DATABASE w:create database", KindDDL},
		{"DROP SCHEMA x", "ddl DROP DATABASE w:drop database", KindDDL},
		{"CREATE TABLE n (id INT)", "ddl CREATE TABLE w:create table shop.n", KindDDL},
		{"CREATE TEMPORARY TABLE n (id INT)", "ddl CREATE TEMPORARY TABLE w:create temporary table shop.n", KindDDL},
		{"ALTER TABLE products ADD x INT", "ddl ALTER TABLE w:alter table shop.products", KindDDL},
		{"TRUNCATE products", "write TRUNCATE w:truncate shop.products", KindDDL},
		{"DROP TABLE IF EXISTS products", "ddl DROP TABLE w:drop table shop.products", KindDDL},
		{"RENAME TABLE products TO p2", "ddl RENAME TABLE w:rename table shop.products", KindDDL},
		{"CREATE UNIQUE INDEX i ON products (title)", "ddl CREATE INDEX w:create index shop.products", KindDDL},
		{"CREATE SEQUENCE s2", "ddl CREATE SEQUENCE w:create sequence", KindDDL},
		{"CREATE OR REPLACE DEFINER=`a`@`%` PROCEDURE p() SELECT 1; SELECT 2", "ddl CREATE PROCEDURE w:create procedure gap", KindDDL},
		{"CREATE TRIGGER t BEFORE INSERT ON products FOR EACH ROW SET NEW.title = 'x'", "ddl CREATE TRIGGER w:create trigger", KindDDL},
		{"EXPLAIN SELECT title FROM products", "explain EXPLAIN+SELECT", KindPlain},
		{"EXPLAIN FORMAT=JSON DELETE FROM scratch", "explain EXPLAIN+DELETE", KindPlain},
		{"EXPLAIN FOR CONNECTION 5", "explain EXPLAIN gap", KindPlain},
		{"ANALYZE SELECT title FROM products", "explain ANALYZE+SELECT", KindPlain},
		{"ANALYZE DELETE FROM scratch", "write ANALYZE+DELETE w:delete shop.scratch", KindPlain},
		{"DESCRIBE products", "session DESCRIBE", KindShow},
		{"HELP 'x'", "session HELP", KindPlain},
		{"INSERT INTO scratch (k) VALUES ('a') RETURNING id, k", "write INSERT w:insert shop.scratch", KindPlain},
		{"SELECT * FROM products PROCEDURE ANALYSE()", "unknown  w:unknown gap", KindPlain},
		{"FLY TO THE MOON", "unknown FLY w:unknown gap", KindPlain},
	} {
		s := analyzeOne(t, c.sql)
		if got := told(s); got != c.want || s.Kind != c.kind {
			t.Errorf("%s: %q kind %d, want %q kind %d (%s)", c.sql, got, s.Kind, c.want, c.kind, reasonsOf(&s.Facts))
		}
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		sql  string
		ok   bool
		uses string
	}{
		{"SHOW TABLES", true, ""},
		{"SHOW FULL TABLES FROM hr LIKE 'e%'", true, ""},
		{"SHOW FULL COLUMNS FROM `customers` FROM `shop` LIKE '%'", true, ""},
		{"SHOW COLUMNS FROM nowhere", false, ""},
		{"SHOW COLUMNS FROM products WHERE (SELECT salary FROM hr.employees WHERE id = 7) > 60000", false, ""},
		{"SHOW COLUMNS FROM products WHERE Field LIKE 't%' AND f_ssn(7) > 'x'", false, ""},
		{"SHOW COLUMNS FROM products WHERE Field IN ('id', 'title')", true, ""},
		{"SHOW VARIABLES LIKE 'x'", true, ""},
		{"SHOW SESSION VARIABLES", true, ""},
		{"SHOW CREATE VIEW v_contact", true, ""},
		{"SHOW CREATE TABLE customers", true, "customers.id:derived"},
		{"SHOW CREATE USER x", false, ""},
		{"SHOW INDEX FROM customers", true, "customers.id:derived customers.country:derived customers.ssn:derived customers.credit:derived"},
		{"SHOW KEYS FROM `products` FROM `shop`", true, "products.id:derived products.category:derived"},
		{"SHOW TABLE STATUS LIKE 'mess%'", true, "messages.id:derived messages.subject:derived messages.body:derived"},
		{"SHOW TABLE STATUS WHERE Name = 'messages'", true, "messages.id:derived messages.subject:derived messages.body:derived"},
		{"SHOW TABLE STATUS FROM hr LIKE 'contacts'", true, "hr.contacts.id:derived hr.contacts.email:derived"},
		{"SHOW STATUS LIKE 'Ssl_cipher'", true, ""},
		{"SHOW STATUS LIKE 'Ssl%'", true, ""},
		{"SHOW SESSION STATUS LIKE 'Handler_read_next'", false, ""},
		{"SHOW STATUS", false, ""},
		{"SHOW STATUS LIKE 'S%'", false, ""},
		{"SHOW PROCESSLIST", false, ""},
		{"SHOW FULL PROCESSLIST", false, ""},
		{"SHOW ENGINE INNODB STATUS", false, ""},
		{"SHOW ENGINES", true, ""},
		{"SHOW STORAGE ENGINES", true, ""},
		{"SHOW PROFILE", false, ""},
		{"SHOW PROFILES", false, ""},
		{"SHOW OPEN TABLES", false, ""},
		{"SHOW EXPLAIN FOR 5", false, ""},
		{"SHOW ANALYZE FOR 5", false, ""},
		{"SHOW BINLOG EVENTS", false, ""},
		{"SHOW MASTER STATUS", false, ""},
		{"SHOW USER_STATISTICS", false, ""},
		{"SHOW PROCEDURE STATUS", true, ""},
		{"SHOW PROCEDURE CODE p", false, ""},
		{"SHOW WARNINGS", true, ""},
		{"SHOW COUNT(*) ERRORS", true, ""},
		{"SHOW CHARACTER SET", true, ""},
		{"SHOW GRANTS", true, ""},
	} {
		s := analyzeOne(t, c.sql)
		if s.Complete != c.ok || usesOf(&s.Facts) != c.uses || s.Kind != KindShow {
			t.Errorf("%s: complete %v, uses %q, kind %d, want %v, %q (%s)", c.sql, s.Complete, usesOf(&s.Facts), s.Kind, c.ok, c.uses, reasonsOf(&s.Facts))
		}
	}
	for _, sql := range []string{"SHOW WARNINGS", "SHOW COUNT(*) ERRORS", "SELECT @@warning_count", "SELECT @@session.`error_count`",
		"GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT"} {
		if !analyzeOne(t, sql).Messages {
			t.Errorf("%s quotes messages", sql)
		}
	}
}

// A plan shows estimates of every column of a table.
func TestExplain(t *testing.T) {
	for sql, want := range map[string]string{
		"EXPLAIN SELECT id FROM hr.contacts": "hr.contacts.id:derived hr.contacts.email:derived",
		"DESC UPDATE hr.contacts SET id = 1": "hr.contacts.id:derived,write,assign hr.contacts.email:derived",
	} {
		s := analyzeOne(t, sql)
		if got := usesOf(&s.Facts); !s.Complete || !strings.HasPrefix(got, "hr.contacts.id:") || !strings.Contains(got, "hr.contacts.email:derived") {
			t.Errorf("%s: %q, want %q (%s)", sql, got, want, reasonsOf(&s.Facts))
		}
		if s.Returns == false || len(s.Output) > 0 {
			t.Errorf("%s: output %v", sql, s.Output)
		}
	}
}

func TestReturning(t *testing.T) {
	s := analyzeOne(t, "DELETE FROM customers WHERE id = 7 RETURNING ssn, UPPER(email), /* c */ id")
	if !s.Complete || !s.Returns || outputOf(&s.Facts) != "ssn=customers.ssn UPPER(email)<customers.email id=customers.id" {
		t.Errorf("%v %s (%s)", s.Returns, outputOf(&s.Facts), reasonsOf(&s.Facts))
	}
	for _, u := range s.Tables[0].Columns {
		if u.Name == "email" && !strings.HasPrefix("DELETE FROM customers WHERE id = 7 RETURNING ssn, UPPER(email), /* c */ id"[u.At[0]:], "email") {
			t.Errorf("position of email: %d", u.At[0])
		}
	}
}

// step is a statement and the state that it leaves.
type step struct{ sql, want string }

func walk(t *testing.T, st *State, steps []step, state func(*State, *Statement) string) {
	t.Helper()
	an, cat := NewAnalyzer(Options{}), lineageCatalog()
	for _, c := range steps {
		a := an.Analyze(c.sql, cat, st)
		for i := range a.Statements {
			st = st.clone()
			st.Apply(cat, &a.Statements[i])
		}
		last := &Statement{}
		if n := len(a.Statements); n > 0 {
			last = &a.Statements[n-1]
		}
		st.Stale = false // the session asks the server then
		if got := state(st, last); got != c.want {
			t.Errorf("%s: %s, want %s", c.sql, got, c.want)
		}
	}
}

func TestSettings(t *testing.T) {
	walk(t, &State{Database: "shop", ClientCharset: "utf8mb4"}, []step{
		{"SET NAMES latin1", "shop latin1 latin1 latin1 0"},
		{"SET character_set_results = NULL", "shop latin1 latin1  0"},
		{"SET CHARACTER SET utf8mb4", "shop utf8mb4 unknown utf8mb4 0"},
		{"SET collation_connection = utf8mb4_bin", "shop utf8mb4 utf8mb4 utf8mb4 0"},
		{"SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "shop utf8mb4 utf8mb4 utf8mb4 3"},
		{"SET sql_mode = ''; USE hr", "hr utf8mb4 utf8mb4 utf8mb4 0"},
		{"SET GLOBAL sql_mode = 'ANSI_QUOTES'", "hr utf8mb4 utf8mb4 utf8mb4 0"},
		{"SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1", "hr utf8mb4 utf8mb4 utf8mb4 0"},
		{"SET sql_mode = @x", fmt.Sprintf("hr utf8mb4 utf8mb4 utf8mb4 %d", ModeUnknown)},
	}, func(s *State, _ *Statement) string {
		return fmt.Sprint(s.Database, " ", s.ClientCharset, " ", s.ConnectionCharset, " ", s.ResultsCharset, " ", int(s.SQLMode))
	})
}

func TestPreparedText(t *testing.T) {
	walk(t, &State{Database: "shop", ClientCharset: "utf8mb4"}, []step{
		{"PREPARE S1 FROM 'SELECT ssn FROM customers WHERE id = ?'", "session PREPARE"},
		{"EXECUTE s1 USING @x", "read EXECUTE+SELECT"},
		{"SET @q = 'DELETE FROM scratch'", "session SET"},
		{"PREPARE s2 FROM @q; EXECUTE s2", "write EXECUTE+DELETE w:delete shop.scratch"},
		{"USE hr; EXECUTE s2", "write EXECUTE+DELETE w:delete shop.scratch"},
		{"SELECT id INTO @q FROM employees LIMIT 1; PREPARE s2 FROM @q; EXECUTE s2", "unknown EXECUTE w:execute s2 gap"},
		{"DEALLOCATE PREPARE s1; EXECUTE s1", "unknown EXECUTE w:execute s1 gap"},
		{"SET sql_mode = 'ANSI_QUOTES'; PREPARE s3 FROM 'SELECT \"name\" FROM employees'; SET sql_mode = ''; EXECUTE s3", "read EXECUTE+SELECT"},
		{"EXECUTE IMMEDIATE 'SET @z = 1, sql_mode = ''ANSI_QUOTES'''; SELECT \"name\" FROM employees", "read SELECT"},
	}, func(_ *State, s *Statement) string { return told(s) })
}

// What a statement changes before it fails stays changed.
func TestFailed(t *testing.T) {
	an, cat := NewAnalyzer(Options{}), lineageCatalog()
	st := lineageState()
	run := func(sql string, fails bool) *Statement {
		a := an.Analyze(sql, cat, st)
		st = st.clone()
		if s := &a.Statements[0]; fails {
			st.Failed(s)
		} else {
			st.Apply(cat, s)
		}
		return &a.Statements[0]
	}
	run("SET @q = 'SELECT 1'", false)
	run("SELECT @q := 'SELECT ssn FROM customers' UNION ALL SELECT (SELECT 1 UNION SELECT 2)", true)
	run("PREPARE s FROM @q", false)
	if s := run("EXECUTE s", false); s.Complete {
		t.Error("a variable that a failed statement assigned is known")
	}
	run("SET @q = 'SELECT 1', @r = (@q := 'SELECT 2')", false)
	if st.Variables["q"] != "" {
		t.Error("a variable that is assigned inside a value is known")
	}
	run("CREATE TEMPORARY TABLE customers (ssn INT)", false)
	run("DROP TEMPORARY TABLE customers, nowhere", true)
	if s := run("SELECT ssn FROM customers", false); s.Complete {
		t.Error("a temporary table that may be gone hides another")
	}
	run("PREPARE p FROM 'SELECT 1'", false)
	run("PREPARE p FROM 'SELEC'", true)
	if st.Prepared["p"] != nil {
		t.Error("a failed PREPARE keeps what had the name")
	}
	run("SET sql_mode = 'ANSI_QUOTES', autocommit = 1", true)
	if !st.Stale {
		t.Error("settings that a failed statement changes are known")
	}
}

func TestTemporaryTables(t *testing.T) {
	walk(t, lineageState(), []step{
		{"CREATE TEMPORARY TABLE customers (id INT, ssn INT UNSIGNED); SELECT ssn FROM customers", "ssn=customers.ssn true"},
		{"SELECT ssn FROM shop.customers", "ssn=customers.ssn true"},
		{"DROP TEMPORARY TABLE customers; SELECT ssn FROM customers", "ssn=customers.ssn false"},
		{"CREATE TEMPORARY TABLE t AS SELECT id, email AS e FROM customers; SELECT e FROM t", "e=t.e true"},
		{"ALTER TABLE t ADD x INT; SELECT e FROM t", " gap"},
		{"DROP TABLE t; SELECT e FROM t", " gap"},
		{"CREATE TEMPORARY TABLE u LIKE contacts; SELECT email FROM u", "email=u.email true"},
	}, func(_ *State, s *Statement) string {
		if !s.Complete {
			return " gap"
		}
		temporary := false
		for _, tab := range s.Tables {
			temporary = temporary || tab.Kind == "temporary" && tab.OID > FirstTemporary
		}
		return outputOf(&s.Facts) + " " + fmt.Sprint(temporary)
	})
}

// A procedure that is one query is followed; the data that it gives are its own.
func TestCall(t *testing.T) {
	cat := lineageCatalog()
	in := []Parameter{{Name: "p_id", Mode: "IN", Type: "int(11)"}, {Name: "p_out", Mode: "OUT", Type: "int(11)"}}
	for name, body := range map[string]string{"p_products": "SELECT id, title FROM products WHERE category = p_id ORDER BY id",
		"p_customer": "SELECT id, ssn FROM shop.customers WHERE id = p_id", "p_count": "SELECT COUNT(*) INTO p_out FROM products WHERE id = p_id",
		"p_top": "SELECT id FROM hr.employees ORDER BY salary LIMIT 3", "p_block": "BEGIN SELECT 1; END", "p_set": "SET p_out = 1",
		"p_file": "SELECT 1 INTO OUTFILE 'x'", "p_var": "SELECT ssn INTO @x FROM shop.customers", "p_write": "DELETE FROM scratch"} {
		cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: name, Procedure: true, Body: body, Parameters: in})
	}
	cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: "p_modes", Procedure: true, SQLMode: ModeANSIQuotes, Body: "SELECT \"ssn\" FROM \"customers\""})
	cat.Index()
	for _, c := range []struct{ sql, want, output, uses string }{
		{"CALL p_products('books')", "call CALL", "id=products.id title=products.title", "products.id:output,order products.title:output products.category:filter,order"},
		{"CALL `shop`.`P_Customer`(7)", "call CALL", "id=customers.id ssn=customers.ssn", ""},
		{"CALL p_modes()", "call CALL", "ssn=customers.ssn", ""},
		{"CALL p_count('books', @n)", "call CALL", "", ""},
		{"CALL p_top()", "call CALL", "id=employees.id", ""},
		{"CALL p_products((SELECT ssn FROM customers WHERE id = 7))", "call CALL m:call shop.p_products", "id=products.id title=products.title", ""},
		{"CALL p_block()", "call CALL", "1<", ""},
		{"CALL p_set(1, @x)", "call CALL", "", ""},
		{"CALL p_write()", "call CALL w:delete shop.scratch", "", ""},
		{"CALL p_nowhere()", "call CALL w:call shop.p_nowhere gap", "", ""},
	} {
		a := NewAnalyzer(Options{CacheEntries: -1}).Analyze(c.sql, cat, lineageState())
		s := &a.Statements[0]
		if told(s) != c.want || outputOf(&s.Facts) != c.output || c.uses != "" && usesOf(&s.Facts) != c.uses {
			t.Errorf("%s: %q %q %q (%s)", c.sql, told(s), outputOf(&s.Facts), usesOf(&s.Facts), reasonsOf(&s.Facts))
		}
	}
	for _, sql := range []string{"CALL p_file()", "CALL p_var()"} {
		if s := NewAnalyzer(Options{}).Analyze(sql, cat, lineageState()).Statements[0]; s.Complete && len(s.Writes)+len(s.Moves) == 0 {
			t.Errorf("%s is taken for harmless", sql)
		}
	}
	st := lineageState()
	st.Temp = map[TableName]*Relation{{"shop", "products"}: {ID: FirstTemporary + 1, Schema: "shop", Name: "products", Temporary: true}}
	if NewAnalyzer(Options{}).Analyze("CALL p_products('x')", cat, st).Statements[0].Complete {
		t.Error("a temporary table may hide what the body names")
	}
}

// A block may hold semicolons, and what follows it cannot be told from it.
func TestFollowFunction(t *testing.T) {
	cat := lineageCatalog()
	in := []Parameter{{Name: "p_id", Mode: "IN", Type: "int(11)"}}
	for name, body := range map[string]string{"f_price": "RETURN (SELECT price FROM shop.products WHERE id = p_id)", "f_two": "RETURN p_id * 2",
		"f_soc": "RETURN (SELECT ssn FROM customers WHERE id = p_id)", "f_loop": "RETURN f_loop(p_id)", "f_chance": "RETURN RAND()",
		"f_lock": "RETURN GET_LOCK('x', 0)", "f_block": "BEGIN RETURN 1; END", "f_kept": "RETURN @x := p_id"} {
		cat.Routines = append(cat.Routines, &Routine{Schema: "shop", Name: name, Body: body, Parameters: in, Returns: "int(11)"})
	}
	cat.Index()
	for _, c := range []struct{ sql, output, uses string }{
		{"SELECT f_price(3) AS p", "p<products.price", "products.id:filter products.price:derived"},
		{"SELECT f_two(credit) AS p FROM customers", "p<customers.credit", "customers.credit:derived"},
		{"SELECT f_soc(3) AS p", "p<customers.ssn", "customers.id:filter customers.ssn:derived"},
		{"SELECT f_price(vip) AS p FROM customers", "p<customers.vip,products.price", "customers.vip:derived,filter"},
		{"SELECT f_loop(3) AS p", "gap", ""}, {"SELECT f_block(3) AS p", "p<", ""}, {"SELECT f_chance(3) AS p", "gap", ""},
	} {
		a := NewAnalyzer(Options{CacheEntries: -1}).Analyze(c.sql, cat, lineageState())
		s := &a.Statements[0]
		got := outputOf(&s.Facts)
		if !s.Complete {
			got = "gap"
		}
		if got != c.output || !strings.Contains(usesOf(&s.Facts), strings.Split(c.uses, " ")[0]) {
			t.Errorf("%s: %q %q (%s)", c.sql, got, usesOf(&s.Facts), reasonsOf(&s.Facts))
		}
	}
}

// Forms of MariaDB that the grammar lacks have the lineage of those that it has.
func TestMoreForms(t *testing.T) {
	for _, c := range []struct{ sql, uses string }{
		{"SELECT title SOUNDS LIKE category FROM products", "products.id:order products.title:derived products.category:derived"},
		{"SELECT id FROM products ORDER BY id OFFSET 5 ROWS FETCH NEXT 3 ROWS ONLY", "products.id:output,order"},
		{"SELECT id FROM products ORDER BY price, id FETCH FIRST 3 ROWS WITH TIES", "products.id:output,order products.price:order"},
		{"SELECT id FROM products LOCK IN SHARE MODE WAIT 3", "products.id:output products.category:order"},
		{"SELECT MEDIAN(price) OVER (PARTITION BY category) FROM products", "products.id:order products.category:derived,window products.price:derived,window"},
		{"SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY price DESC) OVER (PARTITION BY category) FROM products",
			"products.id:order products.category:derived,window products.price:derived,window"},
		{"INSERT INTO scratch (id, k) VALUES (1, 'a') ON DUPLICATE KEY UPDATE k = VALUE(k)", ""},
		{"SELECT option, virtual, window FROM (SELECT id AS option, 2 AS window, 3 AS virtual FROM products) t WHERE option = 1", "products.id:output,filter"},
		{"CREATE TEMPORARY TABLE n (u UUID, i INET6 NOT NULL, uuid INT)", ""},
		{"CREATE OR REPLACE TABLE n (id INT)", ""},
	} {
		s := analyzeOne(t, c.sql)
		if got := usesOf(&s.Facts); !s.Complete || c.uses != "" && got != c.uses {
			t.Errorf("%s: %q, want %q (%s)", c.sql, got, c.uses, reasonsOf(&s.Facts))
		}
	}
}

func TestSeveral(t *testing.T) {
	for sql, want := range map[string]bool{"BEGIN NOT ATOMIC SELECT 1; END; SELECT 2": true, "CREATE PROCEDURE p() SELECT 1": true,
		"SET STATEMENT lc_messages='x' FOR BEGIN NOT ATOMIC SELECT 1; END":                                  false,
		"SET STATEMENT a=1, b=2, c=3, d=4, e=5, f=6 FOR CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END": true, "BEGIN": false, "SELECT 1": false} {
		if s := analyzeOne(t, sql); s.Several != want || s.Span.End != len(sql) {
			t.Errorf("%s: several %v, span %v", sql, s.Several, s.Span)
		}
	}
}

// Names of temporary tables are stored as the server stores them.
func TestTemporaryNames(t *testing.T) {
	cat := lineageCatalog()
	cat.Server.LowerCaseTableNames = 1
	cat.Index()
	st := lineageState()
	a := NewAnalyzer(Options{}).Analyze("CREATE TEMPORARY TABLE SHOP.Notes (a INT)", cat, st)
	st.Apply(cat, &a.Statements[0])
	for k, rel := range st.Temp {
		if k != (TableName{"shop", "notes"}) || rel.Schema != "shop" || rel.Name != "notes" {
			t.Errorf("%v: %s.%s", k, rel.Schema, rel.Name)
		}
	}
	if s := NewAnalyzer(Options{}).Analyze("SELECT a FROM nOTES", cat, st).Statements[0]; !s.Complete {
		t.Error(reasonsOf(&s.Facts))
	}
}

func TestStaleState(t *testing.T) {
	st := lineageState()
	st.Stale = true
	a := NewAnalyzer(Options{}).Analyze("SELECT title FROM products", lineageCatalog(), st)
	if a.Statements[0].Complete {
		t.Error("a statement in an unknown state is complete")
	}
}

func TestShape(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT  'a', 1.5, x'41' /* c */ FROM `t` -- d": "SELECT ?, ?, ? FROM `t`",
		"SELECT 1; SET NAMES utf8":                      "SELECT ?; SET NAMES utf8",
		"SELECT 'a":                                     "",
	} {
		if got := Shape(sql, &mariadb10, &State{ClientCharset: "utf8mb4"}); got != want {
			t.Errorf("%q: %q, want %q", sql, got, want)
		}
	}
}

// FuzzAnalyze holds that any text is analysed without a panic.
func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{
		"SELECT ssn INTO @a FROM customers", "SET @a = 1, NAMES utf8, GLOBAL x = (SELECT 1)", "EXPLAIN EXTENDED SELECT 1", "SHOW TABLE STATUS LIKE '%'",
		"INSERT INTO scratch VALUES (1) RETURNING *", "EXECUTE IMMEDIATE 'SELECT 1' USING 1, 2", "SET STATEMENT a=1 FOR SELECT 1", "CHECK TABLE a, b.c",
		"LOCK TABLES a READ, b WRITE", "CREATE TEMPORARY TABLE t (a INT); DROP TABLE t", "LOAD DATA LOCAL INFILE 'x' INTO TABLE scratch (k, @v) SET v = @v",
		"CALL a.b(1, @x)", "SET SESSION TRANSACTION READ WRITE", "SELECT * FROM t FOR SYSTEM_TIME AS OF NOW() - INTERVAL 1 DAY", "PREPARE s FROM 'x'; EXECUTE s",
		"SELECT 99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999", "SELECT 1e999", "SELECT a.b.c.d",
	} {
		f.Add(s)
	}
	an, cat := NewAnalyzer(Options{CacheEntries: -1}), lineageCatalog()
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 2000 {
			return
		}
		a := an.Analyze(sql, cat, lineageState())
		if a.Err != nil && a.Err.Number == errInternal {
			t.Fatalf("%q: %v", sql, a.Err)
		}
		for i := range a.Statements {
			s := &a.Statements[i]
			if s.Class == "" || s.Span.Start < 0 || s.Span.End > len(sql) || s.Span.Start > s.Span.End {
				t.Fatalf("%q: class %q, span %v", sql, s.Class, s.Span)
			}
			if s.Complete && s.Class == query.ClassUnknown {
				t.Fatalf("%q: an unknown statement is complete", sql)
			}
		}
	})
}
