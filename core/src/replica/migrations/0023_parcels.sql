-- Sealed work of other phones that this phone carries to the server and cannot read. The tag is random to this phone:
-- its author's next parcel has the same one. Nothing here names an author.
CREATE TABLE parcel (
  tag      BLOB PRIMARY KEY,
  hash     BLOB NOT NULL,
  bytes    BLOB NOT NULL,
  taken_ms INTEGER NOT NULL                   -- of this phone's clock, UTC
) STRICT;
CREATE INDEX parcel_by_age ON parcel (taken_ms, tag);
