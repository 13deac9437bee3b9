package mysql

import (
	"os"
	"strings"
	"testing"
)

// TestLiveClients holds that what tools and frameworks send when they connect
// and look around is understood, but for the lines that begin with a dash,
// which tell of data or of other sessions. Each of them is one that the server
// takes.
func TestLiveClients(t *testing.T) {
	conn, cat := lineageServer(t)
	raw, err := os.ReadFile("testdata/clients.txt")
	if err != nil {
		t.Fatal(err)
	}
	an := NewAnalyzer(Options{})
	for _, l := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		if strings.HasPrefix(l, "#") {
			continue
		}
		sql, refused := strings.CutPrefix(l, "- ")
		a := an.Analyze(sql, cat, lineageState())
		if len(a.Statements) != 1 || a.Statements[0].Complete == refused {
			t.Errorf("%s: %d statements, complete %v", sql, len(a.Statements), !refused)
			for i := range a.Statements {
				t.Log(reasonsOf(&a.Statements[i].Facts))
			}
			continue
		}
		if strings.HasPrefix(sql, "KILL") {
			continue
		}
		res, err := conn.Execute(sql)
		if err != nil {
			t.Errorf("%s: the server says %v", sql, err)
			continue
		}
		if s := &a.Statements[0]; !refused && len(s.Output) > 0 {
			compareColumns(t, cat, sql, s.Output, res.Fields)
		}
	}
}
