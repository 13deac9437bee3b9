package pgsql

import (
	"sync"
	"syscall"
	"testing"
)

// The C parser leaves standard error alone, whoever parses meanwhile.
func TestParserKeepsStandardError(t *testing.T) {
	before := descriptor2(t)
	var parsers sync.WaitGroup
	for range 4 {
		parsers.Go(func() {
			for range 500 {
				if _, err := parse("SELECT 1"); err != nil {
					t.Error(err)
				}
				fingerprint("SELECT 1")
			}
		})
	}
	done := make(chan struct{})
	go func() { parsers.Wait(); close(done) }()
	for {
		if now := descriptor2(t); now != before {
			t.Fatalf("descriptor 2 is file %v, was %v", now, before)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func descriptor2(t *testing.T) [2]uint64 {
	var st syscall.Stat_t
	if err := syscall.Fstat(2, &st); err != nil {
		t.Fatalf("standard error is gone: %v", err)
	}
	return [2]uint64{uint64(st.Dev), st.Ino}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		text, code, message string
		pos                 int
	}{
		{"SELECT 1 FROM", "42601", "syntax error at end of input", 13},
		{"SELECT é FROM WHERE", "42601", `syntax error at or near "WHERE"`, 15},
		{"SELECT 'a", "42601", "unterminated quoted string", 7},
		{`SELECT U&'\d800'`, "42601", "invalid Unicode surrogate pair", -1},
		{"SELECT 1x", "42601", "trailing junk after numeric literal", 7},
	} {
		_, err := parse(c.text)
		if err == nil || err.Code != c.code || err.Message != c.message || c.pos >= 0 && err.Pos != c.pos {
			t.Errorf("%s: got %#v, want %s %s at %d", c.text, err, c.code, c.message, c.pos)
		}
	}
}

func TestCheckStack(t *testing.T) {
	for limit, want := range map[uint64]bool{128 << 10: false, 2<<20 - 1: false, 2 << 20: true, 8 << 20: true, 1<<64 - 1: true} {
		if err := stackSuffices(limit); (err == nil) != want {
			t.Errorf("%d: %v", limit, err)
		}
	}
	if err := CheckStack(); err != nil {
		t.Error(err)
	}
}
