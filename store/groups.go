package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Named is a group or a project in a listing.
type Named struct {
	Name      string
	Users     int // members of the group, users with a role in the project
	CreatedAt time.Time
}

const (
	insertGroup   = `INSERT INTO groups (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
	insertProject = `INSERT INTO projects (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
)

// AddGroup adds a group without members.
func (s *Store) AddGroup(ctx context.Context, name string) error {
	return s.addNamed(ctx, ObjectGroup, insertGroup, name, KindGroupAdded)
}

// AddProject adds a project in which nobody has a role.
func (s *Store) AddProject(ctx context.Context, name string) error {
	return s.addNamed(ctx, ObjectProject, insertProject, name, KindProjectAdded)
}

// RemoveGroup removes a group; its members leave it.
func (s *Store) RemoveGroup(ctx context.Context, name string) error {
	return s.removeNamed(ctx, ObjectGroup, name, KindGroupRemoved, KindGroupLeft,
		`SELECT DISTINCT u.id, u.name FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.group_name = $1 ORDER BY u.name`,
		`DELETE FROM groups WHERE name = $1`)
}

// RemoveProject removes a project and the roles in it.
func (s *Store) RemoveProject(ctx context.Context, name string) error {
	return s.removeNamed(ctx, ObjectProject, name, KindProjectRemoved, KindProjectRoleGone,
		`SELECT DISTINCT u.id, u.name FROM project_roles p JOIN users u ON u.id = p.user_id WHERE p.project_name = $1 ORDER BY u.name`,
		`DELETE FROM projects WHERE name = $1`)
}

// ListGroups returns all groups, sorted by name.
func (s *Store) ListGroups(ctx context.Context) ([]Named, error) {
	return s.listNamed(ctx, `SELECT g.name, g.created_at, COUNT(DISTINCT m.user_id) FROM groups g
		LEFT JOIN memberships m ON m.group_name = g.name GROUP BY g.name, g.created_at`)
}

// ListProjects returns all projects, sorted by name.
func (s *Store) ListProjects(ctx context.Context) ([]Named, error) {
	return s.listNamed(ctx, `SELECT p.name, p.created_at, COUNT(DISTINCT r.user_id) FROM projects p
		LEFT JOIN project_roles r ON r.project_name = p.name GROUP BY p.name, p.created_at`)
}

func (s *Store) addNamed(ctx context.Context, object Object, insert, name string, kind Kind) error {
	name, err := normalizeName(object, name)
	if err != nil {
		return err
	}
	err = s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		added, err := w.exec(ctx, insert, name, w.now.UnixMicro())
		if err == nil && added == 0 {
			err = &Exists{Object: object, Name: name}
		}
		w.changed(Change{Kind: kind, Name: name})
		return err
	})
	if err != nil {
		return fmt.Errorf("add %s: %w", object, err)
	}
	return nil
}

// removeNamed removes a group or project; each user in it gets a change too,
// so that live sessions need to watch for their own user only.
func (s *Store) removeNamed(ctx context.Context, object Object, name string, removed, left Kind, users, remove string) error {
	err := s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		name, err := w.mustExist(ctx, object, name)
		if err != nil {
			return err
		}
		err = eachRow(ctx, w.tx, users, []any{name}, func(scan scanner) error {
			change := Change{Kind: left, Name: name}
			err := scan(&change.UserID, &change.UserName)
			w.changed(change)
			return err
		})
		if err != nil {
			return err
		}
		for _, change := range w.changes {
			if err := w.touch(ctx, change.UserID); err != nil {
				return err
			}
		}
		w.changed(Change{Kind: removed, Name: name})
		_, err = w.exec(ctx, remove, name)
		return err
	})
	if err != nil {
		return fmt.Errorf("remove %s: %w", object, err)
	}
	return nil
}

func (s *Store) listNamed(ctx context.Context, query string) ([]Named, error) {
	var list []Named
	err := s.inRead(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return eachRow(ctx, tx, query, nil, func(scan scanner) error {
			var entry Named
			var created int64
			err := scan(&entry.Name, &created, &entry.Users)
			entry.CreatedAt = fromMicros(created)
			list = append(list, entry)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	slices.SortFunc(list, func(a, b Named) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func (w *writer) findUser(ctx context.Context, name string) (id, normalized string, err error) {
	normalized, err = NormalizeName(name)
	if err != nil {
		return "", "", err
	}
	err = w.tx.QueryRowContext(ctx, `SELECT id FROM users WHERE name = $1`, normalized).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = &NotFound{Object: ObjectUser, Name: normalized}
	}
	return id, normalized, err
}

// mustExist returns the normalised name of a group or a project, or *NotFound.
func (w *writer) mustExist(ctx context.Context, object Object, name string) (string, error) {
	name, err := normalizeName(object, name)
	if err != nil {
		return "", err
	}
	query := `SELECT COUNT(*) FROM groups WHERE name = $1`
	if object == ObjectProject {
		query = `SELECT COUNT(*) FROM projects WHERE name = $1`
	}
	var count int
	if err := w.tx.QueryRowContext(ctx, query, name).Scan(&count); err != nil {
		return "", err
	}
	if count == 0 {
		return "", &NotFound{Object: object, Name: name}
	}
	return name, nil
}
