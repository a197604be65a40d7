-- Checklists, their due dates, and the records that belong to them.

-- Records that point at another one.
CREATE TABLE record_link (
  target BLOB NOT NULL,                       -- id of the record pointed at, here or not
  source INTEGER NOT NULL,                    -- number of the record that points
  how    INTEGER NOT NULL,                    -- 1 made for it, 2 form about it, 3 merged into it
  PRIMARY KEY (target, source, how)
) WITHOUT ROWID, STRICT;
CREATE INDEX link_of_record ON record_link (source);

-- Records that are checklists.
CREATE TABLE form (
  record      INTEGER PRIMARY KEY,
  template    TEXT NOT NULL,
  version     INTEGER NOT NULL,
  subject     BLOB,                           -- id of the record that it is about
  place       BLOB NOT NULL,                  -- 16 bytes that all forms about one subject share
  standing    INTEGER NOT NULL,               -- 1 planned, 2 begun, 3 done, 4 in vain, 5 called off
  planned_ms  INTEGER,
  begun_ms    INTEGER,
  ended_ms    INTEGER,
  at_ms       INTEGER NOT NULL,               -- ended, else begun, else planned, else made
  member      BLOB,                           -- who made the last step, else who made the record
  day         INTEGER NOT NULL,               -- the day of the form, days since 1970-01-01 in China
  complete    INTEGER,                        -- NULL: its template is not here
  next_due_ms INTEGER                         -- of a form that is done
) STRICT;
CREATE INDEX form_of_place ON form (place, template);
CREATE INDEX form_of_place_in_time ON form (place, at_ms DESC, record DESC);
CREATE INDEX form_of_subject ON form (subject) WHERE subject IS NOT NULL;
CREATE INDEX form_of_template ON form (template, version);
CREATE INDEX form_planned ON form (planned_ms, record) WHERE standing = 1;
CREATE INDEX form_in_time ON form (at_ms, standing);

-- For each subject and template the form that is due next: the open one that is planned first, else the one
-- that was done last.
CREATE TABLE form_due (
  place    BLOB NOT NULL,
  template TEXT NOT NULL,
  record   INTEGER NOT NULL,
  due_ms   INTEGER NOT NULL,
  PRIMARY KEY (place, template)
) WITHOUT ROWID, STRICT;
CREATE INDEX form_due_in_time ON form_due (due_ms, record);
CREATE INDEX form_due_of_record ON form_due (record);
