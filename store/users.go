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
			if err := w.setGlobalRole(ctx, id, name, update.GlobalRole); err != nil {
				return err
			}
		}
		return w.grant(ctx, id, name, update)
	})
}

func (w *writer) setGlobalRole(ctx context.Context, id, name, role string) error {
	if err := w.unmapped(ctx, id, name, "global role", `SELECT COUNT(*) FROM users WHERE id = $1 AND mapped_role IS NOT NULL`); err != nil {
		return err
	}
	if role != GlobalOwner {
		if err := w.spareOwner(ctx, id, name); err != nil {
			return err
		}
	}
	changed, err := w.exec(ctx, `UPDATE users SET global_role = $1 WHERE id = $2 AND global_role <> $1`, role, id)
	if err == nil && changed > 0 {
		w.changed(Change{Kind: KindRoleSet, UserID: id, UserName: name, Role: role})
	}
	return err
}

// unmapped refuses to change by hand what a source decides: count says how
// many such entries there are.
func (w *writer) unmapped(ctx context.Context, id, name, what, count string, args ...any) error {
	var n int
	if err := w.tx.QueryRowContext(ctx, count, append([]any{id}, args...)...).Scan(&n); err != nil || n == 0 {
		return err
	}
	var source string
	if err := w.tx.QueryRowContext(ctx, `SELECT source FROM users WHERE id = $1`, id).Scan(&source); err != nil {
		return err
	}
	return &Managed{User: name, Source: source, What: what}
}

// spareOwner refuses a change that takes ownership from the last owner who can
// log in.
func (w *writer) spareOwner(ctx context.Context, id, name string) error {
	var others, self int
	err := w.tx.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN id = $1 THEN 0 ELSE 1 END), 0), COALESCE(SUM(CASE WHEN id = $1 THEN 1 ELSE 0 END), 0)
		FROM users WHERE disabled_at IS NULL AND (global_role = 'owner' OR mapped_role = 'owner')`, id).Scan(&others, &self)
	if err == nil && self > 0 && others == 0 {
		err = &LastOwner{Name: name}
	}
	return err
}

// grant applies the groups and project roles of an update.
func (w *writer) grant(ctx context.Context, id, name string, update UserUpdate) error {
	for _, group := range update.RemoveGroups {
		if err := w.leaveGroup(ctx, id, name, group, originAssigned); err != nil {
			return err
		}
	}
	for _, group := range update.AddGroups {
		if err := w.joinGroup(ctx, id, name, group, originAssigned); err != nil {
			return err
		}
	}
	for _, project := range slices.Sorted(maps.Keys(update.ProjectRoles)) {
		if err := w.setProjectRole(ctx, id, name, project, update.ProjectRoles[project], originAssigned); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) joinGroup(ctx context.Context, id, name, group, origin string) error {
	group, err := w.mustExist(ctx, ObjectGroup, group)
	if err != nil {
		return err
	}
	if err := w.groupByHand(ctx, id, name, group, origin); err != nil {
		return err
	}
	changed, err := w.exec(ctx, `INSERT INTO memberships (user_id, group_name, origin) VALUES ($1, $2, $3)
		ON CONFLICT (user_id, group_name, origin) DO NOTHING`, id, group, origin)
	if err == nil && changed > 0 {
		w.changed(Change{Kind: KindGroupJoined, UserID: id, UserName: name, Name: group})
	}
	return err
}

func (w *writer) leaveGroup(ctx context.Context, id, name, group, origin string) error {
	group, err := w.mustExist(ctx, ObjectGroup, group)
	if err != nil {
		return err
	}
	if err := w.groupByHand(ctx, id, name, group, origin); err != nil {
		return err
	}
	changed, err := w.exec(ctx, `DELETE FROM memberships WHERE user_id = $1 AND group_name = $2 AND origin = $3`, id, group, origin)
	if err == nil && changed > 0 {
		w.changed(Change{Kind: KindGroupLeft, UserID: id, UserName: name, Name: group})
	}
	return err
}

func (w *writer) groupByHand(ctx context.Context, id, name, group, origin string) error {
	if origin == originMapped {
		return nil
	}
	return w.unmapped(ctx, id, name, fmt.Sprintf("group %q", group),
		`SELECT COUNT(*) FROM memberships WHERE user_id = $1 AND group_name = $2 AND origin = 'mapped'`, group)
}

// setProjectRole gives a role in a project; an empty role takes it away.
func (w *writer) setProjectRole(ctx context.Context, id, name, project, role, origin string) error {
	project, err := w.mustExist(ctx, ObjectProject, project)
	if err != nil {
		return err
	}
	if origin == originAssigned {
		if err := w.unmapped(ctx, id, name, fmt.Sprintf("role in project %q", project),
			`SELECT COUNT(*) FROM project_roles WHERE user_id = $1 AND project_name = $2 AND origin = 'mapped'`, project); err != nil {
			return err
		}
	}
	change := Change{Kind: KindProjectRoleSet, UserID: id, UserName: name, Name: project, Role: role}
	var changed int64
	if role == "" {
		change.Kind = KindProjectRoleGone
		changed, err = w.exec(ctx, `DELETE FROM project_roles WHERE user_id = $1 AND project_name = $2 AND origin = $3`, id, project, origin)
	} else {
		if err := checkProjectRole(role); err != nil {
			return err
		}
		changed, err = w.exec(ctx, `INSERT INTO project_roles (user_id, project_name, role, origin) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, project_name, origin) DO UPDATE SET role = excluded.role
			WHERE project_roles.role <> excluded.role`, id, project, role, origin)
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
		if err := w.unmapped(ctx, id, name, "password", `SELECT COUNT(*) FROM users WHERE id = $1 AND subject IS NOT NULL`); err != nil {
			return err
		}
		_, err := w.exec(ctx, `UPDATE users SET verifier = $1 WHERE id = $2`, string(verifier), id)
		w.changed(Change{Kind: KindPasswordChanged, UserID: id, UserName: name})
		return err
	})
}

// DisableUser keeps a user from logging in. Disabling twice changes nothing.
func (s *Store) DisableUser(ctx context.Context, name string) error {
	return s.onUser(ctx, "disable user", name, func(ctx context.Context, w *writer, id, name string) error {
		if err := w.spareOwner(ctx, id, name); err != nil {
			return err
		}
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
		if err := w.spareOwner(ctx, id, name); err != nil {
			return err
		}
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
