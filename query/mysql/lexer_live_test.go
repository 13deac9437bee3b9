package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// answerOf is what a server says to a query: its rows, or that it cannot read
// or run it.
func answerOf(ctx context.Context, c Querier, sql string) (rows string, ok bool) {
	var b strings.Builder
	err := c.Query(ctx, sql, func(cells [][]byte) error {
		for _, cell := range cells {
			fmt.Fprintf(&b, "%q ", cell)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		return err.Error(), false
	}
	return b.String(), true
}

// The server is given texts of odd tokens as they are, and as they are printed
// for the grammar: where it runs both, it gives the same rows, and what it runs
// as it is, it runs as it is printed.
func TestLiveLexer(t *testing.T) {
	pieces := []string{"1", "a", ",", " ", "\t", "'x'", "\"y\"", "`a`", ".5", "1e2", "0x41", "x'41'", "b'1'", "0b1", "N'z'", "_utf8mb4", "_koi8r",
		"--", "-- ", "-", "+", "/*", "*/", "/*!", "/*!50000", "/*!99999", "/*M!", "/*M!100000", "/*!050000 ", "*", "/", "#", "\n", "\r", "\v", "\\N", "\\",
		"'", "\"", "''", "\\'", "@a", "@`b`", "@'c'", "@@sql_mode", "@@session.`sql_mode`", "@", "(", ")", "=", "<=>", "!", "!=", "<", ">", "||", "&&",
		":=", "IS NULL", "AND", "OR", "t", ".", "t.a", "t.1b", "`t`.`a`", "AS", "rank", "groups", "é", "`é`", "\xc3", "\x01", "1a", "1e", "0xg", "->", "%",
		"{", "}", "d '2020-01-01'", "count", "(1)", "max", "AS x", "-1", "- -1", "$a", "_a", "/*+ x */", "/**/", "/*/", "DISTINCT", "NOT"}
	modes := map[string]SQLMode{"": 0, "ANSI_QUOTES": ModeANSIQuotes, "NO_BACKSLASH_ESCAPES": ModeNoBackslashEscapes,
		"IGNORE_SPACE,PIPES_AS_CONCAT": ModeIgnoreSpace | ModePipesAsConcat}
	conn, err := dial(t.Context(), liveServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read := 0
	for name, mode := range modes {
		if err := conn.Query(t.Context(), "SET sql_mode = '"+name+"'", none); err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, uint64(mode)))
		for range 1500 {
			sql := "SELECT "
			for range 1 + r.IntN(7) {
				sql += pieces[r.IntN(len(pieces))]
			}
			sql += " FROM (SELECT 1 AS a, 2 AS `1b`, 3 AS `é`, 4 AS `rank`, 5 AS `groups`) t"
			if r.IntN(3) == 0 {
				sql += " */"
			}
			s, terr := (&reader{sql: sql, server: &mariadb10}).next(&State{SQLMode: mode, ClientCharset: "utf8mb4"})
			if terr != nil {
				continue
			}
			read++
			print := s.print(0, len(s.tokens), nil)
			as, ok := answerOf(t.Context(), conn, sql)
			printed, runs := answerOf(t.Context(), conn, print)
			if ok && (!runs || as != printed) {
				t.Errorf("%s: %q is printed as %q\nanswers %s\nand     %s", name, sql, print, as, printed)
			}
		}
	}
	if read < 1000 {
		t.Errorf("only %d texts were read", read)
	}
}
