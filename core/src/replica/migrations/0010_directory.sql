-- The directory as screens ask for it. It follows from the table directory and can be made again.

-- Versions of areas.
CREATE TABLE area (
  no            INTEGER PRIMARY KEY,
  key           BLOB NOT NULL UNIQUE,         -- as in directory: the id, then the start of the version
  id            BLOB NOT NULL,
  level         INTEGER NOT NULL,             -- 1 district, 2 town, 3 village, 4 grid
  parent        BLOB,
  code          INTEGER NOT NULL,
  zh            TEXT NOT NULL,
  en            TEXT NOT NULL,
  valid_from_ms INTEGER NOT NULL,
  valid_to_ms   INTEGER
) STRICT;
CREATE INDEX area_by_id ON area (id, valid_from_ms);
CREATE INDEX area_by_parent ON area (parent, code, no);

-- Boxes around the boundaries of grids, by area.no: the polygons stay in directory and are read where needed.
CREATE VIRTUAL TABLE area_map USING rtree_i32 (no, lat_min, lat_max, lon_min, lon_max);

-- Units and people by name.
CREATE TABLE directory_name (
  no           INTEGER PRIMARY KEY,
  kind         INTEGER NOT NULL,              -- as in directory: 3 unit, 6 person
  id           BLOB NOT NULL,
  area         BLOB NOT NULL,
  sort         INTEGER NOT NULL,              -- code of the sort of unit
  zh           TEXT NOT NULL,
  en           TEXT NOT NULL,
  dissolved_ms INTEGER,
  UNIQUE (kind, id)
) STRICT;
CREATE INDEX directory_in_order ON directory_name (kind, zh, no);

CREATE VIRTUAL TABLE directory_search USING fts5 (
  words, content = '', contentless_delete = 1, tokenize = 'unicode61'
);
