-- All tables, with the same names and columns as in the SQLite backend after its migration 13, so that rows are
-- copied as they are; the table of the seal is left out. Ids are raw bytes; times are milliseconds UTC; digests are 16 bytes, little endian. Every
-- number is a bigint, as SQLite keeps it. Text is ordered by its bytes.
--
-- Numbers of rows are given under the lock of the writers, not by a sequence, so they follow the order of commits.

CREATE TABLE meta (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value BYTEA NOT NULL
);
-- A value is short, or compressed already.
ALTER TABLE meta ALTER COLUMN value SET STORAGE EXTERNAL;

CREATE TABLE certificates (
    no        BIGINT PRIMARY KEY,
    hash      BYTEA NOT NULL UNIQUE,
    device    BYTEA NOT NULL,
    facts     BYTEA,                   -- NULL: a given-back pack names it, and nobody has brought it yet
    signature BYTEA
);

CREATE TABLE records (
    no          BIGINT PRIMARY KEY,
    id          BYTEA NOT NULL UNIQUE,
    kind        BIGINT NOT NULL,
    audience    BIGINT NOT NULL,
    home        BYTEA NOT NULL,        -- CBOR of the AreaPath
    created_ms  BIGINT NOT NULL,
    open        BIGINT NOT NULL,
    state       BIGINT NOT NULL,
    category    TEXT COLLATE "C",
    lat_e7      BIGINT,
    lon_e7      BIGINT,
    due_ms      BIGINT,
    digest      BYTEA NOT NULL,
    changed_ms  BIGINT NOT NULL,
    merged_into BYTEA
) WITH (fillfactor = 80);
CREATE INDEX records_merged ON records (merged_into, id) WHERE merged_into IS NOT NULL;
CREATE INDEX records_due ON records (due_ms, id) WHERE due_ms IS NOT NULL;
CREATE INDEX records_open ON records (id) WHERE open = 1;

CREATE TABLE envelopes (
    no             BIGINT PRIMARY KEY,
    id             BYTEA NOT NULL UNIQUE,
    record_id      BYTEA NOT NULL,     -- a held Genesis has no row in records yet
    author         BYTEA NOT NULL,
    certificate_no BIGINT NOT NULL REFERENCES certificates (no),
    header         BYTEA,              -- NULL, like body and signature: known by a base pack alone
    body           BYTEA,
    signature      BYTEA,
    status         BIGINT NOT NULL,    -- 0 accepted, 1 void, 2 held, 3 refused
    verdict        BYTEA NOT NULL      -- CBOR
);
CREATE INDEX envelopes_record ON envelopes (record_id, no);
CREATE INDEX envelopes_certificate ON envelopes (certificate_no);
CREATE INDEX envelopes_held ON envelopes (no) WHERE status = 2;

CREATE TABLE packs (
    record_no BIGINT PRIMARY KEY REFERENCES records (no),
    digest    BYTEA NOT NULL,          -- of the record when the pack was made
    pack      BYTEA NOT NULL
);

-- Packs that phones gave back after a restore: of what they list, single envelopes may be nowhere else.
CREATE TABLE base_packs (
    hash      BYTEA PRIMARY KEY,       -- SHA-256 of the pack
    record_id BYTEA NOT NULL,
    pack      BYTEA NOT NULL,
    proof     BYTEA NOT NULL           -- hash of the row in base_proofs
);
CREATE INDEX base_packs_record ON base_packs (record_id);

CREATE TABLE base_proofs (
    hash  BYTEA PRIMARY KEY,
    proof BYTEA NOT NULL               -- CBOR of the PackProof, which covers many packs
);

CREATE TABLE streams (
    no     BIGINT PRIMARY KEY,
    id     BYTEA NOT NULL UNIQUE,      -- CBOR of the StreamId
    head   BIGINT NOT NULL,
    digest BYTEA NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE feed (
    stream_no BIGINT NOT NULL REFERENCES streams (no),
    position  BIGINT NOT NULL,
    kind      BIGINT NOT NULL,         -- 1 envelope, 2 add, 3 withdraw, 4 verdict, 5 directory, 6 bulletin
    subject   BYTEA,                   -- id of the envelope or record
    data      BYTEA,
    digest    BYTEA NOT NULL,          -- of the stream after this entry
    PRIMARY KEY (stream_no, position)
);

CREATE TABLE stream_records (
    stream_no  BIGINT NOT NULL REFERENCES streams (no),
    record_no  BIGINT NOT NULL REFERENCES records (no),
    open       BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    turned_at  BIGINT NOT NULL,        -- position from which `open` is what it is
    added_at   BIGINT NOT NULL,        -- position from which the stream holds the record
    PRIMARY KEY (stream_no, record_no)
);
CREATE INDEX stream_records_record ON stream_records (record_no);
CREATE INDEX stream_records_open ON stream_records (stream_no, created_ms, record_no) WHERE open = 1;
CREATE INDEX stream_records_all ON stream_records (stream_no, created_ms, record_no, open, turned_at);

CREATE TABLE stream_certificates (
    stream_no      BIGINT NOT NULL REFERENCES streams (no),
    certificate_no BIGINT NOT NULL REFERENCES certificates (no),
    position       BIGINT NOT NULL,    -- the first that needs it
    PRIMARY KEY (stream_no, certificate_no)
);
CREATE INDEX stream_certificates_position ON stream_certificates (stream_no, position);

-- The present entries of a stream of the directory or a bulletin. A fresh phone loads these, not the history.
CREATE TABLE stream_entries (
    stream_no BIGINT NOT NULL REFERENCES streams (no),
    name      BYTEA NOT NULL,
    position  BIGINT NOT NULL,
    data      BYTEA NOT NULL,
    PRIMARY KEY (stream_no, name)
);
CREATE INDEX stream_entries_position ON stream_entries (stream_no, position);

CREATE TABLE members (
    id          BYTEA PRIMARY KEY,
    public_name TEXT COLLATE "C",
    area        BYTEA NOT NULL,
    grants      BYTEA NOT NULL,        -- CBOR of the grants that certificates are issued with
    granted_at  BYTEA NOT NULL,        -- CBOR of the DirectoryMark of the last change of grants
    changed_ms  BIGINT NOT NULL,
    disabled_ms BIGINT
);

CREATE TABLE devices (
    id          BYTEA PRIMARY KEY,
    public_key  BYTEA NOT NULL,
    member      BYTEA,
    certificate BYTEA NOT NULL,        -- hash of the newest
    enrolled_ms BIGINT NOT NULL,
    revoked_ms  BIGINT
);
CREATE INDEX devices_member ON devices (member);
CREATE INDEX devices_revoked ON devices (id) WHERE revoked_ms IS NOT NULL;

CREATE TABLE invitations (
    id          BYTEA PRIMARY KEY,
    data        BYTEA NOT NULL,
    expires_ms  BIGINT NOT NULL,
    redeemed_by BYTEA,
    redeemed_ms BIGINT
);

CREATE TABLE reviews (
    envelope_id BYTEA PRIMARY KEY,
    since_ms    BIGINT NOT NULL,
    decided_ms  BIGINT,
    accepted    BIGINT,
    decided_by  TEXT COLLATE "C"
);
CREATE INDEX reviews_open ON reviews (since_ms, envelope_id) WHERE decided_ms IS NULL;

CREATE TABLE audit (
    no      BIGINT PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    actor   TEXT COLLATE "C" NOT NULL,
    action  TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    hash    BYTEA NOT NULL             -- over the previous hash and this row
);

CREATE TABLE cursors (
    device  BYTEA PRIMARY KEY,
    hash    BYTEA NOT NULL,
    cursors BYTEA NOT NULL
);

CREATE TABLE sessions (
    id         BYTEA PRIMARY KEY,
    device     BYTEA NOT NULL,
    secret     BYTEA NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX sessions_device ON sessions (device);
CREATE INDEX sessions_expiry ON sessions (expires_ms);

-- Envelopes that this version cannot read, one row for each copy. `device` brought the copy.
CREATE TABLE unread (
    no        BIGINT PRIMARY KEY,
    id        BYTEA NOT NULL,
    device    BYTEA NOT NULL,
    header    BYTEA NOT NULL,
    body      BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    since_ms  BIGINT NOT NULL,
    held      BIGINT NOT NULL,         -- 0: refused when it could be read
    verdict   BYTEA NOT NULL,          -- CBOR
    UNIQUE (id, signature)
);
CREATE INDEX unread_held ON unread (device, no) WHERE held = 1;

-- The readers of each record of a sensitive kind, once a day: ids and times, without any content.
CREATE TABLE readings (
    day       BIGINT NOT NULL,         -- since 1970-01-01, UTC
    device    BYTEA NOT NULL,
    record_id BYTEA NOT NULL,
    member    BYTEA NOT NULL,
    stream    BYTEA NOT NULL,          -- by which the device got it
    first_ms  BIGINT NOT NULL,
    PRIMARY KEY (day, device, record_id)
);

-- How much each device wrote on each day: the ceiling against a flood. Days that are over go.
CREATE TABLE written (
    day       BIGINT NOT NULL,         -- since 1970-01-01, UTC
    device    BYTEA NOT NULL,
    envelopes BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    PRIMARY KEY (day, device)
);

-- Every version of every template of checklists. Records name a version, so versions are never deleted.
CREATE TABLE templates (
    id          TEXT COLLATE "C" NOT NULL,
    version     BIGINT NOT NULL,
    bytes       BYTEA NOT NULL,        -- canonical JSON
    hash        BYTEA NOT NULL,        -- SHA-256 of the bytes
    imported_ms BIGINT NOT NULL,       -- server time
    imported_by TEXT COLLATE "C" NOT NULL, -- as in the audit log
    PRIMARY KEY (id, version)
);

-- Photos and recordings. Their bytes are files beside the database; an event of the record describes each.
CREATE TABLE attachment_descriptions (
    record_id   BYTEA NOT NULL,
    id          BYTEA NOT NULL,        -- hash of the salt and the bytes of the file
    envelope_id BYTEA NOT NULL,        -- the event; its row in envelopes has the verdict
    author      BYTEA NOT NULL,
    media       BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    salt        BYTEA NOT NULL,
    PRIMARY KEY (record_id, id, envelope_id)
);

-- The files that are here whole. A device has proved for each record that it has the bytes.
CREATE TABLE attachment_files (
    record_id BYTEA NOT NULL,
    id        BYTEA NOT NULL,
    media     BIGINT NOT NULL,
    bytes     BIGINT NOT NULL,
    salt      BYTEA NOT NULL,
    stored_ms BIGINT NOT NULL,         -- server time
    PRIMARY KEY (record_id, id)
);

-- Files whose description does not count, and files without a row above.
CREATE TABLE attachment_orphans (
    record_id BYTEA NOT NULL,
    id        BYTEA NOT NULL,
    since_ms  BIGINT NOT NULL,         -- server time
    PRIMARY KEY (record_id, id)
);

CREATE TABLE uploads (
    device     BYTEA NOT NULL,
    record_id  BYTEA NOT NULL,
    id         BYTEA NOT NULL,
    bytes      BIGINT NOT NULL,        -- of the whole file
    durable    BIGINT NOT NULL,        -- bytes that are on the disk
    begun_ms   BIGINT NOT NULL,
    touched_ms BIGINT NOT NULL,
    PRIMARY KEY (device, record_id, id)
);
CREATE INDEX uploads_touched ON uploads (touched_ms);

-- How much each device uploaded on each day. Days that are over go.
CREATE TABLE upload_days (
    day    BIGINT NOT NULL,            -- since 1970-01-01, UTC
    device BYTEA NOT NULL,
    files  BIGINT NOT NULL,
    bytes  BIGINT NOT NULL,
    PRIMARY KEY (day, device)
);

-- Parcels that couriers brought, so that each counts once. Old days go.
CREATE TABLE parcels (
    hash    BYTEA PRIMARY KEY,
    day     BIGINT NOT NULL,           -- since 1970-01-01, UTC
    courier BYTEA NOT NULL,            -- device
    bytes   BIGINT NOT NULL,
    outcome BIGINT NOT NULL            -- as on the wire
);
CREATE INDEX parcels_by_courier ON parcels (day, courier, bytes);

-- How many parcels each courier brought on each day, also those that are known or not taken. Old days go.
CREATE TABLE parcels_brought (
    day     BIGINT NOT NULL,           -- since 1970-01-01, UTC
    courier BYTEA NOT NULL,            -- device
    parcels BIGINT NOT NULL,
    bytes   BIGINT NOT NULL,
    PRIMARY KEY (day, courier)
);

-- The ids that an office uses.
CREATE TABLE external_ids (
    id          BYTEA PRIMARY KEY,     -- of a member or a unit
    external_id TEXT COLLATE "C" NOT NULL
);

-- The accounts of administrators.
CREATE TABLE admins (
    name        TEXT COLLATE "C" PRIMARY KEY,
    roles       BIGINT NOT NULL,       -- 1 operator, 2 registrar, 4 auditor, added up
    added_ms    BIGINT NOT NULL,
    disabled_ms BIGINT
);
