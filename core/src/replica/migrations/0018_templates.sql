-- The templates of the directory by name. An app that did not know templates kept them under another key.
CREATE TABLE template (
  id      TEXT NOT NULL,
  version INTEGER NOT NULL,
  key     BLOB NOT NULL,                      -- as in directory, kind 9
  PRIMARY KEY (id, version)
) WITHOUT ROWID, STRICT;
