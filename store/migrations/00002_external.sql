-- People whom a directory or an identity provider vouches for, and where a role
-- comes from: assigned here, or mapped from what the source says at each login.

-- +goose Up
ALTER TABLE users ADD COLUMN subject TEXT;
ALTER TABLE users ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN mapped_role TEXT CHECK (mapped_role IN ('member', 'administrator', 'owner'));

CREATE UNIQUE INDEX users_subject ON users (source, subject);

ALTER TABLE changes ADD COLUMN actor TEXT NOT NULL DEFAULT '';

CREATE TABLE memberships_of_origin (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    origin     TEXT NOT NULL CHECK (origin IN ('assigned', 'mapped')),
    PRIMARY KEY (user_id, group_name, origin)
);
INSERT INTO memberships_of_origin SELECT user_id, group_name, 'assigned' FROM memberships;
DROP TABLE memberships;
ALTER TABLE memberships_of_origin RENAME TO memberships;
CREATE INDEX memberships_group_name ON memberships (group_name);

CREATE TABLE project_roles_of_origin (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_name TEXT NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    origin       TEXT NOT NULL CHECK (origin IN ('assigned', 'mapped')),
    PRIMARY KEY (user_id, project_name, origin)
);
INSERT INTO project_roles_of_origin SELECT user_id, project_name, role, 'assigned' FROM project_roles;
DROP TABLE project_roles;
ALTER TABLE project_roles_of_origin RENAME TO project_roles;
CREATE INDEX project_roles_project_name ON project_roles (project_name);

-- +goose Down
DELETE FROM memberships WHERE origin = 'mapped';
CREATE TABLE memberships_plain (
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT NOT NULL REFERENCES groups (name) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_name)
);
INSERT INTO memberships_plain SELECT user_id, group_name FROM memberships;
DROP TABLE memberships;
ALTER TABLE memberships_plain RENAME TO memberships;
CREATE INDEX memberships_group_name ON memberships (group_name);

DELETE FROM project_roles WHERE origin = 'mapped';
CREATE TABLE project_roles_plain (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_name TEXT NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
    PRIMARY KEY (user_id, project_name)
);
INSERT INTO project_roles_plain SELECT user_id, project_name, role FROM project_roles;
DROP TABLE project_roles;
ALTER TABLE project_roles_plain RENAME TO project_roles;
CREATE INDEX project_roles_project_name ON project_roles (project_name);

DELETE FROM users WHERE subject IS NOT NULL;
DROP INDEX users_subject;
ALTER TABLE users DROP COLUMN subject;
ALTER TABLE users DROP COLUMN display_name;
ALTER TABLE users DROP COLUMN email;
ALTER TABLE users DROP COLUMN mapped_role;
ALTER TABLE changes DROP COLUMN actor;
