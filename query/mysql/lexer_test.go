package mysql

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pingcap/tidb/pkg/parser"
)

var (
	mariadb10 = Server{MariaDB: true, Version: 101119, LowerCaseTableNames: 0}
	mysql80   = Server{Version: 80036, LowerCaseTableNames: 0}
)

// printed reads every statement of a text and gives what the grammar would see.
func printed(sql string, server *Server, st *State) (string, *TextError) {
	rd := &reader{sql: sql, server: server}
	var parts []string
	for {
		t, terr := rd.next(st)
		if terr != nil {
			return "", terr
		}
		if len(t.tokens) == 0 {
			return strings.Join(parts, ";"), nil
		}
		t.print(0, len(t.tokens), nil)
		parts = append(parts, t.sql)
	}
}

// The server's answers to these texts were seen on MariaDB 10.11.
func TestPrint(t *testing.T) {
	for _, c := range []struct {
		sql  string
		mode SQLMode
		want string // empty if it may not be read
	}{
		{"SELECT 1", 0, "SELECT 1"},
		{"SELECT 'a' /*M!100100 , 2*/", 0, "SELECT 'a' , 2"},
		{"SELECT 1 /*!50699 , 2*/", 0, "SELECT 1 , 2"},
		{"SELECT 1 /*!50700 , 2*/", 0, "SELECT 1"},
		{"SELECT 1 /*!99999 , 2*/", 0, "SELECT 1"},
		{"SELECT 1 /*!100000 , 2*/", 0, "SELECT 1 , 2"},
		{"SELECT 1 /*!101119 , 2*/", 0, "SELECT 1 , 2"},
		{"SELECT 1 /*!101120 , 2*/", 0, "SELECT 1"},
		{"SELECT 1 /*!010000 , 2*/", 0, "SELECT 1 , 2"},
		{"SELECT 1 /*!1234 , 2*/", 0, "SELECT 1 1234 , 2"},
		{"SELECT 1 /*!50000 , 2 /* x */ */", 0, "SELECT 1 , 2"},
		{"SELECT 1 /*!50000 , 2 /*! , 3 */ */", 0, ""},
		{"SELECT 1 /*!50000 , 2", 0, ""},
		{"SELECT 1 /*!99999 , 2 /* x */ , 4*/", 0, "SELECT 1"},
		{"SELECT 1 /*!; SELECT 2 */", 0, ""},
		{"SELECT 1 -- x", 0, "SELECT 1"},
		{"SELECT 1 --", 0, "SELECT 1"},
		{"SELECT 1--\x01 2", 0, "SELECT 1"},
		{"SELECT 1 --2", 0, "SELECT 1 - -2"},
		{"SELECT 1--/**/2, 3", 0, "SELECT 1- - 2, 3"},
		{"SELECT 1--#x\n2", 0, "SELECT 1- - 2"},
		{"SELECT groups`x`", 0, "SELECT `groups` `x`"},
		{"SELECT 1 # \x00 , 2\n,3", 0, ""},
		{"SELECT 'a\x00b'", 0, "SELECT 'a\x00b'"},
		{"SELECT 1\x00,2", 0, ""},
		{"SELECT a.5x", 0, "SELECT a.5x"},
		{"SELECT `a`.5", 0, ""},
		{"SELECT 1 .5", 0, "SELECT 1 .5"},
		{"SELECT 1. FROM t", 0, "SELECT 1.0 FROM t"},
		{"SELECT 1e5abc", 0, ""},
		{"SELECT 0X41", 0, ""},
		{"SELECT 0x41 `FROM`", 0, "SELECT 0x41 `FROM`"},
		{"SELECT 0x4G", 0, ""},
		{"SELECT x'414'", 0, ""},
		{"SELECT \\N", 0, "SELECT  NULL "},
		{"SELECT @@session.`sql_mode`", 0, "SELECT @@session.sql_mode"},
		{"SELECT @ a", 0, ""},
		{"SELECT @`a b`", 0, "SELECT @`a b`"},
		{"SELECT n'x', N'y'", 0, "SELECT n'x', N'y'"},
		{"SELECT _koi8r 'x'", 0, "SELECT  _binary  'x'"},
		{"SELECT _gb18030 'x'", 0, ""},
		{"SELECT \"a\"", ModeANSIQuotes, "SELECT `a`"},
		{"SELECT \"a\"\"b`c\"", ModeANSIQuotes, "SELECT `a\"b``c`"},
		{"SELECT \"a\\\"", ModeANSIQuotes, "SELECT `a\\`"},
		{"SELECT 'a\\', ssn -- '", 0, "SELECT 'a\\', ssn -- '"},
		{"SELECT 'a\\', ssn -- '", ModeNoBackslashEscapes, "SELECT 'a\\', ssn"},
		{"SELECT rank, groups FROM t", 0, "SELECT `rank`, `groups` FROM t"},
		{"SELECT rank() OVER ()", 0, "SELECT rank() OVER ()"},
		{"SELECT '\xff\xfe'", 0, "SELECT '??'"},
		{"SELECT \xff", 0, ""},
		{"SELECT 1;;SELECT 2;", 0, "SELECT 1;SELECT 2"},
		{"CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", 0, "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END"},
		{"CREATE TABLE event (a INT); SELECT 1", 0, "CREATE TABLE event (a INT);SELECT 1"},
		{"BEGIN; SELECT 1", 0, "BEGIN;SELECT 1"},
		{"BEGIN NOT ATOMIC SELECT 1; SELECT 2; END", 0, "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END"},
		{"x: LOOP SELECT 1; END LOOP", 0, "x: LOOP SELECT 1; END LOOP"},
	} {
		got, terr := printed(c.sql, &mariadb10, &State{SQLMode: c.mode})
		if got != c.want {
			t.Errorf("%q (mode %x): %q (%v), want %q", c.sql, c.mode, got, terr, c.want)
		}
	}
}

func TestPrintOfMySQL(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1 /*M!100100 , 2*/":    "SELECT 1",
		"SELECT 1 /*!50700 , 2*/":      "SELECT 1 , 2",
		"SELECT 1 /*!80036 , 2*/":      "SELECT 1 , 2",
		"SELECT 1 /*!80037 , 2*/":      "SELECT 1",
		"SELECT 1 /*!100100 , 2*/":     "",
		"SELECT _gb18030 'x', `rank`":  "SELECT _gb18030 'x', `rank`",
		"SELECT /*+ NO_ICP(t) */ a->b": "SELECT a->b",
	} {
		if got, terr := printed(sql, &mysql80, &State{}); got != want {
			t.Errorf("%q: %q (%v), want %q", sql, got, terr, want)
		}
	}
}

func TestPositions(t *testing.T) {
	for _, c := range []struct{ sql, charset, word string }{
		{"SELECT /* a comment */ ssn", "utf8mb4", "ssn"},
		{"SELECT /*!50000 name, */ \\N, 1., rank, ssn FROM t", "utf8mb4", "ssn"},
		{"SELECT 'é\xe9', 1; SELECT '\xe9\xe8', /* \xe9 */ ssn", "latin1", "ssn"},
		{"SELECT 'é', ssn", "utf8mb4", "ssn"},
	} {
		rd := &reader{sql: c.sql, server: &mariadb10}
		found := false
		for {
			s, terr := rd.next(&State{ClientCharset: c.charset})
			if terr != nil {
				t.Fatalf("%q: %v", c.sql, terr)
			}
			if len(s.tokens) == 0 {
				break
			}
			s.print(0, len(s.tokens), nil)
			i := strings.Index(s.sql, c.word)
			if i < 0 {
				continue
			}
			found = true
			if at := s.original(i); !strings.HasPrefix(c.sql[at:], c.word) {
				t.Errorf("%q: position %d is %q", c.sql, at, c.sql[at:])
			}
		}
		if !found {
			t.Errorf("%q: no %q", c.sql, c.word)
		}
	}
}

func TestCharsets(t *testing.T) {
	for _, c := range []struct {
		charset, sql string
		want         string
	}{
		{"gbk", "SELECT 1", ""}, {"sjis", "SELECT 1", ""}, {"big5", "SELECT 1", ""}, {"cp932", "SELECT 1", ""}, {"gb18030", "SELECT 1", ""},
		{"swe7", "SELECT 1", ""}, {"euckr", "SELECT 1", ""}, {"utf16", "SELECT 1", ""}, {"no such", "SELECT 1", ""},
		{"latin1", "SELECT '\xe9\x80'", "SELECT 'é€'"},
		{"latin1", "SELECT\xa0ssn", ""},
		{"latin1", "SELECT 1 --\xa0 ,2\n", ""},
		{"latin1", "SELECT `\xe9`", "SELECT `é`"},
		{"ascii", "SELECT 'x'", "SELECT 'x'"},
		{"ascii", "SELECT '\xe9'", ""},
		{"utf8mb3", "SELECT é", "SELECT é"},
		{"UTF8MB4", "SELECT é", "SELECT é"},
	} {
		if got, terr := printed(c.sql, &mariadb10, &State{ClientCharset: c.charset}); got != c.want {
			t.Errorf("%s %q: %q (%v), want %q", c.charset, c.sql, got, terr, c.want)
		}
	}
}

// The reader takes each statement in the sql_mode that the one before leaves.
func TestModeBetweenStatements(t *testing.T) {
	rd := &reader{sql: `SET sql_mode = 'ANSI_QUOTES'; SELECT "a"`, server: &mariadb10}
	if s, terr := rd.next(&State{}); terr != nil || s.raw(0) != "SET" {
		t.Fatal(s, terr)
	}
	s, terr := rd.next(&State{SQLMode: ModeANSIQuotes})
	if terr != nil || s.tokens[1].kind != tokenQuoted {
		t.Fatal(s, terr)
	}
}

func TestGate(t *testing.T) {
	for _, c := range []struct {
		sql string
		ok  bool
	}{
		{"SELECT " + strings.Repeat("(", 400) + "1" + strings.Repeat(")", 400), true},
		{"SELECT " + strings.Repeat("(", 600) + "1" + strings.Repeat(")", 600), false},
		{"SELECT 1" + strings.Repeat("+1", 10_000), true},
		{"SELECT 1" + strings.Repeat("+1", 30_000), false},
		{"SELECT 1" + strings.Repeat(" OR a = 1", 9_000), true},
		{"SELECT a IN (1" + strings.Repeat(",-1", 60_000) + ")", true},
		{"SELECT " + strings.Repeat("'a' ", 500), true},
		{"SELECT " + strings.Repeat("'a' ", 2_000), false},
		{"SELECT " + strings.Repeat("not ", 30_000) + "1", false},
		{"SELECT " + strings.Repeat("1,", 400_000) + "1", false},
	} {
		_, terr := printed(c.sql, &mariadb10, &State{})
		if (terr == nil) != c.ok {
			t.Errorf("%.40q… (%d bytes): %v", c.sql, len(c.sql), terr)
		}
	}
}

// scan gives the offsets at which the grammar's own lexer sees tokens.
func scan[T any](lex func(*T) int) (starts []int) {
	for {
		var v T
		if tok := lex(&v); tok == 0 {
			return starts
		}
		starts = append(starts, int(reflect.ValueOf(&v).Elem().FieldByName("offset").Int()))
	}
}

// FuzzLexer holds the package's lexer against the grammar's: whatever is
// printed for the grammar is cut by both in the same places.
func FuzzLexer(f *testing.F) {
	setDriver()
	for _, s := range []string{
		"SELECT 1 /*!50000 , 2 /* x */ */ -- y\n , `a``b`.c, 'it''s', \"x\\\"y\", @v := @@global.x",
		"select a.b.c, .5, 1., 1e5, 1.5e-3, 0x4f, 0b01, x'4f', b'01', N'x', _utf8mb4'x' from t where a<=>b and c!=d or e<>f",
		"select a--b, a-- b\n, a/b, a*/b, `x`.`y`, x . y, @'a', @`b`, ?, \\N", "a:=b||c&&d->e->>f<<g>>h>=i<=j", "SELECT '\xff' é `é`",
		"SELECT 1.5.5, 1..5, a..b, 1a, 1e, 0x, 0b2, 0xg", "{fn x()} {d '2020-01-01'} [a] a.*, t.1a", "@@`a`.b @@a.`b` @@session.x@y",
		"SELECT a AS OF, b member of (c) to timestamp 'x' optionally enclosed by 'y'",
	} {
		f.Add(s, uint8(0), true)
		f.Add(s, uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, sql string, mode uint8, maria bool) {
		if len(sql) > 1000 {
			return
		}
		server := &mysql80
		if maria {
			server = &mariadb10
		}
		st := &State{SQLMode: SQLMode(mode) & (ModeANSIQuotes | ModeNoBackslashEscapes | ModeIgnoreSpace), ClientCharset: "utf8mb4"}
		out, terr := printed(sql, server, st)
		if terr != nil || out == "" {
			return
		}
		lx := lexer{text: out, server: server, mode: st.SQLMode &^ ModeANSIQuotes}
		count := 0
		for rd := (&reader{sql: sql, server: server}); ; {
			s, _ := rd.next(st)
			if len(s.tokens) == 0 {
				break
			}
			if len(s.forms(0, len(s.tokens))) > 0 {
				return // more tokens than there were
			}
			count += len(s.tokens) + 1
		}
		var ours []int
		for {
			tok := lx.next()
			if tok.kind == tokenEnd {
				break
			}
			if tok.kind == tokenBad {
				t.Fatalf("%q is printed as %q, which cannot be read: %s", sql, out, lx.fault)
			}
			ours = append(ours, tok.start)
			if tok.kind == tokenString && out[tok.start]|0x20 == 'n' {
				ours = append(ours, tok.start+1) // N'…' is two tokens there
			}
			if n := len(ours); out[tok.start:tok.end] == ";" && n > 1 {
				lx.last = token{}
			}
		}
		again := 1
		for rd := (&lexer{text: out, server: server, mode: st.SQLMode &^ ModeANSIQuotes}); rd.next().kind != tokenEnd; {
			again++
		}
		if again != count {
			t.Fatalf("%q has %d tokens, %q, which is printed for it, has %d", sql, count, out, again)
		}
		sc := parser.NewScanner(out)
		sc.SetSQLMode(grammarMode(st.SQLMode))
		theirs := scan(sc.Lex)
		if joins := strings.ToLower(out); strings.Contains(joins, "of") || strings.Contains(joins, "timestamp") || strings.Contains(joins, "optionally") {
			return // it takes these words together with those before them
		}
		if fmt.Sprint(ours) != fmt.Sprint(theirs) {
			t.Fatalf("%q is printed as %q\nours   %v\ntheirs %v", sql, out, ours, theirs)
		}
	})
}
