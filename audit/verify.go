package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// FaultKind says what a Fault is.
type FaultKind string

// The kinds of faults.
const (
	FaultMalformed  FaultKind = "malformed"  // a line that is not a record
	FaultEdited     FaultKind = "edited"     // a record does not have the hash that it names
	FaultMissing    FaultKind = "missing"    // records are missing before this one
	FaultOrder      FaultKind = "order"      // a record that came before: reordered, inserted or repeated
	FaultChain      FaultKind = "chain"      // a record does not name the hash of the one before it
	FaultTruncated  FaultKind = "truncated"  // the journal ends too early
	FaultCheckpoint FaultKind = "checkpoint" // records differ from what was signed
	FaultSignature  FaultKind = "signature"  // a statement that no trusted key signed
	FaultSegment    FaultKind = "segment"    // a segment is missing or is not the one its name says
	FaultRecorded   FaultKind = "recorded"   // the journal itself found signs of tampering, and said so
)

// Fault is one sign of tampering.
type Fault struct {
	Kind     FaultKind `json:"kind"`
	Segment  int       `json:"segment,omitempty"`  // 0 if it is not in a segment
	Line     int       `json:"line,omitempty"`     // from 1; 0 if it is not at a line; the last one for truncation
	Sequence uint64    `json:"sequence,omitempty"` // of the record, or the one expected there
	Want     string    `json:"want"`
	Got      string    `json:"got"`
}

// Report is what Verify found.
type Report struct {
	Journal  string  `json:"journal"`
	Segments int     `json:"segments"`
	Records  uint64  `json:"records"`
	First    uint64  `json:"first_sequence"`
	Last     uint64  `json:"last_sequence"`
	LastHash string  `json:"last_hash"`
	Faults   []Fault `json:"faults"`
	More     int     `json:"more_faults,omitempty"` // faults beyond VerifyOptions.MaxFaults

	// Signed says that checkpoints were checked against a key; SignedUntil
	// is the last record that one covers, Unsigned how many follow it.
	Signed      bool   `json:"signed"`
	Checkpoints int    `json:"checkpoints"`
	SignedUntil uint64 `json:"signed_until"`
	Unsigned    uint64 `json:"unsigned"`
	// RemovedUntil is the last record that retention removed; 0: none.
	RemovedUntil uint64 `json:"removed_until,omitempty"`
	// TornBytes is the length of an incomplete last line: a write in progress or a crash.
	TornBytes int64 `json:"torn_bytes,omitempty"`
	// Recovered lists what the journal itself recorded as wrong.
	Recovered []string `json:"recovered,omitempty"`
}

// OK says that no sign of tampering was found.
func (r *Report) OK() bool { return len(r.Faults) == 0 }

// Progress is how far Verify is.
type Progress struct {
	Segment, Segments int // number in order, from 1, of how many
	Records           uint64
}

// VerifyOptions adjust Verify; the zero value is fine.
type VerifyOptions struct {
	// OldKeys signed parts of the journal before the present key.
	OldKeys []ed25519.PublicKey
	// Anchors are copies of checkpoints.jsonl that were kept elsewhere. They
	// show the truncation of a journal together with its checkpoints.
	Anchors   []io.Reader
	MaxFaults int            // most faults to list; 100
	Progress  func(Progress) // called about once a MiB and after each segment
}

const (
	maxRecovered  = 100
	progressLines = 4096
)

// Verify reads the journal in dir and lists every sign of tampering. It needs
// no lock and may run beside the journal's writer; it holds one line at a time. Without
// pub it checks the chain only, which anybody can compute anew. An error means
// that the journal could not be read to its end, not that it is bad.
func Verify(ctx context.Context, dir string, pub ed25519.PublicKey, opts VerifyOptions) (Report, error) {
	v := &verifier{dir: dir, report: Report{Signed: pub != nil, Faults: []Fault{}}, opts: opts, keys: slices.Clone(opts.OldKeys)}
	if pub != nil {
		v.keys = append(v.keys, pub)
	}
	if v.opts.MaxFaults == 0 {
		v.opts.MaxFaults = 100
	}
	err := v.run(ctx)
	if err != nil {
		err = fmt.Errorf("verify audit journal: %w", err)
	}
	return v.report, err
}

// verifier reads the records, with every source of signed statements beside them.
type verifier struct {
	dir    string
	report Report
	opts   VerifyOptions
	keys   []ed25519.PublicKey

	sources  []*statements
	begun    bool      // a record was read
	last     link      // the last record, or what retention left before the first
	resync   bool      // the record before was damaged: its successor's prev proves nothing
	segment  int       // being read
	line     int       // in it
	signedIn uint64    // last record that a statement in line covers
	unfiled  int       // checkpoint records since the last statement of checkpoints.jsonl
	inline   [2]uint64 // the last two checkpoint records
	removed  *Statement
}

func (v *verifier) run(ctx context.Context) error {
	defer v.closeSources()
	segs, err := v.openAll()
	if err != nil {
		return err
	}
	if len(segs) == 0 && v.sources[0].head == nil {
		return fmt.Errorf("no segment in %s", v.dir)
	}
	v.report.Segments = len(segs)
	v.checkFirst(segs)
	for i, s := range segs {
		if i > 0 && s.num != segs[i-1].num+1 {
			v.segment, v.line = s.num, 0
			v.faultAt(Fault{FaultSegment, s.num, 0, v.last.seq + 1, fmt.Sprintf("segment %d", segs[i-1].num+1), fmt.Sprintf("segment %d", s.num)})
		}
		if err := v.readSegment(ctx, s, i+1 == len(segs)); err != nil {
			return err
		}
		v.progress(i+1, len(segs))
	}
	v.finish()
	return nil
}

func (v *verifier) progress(i, n int) {
	if v.opts.Progress != nil {
		v.opts.Progress(Progress{Segment: i, Segments: n, Records: v.report.Records})
	}
}

// fault notes a fault of the record that was taken last.
func (v *verifier) fault(kind FaultKind, want, got string) {
	v.faultAt(Fault{Kind: kind, Segment: v.segment, Line: v.line, Sequence: v.last.seq, Want: want, Got: got})
}

// faultNext notes a fault where the record after the last one should be.
func (v *verifier) faultNext(kind FaultKind, want, got string) {
	v.faultAt(Fault{Kind: kind, Segment: v.segment, Line: v.line, Sequence: v.last.seq + 1, Want: want, Got: got})
	v.resync = true
}

func (v *verifier) faultAt(f Fault) {
	if len(v.report.Faults) >= v.opts.MaxFaults {
		v.report.More++
		return
	}
	v.report.Faults = append(v.report.Faults, f)
}

// checkFirst decides where the journal must begin: at segment 1, unless a
// signed statement says what retention removed.
func (v *verifier) checkFirst(segs []segment) {
	first := v.firstSegment()
	if v.removed != nil {
		v.report.RemovedUntil = v.removed.Sequence
	}
	if len(segs) == 0 {
		return
	}
	num := segs[0].num
	v.segment = num
	switch {
	case num > first:
		v.faultNext(FaultSegment, fmt.Sprintf("segment %d, the first", first), fmt.Sprintf("segment %d", num))
	case v.removed == nil:
		v.begun = true // record 1 after record 0, whose hash is zero
	case num == first:
		v.begun = true
		v.last.seq = v.removed.Sequence
		v.last.hash, _ = v.removed.digest()
	}
}

func (v *verifier) readSegment(ctx context.Context, s segment, newest bool) error {
	v.segment, v.line = s.num, 0
	r, err := s.open()
	if err != nil {
		return v.unreadable(err)
	}
	defer r.Close()
	good := int64(0)
	for {
		line, err := r.next()
		if err == io.EOF {
			v.endOfSegment(r.offset-good, newest)
			return nil
		}
		v.line++
		switch {
		case errors.Is(err, errLongLine):
			v.faultNext(FaultMalformed, "a record", err.Error())
		case err != nil && s.compressed():
			return v.unreadable(&damagedError{s.path, err})
		case err != nil:
			return err
		default:
			v.record(line)
		}
		good = r.offset
		if v.line%progressLines == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			v.progress(s.num, v.report.Segments)
		}
	}
}

// unreadable makes a fault of a segment that cannot be unpacked.
func (v *verifier) unreadable(err error) error {
	var d *damagedError
	if !errors.As(err, &d) {
		return err
	}
	v.faultNext(FaultMalformed, "a gzip file", d.Error())
	return nil
}

// endOfSegment looks at what follows the last newline.
func (v *verifier) endOfSegment(torn int64, newest bool) {
	if torn == 0 {
		return
	}
	v.line++
	if newest {
		v.report.TornBytes = torn // harmless unless a statement covers it
		return
	}
	v.faultNext(FaultTruncated, "a whole line", fmt.Sprintf("%d bytes without a newline", torn))
}

// record checks one line.
func (v *verifier) record(line []byte) {
	l, err := parseLink(line)
	if err != nil {
		v.faultNext(FaultMalformed, "a record", err.Error())
		return
	}
	v.report.Records++
	if got := hashLine(line); got != l.hash {
		v.faultAt(Fault{FaultEdited, v.segment, v.line, l.seq, "hash " + short(l.hash), "hash " + short(got)})
	}
	if v.begun && !v.follows(l) {
		return // out of order: the chain goes on where it was
	}
	if v.report.First == 0 {
		v.report.First = l.seq
	}
	v.begun, v.resync = true, false
	if v.line == 1 {
		v.checkHead(line, l)
	}
	prev := v.last
	v.last = l
	if isJournal(line) {
		v.ownRecord(line, prev)
	}
	v.compare(l)
}

// follows checks l against the record before it, and says whether the chain
// goes on from l.
func (v *verifier) follows(l link) bool {
	at := Fault{Segment: v.segment, Line: v.line, Sequence: l.seq}
	next := v.last.seq + 1
	switch {
	case l.seq < next:
		at.Kind, at.Want, at.Got = FaultOrder, fmt.Sprintf("record %d", next), fmt.Sprintf("record %d", l.seq)
		v.faultAt(at)
		return false
	case l.seq > next && !v.resync:
		at.Kind, at.Want, at.Got = FaultMissing, fmt.Sprintf("record %d", next), fmt.Sprintf("record %d", l.seq)
		v.faultAt(at)
	case l.seq == next && l.prev != v.last.hash:
		at.Kind, at.Want, at.Got = FaultChain, "prev "+short(v.last.hash), "prev "+short(l.prev)
		v.faultAt(at)
	}
	return true
}

// checkHead checks that a segment begins with its own record.
func (v *verifier) checkHead(line []byte, l link) {
	d, err := readSegmentDetail(line)
	at := Fault{Kind: FaultSegment, Segment: v.segment, Line: 1, Sequence: l.seq}
	at.Want = fmt.Sprintf("the record that begins segment %d", v.segment)
	switch {
	case err != nil:
		at.Got = err.Error()
	case d.Segment != v.segment:
		at.Got = fmt.Sprintf("that of segment %d", d.Segment)
	case v.report.Journal != "" && d.Journal != v.report.Journal:
		at.Want, at.Got = "journal "+v.report.Journal, "journal "+clip(d.Journal)
	default:
		v.report.Journal = d.Journal
		return
	}
	v.faultAt(at)
}

// ownRecord checks what the journal says in line; prev is the record before it.
func (v *verifier) ownRecord(line []byte, prev link) {
	action, detail, err := journalRecord(line)
	if err != nil {
		v.fault(FaultMalformed, "a record of the journal", err.Error())
		return
	}
	switch action {
	case actionRecovery:
		var d recoveryDetail
		if err := json.Unmarshal(detail, &d); err != nil {
			v.fault(FaultMalformed, "a recovery record", err.Error())
			return
		}
		v.recovered(&d)
	case actionCheckpoint, actionRetention:
		s, err := parseStatement(detail)
		if err != nil || s.Type != action {
			v.fault(FaultSignature, "a signed "+action, fmt.Sprint(err))
			return
		}
		v.inLine(&s, prev)
	}
}

// recovered reports what the journal recorded about itself. What no crash or
// failing disk explains is a fault for ever, also after weir went on.
func (v *verifier) recovered(d *recoveryDetail) {
	if len(v.report.Recovered) < maxRecovered {
		v.report.Recovered = append(v.report.Recovered, fmt.Sprintf("record %d: %s", v.last.seq, d))
	}
	bad := !slices.Contains(innocent, d.Problem)
	if d.Problem == problemUntrusted {
		bad = v.report.Signed && !slices.ContainsFunc(v.keys, func(k ed25519.PublicKey) bool { return KeyID(k) == d.Key })
	}
	if bad {
		v.fault(FaultRecorded, "a journal as weir left it", printable(d.String(), 300))
	}
}

// inLine checks a statement that is a record of the journal.
func (v *verifier) inLine(s *Statement, prev link) {
	if !v.report.Signed || !v.trusted(s) {
		return
	}
	if s.Type == typeRetention {
		return
	}
	v.report.Checkpoints++
	v.unfiled++
	v.inline = [2]uint64{v.inline[1], v.last.seq}
	if s.Sequence != prev.seq || s.Hash != hex.EncodeToString(prev.hash[:]) {
		v.fault(FaultCheckpoint, fmt.Sprintf("record %d with hash %s, as signed at %s", s.Sequence, clip(s.Hash), clip(s.Time)),
			fmt.Sprintf("record %d with hash %s", prev.seq, short(prev.hash)))
		return
	}
	v.signedIn = prev.seq
}

func (v *verifier) trusted(s *Statement) bool {
	if err := s.verify(v.keys); err != nil {
		v.fault(FaultSignature, "a statement of the journal's key", err.Error())
		return false
	}
	if v.report.Journal != "" && s.Journal != v.report.Journal {
		v.fault(FaultSignature, "a statement about journal "+v.report.Journal, "journal "+clip(s.Journal))
		return false
	}
	return true
}

func short(d digest) string { return hex.EncodeToString(d[:6]) + "…" }

// clip makes what a file says, which may be forged, fit to be shown.
func clip(s string) string { return printable(s, 32) }

// printable returns s without control characters, cut at most bytes.
func printable(s string, most int) string {
	b := appendString(nil, cut(s, most))
	b = bytes.ReplaceAll(b[1:len(b)-1], []byte(`\"`), []byte(`"`))
	if len(s) > most {
		return string(b) + "…"
	}
	return string(b)
}
