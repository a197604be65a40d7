-- The second copy of what no server has: a file of its own, so that no damage of one file costs it.
-- A file of another form is never migrated: its rows are taken back, and it is made anew.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE certificate (
  hash      BLOB PRIMARY KEY,
  device    BLOB NOT NULL,
  member    BLOB,
  facts     BLOB NOT NULL,
  signature BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE anchor (
  key   BLOB PRIMARY KEY,
  bytes BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE envelope (
  no          INTEGER PRIMARY KEY,            -- as in the replica, so that the order of sending stays
  id          BLOB NOT NULL,
  record      BLOB NOT NULL,
  origin      INTEGER NOT NULL,
  carried     INTEGER NOT NULL,
  certificate BLOB NOT NULL,
  header      BLOB NOT NULL,
  body        BLOB NOT NULL,
  signature   BLOB NOT NULL,
  standing    INTEGER NOT NULL                -- always 0
) STRICT;
-- The name of an envelope, and with its number all that opening compares.
CREATE UNIQUE INDEX envelope_id ON envelope (id);

-- Names and keys of photos and recordings that no server has. Their files are beside the replica.
CREATE TABLE attachment (
  file      BLOB PRIMARY KEY,
  key       BLOB NOT NULL,
  record    BLOB,
  id        BLOB NOT NULL,
  media     INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  salt      BLOB NOT NULL,
  extent_a  INTEGER,
  extent_b  INTEGER,
  thumbnail BLOB,
  described INTEGER NOT NULL,
  envelope  BLOB,
  own       INTEGER NOT NULL,
  state     INTEGER NOT NULL,                 -- 1 staged, 2 waiting
  here      INTEGER NOT NULL,
  made_ms   INTEGER NOT NULL
) STRICT;
