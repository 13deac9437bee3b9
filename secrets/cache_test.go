package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirdb/weir/secrets"
)

// counter is a provider whose answers are its own.
type counter struct {
	reads atomic.Int64
	read  func(ctx context.Context, n int64) (secrets.Document, error)
}

func (c *counter) Read(ctx context.Context, _ secrets.Location) (secrets.Document, error) {
	return c.read(ctx, c.reads.Add(1))
}

func with(c *counter, cache time.Duration) *secrets.Resolver {
	return secrets.New(secrets.Options{Providers: map[string]secrets.Provider{"c": c}, Cache: cache, Timeout: time.Second})
}

func mustRef(t *testing.T, text string) secrets.Ref {
	t.Helper()
	ref, err := secrets.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestManyAtOnceReadOnce(t *testing.T) {
	c := &counter{read: func(context.Context, int64) (secrets.Document, error) {
		time.Sleep(50 * time.Millisecond)
		return secrets.TextDocument(`{"a":"x","b":"y"}`), nil
	}}
	r, a, b := with(c, time.Minute), mustRef(t, "${c:p#a}"), mustRef(t, "${c:p#b}")
	defer r.Close()
	begun := time.Now()
	everybody := func(do func() ([]secrets.Value, error)) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v, err := do(); err != nil || v[0].Reveal()+v[1].Reveal() != "xy" {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	everybody(func() ([]secrets.Value, error) { return r.ResolveAll(t.Context(), a, b) })
	if n := c.reads.Load(); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	everybody(func() ([]secrets.Value, error) { return r.Refresh(t.Context(), begun, a, b) })
	if n := c.reads.Load(); n != 1 {
		t.Errorf("%d reads, want 1: the first was late enough", n)
	}
	late := time.Now()
	everybody(func() ([]secrets.Value, error) { return r.Refresh(t.Context(), late, a, b) })
	if n := c.reads.Load(); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
}

func TestFailuresRestAndWhatIsKeptIsUsed(t *testing.T) {
	c := &counter{read: func(_ context.Context, n int64) (secrets.Document, error) {
		if n == 1 {
			return secrets.TextDocument("kept"), nil
		}
		return secrets.Document{}, errors.New("away")
	}}
	r, ref := with(c, time.Millisecond), mustRef(t, "${c:p}")
	defer r.Close()
	for range 20 {
		if v, err := r.Resolve(t.Context(), ref); err != nil || v.Reveal() != "kept" {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if _, err := r.Refresh(t.Context(), time.Now(), ref); err == nil || !strings.Contains(err.Error(), "away") {
		t.Errorf("refresh: %v", err)
	}
	if n := c.reads.Load(); n != 2 {
		t.Errorf("%d reads within the first pause, want 2", n)
	}
}

func TestSlowProviderIsBounded(t *testing.T) {
	c := &counter{read: func(ctx context.Context, _ int64) (secrets.Document, error) {
		<-ctx.Done()
		return secrets.Document{}, ctx.Err()
	}}
	r, begun := with(c, time.Minute), time.Now()
	defer r.Close()
	if _, err := r.Resolve(t.Context(), mustRef(t, "${c:p}")); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}

func TestWhatExpiresAtOnceEnds(t *testing.T) {
	c := &counter{read: func(context.Context, int64) (secrets.Document, error) {
		d := secrets.TextDocument("x")
		d.Expires = time.Now()
		return d, nil
	}}
	r := with(c, time.Minute)
	defer r.Close()
	if _, err := r.Resolve(t.Context(), mustRef(t, "${c:p}")); err == nil || !strings.Contains(err.Error(), "expires") {
		t.Error(err)
	}
}

var errRefused = errors.New("refused")

func isRefused(err error) bool { return errors.Is(err, errRefused) }

func TestCredentialIsReadAgainOnce(t *testing.T) {
	var version atomic.Int64
	version.Store(1)
	c := &counter{read: func(context.Context, int64) (secrets.Document, error) {
		return secrets.TextDocument(fmt.Sprint(version.Load())), nil
	}}
	r := with(c, time.Hour)
	defer r.Close()
	credential, accepted, tries := r.Credential(mustRef(t, "${c:p}")), "1", 0
	use := func() error {
		return credential.Use(t.Context(), isRefused, func(_ context.Context, v []secrets.Value) error {
			tries++
			if v[0].Reveal() != accepted {
				return errRefused
			}
			return nil
		})
	}
	if err := use(); err != nil || tries != 1 {
		t.Fatalf("%v after %d tries", err, tries)
	}
	version.Store(2)
	accepted = "2"
	if err := use(); err != nil || tries != 3 {
		t.Fatalf("rotated: %v after %d tries", err, tries)
	}
	accepted = "3" // the server is ahead of the provider
	if err := use(); !isRefused(err) || tries != 4 {
		t.Fatalf("ahead: %v after %d tries", err, tries)
	}
	var rest *secrets.RestError
	for range 100 {
		if err := use(); !errors.As(err, &rest) || tries != 4 {
			t.Fatalf("resting: %v after %d tries", err, tries)
		}
	}
	version.Store(3)
	time.Sleep(time.Until(rest.Until) + 10*time.Millisecond)
	if err := use(); err != nil || tries != 5 {
		t.Errorf("after the pause: %v after %d tries, want 5: what was refused is read again first", err, tries)
	}
}
