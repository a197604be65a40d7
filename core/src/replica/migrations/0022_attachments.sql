-- Photos and recordings: one row for each description, and for each file that waits for its first use.
CREATE TABLE attachment (
  no         INTEGER PRIMARY KEY,
  record     BLOB,                            -- absent: staged, no record names it yet
  id         BLOB NOT NULL,
  media      INTEGER NOT NULL,                -- 1 JPEG, 2 M4A
  bytes      INTEGER NOT NULL,
  salt       BLOB NOT NULL,
  extent_a   INTEGER,                         -- width, or milliseconds
  extent_b   INTEGER,                         -- height
  thumbnail  BLOB,                            -- only one that may be shown
  described  INTEGER NOT NULL,                -- 0 no description here, 1 not judged, 2 held, 3 accepted, 4 void
  envelope   BLOB,                            -- the description
  own        INTEGER NOT NULL,                -- 1: this phone described it
  void       TEXT,                            -- the verdict on a description that does not count
  state      INTEGER NOT NULL,                -- 1 staged, 2 waiting, 3 delivered, 4 absent, 5 wanted, 6 arriving
  file       BLOB UNIQUE,                     -- name of the sealed file; absent: no file is here
  key        BLOB,
  here       INTEGER NOT NULL DEFAULT 0,      -- plain bytes in the file
  tail       BLOB,                            -- bytes after the last whole segment of an arriving file
  receipt_generation INTEGER,                 -- the generation of the receipt
  receipt_ms INTEGER,
  refusal    TEXT,                            -- the code of the server, if it refused the file
  made_ms    INTEGER NOT NULL,
  turn       INTEGER NOT NULL DEFAULT 0       -- order of requests, and of openings
) STRICT;
CREATE UNIQUE INDEX attachment_name ON attachment (record, id) WHERE record IS NOT NULL;
CREATE UNIQUE INDEX attachment_staged ON attachment (id) WHERE record IS NULL;
CREATE INDEX attachment_in_state ON attachment (state, bytes);
CREATE INDEX attachment_turn ON attachment (turn);

-- Sealed files whose rows are gone, until they are removed from the disk.
CREATE TABLE attachment_garbage (
  file BLOB PRIMARY KEY
) WITHOUT ROWID, STRICT;
CREATE TRIGGER attachment_deleted AFTER DELETE ON attachment WHEN OLD.file IS NOT NULL
  BEGIN INSERT INTO attachment_garbage (file) VALUES (OLD.file); END;
CREATE TRIGGER attachment_moved AFTER UPDATE OF file ON attachment
  WHEN OLD.file IS NOT NULL AND OLD.file IS NOT NEW.file
  BEGIN INSERT INTO attachment_garbage (file) VALUES (OLD.file); END;
