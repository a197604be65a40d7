-- What this phone may read, how far it has read, and the directory.

CREATE TABLE stream (
  no     INTEGER PRIMARY KEY,
  id     BLOB NOT NULL UNIQUE,                -- canonical CBOR of the stream's id
  cursor BLOB NOT NULL,
  digest BLOB NOT NULL                        -- sum over member records, 16 bytes
) STRICT;

CREATE TABLE stream_record (
  stream INTEGER NOT NULL,
  record BLOB NOT NULL,
  PRIMARY KEY (stream, record)
) WITHOUT ROWID, STRICT;
CREATE INDEX stream_of_record ON stream_record (record, stream);

-- Records that no stream holds any more and that stay until what is undelivered has a verdict.
CREATE TABLE withdrawn (
  record BLOB PRIMARY KEY
) WITHOUT ROWID, STRICT;

CREATE TABLE directory (
  stream   BLOB NOT NULL,
  kind     INTEGER NOT NULL,
  key      BLOB NOT NULL,
  zh       TEXT NOT NULL,
  en       TEXT NOT NULL,
  bytes    BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID, STRICT;

CREATE TABLE revocation (
  device BLOB PRIMARY KEY,
  bytes  BLOB NOT NULL                        -- as the server signed it: peers get it from here
) WITHOUT ROWID, STRICT;

CREATE TABLE bulletin (
  stream   BLOB NOT NULL,
  record   BLOB NOT NULL,
  bytes    BLOB NOT NULL,
  PRIMARY KEY (stream, record)
) WITHOUT ROWID, STRICT;

-- What the person must be told: void, held, refused, purged, salvaged.
CREATE TABLE notice (
  no       INTEGER PRIMARY KEY,
  at_ms    INTEGER NOT NULL,
  code     TEXT NOT NULL,
  record   BLOB,
  envelope BLOB,
  detail   TEXT NOT NULL,
  seen     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notice_unseen ON notice (no) WHERE seen = 0;
