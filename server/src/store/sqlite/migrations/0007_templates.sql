-- Every version of every template of checklists, as the directory carries them. Records name a version, so
-- versions are never deleted.

CREATE TABLE templates (
    id          TEXT NOT NULL,
    version     INTEGER NOT NULL,
    bytes       BLOB NOT NULL,         -- canonical JSON
    hash        BLOB NOT NULL,         -- SHA-256 of the bytes
    imported_ms INTEGER NOT NULL,      -- server time
    imported_by TEXT NOT NULL,         -- as in the audit log
    PRIMARY KEY (id, version)
) STRICT;
