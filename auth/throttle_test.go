package auth

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirdb/weir/store"
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
	admit("bob", 1).Passed(now) // another name from there
	admit("ana", 2).Passed(now) // the same from elsewhere, which is the real one
	refused("ana", 1)
	now = now.Add(time.Second)
	fail("ana", 1)
	now = now.Add(time.Second)
	refused("ana", 1) // the pause doubles
	now = now.Add(time.Second)
	admit("ana", 1).Passed(now)
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
	try.Passed(now)
	try.Abandoned()
}

// TestThrottleKeepsNobodyOut: what others do elsewhere is no reason to refuse a
// name where it has logged in before, and is forgotten by no login of it.
func TestThrottleKeepsNobodyOut(t *testing.T) {
	th, now := NewThrottle(5, time.Minute), time.Unix(1e9, 0)
	login := func(user string, from int) error {
		try, err := th.Admit(user, address(from), now)
		if err == nil {
			try.Passed(now)
		}
		return err
	}
	if err := login("ana", 1); err != nil {
		t.Fatal(err)
	}
	guesses := 0
	attack := func(user string, from int) {
		if try, err := th.Admit(user, address(from), now); err == nil {
			try.Failed(now)
			guesses++
		}
	}
	for i := range 20_000 {
		attack("ana", 1000+i)
		attack(fmt.Sprint(i), 1)
		if i%10 == 0 {
			if err := login("ana", 1); err != nil {
				t.Fatalf("after %d guesses elsewhere: %v", i, err)
			}
		}
		now = now.Add(10 * time.Millisecond)
	}
	if guesses > 50+3+40+100+4+20 {
		t.Errorf("%d guesses in 200 s", guesses)
	}
	if err := login("ana", 2); err == nil {
		t.Error("it was let try from a new address")
	}
	// One attempt that hangs delays those from new addresses alone.
	now = now.Add(10 * time.Second)
	if _, err := th.Admit("ana", address(999_999), now); err != nil {
		t.Fatal(err)
	}
	if err := login("ana", 2); err == nil {
		t.Error("two at a time from new addresses")
	}
	if err := login("ana", 1); err != nil {
		t.Error(err)
	}
	now = now.Add(knownFor + time.Second)
	for i := range 100 {
		attack("ana", 1000+i)
	}
	if err := login("ana", 1); err == nil {
		t.Error("an address is known for ever")
	}
}

func TestGuardPanics(t *testing.T) {
	th := NewThrottle(1, time.Minute)
	from := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}
	for range 2 {
		func() {
			defer func() { _ = recover() }()
			_, _ = th.Guard("ana", from, func() (*Identity, error) { panic("broken") })
		}()
	}
	if _, err := th.Admit("ana", from.AddrPort().Addr(), time.Now().Add(2*time.Second)); err != nil {
		t.Errorf("the attempt that broke is under way still: %v", err)
	}
}

// TestThrottleKnowsSpellings: a directory takes every case of a name for the
// same one, and the store every composition of a letter.
func TestThrottleKnowsSpellings(t *testing.T) {
	for _, spelling := range []func(i int) string{
		func(i int) string {
			name := []byte("anaalmeida@corp.example")
			for bit := range 10 {
				if i>>bit&1 == 1 {
					name[bit] -= 'a' - 'A'
				}
			}
			return string(name)
		},
		func(i int) string { return "ren" + []string{"é", "e\u0301", "É", "E\u0301"}[i%4] },
	} {
		now := time.Unix(1e9, 0)
		if made := guess(t, NewThrottle(5, time.Minute), &now, time.Hour, func(i int) (string, netip.Addr) { return spelling(i), address(1) }); made > 5+6+60 {
			t.Errorf("%d guesses in an hour at %s", made, spelling(0))
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	th, now := NewThrottle(5, time.Minute), time.Unix(1e9, 0)
	for i := range 3 * throttled {
		_, _ = th.Admit(fmt.Sprint(i), address(i), now)
	}
	if th.pairs.Len() > throttled || th.users.Len() > throttled || th.addresses.Len() > throttled {
		t.Error("it grows")
	}
	for i := range 10 {
		_, _ = th.Admit(fmt.Sprint(i)+strings.Repeat("x", 60_000), address(i), now)
	}
	if slices.ContainsFunc(th.users.Keys(), func(k string) bool { return len(k) > store.MaxName }) {
		t.Error("a client decides how much a name takes")
	}
}
