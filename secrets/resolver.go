package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Provider reads secrets of one scheme.
type Provider interface {
	// Read returns the secret at a path. Its errors name the path, never a secret.
	Read(ctx context.Context, path string) (string, error)
}

// Resolver resolves references through providers by scheme. It is safe for
// concurrent use.
type Resolver struct{ providers map[string]Provider }

// NewResolver makes a resolver for env and file.
func NewResolver() *Resolver {
	return &Resolver{providers: map[string]Provider{"env": env{}, "file": file{}}}
}

// Schemes lists the known schemes, sorted.
func (r *Resolver) Schemes() []string {
	names := make([]string, 0, len(r.providers))
	for n := range r.providers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Resolve reads the secret anew each time, so that a rotated one is found.
func (r *Resolver) Resolve(ctx context.Context, ref Ref) (Value, error) {
	if ref.scheme == "" {
		return Value{ref.path}, nil
	}
	p, ok := r.providers[ref.scheme]
	if !ok {
		return Value{}, fmt.Errorf("resolve %s: no provider %q; known are %s", ref, ref.scheme, strings.Join(r.Schemes(), ", "))
	}
	secret, err := p.Read(ctx, ref.path)
	if err != nil {
		return Value{}, fmt.Errorf("resolve %s: %w", ref, err)
	}
	if secret == "" {
		return Value{}, fmt.Errorf("resolve %s: it is empty", ref)
	}
	return Value{secret}, nil
}

type env struct{}

func (env) Read(_ context.Context, name string) (string, error) {
	v, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
	return v, nil
}

type file struct{}

// maxFile bounds a secret file, in bytes.
const maxFile = 1 << 20

// Read returns the file's content without one final line break.
func (file) Read(_ context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxFile {
		return "", errors.New("file is larger than 1 MiB")
	}
	text := strings.TrimSuffix(string(data), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}
