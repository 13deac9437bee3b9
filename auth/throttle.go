package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/weirdb/weir/auth/external"
	"github.com/weirdb/weir/store"
)

// ReasonThrottled is a login that was not tried: too many have failed.
const ReasonThrottled Reason = "throttled"

// What a Throttle remembers.
const (
	throttled      = 16 << 10 // of each kind, those used last
	throttleMemory = 15 * time.Minute
	knownFor       = 30 * 24 * time.Hour // since the last login
)

// Throttle bounds how often passwords can be guessed. After some failures of
// one name from one address there is a pause before the next attempt, which
// doubles with each; failures of one name from everywhere, and of many names
// from one address, cost shorter pauses. Whether a name exists makes no
// difference. Attempts under way count for nothing, so that a pool may open
// all its connections at once; but where there are pauses, one is made at a
// time. Where a name has logged in from lately, only its own failures from
// there count: nobody elsewhere can keep it out. A nil Throttle lets everybody
// try.
type Throttle struct {
	pair, user, address rule

	mu        sync.Mutex
	known     *simplelru.LRU[pairKey, time.Time] // last login; guarded by mu, as those below
	pairs     *simplelru.LRU[pairKey, *counter]
	users     *simplelru.LRU[string, *counter]
	addresses *simplelru.LRU[netip.Prefix, *counter]
}

// rule says from how many failures on there are pauses, and the longest.
type rule struct {
	free    int
	longest time.Duration
}

func (r rule) pause(failures int) time.Duration {
	if failures <= r.free {
		return 0
	}
	return min(r.longest, time.Second<<min(failures-r.free-1, 20))
}

type pairKey struct {
	user    string
	address netip.Prefix
}

// counter counts failures that followed each other.
type counter struct {
	failures int
	pending  int // attempts under way
	last     time.Time
	until    time.Time // no attempt before
}

// NewThrottle returns a Throttle that lets attempts of one name from one
// address fail before it pauses, for longest at most. With attempts 0 it
// returns nil.
func NewThrottle(attempts int, longest time.Duration) *Throttle {
	if attempts <= 0 {
		return nil
	}
	t := &Throttle{pair: rule{attempts, longest}}
	// Short enough not to keep somebody out on purpose.
	t.user = rule{10 * attempts, min(longest, 5*time.Second)}
	t.address = rule{20 * attempts, min(longest, 10*time.Second)}
	t.known, _ = simplelru.NewLRU[pairKey, time.Time](throttled, nil) // fails for sizes below 1 alone
	t.pairs, _ = simplelru.NewLRU[pairKey, *counter](throttled, nil)
	t.users, _ = simplelru.NewLRU[string, *counter](throttled, nil)
	t.addresses, _ = simplelru.NewLRU[netip.Prefix, *counter](throttled, nil)
	return t
}

// Guard runs an attempt to log in with a password, if one may be made. Whatever
// does not end in an identity has failed, also where the client leaves: it may
// have learned enough. Only a store or source that is away is nobody's fault.
func (t *Throttle) Guard(user string, from net.Addr, attempt func() (*Identity, error)) (*Identity, error) {
	var address netip.AddrPort
	if from != nil {
		address, _ = netip.ParseAddrPort(from.String()) // zero for other networks
	}
	try, err := t.Admit(user, address.Addr(), time.Now())
	if err != nil {
		return nil, err
	}
	ended := false
	defer func() {
		if !ended { // a panic
			try.Failed(time.Now())
		}
	}()
	identity, err := attempt()
	ended = true
	var away *store.Unavailable
	var silent *external.Failure
	switch {
	case err == nil:
		try.Passed(time.Now())
	case errors.As(err, &away), errors.As(err, &silent) && silent.Reason == external.Unavailable:
		try.Abandoned()
	default:
		try.Failed(time.Now())
	}
	return identity, err
}

// Try is an attempt that may be made. One of its methods tells how it ended.
type Try struct {
	throttle            *Throttle
	key                 pairKey
	pair, name, address *counter
}

// Admit lets somebody try a password, or returns a *Failure that says how long
// to wait.
func (t *Throttle) Admit(user string, from netip.Addr, now time.Time) (*Try, error) {
	if t == nil {
		return nil, nil
	}
	name := canonical(user)
	key := pairKey{name, networkOf(from)}
	t.mu.Lock()
	defer t.mu.Unlock()
	pair, everywhere, address := count(t.pairs, key, now), count(t.users, name, now), count(t.addresses, key.address, now)
	until := pair.earliest(t.pair, now)
	if at, ok := t.known.Get(key); !ok || now.Sub(at) > knownFor {
		until = later(until, later(everywhere.earliest(t.user, now), address.earliest(t.address, now)))
	}
	if wait := until.Sub(now); wait > 0 {
		wait = (wait + time.Second - 1).Truncate(time.Second)
		return nil, &Failure{Public: fmt.Sprintf("too many failed logins of user \"%s\": try again in %s", user, wait), Reason: ReasonThrottled,
			Cause: fmt.Errorf("%d failed in a row from %s, %d of the name, %d names from the address", pair.failures, key.address, everywhere.failures, address.failures)}
	}
	for _, c := range []*counter{pair, everywhere, address} {
		c.pending++
		c.last = now
	}
	return &Try{t, key, pair, everywhere, address}, nil
}

// canonical is a name as a key: spellings that may mean one user are one, and
// what is too long to be a name takes no more room than one.
func canonical(user string) string {
	name, err := store.NormalizeName(user)
	if err == nil {
		return strings.ToLower(name)
	}
	if len(user) <= store.MaxName {
		return strings.ToLower(user)
	}
	sum := sha256.Sum256([]byte(user))
	return "\x00" + string(sum[:]) // no name begins so
}

// earliest is when the next attempt may be made.
func (c *counter) earliest(r rule, now time.Time) time.Time {
	if c.failures > r.free && c.pending > 0 {
		return later(c.until, now.Add(time.Second))
	}
	return c.until
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// networkOf is the address, or for IPv6 the network of one customer.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // fails for no address, which is one more key
	return p
}

func count[K comparable](of *simplelru.LRU[K, *counter], key K, now time.Time) *counter {
	c, ok := of.Get(key)
	if !ok || now.Sub(c.last) > throttleMemory {
		c = &counter{}
		of.Add(key, c)
	}
	return c
}

func (c *counter) add(r rule, now time.Time) {
	c.failures++
	c.last, c.until = now, now.Add(r.pause(c.failures))
}

// Passed forgets the failures of the name from this address, and remembers that
// it logs in from there. Those from elsewhere were somebody else's.
func (t *Try) Passed(now time.Time) {
	t.end(func() {
		t.name.failures = max(0, t.name.failures-t.pair.failures)
		t.pair.failures, t.pair.until = 0, time.Time{}
		t.throttle.known.Add(t.key, now)
	})
}

// Failed counts a failure. The address's are different names: one client that
// goes on and on is one.
func (t *Try) Failed(now time.Time) {
	t.end(func() {
		t.pair.add(t.throttle.pair, now)
		t.name.add(t.throttle.user, now)
		if t.pair.failures == 1 {
			t.address.add(t.throttle.address, now)
		}
	})
}

// Abandoned takes the attempt back: nobody could say whether it would pass.
func (t *Try) Abandoned() { t.end(func() {}) }

func (t *Try) end(how func()) {
	if t == nil {
		return
	}
	t.throttle.mu.Lock()
	defer t.throttle.mu.Unlock()
	for _, c := range []*counter{t.pair, t.name, t.address} {
		c.pending--
	}
	how()
}
