-- Envelopes that this version cannot read, and their descendants. They are kept unchanged and judged after
-- an upgrade. `device` brought the envelope; the bound of unread envelopes counts by it.

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
