-- What is still to be made again from envelopes and directory entries: after an update of the app, or when a name
-- changed that records are searched by.
CREATE TABLE pending_projection (
  what INTEGER NOT NULL,                      -- 0 a record, else the kind of a directory entry
  key  BLOB NOT NULL,
  PRIMARY KEY (what, key)
) WITHOUT ROWID, STRICT;
