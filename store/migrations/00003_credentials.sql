-- Secrets beside the password by which a user logs in for a while.

-- +goose Up
CREATE TABLE credentials (
    id               TEXT   NOT NULL PRIMARY KEY,
    user_id          TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind             TEXT   NOT NULL CHECK (kind IN ('api_key', 'session_password')),
    name             TEXT   NOT NULL,
    hint             TEXT   NOT NULL,
    verifier         TEXT   NOT NULL,
    project          TEXT   NOT NULL,
    datasource       TEXT   NOT NULL,
    mfa              INTEGER NOT NULL,
    authenticated_at BIGINT,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    last_used_at     BIGINT,
    revoked_at       BIGINT,
    replaces         TEXT   NOT NULL
);
CREATE INDEX credentials_user_id ON credentials (user_id);

-- +goose Down
DROP TABLE credentials;
