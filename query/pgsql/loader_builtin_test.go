package pgsql

import (
	"bytes"
	"testing"
)

// TestLiveBuiltinsAreKept: a catalog that takes the server's own objects over
// from the one before is the one that is read from nothing.
func TestLiveBuiltinsAreKept(t *testing.T) {
	s := liveServer(t, 15)
	conn := liveConn(t, s, "postgres", s.Password)
	load := func(prev *Catalog) *Catalog {
		t.Helper()
		cat, err := Load(t.Context(), conn.PgConn(), prev)
		if err != nil {
			t.Fatal(err)
		}
		return cat
	}
	prev := load(nil)
	for _, c := range []struct {
		sql  string
		kept bool
	}{
		{"CREATE TABLE public.t (a int PRIMARY KEY, b information_schema.cardinal_number)", true},
		{"CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", true},
		{"CREATE VIEW public.v AS SELECT relname FROM pg_catalog.pg_class", true},
		{"ALTER FUNCTION pg_catalog.upper(text) LEAKPROOF", false},
		{"ALTER FUNCTION pg_catalog.lower(text) RENAME TO lower_case", false},
		{"CREATE OR REPLACE FUNCTION pg_catalog.initcap(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'", false},
		{"DROP TABLE information_schema.sql_implementation_info", false},
		{"CREATE EXTENSION IF NOT EXISTS pg_trgm", true},
		{"ALTER EXTENSION pg_trgm ADD FUNCTION pg_catalog.upper(text)", false},
		{"DROP TABLE public.t", true},
	} {
		if _, err := conn.Exec(t.Context(), c.sql); err != nil {
			t.Fatalf("%s: %v", c.sql, err)
		}
		cat, fresh := load(prev), load(nil)
		if cat.Version != fresh.Version || !bytes.Equal(encodeCatalog(t, cat), encodeCatalog(t, fresh)) {
			t.Errorf("after %s the catalog differs from a fresh one", c.sql)
		}
		if (cat.builtins == prev.builtins) != c.kept {
			t.Errorf("after %s: the server's own objects are kept: %v", c.sql, !c.kept)
		}
		prev = cat
	}
}
