package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"github.com/weirdb/weir/deploy/myserver"
)

// driverConn is a Querier over database/sql.
type driverConn struct {
	db   *sql.DB
	conn *sql.Conn
}

func dial(ctx context.Context, dsn string) (Querier, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &driverConn{db, conn}, nil
}

func (c *driverConn) Close() error { return c.db.Close() }

func (c *driverConn) Query(ctx context.Context, query string, row func([][]byte) error) error {
	rows, err := c.conn.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	raw, targets, cells := make([]sql.RawBytes, len(names)), make([]any, len(names)), make([][]byte, len(names))
	for i := range raw {
		targets[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		for i := range raw {
			cells[i] = raw[i]
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	return rows.Err()
}

// liveServer is a server of the test's own, with the statements of a file run.
func liveServer(t *testing.T, statements ...string) (dsn string) {
	t.Helper()
	s, err := myserver.Start(t.Context(), myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	dsn = fmt.Sprintf("%s:%s@tcp(%s:%d)/?multiStatements=true", myserver.SuperUser, s.Password, s.Host, s.Port)
	conn, err := dial(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, stmt := range statements {
		if err := conn.Query(t.Context(), stmt, none); err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
	}
	return dsn
}

// statements cuts testdata/schema.sql at its empty lines.
func schemaStatements(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n\n")
}

func TestLiveLoad(t *testing.T) {
	dsn := liveServer(t, schemaStatements(t)...)
	conn, err := dial(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cat, err := Load(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := cat.Server; !s.MariaDB || s.Version < 100400 || s.LowerCaseTableNames != 0 || s.CharacterSet != "utf8mb4" {
		t.Errorf("server %+v", s)
	}
	checkLoaded(t, cat)
	again, err := Load(t.Context(), conn, cat)
	if err != nil || again != cat {
		t.Errorf("loaded again: another catalog (%v)", err)
	}
	if err := conn.Query(t.Context(), "ALTER TABLE shop.products ADD COLUMN extra INT", none); err != nil {
		t.Fatal(err)
	}
	if again, err = Load(t.Context(), conn, cat); err != nil || again == cat || again.Relation("shop", "products").Column("extra") == nil {
		t.Errorf("a new column is not seen (%v)", err)
	}
	checkRights(t, dsn, conn)
}

// An account without the right to see triggers takes every table to have some.
func checkRights(t *testing.T, dsn string, admin Querier) {
	t.Helper()
	for _, s := range []string{"CREATE USER `a@b`@'%' IDENTIFIED BY 'x'", "GRANT SELECT, INSERT ON *.* TO `a@b`@'%'", "GRANT TRIGGER ON `h_`.* TO `a@b`@'%'",
		"GRANT TRIGGER ON shop.cards TO `a@b`@'%'"} {
		if err := admin.Query(t.Context(), s, none); err != nil {
			t.Fatal(err)
		}
	}
	_, address, _ := strings.Cut(dsn, "@tcp")
	conn, err := dial(t.Context(), "a@b:x@tcp"+address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cat, err := Load(t.Context(), conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"shop.customers": true, "shop.products": true, "shop.cards": false, "hr.salaries": false} {
		schema, table, _ := strings.Cut(name, ".")
		unseen := slices.Contains(cat.Relation(schema, table).Triggers, Trigger{})
		if unseen != want {
			t.Errorf("%s has triggers that are not seen: %v, want %v", name, unseen, want)
		}
	}
}

func checkLoaded(t *testing.T, cat *Catalog) {
	t.Helper()
	c := cat.Relation("shop", "customers")
	if c == nil || cat.Relation("shop", "Customers") != nil || cat.Relation("INFORMATION_SCHEMA", "Tables") == nil {
		t.Fatal("relations by name")
	}
	if cat.RelationByID(c.ID) != c {
		t.Error("relation by ID")
	}
	for name, want := range map[string]TypeCode{
		"id": MakeType(TypeLong, false, false), "ssn": MakeType(TypeVarString, false, false), "limits": MakeType(TypeNewDecimal, false, false),
		"prefs": MakeType(TypeBlob, false, false).extended(ExtendedJSON), "secret": MakeType(TypeVarString, false, true),
		"tier": MakeType(TypeString, false, false) | typeEnum, "dev": MakeType(TypeString, false, true).extended(ExtendedUUID),
		"pan": MakeType(TypeLongLong, true, false),
	} {
		if col := c.Column(strings.ToUpper(name)); col == nil || col.Type != want {
			t.Errorf("column %s: %+v, want type %v", name, col, want)
		}
	}
	if g := c.Column("ssn_last4"); g.Generated != "right(`ssn`,4)" || !g.Stored {
		t.Errorf("generated column: %+v", g)
	}
	if !c.Column("id").AutoIncrement || !c.Column("hidden").Invisible || c.Column("hidden").Default != "7" {
		t.Error("attributes of columns")
	}
	if len(c.Checks) != 2 || len(c.Indexes) != 3 || c.Indexes[0].Columns[0].Prefix != 8 || !c.Indexes[2].Unique {
		t.Errorf("checks %q, indexes %+v", c.Checks, c.Indexes)
	}
	if len(c.Triggers) != 1 || c.Triggers[0].Event != "UPDATE" || !strings.Contains(c.Triggers[0].Body, "SET NEW.tier") {
		t.Errorf("triggers %+v", c.Triggers)
	}
	cards := cat.Relation("shop", "cards")
	if len(cards.ForeignKeys) != 1 || cards.ForeignKeys[0].RefTable != "customers" || cards.ForeignKeys[0].OnUpdate != "CASCADE" {
		t.Errorf("foreign keys %+v", cards.ForeignKeys)
	}
	if p := cat.Relation("shop", "payments").Partitions; len(p) != 1 || p[0] != "`paid_on`" {
		t.Errorf("partitions %q", p)
	}
	if v := cat.Relation("shop", "v_customers"); v.Kind != KindView || !strings.Contains(v.Definition, "`shop`.`customers`") || !v.Materialised || !v.Invoker {
		t.Errorf("view %+v", v)
	}
	if s := cat.Relation("hr", "salaries"); !s.Versioned || s.Column("row_start") == nil {
		t.Errorf("versioned table %+v", s)
	}
	if s := cat.Relation("shop", "numbers"); s.Kind != KindSequence {
		t.Errorf("sequence %+v", s)
	}
	f := cat.Routine("shop", "F_Twice")
	if len(f) != 1 || f[0].Access != "NO SQL" || !f[0].Deterministic || len(f[0].Parameters) != 1 || f[0].Body != "RETURN x * 2" {
		t.Errorf("routine %+v", f)
	}
	if !cat.HasFunction("f_twice") || cat.HasFunction("p_one") {
		t.Error("functions by bare name")
	}
}

func TestLiveManager(t *testing.T) {
	dsn := liveServer(t, "CREATE DATABASE a", "CREATE TABLE a.t (x INT)")
	dials := 0
	m := NewManager(ManagerOptions{Connect: func(ctx context.Context) (Querier, error) { dials++; return dial(ctx, dsn) }, Interval: 50 * time.Millisecond})
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cat, err := m.Current(ctx)
	if err != nil || cat.Relation("a", "t") == nil {
		t.Fatal(err)
	}
	conn, err := dial(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Query(ctx, "CREATE TABLE a.u (x INT)", none); err != nil {
		t.Fatal(err)
	}
	if cat, err = m.After(ctx, m.Invalidate()); err != nil || cat.Relation("a", "u") == nil {
		t.Fatalf("a new table is not seen: %v", err)
	}
	// The manager's connection breaks, and it makes another.
	if err := conn.Query(ctx, "BEGIN NOT ATOMIC FOR r IN (SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()) DO KILL r.id; END FOR; END", none); err != nil {
		t.Fatal(err)
	}
	if err := m.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
}
