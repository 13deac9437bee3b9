package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// mockSecret names the key in server_secrets.
const mockSecret = "mock_verifier"

// MockSecret returns the 32 random bytes from which login derives what it
// shows for users that do not exist. They are made once and stay the same
// across restarts and processes: a salt that changes would tell who exists.
func (s *Store) MockSecret(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	var text string
	err := s.inWrite(ctx, func(ctx context.Context, w *writer) error {
		if _, err := w.exec(ctx, `INSERT INTO server_secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
			mockSecret, base64.StdEncoding.EncodeToString(fresh)); err != nil {
			return err
		}
		return w.tx.QueryRowContext(ctx, `SELECT value FROM server_secrets WHERE name = $1`, mockSecret).Scan(&text)
	})
	if err != nil {
		return nil, fmt.Errorf("read mock secret: %w", err)
	}
	secret, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(secret) != len(fresh) {
		return nil, fmt.Errorf("read mock secret: stored value is damaged")
	}
	return secret, nil
}
