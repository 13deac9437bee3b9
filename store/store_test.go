package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// disableEnv makes this test binary disable the user "ana" in a store and
// exit: the other process of TestWatchSeesAnotherProcess.
const disableEnv = "STORE_TEST_DISABLE_IN"

func TestMain(m *testing.M) {
	if path := os.Getenv(disableEnv); path != "" {
		if err := disableAna(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func disableAna(path string) error {
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		return err
	}
	return errors.Join(s.DisableUser(context.Background(), "ana"), s.Close())
}

func openAt(t *testing.T, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t *testing.T) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "weir.db"), Options{})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func addUser(t *testing.T, s *Store, user NewUser) User {
	t.Helper()
	added, err := s.AddUser(t.Context(), user)
	must(t, err)
	return added
}

func testUserLifecycle(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	must(t, s.AddGroup(ctx, "analysts"))
	must(t, s.AddGroup(ctx, "auditors"))
	must(t, s.AddProject(ctx, "sales"))
	before := time.Now()
	added := addUser(t, s, NewUser{Name: "ana", Verifier: "v1", Groups: []string{"auditors", "analysts"},
		ProjectRoles: map[string]string{"sales": ProjectViewer}})
	if !strings.HasPrefix(added.ID, "local|") || added.Source != SourceLocal || added.GlobalRole != GlobalMember ||
		added.Disabled() || !added.LastLoginAt.IsZero() || string(added.Verifier) != "v1" {
		t.Errorf("added user is %+v", added)
	}
	if added.CreatedAt.Before(before.Add(-time.Second)) || !added.UpdatedAt.Equal(added.CreatedAt) {
		t.Errorf("times are %v and %v", added.CreatedAt, added.UpdatedAt)
	}
	if !slices.Equal(added.Groups, []string{"analysts", "auditors"}) || !maps.Equal(added.ProjectRoles, map[string]string{"sales": "viewer"}) {
		t.Errorf("groups %v, project roles %v", added.Groups, added.ProjectRoles)
	}

	must(t, s.UpdateUser(ctx, "ana", UserUpdate{GlobalRole: GlobalAdministrator, RemoveGroups: []string{"auditors"},
		ProjectRoles: map[string]string{"sales": ""}}))
	must(t, s.SetVerifier(ctx, "ana", "v2"))
	must(t, s.DisableUser(ctx, "ana"))
	user, err := s.LookupUser(ctx, "ana")
	must(t, err)
	if user.GlobalRole != GlobalAdministrator || !slices.Equal(user.Groups, []string{"analysts"}) ||
		len(user.ProjectRoles) != 0 || string(user.Verifier) != "v2" || !user.Disabled() || !user.UpdatedAt.After(user.CreatedAt) {
		t.Errorf("changed user is %+v", user)
	}
	must(t, s.EnableUser(ctx, "ana"))
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	must(t, s.RecordLogin(ctx, user.ID, at))
	must(t, s.RecordLogin(ctx, user.ID, at.Add(time.Second))) // inside the resolution
	user, err = s.LookupUser(ctx, "ana")
	must(t, err)
	if user.Disabled() || !user.LastLoginAt.Equal(at) {
		t.Errorf("enabled user is disabled %v, last login %v", user.Disabled(), user.LastLoginAt)
	}
	must(t, s.RecordLogin(ctx, user.ID, at.Add(2*time.Minute)))
	users, err := s.ListUsers(ctx)
	must(t, err)
	if len(users) != 1 || !users[0].LastLoginAt.Equal(at.Add(2*time.Minute)) {
		t.Errorf("list is %+v", users)
	}

	must(t, s.RemoveUser(ctx, "ana"))
	again := addUser(t, s, NewUser{Name: "ana"})
	if again.ID == user.ID || len(again.Groups) != 0 {
		t.Errorf("a new user of an old name inherits: %+v", again)
	}
}

func testUpdatedAtFollowsEveryChange(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	must(t, s.AddGroup(ctx, "analysts"))
	must(t, s.AddProject(ctx, "sales"))
	last := addUser(t, s, NewUser{Name: "ana"}).UpdatedAt
	for _, step := range []struct {
		name  string
		do    func() error
		moves bool
	}{
		{"join", func() error { return s.UpdateUser(ctx, "ana", UserUpdate{AddGroups: []string{"analysts"}}) }, true},
		{"join again", func() error { return s.UpdateUser(ctx, "ana", UserUpdate{AddGroups: []string{"analysts"}}) }, false},
		{"project", func() error {
			return s.UpdateUser(ctx, "ana", UserUpdate{ProjectRoles: map[string]string{"sales": ProjectAdmin}})
		}, true},
		{"project again", func() error {
			return s.UpdateUser(ctx, "ana", UserUpdate{ProjectRoles: map[string]string{"sales": ProjectAdmin}})
		}, false},
		{"same role", func() error { return s.UpdateUser(ctx, "ana", UserUpdate{GlobalRole: GlobalMember}) }, false},
		{"role", func() error { return s.UpdateUser(ctx, "ana", UserUpdate{GlobalRole: GlobalAdministrator}) }, true},
		{"password", func() error { return s.SetVerifier(ctx, "ana", "v") }, true},
		{"disable", func() error { return s.DisableUser(ctx, "ana") }, true},
		{"disable again", func() error { return s.DisableUser(ctx, "ana") }, false},
		{"enable", func() error { return s.EnableUser(ctx, "ana") }, true},
		{"group removed", func() error { return s.RemoveGroup(ctx, "analysts") }, true},
		{"project removed", func() error { return s.RemoveProject(ctx, "sales") }, true},
		{"somebody else", func() error { _, err := s.AddUser(ctx, NewUser{Name: "bob"}); return err }, false},
	} {
		must(t, step.do())
		user, err := s.LookupUser(ctx, "ana")
		must(t, err)
		if user.UpdatedAt.After(last) != step.moves {
			t.Errorf("%s: updated_at went from %v to %v", step.name, last, user.UpdatedAt)
		}
		last = user.UpdatedAt
	}
}

func testNamesAreCaseSensitiveAndNormalised(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	addUser(t, s, NewUser{Name: "Ana"})
	addUser(t, s, NewUser{Name: "ana"})
	composed, decomposed := "jos\u00e9", "jose\u0301"
	addUser(t, s, NewUser{Name: decomposed})
	user, err := s.LookupUser(ctx, composed)
	must(t, err)
	if user.Name != composed {
		t.Errorf("stored name is %+q", user.Name)
	}
	var exists *Exists
	if _, err := s.AddUser(ctx, NewUser{Name: composed}); !errors.As(err, &exists) {
		t.Errorf("adding the composed spelling: %v", err)
	}
}

func testTypedErrors(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	addUser(t, s, NewUser{Name: "ana"})
	must(t, s.AddGroup(ctx, "analysts"))
	add := func(user NewUser) error { _, err := s.AddUser(ctx, user); return err }
	lookup := func(name string) error { _, err := s.LookupUser(ctx, name); return err }
	notFound := func(object Object, name string) error { return &NotFound{Object: object, Name: name} }
	exists := func(object Object, name string) error { return &Exists{Object: object, Name: name} }
	tests := []struct {
		name string
		err  error
		want error // nil: any *Invalid
	}{
		{"lookup", lookup("bob"), notFound(ObjectUser, "bob")},
		{"lookup of an impossible name", lookup("bo\x00b"), notFound(ObjectUser, "bo\x00b")},
		{"disable", s.DisableUser(ctx, "bob"), notFound(ObjectUser, "bob")},
		{"enable", s.EnableUser(ctx, "bob"), notFound(ObjectUser, "bob")},
		{"remove", s.RemoveUser(ctx, "bob"), notFound(ObjectUser, "bob")},
		{"password", s.SetVerifier(ctx, "bob", "v"), notFound(ObjectUser, "bob")},
		{"group", add(NewUser{Name: "eve", Groups: []string{"analyst"}}), notFound(ObjectGroup, "analyst")},
		{"project", add(NewUser{Name: "eve", ProjectRoles: map[string]string{"sale": "viewer"}}), notFound(ObjectProject, "sale")},
		{"remove group", s.RemoveGroup(ctx, "x"), notFound(ObjectGroup, "x")},
		{"remove project", s.RemoveProject(ctx, "x"), notFound(ObjectProject, "x")},
		{"add twice", add(NewUser{Name: "ana"}), exists(ObjectUser, "ana")},
		{"group twice", s.AddGroup(ctx, "analysts"), exists(ObjectGroup, "analysts")},
		{"global role", add(NewUser{Name: "eve", GlobalRole: "root"}), nil},
		{"update role", s.UpdateUser(ctx, "ana", UserUpdate{GlobalRole: "root"}), nil},
		{"empty name", add(NewUser{}), nil},
		{"control", add(NewUser{Name: "a\nb"}), nil},
		{"bidi override", add(NewUser{Name: "a\u202eb"}), nil},
		{"zero width", add(NewUser{Name: "a\u200bb"}), nil},
		{"non-breaking space", add(NewUser{Name: "a\u00a0b"}), nil},
		{"space at the end", add(NewUser{Name: "a "}), nil},
		{"not UTF-8", add(NewUser{Name: "a\xff"}), nil},
		{"long", add(NewUser{Name: strings.Repeat("a", MaxName+1)}), nil},
		{"group name", s.AddGroup(ctx, "\t"), nil},
	}
	for _, test := range tests {
		var invalid *Invalid
		switch {
		case test.err == nil:
			t.Errorf("%s: no error", test.name)
		case test.want == nil && !errors.As(test.err, &invalid):
			t.Errorf("%s: %v is no *Invalid", test.name, test.err)
		case test.want != nil && !strings.HasSuffix(test.err.Error(), test.want.Error()):
			t.Errorf("%s: %v, want %v", test.name, test.err, test.want)
		}
	}
	if err := lookup("eve"); err == nil {
		t.Error("a refused user was added all the same")
	}
	addUser(t, s, NewUser{Name: strings.Repeat("a", MaxName)})
	addUser(t, s, NewUser{Name: "Ana María O'Brien <ana@example.com>"})
}

func testRecorderDecides(t *testing.T, p place) {
	var recorded []Change
	refuse := errors.New("journal is full")
	var fail error
	s := p.open(t, Options{Record: func(_ context.Context, c Change) error {
		recorded = append(recorded, c)
		return fail
	}})
	ctx := t.Context()
	must(t, s.AddGroup(ctx, "analysts"))
	ana := addUser(t, s, NewUser{Name: "ana", Groups: []string{"analysts"}})
	must(t, s.DisableUser(ctx, "ana"))
	must(t, s.DisableUser(ctx, "ana")) // changes nothing, records nothing
	must(t, s.EnableUser(ctx, "ana"))
	must(t, s.RecordLogin(ctx, ana.ID, time.Now()))
	must(t, s.RemoveGroup(ctx, "analysts"))
	want := []Kind{KindGroupAdded, KindUserAdded, KindGroupJoined, KindUserDisabled, KindUserEnabled, KindGroupLeft, KindGroupRemoved}
	var got []Kind
	for i, c := range recorded {
		got = append(got, c.Kind)
		if c.Revision != int64(i+1) {
			t.Errorf("change %d has revision %d", i, c.Revision)
		}
		if c.Kind != KindGroupAdded && c.Kind != KindGroupRemoved && (c.UserID != ana.ID || c.UserName != "ana") {
			t.Errorf("%s is about %q %q", c.Kind, c.UserID, c.UserName)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded %v, want %v", got, want)
	}

	fail = refuse
	if err := s.DisableUser(ctx, "ana"); !errors.Is(err, refuse) {
		t.Errorf("disable without a journal: %v", err)
	}
	if user, err := s.LookupUser(ctx, "ana"); err != nil || user.Disabled() {
		t.Errorf("an unrecorded change happened: %v %v", user.Disabled(), err)
	}
	if revision, err := s.Revision(ctx); err != nil || revision != int64(len(want)) {
		t.Errorf("revision is %d, %v", revision, err)
	}
}

func TestFileIsClosedToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "with space?and#more%20.db")
	s := openAt(t, path, Options{})
	addUser(t, s, NewUser{Name: "ana"})
	wantMode := func(path string, mode fs.FileMode) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want mode %v", filepath.Base(path), info, err, mode)
		}
	}
	wantMode(dir, 0o700)
	wantMode(path, 0o600)
	wantMode(path+"-wal", 0o600)
	wantMode(path+"-shm", 0o600)

	must(t, os.Chmod(path, 0o644))
	openAt(t, path, Options{})
	wantMode(path, 0o600)

	if _, err := Open(t.Context(), dir, Options{}); err == nil {
		t.Error("a directory was opened as a store")
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600))
	if _, err := Open(t.Context(), path, Options{}); err == nil {
		t.Error("a text file was opened as a store")
	}
	newer := filepath.Join(t.TempDir(), "weir.db")
	s := openAt(t, newer, Options{})
	_, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	must(t, err)
	if _, err := Open(t.Context(), newer, Options{}); err == nil || !strings.Contains(err.Error(), "newer weir") {
		t.Errorf("a store of a newer version: %v", err)
	}
}

func testMockSecretStays(t *testing.T, p place) {
	first, err := p.open(t, Options{}).MockSecret(t.Context())
	must(t, err)
	second, err := p.open(t, Options{}).MockSecret(t.Context())
	must(t, err)
	other, err := p.other(t).open(t, Options{}).MockSecret(t.Context())
	must(t, err)
	if len(first) != 32 || !slices.Equal(first, second) || slices.Equal(first, other) {
		t.Errorf("secrets are %x, %x and, elsewhere, %x", first, second, other)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	user := User{Name: "ana", Verifier: "hunter2"}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("user", "user", user, "verifier", user.Verifier)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", user, user, user, user.Verifier, user.Verifier), log.String()} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the verifier is shown: %s", text)
		}
	}
}

func testConcurrentOpenAndWrite(t *testing.T, p place) {
	const processes, each = 4, 10
	var wg sync.WaitGroup
	errs := make(chan error, processes*(each+2))
	for n := range processes {
		wg.Go(func() {
			s, err := p.process(t.Context(), Options{})
			if err != nil {
				errs <- err
				return
			}
			for i := range each {
				_, err := s.AddUser(t.Context(), NewUser{Name: fmt.Sprintf("user-%d-%d", n, i)})
				errs <- err
			}
			errs <- s.Close()
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	s := p.open(t, Options{})
	users, err := s.ListUsers(t.Context())
	must(t, err)
	revision, err := s.Revision(t.Context())
	must(t, err)
	if len(users) != processes*each || revision != processes*each {
		t.Errorf("%d users, revision %d", len(users), revision)
	}
}
