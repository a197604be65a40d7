-- What a phone shows when something comes in, one row for each cause. A row stays after it was taken, so that the
-- same cause tells nobody twice.
CREATE TABLE notification (
  no       INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms    INTEGER NOT NULL,
  kind     INTEGER NOT NULL,
  cause    BLOB NOT NULL,                     -- 16 bytes that name the cause within its kind
  record   BLOB,
  envelope BLOB,
  taken    INTEGER NOT NULL,                  -- 1: shown, or known before there was anybody to tell
  UNIQUE (kind, cause)
) STRICT;
CREATE INDEX notification_waiting ON notification (no) WHERE taken = 0;
