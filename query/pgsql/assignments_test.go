package pgsql

import (
	"fmt"
	"strings"
	"testing"
)

func TestAssignments(t *testing.T) {
	cat, an := fixtureCatalog(t), NewAnalyzer(Options{})
	prepared := fixtureState()
	prepared.Prepared = map[string]*Prepared{"p": {SQL: "UPDATE shop.accounts SET secret = $1 WHERE id = $2"}}
	for _, c := range []struct{ sql, want string }{
		{"INSERT INTO staff.accounts (id, secret) VALUES (1, '***'), ($1, $2::text)",
			`staff.accounts.id "1" at 48; staff.accounts.secret "***" at 51; staff.accounts.id $1 at 60; staff.accounts.secret $2 at 64`},
		{"INSERT INTO staff.accounts SELECT 7, 'x' COLLATE \"C\"", `staff.accounts.id "7" at 34; staff.accounts.secret "x" at 12`},
		{"INSERT INTO staff.accounts (id, secret) SELECT id, upper(name) FROM staff.person", `staff.accounts.id at 12; staff.accounts.secret at 12`},
		{"UPDATE staff.accounts SET secret = NULL", `staff.accounts.secret at 35`},
		{"UPDATE staff.accounts SET (id, secret) = (1.5, 'y') WHERE id = 2", `staff.accounts.id "1.5" at 42; staff.accounts.secret "y" at 47`},
		{"UPDATE shop.v_customer SET label = 'n'", `shop.customer.name "n" at 35; shop.v_customer.label "n" at 35`},
		{"INSERT INTO staff.accounts (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET secret = 'z'", `staff.accounts.id "1" at 40; staff.accounts.secret "z" at 83`},
		{"MERGE INTO staff.accounts a USING (VALUES (1)) v(i) ON a.id = i WHEN MATCHED THEN UPDATE SET secret = 'a' WHEN NOT MATCHED THEN INSERT VALUES (i, 'b')",
			`staff.accounts.secret "a" at 102; staff.accounts.id at -1; staff.accounts.secret "b" at 146`},
		{"COPY staff.accounts (secret) FROM STDIN", `staff.accounts.secret at 5`},
		{"EXECUTE p ('***', 1)", `shop.accounts.secret "***" at -1`},
		{"WITH w AS (UPDATE staff.accounts SET secret = 'w' RETURNING id) SELECT * FROM w", `staff.accounts.secret "w" at 46`},
		{"SELECT 'x' FROM staff.accounts", ``},
	} {
		a := an.Analyze(c.sql, cat, prepared)
		var got []string
		for _, x := range a.Statements[0].Assignments {
			s := fmt.Sprintf("%s.%s.%s", x.Schema, x.Table, x.Column)
			if x.Literal != nil {
				s += fmt.Sprintf(" %q", *x.Literal)
			} else if x.Parameter > 0 {
				s += fmt.Sprintf(" $%d", x.Parameter)
			}
			got = append(got, fmt.Sprintf("%s at %d", s, x.Pos))
			if x.Type == 0 {
				t.Errorf("%s: no type", c.sql)
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.sql, strings.Join(got, "; "), c.want)
		}
	}
}
