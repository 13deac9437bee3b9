package pgsql

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// estimate is the depth that the gate sees in a text.
func estimate(text string) int {
	g := gate{lx: lexer{text: text}}
	for t := g.lx.next(); t.kind != tokenEnd && t.kind != tokenBad; t = g.lx.next() {
		g.token(t)
	}
	return g.depth()
}

// The gate's promise: the estimate is never below what the parser makes.
func TestEstimateIsNeverBelowTheTree(t *testing.T) {
	for _, f := range families {
		for _, n := range []int{1, 2, 7, 40} {
			text := f.make(n)
			if len(text) > 1<<20 {
				continue
			}
			tree, err := parse(text)
			if err != nil {
				if n < 8 && !strings.HasPrefix(f.name, "comment openers") && f.name != "at run" && f.name != "string comments" {
					t.Errorf("%s %d: %v: %.200s", f.name, n, err, text)
				}
				continue
			}
			if got, real := estimate(text), messageDepth(tree.ProtoReflect(), maxMessages); got < real {
				t.Errorf("%s %d: estimate %d, depth %d: %.200s", f.name, n, got, real, text)
			}
		}
	}
}

// largest is the largest text of a family that is admitted, up to a size.
func largest(f family, size int) string {
	fits := func(n int) bool {
		text := f.make(n)
		return len(text) <= size && Admit(text, Limits{}) == nil
	}
	hi := 1
	for fits(hi) {
		hi *= 2
	}
	lo := hi / 2
	for hi-lo > 1+lo/20 {
		if mid := (lo + hi) / 2; fits(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return f.make(lo)
}

// big families are tried at the size limit, the others at that of usual texts.
var big = map[string]bool{"select list": true, "and or": true, "statements": true, "table columns": true,
	"merge branches": true, "long identifiers": true, "wide string and deep": true, "wide and deep": true,
	"comment openers closed": true, "plus run": true, "unicode string": true}

const childVariable = "WEIR_TEST_PARSER_CHILD"

// What the gate admits neither overflows a thread stack of 2 MB nor keeps the
// parser longer than 2 seconds of processor time: each family's largest text
// is parsed in a process with such stacks.
func TestAdmittedTextsAreSafe(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		parserChild(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -s 2048 && exec "$0" -test.run='^TestAdmittedTextsAreSafe$' -test.v`, os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("parsed:")) != len(families) {
		t.Fatalf("child: %v\n%s", err, out[max(0, len(out)-4000):])
	}
}

// parserChild parses on threads with the stack limit of the process.
func parserChild(t *testing.T) {
	runtime.LockOSThread()
	for _, f := range families {
		size := 64 << 10
		if big[f.name] {
			size = defaultBytes
		}
		text := largest(f, size)
		fmt.Printf("\nparsing: %s, %d bytes\n", f.name, len(text))
		var produced int
		spent := quickest(t, func() {
			raw, err := parseToProtobuf(text)
			produced = len(raw)
			_ = err // a refusal is as good as a tree
		})
		fmt.Printf("parsed: %d bytes in %v\n", produced, spent)
		if spent > 2*time.Second {
			t.Errorf("%s: %d bytes took %v", f.name, len(text), spent)
		}
		if spent := quickest(t, func() { fingerprint(text) }); spent > 2*time.Second {
			t.Errorf("%s: fingerprint of %d bytes took %v", f.name, len(text), spent)
		}
	}
}

// quickest is the processor time of work. Neighbours on the machine slow it
// down, so a slow run is given two more tries.
func quickest(t *testing.T, work func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range 3 {
		before := threadTime(t)
		work()
		if best = min(best, threadTime(t)-before); best <= 2*time.Second {
			break
		}
	}
	return best
}

// threadTime is the processor time of this thread.
func threadTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A tree that is too deep to be printed is refused, not tried.
func TestDeparseIsBounded(t *testing.T) {
	for _, n := range []int{10, 400, 1400} {
		tree, err := parse("SELECT 1" + rep("+1", n))
		if err != nil {
			t.Fatal(err)
		}
		text, err := deparse(tree)
		if fits := n < maxDeparse/2; fits != (err == nil) || fits && strings.Count(text, "+ 1") != n {
			t.Errorf("%d terms: %.40q, %v", n, text, err)
		}
	}
}

func TestAdmitLegitimate(t *testing.T) {
	row := "(12345, 'Alice Example', 12.50, now() - interval '1 day', NULL, 'some longer note', -1, 'x'::text)"
	for name, text := range map[string]string{
		"5,000 rows":           "INSERT INTO t VALUES " + row + rep(", "+row, 4999),
		"65,535 parameters":    "INSERT INTO t VALUES ($1)" + rep(", ($65535)", 65534),
		"IN of 50,000":         "SELECT * FROM t WHERE id IN (1" + rep(", 123456", 49999) + ")",
		"2,000 OR":             "SELECT * FROM t WHERE a = 1" + rep(" OR (a = 2 AND b BETWEEN 3 AND 4)", 2000),
		"500 nested OR":        "SELECT * FROM t WHERE " + rep("(", 500) + "a = 1" + rep(" OR b = 2)", 500),
		"300 joins":            "SELECT * FROM t0" + rep(" LEFT OUTER JOIN t1 AS x ON t0.id = x.id AND x.kind = 'a'", 300),
		"500 UNION ALL":        "SELECT 1 AS a, 'x' AS b" + rep(" UNION ALL SELECT a + 1, b || 'y' FROM t WHERE c = 1 AND d = 2", 500),
		"chain of 500":         "SELECT a" + rep(" || ',' || b", 250),
		"1,600 columns":        "SELECT c0" + rep(", coalesce(t.c1, 'x') AS c1", 1599) + " FROM t",
		"CASE of 1,000":        "SELECT CASE" + rep(" WHEN a = 1 THEN 'x' || b", 1000) + " ELSE NULL END",
		"1,000 statements":     rep("UPDATE t SET a = a + 1, b = 'x' WHERE id = 17;\n", 1000),
		"15 MB string":         "INSERT INTO t VALUES (1, '" + rep("x", 15<<20) + "'::bytea)",
		"rules in comments":    rep("/****************************************/\n--------------------------------\nSELECT 1;\n", 5000),
		"20 nested subselects": "SELECT " + rep("(SELECT coalesce(max(a), 0) FROM t WHERE b IN (SELECT 1 WHERE EXISTS (SELECT ", 20) + "1" + rep(")))", 20),
	} {
		if err := Admit(text, Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tree, err := parse(text); err != nil {
			t.Errorf("%s: parse: %v", name, err)
		} else if got, real := estimate(text), messageDepth(tree.ProtoReflect(), maxMessages); got < real {
			t.Errorf("%s: estimate %d, depth %d", name, got, real)
		}
	}
}

func TestAdmitRefuses(t *testing.T) {
	const anywhere = -2
	for _, c := range []struct {
		name, text, code string
		pos              int
	}{
		{"NUL", "SELECT 1\x00", "22021", 8},
		{"encoding", "SELECT '\xff'", "22021", 8},
		{"cut character", "SELECT '\xe2\x82'", "22021", 8},
		{"size", "SELECT '" + rep("x", defaultBytes) + "'", "54000", -1},
		{"tokens", "SELECT 1" + rep(",1", defaultTokens/2), "54001", 2*defaultTokens/2 + 6},
		{"nested", "SELECT " + rep("(", 10_000) + "1" + rep(")", 10_000), "54001", 7 + maxLevels - 1},
		{"nested subselects", "SELECT " + rep("(SELECT ", 500) + "1" + rep(")", 500), "54001", -1},
		{"plus", "SELECT 1" + rep("+1", 24_000), "54001", -1},
		{"casts", "SELECT 1" + rep("::int", 24_000), "54001", -1},
		{"joins", "SELECT * FROM a" + rep(" CROSS JOIN b", 24_000), "54001", -1},
		{"unions", "SELECT 1" + rep(" UNION SELECT 1", 24_000), "54001", -1},
		{"between and not", "SELECT " + rep("x BETWEEN a AND NOT ", 24_000) + "y", "54001", -1},
		{"label as END", "SELECT " + rep("CASE WHEN x.end AND y THEN ", 24_000) + "1", "54001", anywhere},
		{"function named JOIN", "SELECT 1" + rep(" + join(1)", 24_000), "54001", -1},
		{"label as AND", "SELECT 1" + rep(" + x.and", 24_000), "54001", -1},
		{"comments", rep("/* ", 300) + rep("*/ ", 300), "54001", -1},
		{"comment openers", rep("/*", 50_000) + rep("*/", 50_000), "54001", -1},
		{"operator run", "SELECT " + rep("+", 40_000) + "1", "42601", 7},
		{"unterminated string", "SELECT 'x", "42601", 7},
		{"unterminated comment", "SELECT /* /* */", "42601", 7},
		{"100 MB", rep("x", 100<<20), "54000", -1},
	} {
		err := Admit(c.text, Limits{})
		if err == nil || err.Code != c.code || err.Pos != c.pos && c.pos != anywhere {
			t.Errorf("%s: got %#v, want %s at %d", c.name, err, c.code, c.pos)
		}
	}
}

func TestAdmitDoesNotAllocate(t *testing.T) {
	text := "SELECT a, (b || 'x')::text FROM t WHERE c IN (1, 2) AND CASE WHEN d THEN e END -- x"
	if n := testing.AllocsPerRun(100, func() { _ = Admit(text, Limits{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzAdmit: whatever is admitted parses without a panic, within the estimate.
func FuzzAdmit(f *testing.F) {
	for _, fam := range families {
		f.Add(fam.make(3))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		tree, err := parse(text)
		if err != nil {
			return
		}
		if got, real := estimate(text), messageDepth(tree.ProtoReflect(), maxMessages); got < real {
			t.Errorf("estimate %d, depth %d: %q", got, real, text)
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	row := "(12345, 'Alice Example', 12.50, 'some note that is longer')"
	for name, text := range map[string]string{
		"small":  "SELECT abalance FROM pgbench_accounts WHERE aid = 12345",
		"insert": "INSERT INTO orders (id, customer, amount, note) VALUES " + row + rep(", "+row, 5000),
		"query": rep("SELECT c.region, date_trunc('month', o.created_at) AS month, sum(o.amount) AS revenue\n"+
			"  FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.region IN ('EU', 'US') GROUP BY 1, 2;\n", 20),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Admit(text, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
