-- The first schema. Ids are raw bytes; times are milliseconds UTC; digests are 16 bytes, little endian.
-- Records, envelopes, streams and certificates have a short number of their own, so that the feed, which
-- has a row per envelope and stream, stays small.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    no        INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE,
    device    BLOB NOT NULL,
    facts     BLOB,                    -- NULL: a given-back pack names it, and nobody has brought it yet
    signature BLOB
) STRICT;

CREATE TABLE records (
    no         INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    kind       INTEGER NOT NULL,
    audience   INTEGER NOT NULL,
    home       BLOB NOT NULL,          -- CBOR of the AreaPath
    created_ms INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    category   TEXT,
    lat_e7     INTEGER,
    lon_e7     INTEGER,
    due_ms     INTEGER,
    digest     BLOB NOT NULL,
    changed_ms INTEGER NOT NULL,
    merged_into BLOB
) STRICT;
CREATE INDEX records_merged ON records (merged_into, id) WHERE merged_into IS NOT NULL;
CREATE INDEX records_due ON records (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE envelopes (
    no             INTEGER PRIMARY KEY,
    id             BLOB NOT NULL UNIQUE,
    record_id      BLOB NOT NULL,      -- a held Genesis has no row in records yet
    author         BLOB NOT NULL,
    certificate_no INTEGER NOT NULL REFERENCES certificates (no),
    header         BLOB,               -- NULL, like body and signature: known by a base pack alone
    body           BLOB,
    signature      BLOB,
    status         INTEGER NOT NULL,   -- 0 accepted, 1 void, 2 held, 3 refused
    verdict        BLOB NOT NULL       -- CBOR
) STRICT;
CREATE INDEX envelopes_record ON envelopes (record_id, no);
CREATE INDEX envelopes_certificate ON envelopes (certificate_no);
CREATE INDEX envelopes_held ON envelopes (no) WHERE status = 2;

CREATE TABLE packs (
    record_no INTEGER PRIMARY KEY REFERENCES records (no),
    digest    BLOB NOT NULL,           -- of the record when the pack was made
    pack      BLOB NOT NULL
) STRICT;

-- Packs that phones gave back after a restore: of what they list, single envelopes may be nowhere else.
CREATE TABLE base_packs (
    hash      BLOB PRIMARY KEY,        -- SHA-256 of the pack
    record_id BLOB NOT NULL,
    pack      BLOB NOT NULL,
    proof     BLOB NOT NULL            -- hash of the row in base_proofs
) STRICT, WITHOUT ROWID;
CREATE INDEX base_packs_record ON base_packs (record_id);

CREATE TABLE base_proofs (
    hash  BLOB PRIMARY KEY,
    proof BLOB NOT NULL                -- CBOR of the PackProof, which covers many packs
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    no     INTEGER PRIMARY KEY,
    id     BLOB NOT NULL UNIQUE,       -- CBOR of the StreamId
    head   INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE feed (
    stream_no INTEGER NOT NULL REFERENCES streams (no),
    position  INTEGER NOT NULL,
    kind      INTEGER NOT NULL,        -- 1 envelope, 2 add, 3 withdraw, 4 verdict, 5 directory, 6 bulletin
    subject   BLOB,                    -- id of the envelope or record
    data      BLOB,
    digest    BLOB NOT NULL,           -- of the stream after this entry
    PRIMARY KEY (stream_no, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_records (
    stream_no  INTEGER NOT NULL REFERENCES streams (no),
    record_no  INTEGER NOT NULL REFERENCES records (no),
    open       INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    turned_at  INTEGER NOT NULL,       -- position from which `open` is what it is
    added_at   INTEGER NOT NULL,       -- position from which the stream holds the record
    PRIMARY KEY (stream_no, record_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_records_record ON stream_records (record_no);
CREATE INDEX stream_records_open ON stream_records (stream_no, created_ms, record_no) WHERE open = 1;
CREATE INDEX stream_records_all ON stream_records (stream_no, created_ms, record_no, open, turned_at);

CREATE TABLE stream_certificates (
    stream_no      INTEGER NOT NULL REFERENCES streams (no),
    certificate_no INTEGER NOT NULL REFERENCES certificates (no),
    position       INTEGER NOT NULL,   -- the first that needs it
    PRIMARY KEY (stream_no, certificate_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_certificates_position ON stream_certificates (stream_no, position);

-- The present entries of a stream of the directory or a bulletin. A fresh phone loads these, not the history.
CREATE TABLE stream_entries (
    stream_no INTEGER NOT NULL REFERENCES streams (no),
    name      BLOB NOT NULL,
    position  INTEGER NOT NULL,
    data      BLOB NOT NULL,
    PRIMARY KEY (stream_no, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_entries_position ON stream_entries (stream_no, position);

CREATE TABLE members (
    id          BLOB PRIMARY KEY,
    public_name TEXT,
    area        BLOB NOT NULL,
    grants      BLOB NOT NULL,         -- CBOR of the grants that certificates are issued with
    granted_at  BLOB NOT NULL,         -- CBOR of the DirectoryMark of the last change of grants
    changed_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    id          BLOB PRIMARY KEY,
    public_key  BLOB NOT NULL,
    member      BLOB,
    certificate BLOB NOT NULL,         -- hash of the newest
    enrolled_ms INTEGER NOT NULL,
    revoked_ms  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_member ON devices (member);

CREATE TABLE invitations (
    id          BLOB PRIMARY KEY,
    data        BLOB NOT NULL,
    expires_ms  INTEGER NOT NULL,
    redeemed_by BLOB,
    redeemed_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE reviews (
    envelope_id BLOB PRIMARY KEY,
    since_ms    INTEGER NOT NULL,
    decided_ms  INTEGER,
    accepted    INTEGER,
    decided_by  TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_open ON reviews (since_ms) WHERE decided_ms IS NULL;

CREATE TABLE audit (
    no      INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    hash    BLOB NOT NULL              -- over the previous hash and this row
) STRICT;

CREATE TABLE cursors (
    device  BLOB PRIMARY KEY,
    hash    BLOB NOT NULL,
    cursors BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id         BLOB PRIMARY KEY,
    device     BLOB NOT NULL,
    secret     BLOB NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_device ON sessions (device);
CREATE INDEX sessions_expiry ON sessions (expires_ms);
