package pgsql

import (
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

func TestSizesAreHidden(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{})
	shown := query.Rewrite{Sizes: &query.Sizes{Shown: []query.RelationName{{Schema: "shop", Name: "orders"}}}}
	orders := itoa(int(cat.Relation("shop", "orders").OID))
	for _, c := range []struct{ sql, want string }{ // what the text must contain, or why it stays unread
		{"SELECT relname, reltuples FROM pg_class", "CASE WHEN"},
		{"SELECT * FROM pg_class c ORDER BY relpages LIMIT 1", "ELSE 0 END AS relpages"},
		{"SELECT row_to_json(c) FROM pg_class c", "ELSE '-1'::real END AS reltuples"},
		{"SELECT (SELECT max(relpages) FROM pg_class)", "'{" + orders + "}'::pg_catalog.oid[]"},
		{"COPY (SELECT relpages FROM pg_class) TO STDOUT", "AS relpages"},
		{"DECLARE c CURSOR FOR SELECT relpages FROM pg_class", "AS relpages"},
		{"SELECT pg_relation_size('shop.customer')", "AS pg_relation_size"},
		{"SELECT pg_size_pretty(pg_table_size(oid)) FROM pg_class", "AS pg_size_pretty"},
		{"SELECT pg_total_relation_size(indrelid) + 1 FROM pg_index ORDER BY 1", "THEN pg_total_relation_size(indrelid) END + 1"},
		{"SELECT pg_relation_size((SELECT max(oid) FROM pg_class))", "not read: function pg_catalog.pg_relation_size tells of stored data"},
		{"SELECT * FROM pg_relation_size('shop.customer')", "not read"},
		{"SELECT n_live_tup, reltuples FROM pg_stat_all_tables JOIN pg_class ON oid = relid", "not read: column pg_catalog.pg_stat_all_tables.n_live_tup"},
		{"SELECT most_common_vals FROM pg_stats, pg_class", "not read: relation pg_catalog.pg_stats"},
		{"SELECT pg_stat_get_live_tuples(oid) FROM pg_class", "not read"},
	} {
		before := an.Analyze(c.sql, cat, fixtureState())
		if f := &before.Statements[0].Facts; !ReadsSizes(f) && !strings.Contains(c.sql, "pg_stats") || f.Complete && !strings.Contains(c.sql, "'shop.customer'") {
			t.Errorf("%s: reads sizes %v, complete %v", c.sql, ReadsSizes(f), f.Complete)
		}
		r, err := an.Rewrite(c.sql, 0, cat, fixtureState(), shown)
		got := ""
		switch {
		case err != nil:
			got = "not read: " + err.Error()
		case !r.Facts.Complete:
			got = "not read: " + r.Facts.Gaps[0].Reason
		default:
			got = r.SQL
			for _, table := range r.Facts.Tables {
				if table.Schema != "pg_catalog" {
					t.Errorf("%s: it tells of %s.%s", c.sql, table.Schema, table.Name)
				}
			}
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\ngot:  %s\nwant: %s", c.sql, got, c.want)
		}
	}
}

func TestSizesTellOf(t *testing.T) {
	cat := fixtureCatalog(t)
	tables := map[string][]query.Table{}
	for _, s := range NewAnalyzer(Options{}).SizesOf(cat) {
		if Builtin(s.Schema) {
			t.Errorf("%s.%s is the server's", s.Schema, s.Name)
		}
		tables[s.Schema+"."+s.Name] = s.Tables
	}
	customer := tables["shop.customer"]
	if len(customer) == 0 || len(customer[0].Columns) != len(cat.Relation("shop", "customer").Columns) {
		t.Errorf("the size of shop.customer tells of %v", customer)
	}
	for _, rel := range cat.Relations {
		if of, known := tables[rel.Schema+"."+rel.Name]; rel.Kind == 'v' && !Builtin(rel.Schema) && (!known || len(of) > 0) {
			t.Errorf("view %s.%s has no size, and yet tells of %v", rel.Schema, rel.Name, of)
		}
	}
}
