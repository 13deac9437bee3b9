package secrets

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options make a Resolver. Zero durations take the default named.
type Options struct {
	// Providers by scheme, beside env and file. Those that are io.Closers are
	// closed by Close.
	Providers map[string]Provider
	Cache     time.Duration // how long a document is kept without asking again; 1 m
	Timeout   time.Duration // bound for reading a document; 10 s
	Logger    *slog.Logger  // hears of documents that could not be read again; nil: nobody
}

// Resolver resolves references through providers by scheme. It is safe for
// concurrent use. Environment variables and files are read anew each time,
// documents of other providers are kept for a while.
type Resolver struct {
	options Options
	wg      sync.WaitGroup // reads under way

	mu      sync.Mutex
	entries map[key]*entry
	closed  bool
}

// NewResolver makes a resolver for env and file.
func NewResolver() *Resolver { return New(Options{}) }

// New makes a resolver. The caller closes it.
func New(o Options) *Resolver {
	providers := map[string]Provider{"env": env{}, "file": file{}}
	maps.Copy(providers, o.Providers)
	o.Providers = providers
	if o.Cache <= 0 {
		o.Cache = time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Resolver{options: o, entries: map[key]*entry{}}
}

// Close waits for reads under way and closes the providers: leases end.
func (r *Resolver) Close() error {
	r.mu.Lock()
	r.closed = true
	for _, e := range r.entries {
		if e.timer != nil {
			e.timer.Stop()
		}
	}
	clear(r.entries)
	r.mu.Unlock()
	r.wg.Wait()
	var first error
	for _, p := range r.options.Providers {
		if c, ok := p.(io.Closer); ok {
			if err := c.Close(); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}

// Schemes lists the known schemes, sorted.
func (r *Resolver) Schemes() []string { return slices.Sorted(maps.Keys(r.options.Providers)) }

// Resolve returns the secret that a reference stands for.
func (r *Resolver) Resolve(ctx context.Context, ref Ref) (Value, error) {
	values, err := r.ResolveAll(ctx, ref)
	if err != nil {
		return Value{}, err
	}
	return values[0], nil
}

// ResolveAll returns secrets that belong together: fields of one document are
// of one reading of it.
func (r *Resolver) ResolveAll(ctx context.Context, refs ...Ref) ([]Value, error) {
	return r.all(ctx, time.Time{}, refs)
}

// Refresh is ResolveAll with documents that were read after a moment, because
// those from before have proven useless.
func (r *Resolver) Refresh(ctx context.Context, after time.Time, refs ...Ref) ([]Value, error) {
	return r.all(ctx, after, refs)
}

func (r *Resolver) all(ctx context.Context, after time.Time, refs []Ref) ([]Value, error) {
	values, documents := make([]Value, len(refs)), map[key]Document{}
	for i, ref := range refs {
		if ref.scheme == "" {
			values[i] = Value{ref.path}
			continue
		}
		at := Location{Path: ref.path}
		if !verbatim(ref.scheme) {
			var err error
			if at, err = ParseLocation(ref.path); err != nil {
				return nil, fmt.Errorf("resolve %s: %w", ref, err)
			}
		}
		k := key{ref.scheme, at.document()}
		d, ok := documents[k]
		if !ok {
			var err error
			if d, err = r.document(ctx, k, after); err != nil {
				return nil, fmt.Errorf("resolve %s: %w", ref, err)
			}
			documents[k] = d
		}
		v, err := d.field(at.Field)
		if err == nil && v.secret == "" {
			err = errEmpty
		}
		if err != nil {
			return nil, fmt.Errorf("resolve %s: %w", ref, err)
		}
		values[i] = v
	}
	return values, nil
}

func (r *Resolver) document(ctx context.Context, k key, after time.Time) (Document, error) {
	p, ok := r.options.Providers[k.scheme]
	if !ok {
		return Document{}, fmt.Errorf("no provider %q; known are %s", k.scheme, strings.Join(r.Schemes(), ", "))
	}
	if verbatim(k.scheme) {
		return p.Read(ctx, k.at)
	}
	return r.cached(ctx, p, k, after)
}
