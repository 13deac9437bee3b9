package mysql

import (
	"errors"
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

func text1(s string) *string { return &s }

// lineageRewrite hides foreign customers, and cards' numbers.
func lineageRewrite() query.Rewrite {
	return query.Rewrite{Relations: []query.Narrowing{
		{Schema: "shop", Table: "cards", Constants: []query.Constant{{Column: "pan", Value: text1("0")}, {Column: "balance"}}},
		{Schema: "shop", Table: "customers", Filters: []string{"`country` = 'ES'"}, Constants: []query.Constant{{Column: "ssn", Value: text1("it's")}}},
	}}
}

const (
	cardsSeen     = "(SELECT `id`, `customer_id`, `brand`, CAST('0' AS UNSIGNED) AS `pan`, CAST(NULL AS DECIMAL(14,4)) AS `balance` FROM `shop`.`cards`)"
	customersSeen = "(SELECT `id`, `name`, `city`, `country`, CONVERT('it''s' USING utf8mb4) COLLATE utf8mb4_general_ci AS `ssn`, `email`, `credit`, `score`, `vip`, `domain`, `note` FROM `shop`.`customers` WHERE (`country` = 'ES'))"
)

func TestRewrite(t *testing.T) {
	customersFirst := strings.TrimSuffix(customersSeen, ")") + " LIMIT 18446744073709551615)"
	for _, c := range []struct{ in, want string }{
		{"SELECT id FROM products", "SELECT id FROM products"},
		{"SELECT k.ID, pan + 1 FROM cards k WHERE pan > 3", "SELECT k.ID, pan + 1 FROM " + cardsSeen + " AS `k` WHERE pan > 3"},
		{"SELECT shop.cards.pan, shop . cards.* FROM shop.cards -- c", "SELECT cards.pan, cards.* FROM " + cardsSeen + " AS `cards`"},
		{"SELECT ssn FROM customers AS c WHERE id = ? LIMIT ?", "SELECT ssn FROM " + customersSeen + " AS `c` WHERE id = ? LIMIT ?"},
		{"SELECT ssn FROM customers USE INDEX (k_country) WHERE upper(name) = 'A'", "SELECT ssn FROM " + strings.Replace(customersFirst, " WHERE", " USE INDEX (k_country) WHERE", 1) + " AS `customers` WHERE upper(name) = 'A'"},
		{"SELECT (SELECT pan FROM cards WHERE id = 1) p, customers FROM (SELECT 1 customers) x", "SELECT (SELECT pan FROM " + cardsSeen + " AS `cards` WHERE id = 1) p, customers FROM (SELECT 1 customers) x"},
		{"SELECT a.id FROM customers a, cards b JOIN customers c ON c.id = b.id", "SELECT a.id FROM " + customersSeen + " AS `a`, " + cardsSeen + " AS `b` JOIN " + customersSeen + " AS `c` ON c.id = b.id"},
		{"WITH customers AS (SELECT 1 AS id) SELECT * FROM customers JOIN shop.customers b USING (id)", "WITH customers AS (SELECT 1 AS id) SELECT * FROM customers JOIN " + customersFirst + " AS `b` USING (id)"},
		{"SELECT addr FROM v_contact", "SELECT addr FROM (select `customers`.`id` AS `cid`,`customers`.`email` AS `addr` from " + customersSeen + " AS `customers`) AS `v_contact`"},
		{"SELECT k FROM v_nested n", "SELECT k FROM (select `v_contact`.`cid` AS `k`,concat(`v_contact`.`cid`,ifnull(`v_contact`.`addr`,'-')) AS `label` from (select `customers`.`id` AS `cid`,`customers`.`email` AS `addr` from " + customersSeen + " AS `customers`) AS `v_contact`) AS `n`"},
		{"SELECT id FROM products UNION SELECT id FROM cards ORDER BY 1", "SELECT id FROM products UNION SELECT id FROM " + cardsSeen + " AS `cards` ORDER BY 1"},
		{"SELECT id FROM products WHERE id IN (SELECT customer_id FROM cards)", "SELECT id FROM products WHERE id IN (SELECT customer_id FROM " + cardsSeen + " AS `cards`)"},
		{"SELECT EXISTS (SELECT 1 FROM cards) a, (SELECT COUNT(*) FROM cards k) b FROM cards", "SELECT EXISTS (SELECT 1 FROM " + cardsSeen + " AS `cards`) a, (SELECT COUNT(*) FROM " + cardsSeen + " AS `k`) b FROM " + cardsSeen + " AS `cards`"},
	} {
		out, err := NewAnalyzer(Options{}).Rewrite(c.in, 0, lineageCatalog(), lineageState(), lineageRewrite())
		if err != nil {
			if c.want != "" {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		if out.SQL != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, out.SQL, c.want)
		}
		for _, tab := range out.Facts.Tables {
			for _, col := range tab.Columns {
				if tab.Name == "cards" && (col.Name == "pan" || col.Name == "balance") && col.Uses&^query.UseOrder != 0 {
					t.Errorf("%s: %s is used: %v", c.in, col.Name, col.Uses.Names())
				}
				if tab.Name == "customers" && col.Name == "ssn" && col.Uses&^query.UseOrder != 0 {
					t.Errorf("%s: %s is used: %v", c.in, col.Name, col.Uses.Names())
				}
			}
		}
		if !out.Facts.Complete {
			t.Errorf("%s: %s", c.in, reasonsOf(out.Facts))
		}
	}
}

func TestRewriteRefuses(t *testing.T) {
	for _, c := range []struct{ in, why string }{
		{"DROP TABLE cards", "only SELECT"},
		{"SELECT * FROM cards, nowhere", "doesn't exist"},
		{"SELECT f_ssn(1) FROM cards", "not known to be safe"},
		{"SELECT id FROM products WHERE f_ssn(id) = 'x'", "not known to be safe"},
		{"SELECT (SELECT pan FROM cards LIMIT 1)", "in its name"},
		{"SELECT 1", ""},
	} {
		_, err := NewAnalyzer(Options{}).Rewrite(c.in, 0, lineageCatalog(), lineageState(), lineageRewrite())
		var rerr *query.RewriteError
		if c.why == "" {
			if err != nil {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		if !errors.As(err, &rerr) || !strings.Contains(rerr.Reason, c.why) {
			t.Errorf("%s: %v, want %s", c.in, err, c.why)
		}
	}
	bad := lineageRewrite()
	for _, filter := range []string{"id IN (SELECT 1)", "1) OR (1", "nope = 1", "id = ?", "f_ssn(id) = 1", "id = 1) -- ", "id = 1 -- x", "id = 1 /* x */"} {
		bad.Relations[1].Filters = []string{filter}
		if _, err := NewAnalyzer(Options{}).Rewrite("SELECT id FROM customers", 0, lineageCatalog(), lineageState(), bad); err == nil {
			t.Errorf("filter %s is taken", filter)
		}
	}
}

// TestRewriteApart keeps the server from reading rows in the order of columns.
func TestRewriteApart(t *testing.T) {
	apart := query.Rewrite{Relations: []query.Narrowing{{Schema: "hr", Table: "employees", Apart: []string{"salary"}}, {Schema: "shop", Table: "customers", Apart: []string{"email", "ssn"}}}}
	for _, c := range []struct{ in, want string }{
		{"SELECT id FROM customers LIMIT 3", "SELECT id FROM customers IGNORE INDEX (`uk_ssn`) LIMIT 3"},
		{"SELECT c.id FROM shop.customers AS c, hr.employees e", "SELECT c.id FROM shop.customers AS c IGNORE INDEX (`uk_ssn`), hr.employees e IGNORE INDEX (`k_salary`)"},
		{"SELECT cid FROM v_contact", "SELECT cid FROM (select `shop`.`customers`.`id` AS `cid`,`shop`.`customers`.`email` AS `addr` from `shop`.`customers` IGNORE INDEX (`uk_ssn`)) AS `v_contact`"},
		{"SELECT id FROM customers USE INDEX (k_country)", ""},
		{"SELECT id FROM products", "SELECT id FROM products"},
	} {
		out, err := NewAnalyzer(Options{}).Rewrite(c.in, 0, lineageCatalog(), lineageState(), apart)
		switch {
		case err != nil && c.want != "":
			t.Errorf("%s: %v", c.in, err)
		case err == nil && out.SQL != c.want:
			t.Errorf("%s\n got %s\nwant %s", c.in, out.SQL, c.want)
		case err == nil:
			for _, tab := range out.Facts.Tables {
				for _, col := range tab.Columns {
					if (col.Name == "ssn" || col.Name == "salary") && col.Uses&query.UseOrder != 0 {
						t.Errorf("%s: rows still come in the order of %s", c.in, col.Name)
					}
				}
			}
		}
	}
}
