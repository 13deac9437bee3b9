package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// The origins of a role or a membership.
const (
	originAssigned = "assigned" // by hand, here
	originMapped   = "mapped"   // from what the user's source says
)

const (
	maxSubject = 255
	maxMapped  = 1000 // groups and project roles of one person
)

// External is somebody whom a source vouches for, with the roles that mapping
// rules made of what the source says.
type External struct {
	Source      string // not SourceLocal; "ldap:corp"
	Subject     string // unique and unchanging inside Source, at most 255 bytes
	Name        string
	DisplayName string
	Email       string
	Mapped
}

// Mapped are the roles and groups that come from a source. They are replaced as a
// whole at each login.
type Mapped struct {
	GlobalRole   string // empty: none, so that what is assigned counts
	Groups       []string
	ProjectRoles map[string]string
}

// Provision adds somebody at the first login, and brings what the source says
// up to date at each later one: the name, and the mapped roles, whose groups and
// projects are added where they do not exist. Roles that were assigned stay. A
// disabled user is returned as is. Errors are *Invalid, and *Taken where
// somebody else has the name.
func (s *Store) Provision(ctx context.Context, p External) (User, error) {
	p, err := p.checked()
	if err != nil {
		return User{}, err
	}
	have, err := s.lookupSubject(ctx, p.Source, p.Subject)
	var missing *NotFound
	if err != nil && !errors.As(err, &missing) {
		return User{}, fmt.Errorf("provision user: %w", err)
	}
	if err == nil && (have.Disabled() || have.is(&p)) { // nearly always; a look costs less than a change
		return have, nil
	}
	err = s.inWrite(ctx, func(ctx context.Context, w *writer) error { return w.provision(ctx, &p) })
	if err != nil {
		return User{}, fmt.Errorf("provision user: %w", err)
	}
	return s.lookupSubject(ctx, p.Source, p.Subject)
}

// checked returns p with its names normalised and its lists sorted.
func (p External) checked() (External, error) {
	var err error
	if p.Name, err = NormalizeName(p.Name); err != nil {
		return p, err
	}
	switch {
	case p.Source == "" || p.Source == SourceLocal:
		return p, &Invalid{What: "source", Value: p.Source, Reason: "is not one of others"}
	case p.Subject == "" || len(p.Subject) > maxSubject:
		return p, &Invalid{What: "subject", Value: shorten(p.Subject), Reason: "is empty or longer than 255 bytes"}
	case len(p.Groups) > maxMapped || len(p.ProjectRoles) > maxMapped:
		return p, &Invalid{What: "user", Value: shorten(p.Name), Reason: "has more than 1000 groups or project roles"}
	case p.GlobalRole != "":
		if err := checkGlobalRole(p.GlobalRole); err != nil {
			return p, err
		}
	}
	p.DisplayName, p.Email = shortenTo(p.DisplayName, MaxName), shortenTo(p.Email, MaxName)
	p.Groups = slices.Clone(p.Groups)
	for i := range p.Groups {
		if p.Groups[i], err = normalizeName(ObjectGroup, p.Groups[i]); err != nil {
			return p, err
		}
	}
	slices.Sort(p.Groups)
	p.Groups = slices.Compact(p.Groups)
	roles := map[string]string{}
	for project, role := range p.ProjectRoles {
		if project, err = normalizeName(ObjectProject, project); err != nil {
			return p, err
		}
		if err := checkProjectRole(role); err != nil {
			return p, err
		}
		roles[project] = Stronger(roles[project], role)
	}
	p.ProjectRoles = roles
	return p, nil
}

// is says that p tells nothing new about a user.
func (u *User) is(p *External) bool {
	return u.Name == p.Name && u.DisplayName == p.DisplayName && u.Email == p.Email && u.Mapped.GlobalRole == p.GlobalRole &&
		slices.Equal(u.Mapped.Groups, p.Groups) && maps.Equal(u.Mapped.ProjectRoles, p.ProjectRoles)
}

func (s *Store) lookupSubject(ctx context.Context, source, subject string) (User, error) {
	return s.lookup(ctx, &NotFound{Object: ObjectUser, Name: shorten(subject)}, `u.source = $1 AND u.subject = $2`, source, subject)
}

func (w *writer) provision(ctx context.Context, p *External) error {
	var id, name, owner string
	err := w.tx.QueryRowContext(ctx, `SELECT id, name FROM users WHERE source = $1 AND subject = $2`, p.Source, p.Subject).Scan(&id, &name)
	added := errors.Is(err, sql.ErrNoRows)
	if err != nil && !added {
		return err
	}
	err = w.tx.QueryRowContext(ctx, `SELECT source FROM users WHERE name = $1 AND id <> $2`, p.Name, id).Scan(&owner)
	if err == nil {
		return &Taken{Name: p.Name, Source: owner}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if added {
		id = p.Source + "|" + p.Subject
		if _, err := w.exec(ctx, `INSERT INTO users (id, name, source, subject, verifier, global_role, created_at, updated_at)
			VALUES ($1, $2, $3, $4, '', $5, $6, $6)`, id, p.Name, p.Source, p.Subject, GlobalMember, w.now.UnixMicro()); err != nil {
			return err
		}
		w.changed(Change{Kind: KindUserAdded, UserID: id, UserName: p.Name, Role: GlobalMember})
	}
	if name != "" && name != p.Name {
		w.changed(Change{Kind: KindUserRenamed, UserID: id, UserName: p.Name, Name: name})
	}
	if _, err := w.exec(ctx, `UPDATE users SET name = $1, display_name = $2, email = $3 WHERE id = $4`, p.Name, p.DisplayName, p.Email, id); err != nil {
		return err
	}
	if err := w.mapRoles(ctx, id, p.Name, &p.Mapped); err != nil {
		return err
	}
	if added || len(w.changes) == 0 {
		return nil
	}
	return w.touch(ctx, id)
}

// mapRoles makes the mapped roles of a user those of m.
func (w *writer) mapRoles(ctx context.Context, id, name string, m *Mapped) error {
	if err := w.mapGlobalRole(ctx, id, name, m.GlobalRole); err != nil {
		return err
	}
	groups, err := w.pairs(ctx, `SELECT group_name, origin FROM memberships WHERE user_id = $1 AND origin = 'mapped'`, id)
	if err != nil {
		return err
	}
	roles, err := w.pairs(ctx, `SELECT project_name, role FROM project_roles WHERE user_id = $1 AND origin = 'mapped'`, id)
	if err != nil {
		return err
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		if !slices.Contains(m.Groups, group) {
			if err := w.leaveGroup(ctx, id, name, group, originMapped); err != nil {
				return err
			}
		}
	}
	for _, group := range m.Groups {
		if groups[group] == "" {
			if err := errors.Join(w.ensure(ctx, ObjectGroup, group), w.joinGroup(ctx, id, name, group, originMapped)); err != nil {
				return err
			}
		}
	}
	for _, project := range slices.Sorted(maps.Keys(roles)) {
		if m.ProjectRoles[project] == "" {
			if err := w.setProjectRole(ctx, id, name, project, "", originMapped); err != nil {
				return err
			}
		}
	}
	for _, project := range slices.Sorted(maps.Keys(m.ProjectRoles)) {
		if roles[project] != m.ProjectRoles[project] {
			if err := errors.Join(w.ensure(ctx, ObjectProject, project), w.setProjectRole(ctx, id, name, project, m.ProjectRoles[project], originMapped)); err != nil {
				return err
			}
		}
	}
	return nil
}

// mapGlobalRole sets the mapped global role. The last owner stays one: nobody
// could make another.
func (w *writer) mapGlobalRole(ctx context.Context, id, name, role string) error {
	var assigned, mapped string
	if err := w.tx.QueryRowContext(ctx, `SELECT global_role, COALESCE(mapped_role, '') FROM users WHERE id = $1`, id).Scan(&assigned, &mapped); err != nil || mapped == role {
		return err
	}
	if role != GlobalOwner && assigned != GlobalOwner {
		var last *LastOwner
		if err := w.spareOwner(ctx, id, name); errors.As(err, &last) {
			return nil
		} else if err != nil {
			return err
		}
	}
	_, err := w.exec(ctx, `UPDATE users SET mapped_role = $1 WHERE id = $2`, sql.NullString{String: role, Valid: role != ""}, id)
	w.changed(Change{Kind: KindRoleSet, UserID: id, UserName: name, Role: Stronger(assigned, role)})
	return err
}

// pairs reads two columns of one user.
func (w *writer) pairs(ctx context.Context, query, id string) (map[string]string, error) {
	m := map[string]string{}
	err := eachRow(ctx, w.tx, query, []any{id}, func(scan scanner) error {
		var key, value string
		err := scan(&key, &value)
		m[key] = value
		return err
	})
	return m, err
}

// ensure adds a group or a project that a mapping names.
func (w *writer) ensure(ctx context.Context, object Object, name string) error {
	insert, kind := insertGroup, KindGroupAdded
	if object == ObjectProject {
		insert, kind = insertProject, KindProjectAdded
	}
	added, err := w.exec(ctx, insert, name, w.now.UnixMicro())
	if err == nil && added > 0 {
		w.changed(Change{Kind: kind, Name: name})
	}
	return err
}
