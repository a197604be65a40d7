-- Photos and recordings. Their bytes are files beside the database; an event of the record describes each. Before
-- this migration no envelope described one, so there is nothing to take over.

CREATE TABLE attachment_descriptions (
    record_id   BLOB NOT NULL,
    id          BLOB NOT NULL,         -- hash of the salt and the bytes of the file
    envelope_id BLOB NOT NULL,         -- the event; its row in envelopes has the verdict
    author      BLOB NOT NULL,
    media       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    salt        BLOB NOT NULL,
    PRIMARY KEY (record_id, id, envelope_id)
) STRICT, WITHOUT ROWID;

-- The files that are here whole. A device has proved for each record that it has the bytes.
CREATE TABLE attachment_files (
    record_id BLOB NOT NULL,
    id        BLOB NOT NULL,
    media     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    salt      BLOB NOT NULL,
    stored_ms INTEGER NOT NULL,        -- server time
    PRIMARY KEY (record_id, id)
) STRICT, WITHOUT ROWID;

-- Files whose description does not count, and files without a row above.
CREATE TABLE attachment_orphans (
    record_id BLOB NOT NULL,
    id        BLOB NOT NULL,
    since_ms  INTEGER NOT NULL,        -- server time
    PRIMARY KEY (record_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE uploads (
    device     BLOB NOT NULL,
    record_id  BLOB NOT NULL,
    id         BLOB NOT NULL,
    bytes      INTEGER NOT NULL,       -- of the whole file
    durable    INTEGER NOT NULL,       -- bytes that are on the disk
    begun_ms   INTEGER NOT NULL,
    touched_ms INTEGER NOT NULL,
    PRIMARY KEY (device, record_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_touched ON uploads (touched_ms);

-- How much each device uploaded on each day. Days that are over go.
CREATE TABLE upload_days (
    day    INTEGER NOT NULL,           -- since 1970-01-01, UTC
    device BLOB NOT NULL,
    files  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (day, device)
) STRICT, WITHOUT ROWID;
