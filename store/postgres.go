package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	connections   = 8                // to a server, of one process
	connectionAge = 30 * time.Minute // after which one is made anew, so that a failover is followed

	// pollInterval is how late a change may be noticed whose notification was lost.
	pollInterval = 500 * time.Millisecond

	// writerLock is the advisory lock that serialises writing transactions, so
	// that revisions ascend in the order of commits; migrationLock is held while
	// tables are made.
	writerLock    = 0x77656972_01
	migrationLock = 0x77656972_02

	channel = "weir_changes"
)

// OpenPostgres opens a store in a PostgreSQL database (13 or newer) that
// several processes share, and brings its tables up to date. They are in the
// first schema of the login's search_path. connector makes connections of
// pgx's stdlib; the caller sets their address, login and TLS.
func OpenPostgres(ctx context.Context, connector driver.Connector, opts Options) (*Store, error) {
	db := sql.OpenDB(marking{connector})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(connectionAge)
	s := &Store{write: db, read: db, postgres: true, record: opts.Record}
	s.health.remote = true
	if err := s.migrateServer(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), db.Close())
	}
	return s, nil
}

// marking makes every failure to connect one that says so: nobody knows then
// what the server would have answered.
type marking struct{ driver.Connector }

func (m marking) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := m.Connector.Connect(ctx)
	if err != nil {
		return nil, &connectError{err}
	}
	return c, nil
}

type connectError struct{ cause error }

func (e *connectError) Error() string { return "connect: " + e.cause.Error() }
func (e *connectError) Unwrap() error { return e.cause }

// migrateServer makes the tables while no other process does.
func (s *Store) migrateServer(ctx context.Context) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return s.health.note(err)
	}
	defer conn.Close() // also gives the lock back, should unlocking fail
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return err
	}
	err = migrate(ctx, s.write, goose.DialectPostgres)
	if _, unlockErr := conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, int64(migrationLock)); err == nil {
		err = unlockErr
	}
	return err
}

func lockForWriting(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(writerLock))
	return err
}

// notify wakes everybody who watches, when the transaction commits.
func notify(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_notify('`+channel+`', '')`)
	return err
}

// watchServer waits for notifications, and looks by itself now and then.
func (s *Store) watchServer(ctx context.Context, conn *sql.Conn, after int64, handle func(Change)) error {
	if _, err := conn.ExecContext(ctx, `LISTEN `+channel); err != nil {
		return err
	}
	for {
		look, cancel := context.WithTimeout(ctx, operationTimeout)
		var err error
		after, err = deliver(look, conn, after, handle)
		cancel()
		if err != nil {
			return err
		}
		_ = s.health.note(nil)
		err = conn.Raw(func(c any) error {
			wait, cancel := context.WithTimeout(ctx, pollInterval)
			defer cancel()
			_, err := c.(*stdlib.Conn).Conn().WaitForNotification(wait)
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // nobody has said anything
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
}
