package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyCommand(t *testing.T) {
	good := filepath.Join(t.TempDir(), "audit")
	goodJournal(t, good)
	bad := filepath.Join(t.TempDir(), "audit")
	goodJournal(t, bad)
	withLines(2, func(l []string) []string { l[2] = edit(l[2]); return l })(t, bad)
	anchored := filepath.Join(t.TempDir(), "audit")
	goodJournal(t, anchored)
	anchor := filepath.Join(t.TempDir(), "copy.jsonl")
	rename(t, filepath.Join(anchored, checkpointName), anchor)
	for name, c := range map[string]struct {
		cmd  VerifyCommand
		code int
		out  []string
		err  string
	}{
		"good":          {VerifyCommand{Dir: good}, ExitGood, []string{": good", "signing.pub of the journal itself", "0 records follow unsigned"}, ""},
		"own key":       {VerifyCommand{Dir: good, KeyFile: filepath.Join(good, pubName), OldKeyFiles: []string{filepath.Join(bad, pubName)}}, ExitGood, []string{": good"}, ""},
		"tampered":      {VerifyCommand{Dir: bad}, ExitTampered, []string{"TAMPERED, 1 faults", "edited", "segment 2, line 3, record"}, ""},
		"tampered json": {VerifyCommand{Dir: bad, JSON: true}, ExitTampered, []string{`"ok": false`, `"kind": "edited"`, `"line": 3`}, ""},
		"good json":     {VerifyCommand{Dir: good, JSON: true}, ExitGood, []string{`"ok": true`, `"faults": []`}, ""},
		"other anchor":  {VerifyCommand{Dir: good, AnchorFiles: []string{anchor}}, ExitTampered, []string{"signature"}, ""},
		"no directory":  {VerifyCommand{Dir: filepath.Join(good, "none")}, ExitUnreadable, nil, "no such file"},
		"no key":        {VerifyCommand{Dir: good, KeyFile: filepath.Join(good, "none")}, ExitUnreadable, nil, "public key"},
		"not a key":     {VerifyCommand{Dir: good, KeyFile: segmentPath(good, 1)}, ExitUnreadable, nil, "not PEM"},
		"no anchor":     {VerifyCommand{Dir: good, AnchorFiles: []string{"none"}}, ExitUnreadable, nil, "anchor"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut, progress bytes.Buffer
			if code := c.cmd.Run(context.Background(), &out, &errOut, &progress); code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, &out, &errOut)
			}
			for _, want := range c.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, &out)
				}
			}
			if c.err == "" && errOut.Len() > 0 || !strings.Contains(errOut.String(), c.err) {
				t.Errorf("errors: %s", &errOut)
			}
			if c.cmd.JSON && !json.Valid(out.Bytes()) {
				t.Errorf("not JSON: %s", &out)
			}
			if c.code != ExitUnreadable && !strings.Contains(progress.String(), "segment 2 of") {
				t.Errorf("progress: %s", &progress)
			}
		})
	}
}

func TestSearchCommand(t *testing.T) {
	dir := searchJournal(t)
	run := func(c SearchCommand, want int) string {
		t.Helper()
		var out, errOut bytes.Buffer
		c.Dir = dir
		if code := c.Run(context.Background(), &out, &errOut); code != want {
			t.Errorf("exit code %d, want %d: %s", code, want, &errOut)
		}
		return out.String()
	}
	text := run(SearchCommand{Query: Query{Decision: DecisionDeny}}, ExitGood)
	for _, want := range []string{" denial user=ana from=10.1.2.3:51234 session=01JGK2Q7ZV8D3M/3 datasource=shop decision=deny",
		"sqlstate=42501", "statement=SELECT * FROM salaries\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	raw := run(SearchCommand{Query: Query{Decision: DecisionDeny}, Format: FormatJSON}, ExitGood)
	if l, err := parseLink([]byte(strings.TrimSuffix(raw, "\n"))); err != nil || hashLine([]byte(strings.TrimSuffix(raw, "\n"))) != l.hash {
		t.Errorf("an exported record does not prove itself: %v\n%s", err, raw)
	}
	rows, err := csv.NewReader(strings.NewReader(run(SearchCommand{Format: FormatCSV}, ExitGood))).ReadAll()
	if err != nil || len(rows) != len(find(t, dir, Query{}))+1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	run(SearchCommand{Format: "xml"}, ExitUnreadable)
	dir = t.TempDir()
	run(SearchCommand{}, ExitUnreadable)
	os.WriteFile(segmentPath(dir, 1), []byte("rubbish\n"), 0o600)
	run(SearchCommand{}, ExitTampered)
}

// TestHostileText: what users sent can neither drive a terminal nor start a
// formula in a spreadsheet.
func TestHostileText(t *testing.T) {
	e := numbered(0)
	e.Time, e.Text, e.UserName, e.Message = exampleTime, "\x1b]0;owned\x07SELECT\n1 \u009b31m", "=HYPERLINK(1)", "+1"
	r := Record{Event: e}
	line := textLine(r)
	if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(c rune) bool { return c < ' ' || c >= 0x7f && c < 0xa0 }) {
		t.Errorf("control characters in %q", line)
	}
	row := csvRow(r)
	if row[3] != "'=HYPERLINK(1)" || row[len(row)-1] != "'+1" {
		t.Errorf("formulas in %q", row)
	}
}
