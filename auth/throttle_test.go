package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// guess makes attempts that fail, as fast as they are let, and returns how many
// were made in a time.
func guess(t *testing.T, th *Throttle, now *time.Time, during time.Duration, who func(i int) (string, netip.Addr)) int {
	t.Helper()
	made := 0
	for end := now.Add(during); now.Before(end); *now = now.Add(100 * time.Millisecond) {
		user, from := who(made)
		try, err := th.Admit(user, from, *now)
		var f *Failure
		switch {
		case err == nil:
			try.Failed(*now)
			made++
		case !errors.As(err, &f) || f.Reason != ReasonThrottled || !strings.Contains(f.Public, "try again in "):
			t.Fatal(err)
		}
	}
	return made
}

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestThrottleBoundsGuesses(t *testing.T) {
	for name, c := range map[string]struct {
		who  func(i int) (string, netip.Addr)
		most int // in an hour, where 36,000 were tried
	}{
		"one name from one address":  {func(int) (string, netip.Addr) { return "ana", address(1) }, 5 + 6 + 60},
		"one name from everywhere":   {func(i int) (string, netip.Addr) { return "ana", address(i) }, 50 + 3 + 720},
		"all names from one address": {func(i int) (string, netip.Addr) { return fmt.Sprint(i), address(1) }, 100 + 4 + 360},
		"one name from a network of IPv6": {func(i int) (string, netip.Addr) {
			return "ana", netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i+1))
		}, 5 + 6 + 60},
	} {
		now := time.Unix(1e9, 0)
		if made := guess(t, NewThrottle(5, time.Minute), &now, time.Hour, c.who); made > c.most || made < c.most/4 {
			t.Errorf("%s: %d guesses in an hour, expected about %d", name, made, c.most)
		}
	}
}

func TestThrottleLetsPeopleIn(t *testing.T) {
	th, now := NewThrottle(3, time.Minute), time.Unix(1e9, 0)
	admit := func(user string, from int) *Try {
		t.Helper()
		try, err := th.Admit(user, address(from), now)
		if err != nil {
			t.Fatalf("%s from %d: %v", user, from, err)
		}
		return try
	}
	fail := func(user string, from int) {
		t.Helper()
		admit(user, from).Failed(now)
	}
	refused := func(user string, from int) {
		t.Helper()
		if _, err := th.Admit(user, address(from), now); err == nil {
			t.Fatalf("%s from %d was let try", user, from)
		}
	}
	for range 3 {
		fail("ana", 1)
	}
	fail("ana", 1)
	refused("ana", 1)
	admit("bob", 1).Passed() // another name from there
	admit("ana", 2).Passed() // the same from elsewhere, which is the real one
	refused("ana", 1)
	now = now.Add(time.Second)
	fail("ana", 1)
	now = now.Add(time.Second)
	refused("ana", 1) // the pause doubles
	now = now.Add(time.Second)
	admit("ana", 1).Passed()
	for range 3 {
		fail("ana", 1)
	}
	now = now.Add(throttleMemory + time.Second)
	for range 4 {
		fail("ana", 1) // forgotten
	}
	for range 50 { // clients that ask for a password first
		admit("carl", 1).Abandoned()
	}
	var pool []*Try
	for range 100 { // a pool opens its connections
		pool = append(pool, admit("dora", 1))
	}
	for _, try := range pool {
		try.Failed(now)
	}
	refused("dora", 1)
	now = now.Add(time.Minute)
	admit("dora", 1)
	refused("dora", 1) // one at a time now
	var off *Throttle
	if NewThrottle(0, time.Minute) != nil {
		t.Error("0 attempts is no throttle")
	}
	try, err := off.Admit("ana", address(1), now)
	if err != nil {
		t.Error(err)
	}
	try.Passed()
	try.Abandoned()
}

func TestThrottleIsBounded(t *testing.T) {
	th, now := NewThrottle(5, time.Minute), time.Unix(1e9, 0)
	for i := range 3 * throttled {
		_, _ = th.Admit(fmt.Sprint(i), address(i), now)
	}
	if th.pairs.Len() > throttled || th.users.Len() > throttled || th.addresses.Len() > throttled {
		t.Error("it grows")
	}
}
