package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// watch runs Watch until the test ends and returns what it delivers.
func watch(t *testing.T, s *Store, after int64) <-chan Change {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan Change, 100)
	done := make(chan error, 1)
	go func() { done <- s.Watch(ctx, after, func(c Change) { changes <- c }) }() // stopped by cancel
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("watch ended with %v", err)
		}
	})
	return changes
}

func next(t *testing.T, changes <-chan Change) Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(5 * time.Second):
		t.Fatal("no change was delivered")
		return Change{}
	}
}

func testWatchSeesAnotherProcess(t *testing.T, p place) {
	s := p.open(t, Options{})
	ana := addUser(t, s, NewUser{Name: "ana"})
	revision, err := s.Revision(t.Context())
	must(t, err)
	changes := watch(t, s, revision)

	p.disableAna(t)
	committed := time.Now()
	c := next(t, changes)
	if late := time.Since(committed); late > time.Second {
		t.Errorf("delivered %v after the other process was done", late)
	}
	if c.Kind != KindUserDisabled || c.UserID != ana.ID || !c.Concerns(ana.ID) || c.Concerns("local|other") || c.Revision != revision+1 {
		t.Errorf("delivered %+v", c)
	}
	if user, err := s.LookupUser(t.Context(), "ana"); err != nil || !user.Disabled() {
		t.Errorf("user is disabled %v, %v", user.Disabled(), err)
	}
}

func testWatchDeliversInOrderFromOwnHandle(t *testing.T, p place) {
	s := p.open(t, Options{})
	addUser(t, s, NewUser{Name: "first"})
	changes := watch(t, s, 0) // the feed is read from its start
	must(t, s.AddProject(t.Context(), "sales"))
	must(t, s.UpdateUser(t.Context(), "first", UserUpdate{ProjectRoles: map[string]string{"sales": ProjectOwner}}))
	for i, want := range []Kind{KindUserAdded, KindProjectAdded, KindProjectRoleSet} {
		if c := next(t, changes); c.Kind != want || c.Revision != int64(i+1) {
			t.Errorf("change %d is %+v, want %s", i, c, want)
		}
	}
}

func testWatchSaysWhenTheFeedIsTooShort(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	must(t, s.inWrite(ctx, func(_ context.Context, w *writer) error {
		for i := range keptChanges + 5 {
			w.changed(Change{Kind: KindGroupAdded, Name: fmt.Sprint(i)})
		}
		return nil
	}))
	c := next(t, watch(t, s, 2))
	if c.Kind != KindResync || c.Revision != keptChanges+5 || !c.Concerns("anybody") {
		t.Errorf("delivered %+v", c)
	}
}

func testWatchSaysWhenTheFeedWentBack(t *testing.T, p place) {
	s := p.open(t, Options{})
	addUser(t, s, NewUser{Name: "ana"})
	if c := next(t, watch(t, s, 50)); c.Kind != KindResync || c.Revision != 1 {
		t.Errorf("delivered %+v", c)
	}
}
