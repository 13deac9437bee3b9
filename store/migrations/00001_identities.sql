-- Statements here run on SQLite and on PostgreSQL alike: text keys made by the
-- program, and times as microseconds since 1970-01-01 UTC.

-- +goose Up
CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL UNIQUE,
    source        TEXT   NOT NULL,
    verifier      TEXT   NOT NULL,
    global_role   TEXT   NOT NULL CHECK (global_role IN ('member', 'administrator', 'owner')),
    disabled_at   BIGINT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    last_login_at BIGINT
);

CREATE TABLE groups (
    name       TEXT   NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE memberships (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_name)
);

CREATE INDEX memberships_group_name ON memberships (group_name);

CREATE TABLE projects (
    name       TEXT   NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE project_roles (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_name TEXT NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    PRIMARY KEY (user_id, project_name)
);

CREATE INDEX project_roles_project_name ON project_roles (project_name);

-- The feed of changes, newest thousand only; no foreign keys, because it
-- outlives what it is about.
CREATE TABLE changes (
    revision  BIGINT NOT NULL PRIMARY KEY,
    kind      TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    user_name TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    role      TEXT   NOT NULL,
    at        BIGINT NOT NULL
);

-- Random keys of this installation, base64.
CREATE TABLE server_secrets (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- +goose Down
DROP TABLE server_secrets;
DROP TABLE changes;
DROP TABLE project_roles;
DROP TABLE projects;
DROP TABLE memberships;
DROP TABLE groups;
DROP TABLE users;
