package corpus

import (
	"fmt"
	"math/rand/v2"
)

func vaultTables() []table {
	settings := []string{"limit", "level", "key", "salt", "zone", "path", "step", "mode"}
	return []table{
		{"vault.setting", len(settings), []column{
			public("k", func(_ *rand.Rand, i int) string { return settings[i-1] }),
			protected("v", redacted, integer(2, 9)),
		}},
		{"vault.zoo", 24, zoo()},
		{"vault.long_names", 20, []column{
			public("id", serial), protected("statutory_health_insurance_number_of_the_patient_as_on_the_card", redacted, insuranceNumber),
		}},
		{"vault.dropped", 10, []column{public("id", serial), public("kept", text("kept %d")), protected("pin", redacted, func(r *rand.Rand, _ int) string { return digits(r, 4) })}},
		{`"Front Desk"."Guest Book"`, 15, []column{
			public(`"Id"`, serial), public(`"Room"`, oneOf("1A", "2B", "3C")), public(`"guest"`, text("party %d")),
			protected(`"Guest"`, redacted, fullName), protected(`"Passport No"`, redacted, func(r *rand.Rand, _ int) string { return "C" + hex(r, 8) }),
			protected(`"Größe"`, "0", integer(150, 200)), protected(`"order"`, redacted, family), protected(`"a""b"`, redacted, family), protected(`"$1"`, redacted, family),
		}},
	}
}

func zoo() []column {
	f := func(format string, ranges ...int) value {
		return func(r *rand.Rand, _ int) string {
			args := make([]any, len(ranges))
			for i, n := range ranges {
				args[i] = r.IntN(n)
			}
			return fmt.Sprintf(format, args...)
		}
	}
	span := func(format string) value {
		return func(r *rand.Rand, _ int) string { n := r.IntN(50); return fmt.Sprintf(format, n, n+1+r.IntN(30)) }
	}
	p := protected
	return []column{
		public("id", serial), public("label", text("zoo %d")),
		p("z_int2", "0", integer(1, 99)), p("z_real", "0", f("%d.5", 99)), p("z_money", "0", decimal(1, 99)),
		p("z_bit", "00000000", bits(8)), p("z_varbit", "", func(r *rand.Rand, i int) string { return bits(1+r.IntN(12))(r, i) }),
		p("z_time", "00:00", f("%02d:%02d", 24, 60)), p("z_timetz", "00:00+00", f("%02d:%02d+00", 24, 60)),
		p("z_ts", "0001-01-01", f("2024-05-1%d %02d:00", 9, 24)),
		p("z_mac", "00:00:00:00:00:00", f("08:00:2b:01:%02x:%02x", 256, 256)), p("z_mac8", "00:00:00:00:00:00:00:00", f("08:00:2b:01:02:03:%02x:%02x", 256, 256)),
		p("z_cidr", "0.0.0.0/32", f("10.%d.%d.0/24", 256, 256)), p("z_box", null, f("(%d,%d),(0,0)", 50, 50)), p("z_circle", null, f("<(%d,%d),3>", 50, 50)),
		p("z_lseg", null, f("[(0,0),(%d,%d)]", 50, 50)), p("z_path", null, f("[(0,0),(%d,1),(%d,2)]", 50, 50)), p("z_polygon", null, f("((0,0),(%d,1),(%d,2))", 50, 50)),
		p("z_line", null, f("{1,%d,%d}", 50, 50)), p("z_numrange", "empty", span("[%d.5,%d)")), p("z_tsrange", "empty", span("[20%02d-01-01,21%02d-01-01)")),
		p("z_int8range", "empty", span("[%d,%d)")), p("z_multi", "{}", span("{[%d,%[1]d],(100,1%[2]d0)}")),
		p("z_tsquery", null, func(r *rand.Rand, _ int) string {
			return fmt.Sprintf("'%s' & '%s'", ailments[r.IntN(10)], ailments[r.IntN(10)])
		}),
		p("z_jsonpath", null, f("$.a[%d] ? (@ > %d)", 9, 9)), p("z_lsn", null, f("%X/%X", 99, 99999)), p("z_oid", "0", integer(10000, 99999)),
		p("z_name", redacted, family), p("z_char", null, func(r *rand.Rand, _ int) string { return string('a' + rune(r.IntN(26))) }),
		p("z_mails", "{}", list(2, mail)), p("z_pair", null, func(r *rand.Rand, i int) string { return fmt.Sprintf("(%d,%s)", 1+r.IntN(99), family(r, i)) }),
		p("z_pairs", "{}", list(2, func(r *rand.Rand, i int) string { return fmt.Sprintf("(%d,%s)", r.IntN(99), family(r, i)) })),
		p("z_bytes", "{}", func(r *rand.Rand, _ int) string { return fmt.Sprintf(`{"\\x%s","\\x%s"}`, hex(r, 4), hex(r, 6)) }),
		p("z_vec", null, f("%d %d", 99, 99)), p("z_class", null, oneOf("open.note", "open.board", "open.article")),
		p("z_span", "empty", span("[%d.25,%d.5]")), p("z_isbn", null, oneOf("978-0-393-04002-9", "978-0-13-110362-7", "978-0-262-03384-8")),
		p("z_cube", null, f("(%d,%d,%d)", 9, 9, 9)), p("z_seg", null, span("%d .. %d")), p("z_xid", null, integer(100, 999)),
		p("z_snap", null, span("%d:1%d:")), p("z_dates", "{}", list(2, day(2000, 2020))), p("z_matrix", "{}", f("{{%d,%d},{%d,%d}}", 9, 9, 9, 9)),
	}
}
