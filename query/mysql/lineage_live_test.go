package mysql

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"
	driver "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/weirdb/weir/deploy/myserver"
	"github.com/weirdb/weir/query"
)

// lineageServer is a server with testdata/lineage_schema.sql, its catalog and a
// connection to it.
func lineageServer(t *testing.T) (*client.Conn, *Catalog) {
	t.Helper()
	s, err := myserver.Start(t.Context(), myserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	raw, err := os.ReadFile("testdata/lineage_schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("%s:%d", s.Host, s.Port)
	conn, err := client.Connect(address, myserver.SuperUser, s.Password, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Execute("SET NAMES utf8mb4"); err != nil {
		t.Fatal(err)
	}
	for _, stmt := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
		if _, err := conn.Execute(stmt); err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
	}
	if err := conn.UseDB("shop"); err != nil {
		t.Fatal(err)
	}
	q, err := dial(context.Background(), fmt.Sprintf("%s:%s@tcp(%s)/", myserver.SuperUser, s.Password, address))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	cat, err := Load(t.Context(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, cat
}

// columnStatements are the statements of a file: a line that begins with a
// blank continues the one before.
func columnStatements(t *testing.T, file string) []string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		switch {
		case strings.HasPrefix(l, "#"):
		case strings.HasPrefix(l, " "):
			out[len(out)-1] += "\n" + l
		default:
			out = append(out, l)
		}
	}
	return out
}

// TestLiveColumns compares the number of columns, their names and sources with
// what a server says, for a statement that is run and one that is prepared.
func TestLiveColumns(t *testing.T) {
	conn, cat := lineageServer(t)
	a := NewAnalyzer(Options{SafeFunctions: []string{"shop.f_twice"}})
	for _, sql := range columnStatements(t, "testdata/lineage_columns.txt") {
		out := a.Analyze(sql, cat, lineageState())
		if out.Err != nil || len(out.Statements) != 1 {
			t.Errorf("%s: not read: %v", sql, out.Err)
			continue
		}
		s := &out.Statements[0]
		if !s.Complete {
			t.Errorf("%s: %s", sql, reasonsOf(&s.Facts))
			continue
		}
		res, err := conn.Execute(sql)
		if err != nil {
			t.Errorf("%s: the server says %v", sql, err)
			continue
		}
		compareColumns(t, cat, sql, s.Output, res.Fields)
		prepared, err := conn.Prepare(sql)
		if err != nil {
			continue // not every statement can be
		}
		if res, err = prepared.Execute(); err != nil {
			t.Errorf("%s: prepared, the server says %v", sql, err)
			continue
		}
		compareColumns(t, cat, "prepared: "+sql, s.Output, res.Fields)
		if err := prepared.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func compareColumns(t *testing.T, cat *Catalog, sql string, got []query.Output, want []*driver.Field) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d columns, the server gives %d", sql, len(got), len(want))
		return
	}
	for i, f := range want {
		o := got[i]
		if o.Name != string(f.Name) {
			t.Errorf("%s: column %d is %q, the server says %q", sql, i+1, o.Name, f.Name)
		}
		var source uint32
		var attr int16
		if len(f.Schema) > 0 {
			if rel := cat.Relation(string(f.Schema), string(f.OrgTable)); rel != nil {
				if c := rel.Column(string(f.OrgName)); c != nil {
					source, attr = rel.ID, c.Attr
				}
			} else if o.SourceAlias != string(f.OrgTable) {
				t.Errorf("%s: column %d is one of %q, the server says %q", sql, i+1, o.SourceAlias, f.OrgTable)
			}
		}
		if o.Source != source || o.SourceAttr != attr {
			t.Errorf("%s: column %d comes from %d.%d, the server says %d.%d (%s.%s.%s)", sql, i+1, o.Source, o.SourceAttr, source, attr, f.Schema, f.OrgTable, f.OrgName)
		}
	}
}
