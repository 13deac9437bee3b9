package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LookupUser returns the user of that name with groups and roles, all of one
// moment, or *NotFound. It runs the same statements either way.
func (s *Store) LookupUser(ctx context.Context, name string) (User, error) {
	unknown := &NotFound{Object: ObjectUser, Name: shorten(name)}
	name, err := NormalizeName(name)
	if err != nil { // no user can have that name
		return User{}, unknown
	}
	return s.lookup(ctx, unknown, `u.name = $1`, name)
}

// lookup returns the one user for which a condition of loadUsers holds, or unknown.
func (s *Store) lookup(ctx context.Context, unknown *NotFound, condition string, args ...any) (User, error) {
	var users []User
	err := s.inRead(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		users, err = loadUsers(ctx, tx, condition, args...)
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("look up user: %w", err)
	}
	if len(users) == 0 {
		return User{}, unknown
	}
	return users[0], nil
}

// ListUsers returns all users, sorted by name.
func (s *Store) ListUsers(ctx context.Context) ([]User, error) {
	var users []User
	err := s.inRead(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		users, err = loadUsers(ctx, tx, `u.name IS NOT NULL`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// loadUsers returns the users for which condition holds, a constant SQL
// expression over users u.
func loadUsers(ctx context.Context, tx *sql.Tx, condition string, args ...any) ([]User, error) {
	var users []User
	index := map[string]int{}
	err := eachRow(ctx, tx, `SELECT u.id, u.name, u.source, u.verifier, u.global_role,
		u.disabled_at, u.created_at, u.updated_at, u.last_login_at, u.subject, u.display_name, u.email, u.mapped_role
		FROM users u WHERE `+condition, args, func(scan scanner) error {
		user, err := scanUser(scan)
		users = append(users, user)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(users, func(a, b User) int { return compare(a.Name, b.Name) })
	for i := range users {
		index[users[i].ID] = i
	}
	err = eachRow(ctx, tx, `SELECT m.user_id, m.group_name, m.origin FROM memberships m JOIN users u ON u.id = m.user_id
		WHERE `+condition, args, func(scan scanner) error {
		var id, group, origin string
		err := scan(&id, &group, &origin)
		if i, ok := index[id]; ok {
			u := &users[i]
			u.Groups = append(u.Groups, group)
			if origin == originMapped {
				u.Mapped.Groups = append(u.Mapped.Groups, group)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(ctx, tx, `SELECT p.user_id, p.project_name, p.role, p.origin FROM project_roles p JOIN users u ON u.id = p.user_id
		WHERE `+condition, args, func(scan scanner) error {
		var id, project, role, origin string
		err := scan(&id, &project, &role, &origin)
		if i, ok := index[id]; ok {
			u := &users[i]
			u.ProjectRoles[project] = Stronger(u.ProjectRoles[project], role)
			if origin == originMapped {
				u.Mapped.ProjectRoles[project] = role
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	credentials, err := loadCredentials(ctx, tx, condition+` AND c.revoked_at IS NULL AND c.expires_at > `+placeholder(len(args)), append(args, time.Now().UnixMicro())...)
	for _, c := range credentials {
		if i, ok := index[c.UserID]; ok {
			users[i].Credentials = append(users[i].Credentials, c)
		}
	}
	for i := range users {
		slices.Sort(users[i].Groups)
		users[i].Groups = slices.Compact(users[i].Groups)
		slices.Sort(users[i].Mapped.Groups)
	}
	return users, err
}

// placeholder is the one that follows n others.
func placeholder(n int) string { return "$" + strconv.Itoa(n+1) }

func scanUser(scan scanner) (User, error) {
	user := User{ProjectRoles: map[string]string{}, Mapped: Mapped{ProjectRoles: map[string]string{}}}
	var disabled, lastLogin sql.NullInt64
	var subject, mapped sql.NullString
	var created, updated int64
	err := scan(&user.ID, &user.Name, &user.Source, &user.Verifier, &user.GlobalRole,
		&disabled, &created, &updated, &lastLogin, &subject, &user.DisplayName, &user.Email, &mapped)
	user.Subject, user.Mapped.GlobalRole = subject.String, mapped.String
	user.GlobalRole = Stronger(user.GlobalRole, mapped.String)
	user.CreatedAt, user.UpdatedAt = fromMicros(created), fromMicros(updated)
	if disabled.Valid {
		user.DisabledAt = fromMicros(disabled.Int64)
	}
	if lastLogin.Valid {
		user.LastLoginAt = fromMicros(lastLogin.Int64)
	}
	return user, err
}

// compare orders names, not as the database does, which may follow the rules of a
// language.
func compare(a, b string) int { return strings.Compare(a, b) }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

type scanner func(dest ...any) error

// queryer is a *sql.Tx or a *sql.Conn.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// eachRow calls fn for every row of a query.
func eachRow(ctx context.Context, q queryer, query string, args []any, fn func(scanner) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
