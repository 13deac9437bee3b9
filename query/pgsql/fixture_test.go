package pgsql

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weirdb/weir/deploy/pgserver"
)

var update = flag.Bool("update", false, "write golden files anew")

const catalogFile = "testdata/catalog.json.gz"

// storedCatalog is a Catalog as a file holds it.
type storedCatalog struct {
	Catalog   *Catalog
	Functions []*Function
	Operators []*Operator
}

// fixture is the catalog of testdata/schema.sql on PostgreSQL 15, read from a
// file so that most tests need no server.
var fixture = sync.OnceValues(func() (*Catalog, error) {
	raw, err := os.ReadFile(catalogFile)
	if err != nil {
		return nil, err
	}
	zr, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var s storedCatalog
	if err := json.NewDecoder(zr).Decode(&s); err != nil {
		return nil, err
	}
	s.Catalog.Index(s.Functions, s.Operators)
	return s.Catalog, nil
})

func fixtureCatalog(t testing.TB) *Catalog {
	t.Helper()
	cat, err := fixture()
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func fixtureState() *State {
	return &State{User: "postgres", SearchPath: []string{"pg_catalog", "shop", "public"}, Encoding: "UTF8"}
}

func encodeCatalog(t *testing.T, cat *Catalog) []byte {
	t.Helper()
	s := storedCatalog{Catalog: cat}
	for _, list := range cat.functions {
		s.Functions = append(s.Functions, list...)
	}
	for _, list := range cat.operators {
		s.Operators = append(s.Operators, list...)
	}
	slices.SortFunc(s.Functions, func(a, b *Function) int { return int(a.OID) - int(b.OID) })
	slices.SortFunc(s.Operators, func(a, b *Operator) int { return int(a.OID) - int(b.OID) })
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// analysisServer runs testdata/schema.sql on a server of its own.
func analysisServer(t *testing.T, major int) (*pgx.Conn, *Catalog) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	server, err := pgserver.Start(ctx, pgserver.Options{Major: major})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	conn, err := pgx.Connect(ctx, server.URL(pgserver.SuperUser, server.Password, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	schema, err := os.ReadFile("testdata/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().Exec(ctx, string(schema)+"; SET search_path = shop, public").ReadAll(); err != nil {
		t.Fatal(err)
	}
	cat, err := Load(ctx, conn.PgConn(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, cat
}

// TestLiveFixture keeps the stored catalog what the server has.
func TestLiveFixture(t *testing.T) {
	_, cat := analysisServer(t, 15)
	if *update {
		var out bytes.Buffer
		zw, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := zw.Write(encodeCatalog(t, cat)); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(catalogFile, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	stored := fixtureCatalog(t)
	for _, live := range cat.Relations {
		if Builtin(live.Schema) {
			continue
		}
		kept := stored.Relation(live.Schema, live.Name)
		if kept == nil {
			t.Errorf("%s.%s is not in %s; run with -update", live.Schema, live.Name, catalogFile)
			continue
		}
		if len(kept.Columns) != len(live.Columns) || kept.Definition != live.Definition || !slices.Equal(kept.Conditions, live.Conditions) || !slices.Equal(kept.Unique, live.Unique) {
			t.Errorf("%s.%s differs from %s; run with -update", live.Schema, live.Name, catalogFile)
		}
	}
}
