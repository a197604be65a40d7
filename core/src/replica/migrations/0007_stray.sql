-- Records with verdicts that no stream holds: whether the server still has them is to be asked. They came by a meeting,
-- or were here when the server was restored, or when this file was made by a rescue.
CREATE TABLE stray (
  record BLOB PRIMARY KEY
) WITHOUT ROWID, STRICT;
