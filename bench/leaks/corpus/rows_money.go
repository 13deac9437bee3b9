package corpus

import (
	"fmt"
	"math/rand/v2"
)

func iban(r *rand.Rand, _ int) string { return "DE" + digits(r, 20) }

func memo(r *rand.Rand, i int) string { return "for " + fullName(r, i) }

func icd(r *rand.Rand, _ int) string {
	return fmt.Sprintf("%c%s.%s", 'A'+rune(r.IntN(8)), digits(r, 2), digits(r, 1))
}

func billingTables() []table {
	return []table{
		{"billing.card", 160, []column{
			public("id", serial), public("patient_id", integer(1, 240)), public("brand", oneOf("Visa", "Amex", "Giro")),
			public("issued", day(2021, 2025)), public("state", oneOf("open", "lost", "shut")),
			protected("pan", redacted, func(r *rand.Rand, i int) string { return fmt.Sprintf("4%s%03d%s", digits(r, 8), i, digits(r, 4)) }),
			protected("cvc", redacted[:3], func(r *rand.Rand, _ int) string { return digits(r, 3) }),
			protected("valid_to", firstDay, day(2026, 2031)), protected("credit", "0.00", decimal(500, 9000)), protected("token", zeroUUID, uuid),
		}},
		{"billing.claim", 400, []column{
			public("id", serial), public("patient_id", integer(1, 240)), public("filed", day(2024, 2026)),
			public("insurer", oneOf("Nord", "Sued", "Mitte")), public("category", oneOf("drug", "stay", "test")),
			protected("amount", "0.00", decimal(10, 5000)), protected("memo", redacted, memo),
			protected("diag_code", redacted[:6], icd), protected("approved", "f", sometimes(4, boolean)),
		}},
		{"billing.voucher", 60, []column{
			public("id", serial), public("campaign", oneOf("spring", "autumn")),
			protected("code", redacted, func(r *rand.Rand, i int) string { return fmt.Sprintf("V%s%02d", capital(word(r, 4)), i) }),
			protected("percent", "0", integer(5, 50)),
		}},
		{"billing.ledger", 300, []column{
			public("id", serial), public("booked", day(2023, 2026)), public("region", oneOf("north", "south", "east")),
			protected("amount", "0.00", decimal(1, 9000)), protected("iban", redacted, iban), protected("memo", redacted, sometimes(4, memo)),
		}},
		{"billing.rebate", 120, []column{
			public("id", serial), public("patient_id", integer(1, 240)), public("year", integer(2022, 2025)),
			protected("amount", "0", rebates()),
		}},
	}
}

// itemTables come last: rows are drawn one table after the other.
func itemTables() []table {
	return []table{
		{"billing.item", 60, []column{
			public("id", serial), public("quantity", integer(1, 9)), protected("price", "0", integer(1, 9000)),
		}},
	}
}

// rebates fill the partitions of billing.rebate unlike on each side.
func rebates() value {
	most := 0
	return func(r *rand.Rand, i int) string {
		n := r.IntN(999)
		if i == 1 {
			most = 600 + n%400
		}
		return fmt.Sprint(1 + n*most/999)
	}
}

func taxID(r *rand.Rand, i int) string {
	return fmt.Sprintf("T%s%03d%s", digits(r, 5), i, digits(r, 2))
}

func peopleTables() []table {
	var graded bool // grade 7 and more earn 3000
	return []table{
		{"people.employee", 80, []column{
			public("id", serial), public("badge", text("B-%04d")), public("site_id", integer(1, 6)),
			public("title", oneOf("nurse", "doctor", "clerk", "porter")),
			public("grade", func(r *rand.Rand, _ int) string {
				n := 1 + r.IntN(9)
				graded = n >= 7
				return fmt.Sprint(n)
			}),
			public("started", day(2005, 2024)),
			protected("tax_id", redacted, taxID), protected("name", redacted, fullName),
			protected("salary", "0.00", func(r *rand.Rand, i int) string {
				if graded {
					return decimal(3000, 9000)(r, i)
				}
				return decimal(1800, 7000)(r, i)
			}),
			protected("bonus", "0", decimal(100, 900)), protected("iban", redacted, iban),
			protected("manager_id", "0", func(r *rand.Rand, i int) string {
				if i == 1 || r.IntN(12) == 0 {
					return null
				}
				return fmt.Sprint(1 + r.IntN(i-1))
			}),
			protected("shift", "00:00", func(r *rand.Rand, _ int) string { return fmt.Sprintf("%02d:%02d", r.IntN(24), 5*r.IntN(12)) }),
			protected("contract", "empty", days(2015, 2025)),
			protected("review", "0", func(r *rand.Rand, _ int) string { return fmt.Sprintf("%d.%d", 1+r.IntN(5), r.IntN(10)) }),
			protected("flags", "00000000", bits(8)), protected("leave_days", "0", integer(0, 30)), protected("union_member", "f", sometimes(4, boolean)),
		}},
		{"people.room_booking", 40, []column{
			public("id", serial), public("room", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + i%4) }),
			protected("slot", "empty", func(r *rand.Rand, i int) string {
				h := r.IntN(20)
				return fmt.Sprintf("[2025-03-%02d %02d:00,2025-03-%02d %02d:00)", 1+i/4, h, 1+i/4, h+1+r.IntN(3))
			}),
		}},
		{"people.consultant", 40, consultant()},
		{"people.consultant_abroad", 25, append(consultant()[1:], public("id", text("1%03d")),
			protected("visa", redacted, func(r *rand.Rand, _ int) string { return []string{"EU", "UK", "US"}[r.IntN(3)] + digits(r, 4) }))},
		{"people.locker", 12, []column{
			public("id", serial), public("label", text("locker %d")), protected("pin", redacted, func(r *rand.Rand, _ int) string { return digits(r, 6) }),
		}},
	}
}

func consultant() []column {
	return []column{
		public("id", serial), public("agency", oneOf("Alpha", "Beta")),
		protected("tax_id", redacted, taxID), protected("day_rate", "0.00", decimal(200, 1500)),
	}
}

func bits(n int) value {
	return func(r *rand.Rand, _ int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(2))
		}
		return string(b)
	}
}
