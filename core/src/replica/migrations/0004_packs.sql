-- A record may stand on several packs: pasts of it that met after a restore of the server, of which each tells
-- what the other does not.
CREATE TABLE packs (
  no     INTEGER PRIMARY KEY,
  record BLOB NOT NULL,
  proof  INTEGER NOT NULL,
  bytes  BLOB NOT NULL
) STRICT;
INSERT INTO packs (no, record, proof, bytes) SELECT no, record, proof, bytes FROM pack;
DROP TABLE pack;
ALTER TABLE packs RENAME TO pack;
CREATE INDEX pack_of_record ON pack (record);
