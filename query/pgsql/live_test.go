package pgsql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weirdb/weir/deploy/pgserver"
)

// liveSchema has one of everything that a catalog holds.
const liveSchema = `
CREATE EXTENSION citext; CREATE EXTENSION pg_trgm; CREATE EXTENSION pgcrypto; CREATE EXTENSION tablefunc;
CREATE EXTENSION hstore; CREATE EXTENSION xml2; CREATE EXTENSION dblink; CREATE EXTENSION isn;
CREATE ROLE watcher LOGIN PASSWORD 'watcher';
CREATE SCHEMA hr;
CREATE TYPE hr.level AS ENUM ('low', 'high');
CREATE DOMAIN hr.positive AS int CHECK (VALUE > 0);
CREATE TYPE hr.pair AS (a int, b text);
CREATE TABLE hr.person (id int PRIMARY KEY, gone int, name text NOT NULL DEFAULT 'x', salary numeric(10,2) CHECK (salary > 0),
  lower_name text GENERATED ALWAYS AS (lower(name)) STORED, level hr.level, tags text[]);
ALTER TABLE hr.person DROP COLUMN gone;
CREATE INDEX ON hr.person (lower(name)) WHERE salary > 10;
ALTER TABLE hr.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON hr.person USING (salary < 100);
CREATE TABLE hr.events (at date, id int) PARTITION BY RANGE (at);
CREATE TABLE hr.events_2024 PARTITION OF hr.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW hr.names AS SELECT id, upper(name) AS name FROM hr.person;
CREATE MATERIALIZED VIEW hr.totals AS SELECT count(*) AS n FROM hr.person;
CREATE FUNCTION hr.twice(n int, OUT x int, OUT y int) LANGUAGE sql STABLE SET search_path = hr AS 'SELECT n, n * 2';
CREATE FUNCTION hr.body(n int DEFAULT 1) RETURNS int LANGUAGE sql RETURN n + (SELECT count(*)::int FROM hr.person);
CREATE FUNCTION hr.act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER act BEFORE INSERT ON hr.person FOR EACH ROW EXECUTE FUNCTION hr.act();
CREATE RULE r AS ON DELETE TO hr.events DO INSTEAD NOTHING;
CREATE FUNCTION hr.differs(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> $2';
CREATE OPERATOR hr.<~> (LEFTARG = text, RIGHTARG = text, FUNCTION = hr.differs);
CREATE FUNCTION hr.to_int(hr.pair) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
CREATE CAST (hr.pair AS int) WITH FUNCTION hr.to_int(hr.pair);
CREATE FUNCTION pg_catalog.upper(hr.pair) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.b';`

// liveServer starts a server with liveSchema in database postgres.
func liveServer(t *testing.T, major int) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), pgserver.Options{Major: major})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := s.Exec(t.Context(), "postgres", "SET allow_system_table_mods = on;"+liveSchema); err != nil {
		t.Fatal(err)
	}
	return s
}

func liveConn(t *testing.T, s *pgserver.Server, user, password string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(user, password, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func TestLiveCatalog(t *testing.T) {
	for _, major := range []int{15, 18} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			s := liveServer(t, major)
			conn := liveConn(t, s, "watcher", "watcher")
			cat, err := Load(t.Context(), conn.PgConn(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if cat.ServerVersion/10000 != major || cat.Database != "postgres" || cat.Version == 0 {
				t.Errorf("server %d, database %q, version %d", cat.ServerVersion, cat.Database, cat.Version)
			}
			t.Run("relations", func(t *testing.T) { checkRelations(t, cat) })
			t.Run("types", func(t *testing.T) { checkTypes(t, cat) })
			t.Run("functions", func(t *testing.T) { checkFunctions(t, cat) })
			t.Run("same", func(t *testing.T) {
				again, err := Load(t.Context(), conn.PgConn(), cat)
				if err != nil || again != cat {
					t.Errorf("unchanged catalog was replaced: %v", err)
				}
			})
			t.Run("every built-in function is classified", func(t *testing.T) { checkEveryFunction(t, cat) })
			t.Run("every catalog is classified", func(t *testing.T) { checkEveryCatalog(t, cat) })
			t.Run("extensions", func(t *testing.T) { checkExtensions(t, cat) })
			t.Run("probe", func(t *testing.T) { checkProbe(t, s) })
			t.Run("manager", func(t *testing.T) { checkManager(t, s) })
			t.Run("locked relation", func(t *testing.T) { checkLocked(t, s) })
		})
	}
}

func checkRelations(t *testing.T, cat *Catalog) {
	person := cat.Relation("hr", "person")
	if person == nil {
		t.Fatal("no hr.person")
	}
	if person.Kind != 'r' || !person.Triggers || !person.RowSecurity || person.Rules || person.Owner != "postgres" || person.Partial {
		t.Errorf("person: %+v", person)
	}
	name, generated := person.Column("name"), person.Column("lower_name")
	if name == nil || name.Attr != 3 || name.Type != 25 || !name.NotNull || name.Default != "'x'::text" {
		t.Errorf("name: %+v", name)
	}
	if generated == nil || generated.Generated != "lower(name)" || generated.Default != "" || person.Column("gone") != nil {
		t.Errorf("generated: %+v", generated)
	}
	if c := person.Column("salary"); c == nil || c.Typmod != 10<<16+2+4 {
		t.Errorf("salary: %+v", c)
	}
	for _, want := range []string{"CHECK ((salary > (0)::numeric))", "(salary > (10)::numeric)", "lower(name)", "(salary < (100)::numeric)"} {
		if !slices.Contains(person.Conditions, want) {
			t.Errorf("conditions %q lack %q", person.Conditions, want)
		}
	}
	names := cat.Relation("hr", "names")
	if names == nil || names.Kind != 'v' || names.Rules || !strings.Contains(names.Definition, "FROM hr.person") {
		t.Errorf("names: %+v", names)
	}
	if m := cat.Relation("hr", "totals"); m == nil || m.Kind != 'm' || m.Definition == "" {
		t.Errorf("totals: %+v", m)
	}
	events, part := cat.Relation("hr", "events"), cat.Relation("hr", "events_2024")
	if !slices.Equal(events.Children, []uint32{part.OID}) || !slices.Equal(part.Parents, []uint32{events.OID}) || !events.Rules {
		t.Errorf("events %+v, partition %+v", events, part)
	}
	if !slices.Equal(events.PartitionKey, []int16{1}) {
		t.Errorf("partition key %v", events.PartitionKey)
	}
	if cat.Relation("pg_catalog", "pg_class").Column("relname") == nil || cat.Relation("information_schema", "columns") == nil {
		t.Error("no system catalogs")
	}
	for _, r := range cat.Relations {
		if r.Kind == 'i' || r.Kind == 'I' || strings.HasPrefix(r.Schema, "pg_temp") {
			t.Errorf("unwanted relation %+v", r)
		}
	}
}

func checkTypes(t *testing.T, cat *Catalog) {
	if level := cat.TypeNamed("hr", "level"); level == nil || level.Kind != 'e' || !slices.Equal(level.Labels, []string{"low", "high"}) {
		t.Errorf("level: %+v", level)
	}
	if p := cat.TypeNamed("hr", "positive"); p == nil || p.Kind != 'd' || p.Base != 23 || !slices.Equal(p.Checks, []string{"CHECK ((VALUE > 0))"}) {
		t.Errorf("positive: %+v", p)
	}
	pair := cat.TypeNamed("hr", "pair")
	if pair == nil || pair.Kind != 'c' || cat.Relations[pair.Relation] == nil || len(cat.Relations[pair.Relation].Columns) != 2 {
		t.Errorf("pair: %+v", pair)
	}
	if a := cat.TypeNamed("pg_catalog", "_int4"); a.Elem != 23 || cat.TypeNamed("pg_catalog", "point").Elem != 0 {
		t.Errorf("arrays: %+v", a)
	}
	if len(cat.Casts) == 0 || !slices.ContainsFunc(cat.Casts, func(c Cast) bool { return c.Source == pair.OID && c.Target == 23 && c.Function != 0 }) {
		t.Errorf("casts: %+v", cat.Casts)
	}
	if ct := cat.TypeNamed("public", "citext"); ct == nil || ct.Extension != "citext" {
		t.Errorf("citext: %+v", ct)
	}
	if cat.Extensions["citext"] == "" || cat.Schemas["hr"] == 0 {
		t.Errorf("extensions %v, schemas %v", cat.Extensions, cat.Schemas)
	}
}

func only(t *testing.T, cat *Catalog, schema, name string) *Function {
	t.Helper()
	var found []*Function
	for _, f := range cat.Functions(name) {
		if f.Schema == schema {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d functions %s.%s", len(found), schema, name)
	}
	return found[0]
}

func checkFunctions(t *testing.T, cat *Catalog) {
	f := only(t, cat, "hr", "twice")
	if f.Volatile != 's' || f.Language != "sql" || f.Body != "SELECT n, n * 2" || !slices.Equal(f.ArgNames, []string{"n", "x", "y"}) ||
		string(f.ArgModes) != "ioo" || !slices.Equal(f.Args, []uint32{23}) || !slices.Equal(f.AllArgs, []uint32{23, 23, 23}) ||
		!slices.Equal(f.Settings, []string{"search_path=hr"}) {
		t.Errorf("twice: %+v", f)
	}
	if f = only(t, cat, "hr", "body"); !strings.Contains(f.Body, "FROM hr.person") || f.Defaults != 1 {
		t.Errorf("body: %+v", f)
	}
	if f = only(t, cat, "hr", "act"); f.Body != "" || f.Language != "plpgsql" {
		t.Errorf("act: %+v", f)
	}
	var op *Operator
	for _, o := range cat.Operators("<~>") {
		op = o
	}
	if op == nil || op.Schema != "hr" || op.Left != 25 || op.Result != 16 || cat.OperatorSafety(op) != Unknown {
		t.Errorf("operator: %+v", op)
	}
	for _, o := range cat.Operators("+") {
		if s := cat.OperatorSafety(o); o.OID < firstNormalOID && s != Pure {
			t.Errorf("operator +(%d,%d) is %s", o.Left, o.Right, s)
		}
	}
	for _, k := range cat.Casts {
		if s := cat.CastSafety(&k); k.Extension == "" && s != Unknown || k.Extension != "" && s != Pure {
			t.Errorf("cast %+v is %s", k, s)
		}
	}
	for _, f := range cat.Functions("upper") { // a user's own in pg_catalog is not trusted
		if s := cat.Safety(f); (s == Unknown) != (f.OID >= firstNormalOID) {
			t.Errorf("upper(%v) is %s", f.Args, s)
		}
	}
}

// uncallable reports whether SQL cannot call a function: it takes or returns
// what only the server makes.
func uncallable(cat *Catalog, f *Function) bool {
	internal := func(oid uint32) bool {
		switch cat.Types[oid].Name {
		case "internal", "trigger", "event_trigger", "language_handler", "fdw_handler", "index_am_handler", "table_am_handler", "tsm_handler":
			return true
		}
		return false
	}
	return internal(f.Returns) || slices.ContainsFunc(f.Args, internal)
}

func checkEveryFunction(t *testing.T, cat *Catalog) {
	n := 0
	for _, list := range cat.functions {
		for _, f := range list {
			if !Builtin(f.Schema) || f.OID >= firstNormalOID || uncallable(cat, f) {
				continue
			}
			n++
			if cat.Safety(f) == Unknown {
				t.Errorf("%s (%c) is not classified", f.Name, f.Volatile)
			}
		}
	}
	if n < 2500 {
		t.Errorf("only %d functions", n)
	}
}

func checkEveryCatalog(t *testing.T, cat *Catalog) {
	for _, r := range cat.Relations {
		if r.Schema != "pg_catalog" || r.Kind != 'r' && r.Kind != 'v' {
			continue
		}
		if _, why := CatalogRelation(r.Schema, r.Name); why == "it is not a known catalog" {
			t.Errorf("%s is not classified", r.Name)
		}
	}
	for key := range sensitiveCatalogColumns {
		relation, column, _ := strings.Cut(key, ".")
		if r := cat.Relation("pg_catalog", relation); r == nil || r.Column(column) == nil && key != "pg_class.relallfrozen" {
			t.Errorf("no column %s", key)
		}
	}
}

func checkExtensions(t *testing.T, cat *Catalog) {
	for name, want := range map[string]Safety{"similarity": Pure, "set_limit": Writes, "show_limit": Session, "gen_salt": Session,
		"digest": Pure, "crosstab": Unknown, "normal_rand": Session, "connectby": Unknown, "dblink": Unknown, "dblink_exec": Unknown,
		"xpath_table": Runs, "xslt_process": Files, "xpath_string": Pure, "hstore_to_json": Pure, "akeys": Pure, "isn_weak": Writes} {
		fs := cat.Functions(name)
		if len(fs) == 0 {
			t.Errorf("no function %s", name)
		}
		for _, f := range fs {
			if got := cat.Safety(f); got != want {
				t.Errorf("%s of %s is %s, want %s", name, f.Extension, got, want)
			}
		}
	}
	for _, f := range cat.Functions("regexp_match") {
		if got := cat.Safety(f); got != Pure {
			t.Errorf("regexp_match in %s is %s", f.Schema, got)
		}
	}
}

// text runs a query with the simple protocol.
func text(t *testing.T, conn *pgx.Conn, sql string) []*pgconn.Result {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%.80s: %v", sql, err)
	}
	return results
}

// The probe is right whatever the session has put in the way.
func checkProbe(t *testing.T, s *pgserver.Server) {
	conn := liveConn(t, s, pgserver.SuperUser, s.Password)
	text(t, conn, `CREATE SCHEMA evil; CREATE SCHEMA "Odd "" name";
		CREATE FUNCTION evil.eq(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
		CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eq);
		CREATE VIEW evil.pg_prepared_statements AS SELECT 'x' AS name, 'x' AS statement, true AS from_sql;
		CREATE FUNCTION evil.current_schemas(bool) RETURNS name[] LANGUAGE sql AS 'SELECT array[]::name[]';
		CREATE DOMAIN evil.text AS int;
		SET search_path = evil, "Odd "" name", pg_catalog;
		CREATE TEMP TABLE mine (id int, note pg_catalog.text);
		CREATE TEMP VIEW looks AS SELECT id FROM mine;
		CREATE TEMP TABLE pg_namespace (oid oid)`)
	text(t, conn, `SELECT 1; PREPARE "From SQL" (int) AS SELECT $1 + 1; SELECT 2`)
	if _, err := conn.PgConn().Prepare(t.Context(), "wire", "SELECT 'as' AS x", nil); err != nil {
		t.Fatal(err)
	}
	text(t, conn, `BEGIN; DECLARE c CURSOR FOR SELECT 1; DECLARE h CURSOR WITH HOLD FOR SELECT 2; SET LOCAL standard_conforming_strings = off`)
	got, err := DecodeProbe(text(t, conn, StateProbe)[0].Rows)
	if err != nil {
		t.Fatal(err)
	}
	if got.User != "postgres" || got.Encoding != "UTF8" || !got.NonStandardStrings || !strings.HasPrefix(got.TempSchema, "pg_temp_") {
		t.Errorf("state %+v", got)
	}
	if want := []string{got.TempSchema, "evil", `Odd " name`, "pg_catalog"}; !slices.Equal(got.SearchPath, want) {
		t.Errorf("path %q, want %q", got.SearchPath, want)
	}
	if p := got.Prepared["From SQL"]; len(got.Prepared) != 2 || p == nil || p.SQL != "SELECT $1 + 1" || got.Prepared["wire"].SQL != "SELECT 'as' AS x" {
		t.Errorf("prepared %+v %+v", got.Prepared, p)
	}
	if c, h := got.Cursors["c"], got.Cursors["h"]; c == nil || c.Hold || h == nil || !h.Hold {
		t.Errorf("cursors %+v", got.Cursors)
	}
	var rows [][][][]byte
	for _, r := range text(t, conn, TempRelations) {
		rows = append(rows, r.Rows)
	}
	temp, err := DecodeTemp(rows)
	if err != nil {
		t.Fatal(err)
	}
	if m := temp["mine"]; len(temp) != 3 || m == nil || m.Schema != got.TempSchema || len(m.Columns) != 2 || m.Columns[1].Name != "note" {
		t.Errorf("temporary relations %+v", temp)
	}
	if v := temp["looks"]; v == nil || !v.Partial || v.Columns != nil {
		t.Errorf("temporary view %+v", v)
	}
}

// liveManager watches with short times and can be cut off.
func liveManager(t *testing.T, s *pgserver.Server, change func(*ManagerOptions)) *Manager {
	o := ManagerOptions{Interval: 50 * time.Millisecond, MaxAge: 2 * time.Second, Connect: func(ctx context.Context) (*pgx.Conn, error) {
		return pgx.Connect(ctx, s.URL("watcher", "watcher", "postgres"))
	}}
	if change != nil {
		change(&o)
	}
	m := NewManager(o)
	t.Cleanup(m.Close)
	return m
}

func checkManager(t *testing.T, s *pgserver.Server) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var down atomic.Bool
	m := liveManager(t, s, func(o *ManagerOptions) {
		connect := o.Connect
		o.Connect = func(ctx context.Context) (*pgx.Conn, error) {
			if down.Load() {
				return nil, errors.New("no route")
			}
			return connect(ctx)
		}
	})
	first, err := m.Current(ctx)
	if err != nil || first.Relation("hr", "person") == nil {
		t.Fatalf("first load: %v", err)
	}
	admin := liveConn(t, s, pgserver.SuperUser, s.Password)

	text(t, admin, "CREATE TABLE hr.told (id int)") // a session that says so sees it at once
	cat, err := m.After(ctx, m.Invalidate())
	if err != nil || cat.Relation("hr", "told") == nil || cat.Version == first.Version {
		t.Errorf("after Invalidate: %v", err)
	}
	for i, change := range []struct {
		sql  string
		seen func(*Catalog) bool
	}{
		{"CREATE TABLE hr.found (id int)", func(c *Catalog) bool { return c.Relation("hr", "found") != nil }},
		{"ALTER TABLE hr.found RENAME id TO other", func(c *Catalog) bool { return c.Relation("hr", "found").Column("other") != nil }},
		{"CREATE OR REPLACE VIEW hr.names AS SELECT id, lower(name) AS name FROM hr.person",
			func(c *Catalog) bool { return strings.Contains(c.Relation("hr", "names").Definition, "lower") }},
		{"ALTER TYPE hr.level ADD VALUE 'top'", func(c *Catalog) bool { return len(c.TypeNamed("hr", "level").Labels) == 3 }},
		{"CREATE OR REPLACE FUNCTION hr.differs(text, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'",
			func(c *Catalog) bool { return c.Functions("differs")[0].Body == "SELECT true" }},
		{"DROP TABLE hr.found", func(c *Catalog) bool { return c.Relation("hr", "found") == nil }},
	} {
		text(t, admin, change.sql)
		for start := time.Now(); ; time.Sleep(10 * time.Millisecond) { // others are found by looking
			if cat, err = m.Current(ctx); err != nil || change.seen(cat) {
				break
			}
			if time.Since(start) > 5*time.Second {
				t.Errorf("change %d is not seen", i)
				break
			}
		}
	}
	text(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir catalog'")
	if err := m.Refresh(ctx); err != nil {
		t.Errorf("a lost connection is not made again: %v", err)
	}
	down.Store(true)
	text(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weir catalog'")
	for start := time.Now(); err == nil && time.Since(start) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		if age, _ := m.Age(); age > 2*time.Second {
			_, err = m.Current(ctx)
		} else if _, err := m.Current(ctx); err != nil {
			t.Fatalf("age %v: %v", age, err)
		}
	}
	if !errors.Is(err, ErrStaleCatalog) || !strings.Contains(err.Error(), "no route") {
		t.Errorf("a stale catalog is handed out: %v", err)
	}
	down.Store(false)
	for start := time.Now(); err != nil && time.Since(start) < 5*time.Second; {
		_, err = m.Current(ctx)
	}
	if err != nil {
		t.Errorf("no recovery: %v", err)
	}
	m.Close()
	if _, err := m.Current(ctx); !errors.Is(err, ErrManagerClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A change in progress hides its relation and the views over it, no more, and
// does not stop the catalog.
func checkLocked(t *testing.T, s *pgserver.Server) {
	admin := liveConn(t, s, pgserver.SuperUser, s.Password)
	m := liveManager(t, s, nil)
	text(t, admin, "BEGIN; ALTER TABLE hr.person ADD later int")
	cat, err := m.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	person, names := cat.Relation("hr", "person"), cat.Relation("hr", "names")
	if !person.Partial || person.Columns != nil || !names.Partial || names.Definition != "" || names.Columns != nil {
		t.Errorf("person %+v, names %+v", person, names)
	}
	if cat.Relation("hr", "events").Partial || only(t, cat, "hr", "body").Body != "" {
		t.Error("other relations are affected, or a body is not")
	}
	text(t, admin, "ROLLBACK")
	if cat, err = m.After(t.Context(), m.Invalidate()); err != nil || cat.Relation("hr", "person").Partial || cat.Relation("hr", "names").Definition == "" {
		t.Errorf("afterwards: %v", err)
	}
}
