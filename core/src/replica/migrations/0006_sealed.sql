-- Certificates of authors whom this phone is not told, as the server sealed them: for a server that lost them.
CREATE TABLE sealed_certificate (
  hash  BLOB PRIMARY KEY,
  bytes BLOB NOT NULL
) WITHOUT ROWID, STRICT;
