-- Deadlines and open assignments, so that the lists of one's own work load no record.

-- The next deadline that counts, ms UTC; the greatest number where there is none.
ALTER TABLE record ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 9223372036854775807;
CREATE INDEX record_by_due ON record (due_ms, no);
CREATE INDEX record_by_kind ON record (kind, updated_ms DESC, no DESC);
CREATE INDEX record_by_open ON record (open, updated_ms DESC, no DESC);

-- Assignments on which somebody can still take a step.
CREATE TABLE record_assignment (
  party  BLOB NOT NULL,                       -- 1 for a unit or 2 for a member, then its id
  record INTEGER NOT NULL,
  id     BLOB NOT NULL,
  due_ms INTEGER NOT NULL,                    -- as in record
  PRIMARY KEY (party, record, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX assignment_of_record ON record_assignment (record);

-- In the order of a list, so that a page of one area reads no more rows than it shows.
CREATE TABLE record_of_area (
  area       BLOB NOT NULL,
  updated_ms INTEGER NOT NULL,
  record     INTEGER NOT NULL,
  PRIMARY KEY (area, updated_ms, record)
) WITHOUT ROWID, STRICT;
INSERT INTO record_of_area (area, updated_ms, record)
  SELECT a.area, r.updated_ms, a.record FROM record_area AS a JOIN record AS r ON r.no = a.record;
DROP TABLE record_area;
ALTER TABLE record_of_area RENAME TO record_area;
CREATE INDEX area_of_record ON record_area (record);
