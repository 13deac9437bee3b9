package mysql

import (
	"strings"
	"testing"

	"github.com/weirdb/weir/query"
)

// tableOf makes a relation of a compact notation: columns as "name type",
// separated by semicolons, each with "!" after the type if it is never NULL;
// then indexes as "NAME(columns)", with "*" before the name of a unique one.
func tableOf(name, columns, indexes string) *Relation {
	schema, bare, _ := strings.Cut(name, ".")
	rel := &Relation{Schema: schema, Name: bare, Kind: KindTable, Engine: "InnoDB"}
	for _, c := range strings.Split(columns, ";") {
		n, typ, _ := strings.Cut(strings.TrimSpace(c), " ")
		col := Column{Name: n}
		typ, col.Generated, _ = strings.Cut(typ, " as ")
		col.NotNull = strings.HasSuffix(typ, "!")
		col.TypeText = strings.TrimSuffix(typ, "!")
		col.Type = ParseType(col.TypeText)
		if col.Type.Text() {
			col.Charset, col.Collation = "utf8mb4", "utf8mb4_general_ci"
		}
		rel.Columns = append(rel.Columns, col)
	}
	for _, x := range strings.Fields(indexes) {
		n, parts, _ := strings.Cut(strings.TrimSuffix(x, ")"), "(")
		index := Index{Name: strings.TrimPrefix(n, "*"), Unique: n[0] == '*'}
		for _, p := range strings.Split(parts, ",") {
			index.Columns = append(index.Columns, IndexColumn{Column: p})
		}
		rel.Indexes = append(rel.Indexes, index)
	}
	return rel
}

func viewOf(name, definition, columns string) *Relation {
	v := tableOf(name, columns, "")
	v.Kind, v.Engine, v.Definition = KindView, "", definition
	return v
}

// lineageCatalog is a small shop on MariaDB 10.11.
func lineageCatalog() *Catalog {
	customers := tableOf("shop.customers", "id int(11)!; name varchar(60)!; city varchar(40)!; country char(2)!; ssn varchar(11)!; email varchar(120); "+
		"credit decimal(12,2)!; score double; vip tinyint(1)!; domain varchar(80) as substring_index(`email`,'@',-1); note varchar(200)",
		"*PRIMARY(id) *uk_ssn(ssn) k_country(country) k_credit(credit)")
	customers.Columns[0].AutoIncrement = true
	customers.Checks = []string{"`ssn` regexp '^[0-9]'"}
	customers.Triggers = []Trigger{{Name: "tr", Event: "UPDATE", Timing: "BEFORE"}}
	cards := tableOf("shop.cards", "id int(11)!; customer_id int(11)!; brand varchar(12)!; pan bigint(20) unsigned!; balance decimal(14,4)!",
		"*PRIMARY(id) *uk_pan(pan) k_cust(customer_id)")
	cards.ForeignKeys = []ForeignKey{{Name: "fk", Columns: []string{"customer_id"}, RefSchema: "shop", RefTable: "customers", RefColumns: []string{"id"}}}
	loyalty := tableOf("shop.loyalty", "id int(11)!; ssn varchar(11)!; points int(11)!", "*PRIMARY(id) k_ssn(ssn)")
	loyalty.ForeignKeys = []ForeignKey{{Name: "fk", Columns: []string{"ssn"}, RefSchema: "shop", RefTable: "customers", RefColumns: []string{"ssn"},
		OnUpdate: "CASCADE", OnDelete: "RESTRICT"}}
	payments := tableOf("shop.payments", "id int(11)!; method varchar(12)!; paid_on date!; amount decimal(12,2)!", "*PRIMARY(id,paid_on)")
	payments.Partitions = []string{"`paid_on`"}
	scratch := tableOf("shop.scratch", "id int(11)!; k varchar(64)!; v varchar(400); n bigint(20)", "*PRIMARY(id) *uk_k(k)")
	scratch.Columns[0].AutoIncrement = true
	temptable := viewOf("shop.v_temp", "select `shop`.`cards`.`customer_id` AS `id`,`shop`.`cards`.`pan` AS `no` from `shop`.`cards`", "id int(11)!; no bigint(20) unsigned!")
	temptable.Materialised = true
	sequence := tableOf("shop.seq", "next_not_cached_value bigint(21)!", "")
	sequence.Kind = KindSequence
	processlist := tableOf("information_schema.PROCESSLIST", "ID bigint(4)!; INFO longtext", "")
	processlist.Kind = KindSystem
	tables := tableOf("information_schema.TABLES", "TABLE_SCHEMA varchar(64)!; TABLE_NAME varchar(64)!; TABLE_ROWS bigint(21) unsigned", "")
	tables.Kind = KindSystem
	c := &Catalog{Version: 7, Server: Server{MariaDB: true, Version: 101119, CharacterSet: "utf8mb4"}, Relations: []*Relation{
		customers, cards, loyalty, payments, scratch, temptable, sequence, processlist, tables,
		tableOf("shop.products", "id int(11)!; title varchar(80)!; category varchar(20)!; price decimal(10,2)!; stock int(11)!", "*PRIMARY(id) k_cat(category)"),
		tableOf("shop.employees", "id int(11)!; name varchar(60)!; salary int(11)!", "*PRIMARY(id)"),
		tableOf("hr.employees", "id int(11)!; name varchar(60)!; dept int(11)!; salary int(10) unsigned!; born year(4)!", "*PRIMARY(id) k_salary(salary) k_dept(dept)"),
		tableOf("shop.contacts", "id int(11)!; email varchar(80)!", "*PRIMARY(id)"),
		tableOf("hr.contacts", "id int(11)!; email varchar(80)", "*PRIMARY(id)"),
		tableOf("shop.messages", "id int(11)!; subject varchar(80)!; body text!", "*PRIMARY(id)"),
		viewOf("shop.v_contact", "select `shop`.`customers`.`id` AS `cid`,`shop`.`customers`.`email` AS `addr` from `shop`.`customers`", "cid int(11)!; addr varchar(120)"),
		viewOf("shop.v_nested", "select `v_contact`.`cid` AS `k`,concat(`v_contact`.`cid`,ifnull(`v_contact`.`addr`,'-')) AS `label` from `shop`.`v_contact`", "k int(11)!; label varchar(131)"),
		viewOf("shop.v_rich", "select `shop`.`customers`.`id` AS `id`,`shop`.`customers`.`name` AS `name` from `shop`.`customers` where `shop`.`customers`.`credit` > 50000", "id int(11)!; name varchar(60)!"),
		viewOf("shop.v_agg", "select `shop`.`customers`.`country` AS `country`,count(0) AS `n`,avg(`shop`.`customers`.`credit`) AS `x` from `shop`.`customers` group by `shop`.`customers`.`country`", "country char(2)!; n bigint(21)!; x decimal(16,6)"),
		viewOf("shop.v_union", "select `shop`.`contacts`.`id` AS `id`,`shop`.`contacts`.`email` AS `addr` from `shop`.`contacts` union all select `hr`.`contacts`.`id` AS `id`,`hr`.`contacts`.`email` AS `email` from `hr`.`contacts`", "id int(11)!; addr varchar(80)"),
	}, Routines: []*Routine{{Schema: "shop", Name: "f_ssn"}, {Schema: "shop", Name: "f_twice", Deterministic: true, Access: "NO SQL"}}}
	c.Index()
	return c
}

func lineageState() *State {
	return &State{Database: "shop", ClientCharset: "utf8mb4", ConnectionCharset: "utf8mb4", ResultsCharset: "utf8mb4"}
}

// analyzeOne analyses a text of one statement.
func analyzeOne(t testing.TB, sql string) *Statement {
	t.Helper()
	a := NewAnalyzer(Options{SafeFunctions: []string{"shop.f_twice"}}).Analyze(sql, lineageCatalog(), lineageState())
	if len(a.Statements) != 1 {
		t.Fatalf("%s: %d statements", sql, len(a.Statements))
	}
	return &a.Statements[0]
}

// usesOf lists "schema.table.column:use,use" for every column that is used, in
// the order of the facts, without columns of views.
func usesOf(f *query.Facts) string {
	var out []string
	for _, tab := range f.Tables {
		if tab.Kind == "view" {
			continue
		}
		for _, c := range tab.Columns {
			if c.Uses == 0 {
				continue
			}
			schema := ""
			if tab.Schema != "shop" {
				schema = tab.Schema + "."
			}
			uses := c.Uses.Names()
			if c.Uses&query.UseAssign != 0 {
				uses = append(uses, "assign")
			}
			out = append(out, schema+tab.Name+"."+c.Name+":"+strings.Join(uses, ","))
		}
	}
	return strings.Join(out, " ")
}

// outputOf describes the result columns: "name=column" for one that is direct,
// "name<column,column" for others.
func outputOf(f *query.Facts) string {
	var out []string
	for _, o := range f.Output {
		var from []string
		for _, c := range o.Origins {
			if c.Table == "v_contact" || strings.HasPrefix(c.Table, "v_") {
				continue
			}
			from = append(from, c.Table+"."+c.Column)
		}
		sign := "<"
		if o.Direct {
			sign = "="
		}
		out = append(out, o.Name+sign+strings.Join(from, ","))
	}
	return strings.Join(out, " ")
}

func reasonsOf(f *query.Facts) string {
	var out []string
	for _, g := range f.Gaps {
		out = append(out, g.Reason)
	}
	return strings.Join(out, "; ")
}
