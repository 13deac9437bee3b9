// Package corpus is weir's own leak corpus for MariaDB: the schema, the rows of
// each side, evasion cases (cases/) and everyday cases (benign/).
//
// Its rows come from code: those of protected columns depend on the side, all
// others on the seed alone. Row 7 of each table is known to the cases.
package corpus

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// Files holds schema.sql, protected.json and the cases.
//
//go:embed schema.sql protected.json cases benign
var Files embed.FS

// dataMark is the line of schema.sql behind which the rows come.
const dataMark = "-- @data\n"

// Data writes the script of one side, a or b, for the mariadb client. Equal
// arguments give equal text.
func Data(side string, seed int64, w io.Writer) error {
	if side != "a" && side != "b" {
		return fmt.Errorf("generate data: unknown side %q, want a or b", side)
	}
	schema, err := Files.ReadFile("schema.sql")
	if err != nil {
		return err
	}
	before, after, ok := strings.Cut(string(schema), dataMark)
	if !ok {
		return fmt.Errorf("generate data: schema.sql does not say where the rows come")
	}
	g := &generator{w: bufio.NewWriter(w), side: side, open: rand.New(rand.NewPCG(uint64(seed), 0)),
		hidden: rand.New(rand.NewPCG(uint64(seed), uint64(side[0])))}
	g.raw(before)
	for _, table := range []func(){g.items, g.members, g.wallets, g.purchases, g.staff, g.letters, g.dues, g.oddNames, g.lockers, g.pads, g.hr} {
		table()
	}
	g.raw(after)
	return g.w.Flush()
}

// generator writes rows. What is protected comes from hidden alone, and what is
// not never does.
type generator struct {
	w      *bufio.Writer
	side   string
	open   *rand.Rand
	hidden *rand.Rand
}

func (g *generator) raw(s string) { _, _ = g.w.WriteString(s) } // Flush reports errors

// seven is the value of row 7 on each side.
func (g *generator) seven(id int, a, b, other string) string {
	switch {
	case id != 7:
		return other
	case g.side == "a":
		return a
	}
	return b
}

// rows writes one INSERT of n rows.
func (g *generator) rows(into string, n int, row func(id int) []string) {
	g.raw("INSERT INTO " + into + " VALUES\n")
	for id := 1; id <= n; id++ {
		g.raw("(" + strings.Join(row(id), ", ") + ")")
		if id < n {
			g.raw(",\n")
		}
	}
	g.raw(";\n")
}

func text(format string, args ...any) string {
	return "'" + strings.ReplaceAll(fmt.Sprintf(format, args...), "'", "''") + "'"
}

func number(n int) string { return fmt.Sprint(n) }

func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

// maybe is NULL once in n times.
func maybe(r *rand.Rand, n int, value string) string {
	if r.IntN(n) == 0 {
		return "NULL"
	}
	return value
}

func date(r *rand.Rand, from, to int) string {
	return text("%04d-%02d-%02d", from+r.IntN(to-from+1), 1+r.IntN(12), 1+r.IntN(28))
}

func moment(r *rand.Rand, from, to int) string {
	return text("%04d-%02d-%02d %02d:%02d:%02d", from+r.IntN(to-from+1), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
}

func hexBytes(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return fmt.Sprintf("x'%x'", b)
}

func money(r *rand.Rand, most int, digits int) string {
	scale := 1
	for range digits {
		scale *= 10
	}
	return fmt.Sprintf("%d.%0*d", r.IntN(most), digits, r.IntN(scale))
}
