package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// statements is one source of signed statements, read beside the records.
type statements struct {
	name   string
	lines  *lineReader
	file   *os.File // nil for an anchor
	head   *Statement
	line   int
	last   uint64 // sequence of the last statement read
	faulty func(line int, want, got string)
}

// advance reads the next statement into head, nil at the end.
func (s *statements) advance() error {
	s.head = nil
	for s.head == nil {
		line, err := s.lines.next()
		if err == io.EOF {
			return nil // a torn last line is a write in progress or a crash
		}
		s.line++
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 && err == nil {
			continue
		}
		st, perr := parseStatement(line)
		switch {
		case err != nil:
			s.faulty(s.line, "a signed statement", err.Error())
		case perr != nil:
			s.faulty(s.line, "a signed statement", "something else")
		case st.Sequence < s.last:
			s.faulty(s.line, fmt.Sprintf("a statement about record %d or later", s.last), fmt.Sprintf("record %d", st.Sequence))
		default:
			s.last = st.Sequence
			s.head = &st
		}
	}
	return nil
}

// openAll opens the statements, then lists the segments: a statement is written
// after the records that it covers, so none can be about records that are not
// listed.
func (v *verifier) openAll() ([]segment, error) {
	for again := false; ; again = true {
		if err := v.openSources(); err != nil {
			return nil, err
		}
		segs, err := listSegments(v.dir)
		if err != nil || again || len(segs) == 0 || segs[0].num <= v.firstSegment() || len(v.opts.Anchors) > 0 {
			return segs, err
		}
		v.closeSources() // retention may have been at work in between
		v.removed, v.report = nil, Report{Signed: v.report.Signed, Faults: []Fault{}}
	}
}

// firstSegment is the number of the first segment that retention left.
func (v *verifier) firstSegment() int {
	if v.removed == nil {
		return 1
	}
	return v.removed.Segment + 1
}

func (v *verifier) openSources() error {
	own := &statements{name: checkpointName, lines: newLineReader(bytes.NewReader(nil))}
	f, err := os.Open(filepath.Join(v.dir, checkpointName))
	if err == nil {
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return err
		}
		own.file, own.lines = f, newLineReader(io.LimitReader(f, info.Size()))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v.sources = []*statements{own}
	for i, r := range v.opts.Anchors {
		v.sources = append(v.sources, &statements{name: fmt.Sprintf("anchor %d", i+1), lines: newLineReader(r)})
	}
	for _, s := range v.sources {
		s.faulty = func(line int, want, got string) {
			v.faultAt(Fault{Kind: FaultSignature, Want: want, Got: fmt.Sprintf("%s, line %d: %s", s.name, line, got)})
		}
		if err := v.nextStatement(s); err != nil {
			return err
		}
	}
	// What retention removed stands first in checkpoints.jsonl.
	if own.head != nil && own.head.Type == typeRetention {
		v.removed = own.head
		return v.nextStatement(own)
	}
	return nil
}

func (v *verifier) closeSources() {
	for _, s := range v.sources {
		if s.file != nil {
			s.file.Close()
		}
	}
}

// nextStatement advances s to the next statement that a trusted key signed.
func (v *verifier) nextStatement(s *statements) error {
	for {
		if err := s.advance(); err != nil || s.head == nil || !v.report.Signed {
			return err
		}
		if err := s.head.verify(v.keys); err != nil {
			s.faulty(s.line, "a statement of the journal's key", err.Error())
			continue
		}
		if v.report.Journal == "" {
			v.report.Journal = s.head.Journal
		}
		if s.head.Journal != v.report.Journal {
			s.faulty(s.line, "a statement about journal "+v.report.Journal, "journal "+clip(s.head.Journal))
		} else {
			return nil
		}
	}
}

// compare checks record l against the statements about it.
func (v *verifier) compare(l link) {
	for i, s := range v.sources {
		for s.head != nil && s.head.Sequence <= l.seq {
			st := s.head
			if st.Sequence == l.seq {
				if i == 0 {
					v.unfiled = 0
				}
				if st.Hash != hex.EncodeToString(l.hash[:]) {
					v.fault(FaultCheckpoint, fmt.Sprintf("record %d with hash %s, as signed at %s", st.Sequence, clip(st.Hash), clip(st.Time)),
						"hash "+short(l.hash))
				} else if v.report.Signed {
					v.report.SignedUntil = max(v.report.SignedUntil, l.seq)
				}
			}
			if err := v.nextStatement(s); err != nil {
				s.faulty(s.line, "a readable file", err.Error())
				s.head = nil
			}
		}
	}
}

// finish checks what the statements say of records after the last one.
func (v *verifier) finish() {
	v.report.Last, v.report.LastHash = v.last.seq, hex.EncodeToString(v.last.hash[:])
	for _, s := range v.sources {
		var far *Statement
		for s.head != nil {
			far = s.head
			if err := v.nextStatement(s); err != nil {
				s.faulty(s.line, "a readable file", err.Error())
				break
			}
		}
		if far != nil {
			v.faultNext(FaultTruncated, fmt.Sprintf("record %d, as signed at %s", far.Sequence, clip(far.Time)),
				fmt.Sprintf("the end, after record %d", v.last.seq))
		}
	}
	if !v.report.Signed {
		return
	}
	if v.unfiled > 1 && v.filedSince() < v.inline[0] || v.report.Records > 0 && v.sources[0].file == nil {
		v.faultAt(Fault{Kind: FaultCheckpoint, Want: fmt.Sprintf("a statement in %s for each checkpoint record", checkpointName),
			Got: fmt.Sprintf("none for the last %d", v.unfiled)})
	}
	v.report.SignedUntil = max(v.report.SignedUntil, v.signedIn)
	if v.report.Records > 0 && v.report.SignedUntil == 0 {
		v.faultAt(Fault{Kind: FaultCheckpoint, Want: "a checkpoint signed by the journal's key", Got: "none"})
	}
	v.report.Unsigned = v.last.seq - min(v.last.seq, v.report.SignedUntil)
}

// filedSince reads checkpoints.jsonl again, for what a running writer added
// after it was opened, and returns the last record that a trusted statement
// covers. A checkpoint record follows another only once that has its statement.
func (v *verifier) filedSince() uint64 {
	f, err := os.Open(filepath.Join(v.dir, checkpointName))
	if err != nil {
		return 0
	}
	defer f.Close()
	again := &statements{lines: newLineReader(f), faulty: func(int, string, string) {}}
	for {
		last := again.last
		if err := again.advance(); err != nil || again.head == nil {
			return last
		}
		if again.head.verify(v.keys) != nil {
			again.last = last
		}
	}
}
