package pgsql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// TestPinnedStatistics: a statistic that the statement's own conditions tie to
// certain tables counts as their columns, whatever cannot be tied is refused.
func TestPinnedStatistics(t *testing.T) {
	const (
		gap = "gap" // refused whoever asks
		// Else the columns of these relations are used, or nothing beyond the catalogs.
		none = ""
	)
	cat := fixtureCatalog(t)
	orders, shop := cat.Relation("shop", "orders").OID, cat.Schemas["shop"]
	joined := " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
	left := " FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
	index := " FROM pg_class ct JOIN pg_namespace n ON ct.relnamespace = n.oid JOIN pg_index i ON ct.oid = i.indrelid JOIN pg_class ci ON ci.oid = i.indexrelid WHERE "
	for _, c := range []struct{ sql, want string }{
		{"SELECT relname FROM pg_class", none},
		{"SELECT reltuples FROM pg_class", gap},
		{fmt.Sprintf("SELECT reltuples FROM pg_class WHERE oid = %d", orders), "shop.orders"},
		{fmt.Sprintf("SELECT reltuples FROM pg_class WHERE '%d' = oid", orders), "shop.orders"},
		{fmt.Sprintf("SELECT reltuples FROM pg_class WHERE oid <> %d", orders), gap},
		{fmt.Sprintf("SELECT reltuples FROM pg_class WHERE oid = %d OR true", orders), gap},
		{fmt.Sprintf("SELECT reltuples FROM pg_class WHERE NOT oid = %d", orders), gap},
		{"SELECT reltuples FROM pg_class WHERE oid = 1", gap},
		{"SELECT reltuples FROM pg_class WHERE oid = 'shop.orders'::regclass", "shop.orders"},
		{"SELECT reltuples FROM pg_class WHERE oid = 'orders'::regclass", gap}, // an index may come first in the path
		{"SELECT reltuples FROM pg_class WHERE oid IN ('shop.orders'::regclass, 'shop.item'::regclass)", "shop.item shop.orders"},
		{"SELECT reltuples FROM pg_class WHERE oid = 'staff.bonus_low'::regclass", "staff.bonus staff.bonus_high staff.bonus_low"},
		{"SELECT reltuples FROM pg_class WHERE oid = 'pg_catalog.pg_statistic'::regclass", gap},
		{"SELECT reltuples FROM pg_class WHERE relname = 'orders'", gap}, // of which schema?
		// Schemas, by join and by number.
		{"SELECT c.relpages" + joined + "n.nspname = 'shop' AND c.relname = 'orders'", "shop.orders"},
		{"SELECT c.relpages" + left + "n.nspname = 'shop' AND c.relname = 'orders'", "shop.orders"},
		{"SELECT c.relpages" + joined + "n.nspname LIKE 'shop' AND c.relname LIKE 'orders'", "shop.orders"},
		{"SELECT c.relpages" + joined + "n.nspname LIKE 'shop' AND c.relname LIKE 'order_'", gap + " or all"},
		{"SELECT c.relpages" + joined + "n.nspname OPERATOR(pg_catalog.~) '^(shop)$' COLLATE pg_catalog.default AND c.relname ~ '^(orders|item)$'", "shop.item shop.orders"},
		{"SELECT c.relpages" + joined + "n.nspname ~ '^(shop' AND c.relname = 'orders'", gap},
		{"SELECT c.relpages" + joined + "n.nspname = 'shop' AND c.relname = 'orders_pkey'", gap}, // an index
		{"SELECT c.relpages" + joined + "n.nspname = 'pg_toast'", gap},
		{"SELECT c.relpages" + joined + "n.nspname = 'shop' AND c.relkind IN ('S')", none},
		{"SELECT c.relpages" + joined + "n.nspname = 'shop' AND c.relkind IN ('Sx')", gap + " or all"}, // read as S
		{"SELECT c.relpages FROM pg_class c, pg_namespace n WHERE n.nspname = 'shop' AND c.relname = 'orders'", gap},
		{"SELECT c.relpages FROM pg_class c LEFT JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'shop' AND c.relname = 'orders'", gap},
		{"SELECT c.relpages FROM pg_namespace n LEFT JOIN pg_class c ON n.oid = c.relnamespace AND n.nspname = 'shop' AND c.relname = 'orders'", "shop.orders"},
		{"SELECT c.relpages FROM pg_namespace n FULL JOIN pg_class c ON n.oid = c.relnamespace AND n.nspname = 'shop' AND c.relname = 'orders'", gap},
		{fmt.Sprintf("SELECT c.relname FROM pg_class c WHERE c.relnamespace = %d", shop), none},
		{fmt.Sprintf("SELECT c.relpages FROM pg_class c WHERE c.relnamespace = %d AND c.relkind = 'S'", shop), none},
		{"SELECT c.relpages FROM pg_class c WHERE c.relnamespace = 99", gap},
		// Indexes of known tables.
		{"SELECT ci.reltuples" + index + "n.nspname = 'shop' AND ct.relname = 'orders'", "shop.orders"},
		{"SELECT ci.reltuples" + index + "n.nspname = 'shop'", gap + " or all"},
		{"SELECT ci.reltuples" + index + "ct.relname = 'orders'", gap},
		// Only as it is, or computed by the outermost query.
		{"SELECT -reltuples FROM pg_class WHERE oid = 'shop.orders'::regclass", "shop.orders"},
		{"SELECT x.r FROM (SELECT reltuples AS r FROM pg_class WHERE oid = 'shop.orders'::regclass) x", "shop.orders"},
		{"SELECT x.r FROM (SELECT 1 / reltuples AS r FROM pg_class WHERE oid = 'shop.orders'::regclass) x", gap},
		{"SELECT x.r FROM (SELECT reltuples AS r FROM pg_class WHERE oid = 'shop.orders'::regclass) x WHERE 1 / x.r > 0", gap},
		{"SELECT x.r FROM (SELECT oid, reltuples AS r FROM pg_class) x WHERE x.oid = 'shop.orders'::regclass", gap},
		{"SELECT relname FROM pg_class WHERE oid = 'shop.orders'::regclass AND 1 / reltuples > 0", gap},
		{"SELECT relname FROM pg_class WHERE oid = 'shop.orders'::regclass ORDER BY reltuples", gap},
		{"SELECT relname FROM pg_class WHERE oid = 'shop.orders'::regclass GROUP BY relname HAVING 1 / max(reltuples) > 0", gap},
		{"SELECT DISTINCT reltuples FROM pg_class WHERE oid = 'shop.orders'::regclass", gap},
		{"WITH pg_class AS (SELECT oid, reltuples FROM pg_catalog.pg_class) SELECT reltuples FROM pg_class WHERE oid = 'shop.orders'::regclass", gap},
		// Sizes.
		{"SELECT pg_table_size('shop.orders')", "shop.orders"},
		{"SELECT pg_relation_size('shop.orders'::regclass, 'main')", "shop.orders"},
		{"SELECT pg_table_size('orders')", gap},
		{"SELECT pg_table_size(oid) FROM pg_class", gap},
		{"SELECT pg_size_pretty(pg_table_size(c.oid))" + joined + "n.nspname = 'shop' AND c.relname = 'orders'", "shop.orders"},
		{"SELECT x.s FROM (SELECT pg_table_size(c.oid) AS s" + joined + "n.nspname = 'shop' AND c.relname = 'orders') x", gap},
		{"SELECT 1" + joined + "n.nspname = 'shop' AND c.relname = 'orders' AND pg_table_size(c.oid) > 8192", gap},
		{"SELECT pg_total_relation_size('staff.bonus_high')", "staff.bonus staff.bonus_high staff.bonus_low"},
		// pg_stats.
		{"SELECT attname, n_distinct FROM pg_stats WHERE schemaname = 'shop' AND tablename = 'orders' ORDER BY attname", "shop.orders"},
		{"SELECT attname FROM pg_stats WHERE schemaname = 'staff' AND tablename = 'bonus_low'", "staff.bonus staff.bonus_high staff.bonus_low"},
		{"SELECT attname FROM pg_stats WHERE tablename = 'orders'", gap},
		{"SELECT attname FROM pg_stats WHERE schemaname = 'shop' AND tablename = 'orders' AND n_distinct > 3", gap},
		{"SELECT attname FROM pg_stats WHERE schemaname = 'shop' AND tablename = 'orders_pkey'", gap},
		// Values that rows have from before a column was added: there are none.
		{"SELECT attmissingval FROM pg_attribute", none},
		// Counters.
		{"SELECT schemaname, relname, relid FROM pg_statio_all_tables", none},
		{"SELECT heap_blks_read FROM pg_statio_all_tables", gap},
	} {
		f := NewAnalyzer(Options{}).Analyze(c.sql, cat, fixtureState()).Statements[0].Facts
		got := usedTables(&f)
		if !f.Complete {
			got = gap
		}
		if want, all := strings.CutSuffix(c.want, " or all"); all {
			if got != want && !strings.Contains(got, "shop.customer") {
				t.Errorf("%s: %q", c.sql, got)
			}
		} else if got != want {
			t.Errorf("%s: %q, want %q; %v", c.sql, got, want, f.Gaps)
		}
	}
}

// usedTables are the tables of users whose columns are all used, by name.
func usedTables(f *query.Facts) string {
	var names []string
	for _, t := range f.Tables {
		if Builtin(t.Schema) {
			continue
		}
		for _, c := range t.Columns {
			if c.Uses&query.UseDerived != 0 {
				names = append(names, t.Schema+"."+t.Name)
				break
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestMissingValues(t *testing.T) {
	stored := fixtureCatalog(t)
	cat := *stored
	cat.Relations = map[uint32]*Relation{}
	for oid, rel := range stored.Relations {
		cat.Relations[oid] = rel
	}
	orders := *cat.Relation("shop", "orders")
	orders.Columns = append([]Column(nil), orders.Columns...)
	orders.Columns[4].Missing = true
	cat.Relations[orders.OID] = &orders
	cat.Version++
	f := NewAnalyzer(Options{}).Analyze("SELECT a.* FROM pg_attribute a", &cat, fixtureState()).Statements[0].Facts
	if got := usedTables(&f); !f.Complete || got != "shop.orders" {
		t.Errorf("%q %v", got, f.Gaps)
	}
	f = NewAnalyzer(Options{}).Analyze("SELECT a.attname FROM pg_attribute a", &cat, fixtureState()).Statements[0].Facts
	if got := usedTables(&f); !f.Complete || got != "" {
		t.Errorf("%q %v", got, f.Gaps)
	}
}

// TestFunctionColumns: the names that the server gives to the columns of
// functions in FROM.
func TestFunctionColumns(t *testing.T) {
	cat := fixtureCatalog(t)
	for _, sql := range []string{
		"SELECT t.n, t.s FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS t(n, s)",
		"SELECT n, o FROM unnest(ARRAY[1, 2], ARRAY['a']) WITH ORDINALITY AS t(n, s, o)",
		"SELECT relid FROM pg_partition_ancestors('staff.bonus_low')",
		"SELECT a.relid, a FROM pg_partition_ancestors('staff.bonus_low') AS a",
		"SELECT g FROM generate_series(1, 3) AS g",
		"SELECT generate_series FROM generate_series(1, 3)",
		"SELECT 1::int4, 2::text, CAST(3 AS int)",
	} {
		f := NewAnalyzer(Options{}).Analyze(sql, cat, fixtureState()).Statements[0].Facts
		if !f.Complete || len(f.Tables) > 0 {
			t.Errorf("%s: %v %v", sql, f.Gaps, f.Tables)
		}
	}
}

// TestUnreadButComputed: what nobody reads is computed all the same, and fails
// on some values.
func TestUnreadButComputed(t *testing.T) {
	cat := fixtureCatalog(t)
	for _, sql := range []string{
		"SELECT a.id FROM staff.accounts a, abs(1 / (a.secret::int - 5)) s",
		"SELECT a.id FROM staff.accounts a, ROWS FROM (abs(1 / (a.secret::int - 5)), generate_series(1, 2)) s",
		"SELECT a.id FROM staff.accounts a, LATERAL (VALUES (1 / (a.secret::int - 5)), (2)) s",
		"SELECT s.id FROM (SELECT id, random() + 1 / (secret::int - 5) AS x FROM staff.accounts) s",
		"SELECT a.id FROM staff.accounts a, util.slug(repeat('x', 1 / (a.secret::int - 5))) s",
		"SELECT a.id FROM staff.accounts a, json_populate_record(NULL::shop.item, to_json(1 / (a.secret::int - 5))) s",
		"SELECT s.id FROM (SELECT id, nextval('shop.ticket') + 1 / (secret::int - 5) AS x FROM staff.accounts) s",
	} {
		f := NewAnalyzer(Options{}).Analyze(sql, cat, fixtureState()).Statements[0].Facts
		if got := usedTables(&f); got != "staff.accounts" {
			t.Errorf("%s: %q", sql, got)
		}
	}
}
