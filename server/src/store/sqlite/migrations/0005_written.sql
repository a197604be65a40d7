-- How much each device wrote on each day: the ceiling against a flood. Days that are over go.

CREATE TABLE written (
    day       INTEGER NOT NULL,        -- since 1970-01-01, UTC
    device    BLOB NOT NULL,
    envelopes INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    PRIMARY KEY (day, device)
) STRICT, WITHOUT ROWID;
