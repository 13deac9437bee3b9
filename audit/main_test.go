package audit

import (
	"context"
	"crypto/ed25519"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite golden files and the examples in docs/audit.md")

func TestMain(m *testing.M) {
	// The crash tests run this binary again as the process that dies.
	if role := os.Getenv("WEIR_AUDIT_CHILD"); role != "" {
		os.Exit(child(role, os.Getenv("WEIR_AUDIT_DIR")))
	}
	goleak.VerifyTestMain(m)
}

// testKey is the same in every test, so that files can be compared.
func testKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
}

func testPub() ed25519.PublicKey { return testKey().Public().(ed25519.PublicKey) }

func openTest(t testing.TB, opts Options) *Journal {
	t.Helper()
	if opts.SigningKey == nil {
		opts.SigningKey = testKey()
	}
	j, err := Open(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func appendN(t testing.TB, j *Journal, n int) {
	t.Helper()
	for i := range n {
		if err := j.Append(context.Background(), numbered(i)); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
}

func numbered(i int) *Event {
	return &Event{Kind: KindStatementIntent, SessionID: "s1", Statement: uint64(i + 1), UserName: "ana",
		Datasource: "shop", Class: "read", Text: fmt.Sprintf("SELECT %d", i), Decision: DecisionAllow}
}

func closeTest(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func verifyDir(t testing.TB, dir string) Report {
	t.Helper()
	r, err := Verify(context.Background(), dir, testPub(), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantGood(t testing.TB, dir string) Report {
	t.Helper()
	r := verifyDir(t, dir)
	if !r.OK() {
		t.Fatalf("faults: %+v", r.Faults)
	}
	return r
}

// find returns the records that q selects; their Raw is a copy.
func find(t testing.TB, dir string, q Query) []Record {
	t.Helper()
	var got []Record
	err := Search(context.Background(), dir, q, func(r Record) error {
		r.Raw = []byte(string(r.Raw))
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// actions lists what the journal recorded about itself.
func actions(t testing.TB, dir string) []string {
	var got []string
	for _, r := range find(t, dir, Query{Kinds: []Kind{KindJournal}}) {
		got = append(got, r.Event.Action)
	}
	return got
}

func segmentPath(dir string, num int) string { return filepath.Join(dir, segmentName(num)) }

// eventually waits for something that another goroutine does.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}
