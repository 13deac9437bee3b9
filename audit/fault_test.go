package audit

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var errDisk = errors.New("input/output error")

// disk is a file system that fails on demand.
type disk struct {
	mu       sync.Mutex // guards the fields below
	room     int64      // bytes that can still be written; -1: no limit
	sync     error
	truncate error
	open     error
	stall    chan struct{} // Sync waits for it
	only     string        // part of the names that fail; "": all
}

func (d *disk) options(dir string, durability Durability) Options {
	return Options{Dir: dir, Durability: durability, CheckpointInterval: time.Hour, SyncInterval: 5 * time.Millisecond,
		OpenFile: func(name string, flag int, perm os.FileMode) (File, error) {
			d.mu.Lock()
			err := d.open
			d.mu.Unlock()
			if err != nil {
				return nil, err
			}
			f, err := os.OpenFile(name, flag, perm)
			if err != nil {
				return nil, err
			}
			return &diskFile{f, d}, nil
		}}
}

func (d *disk) set(change func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *disk) repair() {
	d.set(func(d *disk) { d.room, d.sync, d.truncate, d.open, d.only = -1, nil, nil, nil, "" })
}

type diskFile struct {
	*os.File
	disk *disk
}

func (f *diskFile) hit() bool { return strings.Contains(f.Name(), f.disk.only) }

func (f *diskFile) Write(p []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	room := f.disk.room
	if room < 0 || !f.hit() || int64(len(p)) <= room {
		if room >= 0 && f.hit() {
			f.disk.room -= int64(len(p))
		}
		return f.File.Write(p)
	}
	f.disk.room = 0
	n, _ := f.File.Write(p[:room])
	return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}

func (f *diskFile) Sync() error {
	f.disk.mu.Lock()
	err, stall := f.disk.sync, f.disk.stall
	hit := f.hit()
	f.disk.mu.Unlock()
	if stall != nil && hit {
		<-stall
	}
	if err != nil && hit {
		return err
	}
	return f.File.Sync()
}

func (f *diskFile) Truncate(n int64) error {
	f.disk.mu.Lock()
	err := f.disk.truncate
	f.disk.mu.Unlock()
	if err != nil {
		return err
	}
	return f.File.Truncate(n)
}

// TestDiskFaults: while the disk fails Append says so at once, and afterwards
// the journal goes on with a whole chain that holds what was acknowledged and
// nothing that was refused.
func TestDiskFaults(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*disk)
		only   Durability // "": both
		want   error
		action string // recorded afterwards
	}{
		"disk full":           {func(d *disk) { d.room = 0 }, "", syscall.ENOSPC, actionResumed},
		"half a record fits":  {func(d *disk) { d.room = 300 }, "", syscall.ENOSPC, actionResumed},
		"and cannot be cut":   {func(d *disk) { d.room, d.truncate = 300, errDisk }, "", syscall.ENOSPC, actionResumed},
		"nor opened again":    {func(d *disk) { d.room, d.truncate, d.open = 300, errDisk, errDisk }, "", syscall.ENOSPC, actionResumed},
		"fsync fails":         {func(d *disk) { d.sync = errDisk }, DurabilityFsync, errDisk, actionRecovery},
		"fsync and cut fail":  {func(d *disk) { d.sync, d.truncate = errDisk, errDisk }, DurabilityFsync, errDisk, actionRecovery},
		"fsync and open fail": {func(d *disk) { d.sync, d.open = errDisk, errDisk }, DurabilityFsync, errDisk, actionRecovery},
	} {
		for _, durability := range []Durability{DurabilityWrite, DurabilityFsync} {
			if c.only != "" && c.only != durability {
				continue
			}
			t.Run(name+"/"+string(durability), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "audit")
				d := &disk{room: -1}
				var states []error
				var mu sync.Mutex
				o := d.options(dir, durability)
				o.OnState = func(err error) {
					mu.Lock()
					defer mu.Unlock()
					states = append(states, err)
				}
				j := openTest(t, o)
				appendN(t, j, 5)
				d.set(c.breaks)
				for i := range 3 {
					start := time.Now()
					err := j.Append(context.Background(), &Event{Kind: KindStatementIntent, Text: "refused"})
					var u *Unavailable
					if !errors.As(err, &u) || i == 0 && !errors.Is(err, c.want) {
						t.Fatalf("append %d on a broken disk: %v", i, err)
					}
					if time.Since(start) > time.Second {
						t.Error("the refusal took", time.Since(start))
					}
					if j.Healthy() == nil {
						t.Error("healthy on a broken disk")
					}
				}
				d.repair()
				appendN(t, j, 5)
				if err := j.Healthy(); err != nil {
					t.Error(err)
				}
				closeTest(t, j)
				wantGood(t, dir)
				if got := find(t, dir, Query{Kinds: []Kind{KindStatementIntent}}); len(got) != 10 {
					t.Errorf("%d records", len(got))
				}
				if got := actions(t, dir); !slices.Contains(got, c.action) {
					t.Errorf("no %s among %v", c.action, got)
				}
				mu.Lock()
				defer mu.Unlock()
				if len(states) != 2 || states[0] == nil || states[1] != nil {
					t.Errorf("states %v", states)
				}
			})
		}
	}
}

// TestHealsByItself: a journal that nobody writes to finds out that it works again.
func TestHealsByItself(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	d := &disk{room: -1}
	j := openTest(t, d.options(dir, DurabilityWrite))
	d.set(func(d *disk) { d.room = 10 })
	if err := j.Append(context.Background(), numbered(0)); err == nil {
		t.Fatal("no error")
	}
	d.repair()
	eventually(t, "healthy", func() bool { return j.Healthy() == nil })
	closeTest(t, j)
	wantGood(t, dir)
}

// TestBackgroundSyncFails: records that were acknowledged may be lost, so the
// journal stops, begins a new segment and says so.
func TestBackgroundSyncFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	d := &disk{room: -1}
	j := openTest(t, d.options(dir, DurabilityWrite))
	d.set(func(d *disk) { d.sync, d.only = errDisk, segmentPrefix })
	appendN(t, j, 1)
	eventually(t, "the failure or its record", func() bool { return j.Healthy() != nil || len(actions(t, dir)) > 3 })
	d.repair()
	eventually(t, "healthy", func() bool { return j.Healthy() == nil })
	appendN(t, j, 1)
	closeTest(t, j)
	r := wantGood(t, dir)
	if r.Segments < 2 || len(r.Recovered) == 0 || !strings.Contains(r.Recovered[0], problemFsync) {
		t.Errorf("%+v", r)
	}
}

// TestSegmentRemovedInUse: a segment that somebody removes or cuts while weir
// writes to it is noticed, and is a fault.
func TestSegmentRemovedInUse(t *testing.T) {
	for name, harm := range map[string]func(string) error{
		"removed": os.Remove,
		"cut":     func(name string) error { return os.Truncate(name, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			j := openTest(t, Options{Dir: dir, SyncInterval: time.Millisecond})
			appendN(t, j, 5)
			if err := harm(segmentPath(dir, 1)); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a new segment", func() bool {
				j.Append(context.Background(), numbered(0)) // may be refused while the segment is given up
				_, err := os.Stat(segmentPath(dir, 2))
				return err == nil && j.Healthy() == nil
			})
			closeTest(t, j)
			if r := verifyDir(t, dir); r.OK() || !slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Kind == FaultRecorded }) {
				t.Errorf("%+v", r.Faults)
			}
		})
	}
}

// TestSlowDisk: Append gives up when its context or the timeout ends.
func TestSlowDisk(t *testing.T) {
	d := &disk{room: -1}
	o := d.options(filepath.Join(t.TempDir(), "audit"), DurabilityFsync)
	o.AppendTimeout = 50 * time.Millisecond
	j := openTest(t, o)
	stall := make(chan struct{})
	d.set(func(d *disk) { d.stall = stall })
	var u *Unavailable
	if err := j.Append(context.Background(), numbered(0)); !errors.As(err, &u) || u.Op != "wait" {
		t.Errorf("after the timeout: %v", err)
	}
	eventually(t, "unhealthy", func() bool { return errors.As(j.Healthy(), &u) })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := j.Append(ctx, numbered(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	d.set(func(d *disk) { d.stall = nil })
	close(stall)
	appendN(t, j, 1)
	if err := j.Healthy(); err != nil {
		t.Error(err)
	}
	closeTest(t, j)
}

// TestFullDiskAtCheckpoint: the statement that did not fit is made up for.
func TestFullDiskAtCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	d := &disk{room: -1}
	o := d.options(dir, DurabilityWrite)
	o.CheckpointInterval = time.Millisecond
	j := openTest(t, o)
	d.set(func(d *disk) { d.room, d.only = 100, checkpointName })
	eventually(t, "unhealthy", func() bool {
		j.Append(context.Background(), numbered(0))
		return j.Healthy() != nil
	})
	d.repair()
	eventually(t, "healthy", func() bool { return j.Healthy() == nil })
	appendN(t, j, 1)
	closeTest(t, j)
	wantGood(t, dir)
}

// TestFullDiskAtRotation: records are refused while no new segment can be begun, and not after.
func TestFullDiskAtRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	d := &disk{room: -1}
	o := d.options(dir, DurabilityWrite)
	o.SegmentBytes = 4096
	j := openTest(t, o)
	d.set(func(d *disk) { d.open = syscall.ENOSPC })
	var err error
	n := 0
	for ; err == nil; n++ {
		err = j.Append(context.Background(), numbered(n))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	d.repair()
	appendN(t, j, 5)
	closeTest(t, j)
	if r := wantGood(t, dir); r.Segments < 2 {
		t.Errorf("%+v", r)
	}
	if got := find(t, dir, Query{User: "ana"}); len(got) != n-1+5 {
		t.Errorf("%d records, want %d", len(got), n-1+5)
	}
}

// TestOpenOnBrokenDisk: Open fails, leaves nothing held, and works later.
func TestOpenOnBrokenDisk(t *testing.T) {
	for name, breaks := range map[string]func(*disk){
		"full":  func(d *disk) { d.room = 200 },
		"fsync": func(d *disk) { d.sync = errDisk },
		"open":  func(d *disk) { d.open = errDisk },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			d := &disk{room: -1}
			d.set(breaks)
			o := d.options(dir, DurabilityWrite)
			o.SigningKey = testKey()
			o.Sinks = []NamedSink{{"none", NewWriterSink(io.Discard)}}
			if _, err := Open(context.Background(), o); err == nil {
				t.Fatal("no error")
			}
			d.repair()
			j := openTest(t, o)
			appendN(t, j, 1)
			closeTest(t, j)
			wantGood(t, dir)
		})
	}
}

// TestTornTail: what a crash left of a last line is put aside, recorded, and
// the journal goes on.
func TestTornTail(t *testing.T) {
	for name, torn := range map[string]string{
		"half a record": `{"class_uid":6005,"class_na`,
		"zeros":         strings.Repeat("\x00", 5000),
		"large":         strings.Repeat("x", maxLine+5000),
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			j := openTest(t, Options{Dir: dir})
			appendN(t, j, 3)
			closeTest(t, j)
			f, err := os.OpenFile(segmentPath(dir, 1), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString(torn)
			f.Close()
			if r := wantGood(t, dir); r.TornBytes != int64(len(torn)) {
				t.Errorf("%d torn bytes are reported", r.TornBytes)
			}
			j = openTest(t, Options{Dir: dir})
			appendN(t, j, 3)
			closeTest(t, j)
			r := wantGood(t, dir)
			if len(r.Recovered) != 1 || !strings.Contains(r.Recovered[0], problemTorn) {
				t.Errorf("recorded: %q", r.Recovered)
			}
			kept, err := filepath.Glob(filepath.Join(dir, "torn-*.bin"))
			if err != nil || len(kept) != 1 {
				t.Fatalf("kept: %v, %v", kept, err)
			}
			if b, _ := os.ReadFile(kept[0]); string(b) != torn {
				t.Errorf("%d bytes are kept", len(b))
			}
		})
	}
}

// TestCrashAtRotation: a segment that was created and holds nothing, or part of
// its first line, is gone on with.
func TestCrashAtRotation(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "torn": `{"class_uid":6002,`} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			j := openTest(t, Options{Dir: dir})
			appendN(t, j, 3)
			closeTest(t, j)
			if err := os.WriteFile(segmentPath(dir, 2), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantGood(t, dir)
			j = openTest(t, Options{Dir: dir})
			appendN(t, j, 3)
			closeTest(t, j)
			if r := wantGood(t, dir); r.Segments != 2 || r.Unsigned != 0 {
				t.Errorf("%+v", r)
			}
			if got := find(t, dir, Query{User: "ana"}); len(got) != 6 {
				t.Errorf("%d records", len(got))
			}
		})
	}
}

// TestTornCheckpoints: so is half a statement.
func TestTornCheckpoints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	j := openTest(t, Options{Dir: dir})
	appendN(t, j, 3)
	closeTest(t, j)
	path := filepath.Join(dir, checkpointName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	wantGood(t, dir)
	closeTest(t, openTest(t, Options{Dir: dir}))
	if r := wantGood(t, dir); len(r.Recovered) != 1 || r.Unsigned != 0 {
		t.Errorf("%+v", r)
	}
}
