-- Envelopes that this version can not read, and what builds on them: kept as they came, judged after an
-- upgrade. `device` is who brought it: the bound of what is kept unread counts by it.

CREATE TABLE unread (
    no        INTEGER PRIMARY KEY,
    id        BLOB NOT NULL UNIQUE,
    device    BLOB NOT NULL,
    header    BLOB NOT NULL,
    body      BLOB NOT NULL,
    signature BLOB NOT NULL,
    since_ms  INTEGER NOT NULL,
    held      INTEGER NOT NULL,        -- 0: refused when it could be read
    verdict   BLOB NOT NULL            -- CBOR
) STRICT;
CREATE INDEX unread_held ON unread (device, no) WHERE held = 1;
