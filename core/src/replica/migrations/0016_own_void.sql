-- Own envelopes that became void while this phone was behind a restored server. Their words are written again, or
-- told, when the phone is equal with the server, because until then more verdicts of the lost server may arrive.
CREATE TABLE own_void (
  id     BLOB PRIMARY KEY,
  record BLOB NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX own_void_of_record ON own_void (record);
