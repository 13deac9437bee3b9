package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
)

// Limits of the embedded database.
const (
	busyTimeout = 5 * time.Second // wait for another process's writing
	readers     = 8               // connections for reading
)

// Options configure a Store. The zero value is usable.
type Options struct {
	// Record is told of every change before the change is committed, while the
	// store is locked for writing: it has to be quick and must not write to
	// the store. An error undoes the change and is returned to whoever asked
	// for it. A change that was recorded can still fail to commit; its caller
	// then sees that error.
	Record func(context.Context, Change) error
}

// Store is an open store. Its methods may be called concurrently, and several
// processes may have the same file or the same database open. Where the store
// is a server that does not answer, they return *Unavailable.
type Store struct {
	write    *sql.DB // SQLite: one connection, transactions take the lock at once
	read     *sql.DB // SQLite: query_only; PostgreSQL: the same as write
	postgres bool
	health   health
	record   func(context.Context, Change) error
}

// Open opens the SQLite file at path, makes it where it does not exist (its
// directory with mode 0700, the file with 0600), and brings its tables up to
// date. A file that others can read is closed to them.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	path, err := prepareFile(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{record: opts.Record}
	if s.write, err = openPool(path, 1, url.Values{"_txlock": {"immediate"}}); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err = migrate(ctx, s.write, goose.DialectSQLite3); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.write.Close())
	}
	if s.read, err = openPool(path, readers, url.Values{"_query_only": {"1"}}); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.write.Close())
	}
	return s, nil
}

// Close closes the store. Every Watch has to have returned before.
func (s *Store) Close() error {
	if s.postgres {
		if err := s.write.Close(); err != nil && !unanswered(err) {
			return err
		}
		return nil
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// prepareFile returns the absolute path of a file that exists and is closed to
// other users. SQLite gives its -wal and -shm files the same mode.
func prepareFile(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := file.Chmod(0o600); err != nil {
			return "", fmt.Errorf("%s is open to other users: %w", path, err)
		}
	}
	return path, nil
}

func openPool(path string, connections int, extra url.Values) (*sql.DB, error) {
	query := url.Values{
		"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())},
		"_foreign_keys": {"1"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_defensive":    {"1"},
		"_dqs":          {"0"},
	}
	for key, values := range extra {
		query[key] = values
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// inRead runs fn on one snapshot of the store.
func (s *Store) inRead(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return s.health.try(ctx, func(ctx context.Context) error {
		opts := sql.TxOptions{ReadOnly: true}
		if s.postgres { // SQLite knows nothing else
			opts.Isolation = sql.LevelRepeatableRead
		}
		tx, err := s.read.BeginTx(ctx, &opts)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // nothing to undo, and no commit to miss
		return fn(ctx, tx)
	})
}

// inWrite runs fn in one transaction, together with the feed entries and the
// records of the changes that fn made. One such transaction runs at a time,
// whichever process began it.
func (s *Store) inWrite(ctx context.Context, fn func(context.Context, *writer) error) error {
	return s.health.try(ctx, func(ctx context.Context) error {
		tx, err := s.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // has no effect after a commit
		if s.postgres {
			if err := lockForWriting(ctx, tx); err != nil {
				return err
			}
		}
		w := &writer{tx: tx, actor: actorOf(ctx), now: time.Now().UTC().Truncate(time.Microsecond)}
		if err := fn(ctx, w); err != nil {
			return err
		}
		if err := w.appendChanges(ctx); err != nil {
			return err
		}
		if s.postgres && len(w.changes) > 0 {
			if err := notify(ctx, tx); err != nil {
				return err
			}
		}
		if s.record != nil {
			for _, change := range w.changes {
				if err := s.record(ctx, change); err != nil {
					return fmt.Errorf("record change: %w", err)
				}
			}
		}
		return tx.Commit()
	})
}

// writer is one writing transaction and the changes that it makes.
type writer struct {
	tx      *sql.Tx
	actor   string
	now     time.Time
	changes []Change
}

func (w *writer) changed(c Change) {
	c.At, c.Actor = w.now, w.actor
	w.changes = append(w.changes, c)
}

// exec runs one statement and returns how many rows it touched.
func (w *writer) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := w.tx.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// touch moves a user's updated_at, which is never the same twice: sessions tell
// by it whether their user has changed.
func (w *writer) touch(ctx context.Context, userID string) error {
	_, err := w.exec(ctx, `UPDATE users SET updated_at = CASE WHEN updated_at >= $1 THEN updated_at + 1 ELSE $1 END WHERE id = $2`,
		w.now.UnixMicro(), userID)
	return err
}
