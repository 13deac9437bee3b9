package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"
)

// AddUser adds a local user. Its errors are *Invalid, *Exists, and *NotFound
// for a group or a project that does not exist.
func (s *Store) AddUser(ctx context.Context, user NewUser) (User, error) {
	name, err := NormalizeName(user.Name)
	if err != nil {
		return User{}, err
	}
	if user.GlobalRole == "" {
		user.GlobalRole = GlobalMember
	}
	if err := checkGlobalRole(user.GlobalRole); err != nil {
		return User{}, err
	}
	id := SourceLocal + "|" + rand.Text()
	err = s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		added, err := w.exec(ctx, `INSERT INTO users (id, name, source, verifier, global_role, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (name) DO NOTHING`,
			id, name, SourceLocal, string(user.Verifier), user.GlobalRole, w.now.UnixMicro())
		if err != nil {
			return err
		}
		if added == 0 {
			return &Exists{Object: ObjectUser, Name: name}
		}
		w.changed(Change{Kind: KindUserAdded, UserID: id, UserName: name, Role: user.GlobalRole})
		return w.grant(ctx, id, name, UserUpdate{AddGroups: user.Groups, ProjectRoles: user.ProjectRoles})
	})
	if err != nil {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	return s.LookupUser(ctx, name)
}

// UpdateUser changes roles and groups of a user.
func (s *Store) UpdateUser(ctx context.Context, name string, update UserUpdate) error {
	if update.GlobalRole != "" {
		if err := checkGlobalRole(update.GlobalRole); err != nil {
			return err
		}
	}
	return s.onUser(ctx, "change user", name, func(ctx context.Context, w *writer, id, name string) error {
		if update.GlobalRole != "" {
			changed, err := w.exec(ctx, `UPDATE users SET global_role = $1 WHERE id = $2 AND global_role <> $1`,
				update.GlobalRole, id)
			if err != nil {
				return err
			}
			if changed > 0 {
				w.changed(Change{Kind: KindRoleSet, UserID: id, UserName: name, Role: update.GlobalRole})
			}
		}
		return w.grant(ctx, id, name, update)
	})
}

// grant applies the groups and project roles of an update.
func (w *writer) grant(ctx context.Context, id, name string, update UserUpdate) error {
	for _, group := range update.RemoveGroups {
		if err := w.leaveGroup(ctx, id, name, group); err != nil {
			return err
		}
	}
	for _, group := range update.AddGroups {
		if err := w.joinGroup(ctx, id, name, group); err != nil {
			return err
		}
	}
	for _, project := range slices.Sorted(maps.Keys(update.ProjectRoles)) {
		if err := w.setProjectRole(ctx, id, name, project, update.ProjectRoles[project]); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) joinGroup(ctx context.Context, id, name, group string) error {
	group, err := w.mustExist(ctx, ObjectGroup, group)
	if err != nil {
		return err
	}
	changed, err := w.exec(ctx, `INSERT INTO memberships (user_id, group_name) VALUES ($1, $2)
		ON CONFLICT (user_id, group_name) DO NOTHING`, id, group)
	if err == nil && changed > 0 {
		w.changed(Change{Kind: KindGroupJoined, UserID: id, UserName: name, Name: group})
	}
	return err
}

func (w *writer) leaveGroup(ctx context.Context, id, name, group string) error {
	group, err := w.mustExist(ctx, ObjectGroup, group)
	if err != nil {
		return err
	}
	changed, err := w.exec(ctx, `DELETE FROM memberships WHERE user_id = $1 AND group_name = $2`, id, group)
	if err == nil && changed > 0 {
		w.changed(Change{Kind: KindGroupLeft, UserID: id, UserName: name, Name: group})
	}
	return err
}

// setProjectRole gives a role in a project; an empty role takes it away.
func (w *writer) setProjectRole(ctx context.Context, id, name, project, role string) error {
	project, err := w.mustExist(ctx, ObjectProject, project)
	if err != nil {
		return err
	}
	change := Change{Kind: KindProjectRoleSet, UserID: id, UserName: name, Name: project, Role: role}
	var changed int64
	if role == "" {
		change.Kind = KindProjectRoleGone
		changed, err = w.exec(ctx, `DELETE FROM project_roles WHERE user_id = $1 AND project_name = $2`, id, project)
	} else {
		if err := checkProjectRole(role); err != nil {
			return err
		}
		changed, err = w.exec(ctx, `INSERT INTO project_roles (user_id, project_name, role) VALUES ($1, $2, $3)
			ON CONFLICT (user_id, project_name) DO UPDATE SET role = excluded.role
			WHERE project_roles.role <> excluded.role`, id, project, role)
	}
	if err == nil && changed > 0 {
		w.changed(change)
	}
	return err
}

// SetVerifier replaces what the user's password is checked against. An empty
// verifier ends password logins.
func (s *Store) SetVerifier(ctx context.Context, name string, verifier Secret) error {
	return s.onUser(ctx, "change password", name, func(ctx context.Context, w *writer, id, name string) error {
		_, err := w.exec(ctx, `UPDATE users SET verifier = $1 WHERE id = $2`, string(verifier), id)
		w.changed(Change{Kind: KindPasswordChanged, UserID: id, UserName: name})
		return err
	})
}

// DisableUser keeps a user from logging in. Disabling twice changes nothing.
func (s *Store) DisableUser(ctx context.Context, name string) error {
	return s.onUser(ctx, "disable user", name, func(ctx context.Context, w *writer, id, name string) error {
		changed, err := w.exec(ctx, `UPDATE users SET disabled_at = $1 WHERE id = $2 AND disabled_at IS NULL`,
			w.now.UnixMicro(), id)
		if err == nil && changed > 0 {
			w.changed(Change{Kind: KindUserDisabled, UserID: id, UserName: name})
		}
		return err
	})
}

// EnableUser undoes DisableUser.
func (s *Store) EnableUser(ctx context.Context, name string) error {
	return s.onUser(ctx, "enable user", name, func(ctx context.Context, w *writer, id, name string) error {
		changed, err := w.exec(ctx, `UPDATE users SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL`, id)
		if err == nil && changed > 0 {
			w.changed(Change{Kind: KindUserEnabled, UserID: id, UserName: name})
		}
		return err
	})
}

// RemoveUser removes a user, and with it memberships and roles.
func (s *Store) RemoveUser(ctx context.Context, name string) error {
	return s.onUser(ctx, "remove user", name, func(ctx context.Context, w *writer, id, name string) error {
		_, err := w.exec(ctx, `DELETE FROM users WHERE id = $1`, id)
		w.changed(Change{Kind: KindUserRemoved, UserID: id, UserName: name})
		return err
	})
}

// onUser runs fn on an existing user and, where fn changed something, moves
// the user's updated_at.
func (s *Store) onUser(ctx context.Context, operation, name string, fn func(ctx context.Context, w *writer, id, name string) error) error {
	err := s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		id, name, err := w.findUser(ctx, name)
		if err != nil {
			return err
		}
		if err := fn(ctx, w, id, name); err != nil {
			return err
		}
		if len(w.changes) > 0 {
			err = w.touch(ctx, id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// loginResolution is how exactly the last login is kept. A pool that connects
// a hundred times a second writes once.
const loginResolution = time.Minute

// RecordLogin keeps the time of a login, to the minute. It is not a change in
// the sense of the feed. An id that is gone is no error.
func (s *Store) RecordLogin(ctx context.Context, userID string, at time.Time) error {
	err := s.health.try(ctx, func(ctx context.Context) error {
		var recent int
		err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE id = $1 AND last_login_at > $2`,
			userID, at.Add(-loginResolution).UnixMicro()).Scan(&recent)
		if err == nil && recent == 0 {
			_, err = s.write.ExecContext(ctx, `UPDATE users SET last_login_at = $1 WHERE id = $2`, at.UnixMicro(), userID)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record login: %w", err)
	}
	return nil
}
