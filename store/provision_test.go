package store

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
)

func testProvision(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), WithActor(t.Context(), "login")
	must(t, s.AddGroup(ctx, "auditors"))
	eve := External{Source: "corp", Subject: "1", Name: "eve@corp", DisplayName: "Eve Adams", Email: "eve@corp.example",
		Mapped: Mapped{GlobalRole: GlobalAdministrator, Groups: []string{"analysts", "all", "all"}, ProjectRoles: map[string]string{"sales": ProjectEditor, "hr": ProjectViewer}}}
	user, err := s.Provision(ctx, eve)
	must(t, err)
	if user.Name != "eve@corp" || user.Source != "corp" || user.Subject != "1" || user.DisplayName != "Eve Adams" || user.Email != "eve@corp.example" ||
		user.GlobalRole != GlobalAdministrator || !slices.Equal(user.Groups, []string{"all", "analysts"}) || user.ProjectRoles["sales"] != ProjectEditor || !strings.HasPrefix(user.ID, "corp|") {
		t.Fatalf("first login: %+v", user)
	}
	revision, err := s.Revision(ctx)
	must(t, err)
	again, err := s.Provision(ctx, eve)
	must(t, err)
	if now, _ := s.Revision(ctx); now != revision || !again.UpdatedAt.Equal(user.UpdatedAt) {
		t.Error("a login that tells nothing new is a change")
	}
	// What is mapped is not changed by hand; what is not, is.
	for what, update := range map[string]UserUpdate{
		"global role": {GlobalRole: GlobalMember}, "group": {RemoveGroups: []string{"all"}}, "group again": {AddGroups: []string{"all"}},
		"role in project": {ProjectRoles: map[string]string{"sales": ProjectOwner}}, "no role in project": {ProjectRoles: map[string]string{"hr": ""}},
	} {
		var managed *Managed
		if err := s.UpdateUser(ctx, "eve@corp", update); !errors.As(err, &managed) || managed.Source != "corp" {
			t.Errorf("%s by hand: %v", what, err)
		}
	}
	var managed *Managed
	if err := s.SetVerifier(ctx, "eve@corp", "v"); !errors.As(err, &managed) {
		t.Errorf("a password of one's own: %v", err)
	}
	must(t, s.AddProject(ctx, "lab"))
	must(t, s.UpdateUser(ctx, "eve@corp", UserUpdate{AddGroups: []string{"auditors"}, ProjectRoles: map[string]string{"lab": ProjectAdmin}}))
	// Another login maps other roles: they are replaced as a whole, assigned ones stay.
	eve.Name, eve.Mapped = "eve.adams@corp", Mapped{Groups: []string{"auditors"}, ProjectRoles: map[string]string{"sales": ProjectViewer, "lab": ProjectViewer}}
	changed, err := s.Provision(ctx, eve)
	must(t, err)
	if changed.ID != user.ID || changed.Name != "eve.adams@corp" || changed.GlobalRole != GlobalMember || !slices.Equal(changed.Groups, []string{"auditors"}) ||
		!maps.Equal(changed.ProjectRoles, map[string]string{"sales": ProjectViewer, "lab": ProjectAdmin}) || !changed.UpdatedAt.After(user.UpdatedAt) {
		t.Errorf("second login: %+v", changed)
	}
	eve.Mapped = Mapped{}
	changed, err = s.Provision(ctx, eve)
	must(t, err)
	if !slices.Equal(changed.Groups, []string{"auditors"}) || !maps.Equal(changed.ProjectRoles, map[string]string{"lab": ProjectAdmin}) {
		t.Errorf("third login: %+v", changed)
	}
	must(t, s.DisableUser(ctx, eve.Name))
	eve.Mapped.Groups = []string{"analysts"}
	if disabled, err := s.Provision(ctx, eve); err != nil || !disabled.Disabled() || slices.Contains(disabled.Groups, "analysts") {
		t.Errorf("disabled: %+v %v", disabled, err)
	}
	testProvisionTaken(t, s)
	testProvisionInvalid(t, s)
	for _, c := range changesOf(t, s) {
		if c.Actor != "login" && c.Kind != KindResync {
			t.Errorf("change %+v", c)
		}
	}
}

func changesOf(t *testing.T, s *Store) (changes []Change) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_ = s.Watch(ctx, 0, func(c Change) { changes = append(changes, c) })
	return changes
}

func testProvisionTaken(t *testing.T, s *Store) {
	t.Helper()
	ctx := WithActor(t.Context(), "login")
	if _, err := s.AddUser(ctx, NewUser{Name: "ana"}); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]External{
		"a local user's name":              {Source: "corp", Subject: "9", Name: "ana"},
		"a name of another source":         {Source: "other", Subject: "1", Name: "eve.adams@corp"},
		"another person of the source":     {Source: "corp", Subject: "2", Name: "eve.adams@corp"},
		"a known person under such a name": {Source: "corp", Subject: "3", Name: "bob"},
	} {
		if p.Name == "bob" {
			_, err := s.Provision(ctx, p)
			must(t, err)
			p.Name = "ana"
		}
		var taken *Taken
		if _, err := s.Provision(ctx, p); !errors.As(err, &taken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testProvisionInvalid(t *testing.T, s *Store) {
	t.Helper()
	for name, p := range map[string]External{
		"local":         {Source: SourceLocal, Subject: "1", Name: "x"},
		"no source":     {Subject: "1", Name: "x"},
		"no subject":    {Source: "corp", Name: "x"},
		"no name":       {Source: "corp", Subject: "x"},
		"a role":        {Source: "corp", Subject: "x", Name: "x", Mapped: Mapped{GlobalRole: "king"}},
		"a project":     {Source: "corp", Subject: "x", Name: "x", Mapped: Mapped{ProjectRoles: map[string]string{"a": "king"}}},
		"a group":       {Source: "corp", Subject: "x", Name: "x", Mapped: Mapped{Groups: []string{""}}},
		"a long one":    {Source: "corp", Subject: strings.Repeat("x", 256), Name: "x"},
		"far too many":  {Source: "corp", Subject: "x", Name: "x", Mapped: Mapped{Groups: make([]string, 1001)}},
		"invisible one": {Source: "corp", Subject: "x", Name: "a\u200bb"},
	} {
		var invalid *Invalid
		if _, err := s.Provision(t.Context(), p); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// testLastOwner: whatever is done, somebody stays owner once somebody is.
func testLastOwner(t *testing.T, p place) {
	s, ctx := p.open(t, Options{}), t.Context()
	addUser(t, s, NewUser{Name: "ana", GlobalRole: GlobalOwner})
	addUser(t, s, NewUser{Name: "bob"})
	refused := map[string]func() error{
		"lower":   func() error { return s.UpdateUser(ctx, "ana", UserUpdate{GlobalRole: GlobalAdministrator}) },
		"disable": func() error { return s.DisableUser(ctx, "ana") },
		"remove":  func() error { return s.RemoveUser(ctx, "ana") },
	}
	for name, do := range refused {
		var last *LastOwner
		if err := do(); !errors.As(err, &last) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, s.UpdateUser(ctx, "ana", UserUpdate{GlobalRole: GlobalOwner})) // nothing new
	must(t, s.UpdateUser(ctx, "bob", UserUpdate{GlobalRole: GlobalOwner}))
	must(t, s.DisableUser(ctx, "ana"))
	var last *LastOwner
	if err := s.RemoveUser(ctx, "bob"); !errors.As(err, &last) {
		t.Errorf("the other one is disabled: %v", err)
	}
	must(t, s.RemoveUser(ctx, "ana")) // disabled, so not the last
	eve := External{Source: "corp", Subject: "1", Name: "eve", Mapped: Mapped{GlobalRole: GlobalOwner}}
	if user, err := s.Provision(ctx, eve); err != nil || user.GlobalRole != GlobalOwner {
		t.Fatalf("%+v %v", user, err)
	}
	must(t, s.RemoveUser(ctx, "bob"))
	eve.GlobalRole = ""
	if user, err := s.Provision(ctx, eve); err != nil || user.GlobalRole != GlobalOwner {
		t.Errorf("the last owner was lost at a login: %+v %v", user, err)
	}
	addUser(t, s, NewUser{Name: "ana", GlobalRole: GlobalOwner})
	if user, err := s.Provision(ctx, eve); err != nil || user.GlobalRole != GlobalMember {
		t.Errorf("not the last any more: %+v %v", user, err)
	}
}

// TestMigrationKeepsRoles brings a store of the first version up to date.
func TestMigrationKeepsRoles(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "weir.db"), Options{})
	must(t, s.AddGroup(t.Context(), "analysts"))
	must(t, s.AddProject(t.Context(), "sales"))
	addUser(t, s, NewUser{Name: "ana", Groups: []string{"analysts"}, ProjectRoles: map[string]string{"sales": ProjectEditor}})
	files, err := fs.Sub(migrations, "migrations")
	must(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.write, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	must(t, err)
	_, err = provider.DownTo(t.Context(), 1)
	must(t, err)
	must(t, migrate(t.Context(), s.write, goose.DialectSQLite3))
	user, err := s.LookupUser(t.Context(), "ana")
	must(t, err)
	if !slices.Equal(user.Groups, []string{"analysts"}) || user.ProjectRoles["sales"] != ProjectEditor {
		t.Errorf("%+v", user)
	}
}
