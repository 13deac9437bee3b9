package secrets

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Credential is a set of secrets that belong together, with what is known of
// their being refused. It is safe for concurrent use.
type Credential struct {
	resolver *Resolver
	refs     []Ref

	mu      sync.Mutex
	refused [sha256.Size]byte // of the values that were refused last
	pause   time.Duration     // zero: none were
	until   time.Time
	at      time.Time // of the refusal that counted last
}

// Credential makes one of references.
func (r *Resolver) Credential(refs ...Ref) *Credential { return &Credential{resolver: r, refs: refs} }

// RestError says that the secrets were refused and are not tried again yet.
type RestError struct{ Until time.Time }

func (e *RestError) Error() string {
	return fmt.Sprintf("the secrets were refused and have not changed; next try after %s", e.Until.UTC().Format(time.RFC3339))
}

// Use calls try with the secrets' values. If the values are refused, they are
// read again once and, where they have changed, tried once more. Refused values
// that stay the same are not tried before a pause of 1 s, doubling to 1 min,
// is over: the error is a *RestError then.
func (c *Credential) Use(ctx context.Context, refused func(error) bool, try func(context.Context, []Value) error) error {
	begun := time.Now()
	values, err := c.resolver.ResolveAll(ctx, c.refs...)
	if err != nil {
		return err
	}
	again, err := c.allowed(values)
	if err != nil {
		return err
	}
	if again {
		if fresh, err := c.resolver.Refresh(ctx, begun, c.refs...); err == nil {
			values = fresh
		}
	}
	err = try(ctx, values)
	if err == nil || !refused(err) {
		if err == nil {
			c.accept()
		}
		return err
	}
	fresh, readErr := c.resolver.Refresh(ctx, begun, c.refs...)
	if readErr != nil || digest(fresh) == digest(values) {
		c.refuse(values)
		return err
	}
	if err = try(ctx, fresh); err == nil {
		c.accept()
	} else if refused(err) {
		c.refuse(fresh)
	}
	return err
}

// allowed lets values through that were not refused, and of the others one
// caller after each pause, who is to read them again first.
func (c *Credential) allowed(values []Value) (again bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pause == 0 || digest(values) != c.refused {
		return false, nil
	}
	now := time.Now()
	if now.Before(c.until) {
		return false, &RestError{c.until}
	}
	c.until = now.Add(c.pause)
	return true, nil
}

func (c *Credential) accept() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pause = 0
}

func (c *Credential) refuse(values []Value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, now := digest(values), time.Now()
	if d != c.refused {
		c.pause = 0
	}
	if c.pause != 0 && now.Sub(c.at) < c.pause/2 {
		return // of those that tried together, the first has counted
	}
	c.at = now
	c.refused, c.pause = d, min(max(2*c.pause, firstPause), lastPause)
	c.until = now.Add(c.pause)
}

// digest tells sets of values apart without keeping them.
func digest(values []Value) [sha256.Size]byte {
	h := sha256.New()
	for _, v := range values {
		part := sha256.Sum256([]byte(v.secret))
		h.Write(part[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
