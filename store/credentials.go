package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The kinds of credentials.
const (
	CredentialAPIKey          = "api_key"          // of a service
	CredentialSessionPassword = "session_password" // from a login elsewhere
)

// Bounds of credentials.
const (
	MaxCredentials = 32                   // live ones of one user: each is tried at a login
	MaxAPIKeyLife  = 366 * 24 * time.Hour // there is no key for ever
)

// Credential is a secret beside the password by which a user logs in, for a
// while and perhaps for one datasource alone.
type Credential struct {
	ID              string
	UserID          string
	UserName        string
	Kind            string // CredentialAPIKey, …
	Name            string // for people; unique among a user's live ones
	Hint            string // the beginning of the secret, to tell it by
	Verifier        Secret
	Project         string // empty: every one
	Datasource      string // empty: every one
	MFA             bool
	AuthenticatedAt time.Time // when the person proved who they are; zero for keys
	CreatedAt       time.Time
	ExpiresAt       time.Time
	LastUsedAt      time.Time // to the minute; zero: never
	RevokedAt       time.Time // zero: not
	Replaces        string    // id of the one that it was made for; empty: none
}

// Live says that it can log in at a time.
func (c *Credential) Live(now time.Time) bool {
	return c.RevokedAt.IsZero() && now.Before(c.ExpiresAt)
}

// ObjectCredential is a key or a session password.
const ObjectCredential Object = "credential"

// AddCredential adds a credential of a user; ID and CreatedAt are set by the
// store. Sessions of the user go on. Errors are *NotFound for the user, *Exists
// for the name, and *Invalid.
func (s *Store) AddCredential(ctx context.Context, user string, c Credential) (Credential, error) {
	err := s.addCredential(ctx, user, &c, time.Time{})
	if err != nil {
		return Credential{}, fmt.Errorf("add credential: %w", err)
	}
	return c, nil
}

// RotateCredential adds a credential in the place of another one of the same name,
// which ends at a time, at the latest when it would have anyway. Errors are those
// of AddCredential, and *NotFound for the old one.
func (s *Store) RotateCredential(ctx context.Context, user string, c Credential, oldEnds time.Time) (Credential, error) {
	err := s.addCredential(ctx, user, &c, oldEnds)
	if err != nil {
		return Credential{}, fmt.Errorf("rotate credential: %w", err)
	}
	return c, nil
}

func (s *Store) addCredential(ctx context.Context, user string, c *Credential, oldEnds time.Time) error {
	name, err := normalizeName(ObjectCredential, c.Name)
	if err != nil {
		return err
	}
	c.Name = name
	if c.Kind != CredentialAPIKey && c.Kind != CredentialSessionPassword {
		return &Invalid{What: "kind of credential", Value: shorten(c.Kind), Reason: "is not known"}
	}
	return s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		if c.UserID, c.UserName, err = w.findUser(ctx, user); err != nil {
			return err
		}
		c.ID, c.CreatedAt = rand.Text(), w.now
		if !w.now.Before(c.ExpiresAt) || c.ExpiresAt.Sub(w.now) > MaxAPIKeyLife {
			return &Invalid{What: "end of credential", Value: c.ExpiresAt.Format(time.RFC3339), Reason: "is not within 366 days from now"}
		}
		live, err := w.liveCredentials(ctx, c.UserID)
		if err != nil {
			return err
		}
		if c.Replaces != "" {
			if err := w.outlive(ctx, live, c.Replaces, oldEnds); err != nil {
				return err
			}
		}
		same := func(o Credential) bool { return o.Kind == c.Kind && o.Name == c.Name && o.ID != c.Replaces }
		if slices.ContainsFunc(live, same) {
			return &Exists{Object: ObjectCredential, Name: c.Name}
		}
		if len(live) >= MaxCredentials {
			return &Invalid{What: "user", Value: c.UserName, Reason: fmt.Sprintf("has %d credentials already; revoke one first", MaxCredentials)}
		}
		authenticated := sql.NullInt64{Int64: c.AuthenticatedAt.UnixMicro(), Valid: !c.AuthenticatedAt.IsZero()}
		mfa := 0
		if c.MFA {
			mfa = 1
		}
		_, err = w.exec(ctx, `INSERT INTO credentials (id, user_id, kind, name, hint, verifier, project, datasource, mfa, authenticated_at, created_at, expires_at, replaces)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`, c.ID, c.UserID, c.Kind, c.Name, c.Hint, string(c.Verifier), c.Project, c.Datasource,
			mfa, authenticated, c.CreatedAt.UnixMicro(), c.ExpiresAt.UnixMicro(), c.Replaces)
		w.changed(Change{Kind: KindCredentialAdded, UserID: c.UserID, UserName: c.UserName, Name: c.Name})
		return err
	})
}

// outlive ends the credential that is replaced.
func (w *writer) outlive(ctx context.Context, live []Credential, id string, ends time.Time) error {
	i := slices.IndexFunc(live, func(c Credential) bool { return c.ID == id })
	if i < 0 {
		return &NotFound{Object: ObjectCredential, Name: shorten(id)}
	}
	if ends.Before(live[i].ExpiresAt) {
		_, err := w.exec(ctx, `UPDATE credentials SET expires_at = $1 WHERE id = $2`, max(ends.UnixMicro(), w.now.UnixMicro()), id)
		return err
	}
	return nil
}

// RevokeCredential ends a credential at once, and with it the sessions of its
// user. An unknown id is *NotFound; revoking twice changes nothing.
func (s *Store) RevokeCredential(ctx context.Context, id string) error {
	err := s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		var c Credential
		err := w.tx.QueryRowContext(ctx, `SELECT c.user_id, u.name, c.name FROM credentials c JOIN users u ON u.id = c.user_id WHERE c.id = $1`, id).Scan(&c.UserID, &c.UserName, &c.Name)
		if errors.Is(err, sql.ErrNoRows) {
			return &NotFound{Object: ObjectCredential, Name: shorten(id)}
		}
		if err != nil {
			return err
		}
		changed, err := w.exec(ctx, `UPDATE credentials SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL`, w.now.UnixMicro(), id)
		if err != nil || changed == 0 {
			return err
		}
		w.changed(Change{Kind: KindCredentialRevoked, UserID: c.UserID, UserName: c.UserName, Name: c.Name})
		return w.touch(ctx, c.UserID)
	})
	if err != nil {
		return fmt.Errorf("revoke credential: %w", err)
	}
	return nil
}

// ListCredentials returns all credentials of a kind, by user and name, the
// newest first.
func (s *Store) ListCredentials(ctx context.Context, kind string) ([]Credential, error) {
	var list []Credential
	err := s.inRead(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		list, err = loadCredentials(ctx, tx, `c.kind = $1`, kind)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	slices.SortFunc(list, func(a, b Credential) int {
		for _, c := range []int{compare(a.UserName, b.UserName), compare(a.Name, b.Name), b.CreatedAt.Compare(a.CreatedAt)} {
			if c != 0 {
				return c
			}
		}
		return compare(a.ID, b.ID)
	})
	return list, nil
}

// RecordUse keeps the time of a login by a credential, to the minute.
func (s *Store) RecordUse(ctx context.Context, id string, at time.Time) error {
	err := s.health.try(ctx, func(ctx context.Context) error {
		var recent int
		err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM credentials WHERE id = $1 AND last_used_at > $2`, id, at.Add(-loginResolution).UnixMicro()).Scan(&recent)
		if err == nil && recent == 0 {
			_, err = s.write.ExecContext(ctx, `UPDATE credentials SET last_used_at = $1 WHERE id = $2`, at.UnixMicro(), id)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record use: %w", err)
	}
	return nil
}

func (w *writer) liveCredentials(ctx context.Context, userID string) ([]Credential, error) {
	return loadCredentials(ctx, w.tx, `c.user_id = $1 AND c.revoked_at IS NULL AND c.expires_at > $2`, userID, w.now.UnixMicro())
}

// loadCredentials returns the credentials for which condition holds, a constant
// expression over credentials c and users u.
func loadCredentials(ctx context.Context, q queryer, condition string, args ...any) ([]Credential, error) {
	var list []Credential
	err := eachRow(ctx, q, `SELECT c.id, c.user_id, u.name, c.kind, c.name, c.hint, c.verifier, c.project, c.datasource, c.mfa, c.authenticated_at, c.created_at,
		c.expires_at, c.last_used_at, c.revoked_at, c.replaces FROM credentials c JOIN users u ON u.id = c.user_id WHERE `+condition, args, func(scan scanner) error {
		var c Credential
		var mfa int
		var created, expires int64
		var authenticated, used, revoked sql.NullInt64
		err := scan(&c.ID, &c.UserID, &c.UserName, &c.Kind, &c.Name, &c.Hint, &c.Verifier, &c.Project, &c.Datasource, &mfa, &authenticated, &created, &expires, &used, &revoked, &c.Replaces)
		c.MFA, c.CreatedAt, c.ExpiresAt = mfa != 0, fromMicros(created), fromMicros(expires)
		for _, t := range []struct {
			from sql.NullInt64
			to   *time.Time
		}{{authenticated, &c.AuthenticatedAt}, {used, &c.LastUsedAt}, {revoked, &c.RevokedAt}} {
			if t.from.Valid {
				*t.to = fromMicros(t.from.Int64)
			}
		}
		list = append(list, c)
		return err
	})
	return list, err
}
