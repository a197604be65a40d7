-- Records that this phone wrote in and no longer has, because the server withdrew them. A copy without the own work is
-- not taken from another phone: work upon it would not build on the own earlier work, so it would be void.
CREATE TABLE forgotten (
  record BLOB PRIMARY KEY,
  own    INTEGER NOT NULL                     -- accepted envelopes of this phone
) WITHOUT ROWID, STRICT;
