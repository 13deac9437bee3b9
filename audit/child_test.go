package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is what this test binary does when it runs as the process that dies.
func child(role, dir string) int {
	o := Options{Dir: dir, SigningKey: testKey(), Durability: Durability(os.Getenv("WEIR_AUDIT_DURABILITY")),
		SegmentBytes: 20 << 10, CheckpointInterval: 3 * time.Millisecond, Compress: true}
	switch role {
	case "append":
		return childAppend(o)
	case "limit":
		return childLimit(o)
	}
	return 2
}

// childAppend appends until it is killed, and prints what was acknowledged.
func childAppend(o Options) int {
	j, err := Open(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	session := fmt.Sprint("p", os.Getpid())
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := numbered(i)
				e.SessionID, e.Message = session, strings.Repeat("m", 50*w)
				e.Statement = uint64(w*1_000_000 + i + 1)
				if err := j.Append(context.Background(), e); err != nil {
					return
				}
				mu.Lock()
				fmt.Printf("%s/%d\n", session, e.Statement)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return 1
}

// TestKilled: after kill -9 at any moment everything that was acknowledged is
// there, the chain holds, and the journal goes on.
func TestKilled(t *testing.T) {
	for _, d := range []Durability{DurabilityWrite, DurabilityFsync} {
		t.Run(string(d), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			var acked []string
			for round := range 8 {
				acked = append(acked, killAfter(t, dir, d, 20+40*round)...)
				if round%3 == 0 {
					wantGood(t, dir) // as the crash left it
				}
			}
			closeTest(t, openTest(t, Options{Dir: dir}))
			if r := wantGood(t, dir); r.Unsigned != 0 || r.TornBytes != 0 {
				t.Errorf("%+v", r)
			}
			have := map[string]int{}
			for _, r := range find(t, dir, Query{Kinds: []Kind{KindStatementIntent}}) {
				have[fmt.Sprintf("%s/%d", r.Event.SessionID, r.Event.Statement)]++
			}
			for _, a := range acked {
				if have[a] != 1 {
					t.Errorf("%s was acknowledged and is there %d times", a, have[a])
				}
			}
		})
	}
}

// killAfter runs a child, kills it after n acknowledgements and returns all of them.
func killAfter(t *testing.T, dir string, d Durability, n int) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "WEIR_AUDIT_CHILD=append", "WEIR_AUDIT_DIR="+dir, "WEIR_AUDIT_DURABILITY="+string(d))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // also a line that was cut by the kill
		}
		acked = append(acked, strings.TrimSpace(line))
		if len(acked) == n {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	if len(acked) < n {
		t.Fatalf("the child ended after %d acknowledgements", len(acked))
	}
	return acked
}

// childLimit runs into a real limit of the operating system on the size of a
// file, which cuts a write short, and goes on once the limit is lifted.
func childLimit(o Options) int {
	signal.Ignore(syscall.SIGXFSZ)
	fail := func(format string, args ...any) int {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
		return 1
	}
	o.SegmentBytes, o.Compress, o.CheckpointInterval = 1<<20, false, time.Hour
	j, err := Open(context.Background(), o)
	if err != nil {
		return fail("open: %v", err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return fail("getrlimit: %v", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 30_001, Max: was.Max}); err != nil {
		return fail("setrlimit: %v", err)
	}
	acked := 0
	for ; err == nil; acked++ {
		err = j.Append(context.Background(), numbered(acked))
	}
	acked--
	var u *Unavailable
	if !errors.As(err, &u) || !errors.Is(err, syscall.EFBIG) || j.Healthy() == nil {
		return fail("at the limit: %v", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return fail("setrlimit: %v", err)
	}
	for range 3 {
		if err := j.Append(context.Background(), numbered(acked)); err != nil {
			return fail("after the limit: %v", err)
		}
		acked++
	}
	if err := j.Healthy(); err != nil {
		return fail("not healthy: %v", err)
	}
	if err := j.Close(); err != nil {
		return fail("close: %v", err)
	}
	fmt.Print(acked)
	return 0
}

func TestFileSizeLimit(t *testing.T) {
	for _, d := range []Durability{DurabilityWrite, DurabilityFsync} {
		dir := filepath.Join(t.TempDir(), "audit")
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "WEIR_AUDIT_CHILD=limit", "WEIR_AUDIT_DIR="+dir, "WEIR_AUDIT_DURABILITY="+string(d))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		wantGood(t, dir)
		if got := fmt.Sprint(len(find(t, dir, Query{User: "ana"}))); got != string(out) {
			t.Errorf("%s: %s acknowledged, %s recorded", d, out, got)
		}
	}
}
