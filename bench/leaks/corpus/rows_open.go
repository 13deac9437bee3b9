package corpus

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// openTables hold nothing protected.
func openTables() []table {
	return []table{
		{"open.locker", 12, []column{public("id", serial), public("label", text("open %d")), public("pin", text("public %d"))}},
		{"open.note", 40, []column{public("id", serial), public("n", integer(0, 9)), public("body", text("note %d")), public("tag", sometimes(3, oneOf("red", "blue")))}},
		{"open.board", 10, []column{public("id", serial), public("patient_id", integer(1, 240)), public("body", text("post %d"))}},
		{"open.inbox", 5, []column{public("id", serial), public("employee_id", integer(1, 80)), public("body", text("mail %d"))}},
		{"open.calendar", 120, []column{
			public("d", func(_ *rand.Rand, i int) string {
				return time.Date(2025, 1, i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
			}),
			public("holiday", boolean), public("week", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + i/7) }),
		}},
		{"open.article", 60, article()},
	}
}

func article() []column {
	return []column{
		public("id", serial), public("title", func(r *rand.Rand, i int) string { return fmt.Sprintf("On %s %d", word(r, 6), i) }),
		public("body", sentence), public("tags", list(2, oneOf("care", "food", "news"))),
		public("meta", func(r *rand.Rand, i int) string {
			return fmt.Sprintf(`{"pages": %d, "by": "%s"}`, r.IntN(30), word(r, 5))
		}),
		public("published", moment(2020, 2026)), public("price", decimal(1, 99)), public("weight", func(r *rand.Rand, _ int) string { return fmt.Sprintf("%d.25", r.IntN(90)) }),
		public("views", integer(0, 99999)), public("uid", uuid), public("blob", bytea(6)), public("ip", address), public("span", oneOf("1 day", "02:30:00", "1 mon")),
		public("valid", days(2020, 2024)), public("loc", func(r *rand.Rand, _ int) string { return fmt.Sprintf("(%d,%d)", r.IntN(9), r.IntN(9)) }),
		public("ok", boolean), public("kind", oneOf(bloods...)), public("addr", func(r *rand.Rand, i int) string { return fmt.Sprintf("(%s,%s,%d)", word(r, 6), digits(r, 5), i) }),
		public("nums", list(3, integer(0, 9))), public("opt", sometimes(3, oneOf("x", "y"))), public("tsv", lexemes),
		public("x", func(r *rand.Rand, i int) string { return fmt.Sprintf("<a n=\"%d\">%s</a>", i, word(r, 5)) }),
		public("j", func(r *rand.Rand, i int) string { return fmt.Sprintf(`{"k":%d,  "w":"%s"}`, i, word(r, 4)) }),
		public("c", oneOf("ab", "abcd", "abcdef")), public("vc", func(r *rand.Rand, _ int) string { return word(r, 1+r.IntN(9)) }),
		public("t", oneOf("08:00", "12:30:15", "23:59:59.5")), public("ts", oneOf("2025-02-03 04:05:06", "2020-01-01 00:00:00.25")),
		public("pair", sometimes(4, text("(%d,v)"))),
	}
}

// supplyTables are an analyst's: orders, their lines and those who buy.
func supplyTables() []table {
	const buyers, purchases, items, vendors = 50, 200, 60, 20
	return []table{
		{"supply.region", 5, []column{public("r_key", serial), public("r_name", text("REGION %d")), public("r_comment", sometimes(3, sentence))}},
		{"supply.country", 20, []column{public("c_key", serial), public("c_name", text("COUNTRY %d")), public("c_region", integer(1, 5)), public("c_comment", sometimes(3, sentence))}},
		{"supply.vendor", vendors, []column{
			public("v_key", serial), public("v_name", text("Vendor %d")), public("v_country", integer(1, 20)),
			public("v_phone", phone), public("v_balance", decimal(0, 9000)),
		}},
		{"supply.item", items, []column{
			public("i_key", serial), public("i_name", func(r *rand.Rand, i int) string { return word(r, 6) + " " + word(r, 4) }), public("i_brand", oneOf("BRAND 1", "BRAND 2", "BRAND 3")),
			public("i_type", oneOf("STEEL TOOL", "GLASS JAR", "PAPER BOX")), public("i_size", integer(1, 50)), public("i_price", decimal(5, 900)),
		}},
		{"supply.item_vendor", 2 * items, []column{
			public("iv_item", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + (i-1)/2) }),
			public("iv_vendor", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + (i*7)%vendors) }),
			public("iv_stock", integer(0, 999)), public("iv_cost", decimal(1, 500)),
		}},
		{"supply.buyer", buyers, []column{
			public("b_key", serial), public("b_name", text("Buyer %d")), public("b_country", integer(1, 20)), public("b_segment", oneOf("CLINIC", "SHOP", "STATE")),
			protected("b_phone", redacted, phone), protected("b_balance", "0.00", decimal(0, 9000)), protected("b_address", redacted, func(r *rand.Rand, _ int) string { return capital(word(r, 8)) + " " + digits(r, 2) }),
		}},
		{"supply.purchase", purchases, []column{
			public("p_key", serial), public("p_buyer", integer(1, buyers)), public("p_status", oneOf("F", "O", "P")),
			public("p_total", decimal(100, 90000)), public("p_date", day(2022, 2026)), public("p_priority", oneOf("1-URGENT", "3-MEDIUM", "5-LOW")),
		}},
		{"supply.purchase_line", 3 * purchases, []column{
			public("l_purchase", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + (i-1)/3) }), public("l_no", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + (i-1)%3) }),
			public("l_item", integer(1, items)), public("l_vendor", integer(1, vendors)), public("l_quantity", integer(1, 50)), public("l_price", decimal(10, 9000)),
			public("l_discount", oneOf("0.00", "0.02", "0.05", "0.10")), public("l_tax", oneOf("0.00", "0.07", "0.19")), public("l_flag", oneOf("R", "A", "N")),
			public("l_status", oneOf("O", "F")), public("l_shipped", day(2022, 2026)), public("l_mode", oneOf("AIR", "RAIL", "TRUCK")),
		}},
	}
}

func phone(r *rand.Rand, _ int) string { return "49-" + digits(r, 3) + "-" + digits(r, 4) }
