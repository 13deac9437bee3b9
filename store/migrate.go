package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrateAttempts bounds how often Open tries again after another process
// made the same tables at the same moment.
const migrateAttempts = 5

// migrate brings the tables up to date. A store that a newer program has
// written is refused, as is one whose history this program does not know.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := migrateOnce(ctx, db, dialect, files)
		if err == nil || ctx.Err() != nil || attempt == migrateAttempts {
			return err
		}
	}
}

func migrateOnce(ctx context.Context, db *sql.DB, dialect goose.Dialect, files fs.FS) error {
	provider, err := goose.NewProvider(dialect, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	if current > target {
		return fmt.Errorf("its version is %d, this program knows %d: use a newer weir", current, target)
	}
	if current == target {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
