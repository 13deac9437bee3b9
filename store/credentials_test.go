package store

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func testCredentials(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	before := addUser(t, s, NewUser{Name: "reporting"})
	addUser(t, s, NewUser{Name: "ana"})
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	key := Credential{Kind: CredentialAPIKey, Name: "nightly", Hint: "weir_ABCD", Verifier: "v", Project: "sales", Datasource: "shop", ExpiresAt: end}
	added, err := s.AddCredential(ctx, "reporting", key)
	must(t, err)
	user, err := s.LookupUser(ctx, "reporting")
	must(t, err)
	if len(user.Credentials) != 1 || user.Credentials[0] != added || added.ID == "" || added.UserID != user.ID || added.Name != "nightly" || string(added.Verifier) != "v" ||
		!added.ExpiresAt.Equal(end) || !added.LastUsedAt.IsZero() || !added.AuthenticatedAt.IsZero() || added.MFA {
		t.Errorf("%+v\n%+v", user.Credentials, added)
	}
	if !user.UpdatedAt.Equal(before.UpdatedAt) {
		t.Error("a new key ends the user's sessions")
	}
	session := Credential{Kind: CredentialSessionPassword, Name: "nightly", Verifier: "s", MFA: true, AuthenticatedAt: end.Add(-2 * time.Hour), ExpiresAt: end}
	if got, err := s.AddCredential(ctx, "reporting", session); err != nil || !got.MFA || !got.AuthenticatedAt.Equal(session.AuthenticatedAt) {
		t.Errorf("%+v %v", got, err)
	}
	must(t, s.RecordUse(ctx, added.ID, end))
	must(t, s.RecordUse(ctx, added.ID, end.Add(time.Second))) // inside the resolution
	must(t, s.RecordUse(ctx, "gone", end))
	list, err := s.ListCredentials(ctx, CredentialAPIKey)
	if err != nil || len(list) != 1 || !list[0].LastUsedAt.Equal(end) || list[0].UserName != "reporting" {
		t.Errorf("%+v %v", list, err)
	}
	testCredentialErrors(t, s, key)
	key.Replaces = added.ID
	newer, err := s.RotateCredential(ctx, "reporting", key, time.Now().Add(time.Minute))
	must(t, err)
	if user, err = s.LookupUser(ctx, "reporting"); err != nil || len(user.Credentials) != 3 {
		t.Errorf("both count for a while: %+v %v", user.Credentials, err)
	}
	must(t, s.RevokeCredential(ctx, newer.ID))
	must(t, s.RevokeCredential(ctx, newer.ID))
	after, err := s.LookupUser(ctx, "reporting")
	must(t, err)
	if len(after.Credentials) != 2 || !after.UpdatedAt.After(user.UpdatedAt) {
		t.Errorf("revoked: %+v", after)
	}
	// An end that has come.
	key.Replaces, key.Name, key.ExpiresAt = "", "short", time.Now().Add(20*time.Millisecond)
	_, err = s.AddCredential(ctx, "reporting", key)
	must(t, err)
	time.Sleep(30 * time.Millisecond)
	if after, err = s.LookupUser(ctx, "reporting"); err != nil || len(after.Credentials) != 2 {
		t.Errorf("expired: %+v %v", after.Credentials, err)
	}
	must(t, s.RemoveUser(ctx, "reporting"))
	if list, err = s.ListCredentials(ctx, CredentialAPIKey); err != nil || len(list) != 0 {
		t.Errorf("of a user that is gone: %+v %v", list, err)
	}
}

func testCredentialErrors(t *testing.T, s *Store, key Credential) {
	t.Helper()
	ctx := t.Context()
	var missing *NotFound
	var exists *Exists
	var invalid *Invalid
	change := func(f func(*Credential)) Credential { c := key; c.Name = "other"; f(&c); return c }
	if _, err := s.AddCredential(ctx, "nobody", key); !errors.As(err, &missing) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := s.AddCredential(ctx, "reporting", key); !errors.As(err, &exists) {
		t.Errorf("the same name: %v", err)
	}
	for name, c := range map[string]Credential{
		"kind": change(func(c *Credential) { c.Kind = "x" }), "name": change(func(c *Credential) { c.Name = "" }),
		"past": change(func(c *Credential) { c.ExpiresAt = time.Now() }), "no end": change(func(c *Credential) { c.ExpiresAt = time.Time{} }),
		"far": change(func(c *Credential) { c.ExpiresAt = time.Now().Add(367 * 24 * time.Hour) }),
	} {
		if _, err := s.AddCredential(ctx, "reporting", c); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.RotateCredential(ctx, "reporting", change(func(c *Credential) { c.Replaces = "gone" }), time.Now()); !errors.As(err, &missing) {
		t.Errorf("instead of nothing: %v", err)
	}
	if err := s.RevokeCredential(ctx, "gone"); !errors.As(err, &missing) {
		t.Errorf("revoke nothing: %v", err)
	}
	for i := range MaxCredentials + 1 {
		_, err := s.AddCredential(ctx, "ana", change(func(c *Credential) { c.Name = fmt.Sprint(i) }))
		if (err != nil) != (i == MaxCredentials) || err != nil && !errors.As(err, &invalid) {
			t.Errorf("number %d: %v", i, err)
		}
	}
	must(t, s.RemoveUser(ctx, "ana"))
}
