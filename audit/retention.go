package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// retain removes the segments that retention gives up. Before the first file
// goes, a signed statement of what is removed is in the journal and in
// checkpoints.jsonl. What cannot be done now is tried again at the next rotation.
func (w *writer) retain() {
	w.retainNow, w.lastRetain = false, time.Now()
	if w.opts.RetainSegments == 0 && w.opts.RetainAge == 0 {
		return
	}
	if err := w.tryRetain(); err != nil {
		w.opts.OnState(fmt.Errorf("audit journal: retention: %w", err))
	}
}

func (w *writer) tryRetain() error {
	segs, err := listSegments(w.opts.Dir)
	if err != nil {
		return err
	}
	n, cut, err := w.removable(segs)
	if n == 0 || err != nil {
		return err
	}
	if err := w.announce(segs[n-1].num, cut); err != nil {
		return err
	}
	w.pack.files.Lock()
	defer w.pack.files.Unlock()
	for _, s := range segs[:n] {
		for _, suffix := range []string{gzipSuffix, ""} {
			err := os.Remove(filepath.Join(w.opts.Dir, segmentName(s.num)+suffix))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return syncDir(w.opts.Dir)
}

// removable counts the segments to remove and returns the last record in them.
// A segment whose successor cannot be read stays.
func (w *writer) removable(segs []segment) (n int, cut link, err error) {
	oldest := w.opts.Clock().Add(-w.opts.RetainAge).UnixMilli()
	for n = 0; n+1 < len(segs); n++ {
		l, d, err := readHead(segs[n+1])
		if err != nil {
			return n, cut, fmt.Errorf("segment %d: %w", segs[n+1].num, err)
		}
		many := w.opts.RetainSegments > 0 && len(segs)-n > w.opts.RetainSegments
		old := w.opts.RetainAge > 0 && d.Previous != nil && d.Previous.Last < oldest
		if !many && !old {
			break
		}
		cut = link{seq: l.seq - 1, hash: l.prev}
	}
	return n, cut, nil
}

// announce records, signs and makes durable that everything up to cut is removed.
func (w *writer) announce(num int, cut link) error {
	s := newStatement(typeRetention, w.id, num, cut, w.opts.Clock())
	s.sign(w.key)
	w.notes = append(w.notes, note{actionRetention, 1, &s})
	if u := w.write(nil); u != nil {
		return u
	}
	if err := w.waitJob(); err != nil { // it may be writing checkpoints.jsonl
		return err
	}
	if err := w.seg.file.Sync(); err != nil {
		w.seal(problemFsync, err)
		w.fail("fsync", err)
		return fmt.Errorf("fsync: %w", err)
	}
	return w.replaceStatements(&s)
}

// replaceStatements leaves in checkpoints.jsonl s and what follows it.
func (w *writer) replaceStatements(s *Statement) error {
	path := filepath.Join(w.opts.Dir, checkpointName)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	content = append(content, '\n')
	for lr := newLineReader(f); ; {
		line, err := lr.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if have, err := parseStatement(line); err != nil || have.Sequence > s.Sequence {
			content = append(append(content, line...), '\n')
		}
	}
	if err := writeFile(path, content); err != nil {
		return err
	}
	next, err := openTail(w.opts, path, int64(len(content)), 0)
	if err != nil {
		return err
	}
	w.stateFile.close()
	w.stateFile = next
	return nil
}

// readHead reads the first record of a segment.
func readHead(s segment) (link, segmentDetail, error) {
	r, err := s.open()
	if err != nil {
		return link{}, segmentDetail{}, err
	}
	defer r.Close()
	line, err := r.next()
	if err != nil {
		return link{}, segmentDetail{}, fmt.Errorf("no first record: %w", err)
	}
	l, err := parseLink(line)
	if err != nil {
		return l, segmentDetail{}, err
	}
	d, err := readSegmentDetail(line)
	return l, d, err
}
