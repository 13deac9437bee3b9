package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

var exampleTime = time.Date(2026, 1, 2, 15, 4, 5, 678901000, time.UTC)

// base is what every example of the documentation shares.
func base(kind Kind) Event {
	return Event{Time: exampleTime, Kind: kind, SessionID: "01JGK2Q7ZV8D3M",
		UserID: "local:7", UserName: "ana", UserSource: "local", Groups: []string{"analysts"},
		AuthMethod: "scram-sha-256", MFA: true, ClientAddress: "10.1.2.3:51234", Application: "psql", TLS: true,
		Project: "sales", Datasource: "shop", Engine: "postgresql", Database: "shop"}
}

func statementExample(kind Kind) Event {
	e := base(kind)
	e.Statement, e.Class, e.Verbs = 3, "read", []string{"SELECT"}
	e.Text = "SELECT id, email FROM users WHERE id < 100"
	e.Fingerprint = "a0ead580058af585"
	e.Tables = []string{"public.users"}
	e.Columns = []string{"public.users.id", "public.users.email"}
	e.Masks = []Mask{{"public.users.email", "email"}}
	e.Decision, e.Rule = DecisionAllow, "masked_columns"
	e.Reasons = []Reason{{"masked_columns", "email is masked for analysts"}}
	return e
}

// examples are the events of docs/audit.md, one per kind that callers append.
func examples() []Event {
	login, logout := base(KindLogin), base(KindLogout)
	logout.Duration = 95 * time.Second
	failed := base(KindLoginFailed)
	failed.UserID, failed.Groups, failed.MFA = "", nil, false
	failed.ErrorClass, failed.SQLState, failed.Message = "invalid_password", "28P01", "password does not match"
	intent := statementExample(KindStatementIntent)
	outcome := statementExample(KindStatementOutcome)
	outcome.Rows, outcome.Bytes, outcome.Duration = 99, 4158, 12345*time.Microsecond
	denial := statementExample(KindDenial)
	denial.Text = "SELECT * FROM salaries"
	denial.Tables, denial.Columns, denial.Masks = []string{"hr.salaries"}, []string{"hr.salaries.amount"}, nil
	denial.Fingerprint = "5b1cc8b4d4f6a1e2"
	denial.Decision, denial.Rule, denial.SQLState = DecisionDeny, "tables", "42501"
	denial.Reasons = []Reason{{"tables", "analysts may not read hr.salaries"}}
	admin := Event{Time: exampleTime, Kind: KindAdministration, UserName: "root", UserSource: "os",
		Action: "disable", Object: "ana", Before: `{"disabled":false}`, After: `{"disabled":true}`}
	policy := Event{Time: exampleTime, Kind: KindPolicyChange, UserName: "weir", UserSource: "system",
		Action: "load", Object: "/etc/weir/policy", Before: "sha256:5f70bf18", After: "sha256:2c26b46b"}
	config := Event{Time: exampleTime, Kind: KindConfigChange, UserName: "weir", UserSource: "system",
		Action: "reload", Object: "/etc/weir/weir.yaml", ErrorClass: "invalid", Message: "line 12: unknown key \"lisen\""}
	return []Event{login, failed, logout, intent, outcome, denial, admin, policy, config}
}

// exampleLines are the examples as a chain, the journal's own last.
func exampleLines(t *testing.T) (kinds []Kind, lines [][]byte) {
	var last link
	add := func(kind Kind, body []byte) {
		next := link{seq: last.seq + 1}
		line, sum := appendLink(body, 0, next.seq, &last.hash)
		next.hash, last = sum, next
		last.hash = sum
		kinds, lines = append(kinds, kind), append(lines, line)
	}
	for _, e := range examples() {
		body, err := appendEvent(nil, &e, e.Time, 32<<10)
		if err != nil {
			t.Fatal(err)
		}
		add(e.Kind, body)
	}
	s := newStatement(typeCheckpoint, "4f1c2a9be07d4c51a2d3f6b8c9e01234", 1, last, exampleTime)
	s.sign(testKey())
	body, err := appendJournal(nil, actionCheckpoint, 1, exampleTime, &s)
	if err != nil {
		t.Fatal(err)
	}
	add(KindJournal, body)
	return kinds, lines
}

const goldenPath, docsPath = "testdata/events.golden.jsonl", "../docs/audit.md"

// TestExamples: the encoder writes the golden file, and docs/audit.md shows it.
func TestExamples(t *testing.T) {
	kinds, lines := exampleLines(t)
	got := bytes.Join(lines, nil)
	docs, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for i, k := range kinds {
			var pretty bytes.Buffer
			json.Indent(&pretty, bytes.TrimSpace(lines[i]), "", "  ")
			docs = exampleBlock(k).ReplaceAllLiteral(docs, []byte("<!-- example: "+string(k)+" -->\n```json\n"+pretty.String()+"\n```"))
		}
		if err := os.WriteFile(docsPath, docs, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenPath, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the encoder writes\n%s\nwant\n%s", got, want)
	}
	for i, k := range kinds {
		m := exampleBlock(k).FindSubmatch(docs)
		if m == nil {
			t.Errorf("%s has no example of %s", docsPath, k)
			continue
		}
		var flat bytes.Buffer
		if err := json.Compact(&flat, m[1]); err != nil || !bytes.Equal(flat.Bytes(), bytes.TrimSpace(lines[i])) {
			t.Errorf("%s: the example of %s is not what the encoder writes (%v)", docsPath, k, err)
		}
	}
}

func exampleBlock(k Kind) *regexp.Regexp {
	return regexp.MustCompile("(?s)<!-- example: " + string(k) + " -->\n```json\n(.*?)\n?```")
}

// TestRoundTrip: what is encoded reads back.
func TestRoundTrip(t *testing.T) {
	all := examples()
	rewritten := statementExample(KindStatementOutcome)
	rewritten.RewrittenText, rewritten.ErrorClass = "SELECT id, weir_mask(email) FROM users", "upstream_error"
	rewritten.ClientAddress = "[2001:db8::1]:5432"
	rewritten.Message = "line one\nline \"two\" \x1b[31m"
	local := base(KindLogin)
	local.ClientAddress = "local socket"
	bare := base(KindDenial)
	bare.ClientAddress = "192.0.2.1"
	for _, e := range append(all, rewritten, local, bare) {
		line := encodeLine(t, &e, 32<<10)
		got, err := decodeEvent(line)
		if err != nil {
			t.Fatalf("%s: %v\n%s", e.Kind, err, line)
		}
		want := e
		if want.Kind == KindStatementIntent || want.Kind == KindDenial {
			want.Rows, want.Bytes = 0, 0
		}
		if !reflect.DeepEqual(got, &want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", e.Kind, got, &want)
		}
	}
}

func encodeLine(t testing.TB, e *Event, limit int) []byte {
	body, err := appendEvent(nil, e, e.Time, limit)
	if err != nil {
		t.Fatal(err)
	}
	line, _ := appendLink(body, 0, 1, &digest{})
	if !json.Valid(line) || bytes.Count(line, []byte("\n")) != 1 {
		t.Fatalf("not one line of JSON: %q", line)
	}
	return line[:len(line)-1]
}

func TestLongTextIsCut(t *testing.T) {
	e := statementExample(KindStatementIntent)
	e.Text = strings.Repeat("x", 99) + "é" + strings.Repeat("y", 100)
	line := encodeLine(t, &e, 100)
	sum := sha256.Sum256([]byte(e.Text))
	for _, want := range []string{`"truncated":true`, `"text_bytes":201`, `"text_sha256":"` + hex.EncodeToString(sum[:]) + `"`} {
		if !bytes.Contains(line, []byte(want)) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	if got, _ := decodeEvent(line); got.Text != strings.Repeat("x", 99) {
		t.Errorf("text is %q", got.Text)
	}
}

func TestHashLevelKeepsNoText(t *testing.T) {
	e := statementExample(KindStatementIntent)
	e.Level, e.Text, e.RewrittenText = LevelHash, "SELECT 'secret'", "SELECT 'secret', 1"
	line := encodeLine(t, &e, 100)
	sum := sha256.Sum256([]byte(e.Text))
	if bytes.Contains(line, []byte("secret")) {
		t.Errorf("the text is in %s", line)
	}
	if !bytes.Contains(line, []byte(`"query_string":"sha256:`+hex.EncodeToString(sum[:])+`"`)) ||
		!bytes.Contains(line, []byte(`"text_bytes":15`)) {
		t.Errorf("no hash or length in %s", line)
	}
	if got, _ := decodeEvent(line); got.Level != LevelHash {
		t.Errorf("level is %q", got.Level)
	}
}

// TestLineIsBounded: no event makes a line that the readers would refuse.
func TestLineIsBounded(t *testing.T) {
	long := strings.Repeat("\x01", 300<<10)
	many := make([]string, 5000)
	e := Event{Kind: KindStatementOutcome, Time: exampleTime}
	v := reflect.ValueOf(&e).Elem()
	for i := range many {
		many[i] = long[:shortLimit]
		e.Masks = append(e.Masks, Mask{many[i], many[i]})
		e.Reasons = append(e.Reasons, Reason{many[i], many[i]})
	}
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Kind() == reflect.String && f.Len() == 0:
			f.SetString(long)
		case f.Type() == reflect.TypeOf(many):
			f.Set(reflect.ValueOf(many))
		}
	}
	line := encodeLine(t, &e, maxTextLimit)
	if len(line) > maxLine {
		t.Errorf("the line has %d bytes, more than %d", len(line), maxLine)
	}
	for _, want := range []string{`"truncated":true`, `"omitted":`} {
		if !bytes.Contains(line, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	for _, k := range []Kind{"", "nonsense", KindJournal} {
		if _, err := appendEvent(nil, &Event{Kind: k}, exampleTime, 100); err == nil {
			t.Errorf("kind %q was taken", k)
		}
	}
}

// FuzzEncode: any event is one line of valid JSON that carries its link.
func FuzzEncode(f *testing.F) {
	f.Add("ana", "SELECT 1", "10.0.0.1:5", "m", int64(5))
	f.Add("\xff\n", "\"}}}\n{\"chain\":", `,"chain":{"sequence":9,"prev":"`, `,"hash":"`, int64(-1))
	f.Fuzz(func(t *testing.T, user, text, addr, message string, n int64) {
		for _, k := range []Kind{KindLogin, KindStatementOutcome, KindAdministration, KindConfigChange} {
			e := Event{Time: exampleTime, Kind: k, UserName: user, Text: text, ClientAddress: addr, Message: message,
				Rows: n, Bytes: n, Statement: uint64(n), Groups: []string{user, text}, Object: text}
			line := encodeLine(t, &e, 64)
			l, err := parseLink(line)
			if err != nil || l.seq != 1 || hashLine(line) != l.hash {
				t.Fatalf("link %+v, %v", l, err)
			}
			if ms, ok := lineTime(line); !ok || ms != exampleTime.UnixMilli() {
				t.Fatalf("time %d, %v", ms, ok)
			}
			if _, err := decodeEvent(line); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, kind := range []Kind{KindStatementIntent, KindStatementOutcome} {
		b.Run(string(kind), func(b *testing.B) {
			e := statementExample(kind)
			e.Text = strings.Repeat("SELECT id, name, email FROM users WHERE id = 1 ", 4)
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = appendEvent(buf[:0], &e, e.Time, 32<<10)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
