package random

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Blind makes the planner of a database see nothing of protected values: it
// drops statistics of protected columns and of expressions, and sets prices so
// that sizes of tables do not count. Rows are put into the order of their keys:
// where they were put when they came depends on the lengths of values. conn is the administrator's, in the
// database that is to be blinded; later connections see the settings.
func Blind(ctx context.Context, conn *pgx.Conn, protected []ColumnName) error {
	var list []string
	for _, c := range protected {
		list = append(list, fmt.Sprintf("(%s, %s, %s)", Literal(c.Schema), Literal(c.Table), Literal(c.Column)))
	}
	if len(list) == 0 {
		return fmt.Errorf("blind: no protected columns")
	}
	script := `SET allow_system_table_mods = on;
DELETE FROM pg_statistic s USING pg_class c, pg_namespace n, pg_attribute a
 WHERE c.oid = s.starelid AND n.oid = c.relnamespace AND a.attrelid = c.oid AND a.attnum = s.staattnum
   AND ((n.nspname, c.relname, a.attname) IN (VALUES ` + strings.Join(list, ", ") + `) OR c.relkind IN ('i', 'm'));
DELETE FROM pg_statistic_ext_data;
RESET allow_system_table_mods;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET seq_page_cost = 0', current_database());
EXECUTE format('ALTER DATABASE %I SET random_page_cost = 0', current_database());
EXECUTE format('ALTER DATABASE %I SET max_parallel_workers_per_gather = 0', current_database());
EXECUTE format('ALTER DATABASE %I SET work_mem = ''64MB''', current_database());
EXECUTE format('ALTER DATABASE %I SET jit = off', current_database());
EXECUTE format('ALTER DATABASE %I SET statement_timeout = ''2500ms''', current_database());
END $$`
	err := order(ctx, conn)
	if err == nil {
		_, err = conn.PgConn().Exec(ctx, script).ReadAll()
	}
	if err != nil {
		return fmt.Errorf("blind the planner: %w", err)
	}
	return nil
}

// ColumnName names a column.
type ColumnName struct{ Schema, Table, Column string }

// order puts the rows of tables with a primary key into its order, however long
// they are.
func order(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `DO $$ DECLARE r record; BEGIN
FOR r IN SELECT i.indrelid::regclass AS t, x.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  WHERE i.indisprimary AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY c.oid
LOOP EXECUTE format('CLUSTER %s USING %I', r.t, r.relname); END LOOP; END $$`)
	return err
}
