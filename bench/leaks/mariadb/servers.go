package mariadb

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/masking"
)

// Names that the corpora know.
const (
	sideA = "a" // and b differ in protected values alone
	sideB = "b"

	analyst      = "ni_analyst"
	analystWord  = "analyst-pw"
	otherUser    = "ni_other" // others on the server
	definer      = "h7_admin"
	doorPassword = "the analyst at weir" // at weir
	database     = "shop"
)

func datasourceOf(side string) string { return "side_" + side }

// servers are the two sides, each a server: a corpus names its databases.
type servers struct {
	version string
	sides   map[string]*side
	masks   []maskedColumn
	corpus  *Corpus
	unique  int // number of the run, for what must not be there twice
}

type side struct {
	name   string
	server *myserver.Server
	script []byte
	db     *sql.DB
	kept   map[string]string // what is in the databases after loading, as contents says
}

// startServers starts both servers and loads the corpus.
func startServers(ctx context.Context, c *Corpus) (*servers, error) {
	s := &servers{sides: map[string]*side{}, corpus: c}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards s.sides and first
	var first error
	for _, name := range []string{sideA, sideB} {
		wg.Go(func() {
			d, err := startSide(ctx, name, c)
			mu.Lock()
			defer mu.Unlock()
			if d != nil {
				s.sides[name] = d
			}
			if err != nil && first == nil {
				first = err
			}
		})
	}
	wg.Wait()
	if first == nil {
		first = s.sides[sideA].db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&s.version)
	}
	if first == nil {
		first = s.chooseMasks(ctx)
	}
	if first != nil {
		s.stop()
		return nil, first
	}
	return s, nil
}

func (s *servers) stop() {
	for _, d := range s.sides {
		if d.db != nil {
			_ = d.db.Close()
		}
		d.server.Stop()
	}
}

func startSide(ctx context.Context, name string, c *Corpus) (*side, error) {
	script, err := c.script(name)
	if err != nil {
		return nil, err
	}
	server, err := myserver.Start(ctx, myserver.Options{
		// Statistics that a thread recomputes would change plans between the sides.
		// Equal rows of a temporary table in memory are sorted by their addresses.
		Settings: map[string]string{"tmp-memory-table-size": "0", "innodb-stats-auto-recalc": "0", "innodb-buffer-pool-dump-at-shutdown": "0", "performance-schema": "1",
			"performance-schema-consumer-events-statements-history": "1"},
		Accounts: []myserver.Account{{Name: definer, Password: analystWord, Grants: "ALL ON *.*"}, {Name: otherUser, Password: analystWord, Grants: "ALL ON *.*"},
			{Name: analyst, Password: analystWord, Grants: "FILE, PROCESS, RELOAD, CREATE USER ON *.*"}},
	})
	if err != nil {
		return nil, err
	}
	d := &side{name: name, server: server, script: script}
	config, err := server.Config(myserver.SuperUser, server.Password, "")
	if err != nil {
		return d, err
	}
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return d, err
	}
	d.db = sql.OpenDB(connector)
	d.db.SetMaxOpenConns(1)
	for _, table := range []string{"mysql.proc", "mysql.column_stats", "mysql.index_stats", "mysql.table_stats", "mysql.innodb_index_stats", "mysql.innodb_table_stats", "performance_schema.*"} {
		if _, err := d.db.ExecContext(ctx, fmt.Sprintf("GRANT SELECT ON %s TO %s@'%%'", table, analyst)); err != nil {
			return d, err
		}
	}
	if err := d.load(ctx); err != nil {
		return d, err
	}
	d.kept, err = d.contents(ctx)
	return d, err
}

// load makes the databases anew from the script.
func (d *side) load(ctx context.Context) error {
	var made string
	err := d.db.QueryRowContext(ctx, "SELECT COALESCE(GROUP_CONCAT(CONCAT('DROP DATABASE `', REPLACE(SCHEMA_NAME, '`', '``'), '`') SEPARATOR ';'), 'DO 0') FROM information_schema.SCHEMATA "+
		"WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')").Scan(&made)
	if err == nil {
		_, err = d.db.ExecContext(ctx, made)
	}
	if err != nil { // files that cases have written are in the way
		for _, name := range []string{"shop", "hr"} {
			_ = os.RemoveAll(filepath.Join(d.server.Dir, "data", name))
		}
		_, err = d.db.ExecContext(ctx, "DROP DATABASE IF EXISTS shop; DROP DATABASE IF EXISTS hr; DROP DATABASE IF EXISTS kept")
	}
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--socket="+d.server.Socket, "--user="+myserver.SuperUser, "--default-character-set=utf8mb4", "--silent")
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+d.server.Password)
	cmd.Stdin = bytes.NewReader(d.script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load side %s: %w: %s", d.name, err, out[max(0, len(out)-shown):])
	}
	if err := d.keepRows(ctx); err != nil {
		return err
	}
	_, err = d.db.ExecContext(ctx, fmt.Sprintf("GRANT ALL ON `shop`.* TO %[1]s; GRANT ALL ON `hr`.* TO %[1]s", analyst+"@'%'"))
	return err
}

// ownDatabases are the databases that are the server's or this package's own.
const ownDatabases = "'mysql', 'sys', 'information_schema', 'performance_schema', 'kept'"

// contents tells what is in the databases: objects with their definitions, and
// a checksum of the rows of each table under its quoted name.
func (d *side) contents(ctx context.Context) (map[string]string, error) {
	const objects = `SELECT CONCAT(TABLE_TYPE, ' ', TABLE_SCHEMA, '.', TABLE_NAME), IF(TABLE_TYPE LIKE '%VIEW%', '', CONCAT('\x60', TABLE_SCHEMA, '\x60.\x60', REPLACE(TABLE_NAME, '\x60', '\x60\x60'), '\x60')) FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('routine ', ROUTINE_SCHEMA, '.', ROUTINE_NAME, MD5(COALESCE(ROUTINE_DEFINITION, ''))), '' FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('trigger ', TRIGGER_SCHEMA, '.', TRIGGER_NAME, MD5(ACTION_STATEMENT)), '' FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('view ', TABLE_SCHEMA, '.', TABLE_NAME, MD5(VIEW_DEFINITION)), '' FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('event ', EVENT_SCHEMA, '.', EVENT_NAME), '' FROM information_schema.EVENTS
UNION ALL SELECT CONCAT('column ', TABLE_SCHEMA, '.', TABLE_NAME, '.', COLUMN_NAME, COLUMN_TYPE, COALESCE(COLUMN_DEFAULT, '')), '' FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('key ', TABLE_SCHEMA, '.', TABLE_NAME, '.', INDEX_NAME, COLUMN_NAME), '' FROM information_schema.STATISTICS WHERE TABLE_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('partition ', TABLE_SCHEMA, '.', TABLE_NAME, '.', COALESCE(PARTITION_NAME, '')), '' FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA NOT IN (@)
UNION ALL SELECT CONCAT('account ', User, '@', Host), '' FROM mysql.global_priv`
	found := map[string]string{}
	var tables []string
	rows, err := d.db.QueryContext(ctx, strings.NewReplacer("@)", ownDatabases+")", `\x60`, "`").Replace(objects))
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var name, table string
		if err := rows.Scan(&name, &table); err != nil {
			return nil, err
		}
		found[name] = ""
		if table != "" {
			tables = append(tables, table)
		}
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	sort.Strings(tables)
	sums, err := d.db.QueryContext(ctx, "CHECKSUM TABLE "+strings.Join(tables, ", "))
	if err != nil {
		return nil, err
	}
	defer sums.Close()
	for i := 0; sums.Next(); i++ {
		var name string
		var sum sql.NullString
		if err := sums.Scan(&name, &sum); err != nil {
			return nil, err
		}
		found[tables[i]] = sum.String
	}
	return found, sums.Err()
}

// keepRows puts the rows of plain tables away, from where restore takes them.
func (d *side) keepRows(ctx context.Context) error {
	statements := []string{"CREATE DATABASE kept"}
	err := d.eachPlainTable(ctx, func(table, kept, columns string) {
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s AS SELECT %s FROM %s", kept, columns, table))
	})
	if err == nil {
		_, err = d.db.ExecContext(ctx, strings.Join(statements, ";"))
	}
	return err
}

// eachPlainTable gives tables without a history, the place of their kept rows,
// and the columns that are not generated.
func (d *side) eachPlainTable(ctx context.Context, f func(table, kept, columns string)) error {
	rows, err := d.db.QueryContext(ctx, "SELECT CONCAT('`', c.TABLE_SCHEMA, '`.`', REPLACE(c.TABLE_NAME, '`', '``'), '`'), CONCAT('kept.`', c.TABLE_SCHEMA, ' ', REPLACE(c.TABLE_NAME, '`', '``'), '`'), "+
		"GROUP_CONCAT(CONCAT('`', REPLACE(c.COLUMN_NAME, '`', '``'), '`') ORDER BY c.ORDINAL_POSITION) FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) "+
		"WHERE t.TABLE_TYPE = 'BASE TABLE' AND c.IS_GENERATED = 'NEVER' AND c.TABLE_SCHEMA NOT IN ("+ownDatabases+") GROUP BY 1, 2")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table, kept, columns string
		if err := rows.Scan(&table, &kept, &columns); err != nil {
			return err
		}
		f(table, kept, columns)
	}
	return rows.Err()
}

// changing are the words of statements that may leave something behind.
var changing = regexp.MustCompile(`(?i)\b(insert|update|delete|replace|create|drop|alter|rename|truncate|load|call|execute|grant|revoke|analyze|optimize|nextval|next|setval|import|begin|global|dumpfile|outfile|f_\w+|if)\b`)

func (t *testCase) changes() bool {
	return t.Writes || changing.MatchString(t.statements())
}

// restore undoes what a case has left behind on a side.
func (d *side) restore(ctx context.Context) error {
	now, err := d.contents(ctx)
	if err != nil || maps.Equal(now, d.kept) {
		return err
	}
	if done, err := d.restoreRows(ctx, now); done || err != nil {
		return err
	}
	if err := d.load(ctx); err != nil {
		return err
	}
	d.kept, err = d.contents(ctx) // an account may be left
	return err
}

// restoreRows puts back the rows of tables, if nothing else has changed.
func (d *side) restoreRows(ctx context.Context, now map[string]string) (bool, error) {
	changed := map[string]bool{}
	for name, sum := range now {
		if was, known := d.kept[name]; !known || was != sum {
			changed[name] = true
		}
	}
	if len(now) != len(d.kept) {
		return false, nil
	}
	statements := []string{"SET foreign_key_checks = 0, unique_checks = 0, histogram_size = 64, histogram_type = 'JSON_HB', sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"}
	err := d.eachPlainTable(ctx, func(table, kept, columns string) {
		if changed[table] {
			delete(changed, table)
			statements = append(statements, "TRUNCATE TABLE "+table, fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM %s", table, columns, kept),
				fmt.Sprintf("ANALYZE TABLE %s PERSISTENT FOR ALL", table))
		}
	})
	if err != nil || len(changed) > 0 {
		return false, err
	}
	statements = append(statements, "SET foreign_key_checks = 1, unique_checks = 1, sql_mode = DEFAULT")
	if _, err := d.db.ExecContext(ctx, strings.Join(statements, ";")); err != nil {
		return false, err
	}
	after, err := d.contents(ctx)
	return maps.Equal(after, d.kept), err
}

// reload makes the databases of all sides anew.
func (s *servers) reload(ctx context.Context) error {
	for _, d := range s.sides {
		if err := d.load(ctx); err != nil {
			return err
		}
		var err error
		if d.kept, err = d.contents(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *servers) restore(ctx context.Context, t *testCase) error {
	if !t.changes() {
		return nil
	}
	errs := make(chan error, len(s.sides))
	for _, d := range s.sides {
		go func() { errs <- d.restore(ctx) }() // waited for below
	}
	var first error
	for range s.sides {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// direct is the way to a side without weir.
func (s *servers) direct(name string) door {
	return door{address: s.sides[name].address(), user: analyst, password: analystWord, database: database}
}

func (d *side) address() string { return d.server.Host + ":" + strconv.Itoa(d.server.Port) }

// maskedColumn is a protected column with its mask.
type maskedColumn struct {
	column
	function string // redact, or null where the type has no constant
}

// chooseMasks finds the mask that fits each column: redact, else null.
func (s *servers) chooseMasks(ctx context.Context) error {
	for _, c := range s.corpus.protected {
		var typ string
		err := s.sides[sideA].db.QueryRowContext(ctx, "SELECT DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COLUMN_NAME = ?", c.Schema, c.Table, c.Column).Scan(&typ)
		if err != nil {
			return fmt.Errorf("protected column %s.%s.%s: %w", c.Schema, c.Table, c.Column, err)
		}
		m := maskedColumn{column: c, function: "redact"}
		if typ == "vector" {
			m.function = "null"
		}
		if err := masking.Validate(masking.Spec{Function: m.function}); err != nil {
			return err
		}
		s.masks = append(s.masks, m)
	}
	return nil
}

// placeholder is {{pv:database.table.column:id}}, a protected value, or {{uniq}}.
var placeholder = regexp.MustCompile(`\{\{(?:uniq|pv:([^:}]+):(\w+))\}\}`)

// expand replaces placeholders by what they are on a side.
func (s *servers) expand(ctx context.Context, name, text string) (string, error) {
	var first error
	out := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		m := placeholder.FindStringSubmatch(found)
		if m[1] == "" {
			return strconv.Itoa(s.unique)
		}
		dot := strings.LastIndexByte(m[1], '.')
		var value string
		key := "id"
		err := s.sides[name].db.QueryRowContext(ctx, fmt.Sprintf("SELECT CAST(%s AS CHAR) FROM %s WHERE %s = ?", m[1][dot+1:], m[1][:dot], key), m[2]).Scan(&value)
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", found, err)
		}
		return value
	})
	return out, first
}

func (s *servers) expandSteps(ctx context.Context, name string, steps []step) ([]step, error) {
	out := make([]step, len(steps))
	for i, st := range steps {
		text, err := s.expand(ctx, name, string(st.sql))
		if err != nil {
			return nil, err
		}
		if len(st.sql) > 0 {
			st.sql = []byte(text)
		}
		out[i] = st
	}
	return out, nil
}
