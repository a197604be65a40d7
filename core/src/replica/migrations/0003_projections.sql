-- Lists, counts, map and search read these. They follow from envelopes and verdicts and can be rebuilt.

CREATE TABLE record (
  no           INTEGER PRIMARY KEY,
  id           BLOB NOT NULL UNIQUE,
  kind         INTEGER NOT NULL,
  audience     INTEGER NOT NULL,
  state        INTEGER NOT NULL,
  open         INTEGER NOT NULL,              -- 1: not at an end
  category     TEXT NOT NULL,
  severity     INTEGER NOT NULL,
  title        TEXT NOT NULL,
  address      TEXT NOT NULL,
  lat_e7       INTEGER,
  lon_e7       INTEGER,
  genesis_ms   INTEGER NOT NULL,              -- clock of the Genesis: equal on every replica
  created_ms   INTEGER NOT NULL,
  updated_ms   INTEGER NOT NULL,
  mine         INTEGER NOT NULL,              -- 1: this phone's member made it
  undelivered  INTEGER NOT NULL,              -- envelopes here that no server has judged
  provisional  INTEGER NOT NULL,              -- 1: the Genesis itself has no verdict
  conflicts    INTEGER NOT NULL,
  needs_review INTEGER NOT NULL,
  newer        INTEGER NOT NULL,              -- 1: holds something of a newer app
  ladder       INTEGER NOT NULL,              -- 0 stored, 1 delivered, 2 seen, 3 handled
  digest       BLOB NOT NULL
) STRICT;
CREATE INDEX record_by_update ON record (updated_ms DESC, no DESC);
CREATE INDEX record_by_state ON record (state, updated_ms DESC, no DESC);
CREATE INDEX record_by_category ON record (category, updated_ms DESC, no DESC);
CREATE INDEX record_mine ON record (updated_ms DESC, no DESC) WHERE mine = 1;
CREATE INDEX record_undelivered ON record (updated_ms DESC, no DESC) WHERE undelivered > 0;
CREATE INDEX record_in_conflict ON record (updated_ms DESC, no DESC) WHERE conflicts > 0;

-- Home and responsible areas with all that lie above them.
CREATE TABLE record_area (
  area   BLOB NOT NULL,
  record INTEGER NOT NULL,
  PRIMARY KEY (area, record)
) WITHOUT ROWID, STRICT;
CREATE INDEX area_of_record ON record_area (record);

CREATE VIRTUAL TABLE record_map USING rtree_i32 (no, lat_min, lat_max, lon_min, lon_max);

-- Overlapping pairs of Han characters and lower-case words (see search.rs); the text itself is not kept.
CREATE VIRTUAL TABLE record_search USING fts5 (
  words, content = '', contentless_delete = 1, tokenize = 'unicode61'
);
