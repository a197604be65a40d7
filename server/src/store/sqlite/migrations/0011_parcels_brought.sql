-- How many parcels each courier brought on each day, also those that are known or not taken. Old days go.

CREATE TABLE parcels_brought (
    day     INTEGER NOT NULL,          -- since 1970-01-01, UTC
    courier BLOB NOT NULL,             -- device
    parcels INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    PRIMARY KEY (day, courier)
) STRICT, WITHOUT ROWID;
INSERT INTO parcels_brought (day, courier, parcels, bytes)
    SELECT day, courier, count(*), sum(bytes) FROM parcels GROUP BY day, courier;
