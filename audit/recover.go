package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// openWriter takes the directory, reads where the journal ended, repairs what
// a crash tore, and writes the start record and a checkpoint.
func openWriter(ctx context.Context, j *Journal) (*writer, error) {
	o := &j.opts
	if err := makeDir(o.Dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	w := &writer{j: j, opts: o, lock: lock, jobs: make(chan struct{}, 1)}
	if err := w.open(ctx); err != nil {
		w.release()
		return nil, err
	}
	return w, nil
}

func (w *writer) open(ctx context.Context) error {
	var err error
	if w.key, err = loadKey(w.opts); err != nil {
		return err
	}
	if err := w.resume(ctx); err != nil {
		return err
	}
	for _, n := range w.notes {
		w.opts.OnState(fmt.Errorf("audit journal: %s", n.detail.(recoveryDetail)))
	}
	for _, s := range w.opts.Sinks {
		w.sinks = append(w.sinks, startSink(s, w.opts.Metrics))
	}
	w.pack = startPacker(w.opts)
	if err := w.writeStart(); err != nil {
		for _, s := range w.sinks {
			s.stop(ctx)
		}
		w.pack.stop()
		return err
	}
	w.retain()
	w.pack.wake()
	return nil
}

func (w *writer) writeStart() error {
	w.notes = append(w.notes, note{action: actionStart, severity: 1,
		detail: startDetail{w.id, KeyID(w.key.Public().(ed25519.PublicKey)), w.opts.Durability}})
	if u := w.write(nil); u != nil {
		return u
	}
	if err := w.endSegment(); err != nil {
		return w.j.unavailable("checkpoint", err)
	}
	w.lastSync = time.Now()
	return nil
}

// startDetail is the detail of a start record.
type startDetail struct {
	Journal    string     `json:"journal"`
	Key        string     `json:"key"`
	Durability Durability `json:"durability"`
}

func (d recoveryDetail) String() string {
	return fmt.Sprintf("%s in segment %d: %s", d.Problem, d.Segment, d.Detail)
}

func (w *writer) problem(name string, segment int, format string, args ...any) {
	w.notes = append(w.notes, note{actionRecovery, 4,
		recoveryDetail{Problem: name, Segment: segment, Detail: fmt.Sprintf(format, args...)}})
}

// resume finds the end of the journal and opens its files for appending.
func (w *writer) resume(ctx context.Context) error {
	segs, err := listSegments(w.opts.Dir)
	if err != nil {
		return err
	}
	anchor, err := w.openStatements(len(segs) > 0)
	if err != nil {
		return err
	}
	t, err := findTail(ctx, segs, anchor)
	if err != nil {
		return err
	}
	w.id = t.id
	if w.id == "" && anchor != nil {
		w.id = anchor.Journal
	}
	if w.id == "" {
		var id [16]byte
		rand.Read(id[:])
		w.id = hex.EncodeToString(id[:])
	}
	if anchor == nil && t.last.seq > firstRecords && !slices.ContainsFunc(w.notes, note.explains) {
		w.problem(problemNoCheckpoints, 0, "%s holds no statement", checkpointName)
	}
	w.last = t.last
	fresh := len(segs) == 0 || t.closed
	num := t.num
	if t.damage != "" {
		w.problem(problemDamaged, t.num, "%s", t.damage)
		fresh = true
	}
	if anchor != nil && anchor.Sequence > t.last.seq {
		w.problem(problemTruncated, t.num, "a checkpoint names record %d, the journal ends at record %d",
			anchor.Sequence, t.last.seq)
		w.last.seq = anchor.Sequence
		w.last.hash, _ = anchor.digest()
		num, fresh = max(num, anchor.Segment), true
	}
	if fresh {
		return w.openFresh(num+1, t, anchor)
	}
	return w.openAgain(t, anchor)
}

// explains says that n tells already why there is no checkpoint to go by.
func (n note) explains() bool {
	d, ok := n.detail.(recoveryDetail)
	return ok && d.Problem != problemTornCheckpoints
}

// firstRecords are written before the first statement: segment, start and
// checkpoint. A journal that is no longer has none if its first start crashed.
const firstRecords = 3

// openFresh begins segment num.
func (w *writer) openFresh(num int, t tail, anchor *Statement) error {
	if t.path != "" {
		if err := syncFile(t.path); err != nil { // before it is signed
			return err
		}
	}
	if err := w.signTail(t, anchor); err != nil {
		return err
	}
	seg, err := openTail(w.opts, filepath.Join(w.opts.Dir, segmentName(num)), 0, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	if t.damage == "" && w.last == t.last {
		w.times = t.times
	}
	w.begin(seg, num)
	return syncDir(w.opts.Dir)
}

// openAgain goes on in the last segment, after its torn end was put aside.
func (w *writer) openAgain(t tail, anchor *Statement) error {
	if t.torn > 0 {
		if err := w.putAside(t); err != nil {
			return err
		}
	}
	seg, err := openTail(w.opts, t.path, t.good, 0)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	w.seg, w.num, w.opened = seg, t.num, t.opened
	w.header, w.previous, w.times = t.good == 0, t.previous, t.times
	if w.header {
		w.previous, w.times, w.opened = &t.times, span{}, time.Now()
		if t.times == (span{}) {
			w.previous = nil
		}
	}
	if t.torn > 0 {
		if err := seg.file.Truncate(t.good); err != nil {
			return fmt.Errorf("cut off the torn end of %s: %w", t.path, err)
		}
	}
	if err := seg.file.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", t.path, err)
	}
	return w.signTail(t, anchor)
}

// signTail signs what a crash left unsigned before anything is added to it, so
// that at most one checkpoint record is ever without its statement.
func (w *writer) signTail(t tail, anchor *Statement) error {
	if w.last.seq == 0 || anchor != nil && anchor.Sequence >= w.last.seq {
		return nil
	}
	s := newStatement(typeCheckpoint, w.id, t.lastNum, w.last, w.opts.Clock())
	s.sign(w.key)
	return w.payStatement(&s)
}

// putAside copies the torn end of a segment to a file of its own.
func (w *writer) putAside(t tail) error {
	src, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("keep torn record: %w", err)
	}
	defer src.Close()
	var dst *os.File
	name := ""
	for i := 0; dst == nil; i++ {
		name = fmt.Sprintf("torn-%08d-%d-%d.bin", t.num, t.good, i)
		dst, err = os.OpenFile(filepath.Join(w.opts.Dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("keep torn record: %w", err)
		}
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, sum), io.NewSectionReader(src, t.good, t.torn))
	if err == nil {
		err = dst.Sync()
	}
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = syncDir(w.opts.Dir)
	}
	if err != nil {
		return fmt.Errorf("keep torn record: %w", err)
	}
	w.notes = append(w.notes, note{actionRecovery, 2, recoveryDetail{Problem: problemTorn, Segment: t.num,
		Detail: "the last line was incomplete", Kept: name, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}})
	return nil
}

// openStatements opens checkpoints.jsonl and returns its last statement if
// that is ours. started says that the journal has segments.
func (w *writer) openStatements(started bool) (*Statement, error) {
	path := filepath.Join(w.opts.Dir, checkpointName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if started {
			w.problem(problemNoCheckpoints, 0, "%s does not exist", checkpointName)
		}
		w.stateFile, err = openTail(w.opts, path, 0, os.O_CREATE)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", checkpointName, err)
		}
		return nil, syncDir(w.opts.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", checkpointName, err)
	}
	defer f.Close()
	last, good, torn, err := lastStatement(f)
	if err != nil {
		return nil, err
	}
	if w.stateFile, err = openTail(w.opts, path, good, 0); err != nil {
		return nil, fmt.Errorf("open %s: %w", checkpointName, err)
	}
	if torn > 0 {
		w.problem(problemTornCheckpoints, 0, "the last line of %s was incomplete", checkpointName)
		w.stateFile.torn = true // cut off before the next statement
	}
	if last == nil {
		return nil, nil
	}
	pub := w.key.Public().(ed25519.PublicKey)
	if err := last.verify([]ed25519.PublicKey{pub}); err != nil {
		name := problemUntrusted
		if last.Key == KeyID(pub) {
			name = problemForged
		}
		w.notes = append(w.notes, note{actionRecovery, 4, recoveryDetail{Problem: name, Segment: last.Segment,
			Detail: "the last checkpoint: " + err.Error(), Key: clip(last.Key)}})
		return nil, nil
	}
	return last, nil
}

// lastStatement reads to the last whole line of a checkpoint file, which ends at good.
func lastStatement(r io.Reader) (last *Statement, good int64, torn int, err error) {
	lr := newLineReader(r)
	for {
		line, err := lr.next()
		if err == io.EOF {
			return last, good, len(line), nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return nil, 0, 0, err
		}
		good = lr.offset
		if s, perr := parseStatement(line); err == nil && perr == nil {
			last = &s
		}
	}
}

// tail is where a journal ended.
type tail struct {
	id       string
	last     link // zero if there is no record
	lastNum  int  // segment of last
	damage   string
	num      int // the last segment, which may hold no record
	path     string
	closed   bool // it cannot be appended to
	good     int64
	torn     int64 // bytes after good, without a newline at their end
	opened   time.Time
	times    span  // of the segment of last
	previous *span // of the segment before that
}

// findTail reads the last segment, and those before it while they hold no
// whole line.
func findTail(ctx context.Context, segs []segment, anchor *Statement) (tail, error) {
	var t tail
	for i := len(segs) - 1; i >= 0; i-- {
		one, err := readTail(ctx, segs[i], anchor)
		if err != nil {
			return t, err
		}
		if i == len(segs)-1 {
			t = one
		} else {
			t.id, t.last, t.lastNum, t.times = one.id, one.last, one.num, one.times
			if t.damage == "" {
				t.damage = one.damage
			}
		}
		if one.last.seq != 0 {
			break
		}
	}
	return t, nil
}

// readTail reads one segment and checks its chain.
func readTail(ctx context.Context, s segment, anchor *Statement) (tail, error) {
	t := tail{num: s.num, lastNum: s.num, path: s.path, closed: s.compressed()}
	r, err := s.open()
	if err != nil {
		return t, tailDamage(&t, err)
	}
	defer r.Close()
	damage := func(line int, err error) {
		if t.damage == "" {
			t.damage = fmt.Sprintf("line %d: %v", line, err)
		}
	}
	for n := 1; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return t, ctx.Err()
		}
		line, err := r.next()
		if err == io.EOF {
			t.torn = r.offset - t.good
			return t, nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return t, tailDamage(&t, err)
		}
		t.good = r.offset
		if err != nil {
			damage(n, err)
			continue
		}
		l, err := parseLink(line)
		if err != nil {
			damage(n, err)
			continue
		}
		damageIf := checkNext(line, l, t.last, n == 1)
		if damageIf == nil && anchor != nil && anchor.Sequence == l.seq && anchor.Hash != hex.EncodeToString(l.hash[:]) {
			damageIf = errors.New("not the record that a checkpoint signed")
		}
		if damageIf != nil {
			damage(n, damageIf)
		}
		t.last = l
		t.note(line, n)
	}
}

// tailDamage turns a segment that cannot be unpacked into damage; other errors stay.
func tailDamage(t *tail, err error) error {
	var d *damagedError
	if t.closed || errors.As(err, &d) {
		t.damage = err.Error()
		return nil
	}
	return err
}

// checkNext says what is wrong with a line that follows prev.
func checkNext(line []byte, l, prev link, first bool) error {
	switch {
	case hashLine(line) != l.hash:
		return errors.New("the record does not have the hash that it names")
	case first || prev.seq == 0:
		return nil
	case l.seq != prev.seq+1:
		return fmt.Errorf("record %d follows record %d", l.seq, prev.seq)
	case l.prev != prev.hash:
		return fmt.Errorf("record %d does not name the hash of the record before it", l.seq)
	}
	return nil
}

// note takes from a line what the writer must know of its segment.
func (t *tail) note(line []byte, n int) {
	ms, ok := lineTime(line)
	if ok {
		t.times.add(ms)
	}
	if n != 1 {
		return
	}
	t.opened = time.UnixMilli(ms)
	if d, err := readSegmentDetail(line); err == nil {
		t.id, t.previous = d.Journal, d.Previous
	} else if t.damage == "" {
		t.damage = "line 1: " + err.Error()
	}
}

// readSegmentDetail reads the first record of a segment.
func readSegmentDetail(line []byte) (segmentDetail, error) {
	var d segmentDetail
	action, raw, err := journalRecord(line)
	if err == nil && action != actionSegment {
		err = errors.New("a segment must begin with a segment record")
	}
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	return d, err
}
