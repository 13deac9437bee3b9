package corpus

import (
	"fmt"
	"strings"
)

var (
	givenNames  = []string{"Ada", "Bram", "Cleo", "Dora", "Emil", "Flo", "Gus", "Hana", "Ida", "Jon", "Kai", "Lena"}
	familyNames = []string{"Abel", "Berg", "Costa", "Dorn", "Engel", "Falk", "Graf", "Holm", "Ito", "Jung", "Kern", "Lund"}
	hosts       = []string{"post.example", "mail.example", "box.example", "letters.example"}
	illnesses   = []string{"migraine", "asthma", "fracture", "diabetes", "burnout", "anaemia"}
)

func (g *generator) items() {
	g.rows("items", 60, func(id int) []string {
		kind := pick(g.open, "paper", "ink", "pens", "books", "tools")
		return []string{number(id), text("IT-%03d", id*7), text("%s no %d", kind, id), text("%s", kind), money(g.open, 400, 2), number(g.open.IntN(500)),
			maybe(g.open, 5, text(`{"weight":%d,"colour":"%s"}`, g.open.IntN(90), pick(g.open, "red", "blue", "green"))), date(g.open, 2017, 2023)}
	})
}

func (g *generator) members() {
	const columns = "members (id, nick, town, land, plan, joined, tax_no, mail, tel, born, ceiling, rating, vip, profile, token, bits, spot, device, addr, seen, memo)"
	g.rows(columns, 120, func(id int) []string {
		given, family := givenNames[g.open.IntN(len(givenNames))], familyNames[g.open.IntN(len(familyNames))]
		row := []string{number(id), text("%s %s", given, family), text("%s", pick(g.open, "Aalen", "Bergen", "Como", "Delft", "Evora")),
			text("%s", pick(g.open, "AT", "DE", "FR", "IT", "NO")), text("%s", pick(g.open, "free", "small", "large")), moment(g.open, 2018, 2023)}
		memo := maybe(g.open, 3, text("memo %d", id))
		h := g.hidden
		row = append(row,
			g.seven(id, "'AT-70707-117'", "'DE-31313-994'", text("%s-%05d-%03d", pick(h, "AT", "DE", "FR"), 100*id+h.IntN(90), h.IntN(1000))),
			g.seven(id, "'ada.seven@post.example'", "'zoe@box.example'", maybe(h, 9, text("%s%d@%s", pick(h, "a", "mm", "zed"), h.IntN(1e6), pick(h, hosts...)))),
			g.seven(id, "'+43 1 777 777'", "NULL", maybe(h, 6, text("+%d %d", 30+h.IntN(20), 1e6+h.IntN(9e6)))),
			g.seven(id, "'1977-07-07'", "'1991-12-24'", date(h, 1940, 2005)),
			g.seven(id, "80000.50", "1200.25", money(h, 99000, 2)),
			g.seven(id, "7.75", "-2.5", maybe(h, 8, fmt.Sprintf("%.3f", h.Float64()*20-10))),
			g.seven(id, "1", "0", number(h.IntN(2))),
			g.seven(id, `'{"diet":"vegan","tags":["x","y"],"n":7}'`, `'{"diet":"none","tags":[],"n":12}'`, maybe(h, 7, text(`{"diet":"%s","n":%d}`, pick(h, "none", "vegan", "kosher"), h.IntN(50)))),
			g.seven(id, "x'07070707'", "x'0102030405060708'", maybe(h, 8, hexBytes(h, 4+h.IntN(16)))),
			g.seven(id, "b'1010101010'", "b'0000000011'", fmt.Sprintf("b'%010b'", h.IntN(1024))),
			g.seven(id, "POINT(7, 7)", "POINT(-30, 12)", fmt.Sprintf("POINT(%d, %d)", h.IntN(100)-50, h.IntN(100)-50)),
			g.seven(id, "'77777777-7777-4777-8777-777777777777'", "'13131313-1313-4131-8131-131313131313'", maybe(h, 9, text("%08x-0000-4000-8000-%012x", h.Uint32(), h.IntN(1<<40)))),
			g.seven(id, "'2001:db8::7'", "'::ffff:192.0.2.13'", maybe(h, 9, text("::ffff:10.%d.%d.%d", h.IntN(250), h.IntN(250), h.IntN(250)))),
			g.seven(id, "'2023-07-07 07:07:07.777777'", "'2021-01-31 23:00:00.000001'", maybe(h, 9, moment(h, 2020, 2023))), memo)
		return row
	})
}

func (g *generator) wallets() {
	g.rows("wallets", 130, func(id int) []string {
		row := []string{number(id), number(1 + (id*11)%120), text("%s", pick(g.open, "mono", "duo", "trio"))}
		main := number(g.open.IntN(2))
		h := g.hidden
		if id == 7 {
			row[1] = "7"
		}
		return append(row,
			g.seven(id, "4777000000000007", "5131000000000990", fmt.Sprintf("4%03d%012d", id, h.IntN(1e12))),
			g.seven(id, "777", "NULL", maybe(h, 8, number(h.IntN(1000)))), g.seven(id, "2027", "2031", number(2024+h.IntN(10))),
			g.seven(id, "x'37373737'", "x'313233343536'", maybe(h, 8, hexBytes(h, 4))), g.seven(id, "7777.0007", "-13.5000", money(h, 9000, 4)), main)
	})
}

func (g *generator) purchases() {
	g.rows("purchases", 400, func(id int) []string {
		return []string{number(id), number(1 + g.open.IntN(120)), number(1 + g.open.IntN(60)), number(1 + g.open.IntN(5)), money(g.open, 900, 2),
			text("%s", pick(g.open, "new", "paid", "sent", "done")), moment(g.open, 2022, 2023)}
	})
}

func (g *generator) staff() {
	g.rows("staff", 30, func(id int) []string {
		return []string{number(id), text("%s %s", givenNames[id%12], familyNames[id*5%12]), text("%s", pick(g.open, "clerk", "smith", "cook")),
			number(20000 + 100*g.open.IntN(300)), text("desk%d@shop.example", id)}
	})
}

func (g *generator) letters() {
	g.rows("letters", 60, func(id int) []string {
		row := []string{number(id), text("%s", givenNames[g.open.IntN(12)]), text("about %s", pick(g.open, "rent", "work", "holidays"))}
		lang := text("%s", pick(g.open, "de", "en", "fr"))
		words := make([]string, 6)
		for i := range words {
			words[i] = pick(g.hidden, "garden", "money", "doctor", "summer", "secret", "bicycle", "mountain", "divorce", "salary")
		}
		body := text("%s.", strings.Join(words, " "))
		return append(row, g.seven(id, "'the zebra knows the password tulip'", "'nothing to see in this winter'", body), lang)
	})
}

func (g *generator) dues() {
	g.rows("dues", 150, func(id int) []string {
		row := []string{number(id), number(1 + g.open.IntN(120)), text("%s", pick(g.open, "cash", "wire", "card"))}
		return append(row, g.seven(id, "'2020-07-07'", "'2024-02-29'", date(g.hidden, 2019, 2024)), g.seven(id, "70.70", "1300.00", money(g.hidden, 3000, 2)))
	})
}

func (g *generator) oddNames() {
	g.rows("`odd names ß`", 20, func(id int) []string {
		row := []string{number(id), text("from %d", g.open.IntN(9)), number(g.open.IntN(100))}
		return append(row, g.seven(id, "'Seven Owner'", "'Thirteen O'", text("owner %d", g.hidden.IntN(1e5))), g.seven(id, "777", "13", number(g.hidden.IntN(1000))),
			g.seven(id, "'七七七'", "'thirteen'", text("s%d", g.hidden.IntN(1e6))))
	})
}

func (g *generator) lockers() {
	g.rows("lockers", 40, func(id int) []string {
		return []string{number(id), text("locker %d", g.open.IntN(90)), g.seven(id, "'sesame-7'", "'open-says-me'", text("%c%09d", 'a'+rune(g.hidden.IntN(26)), g.hidden.IntN(1e9)))}
	})
}

func (g *generator) pads() {
	g.rows("log (what, detail)", 5, func(id int) []string { return []string{text("start %d", id), "NULL"} })
	g.rows("pad", 12, func(id int) []string {
		return []string{number(id), text("key %d", id), text("value %d", g.open.IntN(100)), number(g.open.IntN(300))}
	})
	g.rows("narrow", 4, func(id int) []string {
		return []string{number(id), number(id * 10), text("v%d", id), text("2020-01-%02d", id), number(2000 + id), "'a'"}
	})
}

func (g *generator) hr() {
	g.rows("hr.units", 6, func(id int) []string { return []string{number(id), text("unit %c", 'A'+rune(id)), number(id % 4)} })
	const columns = "hr.staff (id, badge, name, unit_id, job, boss_id, started, pay, bonus, nat_no, shift, contract, doors, birth_year, review, cap)"
	g.rows(columns, 80, func(id int) []string {
		boss := "NULL"
		if id > 6 {
			boss = number(1 + id%6)
		}
		row := []string{number(id), text("B%05d", id*37), text("%s %s", givenNames[id*7%12], familyNames[id*3%12]), number(1 + g.open.IntN(6)),
			text("%s", pick(g.open, "clerk", "smith", "cook", "guard")), boss, date(g.open, 2005, 2023)}
		h := g.hidden
		return append(row, g.seven(id, "98000", "41000", number(25000+h.IntN(90000))), g.seven(id, "0.25", "NULL", maybe(h, 4, fmt.Sprintf("%.2f", h.Float64()/2))),
			g.seven(id, "'N7777777'", "'M13'", text("N%d%06d", id, h.IntN(1e6))), g.seven(id, "'07:07:07'", "'22:30:00'", text("%02d:%02d:00", h.IntN(24), h.IntN(60))),
			g.seven(id, "'fixed'", "'open'", text("%s", pick(h, "open", "fixed", "trial"))), g.seven(id, "'north,west'", "''", text("%s", pick(h, "", "north", "south,east", "west"))),
			g.seven(id, "1977", "1999", number(1950+h.IntN(55))), g.seven(id, "'too honest, keep'", "NULL", maybe(h, 5, text("review %s", pick(h, "good", "bad", "so-so")))), "200000")
	})
	g.rows("hr.checkups", 90, func(id int) []string {
		row := []string{number(id), number(1 + g.open.IntN(80)), text("%s", pick(g.open, "yearly", "entry", "accident"))}
		h := g.hidden
		return append(row, g.seven(id, "'2022-07-07 07:07:00.000007'", "'2020-12-31 11:11:11.500000'", moment(h, 2019, 2023)),
			g.seven(id, "'severe migraine since 1977'", "NULL", maybe(h, 6, text("%s %d", pick(h, illnesses...), h.IntN(100)))), g.seven(id, "'G430'", "'Z000'", text("%c%03d", 'A'+rune(h.IntN(26)), h.IntN(1000))),
			g.seven(id, "77.7", "113", maybe(h, 6, fmt.Sprintf("%.1f", 45+h.Float64()*60))), g.seven(id, "x'ffd8ff070707'", "x'00'", maybe(h, 4, hexBytes(h, 1+h.IntN(60)))))
	})
	g.rows("hr.pay", 80, func(id int) []string {
		return []string{number(id), text("G%d", g.open.IntN(9)), g.seven(id, "8166.67", "3416.60", money(g.hidden, 9000, 2))}
	})
	g.raw("UPDATE hr.pay SET grade = 'G9' WHERE staff_id % 10 = 7;\n")
	g.rows("hr.offers", 40, func(id int) []string {
		return []string{number(id), text("lot %d", id%7), g.seven(id, "18000000000000000007", "9000000000000000013", fmt.Sprintf("9%018d", g.hidden.Int64N(1e18)))}
	})
	g.rows("hr.raises", 40, func(id int) []string {
		return []string{number(id), text("step %d", 1+id%9), g.seven(id, "7070", "1313", number(100+g.hidden.IntN(9000))), "NULL"}
	})
	g.rows("shop.boxes", 20, func(id int) []string {
		return []string{number(id), g.seven(id, "'seven pearls'", "'thirteen coins'", text("%d things", g.hidden.IntN(1e6)))}
	})
}
