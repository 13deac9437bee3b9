package policy

import (
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

	// OnReload is called after every attempt to load a changed policy, and must
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
	// LastError is why the newest attempt to reload failed, empty if it did
	// not; LastErrorAt is when.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}
