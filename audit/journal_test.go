package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func TestAppendAndReopen(t *testing.T) {
	for _, d := range []Durability{DurabilityWrite, DurabilityFsync} {
		t.Run(string(d), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			for range 3 {
				j := openTest(t, Options{Dir: dir, Durability: d})
				if err := j.Healthy(); err != nil {
					t.Fatal(err)
				}
				appendN(t, j, 10)
				closeTest(t, j)
			}
			r := wantGood(t, dir)
			// segment, then three times start, checkpoint, ten records, stop, checkpoint
			if r.Records != 1+3*14 || r.Unsigned != 0 || r.First != 1 || r.Last != r.Records || r.Checkpoints != 6 {
				t.Errorf("%+v", r)
			}
			if got := len(find(t, dir, Query{Kinds: []Kind{KindStatementIntent}})); got != 30 {
				t.Errorf("%d records", got)
			}
		})
	}
}

func TestConcurrentAppends(t *testing.T) {
	for _, d := range []Durability{DurabilityWrite, DurabilityFsync} {
		t.Run(string(d), func(t *testing.T) {
			dir := t.TempDir()
			os.Chmod(dir, 0o700)
			j := openTest(t, Options{Dir: dir, Durability: d, SegmentBytes: 64 << 10,
				SyncInterval: time.Millisecond, CheckpointInterval: 2 * time.Millisecond})
			var wg sync.WaitGroup
			const workers, each = 16, 50
			for w := range workers {
				wg.Go(func() {
					for i := range each {
						e := numbered(i)
						e.SessionID = fmt.Sprint("s", w)
						if err := j.Append(context.Background(), e); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			closeTest(t, j)
			r := wantGood(t, dir)
			if r.Segments < 5 || r.Unsigned != 0 {
				t.Errorf("%+v", r)
			}
			next := map[string]uint64{}
			for _, rec := range find(t, dir, Query{Kinds: []Kind{KindStatementIntent}}) {
				next[rec.Event.SessionID]++
				if rec.Event.Statement != next[rec.Event.SessionID] {
					t.Fatalf("session %s: statement %d comes as number %d", rec.Event.SessionID, rec.Event.Statement, next[rec.Event.SessionID])
				}
			}
			if len(next) != workers {
				t.Errorf("%d sessions", len(next))
			}
			for s, n := range next {
				if n != each {
					t.Errorf("session %s has %d records", s, n)
				}
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j, err := Open(context.Background(), Options{Dir: dir, SegmentBytes: 4096}) // makes its own key
	if err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 10)
	closeTest(t, j)
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %v", info.Mode())
	}
	entries, _ := os.ReadDir(dir)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
		if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	for _, want := range []string{keyName, pubName, checkpointName, lockName, segmentName(1), segmentName(2)} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s among %v", want, names)
		}
	}
	pub, err := ReadPublicKey(filepath.Join(dir, pubName))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(context.Background(), dir, pub, VerifyOptions{}); err != nil || !r.OK() {
		t.Errorf("%+v, %v", r, err)
	}
	// The key is read again, unless others could read it too.
	j, err = Open(context.Background(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	closeTest(t, j)
	os.Chmod(filepath.Join(dir, keyName), 0o640)
	if _, err := Open(context.Background(), Options{Dir: dir}); err == nil {
		t.Error("a key that others can read was taken")
	}
	os.Chmod(dir, 0o770)
	if _, err := Open(context.Background(), Options{Dir: dir, SigningKey: testKey()}); err == nil {
		t.Error("a directory that others can write to was taken")
	}
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir})
	var locked *LockedError
	if _, err := Open(context.Background(), Options{Dir: dir, SigningKey: testKey()}); !errors.As(err, &locked) {
		t.Fatalf("second open: %v", err)
	}
	closeTest(t, j)
	closeTest(t, openTest(t, Options{Dir: dir}))
}

func TestBadOptions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	for name, o := range map[string]Options{
		"no directory": {},
		"durability":   {Dir: dir, Durability: "maybe"},
		"segment size": {Dir: dir, SegmentBytes: 10},
		"text limit":   {Dir: dir, TextLimit: 1 << 20},
		"interval":     {Dir: dir, CheckpointInterval: -1},
		"key":          {Dir: dir, SigningKey: []byte("short")},
		"sink":         {Dir: dir, Sinks: []NamedSink{{}}},
	} {
		if _, err := Open(context.Background(), o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("bad options made a directory")
	}
}

func TestAppendRefuses(t *testing.T) {
	j := openTest(t, Options{Dir: filepath.Join(t.TempDir(), "audit")})
	if err := j.Append(context.Background(), &Event{Kind: KindJournal}); err == nil {
		t.Error("a caller wrote a record of the journal itself")
	}
	closeTest(t, j)
	if err := j.Append(context.Background(), numbered(0)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := j.Healthy(); !errors.Is(err, ErrClosed) {
		t.Errorf("healthy after close: %v", err)
	}
	closeTest(t, j) // again
}

// TestCloseRaces: each Append is either refused or recorded.
func TestCloseRaces(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "audit")
		j := openTest(t, Options{Dir: dir})
		var wg sync.WaitGroup
		var acked [8]int
		for w := range acked {
			wg.Go(func() {
				for i := 0; ; i++ {
					if err := j.Append(context.Background(), numbered(i)); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					acked[w]++
				}
			})
		}
		time.Sleep(2 * time.Millisecond)
		closeTest(t, j)
		wg.Wait()
		total := 0
		for _, n := range acked {
			total += n
		}
		if got := len(find(t, dir, Query{Kinds: []Kind{KindStatementIntent}})); got != total {
			t.Fatalf("%d acknowledged, %d recorded", total, got)
		}
	}
}

func TestSegmentAge(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir, SegmentAge: 20 * time.Millisecond})
	eventually(t, "a second segment", func() bool {
		appendN(t, j, 1)
		_, err := os.Stat(segmentPath(dir, 2))
		return err == nil
	})
	closeTest(t, j)
	wantGood(t, dir)
}

func TestCheckpointInterval(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir, CheckpointInterval: 5 * time.Millisecond})
	for range 3 {
		appendN(t, j, 1)
		eventually(t, "a checkpoint", func() bool { return wantGood(t, dir).Unsigned == 0 })
	}
	closeTest(t, j)
	if r := wantGood(t, dir); r.Checkpoints < 4 {
		t.Errorf("%+v", r)
	}
}

func TestCompression(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir, SegmentBytes: 4096, Compress: true})
	appendN(t, j, 40)
	eventually(t, "compressed segments", func() bool {
		_, err := os.Stat(segmentPath(dir, 2) + gzipSuffix)
		return err == nil
	})
	closeTest(t, j)
	if _, err := os.Stat(segmentPath(dir, 1)); err == nil {
		t.Error("the plain segment is still there")
	}
	wantGood(t, dir)
	if got := len(find(t, dir, Query{User: "ana"})); got != 40 {
		t.Errorf("%d records", got)
	}
	closeTest(t, openTest(t, Options{Dir: dir, SegmentBytes: 4096, Compress: true}))
	wantGood(t, dir)
}

func TestRetention(t *testing.T) {
	for name, o := range map[string]Options{
		"count":            {RetainSegments: 3},
		"age":              {RetainAge: time.Millisecond},
		"count compressed": {RetainSegments: 3, Compress: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			o.Dir, o.SegmentBytes = dir, 4096
			j := openTest(t, o)
			for range 3 {
				appendN(t, j, 20)
				time.Sleep(3 * time.Millisecond)
			}
			closeTest(t, j)
			r := wantGood(t, dir)
			if r.RemovedUntil == 0 || r.First <= 1 || r.RemovedUntil+1 != r.First {
				t.Errorf("%+v", r)
			}
			if o.RetainSegments > 0 && r.Segments > o.RetainSegments+1 {
				t.Errorf("%d segments are kept", r.Segments)
			}
			// What retention did not announce is missing.
			segs, _ := listSegments(dir)
			os.Remove(segs[0].path)
			want := FaultSegment
			if len(segs) == 1 {
				want = FaultTruncated
			}
			if r := verifyDir(t, dir); r.OK() || r.Faults[0].Kind != want {
				t.Errorf("a segment was removed by hand: %+v", r.Faults)
			}
		})
	}
}

func TestNothingIsRemovedByDefault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir, SegmentBytes: 4096})
	appendN(t, j, 60)
	closeTest(t, j)
	if r := wantGood(t, dir); r.First != 1 || r.Segments < 10 {
		t.Errorf("%+v", r)
	}
}

// TestNotesSurviveRotation: what the journal has to say is not lost when a full
// segment is ended first.
func TestNotesSurviveRotation(t *testing.T) {
	for n := 1; n < 12; n++ {
		dir := filepath.Join(t.TempDir(), "audit")
		j := openTest(t, Options{Dir: dir, SegmentBytes: 4096})
		appendN(t, j, n)
		closeTest(t, j)
		got := actions(t, dir)
		if len(got) < 2 || !slices.Equal(got[len(got)-2:], []string{actionStop, actionCheckpoint}) {
			t.Errorf("%d records: the journal ends in %v", n, got)
		}
	}
}

// TestIdle: the writer sleeps when there is nothing to do or nothing can be done.
func TestIdle(t *testing.T) {
	now := time.Now()
	for name, w := range map[string]*writer{
		"fresh segment, retention due": {header: true, retainNow: true, unsigned: 1, dirty: true},
		"sync in progress":             {job: &syncJob{}, unsigned: 1, dirty: true, opened: now},
		"down":                         {dirty: true, unsigned: 1, nextTry: now.Add(time.Minute)},
	} {
		w.j = &Journal{}
		if name == "down" {
			w.j.down.Store(&Unavailable{})
		}
		w.lastRetain = now
		w.opts = &Options{SegmentAge: time.Hour, RetainAge: time.Hour, SyncInterval: time.Second, CheckpointInterval: time.Second}
		if name == "fresh segment, retention due" {
			w.lastRetain = time.Time{}
		}
		if d := w.wait(); d < 30*time.Second {
			t.Errorf("%s: wakes up after %s", name, d)
		}
	}
}

// slowSink takes lines only when it is told to.
type slowSink struct {
	mu    sync.Mutex
	gate  chan struct{}
	lines bytes.Buffer
	fail  error
}

func (s *slowSink) Write(ctx context.Context, line []byte) error {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines.Write(line)
	return s.fail
}

func TestSinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	var out bytes.Buffer
	open := make(chan struct{})
	close(open)
	failing := &slowSink{gate: open, fail: errors.New("no")}
	stuck := &slowSink{gate: make(chan struct{})}
	j := openTest(t, Options{Dir: dir, Metrics: m, Sinks: []NamedSink{
		{"stdout", NewWriterSink(&out)}, {"failing", failing}, {"stuck", stuck}}})
	big := numbered(0)
	big.Text = string(bytes.Repeat([]byte("x"), 32<<10))
	start := time.Now()
	const n = 700 // about 22 MiB, more than a queue holds
	for range n {
		if err := j.Append(context.Background(), big); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("a stuck sink held appends up: %s", d)
	}
	closeTest(t, j)
	file, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	// A sink that keeps up gets every line as it is in the segment, or its
	// drops are counted.
	if drops := value(t, m.dropped.WithLabelValues("stdout")); drops == 0 && !bytes.Equal(out.Bytes(), file) {
		t.Errorf("stdout has %d bytes, the segment %d", out.Len(), len(file))
	}
	if value(t, m.sinkErrors.WithLabelValues("failing")) == 0 {
		t.Error("failures were not counted")
	}
	if got := value(t, m.dropped.WithLabelValues("stuck")); got < 100 {
		t.Errorf("%v drops were counted", got)
	}
	if got := value(t, m.events.WithLabelValues(string(KindStatementIntent))); got != n {
		t.Errorf("%v events were counted", got)
	}
	if value(t, m.checkpoint) == 0 || value(t, m.healthy) != 1 {
		t.Error("no checkpoint time, or not healthy")
	}
	if families, err := reg.Gather(); err != nil || len(families) != 8 {
		t.Errorf("%d metrics are registered, %v", len(families), err)
	}
}

// value reads a counter or gauge.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

func BenchmarkAppend(b *testing.B) {
	for _, d := range []Durability{DurabilityWrite, DurabilityFsync} {
		for _, parallel := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", d, parallel), func(b *testing.B) {
				j := openTest(b, Options{Dir: filepath.Join(b.TempDir(), "audit"), Durability: d})
				e := statementExample(KindStatementIntent)
				b.ReportAllocs()
				b.SetParallelism(parallel)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := j.Append(context.Background(), &e); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// TestPost: a record that nobody waits for comes before those that come later,
// and after a moment also without them.
func TestPost(t *testing.T) {
	for _, d := range []Durability{DurabilityWrite, DurabilityFsync} {
		t.Run(string(d), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			j := openTest(t, Options{Dir: dir, Durability: d})
			lost := func(err error) { t.Errorf("lost: %v", err) }
			for i := range 100 {
				if err := j.Post(context.Background(), numbered(2*i), lost); err != nil {
					t.Fatal(err)
				}
				if err := j.Append(context.Background(), numbered(2*i+1)); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Post(context.Background(), numbered(200), lost); err != nil {
				t.Fatal(err)
			}
			eventually(t, "written by itself", func() bool { return len(find(t, dir, Query{Kinds: []Kind{KindStatementIntent}})) == 201 })
			closeTest(t, j)
			wantGood(t, dir)
			for i, r := range find(t, dir, Query{Kinds: []Kind{KindStatementIntent}}) {
				if want := numbered(i).Text; !bytes.Contains(r.Raw, []byte(want+`"`)) {
					t.Fatalf("record %d is %s, want %q", i, r.Raw, want)
				}
			}
			if err := j.Post(context.Background(), numbered(0), lost); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// TestPostLost: whoever posted a record is told that it was not written.
func TestPostLost(t *testing.T) {
	d := &disk{room: -1}
	j := openTest(t, d.options(filepath.Join(t.TempDir(), "audit"), DurabilityWrite))
	d.set(func(d *disk) { d.room = 0 })
	lost := make(chan error, 1)
	if err := j.Post(context.Background(), numbered(0), func(err error) { lost <- err }); err != nil {
		t.Fatal(err)
	}
	var u *Unavailable
	if err := <-lost; !errors.As(err, &u) {
		t.Errorf("lost for %v", err)
	}
	d.set(func(d *disk) { d.room = -1 })
	eventually(t, "works again", func() bool { return j.Healthy() == nil })
	closeTest(t, j)
}
