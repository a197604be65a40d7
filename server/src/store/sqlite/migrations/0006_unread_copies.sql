-- The server cannot verify an envelope that it cannot read. So it keeps and judges each copy separately, and
-- a copy with a wrong signature does not replace the true one.

CREATE TABLE unread_copies (
    no        INTEGER PRIMARY KEY,
    id        BLOB NOT NULL,
    device    BLOB NOT NULL,
    header    BLOB NOT NULL,
    body      BLOB NOT NULL,
    signature BLOB NOT NULL,
    since_ms  INTEGER NOT NULL,
    held      INTEGER NOT NULL,        -- 0: refused when it could be read
    verdict   BLOB NOT NULL,           -- CBOR
    UNIQUE (id, signature)
) STRICT;
INSERT INTO unread_copies
    SELECT no, id, device, header, body, signature, since_ms, held, verdict FROM unread;
DROP TABLE unread;
ALTER TABLE unread_copies RENAME TO unread;
CREATE INDEX unread_held ON unread (device, no) WHERE held = 1;
