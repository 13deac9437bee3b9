package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Durability says when Append may return.
type Durability string

const (
	// DurabilityWrite: the record was handed to the operating system. It
	// survives the death of weir, and is fsynced within SyncInterval for the
	// death of the machine.
	DurabilityWrite Durability = "write"
	// DurabilityFsync: the record was fsynced.
	DurabilityFsync Durability = "fsync"
)

// Options configure a journal. Only Dir is required; the zero value of
// everything else is the default that is named at the field.
type Options struct {
	Dir        string     // created 0700; must not be writable by group or others
	Durability Durability // DurabilityWrite

	SegmentBytes int64         // a segment of this size is rotated; 128 MiB
	SegmentAge   time.Duration // so is one of this age; 24 h
	Compress     bool          // gzip rotated segments in the background

	// Retention removes rotated segments, oldest first; both zero: never.
	RetainSegments int           // keep at most this many, the current one included
	RetainAge      time.Duration // keep segments whose newest record is younger

	SyncInterval       time.Duration // background fsync under DurabilityWrite; 200 ms
	CheckpointInterval time.Duration // signed checkpoints while records arrive; 1 min
	AppendTimeout      time.Duration // longest wait of one Append; 5 s

	// TextLimit is the most bytes of Text and RewrittenText that are recorded;
	// 32 KiB, at most 64 KiB. Longer ones are cut, with their full SHA-256.
	TextLimit int

	// SigningKey signs checkpoints. If nil it is read from KeyFile (PEM,
	// PKCS #8), which is generated 0600 if it does not exist;
	// "" is signing.key in Dir. The public key is written to signing.pub in Dir.
	SigningKey ed25519.PrivateKey
	KeyFile    string

	Sinks []NamedSink // copies of every record, best effort

	// OnState is called from the journal's own goroutines when it becomes
	// unavailable (with the reason) and when it works again (nil), and with
	// what Open found wrong. It must not block and must not call the journal.
	OnState func(error)
	Metrics *Metrics         // nil: none
	Clock   func() time.Time // time.Now
	// OpenFile opens the files that the journal writes; nil: os.OpenFile.
	OpenFile func(name string, flag int, perm os.FileMode) (File, error)
}

// File is what the journal needs of a file that it writes. It is opened with
// O_APPEND, so a write goes to the end as Truncate left it.
type File interface {
	Write(p []byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

const (
	maxTextLimit = 64 << 10
	maxLine      = 2 << 20 // a longer line is not ours: the encoder cannot make one
)

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	if o.Durability == "" {
		o.Durability = DurabilityWrite
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 128 << 20
	}
	def(&o.SegmentAge, 24*time.Hour)
	def(&o.SyncInterval, 200*time.Millisecond)
	def(&o.CheckpointInterval, time.Minute)
	def(&o.AppendTimeout, 5*time.Second)
	if o.TextLimit == 0 {
		o.TextLimit = 32 << 10
	}
	if o.KeyFile == "" {
		o.KeyFile = filepath.Join(o.Dir, keyName)
	}
	if o.OnState == nil {
		o.OnState = func(error) {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.OpenFile == nil {
		o.OpenFile = func(name string, flag int, perm os.FileMode) (File, error) {
			return os.OpenFile(name, flag, perm)
		}
	}
	return o
}

func (o *Options) check() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(o.Dir == "", "no directory")
	fault(o.Durability != DurabilityWrite && o.Durability != DurabilityFsync, "durability %q is neither write nor fsync", o.Durability)
	fault(o.SegmentBytes < 4096, "segment size %d is below 4096", o.SegmentBytes)
	fault(o.SegmentAge < 0, "negative segment age")
	fault(o.RetainSegments < 0 || o.RetainAge < 0, "negative retention")
	fault(o.SyncInterval < 0 || o.CheckpointInterval < 0 || o.AppendTimeout < 0, "negative interval")
	fault(o.TextLimit < 0 || o.TextLimit > maxTextLimit, "text limit %d is not within 1..%d", o.TextLimit, maxTextLimit)
	fault(o.SigningKey != nil && len(o.SigningKey) != ed25519.PrivateKeySize, "signing key is not an Ed25519 private key")
	for i, s := range o.Sinks {
		fault(s.Name == "" || s.Sink == nil, "sink %d has no name or no sink", i+1)
	}
	return errors.Join(errs...)
}
