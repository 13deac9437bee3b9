package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// tables lists what is loaded, parents first.
func (g *generator) tables() []table {
	all := [][]table{clinicTables(), g.careTables(), billingTables(), peopleTables(), vaultTables(), openTables(), supplyTables(), itemTables()}
	var list []table
	for _, t := range all {
		list = append(list, t...)
	}
	return list
}

func clinicTables() []table {
	return []table{
		{"clinic.site", 6, []column{
			public("id", serial), public("name", text("Clinic %d")), public("region", oneOf("north", "south")),
			public("beds", integer(40, 400)), public("budget", decimal(100000, 900000)),
		}},
		{"clinic.ward", 18, []column{
			public("id", serial), public("site_id", func(_ *rand.Rand, i int) string { return fmt.Sprint(1 + i%6) }),
			public("name", text("ward %d")), public("floor", integer(0, 5)),
		}},
		{"clinic.asset", 20, []column{public("id", serial), public("kind", oneOf("bed", "pump", "scanner")), public("bought", day(2015, 2025))}},
		{"clinic.asset_loaned", 15, []column{
			public("id", text("%d00")), public("kind", oneOf("bed", "pump", "scanner")), public("bought", day(2015, 2025)),
			protected("holder", redacted, fullName),
		}},
		{"clinic.notice", 30, []column{public("id", serial), public("clearance", serial), public("title", text("notice %d"))}},
	}
}

func (g *generator) careTables() []table {
	return []table{
		{"care.patient", 240, g.patient()},
		{"care.visit", 400, visit()},
		{"care.scan", scans, []column{
			public("id", serial), public("visit_id", integer(1, 400)), public("kind", oneOf("x-ray", "ct", "mri")),
			protected("report", redacted, func(r *rand.Rand, i int) string {
				return strings.Repeat(sentence(r, i)+". ", 60+r.IntN(40))
			}),
			protected("image", "0", integer(firstImage, firstImage+scans-1)),
		}},
		{"care.contact", 60, []column{
			public("id", serial), public("source", oneOf("web", "fair", "call")), public("created", day(2020, 2025)),
			protected("handle", redacted, func(r *rand.Rand, _ int) string { return capital(word(r, 5)) + digits(r, 2) }),
			protected("attrs", null, func(r *rand.Rand, i int) string {
				return fmt.Sprintf(`plan=>%s, kin=>"%s", since=>%d`, []string{"gold", "base"}[r.IntN(2)], family(r, i), 2000+r.IntN(20))
			}),
			protected("path", null, func(r *rand.Rand, i int) string {
				return fmt.Sprintf("top.%s.%s", []string{"east", "west"}[r.IntN(2)], family(r, i))
			}),
			protected("nick", null, sometimes(3, func(r *rand.Rand, _ int) string { return word(r, 3+r.IntN(3)) })),
		}},
		{"care.lead", 60, []column{
			public("id", serial), public("channel", oneOf("web", "mail")),
			protected("insurance_no", redacted, func(r *rand.Rand, i int) string {
				if r.IntN(5) < 3 {
					return g.insured[r.IntN(len(g.insured))]
				}
				return insuranceNumber(r, 900+i%100)
			}),
		}},
		{"care.feedback", 120, []column{
			public("id", serial), public("patient_id", integer(1, 240)), public("stars", integer(1, 5)),
			protected("words", redacted, words()),
		}},
		{"care.sample", 150, []column{
			public("id", serial), public("taken", day(2024, 2026)),
			protected("code", redacted, func(r *rand.Rand, i int) string { return "S" + hex(r, 5) }),
		}},
	}
}

// words are the one column whose lengths differ so much that the sides have
// their rows on other pages, and not the same number of them.
func words() value {
	most := 1
	return func(r *rand.Rand, i int) string {
		if i == 1 {
			most = 3 + r.IntN(40)
		}
		return strings.Repeat(sentence(r, i)+". ", 1+r.IntN(most))
	}
}

func (g *generator) patient() []column {
	var heavy bool // priority 9 asks for a weight of 60
	return []column{
		public("id", serial), public("mrn", text("M-%05d")), public("site_id", integer(1, 6)), public("ward", oneOf(wardNames...)),
		public("city", oneOf(cities...)), public("status", oneOf("in", "out", "day")),
		public("priority", func(r *rand.Rand, _ int) string {
			p := 1 + r.IntN(9)
			heavy = p == 9
			return fmt.Sprint(p)
		}),
		public("insured", boolean), public("admitted", day(2022, 2026)), public("discharged", sometimes(3, moment(2025, 2026))),
		protected("insurance_no", redacted, func(r *rand.Rand, i int) string {
			n := insuranceNumber(r, i)
			g.insured = append(g.insured, n)
			return n
		}),
		protected("full_name", redacted, fullName), protected("family_name", redacted, family), protected("initials", redacted[:5], initials),
		protected("email", redacted, sometimes(9, mail)), protected("born", firstDay, day(1935, 2015)),
		protected("height_cm", "0", func(r *rand.Rand, _ int) string { return fmt.Sprintf("%d.%d", 140+r.IntN(60), r.IntN(10)) }),
		protected("weight", "0.00", func(r *rand.Rand, _ int) string {
			if heavy {
				return decimal(60, 120)(r, 0)
			}
			return decimal(45, 120)(r, 0)
		}),
		protected("risk", "0", integer(1_000_000_000, 3_000_000_000)), protected("points", "0", integer(1, 39)), protected("smoker", "f", boolean),
		protected("token", zeroUUID, uuid), protected("last_ip", "0.0.0.0", address), protected("seen", firstMoment, moment(2020, 2026)),
		protected("stay", "0", func(r *rand.Rand, _ int) string { return fmt.Sprintf("%d days %02d:00:00", 1+r.IntN(60), r.IntN(24)) }),
		protected("photo", `\x`, bytea(12)),
		protected("home", null, func(r *rand.Rand, _ int) string { return fmt.Sprintf("(%d.5,%d.25)", r.IntN(90), r.IntN(90)) }),
		protected("blood", "0-", oneOf(bloods...)),
		protected("address", null, func(r *rand.Rand, _ int) string {
			return fmt.Sprintf(`("%s street",%s,%d)`, capital(word(r, 5)), digits(r, 5), 1+r.IntN(90))
		}),
		protected("phones", "{}", list(2, func(r *rand.Rand, _ int) string { return "+49 " + digits(r, 8) })),
		protected("scores", "{}", list(3, integer(1, 9))),
		protected("coverage", "empty", days(2015, 2025)),
		protected("absences", "{}", func(r *rand.Rand, i int) string {
			return "{" + days(2015, 2018)(r, i) + "," + days(2021, 2024)(r, i) + "}"
		}),
		protected("profile", redactedJSON, profile), protected("raw_doc", redactedJSON, profile),
		protected("guardian", redacted, sometimes(3, fullName)), protected("partner", redacted, sometimes(2, fullName)),
		protected("remark", redacted, sentence), protected("remark_tsv", null, lexemes),
	}
}

func visit() []column {
	return []column{
		public("id", serial), public("patient_id", integer(1, 240)), public("ward", oneOf(wardNames...)), public("visited", day(2023, 2026)),
		public("doctor", oneOf("Dr. Adams", "Dr. Baker", "Dr. Clark", "Dr. Davis")),
		protected("began", firstMoment, moment(2023, 2026)), protected("diagnosis", redacted, oneOf(ailments...)),
		protected("icd", redacted[:6], func(r *rand.Rand, _ int) string {
			return fmt.Sprintf("%c%s.%s", 'A'+rune(r.IntN(8)), digits(r, 2), digits(r, 1))
		}),
		protected("codes", "{}", func(r *rand.Rand, i int) string { return list(1+r.IntN(3), integer(1, 40))(r, i) }),
		protected("vitals", redactedJSON, func(r *rand.Rand, _ int) string {
			return fmt.Sprintf(`{"temp": %d.%d, "bp": [%d, %d], "alert": %t}`, 36+r.IntN(5), r.IntN(10), 100+r.IntN(60), 60+r.IntN(40), r.IntN(3) == 0)
		}),
		protected("chart", null, func(r *rand.Rand, i int) string {
			return fmt.Sprintf(`<chart bed="%d"><name>%s</name><temp>%d</temp></chart>`, 1+r.IntN(80), family(r, i), 360+r.IntN(50))
		}),
		protected("took", "0", func(r *rand.Rand, _ int) string { return fmt.Sprintf("%d minutes", 5+r.IntN(200)) }),
		protected("dose", "empty", func(r *rand.Rand, _ int) string {
			n := r.IntN(40)
			return fmt.Sprintf("[%d.5,%d.5)", n, n+1+r.IntN(20))
		}),
		protected("urgent", "f", boolean), protected("cost", "0.00", decimal(10, 900)),
		protected("note", redacted, func(r *rand.Rand, i int) string { return sentence(r, i) }), protected("tsv", null, lexemes),
	}
}
