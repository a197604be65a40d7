-- Open records are routed anew, in the order of their ids, when areas, units or rules have changed.
CREATE INDEX records_open ON records (id) WHERE open = 1;

-- The sum over the codes of all rows of each table, sealed under a key that is not in this file. A store gets its
-- row when it is made, and never again: a store without the row has lost it.
CREATE TABLE seal (
    no     INTEGER PRIMARY KEY CHECK (no = 1),
    sealed BLOB NOT NULL               -- CBOR, encrypted
) STRICT;
