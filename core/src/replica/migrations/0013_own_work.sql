-- What this phone's member wrote, on any phone, and what became of it. It follows from the records here, and what
-- is known of a record stays when the record is no longer the person's to read: the work still counts.
CREATE TABLE own_work (
  id       BLOB PRIMARY KEY,
  record   BLOB NOT NULL,
  is_birth INTEGER NOT NULL,                  -- 1: it made the record
  clock_ms INTEGER NOT NULL,
  standing INTEGER NOT NULL,                  -- 1 counted, 2 waiting, 3 held, 4 does not count
  code     TEXT NOT NULL                      -- why, for 3 and 4
) WITHOUT ROWID, STRICT;
CREATE INDEX own_work_in_time ON own_work (clock_ms, standing, is_birth);
CREATE INDEX own_work_of_record ON own_work (record);
CREATE INDEX own_work_not_counted ON own_work (clock_ms) WHERE standing >= 3;
