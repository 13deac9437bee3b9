package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

const (
	keptChanges   = 1000
	watchInterval = 250 * time.Millisecond
)

// appendChanges numbers the transaction's changes and adds them to the feed.
func (w *writer) appendChanges(ctx context.Context) error {
	if len(w.changes) == 0 {
		return nil
	}
	revision, err := currentRevision(ctx, w.tx)
	if err != nil {
		return err
	}
	for i := range w.changes {
		revision++
		c := &w.changes[i]
		c.Revision = revision
		if _, err := w.exec(ctx, `INSERT INTO changes (revision, kind, user_id, user_name, name, role, actor, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			c.Revision, string(c.Kind), c.UserID, c.UserName, c.Name, c.Role, c.Actor, c.At.UnixMicro()); err != nil {
			return err
		}
	}
	_, err = w.exec(ctx, `DELETE FROM changes WHERE revision <= $1`, revision-keptChanges)
	return err
}

func currentRevision(ctx context.Context, q queryer) (revision int64, err error) {
	err = eachRow(ctx, q, `SELECT COALESCE(MAX(revision), 0) FROM changes`, nil,
		func(scan scanner) error { return scan(&revision) })
	return revision, err
}

// Revision returns the number of the newest change, 0 before the first.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	var revision int64
	err := s.health.try(ctx, func(ctx context.Context) (err error) {
		revision, err = currentRevision(ctx, s.read)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read revision: %w", err)
	}
	return revision, nil
}

// Watch calls handle, one call at a time, for every change after the given
// revision, whichever process made it, within a second of its commit. Where
// the feed no longer reaches back that far, handle gets one KindResync
// instead. Watch returns when ctx is done (with its error) or the store cannot
// be read; it starts no goroutine, and holds one connection.
func (s *Store) Watch(ctx context.Context, after int64, handle func(Change)) error {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return fmt.Errorf("watch store: %w", s.health.note(err))
	}
	defer conn.Close()
	watch := watchFile
	if s.postgres {
		watch = s.watchServer
	}
	err = watch(ctx, conn, after, handle)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("watch store: %w", s.health.note(err))
}

// watchFile looks whether anybody has written to the file.
func watchFile(ctx context.Context, conn *sql.Conn, after int64, handle func(Change)) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	seen := int64(-1)
	for {
		// The version is read first: a commit between the two reads is
		// delivered now, and costs an empty look at the next tick.
		version, err := dataVersion(ctx, conn)
		if err == nil && version != seen {
			seen = version
			after, err = deliver(ctx, conn, after, handle)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// dataVersion changes when any other connection, of this process or another,
// has committed to the file (https://www.sqlite.org/pragma.html#pragma_data_version).
func dataVersion(ctx context.Context, conn *sql.Conn) (version int64, err error) {
	err = conn.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version)
	return version, err
}

// deliver hands out the changes after a revision and returns the newest.
func deliver(ctx context.Context, conn *sql.Conn, after int64, handle func(Change)) (int64, error) {
	var changes []Change
	err := eachRow(ctx, conn, `SELECT revision, kind, user_id, user_name, name, role, actor, at FROM changes
		WHERE revision > $1 ORDER BY revision`, []any{after}, func(scan scanner) error {
		var c Change
		var at int64
		err := scan(&c.Revision, &c.Kind, &c.UserID, &c.UserName, &c.Name, &c.Role, &c.Actor, &at)
		c.At = fromMicros(at)
		changes = append(changes, c)
		return err
	})
	if err != nil {
		return after, err
	}
	if len(changes) == 0 {
		return rewound(ctx, conn, after, handle)
	}
	newest := changes[len(changes)-1]
	if changes[0].Revision > after+1 {
		changes = []Change{{Revision: newest.Revision, Kind: KindResync, At: newest.At}}
	}
	for _, change := range changes {
		handle(change)
	}
	return newest.Revision, nil
}

// rewound notices that the file's contents were replaced by older ones, as
// restoring a backup does.
func rewound(ctx context.Context, conn *sql.Conn, after int64, handle func(Change)) (int64, error) {
	newest, err := currentRevision(ctx, conn)
	if err != nil || newest >= after {
		return after, err
	}
	handle(Change{Revision: newest, Kind: KindResync, At: time.Now().UTC()})
	return newest, nil
}
