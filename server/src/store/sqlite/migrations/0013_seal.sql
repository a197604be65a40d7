-- Open records are routed anew, in the order of their ids, when areas, units or rules have changed.
CREATE INDEX records_open ON records (id) WHERE open = 1;

-- The sum over the rows of each table, with a code under a key that is not in this file. It is empty until the
-- server has counted all rows once.
CREATE TABLE seal (
    no   INTEGER PRIMARY KEY CHECK (no = 1),
    sums BLOB,                         -- CBOR
    code BLOB                          -- HMAC-SHA-256; NULL after a change that could not be sealed
) STRICT;
INSERT INTO seal (no) VALUES (1);
