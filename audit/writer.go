package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	retryInterval = time.Second
	stallLimit    = 10 * time.Second // longest background fsync before records are refused

	retainInterval = time.Hour // between looks for segments that are too old
)

// writer owns the files. After openWriter only who has the journal's turn
// touches it.
type writer struct {
	j     *Journal
	opts  *Options
	key   ed25519.PrivateKey
	id    string // of the journal
	lock  *os.File
	sinks []*sinkQueue
	pack  *packer // never nil once open

	num       int // of the current segment
	seg       *tailFile
	opened    time.Time // when the segment began
	header    bool      // the segment needs its first record
	sealed    bool      // the segment takes no more records
	previous  *span     // event times of the segment before; nil if unknown
	times     span      // event times of this segment
	last      link      // the last record
	unsigned  int       // records since the last checkpoint
	notes     []note
	refused   int // records refused since the journal is down
	buf       []byte
	group     []*pending
	stateFile *tailFile  // checkpoints.jsonl
	owed      *Statement // signed, but not yet in checkpoints.jsonl

	dirty      bool // written and not fsynced
	job        *syncJob
	jobs       chan struct{} // capacity 1: a job has ended
	lastSync   time.Time
	lastSigned time.Time
	nextTry    time.Time // while down
	retainNow  bool      // look for segments to remove
	lastRetain time.Time
	timer      *time.Timer // of the goroutine
	closed     bool
}

// linger is how long a record without a waiter may wait for others.
const linger = 2 * time.Millisecond

// run does what nobody waits for or what may take long, until Close.
func (w *writer) run() {
	defer close(w.j.stopped)
	w.timer = time.NewTimer(w.due())
	defer w.timer.Stop()
	lingering := time.NewTimer(time.Hour)
	defer lingering.Stop()
	for {
		if len(w.j.queue) > 0 && !w.j.posted.Load() { // it came while the turn was ours
			w.j.kick()
		}
		select {
		case <-w.j.kicks:
		case <-w.j.posts:
			lingering.Reset(linger)
			continue
		case <-lingering.C:
		case <-w.jobs:
			w.j.turn.Lock()
			w.endedJob()
			w.j.turn.Unlock()
		case <-w.timer.C:
			w.j.turn.Lock()
			w.tick()
			w.j.turn.Unlock()
		case <-w.j.closing:
			w.j.turn.Lock()
			w.j.result = w.shutdown()
			w.closed = true
			w.j.turn.Unlock()
			return
		}
		w.j.posted.Store(false)
		w.drain()
		w.timer.Reset(w.due())
	}
}

// drain writes all that is queued, and removes what retention gives up.
func (w *writer) drain() {
	for more := true; more; {
		w.j.turn.Lock()
		more = w.next()
		if !more && w.retainNow && !w.header && w.j.down.Load() == nil {
			w.retain()
		}
		w.j.turn.Unlock()
	}
}

func (w *writer) due() time.Duration {
	w.j.turn.Lock()
	defer w.j.turn.Unlock()
	return w.wait()
}

// plain says that a write now is nothing but that. Whoever appends may do it.
func (w *writer) plain() bool {
	return !w.closed && !w.sealed && !w.header && !w.seg.torn && w.owed == nil && len(w.notes) == 0 && w.opts.Durability == DurabilityWrite &&
		w.seg.good < w.opts.SegmentBytes && time.Since(w.opened) < w.opts.SegmentAge && w.j.down.Load() == nil &&
		(w.job == nil || time.Since(w.job.begun) <= stallLimit)
}

// next writes one group of what is queued; false if there was nothing.
func (w *writer) next() bool {
	select {
	case p := <-w.j.queue:
		quiet := !w.dirty || w.unsigned == 0
		w.take(p)
		if quiet {
			w.j.kick() // there is something to sync or sign in time
		}
		return true
	default:
		return false
	}
}

// wait is how long nothing needs to be done unless a record arrives.
func (w *writer) wait() time.Duration {
	next := time.Hour
	soon := func(t time.Time) { next = min(next, max(0, time.Until(t))) }
	if w.j.down.Load() != nil {
		soon(w.nextTry)
		return next
	}
	if w.job == nil && w.dirty && !w.header {
		soon(w.lastSync.Add(w.opts.SyncInterval))
	}
	if w.job == nil && w.unsigned > 0 && !w.header {
		soon(w.lastSigned.Add(w.opts.CheckpointInterval))
	}
	if !w.header && w.unsigned > 0 {
		soon(w.opened.Add(w.opts.SegmentAge))
	}
	if w.opts.RetainAge > 0 && !w.retainNow {
		soon(w.lastRetain.Add(retainInterval))
	}
	return next
}

// tick does what is due.
func (w *writer) tick() {
	now := time.Now()
	if w.j.down.Load() != nil {
		if !now.Before(w.nextTry) {
			w.write(nil)
		}
		return
	}
	if !w.header && w.unsigned > 0 && now.Sub(w.opened) >= w.opts.SegmentAge {
		w.write(nil)
	}
	if w.opts.RetainAge > 0 && now.Sub(w.lastRetain) >= retainInterval {
		w.retainNow = true
	}
	if w.job != nil || w.header || w.j.down.Load() != nil {
		return
	}
	switch {
	case w.unsigned > 0 && now.Sub(w.lastSigned) >= w.opts.CheckpointInterval:
		if w.writeCheckpoint() == nil {
			w.startJob()
		}
	case w.dirty && now.Sub(w.lastSync) >= w.opts.SyncInterval:
		w.startJob()
	}
}

// take writes p and what else is queued as one group, and answers.
func (w *writer) take(p *pending) {
	group := append(w.group[:0], p)
	for size := len(p.body); len(group) < groupRecords && size < groupBytes; {
		select {
		case p = <-w.j.queue:
			group = append(group, p)
			size += len(p.body)
			continue
		default:
		}
		break
	}
	var err error
	if u := w.write(group); u != nil {
		w.refused += len(group)
		err = u
	}
	for _, p := range group {
		w.answer(p, err)
	}
	clear(group)
	w.group = group
}

// answer tells whoever waits for a record, or knows of it.
func (w *writer) answer(p *pending, err error) {
	if p.lost == nil {
		p.done <- err
		return
	}
	if err != nil {
		w.opts.Metrics.failed()
		p.lost(err)
	}
	w.j.recycle(p)
}

// write writes the notes and the group, or with neither finds out whether the
// journal works. It keeps the journal's state, and returns nil if all of it is
// as durable as asked.
func (w *writer) write(group []*pending) *Unavailable {
	w.j.busy.Store(time.Now().UnixNano())
	op, err := w.tryWrite(group)
	w.j.busy.Store(0)
	if err != nil {
		u := w.j.unavailable(op, err)
		w.nextTry = time.Now().Add(retryInterval)
		w.j.setDown(u)
		return u
	}
	w.refused = 0
	w.j.setDown(nil)
	return nil
}

// tryWrite is write without its bookkeeping; op names the step that failed.
func (w *writer) tryWrite(group []*pending) (op string, err error) {
	if err := w.ready(); err != nil {
		return "repair", err
	}
	if w.sealed || !w.header && (w.seg.good >= w.opts.SegmentBytes || time.Since(w.opened) >= w.opts.SegmentAge) {
		if err := w.rotate(); err != nil {
			return "rotate", err
		}
	}
	if w.job != nil && time.Since(w.job.begun) > stallLimit {
		return "fsync", fmt.Errorf("no answer for %s", stallLimit)
	}
	before := w.last
	times := w.times
	records, err := w.encode(group)
	if err != nil {
		return "encode", err
	}
	if records == 0 {
		return "", nil
	}
	if err := w.seg.append(w.buf); err != nil {
		w.last, w.times = before, times
		return "write", err
	}
	if w.opts.Durability == DurabilityFsync {
		if err := w.seg.file.Sync(); err != nil {
			// Whether these pages reach the disk later is unknown: take
			// the records back and do not trust this file again.
			w.seg.good -= int64(len(w.buf))
			w.seg.undo()
			w.last, w.times = before, times
			w.seal(problemFsync, err)
			return "fsync", err
		}
	} else {
		w.dirty = true
	}
	w.header, w.notes = false, nil
	w.commit(group, records)
	return "", nil
}

// encode fills buf with the lines of what is to be written and moves the chain.
func (w *writer) encode(group []*pending) (records int, err error) {
	w.buf = w.buf[:0]
	notes := w.notes
	if down := w.j.down.Load(); down != nil {
		notes = append(notes[:len(notes):len(notes)], note{actionResumed, 2,
			resumedDetail{down.Since.UTC(), down.Error(), w.refused}})
	}
	now := w.opts.Clock()
	if w.header && (len(notes) > 0 || len(group) > 0) {
		head := note{actionSegment, 1, segmentDetail{w.id, w.num, w.previous}}
		notes = append([]note{head}, notes...)
	}
	for _, n := range notes {
		start := len(w.buf)
		if w.buf, err = appendJournal(w.buf, n.action, n.severity, now, n.detail); err != nil {
			return 0, err
		}
		w.chain(start, now.UnixMilli())
	}
	for _, p := range group {
		start := len(w.buf)
		w.buf = append(w.buf, p.body...)
		w.chain(start, p.ms)
	}
	return len(notes) + len(group), nil
}

// chain closes the record that starts at buf[start].
func (w *writer) chain(start int, ms int64) {
	next := link{seq: w.last.seq + 1, prev: w.last.hash}
	w.buf, next.hash = appendLink(w.buf, start, next.seq, &next.prev)
	w.last = next
	w.times.add(ms)
}

// commit does what follows a write that succeeded.
func (w *writer) commit(group []*pending, records int) {
	w.unsigned += records
	m := w.opts.Metrics
	m.wrote(records)
	for _, p := range group {
		m.written(p.kind)
	}
	for range records - len(group) {
		m.written(KindJournal)
	}
	if len(w.sinks) > 0 {
		chunk := bytes.Clone(w.buf)
		for _, s := range w.sinks {
			s.push(chunk, records)
		}
	}
}

// ready finishes what an earlier failure left: torn bytes, a statement that
// did not reach its file.
func (w *writer) ready() error {
	if !w.sealed {
		err := w.seg.repair()
		if errors.Is(err, fs.ErrNotExist) {
			w.seal(problemLost, err)
		} else if err != nil {
			return err
		}
	}
	if w.owed != nil && w.job == nil {
		return w.payStatement(w.owed)
	}
	return nil
}

// seal gives up the current segment: the next write begins a new one, which
// tells why.
func (w *writer) seal(problem string, err error) {
	if w.sealed {
		return
	}
	w.sealed = true
	w.owed = nil // what it covers may be gone
	w.notes = append(w.notes, note{actionRecovery, 4,
		recoveryDetail{Problem: problem, Segment: w.num, Detail: err.Error()}})
}

// rotate ends the current segment, signed unless it is sealed, and begins the
// next. After an error nothing has changed but that it may be signed.
func (w *writer) rotate() error {
	if err := w.waitJob(); err != nil {
		return err
	}
	if !w.sealed {
		if err := w.endSegment(); err != nil {
			return err
		}
	} else if w.seg.torn {
		if err := w.seg.repair(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	next, err := openTail(w.opts, filepath.Join(w.opts.Dir, segmentName(w.num+1)), 0, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	if err := syncDir(w.opts.Dir); err != nil {
		next.close()
		os.Remove(next.name)
		return err
	}
	w.seg.close()
	w.begin(next, w.num+1)
	w.retainNow = true
	w.pack.wake()
	return nil
}

// begin makes seg, which is empty, the current segment.
func (w *writer) begin(seg *tailFile, num int) {
	w.previous = nil
	if w.times != (span{}) {
		t := w.times
		w.previous = &t
	}
	w.seg, w.num, w.times = seg, num, span{}
	w.opened, w.header, w.sealed, w.dirty = time.Now(), true, false, false
}

// endSegment signs the current segment and makes it durable.
func (w *writer) endSegment() error {
	if w.unsigned == 0 {
		return w.seg.file.Sync()
	}
	if err := w.writeCheckpoint(); err != nil {
		return err
	}
	if err := w.seg.file.Sync(); err != nil {
		w.seal(problemFsync, err)
		return fmt.Errorf("fsync: %w", err)
	}
	w.dirty = false
	return w.payStatement(w.owed)
}

// writeCheckpoint signs the last record in line, and owes checkpoints.jsonl a
// statement that covers the checkpoint record as well. The caller sees to it.
func (w *writer) writeCheckpoint() error {
	now := w.opts.Clock()
	before, times := w.last, w.times
	s := newStatement(typeCheckpoint, w.id, w.num, w.last, now)
	s.sign(w.key)
	body, err := appendJournal(w.buf[:0], actionCheckpoint, 1, now, &s)
	if err != nil {
		return err
	}
	w.buf = body
	w.chain(0, now.UnixMilli())
	if err := w.seg.append(w.buf); err != nil {
		w.last, w.times = before, times
		w.fail("write", err)
		return err
	}
	w.dirty = true
	w.commit(nil, 1)
	covers := newStatement(typeCheckpoint, w.id, w.num, w.last, now)
	covers.sign(w.key)
	w.owed = &covers
	w.unsigned, w.lastSigned = 0, time.Now()
	return nil
}

// payStatement writes s to checkpoints.jsonl, durably.
func (w *writer) payStatement(s *Statement) error {
	if s == nil {
		return nil
	}
	if err := appendStatement(w.stateFile, s); err != nil {
		return err
	}
	w.owed = nil
	w.opts.Metrics.checkpointed(time.Now())
	return nil
}

func appendStatement(f *tailFile, s *Statement) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	if err := f.append(append(b, '\n')); err != nil {
		return fmt.Errorf("%s: %w", checkpointName, err)
	}
	if err := f.file.Sync(); err != nil {
		f.good -= int64(len(b) + 1)
		f.undo()
		return fmt.Errorf("%s: fsync: %w", checkpointName, err)
	}
	return nil
}

// shutdown writes what is queued, the stop and the last checkpoint, and
// releases everything.
func (w *writer) shutdown() error {
	for drained := false; !drained; {
		select {
		case p := <-w.j.queue:
			w.take(p)
		default:
			drained = true
		}
	}
	err := w.waitJob()
	w.notes = append(w.notes, note{action: actionStop, severity: 1})
	if u := w.write(nil); u != nil {
		err = u
	} else if err == nil {
		err = w.endSegment()
	}
	ctx, cancel := context.WithTimeout(context.Background(), sinkDrain)
	defer cancel()
	for _, s := range w.sinks {
		s.stop(ctx)
	}
	w.pack.stop()
	return errors.Join(err, w.release())
}

// release closes the files and gives the directory back.
func (w *writer) release() error {
	var errs []error
	if w.seg != nil {
		errs = append(errs, w.seg.close())
	}
	if w.stateFile != nil {
		errs = append(errs, w.stateFile.close())
	}
	return errors.Join(append(errs, w.lock.Close())...)
}
