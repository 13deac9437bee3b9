package audit

import "time"

// What the journal records about itself.
const (
	actionStart      = "start"
	actionStop       = "stop"
	actionSegment    = "segment"    // first record of every segment
	actionCheckpoint = "checkpoint" // signed
	actionRetention  = "retention"  // signed; segments are removed
	actionRecovery   = "recovery"   // something was wrong with what is on disk
	actionResumed    = "resumed"    // the journal was unavailable
)

// segmentDetail is the detail of a segment record.
type segmentDetail struct {
	Journal  string `json:"journal"`
	Segment  int    `json:"segment"`
	Previous *span  `json:"previous,omitempty"`
}

// span is the range of event times in a segment, in Unix ms.
type span struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

func (s *span) add(ms int64) {
	if s.First == 0 || ms < s.First {
		s.First = ms
	}
	s.Last = max(s.Last, ms)
}

// recoveryDetail is the detail of a recovery record.
type recoveryDetail struct {
	Problem string `json:"problem"` // one of the problem constants
	Segment int    `json:"segment"`
	Detail  string `json:"detail"`
	Kept    string `json:"kept,omitempty"` // file that holds the torn bytes
	Bytes   int64  `json:"bytes,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Key     string `json:"key,omitempty"` // that signed the last checkpoint
}

// The problems that a recovery record names.
const (
	problemTorn            = "torn_tail"            // the last line was incomplete; it was put aside
	problemTornCheckpoints = "torn_checkpoints"     // so was that of checkpoints.jsonl
	problemFsync           = "fsync_failed"         // records of the segment may not be on disk
	problemLost            = "segment_lost"         // the segment was removed or cut while weir wrote it
	problemDamaged         = "damaged"              // the chain of the last segment is broken
	problemTruncated       = "truncated"            // the journal ended before its last checkpoint
	problemNoCheckpoints   = "checkpoints_missing"  // checkpoints.jsonl was removed or emptied
	problemUntrusted       = "checkpoint_untrusted" // the last checkpoint was signed by another key
	problemForged          = "checkpoint_forged"    // the last checkpoint names the key, which did not sign it
)

// innocent are the problems that a crash or a failing disk explains.
var innocent = []string{problemTorn, problemTornCheckpoints, problemFsync}

// resumedDetail is the detail of a resumed record.
type resumedDetail struct {
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason"`
	Refused int       `json:"refused"` // records
}

// note is a record of the journal itself that waits for the next write.
type note struct {
	action   string
	severity int64
	detail   any
}
