package auth

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weirdb/weir/store"
)

// oneUser is a store of ana alone.
type oneUser struct{ store.User }

func (u oneUser) LookupUser(_ context.Context, name string) (store.User, error) {
	if name != u.Name {
		return store.User{}, &store.NotFound{Object: store.ObjectUser, Name: name}
	}
	return u.User, nil
}

func TestKept(t *testing.T) {
	scram, err := NewVerifier("a long enough password", MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	text := EncodeVerifiers(scram, map[string][]byte{"first": []byte("one"), "second": []byte("two")})
	disabled := time.Now()
	user := func(change func(*store.User)) oneUser {
		u := store.User{ID: "local|ana", Name: "ana", Verifier: text}
		change(&u)
		return oneUser{u}
	}
	nothing := func(*store.User) {}
	for name, c := range map[string]struct {
		user           oneUser
		asked, of, has string
		want           bool
	}{
		"the first":            {user(nothing), "ana", "first", "one", true},
		"the second":           {user(nothing), "ana", "second", "two", true},
		"another's verifier":   {user(nothing), "ana", "second", "one", false},
		"a mechanism without":  {user(nothing), "ana", "third", "", false},
		"part of a name":       {user(nothing), "ana", "sec", "", false},
		"an unknown user":      {user(nothing), "bob", "first", "", false},
		"somebody disabled":    {user(func(u *store.User) { u.DisabledAt = disabled }), "ana", "first", "one", false},
		"SCRAM alone":          {user(func(u *store.User) { u.Verifier = scram.Encode() }), "ana", "first", "", false},
		"no password":          {user(func(u *store.User) { u.Verifier = "" }), "ana", "first", "", false},
		"what is not base64":   {user(func(u *store.User) { u.Verifier = scram.Encode() + "\nfirst:%%" }), "ana", "first", "", false},
		"what nobody can mean": {user(func(u *store.User) { u.Verifier = scram.Encode() + store.Secret("\nfirst:"+encode64(make([]byte, 65))) }), "ana", "first", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(c.user, make([]byte, 32), Options{Cleartext: true})
			if err != nil {
				t.Fatal(err)
			}
			asked := 0
			id, verifier, err := a.Kept(t.Context(), c.asked, c.of, func(v []byte) bool { asked++; return bytes.Equal(v, []byte(c.has)) })
			if err != nil || (id != nil) != c.want || asked != 1 {
				t.Errorf("identity %v, error %v, asked %d times", id, err, asked)
			}
			if id != nil && (string(verifier) != c.has || id.Method != c.of) {
				t.Errorf("verifier %q, method %s", verifier, id.Method)
			}
			if c.user.Verifier == text && !c.user.Disabled() { // SCRAM's own is not in the way
				if _, err := a.Password(t.Context(), "ana", "a long enough password"); err != nil {
					t.Error(err)
				}
			}
			var f *Failure
			if err := a.Refuse(t.Context(), "ana", c.of); !errors.As(err, &f) || f.Reason != ReasonWrongPassword || f.Method != c.of {
				t.Errorf("refused with %v", err)
			}
		})
	}
}
