-- What was written, as bytes: the truth of the phone. All else can be made from it.

-- Single values: own certificate, epoch, count of local writes, generation, directory position.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE certificate (
  hash      BLOB PRIMARY KEY,
  device    BLOB NOT NULL,
  member    BLOB,
  facts     BLOB NOT NULL,
  signature BLOB NOT NULL,
  known_in  INTEGER NOT NULL DEFAULT 0        -- generation in which the server is known to have it
) WITHOUT ROWID, STRICT;

-- The list of server keys that the root key signed: one row.
CREATE TABLE anchor (
  key   BLOB PRIMARY KEY,
  bytes BLOB NOT NULL
) WITHOUT ROWID, STRICT;

-- Signatures of the server over many verdicts: given back to a server that lost its data.
CREATE TABLE attestation (
  no         INTEGER PRIMARY KEY,
  generation INTEGER NOT NULL,
  time_ms    INTEGER NOT NULL,
  bytes      BLOB NOT NULL
) STRICT;

CREATE TABLE envelope (
  no          INTEGER PRIMARY KEY,            -- order in which this phone learnt of it
  id          BLOB NOT NULL UNIQUE,
  record      BLOB NOT NULL,
  origin      INTEGER NOT NULL,               -- 1 own, 2 server, 3 peer
  carried     INTEGER NOT NULL DEFAULT 0,     -- 1: taken along for a server to judge, not applied here
  certificate BLOB NOT NULL,
  header      BLOB NOT NULL,
  body        BLOB NOT NULL,
  signature   BLOB NOT NULL,
  standing    INTEGER NOT NULL,               -- 0 not judged (outbox), 1 accepted, 2 void, 3 held, 4 refused
  verdict     BLOB,                           -- absent exactly when standing = 0
  attestation INTEGER,
  rewritten   BLOB                            -- the envelope that says again what this void one said
) STRICT;
CREATE INDEX envelope_of_record ON envelope (record, no);
CREATE INDEX envelope_outbox ON envelope (no) WHERE standing = 0;
CREATE INDEX envelope_unsettled ON envelope (record) WHERE standing NOT IN (1, 2);

-- Pasts of records as the server compacted them, with the batch signature that covers each.
CREATE TABLE pack_proof (
  no    INTEGER PRIMARY KEY,
  hash  BLOB NOT NULL UNIQUE,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE pack (
  no     INTEGER PRIMARY KEY,
  record BLOB NOT NULL UNIQUE,
  proof  INTEGER NOT NULL,
  bytes  BLOB NOT NULL
) STRICT;

-- Which pack stands for an envelope, by its whole id: a part of it could be made to collide.
CREATE TABLE pack_entry (
  id   BLOB PRIMARY KEY,
  pack INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_of_pack ON pack_entry (pack);

-- Verdicts that changed after a pack was made.
CREATE TABLE verdict_change (
  id          BLOB PRIMARY KEY,
  record      BLOB NOT NULL,
  verdict     BLOB NOT NULL,
  attestation INTEGER
) WITHOUT ROWID, STRICT;
CREATE INDEX change_of_record ON verdict_change (record);
