package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goodJournal makes a closed journal of several segments in dir.
func goodJournal(t testing.TB, dir string) {
	t.Helper()
	j := openTest(t, Options{Dir: dir, SegmentBytes: 6000})
	appendN(t, j, 20)
	closeTest(t, j)
	if r := wantGood(t, dir); r.Segments < 4 {
		t.Fatalf("%d segments are too few for the tests", r.Segments)
	}
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
}

func writeLines(t testing.TB, path string, lines []string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// withLines rewrites a segment.
func withLines(num int, change func([]string) []string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		lines := readLines(t, segmentPath(dir, num))
		lines[len(lines)-1] += "\n"
		writeLines(t, segmentPath(dir, num), change(lines))
	}
}

// rehash makes the chain whole again from record n on, as anybody can who has
// no key.
func rehash(t testing.TB, dir string, n uint64) {
	segs, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	var last link
	for _, s := range segs {
		var out []byte
		for _, line := range readLines(t, s.path) {
			b := []byte(strings.TrimSuffix(line, "\n"))
			l, err := parseLink(b)
			if err != nil {
				t.Fatal(err)
			}
			if last.seq+1 >= n {
				body := b[:bytes.LastIndex(b, []byte(linkHead))]
				start := len(out)
				out = append(out, body...)
				out, l.hash = appendLink(out, start, last.seq+1, &last.hash)
				l.seq = last.seq + 1
			} else {
				out = append(append(out, b...), '\n')
			}
			last = l
		}
		if err := os.WriteFile(s.path, out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func rename(t testing.TB, from, to string) {
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func edit(line string) string { return strings.Replace(line, "SELECT", "SELEKT", 1) }

func fixHash(line string) string {
	b := []byte(line)
	l, _ := parseLink(b[:len(b)-1])
	out, _ := appendLink(bytes.Clone(b[:bytes.LastIndex(b, []byte(linkHead))]), 0, l.seq, &l.prev)
	return string(out)
}

// sequenceAt returns the sequence of a line of the untouched journal.
func sequenceAt(t testing.TB, dir string, segment, line int) uint64 {
	lines := readLines(t, segmentPath(dir, segment))
	if line < 0 {
		line += len(lines) + 1
	}
	l, err := parseLink([]byte(strings.TrimSuffix(lines[line-1], "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return l.seq
}

func TestTampering(t *testing.T) {
	otherKey := ed25519.NewKeyFromSeed(bytes.Repeat([]byte("o"), ed25519.SeedSize))
	drop := func(i int) func([]string) []string {
		return func(l []string) []string {
			if i < 0 {
				i += len(l)
			}
			return slices.Delete(l, i, i+1)
		}
	}
	for name, c := range map[string]struct {
		tamper  func(testing.TB, string)
		kind    FaultKind
		segment int
		line    int // of the first fault; -1: any
		record  int // line of segment in the untouched journal whose sequence is named; 0: any
	}{
		"edited record": {withLines(2, func(l []string) []string { l[2] = edit(l[2]); return l }), FaultEdited, 2, 3, 3},
		"edited time of a segment's first record": {withLines(2, func(l []string) []string {
			l[0] = strings.Replace(l[0], `"time":1`, `"time":2`, 1)
			return l
		}), FaultEdited, 2, 1, 1},
		"edited with its own hash": {withLines(2, func(l []string) []string { l[2] = fixHash(edit(l[2])); return l }), FaultChain, 2, 4, 4},
		"edited hash":              {withLines(2, func(l []string) []string { l[2] = strings.Replace(l[2], `"hash":"`, `"hash":"0`, 1); return l }), FaultMalformed, 2, 3, 3},
		"removed record":           {withLines(2, drop(2)), FaultMissing, 2, 3, 4},
		"removed first of segment": {withLines(2, drop(0)), FaultMissing, 2, 1, 2},
		"removed last of segment":  {withLines(2, drop(-1)), FaultMissing, 3, 1, 1},
		"repeated record":          {withLines(2, func(l []string) []string { return slices.Insert(l, 3, l[2]) }), FaultOrder, 2, 4, 3},
		"old record inserted":      {withLines(3, func(l []string) []string { return slices.Insert(l, 3, l[0]) }), FaultOrder, 3, 4, 1},
		"forged record inserted": {withLines(2, func(l []string) []string {
			return slices.Insert(l, 3, fixHash(edit(l[3])))
		}), FaultOrder, 2, 5, 4},
		"reordered records":  {withLines(2, func(l []string) []string { l[2], l[3] = l[3], l[2]; return l }), FaultMissing, 2, 3, 4},
		"line of garbage":    {withLines(2, func(l []string) []string { l[2] = "garbage\n"; return l }), FaultMalformed, 2, 3, 3},
		"empty line":         {withLines(2, func(l []string) []string { return slices.Insert(l, 2, "\n") }), FaultMalformed, 2, 3, 3},
		"lines run together": {withLines(2, func(l []string) []string { l[2] = strings.TrimSuffix(l[2], "\n"); return l }), FaultEdited, 2, 3, 4},
		"segment cut in the middle": {func(t testing.TB, dir string) {
			info, _ := os.Stat(segmentPath(dir, 2))
			os.Truncate(segmentPath(dir, 2), info.Size()/2)
		}, FaultTruncated, 2, -1, 0},
		"last record removed": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			withLines(len(segs), drop(-1))(t, dir)
		}, FaultTruncated, 0, -1, 0},
		"last record cut": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			s := segs[len(segs)-1]
			os.Truncate(s.path, s.size-5)
		}, FaultTruncated, 0, -1, 0},
		"last newline cut": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			s := segs[len(segs)-1]
			os.Truncate(s.path, s.size-1)
		}, FaultTruncated, 0, -1, 0},
		"last segment removed": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			os.Remove(segs[len(segs)-1].path)
		}, FaultTruncated, 0, -1, 0},
		"last segment emptied": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			os.Truncate(segs[len(segs)-1].path, 0)
		}, FaultTruncated, 0, -1, 0},
		"all segments removed": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			for _, s := range segs {
				os.Remove(s.path)
			}
		}, FaultTruncated, 0, -1, 0},
		"first segment removed":  {func(t testing.TB, dir string) { os.Remove(segmentPath(dir, 1)) }, FaultSegment, 2, 0, 0},
		"middle segment removed": {func(t testing.TB, dir string) { os.Remove(segmentPath(dir, 2)) }, FaultSegment, 3, 0, 0},
		"segments swapped": {func(t testing.TB, dir string) {
			rename(t, segmentPath(dir, 2), segmentPath(dir, 999))
			rename(t, segmentPath(dir, 3), segmentPath(dir, 2))
			rename(t, segmentPath(dir, 999), segmentPath(dir, 3))
		}, FaultMissing, 2, 1, 0},
		"segments renumbered after a removal": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			for _, s := range segs[2:] {
				rename(t, s.path, segmentPath(dir, s.num-1))
			}
		}, FaultMissing, 2, 1, 0},
		// The chain is whole again in these; only the signatures tell.
		"edited and hashed anew": {func(t testing.TB, dir string) {
			withLines(2, func(l []string) []string { l[2] = edit(l[2]); return l })(t, dir)
			rehash(t, dir, sequenceAt(t, dir, 2, 3))
		}, FaultCheckpoint, 2, -1, -1},
		"removed and hashed anew": {func(t testing.TB, dir string) {
			n := sequenceAt(t, dir, 2, 3)
			withLines(2, drop(2))(t, dir)
			rehash(t, dir, n)
		}, FaultCheckpoint, 2, -1, 0},
		"inserted and hashed anew": {func(t testing.TB, dir string) {
			withLines(2, func(l []string) []string { return slices.Insert(l, 3, l[2]) })(t, dir)
			rehash(t, dir, sequenceAt(t, dir, 2, 3)+1)
		}, FaultCheckpoint, 2, -1, 0},
		"very last record edited and hashed anew": {func(t testing.TB, dir string) {
			segs, _ := listSegments(dir)
			withLines(len(segs), func(l []string) []string {
				l[len(l)-1] = strings.Replace(l[len(l)-1], `"severity_id":1`, `"severity_id":2`, 1)
				return l
			})(t, dir)
			rehash(t, dir, sequenceAt(t, dir, len(segs), -1))
		}, FaultCheckpoint, -1, -1, 0},
		"hashed anew, checkpoints removed": {func(t testing.TB, dir string) {
			os.Remove(filepath.Join(dir, checkpointName))
			withLines(1, func(l []string) []string {
				l = slices.DeleteFunc(l, func(s string) bool { return strings.Contains(s, `"action":"checkpoint"`) })
				return l
			})(t, dir)
			for n := 2; n <= 4; n++ {
				withLines(n, func(l []string) []string {
					return slices.DeleteFunc(l, func(s string) bool { return strings.Contains(s, `"action":"checkpoint"`) })
				})(t, dir)
			}
			rehash(t, dir, 1)
		}, FaultCheckpoint, -1, -1, 0},
		"checkpoint file removed": {func(t testing.TB, dir string) { os.Remove(filepath.Join(dir, checkpointName)) }, FaultCheckpoint, 0, 0, 0},
		"checkpoint file emptied": {func(t testing.TB, dir string) { os.Truncate(filepath.Join(dir, checkpointName), 0) }, FaultCheckpoint, 0, 0, 0},
		"checkpoint edited": {func(t testing.TB, dir string) {
			path := filepath.Join(dir, checkpointName)
			l := readLines(t, path)
			l[1] = strings.Replace(l[1], `"sequence":`, `"sequence":1`, 1)
			writeLines(t, path, l)
		}, FaultSignature, 0, 0, 0},
		"checkpoint signed by another key": {func(t testing.TB, dir string) {
			path := filepath.Join(dir, checkpointName)
			l := readLines(t, path)
			s, err := parseStatement([]byte(strings.TrimSuffix(l[1], "\n")))
			if err != nil {
				t.Fatal(err)
			}
			s.sign(otherKey)
			b, _ := json.Marshal(&s)
			l[1] = string(b) + "\n"
			writeLines(t, path, l)
		}, FaultSignature, 0, 0, 0},
		"checkpoints reordered": {func(t testing.TB, dir string) {
			path := filepath.Join(dir, checkpointName)
			l := readLines(t, path)
			l[1], l[2] = l[2], l[1]
			writeLines(t, path, l)
		}, FaultSignature, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			goodJournal(t, dir)
			want := uint64(0)
			if c.record > 0 {
				want = sequenceAt(t, dir, c.segment, c.record)
			}
			c.tamper(t, dir)
			r := verifyDir(t, dir)
			if r.OK() {
				t.Fatal("not found")
			}
			f := r.Faults[0]
			if f.Kind != c.kind || c.segment > 0 && f.Segment != c.segment || c.line >= 0 && c.segment > 0 && f.Line != c.line ||
				want != 0 && f.Sequence != want {
				t.Errorf("first fault %+v\nwant %s in segment %d, line %d, record %d", f, c.kind, c.segment, c.line, want)
			}
			// The one who tampered cannot hide it by letting weir run on.
			j := openTest(t, Options{Dir: dir, SegmentBytes: 6000})
			appendN(t, j, 2)
			closeTest(t, j)
			if r := verifyDir(t, dir); r.OK() {
				t.Error("not found after weir ran again")
			}
		})
	}
}

// TestTamperedTailIsRecorded: what Open finds wrong becomes a record, is
// reported, and the journal goes on in a new segment.
func TestTamperedTailIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		tamper  func([]string) []string
		problem string
	}{
		"edited": {func(l []string) []string {
			l[1] = strings.Replace(l[1], `"severity_id":1`, `"severity_id":2`, 1)
			return l
		}, "damaged"},
		"truncated": {func(l []string) []string { return l[:len(l)-1] }, "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			goodJournal(t, dir)
			segs, _ := listSegments(dir)
			withLines(len(segs), c.tamper)(t, dir)
			var states []error
			j := openTest(t, Options{Dir: dir, OnState: func(err error) { states = append(states, err) }})
			closeTest(t, j)
			if len(states) != 1 || !strings.Contains(states[0].Error(), c.problem) {
				t.Errorf("reported: %v", states)
			}
			r := verifyDir(t, dir)
			if len(r.Recovered) != 1 || !strings.Contains(r.Recovered[0], c.problem) {
				t.Errorf("recorded: %q", r.Recovered)
			}
			if r.Segments != len(segs)+1 || len(r.Faults) != 2 || r.Faults[1].Kind != FaultRecorded {
				t.Errorf("%d segments, faults %+v", r.Segments, r.Faults)
			}
		})
	}
}

// TestWhatVerifyCannotSee: a journal cut back together with its checkpoints is
// good in itself; a copy of the checkpoints from elsewhere shows the cut.
func TestWhatVerifyCannotSee(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	goodJournal(t, dir)
	path := filepath.Join(dir, checkpointName)
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := readLines(t, path)
	s, err := parseStatement([]byte(strings.TrimSuffix(lines[1], "\n")))
	if err != nil {
		t.Fatal(err)
	}
	writeLines(t, path, lines[:2])
	segs, _ := listSegments(dir)
	for _, seg := range segs {
		if seg.num > s.Segment {
			os.Remove(seg.path)
		}
	}
	wantGood(t, dir)
	r, err := Verify(context.Background(), dir, testPub(), VerifyOptions{Anchors: []io.Reader{bytes.NewReader(copied)}})
	if err != nil || r.OK() || r.Faults[0].Kind != FaultTruncated {
		t.Errorf("with an anchor: %+v, %v", r.Faults, err)
	}
}

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	goodJournal(t, dir)
	newKey := ed25519.NewKeyFromSeed(bytes.Repeat([]byte("n"), ed25519.SeedSize))
	newPub := newKey.Public().(ed25519.PublicKey)
	ctx := context.Background()
	if r, err := Verify(ctx, dir, newPub, VerifyOptions{}); err != nil || r.OK() || r.Faults[0].Kind != FaultSignature {
		t.Errorf("another key: %+v, %v", r.Faults, err)
	}
	if r, err := Verify(ctx, dir, nil, VerifyOptions{}); err != nil || !r.OK() || r.Signed || r.SignedUntil != 0 {
		t.Errorf("no key: %+v, %v", r, err)
	}
	j := openTest(t, Options{Dir: dir, SigningKey: newKey})
	appendN(t, j, 3)
	closeTest(t, j)
	r, err := Verify(ctx, dir, newPub, VerifyOptions{OldKeys: []ed25519.PublicKey{testPub()}})
	if err != nil || !r.OK() || r.Unsigned != 0 {
		t.Errorf("after a change of keys: %+v, %v", r, err)
	}
	if len(r.Recovered) != 1 || !strings.Contains(r.Recovered[0], "checkpoint_untrusted") {
		t.Errorf("the change was not recorded: %q", r.Recovered)
	}
}

func TestDamagedGzip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir, SegmentBytes: 6000, Compress: true})
	appendN(t, j, 20)
	path := segmentPath(dir, 2) + gzipSuffix
	eventually(t, "a compressed segment", func() bool { _, err := os.Stat(path); return err == nil })
	closeTest(t, j)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verifyDir(t, dir); r.OK() || r.Faults[0].Segment != 2 {
		t.Errorf("faults %+v", r.Faults)
	}
}

func TestVerifyCannotRead(t *testing.T) {
	for name, dir := range map[string]string{"no directory": filepath.Join(t.TempDir(), "none"), "empty directory": t.TempDir()} {
		if _, err := Verify(context.Background(), dir, testPub(), VerifyOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir})
	appendN(t, j, progressLines)
	closeTest(t, j)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, dir, testPub(), VerifyOptions{}); err == nil {
		t.Error("no error after the context ended")
	}
	calls := 0
	if _, err := Verify(context.Background(), dir, testPub(), VerifyOptions{Progress: func(Progress) { calls++ }}); err != nil || calls != 2 {
		t.Errorf("%d calls of progress, %v", calls, err)
	}
}

// TestVerifyBesideWriter: a journal in use is good at any moment.
func TestVerifyBesideWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir, SegmentBytes: 32 << 10, CheckpointInterval: 1, Compress: true, RetainSegments: 6})
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if err := j.Append(context.Background(), numbered(i)); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	for range 30 {
		r, err := Verify(context.Background(), dir, testPub(), VerifyOptions{})
		if err != nil && !os.IsNotExist(unwrapAll(err)) {
			t.Error(err)
		}
		if err == nil && !r.OK() {
			t.Fatalf("faults %+v", r.Faults)
		}
	}
	close(stop)
	<-done
	closeTest(t, j)
	wantGood(t, dir)
}

// unwrapAll returns the innermost error.
func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}

// FuzzTamper: no single change to a closed journal goes unseen.
func FuzzTamper(f *testing.F) {
	src := filepath.Join(f.TempDir(), "audit")
	j := openTest(f, Options{Dir: src})
	appendN(f, j, 3)
	closeTest(f, j)
	seg, err := os.ReadFile(segmentPath(src, 1))
	if err != nil {
		f.Fatal(err)
	}
	cps, err := os.ReadFile(filepath.Join(src, checkpointName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, 100, byte('x'), 1)
	f.Add(1, 500, byte('\n'), 1)
	f.Add(2, len(seg)-3, byte(0), 7)
	f.Add(0, len(seg)-1, byte(' '), 1)
	f.Fuzz(func(t *testing.T, op, at int, c byte, n int) {
		if at < 0 || at >= len(seg) || n < 1 || n > len(seg) {
			return // outside the file
		}
		var bad []byte
		switch end := min(at+n, len(seg)); op {
		case 0: // change a byte
			bad = bytes.Clone(seg)
			bad[at] = c
		case 1: // insert
			bad = slices.Concat(seg[:at], bytes.Repeat([]byte{c}, n), seg[at:])
		case 2: // remove
			bad = slices.Concat(seg[:at], seg[end:])
		case 3: // repeat
			bad = slices.Concat(seg[:end], seg[at:])
		default:
			return // no such change
		}
		if bytes.Equal(bad, seg) {
			return // nothing changed
		}
		dir := t.TempDir()
		os.WriteFile(segmentPath(dir, 1), bad, 0o600)
		os.WriteFile(filepath.Join(dir, checkpointName), cps, 0o600)
		r, err := Verify(context.Background(), dir, testPub(), VerifyOptions{})
		if err == nil && r.OK() && !bytes.HasPrefix(bad, seg) {
			t.Fatalf("change %d at %d of %d bytes was not found", op, at, len(seg))
		}
	})
}

// FuzzVerify: no file makes the readers panic or read without end.
func FuzzVerify(f *testing.F) {
	line, _ := appendLink([]byte(journalPrefix+`,"time":5,"unmapped":{"action":"checkpoint","journal":{"type":"checkpoint"}`), 0, 1, &digest{})
	f.Add(line, []byte(`{"type":"checkpoint","sequence":1,"hash":"`+strings.Repeat("0", 64)+`"}`+"\n"))
	f.Add([]byte("garbage\n\n"), []byte("{}\n"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, segment, checkpoints []byte) {
		dir := t.TempDir()
		os.WriteFile(segmentPath(dir, 1), segment, 0o600)
		os.WriteFile(filepath.Join(dir, checkpointName), checkpoints, 0o600)
		r, err := Verify(context.Background(), dir, testPub(), VerifyOptions{MaxFaults: 5})
		if err == nil && r.OK() && r.Records > 0 {
			t.Fatalf("good without a signature: %+v", r)
		}
		Verify(context.Background(), dir, nil, VerifyOptions{})
		Search(context.Background(), dir, Query{User: "ana", Text: "x", Newest: true}, func(Record) error { return nil })
		readTail(context.Background(), segmentFile(segmentPath(dir, 1), int64(len(segment))), nil)
	})
}

func segmentFile(path string, size int64) segment { return segment{num: 1, path: path, size: size} }
