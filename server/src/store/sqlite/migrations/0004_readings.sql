-- The readers of each record of a sensitive kind, once a day: ids and times, without any content.

CREATE TABLE readings (
    day       INTEGER NOT NULL,        -- since 1970-01-01, UTC
    device    BLOB NOT NULL,
    record_id BLOB NOT NULL,
    member    BLOB NOT NULL,
    stream    BLOB NOT NULL,           -- by which the device got it
    first_ms  INTEGER NOT NULL,
    PRIMARY KEY (day, device, record_id)
) STRICT, WITHOUT ROWID;
