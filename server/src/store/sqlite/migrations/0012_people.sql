-- The ids that an office uses, members who are switched off, and the accounts of administrators.

ALTER TABLE members ADD COLUMN disabled_ms INTEGER;

CREATE TABLE external_ids (
    id          BLOB PRIMARY KEY,      -- of a member or a unit
    external_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE admins (
    name        TEXT PRIMARY KEY,
    roles       INTEGER NOT NULL,      -- 1 operator, 2 registrar, 4 auditor, added up
    added_ms    INTEGER NOT NULL,
    disabled_ms INTEGER
) STRICT, WITHOUT ROWID;
