-- Records with envelopes whose author's certificate is not here. Their projections are made again when it arrives.
CREATE TABLE unnamed (
  certificate BLOB NOT NULL,
  record      BLOB NOT NULL,
  PRIMARY KEY (certificate, record)
) WITHOUT ROWID, STRICT;
