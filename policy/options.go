package policy

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"
)

// Options says where policy comes from and how it is run. The zero value is the
// shipped policy with its example data.
type Options struct {
	// Folder is a directory of Rego modules and YAML data, Bundle an OPA bundle,
	// FS a file system that does not change. At most one is set.
	Folder string
	Bundle *Bundle
	FS     fs.FS

	// Deadline bounds one decision; 100 ms if zero.
	Deadline time.Duration
	// CacheEntries bounds the decision cache; 16384 if zero, no cache if
	// negative.
	CacheEntries int
	// PollInterval is how often a folder or bundle is looked at for changes;
	// 2 s for a folder and 60 s for a bundle if zero, never if negative.
	PollInterval time.Duration
	// TestOnLoad refuses a policy whose own tests fail.
	TestOnLoad bool
	// ValidateMask reports what is wrong with a mask of the policy data; nil
	// accepts every mask. A policy with a faulty mask does not load.
	ValidateMask MaskValidator

	// OnReload is called after every attempt to load a changed policy, not after
	// the first load and not when watching fails again as it did before. It must
	// not call the engine's Reload or Close. Nil is no hook.
	OnReload func(Reloaded)
	// Logger hears of reloads; nil discards.
	Logger *slog.Logger
}

// MaskValidator says what is wrong with a mask function and its arguments, nil
// if nothing is.
type MaskValidator func(function string, args map[string]any) error

// Bundle is an OPA bundle in a file or behind an URL.
type Bundle struct {
	// Location is a path, or an URL with scheme http or https.
	Location string
	// Header is sent with every request, for example Authorization.
	Header http.Header
	// Client makes the requests; nil is a client of the engine's own.
	Client *http.Client
	// Timeout bounds one download; 30 s if zero.
	Timeout time.Duration
	// MaxBytes bounds the compressed and each unpacked file; 64 MiB if zero.
	MaxBytes int64
	// Keys verify the bundle's signature, by key id.
	Keys map[string]Key
	// KeyID is the key that must have signed; empty takes the id that the
	// signature names, if it is one of Keys.
	KeyID string
	// Scope is the scope that the signature must carry; empty is none.
	Scope string
	// AllowUnsigned accepts a bundle without a signature when Keys is empty.
	AllowUnsigned bool
}

// Key verifies bundle signatures.
type Key struct {
	// PEM is a public key in PEM, or the shared secret of an HMAC algorithm.
	PEM string
	// Algorithm is the JWS algorithm, "RS256" if empty.
	Algorithm string
}

// Reloaded tells what came of an attempt to load a changed policy.
type Reloaded struct {
	Revision string // in force now
	Err      error  // nil if the changed policy is in force
}

// Status is the state of an engine.
type Status struct {
	Source   string    `json:"source"` // for people
	Revision string    `json:"revision"`
	LoadedAt time.Time `json:"loaded_at"`
	// ReadsInput lists the paths of the input that the policy is able to read;
	// Cached is false where it reads the clock, so that nothing can be kept.
	ReadsInput []string `json:"reads_input"`
	Cached     bool     `json:"cached"`
	// LastError is why the newest attempt to reload failed, empty if it did
	// not; LastErrorAt is when.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

const (
	defaultDeadline       = 100 * time.Millisecond
	defaultCacheEntries   = 1 << 14
	defaultFolderInterval = 2 * time.Second
	defaultBundleInterval = 60 * time.Second
)

func (o *Options) deadline() time.Duration {
	if o.Deadline <= 0 {
		return defaultDeadline
	}
	return o.Deadline
}

func (o *Options) cacheEntries() int {
	if o.CacheEntries == 0 {
		return defaultCacheEntries
	}
	return o.CacheEntries
}

// interval is zero if the source is not watched.
func (o *Options) interval() time.Duration {
	switch {
	case o.PollInterval < 0:
		return 0
	case o.PollInterval > 0:
		return o.PollInterval
	case o.Folder != "":
		return defaultFolderInterval
	case o.Bundle != nil:
		return defaultBundleInterval
	}
	return 0
}

func (o *Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

// source finds where policy comes from.
func (o *Options) source() (source, error) {
	given := 0
	for _, set := range []bool{o.Folder != "", o.Bundle != nil, o.FS != nil} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("folder, bundle and file system exclude each other")
	case o.Folder != "":
		return &folderSource{dir: o.Folder}, nil
	case o.Bundle != nil:
		return newBundleSource(o.Bundle)
	case o.FS != nil:
		return fsSource{fsys: o.FS, name: "a file system"}, nil
	}
	return fsSource{fsys: Shipped(), name: "the shipped policy"}, nil
}
