package pgsql

import (
	"slices"
	"testing"

	"github.com/weirdb/weir/query"
)

// TestPartitionOrder: staff.bonus is partitioned by its amount, so what shows
// the order of its rows uses the amount.
func TestPartitionOrder(t *testing.T) {
	cat := fixtureCatalog(t)
	an := NewAnalyzer(Options{CacheEntries: -1})
	for sql, want := range map[string]bool{
		"SELECT id, paid FROM staff.bonus ORDER BY id, paid":                                                         false,
		"SELECT id, amount FROM staff.bonus ORDER BY id":                                                             false,
		"SELECT 'x', id FROM staff.bonus ORDER BY 2":                                                                 false,
		"SELECT count(*), min(id), max(paid) FROM staff.bonus WHERE paid > '2024-01-01'":                             false,
		"SELECT paid, count(*), sum(id) FROM staff.bonus GROUP BY paid ORDER BY paid":                                false,
		"SELECT ARRAY(SELECT id FROM staff.bonus ORDER BY id) AS a ORDER BY a":                                       true, // arrays may be equal and differ
		"SELECT count(*), ARRAY(SELECT id FROM staff.bonus ORDER BY id) FROM staff.employee":                         false,
		"SELECT id FROM staff.bonus":                                                                                 true,
		"SELECT CASE WHEN id > 3 THEN 1.0 ELSE 1.00 END AS x FROM staff.bonus ORDER BY x":                            true,
		"SELECT DISTINCT CASE WHEN id > 3 THEN 1.0 ELSE 1.00 END AS x FROM staff.bonus ORDER BY x":                   true,
		"SELECT max(CASE WHEN id > 3 THEN 1.0 ELSE 1.00 END) FROM staff.bonus":                                       true,
		"SELECT sum(DISTINCT CASE WHEN id > 3 THEN 1.0 ELSE 1.00 END) FROM staff.bonus":                              true,
		"SELECT id FROM staff.bonus ORDER BY clock_timestamp(), id":                                                  true,
		"SELECT id, random() AS r FROM staff.bonus ORDER BY id, r":                                                   true,
		"SELECT count(*), ARRAY(SELECT id FROM staff.bonus) FROM staff.employee":                                     true,
		"SELECT count(*), json_array(SELECT id FROM staff.bonus) FROM staff.employee":                                true,
		"SELECT json_arrayagg(id), count(*) FROM staff.bonus":                                                        true,
		"SELECT (SELECT b.id FROM staff.bonus b ORDER BY count(e.id) LIMIT 1) AS v FROM staff.employee e ORDER BY v": true,
		"SELECT x FROM staff.bonus b JOIN (VALUES (0, 'a'), (1, 'b')) v(k, x) ON b.id = v.k":                         true,
		"SELECT EXISTS (SELECT 1 WHERE b.id > 3) FROM staff.bonus b":                                                 true,
		"SELECT count(concat('x', id)::int) FROM staff.bonus":                                                        true,
		"SELECT id FROM staff.bonus WHERE 10 / id > 1 ORDER BY id":                                                   true,
		"UPDATE staff.employee e SET room = b.id FROM staff.bonus b":                                                 true,
		"UPDATE staff.employee SET room = room WHERE id IN (SELECT id FROM staff.bonus)":                             true,
		"UPDATE staff.employee SET room = room WHERE id = 1":                                                         false,
		"DECLARE c CURSOR FOR SELECT CASE WHEN id > 3 THEN 1.0 ELSE 1.00 END AS x FROM staff.bonus ORDER BY x":       true,
	} {
		a := an.Analyze(sql, cat, fixtureState())
		if a.Err != nil || len(a.Statements) != 1 {
			t.Errorf("%s: %v", sql, a.Err)
			continue
		}
		facts := &a.Statements[0].Facts
		if c := a.Statements[0].cursor; c != nil {
			facts = c.Facts
		}
		got := false
		for _, table := range facts.Tables {
			got = got || table.Name == "bonus" && slices.ContainsFunc(table.Columns, func(c query.ColumnUse) bool {
				return c.Name == "amount" && c.Uses&query.UseOrder != 0
			})
		}
		if got != want {
			t.Errorf("%s: shows the order: %v", sql, got)
		}
	}
}
